"""One hour of one venue, from sealed replies to canonical rows: a pure function of the raw objects.

Rows travel as columns, in portions, and go to disk beyond what memory is given: an hour may be of any size.
"""

import gc
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingestion.columns import EPOCH, MICROSECOND, Unfit, as_table, ints, to_records
from ingestion.duplicates import OBJECT, begins, lake_order, settled
from ingestion.gate.columns import suspects
from ingestion.gate.rows import Broken, broken_rule
from ingestion.naming import spelled_out, with_names
from ingestion.quarantine import Quarantined, Refusals
from ingestion.reading import PARSER_SLIPS, Objects, Said, read
from ingestion.records import DATASET_OF, DATASETS, Instrument, Kind, Record
from ingestion.runs import Memory, Runs
from ingestion.streams import EVERY_SECOND, Sampling
from ingestion.venues.base import Venue

# What their rows name is no instrument, or is one already.
NO_INSTRUMENT = frozenset(
    {"instruments", "index_prices", "volatility_indices", "gas_prices", "pool_reserves", "stream_holes"}
)

PORTION_BYTES = 4 * 1024 * 1024  # of replies whose rows become columns together


Numbers = Sequence[int] | npt.NDArray[np.integer[Any]]  # of the raw object that each row came from
Sightings = dict[tuple[Kind, str], int]  # by instrument: microseconds


def normalise(
    venue: Venue,
    hour: datetime,
    objects: Objects,
    memory: Memory,
    portion_bytes: int = PORTION_BYTES,
    sampling: Sampling = EVERY_SECOND,
) -> "NormalisedHour":
    """Read and gate the hour's raw objects; neither their order nor the portions matter.

    The rows are a function of the objects and of `sampling`, by which books come out of streams.
    """
    normalised = NormalisedHour(venue, hour, memory)
    with _collector_paused():
        waiting_bytes = 0
        for said in read(venue, hour, objects, sampling):
            normalised.take(said)
            waiting_bytes += said.bytes_count
            if waiting_bytes >= portion_bytes:
                normalised.lay_down()
                waiting_bytes = 0
        normalised.lay_down()
    return normalised


def spelled(record: Record) -> str:
    """A row as text for the quarantine; unlike strict JSON it can show NaN and infinity."""
    return json.dumps(msgspec.structs.asdict(record), default=str)


class NormalisedHour:
    """What an hour's raw objects say, by lake dataset, and what was refused of them.

    `refusals` and `grains` are whole once all rows of `settled` were read.
    """

    def __init__(self, venue: Venue, hour: datetime, memory: Memory) -> None:
        self.refusals = Refusals(venue.name, hour, memory)
        self.grains: dict[str, int] = {}  # of how many grains each dataset's rows tell
        self._venue = venue
        self._hour = hour
        self._memory = memory
        self._keys: dict[str, int] = {}  # number of each raw object
        self._touched: defaultdict[str, set[str]] = defaultdict(set)
        self._giving: set[str] = set()  # raw datasets
        self._tells = {endpoint.dataset: endpoint.tells for endpoint in venue.endpoints if endpoint.tells}
        self._records: defaultdict[type[Record], list[Record]] = defaultdict(list)
        self._numbers: defaultdict[type[Record], list[int]] = defaultdict(list)  # of the object each came from
        self._rows: dict[str, Runs] = {}
        self._listed: Sightings = {}

    @property
    def objects(self) -> dict[str, frozenset[str]]:
        """By dataset: raw objects that are its own or gave it a row.

        A raw dataset that is none of the lake's, as the frames of streams, is told of where its objects gave no row.
        """
        return {
            dataset: frozenset(keys)
            for dataset, keys in sorted(self._touched.items())
            if dataset in DATASETS or dataset not in self._giving
        }

    def settled(self) -> Iterator[tuple[str, Iterator[pa.Table]]]:
        """Each dataset with its rows in the lake's order, to be read in turn and once.

        Instruments come last: those that the hour does not list but other rows name are completed from the venue's
        documented grammar, as seen first in the hour.
        """
        named: Sightings = {}
        for dataset in sorted(self._rows.keys() - {"instruments"}):
            yield dataset, self._settled(dataset, {} if dataset in NO_INSTRUMENT else named)
        documented = list(self._documented(named))
        if documented:
            self._add(Instrument, with_names(as_table(Instrument, self._hour, documented)), [0] * len(documented))
        if "instruments" in self._rows:
            yield "instruments", self._settled("instruments", {})

    def take(self, said: Said) -> None:
        number = self._keys.setdefault(said.key, len(self._keys))
        self._touched[said.raw_dataset].add(said.key)
        for entry in said.refused:
            self.refusals.add(entry)
            if entry.dataset != said.raw_dataset:  # a vendor's file says what it would have given
                self._giving.add(said.raw_dataset)
                self._touched[entry.dataset].add(said.key)
        for record, table in said.tables:
            if table.num_rows:
                self._note(said, record)
                self._add(record, *self._gated_columns(record, table, np.full(table.num_rows, number, np.int32)))
        kinds = set(map(type, said.rows))
        for record in kinds:
            rows = said.rows if len(kinds) == 1 else [row for row in said.rows if type(row) is record]
            self._records[record] += rows
            self._numbers[record] += [number] * len(rows)
            self._note(said, record)

    def _note(self, said: Said, record: type[Record]) -> None:
        self._giving.add(said.raw_dataset)
        for dataset in (DATASET_OF[record], *self._tells.get(said.raw_dataset, ())):
            self._touched[dataset].add(said.key)

    def lay_down(self) -> None:
        """Turn the records so far into gated columns."""
        for record, rows in self._records.items():
            self._add(record, *self._gated(record, rows, self._numbers[record]))
        self._records.clear()
        self._numbers.clear()
        gc.collect(0)

    def _add(self, record: type[Record], table: pa.Table, numbers: Numbers) -> None:
        dataset = DATASET_OF[record]
        table = table.append_column(OBJECT, pa.array(numbers, pa.int32()))
        if dataset not in self._rows:
            self._rows[dataset] = self._memory.runs(table.schema, lake_order(record))
        if record is Instrument:
            _sight(table, self._listed)
        self._rows[dataset].add(table)

    def _gated(self, record: type[Record], rows: Sequence[Record], numbers: Numbers) -> tuple[pa.Table, Numbers]:
        keys = list(self._keys)
        try:
            table = as_table(record, self._hour, rows)
        except Unfit:
            fit = [n for n, row in enumerate(rows) if self._fits(row, keys[numbers[n]])]
            rows, numbers = [rows[n] for n in fit], [numbers[n] for n in fit]
            table = as_table(record, self._hour, rows)
        return self._gated_columns(record, table, numbers, rows)

    def _gated_columns(
        self, record: type[Record], table: pa.Table, numbers: Numbers, rows: Sequence[Record] | None = None
    ) -> tuple[pa.Table, Numbers]:
        keys = list(self._keys)
        table = with_names(table)
        suspect = np.flatnonzero(suspects(record, table, self._venue.name))
        shown = to_records(record, table.take(pa.array(suspect))) if rows is None else [rows[n] for n in suspect]  # type: ignore[arg-type, call-overload]
        broken = {n for n, row in zip(suspect.tolist(), shown, strict=True) if not self._passes(row, keys[numbers[n]])}
        if not broken:
            return table, numbers
        passed = np.array([n for n in range(table.num_rows) if n not in broken], dtype=np.int64)
        return table.take(passed), np.asarray(numbers)[passed]

    def _passes(self, row: Record, key: str) -> bool:
        broken: Broken | None
        if row.venue != self._venue.name:
            broken = "venue", f"a row of {row.venue!r} in a reply of {self._venue.name}"
        else:
            broken = broken_rule(row)
        if broken is not None:
            self.refusals.add(Quarantined(*broken, key, DATASET_OF[type(row)], spelled(row)))
        return broken is None

    def _fits(self, row: Record, key: str) -> bool:
        if not self._passes(row, key):
            return False
        try:
            as_table(type(row), self._hour, [row])
        except Unfit as unfit:
            self.refusals.add(Quarantined("type", str(unfit), key, DATASET_OF[type(row)], spelled(row)))
            return False
        return True

    def _settled(self, dataset: str, seen: Sightings) -> Iterator[pa.Table]:
        """Rows at one a grain; notes in `seen` when each instrument was first captured."""
        incoming = self._rows.pop(dataset)
        self.grains[dataset] = 0
        for portion in settled(DATASETS[dataset], incoming.tables(), list(self._keys)):
            self.grains[dataset] += portion.grains_count
            for record, key, reason in portion.conflicts:
                self.refusals.add(Quarantined("conflicting_duplicate", reason, key, dataset, spelled(record)))
            _sight(portion.table, seen)
            yield spelled_out(portion.table)
        incoming.close()

    def _documented(self, named: Sightings) -> Iterator[Instrument]:
        """Terms by the venue's grammar for every instrument that rows name and the hour does not list."""
        first_seen = {name: captured_us for name, captured_us in named.items() if name not in self._listed}
        for (kind, symbol), captured_us in sorted(first_seen.items()):
            try:
                terms = self._venue.terms(symbol, kind, self._hour)
            except PARSER_SLIPS as error:  # `Refused` among them
                self.refusals.add(_unknown(kind, symbol, str(error)))
                continue
            changes: dict[str, Any] = {"captured_ts": EPOCH + captured_us * MICROSECOND, "event_ts": None}
            terms = msgspec.structs.replace(terms, **changes, terms_source="documented")
            broken = broken_rule(terms)
            if broken is None:
                yield terms
            else:
                self.refusals.add(_unknown(kind, symbol, f"{broken[0]}: {broken[1]}"))


def _sight(table: pa.Table, seen: Sightings) -> None:
    """Note when each instrument of these rows was first captured."""
    starts = np.flatnonzero(begins(table, ("kind", "symbol")))
    if not len(starts):
        return
    captured = np.minimum.reduceat(ints(table["captured_ts"]), starts).tolist()
    names = table.select(["kind", "symbol"]).take(pa.array(starts))  # type: ignore[arg-type]
    for name, captured_us in zip(names.to_pylist(), captured, strict=True):
        key = name["kind"], name["symbol"]
        seen[key] = min(captured_us, seen.get(key, captured_us))


def _unknown(kind: str, symbol: str, reason: str) -> Quarantined:
    # The rows that name it stay; without terms no model can join them.
    named = json.dumps({"kind": kind, "symbol": symbol})
    return Quarantined("unknown_symbol", f"{kind} {symbol}: {reason}", "", "instruments", named, "terms")


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Without the garbage collector, which would walk a portion's records over and over: twice as fast."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
