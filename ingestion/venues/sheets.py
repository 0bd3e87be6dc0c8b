"""Replies that list rows of one shape: what their columns say is written once, for one row and for thousands."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache, partial
from itertools import chain
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw

from ingestion.columns import EPOCH, INSTANT, schema_of
from ingestion.records import Record
from ingestion.venues.base import Reject, Reply, rows
from ingestion.venues.bulk import SLIPS, Bulk, Joined, Table, Unplain, clocks
from ingestion.venues.columnwise import Ints

H = TypeVar("H")
T = TypeVar("T")

# Of each row, or of all; absent: its default.
Values: TypeAlias = "list[Any] | npt.NDArray[Any] | pa.Array[Any] | str | float | bool | None"

_MANY_VALUES = list, np.ndarray, pa.Array


class Columns(NamedTuple):
    """Rows of one record by field; instants are microseconds, and our clock is the reply's.

    `of` tells of which rows of the list these are, by place, where it is not all in their order.
    """

    record: type[Record]
    rows: int
    fields: Mapping[str, Values]
    of: Ints | None = None


class Page(Bulk, Generic[T]):
    """A parser of rows by what their columns say, which is asked for a whole reply or, where one is odd, row by row.

    `opened` finds the rows in a reply, and refuses whatever is refused about the reply as a whole. It gives with them
    what rows of this type mean in this reply, which raises `Refused` where one of them cannot be read.
    """

    def __init__(
        self,
        opened: Callable[[Reply], tuple[Sequence[Raw], Callable[[Sequence[T]], Iterable[Columns]]]],
        row: type[T],
        *,
        strict: bool = False,
    ) -> None:
        self._opened = opened
        self._one = msgspec.json.Decoder(row, strict=strict)
        self._many = msgspec.json.Decoder(list[row], strict=strict)  # type: ignore[valid-type]

    def __call__(self, reply: Reply) -> Iterator[Record | Reject]:
        found, columns_of = self._opened(reply)

        def read(row: T) -> Iterator[Record]:
            for columns in list(columns_of([row])):  # a row is refused whole
                yield from _records(reply, columns)

        return rows(self._one, found, read)

    def read_all(self, hour: datetime, replies: Sequence[Reply]) -> Joined:
        """Read what is plain of these replies."""
        told: dict[int, list[Columns]] = {}
        for place, reply in enumerate(replies):
            with suppress(*SLIPS):
                told[place] = self._told(reply)
        try:
            tables = _of_all(hour, replies, told)
        except SLIPS:
            told = {place: sheets for place, sheets in told.items() if _is_plain(hour, replies, place, sheets)}
            try:
                tables = _of_all(hour, replies, told)
            except SLIPS:
                told, tables = {}, []
        return Joined(tables, [place for place in range(len(replies)) if place not in told])

    def _told(self, reply: Reply) -> list[Columns]:
        found, columns_of = self._opened(reply)
        return list(columns_of(self._many.decode(b"[" + b",".join(found) + b"]"))) if found else []


class HeadedSheet(Page[T], Generic[H, T]):
    """A page of rows whose meaning takes what stands once in the reply: a clock, whose they are.

    `listed` finds that and the rows in a reply; `columns` says what rows of this type mean under that head.
    """

    def __init__(
        self,
        listed: Callable[[Reply], tuple[H, Sequence[Raw]]],
        row: type[T],
        columns: Callable[[H, Sequence[T]], Iterable[Columns]],
        *,
        strict: bool = False,
    ) -> None:
        def opened(reply: Reply) -> tuple[Sequence[Raw], Callable[[Sequence[T]], Iterable[Columns]]]:
            head, found = listed(reply)
            return found, partial(columns, head)

        super().__init__(opened, row, strict=strict)


class Sheet(HeadedSheet[Reply, T]):
    """A page of rows whose meaning takes no more of their reply than its question."""

    def __init__(
        self,
        listed: Callable[[Reply], Sequence[Raw]],
        row: type[T],
        columns: Callable[[Reply, Sequence[T]], Iterable[Columns]],
        *,
        strict: bool = False,
    ) -> None:
        super().__init__(lambda reply: (reply, listed(reply)), row, columns, strict=strict)


def _records(reply: Reply, columns: Columns) -> Iterator[Record]:
    spellings = _spellings(columns.record)
    told = []
    for name, values in columns.fields.items():
        listed = _listed(values, columns.rows)
        spell = spellings.get(name)
        told.append([spell(each) if isinstance(each, int) else each for each in listed] if spell else listed)
    for row in zip(*told, strict=True):
        yield columns.record(**dict(zip(columns.fields, row, strict=True)), captured_ts=reply.captured_ts)


@cache
def _spellings(record: type[Record]) -> Mapping[str, Callable[[int], Any]]:
    """What a whole number is in a record's fields, where it is no number."""
    kinds = {field.name: field.type for field in schema_of(record)}
    instants = {name: _at for name, kind in kinds.items() if kind == INSTANT}
    return {**instants, **{name: str for name, kind in kinds.items() if kind == pa.string()}}


def _at(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


@cache
def _defaults(record: type[Record]) -> Mapping[str, Any]:
    return {field.name: field.default for field in msgspec.structs.fields(record) if not field.required}


def _of_all(hour: datetime, replies: Sequence[Reply], told: Mapping[int, list[Columns]]) -> list[Table]:
    return joined(hour, replies, [(place, columns) for place, sheets in told.items() for columns in sheets])


def _is_plain(hour: datetime, replies: Sequence[Reply], place: int, sheets: list[Columns]) -> bool:
    try:
        _of_all(hour, replies, {place: sheets})
    except SLIPS:
        return False
    return True


def joined(hour: datetime, replies: Sequence[Reply], parts: Sequence[tuple[int | Ints, Columns]]) -> list[Table]:
    """Tables of columns, each with the place of its reply, or of each row's; `Unplain` where a column is too short."""
    by_record: dict[type[Record], list[tuple[int | Ints, Columns]]] = {}
    for part in parts:
        by_record.setdefault(part[1].record, []).append(part)
    return [(record, _table(record, hour, replies, of)) for record, of in by_record.items()]


def _table(
    record: type[Record], hour: datetime, replies: Sequence[Reply], parts: Sequence[tuple[int | Ints, Columns]]
) -> pa.Table:
    counts = [columns.rows for _, columns in parts]
    places = [np.full(columns.rows, of) if isinstance(of, int) else of for of, columns in parts]
    made = clocks(hour, replies, pa.array(np.concatenate(places)))
    part_of = pa.array(np.repeat(np.arange(len(parts)), counts))
    schema = schema_of(record)
    for field in schema:
        if field.name not in made:
            absent = _defaults(record).get(field.name)
            values = [columns.fields.get(field.name, absent) for _, columns in parts]
            made[field.name] = _column(field, values, counts, part_of)
    return pa.table(made, schema=schema)


def _column(
    field: "pa.Field[Any]", values: Sequence[Values], counts: Sequence[int], part_of: "pa.Array[Any]"
) -> "pa.Array[Any]":
    kind = pa.int64() if field.type == INSTANT else field.type
    if not any(isinstance(each, _MANY_VALUES) for each in values):
        column: Any = pa.array(values, kind).take(part_of)
    elif not any(isinstance(each, list) for each in values):
        whole = [_array(each, count, kind) for each, count in zip(values, counts, strict=True)]
        column = whole[0] if len(whole) == 1 else pa.concat_arrays(whole)
    else:
        told = list(chain.from_iterable(_listed(each, count) for each, count in zip(values, counts, strict=True)))
        column = pa.array(told, pa.int64() if told and isinstance(told[0], int) and pa.types.is_string(kind) else kind)
    if len(column) != len(part_of):
        raise Unplain(f"{field.name}: {len(column)} values of {len(part_of)} rows")
    if pa.types.is_floating(kind):
        column = pc.add(column, 0.0)  # a negative zero is zero
    if column.type != field.type:
        column = column.cast(field.type)
    return column  # type: ignore[no-any-return]


def _array(values: Any, count: int, kind: Any) -> Any:
    """Values that are in no list."""
    if isinstance(values, np.ndarray):
        values = pa.array(values)
    elif not isinstance(values, pa.Array):
        values = pa.repeat(pa.scalar(values, kind), count)
    return values if values.type == kind else values.cast(kind)


def _listed(values: Values, count: int) -> list[Any]:
    if isinstance(values, list):
        return values
    if isinstance(values, np.ndarray):
        return values.tolist()  # type: ignore[no-any-return]
    return values.to_pylist() if isinstance(values, pa.Array) else [values] * count
