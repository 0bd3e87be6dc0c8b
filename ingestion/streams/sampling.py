"""What goes from a stream into the lake: books at even instants and the holes between, the latest quote of a stretch.

A book's sample holds every message that came strictly before its instant. It is given only once the next message has
shown that none was missing before it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec.structs import asdict, replace

from ingestion.records import HoleReason, Kind, OpenInterest, OptionQuote, OrderBook, Record, SpotTicker, StreamHole
from ingestion.streams.books import Book, Verdict
from ingestion.venues.streams import BookDiff, BookSnapshot, Stream

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How often books are sampled, in seconds that divide an hour, and how many levels a side."""

    every_s: float = 1.0
    levels: int = 50


EVERY_SECOND = Sampling()

_ENDED: dict[Verdict, HoleReason] = {Verdict.GAP: "gap", Verdict.RESET: "reset", Verdict.CHECKSUM: "checksum"}


class SampledBook:
    """One book through one hour, which begins with a hole until the first snapshot.

    A crossed or locked book is no sample but a hole: orders that could trade do not rest.
    """

    def __init__(self, venue: str, stream: Stream, kind: Kind, symbol: str, hour: datetime, sampling: Sampling) -> None:
        self.book = Book(stream)
        self._venue, self._kind, self._symbol = venue, kind, symbol
        # Nothing in its diffs would say that the venue itself showed a crossed book.
        self._is_blind = stream.order == "none" and stream.checksum is None and stream.renew is not None
        self._start, self._end = hour, hour + HOUR
        self._every, self._levels = timedelta(seconds=sampling.every_s), sampling.levels
        self._due = hour  # the next instant to sample
        self._hole: StreamHole | None = None
        self._is_left = False
        self._open("no_snapshot", hour)

    def take(self, message: BookSnapshot | BookDiff) -> Iterator[OrderBook | StreamHole]:
        """The samples that this message proves, and the hole that it ends."""
        if self._is_left:
            return
        book, at = self.book, message.captured_ts
        before = self._sample() if book.is_live and self._due <= at and self._due < self._end else None
        last_id, since = book.last_id, book.last_ts or at
        verdict = book.snapshot(message) if isinstance(message, BookSnapshot) else book.diff(message)
        if verdict is Verdict.APPLIED:
            if before is not None:
                yield from self._samples(before, since, at)
        elif verdict is Verdict.STARTED:
            yield from self._mend(at)
        elif verdict is Verdict.REPLACED:
            self._open("reset", since)
            yield from self._mend(at)
        elif verdict in _ENDED:
            self._open(_ENDED[verdict], since)
            if verdict is Verdict.GAP:
                self._note_missed(last_id, message)

    def lose(self, reason: HoleReason, since: datetime) -> None:
        """Forget the book: nothing after its last message can be trusted, or after `since` if that was earlier."""
        if self.book.is_live and self.book.last_ts is not None:
            since = min(since, self.book.last_ts)
        self.book.drop()
        self._open(reason, since)

    def leave(self, until: datetime, at: datetime) -> Iterator[OrderBook | StreamHole]:
        """It is not recorded any more: from here on there is neither sample nor hole; `until` as in `close`."""
        if self.book.is_live and self._due <= until:
            yield from self._samples(self._sample(), self.book.last_ts or until, until)
        yield from self._end_hole(at)
        self.book.drop()
        self._is_left = True

    def resume(self, at: datetime) -> None:
        """It is recorded; if it was left, it has a hole until its next snapshot."""
        if self._is_left:
            self._is_left = False
            self._open("no_snapshot", at)

    def close(self, until: datetime) -> Iterator[OrderBook | StreamHole]:
        """The rest of the hour; a book that is whole lasts as long as its connection was heard."""
        if self.book.is_live and self._due <= until:
            yield from self._samples(self._sample(), self.book.last_ts or until, until)
        if self._hole is not None:
            yield self._hole

    def _sample(self) -> OrderBook:
        bids, asks = self.book.best(self._levels)
        return OrderBook(
            venue=self._venue,
            symbol=self._symbol,
            kind=self._kind,
            captured_ts=self._due,
            event_ts=self.book.event_ts,
            sequence_id=self.book.last_id,
            bid_px=tuple([float(px) for px, _ in bids]),
            bid_qty=tuple([float(qty) for _, qty in bids]),
            ask_px=tuple([float(px) for px, _ in asks]),
            ask_qty=tuple([float(qty) for _, qty in asks]),
        )

    def _samples(self, sample: OrderBook, told_ts: datetime, until: datetime) -> Iterator[OrderBook | StreamHole]:
        is_crossed = bool(sample.bid_px and sample.ask_px) and sample.bid_px[0] >= sample.ask_px[0]
        while self._due <= until and self._due < self._end:
            if is_crossed:
                self._open("crossed", self._due - self._every)
            else:
                yield from self._end_hole(told_ts)
                yield sample if sample.captured_ts == self._due else replace(sample, captured_ts=self._due)
            self._due += self._every
        if is_crossed and self._is_blind:
            self.book.drop()

    def _open(self, reason: HoleReason, since: datetime) -> None:
        if self._is_left:
            return
        if self._hole is None:
            self._hole = StreamHole(
                venue=self._venue,
                symbol=self._symbol,
                kind=self._kind,
                captured_ts=max(since, self._start),
                dataset="order_books",
                reason=reason,
            )
        elif self._hole.reason == "crossed":
            self._hole = replace(self._hole, reason=reason)

    def _note_missed(self, last_id: int | None, message: BookSnapshot | BookDiff) -> None:
        if self._hole is None or last_id is None or not isinstance(message, BookDiff) or message.last_id is None:
            return
        missed_to = (message.first_id or message.last_id) - 1 if message.prev_id is None else message.prev_id
        if missed_to > last_id:
            self._hole = replace(self._hole, missed_from_id=last_id + 1, missed_to_id=missed_to)

    def _mend(self, at: datetime) -> Iterator[StreamHole]:
        yield from self._end_hole(at)
        self._due = max(self._start, self._start + self._every * ((at - self._start) // self._every + 1))

    def _end_hole(self, at: datetime) -> Iterator[StreamHole]:
        hole, self._hole = self._hole, None
        if hole is not None and hole.captured_ts < at:
            yield replace(hole, until_ts=at)


class Latest:
    """Of quotes that say the same about the same, the last one of each stretch; all else passes as it comes."""

    def __init__(self, every_s: float, options_every_s: float) -> None:
        self._every_s, self._options_every_s = every_s, options_every_s
        self._held: dict[tuple[object, ...], tuple[int, Record]] = {}

    def take(self, record: Record, is_patch: bool = False) -> Iterator[Record]:
        """What this record shows to have been the last of its stretch; a patch stands on what was told before."""
        if not isinstance(record, SpotTicker | OptionQuote | OpenInterest):
            yield record
            return
        every_s = self._options_every_s if record.kind == "option" else self._every_s
        stretch = int(record.captured_ts.timestamp() // every_s)
        key = (type(record), record.kind, record.symbol, *(() if is_patch else _told(record)))
        held = self._held.get(key)
        if held is not None and held[0] != stretch:
            yield held[1]
        self._held[key] = (stretch, _patched(held[1], record) if is_patch and held is not None else record)

    def close(self) -> Iterator[Record]:
        """What is still held."""
        for _, record in self._held.values():
            yield record


def _told(record: Record) -> tuple[bool, ...]:
    return tuple([getattr(record, name, None) is not None for name in ("bid_px", "last_px", "mark_px", "funding_rate")])


def _patched(held: Record, record: Record) -> Record:
    return replace(held, **{name: value for name, value in asdict(record).items() if value is not None})
