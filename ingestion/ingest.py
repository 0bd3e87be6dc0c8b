"""Raw to lake through gate 1: normalise, judge, and write an hour only where it passed.

Every expected (dataset, hour) ends as data, as a gap or as held; none goes without a verdict.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

from ingestion.gate.hours import MAX_HOURS_PER_BATCH, BrokenRule, broken_rules
from ingestion.gate.profile import ARCHIVED, HourProfile, profile
from ingestion.lake import INSTANT, Lake, to_table
from ingestion.normalise import normalise
from ingestion.quarantine import Quarantine, Quarantined
from ingestion.raw import RawZone
from ingestion.records import DATASETS
from ingestion.venues.base import Venue

Status = Literal["ok", "gap", "held"]

MAX_BATCH_BYTES = 256 * 1024 * 1024  # of tables that wait for their verdict

_COLUMNS: list[tuple[str, Any, bool]] = [  # name, type, whether it may be null
    ("utc_hour", INSTANT, False),
    ("venue", pa.string(), False),
    ("dataset", pa.string(), False),
    ("status", pa.string(), False),
    ("rows_count", pa.int64(), False),
    ("rejected_count", pa.int64(), False),
    ("refused_count", pa.int64(), False),
    ("objects_count", pa.int64(), False),
    ("captures_count", pa.int64(), False),
    ("covered_frac", pa.float64(), False),
    ("broken_rules", pa.string(), True),
    ("reason", pa.string(), True),
    ("first_captured_ts", INSTANT, True),
    ("last_captured_ts", INSTANT, True),
]
COVERAGE_SCHEMA = pa.schema([pa.field(name, kind, nullable=may) for name, kind, may in _COLUMNS])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one (venue, dataset, hour).

    `ok`: its rows are the lake's. `held`: they broke a rule, and what the lake held before stays.
    `gap`: there is nothing to read. Counts are of what this ingest saw, whatever became of it.
    """

    venue: str
    dataset: str
    hour: datetime
    status: Status
    rows_count: int
    rejected_count: int  # rows
    refused_count: int  # replies
    objects_count: int
    broken_rules: tuple[str, ...]
    reason: str | None
    first_captured_ts: datetime | None
    last_captured_ts: datetime | None
    captures_count: int
    covered_frac: float  # quarters of the hour that the rows speak of


@dataclass(frozen=True, slots=True)
class _Part:
    """One dataset of one hour, waiting for its verdict."""

    dataset: str
    hour: datetime
    table: pa.Table
    profile: HourProfile
    objects_count: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Hour:
    hour: datetime
    parts: tuple[_Part, ...]
    rejects: tuple[Quarantined, ...]

    @property
    def bytes_count(self) -> int:
        return sum(part.table.nbytes for part in self.parts)


def ingest(
    venue: Venue,
    hours: Sequence[datetime],
    raw: RawZone,
    lake: Lake,
    quarantine: Quarantine,
    wanted: Collection[str],
) -> list[Verdict]:
    """Bring these hours of one venue from raw into the lake and say what became of each dataset.

    `wanted` names the datasets that are expected and have a verdict even where nothing came. Hours are
    judged together, so a long range costs little more than an hour. Coverage is written last of an hour.
    """
    lake.declare("coverage", COVERAGE_SCHEMA)
    verdicts: list[Verdict] = []
    for batch in _batches(_measure(venue, hour, raw, quarantine, wanted) for hour in sorted(set(hours))):
        broken = _judge(batch)
        for hour in batch:
            found = [(part, broken.get((part.dataset, part.hour), ())) for part in hour.parts]
            told = [_settle(venue.name, part, rules, lake) for part, rules in found]
            held = [
                Quarantined(rule.rule, rule.reason, "", part.dataset, scope="hour")
                for part, rules in found
                for rule in rules
            ]
            quarantine.append(venue.name, hour.hour, [*hour.rejects, *held])
            lake.write("coverage", venue.name, hour.hour, _coverage(told))
            verdicts += told
    return verdicts


def _measure(venue: Venue, hour: datetime, raw: RawZone, quarantine: Quarantine, wanted: Collection[str]) -> _Hour:
    keys = raw.objects(venue.name, hour)
    normalised = normalise(venue, hour, ((key, raw.read(key)) for key in keys))
    notes = quarantine.read_capture_gaps(venue.name, hour)
    counts = Counter((e.dataset, e.scope) for e in normalised.rejects)
    parts = []
    for dataset in sorted({*wanted, *normalised.objects, *normalised.records}):
        rows = normalised.records.get(dataset, [])
        table = to_table(DATASETS[dataset], hour, rows) if dataset in DATASETS else pa.table({})
        measured = profile(
            dataset,
            hour,
            table,
            rejected_count=counts[dataset, "row"],
            unplaced_count=counts[dataset, "terms"],
            refused_count=counts[dataset, "reply"],
        )
        objects_count = len(normalised.objects.get(dataset, ()))
        parts.append(_Part(dataset, hour, table, measured, objects_count, tuple(notes.get(dataset, ()))))
    return _Hour(hour, tuple(parts), tuple(normalised.rejects))


def _batches(hours: Iterator[_Hour]) -> Iterator[list[_Hour]]:
    batch: list[_Hour] = []
    waiting_bytes = 0
    for hour in hours:
        batch.append(hour)
        waiting_bytes += hour.bytes_count
        if len(batch) == MAX_HOURS_PER_BATCH or waiting_bytes > MAX_BATCH_BYTES:
            yield batch
            batch, waiting_bytes = [], 0
    if batch:
        yield batch


def _judge(batch: Sequence[_Hour]) -> dict[tuple[str, datetime], tuple[BrokenRule, ...]]:
    profiles: dict[str, list[HourProfile]] = {}
    for hour in batch:
        for part in hour.parts:
            if part.objects_count or part.profile.rows_count:
                profiles.setdefault(part.dataset, []).append(part.profile)
    return {
        (dataset, hour): rules
        for dataset, measured in profiles.items()
        for hour, rules in broken_rules(dataset, measured).items()
    }


def _settle(venue: str, part: _Part, broken: Sequence[BrokenRule], lake: Lake) -> Verdict:
    """Write the part if it passed, and say what became of it."""
    status, reasons = _status(part, broken)
    if status == "ok":
        lake.write(part.dataset, venue, part.hour, part.table)
    elif status == "gap" and part.objects_count and part.dataset in DATASETS:
        # What came says that there is nothing. Where nothing came, raw was lost and the lake is all there is.
        lake.remove(part.dataset, venue, part.hour)
    measured = part.profile
    return Verdict(
        venue=venue,
        dataset=part.dataset,
        hour=part.hour,
        status=status,
        rows_count=measured.rows_count,
        rejected_count=measured.rejected_count,
        refused_count=measured.refused_count,
        objects_count=part.objects_count,
        broken_rules=tuple(rule.rule for rule in broken),
        reason="; ".join(reasons) or None,
        first_captured_ts=measured.first_captured_ts,
        last_captured_ts=measured.last_captured_ts,
        captures_count=measured.captures_count,
        covered_frac=measured.covered_frac if status == "ok" else 0.0,
    )


def _status(part: _Part, broken: Sequence[BrokenRule]) -> tuple[Status, list[str]]:
    notes = list(part.notes)
    if broken:
        return "held", [*(rule.reason for rule in broken), *notes]
    if part.profile.rows_count:
        if part.dataset == "instruments" and not part.objects_count:
            notes.append("no listing came: terms as documented")
        return "ok", notes
    if not part.objects_count:
        return "gap", notes or ["nothing was captured"]
    if part.dataset in ARCHIVED:  # asked for the whole hour: that nothing happened is an answer
        return "ok", notes
    return "gap", [*notes, "replies came and listed nothing"]


def _coverage(verdicts: Sequence[Verdict]) -> pa.Table:
    rows = [
        {
            **asdict(verdict),
            "utc_hour": verdict.hour,
            "broken_rules": ",".join(verdict.broken_rules) or None,
        }
        for verdict in sorted(verdicts, key=lambda v: v.dataset)
    ]
    return pa.Table.from_pylist(rows, schema=COVERAGE_SCHEMA)
