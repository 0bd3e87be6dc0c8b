"""What `normalise` says of an hour, laid out in lists so that a test can look at it."""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from ingestion.columns import as_table, in_order, to_records
from ingestion.duplicates import lake_order
from ingestion.envelopes import Envelope
from ingestion.normalise import PORTION_BYTES, normalise
from ingestion.records import DATASETS, Record
from ingestion.runs import WAITING_BYTES, Memory
from ingestion.venues.base import Venue


@dataclass(frozen=True)
class ReadHour:
    """Records and refusals in the order of the lake and the quarantine; `scopes` counts refusals by what they cost."""

    records: dict[str, list[Record]]
    rejects: list[dict[str, Any]]
    scopes: dict[tuple[str, str], int]
    objects: dict[str, frozenset[str]]
    grains: dict[str, int]

    @property
    def rules(self) -> list[str]:
        return [refusal["rule_id"] for refusal in self.rejects]


def read_hour(
    venue: Venue,
    hour: datetime,
    objects: Iterable[tuple[str, Iterable[Envelope]]],
    *,
    portion_bytes: int = PORTION_BYTES,
    waiting_bytes: int = WAITING_BYTES,
) -> ReadHour:
    with tempfile.TemporaryDirectory() as folder:
        memory = Memory(Path(folder), waiting_bytes)
        found = normalise(venue, hour, objects, memory, portion_bytes)
        records = {
            dataset: [record for table in tables for record in to_records(DATASETS[dataset], table)]
            for dataset, tables in found.settled()
        }
        return ReadHour(
            records={dataset: rows for dataset, rows in sorted(records.items()) if rows},
            rejects=[row for table in found.refusals.tables() for row in table.to_pylist()],
            scopes=dict(found.refusals.counts),
            objects=found.objects,
            grains=found.grains,
        )


def to_table(record: type[Record], hour: datetime, rows: Sequence[Record]) -> pa.Table:
    """Rows as columns in the lake's order."""
    return in_order(as_table(record, hour, rows), lake_order(record))
