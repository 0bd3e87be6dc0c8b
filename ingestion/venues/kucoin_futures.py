"""KuCoin Futures: linear perpetuals in USDT or USDC, perpetuals and quarterly futures settled in coin.

https://www.kucoin.com/docs-new/rest/futures-trading/introduction
Sizes count contracts; KuCoin shows no liquidations but to their owners.
"""

from collections.abc import Sequence
from datetime import timedelta

from ingestion.venues.base import Endpoint, Plan, Request, Venue
from ingestion.venues.kucoin_answers import DOCS, PUBLIC_WEIGHT_A_MINUTE
from ingestion.venues.kucoin_futures_history import (
    next_funding_rates,
    parse_candles,
    parse_funding_rates,
    parse_index_prices,
)
from ingestion.venues.kucoin_futures_names import BITCOIN_IN_DOLLARS, VENUE, read_name, terms
from ingestion.venues.kucoin_futures_replies import order_books, parse_contracts, parse_tickers, parse_trades
from ingestion.venues.kucoin_futures_tiers import parse_risk_limits
from ingestion.venues.spans import epoch_ms, spans
from ingestion.venues.wire import is_named

API = "/api/v1/"
BARS_A_REPLY = 500
MINUTE = timedelta(minutes=1)


def _spelled(base: str) -> str:
    return "XBT" if base == "BTC" else base


def _contracts(plan: Plan, *, is_perp: bool = False) -> list[str]:
    defaults = [f"{_spelled(base)}{quote}M" for base in plan.underlyings for quote in ("USDT", "USD")]
    listed = plan.symbols("perp") if is_perp else plan.symbols("perp", "future")
    return [symbol for symbol in listed or defaults if is_named(symbol, read_name)]


def _each_contract(plan: Plan, path: str, *more: tuple[str, str], is_perp: bool = False) -> list[Request]:
    return [Request(API + path, (("symbol", symbol), *more)) for symbol in _contracts(plan, is_perp=is_perp)]


def _candles(plan: Plan) -> Sequence[Request]:
    return [
        request
        for start, end in spans(plan.start_ts, plan.end_ts, BARS_A_REPLY * MINUTE)
        for request in _each_contract(
            plan,
            "kline/query",
            ("granularity", "1"),
            ("from", str(epoch_ms(start))),
            ("to", str(epoch_ms(end) - 1)),
        )
    ]


def _funding_rates(plan: Plan) -> Sequence[Request]:
    span = ("from", str(epoch_ms(plan.start_ts))), ("to", str(epoch_ms(plan.end_ts) - 1))
    return _each_contract(plan, "contract/funding-rates", *span, is_perp=True)


def _indices(plan: Plan) -> Sequence[Request]:
    names = [f".K{_spelled(base)}USDT" for base in plan.underlyings] + [BITCOIN_IN_DOLLARS] * (
        "BTC" in plan.underlyings
    )
    return [Request(API + "index/query", (("symbol", name), ("maxCount", "1"))) for name in names]


KUCOIN_FUTURES = Venue(
    name=VENUE,
    base_url="https://api-futures.kucoin.com",
    docs_url=DOCS + "rest/futures-trading/introduction",
    endpoints=(
        Endpoint(
            "instruments",
            API + "contracts/active",
            parse_contracts,
            lambda plan: [Request(API + "contracts/active")],
            weight=3,
        ),
        Endpoint(
            "perp_tickers",
            API + "allTickers",
            parse_tickers,
            lambda plan: [Request(API + "allTickers")],
            weight=5,
        ),
        Endpoint("index_prices", API + "index/query", parse_index_prices, _indices, weight=2, is_reference=True),
        Endpoint(
            "order_books",
            API + "level2/(snapshot|depth20|depth100)",
            order_books,
            lambda plan: _each_contract(plan, "level2/depth100"),
            weight=5,
        ),
        Endpoint(
            "trades",
            API + "trade/history",
            parse_trades,
            lambda plan: _each_contract(plan, "trade/history"),
            weight=5,
            history="the last 100",
        ),
        Endpoint(
            "candles",
            API + "kline/query",
            parse_candles,
            _candles,
            weight=3,
            is_archived=True,
            history="not stated, 500 bars a reply",
        ),
        Endpoint(
            "funding_rates",
            API + "contract/funding-rates",
            parse_funding_rates,
            _funding_rates,
            weight=5,
            is_archived=True,
            follow=next_funding_rates,
            history="not stated",
        ),
        Endpoint(
            "margin_tiers",
            API + "contracts/risk-limit/[^/]+",
            parse_risk_limits,
            lambda plan: [
                Request(f"{API}contracts/risk-limit/{symbol}")
                for symbol in _contracts(plan, is_perp=True)
                if not read_name(symbol).is_inverse
            ],
            weight=5,
        ),
    ),
    terms=terms,
    weight_per_minute=PUBLIC_WEIGHT_A_MINUTE,
    told_within=("future_tickers", "open_interest"),
)
