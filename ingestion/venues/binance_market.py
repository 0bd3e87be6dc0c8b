"""Binance's largest replies: books, trades and best quotes, on spot and both futures venues."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from ingestion.records import Kind, OrderBook, Trade
from ingestion.venues.base import EARLIEST, Reply, decode, instant, refuse_beyond_float64
from ingestion.venues.binance import (
    TICKERS,
    Amount,
    Id,
    Market,
    Price,
    Rows,
    asked_identity,
    entries,
    identity,
    reader,
    refuse_failure,
    source,
)
from ingestion.venues.bulk import Unplain
from ingestion.venues.ladders import Depths, Ladder, Who, each_named
from ingestion.venues.sheets import Columns, Sheet, Values, from_epoch, sides
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


def trades(market: Market) -> Sheet[Fill]:
    """`trades` and `historicalTrades`."""
    return _fills(market, Fill, is_aggregate=False)


def aggregate_trades(market: Market) -> Sheet[AggregateFill]:
    """`aggTrades`."""
    return _fills(market, AggregateFill, is_aggregate=True)


def _fills(market: Market, row: type[F], *, is_aggregate: bool) -> Sheet[F]:
    def listed(reply: Reply) -> list[Raw]:
        raws = entries(market, reply)
        refuse_beyond_float64(reply.body, source(market, reply))
        asked_identity(market, reply)
        return raws

    def columns(reply: Reply, fills: Sequence[F]) -> list[Columns]:
        symbol = reply.query["symbol"].upper()
        fields: dict[str, Values] = {
            "venue": market.venue,
            "symbol": symbol,
            "kind": market.kind_of(symbol),
            "event_ts": from_epoch([fill.time for fill in fills]),
            "trade_id": [fill.id for fill in fills],
            "px": [fill.price for fill in fills],
            "qty": [fill.qty for fill in fills],
            "side": sides([fill.is_buyer_maker for fill in fills]),  # where the buyer rested, the seller took
            "is_aggregate": is_aggregate,
        }
        return [Columns(Trade, len(fills), fields)]

    return Sheet(listed, row, columns)


def best_quotes(market: Market) -> Sheet[Best]:
    """`ticker/bookTicker`; a price of zero is none, and its size too."""
    who = _names(market)

    def columns(reply: Reply, told: Sequence[Best]) -> list[Columns]:
        asked = reply.query.get("symbol")
        kinds = [who(reply.path, asked, best.symbol).kind for best in told]
        return [
            _quoted(market, kind, [best for best, its in zip(told, kinds, strict=True) if its == kind])
            for kind in sorted(set(kinds))
        ]

    return Sheet(partial(entries, market), Best, columns)


def _quoted(market: Market, kind: Kind, told: Sequence[Best]) -> Columns:
    fields: dict[str, Values] = {
        "venue": market.venue,
        "symbol": [best.symbol for best in told],
        "kind": kind,
        "event_ts": _clock(told),
        "bid_px": [best.bid_price or None for best in told],
        "bid_qty": [best.bid_qty if best.bid_price else None for best in told],
        "ask_px": [best.ask_price or None for best in told],
        "ask_qty": [best.ask_qty if best.ask_price else None for best in told],
    }
    return Columns(TICKERS[kind], len(told), fields)


def _clock(told: Sequence[Best]) -> Values:
    times = [best.time for best in told if best.time is not UNSET]
    if not times:
        return None
    if len(times) < len(told):
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
