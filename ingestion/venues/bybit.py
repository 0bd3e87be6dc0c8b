"""Bybit v5: spot, linear and inverse contracts, and options settled in stablecoins.

https://bybit-exchange.github.io/docs/v5/intro
Sizes count base coin, for inverse contracts US dollars.
"""

from collections.abc import Callable, Sequence

from ingestion.venues.base import Endpoint, Plan, Refused, Request, Venue
from ingestion.venues.bybit_market import next_instruments, parse_instruments, parse_order_book, parse_trades
from ingestion.venues.bybit_names import read_name, terms
from ingestion.venues.bybit_tickers import parse_tickers

MARKET = "/v5/market/"
DEPTH = "200"
INSTRUMENTS_A_PAGE = "1000"
TRADES_A_PAGE = "1000"
SPOT_TRADES_A_PAGE = "60"  # the venue's limit


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
    """Category and symbol of every book and tape: the USDT spot pair, all futures and perpetuals."""
    spot = [("spot", f"{base}USDT") for base in plan.underlyings]
    contracts = plan.symbols("perp", "future") or [
        f"{base}{quote}" for base in plan.underlyings for quote in ("USDT", "USD")
    ]
    return spot + [(category, symbol) for symbol in contracts if (category := _category(symbol))]


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
        ),
        Endpoint("perp_tickers", MARKET + "tickers", parse_tickers, _tickers("linear")),
        Endpoint("order_books", MARKET + "orderbook", parse_order_book, _books),
        Endpoint("trades", MARKET + "recent-trade", parse_trades, _trades),
    ),
    terms=terms,
    weight_per_minute=7_200,  # 600 in 5 s
    retired={
        "/v2/public/.*": f"inverse contracts' v2, {_BEFORE_V5}",
        "/public/linear/.*": f"USDT perpetuals' v2, {_BEFORE_V5}",
        "/spot/.*": f"spot's v1, {_BEFORE_V5}",
        "/option/usdc/.*": f"USDC contracts' v1, {_BEFORE_V5}",
        "/perpetual/usdc/.*": f"USDC contracts' v1, {_BEFORE_V5}",
    },
    told_within=("open_interest",),
)
