"""Binance spot.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints
"""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Final

import msgspec
from msgspec import Raw, Struct

from ingestion.records import Instrument, Kind, SpotTicker
from ingestion.venues.base import Endpoint, Plan, Refused, Reply, Request, Venue, decode, instant, rows
from ingestion.venues.binance import (
    Amount,
    Filter,
    Market,
    Rows,
    entries,
    identity,
    parse_candles,
    parse_last_price,
    present,
    reader,
    refuse_failure,
    source,
    steps,
)
from ingestion.venues.binance_market import aggregate_trades, best_quotes, order_books, trades
from ingestion.venues.binance_paging import (
    ask_candles,
    ask_each,
    ask_trades,
    follow_candles,
    follow_trades,
    symbols,
)
from ingestion.venues.binance_stream import streams

# Quote assets of the listings of 2019 to 2025. The longest that ends a symbol is its quote: USDSBUSDS is
# USDSB in USDS, and BTCBUSD is BTC in BUSD.
QUOTES: Final = tuple(
    sorted(
        (
            *("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USDP", "PAX", "USDS", "DAI", "UST", "VAI", "USD1"),
            *("BTC", "ETH", "BNB", "XRP", "TRX", "DOGE", "SOL"),
            *("EUR", "EURI", "GBP", "AUD", "TRY", "BRL", "RUB", "UAH", "NGN", "ZAR", "PLN", "RON", "ARS"),
            *("JPY", "MXN", "CZK", "COP", "BIDR", "IDRT", "BKRW", "BVND", "GYEN"),
        ),
        key=len,
        reverse=True,
    )
)

ASKED_QUOTES: Final = ("USDT", "USDC")


class Day(Struct, rename="camel"):
    """One row of `ticker/24hr`; `closeTime` is the end of the 24 hours, which is now."""

    symbol: str
    bid_price: Amount
    bid_qty: Amount
    ask_price: Amount
    ask_qty: Amount
    last_price: Amount
    volume: Amount
    quote_volume: Amount
    close_time: int


class Pair(Struct, rename="camel"):
    """One row of `exchangeInfo`."""

    symbol: str
    base_asset: str
    quote_asset: str
    filters: list[Filter]


class Listing(Struct, rename="camel"):
    """`exchangeInfo`."""

    server_time: int
    symbols: list[Raw]


_DAY, _PAIR, _LISTING = reader(Day), reader(Pair), reader(Listing)


def parse_day(reply: Reply) -> Rows:
    """Read `ticker/24hr`."""

    def read(day: Day) -> Iterator[SpotTicker]:
        yield SpotTicker(
            **identity(MARKET, reply, day.symbol, day.close_time),
            bid_px=present(day.bid_price),
            bid_qty=day.bid_qty if day.bid_price else None,
            ask_px=present(day.ask_price),
            ask_qty=day.ask_qty if day.ask_price else None,
            last_px=present(day.last_price),
            volume_24h_base=day.volume,
            volume_24h_quote=day.quote_volume,
        )

    return rows(_DAY, entries(MARKET, reply), read)


def parse_pairs(reply: Reply) -> Rows:
    """Read `exchangeInfo`; pairs on a break are listed all the same."""
    refuse_failure(MARKET, reply)
    listing = decode(_LISTING, reply.body, source(MARKET, reply))
    instant(listing.server_time)

    def read(pair: Pair) -> Iterator[Instrument]:
        tick, lot = steps(pair.filters)
        yield Instrument(
            **identity(MARKET, reply, pair.symbol, listing.server_time),
            base_asset=pair.base_asset,
            quote_asset=pair.quote_asset,
            settle_asset=pair.quote_asset,
            contract_size=1.0,
            amount_unit="base",
            is_inverse=False,
            tick_size_px=tick,
            lot_size_qty=lot,
            terms_source="listed",
        )

    return rows(_PAIR, listing.symbols, read)


def terms(symbol: str, kind: Kind, at: datetime) -> Instrument:
    """A pair by its name: base, then quote, with nothing between them."""
    quote = next((q for q in QUOTES if symbol.endswith(q) and symbol != q), None)
    if kind != "spot" or quote is None:
        raise Refused("unknown_symbol", f"{MARKET.venue} {kind} {symbol}: expected spot BTCUSDT")
    return Instrument(
        venue=MARKET.venue,
        symbol=symbol,
        kind="spot",
        captured_ts=at,
        base_asset=symbol.removesuffix(quote),
        quote_asset=quote,
        settle_asset=quote,
        contract_size=1.0,
        amount_unit="base",
        is_inverse=False,
        terms_source="documented",
    )


MARKET = Market("binance_spot", lambda symbol: "spot", terms)


def pairs(plan: Plan) -> list[str]:
    """Each wanted underlying in stablecoins."""
    return symbols(plan, MARKET, "spot", ASKED_QUOTES, otherwise=(f"{base}USDT" for base in plan.underlyings))


def ask_day(plan: Plan) -> list[Request]:
    """All pairs at once, as the JSON list that the endpoint takes."""
    wanted = pairs(plan)
    names = msgspec.json.encode(wanted).decode()
    return [Request("/api/v3/ticker/24hr", (("symbols", names),))] if wanted else []


BINANCE_SPOT = Venue(
    name=MARKET.venue,
    base_url="https://api.binance.com",
    docs_url="https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints",
    endpoints=(
        Endpoint(
            "instruments",
            "/api/v3/exchangeInfo",
            parse_pairs,
            lambda plan: [Request("/api/v3/exchangeInfo")],
            weight=20,
            proof="recording",
        ),
        Endpoint(
            "spot_tickers", "/api/v3/ticker/24hr", parse_day, ask_day, weight=2, is_reference=True, proof="recording"
        ),
        Endpoint(
            "order_books",
            "/api/v3/depth",
            order_books(MARKET),
            lambda plan: ask_each("/api/v3/depth", pairs(plan), ("limit", "1000")),
            weight=50,
            proof="recording",
        ),
        Endpoint(
            "trades",
            "/api/v3/aggTrades",
            aggregate_trades(MARKET),
            lambda plan: ask_trades("/api/v3/aggTrades", pairs(plan), plan),
            weight=4,
            is_archived=True,
            follow=partial(follow_trades, MARKET),
            history="not stated",
            proof="recording",
        ),
        Endpoint(
            "candles",
            "/api/v3/klines",
            partial(parse_candles, MARKET),
            lambda plan: ask_candles("/api/v3/klines", pairs(plan), plan),
            weight=2,
            is_archived=True,
            follow=partial(follow_candles, MARKET),
            history="not stated",
            proof="recording",
        ),
        Endpoint(
            "trades",
            "/api/v3/(trades|historicalTrades)",
            trades(MARKET),
            history="not stated",
            proof="recording",
        ),
        Endpoint("spot_tickers", "/api/v3/ticker/bookTicker", best_quotes(MARKET), proof="recording"),
        Endpoint("spot_tickers", "/api/v3/ticker/price", partial(parse_last_price, MARKET), proof="recording"),
    ),
    streams=streams(MARKET, pairs),
    terms=terms,
    weight_per_minute=6000,
    retired={
        "/api/v1/.*": "/api/v1 was retired in favour of /api/v3",
        "/api/v3/(avgPrice|ticker|ticker/tradingDay)": "statistics we do not store",
        "/api/v3/uiKlines": "bars altered for display; /api/v3/klines has the true ones",
        "/api/v3/(time|ping)": "carries no market data",
        "/api/v3/(account.*|openOrders|order.*|all.*|my.*)": "account endpoint: never read",
    },
)
