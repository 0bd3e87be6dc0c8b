"""Kraken Futures: inverse and linear perpetuals, and contracts of fixed maturity.

https://docs.kraken.com/api/docs/futures-api
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from ingestion.venues.base import Endpoint, Plan, Request, Venue
from ingestion.venues.kraken_futures_history import (
    next_candles,
    next_executions,
    next_history,
    parse_candles,
    parse_executions,
    parse_funding,
    parse_history,
    parse_liquidations,
    written,
)
from ingestion.venues.kraken_futures_market import order_books, parse_tickers
from ingestion.venues.kraken_futures_names import question, terms
from ingestion.venues.kraken_futures_replies import parse_instruments

TRADING = "/derivatives/api/v3/"
MARKET = "/api/history/v3/market/"
CHARTS = "/api/charts/v1/trade/"
EXECUTIONS_A_PAGE = 1_000
BARS_A_REPLY = 2_000
MINUTE = timedelta(minutes=1)

_SYMBOL = "[A-Za-z0-9_]+"


def _perpetuals(plan: Plan) -> list[str]:
    return plan.symbols("perp") or [question(base, style) for base in plan.underlyings for style in ("F", "I")]


def _contracts(plan: Plan) -> list[str]:
    return plan.symbols("perp", "future") or _perpetuals(plan)


def _books(plan: Plan) -> Sequence[Request]:
    return [Request(TRADING + "orderbook", (("symbol", symbol),)) for symbol in _contracts(plan)]


def _executions(plan: Plan) -> Sequence[Request]:
    # Not documented is whether `since` itself is left out: a millisecond more is asked for than is wanted.
    since, before = _milliseconds(plan.start_ts) - 1, _milliseconds(plan.end_ts)
    span = (("since", str(since)), ("before", str(before)), ("sort", "asc"), ("count", str(EXECUTIONS_A_PAGE)))
    return [Request(f"{MARKET}{symbol}/executions", span) for symbol in _contracts(plan)]


def _liquidations(plan: Plan) -> Sequence[Request]:
    last = ("lastTime", written(plan.end_ts))
    return [
        Request(TRADING + "history", (("symbol", symbol), last), until_ts=plan.start_ts) for symbol in _contracts(plan)
    ]


def _funding(plan: Plan) -> Sequence[Request]:
    return [Request(TRADING + "historical-funding-rates", (("symbol", symbol),)) for symbol in _perpetuals(plan)]


def _candles(plan: Plan) -> Sequence[Request]:
    """Minute bars of the half-open span; `to` is the start of the last bar."""
    requests: list[Request] = []
    start = plan.start_ts
    while start < plan.end_ts:
        end = min(start + BARS_A_REPLY * MINUTE, plan.end_ts)
        span = (("from", _seconds(start)), ("to", _seconds(end - MINUTE)))
        requests += [Request(f"{CHARTS}{symbol}/1m", span) for symbol in _contracts(plan)]
        start = end
    return requests


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000)


def _seconds(at: datetime) -> str:
    return str(round(at.timestamp()))


KRAKEN_FUTURES = Venue(
    name="kraken_futures",
    base_url="https://futures.kraken.com",
    docs_url="https://docs.kraken.com/api/docs/futures-api",
    endpoints=(
        Endpoint(
            "instruments",
            TRADING + "instruments",
            parse_instruments,
            lambda plan: [Request(TRADING + "instruments")],
            proof="recording",
        ),
        Endpoint(
            "perp_tickers",
            TRADING + f"tickers(/{_SYMBOL})?",
            parse_tickers,
            lambda plan: [Request(TRADING + "tickers")],
            proof="recording",
        ),
        Endpoint("order_books", TRADING + "orderbook", order_books, _books, proof="recording"),
        Endpoint(
            "trades",
            f"/api/history/v[23]/market/{_SYMBOL}/executions",
            parse_executions,
            _executions,
            is_archived=True,
            follow=next_executions,
            history="since the contract was listed, a thousand fills a reply",
        ),
        Endpoint(
            "liquidations",
            TRADING + "history",
            parse_liquidations,
            _liquidations,
            is_archived=True,
            follow=next_history,
            when=lambda query: "lastTime" in query,
            history="7 days, or since the trading engine restarted, a hundred fills a reply",
        ),
        Endpoint("trades", TRADING + "history", parse_history, proof="recording"),
        Endpoint(
            "funding_rates",
            "/derivatives/api/v[34]/historical-?funding-?rates",
            parse_funding,
            _funding,
            is_archived=True,
            history="one year, in one reply",
        ),
        Endpoint(
            "candles",
            f"{CHARTS}{_SYMBOL}/[0-9]+[mhdw]",
            parse_candles,
            _candles,
            is_archived=True,
            follow=next_candles,
            history="since the contract was listed",
        ),
    ),
    terms=terms,
    weight_per_minute=300,  # ours: public questions "do not count against any rate limiting budget"
    retired={
        TRADING + "instruments/.*": "whether trading is dislocated; contracts stand in the list of instruments",
        TRADING + "(feeschedules|initialmargin|maxordersize|assignmentprogram|unwindqueue)(/.*)?": (
            "fees and margins, which are none of our datasets"
        ),
        "/api/charts/v1/(mark|spot)/.*": "bars of the mark or the index, in which nothing was traded",
        "/api/charts/v1/analytics/.*": "sums over contracts and sides, which the trades tell",
        f"/api/history/v[23]/market/{_SYMBOL}/(orders|price)": "every order's life, which is none of our datasets",
        TRADING + "(accounts|openpositions|openorders|fills|sendorder|transfers).*": "account endpoint: never read",
    },
    told_within=("future_tickers", "open_interest", "index_prices"),
)
