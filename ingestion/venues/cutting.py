"""Lines of text that are an answer each, with the sides of their books cut out of all of them at once."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import Raw

from ingestion.venues.bulk import Odd

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_NEWLINE = ord("\n")
_LEFT = (b"-0e0", b"-0e1")  # in place of the first side of a line and of the second, as nobody writes a number
_MARKS = {b"[]": -1} | {b"[%b]" % left: place for place, left in enumerate(_LEFT)}
_MOST = len(_LEFT)  # sides of a line
_TAIL = (*_LEFT, b"\n")  # text that no line has to lend


class Sides(NamedTuple):
    """One side of many books: lines of levels, without the list's brackets, of those that have any."""

    text: bytes
    are_full: Bools


class Cut:
    """Lines, each ended, in which a side is a list that begins and ends with these two letters.

    `rest` is the lines with a mark in place of the first side of each, and another of the second. A side without a
    level stays what it was, `[]`.
    """

    def __init__(self, lines: bytes, opening: bytes, closing: bytes) -> None:
        """Raises `Odd` with the lines in which lists of lists do not follow one another, or are more than two."""
        letters = np.frombuffer(lines, dtype=np.uint8)
        is_end = letters == _NEWLINE
        is_mark = is_end.copy()
        for first, second in (opening, closing):
            is_first = letters == first
            is_second = is_first if second == first else letters == second
            is_mark[1:] |= is_first[:-1] & is_second[1:]
        marks = np.flatnonzero(is_mark)
        told = letters[marks]
        are_ends, are_stops = told == _NEWLINE, told == closing[-1]
        starts, stops = marks[~are_ends & ~are_stops], marks[are_stops]
        line_of = np.cumsum(are_ends)
        lines_count = int(line_of[-1])
        line_of, stops_lines = line_of[~are_ends & ~are_stops], line_of[are_stops]
        counts = np.bincount(line_of, minlength=lines_count)
        _refuse(np.flatnonzero((counts != np.bincount(stops_lines, minlength=lines_count)) | (counts > _MOST)))
        _refuse(line_of[starts > stops])
        _refuse(line_of[1:][starts[1:] < stops[:-1]])
        self._counts = counts
        self._firsts = np.cumsum(counts) - counts  # of the lines' sides
        # A piece of the rest and a side in turn, a last piece of the rest, and those of the tail.
        turns = np.stack([starts, stops], axis=1).ravel()
        cuts = np.concatenate([[0], turns, len(lines) + np.cumsum([0, *map(len, _TAIL)])]).astype(np.int32)
        buffers = [None, pa.py_buffer(cuts), pa.py_buffer(b"".join([lines, *_TAIL]))]  # type: ignore[arg-type]
        self._pieces: Any = pa.Array.from_buffers(pa.binary(), len(cuts) - 1, buffers)
        places = np.arange(2 * len(starts) + 1)
        places[1::2] = len(places) + np.arange(len(starts)) - self._firsts[line_of]
        self._newline = len(places) + _MOST
        self.rest = self._joined(places)

    def sides(self, lines: Ints, bids: Sequence[Raw | bytes], asks: Sequence[Raw | bytes]) -> tuple[Sides, Sides]:
        """Both sides of books on these lines, given what is left of them; raises `Odd` with places of other things."""
        bid, ask = _places(bids), _places(asks)
        told = (bid >= 0).astype(np.int64) + (ask >= 0)
        highest = np.maximum(bid, ask)
        _refuse(np.flatnonzero((told != self._counts[lines]) | (highest >= told) | ((bid == ask) & (bid >= 0))))
        return self._of(lines, bid), self._of(lines, ask)

    def _of(self, lines: Ints, places: Ints) -> Sides:
        numbers = self._firsts[lines] + places
        are_full = places >= 0
        if not are_full.all():
            numbers = numbers[are_full]
        pieces = np.full(2 * len(numbers), self._newline)
        pieces[::2] = 2 * numbers + 1
        return Sides(self._joined(pieces), are_full)

    def _joined(self, places: Ints) -> bytes:
        _, cuts, letters = self._pieces.take(pa.array(places)).buffers()
        return letters.slice(0, int(np.frombuffer(cuts, dtype=np.int32)[len(places)])).to_pybytes()  # type: ignore[no-any-return]


def _places(marks: Sequence[Raw | bytes]) -> Ints:
    """Which of its line's sides each is; raises `Odd` for what is left of no side."""
    for mark, place in _MARKS.items():
        if b"".join(marks) == mark * len(marks):
            return np.full(len(marks), place)
    found = [_MARKS.get(bytes(mark)) for mark in marks]
    _refuse(np.array([number for number, place in enumerate(found) if place is None], dtype=np.int64))
    return np.array(found, dtype=np.int64)


def _refuse(odd: Ints) -> None:
    if len(odd):
        raise Odd(np.unique(odd).tolist())
