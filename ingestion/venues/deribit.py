"""Deribit: coin-settled options, futures and perpetuals, and their USDC-settled kin.

https://docs.deribit.com/
Sizes are `amount`: US dollars for inverse futures and perpetuals, base coin for options and the linear.
What is settled in USDC is one currency to Deribit, whatever its base: asked for BTC, it comes with all other coins.
"""

from collections.abc import Callable, Sequence

from ingestion.records import Kind
from ingestion.venues.base import Endpoint, Plan, Request, Venue
from ingestion.venues.deribit_history import (
    MINUTE_BARS,
    MINUTE_VOLATILITY,
    next_trades,
    next_volatility,
    parse_candles,
    parse_funding,
    parse_trades,
    parse_volatility,
)
from ingestion.venues.deribit_names import terms
from ingestion.venues.deribit_quotes import parse_book_summaries, parse_ticker
from ingestion.venues.deribit_replies import order_books, parse_index_price, parse_instruments
from ingestion.venues.deribit_stream import streams

PUBLIC = "/api/v2/public/"
DEPTH = 100
TRADES_A_PAGE = 1_000
COIN_SETTLED = ("BTC", "ETH")  # the currencies of inverse contracts, and those of which there is a DVOL
LINEAR = "USDC"

_TRADES = "get_last_trades_by_currency_and_time"
_SUMMARIES = "get_book_summary_by_currency"


def _coins(plan: Plan) -> list[str]:
    return [underlying for underlying in plan.underlyings if underlying in COIN_SETTLED]


def _each_currency(method: str, *kinds: str, **more: str) -> Callable[[Plan], Sequence[Request]]:
    """By kind: a question that names none is answered with combos too, which are no instruments of their own."""

    def requests(plan: Plan) -> list[Request]:
        return [
            Request(PUBLIC + method, (("currency", currency), ("kind", kind), *more.items()))
            for currency in (*_coins(plan), LINEAR)
            for kind in kinds
        ]

    return requests


def _each_symbol(plan: Plan, method: str, kinds: tuple[Kind, ...], *more: tuple[str, str]) -> list[Request]:
    symbols = plan.symbols(*kinds) or [f"{coin}-PERPETUAL" for coin in _coins(plan)]
    return [Request(PUBLIC + method, (("instrument_name", symbol), *more)) for symbol in symbols]


def _span(plan: Plan) -> tuple[tuple[str, str], ...]:
    """The half-open span in Deribit's milliseconds, whose end is inclusive."""
    first, last = (round(at.timestamp() * 1_000) for at in (plan.start_ts, plan.end_ts))
    return (("start_timestamp", str(first)), ("end_timestamp", str(last - 1)))


def _trades(plan: Plan) -> list[Request]:
    ask = _each_currency(_TRADES, "future", "option", **dict(_span(plan)), count=str(TRADES_A_PAGE), sorting="asc")
    return list(ask(plan))


def _volatility(plan: Plan) -> list[Request]:
    more = (*_span(plan), ("resolution", MINUTE_VOLATILITY))
    return [Request(PUBLIC + "get_volatility_index_data", (("currency", coin), *more)) for coin in _coins(plan)]


def _indices(plan: Plan) -> list[Request]:
    return [
        Request(PUBLIC + "get_index_price", (("index_name", f"{underlying.lower()}_{quote}"),))
        for underlying in plan.underlyings
        for quote in ("usd", "usdc")
    ]


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
            _each_currency("get_instruments", "future", "option", expired="false"),
            weight=20,  # 10,000 credits, where others cost 500
            proof="recording",
        ),
        Endpoint(
            "option_quotes",
            PUBLIC + _SUMMARIES,
            parse_book_summaries,
            _each_currency(_SUMMARIES, "option"),
            when=lambda query: query.get("kind") == "option",
            proof="recording",
        ),
        Endpoint(
            "future_tickers",
            PUBLIC + _SUMMARIES,
            parse_book_summaries,
            _each_currency(_SUMMARIES, "future"),
            proof="recording",
        ),
        Endpoint(
            "future_tickers",
            PUBLIC + "get_book_summary_by_instrument",
            parse_book_summaries,
            proof="recording",
        ),
        Endpoint(
            "perp_tickers",
            PUBLIC + "ticker",
            parse_ticker,
            lambda plan: _each_symbol(plan, "ticker", ("perp",)),
            proof="recording",
        ),
        Endpoint(
            "order_books",
            PUBLIC + "get_order_book",
            order_books,
            lambda plan: _each_symbol(plan, "get_order_book", ("perp", "future"), ("depth", str(DEPTH))),
        ),
        Endpoint(
            "trades",
            PUBLIC + r"get_last_trades_by_(instrument|currency)(_and_time)?",
            parse_trades,
            _trades,
            is_archived=True,
            follow=next_trades,
            tells=("liquidations",),
            history="24 hours",
        ),
        Endpoint(
            "funding_rates",
            PUBLIC + "get_funding_rate_history",
            parse_funding,
            lambda plan: _each_symbol(plan, "get_funding_rate_history", ("perp",), *_span(plan)),
            is_archived=True,
            history="not stated",
        ),
        Endpoint(
            "candles",
            PUBLIC + "get_tradingview_chart_data",
            parse_candles,
            lambda plan: _each_symbol(
                plan, "get_tradingview_chart_data", ("perp", "future"), *_span(plan), ("resolution", MINUTE_BARS)
            ),
            is_archived=True,
            history="not stated",
        ),
        Endpoint(
            "volatility_indices",
            PUBLIC + "get_volatility_index_data",
            parse_volatility,
            _volatility,
            is_archived=True,
            follow=next_volatility,
            history="not stated",
        ),
        Endpoint("index_prices", PUBLIC + "get_index_price", parse_index_price, _indices, is_reference=True),
    ),
    streams=streams(_coins),
    terms=terms,
    weight_per_minute=1_200,
    retired={
        PUBLIC + "(getlasttrades|getorderbook|getsummary)": _V1,
        PUBLIC + "get_index": "deprecated by Deribit for get_index_price; its reply names no index and no time",
        PUBLIC + "get_currencies": "a list of currencies and withdrawal fees, which is none of our datasets",
        PUBLIC + "get_historical_volatility": "realised volatility of the underlying, which is no index of options",
        PUBLIC + "get_funding_(chart_data|rate_value)": "sums of what get_funding_rate_history tells hour by hour",
    },
    told_within=("open_interest", "liquidations"),
)
