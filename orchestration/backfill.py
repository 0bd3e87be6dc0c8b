"""What venues keep of past hours, into raw: many hours at once, within each venue's limits.

Raw itself says what is there already: a question whose answer it holds is not asked again, page by page.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ingestion.capture import Captured, Pair, capture_archived, capture_sweep
from ingestion.envelopes import Envelope
from ingestion.hours import HOUR
from ingestion.records import Instrument
from ingestion.transports import Clock, Transport, VirtualClock
from ingestion.venues import VENUES
from ingestion.venues.base import Plan, Refused, Reject, Request, Venue
from orchestration.pipeline import Pipeline
from orchestration.settings import BadSetting

HOURS_AT_ONCE = 4  # of a venue; its limits are kept by the transport, whatever this is
HOUR_DEADLINE_S = 3600.0  # a busy hour of trades is hundreds of pages

Asked = tuple[str, str, str | None]  # path, query, body of a POST


@dataclass
class Fetched:
    """What became of each venue's hours."""

    asked: Counter[str] = field(default_factory=Counter)  # replies that came now, by venue
    kept: Counter[str] = field(default_factory=Counter)  # replies that raw held
    gaps: dict[Pair, Counter[str]] = field(default_factory=dict)  # hours by reason

    def show(self, console: Console) -> None:
        table = Table("venue", "came now", "were there", title="Replies")
        for name in sorted({*self.asked, *self.kept}):
            table.add_row(name, str(self.asked[name]), str(self.kept[name]))
        console.print(table)
        for (name, dataset), reasons in sorted(self.gaps.items()):
            for reason, count in reasons.most_common(3):
                console.print(f"{name} {dataset}, {count} hours: {escape(reason)}", style="dim")


class KeptFirst:
    """Answers from what raw holds of one hour, and asks for the rest."""

    is_virtual = False

    def __init__(self, asking: Transport, kept: Sequence[Envelope]) -> None:
        self._asking = asking
        self._kept = {_asked(envelope): envelope for envelope in kept}
        self.kept_count = 0
        self.new: list[Envelope] = []

    @property
    def clock(self) -> Clock:
        return self._asking.clock

    async def get(self, venue: Venue, request: Request, weight: int) -> Envelope:
        held = self._kept.get((request.path, request.query_string, request.body))
        if held is not None and _is_readable(venue, held):
            self.kept_count += 1
            return held
        envelope = await self._asking.get(venue, request, weight)
        self.new.append(envelope)
        return envelope

    async def aclose(self) -> None:
        """The one that is asked is closed by who opened it."""


def backfill(pipeline: Pipeline, hours: Sequence[datetime], console: Console) -> Fetched:
    """Fetch the archived datasets of these closed hours.

    A venue that fails leaves gaps with their reasons, and the others go on. Killed, it is resumed by asking again.
    """
    pipeline.claim(pipeline.origin)
    venues = [name for name in pipeline.settings.venues if archived_of(name)]
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"{len(venues)} venues, {len(hours)} hours", total=len(venues) * len(hours))
        return asyncio.run(_backfill(pipeline, venues, hours, lambda: progress.advance(task)))


def closed(hours: Sequence[datetime], now: datetime) -> list[datetime]:
    """Those of the hours that are over; raises `BadSetting` where none is."""
    over = [hour for hour in hours if hour + HOUR <= now]
    if not over:
        raise BadSetting(f"{min(hours):%Y-%m-%dT%H:00Z}: the hour is not over (expected closed hours)")
    return over


def archived_of(venue: str) -> list[Pair]:
    """What the venue can be asked for later."""
    endpoints = VENUES[venue].endpoints
    return sorted({(venue, each.dataset) for each in endpoints if each.is_archived and each.requests is not None})


async def _backfill(
    pipeline: Pipeline, venues: Sequence[str], hours: Sequence[datetime], done: Callable[[], None]
) -> Fetched:
    end = max(hours) + HOUR
    transport = pipeline.transport(end)
    if isinstance(transport.clock, VirtualClock):
        transport.clock.set(end)
    fetched = Fetched()
    try:
        listed = await _listed_now(pipeline, transport, venues, hours)
        turns = {name: asyncio.Semaphore(HOURS_AT_ONCE) for name in venues}

        async def fetch(name: str, hour: datetime) -> None:
            async with turns[name]:
                await _fetch(pipeline, transport, name, hour, listed, fetched)
            done()

        await asyncio.gather(*(fetch(name, hour) for hour in sorted(hours) for name in venues))
    finally:
        await transport.aclose()
    return fetched


async def _listed_now(
    pipeline: Pipeline, transport: Transport, venues: Collection[str], hours: Sequence[datetime]
) -> tuple[Instrument, ...]:
    """What is listed now, by which the past is asked for; what was delisted since is left to the venues' defaults."""
    wanted = [(name, "instruments") for name in venues if "instruments" in VENUES[name].datasets]
    plan = Plan(pipeline.settings.underlyings, min(hours), max(hours) + HOUR)
    swept = await capture_sweep(transport, wanted, plan, pipeline.settings.capture_deadline_s)
    return tuple(
        row
        for (name, _), envelopes in swept.envelopes.items()
        for envelope in envelopes
        for row in _instruments(VENUES[name], envelope)
    )


def _instruments(venue: Venue, envelope: Envelope) -> list[Instrument]:
    try:
        return [row for row in venue.parse(envelope.reply()) if isinstance(row, Instrument)]
    except Refused:
        return []  # as if it had not come


async def _fetch(
    pipeline: Pipeline,
    transport: Transport,
    name: str,
    hour: datetime,
    listed: tuple[Instrument, ...],
    fetched: Fetched,
) -> None:
    """One hour of one venue; its new replies are written together."""
    asking = KeptFirst(transport, _kept(pipeline, name, hour))
    plan = Plan(pipeline.settings.underlyings, hour, hour + HOUR, listed)
    captured = await capture_archived(asking, archived_of(name), plan, HOUR_DEADLINE_S)
    new = {id(envelope) for envelope in asking.new}
    for (venue, dataset), envelopes in captured.envelopes.items():
        came = [envelope for envelope in envelopes if id(envelope) in new]
        if came:
            # Replies arrive in any order; asked the same again, they shall be the same object.
            came.sort(key=lambda envelope: (envelope.captured_ts, envelope.path, envelope.query))
            pipeline.raw.write(venue, dataset, hour, came)
    fetched.asked[name] += len(asking.new)
    fetched.kept[name] += asking.kept_count
    _note(pipeline, name, hour, captured, fetched)


def _kept(pipeline: Pipeline, name: str, hour: datetime) -> list[Envelope]:
    """What raw holds of the hour as it was once it had closed."""
    folders = tuple(f"raw/{name}/{dataset}/" for _, dataset in archived_of(name))
    return [
        envelope
        for key in pipeline.raw.objects(name, hour)
        if key.startswith(folders)
        for envelope in pipeline.raw.read(key)
        if envelope.status == 200 and envelope.at is not None and envelope.at >= hour + HOUR
    ]


def _note(pipeline: Pipeline, name: str, hour: datetime, captured: Captured, fetched: Fetched) -> None:
    if captured.gaps:
        pipeline.quarantine.note_gaps(name, hour, {dataset: told for (_, dataset), told in captured.gaps.items()})
    for pair, reasons in captured.gaps.items():
        fetched.gaps.setdefault(pair, Counter()).update(reasons)


def _is_readable(venue: Venue, envelope: Envelope) -> bool:
    """Whether it answers: it has no row, or one that can be read."""
    rejects_count = 0
    try:
        for row in venue.parse(envelope.reply()):
            if not isinstance(row, Reject):
                return True
            rejects_count += 1
    except Refused:
        return False
    return not rejects_count


def _asked(envelope: Envelope) -> Asked:
    return envelope.path, envelope.query, envelope.asked
