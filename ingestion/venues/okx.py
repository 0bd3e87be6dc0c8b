"""OKX v5: spot, swaps, dated futures and coin-settled options.

https://www.okx.com/docs-v5/en/
Sizes of derivatives are contracts; what one contract is, changed over the years.
"""

from collections.abc import Callable, Mapping, Sequence

from ingestion.records import Kind
from ingestion.venues.base import Endpoint, Plan, Request, Venue
from ingestion.venues.okx_history import (
    ask_candles,
    ask_funding_history,
    ask_liquidations,
    ask_trades,
    next_candles,
    next_liquidations,
    next_trades,
    parse_candles,
    parse_funding_history,
    parse_liquidations,
    parse_trades,
)
from ingestion.venues.okx_names import read_name, terms
from ingestion.venues.okx_replies import order_books, parse_instruments
from ingestion.venues.okx_stream import streams
from ingestion.venues.okx_tickers import (
    parse_funding_rate,
    parse_index_tickers,
    parse_mark_prices,
    parse_open_interest,
    parse_option_summary,
    parse_tickers,
)
from ingestion.venues.okx_tiers import ask_position_tiers, is_of_swaps, parse_position_tiers
from ingestion.venues.wire import is_named

PUBLIC = "/api/v5/public/"
MARKET = "/api/v5/market/"
DEPTH = "400"
SPOT_QUOTES = ("USDT", "USDC")


def _of_type(name: str) -> Callable[[Mapping[str, str]], bool]:
    return lambda query: query.get("instType") == name


def _for_types(path: str, *types: str) -> Sequence[Request]:
    return [Request(path, (("instType", each),)) for each in types]


def _for_options(path: str, plan: Plan) -> Sequence[Request]:
    return [Request(path, (("instType", "OPTION"), ("uly", f"{underlying}-USD"))) for underlying in plan.underlyings]


def _instruments(plan: Plan) -> Sequence[Request]:
    path = PUBLIC + "instruments"
    return [*_for_types(path, "SPOT", "SWAP", "FUTURES"), *_for_options(path, plan)]


def _option_summaries(plan: Plan) -> Sequence[Request]:
    return [Request(PUBLIC + "opt-summary", (("uly", f"{underlying}-USD"),)) for underlying in plan.underlyings]


def _option_trades(plan: Plan) -> Sequence[Request]:
    return [
        Request(PUBLIC + "option-trades", (("instFamily", f"{underlying}-USD"),)) for underlying in plan.underlyings
    ]


def _contracts(plan: Plan, *kinds: Kind) -> list[str]:
    """Listed swaps and futures of names that can be read; the usual swaps before any list."""
    usual = [f"{base}-{quote}-SWAP" for base in plan.underlyings for quote in ("USDT", "USD")]
    listed = plan.symbols(*kinds) or (usual if "perp" in kinds else [])
    return [symbol for symbol in listed if is_named(symbol, read_name)]


def _pairs(plan: Plan) -> list[str]:
    spot = set(plan.symbols("spot"))
    named = [f"{base}-{quote}" for base in plan.underlyings for quote in SPOT_QUOTES]
    return [pair for pair in named if pair in spot or (not spot and pair.endswith(SPOT_QUOTES[0]))]


def _everything(plan: Plan) -> list[str]:
    return [*_pairs(plan), *_contracts(plan, "perp", "future")]


def _families(plan: Plan) -> dict[str, list[str]]:
    """`BTC-USDT-SWAP` and `BTC-USDT-240329` are of the family `BTC-USDT`."""

    def named(kind: Kind) -> list[str]:
        return sorted({symbol.rpartition("-")[0] for symbol in _contracts(plan, kind)})

    return {"SWAP": named("perp"), "FUTURES": named("future")}


def _funding_rates(plan: Plan) -> Sequence[Request]:
    return [Request(PUBLIC + "funding-rate", (("instId", symbol),)) for symbol in _contracts(plan, "perp")]


def _books(plan: Plan) -> Sequence[Request]:
    return [Request(MARKET + "books", (("instId", symbol), ("sz", DEPTH))) for symbol in _everything(plan)]


# Limits stand apart for each path; shared here, as weights of the fastest, 100 in 2 s.
WEIGHT_PER_MINUTE = 3_000
FORTY_IN_2S, TWENTY_IN_2S, TEN_IN_2S = 3, 5, 10

_V3 = "API v3, which OKX shut down; v5 is read here"

OKX = Venue(
    name="okx",
    base_url="https://www.okx.com",
    docs_url="https://www.okx.com/docs-v5/en/",
    endpoints=(
        Endpoint(
            "instruments",
            PUBLIC + "instruments",
            parse_instruments,
            _instruments,
            weight=TWENTY_IN_2S,
            proof="recording",
        ),
        Endpoint(
            "option_quotes",
            PUBLIC + "opt-summary",
            parse_option_summary,
            _option_summaries,
            weight=TWENTY_IN_2S,
            proof="recording",
        ),
        Endpoint(
            "open_interest",
            PUBLIC + "open-interest",
            parse_open_interest,
            lambda plan: _for_types(PUBLIC + "open-interest", "OPTION", "SWAP", "FUTURES"),
            weight=TWENTY_IN_2S,
            proof="recording",
        ),
        Endpoint(
            "spot_tickers",
            MARKET + "tickers",
            parse_tickers,
            lambda plan: _for_types(MARKET + "tickers", "SPOT"),
            weight=TWENTY_IN_2S,
            is_reference=True,
            when=_of_type("SPOT"),
        ),
        Endpoint(
            "perp_tickers",
            MARKET + "tickers",
            parse_tickers,
            lambda plan: _for_types(MARKET + "tickers", "SWAP"),
            weight=TWENTY_IN_2S,
            when=_of_type("SWAP"),
        ),
        Endpoint(
            "future_tickers",
            MARKET + "tickers",
            parse_tickers,
            lambda plan: _for_types(MARKET + "tickers", "FUTURES"),
            weight=TWENTY_IN_2S,
            when=_of_type("FUTURES"),
        ),
        Endpoint(
            "option_quotes",
            MARKET + "tickers",
            parse_tickers,
            lambda plan: _for_options(MARKET + "tickers", plan),
            weight=TWENTY_IN_2S,
        ),
        Endpoint(
            "perp_tickers",
            PUBLIC + "mark-price",
            parse_mark_prices,
            lambda plan: _for_types(PUBLIC + "mark-price", "SWAP"),
            weight=TEN_IN_2S,
            when=_of_type("SWAP"),
        ),
        Endpoint(
            "future_tickers",
            PUBLIC + "mark-price",
            parse_mark_prices,
            lambda plan: _for_types(PUBLIC + "mark-price", "FUTURES"),
            weight=TEN_IN_2S,
            when=_of_type("FUTURES"),
        ),
        Endpoint(
            "option_quotes",
            PUBLIC + "mark-price",
            parse_mark_prices,
            lambda plan: _for_options(PUBLIC + "mark-price", plan),
            weight=TEN_IN_2S,
        ),
        Endpoint("perp_tickers", PUBLIC + "funding-rate", parse_funding_rate, _funding_rates, weight=TEN_IN_2S),
        Endpoint(
            "index_prices",
            MARKET + "index-tickers",
            parse_index_tickers,
            lambda plan: [Request(MARKET + "index-tickers", (("quoteCcy", each),)) for each in ("USD", "USDT")],
            weight=TWENTY_IN_2S,
            is_reference=True,
        ),
        Endpoint("order_books", MARKET + "books", order_books, _books, weight=FORTY_IN_2S),
        Endpoint(
            "trades",
            MARKET + "history-trades",
            parse_trades,
            lambda plan: ask_trades(MARKET + "history-trades", _everything(plan), plan),
            weight=TEN_IN_2S,
            is_archived=True,
            follow=next_trades,
            history="3 months",
        ),
        Endpoint(
            "trades",
            PUBLIC + "option-trades",
            parse_trades,
            _option_trades,
            weight=TWENTY_IN_2S,
            history="the last 100 of a family",
        ),
        Endpoint("trades", MARKET + "trades", parse_trades, history="the last 500 of an instrument"),
        Endpoint(
            "candles",
            MARKET + "history-candles",
            parse_candles,
            lambda plan: ask_candles(MARKET + "history-candles", _everything(plan), plan),
            weight=TWENTY_IN_2S,
            is_archived=True,
            follow=next_candles,
            history="recent years",
        ),
        Endpoint("candles", MARKET + "candles", parse_candles, history="the last 1,440 bars"),
        Endpoint(
            "funding_rates",
            PUBLIC + "funding-rate-history",
            parse_funding_history,
            lambda plan: ask_funding_history(PUBLIC + "funding-rate-history", _contracts(plan, "perp"), plan),
            weight=TEN_IN_2S,
            is_archived=True,
            history="3 months",
        ),
        Endpoint(
            "liquidations",
            PUBLIC + "liquidation-orders",
            parse_liquidations,
            lambda plan: ask_liquidations(PUBLIC + "liquidation-orders", _families(plan), plan),
            weight=FORTY_IN_2S,
            is_archived=True,
            follow=next_liquidations,
            history="1 day",
        ),
        Endpoint(
            "margin_tiers",
            PUBLIC + "position-tiers",
            parse_position_tiers,
            lambda plan: ask_position_tiers(PUBLIC + "position-tiers", _families(plan)["SWAP"]),
            weight=TEN_IN_2S,
            when=is_of_swaps,
        ),
    ),
    streams=streams(_pairs, _contracts),
    terms=terms,
    weight_per_minute=WEIGHT_PER_MINUTE,
    retired={r"/api/(spot|swap|futures|option|index|margin|account|information)/v3/.*": _V3},
)
