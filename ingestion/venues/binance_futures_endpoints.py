"""What Binance's two futures venues are asked, and what of theirs is not read."""

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from functools import partial
from typing import Final

from ingestion.venues.base import Endpoint, Parse, Plan, Proof, Request
from ingestion.venues.binance import (
    Market,
    parse_candles,
    parse_last_price,
)
from ingestion.venues.binance_futures import (
    kind_of_dated,
    parse_adjustments,
    parse_contracts,
    parse_funding,
    parse_mark,
    parse_open_interest,
)
from ingestion.venues.binance_market import aggregate_trades, best_quotes, order_books, trades
from ingestion.venues.binance_paging import (
    ask_each,
    ask_minutes,
    ask_trades,
    follow_candles,
    follow_trades,
    span,
)

FUNDING_HISTORY: Final = timedelta(days=3)


def is_dated(query: Mapping[str, str]) -> bool:
    """Whether the reply is about one dated future."""
    return kind_of_dated(query.get("symbol", "")) == "future"


def ask_funding(path: str, names: list[str], plan: Plan) -> list[Request]:
    """Settlements of the three days before the span's end, so that intervals can be proved."""
    return ask_each(path, names, *span(plan.end_ts - FUNDING_HISTORY, plan.end_ts))


def endpoints(
    market: Market,
    root: str,  # "/fapi/v1"
    *,
    perps: Callable[[Plan], list[str]],
    futures: Callable[[Plan], list[str]],
    parse_day: Parse,
    mark_weight: int,
    unrecorded: Collection[str] = (),  # of what no real reply proves the reader: "dated", "klines", "fundingInfo"
) -> tuple[Endpoint, ...]:
    """What both venues answer; everything but funding is asked of perpetuals and dated futures alike."""
    mark, day = f"{root}/premiumIndex", f"{root}/ticker/24hr"
    price = f"{root.replace('v1', 'v[12]')}/ticker/price"
    parse = partial(parse_mark, market)

    def proof(part: str) -> Proof:
        return "example" if part in unrecorded else "recording"

    def ask_all(path: str, *more: tuple[str, str]) -> Callable[[Plan], list[Request]]:
        return lambda plan: ask_each(path, perps(plan) + futures(plan), *more)

    def ask_perps(path: str) -> Callable[[Plan], list[Request]]:
        return lambda plan: ask_each(path, perps(plan))

    def ask_futures(path: str) -> Callable[[Plan], list[Request]]:
        return lambda plan: ask_each(path, futures(plan))

    return (
        Endpoint(
            "instruments",
            f"{root}/exchangeInfo",
            partial(parse_contracts, market),
            lambda plan: [Request(f"{root}/exchangeInfo")],
            proof="recording",
        ),
        Endpoint(
            "future_tickers",
            mark,
            parse,
            ask_futures(mark),
            weight=mark_weight,
            is_reference=True,
            when=is_dated,
            proof=proof("dated"),
        ),
        Endpoint(
            "perp_tickers", mark, parse, ask_perps(mark), weight=mark_weight, is_reference=True, proof="recording"
        ),
        Endpoint("future_tickers", day, parse_day, ask_futures(day), when=is_dated, proof=proof("dated")),
        Endpoint("perp_tickers", day, parse_day, ask_perps(day), proof="recording"),
        Endpoint(
            "order_books",
            f"{root}/depth",
            order_books(market),
            ask_all(f"{root}/depth", ("limit", "1000")),
            weight=20,
            proof="recording",
        ),
        Endpoint(
            "open_interest",
            f"{root}/openInterest",
            partial(parse_open_interest, market),
            ask_all(f"{root}/openInterest"),
            proof="recording",
        ),
        Endpoint(
            "trades",
            f"{root}/aggTrades",
            aggregate_trades(market),
            lambda plan: ask_trades(f"{root}/aggTrades", perps(plan) + futures(plan), plan),
            weight=20,
            is_archived=True,
            follow=partial(follow_trades, market),
            history="1 year",
            proof="recording",
        ),
        Endpoint(
            "funding_rates",
            f"{root}/fundingRate",
            partial(parse_funding, market),
            lambda plan: ask_funding(f"{root}/fundingRate", perps(plan), plan),
            is_archived=True,
            history="not stated",
            proof="recording",
        ),
        Endpoint(
            "candles",
            f"{root}/klines",
            partial(parse_candles, market),
            lambda plan: ask_minutes(f"{root}/klines", perps(plan) + futures(plan), plan),
            weight=5,
            is_archived=True,
            follow=partial(follow_candles, market),
            history="not stated",
            proof=proof("klines"),
        ),
        Endpoint(
            "trades",
            f"{root}/(trades|historicalTrades)",
            trades(market),
            history="the last 1,000, or 3 months with a key",
            proof="recording",
        ),
        Endpoint(
            "perp_tickers",
            f"{root}/fundingInfo",
            partial(parse_adjustments, market),
            proof=proof("fundingInfo"),
        ),
        Endpoint("perp_tickers", f"{root}/ticker/bookTicker", best_quotes(market), proof="recording"),
        Endpoint("perp_tickers", price, partial(parse_last_price, market), proof="recording"),
    )


def refused(api: str) -> dict[str, str]:
    """Paths that are known and not read, with the reason; `api` is "fapi" or "dapi"."""
    root = f"/{api}/v[123]/"
    return {
        f"{root}allForceOrders": "liquidations are served by stream alone since April 2021",
        f"{root}(markPrice|indexPrice|premiumIndex)Klines": "bars of what is not traded: not stored",
        f"{root}continuousKlines": "bars that change contract belong to no instrument",
        f"{root}(indexInfo|constituents|assetIndex)": "composition of indices: statistics we do not store",
        f"{root}(time|ping)": "carries no market data",
        "/futures/data/.*": "statistics we do not store",
        f"{root}(account.*|balance|income.*|allOrders|openOrders?|order.*|userTrades|positionRisk"
        "|forceOrders|commissionRate|leverageBracket)": "account endpoint: never read",
    }
