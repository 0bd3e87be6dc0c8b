"""Publishing and reading over S3 keep the promises they keep on a disk; here machines share no lock."""

import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion.storage import StorageError, Store
from orchestration.duck import connect
from orchestration.publish import PublishConflict, publish
from orchestration.published import QueryRefused, current, open_published, query
from tests.s3 import Fault, S3StoreEnv, unreliable
from tests.warehouse import HOURS, MARKS, TABLES, build, read


@pytest.fixture
def store(s3_store_env: S3StoreEnv, monkeypatch: pytest.MonkeyPatch) -> Store:
    for name, value in s3_store_env.variables.items():
        monkeypatch.setenv(name, value)
    return Store.open(f"s3://{s3_store_env.bucket}/{uuid.uuid4().hex}")


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    return build(tmp_path / "warehouse.duckdb")


def test_hours_are_published_replaced_and_left_alone(warehouse: Path, store: Store) -> None:
    publish(warehouse, store, HOURS, TABLES)
    objects = store.list("published/")
    assert publish(warehouse, store, HOURS, TABLES).is_new is False
    assert store.list("published/") == objects
    build(warehouse, mark=2, hours=HOURS[2:])

    assert publish(warehouse, store, HOURS[2:], TABLES).version == 2

    marks = "select utc_hour, mark_count, count(*) from fct_books group by all order by 1"
    assert read(store, marks) == [(HOURS[0], 1, 5), (HOURS[1], 1, 5), (HOURS[2], 2, 5)]
    assert read(store, marks, version=1) == [(hour, 1, 5) for hour in HOURS]
    assert set(objects) < set(store.list("published/"))  # nothing was removed


def test_of_publishes_on_one_version_one_wins(tmp_path: Path, store: Store) -> None:
    """Each holds the same base; the first to take the number shows its rows, the others are told."""
    publish(build(tmp_path / "warehouse.duckdb"), store, HOURS, TABLES)
    for turn in range(3):
        winner, loser = (build(tmp_path / f"{who}.duckdb", mark=10 * turn + who) for who in (2, 3))

        def overtake(stage: str, winner: Path = winner) -> None:
            if stage == "uploaded":
                publish(winner, store, HOURS, TABLES)

        with pytest.raises(PublishConflict, match=f"version {turn + 2} was published by another run"):
            publish(loser, store, HOURS, TABLES, at=overtake)

        assert read(store, MARKS) == [(10 * turn + 2,)]
        assert current(store).version == turn + 2  # type: ignore[union-attr]


def test_a_publisher_that_slept_does_not_turn_the_clock_back(tmp_path: Path, store: Store) -> None:
    """It took version 2 and slept before moving the pointer; version 3 came, and stays."""
    publish(build(tmp_path / "1.duckdb"), store, HOURS, TABLES)
    late, later = build(tmp_path / "2.duckdb", mark=2), build(tmp_path / "3.duckdb", mark=3)

    def sleep_through(stage: str) -> None:
        if stage == "claimed":
            publish(later, store, HOURS, TABLES)

    publish(late, store, HOURS, TABLES, at=sleep_through)

    assert read(store, MARKS) == [(3,)]
    assert read(store, MARKS, version=2) == [(2,)]


def test_readers_never_fail_and_never_see_a_mixture(warehouse: Path, store: Store) -> None:
    publishes, stages = 6, ("committed", "uploaded", "claimed", "pointed")
    publish(warehouse, store, HOURS, TABLES)

    with ThreadPoolExecutor(4) as readers:
        readings: list[Future[list[tuple[Any, ...]]]] = []

        def start_reading(stage: str) -> None:
            if stage in stages:
                readings.append(readers.submit(read, store, MARKS))

        for mark in range(2, publishes + 2):
            publish(build(warehouse, mark=mark), store, HOURS, TABLES, at=start_reading)
        seen = [reading.result() for reading in readings]

    assert len(seen) == publishes * len(stages)
    assert [marks for marks in seen if len(marks) != 1] == []
    assert read(store, MARKS) == [(publishes + 1,)]


def test_a_server_that_fails_now_and_then_costs_nothing(
    warehouse: Path, store: Store, s3_store_env: S3StoreEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenth of the calls fail, half of those after they took effect."""

    def fault_of(method: str, count: int) -> Fault:
        return None if count % 10 else "refuse" if count % 20 else "lose the answer"

    with unreliable(s3_store_env.endpoint, fault_of) as endpoint:
        monkeypatch.setenv("BAROGRAPH_S3_ENDPOINT", endpoint)
        shaken = Store.open(store.root)
        for mark in (1, 2):
            publish(build(warehouse, mark=mark), shaken, HOURS, TABLES)
            assert read(shaken, MARKS) == [(mark,)]

        recorded = read(shaken, "select table_name, count(*) from published_partitions group by 1 order by 1")

    assert recorded == [("fct_books", 3), ("fct_vols", 3), ("mart_pressure_daily", 1)]


@pytest.mark.parametrize(
    "escape",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('s3://barograph/elsewhere/secret.txt')",
        "select * from glob('s3://barograph/**')",
        "select * from read_parquet('http://127.0.0.1:9/x.parquet')",
        "copy (select 1) to '{folder}/out.csv'",
        "copy (select 1) to 's3://barograph/out.csv'",
        "attach '{folder}/warehouse.duckdb' as stolen",
        "install httpfs",
        "set enable_external_access = true",
        "delete from fct_books",
        "create secret mine (type s3, key_id 'a', secret 'b')",
    ],
)
def test_a_query_only_reads_the_published_tables(
    shown: Store, tmp_path: Path, s3_store_env: S3StoreEnv, escape: str
) -> None:
    before = shown.list("published/")

    with pytest.raises(QueryRefused):
        query(shown, escape.format(folder=tmp_path))

    assert shown.list("published/") == before
    assert list(tmp_path.iterdir()) == []


def test_no_query_shows_the_credentials(shown: Store, s3_store_env: S3StoreEnv) -> None:
    for sql in ("from duckdb_secrets()", "from duckdb_settings()", "from duckdb_logs()"):
        assert s3_store_env.secret not in str(query(shown, sql).rows)
    with pytest.raises(QueryRefused, match="unredacted"):
        query(shown, "from duckdb_secrets(redact = false)")


def test_settings_that_duckdb_refuses_are_told_without_the_secret(
    shown: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-'5e3f")
    monkeypatch.setenv("BAROGRAPH_S3_ENDPOINT", "http://127.0.0.1:9")

    with pytest.raises(StorageError) as told:
        open_published(Store.open(shown.root))
    with connect(shown) as connection, pytest.raises(duckdb.Error) as raised:
        connection.execute(f"from '{shown.root}/x.parquet'")

    assert "canary" not in f"{told.value} {raised.value}"


@pytest.fixture(scope="module")
def published_root(s3_store_env: S3StoreEnv, tmp_path_factory: pytest.TempPathFactory) -> str:
    """One publish that the tests which only read share."""
    root = f"s3://{s3_store_env.bucket}/{uuid.uuid4().hex}"
    with pytest.MonkeyPatch.context() as environment:
        for name, value in s3_store_env.variables.items():
            environment.setenv(name, value)
        warehouse = build(tmp_path_factory.mktemp("s3-published") / "warehouse.duckdb")
        publish(warehouse, Store.open(root), HOURS, TABLES)
    return root


@pytest.fixture
def shown(published_root: str, store: Store) -> Store:
    return Store.open(published_root)
