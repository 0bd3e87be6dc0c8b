"""Raw to lake through gate 1: normalise, judge, and write an hour only where it passed.

Every expected (dataset, hour) ends as data, as a gap or as held; none goes without a verdict.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import pyarrow as pa

from ingestion.allocator import set_allocator
from ingestion.columns import INSTANT
from ingestion.gate.hours import MAX_HOURS_PER_BATCH, BrokenRule, broken_rules
from ingestion.gate.profile import ARCHIVED, HourProfile, Measure
from ingestion.lake import Lake
from ingestion.normalise import normalise
from ingestion.quarantine import Quarantine, Quarantined, Refusals
from ingestion.raw import RawZone
from ingestion.reading import AT_ONCE_BYTES
from ingestion.records import DATASETS
from ingestion.runs import Memory
from ingestion.streams import EVERY_SECOND, Sampling
from ingestion.venues.base import Venue

Status = Literal["ok", "gap", "held"]

MAX_BATCH_BYTES = 1024 * 1024 * 1024  # of files on disk that wait for their verdict

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
    path: Path  # where its rows wait
    profile: HourProfile
    objects_count: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Hour:
    hour: datetime
    parts: tuple[_Part, ...]
    refusals: Refusals

    @property
    def bytes_count(self) -> int:
        return sum(part.path.stat().st_size for part in self.parts if part.path.exists())


def ingest(
    venue: Venue,
    hours: Sequence[datetime],
    raw: RawZone,
    lake: Lake,
    quarantine: Quarantine,
    wanted: Collection[str],
    sampling: Sampling = EVERY_SECOND,
) -> list[Verdict]:
    """Bring these hours of one venue from raw into the lake and say what became of each dataset.

    `wanted` names the datasets that are expected and have a verdict even where nothing came. Hours are
    judged together, so a long range costs little more than an hour. Coverage is written last of an hour.
    Nothing says that an hour is done: each is read anew, so that another `sampling` replaces what an earlier one gave.
    """
    set_allocator()
    lake.declare("coverage", COVERAGE_SCHEMA)
    verdicts: list[Verdict] = []
    with TemporaryDirectory(prefix="barograph-") as folder:
        memory = Memory(Path(folder))
        measured = (
            _measure(venue, hour, raw, lake, quarantine, wanted, memory, sampling) for hour in sorted(set(hours))
        )
        for batch in _batches(measured):
            broken = _judge(batch)
            for hour in batch:
                found = [(part, broken.get((part.dataset, part.hour), ())) for part in hour.parts]
                told = [_settle(venue.name, part, rules, lake) for part, rules in found]
                for part, rules in found:
                    for rule in rules:
                        hour.refusals.add(Quarantined(rule.rule, rule.reason, "", part.dataset, scope="hour"))
                quarantine.keep(venue.name, hour.hour, hour.refusals, memory.folder / "refusals.parquet")
                hour.refusals.close()
                lake.write("coverage", venue.name, hour.hour, _coverage(told))
                verdicts += told
    return verdicts


def _measure(
    venue: Venue,
    hour: datetime,
    raw: RawZone,
    lake: Lake,
    quarantine: Quarantine,
    wanted: Collection[str],
    memory: Memory,
    sampling: Sampling,
) -> _Hour:
    objects = ((key, raw.lines(key, AT_ONCE_BYTES)) for key in raw.objects(venue.name, hour))
    normalised = normalise(venue, hour, objects, memory, sampling=sampling)
    found: dict[str, tuple[Measure, Path]] = {}
    for dataset, tables in normalised.settled():
        found[dataset] = _prepare(venue.name, dataset, hour, tables, lake, memory)
    notes = quarantine.read_capture_gaps(venue.name, hour)
    refused = normalised.refusals.counts
    parts = []
    for dataset in sorted({*wanted, *normalised.objects, *found}):
        measure, path = found.get(dataset) or _prepare(venue.name, dataset, hour, (), lake, memory)
        measured = measure.profile(
            grains_count=normalised.grains.get(dataset, 0),
            rejected_count=refused[dataset, "row"],
            unplaced_count=refused[dataset, "terms"],
            unsided_count=refused[dataset, "unsided"],
            refused_count=refused[dataset, "reply"],
        )
        objects_count = len(normalised.objects.get(dataset, ()))
        parts.append(_Part(dataset, hour, path, measured, objects_count, tuple(notes.get(dataset, ()))))
    return _Hour(hour, tuple(parts), normalised.refusals)


def _prepare(
    venue: str, dataset: str, hour: datetime, tables: Iterable[pa.Table], lake: Lake, memory: Memory
) -> tuple[Measure, Path]:
    """Put the rows into a file of the lake's layout, measuring them on the way."""
    measure = Measure(dataset, hour, memory)
    path = memory.folder / f"{dataset}-{hour:%Y%m%dT%H}.parquet"

    def measured() -> Iterator[pa.Table]:
        for table in tables:
            measure.add(table)
            yield table

    if dataset in DATASETS:
        lake.prepare(dataset, venue, measured(), path)
    return measure, path


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
    """Give the part to the lake if it passed, and say what became of it."""
    status, reasons = _status(part, broken)
    if status == "ok":
        lake.adopt(part.dataset, venue, part.hour, part.path)
    elif status == "gap" and part.objects_count and part.dataset in DATASETS:
        # What came says that there is nothing. Where nothing came, raw was lost and the lake is all there is.
        lake.remove(part.dataset, venue, part.hour)
    part.path.unlink(missing_ok=True)
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
