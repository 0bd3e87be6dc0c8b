"""Names held once say what the text said, whatever lists they came from."""

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ingestion.naming import NAMED, Vocabularies, spelled_out, with_names
from ingestion.runs import Memory

PLAIN = pa.schema(
    [
        pa.field("symbol", pa.string(), nullable=False),
        ("option_type", pa.string()),
        pa.field("trade_id", pa.string(), nullable=False),
        ("px", pa.float64()),
    ]
)


def rows_of(dice: random.Random, count: int, symbols: list[str]) -> pa.Table:
    rows: list[dict[str, Any]] = [
        {
            "symbol": dice.choice(symbols),
            "option_type": dice.choice(["call", "put", None]),
            "trade_id": str(dice.randrange(50)),
            "px": dice.random(),
        }
        for _ in range(count)
    ]
    return pa.Table.from_pylist(rows, PLAIN)


@pytest.mark.parametrize("symbols", [["A"], ["AB", "AB", "BA"], ["A", "AA"], [""], ["é", "e"]])
@pytest.mark.parametrize("count", [0, 1, 2, 500])
def test_names_are_spelled_out_as_they_were(symbols: list[str], count: int) -> None:
    """Also of a table that is part of a longer one, or in pieces."""
    dice = random.Random(count)
    whole = rows_of(dice, count + 5, symbols)
    for table in (whole, whole.slice(3, count), pa.concat_tables([whole.slice(2, 1), whole.slice(4)])):
        named = with_names(table)

        assert named.schema.field("symbol").equals(pa.field("symbol", NAMED, nullable=False))
        assert named.schema.field("trade_id").type == pa.string()
        assert with_names(named).equals(named)
        assert spelled_out(named).equals(table)


def test_numbers_hold_while_names_are_added() -> None:
    dice = random.Random(1)
    tables = [rows_of(dice, 40, list("ZAZ")), rows_of(dice, 40, list("BAC")), rows_of(dice, 40, ["A"])]
    names = Vocabularies(with_names(tables[0]).schema)
    numbered = [names.numbered(with_names(table)) for table in tables]

    assert {part.schema.field("symbol").type for part in numbered} == {pa.int32()}
    for part, table in zip(numbered, tables, strict=True):
        assert spelled_out(names.named(part)).equals(table)
    assert spelled_out(names.named(pa.concat_tables(numbered))).equals(pa.concat_tables(tables))


@pytest.mark.parametrize("waiting_bytes", [1, 3_000, 10**9])
@pytest.mark.parametrize("symbols_count", [1, 3, 300, 70_000])
def test_rows_with_names_come_in_the_order_of_the_text(tmp_path: Path, waiting_bytes: int, symbols_count: int) -> None:
    """Names come later that stand before those that are on disk already; some are more than two bytes count."""
    dice = random.Random(symbols_count)
    symbols = [f"C{dice.randrange(symbols_count)}" for _ in range(symbols_count)]
    tables = [rows_of(dice, 60, dice.sample(symbols, min(symbols_count, 9))) for _ in range(30)]
    tables.append(pa.Table.from_pylist([{"symbol": name, "trade_id": "1"} for name in symbols], PLAIN))
    runs = Memory(tmp_path, waiting_bytes).runs(with_names(tables[0]).schema, ["symbol", "option_type", "trade_id"])
    for table in tables:
        runs.add(with_names(table))

    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        return row["symbol"], row["option_type"] is not None, row["option_type"] or "", row["trade_id"]

    found = [key(row) for table in runs.tables() for row in spelled_out(table).to_pylist()]
    assert found == sorted(key(row) for table in tables for row in table.to_pylist())
