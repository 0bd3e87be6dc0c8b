"""No bad row reaches the lake, and no odd but true one is lost."""

import math
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from ingestion.gate.rows import SNAPSHOTS, broken_rule
from ingestion.records import DATASETS, Record
from tests.toy_venue import AT, record

HOSTILE: tuple[Any, ...] = (math.nan, math.inf, -math.inf, float("1e400"), "1_000", "", True, [], {})
NUMBERS = [
    (dataset, field.name, field.required)
    for dataset, kind in DATASETS.items()
    for field in msgspec.structs.fields(kind)
    if field.name.endswith(("px", "qty", "_ann", "_rate", "_base", "_quote", "_s", "_size"))
    or field.name in {"delta", "gamma", "vega", "theta"}
]
SCALARS = [named for named in NUMBERS if named[0] != "order_books"]
BOOK_SIDES = [name for dataset, name, _ in NUMBERS if dataset == "order_books"]


def rule_of(row: Record) -> str | None:
    broken = broken_rule(row)
    return None if broken is None else broken[0]


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_good_row_passes(dataset: str) -> None:
    assert broken_rule(record(dataset)) is None


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
@pytest.mark.parametrize(("dataset", "field", "_required"), SCALARS)
def test_no_number_field_takes_what_is_no_finite_number(dataset: str, field: str, _required: bool, value: Any) -> None:
    assert rule_of(record(dataset, **{field: value})) in {"finite", "type"}


# In a book True passes: it equals 1, sorts as 1 and is stored as 1.0.
@pytest.mark.parametrize("value", [v for v in HOSTILE if v is not True], ids=repr)
@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("field", BOOK_SIDES)
def test_no_book_level_takes_what_is_no_finite_number(field: str, level: int, value: Any) -> None:
    levels: list[Any] = list(getattr(record("order_books"), field))
    levels[level] = value
    assert rule_of(record("order_books", **{field: levels})) in {"finite", "type"}


@pytest.mark.parametrize(("dataset", "field", "is_required"), SCALARS)
def test_null_is_absence_only_where_absence_is_allowed(dataset: str, field: str, is_required: bool) -> None:
    row = record(dataset, **{field: None})
    assert (broken_rule(row) is not None) is is_required


@pytest.mark.parametrize("value", [0.0, -0.0, -1.0, -1e-300])
@pytest.mark.parametrize(
    ("dataset", "field"),
    [(d, f) for d, f, _ in SCALARS if f.endswith("px") and (d, f) != ("option_quotes", "mark_px")],
)
def test_no_price_is_zero_or_negative(dataset: str, field: str, value: float) -> None:
    assert rule_of(record(dataset, **{field: value})) == "positive"


def test_a_worthless_options_mark_may_round_to_zero_but_not_below() -> None:
    assert broken_rule(record("option_quotes", mark_px=0.0)) is None
    assert rule_of(record("option_quotes", mark_px=-0.0001)) == "negative"


@pytest.mark.parametrize(
    ("dataset", "field"),
    [(d, f) for d, f, _ in SCALARS if f.endswith(("qty", "_base", "_quote")) and f != "lot_size_qty"],
)
def test_no_quantity_is_negative(dataset: str, field: str) -> None:
    assert rule_of(record(dataset, **{field: -1e-9})) is not None


@pytest.mark.parametrize("field", BOOK_SIDES)
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_no_book_level_is_empty_or_negative(field: str, value: float) -> None:
    levels = list(getattr(record("order_books"), field))
    levels[-1] = value
    assert rule_of(record("order_books", **{field: levels})) == "positive"


@pytest.mark.parametrize(
    ("dataset", "changes", "rule"),
    [
        ("trades", {"qty": 0.0}, "positive"),
        ("trades", {"event_ts": None}, "clock"),
        ("trades", {"trade_id": ""}, "name"),
        ("trades", {"symbol": "BTC'; drop table x"}, "name"),
        ("trades", {"symbol": "../../etc/passwd"}, "name"),
        ("trades", {"symbol": "B" * 65}, "name"),
        ("trades", {"symbol": None}, "type"),
        ("perp_tickers", {"kind": "spot"}, "kind"),
        ("perp_tickers", {"funding_rate": 0.0501}, "funding_range"),
        ("perp_tickers", {"funding_rate": -0.0501}, "funding_range"),
        ("perp_tickers", {"funding_interval_s": 0}, "interval_range"),
        ("option_quotes", {"mark_iv_ann": 0.0}, "iv_range"),
        ("option_quotes", {"mark_iv_ann": 57.3}, "iv_range"),
        ("option_quotes", {"delta": 1.01}, "greek_range"),
        ("option_quotes", {"vega": -0.1}, "greek_range"),
        ("candles", {"low_px": 100.5}, "candle_shape"),
        ("candles", {"high_px": 100.5}, "candle_shape"),
        ("candles", {"interval_s": 0}, "interval_range"),
        ("order_books", {"bid_px": [99.0, 99.5, 98.0]}, "book_order"),
        ("order_books", {"ask_px": [101.0, 101.0, 102.0]}, "book_order"),
        ("order_books", {"bid_px": [100.0, 99.5]}, "book_shape"),
        ("instruments", {"contract_size": 0.0}, "positive"),
        ("instruments", {"kind": "option"}, "terms"),
        ("instruments", {"expiry_ts": "2024-02-01T08:00:00+00:00"}, "terms"),
        ("instruments", {"kind": "future", "expiry_ts": "2054-02-01T08:00:00+00:00"}, "terms"),
        ("open_interest", {"open_interest_qty": -1.0}, "negative"),
    ],
)
def test_the_rule_names_what_is_wrong(dataset: str, changes: dict[str, Any], rule: str) -> None:
    assert rule_of(record(dataset, **changes)) == rule


def test_the_first_broken_rule_is_told_with_field_value_and_expectation() -> None:
    broken = broken_rule(record("trades", px=-1.0, qty=-1.0))

    assert broken == ("positive", "px -1.0: expected within (0, inf]")


@pytest.mark.parametrize(
    "changes",
    [
        {"bid_px": [101.0, 99.5, 99.0]},  # crossed
        {"bid_px": [100.5, 99.5, 99.0]},  # locked
        {"bid_px": [], "bid_qty": []},
        {"ask_px": [], "ask_qty": []},
        {"bid_px": [], "bid_qty": [], "ask_px": [], "ask_qty": []},
    ],
)
def test_a_crossed_locked_or_one_sided_book_is_the_truth_and_passes(changes: dict[str, Any]) -> None:
    assert broken_rule(record("order_books", **changes)) is None


@pytest.mark.parametrize("dataset", DATASETS)
def test_an_event_over_a_minute_ahead_of_our_clock_is_skew(dataset: str) -> None:
    assert rule_of(record(dataset, event_ts=AT + timedelta(seconds=60))) is None
    assert rule_of(record(dataset, event_ts=AT + timedelta(seconds=61))) == "clock_skew"
    assert rule_of(record(dataset, event_ts=AT + timedelta(hours=1))) == "clock_skew"


@pytest.mark.parametrize("dataset", DATASETS)
def test_only_a_snapshot_can_be_stale(dataset: str) -> None:
    day_old = record(dataset, event_ts=AT - timedelta(hours=24, seconds=1))
    is_snapshot = DATASETS[dataset] in SNAPSHOTS

    assert rule_of(day_old) == ("stale" if is_snapshot else None)
    assert rule_of(record(dataset, event_ts=AT - timedelta(hours=24))) is None


@pytest.mark.parametrize("dataset", DATASETS)
def test_an_instant_without_a_time_zone_is_refused(dataset: str) -> None:
    assert rule_of(record(dataset, captured_ts=AT.replace(tzinfo=None))) == "clock"
    assert rule_of(record(dataset, event_ts=AT.replace(tzinfo=None))) == "type"


@pytest.mark.parametrize("sequence_id", [-1, 2**62 + 1, 10**400])
def test_a_sequence_number_that_no_column_holds_is_refused(sequence_id: int) -> None:
    """JSON writes whole numbers of any length; such a book would stop its hour instead of its own row."""
    assert rule_of(record("order_books", sequence_id=sequence_id)) == "negative"


def test_an_interval_of_any_length_is_refused_and_raises_nothing() -> None:
    assert rule_of(record("funding_rates", funding_interval_s=10**400)) == "interval_range"
