"""Binance's largest replies, many at once: books, trades and spot's quotes as `binance.py` reads them, where plain."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, Raw, Struct, UnsetType

from ingestion.bulk import Bulk, Depth, Fills, Quotes, Unplain, Who, books, spot_quotes, trades
from ingestion.venues.base import EARLIEST, Reply
from ingestion.venues.binance import (
    AggregateFill,
    Best,
    F,
    Fill,
    Id,
    Market,
    asked_identity,
    identity,
    parse_aggregate_trades,
    parse_book_ticker,
    parse_order_book,
    parse_trades,
    reader,
)


class Head(Struct, rename="camel"):
    """`depth` with its sides unread, and what marks it as a failure."""

    last_update_id: Id
    bids: Raw
    asks: Raw
    symbol: str | UnsetType = UNSET
    matched_ms: int | UnsetType = msgspec.field(name="T", default=UNSET)
    code: int | UnsetType = UNSET
    msg: str | UnsetType = UNSET


LISTED = 8192  # more symbols than a market has
_HEAD, _BESTS = reader(Head), reader(list[Best])
_FILLS, _AGGREGATES = reader(list[Fill]), reader(list[AggregateFill])


def depths(market: Market) -> Bulk:
    """As `parse_order_book`."""
    who = _names(market)

    def read(reply: Reply) -> Depth:
        head = _HEAD.decode(reply.body)
        if head.code is not UNSET or head.msg is not UNSET:
            raise Unplain(reply.path)
        return Depth(
            who=who(reply.query.get("symbol"), None if head.symbol is UNSET else head.symbol),
            sequence_id=head.last_update_id,
            event_ms=None if head.matched_ms is UNSET else head.matched_ms,
            bids=head.bids,
            asks=head.asks,
        )

    return books(read)


def fills(market: Market) -> Bulk:
    """As `parse_trades`."""
    return _fills(market, _FILLS, is_aggregate=False)


def aggregate_fills(market: Market) -> Bulk:
    """As `parse_aggregate_trades`."""
    return _fills(market, _AGGREGATES, is_aggregate=True)


def quotes(market: Market) -> Bulk:
    """As `parse_book_ticker`; derivatives, whose kinds are of several records and have a clock, are left to it."""
    who = _names(market)
    plain: set[str] = set()  # symbols of spot that answered replies about all

    def read(reply: Reply) -> Quotes:
        told = _BESTS.decode(reply.body)
        symbols = [best.symbol for best in told]
        asked = reply.query.get("symbol")
        new = set(symbols) - (plain if asked is None else set())
        if any(who(asked, symbol).kind != "spot" for symbol in new) or {best.time for best in told} - {UNSET}:
            raise Unplain(reply.path)
        if asked is None and len(plain) + len(new) <= LISTED:
            plain.update(new)
        return Quotes(
            venue=market.venue,
            symbols=symbols,
            bid_px=np.array([best.bid_price for best in told], dtype=np.float64),
            bid_qty=np.array([best.bid_qty for best in told], dtype=np.float64),
            ask_px=np.array([best.ask_price for best in told], dtype=np.float64),
            ask_qty=np.array([best.ask_qty for best in told], dtype=np.float64),
        )

    return spot_quotes(read)


BULK: Mapping[Callable[..., Any], Callable[[Market], Bulk]] = {
    parse_book_ticker: quotes,
    parse_order_book: depths,
    parse_trades: fills,
    parse_aggregate_trades: aggregate_fills,
}


def _fills(market: Market, decoder: msgspec.json.Decoder[list[F]], *, is_aggregate: bool) -> Bulk:
    who = _names(market)

    def read(reply: Reply) -> Fills:
        told = decoder.decode(reply.body)
        return Fills(
            who=who(reply.query.get("symbol"), None),
            trade_ids=np.array([fill.id for fill in told], dtype=np.int64),
            px=np.array([fill.price for fill in told], dtype=np.float64),
            qty=np.array([fill.qty for fill in told], dtype=np.float64),
            event_ms=np.array([fill.time for fill in told], dtype=np.int64),
            is_sell=np.array([fill.is_buyer_maker for fill in told], dtype=np.bool_),
            is_aggregate=is_aggregate,
        )

    return trades(read)


def _names(market: Market) -> Callable[[str | None, str | None], Who]:
    """Whose a reply is, by the symbol that was asked and the one that it names; the same every time."""

    @lru_cache(maxsize=LISTED)
    def who(asked: str | None, named: str | None) -> Who:
        reply = Reply("", {} if asked is None else {"symbol": asked}, b"", EARLIEST)
        found = asked_identity(market, reply) if named is None else identity(market, reply, named)
        return Who(found["venue"], found["kind"], found["symbol"])

    return who
