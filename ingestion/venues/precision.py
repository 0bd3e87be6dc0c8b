"""Decimals that a float64 would change silently, looked for in megabytes of text."""

import numpy as np
import numpy.typing as npt

from ingestion.venues.base import Refused, refuse_beyond_float64

_BYTES = 0x0101010101010101  # one in each of a word's bytes
_HIGH, _OVER_9, _FROM_DOT = (np.uint64(byte * _BYTES) for byte in (0x80, 0x7F - ord("9"), 0x80 - ord(".")))
_FEW = 4_096  # bytes: of fewer, the plain search takes no longer
_MANY = 16_384  # words or points: of so many, nor does it
_SPARSE = 64  # letters a point: then points are looked at
_EXACT = 16  # letters of 15 digits and a point
_BESIDE = 24  # bytes that are looked at on either side of a word


def has_long_decimals(text: bytes) -> bool:
    """Whether there is a decimal of over 15 significant digits, as `refuse_beyond_float64` has it."""
    return b"." in text and _may_have(text) and _has(text)


def _may_have(text: bytes) -> bool:
    """No where no run of digits and decimal points has 17 of them and a point."""
    if len(text) < _FEW:
        return True
    letters = np.frombuffer(text, dtype=np.uint8)
    points = np.flatnonzero(letters == ord("."))
    if len(points) <= _MANY and len(points) * _SPARSE < len(letters):
        return _have_long_runs(letters, points)
    words = letters[: len(letters) // 8 * 8].view(np.uint64)
    # A run so long covers a whole word. A byte is in it if it is from `.` to `9`, of which `/` is no digit, and ASCII.
    # The carry of a byte that is not may spoil its neighbour's answer, but not its own.
    found = np.flatnonzero(((words + _FROM_DOT) & ~(words + _OVER_9) & ~words & _HIGH) == _HIGH)
    # Of over 8 digits beside it there are 5 on one side.
    found = np.union1d(*(_beside(letters, found * 8, places) // 8 for places in ((-5, -3, -1), (12, 10, 8))))
    if not len(found) or len(found) > _MANY:
        return bool(len(found))
    places = np.arange(-_BESIDE, 8 + _BESIDE)
    around = letters[np.clip(found[:, None] * 8 + places, 0, len(letters) - 1)]
    is_run = _is_run(around)
    before, after = is_run[:, _BESIDE - 1 :: -1], is_run[:, 8 + _BESIDE :]
    from_, to = -np.argmin(before, axis=1), 8 + np.argmin(after, axis=1)  # where it has no end, nothing and all
    is_of_it = (places >= from_[:, None]) & (places < to[:, None])
    is_long = (to - from_ > 16) & ((around == ord(".")) & is_of_it).any(axis=1)
    return bool((is_long | before.all(axis=1) | after.all(axis=1)).any())


def _have_long_runs(letters: npt.NDArray[np.uint8], points: npt.NDArray[np.int64]) -> bool:
    """Whether there are 17 digits and points in a row about one of these points; perhaps at an end of the text."""
    around = _is_run(letters[np.clip(points[:, None] + np.arange(-_EXACT, _EXACT + 1), 0, len(letters) - 1)])
    around = np.pad(around, ((0, 0), (1, 1)))
    before, after = around[:, _EXACT::-1], around[:, _EXACT + 2 :]  # each ends with no digit
    return bool((np.argmin(before, axis=1) + np.argmin(after, axis=1) >= _EXACT).any())


def _beside(
    letters: npt.NDArray[np.uint8], at: npt.NDArray[np.int64], places: tuple[int, ...]
) -> npt.NDArray[np.int64]:
    """Where there are digits or points in these places too."""
    for place in places:
        at = at[_is_run(letters[np.clip(at + place, 0, len(letters) - 1)])]
    return at


def _is_run(letters: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    return (letters >= ord(".")) & (letters <= ord("9"))


def _has(text: bytes) -> bool:
    try:
        refuse_beyond_float64(text, "")
    except Refused:
        return True
    return False
