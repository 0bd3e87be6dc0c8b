"""Replies that are one book each: all their levels read at once, as text that has the shape of its venue's."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import Raw

from ingestion.columns import INSTANT, schema_of
from ingestion.records import Kind, OrderBook, Record
from ingestion.venues.base import EARLIEST, LATEST, Parse, Reject, Reply, refuse_beyond_float64
from ingestion.venues.bulk import SLIPS, Bulk, Odd, Table, clocks
from ingestion.venues.levels import DIGITS, Shape
from ingestion.venues.precision import has_long_decimals

H = TypeVar("H")
S = TypeVar("S", str, str | None)

_SPAN_US = tuple(int(each.timestamp()) * 1_000_000 for each in (EARLIEST, LATEST))


class Who(NamedTuple):
    """Whose book a reply tells of."""

    venue: str
    kind: Kind
    symbol: str


class Depths(NamedTuple):
    """Replies that are one book each, column by column; of sides the text, best level first."""

    who: Who | Sequence[Who]  # one for all, or each its own
    sequence_id: Sequence[int | None] | None
    event_us: Sequence[int | None] | None
    bids: Sequence[Raw | bytes]
    asks: Sequence[Raw | bytes]


class Depth(NamedTuple):
    """One of them."""

    who: Who
    sequence_id: int | None
    event_us: int | None
    bids: Raw | bytes
    asks: Raw | bytes


class Ladder(Bulk, Generic[H]):
    """A parser of books, and how to read the sides of many at once.

    `head` decodes a reply but its sides, which stay text. `read` says the rest of all answers to one question, which it
    is given without their bodies; it refuses what the parser does, but need not judge the sides.
    `level` is how a level is written, all digits and decimal points left out: `["",""]` is a price and a size as text,
    `["",,]` would be a price as text with two numbers after it. A price or size of zero, a sign or an exponent is for
    the parser, as is a fraction in any other place. `also` are the shapes of levels in some of the venue's replies, as
    other markets or years have them; `asks` is how a level is written there, where the size of an ask has a minus.
    `held` is what the parser holds to 15 digits, and is looked through here.
    """

    def __init__(
        self,
        parse: Parse,
        head: msgspec.json.Decoder[H],
        read: Callable[[Reply, Sequence[H]], Depths],
        level: bytes = b'["",""]',
        at: tuple[int, int] = (0, 1),
        also: Mapping[bytes, tuple[int, int]] = MappingProxyType({}),
        *,
        asks: bytes | None = None,
        held: Literal["reply", "levels", "nothing"] = "reply",
    ) -> None:
        self._parse = parse
        self._head = head
        self._read = read
        self._holds_replies = held == "reply"
        shapes = {level: at, **also}
        self._shapes = [Shape(each, its_at, is_held=held == "levels") for each, its_at in shapes.items()]
        self._asks = None if asks is None else Shape(asks, at, is_held=held == "levels")

    def __call__(self, reply: Reply) -> Iterator[Record | Reject]:
        return self._parse(reply)

    def told(self, reply: Reply) -> Depth:
        if self._holds_replies:
            refuse_beyond_float64(reply.body, reply.path)
        return self._depths(reply, [self._head.decode(reply.body)])[0]

    def all_told(self, replies: Sequence[Reply]) -> dict[int, Depth]:
        asked: dict[tuple[str, int], tuple[list[int], list[H]]] = {}  # who asks the same again shares its query
        for place, reply in enumerate(replies):
            try:
                head = self._head.decode(reply.body)
            except SLIPS:
                continue
            places, heads = asked.setdefault((reply.path, id(reply.query)), ([], []))
            places.append(place)
            heads.append(head)
        told: dict[int, Depth] = {}
        for places, heads in asked.values():
            try:
                told.update(zip(places, self._depths(replies[places[0]], heads), strict=True))
            except SLIPS:
                of_each = super().all_told([replies[place] for place in places])
                told.update((places[number], depth) for number, depth in of_each.items())
        if self._holds_replies and has_long_decimals(b"\n".join([reply.body for reply in replies])):
            told = {place: depth for place, depth in told.items() if not has_long_decimals(replies[place].body)}
        return told if len(asked) == 1 else dict(sorted(told.items()))

    def _depths(self, asked: Reply, heads: Sequence[H]) -> list[Depth]:
        told = self._read(Reply(asked.path, asked.query, b"", EARLIEST), heads)
        whos = [told.who] * len(heads) if isinstance(told.who, Who) else told.who
        sequence_ids, event_us = (
            [None] * len(heads) if each is None else each for each in (told.sequence_id, told.event_us)
        )
        return list(map(Depth._make, zip(whos, sequence_ids, event_us, told.bids, told.asks, strict=True)))

    def join(self, hour: datetime, replies: Sequence[Reply], told: Sequence[Depth]) -> list[Table]:
        if len(self._shapes) == 1:
            return [(OrderBook, self._table(self._shapes[0], hour, replies, told))]
        places: dict[Shape, list[int]] = {}
        for place, depth in enumerate(told):
            places.setdefault(self._shape_of(depth), []).append(place)
        tables, odd = [], []
        for shape, of in places.items():
            try:
                tables.append(self._table(shape, hour, [replies[place] for place in of], [told[place] for place in of]))
            except Odd as error:
                odd += [of[place] for place in error.places]
        if odd:
            raise Odd(odd)
        return [(OrderBook, table) for table in tables]

    def _shape_of(self, depth: Depth) -> Shape:
        """As the first level is written; any, where none of ours is."""
        side = bytes(depth.bids) if len(depth.bids) > len(b"[]") else bytes(depth.asks)
        for shape in self._shapes:
            if side[1 : side.find(shape.level[-1:], 1) + 1].translate(None, DIGITS) == shape.level:
                return shape
        return self._shapes[0]

    def _table(self, shape: Shape, hour: datetime, replies: Sequence[Reply], told: Sequence[Depth]) -> pa.Table:
        whos, sequence_ids, event_us, bid_texts, ask_texts = zip(*told, strict=True)
        bids, asks = shape.read(bid_texts), (self._asks or shape).read(ask_texts)
        event_ts = pa.array(event_us, pa.int64())
        odd = bids.is_odd | asks.is_odd | _are_no_instants(event_ts)
        if odd.any():
            raise Odd(np.flatnonzero(odd).tolist())
        columns = {
            **clocks(hour, replies, pa.array(np.arange(len(told)))),
            **_named(whos),
            "event_ts": event_ts.cast(INSTANT),
            "sequence_id": pa.array(sequence_ids, pa.int64()),
            "bid_px": bids.px,
            "bid_qty": bids.qty,
            "ask_px": asks.px,
            "ask_qty": asks.qty,
        }
        return pa.table(columns, schema=schema_of(OrderBook))


def each_named(symbols: Sequence[S], who: Callable[[S], Who]) -> list[Who]:
    """Whose books these are, as `who` says of each symbol."""
    known = {symbol: who(symbol) for symbol in dict.fromkeys(symbols)}
    return [known[symbol] for symbol in symbols]


def _named(whos: Sequence[Who]) -> dict[str, Any]:
    known = dict(zip(map(id, whos), whos, strict=True))  # mostly few, of many books each
    numbers = {key: number for number, key in enumerate(known)}
    rows = pa.array([numbers[key] for key in map(id, whos)])
    columns = zip(*known.values(), strict=True)
    return {name: pa.array(of, pa.string()).take(rows) for name, of in zip(Who._fields, columns, strict=True)}


def _are_no_instants(microseconds: "pa.Array[Any]") -> npt.NDArray[np.bool_]:
    earliest, latest = _SPAN_US
    told = np.asarray(microseconds.fill_null(earliest), dtype=np.int64)
    return (told < earliest) | (told >= latest)
