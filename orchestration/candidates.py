"""What a publish would put before readers: the warehouse's rows of some hours, table by table."""

# ruff: noqa: S608 (identifiers are quoted, instants are formatted here, all else is bound)

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import duckdb

from ingestion.hours import hour_of
from orchestration.duck import identifier

WAREHOUSE = "warehouse"

# DuckLake stores HUGEINT as a double and knows no ENUM; the cast to BIGINT fails aloud where it does not fit.
_STORED_AS = {"HUGEINT": "BIGINT"}


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """One table for readers. `order_by` is its grain; daily tables are partitioned by `utc_date`.

    A partition that readers have never goes empty, unless `may_be_emptied`.
    """

    name: str
    schema: str  # in the warehouse
    partition_column: Literal["utc_hour", "utc_date"]
    order_by: tuple[str, ...]
    may_be_emptied: bool = False
    nullable: tuple[str, ...] = ()  # columns of the grain in which a null says something
    matures_after_days: tuple[int, ...] = ()  # an hour's rows change when so many days have passed


@dataclass(frozen=True, slots=True)
class Content:
    """What a partition holds, told without its rows."""

    rows_count: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A table's rows of the wanted partitions, as SQL over the attached warehouse."""

    table: PublishedTable
    columns: Mapping[str, str]  # name → type, as published
    wanted: tuple[datetime, ...]  # starts of the partitions
    partitions: Mapping[datetime, Content]  # those that hold rows

    def rows(self, starts: Sequence[datetime]) -> str:
        """A query for the rows of these partitions, cast to the published types."""
        source = f"{WAREHOUSE}.{identifier(self.table.schema)}.{identifier(self.table.name)}"
        casts = (f"cast({identifier(c)} as {t}) as {identifier(c)}" for c, t in self.columns.items())
        return f"select {', '.join(casts)} from {source} where {self.within(starts)}"

    def within(self, starts: Sequence[datetime]) -> str:
        """The condition for these partitions; bounds first, so that zone maps and statistics prune."""
        column, type_ = identifier(self.table.partition_column), self.columns[self.table.partition_column]
        if not starts:
            return "false"
        after = max(starts) + (timedelta(days=1) if type_ == "DATE" else timedelta(hours=1))
        listed = ", ".join(_moment(type_, start) for start in starts)
        return (
            f"{column} >= {_moment(type_, min(starts))} and {column} < {_moment(type_, after)} "
            f"and {self.partition} in ({listed})"
        )

    @property
    def partition(self) -> str:
        """The start of the partition that a row belongs to, in the partition column's own type."""
        column, type_ = identifier(self.table.partition_column), self.columns[self.table.partition_column]
        return column if type_ == "DATE" else f"date_trunc('hour', {column})"


class Unpublishable(ValueError):
    """A table that cannot be published as it is: missing, or with another shape than was declared."""


def read_candidate(
    connection: duckdb.DuckDBPyConnection, table: PublishedTable, hours: Sequence[datetime]
) -> Candidate:
    """Look at one table of the attached warehouse; raises Unpublishable."""
    found = columns_of(connection, WAREHOUSE, table.schema, table.name)
    where = f"{table.schema}.{table.name}"
    if not found:
        raise Unpublishable(f"{where}: no such table in the warehouse (expected dbt to have built it)")
    columns = {
        name: "VARCHAR" if type_.startswith("ENUM") else _STORED_AS.get(type_, type_) for name, type_ in found.items()
    }
    for name in (table.partition_column, *table.order_by):
        if name not in columns:
            raise Unpublishable(f"{where}: no column {name} (expected {', '.join(columns)})")
    is_daily = table.partition_column == "utc_date"
    expected = {"DATE"} if is_daily else {"TIMESTAMP", "TIMESTAMP WITH TIME ZONE"}
    if columns[table.partition_column] not in expected:
        raise Unpublishable(
            f"{where}: {table.partition_column} is {columns[table.partition_column]} "
            f"(expected {' or '.join(sorted(expected))})"
        )
    starts = {hour_of(hour).replace(hour=0) if is_daily else hour_of(hour) for hour in hours}
    try:
        starts |= _matured(connection, table, columns, starts)
        shape = Candidate(table, columns, tuple(sorted(starts)), {})
        partitions = contents(connection, shape.rows(shape.wanted), shape)
    except duckdb.ConversionException as error:
        raise Unpublishable(f"{where}: {str(error).splitlines()[0]}") from error
    return Candidate(table, columns, shape.wanted, partitions)


def _matured(
    connection: duckdb.DuckDBPyConnection,
    table: PublishedTable,
    columns: Mapping[str, str],
    starts: Collection[datetime],
) -> set[datetime]:
    """Earlier partitions that these hours complete, of those that the warehouse still holds."""
    earlier = {start - timedelta(days=days) for days in table.matures_after_days for start in starts}
    shape = Candidate(table, columns, tuple(sorted(earlier)), {})
    return set(contents(connection, shape.rows(shape.wanted), shape)) if earlier else set()


def contents(connection: duckdb.DuckDBPyConnection, rows: str, candidate: Candidate) -> dict[datetime, Content]:
    """Rows and hash of every partition in a query; equal rows hash equal, in whatever order they lie.

    The hash names every value with its column, so it outlives versions of DuckDB, unlike its `hash()`.
    """
    ordered = ", ".join(identifier(column) for column in sorted(candidate.columns))
    found = connection.execute(
        f"""
        select
            {candidate.partition}::timestamptz as partition_ts,
            count(*),
            cast(bit_xor(md5_number(cast(to_json(named) as varchar))) as varchar)
        from (select {ordered} from ({rows})) as named
        group by all
        """
    ).fetchall()
    return {start: Content(rows_count, content_hash) for start, rows_count, content_hash in found}


def columns_of(connection: duckdb.DuckDBPyConnection, catalog: str, schema: str, table: str) -> dict[str, str]:
    """Columns and their types in order; empty where there is no such table."""
    return dict(
        connection.execute(
            "select column_name, data_type from duckdb_columns() "
            "where database_name = ? and schema_name = ? and table_name = ? order by column_index",
            [catalog, schema, table],
        ).fetchall()
    )


def _moment(type_: str, at: datetime) -> str:
    if type_ == "DATE":
        return f"date '{at:%Y-%m-%d}'"
    zone = "+00" if type_ == "TIMESTAMP WITH TIME ZONE" else ""
    return f"cast('{at:%Y-%m-%d %H:%M:%S}{zone}' as {type_})"
