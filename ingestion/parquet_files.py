"""Parquet whose bytes are a function of the rows alone, in whatever portions they come."""

from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

# A row group ends at whichever comes first: a reader holds one at a time.
ROW_GROUP_ROWS = 131_072
ROW_GROUP_BYTES = 16 * 1024 * 1024
# A small file is worth more of zstd's time: a twentieth less of it, for milliseconds.
SMALL_BYTES, SMALL_LEVEL, LEVEL = 1024 * 1024, 15, 3


def write(tables: Iterable[pa.Table], schema: pa.Schema, sink: BinaryIO, split: Collection[str] = ()) -> None:
    """Write the rows of all tables; `split` names more columns whose bytes lie apart, besides the floats'."""
    groups = _groups(tables, schema)
    first = next(groups, schema.empty_table())
    is_small = int(_row_bytes(first).sum()) <= SMALL_BYTES
    groups = chain([first], groups) if first.num_rows else groups
    del first  # a group is held while it is written, and no longer
    encodings = {path: encoding for path, encoding in _encodings(schema) if path not in split}
    writer = pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        compression_level=SMALL_LEVEL if is_small else LEVEL,
        use_dictionary=[path for path, encoding in encodings.items() if encoding == "DICTIONARY"],  # type: ignore[arg-type]
        column_encoding={path: encoding for path, encoding in encodings.items() if encoding not in _CHOSEN_BY_WRITER}
        | dict.fromkeys(split, "BYTE_STREAM_SPLIT"),
        # A small file is half footer: nobody looks for a list by its largest element, and Parquet's types say all.
        write_statistics=[path for path, _ in _encodings(schema) if not path.endswith(".list.element")],
        store_schema=False,
    )
    with writer:
        for group in groups:
            writer.write_table(group, row_group_size=ROW_GROUP_ROWS)


_CHOSEN_BY_WRITER = frozenset({"DICTIONARY", "PLAIN"})


def _encodings(schema: pa.Schema) -> Iterator[tuple[str, str]]:
    """How each column is written, by its path. DuckDB reads all of these, but splits only the bytes of floats."""
    for field in schema:
        kind: Any = field.type
        path = field.name
        if pa.types.is_list(kind):
            kind, path = kind.value_type, f"{field.name}.list.element"
        if pa.types.is_floating(kind):
            yield path, "BYTE_STREAM_SPLIT"
        elif pa.types.is_timestamp(kind) or pa.types.is_int64(kind):
            yield path, "DELTA_BINARY_PACKED"
        elif pa.types.is_boolean(kind):
            yield path, "PLAIN"
        elif path.endswith("_id"):  # another in every row
            yield path, "DELTA_BYTE_ARRAY"
        else:
            yield path, "DICTIONARY"


def _groups(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    waiting = schema.empty_table()
    for table in tables:
        waiting = pa.concat_tables([waiting, table])
        del table  # rows are held once while they are written
        for rows in _group_sizes(waiting):
            group, waiting = waiting.slice(0, rows).combine_chunks(), waiting.slice(rows)
            yield group
            del group
    if waiting.num_rows:
        yield waiting.combine_chunks()


def _group_sizes(table: pa.Table) -> list[int]:
    """How many rows each whole row group of these has; what is beyond the last one waits for more."""
    if table.num_rows < ROW_GROUP_ROWS and _most_bytes(table) < ROW_GROUP_BYTES:
        return []
    filled = np.cumsum(_row_bytes(table))
    sizes: list[int] = []
    start, before = 0, 0
    while True:
        by_bytes = int(np.searchsorted(filled, before + ROW_GROUP_BYTES)) + 1 - start
        rows = min(by_bytes, ROW_GROUP_ROWS)
        if start + rows > table.num_rows:
            return sizes
        sizes.append(rows)
        start += rows
        before = int(filled[start - 1])


def _most_bytes(table: pa.Table) -> int:
    """No fewer than the rows' bytes, told without a look at each row."""
    varied = [pa.types.is_list(kind) or pa.types.is_string(kind) for kind in table.schema.types]
    fixed = 8 * table.num_rows * varied.count(False)
    return fixed + sum(int(column.nbytes) for column, varies in zip(table.columns, varied, strict=True) if varies)


def _row_bytes(table: pa.Table) -> "np.ndarray[Any, np.dtype[np.int64]]":
    fixed = 0
    sizes = np.zeros(table.num_rows, dtype=np.int64)
    for field in table.schema:
        kind: Any = field.type
        if pa.types.is_list(kind):
            sizes += 8 * np.asarray(pc.list_value_length(table[field.name]).fill_null(0), dtype=np.int64)
        elif pa.types.is_string(kind):
            sizes += np.asarray(pc.binary_length(table[field.name]).fill_null(0), dtype=np.int64)
        else:
            fixed += 8
    return sizes + fixed
