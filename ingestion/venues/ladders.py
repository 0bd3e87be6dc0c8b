"""Answers that are one book each: their sides are cut out and read as numbers together, what is left is decoded."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from types import MappingProxyType
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import Raw

from ingestion.columns import INSTANT, as_instants, schema_of
from ingestion.records import Kind, OrderBook, Record
from ingestion.venues.base import EARLIEST, LATEST, Parse, Reject, Reply
from ingestion.venues.bulk import SLIPS, Bulk, Joined, Odd, Table, Unplain
from ingestion.venues.cutting import Cut, Sides
from ingestion.venues.levels import DIGITS, Shape
from ingestion.venues.precision import has_long_decimals

H = TypeVar("H")
S = TypeVar("S", str, str | None)
Ints = npt.NDArray[np.int64]

_SPAN_US = tuple(int(each.timestamp()) * 1_000_000 for each in (EARLIEST, LATEST))


class Who(NamedTuple):
    """Whose book an answer tells of."""

    venue: str
    kind: Kind
    symbol: str


class Depths(NamedTuple):
    """Answers that are one book each, column by column; of sides what is left where they were cut out."""

    who: Who | Sequence[Who]  # one for all, or each its own
    sequence_id: Sequence[int | None] | None
    event_us: Sequence[int | None] | None
    bids: Sequence[Raw]
    asks: Sequence[Raw]


class Answers(NamedTuple):
    """Answers to one question: the lines of them that were cut, our clock at each, and what is left of their bodies."""

    asked: Reply
    lines: Ints
    captured_us: Ints
    bodies: bytes  # a line each


class _Heads(NamedTuple):
    """What stands beside the sides of some answers, by their lines."""

    lines: Ints
    who: Who | Sequence[Who]
    sequence_id: "pa.Array[Any]"
    event_us: "pa.Array[Any]"
    bids: Sequence[Raw]
    asks: Sequence[Raw]


class Ladder(Bulk, Generic[H]):
    """A parser of books, and how to read the sides of many at once.

    `head` decodes a reply but its sides, which stay text. `read` says the rest of all answers to one question, which it
    is given without their bodies; it refuses what the parser does, but need not judge the sides.
    `level` is how a level is written, all digits and decimal points left out: `["",""]` is a price and a size as text,
    `["",,]` would be a price as text with two numbers after it. A price or size of zero, a sign or an exponent is for
    the parser, as is a fraction in any other place. `also` are the shapes of levels in some of the venue's replies, as
    other markets or years have them; `asks` is how a level is written there, where the size of an ask has a minus.
    `held` is what the parser holds to 15 digits, and is looked through here. `spread` makes of a body one that has its
    sides apart, where the venue's has not; such are never read from raw lines.
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
        spread: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self._parse = parse
        self._head = head
        self._read = read
        self._holds_replies = held == "reply"
        shapes = {level: at, **also}
        self._shapes = [Shape(each, its_at, is_held=held != "nothing") for each, its_at in shapes.items()]
        self._asks = None if asks is None else Shape(asks, at, is_held=held != "nothing")
        self._spread = spread
        self._pairs = b"[" + level[:1], level[-1:] + b"]"

    def __call__(self, reply: Reply) -> Iterator[Record | Reject]:
        return self._parse(reply)

    @property
    def reads_lines(self) -> bool:
        """Whether answers may be cut before they are taken out of their envelopes."""
        return self._spread is None

    def cut(self, lines: bytes) -> Cut:
        """Lines without the sides of the books in them."""
        return Cut(lines, *self._pairs)

    def read_all(self, hour: datetime, replies: Sequence[Reply]) -> Joined:
        left = {place: body for place, reply in enumerate(replies) if (body := self._body(reply)) is not None}
        tables: list[Table] = []
        read: set[int] = set()
        for shape in self._shapes:
            table, places = self._read_plain(hour, replies, left, shape)
            if table is not None:
                tables.append((OrderBook, table))
                read.update(places)
                left = {place: body for place, body in left.items() if place not in read}
        return Joined(tables, [place for place in range(len(replies)) if place not in read])

    def _read_plain(
        self, hour: datetime, replies: Sequence[Reply], bodies: Mapping[int, bytes], shape: Shape
    ) -> tuple[pa.Table | None, list[int]]:
        """Books of the bodies that are plain in levels of this shape, and their places."""
        places = list(bodies)
        while places:
            try:
                cut = self.cut(b"".join([bodies[place] + b"\n" for place in places]))
                answers = _by_question([replies[place] for place in places], cut.rest)
                return self.read_cut(hour, answers, cut, shape), places
            except Odd as odd:
                are_odd = set(odd.places)
                places = [place for number, place in enumerate(places) if number not in are_odd]
            except SLIPS:
                break
        return None, []

    def read_cut(self, hour: datetime, answers: Sequence[Answers], cut: Cut, shape: Shape | None = None) -> pa.Table:
        """Books of answers that together are all lines of what was cut, in the order of the answers.

        Raises `Odd` with the lines that are not plain, or another of `SLIPS` where nobody can say which they are.
        """
        parts, odd = list[_Heads](), list[int]()
        for each in answers:
            try:
                parts.append(self._heads(each))
            except Odd as error:
                odd += error.places
        if odd:
            raise Odd(odd)
        lines = np.concatenate([part.lines for part in parts])
        bid_marks, ask_marks = (
            list(chain.from_iterable(each)) for each in zip(*(part[-2:] for part in parts), strict=True)
        )
        with _of_lines(lines):
            sides = cut.sides(lines, bid_marks, ask_marks)
            event_ts: Any = pa.concat_arrays([part.event_us for part in parts])
            are_odd = np.flatnonzero(_are_no_instants(event_ts))
            if len(are_odd):
                raise Odd(are_odd.tolist())
            shape = shape or self._shape_of(sides)
            bids, asks = shape.read(sides[0]), (self._asks or shape).read(sides[1])
        [hour_us] = as_instants([hour])
        columns = {
            "utc_hour": pa.array(np.full(len(lines), hour_us), INSTANT),
            "captured_ts": pa.array(np.concatenate([each.captured_us for each in answers]), INSTANT),
            **_named(parts),
            "event_ts": event_ts.cast(INSTANT),
            "sequence_id": pa.concat_arrays([part.sequence_id for part in parts]),
            "bid_px": bids.px,
            "bid_qty": bids.qty,
            "ask_px": asks.px,
            "ask_qty": asks.qty,
        }
        return pa.table(columns, schema=schema_of(OrderBook))

    def _body(self, reply: Reply) -> bytes | None:
        """As one line; none where it has several."""
        try:
            body = reply.body.strip(b" \t\r\n") if self._spread is None else self._spread(reply.body)
        except SLIPS:
            return None
        return None if b"\n" in body else body

    def _heads(self, answers: Answers) -> _Heads:
        """Of all answers to one question; raises `Odd` with the lines of which nothing can be said."""
        question = Reply(answers.asked.path, answers.asked.query, b"", EARLIEST)
        try:
            if self._holds_replies and has_long_decimals(answers.bodies):
                raise Unplain("long decimals")
            return self._told(question, answers.lines, self._head.decode_lines(answers.bodies))
        except SLIPS as slip:
            bodies = answers.bodies.split(b"\n")[:-1]
            odd = [
                line
                for line, body in zip(answers.lines.tolist(), bodies, strict=True)
                if not self._is_plain(question, body)
            ]
            raise (Odd(odd) if odd else Unplain("answers that are plain one by one")) from slip

    def _is_plain(self, question: Reply, body: bytes) -> bool:
        if self._holds_replies and has_long_decimals(body):
            return False
        try:
            self._told(question, np.zeros(1, dtype=np.int64), [self._head.decode(body)])
        except SLIPS:
            return False
        return True

    def _told(self, question: Reply, lines: Ints, heads: Sequence[H]) -> _Heads:
        told = self._read(question, heads)
        sequence_id, event_us = (
            pa.nulls(len(lines), pa.int64()) if each is None else pa.array(each, pa.int64())
            for each in (told.sequence_id, told.event_us)
        )
        if {len(sequence_id), len(event_us), len(told.bids), len(told.asks)} != {len(lines)}:
            raise Unplain("answers with several books, or none")
        return _Heads(lines, told.who, sequence_id, event_us, told.bids, told.asks)

    def _shape_of(self, sides: Sequence[Sides]) -> Shape:
        """As the first level is written; any, where none of ours is."""
        text = sides[0].text or sides[1].text
        first = text[: text.find(self._pairs[1][:1]) + 1].translate(None, DIGITS)
        return next((shape for shape in self._shapes if shape.level == first), self._shapes[0])


def _by_question(replies: Sequence[Reply], rest: bytes) -> list[Answers]:
    places: dict[tuple[str, int], list[int]] = {}  # who asks the same again shares its query
    for place, reply in enumerate(replies):
        places.setdefault((reply.path, id(reply.query)), []).append(place)
    captured = np.array(as_instants([reply.captured_ts for reply in replies]), dtype=np.int64)
    bodies = rest.split(b"\n")
    return [
        Answers(replies[of[0]], np.array(of), captured[of], b"".join([bodies[place] + b"\n" for place in of]))
        for of in places.values()
    ]


def each_named(symbols: Sequence[S], who: Callable[[S], Who]) -> Who | list[Who]:
    """Whose books these are, as `who` says of each symbol."""
    known = {symbol: who(symbol) for symbol in dict.fromkeys(symbols)}
    return [known[symbol] for symbol in symbols] if len(known) > 1 else known[symbols[0]]


@contextmanager
def _of_lines(lines: Ints) -> Iterator[None]:
    """With the lines of what is `Odd`, instead of their places among these."""
    try:
        yield
    except Odd as odd:
        raise Odd(lines[odd.places].tolist()) from odd


def _named(parts: Sequence[_Heads]) -> dict[str, Any]:
    known: dict[Who, int] = {}
    numbers = []
    for part in parts:
        whos = [part.who] if isinstance(part.who, Who) else part.who
        of = np.array([known.setdefault(who, len(known)) for who in whos])
        numbers.append(np.broadcast_to(of, len(part.lines)))
    rows = pa.array(np.concatenate(numbers))
    columns = zip(*known, strict=True)
    return {name: pa.array(of, pa.string()).take(rows) for name, of in zip(Who._fields, columns, strict=True)}


def _are_no_instants(microseconds: "pa.Array[Any]") -> npt.NDArray[np.bool_]:
    earliest, latest = _SPAN_US
    told = np.asarray(microseconds.fill_null(earliest), dtype=np.int64)
    return (told < earliest) | (told >= latest)
