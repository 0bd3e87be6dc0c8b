"""From raw objects to what they say: a pure function of the sealed replies, with each venue's own parsers.

What cannot be read costs as little as possible: a row, else its reply, else the rest of its object.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from ingestion.alike import told_apart
from ingestion.envelopes import Envelope, Lines, Unreadable
from ingestion.quarantine import Quarantined, Scope
from ingestion.records import OrderBook, Record
from ingestion.streams import EVERY_SECOND, Sampling, read_stream
from ingestion.venues.base import EARLIEST, UNKNOWN_SIDE, Refused, Reject, Reply, Venue
from ingestion.venues.bulk import SLIPS, Bulk, Table
from ingestion.venues.ladders import Answers, Ladder

# A parser owes `Refused` for what it cannot read. These are what a slip in one raises on a hostile
# payload: they cost the reply and are told apart as rule `parser`, and the hour goes on.
PARSER_SLIPS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)

STREAM = "stream"  # the raw dataset of WebSocket frames
VENDOR_FILES = frozenset({"tardis", "binance_vision"})  # raw datasets of files that were imported

_SHOWN_BYTES = 4096  # of a reply that is refused
AT_ONCE_BYTES = 2 * 1024 * 1024  # of replies that are read together
_MAX_QUESTIONS = 4096  # remembered of one object
_STREAM_ITEMS = 500  # handed on at once
_RECORD_BYTES, _BOOK_BYTES = 300, 6_000  # about what a record of a stream takes

Objects = Iterable[tuple[str, Iterable[Envelope | Lines]]]


@dataclass(frozen=True, slots=True)
class Said:
    """What one reply says, or several, or some frames of a stream, and about how many bytes that is. May be nothing."""

    key: str
    raw_dataset: str
    rows: list[Record]
    refused: list[Quarantined]
    bytes_count: int
    tables: Sequence[Table] = ()  # rows that were read as columns


def read(venue: Venue, hour: datetime, objects: Objects, sampling: Sampling = EVERY_SECOND) -> Iterator[Said]:
    """Read the raw objects of one hour, reply by reply; those of a stream are one sequence in the order of keys."""
    streamed = []
    for key, envelopes in objects:
        if dataset_in(key) == STREAM:
            streamed.append((key, envelopes))
        else:
            yield from _Reader(venue, hour, key).read(envelopes)
    if streamed:
        yield from _read_stream(venue, hour, sorted(streamed, key=lambda pair: pair[0]), sampling)


def dataset_in(key: str) -> str:
    """The dataset in a raw object's key, `raw/<venue>/<dataset>/…`."""
    parts = key.split("/")
    if len(parts) < 4 or parts[0] != "raw":
        raise ValueError(f"raw object {key!r}: expected raw/<venue>/<dataset>/…")
    return parts[2]


class _Question(NamedTuple):
    """What was asked, as a reply without a body, and what reads its answers at once; none if nothing does."""

    bulk: Bulk | None
    reply: Reply


_UNREAD = _Question(None, Reply("", {}, b"", EARLIEST))


class _Reader:
    """One raw object, reply by reply, or many replies at once where their endpoint can be read so."""

    def __init__(self, venue: Venue, hour: datetime, key: str) -> None:
        self._venue = venue
        self._hour = hour
        self._key = key
        self._raw_dataset = dataset_in(key)
        self._questions: dict[tuple[str, str, bytes], _Question] = {}  # by path, query, what was posted

    def read(self, items: Iterable[Envelope | Lines]) -> Iterator[Said]:
        yield Said(self._key, self._raw_dataset, [], [], 0)
        waiting: list[Envelope] = []
        waiting_bytes = 0
        try:
            for item in items:
                if isinstance(item, Lines) and (tables := self._read_lines(item)):
                    yield Said(self._key, self._raw_dataset, [], [], len(item.text), tables)
                    continue
                for envelope in item.envelopes() if isinstance(item, Lines) else [item]:
                    waiting.append(envelope)
                    waiting_bytes += len(envelope.body)
                    if waiting_bytes > AT_ONCE_BYTES:
                        yield from self._read_many(waiting)
                        waiting, waiting_bytes = [], 0
        except Unreadable as error:
            yield Said(self._key, self._raw_dataset, [], [_unreadable(error, self._key, self._raw_dataset)], 0)
        yield from self._read_many(waiting)

    def _read_lines(self, lines: Lines) -> list[Table] | None:
        """What lines that are a book each say; none where one of them is anything else."""
        try:
            [first] = lines._replace(text=lines.text[: lines.text.find(b"\n") + 1]).envelopes()
            ladder = self._asked(first).bulk
            if not isinstance(ladder, Ladder) or not ladder.reads_lines:
                return None
            cut = ladder.cut(lines.text if lines.text.endswith(b"\n") else lines.text + b"\n")
            answers = []
            for alike in told_apart(lines._replace(text=cut.rest)):
                bulk, asked = self._asked(alike.first)
                if bulk is not ladder or alike.first.encoding != "json":
                    return None
                answers.append(Answers(asked, alike.lines, alike.captured_us, alike.bodies))
            return [(OrderBook, ladder.read_cut(self._hour, answers, cut))]
        except SLIPS:
            return None

    def _read_many(self, envelopes: Sequence[Envelope]) -> Iterator[Said]:
        at_once: dict[Bulk, tuple[list[Envelope], list[Reply]]] = {}
        for envelope in envelopes:
            bulk, question = self._asked(envelope)
            try:
                reply = None if bulk is None else envelope.answer_to(question)
            except (ValueError, OverflowError):
                reply = None
            if bulk is None or reply is None:
                yield self._read_one(envelope)
                continue
            sources, replies = at_once.setdefault(bulk, ([], []))
            sources.append(envelope)
            replies.append(reply)
        for bulk, (sources, replies) in at_once.items():
            joined = bulk.read_all(self._hour, replies)
            for place in joined.unplain:
                yield self._read_one(sources[place])
            size = sum([len(envelope.body) for envelope in sources])
            yield Said(self._key, self._raw_dataset, [], [], size, joined.tables)

    def _asked(self, envelope: Envelope) -> _Question:
        if envelope.venue != self._venue.name or envelope.status != 200:
            return _UNREAD
        key = envelope.path, envelope.query, bytes(envelope.request)
        if key not in self._questions:
            if len(self._questions) == _MAX_QUESTIONS:
                self._questions.clear()
            self._questions[key] = _UNREAD
            if self._raw_dataset not in VENDOR_FILES:
                with suppress(*PARSER_SLIPS):  # it is refused where it is read by itself
                    reply = Reply.read(envelope.path, envelope.query, b"", EARLIEST, envelope.asked)
                    parse = self._venue.endpoint(reply.path, reply.query).parse
                    if isinstance(parse, Bulk):
                        self._questions[key] = _Question(parse, reply)
        return self._questions[key]

    def _read_one(self, envelope: Envelope) -> Said:
        told_of = _told_of(self._raw_dataset, envelope)
        try:
            items = _read_reply(self._venue, self._raw_dataset, envelope)
        except Refused as refused:
            start = bytes(envelope.body)[:_SHOWN_BYTES].decode("utf-8", "replace")
            entry = Quarantined(refused.rule, refused.reason, self._key, told_of, start, "reply")
            return Said(self._key, self._raw_dataset, [], [entry], 0)
        return _said(self._key, self._raw_dataset, items, len(envelope.body), told_of)


def _read_reply(venue: Venue, raw_dataset: str, envelope: Envelope) -> list[Record | Reject]:
    """The whole reply or `Refused`: rows read before a refusal do not count."""
    asked = f"{envelope.path}?{envelope.query}" if envelope.query else envelope.path
    if envelope.venue != venue.name:
        raise Refused("venue", f"{asked}: a reply of {envelope.venue!r} among those of {venue.name}")
    if envelope.status != 200:
        raise Refused("http_status", f"{asked}: status {envelope.status} (expected 200)")
    try:
        if raw_dataset in VENDOR_FILES:
            from ingestion.imports import read_file_rows

            return list(read_file_rows(venue, envelope))
        return list(venue.parse(_reply(envelope, asked)))
    except Refused:
        raise
    except PARSER_SLIPS as error:
        raise Refused("parser", f"{asked}: {type(error).__name__}: {error}") from error


def _told_of(raw_dataset: str, envelope: Envelope) -> str:
    """The dataset that a refusal of this envelope counts against."""
    if raw_dataset in VENDOR_FILES:
        from ingestion.imports import file_dataset

        with suppress(Refused):
            return file_dataset(envelope)
    return raw_dataset


def _reply(envelope: Envelope, asked: str) -> Reply:
    try:
        return envelope.reply()
    except (ValueError, OverflowError) as error:
        raise Refused("envelope", f"{asked}: {error}") from error


def _read_stream(
    venue: Venue, hour: datetime, objects: Sequence[tuple[str, Iterable[Envelope | Lines]]], sampling: Sampling
) -> Iterator[Said]:
    key = objects[0][0]
    damaged: list[Quarantined] = []

    def sequence() -> Iterator[Envelope | Unreadable]:
        nonlocal key
        for key, items in objects:
            try:
                for item in items:
                    yield from item.envelopes() if isinstance(item, Lines) else [item]
            except Unreadable as error:
                damaged.append(_unreadable(error, key, STREAM))
                yield error

    begun, portion = key, list[Record | Reject]()
    try:
        for item in read_stream(venue, hour, sequence(), sampling):
            if portion and (key != begun or len(portion) == _STREAM_ITEMS):
                yield _said(begun, STREAM, portion, _bytes_of(portion))
                portion = []
            begun = key  # which frame a row came from nobody says: the object being read stands for it
            portion.append(item)
    except PARSER_SLIPS as error:
        reason = f"{type(error).__name__}: {error} (the rest of the hour's stream is lost)"
        damaged.append(Quarantined("parser", reason, key, STREAM, scope="reply"))
    yield _said(begun, STREAM, portion, _bytes_of(portion))
    for key, _ in objects:
        yield Said(key, STREAM, [], [entry for entry in damaged if entry.object_key == key], 0)


def _bytes_of(items: Sequence[Record | Reject]) -> int:
    return sum(_BOOK_BYTES if type(item) is OrderBook else _RECORD_BYTES for item in items)


def _said(
    key: str, raw_dataset: str, items: Sequence[Record | Reject], bytes_count: int, told_of: str | None = None
) -> Said:
    rows: list[Record] = []
    refused = []
    for item in items:
        if isinstance(item, Reject):
            row = item.row.decode("utf-8", "replace")
            scope: Scope = "unsided" if item.rule == UNKNOWN_SIDE else "row"
            refused.append(Quarantined(item.rule, item.reason, key, item.dataset or told_of or raw_dataset, row, scope))
        else:
            rows.append(item)
    return Said(key, raw_dataset, rows, refused, bytes_count)


def _unreadable(error: Unreadable, key: str, raw_dataset: str) -> Quarantined:
    return Quarantined("unreadable_object", str(error), key, raw_dataset, scope="reply")
