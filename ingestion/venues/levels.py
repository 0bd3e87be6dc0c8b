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
_IS_DIGIT = bytes(letter in DIGITS for letter in range(256))
_NEWLINE, _DOT, _ZERO = b"\n.0"  # commas and newlines sort before the dot, digits after it
_EXACT_LETTERS = 16  # 15 digits and a point
_MOST = 1e300  # as `Finite`
_LEAST = np.array([0, 0, *(float(10**digits) for digits in range(1, 300)), np.inf])  # whole number of so many digits


class Side(NamedTuple):
    """Prices and sizes of one side of many books, a list each."""

    px: Any
    qty: Any


class Shape:
    """How levels are written: `["",""]`, all digits and decimal points left out, of which `at` are price and size."""

    def __init__(self, level: bytes, at: tuple[int, int], *, is_held: bool = False) -> None:
        self.level = level
        self._at = at
        self._is_held = is_held  # to 15 digits here
        self._width = level.count(b",") + 1  # numbers a level
        self._others = [place for place in range(self._width) if place not in at]
        self._has_names = b":" in level
        self._marks = bytes(set(level) - set(b","))
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
        told = b"\n" + text.translate(None, self._marks)
        letters = np.frombuffer(told, dtype=np.uint8)
        cuts = np.flatnonzero(letters < _DOT)
        counts = np.diff(np.flatnonzero(letters[cuts] == _NEWLINE))
        levels = counts // self._width
        if (levels * self._width != counts).any() or not self._is_shaped(text, levels):
            _refuse_where(text, lambda side: not self._is_plain(side))
        if self._is_held and np.diff(cuts).max() > _EXACT_LETTERS + 1 and has_long_decimals(text):
            _refuse_where(text, has_long_decimals)
        if _has_no_decimals(letters):
            numbers, is_strange = np.zeros(0), _are_no_decimals(letters, cuts)
        else:
            numbers, is_strange = self._numbers(told, cuts)
        if is_strange.any():
            odd = np.searchsorted(np.cumsum(counts), np.flatnonzero(is_strange), side="right")
            raise Odd(np.unique(odd).tolist())
        px, qty = (numbers[place :: self._width] for place in self._at)
        return px, qty, levels

    def _is_shaped(self, text: bytes, levels: Ints) -> bool:
        of = {count: self._of(count) for count in set(levels.tolist())}
        shape = b"".join([of[count] for count in levels.tolist()])
        return text.translate(None, DIGITS) == shape and self._is_named(text, int(levels.sum()))

    def _is_plain(self, side: bytes) -> bool:
        count, rest = divmod(side.translate(None, self._marks).count(b",") + 1, self._width)
        return not rest and side.translate(None, DIGITS) + b"\n" == self._of(count) and self._is_named(side, count)

    def _of(self, count: int) -> bytes:
        """A line of so many levels without their digits."""
        length = count * (len(self.level) + 1)
        while len(self._levels) < length:
            self._levels *= 2
        return self._levels[: length - 1] + b"\n"

    def _is_named(self, text: bytes, count: int) -> bool:
        """Whether the names in so many levels have no digits of their own, which the shape would not show."""
        return not self._has_names or _runs(text) == count * self._width

    def _numbers(self, told: bytes, cuts: Ints) -> tuple[Floats, Bools]:
        """Numbers, and which are not as they should be: prices and sizes over zero, others whole."""
        offsets = cuts.astype(np.int32) - np.arange(len(cuts), dtype=np.int32)
        digits = pa.py_buffer(told.translate(None, b",\n"))
        spelled = pa.StringArray.from_buffers(len(cuts) - 1, pa.py_buffer(offsets), digits)  # type: ignore[arg-type]
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
            letters = cuts[place + 1 :: self._width] - cuts[place : -1 : self._width] - 1
            is_strange[place :: self._width] = (
                numbers[place :: self._width] < _LEAST[np.minimum(letters, len(_LEAST) - 1)]
            )
        return numbers, is_strange


def _lists(px: Floats, qty: Floats, levels: Ints) -> Side:
    ends = pa.array(np.concatenate([[0], np.cumsum(levels)]).astype(np.int32))
    return Side(*(pa.ListArray.from_arrays(ends, pa.array(values)) for values in (px, qty)))  # type: ignore[call-overload]


def _refuse_where(text: bytes, is_odd: Callable[[bytes], bool]) -> NoReturn:
    odd = [number for number, side in enumerate(text.split(b"\n")[:-1]) if is_odd(side)]
    raise Odd(odd) if odd else Unplain("sides that are plain only one by one")


def _has_no_decimals(letters: Bytes) -> bool:
    """Whether any number is nothing, or not as JSON writes numbers: 00.5, .5, 5."""
    is_mark = letters < _ZERO
    is_led = (letters[:-2] < _DOT) & (letters[1:-1] == _ZERO) & ~is_mark[2:]
    return bool((is_mark[1:] & is_mark[:-1]).any() or is_led.any())


def _are_no_decimals(letters: Bytes, cuts: Ints) -> Bools:
    starts, ends = cuts[:-1] + 1, cuts[1:]
    first, last = letters[starts], letters[ends - 1]
    is_led = (first == _ZERO) & (letters[np.minimum(starts + 1, len(letters) - 1)] >= _ZERO)
    is_strange: Bools = (starts == ends) | (first == _DOT) | (last == _DOT) | is_led
    return is_strange


def _runs(text: bytes) -> int:
    """How many runs of digits and decimal points there are."""
    is_digit = np.frombuffer(text.translate(_IS_DIGIT), dtype=np.uint8)
    return int(np.count_nonzero(is_digit[1:] > is_digit[:-1]))
