"""A reader reaches the published tables and nothing else."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import msgspec
import pytest

from ingestion.storage import StorageError, Store
from orchestration.publish import publish
from orchestration.published import (
    CURRENT,
    NothingPublished,
    QueryRefused,
    current,
    open_published,
    query,
    rows_as_json,
)
from tests.warehouse import DAY, HOURS, TABLES, build


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("published")


@pytest.fixture(scope="module")
def store(folder: Path) -> Store:
    """Two versions, marked 1 and 2."""
    store = Store.open(str(folder / "lake"))
    for mark in (1, 2):
        publish(build(folder / "warehouse.duckdb", mark=mark), store, HOURS, TABLES)
    return store


@pytest.fixture
def reader(store: Store) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_published(store) as connection:
        yield connection


def files(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


ESCAPES = [
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('/etc/hostname')",
    "select * from glob('/etc/*')",
    "select * from read_text('{folder}/warehouse.duckdb')",
    "select * from read_parquet('http://127.0.0.1:9/x.parquet')",
    "select * from '{folder}/lake/published/data/../../../warehouse.duckdb'",
    "copy (select 1) to '{folder}/out.csv'",
    "copy (select 1) to '/dev/stdout'",
    "copy fct_books from '/etc/passwd'",
    "export database '{folder}/out'",
    "attach '{folder}/warehouse.duckdb' as stolen",
    "attach '{folder}/new.duckdb'",
    "install httpfs",
    "load httpfs",
    "load '{folder}/lake/x.duckdb_extension'",
    "set enable_external_access = true",
    "set allowed_directories = ['/']",
    "set lock_configuration = false",
    "set temp_directory = '/tmp'",
    "reset enable_external_access",
    "delete from fct_books",
    "insert into fct_books from fct_books",
    "update fct_books set mark_count = 9",
    "drop table fct_books",
    "create table published.mine (i integer)",
    "create schema published.mine",
    "call published.set_option('parquet_compression', 'gzip')",
    "select * from ducklake_delete_orphaned_files('published', cleanup_all => true)",
    "select * from ducklake_expire_snapshots('published', older_than => now())",
]


@pytest.mark.parametrize("escape", ESCAPES)
def test_sql_on_a_readers_connection_stays_inside(reader: duckdb.DuckDBPyConnection, folder: Path, escape: str) -> None:
    before = files(folder)

    with pytest.raises(duckdb.Error):
        reader.execute(escape.format(folder=folder)).fetchall()

    assert files(folder) == before


# These a bare connection would take: they write below the data's own folder, or beside the catalog.
ONLY_QUERY_REFUSES = [
    "copy (select 1) to '{folder}/lake/published/data/out.csv'",
    "attach '{folder}/lake/published/data/new.duckdb'",
    "export database '{folder}/lake/published/data/out'",
    "explain analyze copy (select 1) to '{folder}/lake/published/data/out.csv'",
    "create table memory.main.mine as select 1",
    "detach published",
    "use memory",
    "select 1; copy (select 1) to '{folder}/lake/published/data/out.csv'",
    "begin",
    "checkpoint",
    "",
    "-- nothing",
]


@pytest.mark.parametrize("escape", [*ESCAPES, *ONLY_QUERY_REFUSES])
def test_a_query_only_reads(store: Store, folder: Path, escape: str) -> None:
    before = files(folder)

    with pytest.raises(QueryRefused) as refused:
        query(store, escape.format(folder=folder))

    assert "\n" not in str(refused.value)
    assert files(folder) == before


def test_maintenance_functions_of_the_lake_remove_nothing(store: Store, folder: Path) -> None:
    """To a reader of version 1, the files of version 2 are orphans."""
    before = files(folder)
    for function in ("cleanup_old_files", "delete_orphaned_files"):
        with open_published(store, version=1) as connection:
            try:
                connection.execute(f"select * from ducklake_{function}('published', cleanup_all => true)").fetchall()
            except duckdb.Error:
                continue  # refused outright, as good

    assert files(folder) == before


@pytest.mark.parametrize(
    "sql",
    [
        "show tables",
        "describe fct_books",
        "summarize fct_vols",
        "from fct_books",
        "with a as (select 1) from a",
    ],
)
def test_a_reader_may_look_around(store: Store, sql: str) -> None:
    assert query(store, sql).rows


def test_tables_have_their_bare_names(store: Store) -> None:
    answer = query(store, "select table_name from duckdb_tables() where database_name = 'published' order by 1")

    assert [name for (name,) in answer.rows] == [
        "fct_books",
        "fct_vols",
        "mart_pressure_daily",
        "published_partitions",
        "publishes",
    ]


def test_an_answer_is_cut_where_it_was_asked_to_be(store: Store) -> None:
    cut = query(store, "select symbol from fct_books order by utc_hour, symbol", max_rows=2)
    whole = query(store, "select symbol from fct_books", max_rows=15)

    assert cut == (("symbol",), [("S0",), ("S1",)], True)
    assert (len(whole.rows), whole.is_cut) == (15, False)


def test_a_query_that_takes_too_long_is_stopped(store: Store) -> None:
    with pytest.raises(QueryRefused, match=r"stopped after 0\.2 s"):
        query(
            store,
            "select count(*) from range(10000000) a, range(10000000) b where a.range ^ b.range = 1",
            timeout_s=0.2,
        )


def test_an_old_version_stays_readable(store: Store) -> None:
    marks = "select distinct mark_count from fct_books"

    assert query(store, marks, version=1).rows == [(1,)]
    assert query(store, marks, version=2).rows == query(store, marks).rows == [(2,)]


@pytest.mark.parametrize("version", [0, -1, 3])
def test_a_version_that_never_was_is_told_so(store: Store, version: int) -> None:
    with pytest.raises(NothingPublished, match=f"version {version} was never published \\(expected 1 to 2\\)"):
        open_published(store, version)


def test_before_the_first_publish_there_is_nothing_to_read(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path))

    assert current(store) is None
    with pytest.raises(NothingPublished, match="nothing was published yet"):
        open_published(store)


def test_a_damaged_pointer_is_told_so(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path))
    store.put(CURRENT, b'{"version": 1')

    with pytest.raises(StorageError, match="damaged pointer"):
        open_published(store)


def test_a_lost_catalog_is_told_so(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path))
    store.put(
        CURRENT,
        b'{"version":1,"catalog":"published/catalog/gone.ducklake","sha256":"","known_at":"2024-01-14T00:00:00Z"}',
    )

    with pytest.raises(StorageError, match=r"gone\.ducklake: cannot be opened"):
        open_published(store)


def test_rows_become_json_that_any_reader_takes(reader: duckdb.DuckDBPyConnection) -> None:
    text = rows_as_json(
        reader.execute(
            """
            select
                timestamptz '2024-01-14 21:00:00.000001+01' as at, timestamp '2024-01-14 20:00' as naive_ts,
                date '2024-01-14' as utc_date, 1.500::decimal(18, 3) as qty, 'nan'::double as nan,
                '-infinity'::double as low, null as nothing, true as is_true, 0.1::double as frac,
                [1.5, 'inf'::double] as pair, {'a': timestamp '2024-01-14 20:00:00'} as nested, 'é"' as word,
                170141183460469231731687303715884105727 as huge
            """
        )
    )

    assert text == (
        '[{"at":"2024-01-14T20:00:00.000001Z","naive_ts":"2024-01-14T20:00:00Z","utc_date":"2024-01-14",'
        '"qty":1.500,"nan":null,"low":null,"nothing":null,"is_true":true,"frac":0.1,"pair":[1.5,null],'
        '"nested":{"a":"2024-01-14T20:00:00Z"},"word":"é\\"","huge":170141183460469231731687303715884105727}]'
    )


def test_no_rows_are_an_empty_array(reader: duckdb.DuckDBPyConnection) -> None:
    assert rows_as_json(reader.execute("from fct_books limit 0")) == "[]"


def test_values_arrive_with_their_types(store: Store) -> None:
    [row] = query(
        store,
        "select utc_hour, utc_date, tick_px, ladder, is_crossed from fct_books "
        "where symbol = 'S1' and hour(utc_hour) = 0",
    ).rows

    assert row == (DAY, date(2024, 1, 14), Decimal("1.005"), [0.1, None], False)
    assert row[0].utcoffset() == datetime.now(UTC).utcoffset()


def test_the_pointer_names_what_it_points_to(store: Store) -> None:
    pointer = msgspec.json.decode(store.read(CURRENT))

    assert pointer["version"] == 2
    assert pointer["catalog"] == f"published/catalog/00000002-{pointer['sha256'][:16]}.ducklake"
    assert store.exists(pointer["catalog"])
