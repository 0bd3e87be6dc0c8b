"""What is asked of Binance's three venues over a span of time, and how the next page is found."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct

from ingestion.records import Kind
from ingestion.venues.base import Plan, Refused, Reply, Request, decode, instant
from ingestion.venues.binance import Bar, Id, Market, entries, interval_s, reader, source

PAGE: Final = 1000  # the most rows that aggTrades, klines and fundingRate give at once
CANDLE_HISTORY: Final = timedelta(days=91)


class Position(Struct):
    """Where in the sequence of `aggTrades` a row stands, whatever else of it is damaged."""

    id: Id = msgspec.field(name="a")
    time: int = msgspec.field(name="T")


_POSITION, _BAR = reader(Position), reader(Bar)


def milliseconds(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def span(start: datetime, end: datetime) -> tuple[tuple[str, str], ...]:
    """The half-open [start, end) in Binance's inclusive milliseconds, and the largest page."""
    return (
        ("startTime", str(milliseconds(start))),
        ("endTime", str(milliseconds(end) - 1)),
        ("limit", str(PAGE)),
    )


def symbols(
    plan: Plan, market: Market, kind: Kind, quotes: Collection[str], otherwise: Iterable[str] = ()
) -> list[str]:
    """Listed symbols on the wanted underlyings that have not expired when the span begins, sorted.

    `otherwise` answers where no listing of this venue was captured.
    """
    listing = [i for i in plan.listed if i.venue == market.venue]
    if not listing:
        return list(otherwise)
    return sorted(
        i.symbol
        for i in listing
        if i.kind == kind
        and i.base_asset in plan.underlyings
        and i.quote_asset in quotes
        and (i.expiry_ts is None or i.expiry_ts > plan.start_ts)
    )


def ask_each(path: str, names: Iterable[str], *more: tuple[str, str]) -> list[Request]:
    """The same question for each symbol."""
    return [Request(path, (("symbol", name), *more)) for name in names]


def ask_trades(path: str, names: Iterable[str], plan: Plan) -> list[Request]:
    """First pages of `aggTrades`, hour by hour: startTime and endTime must lie less than an hour apart."""
    requests: list[Request] = []
    for name in names:
        start = plan.start_ts
        while start < plan.end_ts:
            end = min(start + timedelta(hours=1), plan.end_ts)
            requests.append(Request(path, (("symbol", name), *span(start, end)), until_ts=end))
            start = end
    return requests


def follow_trades(market: Market, request: Request, reply: Reply) -> Request | None:
    """The page after a full one, by id; endTime must not stand beside fromId, so `until_ts` ends it."""
    raws = entries(market, reply)
    if len(raws) < PAGE:
        return None
    if request.until_ts is None:
        raise Refused("paging", f"{source(market, reply)}: a full page, but no until_ts to end the next at")
    last = decode(_POSITION, bytes(raws[-1]), source(market, reply))
    if instant(last.time) >= request.until_ts:
        return None
    symbol = dict(request.query)["symbol"]
    query = (("symbol", symbol), ("fromId", str(last.id + 1)), ("limit", str(PAGE)))
    return Request(request.path, query, until_ts=request.until_ts)


def ask_candles(path: str, names: Iterable[str], plan: Plan) -> list[Request]:
    """Hourly bars of the 91 days before the span's end."""
    return ask_each(path, names, ("interval", "1h"), *span(plan.end_ts - CANDLE_HISTORY, plan.end_ts))


def ask_minutes(path: str, names: Iterable[str], plan: Plan) -> list[Request]:
    """Bars of a minute of the span itself."""
    return ask_each(path, names, ("interval", "1m"), *span(plan.start_ts, plan.end_ts))


def follow_candles(market: Market, request: Request, reply: Reply) -> Request | None:
    """The page after a full one, by time; endTime stays."""
    raws = entries(market, reply)
    if len(raws) < PAGE:
        return None
    last = decode(_BAR, bytes(raws[-1]), source(market, reply))
    asked = dict(request.query)
    start_ms = last.open_ms + interval_s(market, reply) * 1000
    if start_ms > int(asked["endTime"]):
        return None
    return Request(request.path, tuple((asked | {"startTime": str(start_ms)}).items()))
