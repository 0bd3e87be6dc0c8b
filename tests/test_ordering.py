"""Rows compare by the numbers that stand for them as they do by their values, told by Python's own comparison."""

import math
import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ingestion.columns import INSTANT, WHOLE, in_order
from ingestion.ordering import changes, keys_of, sort_keys

AT = datetime(2026, 3, 5, tzinfo=UTC)
TEXT = pa.string()
NAMED = pa.dictionary(pa.int32(), TEXT)
COLUMNS: dict[str, tuple[list[Any], Any]] = {
    "numbers of one length": ([str(3_000_000_000 + 7 * n) for n in range(60)], TEXT),
    "numbers of any length": ([str(3**n) for n in range(60)], TEXT),
    "numbers that tell apart in their first letters": ([f"{n}{0:017}" for n in range(10, 60)], TEXT),
    "numbers that tell apart in letters that two words share": ([f"55555{n}55555" for n in range(100, 160)], TEXT),
    "one letter": (list("badc"), TEXT),
    "three letters": (["bay", "buy", "abc", "abd", "bbd"], TEXT),
    "five letters": ([f"{n:05}" for n in (1, 10, 2, 10_000, 20_000)], TEXT),
    "many letters": ([f"{'x' * n}{n % 3}" for n in range(60)], TEXT),
    "more letters than are worth it": ([f"{'x' * 70}{n % 3}" for n in range(60)], TEXT),
    "letters beyond ASCII": (["é", "e", "z", "ÿ", "\U0001f600", "\uffff", "a" * 8 + "é", "a" * 8], TEXT),
    "no letters": (["", "a", "\0", "\0\0", "a\0", "a" * 8, "a" * 8 + "\0", "a" * 9], TEXT),
    "nothing but no letters": (["", ""], TEXT),
    "missing": ([None, "", "a", "b" * 9], TEXT),
    "nothing but missing": ([None, None], TEXT),
    "names": (["perp", "spot", None, "option"], NAMED),
    "one name": (["perp", "perp"], NAMED),
    "one name, or none": (["perp", None], NAMED),
    "whole numbers": ([0, -1, 2**62, -(2**62), None], pa.int64()),
    "instants": ([AT, AT.replace(year=1901), None], INSTANT),
    "yes and no": ([True, False, None], pa.bool_()),
    "numbers": ([0.0, -0.0, -1.5, 1e300, math.inf, -math.inf, None], pa.float64()),
    "long whole numbers": ([Decimal(10**30), Decimal(-(10**30)), Decimal(0), None], WHOLE),
}


def spelled(value: Any) -> tuple[bool, Any]:
    return value is not None, value.encode() if isinstance(value, str) else value


def drawn(values: list[Any], kind: Any, count: int, dice: random.Random) -> "pa.ChunkedArray[Any]":
    """Values in chunks that begin within longer ones, as those of sliced tables."""
    plain = [dice.choice(values) for _ in range(count)]
    cuts = sorted(dice.randrange(count + 1) for _ in range(2))
    pieces = [plain[start:end] for start, end in zip([0, *cuts], [*cuts, count], strict=True)]
    held = kind.value_type if pa.types.is_dictionary(kind) else kind
    chunks = [pa.array([values[0], *piece, values[-1]], held) for piece in pieces]
    if held is not kind:
        chunks = [chunk.dictionary_encode() for chunk in chunks]
    return pa.chunked_array([chunk.slice(1, len(chunk) - 2) for chunk in chunks], kind)


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 200])
def test_columns_compare_as_their_values(name: str, count: int) -> None:
    column = drawn(*COLUMNS[name], count, random.Random(count))
    table = pa.table({"it": column, "at": list(range(count))})
    values = column.to_pylist()

    found = in_order(table, ["it", "at"])

    wanted = sorted(range(count), key=lambda n: (*spelled(values[n]), n) if values[n] is not None else (False, n))
    assert found["at"].to_pylist() == wanted
    assert changes(keys_of(table, ["it"]), count).tolist() == [
        n == 0 or values[n] != values[n - 1] for n in range(count)
    ]


def test_rows_that_tie_in_one_column_are_ordered_by_the_next() -> None:
    dice = random.Random(11)
    rows = [
        {"kind": dice.choice(["spot", "perp"]), "id": str(dice.randrange(90, 110)), "at": dice.randrange(5)}
        for _ in range(3_000)
    ]
    found = in_order(pa.Table.from_pylist(rows), ["kind", "id", "at"]).to_pylist()

    assert found == sorted(rows, key=lambda row: (row["kind"], row["id"], row["at"]))


def test_what_is_no_number_comes_last_and_equals_nothing() -> None:
    table = pa.table({"it": [math.nan, 1.0, math.nan, None]})

    assert [str(value) for value in in_order(table, ["it"])["it"].to_pylist()] == ["None", "1.0", "nan", "nan"]
    assert changes(keys_of(pa.table({"it": [math.nan] * 3}), ["it"]), 3).tolist() == [True] * 3


def test_a_column_that_says_one_thing_decides_nothing() -> None:
    for column in (pa.array(["BTCUSDT"] * 9), pa.array([None] * 9, pa.int64()), pa.array([7] * 9)):
        assert sort_keys(column) == []


def test_one_number_tells_apart_ids_that_begin_alike() -> None:
    [key] = sort_keys(pa.array([str(5_266_584_453 + n) for n in range(1_000)]))

    assert np.array_equal(np.diff(key.astype(np.int64)) > 0, np.ones(999, dtype=np.bool_))
