"""Deribit: coin-settled options, futures and perpetuals, and their USDC-settled kin.

https://docs.deribit.com/
Sizes are `amount`: US dollars for inverse futures and perpetuals, base coin for options and the linear.
"""

from collections.abc import Callable, Sequence

from ingestion.records import Kind
from ingestion.venues.base import Endpoint, Plan, Request, Venue
from ingestion.venues.deribit_names import terms
from ingestion.venues.deribit_quotes import parse_book_summaries, parse_ticker
from ingestion.venues.deribit_replies import (
    next_trades,
    parse_index_price,
    parse_instruments,
    parse_order_book,
    parse_trades,
)

PUBLIC = "/api/v2/public/"
DEPTH = 100
TRADES_A_PAGE = 1_000


def _a_currency(method: str, **more: str) -> Callable[[Plan], Sequence[Request]]:
    def requests(plan: Plan) -> list[Request]:
        return [Request(PUBLIC + method, (("currency", currency), *more.items())) for currency in plan.underlyings]

    return requests


def _symbols(plan: Plan, *kinds: Kind) -> list[str]:
    return plan.symbols(*kinds) or [f"{underlying}-PERPETUAL" for underlying in plan.underlyings]


def _books(plan: Plan) -> list[Request]:
    return [
        Request(PUBLIC + "get_order_book", (("instrument_name", symbol), ("depth", str(DEPTH))))
        for symbol in _symbols(plan, "perp", "future")
    ]


def _tickers(plan: Plan) -> list[Request]:
    return [Request(PUBLIC + "ticker", (("instrument_name", symbol),)) for symbol in _symbols(plan, "perp")]


def _trades(plan: Plan) -> list[Request]:
    first, last = (round(at.timestamp() * 1_000) for at in (plan.start_ts, plan.end_ts))
    span = (("start_timestamp", str(first)), ("end_timestamp", str(last - 1)))  # the venue's end is inclusive
    return [
        Request(
            PUBLIC + "get_last_trades_by_instrument_and_time",
            (("instrument_name", symbol), *span, ("count", str(TRADES_A_PAGE)), ("sorting", "asc")),
        )
        for symbol in _symbols(plan, "perp", "future")
    ]


def _indices(plan: Plan) -> list[Request]:
    return [
        Request(PUBLIC + "get_index_price", (("index_name", f"{underlying.lower()}_usd"),))
        for underlying in plan.underlyings
    ]


_SUMMARIES = "get_book_summary_by_currency"
_V1 = "a method of API v1, which Deribit removed; its v2 successors are read here"

DERIBIT = Venue(
    name="deribit",
    base_url="https://www.deribit.com",
    docs_url="https://docs.deribit.com/",
    endpoints=(
        Endpoint(
            "instruments",
            PUBLIC + "get_instruments",
            parse_instruments,
            _a_currency("get_instruments", expired="false"),
            weight=200,  # once in 10 s, where others may be asked 20 times a second
        ),
        Endpoint(
            "option_quotes",
            PUBLIC + _SUMMARIES,
            parse_book_summaries,
            _a_currency(_SUMMARIES, kind="option"),
            when=lambda query: query.get("kind") == "option",
        ),
        Endpoint(
            "future_tickers",
            PUBLIC + _SUMMARIES,
            parse_book_summaries,
            _a_currency(_SUMMARIES, kind="future"),
        ),
        Endpoint("future_tickers", PUBLIC + "get_book_summary_by_instrument", parse_book_summaries),
        Endpoint("perp_tickers", PUBLIC + "ticker", parse_ticker, _tickers),
        Endpoint("order_books", PUBLIC + "get_order_book", parse_order_book, _books),
        Endpoint(
            "trades",
            PUBLIC + r"get_last_trades_by_instrument(_and_time)?",
            parse_trades,
            _trades,
            is_archived=True,
            follow=next_trades,
        ),
        Endpoint("index_prices", PUBLIC + "get_index_price", parse_index_price, _indices, is_reference=True),
    ),
    terms=terms,
    weight_per_minute=1_200,
    retired={
        PUBLIC + "(getlasttrades|getorderbook|getsummary)": _V1,
        PUBLIC + "get_index": "deprecated by Deribit for get_index_price; its reply names no index and no time",
        PUBLIC + "get_currencies": "a list of currencies and withdrawal fees, which is none of our datasets",
    },
    told_within=("open_interest",),
)
