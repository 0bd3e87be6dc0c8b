"""Binance's largest replies: books, trades and best quotes, on spot and both futures venues."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, TypeVar

import msgspec
import numpy as np
from msgspec import UNSET, Raw, Struct, UnsetType

from ingestion.records import OrderBook, Trade
from ingestion.venues.base import EARLIEST, Reply, decode, instant, refuse_beyond_float64
from ingestion.venues.binance import (
    TICKERS,
    Amount,
    Id,
    Market,
    Price,
    Rows,
    asked_identity,
    identity,
    reader,
    refuse_failure,
    row_list,
    source,
)
from ingestion.venues.bulk import Unplain
from ingestion.venues.columnwise import by_name, chosen, distinct, from_epoch, one_of, sides, where_any
from ingestion.venues.grids import Fields, Grid
from ingestion.venues.ladders import Depths, Ladder, Who, each_named
from ingestion.venues.sheets import Columns, Values
from ingestion.venues.wire import NAMES_KEPT


class Book(Struct, rename="camel"):
    """`depth`; spot and the 2019 futures carry no clock, and only COIN-M names the symbol."""

    last_update_id: Id
    bids: list[tuple[Price, Price]]
    asks: list[tuple[Price, Price]]
    symbol: str | UnsetType = UNSET
    matched_ms: int | UnsetType = msgspec.field(name="T", default=UNSET)


class Head(Struct, rename="camel"):
    """`depth` with its sides unread, and what marks it as a failure."""

    last_update_id: Id
    bids: Raw
    asks: Raw
    symbol: str | UnsetType = UNSET
    matched_ms: int | UnsetType = msgspec.field(name="T", default=UNSET)
    code: int | UnsetType = UNSET
    msg: str | UnsetType = UNSET


class Fill(Struct, rename="camel"):
    """One row of `trades` and `historicalTrades`."""

    id: Id
    price: Price
    qty: Price
    time: int
    is_buyer_maker: bool


class AggregateFill(Struct):
    """One row of `aggTrades`: fills of one taker order at one price."""

    id: Id = msgspec.field(name="a")
    price: Price = msgspec.field(name="p")
    qty: Price = msgspec.field(name="q")
    time: int = msgspec.field(name="T")
    is_buyer_maker: bool = msgspec.field(name="m")


class Best(Struct, rename="camel"):
    """One row of `ticker/bookTicker`; spot carries no clock."""

    symbol: str
    bid_price: Amount
    bid_qty: Amount
    ask_price: Amount
    ask_qty: Amount
    time: int | UnsetType = UNSET


F = TypeVar("F", Fill, AggregateFill)

_BOOK, _HEAD = reader(Book), reader(Head)


def parse_order_book(market: Market, reply: Reply) -> Rows:
    """Read `depth`; the clock is the matching engine's (`T`), not the sender's (`E`)."""
    refuse_failure(market, reply)
    refuse_beyond_float64(reply.body, source(market, reply))
    book = decode(_BOOK, reply.body, source(market, reply))
    who = asked_identity(market, reply) if book.symbol is UNSET else identity(market, reply, book.symbol)
    if book.matched_ms is not UNSET:
        who["event_ts"] = instant(book.matched_ms)
    return iter(
        [
            OrderBook(
                **who,
                sequence_id=book.last_update_id,
                bid_px=tuple(px for px, _ in book.bids),
                bid_qty=tuple(qty for _, qty in book.bids),
                ask_px=tuple(px for px, _ in book.asks),
                ask_qty=tuple(qty for _, qty in book.asks),
            )
        ]
    )


def order_books(market: Market) -> Ladder[Head]:
    """`depth`, as `parse_order_book` reads it."""
    who = _names(market)

    def read(asked: Reply, heads: Sequence[Head]) -> Depths:
        if any(head.code is not UNSET or head.msg is not UNSET for head in heads):
            raise Unplain(asked.path)
        symbols = [None if head.symbol is UNSET else head.symbol for head in heads]
        return Depths(
            who=each_named(symbols, partial(who, asked.path, asked.query.get("symbol"))),
            sequence_id=[head.last_update_id for head in heads],
            event_us=[None if head.matched_ms is UNSET else head.matched_ms * 1_000 for head in heads],
            bids=[head.bids for head in heads],
            asks=[head.asks for head in heads],
        )

    return Ladder(partial(parse_order_book, market), _HEAD, read)


def trades(market: Market) -> Grid[Fill]:
    """`trades` and `historicalTrades`."""
    return _fills(market, Fill, is_aggregate=False)


def aggregate_trades(market: Market) -> Grid[AggregateFill]:
    """`aggTrades`."""
    return _fills(market, AggregateFill, is_aggregate=True)


def _fills(market: Market, row: type[F], *, is_aggregate: bool) -> Grid[F]:
    def listed(reply: Reply) -> Raw:
        asked_identity(market, reply)
        return row_list(market, reply)

    def columns(reply: Reply, fills: Fields[F]) -> list[Columns]:
        symbol = reply.query["symbol"].upper()
        fields: dict[str, Values] = {
            "venue": market.venue,
            "symbol": symbol,
            "kind": market.kind_of(symbol),
            "event_ts": from_epoch(fills.time),
            "trade_id": fills.id,
            "px": fills.price,
            "qty": fills.qty,
            "side": sides(fills.is_buyer_maker),  # where the buyer rested, the seller took
            "is_aggregate": is_aggregate,
        }
        return [Columns(Trade, len(fills), fields)]

    return Grid(listed, row, columns, is_exact=True)


def best_quotes(market: Market) -> Grid[Best]:
    """`ticker/bookTicker`; a price of zero is none, and its size too."""
    who = _names(market)

    def columns(reply: Reply, told: Fields[Best]) -> Iterator[Columns]:
        asked = reply.query.get("symbol")
        kinds = by_name(told.symbol, lambda symbol: who(reply.path, asked, symbol).kind)
        for kind in sorted(names := distinct(kinds)):
            of = None if len(names) == 1 else np.flatnonzero(one_of(kinds, kind))
            fields = {
                "venue": market.venue,
                "symbol": chosen(told.symbol, of),
                "kind": kind,
                "event_ts": _clock(chosen(told.time, of)),
                "bid_px": chosen(where_any(told.bid_price, told.bid_price), of),
                "bid_qty": chosen(where_any(told.bid_price, told.bid_qty), of),
                "ask_px": chosen(where_any(told.ask_price, told.ask_price), of),
                "ask_qty": chosen(where_any(told.ask_price, told.ask_qty), of),
            }
            yield Columns(TICKERS[kind], len(told) if of is None else len(of), fields, of)

    return Grid(partial(row_list, market), Best, columns)


def _clock(times: Any) -> Values:
    if isinstance(times, list):
        told = [time for time in times if time is not UNSET]
        if not told:
            return None
        if len(told) < len(times):
            raise Unplain("a clock on some of the quotes")
    return from_epoch(times)


def _names(market: Market) -> Callable[[str, str | None, str | None], Who]:
    """Whose a reply is, by the symbol that was asked and the one that it names; the same every time."""

    @lru_cache(maxsize=NAMES_KEPT)
    def who(path: str, asked: str | None, named: str | None) -> Who:
        reply = Reply(path, {} if asked is None else {"symbol": asked}, b"", EARLIEST)
        found = asked_identity(market, reply) if named is None else identity(market, reply, named)
        return Who(found["venue"], found["kind"], found["symbol"])

    return who
