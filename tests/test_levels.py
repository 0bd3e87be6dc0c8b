"""Levels told by the letters beside their numbers: all else is refused, or read as JSON reads it."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from ingestion.venues.bulk import Odd, Unplain
from ingestion.venues.cutting import Sides
from ingestion.venues.levels import Shape

LETTERS = b'019./,:"[]{}eE+- \n\\a'
SHAPES = [
    (b'["",""]', (0, 1), b'["61823.8","1.5"]'),
    (b'["","","",""]', (0, 1), b'["61823.8","1.5","0","3"]'),
    (b'["","",]', (0, 1), b'["61823.8","10",12]'),
    (b"[,]", (0, 1), b"[61823.8,15]"),
    (b"[,,]", (0, 2), b"[61823.8,3,1.5]"),
    (b'{"p":"","s":}', (0, 1), b'{"p":"61823.8","s":15}'),
    (b'{"s":,"p":""}', (1, 0), b'{"s":15,"p":"61823.8"}'),
    (b'{"px":"","sz":"","n":}', (0, 1), b'{"px":"61823.8","sz":"1.5","n":123}'),
]


def read(shape: Shape, text: bytes, lines: int) -> list[list[tuple[float, float]]] | None:
    """Prices and sizes of each line; none where the shape refuses."""
    try:
        side = shape.read(Sides(text, np.ones(lines, dtype=np.bool_)))
    except (Odd, Unplain):
        return None
    return [list(zip(px, qty, strict=True)) for px, qty in zip(side.px.to_pylist(), side.qty.to_pylist(), strict=True)]


def by_json(at: tuple[int, int], text: bytes) -> list[list[tuple[float, float]]]:
    """The same of lines of levels; raises `ValueError` for what is no JSON."""
    rows = [json.loads(b"[" + line + b"]") for line in text.removesuffix(b"\n").split(b"\n")]
    fields = [[list(level.values()) if isinstance(level, dict) else level for level in row] for row in rows]
    return [[(float(level[at[0]]), float(level[at[1]])) for level in row] for row in fields]


def spoilt(text: bytes) -> Iterator[bytes]:
    """With one letter gone, another in its place, or one more before it; the last line's end stays."""
    for place in range(len(text) - 1):
        yield text[:place] + text[place + 1 :]
        for letter in LETTERS:
            yield text[:place] + bytes([letter]) + text[place + 1 :]
            yield text[:place] + bytes([letter]) + text[place:]


@pytest.mark.parametrize(("written", "at", "level"), SHAPES)
def test_levels_are_read_as_json_reads_them(written: bytes, at: tuple[int, int], level: bytes) -> None:
    text = level + b"," + level + b"\n" + level + b"\n"

    assert read(Shape(written, at), text, 2) == by_json(at, text)


@pytest.mark.parametrize(("written", "at", "level"), SHAPES)
def test_a_letter_wrong_is_refused_or_read_as_json_reads_it(written: bytes, at: tuple[int, int], level: bytes) -> None:
    shape = Shape(written, at)
    for text in spoilt(level + b"," + level + b"\n" + level + b"\n"):
        found = read(shape, text, text.count(b"\n"))

        assert found is None or found == by_json(at, text), text
        assert found is None or all(px > 0 and qty > 0 for side in found for px, qty in side), text


@pytest.mark.parametrize(
    ("told", "is_read"),
    [(b"3", True), (b"317", True), (b"2147483648", True), (b"3.5", False), (b"31.5", False), (b"9" * 16, False)],
)
def test_numbers_beside_price_and_size_are_whole(told: bytes, is_read: bool) -> None:
    text = b'["61823.8","1.5",' + told + b'],["61824","2",1]\n'

    found = read(Shape(b'["","",]', (0, 1)), text, 1)

    assert (found == [[(61823.8, 1.5), (61824.0, 2.0)]]) is is_read
