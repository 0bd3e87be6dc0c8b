"""Lines of raw objects that are written alike: told apart by what they ask, without an envelope for each."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingestion.columns import INSTANT, ints
from ingestion.envelopes import Envelope, Lines
from ingestion.venues.bulk import Unplain
from ingestion.venues.row_text import WORD, are_at, words_of

Ints = npt.NDArray[np.int64]

_NEWLINE, _END = b"\n}"
_CLOCK, _CLOCK_LETTERS, _BODY = b'"captured_ts":"', len("2026-01-02T03:04:05.678901Z"), b'"body":'
_LINES_A_QUESTION = 8  # with fewer, envelopes are as soon made


class Alike(NamedTuple):
    """Lines that differ in nothing but when they came, and in their bodies."""

    first: Envelope
    lines: Ints  # their places in the text
    captured_us: Ints
    bodies: bytes  # a line each


def told_apart(lines: Lines) -> Iterator[Alike]:
    """All lines, each of them ended; raises `Unplain` for text that `seal` would not write, or that asks too much."""
    letters = np.frombuffer(lines.text, dtype=np.uint8)
    words = words_of(lines.text + bytes(WORD))
    ends = np.flatnonzero(letters == _NEWLINE)
    starts = np.concatenate([[0], ends[:-1] + 1])
    left = np.arange(len(ends))
    questions = 0
    while len(left):
        questions += 1
        if questions * _LINES_A_QUESTION > len(ends) + _LINES_A_QUESTION:
            raise Unplain("many questions with few answers each")
        line = lines.text[starts[left[0]] : ends[left[0]] + 1]
        [first] = lines._replace(text=line).envelopes()
        clock = line.find(_CLOCK) + len(_CLOCK)
        body = line.find(_BODY, clock) + len(_BODY)
        head, between = line[:clock], line[clock + _CLOCK_LETTERS : body]
        if line != b"%b%b%b%b}\n" % (head, (first.captured_ts or "").encode(), between, first.body):
            raise Unplain("an envelope of another kind")
        is_same = are_at(words, starts[left], head) & are_at(words, starts[left] + clock + _CLOCK_LETTERS, between)
        is_same &= (letters[ends[left] - 1] == _END) & (ends[left] - starts[left] > body)
        same = left[is_same]
        left = left[~is_same]
        yield _alike(first, same, lines.text, starts[same] + clock, starts[same] + body, ends[same])


def _alike(first: Envelope, lines: Ints, text: bytes, clocks: Ints, bodies: Ints, ends: Ints) -> Alike:
    # What is before a clock, the clock, what is between, the body, its end, and the line's end.
    cuts = np.stack([clocks, clocks + _CLOCK_LETTERS, bodies, ends - 1, ends, ends + 1], axis=1).ravel()
    cuts = np.concatenate([[0], cuts]).astype(np.int32)
    buffers = [None, pa.py_buffer(cuts), pa.py_buffer(text)]  # type: ignore[arg-type]
    pieces: Any = pa.Array.from_buffers(pa.string(), len(cuts) - 1, buffers)
    places = np.arange(len(lines)) * 6
    captured = pieces.take(pa.array(places + 1))
    _, told, letters = pieces.take(pa.array(np.stack([places + 3, places + 5], axis=1).ravel())).buffers()
    size = int(np.frombuffer(told, dtype=np.int32)[2 * len(lines)])
    return Alike(first, lines, ints(captured.cast(INSTANT)), letters.slice(0, size).to_pybytes())
