"""Kraken spot.

https://docs.kraken.com/api/
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ingestion.venues.base import Endpoint, Plan, Request, Venue
from ingestion.venues.kraken_history import next_trades, parse_candles, parse_trades
from ingestion.venues.kraken_names import is_dark, question, read_name, terms
from ingestion.venues.kraken_replies import order_books, parse_pairs, parse_tickers
from ingestion.venues.kraken_stream import streams
from ingestion.venues.wire import is_named

PUBLIC = "/0/public/"
QUOTES = ("USD", "USDT", "EUR")
DEPTH = 500
TRADES_A_PAGE = 1_000
BAR_MINUTES = (1, 60)


def _pairs(plan: Plan) -> list[str]:
    listed = sorted(
        i.symbol
        for i in plan.listed
        if i.kind == "spot" and i.base_asset in plan.underlyings and i.quote_asset in QUOTES and not is_dark(i.symbol)
    )
    defaults = [question(underlying, "USD") for underlying in plan.underlyings]
    return [symbol for symbol in listed or defaults if is_named(symbol, read_name)]


def _books(plan: Plan) -> Sequence[Request]:
    return [Request(PUBLIC + "Depth", (("pair", pair), ("count", str(DEPTH)))) for pair in _pairs(plan)]


def _trades(plan: Plan) -> Sequence[Request]:
    since_ns = _microseconds(plan.start_ts) * 1_000 - 1  # `since` itself is left out
    query = (("since", str(since_ns)), ("count", str(TRADES_A_PAGE)))
    return [Request(PUBLIC + "Trades", (("pair", pair), *query), until_ts=plan.end_ts) for pair in _pairs(plan)]


def _candles(plan: Plan) -> Sequence[Request]:
    since = ("since", str(_microseconds(plan.start_ts) // 1_000_000 - 1))
    return [
        Request(PUBLIC + "OHLC", (("pair", pair), ("interval", str(minutes)), since))
        for pair in _pairs(plan)
        for minutes in BAR_MINUTES
    ]


def _microseconds(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


KRAKEN = Venue(
    name="kraken",
    base_url="https://api.kraken.com",
    docs_url="https://docs.kraken.com/api/",
    endpoints=(
        Endpoint(
            "instruments",
            PUBLIC + "AssetPairs",
            parse_pairs,
            lambda plan: [Request(PUBLIC + "AssetPairs")],
            proof="recording",
        ),
        Endpoint(
            "spot_tickers",
            PUBLIC + "Ticker",
            parse_tickers,
            lambda plan: [Request(PUBLIC + "Ticker")],  # all pairs: one unknown name would fail a list of them
            is_reference=True,
            proof="recording",
        ),
        Endpoint("order_books", PUBLIC + "Depth", order_books, _books, proof="recording"),
        Endpoint(
            "trades",
            PUBLIC + "Trades",
            parse_trades,
            _trades,
            is_archived=True,
            follow=next_trades,
            history="since the pair was listed, a thousand trades a reply",
            proof="recording",
        ),
        Endpoint(
            "candles",
            PUBLIC + "OHLC",
            parse_candles,
            _candles,
            is_archived=True,
            history="the newest 720 bars: 12 hours of minutes, 30 days of hours",
        ),
    ),
    streams=streams(_pairs),
    terms=terms,
    weight_per_minute=60,  # "1 per second (or less)": https://support.kraken.com/articles/206548367
    retired={
        PUBLIC + "Assets": "assets and their decimals, which AssetPairs tells where they are traded",
        PUBLIC + "Spread": "the touch of the last minutes, which books and tickers tell",
        PUBLIC + "GroupedBook": "the book in steps of several ticks; Depth has every price",
        PUBLIC + "(Time|SystemStatus|PreTrade|PostTrade)": "carries no market data of a pair",
        "/0/private/.*": "account endpoint: never read",
    },
)
