"""The lake: typed rows in Parquet, one file for each (dataset, venue, hour).

A file's bytes are a pure function of its rows: the same hour normalised twice is the same object.
"""

import io
import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingestion.hours import day_and_hour
from ingestion.raw import plain_name
from ingestion.records import DATASET_OF, DATASETS, Record
from ingestion.storage import Missing, StorageError, Store

INSTANT = pa.timestamp("us", tz="UTC")
ROW_GROUP_ROWS = 131_072
EMPTY = "_empty.parquet"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SORTED_FIRST = ("kind", "symbol", "captured_ts", "event_ts")
_ARROW: dict[Any, Any] = {
    datetime: INSTANT,
    str: pa.string(),
    float: pa.float64(),
    int: pa.int64(),
    bool: pa.bool_(),
    tuple[float, ...]: pa.list_(pa.float64()),
}


def schema_of(record: type[Record]) -> pa.Schema:
    """The columns of a record's files: the hour, then the record's fields in their order."""
    fields = [pa.field("utc_hour", INSTANT, nullable=False)]
    for field in msgspec.structs.fields(record):
        kind, nullable = _kind_of(field.type)
        if kind not in _ARROW:
            raise TypeError(f"{record.__name__}.{field.name}: no column type for {field.type}")
        fields.append(pa.field(field.name, _ARROW[kind], nullable=nullable))
    return pa.schema(fields)


def to_table(record: type[Record], hour: datetime, records: Sequence[Record]) -> pa.Table:
    """Rows in an order that depends on their values alone.

    Raises ValueError, naming dataset and column, for a number that is not finite: no column may hold one.
    """
    schema = schema_of(record)
    columns: dict[str, list[Any]] = {"utc_hour": [_microseconds(hour)] * len(records)}
    for field in list(schema)[1:]:
        values = [getattr(row, field.name) for row in records]
        _refuse_not_finite(DATASET_OF.get(record, record.__name__), field, values)
        # Arrow takes 30 times as long over aware datetimes as over the integers that it makes of them.
        is_instant = field.type == INSTANT
        columns[field.name] = [_microseconds(value) for value in values] if is_instant else values
    return _ordered(pa.table(columns, schema=schema), columns)


class Lake:
    """Typed rows by dataset, venue and hour."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._declared: dict[str, pa.Schema] = {}

    def write(self, dataset: str, venue: str, hour: datetime, table: pa.Table) -> str:
        """Write or replace the hour's file, whole, and return its key."""
        if "venue" in table.column_names and set(table["venue"].unique().to_pylist()) - {venue}:
            raise ValueError(f"lake {dataset} {venue}: rows of another venue (expected {venue} alone)")
        self.declare(dataset, schema_of(DATASETS[dataset]) if dataset in DATASETS else table.schema)
        key = _key(dataset, venue, hour)
        self.store.put(key, to_parquet(table))
        return key

    def read(self, dataset: str, venue: str, hour: datetime) -> pa.Table:
        """The hour's rows; raises `Missing` when the hour was never written."""
        key = _key(dataset, venue, hour)
        return self._read(key)

    def remove(self, dataset: str, venue: str, hour: datetime) -> None:
        """Delete the hour's file; one that is already gone is no error."""
        self.store.delete(_key(dataset, venue, hour))

    def files(self, dataset: str, hours: Sequence[datetime]) -> list[str]:
        """Full addresses of these hours' files of all venues, sorted, after the dataset's empty file.

        The empty file is always there, so a reader has the columns even where no hour has rows.
        A dataset that is no record's has columns only once it was written or declared: `Missing` before.
        """
        if dataset in DATASETS:
            self.declare(dataset, schema_of(DATASETS[dataset]))
        elif not self.store.exists(_empty_key(dataset)):
            empty = self.store.uri(_empty_key(dataset))
            raise Missing(f"{empty}: does not exist (expected a declared dataset)")
        wanted: dict[str, set[str]] = {}
        for hour in hours:
            day, hh = day_and_hour(hour)
            wanted.setdefault(day, set()).add(f"hour={hh}.parquet")
        found = [
            key
            for venue in self.venues(dataset)
            for day, names in wanted.items()
            for key in self.store.list(f"lake/{dataset}/venue={venue}/date={day}/")
            if key.rpartition("/")[2] in names
        ]
        return [self.store.uri(_empty_key(dataset)), *(self.store.uri(key) for key in sorted(found))]

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

    def _read(self, key: str) -> pa.Table:
        data = self.store.read(key)
        try:
            return pq.read_table(io.BytesIO(data))
        except (pa.ArrowException, OSError) as error:
            reason = str(error).partition("\n")[0]
            raise StorageError(f"{self.store.uri(key)}: not a whole Parquet file ({reason})") from error


def to_parquet(table: pa.Table) -> bytes:
    """The table as Parquet bytes; equal tables give equal bytes."""
    floats = [path for field in table.schema for path in _float_paths(field)]
    others = [f.name for f in table.schema if not list(_float_paths(f)) and not pa.types.is_boolean(f.type)]
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=3,
        row_group_size=ROW_GROUP_ROWS,
        use_dictionary=others,  # type: ignore[arg-type]
        use_byte_stream_split=floats,  # type: ignore[arg-type]
    )
    return sink.getvalue()


def _float_paths(field: "pa.Field[Any]") -> Iterable[str]:
    if pa.types.is_float64(field.type):
        yield field.name
    elif pa.types.is_list(field.type) and pa.types.is_float64(field.type.value_type):
        yield f"{field.name}.list.element"


def _kind_of(hint: Any) -> tuple[Any, bool]:
    """A field's Python type without its `None`, and whether it had one; a literal is its text."""
    if get_origin(hint) in {Union, UnionType}:
        members = [member for member in get_args(hint) if member is not NoneType]
        if len(members) == 1:
            return _kind_of(members[0])[0], True
    if get_origin(hint) is Literal and all(isinstance(value, str) for value in get_args(hint)):
        return str, False
    return hint, False


def _microseconds(at: datetime | None) -> int | None:
    return None if at is None else (at - _EPOCH) // _MICROSECOND


def _ordered(table: pa.Table, columns: Mapping[str, Sequence[Any]]) -> pa.Table:
    """Rows by kind, symbol and clocks, then by all other columns; a missing value comes first."""
    by = table
    for number, field in enumerate(table.schema):
        if pa.types.is_list(field.type):
            # Arrow orders no lists: their bytes stand in, in any order that depends on the values alone.
            stand_ins = [array("d", value).tobytes() for value in columns[field.name]]
            by = by.set_column(number, field.name, pa.array(stand_ins, pa.binary()))
    names = table.column_names[1:]
    order = [*_SORTED_FIRST, *(name for name in names if name not in _SORTED_FIRST)]
    keys: list[Any] = [(name, "ascending", "at_start") for name in order]
    indices = pc.sort_indices(by, keys)
    return table.take(indices)


def _refuse_not_finite(dataset: str, field: "pa.Field[Any]", values: Sequence[Any]) -> None:
    if pa.types.is_float64(field.type):
        numbers: Iterable[float] = (value for value in values if value is not None)
    elif pa.types.is_list(field.type):
        numbers = (number for value in values if value is not None for number in value)
    else:
        return
    for number in numbers:
        if not math.isfinite(number):
            raise ValueError(f"{dataset}.{field.name}: {number} (expected a finite number)")


def _key(dataset: str, venue: str, hour: datetime) -> str:
    day, hh = day_and_hour(hour)
    venue = plain_name("venue", venue)
    return f"lake/{plain_name('dataset', dataset)}/venue={venue}/date={day}/hour={hh}.parquet"


def _empty_key(dataset: str) -> str:
    return f"lake/{plain_name('dataset', dataset)}/{EMPTY}"
