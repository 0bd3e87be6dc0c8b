"""The private DuckDB file between lake and published: staged, built by dbt, certified. One writer at a time.

dbt sees only what is staged for its window, so staging and building happen under one lock. What a build made is
certified by content once all its tests passed; publish shows nothing that is not certified, whichever job ran it.
"""

# ruff: noqa: S608 (table names are this project's own, quoted)

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb

from ingestion.estimators import ESTIMATORS
from ingestion.hours import HOUR
from ingestion.ingest import COVERAGE_SCHEMA
from ingestion.lake import Lake
from ingestion.records import DATASETS
from orchestration.candidates import WAREHOUSE, Candidate, PublishedTable, read_candidate
from orchestration.duck import connect, identifier, literal

STAGED = (*DATASETS, *(each.name for each in ESTIMATORS), "coverage")


class WarehouseBusy(RuntimeError):
    """Another process holds the warehouse."""


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Hold the warehouse; others wait their turn. The lock goes with the process that holds it."""
    lock = path.with_name(path.name + ".lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        stream = lock.open("a")
    except OSError as error:
        raise WarehouseBusy(f"{lock}: {error.strerror} (expected a folder that this user may write)") from error
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def stage(path: Path, lake: Lake, hours: Sequence[datetime]) -> dict[str, int]:
    """Put the lake's rows of these hours, and no others, where dbt's sources look; returns rows by dataset."""
    for estimator in ESTIMATORS:
        lake.declare(estimator.name, estimator.schema)
    lake.declare("coverage", COVERAGE_SCHEMA)
    counts: dict[str, int] = {}
    with connect(lake.store) as connection:
        _attach(connection, path)
        connection.execute(f"create schema if not exists {WAREHOUSE}.lake")
        for dataset in STAGED:
            files = ", ".join(literal(uri) for uri in lake.files(dataset, hours))
            rows = f"read_parquet([{files}], union_by_name = true, hive_partitioning = false)"
            if dataset == "order_books":
                # DuckDB splits the bytes of floats only, Arrow those of integers too.
                connection.register("books", lake.staged(dataset, hours))
                rows = "books"
            connection.execute(
                f"create or replace table {WAREHOUSE}.lake.{identifier(dataset)} as select * from {rows}"
            )
            [(counts[dataset],)] = connection.execute(
                f"select count(*) from {WAREHOUSE}.lake.{identifier(dataset)}"
            ).fetchall()
    return counts


def withdraw(path: Path, tables: Sequence[PublishedTable], hours: Sequence[datetime]) -> None:
    """Take back the certificates of these hours: what is built now has not passed yet."""
    with connect() as connection:
        _attach(connection, path)
        _certificates(connection)
        for table in tables:
            connection.execute(
                f"delete from {WAREHOUSE}.control.certificates "
                "where table_name = ? and partition_ts >= ? and partition_ts < ?",
                [
                    table.name,
                    min(hours).replace(hour=0) if _is_daily(table) else min(hours),
                    max(hours) + HOUR,
                ],
            )


def certify(path: Path, tables: Sequence[PublishedTable], hours: Sequence[datetime]) -> None:
    """Record what each partition of these hours holds, now that every test on it has passed."""
    with connect() as connection:
        _attach(connection, path)
        _certificates(connection)
        for table in tables:
            candidate = read_candidate(connection, table, hours)
            for start in candidate.wanted:
                connection.execute(
                    f"insert or replace into {WAREHOUSE}.control.certificates values (?, ?, ?)",
                    [table.name, start, _held(candidate, start)],
                )


def uncertified(
    path: Path, tables: Sequence[PublishedTable], hours: Sequence[datetime], *, may_be_absent: bool = False
) -> list[str]:
    """One line for each partition whose rows are not those that passed dbt's tests; empty if all are.

    An hour that was never built has passed nothing, unless it `may_be_absent`.
    """
    wrong: list[str] = []
    with connect() as connection:
        _attach(connection, path, read_only=True)
        known = _known(connection)
        for table in tables:
            candidate = read_candidate(connection, table, hours)
            for start in candidate.wanted:
                certified = known.get((table.name, start))
                if certified == _held(candidate, start):
                    continue
                if certified is not None:
                    wrong.append(f"{table.schema}.{table.name} {start:%Y-%m-%dT%H:%MZ}: changed after its tests passed")
                elif start in candidate.partitions or not may_be_absent:
                    wrong.append(f"{table.schema}.{table.name} {start:%Y-%m-%dT%H:%MZ}: its tests have not passed")
    return wrong


def certified(path: Path) -> dict[tuple[str, datetime], str]:
    """What each partition held when its tests passed, by (table, start); raises `WarehouseBusy`."""
    with connect() as connection:
        _attach(connection, path, read_only=True)
        return _known(connection)


def _held(candidate: Candidate, start: datetime) -> str:
    """A partition's content in a word. The count is in it because a pair of equal rows leaves the hash as it was."""
    content = candidate.partitions.get(start)
    return f"{content.rows_count} rows {content.content_hash}" if content else "no rows"


def _known(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, datetime], str]:
    if not _has_certificates(connection):
        return {}
    found = connection.execute(f"select * from {WAREHOUSE}.control.certificates").fetchall()
    return {(name, start): content for name, start, content in found}


def _is_daily(table: PublishedTable) -> bool:
    return table.partition_column == "utc_date"


def _attach(connection: duckdb.DuckDBPyConnection, path: Path, *, read_only: bool = False) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection.execute(f"attach {literal(str(path))} as {WAREHOUSE}{' (read_only)' if read_only else ''}")
    except (OSError, duckdb.Error) as error:
        reason = str(error).splitlines()[0]
        raise WarehouseBusy(
            f"{path}: cannot be opened (expected a DuckDB file that nobody else holds): {reason}"
        ) from error


def _certificates(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(f"create schema if not exists {WAREHOUSE}.control")
    connection.execute(
        f"create table if not exists {WAREHOUSE}.control.certificates "
        "(table_name varchar, partition_ts timestamptz, content_hash varchar, primary key (table_name, partition_ts))"
    )


def _has_certificates(connection: duckdb.DuckDBPyConnection) -> bool:
    return bool(
        connection.execute(
            "select 1 from duckdb_tables() where database_name = ? and schema_name = 'control'", [WAREHOUSE]
        ).fetchall()
    )
