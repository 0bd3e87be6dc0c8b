"""The quarantine: what gate 1 refused, with the rule, the reason and the raw object it came from.

It also keeps the reasons that a capture gave for what it could not get; raw holds only what came.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.columns import INSTANT
from ingestion.hours import day_and_hour
from ingestion.parquet_files import write
from ingestion.raw import plain_name
from ingestion.runs import Memory
from ingestion.storage import StorageError, Store

Scope = Literal["row", "unsided", "reply", "terms", "hour"]

MAX_REASON_BYTES = 500
MAX_ROW_BYTES = 4096
MAX_NOTES = 20

_TEXTS = ("venue", "dataset", "rule_id", "reason", "object_key", "row")
QUARANTINE_SCHEMA = pa.schema(
    [pa.field("utc_hour", INSTANT, nullable=False)] + [pa.field(name, pa.string(), nullable=False) for name in _TEXTS]
)
_ORDER = ("dataset", "rule_id", "reason", "object_key", "row")
_MAX_ROWS = 1_000
_NOTES = msgspec.json.Decoder(dict[str, list[str]])


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One refusal: of a row, of a whole reply, of an instrument's terms, or of a whole hour.

    `unsided`: of a row whose source does not know its side.
    """

    rule: str
    reason: str
    object_key: str
    dataset: str
    row: str = ""
    scope: Scope = "row"


class Refusals:
    """What one hour of a venue refuses, in bounded memory."""

    def __init__(self, venue: str, hour: datetime, memory: Memory) -> None:
        self.counts: Counter[tuple[str, Scope]] = Counter()  # by dataset
        self._venue = venue
        self._hour = hour
        self._rows: list[tuple[str, ...]] = []
        self._runs = memory.runs(QUARANTINE_SCHEMA, _ORDER)

    def add(self, entry: Quarantined) -> None:
        self.counts[entry.dataset, entry.scope] += 1
        reason, row = cut(entry.reason, MAX_REASON_BYTES), cut(entry.row, MAX_ROW_BYTES)
        self._rows.append((self._venue, entry.dataset, entry.rule, reason, entry.object_key, row))
        if len(self._rows) == _MAX_ROWS:
            self._flush()

    def tables(self) -> Iterator[pa.Table]:
        """All of them, in an order of their own; they can be asked for again."""
        self._flush()
        yield from self._runs.tables()

    def close(self) -> None:
        self._runs.close()

    def _flush(self) -> None:
        hours = pa.array([self._hour] * len(self._rows), INSTANT)
        texts = zip(*self._rows, strict=True) if self._rows else [()] * len(_TEXTS)
        self._runs.add(pa.table([hours, *(pa.array(text, pa.string()) for text in texts)], schema=QUARANTINE_SCHEMA))
        self._rows = []


class Quarantine:
    """Refusals by venue and hour, written once; an hour normalised again adds a file only if it differs."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def append(self, venue: str, hour: datetime, entries: Iterable[Quarantined]) -> str | None:
        """Keep these refusals and return their key; the same refusals are one object, none are no object."""
        with TemporaryDirectory(prefix="barograph-") as folder:
            refusals = Refusals(venue, hour, Memory(Path(folder)))
            for entry in entries:
                refusals.add(entry)
            return self.keep(venue, hour, refusals, Path(folder) / "refusals.parquet")

    def keep(self, venue: str, hour: datetime, refusals: Refusals, path: Path) -> str | None:
        """As `append`, by way of a local file."""
        if not refusals.counts:
            return None
        with path.open("w+b") as sink:
            write(refusals.tables(), QUARANTINE_SCHEMA, sink)
        with path.open("rb") as content:
            name = hashlib.file_digest(content, "sha256").hexdigest()[:16]
        key = f"{_folder(venue, hour)}{name}.parquet"
        if not self.store.exists(key):
            self.store.put_file(key, path)
        return key

    def read(self, hours: Iterable[datetime]) -> pa.Table:
        """Every distinct refusal of these hours at any venue, sorted.

        Distinct, because an hour that was normalised again after more had come holds the earlier ones too.
        """
        venues = [
            name.removeprefix("venue=") for name in self.store.folders("quarantine/") if name.startswith("venue=")
        ]
        keys = [key for hour in hours for venue in venues for key in self.store.list(_folder(venue, hour))]
        tables = [QUARANTINE_SCHEMA.empty_table(), *(self._read(key) for key in keys)]
        names = QUARANTINE_SCHEMA.names
        distinct = pa.concat_tables(tables).group_by(names).aggregate([])
        return distinct.select(names).sort_by([(name, "ascending") for name in names]).cast(QUARANTINE_SCHEMA)

    def note_gaps(self, venue: str, hour: datetime, reasons: Mapping[str, Sequence[str]]) -> None:
        """Add why a capture of this hour got nothing, by dataset; what is already noted stays."""
        noted = self.read_capture_gaps(venue, hour)
        for dataset, told in reasons.items():
            merged = dict.fromkeys([*noted.get(dataset, []), *(cut(text, MAX_REASON_BYTES) for text in told)])
            noted[dataset] = list(merged)[:MAX_NOTES]
        self.store.put(_notes_key(venue, hour), msgspec.json.encode(noted, order="sorted"))

    def read_capture_gaps(self, venue: str, hour: datetime) -> dict[str, list[str]]:
        """The reasons noted for this hour, by dataset, in the order they came."""
        key = _notes_key(venue, hour)
        if not self.store.exists(key):
            return {}
        try:
            return _NOTES.decode(self.store.read(key))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StorageError(f"{self.store.uri(key)}: not the notes of a capture ({error})") from error

    def _read(self, key: str) -> pa.Table:
        try:
            table = pq.read_table(BytesIO(self.store.read(key)))
        except (pa.ArrowException, OSError) as error:
            reason = str(error).partition("\n")[0]
            raise StorageError(f"{self.store.uri(key)}: not a whole Parquet file ({reason})") from error
        if not table.schema.equals(QUARANTINE_SCHEMA):
            raise StorageError(f"{self.store.uri(key)}: its columns are not those of the quarantine")
        return table


def cut(text: str, max_bytes: int) -> str:
    """At most so many bytes of UTF-8, and nothing that UTF-8 cannot spell."""
    return text.encode("utf-8", "replace")[:max_bytes].decode("utf-8", "ignore")


def _folder(venue: str, hour: datetime) -> str:
    day, hh = day_and_hour(hour)
    return f"quarantine/venue={plain_name('venue', venue)}/date={day}/hour={hh}/"


def _notes_key(venue: str, hour: datetime) -> str:
    day, hh = day_and_hour(hour)
    return f"quarantine/gaps/{plain_name('venue', venue)}/date={day}/hour={hh}.json"
