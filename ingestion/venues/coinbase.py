"""Coinbase Exchange: spot against dollars.

https://docs.cdp.coinbase.com/exchange/
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from ingestion.venues.base import Endpoint, Plan, Request, Venue
from ingestion.venues.coinbase_replies import (
    TRADES_A_PAGE,
    next_trades,
    order_books,
    parse_candles,
    parse_products,
    parse_ticker,
    parse_trades,
    terms,
)
from ingestion.venues.coinbase_stream import streams

QUOTES = ("USD", "USDT")
DOLLAR_OF_STABLECOIN = "USDT-USD"  # what one of the quotes is worth in the other
BARS_A_REPLY = 300
MINUTE = timedelta(minutes=1)


def _pairs(plan: Plan) -> list[str]:
    listed = sorted(
        i.symbol
        for i in plan.listed
        if i.kind == "spot" and i.base_asset in plan.underlyings and i.quote_asset in QUOTES
    )
    return listed or [f"{underlying}-USD" for underlying in plan.underlyings]


def _ask(what: str, symbols: Iterable[str], *query: tuple[str, str]) -> list[Request]:
    return [Request(f"/products/{symbol}/{what}", query) for symbol in symbols]


def _trades(plan: Plan) -> Sequence[Request]:
    query = (("limit", str(TRADES_A_PAGE)),)
    return [Request(f"/products/{symbol}/trades", query, until_ts=plan.start_ts) for symbol in _pairs(plan)]


def _candles(plan: Plan) -> Sequence[Request]:
    """Minute bars of the half-open span; `end` is the start of the last bar."""
    requests: list[Request] = []
    start = plan.start_ts
    while start < plan.end_ts:
        end = min(start + BARS_A_REPLY * MINUTE, plan.end_ts)
        span = (("start", _written(start)), ("end", _written(end - MINUTE)))
        requests += _ask("candles", _pairs(plan), ("granularity", "60"), *span)
        start = end
    return requests


def _written(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


_PAIR = "/products/[A-Za-z0-9]+-[A-Za-z0-9]+/"

COINBASE = Venue(
    name="coinbase",
    base_url="https://api.exchange.coinbase.com",
    docs_url="https://docs.cdp.coinbase.com/exchange/",
    endpoints=(
        Endpoint("instruments", "/products", parse_products, lambda plan: [Request("/products")], proof="recording"),
        Endpoint(
            "spot_tickers",
            _PAIR + "ticker",
            parse_ticker,
            lambda plan: _ask("ticker", [*_pairs(plan), DOLLAR_OF_STABLECOIN]),
            is_reference=True,
            proof="recording",
        ),
        Endpoint(
            "order_books",
            _PAIR + "book",
            order_books,
            lambda plan: _ask("book", _pairs(plan), ("level", "2")),
            proof="recording",
        ),
        Endpoint(
            "trades",
            _PAIR + "trades",
            parse_trades,
            _trades,
            is_archived=True,
            follow=next_trades,
            history="since the pair was listed, back from now a thousand trades a reply",
        ),
        Endpoint(
            "candles",
            _PAIR + "candles",
            parse_candles,
            _candles,
            is_archived=True,
            history="since the pair was listed, 300 bars a reply",
        ),
    ),
    streams=streams(_pairs),
    terms=terms,
    weight_per_minute=600,  # 10 a second an address: https://docs.cdp.coinbase.com/exchange/rest-api/rate-limits
    retired={
        "/products/[^/]+/stats": "the day's figures, which the ticker and the bars tell",
        "/products/(stats|volume-summary)": "sums over days, which is none of our datasets",
        "/products/[^/]+": "one row of /products, which is asked for whole",
        "/(currencies|time|oracle|wrapped-assets)(/.*)?": "carries no market data",
        "/(accounts|orders|fills|profiles|reports|transfers)(/.*)?": "account endpoint: never read",
    },
)
