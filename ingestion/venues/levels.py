"""The levels of many books at once, of text that has the shape of its venue's."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.venues.bulk import Odd, Unplain
from ingestion.venues.cutting import Sides
from ingestion.venues.precision import has_long_decimals

Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DIGITS = b"0123456789."
_NEWLINE, _COMMA, _DOT, _ZERO, _NINE = b"\n,.09"
_EXACT_LETTERS = 16  # 15 digits and a point
_MOST = 1e300  # as `Finite`
_DOTLESS_LETTERS = 2  # neither the first of a number nor the last is a point


class Side(NamedTuple):
    """Prices and sizes of one side of many books, a list each."""

    px: Any
    qty: Any


class _Runs(NamedTuple):
    """The numbers in some lines, as they stand there."""

    first: Bytes  # letter of each
    second: Callable[[Ints], Bytes]  # letter of some that have one
    last: Bytes
    lengths: Ints
    levels: Ints  # of each line


class Shape:
    """How levels are written: `["",""]`, all digits and decimal points left out, of which `at` are price and size."""

    def __init__(self, level: bytes, at: tuple[int, int], *, is_held: bool = False) -> None:
        self.level = level
        self._at = at
        self._is_held = is_held  # to 15 digits here
        self._opening, *between, self._closing = _beside_numbers(level)
        gaps = [*between, self._closing + b"," + self._opening]
        self._width = len(gaps)  # numbers a level
        self._gap_lengths = [len(gap) for gap in gaps]  # behind each number, before the next
        self._behind = bytes(gap[0] for gap in gaps)
        self._before = bytes(gap[-1] for gap in [self._opening, *between])
        self._turn = len(self._closing)  # of a last gap, the letter between levels
        # The other letters of gaps: behind which number of a level, how far, which.
        self._amid = [
            (place, away, gap[away])
            for place, gap in enumerate(gaps)
            for away in range(1, len(gap) - 1)
            if (place, away) != (self._width - 1, self._turn)
        ]
        self._others = [place for place in range(self._width) if place not in at]
        # A bit for each number of eight levels, set for prices and sizes: of the others no value is needed.
        self._is_at = np.packbits([place in at for place in range(self._width)] * 8, bitorder="little").tobytes()
        self._marks = bytes(set(level + b",\n"))

    def read(self, sides: Sides) -> Side:
        """Numbers over zero in levels of this shape; raises `Odd` with the sides that have anything else."""
        levels = np.zeros(len(sides.are_full), dtype=np.int64)
        if not sides.text:
            return _lists(np.zeros(0), np.zeros(0), levels)
        try:
            px, qty, levels[sides.are_full] = self._read(sides.text)
        except Odd as odd:
            raise Odd(np.flatnonzero(sides.are_full)[odd.places].tolist()) from odd
        return _lists(px, qty, levels)

    def _read(self, text: bytes) -> tuple[Floats, Floats, Ints]:
        runs = self._runs(text)
        if runs is None:
            _refuse_where(text, lambda side: self._runs(side) is None)
        if self._is_held and runs.lengths.max() > _EXACT_LETTERS and has_long_decimals(text):
            _refuse_where(text, has_long_decimals)
        is_strange = _are_no_decimals(runs)
        numbers = np.zeros(0)
        if not is_strange.any():
            numbers, is_strange = self._numbers(text.translate(None, self._marks), runs.lengths)
        if is_strange.any():
            odd = np.searchsorted(np.cumsum(runs.levels) * self._width, np.flatnonzero(is_strange), side="right")
            raise Odd(np.unique(odd).tolist())
        px, qty = (numbers[place :: self._width] for place in self._at)
        return px, qty, runs.levels

    def _runs(self, text: bytes) -> _Runs | None:
        """The numbers in lines of levels, if there is nothing else: digits and points where the shape has room."""
        letters = np.frombuffer(text, dtype=np.uint8)
        is_run = (letters - _ZERO <= _NINE - _ZERO) | (letters == _DOT)
        edges = np.flatnonzero(is_run[1:] != is_run[:-1])
        if not len(edges) or len(edges) % (2 * self._width):
            return None
        starts, ends = np.ascontiguousarray(edges.reshape(-1, 2).T)  # the letters before numbers, and their last
        levels = self._levels(text, letters, starts, ends)
        if levels is None:
            return None
        first, last = letters.take(starts + 1, mode="clip"), letters.take(ends, mode="clip")
        return _Runs(first, lambda places: letters.take(starts[places] + 2, mode="clip"), last, ends - starts, levels)

    def _levels(self, text: bytes, letters: Bytes, starts: Ints, ends: Ints) -> Ints | None:
        """How many levels each line has, if all beside the numbers is as it is written there."""
        are_ends = text.startswith(self._opening) and text.endswith(self._closing + b"\n")
        if not are_ends or starts[0] >= len(self._opening) or ends[-1] + self._turn + 2 != len(text):
            return None
        lengths, behind = starts[1:] - ends[:-1], ends + 1
        if any((lengths[place :: self._width] != length).any() for place, length in enumerate(self._gap_lengths)):
            return None
        for at, beside in ((starts, self._before), (behind, self._behind)):
            if letters.take(at, mode="clip").tobytes() != beside * (len(at) // self._width):
                return None
        for place, away, letter in self._amid:
            if (letters.take(behind[place : -1 : self._width] + away, mode="clip") != letter).any():
                return None
        turns = letters.take(behind[self._width - 1 :: self._width] + self._turn, mode="clip")
        is_last = turns == _NEWLINE
        return np.diff(np.flatnonzero(is_last), prepend=-1) if (is_last | (turns == _COMMA)).all() else None

    def _numbers(self, digits: bytes, lengths: Ints) -> tuple[Floats, Bools]:
        """Numbers, and which are not as they should be: prices and sizes over zero, others whole."""
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        text = [pa.py_buffer(offsets), pa.py_buffer(digits)]  # type: ignore[arg-type]
        spelled: Any = pa.Array.from_buffers(pa.string(), len(lengths), [None, *text])
        is_there = pa.py_buffer(self._is_at * (len(lengths) // (8 * self._width) + 1)) if self._others else None
        wanted: Any = pa.Array.from_buffers(pa.string(), len(lengths), [is_there, *text])
        try:
            numbers = np.frombuffer(wanted.cast(pa.float64()).buffers()[1], dtype=np.float64)[: len(lengths)]
        except pa.ArrowInvalid:  # 1.2.3
            return np.zeros(0), np.asarray(pc.greater(pc.count_substring(spelled, "."), 1), dtype=np.bool_)  # type: ignore[call-overload]
        is_strange = np.zeros(len(numbers), dtype=np.bool_)
        for place in self._at:
            values = numbers[place :: self._width]
            if not (values.min() > 0 and values.max() <= _MOST):
                is_strange[place :: self._width] = ~((values > 0) & (values <= _MOST))
        for place in self._others:
            long = place + self._width * np.flatnonzero(lengths[place :: self._width] > _DOTLESS_LETTERS)
            if len(long):
                has_point = np.asarray(pc.match_substring(spelled.take(pa.array(long)), "."), dtype=np.bool_)
                is_strange[long] = has_point | (lengths[long] >= _EXACT_LETTERS)
        return numbers, is_strange


def _beside_numbers(level: bytes) -> list[bytes]:
    """What stands before, between and behind the numbers, which are in quotes, or where else a value would be."""
    return re.split(rb'(?<=")(?=")|(?<=[\[,:-])(?=[\],}])', level)


def _lists(px: Floats, qty: Floats, levels: Ints) -> Side:
    ends = pa.array(np.concatenate([[0], np.cumsum(levels)]).astype(np.int32))
    return Side(*(pa.ListArray.from_arrays(ends, pa.array(values)) for values in (px, qty)))  # type: ignore[call-overload]


def _refuse_where(text: bytes, is_odd: Callable[[bytes], bool]) -> NoReturn:
    odd = [number for number, side in enumerate(text.split(b"\n")[:-1]) if is_odd(side + b"\n")]
    raise Odd(odd) if odd else Unplain("sides that are plain only one by one")


def _are_no_decimals(runs: _Runs) -> Bools:
    """Of which numbers are not as JSON writes them: 00.5, .5, 5."""
    is_strange: Bools = runs.last == _DOT
    led = np.flatnonzero((runs.first <= _ZERO) & (runs.lengths > 1))
    is_strange[led] |= (runs.first[led] == _DOT) | (runs.second(led) > _DOT)
    return is_strange
