"""Bybit v5: spot, linear and inverse contracts, and options settled in stablecoins.

https://bybit-exchange.github.io/docs/v5/intro
Sizes count base coin, for inverse contracts US dollars.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from ingestion.venues.base import Endpoint, Plan, Refused, Request, Venue
from ingestion.venues.bybit_history import (
    BARS_A_PAGE,
    MINUTE_BARS,
    next_candles,
    parse_candles,
    parse_funding_history,
    parse_open_interest,
)
from ingestion.venues.bybit_market import next_instruments, order_books, parse_instruments, parse_trades
from ingestion.venues.bybit_names import read_name, terms
from ingestion.venues.bybit_stream import streams
from ingestion.venues.bybit_tickers import parse_tickers
from ingestion.venues.bybit_tiers import ask_risk_limits, parse_risk_limits

MARKET = "/v5/market/"
DEPTH = "200"
INSTRUMENTS_A_PAGE = "1000"
TRADES_A_PAGE = "1000"
SPOT_TRADES_A_PAGE = "60"  # the venue's limit
SPOT_QUOTES = ("USDT", "USDC")
SETTLEMENTS_A_PAGE = "200"
FUNDING_HISTORY = timedelta(days=3)  # so that intervals can be proved


def _instruments(plan: Plan) -> Sequence[Request]:
    path, size = MARKET + "instruments-info", ("limit", INSTRUMENTS_A_PAGE)
    return [
        Request(path, (("category", "spot"),)),  # spot comes in one page
        Request(path, (("category", "linear"), size)),
        Request(path, (("category", "inverse"), size)),
        *(Request(path, (("category", "option"), ("baseCoin", base), size)) for base in plan.underlyings),
    ]


def _tickers(category: str) -> Callable[[Plan], Sequence[Request]]:
    return lambda plan: [Request(MARKET + "tickers", (("category", category),))]


def _option_tickers(plan: Plan) -> Sequence[Request]:
    return [Request(MARKET + "tickers", (("category", "option"), ("baseCoin", base))) for base in plan.underlyings]


def _asked(plan: Plan) -> list[tuple[str, str]]:
    """Category and symbol of every book, tape and bar: spot in stablecoins, all futures and perpetuals."""
    listed = set(plan.symbols("spot"))
    named = [f"{base}{quote}" for base in plan.underlyings for quote in SPOT_QUOTES]
    spot = [pair for pair in named if pair in listed or (not listed and pair.endswith(SPOT_QUOTES[0]))]
    return [("spot", pair) for pair in spot] + _contracts(plan)


def _contracts(plan: Plan) -> list[tuple[str, str]]:
    """Category and symbol of futures and perpetuals."""
    return _categorised(plan.symbols("perp", "future") or _usual(plan))


def _usual(plan: Plan) -> list[str]:
    return [f"{base}{quote}" for base in plan.underlyings for quote in ("USDT", "USD")]


def _categorised(symbols: list[str]) -> list[tuple[str, str]]:
    return [(category, symbol) for symbol in symbols if (category := _category(symbol))]


def _category(symbol: str) -> str | None:
    try:
        return "inverse" if read_name(symbol).is_inverse else "linear"
    except Refused:
        return None  # listed under a name of no documented grammar: its book could not be read either


def _books(plan: Plan) -> Sequence[Request]:
    return [
        Request(MARKET + "orderbook", (("category", category), ("symbol", symbol), ("limit", DEPTH)))
        for category, symbol in _asked(plan)
    ]


def _trades(plan: Plan) -> Sequence[Request]:
    return [
        Request(
            MARKET + "recent-trade",
            (
                ("category", category),
                ("symbol", symbol),
                ("limit", SPOT_TRADES_A_PAGE if category == "spot" else TRADES_A_PAGE),
            ),
        )
        for category, symbol in _asked(plan)
    ]


def _option_trades(plan: Plan) -> Sequence[Request]:
    path, size = MARKET + "recent-trade", ("limit", TRADES_A_PAGE)
    return [Request(path, (("category", "option"), ("baseCoin", base), size)) for base in plan.underlyings]


def _candles(plan: Plan) -> Sequence[Request]:
    span = (("start", _milliseconds(plan.start_ts)), ("end", _milliseconds(plan.end_ts, -1)))
    more = (("interval", MINUTE_BARS), *span, ("limit", str(BARS_A_PAGE)))
    return [
        Request(MARKET + "kline", (("category", category), ("symbol", symbol), *more))
        for category, symbol in _asked(plan)
    ]


def _settlements(plan: Plan) -> Sequence[Request]:
    since = _milliseconds(plan.end_ts - FUNDING_HISTORY)
    more = (("startTime", since), ("endTime", _milliseconds(plan.end_ts, -1)), ("limit", SETTLEMENTS_A_PAGE))
    return [
        Request(MARKET + "funding/history", (("category", category), ("symbol", symbol), *more))
        for category, symbol in _categorised(plan.symbols("perp") or _usual(plan))
    ]


def _milliseconds(at: datetime, shift: int = 0) -> str:
    """Bybit's ends are inclusive: shifted by -1, an instant is the last before it."""
    return str(round(at.timestamp() * 1_000) + shift)


_BEFORE_V5 = "an API that Bybit replaced with v5, which is read here"

BYBIT = Venue(
    name="bybit",
    base_url="https://api.bybit.com",
    docs_url="https://bybit-exchange.github.io/docs/v5/intro",
    endpoints=(
        Endpoint(
            "instruments",
            MARKET + "instruments-info",
            parse_instruments,
            _instruments,
            follow=next_instruments,
        ),
        Endpoint(
            "spot_tickers",
            MARKET + "tickers",
            parse_tickers,
            _tickers("spot"),
            is_reference=True,
            when=lambda query: query.get("category") == "spot",
            proof="recording",
        ),
        Endpoint(
            "option_quotes",
            MARKET + "tickers",
            parse_tickers,
            _option_tickers,
            when=lambda query: query.get("category") == "option",
        ),
        Endpoint(
            "future_tickers",
            MARKET + "tickers",
            parse_tickers,
            _tickers("inverse"),
            when=lambda query: query.get("category") == "inverse",
            proof="recording",
        ),
        Endpoint("perp_tickers", MARKET + "tickers", parse_tickers, _tickers("linear"), proof="recording"),
        Endpoint("order_books", MARKET + "orderbook", order_books, _books),
        Endpoint(
            "trades",
            MARKET + "recent-trade",
            parse_trades,
            _option_trades,
            when=lambda query: query.get("category") == "option",
            history="the last 1,000 of an underlying",
        ),
        Endpoint(
            "trades",
            MARKET + "recent-trade",
            parse_trades,
            _trades,
            history="the last 1,000 of a contract, 60 of a pair",
        ),
        Endpoint(
            "candles",
            MARKET + "kline",
            parse_candles,
            _candles,
            is_archived=True,
            follow=next_candles,
            history="not stated",
        ),
        Endpoint(
            "funding_rates",
            MARKET + "funding/history",
            parse_funding_history,
            _settlements,
            is_archived=True,
            history="not stated",
        ),
        Endpoint(
            "margin_tiers",
            MARKET + "risk-limit",
            parse_risk_limits,
            lambda plan: ask_risk_limits(MARKET + "risk-limit", _contracts(plan)),
        ),
        Endpoint(
            "open_interest", MARKET + "open-interest", parse_open_interest, history="since the symbol was launched"
        ),
    ),
    streams=streams(_asked),
    told_by_stream=("liquidations",),
    terms=terms,
    weight_per_minute=7_200,  # 600 in 5 s
    retired={
        MARKET + "historical-volatility": "realised volatility of the underlying, which is no index of options",
        MARKET + "(mark|index|premium-index)-price-kline": "bars of what is not traded: not stored",
        "/v2/public/.*": f"inverse contracts' v2, {_BEFORE_V5}",
        "/public/linear/.*": f"USDT perpetuals' v2, {_BEFORE_V5}",
        "/spot/.*": f"spot's v1, {_BEFORE_V5}",
        "/option/usdc/.*": f"USDC contracts' v1, {_BEFORE_V5}",
        "/perpetual/usdc/.*": f"USDC contracts' v1, {_BEFORE_V5}",
    },
    told_within=("open_interest",),
)
