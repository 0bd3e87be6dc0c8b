"""Replies that are one book each: all their levels read at once, as text that has the shape of its venue's."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw

from ingestion.columns import INSTANT, schema_of
from ingestion.records import Kind, OrderBook, Record
from ingestion.venues.base import EARLIEST, LATEST, Parse, Reject, Reply
from ingestion.venues.bulk import Bulk, Odd, Table, clocks

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_DIGITS = b"0123456789."
_IS_DIGIT = bytes(letter in _DIGITS for letter in range(256))
_DOT, _ZERO, _COMMA = b".0,"
_MOST = 1e300  # as `Finite`
_SPAN_US = tuple(int(each.timestamp()) * 1_000_000 for each in (EARLIEST, LATEST))


class Who(NamedTuple):
    """Whose book a reply tells of."""

    venue: str
    kind: Kind
    symbol: str


class Depth(NamedTuple):
    """A reply that is one book, its sides as they stand in it, best level first."""

    who: Who
    sequence_id: int | None
    event_us: int | None
    bids: Raw
    asks: Raw


class Ladder(Bulk):
    """A parser of books, and how to read the sides of many at once.

    `level` is how a level is written, all digits and decimal points left out: `["",""]` is a price and a size as text,
    `["",,]` would be a price as text with two numbers after it. `read` says the rest of a reply, refusing what the
    parser does; it need not judge the sides. A price or size of zero, a sign or an exponent is for the parser, as is
    a fraction in any other place. `also` are the shapes of levels in some of the venue's replies, as other markets or
    years have them; `asks` is how a level is written there, where the size of an ask has a minus.
    """

    def __init__(
        self,
        parse: Parse,
        read: Callable[[Reply], Depth],
        level: bytes = b'["",""]',
        at: tuple[int, int] = (0, 1),
        also: Mapping[bytes, tuple[int, int]] = MappingProxyType({}),
        *,
        asks: bytes | None = None,
    ) -> None:
        self._parse = parse
        self._read = read
        self._shapes = {each: _Shape(each, its_at) for each, its_at in ((level, at), *also.items())}
        self._asks = None if asks is None else _Shape(asks, at)

    def __call__(self, reply: Reply) -> Iterator[Record | Reject]:
        return self._parse(reply)

    def told(self, reply: Reply) -> Depth:
        return self._read(reply)

    def join(self, hour: datetime, replies: Sequence[Reply], told: Sequence[Depth]) -> list[Table]:
        places: dict[_Shape, list[int]] = {}
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

    def _shape_of(self, depth: Depth) -> "_Shape":
        """As the first level is written; any, where none of ours is."""
        first, *others = self._shapes.values()
        if others:
            side = bytes(depth.bids) if len(depth.bids) > len(b"[]") else bytes(depth.asks)
            for level, shape in self._shapes.items():
                if side[1 : side.find(level[-1:], 1) + 1].translate(None, _DIGITS) == level:
                    return shape
        return first

    def _table(self, shape: "_Shape", hour: datetime, replies: Sequence[Reply], told: Sequence[Depth]) -> pa.Table:
        bids = shape.levels([bytes(depth.bids) for depth in told])
        asks = (self._asks or shape).levels([bytes(depth.asks) for depth in told])
        is_early = np.array([each.event_us is not None and not _is_instant(each.event_us) for each in told], np.bool_)
        odd = is_early | bids.is_odd | asks.is_odd
        if odd.any():
            raise Odd(np.flatnonzero(odd).tolist())
        columns = {
            **clocks(hour, replies, pa.array(np.arange(len(told)))),
            **{name: pa.array([getattr(each.who, name) for each in told], pa.string()) for name in Who._fields},
            "event_ts": pa.array([each.event_us for each in told], pa.int64()).cast(INSTANT),
            "sequence_id": pa.array([each.sequence_id for each in told], pa.int64()),
            "bid_px": bids.px,
            "bid_qty": bids.qty,
            "ask_px": asks.px,
            "ask_qty": asks.qty,
        }
        return pa.table(columns, schema=schema_of(OrderBook))


def _is_instant(microseconds: int) -> bool:
    return _SPAN_US[0] <= microseconds < _SPAN_US[1]


class _Side(NamedTuple):
    px: Any
    qty: Any
    is_odd: Bools


class _Shape:
    """How levels are written."""

    def __init__(self, level: bytes, at: tuple[int, int]) -> None:
        self._level = level
        self._at = at
        self._width = level.count(b",") + 1  # numbers a level
        self._opening = level[:1]
        self._has_names = b":" in level
        self._marks = bytes(set(b"[]" + level) - set(b","))
        self._levels = level + b","  # as many as the longest side had

    def levels(self, sides: Sequence[bytes]) -> _Side:
        """Lists of prices and sizes, and which sides are not plain: numbers over zero in levels of this shape."""
        openings = int(self._opening == b"[")  # the list's own bracket
        counts = np.array([max(0, side.count(self._opening) - openings) for side in sides], dtype=np.int64)
        begun = b"[" + self._level[:1]
        is_odd = np.array([side != b"[]" and not side.startswith(begun) for side in sides], dtype=np.bool_)
        if is_odd.any():  # a number, a list of numbers: without its digits it would be nothing
            return _Side(None, None, is_odd)
        told = [side for side in sides if side != b"[]"]
        text = b",".join(told)
        shape = b",".join(self._of(count) for count in counts.tolist() if count)
        if text.translate(None, _DIGITS) != shape or not self._is_named(text, int(counts.sum())):
            is_odd[:] = [
                side != b"[]" and (side.translate(None, _DIGITS) != self._of(count) or not self._is_named(side, count))
                for side, count in zip(sides, counts.tolist(), strict=True)
            ]
            return _Side(None, None, is_odd)
        numbers, is_strange = self._numbers(text.translate(None, self._marks))
        if is_strange.any():
            is_odd[np.searchsorted(np.cumsum(counts) * self._width, np.flatnonzero(is_strange), side="right")] = True
            return _Side(None, None, is_odd)
        ends = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
        px, qty = (pa.ListArray.from_arrays(ends, pa.array(numbers[place :: self._width])) for place in self._at)  # type: ignore[call-overload]
        return _Side(px, qty, is_odd)

    def _of(self, count: int) -> bytes:
        """A side of so many levels without its digits."""
        length = count * (len(self._level) + 1)
        while len(self._levels) < length:
            self._levels *= 2
        return b"[" + self._levels[: length - 1] + b"]"

    def _is_named(self, text: bytes, count: int) -> bool:
        """Whether the names in so many levels have no digits of their own, which the shape would not show."""
        return not self._has_names or _runs(text) == count * self._width

    def _numbers(self, text: bytes) -> tuple[Floats, Bools]:
        """Numbers between commas, and which are not as they should be: prices and sizes over zero, others whole."""
        if not text:
            return np.zeros(0), np.zeros(0, dtype=np.bool_)
        letters = np.frombuffer(text, dtype=np.uint8)
        cuts = np.flatnonzero(letters == _COMMA)
        starts, ends = np.concatenate([[0], cuts + 1]), np.concatenate([cuts, [len(text)]])
        lengths = ends - starts
        is_strange = _are_no_decimals(letters, starts, ends)
        others = [place for place in range(self._width) if place not in self._at]
        if others:
            pointed = np.searchsorted(cuts, np.flatnonzero(letters == _DOT))
            is_strange[pointed[np.isin(pointed % self._width, others)]] = True
        if is_strange.any():
            return np.zeros(0), is_strange
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        digits = pa.py_buffer(text.translate(None, b","))
        spelled = pa.StringArray.from_buffers(len(lengths), pa.py_buffer(offsets), digits)  # type: ignore[arg-type]
        try:
            numbers = np.asarray(spelled.cast(pa.float64()), dtype=np.float64)
        except pa.ArrowInvalid:  # 1.2.3
            return np.zeros(0), np.asarray(pc.greater(pc.count_substring(spelled, "."), 1), dtype=np.bool_)  # type: ignore[call-overload]
        for place in self._at:
            is_strange[place :: self._width] = ~(
                (numbers[place :: self._width] > 0) & (numbers[place :: self._width] <= _MOST)
            )
        return numbers, is_strange


def _are_no_decimals(letters: npt.NDArray[np.uint8], starts: Any, ends: Any) -> Bools:
    """Which are nothing, or not as JSON writes numbers: 00.5, .5, 5."""
    lengths = ends - starts
    first, last = letters[np.minimum(starts, len(letters) - 1)], letters[ends - 1]
    is_strange: Bools = (lengths == 0) | (first == _DOT) | (last == _DOT)
    led = np.flatnonzero((first == _ZERO) & (lengths > 1))
    is_strange[led] |= letters[starts[led] + 1] != _DOT
    return is_strange


def _runs(text: bytes) -> int:
    """How many runs of digits and decimal points there are."""
    is_digit = np.frombuffer(text.translate(_IS_DIGIT), dtype=np.uint8)
    return int(np.count_nonzero(is_digit[1:] > is_digit[:-1]))
