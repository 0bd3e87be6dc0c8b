"""Thousands of rows of JSON that are all written alike, taken apart at once.

In a list of rows `{"px":"1.5","at":17},{"px":"2","at":18}` all that is no value is the same from row to row. Where that
holds to the letter, each value stands between the same two marks, and a column of values is two places a row.
"""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingestion.venues.bulk import Unplain

Ints = npt.NDArray[np.int64]

_TOKEN = re.compile(rb'"[^"\\]*"|[-+0-9.eE]+|true|false|null|[][{}:,]|\s+')
_SCALAR = b"0123456789+-.eEtrufalsn"  # letters of what is not quoted
WORD = 8
_MOST_TOKENS = 2_048  # of a row: no venue's have a tenth of them


class Slot(NamedTuple):
    """Where a value stands in its row: behind which mark, how far from it, and how far from the next."""

    name: str
    is_quoted: bool
    mark: int
    behind: int
    before: int


class Rows:
    """Rows of one template, and their values by name; those of an array are named by their places."""

    def __init__(self, letters: npt.NDArray[np.uint8], starts: Ints, spans: dict[str, tuple[Slot, Ints, Ints]]) -> None:
        self.starts = starts
        self._letters = letters
        self._spans = spans
        self._texts: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self.starts)

    def __contains__(self, name: str) -> bool:
        return name in self._spans

    def beyond(self, most: int) -> set[str]:
        """Names of which a value has more letters than that."""
        return {name for name, (_, starts, ends) in self._spans.items() if (ends - starts).max() > most}

    @property
    def names(self) -> set[str]:
        return set(self._spans)

    def is_quoted(self, name: str) -> bool:
        return self._spans[name][0].is_quoted

    def texts(self, name: str) -> Any:
        """A column of what stands there, without its quotes."""
        if name not in self._texts:
            _, starts, ends = self._spans[name]
            cuts = np.empty(2 * len(starts), dtype=np.int32)
            cuts[::2], cuts[1::2] = starts, ends
            pieces: Any = pa.StringArray.from_buffers(len(cuts) - 1, pa.py_buffer(cuts), pa.py_buffer(self._letters))  # type: ignore[arg-type]
            self._texts[name] = pieces.take(pa.array(np.arange(0, len(cuts), 2, dtype=np.int32)))
        return self._texts[name]


class Template:
    """What stands between the values of a row, learnt from one row."""

    def __init__(self, row: bytes) -> None:
        """Raises `Unplain` for a row with another list or object in it, or with a name twice."""
        led = b"," + row
        self._marks = b'",' if row[:1] == b"[" else b'"'
        marks = [place for place, letter in enumerate(led) if letter in self._marks]
        values = [(name, start + 1, end + 1) for name, start, end in _values(row)]
        if not marks or not values or len({name for name, _, _ in values}) < len(values):
            raise Unplain("a row of another kind")
        self._marks_count = len(marks)
        self._lead = led[: marks[0] + 1]  # up to the first mark
        self._slots = [_slot(led, [*marks, len(led) + marks[0]], *value) for value in values]
        ends = [end - slot.is_quoted for slot, (_, _, end) in zip(self._slots, values, strict=True)]
        starts = [start + slot.is_quoted for slot, (_, start, _) in zip(self._slots, values, strict=True)]
        self._between = [led[end:start] for end, start in zip(ends, starts[1:], strict=False)]
        self._begin = led[: starts[0]]
        self._turn = led[ends[-1] :] + self._begin  # from the last value of a row to the first of the next
        self._end = led[ends[-1] :] + self._lead

    def read(self, rows: Sequence[bytes]) -> Rows:
        """Take apart rows, each item one or several joined by commas; `Unplain` where not all are of this template."""
        text = b"".join([b",", b",".join(rows), self._lead, bytes(WORD)])
        if b"\\" in text or not text.isascii():
            raise Unplain("letters that are escaped")
        letters = np.frombuffer(text, dtype=np.uint8)
        size = len(text) - WORD
        is_mark = letters[:size] == self._marks[0]
        for mark in self._marks[1:]:
            is_mark |= letters[:size] == mark
        marks = np.flatnonzero(is_mark)
        if len(marks) % self._marks_count != 1 or len(marks) == 1:
            raise Unplain("rows of several kinds")
        before, behind = marks[:-1].reshape(-1, self._marks_count), marks[1:].reshape(-1, self._marks_count)
        spans = {
            slot.name: (slot, before[:, slot.mark] + slot.behind, behind[:, slot.mark] - slot.before)
            for slot in self._slots
        }
        self._check(text, list(spans.values()))
        found = Rows(letters, before[:, 0] - (len(self._lead) - 1), spans)
        for slot in self._slots:
            if not slot.is_quoted and bytes(found.texts(slot.name).buffers()[2]).translate(None, _SCALAR):
                raise Unplain("rows within a row")
        return found

    def _check(self, text: bytes, spans: Sequence[tuple[Slot, Ints, Ints]]) -> None:
        """Hold the whole text, but for its values, to the template."""
        words = words_of(text)
        (_, first_starts, _), (_, _, last_ends) = spans[0], spans[-1]
        is_same = (
            text.startswith(self._begin)
            and text[last_ends[-1] : -WORD] == self._end
            and _are_between(words, last_ends[:-1], first_starts[1:], self._turn)
            and all(
                _are_between(words, ends, starts, between)
                for (_, _, ends), (_, starts, _), between in zip(spans, spans[1:], self._between, strict=False)
            )
            and all((ends > starts).all() for slot, starts, ends in spans if not slot.is_quoted)
        )
        if not is_same:
            raise Unplain("rows that are not written alike")


def first_row(text: bytes) -> bytes:
    """The first of rows that are joined by commas; raises `Unplain` where it is none, or as long as a whole reply."""
    depth = 0
    for token in islice(_TOKEN.finditer(text), _MOST_TOKENS):
        depth += (token.group() in b"[{") - (token.group() in b"]}")
        if depth == 0:
            return text[: token.end()]
    raise Unplain("no row")


def _values(row: bytes) -> list[tuple[str, int, int]]:
    """Name or place of each value of a row, and from where to where it stands."""
    tokens = list(_TOKEN.finditer(row))
    if b"".join(token.group() for token in tokens) != row or row[:1] + row[-1:] not in {b"[]", b"{}"}:
        raise Unplain("a row of another kind")
    inner = [token for token in tokens[1:-1] if not token.group().isspace()]
    if any(token.group() in b"[]{}" for token in inner):
        raise Unplain("rows within a row")
    if row[:1] == b"[":
        return [(str(place), value.start(), value.end()) for place, value in enumerate(inner[::2])]
    named = zip(inner[::4], inner[2::4], strict=True)
    return [(name.group()[1:-1].decode(), value.start(), value.end()) for name, value in named]


def _slot(row: bytes, marks: Sequence[int], name: str, start: int, end: int) -> Slot:
    is_quoted = row[start : start + 1] == b'"'
    start, end = start + is_quoted, end - is_quoted
    mark = max(number for number, place in enumerate(marks) if place < start)
    if marks[mark + 1] < end:
        raise Unplain("a mark within a value")
    return Slot(name, is_quoted, mark, start - marks[mark], marks[mark + 1] - end)


def words_of(text: bytes) -> Any:
    """Eight letters as a number, from each letter on but the last eight."""
    return np.ndarray((len(text) - WORD,), "<u8", text, 0, (1,))


def are_at(words: Any, places: Ints, constant: bytes) -> npt.NDArray[np.bool_]:
    """For each place, whether this stands there."""
    found = np.ones(len(places), dtype=np.bool_)
    for begun in range(0, len(constant), WORD):
        part = constant[begun : begun + WORD]
        mask, expected = (np.uint64(int.from_bytes(each, "little")) for each in (b"\xff" * len(part), part))
        found &= (words[np.minimum(places + begun, len(words) - 1)] & mask) == expected
    return found


def _are_between(words: Any, ends: Ints, starts: Ints, constant: bytes) -> bool:
    """Whether this and nothing else stands from each end to its start."""
    return bool((starts - ends == len(constant)).all() and are_at(words, ends, constant).all())
