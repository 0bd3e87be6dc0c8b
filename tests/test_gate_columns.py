"""Over columns or row by row, the gate refuses the same rows for the same reasons."""

import math
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.columns import as_table
from ingestion.gate.columns import suspects
from ingestion.gate.rows import broken_rule
from ingestion.records import DATASETS, Record
from tests.toy_hour import read_hour
from tests.toy_venue import AT, HOUR, TOY, key, record, reply, row

NUMBERS = [0.0, -1.0, 1e-300, 1.0, 4.99, 5.01, 0.0501, -0.0501, 1.002, 1e300, 1.7e308, math.nan, math.inf, -math.inf]
TEXTS = ["", "x" * 64, "x" * 65, "é", "a b", "a'b", "A.b_c:@+-1", "x\n", "\u0660", "spot", "perp", "option"]
INSTANTS = [AT + timedelta(seconds=s) for s in (0, 60, 61, 3_600, -86_400, -86_401)]
LEVELS = [
    [],
    [3.0, 2.0, 1.0],
    [1.0, 2.0, 3.0],
    [2.0, 2.0, 1.0],
    [3.0, 2.0],
    [3.0, 2.0, 0.0],
    [3.0, math.nan, 1.0],
    [1.7e308, 1.6e308, 1.0],
]


def values_of(field: msgspec.structs.FieldInfo) -> list[Any]:
    if "tuple" in str(field.type):
        return [tuple(levels) for levels in LEVELS]
    if "datetime" in str(field.type):
        return [*INSTANTS, *([] if field.required else [None])]
    if "Decimal" in str(field.type):
        return [Decimal(n) for n in (-1, 0, 1, 2**64, 2**112 - 1, 2**112, 10**38 - 1)]
    if "float" in str(field.type):
        return [*NUMBERS, *([] if field.required else [None])]
    if "int" in str(field.type):
        return [-1, 0, 1, 31 * 86_400 + 1, 2**62 + 1, *([] if field.required else [None])]
    return TEXTS if "bool" not in str(field.type) else [True, False]


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_no_row_that_breaks_a_rule_is_overlooked(data: st.DataObject) -> None:
    """Any fields of any record take any of these values; the rule over one row is the judge."""
    kind = DATASETS[data.draw(st.sampled_from(sorted(DATASETS)))]
    dataset = next(name for name, each in DATASETS.items() if each is kind)
    rows: list[Record] = []
    for _ in range(data.draw(st.integers(1, 5))):
        fields = data.draw(st.lists(st.sampled_from(msgspec.structs.fields(kind)), max_size=3, unique_by=id))
        changes = {field.name: data.draw(st.sampled_from(values_of(field))) for field in fields}
        rows.append(msgspec.structs.replace(record(dataset), **changes))

    found = suspects(kind, as_table(kind, HOUR, rows), "toy")
    broken = np.array([broken_rule(each) is not None or each.venue != "toy" for each in rows])

    assert not (broken & ~found).any()


@pytest.mark.parametrize("dataset", sorted(DATASETS.keys() - {"instruments"}))
def test_a_good_row_is_not_looked_at_twice(dataset: str) -> None:
    """The point of it: only what may be broken is judged row by row."""
    assert not suspects(DATASETS[dataset], as_table(DATASETS[dataset], HOUR, [record(dataset)] * 3), "toy").any()


@pytest.mark.parametrize(
    ("dataset", "changes", "rule", "reason"),
    [
        ("trades", {"px": -1.0}, "positive", "px -1.0: expected within (0, inf]"),
        ("trades", {"px": "1_000"}, "type", "px '1_000': expected a number"),
        ("trades", {"qty": True}, "type", "qty True: expected a number"),
        ("trades", {"venue": "other"}, "venue", "a row of 'other' in a reply of toy"),
        ("order_books", {"bid_px": [99.0, 99.5, 98.0]}, "book_order", "bid: prices do not run strictly outward"),
        ("order_books", {"ask_qty": [1.0]}, "book_shape", "ask: 3 prices and 1 sizes (expected as many)"),
        ("candles", {"low_px": 100.5}, "candle_shape", "open 100.0, high 102.0, low 100.5"),
        ("liquidations", {"liquidation_id": 5}, "type", "liquidations.liquidation_id: int (expected string)"),
    ],
)
def test_the_reason_is_that_of_the_row_rule_whatever_stands_beside_it(
    dataset: str, changes: dict[str, Any], rule: str, reason: str
) -> None:
    """One bad row among good ones; some values cannot even be put into a column."""
    good = [row(dataset, symbol=f"S{n}", **({"trade_id": str(n)} if dataset == "trades" else {})) for n in range(9)]
    found = read_hour(TOY, HOUR, [(key(dataset), [reply(dataset, *good[:4], row(dataset, **changes), *good[4:])])])

    [told] = [refusal for refusal in found.rejects if refusal["rule_id"] != "unknown_symbol"]
    assert told["rule_id"] == rule
    assert told["reason"].startswith(reason)
    assert {each.symbol for each in found.records[dataset]} == {f"S{n}" for n in range(9)}


def test_a_number_too_large_for_its_column_costs_its_row() -> None:
    said = [row("gas_prices", block_number=1), row("gas_prices", block_number=2, base_fee_wei=2**63)]
    found = read_hour(TOY, HOUR, [(key("gas_prices"), [reply("gas_prices", *said)])])

    assert found.rules == ["gas_range"]
    assert len(found.records["gas_prices"]) == 1
