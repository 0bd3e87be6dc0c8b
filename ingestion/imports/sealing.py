"""A file's lines into the raw zone, hour by hour, as they stand.

What is sealed depends on the file alone: sealed again, or resumed after it was killed half-way, it is the same objects.
What waits to be written is bounded, whatever the file's size.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from ingestion.envelopes import Envelope
from ingestion.hours import hour_of
from ingestion.imports.archives import Archive, BadFile, SourceFile, Told
from ingestion.imports.parts import EARLIEST_US, HOUR_US, LATEST_US, Part, Span, at_micros, micros_of, sealed
from ingestion.imports.tardis_books import RunningBook
from ingestion.imports.tardis_books import Told as BookTold
from ingestion.imports.tardis_layouts import Change
from ingestion.raw import RawZone
from ingestion.storage import Missing
from ingestion.venues.base import Refused

PART_BYTES = 1024 * 1024
MAX_PART_BYTES = 8 * PART_BYTES  # where a part may not end before
OBJECT_BYTES = 8 * PART_BYTES
WAITING_BYTES = 2 * OBJECT_BYTES
SLACK_US = 24 * HOUR_US  # a clock further from the file's own period is damage, and opens no hour


@dataclass
class Sealed:
    """What a file held."""

    lines_count: int = 0
    hours: set[datetime] = field(default_factory=set)


def seal(archive: Archive, raw: RawZone, told: Told) -> Sealed:
    """Put the whole file into raw; an object that is there already is left as it is.

    Raises `BadFile` where raw holds another content of it.
    """
    source = archive.source
    done = Sealed()
    waiting: dict[datetime, list[Envelope]] = {}
    sizes: dict[datetime, int] = {}

    def write(hour: datetime) -> None:
        raw.write(source.venue, source.raw_dataset, hour, waiting.pop(hour))
        sizes.pop(hour)

    for at_us, part in _book_parts(archive, told) if source.has_changes else _parts(archive, told):
        if not done.hours:
            _claim(archive, raw)
        hour = part.hour
        envelope = sealed(source.venue, at_us, part)
        waiting[hour] = [*waiting.pop(hour, []), envelope]  # the hour that was added to last stands last
        sizes[hour] = sizes.get(hour, 0) + len(bytes(envelope.body))
        done.lines_count += sum(last - first + 1 for first, last in part.spans)
        done.hours.add(hour)
        if sizes[hour] >= OBJECT_BYTES:
            write(hour)
        while sum(sizes.values()) > WAITING_BYTES:
            write(next(iter(waiting)))
    for hour in list(waiting):
        write(hour)
    return done


def refuse_two_versions(archives: Iterable[Archive]) -> None:
    """Raise `BadFile` where two of these are the same file of different content."""
    first: dict[str, Archive] = {}
    for archive in archives:
        held = first.setdefault(_pointer(archive.source), archive)
        if held.sha256 != archive.sha256:
            raise BadFile(
                f"{archive.local}: of sha256 {archive.sha256[:16]}…, and {held.local} is the same file "
                f"of sha256 {held.sha256[:16]}… (expected one content of a file)"
            )


def refuse_other_version(archive: Archive, raw: RawZone) -> None:
    """Raise `BadFile` where raw holds another content of the same file: its rows would contradict these."""
    try:
        held = raw.store.read(_pointer(archive.source)).decode()
    except Missing:
        return
    if held != archive.sha256:
        raise BadFile(
            f"{archive.local.name}: another content of it was imported, of sha256 {held[:16]}…; this is of sha256 "
            f"{archive.sha256[:16]}… (expected the same; a corrected file belongs into a lake without the old one)"
        )


def _claim(archive: Archive, raw: RawZone) -> None:
    """Let raw take no other content of this file; who comes second is refused."""
    raw.store.put_new(_pointer(archive.source), archive.sha256.encode())
    refuse_other_version(archive, raw)


def _pointer(source: SourceFile) -> str:
    """Where raw says, beside the hours and before any of them, of which content the file is."""
    return f"raw/{source.venue}/{source.raw_dataset}/files{source.path}.sha256"


def _bounds(archive: Archive) -> Span:
    start, end = archive.source.period
    return micros_of(start) - SLACK_US, micros_of(end) + SLACK_US


def _placed(archive: Archive, line: bytes, bounds: Span) -> int | None:
    """Where in time a line belongs, if it says so credibly."""
    try:
        at_us = archive.layout.clock(line)
    except (ValueError, LookupError):
        return None
    return at_us if bounds[0] <= at_us < bounds[1] else None


class _Open:
    """A part that lines are being added to."""

    def __init__(self, archive: Archive, hour: datetime, at_us: int) -> None:
        self.hour, self.at_us = hour, at_us
        self.size = 0
        self._archive = archive
        self._lines: list[bytes] = []
        self._spans: list[Span] = []

    def add(self, number: int, line: bytes) -> None:
        self._lines.append(line)
        self.size += len(line) + 1
        if self._spans and self._spans[-1][1] == number - 1:
            self._spans[-1] = (self._spans[-1][0], number)
        else:
            self._spans.append((number, number))

    def part(self, told: dict[str, str], carried: Iterable[bytes] = ()) -> tuple[int, Part]:
        source = self._archive.source
        if len(source.layouts) > 1:
            told = {"columns": str(len(self._archive.layout.columns)), **told}
        lines = [*carried, *self._lines]
        return self.at_us, Part(source.host, source.path, self._archive.sha256, self.hour, self._spans, lines, told)


def _parts(archive: Archive, told: Told) -> Iterator[tuple[int, Part]]:
    """Parts of lines that mean something each by itself."""
    stretch_us = archive.layout.stretch_us
    bounds = _bounds(archive)
    parts: dict[datetime, _Open] = {}
    hour, start_us = hour_of(archive.source.period[0]), micros_of(archive.source.period[0])
    size, stretch = 0, -1
    for number, line in archive.lines(told):
        at_us = _placed(archive, line, bounds)
        if at_us is not None and not start_us <= at_us < start_us + HOUR_US:
            hour = hour_of(at_micros(at_us))
            start_us = micros_of(hour)
        part = parts.get(hour)
        now = at_us // stretch_us if stretch_us and at_us is not None else stretch
        may_end = not stretch_us or now != stretch
        if part is not None and part.size >= (PART_BYTES if may_end else MAX_PART_BYTES):
            size -= part.size
            yield parts.pop(hour).part({})
            part = None
        if part is None:
            part = parts[hour] = _Open(archive, hour, start_us if at_us is None else at_us)
        part.add(number, line)
        size, stretch = size + len(line) + 1, now
        if size > OBJECT_BYTES:
            # The hour that was opened first: files run forward.
            oldest = next(iter(parts))
            size -= parts[oldest].size
            yield parts.pop(oldest).part({})
    for part in parts.values():
        yield part.part({})


class _OpenBook(_Open):
    """A part of changes, with the state that it begins with."""

    def __init__(self, archive: Archive, book: RunningBook, hour: datetime, since_us: int) -> None:
        super().__init__(archive, hour, since_us)
        self._carried, self._after = book.carried(), book.after

    def close(self, until_us: int, *, is_lost: bool = False) -> tuple[int, Part]:
        said = BookTold(len(self._carried), self._after, self.at_us, until_us, is_lost)
        return self.part(said.spelled(), self._carried)


def _book_parts(archive: Archive, told: Told) -> Iterator[tuple[int, Part]]:
    """Parts of changes, each beginning with the state that those before it add up to."""
    book = RunningBook()
    bounds = _bounds(archive)
    part: _OpenBook | None = None
    at_us = micros_of(archive.source.period[0])
    for number, line in archive.lines(told):
        change = _change(archive, line, bounds)
        before_us = at_us
        at_us = at_us if change is None else change.local_timestamp
        if part is None:
            part = _OpenBook(archive, book, hour_of(at_micros(at_us)), at_us)
        restarts = change is not None and book.restarts_with(change)
        end_us = micros_of(part.hour) + HOUR_US
        if at_us >= end_us:
            yield part.close(end_us, is_lost=restarts)
            if restarts:
                book.lose()
            hour = hour_of(at_micros(at_us))
            part = _OpenBook(archive, book, hour, micros_of(hour))
        elif part.size >= PART_BYTES:
            may_end = at_us != before_us and book.is_live and not restarts
            if may_end or part.size >= MAX_PART_BYTES:
                yield part.close(at_us + 1)
                part = _OpenBook(archive, book, part.hour, at_us + 1)
        part.add(number, line)
        if change is None:
            book.lose()
        else:
            book.take(change)
    if part is not None:
        yield part.close(at_us + 1)


def _change(archive: Archive, line: bytes, bounds: Span) -> Change | None:
    """The line as its reader will take it, or none: what it refuses must not be of the state that parts carry."""
    try:
        change: Change = archive.layout.decode(line)
    except Refused:
        return None
    if not EARLIEST_US <= change.timestamp < LATEST_US:
        return None
    return change if bounds[0] <= change.local_timestamp < bounds[1] else None
