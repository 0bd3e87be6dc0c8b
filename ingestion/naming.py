"""Names that rows repeat, told once: columns of text as places in a list of the few texts there are."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

NAMED: Any = pa.dictionary(pa.int32(), pa.string())
Column = Any  # chunked


def with_names(table: pa.Table) -> pa.Table:
    """The rows with each column of names held so; an id, which is another in every row, stays as it is."""
    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type) and not field.name.endswith("_id"):
            table = table.set_column(place, field.with_type(NAMED), _encoded(table[field.name]))
    return table


def spelled_out(table: pa.Table) -> pa.Table:
    """The rows with all names as text again."""
    for place, field in enumerate(table.schema):
        if field.type == NAMED:
            table = table.set_column(place, field.with_type(pa.string()), table[field.name].cast(pa.string()))
    return table


class Vocabularies:
    """The names in some columns of a schema, numbered as they come; there are no more than the rows' instruments."""

    def __init__(self, schema: pa.Schema) -> None:
        names = [field.name for field in schema if field.type == NAMED]
        self._of: Mapping[str, _Vocabulary] = {name: _Vocabulary() for name in names}
        self.schema = pa.schema([f.with_type(pa.int32()) if f.name in self._of else f for f in schema])

    def numbered(self, table: pa.Table) -> pa.Table:
        """The rows with numbers for names, which are of whatever lists; those numbers hold from then on."""
        columns = [
            self._of[name].numbered(table[name]) if name in self._of else table[name] for name in table.schema.names
        ]
        return pa.table(columns, schema=self.schema)

    def named(self, table: pa.Table) -> pa.Table:
        """The rows, or some columns of them, with the names again."""
        for place, field in enumerate(table.schema):
            if field.name in self._of:
                column = self._of[field.name].named(table[field.name])
                table = table.set_column(place, field.with_type(NAMED), column)
        return table

    def names(self, column: str, values: list[Any]) -> list[Any]:
        """The names that values of this column stand for, or the values where they are no numbers of names."""
        if column not in self._of:
            return values
        names = self._of[column].names
        return [None if value is None else names[value].as_py() for value in values]


class _Vocabulary:
    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._names: Any = pa.array([], pa.string())
        # Names, their numbers, and whether those are their places.
        self._last: tuple[Any, Any, bool] = pa.array([], pa.string()), pa.array([], pa.int32()), True

    @property
    def names(self) -> Any:
        if len(self._names) < len(self._numbers):
            self._names = pa.array(list(self._numbers), pa.string())
        return self._names

    def numbered(self, column: Column) -> Column:
        return pa.chunked_array([self._numbers_in(chunk) for chunk in column.chunks], pa.int32())

    def named(self, numbers: Column) -> Column:
        chunks: list[Any] = [pa.DictionaryArray.from_arrays(chunk, self.names) for chunk in numbers.chunks]
        return pa.chunked_array(chunks, NAMED)

    def _numbers_in(self, array: Any) -> Any:
        if not array.dictionary.equals(self._last[0]):  # as they mostly are, from one reply to the next
            numbers = [self._numbers.setdefault(name, len(self._numbers)) for name in array.dictionary.to_pylist()]
            self._last = array.dictionary, pa.array(numbers, pa.int32()), numbers == list(range(len(numbers)))
        _, numbers_of, are_places = self._last
        return array.indices if are_places else numbers_of.take(array.indices)


def _encoded(column: Column) -> Column:
    if column.num_chunks != 1 or not _is_one_text(column.chunk(0)):
        return column.combine_chunks().dictionary_encode()
    return pa.DictionaryArray.from_arrays(np.zeros(len(column), dtype=np.int32), column.chunk(0)[:1])


def _is_one_text(array: Any) -> bool:
    """Whether all texts are the same, seen twenty times as fast as by telling them apart."""
    if array.null_count or not len(array):
        return False
    _, offsets, buffer = array.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[array.offset :][: len(array) + 1]
    length = ends[1] - ends[0]
    if length == 0 or not (np.diff(ends) == length).all():
        return False
    letters = np.frombuffer(buffer, dtype=np.uint8)[ends[0] : ends[-1]]
    return bool((letters[length:] == letters[:-length]).all())
