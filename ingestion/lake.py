"""The lake: typed rows in Parquet, one file for each (dataset, venue, hour).

A file's bytes are a pure function of its rows: the same hour normalised twice is the same object.
Readers get a record's columns whatever its layout; that of order books is in `books_layout.py`.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingestion import books_layout
from ingestion.columns import schema_of
from ingestion.hours import day_and_hour
from ingestion.parquet_files import write
from ingestion.raw import plain_name
from ingestion.records import DATASETS
from ingestion.storage import Missing, StorageError, Store

EMPTY = "_empty.parquet"


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a dataset's rows lie in its files."""

    schema: pa.Schema
    split: Sequence[str] = ()
    encode: Callable[[pa.Table], pa.Table] = lambda table: table
    decode: Callable[[pa.Table], pa.Table] = lambda table: table
    staged_schema: pa.Schema | None = None  # if another than the files'
    stage: Callable[[pa.Table], pa.Table] = lambda table: table


_LAYOUTS = {dataset: _Layout(schema_of(record)) for dataset, record in DATASETS.items()} | {
    "order_books": _Layout(
        books_layout.SCHEMA,
        books_layout.SPLIT,
        books_layout.encoded,
        books_layout.decoded,
        books_layout.STAGED,
        books_layout.staged,
    )
}


class Lake:
    """Typed rows by dataset, venue and hour."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._declared: dict[str, pa.Schema] = {}

    def write(self, dataset: str, venue: str, hour: datetime, table: pa.Table) -> str:
        """Write or replace the hour's file, whole, and return its key.

        Raises ValueError, naming dataset and column, for a number that is not finite: no record may hold one.
        """
        sink = io.BytesIO()
        layout = self._lay_out(dataset, venue, [table], sink)
        self.declare(dataset, layout.schema)
        key = _key(dataset, venue, hour)
        self.store.put(key, sink.getvalue())
        return key

    def prepare(self, dataset: str, venue: str, tables: Iterable[pa.Table], path: Path) -> None:
        """Write a record's rows to a local file as the lake would hold them; `adopt` makes them the lake's."""
        with path.open("wb") as sink:
            self._lay_out(dataset, venue, tables, sink)

    def adopt(self, dataset: str, venue: str, hour: datetime, path: Path) -> str:
        """Write or replace the hour's file by a prepared one, whole, and return its key."""
        self.declare(dataset, _LAYOUTS[dataset].schema)
        key = _key(dataset, venue, hour)
        self.store.put_file(key, path)
        return key

    def read(self, dataset: str, venue: str, hour: datetime) -> pa.Table:
        """The hour's rows; raises `Missing` when the hour was never written."""
        with self._opened(_key(dataset, venue, hour)) as file:
            table = file.read()
        return _LAYOUTS[dataset].decode(table) if dataset in _LAYOUTS else table

    def staged(self, dataset: str, hours: Sequence[datetime]) -> pa.RecordBatchReader:
        """These hours' rows of all venues of a record's dataset, in the columns that SQL reads, read when asked for."""
        layout = _LAYOUTS[dataset]

        def batches() -> Iterator[pa.RecordBatch]:
            for key in self._keys(dataset, hours):
                with self._opened(key) as file:
                    if not file.schema_arrow.equals(layout.schema):
                        raise StorageError(f"{self.store.uri(key)}: of an earlier layout (ingest its hour again)")
                    for batch in file.iter_batches():
                        yield from layout.stage(pa.Table.from_batches([batch])).to_batches()

        return pa.RecordBatchReader.from_batches(layout.staged_schema or layout.schema, batches())

    def remove(self, dataset: str, venue: str, hour: datetime) -> None:
        """Delete the hour's file; one that is already gone is no error."""
        self.store.delete(_key(dataset, venue, hour))

    def files(self, dataset: str, hours: Sequence[datetime]) -> list[str]:
        """Full addresses of these hours' files of all venues, sorted, after the dataset's empty file.

        The empty file is always there, so a reader has the columns even where no hour has rows.
        A dataset that is no record's has columns only once it was written or declared: `Missing` before.
        """
        if dataset in _LAYOUTS:
            self.declare(dataset, _LAYOUTS[dataset].schema)
        elif not self.store.exists(_empty_key(dataset)):
            empty = self.store.uri(_empty_key(dataset))
            raise Missing(f"{empty}: does not exist (expected a declared dataset)")
        return [self.store.uri(key) for key in (_empty_key(dataset), *self._keys(dataset, hours))]

    def venues(self, dataset: str) -> list[str]:
        """Venues that ever had rows of this dataset, sorted."""
        folders = self.store.folders(f"lake/{plain_name('dataset', dataset)}/")
        return [name.removeprefix("venue=") for name in folders if name.startswith("venue=")]

    def declare(self, dataset: str, schema: pa.Schema) -> None:
        """Make sure that the dataset's empty file shows these columns."""
        if dataset in self._declared and self._declared[dataset].equals(schema):
            return
        key = _empty_key(dataset)
        empty = to_parquet(schema.empty_table())
        if not self.store.put_new(key, empty) and self.store.read(key) != empty:
            self.store.put(key, empty)
        self._declared[dataset] = schema

    def _lay_out(
        self, dataset: str, venue: str, tables: Iterable[pa.Table], sink: io.BytesIO | io.BufferedWriter
    ) -> _Layout:
        tables = iter(tables)
        layout = _LAYOUTS.get(dataset)
        if layout is None:
            first = next(tables)
            tables, layout = iter([first, *tables]), _Layout(first.schema)

        def laid_out() -> Iterator[pa.Table]:
            for table in tables:
                if "venue" in table.column_names and set(table["venue"].unique().to_pylist()) - {venue}:
                    raise ValueError(f"lake {dataset} {venue}: rows of another venue (expected {venue} alone)")
                if dataset in DATASETS:
                    _refuse_not_finite(dataset, table)
                yield layout.encode(table)

        write(laid_out(), layout.schema, sink, layout.split)
        return layout

    def _keys(self, dataset: str, hours: Sequence[datetime]) -> list[str]:
        wanted: dict[str, set[str]] = {}
        for hour in hours:
            day, hh = day_and_hour(hour)
            wanted.setdefault(day, set()).add(f"hour={hh}.parquet")
        return sorted(
            key
            for venue in self.venues(dataset)
            for day, names in wanted.items()
            for key in self.store.list(f"lake/{dataset}/venue={venue}/date={day}/")
            if key.rpartition("/")[2] in names
        )

    @contextmanager
    def _opened(self, key: str) -> Iterator[pq.ParquetFile]:
        with self.store.open_read(key) as stream:
            try:
                yield pq.ParquetFile(stream)
            except (pa.ArrowException, OSError) as error:
                reason = str(error).partition("\n")[0]
                raise StorageError(f"{self.store.uri(key)}: not a whole Parquet file ({reason})") from error


def _refuse_not_finite(dataset: str, table: pa.Table) -> None:
    for field in table.schema:
        column = pc.list_flatten(table[field.name]) if pa.types.is_list(field.type) else table[field.name]
        if pa.types.is_floating(column.type) and not pc.all(pc.is_finite(column), min_count=0).as_py():
            odd = column.filter(pc.invert(pc.is_finite(column)))
            raise ValueError(f"{dataset}.{field.name}: {odd[0].as_py()} (expected a finite number)")


def to_parquet(table: pa.Table) -> bytes:
    """The table as Parquet bytes; equal tables give equal bytes."""
    sink = io.BytesIO()
    write([table], table.schema, sink)
    return sink.getvalue()


def _key(dataset: str, venue: str, hour: datetime) -> str:
    day, hh = day_and_hour(hour)
    venue = plain_name("venue", venue)
    return f"lake/{plain_name('dataset', dataset)}/venue={venue}/date={day}/hour={hh}.parquet"


def _empty_key(dataset: str) -> str:
    return f"lake/{plain_name('dataset', dataset)}/{EMPTY}"
