"""One hour of a venue's streams, from raw envelopes to canonical rows: a pure function of what the recorder wrote."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from urllib.parse import parse_qsl

import msgspec
from msgspec.structs import replace

from ingestion.envelopes import Envelope, Unreadable
from ingestion.records import DATASET_OF, HoleReason, Kind, Record, StreamHole, Trade
from ingestion.streams.connections import BookKey, Connection
from ingestion.streams.sampling import EVERY_SECOND, HOUR, Latest, SampledBook, Sampling
from ingestion.venues.base import Refused, Reject, Reply, Venue
from ingestion.venues.streams import (
    NOTE_METHOD,
    WS_METHOD,
    BookDiff,
    BookSnapshot,
    Control,
    Note,
    NoteEvent,
    Stream,
    Told,
)

SLIPS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)  # Refused among them
SHOWN_BYTES = 4096  # of a frame that is refused

_LOST: dict[NoteEvent, HoleReason] = {
    "connected": "disconnected",
    "disconnected": "disconnected",
    "silent": "silence",
    "dropped": "overflow",
    "killed": "killed",
    "stopped": "disconnected",
}
_NOTE = msgspec.json.Decoder(Note)


def read_stream(
    venue: Venue,
    hour: datetime,
    envelopes: Iterable[Envelope | Unreadable],
    sampling: Sampling = EVERY_SECOND,
    quotes_every_s: float = 1.0,
    options_every_s: float = 60.0,
) -> Iterator[Record | Reject]:
    """Everything that the raw objects of dataset `stream` say about one hour, all of them, in the order of their keys.

    Books at every instant that is a multiple of `sampling.every_s` into the hour, except in a hole; the last quote of
    every `quotes_every_s`, of options of every `options_every_s`; trades and liquidations as they came; the holes.
    An object that is damaged half-way stands in `envelopes` as its `Unreadable`: whatever came after it is missing.
    """
    reader = _Hour(venue, hour, sampling, Latest(quotes_every_s, options_every_s))
    for envelope in envelopes:
        if isinstance(envelope, Unreadable):
            reader.lose_all("gap")
            continue
        try:
            yield from reader.take(envelope)
        except SLIPS as error:
            rule, reason = _rule(error)
            body = bytes(envelope.body)
            yield Reject(rule, f"{envelope.path}: {reason}", body[:SHOWN_BYTES], reader.dataset_of(envelope.path, body))
    yield from reader.close()


class _Hour:
    def __init__(self, venue: Venue, hour: datetime, sampling: Sampling, latest: Latest) -> None:
        self._venue, self._hour, self._sampling, self._latest = venue, hour, sampling, latest
        self._streams = {stream.path: stream for stream in venue.streams}
        self._connections: dict[tuple[str, str], Connection] = {}
        self._books: dict[BookKey, SampledBook] = {}

    def take(self, envelope: Envelope) -> Iterator[Record | Reject]:
        at = envelope.at
        if at is None:
            raise Refused("envelope", "no capture time")
        if envelope.venue != self._venue.name:
            raise Refused("venue", f"an envelope of {envelope.venue!r} among those of {self._venue.name}")
        if envelope.method not in (WS_METHOD, NOTE_METHOD):
            return self._snapshot(envelope)
        connection = self._connection(envelope)
        reply = Reply(envelope.path, _asked(envelope.query), envelope.reply_bytes, at)
        return self._frame(connection, reply) if envelope.method == WS_METHOD else self._note(connection, reply)

    def dataset_of(self, path: str, frame: bytes) -> str | None:
        """What a frame that was refused would have told of."""
        return self._streams[path].dataset_of(frame) if path in self._streams else None

    def lose_all(self, reason: HoleReason) -> None:
        for connection in self._connections.values():
            connection.lose(reason, connection.heard_ts)

    def close(self) -> Iterator[Record | Reject]:
        for connection in self._connections.values():
            if (self._hour + HOUR - connection.heard_ts).total_seconds() > connection.stream.silence_s:
                connection.lose("silence", connection.heard_ts)
            for key in connection.books:
                yield from self._books.pop(key).close(connection.heard_ts)
            yield from connection.close()
        for book in self._books.values():  # of which no frame told
            yield from book.close(self._hour)
        yield from self._latest.close()

    def _frame(self, connection: Connection, reply: Reply) -> Iterator[Record | Reject]:
        stream = connection.stream
        yield from connection.hear(reply.captured_ts)
        try:
            said = list(stream.read(reply))
        except SLIPS:
            if stream.order == "none":  # elsewhere the ids will show whether it was about a book
                for book in connection.books.values():
                    book.lose("gap", reply.captured_ts)
            raise
        for item in said:
            if isinstance(item, BookDiff | BookSnapshot):
                yield from self._book_of(connection, item.kind, item.symbol).take(item)
            elif isinstance(item, Control):
                if item.event == "error":
                    yield Reject("venue_error", f"{reply.path}: {item.text}", reply.body[:SHOWN_BYTES])
            elif isinstance(item, Reject):
                yield Reject(item.rule, item.reason, item.row, stream.dataset_of(reply.body))
            else:
                connection.tells(Told(DATASET_OF[type(item)], item.kind, item.symbol))
                if isinstance(item, Trade) and stream.counts_trades:
                    yield from connection.count(item)
                yield from self._latest.take(item, stream.patches_tickers)

    def _note(self, connection: Connection, reply: Reply) -> Iterator[Record | Reject]:
        note = _NOTE.decode(reply.body)
        told_by = {channel: connection.stream.told(channel) for channel in note.channels}
        for channel in (channel for channel, told in told_by.items() if told is None):
            yield Reject("unknown_symbol", f"{reply.path}: no channel of ours, {channel[:80]!r}", channel.encode())
        carried = {channel: told for channel, told in told_by.items() if told is not None}
        if note.event == "left":
            yield from self._leave(connection, carried, reply.captured_ts)
            return
        for channel, told in carried.items():
            connection.carry(channel, told, self._take_over(connection, channel))
            if told.dataset == "order_books":
                self._book_of(connection, told.kind, told.symbol).resume(reply.captured_ts)
        if note.event != "continued":
            connection.lose(_LOST[note.event], note.since_ts or min(connection.heard_ts, reply.captured_ts))
        if note.event in ("continued", "dropped"):  # the connection itself went on
            yield from connection.hear(reply.captured_ts)
        connection.heard_ts = max(connection.heard_ts, reply.captured_ts)

    def _take_over(self, connection: Connection, channel: str) -> list[StreamHole]:
        """A channel may come over another connection than before: the holes in it go with it."""
        others = [each for each in self._connections.values() if each.stream is connection.stream]
        return [hole for other in others if other is not connection for hole in other.give_up(channel)]

    def _leave(self, connection: Connection, left: Mapping[str, Told], at: datetime) -> Iterator[Record]:
        for channel, told in left.items():
            yield from (replace(hole, until_ts=at) for hole in connection.give_up(channel) if hole.captured_ts < at)
            book = connection.books.get((connection.stream.name, told.kind, told.symbol))
            if book is not None and told.dataset == "order_books":
                yield from book.leave(connection.heard_ts, at)

    def _snapshot(self, envelope: Envelope) -> Iterator[Record | Reject]:
        reply = envelope.reply()
        if envelope.status != 200:
            raise Refused("http_status", f"status {envelope.status} (expected 200)")
        for stream in self._streams.values():
            if _asks(stream, reply) and stream.read_snapshot is not None:
                for snapshot in stream.read_snapshot(reply):
                    yield from self._book(stream, snapshot.kind, snapshot.symbol).take(snapshot)
                return
        raise Refused("unknown_endpoint", "no stream's snapshot")

    def _connection(self, envelope: Envelope) -> Connection:
        key = (envelope.path, envelope.query)
        if key not in self._connections:
            stream = self._streams.get(envelope.path)
            if stream is None:
                raise Refused("unknown_endpoint", f"{self._venue.name} has no such stream")
            self._connections[key] = Connection(self._venue.name, stream, self._hour)
        return self._connections[key]

    def _book(self, stream: Stream, kind: Kind, symbol: str) -> SampledBook:
        key = (stream.name, kind, symbol)
        if key not in self._books:
            self._books[key] = SampledBook(self._venue.name, stream, kind, symbol, self._hour, self._sampling)
        return self._books[key]

    def _book_of(self, connection: Connection, kind: Kind, symbol: str) -> SampledBook:
        key = (connection.stream.name, kind, symbol)
        if key not in connection.books:
            for other in self._connections.values():
                other.books.pop(key, None)  # it has moved
            connection.books[key] = self._book(connection.stream, kind, symbol)
        return connection.books[key]


def _asks(stream: Stream, reply: Reply) -> bool:
    return stream.snapshot is not None and stream.snapshot(reply.query.get("symbol", "")).path == reply.path


@lru_cache(maxsize=256)
def _asked(query: str) -> Mapping[str, str]:
    return dict(parse_qsl(query, keep_blank_values=True))


def _rule(error: Exception) -> tuple[str, str]:
    if isinstance(error, Refused):
        return error.rule, error.reason
    if isinstance(error, msgspec.DecodeError):
        return "schema", str(error)
    return "parser", f"{type(error).__name__}: {error}"
