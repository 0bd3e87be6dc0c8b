"""The catalog of one version while it is made: what changed, the one transaction, and the reading back.

Beside the tables of the warehouse it keeps two of its own: `publishes` and `published_partitions`.
"""

# ruff: noqa: S608 (identifiers are quoted, conditions are made by Candidate, all else is bound)

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from ingestion.hours import hour_of
from ingestion.storage import Store
from orchestration.candidates import Candidate, Content, columns_of, contents
from orchestration.duck import attach_lake, connect, identifier, literal
from orchestration.published import data_path

LAKE = "lake"

_LEDGERS = {
    "publishes": (
        "version bigint, known_at timestamptz, from_hour timestamptz, to_hour timestamptz, "
        "tables varchar[], rows_count bigint"
    ),
    "published_partitions": (
        "table_name varchar, partition_ts timestamptz, rows_count bigint, content_hash varchar, "
        "version bigint, known_at timestamptz"
    ),
}
_DAY_OF = {"publishes": "known_at", "published_partitions": "partition_ts"}


@dataclass(frozen=True, slots=True)
class Change:
    """How a candidate differs from what readers have."""

    candidate: Candidate
    is_new: bool
    added: Mapping[str, str]  # columns
    misshapen: tuple[str, ...]  # why this table cannot take the candidate
    rewritten: tuple[datetime, ...]  # partitions whose content is another
    emptied: tuple[datetime, ...]  # those of them that had rows and have none now

    def __bool__(self) -> bool:
        return bool(self.is_new or self.added or self.misshapen or self.rewritten)


def open_copy(connection: duckdb.DuckDBPyConnection, catalog: Path, store: Store) -> None:
    """Attach a private catalog for writing, creating it where there is none."""
    if not catalog.exists():
        # A new catalog with DuckDB's default blocks of 256 KB is ten times larger.
        connection.execute(f"attach {literal(str(catalog))} as blank (block_size 16384)")
        connection.execute("detach blank")
    attach_lake(connection, str(catalog), data_path(store), name=LAKE)
    connection.execute(f"call {LAKE}.set_option('parquet_compression', 'zstd')")
    for name, columns in _LEDGERS.items():
        if not _columns(connection, name):
            connection.execute(f"create table {LAKE}.{name} ({columns})")
            connection.execute(f"alter table {LAKE}.{name} set partitioned by ({_by_day(_DAY_OF[name])})")


def changes(connection: duckdb.DuckDBPyConnection, candidate: Candidate) -> Change:
    """Compare a candidate with the attached catalog, partition by partition."""
    table = candidate.table
    there = _columns(connection, table.name)
    known = {
        start: Content(rows_count, content_hash)
        for start, rows_count, content_hash in connection.execute(
            f"select partition_ts, rows_count, content_hash from {LAKE}.published_partitions "
            "where table_name = ? and partition_ts between ? and ?",
            [table.name, candidate.wanted[0], candidate.wanted[-1]],
        ).fetchall()
    }
    rewritten = [s for s in candidate.wanted if candidate.partitions.get(s, _EMPTY) != known.get(s, _EMPTY)]
    misshapen = [
        f"{table.schema}.{table.name} {column}: published as {type_}, now "
        f"{candidate.columns.get(column, 'gone')} (expected columns only to be added)"
        for column, type_ in there.items()
        if candidate.columns.get(column) != type_
    ]
    if table.name in _LEDGERS:
        misshapen.append(f"{table.schema}.{table.name}: the name is taken (expected another)")
    return Change(
        candidate,
        is_new=not there,
        added={c: t for c, t in candidate.columns.items() if there and c not in there},
        misshapen=tuple(misshapen),
        rewritten=tuple(rewritten),
        emptied=tuple(s for s in rewritten if s not in candidate.partitions),
    )


def freeze(
    connection: duckdb.DuckDBPyConnection,
    changed: Sequence[Change],
    hours: Sequence[datetime],
    version: int,
    known_at: datetime,
    written: Callable[[], None],
) -> None:
    """Write every change in one transaction and detach the catalog; `written` is called after each table."""
    connection.execute("begin transaction")
    for change in changed:
        _write(connection, change)
        written()
    _record_partitions(connection, changed, version, known_at)
    _record_publish(connection, changed, hours, version, known_at)
    connection.execute("commit")
    connection.execute(f"detach {LAKE}")


def faults(catalog: Path, store: Store, changed: Sequence[Change]) -> list[str]:
    """Sync a frozen catalog's files, read it as readers will, and say what differs from the candidates."""
    with connect(store) as connection:
        attach_lake(connection, str(catalog), data_path(store), name=LAKE, read_only=True)
        found = []
        for change in changed:
            candidate, name = change.candidate, f"{LAKE}.{identifier(change.candidate.table.name)}"
            rows = f"select * from {name} where {candidate.within(change.rewritten)}"
            wanted = {s: c for s, c in candidate.partitions.items() if s in change.rewritten}
            if (read := contents(connection, rows, candidate)) != wanted:
                wrong = sorted(s for s in wanted.keys() | read.keys() if wanted.get(s) != read.get(s))
                found.append(f"{candidate.table.name} at {', '.join(map(str, wrong))}")
            held, recorded = connection.execute(
                f"""
                select
                    (select count(*) from {name}),
                    (
                        select coalesce(sum(rows_count), 0)
                        from {LAKE}.published_partitions
                        where table_name = ?
                    )
                """,
                [candidate.table.name],
            ).fetchone() or (None, None)
            if held != recorded:
                found.append(f"{candidate.table.name} holds {held} rows (expected {recorded})")
            if not store.is_s3:
                _sync(connection, name, candidate.within(change.rewritten))
        if not store.is_s3:
            for ledger in _LEDGERS:
                newest = f"(select max(version) from {LAKE}.publishes)"
                _sync(connection, f"{LAKE}.{ledger}", f"version = {newest}")
        return found


_EMPTY = Content(0, "")


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    return columns_of(connection, LAKE, "main", table)


def _write(connection: duckdb.DuckDBPyConnection, change: Change) -> None:
    candidate, name = change.candidate, f"{LAKE}.{identifier(change.candidate.table.name)}"
    column = candidate.table.partition_column
    if change.is_new:
        columns = ", ".join(f"{identifier(c)} {type_}" for c, type_ in candidate.columns.items())
        connection.execute(f"create table {name} ({columns})")
        partition = column if column == "utc_date" else f"{_by_day(column)}, hour({column})"
        connection.execute(f"alter table {name} set partitioned by ({partition})")
    for added, type_ in change.added.items():
        connection.execute(f"alter table {name} add column {identifier(added)} {type_}")
    order = ", ".join(map(identifier, (column, *candidate.table.order_by)))
    connection.execute(f"delete from {name} where {candidate.within(change.rewritten)}")
    connection.execute(f"insert into {name} by name {candidate.rows(change.rewritten)} order by {order}")


def _record_partitions(
    connection: duckdb.DuckDBPyConnection, changed: Sequence[Change], version: int, known_at: datetime
) -> None:
    connection.execute(f"create temp table recorded as from {LAKE}.published_partitions limit 0")
    rows = [
        (change.candidate.table.name, start, content.rows_count, content.content_hash)
        for change in changed
        for start in change.rewritten
        for content in [change.candidate.partitions.get(start, _EMPTY)]
    ]
    if rows:
        connection.execute(
            "insert into recorded select unnest(?), unnest(?), unnest(?), unnest(?), ?, ?",
            [*map(list, zip(*rows, strict=True)), version, known_at],
        )
        _replace_days(connection, "published_partitions", "table_name, partition_ts")
    connection.execute("drop table recorded")


def _record_publish(
    connection: duckdb.DuckDBPyConnection,
    changed: Sequence[Change],
    hours: Sequence[datetime],
    version: int,
    known_at: datetime,
) -> None:
    connection.execute(f"create temp table recorded as from {LAKE}.publishes limit 0")
    written = sum(
        content.rows_count
        for change in changed
        for start, content in change.candidate.partitions.items()
        if start in change.rewritten
    )
    connection.execute(
        "insert into recorded values (?, ?, ?, ?, ?, ?)",
        [
            version,
            known_at,
            hour_of(min(hours)),
            hour_of(max(hours)),
            [change.candidate.table.name for change in changed],
            written,
        ],
    )
    _replace_days(connection, "publishes", "version")
    connection.execute("drop table recorded")


def _replace_days(connection: duckdb.DuckDBPyConnection, ledger: str, key: str) -> None:
    """Merge the recorded rows into a ledger by writing the days they touch anew.

    So a ledger has one file a day, and no delete files, however often it is written.
    """
    day = f"date_trunc('day', {_DAY_OF[ledger]})"
    touched = f"{day} in (select {day} from recorded)"
    connection.execute(
        f"""
        insert into recorded
        from {LAKE}.{ledger} where {touched} and ({key}) not in (select ({key}) from recorded)
        """
    )
    connection.execute(f"delete from {LAKE}.{ledger} where {touched}")
    connection.execute(f"insert into {LAKE}.{ledger} from recorded order by {key}")


def _by_day(column: str) -> str:
    return f"year({column}), month({column}), day({column})"


def _sync(connection: duckdb.DuckDBPyConnection, table: str, condition: str) -> None:
    """Force the data files behind some rows, and the folders that name them, onto the disk."""
    names = connection.execute(f"select distinct filename from {table} where {condition}").fetchall()
    files = [Path(name) for (name,) in names]
    for path in {*files, *(path.parent for path in files)}:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
