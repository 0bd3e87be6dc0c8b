"""The private DuckDB file between lake and published: staged, built by dbt, certified. One writer at a time.

dbt sees only what is staged for its window, so staging and building happen under one lock. What a build made is
certified by content once all its tests passed; publish shows nothing that is not certified, whichever job ran it.
"""

# ruff: noqa: S608 (table names are this project's own, quoted)

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

import duckdb

from ingestion.estimators import ESTIMATORS
from ingestion.hours import HOUR
from ingestion.ingest import COVERAGE_SCHEMA
from ingestion.lake import Lake
from ingestion.records import DATASETS
from ingestion.storage import StorageError
from orchestration.candidates import WAREHOUSE, Candidate, PublishedTable, read_candidate
from orchestration.duck import connect, identifier, literal
from orchestration.published import first_line

STAGED = (*DATASETS, *(each.name for each in ESTIMATORS), "coverage")


class WarehouseBusy(RuntimeError):
    """Another process holds the warehouse."""


@contextmanager
def only_writer(path: Path) -> Iterator[TextIO]:
    """Hold the warehouse; others wait their turn. The lock goes with the last process that has it open."""
    lock = path.with_name(path.name + ".lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        stream = lock.open("a")
    except OSError as error:
        raise WarehouseBusy(f"{lock}: {error.strerror} (expected a folder that this user may write)") from error
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield stream


@contextmanager
def handed_on(lock: TextIO) -> Iterator[None]:
    """Give what is started meanwhile its part in the lock, so that it outlasts us there: a kill does not reach it.

    As its standard input: the one descriptor of ours, besides its output, with which Dagster starts dbt.
    """
    try:
        own = os.dup(0)
    except OSError:  # closed: what is opened next becomes it
        os.open(os.devnull, os.O_RDONLY)
        own = os.dup(0)
    os.dup2(lock.fileno(), 0)
    try:
        yield
    finally:
        os.dup2(own, 0)
        os.close(own)


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
            try:
                connection.execute(
                    f"create or replace table {WAREHOUSE}.lake.{identifier(dataset)} as select * from {rows}"
                )
            except duckdb.Error as error:
                raise StorageError(f"{path}: {dataset} cannot be staged ({first_line(error)})") from error
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


def begin(path: Path, hours: Sequence[datetime]) -> set[datetime]:
    """Note that these hours are being built; returns those of them whose last build failed or died.

    What such builds left of other hours is taken out first. Later hours look back on earlier ones, and none of them on
    what has not passed: an hour that failed is missing.
    """
    with connect() as connection:
        _attach(connection, path)
        connection.execute(f"create schema if not exists {WAREHOUSE}.control")
        connection.execute(
            f"create table if not exists {WAREHOUSE}.control.failed_hours "
            "(utc_hour timestamptz primary key, is_taken_out boolean)"
        )
        connection.execute("begin")
        failed = connection.execute(f"select * from {WAREHOUSE}.control.failed_hours").fetchall()
        left = [hour for hour, is_taken_out in failed if not is_taken_out and hour not in hours]
        if left:
            for schema, name in _told_by_hour(connection):
                table = f"{WAREHOUSE}.{identifier(schema)}.{identifier(name)}"
                connection.execute(f"delete from {table} where date_trunc('hour', utc_hour) in ?", [left])
            connection.execute(f"update {WAREHOUSE}.control.failed_hours set is_taken_out = true")
        for hour in hours:
            connection.execute(f"insert or replace into {WAREHOUSE}.control.failed_hours values (?, false)", [hour])
        connection.execute("commit")
    return {hour for hour, _ in failed} & set(hours)


def end(path: Path, hours: Sequence[datetime]) -> None:
    """Note that the build of these hours did not fail."""
    with connect() as connection:
        _attach(connection, path)
        connection.execute(f"delete from {WAREHOUSE}.control.failed_hours where utc_hour in ?", [list(hours)])


def failed_hours(path: Path, hours: Sequence[datetime]) -> list[str]:
    """One line for each of these hours whose last build failed; empty if none did."""
    with connect() as connection:
        _attach(connection, path, read_only=True)
        if not _has(connection, "failed_hours"):
            return []
        found = connection.execute(
            f"select utc_hour from {WAREHOUSE}.control.failed_hours where utc_hour in ? order by all", [list(hours)]
        ).fetchall()
    return [f"{hour:%Y-%m-%dT%H:%MZ}: its build failed" for (hour,) in found]


def _told_by_hour(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """The tables of dbt's that keep rows of many hours."""
    return connection.execute(
        "select schema_name, table_name from duckdb_columns() join duckdb_tables() "
        "using (database_name, schema_name, table_name) "
        "where database_name = ? and schema_name not in ('lake', 'control') and column_name = 'utc_hour' order by all",
        [WAREHOUSE],
    ).fetchall()


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
    if not _has(connection, "certificates"):
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


def _has(connection: duckdb.DuckDBPyConnection, control_table: str) -> bool:
    return bool(
        connection.execute(
            "select 1 from duckdb_tables() where database_name = ? and schema_name = 'control' and table_name = ?",
            [WAREHOUSE, control_table],
        ).fetchall()
    )
