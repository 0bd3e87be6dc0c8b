"""Gate 2: a candidate that breaks a promise is refused, told why, and leaves readers what they had."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ingestion.storage import Store
from orchestration.candidates import PublishedTable
from orchestration.publish import Published, PublishError, PublishRefused, publish
from orchestration.published import current
from tests.warehouse import DAY, HOURS, MARKS, TABLES, build, read


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "lake"))


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    return build(tmp_path / "warehouse.duckdb")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A lake with one good version, which no refusal may touch."""
    folder = tmp_path_factory.mktemp("good")
    store = Store.open(str(folder / "lake"))
    run(build(folder / "warehouse.duckdb"), store)
    return store


def run(warehouse: Path, store: Store, hours: list[datetime] = HOURS, **options: Any) -> Published:
    return publish(warehouse, store, hours, TABLES, **options)


REFUSED = [
    ("facts.fct_books", "mid_px", "finite", "mid_px = 'nan'", 15),
    ("facts.fct_books", "mid_px", "finite", "mid_px = 'infinity'", 15),
    (
        "facts.fct_books",
        "imbalance_frac",
        "finite",
        "imbalance_frac = if(symbol = 'S1', '-inf'::double, 0)",
        3,
    ),
    ("facts.fct_books", "captured_ts", "finite", "captured_ts = 'infinity'", 15),
    ("facts.fct_books", "ladder", "finite_list", "ladder = [1, 'nan'::double]", 15),
    ("facts.fct_books", "imbalance_frac", "imbalance", "imbalance_frac = 1.0001", 15),
    ("facts.fct_books", "spread_bps", "spread", "spread_bps = -1", 12),  # S4 is crossed, and may
    ("facts.fct_books", "coverage_frac", "share", "coverage_frac = 1.5", 15),
    ("facts.fct_books", "quality_grade", "grade", "quality_grade = 'Z'", 15),
    ("facts.fct_books", "bid_depth_usd", "amount", "bid_depth_usd = -1", 15),
    ("facts.fct_books", "mid_px", "price", "mid_px = -1", 15),
    ("facts.fct_books", "levels_count", "count", "levels_count = -1", 15),
    ("facts.fct_books", "utc_hour, venue, symbol", "unique_grain", "symbol = 'S0'", 12),
    ("facts.fct_books", "symbol", "whole_grain", "symbol = null where symbol = 'S2'", 3),
    ("facts.fct_books", "utc_hour", "on_the_partition", "utc_hour = utc_hour + interval 1 minute", 15),
    ("facts.fct_books", "utc_hour", "on_the_partition", "utc_hour = null where symbol = 'S2'", 3),
    ("facts.fct_vols", "implied_vol_30d_ann", "implied_vol", "implied_vol_30d_ann = 65", 12),
    ("facts.fct_vols", "realized_vol_30d_ann", "realized_vol", "realized_vol_30d_ann = -0.1", 12),
    ("facts.fct_vols", "days_to_expiry", "days_to_expiry", "days_to_expiry = -1", 12),
    ("facts.fct_vols", "put_call_ratio", "put_call", "put_call_ratio = -0.1", 12),
    ("marts.mart_pressure_daily", "pressure_z", "standard_score", "pressure_z = 8.1", 2),
]


@pytest.mark.parametrize(("table", "column", "rule", "change", "count"), REFUSED)
def test_a_broken_rule_refuses_the_publish_and_the_last_good_version_stays(
    warehouse: Path, good: Store, table: str, column: str, rule: str, change: str, count: int
) -> None:
    objects = good.list("published/")
    build(warehouse, mark=2, then=f"update {table} set {change}")

    with pytest.raises(PublishRefused) as refused:
        run(warehouse, good)

    assert [reason for reason in refused.value.reasons if f"{table} {column}: {count} break {rule} " in reason]
    assert good.list("published/") == objects
    assert read(good, MARKS) == [(1,)]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            "alter table facts.fct_books drop column mid_px",
            "facts.fct_books mid_px: published as DOUBLE, now gone",
        ),
        (
            "alter table facts.fct_books alter mark_count type varchar",
            "facts.fct_books mark_count: published as INTEGER, now VARCHAR",
        ),
        ("drop table facts.fct_vols", "facts.fct_vols: no such table"),
        ("alter table facts.fct_vols drop column symbol", "facts.fct_vols: no column symbol"),
        ("alter table facts.fct_vols alter utc_hour type date", "facts.fct_vols: utc_hour is DATE"),
        ("update facts.fct_books set levels_count = 9223372036854775808", "out of range"),
    ],
)
def test_a_table_of_another_shape_is_refused(warehouse: Path, good: Store, change: str, told: str) -> None:
    with pytest.raises(PublishRefused, match=told):
        run(build(warehouse, then=change), good)

    assert current(good).version == 1  # type: ignore[union-attr]


def test_an_added_column_is_null_where_it_was_not_known(warehouse: Path, store: Store) -> None:
    run(warehouse, store)
    build(warehouse, then="alter table facts.fct_vols add column skew_ann double default 0.25")

    run(warehouse, store, HOURS[1:])

    assert read(store, "select utc_hour, any_value(skew_ann) from fct_vols group by 1 order by 1") == [
        (HOURS[0], None),
        (HOURS[1], 0.25),
        (HOURS[2], 0.25),
    ]


def test_a_partition_that_readers_have_does_not_vanish(warehouse: Path, store: Store) -> None:
    run(warehouse, store)
    build(warehouse, then="delete from marts.mart_pressure_daily")

    with pytest.raises(PublishRefused, match="mart_pressure_daily utc_date: 1 break not_emptied"):
        run(warehouse, store)


def test_a_partition_may_vanish_where_the_table_allows_it(warehouse: Path, store: Store) -> None:
    table = PublishedTable("fct_vols", "facts", "utc_hour", ("utc_hour", "symbol"), may_be_emptied=True)
    publish(warehouse, store, HOURS, [table])
    build(warehouse, then="delete from facts.fct_vols where utc_hour = '2024-01-14 01:00:00+00'")

    publish(warehouse, store, HOURS, [table])

    assert read(store, "select distinct utc_hour from fct_vols order by 1") == [(HOURS[0],), (HOURS[2],)]
    assert read(store, "select rows_count from published_partitions order by partition_ts") == [
        (4,),
        (0,),
        (4,),
    ]


def test_a_null_in_the_grain_may_say_something(warehouse: Path, store: Store) -> None:
    """Where the table declares it, null is a value of the grain: one such row passes, two do not."""
    table = PublishedTable("fct_vols", "facts", "utc_hour", ("utc_hour", "symbol"), nullable=("symbol",))
    build(warehouse, then="update facts.fct_vols set symbol = null where symbol = 'S0'")

    assert publish(warehouse, store, HOURS, [table]).is_new

    build(warehouse, then="update facts.fct_vols set symbol = null where symbol in ('S0', 'S1')")
    with pytest.raises(PublishRefused, match="fct_vols utc_hour, symbol: 3 break unique_grain"):
        publish(warehouse, store, HOURS, [table])


def test_an_expected_table_without_rows_is_refused(warehouse: Path, store: Store) -> None:
    with pytest.raises(PublishRefused, match="fct_vols utc_hour: 1 break expected_rows"):
        run(warehouse, store, [*HOURS, DAY.replace(hour=3)], expected=["fct_vols"])

    assert current(store) is None


def test_a_warehouse_that_is_being_written_is_not_read(warehouse: Path, store: Store, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match=r"gone\.duckdb: cannot be read"):
        publish(tmp_path / "gone.duckdb", store, HOURS, TABLES)


@pytest.mark.parametrize(
    "ask",
    [
        lambda warehouse, store: publish(warehouse, store, [], TABLES),
        lambda warehouse, store: publish(warehouse, store, HOURS, []),
        lambda warehouse, store: publish(warehouse, store, HOURS, TABLES, expected=["fct_gone"]),
        lambda warehouse, store: publish(warehouse, store, [datetime(2024, 1, 14)], TABLES),  # noqa: DTZ001
    ],
)
def test_a_request_that_means_nothing_is_refused(
    warehouse: Path, store: Store, ask: Callable[[Path, Store], Published]
) -> None:
    with pytest.raises(ValueError, match="expected"):
        ask(warehouse, store)
