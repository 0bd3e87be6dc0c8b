"""HTX Futures: linear swaps and futures, swaps in coin, and futures in coin.

https://www.htx.com/en-us/opend/newApiPages/
Three products under one host, each with its own paths; sizes count contracts, and volumes count both sides.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ingestion.records import Kind
from ingestion.venues.base import Endpoint, Plan, Request, Venue
from ingestion.venues.htx_futures_history import (
    next_funding_rates,
    next_liquidations,
    order_books,
    parse_candles,
    parse_funding_rates,
    parse_liquidations,
    parse_trades,
)
from ingestion.venues.htx_futures_names import VENUE, read_name, terms
from ingestion.venues.htx_futures_replies import (
    parse_contracts,
    parse_funding,
    parse_index_prices,
    parse_mark_price,
    parse_open_interest,
    parse_tick,
    parse_ticks,
)
from ingestion.venues.spans import epoch_ms, epoch_s, spans
from ingestion.venues.wire import is_named

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
BARS_A_REPLY = 2_000
TRADES_A_REPLY = ("size", "2000")
SETTLEMENTS_A_PAGE = ("page_size", "50")
UNMERGED = ("type", "step0")


@dataclass(frozen=True, slots=True)
class _Product:
    reference: str  # before the name of a list
    market: str
    mark: str
    key: str  # what names a contract in questions about its market
    all_kinds: tuple[tuple[str, str], ...] = ()  # else a question about all is one about perpetuals


LINEAR = _Product(
    "/linear-swap-api/v1/swap_",
    "/linear-swap-ex/market/",
    "/index/market/history/linear_swap_mark_price_kline",
    "contract_code",
    (("business_type", "all"),),
)
COIN_PERPS = _Product(
    "/swap-api/v1/swap_", "/swap-ex/market/", "/index/market/history/swap_mark_price_kline", "contract_code"
)
COIN_FUTURES = _Product("/api/v1/contract_", "/market/", "/index/market/history/mark_price_kline", "symbol")
PRODUCTS = (LINEAR, COIN_PERPS, COIN_FUTURES)

REFERENCE = "(/linear-swap-api/v1/swap_|/swap-api/v1/swap_|/api/v1/contract_)"
LIQUIDATIONS = "(/linear-swap-api/v3/swap_|/swap-api/v3/swap_|/api/v3/contract_)liquidation_orders"
MARKET = "(/linear-swap-ex|/swap-ex|)/market/"
MARK = "/index/market/history/(linear_swap_|swap_|)mark_price_kline"


def _product(symbol: str) -> _Product:
    name = read_name(symbol)
    if not name.is_inverse:
        return LINEAR
    return COIN_PERPS if name.kind == "perp" else COIN_FUTURES


def _contracts(plan: Plan, *kinds: Kind) -> list[tuple[_Product, str]]:
    defaults = [f"{base}-{quote}" for base in plan.underlyings for quote in ("USDT", "USD")]
    return [(_product(symbol), symbol) for symbol in plan.symbols(*kinds) or defaults if is_named(symbol, read_name)]


def _of_all(what: str, *products: _Product) -> Callable[[Plan], Sequence[Request]]:
    return lambda plan: [Request(product.reference + what, product.all_kinds) for product in products]


def _of_each(what: str, *more: tuple[str, str]) -> Callable[[Plan], Sequence[Request]]:
    return lambda plan: [
        Request(product.market + what, ((product.key, symbol), *more))
        for product, symbol in _contracts(plan, "perp", "future")
    ]


def _ticks(plan: Plan) -> Sequence[Request]:
    return [Request(f"/v2{product.market}detail/batch_merged", product.all_kinds) for product in PRODUCTS]


def _marks(plan: Plan) -> Sequence[Request]:
    return [
        Request(product.mark, ((product.key, symbol), ("period", "1min"), ("size", "1")))
        for product, symbol in _contracts(plan, "perp", "future")
    ]


def _candles(plan: Plan) -> Sequence[Request]:
    return [
        request
        for start, end in spans(plan.start_ts, plan.end_ts, BARS_A_REPLY * MINUTE)
        for request in _of_each(
            "history/kline", ("period", "1min"), ("from", str(epoch_s(start))), ("to", str(epoch_s(end) - 1))
        )(plan)
    ]


def _funding_rates(plan: Plan) -> Sequence[Request]:
    return [
        Request(
            product.reference + "historical_funding_rate",
            (("contract_code", symbol), ("page_index", "1"), SETTLEMENTS_A_PAGE),
            until_ts=plan.start_ts,
        )
        for product, symbol in _contracts(plan, "perp")
    ]


def _liquidations(plan: Plan) -> Sequence[Request]:
    """Hour by hour, for two are the longest span; futures in coin are asked for by coin, others one by one."""
    named = [(p, ("contract", s)) for p, s in _contracts(plan, "perp", "future") if p is not COIN_FUTURES]
    named += [(COIN_FUTURES, ("symbol", base)) for base in plan.underlyings]
    return [
        Request(
            product.reference.replace("/v1/", "/v3/") + "liquidation_orders",
            (
                name,
                ("trade_type", "0"),
                ("start_time", str(epoch_ms(start))),
                ("end_time", str(epoch_ms(end) - 1)),
                ("direct", "next"),
            ),
        )
        for start, end in spans(plan.start_ts, plan.end_ts, HOUR)
        for product, name in named
    ]


HTX_FUTURES = Venue(
    name=VENUE,
    base_url="https://api.hbdm.com",
    docs_url="https://www.htx.com/en-us/opend/newApiPages/",
    endpoints=(
        Endpoint(
            "instruments",
            REFERENCE + "contract_info",
            parse_contracts,
            _of_all("contract_info", *PRODUCTS),
            proof="recording",
        ),
        Endpoint(
            "index_prices",
            REFERENCE + "index",
            parse_index_prices,
            _of_all("index", *PRODUCTS),
            is_reference=True,
            proof="recording",
        ),
        Endpoint(
            "open_interest",
            REFERENCE + "open_interest",
            parse_open_interest,
            _of_all("open_interest", *PRODUCTS),
            proof="recording",
        ),
        Endpoint(
            "perp_tickers",
            REFERENCE + "(batch_)?funding_rate",
            parse_funding,
            _of_all("batch_funding_rate", LINEAR, COIN_PERPS),
            proof="recording",
        ),
        Endpoint("perp_tickers", MARKET + "detail/merged", parse_tick, proof="recording"),
        Endpoint("perp_tickers", "/v2" + MARKET + "detail/batch_merged", parse_ticks, _ticks),
        Endpoint("perp_tickers", MARK, parse_mark_price, _marks),
        Endpoint(
            "order_books",
            MARKET + "depth",
            order_books,
            _of_each("depth", UNMERGED),
            proof="recording",
        ),
        Endpoint(
            "trades",
            MARKET + "history/trade",
            parse_trades,
            _of_each("history/trade", TRADES_A_REPLY),
            history="the last 2,000",
            proof="recording",
        ),
        Endpoint(
            "candles",
            MARKET + "history/kline",
            parse_candles,
            _candles,
            is_archived=True,
            history="two years, 2,000 bars a reply",
        ),
        Endpoint(
            "funding_rates",
            REFERENCE + "historical_funding_rate",
            parse_funding_rates,
            _funding_rates,
            is_archived=True,
            follow=next_funding_rates,
            history="not stated, by pages of 50",
        ),
        Endpoint(
            "liquidations",
            LIQUIDATIONS,
            parse_liquidations,
            _liquidations,
            is_archived=True,
            follow=next_liquidations,
            history="90 days, two hours a reply",
        ),
    ),
    terms=terms,
    weight_per_minute=2_400,  # 120 in 3 s by IP address, of lists of futures in coin; the rest may be asked more often
    retired={
        "(/linear-swap-api|/swap-api)/v1/swap_liquidation_orders|/api/v1/contract_liquidation_orders": (
            "the first list of liquidations, which HTX took offline; its third is read here"
        ),
    },
    told_within=("future_tickers",),
    known_as=("huobi_futures",),
)
