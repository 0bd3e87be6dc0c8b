"""Binance USD-M: linear perpetuals and quarterly futures, in base coin, margined in a stablecoin.

https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from msgspec import Struct

from ingestion.records import Instrument, Kind, SpotTicker
from ingestion.venues.base import Plan, Refused, Reply, Venue, rows
from ingestion.venues.binance import TICKERS, Amount, Market, Rows, entries, identity, present, reader
from ingestion.venues.binance_futures import delivery_of, interval_of, kind_of_dated
from ingestion.venues.binance_futures_endpoints import endpoints, refused
from ingestion.venues.binance_paging import symbols
from ingestion.venues.binance_stream import streams

_SYMBOL = re.compile(r"([^\W_]+?)(USDT|USDC|BUSD|BTC)(_\d{6})?")
_ASKED_QUOTES: Final = ("USDT", "USDC")  # what perpetuals on BTC and ETH are quoted in, ETHBTC aside


def kind_of(symbol: str) -> Kind:
    """BTCUSDT is a perpetual, BTCUSDT_240329 a future; anything else with an underscore is `Refused`."""
    kind = kind_of_dated(symbol)
    if kind == "perp" and "_" in symbol:
        raise Refused("unknown_symbol", f"binance_usdm {symbol}: expected BTCUSDT or BTCUSDT_240329")
    return kind


class Day(Struct, rename="camel"):
    """One row of `ticker/24hr`; there is no quote in it."""

    symbol: str
    last_price: Amount
    volume: Amount
    quote_volume: Amount
    close_time: int


_DAY = reader(Day)


def parse_day(reply: Reply) -> Rows:
    """Read `ticker/24hr`; volume counts base coin."""

    def read(day: Day) -> Iterator[SpotTicker]:
        who = identity(MARKET, reply, day.symbol, day.close_time)
        yield TICKERS[who["kind"]](
            **who,
            last_px=present(day.last_price),
            volume_24h_base=day.volume,
            volume_24h_quote=day.quote_volume,
        )

    return rows(_DAY, entries(MARKET, reply), read)


def terms(symbol: str, kind: Kind, at: datetime) -> Instrument:
    """A contract by its name: base, quote, and the delivery date of a dated future."""
    match = _SYMBOL.fullmatch(symbol)
    if match is None or kind != kind_of(symbol):
        raise Refused("unknown_symbol", f"{MARKET.venue} {kind} {symbol}: expected BTCUSDT or future BTCUSDT_240329")
    base, quote, _ = match.groups()
    return Instrument(
        venue=MARKET.venue,
        symbol=symbol,
        kind=kind,
        captured_ts=at,
        base_asset=base,
        quote_asset=quote,
        settle_asset=quote,
        contract_size=1.0,
        amount_unit="base",
        is_inverse=False,
        expiry_ts=delivery_of(symbol) if kind == "future" else None,
        funding_interval_s=interval_of(kind, base),
        terms_source="documented",
    )


MARKET = Market("binance_usdm", kind_of, terms)


def perps(plan: Plan) -> list[str]:
    return symbols(plan, MARKET, "perp", _ASKED_QUOTES, otherwise=(f"{b}USDT" for b in plan.underlyings))


def futures(plan: Plan) -> list[str]:
    return symbols(plan, MARKET, "future", _ASKED_QUOTES)


BINANCE_USDM = Venue(
    name=MARKET.venue,
    base_url="https://fapi.binance.com",
    docs_url="https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data",
    endpoints=endpoints(
        MARKET,
        "/fapi/v1",
        perps=perps,
        futures=futures,
        parse_day=parse_day,
        mark_weight=1,
        unrecorded=("dated",),
    ),
    streams=streams(MARKET, lambda plan: perps(plan) + futures(plan)),
    told_by_stream=("liquidations",),
    terms=terms,
    weight_per_minute=2400,
    retired=refused("fapi"),
)
