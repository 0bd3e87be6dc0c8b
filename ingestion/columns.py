"""Records as columns and back, and the schema of each record."""

from array import array
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import chain
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.ordering import arrangement, keys_of
from ingestion.records import DATASET_OF, Record

R = TypeVar("R", bound=Record)

INSTANT = pa.timestamp("us", tz="UTC")
FLOATS = pa.list_(pa.float64())
WHOLE = pa.decimal128(38, 0)  # whole numbers beyond 64 bits

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
_ARROW: dict[Any, pa.DataType] = {
    datetime: INSTANT,
    str: pa.string(),
    float: pa.float64(),
    int: pa.int64(),
    Decimal: WHOLE,
    bool: pa.bool_(),
    tuple[float, ...]: FLOATS,
}
_HELD: dict[pa.DataType, set[type]] = {
    pa.string(): {str},
    pa.float64(): {float, int},
    pa.int64(): {int},
    WHOLE: {Decimal},
    pa.bool_(): {bool},
}


class Unfit(ValueError):
    """A value that its column cannot hold."""


@cache
def schema_of(record: type[Record]) -> pa.Schema:
    """The columns of a record's rows: the hour, then the record's fields in their order."""
    fields = [pa.field("utc_hour", INSTANT, nullable=False)]
    for field in msgspec.structs.fields(record):
        kind, nullable = _kind_of(field.type)
        if kind not in _ARROW:
            raise TypeError(f"{record.__name__}.{field.name}: no column type for {field.type}")
        fields.append(pa.field(field.name, _ARROW[kind], nullable=nullable))  # type: ignore[arg-type]
    return pa.schema(fields)


def as_table(record: type[Record], hour: datetime, rows: Sequence[Record]) -> pa.Table:
    """Rows of one record, in the order they come; raises `Unfit` for a value that is not what its field declares.

    A negative zero is stored as zero: rows that are equal must be so to the bit.
    """
    schema = schema_of(record)
    if not rows:
        return schema.empty_table()
    columns: list[Any] = [pa.array(np.full(len(rows), _microseconds(hour)), INSTANT)]
    for field, values in zip(list(schema)[1:], zip(*map(msgspec.structs.astuple, rows), strict=True), strict=True):
        try:
            columns.append(_column(field, values))
        except (TypeError, ValueError, OverflowError, pa.ArrowException) as error:
            raise Unfit(f"{DATASET_OF.get(record, record.__name__)}.{field.name}: {error}") from error
    return pa.table(columns, schema=schema)


def to_records(record: type[R], table: pa.Table) -> list[R]:
    """The rows of such a table as records again."""
    lists = [field.name for field in table.schema if pa.types.is_list(field.type)]
    said = table.select([field.name for field in msgspec.structs.fields(record)]).to_pylist()
    for row in said:
        for name in lists:
            row[name] = tuple(row[name])
    return [record(**row) for row in said]


def in_order(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Rows by these columns, ascending; a missing value comes first."""
    table = table.combine_chunks()
    places = arrangement(keys_of(table, names))
    return table if places is None else table.take(places)


def ints(column: "pa.Array[Any] | pa.ChunkedArray[Any]") -> "np.ndarray[Any, np.dtype[np.int64]]":
    """Integers or instants without nulls, as they lie in memory."""
    return np.asarray(column.cast(pa.int64()), dtype=np.int64)


def _kind_of(hint: Any) -> tuple[Any, bool]:
    """A field's Python type without its `None`, and whether it had one; a literal is its text."""
    if get_origin(hint) in {Union, UnionType}:
        members = [member for member in get_args(hint) if member is not NoneType]
        if len(members) == 1:
            return _kind_of(members[0])[0], True
    if get_origin(hint) is Literal and all(isinstance(value, str) for value in get_args(hint)):
        return str, False
    return hint, False


def _column(field: "pa.Field[Any]", values: Sequence[Any]) -> "pa.Array[Any]":
    if field.type == FLOATS:
        # An array takes no text for a number, where NumPy does.
        ends = np.cumsum([0, *map(len, values)], dtype=np.int32)
        flat = np.frombuffer(array("d", chain.from_iterable(values)), dtype=np.float64)
        return pa.ListArray.from_arrays(pa.array(ends), pa.array(flat + 0.0))  # type: ignore[call-overload, no-any-return]
    kinds = set(map(type, values))
    if field.nullable:
        kinds.discard(NoneType)
    if field.type == INSTANT:
        if kinds - {datetime}:
            raise TypeError(f"{_named(kinds - {datetime})} (expected an instant)")
        return pa.array(as_instants(values), INSTANT)
    odd = kinds - _HELD[field.type]
    if odd:
        raise TypeError(f"{_named(odd)} (expected {field.type})")
    column = pa.array(values, field.type)
    return pc.add(column, 0.0) if pa.types.is_floating(field.type) else column  # type: ignore[no-any-return]


def _named(kinds: set[type]) -> str:
    return ", ".join(sorted(kind.__name__ for kind in kinds))


def as_instants(values: Sequence[datetime | None]) -> list[int | None]:
    """Microseconds; raises TypeError for an instant without a time zone."""
    # Rows of one reply share the object that is their capture, so most need no arithmetic.
    shared: Mapping[int, datetime | None] = dict(zip(map(id, values), values, strict=True))
    if len(shared) * 4 > len(values):
        return [None if at is None else (at - EPOCH) // MICROSECOND for at in values]
    known = {key: _microseconds(at) for key, at in shared.items()}
    return [known[key] for key in map(id, values)]


def _microseconds(at: datetime | None) -> int | None:
    return None if at is None else (at - EPOCH) // MICROSECOND
