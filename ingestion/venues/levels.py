"""The levels of many books at once, of text that has the shape of its venue's."""

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
_NEWLINE, _DOT, _ZERO, _NINE = b"\n.09"
_EXACT_LETTERS = 16  # 15 digits and a point
_MOST = 1e300  # as `Finite`
_LEAST = np.array([0, 0, *(float(10**digits) for digits in range(1, 300)), np.inf])  # whole number of so many digits


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
        fields = level.split(b",")
        self._width = len(fields)  # numbers a level
        self._others = [place for place in range(self._width) if place not in at]
        self._beside = np.array([_beside(field) for field in fields], dtype=np.uint8).T
        # From a level's last digit to what stands behind the level.
        self._turn = 1 + len(fields[-1]) - fields[-1].rindex(self._beside[1, -1])
        self._marks = bytes(set(level + b",\n"))
        self._levels = level + b","  # as many as the longest side had

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
        is_run = letters - _DOT <= _NINE - _DOT  # a slash too, which no shape has
        edges = np.flatnonzero(is_run[1:] != is_run[:-1])
        if is_run[0] or not len(edges) or len(edges) % (2 * self._width):
            return None
        starts, ends = np.ascontiguousarray(edges.reshape(-1, 2).T)  # the letters before numbers, and their last
        before, behind = (letters.take(at, mode="clip").reshape(-1, self._width) for at in (starts, ends + 1))
        if (before != self._beside[0]).any() or (behind != self._beside[1]).any():
            return None
        turns = letters.take(ends[self._width - 1 :: self._width] + self._turn, mode="clip")
        levels = np.diff(np.flatnonzero(turns == _NEWLINE), prepend=-1)
        of = {count: self._of(count) for count in set(levels.tolist())}
        if text.translate(None, DIGITS) != b"".join([of[count] for count in levels.tolist()]):
            return None
        first, last = letters.take(starts + 1, mode="clip"), letters.take(ends)
        return _Runs(first, lambda places: letters.take(starts[places] + 2, mode="clip"), last, ends - starts, levels)

    def _of(self, count: int) -> bytes:
        """A line of so many levels without their digits."""
        length = count * (len(self.level) + 1)
        while len(self._levels) < length:
            self._levels *= 2
        return self._levels[: length - 1] + b"\n"

    def _numbers(self, digits: bytes, lengths: Ints) -> tuple[Floats, Bools]:
        """Numbers, and which are not as they should be: prices and sizes over zero, others whole."""
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        spelled = pa.StringArray.from_buffers(len(lengths), pa.py_buffer(offsets), pa.py_buffer(digits))  # type: ignore[arg-type]
        try:
            numbers = np.asarray(spelled.cast(pa.float64()), dtype=np.float64)
        except pa.ArrowInvalid:  # 1.2.3
            return np.zeros(0), np.asarray(pc.greater(pc.count_substring(spelled, "."), 1), dtype=np.bool_)  # type: ignore[call-overload]
        is_strange = np.zeros(len(numbers), dtype=np.bool_)
        for place in self._at:
            values = numbers[place :: self._width]
            if not (values.min() > 0 and values.max() <= _MOST):
                is_strange[place :: self._width] = ~((values > 0) & (values <= _MOST))
        for place in self._others:
            least = _LEAST[np.minimum(lengths[place :: self._width], len(_LEAST) - 1)]
            is_strange[place :: self._width] = numbers[place :: self._width] < least
        return numbers, is_strange


def _beside(field: bytes) -> tuple[int, int]:
    """The letters right before and behind the number in `[""`, `""]`, `"n":` or the like."""
    place = field.rindex(b'""') + 1 if b'""' in field else len(field.rstrip(b"]}"))
    return (b"," + field)[place], (field + b",")[place]


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
