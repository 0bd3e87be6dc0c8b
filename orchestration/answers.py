"""What a query of the published tables answers, printed or written as it was asked for."""

import csv
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any, TypeVar

import duckdb
import pyarrow.parquet as pq
from rich.console import Console
from rich.measure import Measurement
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from ingestion.hours import hour_of
from ingestion.storage import Store
from orchestration.published import QueryRefused, first_line, only_reading, open_published, query, rows_as_json
from orchestration.settings import BadSetting

T = TypeVar("T")

FORMS = ("table", "json", "csv", "parquet")
ROWS_AT_ONCE = 100_000
ROWS_ON_END = 100  # nobody reads more so, and laying them out takes seconds

out = Console(width=None if sys.stdout.isatty() else 200)
err = Console(stderr=True)


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """A spinner with elapsed time; the callback says what goes on now."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(what)
        yield lambda text: progress.update(task, description=text)


def print_answer(store: Store, statement: str, form: str = "table") -> None:
    """Print a query's rows as a table, as JSON or as CSV."""
    if form == "json":
        out.file.write(_of_all_rows(store, statement, rows_as_json) + "\n")
        return
    answer = query(store, statement)
    if answer.is_cut:
        err.print(
            f"only the first {len(answer.rows)} rows are shown (expected fewer: add a limit, or use --format json)"
        )
    if form == "csv":
        _as_csv(out.file, answer.columns, answer.rows)
    else:
        for table in _legible(answer.columns, answer.rows, out):
            out.print(table)


def print_coverage(store: Store, start: datetime | None = None, end: datetime | None = None) -> None:
    """Print what the published hours that [start, end) touches rest on, venue by venue; an end not given is open."""
    conditions = [f"utc_hour >= '{hour_of(start):%Y-%m-%d %H:%M:%S%z}'"] if start else []
    conditions += [f"utc_hour < '{end:%Y-%m-%d %H:%M:%S.%f%z}'"] if end else []
    span = f"where {' and '.join(conditions)}" if conditions else ""
    statement = (
        "select venue, count(*) filter (status = 'ok') as ok, count(*) filter (status = 'gap') as gap, "
        "count(*) filter (status = 'held') as held, sum(rows_count)::bigint as rows, "
        "sum(rejected_count)::bigint as rejected, sum(refused_count)::bigint as refused, "
        "count(distinct utc_hour) as hours from fct_data_coverage"
    )
    print_answer(store, f"{statement} {span} group by venue order by venue")


def write_answer(store: Store, statement: str, form: str, path: Path) -> int:
    """Write all rows of a query to a file as JSON, CSV or Parquet, whole or not at all; returns how many bytes."""
    writers = {"json": _json_to, "csv": _csv_to, "parquet": _parquet_to}
    with whole_file("--output", path) as partial:
        _of_all_rows(store, statement, lambda cursor: writers[form](cursor, partial))
    return path.stat().st_size


@contextmanager
def whole_file(option: str, path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place at the end, and is gone after a failure; raises BadSetting.

    What is there and no file, a folder or a device, is left alone.
    """
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        if path.exists() and not path.is_file():
            raise BadSetting(f"{option} {path}: no file is there (expected a file, or a free name in a folder)")
        yield partial
        partial.replace(path)
    except OSError as error:
        raise BadSetting(f"{option} {path}: {error.strerror} (expected a file that this user may write)") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def as_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None) -> Table:
    """Rows for a person to read: six significant digits, instants to the second."""
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*("" if value is None else _cell(value) for value in row))
    return table


def _legible(columns: Sequence[str], rows: Sequence[Sequence[Any]], console: Console) -> Iterator[Table]:
    """The rows as one table, or, where that is wider than the console, on end: a column a row, some at a time."""
    table = as_table(columns, rows)
    if (
        not 0 < len(rows) <= ROWS_ON_END
        or Measurement.get(console, console.options.update(max_width=10_000), table).maximum <= console.width
    ):
        yield table
        return
    first = 0
    while first < len(rows):
        count, on_end = 0, table
        while first + count < len(rows):
            taken = range(first, first + count + 1)
            more = as_table(
                ("row", *(str(number + 1) for number in taken)),
                [(name, *(rows[number][index] for number in taken)) for index, name in enumerate(columns)],
            )
            width = Measurement.get(console, console.options.update(max_width=10_000), more).maximum
            if count and width > console.width:
                break
            count, on_end = count + 1, more
        yield on_end
        first += count


def _of_all_rows(store: Store, statement: str, use: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
    with open_published(store) as connection:
        try:
            return use(connection.execute(only_reading(connection, statement)))
        except duckdb.Error as error:
            raise QueryRefused(f"query: {first_line(error)}") from error


def _json_to(cursor: duckdb.DuckDBPyConnection, path: Path) -> None:
    path.write_text(rows_as_json(cursor) + "\n")


def _csv_to(cursor: duckdb.DuckDBPyConnection, path: Path) -> None:
    with path.open("w", newline="") as stream:
        _as_csv(stream, [column[0] for column in cursor.description or ()], [])
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            csv.writer(stream).writerows(rows)


def _parquet_to(cursor: duckdb.DuckDBPyConnection, path: Path) -> None:
    batches = cursor.to_arrow_reader(ROWS_AT_ONCE)
    with pq.ParquetWriter(path, batches.schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)


def _as_csv(stream: IO[str], columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    writer = csv.writer(stream)
    writer.writerow(columns)
    writer.writerows(rows)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return str(value)
