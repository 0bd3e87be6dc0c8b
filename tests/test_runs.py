"""Rows come out in order, all of them and once, however little of them fits into memory."""

import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ingestion.runs import MAX_PIECES, Memory, Runs

SCHEMA = pa.schema([("symbol", pa.string()), ("at", pa.int64()), ("said", pa.float64())])
ORDER = ["symbol", "at"]


def rows_of(dice: random.Random, count: int) -> list[dict[str, Any]]:
    return [
        {"symbol": dice.choice("ABÉ"), "at": dice.choice([None, dice.randrange(10**6)]), "said": dice.random()}
        for _ in range(count)
    ]


def expected(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted((row["symbol"], row["at"] is not None, row["at"] or 0) for row in rows)


def keys_of(runs: Runs) -> list[tuple[Any, ...]]:
    found = [row for table in runs.tables() for row in table.to_pylist()]
    return [(row["symbol"], row["at"] is not None, row["at"] or 0) for row in found]


@pytest.mark.parametrize("waiting_bytes", [1, 500, 20_000, 10**9])
def test_rows_come_in_order_and_can_be_had_again(tmp_path: Path, waiting_bytes: int) -> None:
    """A missing value first; compared with Python's own sort."""
    dice = random.Random(3)
    rows = rows_of(dice, 4_000)
    runs = Memory(tmp_path, waiting_bytes).runs(SCHEMA, ORDER)
    for start in range(0, len(rows), 37):
        runs.add(pa.Table.from_pylist(rows[start : start + 37], SCHEMA))

    assert keys_of(runs) == expected(rows)
    assert keys_of(runs) == expected(rows)
    assert runs.rows_count == len(rows)


def test_portions_part_no_rows_of_one_key(tmp_path: Path) -> None:
    memory = Memory(tmp_path, 1)
    runs = memory.runs(SCHEMA, ORDER)
    for _ in range(200):
        runs.add(pa.table({"symbol": ["A", "B"] * 2_000, "at": [1, 2] * 2_000, "said": [0.5] * 4_000}, SCHEMA))
    portions = [set(zip(t["symbol"].to_pylist(), t["at"].to_pylist(), strict=True)) for t in runs.tables()]

    assert len(portions) > 1
    assert sum(len(portion) for portion in portions) == 2


def test_what_waits_never_exceeds_its_bound(tmp_path: Path) -> None:
    dice = random.Random(5)
    memory = Memory(tmp_path, 50_000)
    shared = [memory.runs(SCHEMA, ORDER) for _ in range(3)]
    for _ in range(300):
        dice.choice(shared).add(pa.Table.from_pylist(rows_of(dice, 50), SCHEMA))
        assert sum(runs.waiting_bytes for runs in shared) <= 50_000


def test_more_pieces_than_can_be_merged_at_once_are_merged_in_turn(tmp_path: Path) -> None:
    dice = random.Random(7)
    rows = rows_of(dice, 3 * MAX_PIECES)
    runs = Memory(tmp_path, 1).runs(SCHEMA, ORDER)
    for row in rows:
        runs.add(pa.Table.from_pylist([row], SCHEMA))

    assert len(list(tmp_path.iterdir())) <= MAX_PIECES + 1
    assert keys_of(runs) == expected(rows)


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    runs = Memory(tmp_path, 1).runs(SCHEMA, ORDER)
    runs.add(pa.table({"symbol": ["A"], "at": [1], "said": [0.5]}, SCHEMA))
    assert list(tmp_path.iterdir())
    runs.close()

    assert list(tmp_path.iterdir()) == []


def test_no_rows_are_no_tables(tmp_path: Path) -> None:
    runs = Memory(tmp_path).runs(SCHEMA, ORDER)
    runs.add(SCHEMA.empty_table())

    assert list(runs.tables()) == []


def test_pieces_that_share_one_key_are_merged_at_it(tmp_path: Path) -> None:
    """Rows come in order, as most do, but for one that is said again beside what comes later."""
    memory = Memory(tmp_path, 30_000)
    runs = memory.runs(SCHEMA, ORDER)
    at = [*range(1_500), 1_499, *range(1_500, 4_000), 3_999, *range(4_000, 6_000)]
    for start in range(0, len(at), 100):
        some = at[start : start + 100]
        runs.add(pa.table({"symbol": ["A"] * len(some), "at": some, "said": [0.5] * len(some)}, SCHEMA))
    assert len(list(tmp_path.iterdir())) > 1

    portions = [table["at"].to_pylist() for table in runs.tables()]

    assert [found for portion in portions for found in portion] == sorted(at)
    assert not any(before[-1] == here[0] for before, here in pairwise(portions))
