"""Replies that are one book each: all their levels read at once, as text that has the shape of its venue's."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw

from ingestion.bulk import Bulk, Odd, Table, clocks
from ingestion.columns import INSTANT, schema_of
from ingestion.records import Kind, OrderBook, Record
from ingestion.venues.base import EARLIEST, LATEST, Parse, Reject, Reply

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_DIGITS = b"0123456789."
_DOT, _ZERO, _COMMA = b".0,"
_POWERS = np.array([float(f"1e{n}") for n in range(18)])
_MOST = 1e300  # of what every venue's prices and sizes may be
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
    parser does; it need not judge the sides. A price or size of zero, a sign or an exponent is for the parser.
    `asks` is how a level is written there, where the size of an ask has a minus; `whole` are the places of numbers that
    must be whole.
    """

    def __init__(
        self,
        parse: Parse,
        read: Callable[[Reply], Depth],
        level: bytes = b'["",""]',
        at: tuple[int, int] = (0, 1),
        *,
        asks: bytes | None = None,
        whole: Sequence[int] = (),
    ) -> None:
        self._parse = parse
        self._read = read
        self._bids, self._asks = _Shape(level, at, whole), _Shape(asks or level, at, whole)

    def __call__(self, reply: Reply) -> Iterator[Record | Reject]:
        return self._parse(reply)

    def told(self, reply: Reply) -> Depth:
        return self._read(reply)

    def join(self, hour: datetime, replies: Sequence[Reply], told: Sequence[Depth]) -> list[Table]:
        bids = self._bids.levels([bytes(depth.bids) for depth in told])
        asks = self._asks.levels([bytes(depth.asks) for depth in told])
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
        return [(OrderBook, pa.table(columns, schema=schema_of(OrderBook)))]


def _is_instant(microseconds: int) -> bool:
    return _SPAN_US[0] <= microseconds < _SPAN_US[1]


class _Side(NamedTuple):
    px: Any
    qty: Any
    is_odd: Bools


class _Shape:
    """How levels are written."""

    def __init__(self, level: bytes, at: tuple[int, int], whole: Sequence[int]) -> None:
        self._level = level
        self._at = at
        self._whole = whole
        self._width = level.count(b",") + 1  # numbers a level
        self._opening = level[:1]
        self._marks = bytes(set(b"[]" + level) - set(b","))
        self._of = lru_cache(maxsize=4096)(lambda count: b"[" + b",".join([level] * count) + b"]")

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
        if text.translate(None, _DIGITS) != b",".join(self._of(count) for count in counts.tolist() if count):
            is_odd[:] = [
                side != b"[]" and side.translate(None, _DIGITS) != self._of(count)
                for side, count in zip(sides, counts.tolist(), strict=True)
            ]
            return _Side(None, None, is_odd)
        whole = [slice(place, None, self._width) for place in self._whole]
        numbers, is_strange = _numbers(text.translate(None, self._marks), whole)
        is_strange[: len(numbers)] |= ~self._is_positive(numbers)
        if is_strange.any():
            is_odd[np.searchsorted(np.cumsum(counts) * self._width, np.flatnonzero(is_strange), side="right")] = True
            return _Side(None, None, is_odd)
        ends = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
        px, qty = (pa.ListArray.from_arrays(ends, pa.array(numbers[place :: self._width])) for place in self._at)  # type: ignore[call-overload]
        return _Side(px, qty, is_odd)

    def _is_positive(self, numbers: Floats) -> Bools:
        """Of numbers that are a price or a size; of others, always."""
        is_fine = (numbers > 0) & (numbers <= _MOST)
        for place in set(range(self._width)) - set(self._at):
            is_fine[place :: self._width] = True
        return is_fine


def _numbers(text: bytes, whole: Sequence[slice]) -> tuple[Floats, Bools]:
    """Numbers between commas, and which are no decimals as JSON writes them: 00.5, .5, 5. — or not whole."""
    if not text:
        return np.zeros(0), np.zeros(0, dtype=np.bool_)
    letters = np.frombuffer(text, dtype=np.uint8)
    cuts = np.flatnonzero(letters == _COMMA)
    starts, ends = np.concatenate([[0], cuts + 1]), np.concatenate([cuts, [len(text)]])
    lengths = ends - starts
    first, last = letters[np.minimum(starts, len(text) - 1)], letters[ends - 1]
    second = letters[np.minimum(starts + 1, len(text) - 1)]
    is_strange = (lengths == 0) | (first == _DOT) | (last == _DOT)
    is_strange |= (first == _ZERO) & (lengths > 1) & (second != _DOT)
    if is_strange.any():
        return np.zeros(0), is_strange
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    spelled = pa.StringArray.from_buffers(len(lengths), pa.py_buffer(offsets), pa.py_buffer(text.replace(b",", b"")))  # type: ignore[arg-type]
    try:
        numbers = np.asarray(spelled.cast(pa.float64()), dtype=np.float64)
    except pa.ArrowInvalid:  # 1.2.3
        return np.zeros(0), np.asarray(pc.greater(pc.count_substring(spelled, "."), 1), dtype=np.bool_)  # type: ignore[call-overload]
    for place in whole:
        is_short = (lengths[place] > 1) & (numbers[place] < _POWERS[np.minimum(lengths[place], len(_POWERS)) - 1])
        is_strange[place] |= is_short | (lengths[place] > len(_POWERS))  # of so many letters one is a point
    return numbers, is_strange
