"""OKX v5: spot, swaps, dated futures and coin-settled options.

https://www.okx.com/docs-v5/en/
Sizes of derivatives are contracts; what one contract is, changed over the years.
"""

from collections.abc import Sequence

from ingestion.venues.base import Endpoint, Plan, Request, Venue
from ingestion.venues.okx_names import terms
from ingestion.venues.okx_replies import (
    parse_funding_rate,
    parse_index_tickers,
    parse_instruments,
    parse_mark_prices,
    parse_open_interest,
    parse_option_summary,
    parse_order_book,
    parse_tickers,
)

PUBLIC = "/api/v5/public/"
MARKET = "/api/v5/market/"
DEPTH = "400"


def _for_types(path: str, *types: str) -> Sequence[Request]:
    return [Request(path, (("instType", each),)) for each in types]


def _for_options(path: str, plan: Plan) -> Sequence[Request]:
    return [Request(path, (("instType", "OPTION"), ("uly", f"{underlying}-USD"))) for underlying in plan.underlyings]


def _instruments(plan: Plan) -> Sequence[Request]:
    path = PUBLIC + "instruments"
    return [*_for_types(path, "SPOT", "SWAP", "FUTURES"), *_for_options(path, plan)]


def _option_summaries(plan: Plan) -> Sequence[Request]:
    return [Request(PUBLIC + "opt-summary", (("uly", f"{underlying}-USD"),)) for underlying in plan.underlyings]


def _swaps(plan: Plan) -> list[str]:
    defaults = [f"{base}-{quote}-SWAP" for base in plan.underlyings for quote in ("USDT", "USD")]
    return plan.symbols("perp") or defaults


def _funding_rates(plan: Plan) -> Sequence[Request]:
    return [Request(PUBLIC + "funding-rate", (("instId", symbol),)) for symbol in _swaps(plan)]


def _books(plan: Plan) -> Sequence[Request]:
    spot = [f"{underlying}-USDT" for underlying in plan.underlyings]
    return [Request(MARKET + "books", (("instId", symbol), ("sz", DEPTH))) for symbol in [*spot, *_swaps(plan)]]


_V3 = "API v3, which OKX shut down; v5 is read here"

OKX = Venue(
    name="okx",
    base_url="https://www.okx.com",
    docs_url="https://www.okx.com/docs-v5/en/",
    endpoints=(
        Endpoint("instruments", PUBLIC + "instruments", parse_instruments, _instruments),
        Endpoint("option_quotes", PUBLIC + "opt-summary", parse_option_summary, _option_summaries),
        Endpoint(
            "open_interest",
            PUBLIC + "open-interest",
            parse_open_interest,
            lambda plan: _for_types(PUBLIC + "open-interest", "OPTION", "SWAP", "FUTURES"),
        ),
        Endpoint(
            "spot_tickers",
            MARKET + "tickers",
            parse_tickers,
            lambda plan: _for_types(MARKET + "tickers", "SPOT"),
            is_reference=True,
            when=lambda query: query.get("instType") == "SPOT",
        ),
        Endpoint(
            "perp_tickers",
            MARKET + "tickers",
            parse_tickers,
            lambda plan: _for_types(MARKET + "tickers", "SWAP"),
            when=lambda query: query.get("instType") == "SWAP",
        ),
        Endpoint(
            "future_tickers",
            MARKET + "tickers",
            parse_tickers,
            lambda plan: _for_types(MARKET + "tickers", "FUTURES"),
            when=lambda query: query.get("instType") == "FUTURES",
        ),
        Endpoint(
            "option_quotes",
            MARKET + "tickers",
            parse_tickers,
            lambda plan: _for_options(MARKET + "tickers", plan),
        ),
        Endpoint(
            "perp_tickers",
            PUBLIC + "mark-price",
            parse_mark_prices,
            lambda plan: _for_types(PUBLIC + "mark-price", "SWAP"),
            weight=2,
        ),
        Endpoint("perp_tickers", PUBLIC + "funding-rate", parse_funding_rate, _funding_rates, weight=2),
        Endpoint(
            "index_prices",
            MARKET + "index-tickers",
            parse_index_tickers,
            lambda plan: [Request(MARKET + "index-tickers", (("quoteCcy", each),)) for each in ("USD", "USDT")],
            is_reference=True,
        ),
        Endpoint("order_books", MARKET + "books", parse_order_book, _books),
    ),
    terms=terms,
    weight_per_minute=600,  # 20 in 2 s for most paths, 10 in 2 s for those of weight 2
    retired={r"/api/(spot|swap|futures|option|index|margin|account|information)/v3/.*": _V3},
)
