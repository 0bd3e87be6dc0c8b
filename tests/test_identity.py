"""The same raw replies give the same published rows, to the bit, however the work is cut into runs."""

import shutil
from datetime import UTC, datetime
from typing import NamedTuple

import pytest

from ingestion.hours import HOUR, hours_between
from orchestration.running import run
from orchestration.settings import Settings
from orchestration.tables import DAILY_TABLES, HOURLY_TABLES
from tests.world import copy_of, deployment, published_rows, read, versions_of_partitions

MIDNIGHT = datetime(2026, 3, 5, tzinfo=UTC)
# A standard score rests on twenty hours before its own.
START, SPLIT, END = MIDNIGHT - 22 * HOUR, MIDNIGHT - HOUR, MIDNIGHT + HOUR
DAYS = "mart_pressure_differentials_daily"
# Two venues looked at once an hour show no sweep, share no currency of spot, and are no chains.
NOT_SHOWN = {"fct_book_resilience", "fct_carry_net", "fct_gas_costs"}


class Worlds(NamedTuple):
    """Two deployments with one history: the last hours hour by hour, and in a run that begins an hour early."""

    hour_by_hour: Settings  # and then the day
    at_once: Settings


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Worlds:
    history = deployment(tmp_path_factory.mktemp("history"), venues=("binance_spot", "deribit"), sweep_minutes=60)
    run(history, "hourly", START, SPLIT)
    at_once = copy_of(history, tmp_path_factory.mktemp("at_once"))
    for hour in hours_between(SPLIT, END):
        run(history, "hourly", hour, hour + HOUR)
    run(history, "daily", START, MIDNIGHT)
    run(at_once, "hourly", SPLIT - HOUR, END)
    return Worlds(history, at_once)


def test_what_is_compared_has_every_table_scores_that_rest_on_history_and_a_day(worlds: Worlds) -> None:
    """Else two empty worlds would agree."""
    rows = published_rows(worlds.hour_by_hour)
    [(scored, families)] = read(
        worlds.hour_by_hour,
        "select count(*) filter (where pressure_z is not null), max(components_count) "
        "from mart_pressure_differentials_hourly",
    )

    assert rows.keys() == {table.name for table in (*HOURLY_TABLES, *DAILY_TABLES)}
    assert {name for name, found in rows.items() if not found} == NOT_SHOWN
    assert scored >= 2 * len(hours_between(SPLIT, END))
    assert families == 5
    assert {utc_date for (utc_date,) in read(worlds.hour_by_hour, f"select utc_date from {DAYS}")} == {START.date()}


def test_hour_by_hour_and_at_once_publish_the_same_rows(worlds: Worlds) -> None:
    hours = published_rows(worlds.hour_by_hour)
    for table in DAILY_TABLES:
        del hours[table.name]

    assert differences(published_rows(worlds.at_once), hours) == {}


def test_an_hour_that_runs_twice_is_not_published_twice(worlds: Worlds) -> None:
    """The run at once began with an hour that was published before: its partitions kept their version."""
    repeated = {
        version for (_, start), version in versions_of_partitions(worlds.at_once).items() if start == SPLIT - HOUR
    }

    assert repeated == {1}


def test_raw_alone_brings_everything_back(worlds: Worlds) -> None:
    """Lake, warehouse and all that was published are deleted, and built again in one run a job."""
    settings = worlds.at_once
    for zone in ("lake", "quarantine", "published"):
        shutil.rmtree(settings.warehouse_path.parent / "lake" / zone, ignore_errors=True)
    settings.warehouse_path.unlink()

    run(settings, "rebuild", START, END)
    run(settings, "daily", START, MIDNIGHT)

    assert differences(published_rows(settings), published_rows(worlds.hour_by_hour)) == {}


def differences(left: dict[str, list[str]], right: dict[str, list[str]]) -> dict[str, list[str]]:
    """For the message: the first rows of each table that only one side has."""
    return {
        name: sorted(set(left.get(name, [])) ^ set(right.get(name, [])))[:4]
        for name in sorted(left.keys() | right.keys())
        if left.get(name) != right.get(name)
    }
