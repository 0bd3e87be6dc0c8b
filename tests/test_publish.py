"""Readers get whole, checked versions or the last good one; nothing else can come out of a publish."""

import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from ingestion.storage import StorageError, Store
from orchestration.publish import (
    STAGES,
    PublishConflict,
    Published,
    PublishError,
    publish,
)
from orchestration.published import CURRENT, Version, claim_key, current, open_published
from tests.warehouse import DAY, HOURS, MARKS, TABLES, build, read


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "lake"))


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    return build(tmp_path / "warehouse.duckdb")


def data_files(store: Store) -> set[str]:
    return set(store.list("published/data/"))


def run(warehouse: Path, store: Store, hours: list[datetime] = HOURS, **options: Any) -> Published:
    return publish(warehouse, store, hours, TABLES, **options)


def test_readers_get_every_value_as_the_warehouse_held_it(warehouse: Path, store: Store) -> None:
    done = run(warehouse, store)

    assert done == Published(1, {"fct_books": 15, "fct_vols": 12, "mart_pressure_daily": 2}, is_new=True)
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for table in TABLES:
            order = ", ".join(table.order_by)
            held = connection.execute(f"from {table.schema}.{table.name} order by {order}").fetchall()
            assert read(store, f"from {table.name} order by {order}") == held


def test_publishing_the_same_hours_again_changes_nothing(warehouse: Path, store: Store) -> None:
    run(warehouse, store)
    ledger, files, pointer = (
        read(store, "from published_partitions"),
        data_files(store),
        store.read(CURRENT),
    )

    again = run(build(warehouse), store)  # rebuilt from nothing, to the same rows

    assert (again.version, again.is_new) == (1, False)
    assert store.read(CURRENT) == pointer
    assert data_files(store) == files
    assert read(store, "from published_partitions") == ledger


def test_only_the_partition_that_changed_is_known_anew(warehouse: Path, store: Store) -> None:
    run(warehouse, store, now=lambda: datetime(2024, 1, 15, tzinfo=UTC))
    files = data_files(store)
    build(warehouse, then="update facts.fct_books set mid_px = 101 where utc_hour = '2024-01-14 01:00:00+00'")

    run(warehouse, store, now=lambda: datetime(2024, 1, 16, tzinfo=UTC))

    restated = read(
        store,
        "select table_name, partition_ts, version, known_at from published_partitions where version > 1",
    )
    assert restated == [("fct_books", HOURS[1], 2, datetime(2024, 1, 16, tzinfo=UTC))]
    written = {name.split("/")[3] + name.rpartition("day=14")[2][:7] for name in data_files(store) - files}
    assert {name for name in written if name.startswith("fct")} == {"fct_books/hour=1"}
    assert read(store, "select count(*) from published_partitions") == [(7,)]
    assert read(store, "select version, tables, rows_count from publishes order by 1") == [
        (1, ["fct_books", "fct_vols", "mart_pressure_daily"], 29),
        (2, ["fct_books"], 5),
    ]


def test_an_hour_is_replaced_and_other_hours_are_kept(warehouse: Path, store: Store) -> None:
    run(warehouse, store)
    build(warehouse, mark=2, hours=HOURS[2:])  # the warehouse now holds one hour only

    run(warehouse, store, HOURS[2:])

    assert read(store, "select utc_hour, mark_count, count(*) from fct_books group by all order by 1") == [
        (HOURS[0], 1, 5),
        (HOURS[1], 1, 5),
        (HOURS[2], 2, 5),
    ]
    assert read(store, "select distinct mark_count from mart_pressure_daily") == [(2,)]


def test_known_at_never_runs_backwards(warehouse: Path, store: Store) -> None:
    run(warehouse, store, now=lambda: datetime(2024, 1, 16, tzinfo=UTC))
    run(build(warehouse, mark=2), store, now=lambda: datetime(2024, 1, 15, tzinfo=UTC))

    assert read(store, "select max(known_at) from publishes where version = 2") == [
        (datetime(2024, 1, 16, tzinfo=UTC),)
    ]


class Crash(BaseException):
    """The publisher's process, ended by us."""


@pytest.mark.parametrize("stage", STAGES)
def test_a_crash_leaves_readers_on_a_whole_version(warehouse: Path, store: Store, stage: str) -> None:
    run(warehouse, store)
    build(warehouse, mark=2)

    def crash(reached: str) -> None:
        if reached == stage:
            raise Crash

    with pytest.raises(Crash):
        run(warehouse, store, at=crash)

    assert read(store, MARKS) == [(2 if stage == "pointed" else 1,)]
    run(warehouse, store)
    assert read(store, MARKS) == [(2,)]
    assert read(store, "select count(*) from fct_books") == [(15,)]
    assert current(store).version == 2  # type: ignore[union-attr]


def publish_and_die(warehouse: Path, root: str, stage: str) -> None:
    tempfile.tempdir = str(warehouse.parent)  # what a killed process leaves goes with the test's folder

    def die(reached: str) -> None:
        if reached == stage:
            os.kill(os.getpid(), signal.SIGKILL)

    publish(warehouse, Store.open(root), HOURS, TABLES, at=die)


@pytest.mark.parametrize("stage", ["written", "committed", "uploaded", "claimed"])
def test_a_killed_publisher_leaves_readers_on_a_whole_version(warehouse: Path, store: Store, stage: str) -> None:
    """The lock goes with the process, so the next publisher is not kept out."""
    run(warehouse, store)
    build(warehouse, mark=2)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["great_expectations", "tests.test_publish"])

    publisher = processes.Process(target=publish_and_die, args=(warehouse, store.root, stage))
    publisher.start()
    publisher.join()

    assert publisher.exitcode == -signal.SIGKILL
    assert read(store, MARKS) == [(1,)]
    run(warehouse, store)
    assert read(store, MARKS) == [(2,)]
    assert current(store).version == 2  # type: ignore[union-attr]


def test_a_version_that_another_machine_took_is_a_conflict(warehouse: Path, store: Store) -> None:
    """No lock reaches across machines; the number of the version does, and one publish gets it."""
    run(warehouse, store)
    build(warehouse, mark=2)
    rival = msgspec.structs.replace(current(store), version=2)  # type: ignore[type-var]

    def be_overtaken(stage: str) -> None:
        if stage == "uploaded":
            store.put_new(claim_key(2), msgspec.json.encode(rival))

    with pytest.raises(PublishConflict, match="version 2 was published by another run"):
        run(warehouse, store, at=be_overtaken)

    assert current(store).version == 1  # type: ignore[union-attr]
    assert run(warehouse, store).version == 3  # on top of the rival's
    assert read(store, MARKS) == [(2,)]


def test_a_pointer_that_moved_is_a_conflict(warehouse: Path, store: Store) -> None:
    run(warehouse, store)
    build(warehouse, mark=2)
    moved = Version(5, "elsewhere", "", DAY)

    def be_overtaken(stage: str) -> None:
        if stage == "uploaded":
            store.put(CURRENT, msgspec.json.encode(moved))

    with pytest.raises(PublishConflict):
        run(warehouse, store, at=be_overtaken)

    assert current(store) == moved


def test_publishers_of_one_partition_take_turns(tmp_path: Path, store: Store) -> None:
    """Of two racing publishes the later stands whole, and what the earlier showed stays readable."""
    rounds = 6
    for turn in range(rounds):
        marks = (10 + 2 * turn, 11 + 2 * turn)
        sources = [build(tmp_path / f"{mark}.duckdb", mark=mark) for mark in marks]
        together = threading.Barrier(2)

        def race(source: Path, together: threading.Barrier = together) -> int:
            together.wait()
            return run(source, store).version

        with ThreadPoolExecutor(2) as pool:
            versions = sorted(pool.map(race, sources))

        assert versions == [2 * turn + 1, 2 * turn + 2]
        seen = [read(store, MARKS, version) for version in versions]
        assert sorted(seen) == [[(mark,)] for mark in marks]
        assert read(store, MARKS) == seen[1]


def test_readers_never_fail_and_never_see_a_mixture(tmp_path: Path, store: Store) -> None:
    """8 readers at work through 20 publishes; all tables of one reading carry one mark."""
    publishes, stages = 20, ("committed", "uploaded", "claimed", "pointed")
    warehouse = build(tmp_path / "warehouse.duckdb", mark=1)
    run(warehouse, store)

    with ThreadPoolExecutor(8) as readers:
        readings: list[Future[list[tuple[Any, ...]]]] = []

        def start_reading(stage: str) -> None:
            if stage in stages:
                readings.append(readers.submit(read, store, MARKS))

        for mark in range(2, publishes + 2):
            run(build(warehouse, mark=mark), store, at=start_reading)
        seen = [reading.result() for reading in readings]

    assert len(seen) == publishes * len(stages)
    assert [marks for marks in seen if len(marks) != 1] == []
    assert len({marks[0] for marks in seen}) > publishes / 2  # they did read while versions went by
    assert read(store, MARKS) == [(publishes + 1,)]


def test_an_open_reader_stays_on_its_version(warehouse: Path, store: Store) -> None:
    run(warehouse, store)
    with open_published(store) as reader:
        run(build(warehouse, mark=2), store)

        assert reader.execute(MARKS).fetchall() == [(1,)]
    assert read(store, MARKS) == [(2,)]


def test_a_lake_that_was_moved_reads_and_publishes_on(warehouse: Path, store: Store, tmp_path: Path) -> None:
    run(warehouse, store)
    shutil.move(store.root, tmp_path / "moved 'here'")
    moved = Store.open(str(tmp_path / "moved 'here'"))

    assert read(moved, MARKS) == [(1,)]
    run(build(warehouse, mark=2), moved)
    assert read(moved, MARKS) == [(2,)]
    assert read(moved, MARKS, version=1) == [(1,)]


@pytest.mark.parametrize("content", ["cut", "other rows"])
def test_rows_that_read_back_wrong_are_never_shown(warehouse: Path, store: Store, content: str) -> None:
    """The disk is not believed: what was written is read again before readers are pointed at it."""
    run(warehouse, store)
    before = data_files(store)
    build(warehouse, mark=2)

    def damage(stage: str) -> None:
        if stage == "committed":
            [new] = (name for name in data_files(store) - before if "fct_books" in name and "hour=1/" in name)
            [old] = (name for name in before if "fct_books" in name and "hour=1/" in name)
            store.put(new, store.read(new)[:-100] if content == "cut" else store.read(old))

    with pytest.raises(PublishError):
        run(warehouse, store, at=damage)

    assert read(store, MARKS) == [(1,)]
    assert run(warehouse, store).version == 2


def test_a_damaged_catalog_is_not_built_upon(warehouse: Path, store: Store) -> None:
    run(warehouse, store)
    [catalog] = store.list("published/catalog/")
    store.put(catalog, store.read(catalog)[:-1] + b"\xff")

    with pytest.raises(StorageError, match="damaged catalog"):
        run(build(warehouse, mark=2), store)
