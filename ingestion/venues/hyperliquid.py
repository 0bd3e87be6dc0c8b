"""Hyperliquid: perpetuals settled in USDC, and spot pairs.

https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint
Everything is a POST to one path; the question's `type` tells them apart. Funding is paid every hour.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import msgspec

from ingestion.venues.base import Endpoint, Plan, Reply, Request, Venue, decode
from ingestion.venues.hyperliquid_history import BAR, SETTLEMENT, each, parse_candles, parse_funding, parse_trades
from ingestion.venues.hyperliquid_names import spelled, terms
from ingestion.venues.hyperliquid_replies import order_books, parse_contexts, parse_pairs, parse_perps, source
from ingestion.venues.hyperliquid_stream import streams
from ingestion.venues.spans import epoch_ms

T = TypeVar("T")

INFO = "/info"
ROWS_A_PAGE = 500  # "responses that take a time range will only return 500 elements"
FUNDING_HISTORY = timedelta(days=3)  # so that intervals can be proved by consecutive settlements
INTERVAL = "1h"


def _asks(kind: str) -> Callable[[Mapping[str, str]], bool]:
    return lambda query: query.get("type") == kind


def _once(kind: str) -> Callable[[Plan], Sequence[Request]]:
    return lambda plan: [Request.post(INFO, {"type": kind})]


def _perps(plan: Plan) -> list[str]:
    return plan.symbols("perp") or list(plan.underlyings)


def _pairs(plan: Plan) -> list[str]:
    """Bitcoin and others trade as tokens of the Unit bridge, UBTC: https://docs.hyperunit.xyz/."""
    wanted = {*plan.underlyings, *(f"U{coin}" for coin in plan.underlyings)}
    return sorted(i.symbol for i in plan.listed if i.kind == "spot" and i.base_asset in wanted)


def _of_coins(kind: str, symbols: Callable[[Plan], list[str]]) -> Callable[[Plan], Sequence[Request]]:
    return lambda plan: [Request.post(INFO, {"type": kind, "coin": spelled(symbol)}) for symbol in symbols(plan)]


def _settlements(plan: Plan) -> Sequence[Request]:
    start = min(plan.start_ts, plan.end_ts - FUNDING_HISTORY)
    span = {"startTime": epoch_ms(start), "endTime": epoch_ms(plan.end_ts) - 1}  # the end is inclusive
    return [Request.post(INFO, {"type": "fundingHistory", "coin": symbol, **span}) for symbol in _perps(plan)]


def _bars(plan: Plan) -> Sequence[Request]:
    span = {"startTime": epoch_ms(plan.start_ts), "endTime": epoch_ms(plan.end_ts) - 1}
    return [
        Request.post(INFO, {"type": "candleSnapshot", "req": {"coin": symbol, "interval": INTERVAL, **span}})
        for symbol in _perps(plan)
    ]


def _last(reply: Reply, decoder: msgspec.json.Decoder[T]) -> T | None:
    """The last row of a full page; none where the page is not full."""
    page = each(reply)
    return decode(decoder, bytes(page[-1]), f"{source(reply)}: last row") if len(page) >= ROWS_A_PAGE else None


def _after(span: Mapping[str, Any], last_ms: int) -> dict[str, Any] | None:
    return {**span, "startTime": last_ms + 1} if last_ms < span["endTime"] else None


def next_settlements(request: Request, reply: Reply) -> Request | None:
    """The page after a full one: a coin settles once an instant, so the next begins a millisecond later."""
    last = _last(reply, SETTLEMENT)
    asked = None if last is None else _after(json.loads(request.body or "{}"), last.time)
    return None if asked is None else Request.post(INFO, asked)


def next_bars(request: Request, reply: Reply) -> Request | None:
    """The page after a full one."""
    last, asked = _last(reply, BAR), json.loads(request.body or "{}")
    span = None if last is None else _after(asked["req"], last.time)
    return None if span is None else Request.post(INFO, {**asked, "req": span})


HYPERLIQUID = Venue(
    name="hyperliquid",
    base_url="https://api.hyperliquid.xyz",
    docs_url="https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint",
    endpoints=(
        Endpoint("instruments", INFO, parse_perps, _once("meta"), weight=20, when=_asks("meta"), proof="recording"),
        Endpoint("instruments", INFO, parse_pairs, _once("spotMeta"), weight=20, when=_asks("spotMeta")),
        Endpoint(
            "perp_tickers",
            INFO,
            parse_contexts,
            _once("metaAndAssetCtxs"),
            weight=20,
            when=_asks("metaAndAssetCtxs"),
        ),
        Endpoint(
            "order_books",
            INFO,
            order_books,
            _of_coins("l2Book", lambda plan: _perps(plan) + _pairs(plan)),
            weight=2,
            when=_asks("l2Book"),
            proof="recording",
        ),
        Endpoint(
            "trades",
            INFO,
            parse_trades,
            _of_coins("recentTrades", lambda plan: _perps(plan) + _pairs(plan)),
            weight=21,  # 20, and one more for every 20 rows
            when=_asks("recentTrades"),
            history="the last few trades; no number is stated",
        ),
        Endpoint(
            "funding_rates",
            INFO,
            parse_funding,
            _settlements,
            weight=45,  # 20, and one more for every 20 rows of a full page
            is_archived=True,
            follow=next_settlements,
            when=_asks("fundingHistory"),
            history="since the listing, 500 rows a page",
            proof="recording",
        ),
        Endpoint(
            "candles",
            INFO,
            parse_candles,
            _bars,
            weight=29,  # 20, and one more for every 60 rows of a full page
            is_archived=True,
            follow=next_bars,
            when=_asks("candleSnapshot"),
            history="the most recent 5,000 bars of each interval",
        ),
    ),
    streams=streams(_perps, _pairs),
    terms=terms,
    weight_per_minute=1_200,
    retired={INFO: "a question other than those read here: mids, accounts and others that are none of our datasets"},
    told_within=("open_interest",),
)
