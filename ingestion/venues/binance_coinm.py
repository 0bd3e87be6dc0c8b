"""Binance COIN-M: inverse perpetuals and quarterly futures, in contracts of 100 USD (BTC) or 10 USD (others).

https://developers.binance.com/docs/derivatives/coin-margined-futures/market-data
"""

import re
from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from ingestion.records import Instrument, Kind, SpotTicker
from ingestion.venues.base import Plan, Refused, Reply, Venue, rows
from ingestion.venues.binance import TICKERS, Amount, Market, Rows, entries, identity, present, reader
from ingestion.venues.binance_futures import delivery_of, interval_of, kind_of_dated
from ingestion.venues.binance_futures_endpoints import endpoints, refused
from ingestion.venues.binance_paging import symbols
from ingestion.venues.binance_stream import streams

_SYMBOL = re.compile(r"([^\W_]+)USD_(PERP|\d{6})")


def kind_of(symbol: str) -> Kind:
    """BTCUSD_PERP is a perpetual, BTCUSD_240329 a future; anything else is `Refused`."""
    if not _SYMBOL.fullmatch(symbol):
        raise Refused("unknown_symbol", f"binance_coinm {symbol}: expected BTCUSD_PERP or BTCUSD_240329")
    return kind_of_dated(symbol)


class Day(Struct, rename="camel"):
    """One row of `ticker/24hr`; `volume` beside it counts contracts."""

    symbol: str
    last_price: Amount
    base_volume: Amount  # negative in a reply of June 2020, which is damage
    close_time: int


_DAY = reader(Day)


def parse_day(reply: Reply) -> Rows:
    """Read `ticker/24hr`; the volume in USD is not stated."""

    def read(day: Day) -> Iterator[SpotTicker]:
        who = identity(MARKET, reply, day.symbol, day.close_time)
        yield TICKERS[who["kind"]](**who, last_px=present(day.last_price), volume_24h_base=day.base_volume)

    return rows(_DAY, entries(MARKET, reply), read)


def terms(symbol: str, kind: Kind, at: datetime) -> Instrument:
    """A contract by its name: base, USD, and PERP or the delivery date."""
    match = _SYMBOL.fullmatch(symbol)
    if match is None or kind != kind_of(symbol):
        raise Refused(
            "unknown_symbol",
            f"{MARKET.venue} {kind} {symbol}: expected perp BTCUSD_PERP or future BTCUSD_240329",
        )
    base = match[1]
    return Instrument(
        venue=MARKET.venue,
        symbol=symbol,
        kind=kind,
        captured_ts=at,
        base_asset=base,
        quote_asset="USD",
        settle_asset=base,
        contract_size=100.0 if base == "BTC" else 10.0,
        amount_unit="contracts",
        is_inverse=True,
        expiry_ts=delivery_of(symbol) if kind == "future" else None,
        funding_interval_s=interval_of(kind, base),
        terms_source="documented",
    )


MARKET = Market("binance_coinm", kind_of, terms, is_inverse=True)


def perps(plan: Plan) -> list[str]:
    return symbols(plan, MARKET, "perp", ("USD",), otherwise=(f"{b}USD_PERP" for b in plan.underlyings))


def futures(plan: Plan) -> list[str]:
    return symbols(plan, MARKET, "future", ("USD",))


BINANCE_COINM = Venue(
    name=MARKET.venue,
    base_url="https://dapi.binance.com",
    docs_url="https://developers.binance.com/docs/derivatives/coin-margined-futures/market-data",
    endpoints=endpoints(
        MARKET,
        "/dapi/v1",
        perps=perps,
        futures=futures,
        parse_day=parse_day,
        mark_weight=10,
        unrecorded=("klines", "fundingInfo"),
    ),
    streams=streams(MARKET, lambda plan: perps(plan) + futures(plan)),
    told_by_stream=("liquidations",),
    terms=terms,
    weight_per_minute=2400,
    retired=refused("dapi"),
)
