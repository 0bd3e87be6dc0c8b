"""Rows in order, in bounded memory: what does not fit is sorted piece by piece on disk, and the pieces merged."""

import uuid
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from ingestion.allocator import give_back
from ingestion.naming import Vocabularies
from ingestion.ordering import arrangement, keys_of

WAITING_BYTES = 12 * 1024 * 1024
PORTION_BYTES = 3 * 1024 * 1024
PASSING_BYTES = 32 * 1024 * 1024  # of a large hour, after which free pages are given back
BATCH_BYTES = 128 * 1024  # what a merge holds of each piece
WRITE_BYTES = 256 * 1024  # to disk; smaller ones take a call of the system each
MAX_PIECES = 128  # merged at once
FEW_PIECES = 2

Key = tuple[Any, ...]


class Memory:
    """The room that several `Runs` share; the largest goes to disk when it is full."""

    def __init__(self, folder: Path, waiting_bytes: int = WAITING_BYTES) -> None:
        self.folder = folder
        self._waiting_bytes = waiting_bytes
        self._passed_bytes = 0
        self._runs: list[Runs] = []

    def runs(self, schema: pa.Schema, order: Sequence[str]) -> "Runs":
        """Rows of these columns, to be had in the order of some of them."""
        self._runs.append(Runs(self, schema, order))
        return self._runs[-1]

    def make_room(self) -> None:
        """Send rows to disk until the rest is within the bound."""
        while sum(runs.waiting_bytes for runs in self._runs) > self._waiting_bytes:
            max(self._runs, key=lambda runs: runs.waiting_bytes).spill()

    def passed(self, bytes_count: int) -> None:
        """Note that so many bytes of rows came or went; of what they left behind free pages are given back."""
        self._passed_bytes += bytes_count
        if self._passed_bytes >= PASSING_BYTES:
            self._passed_bytes = 0
            give_back()

    def forget(self, runs: "Runs") -> None:
        self._runs.remove(runs)


class Runs:
    """Rows added in any order. Those that are equal in all columns of the order come in no particular one."""

    def __init__(self, memory: Memory, schema: pa.Schema, order: Sequence[str]) -> None:
        self.rows_count = 0
        self.waiting_bytes = 0
        self._memory = memory
        self._names = Vocabularies(schema)
        self._order = list(order)
        self._waiting: list[pa.Table] = []
        self._pieces: list[_Piece] = []

    def add(self, table: pa.Table) -> None:
        if table.num_rows:
            self.rows_count += table.num_rows
            table = self._names.numbered(table)
            size = table.nbytes
            self.waiting_bytes += size
            self._waiting.append(table)
            self._memory.make_room()
            self._pass(size)

    def tables(self) -> Iterator[pa.Table]:
        """The rows in order, portion by portion; they can be asked for again."""
        if not self._pieces:
            if self._waiting:
                self._waiting = [self._sorted()]
                yield self._names.named(self._waiting[0])
            return
        held = []
        if len(self._pieces) > FEW_PIECES and self._waiting:
            self.spill()  # beside so many it saves little to hold it
        elif self._waiting:
            self._waiting = [self._sorted()]
            held = [_Held(self._waiting[0], self._names, self._order)]
        for table in self._merged([*self._pieces, *held]):
            self._pass(table.nbytes)
            yield self._names.named(table)

    def spill(self) -> None:
        """Move what waits to a piece on disk."""
        table = self._sorted()
        self._waiting, self.waiting_bytes = [], 0
        self._pieces.append(self._piece([table]))
        if len(self._pieces) > MAX_PIECES:
            merged = self._piece(self._merged(self._pieces))
            self._delete()
            self._pieces = [merged]

    def close(self) -> None:
        """Give back memory and disk; there is nothing to be had any more."""
        self._delete()
        self._waiting, self.waiting_bytes = [], 0
        self._memory.forget(self)

    def _pass(self, bytes_count: int) -> None:
        if len(self._pieces) > FEW_PIECES:  # a small hour ends before what it leaves behind matters
            self._memory.passed(bytes_count)

    def _sorted(self) -> pa.Table:
        self._waiting = [pa.concat_tables(self._waiting).combine_chunks()]  # what was apart is not held any more
        return self._in_order(self._waiting[0])

    def _in_order(self, table: pa.Table) -> pa.Table:
        places = arrangement(keys_of(self._names.named(table.select(self._order)), self._order))
        return table if places is None else table.take(places)

    def _merged(self, pieces: "Sequence[_Held]") -> Iterator[pa.Table]:
        heads = [_Head(piece) for piece in pieces]
        for last in _portions(pieces):
            taken = [batches for head in heads if (batches := list(head.take(last)))]
            if len(taken) == 1:
                yield pa.Table.from_batches(taken[0]).combine_chunks()
            elif taken:
                yield self._in_order(pa.Table.from_batches(list(chain.from_iterable(taken))).combine_chunks())

    def _piece(self, tables: Iterable[pa.Table]) -> "_Piece":
        return _Piece(self._memory.folder / f"{uuid.uuid4().hex}.arrow", self._names, self._order, tables)

    def _delete(self) -> None:
        for piece in self._pieces:
            piece.path.unlink()
        self._pieces = []


class _Held:
    """Rows in order, in small batches whose last keys are known."""

    def __init__(self, table: pa.Table, names: Vocabularies, order: Sequence[str]) -> None:
        self.marks: list[tuple[Key, int]] = []  # last key and bytes of each batch
        self._table = table
        self._names = names
        self._order = order
        self._mark(list(_small(table)))

    def batches(self) -> Iterator[pa.RecordBatch]:
        return _small(self._table)

    def key(self, batch: pa.RecordBatch, row: int) -> Key:
        """What a row is ordered by; a missing value comes first."""
        return self._keys([batch.slice(row, 1)])[0]

    def _keys(self, rows: Sequence[pa.RecordBatch]) -> list[Key]:
        columns = []
        for name in self._order:
            column: Any = pa.concat_arrays([batch.column(name) for batch in rows])
            values = (column.view(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
            columns.append([(value is not None, value) for value in self._names.names(name, values)])
        return list(zip(*columns, strict=True))

    def _mark(self, batches: Sequence[pa.RecordBatch]) -> None:
        if batches:
            lasts = self._keys([batch.slice(batch.num_rows - 1) for batch in batches])
            self.marks += zip(lasts, (batch.nbytes for batch in batches), strict=True)


class _Piece(_Held):
    """Such rows on disk."""

    def __init__(self, path: Path, names: Vocabularies, order: Sequence[str], tables: Iterable[pa.Table]) -> None:
        super().__init__(names.schema.empty_table(), names, order)
        self.path = path
        with (
            pa.output_stream(str(path), buffer_size=WRITE_BYTES) as sink,
            pa.ipc.new_file(sink, names.schema) as writer,
        ):
            for table in tables:
                batches = list(_small(table))
                for batch in batches:
                    writer.write_batch(batch)
                self._mark(batches)

    def batches(self) -> Iterator[pa.RecordBatch]:
        with pa.OSFile(str(self.path), "rb") as source:
            reader = pa.ipc.open_file(source)
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)


def _small(table: pa.Table) -> Iterator[pa.RecordBatch]:
    rows = max(1, table.num_rows * BATCH_BYTES // max(1, table.nbytes))
    yield from table.combine_chunks().to_batches(max_chunksize=rows)


def _portions(pieces: Sequence[_Held]) -> Iterator[Key]:
    """The last key of each portion, ascending, up to the very last."""
    marks = sorted(mark for piece in pieces for mark in piece.marks)
    filled = 0
    for number, (key, size) in enumerate(marks):
        filled += size
        if filled >= PORTION_BYTES or number == len(marks) - 1:
            yield key
            filled = 0


class _Head:
    """Where a merge stands in one piece."""

    def __init__(self, piece: _Held) -> None:
        self._piece = piece
        self._batches = zip(piece.batches(), (key for key, _ in piece.marks), strict=True)
        self._next = next(self._batches, None)

    def take(self, last: Key) -> Iterator[pa.RecordBatch]:
        """The rows up to this key."""
        while self._next is not None:
            batch, ends = self._next
            if ends > last:
                rows = bisect_right(range(batch.num_rows), last, key=partial(self._piece.key, batch))
                if rows:
                    yield batch.slice(0, rows)
                self._next = batch.slice(rows), ends
                return
            yield batch
            self._next = next(self._batches, None)
