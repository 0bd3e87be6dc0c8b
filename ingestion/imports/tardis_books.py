"""Books out of `incremental_book_L2`: rebuilt from its lines and sampled at even instants.

https://docs.tardis.dev/faq/order-books#how-can-i-reconstruct-full-order-book-state-from-incremental_book_l2-dataset
A line states a level's new amount, 0 removes it; lines of one `local_timestamp` are one message. A snapshot after
updates means that the connection was lost in between: what stood there meanwhile nobody saw.

A part begins with the state that the lines before it add up to, as snapshot lines of the same columns, so that it can
be read alone: `carried` counts them, `after` says what they follow, `from` and `to` between which instants (µs, the end
not included) the part samples, `lost` that its last line is the last before a connection was lost.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest, nsmallest
from typing import Literal

from msgspec.structs import replace

from ingestion.imports.layouts import Layout
from ingestion.imports.parts import Part, at_micros
from ingestion.imports.tardis_layouts import LAYOUTS, Change, Line
from ingestion.records import HoleReason, OrderBook, Record, StreamHole
from ingestion.venues.base import Refused, Reject
from ingestion.venues.wire import Seen

EVERY_US = 1_000_000
LEVELS = 50

After = Literal["nothing", "snapshot", "update", "lost"]
_AFTER: dict[str, After] = {"nothing": "nothing", "snapshot": "snapshot", "update": "update", "lost": "lost"}
_LAYOUT: Layout = LAYOUTS["incremental_book_L2"]


@dataclass(frozen=True, slots=True)
class Told:
    """What a part of changes says in its query, besides what every part says."""

    carried: int
    after: After
    since_us: int
    until_us: int
    is_lost: bool = False

    def spelled(self) -> dict[str, str]:
        said = {"carried": str(self.carried), "after": self.after}
        said |= {"from": str(self.since_us), "to": str(self.until_us)}
        return said | ({"lost": "1"} if self.is_lost else {})

    @classmethod
    def by(cls, part: Part) -> "Told":
        """What this part says; raises `Refused`."""
        said = part.told
        try:
            after: After = _AFTER[said["after"]]
            return cls(int(said["carried"]), after, int(said["from"]), int(said["to"]), "lost" in said)
        except (KeyError, ValueError) as error:
            raise Refused("file_part", f"{part.path}: not told where its book begins ({error!r})") from error


class RunningBook:
    """The state that lines add up to; it means something after `snapshot` and `update`."""

    def __init__(self, after: After = "nothing") -> None:
        self.after: After = after
        self.last: Change | None = None
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}

    @property
    def is_live(self) -> bool:
        return self.after in ("snapshot", "update")

    def restarts_with(self, change: Change) -> bool:
        """Whether this line shows that something before it was missed."""
        return change.is_snapshot and self.after == "update"

    def take(self, change: Change) -> None:
        """Take the next line; updates without a snapshot before them say nothing."""
        if change.is_snapshot:
            if not (self.after == "snapshot" and self.last and self.last.local_timestamp == change.local_timestamp):
                self.bids.clear()
                self.asks.clear()
            self.after = "snapshot"
        elif self.is_live:
            self.after = "update"
        else:
            return
        self.last = change
        side = self.bids if change.side == "bid" else self.asks
        if change.amount:
            side[change.price] = change.amount
        else:
            side.pop(change.price, None)

    def lose(self) -> None:
        """A line could not be read: the book is unknown until the next snapshot."""
        if self.is_live:
            self.after = "lost"

    def carried(self) -> list[bytes]:
        """The state as snapshot lines, worst level first."""
        last = self.last
        if last is None or not self.is_live:
            return []
        head = f"{last.exchange},{last.symbol},{last.timestamp},{last.local_timestamp},true"
        sides = (("bid", sorted(self.bids.items())), ("ask", sorted(self.asks.items(), reverse=True)))
        return [f"{head},{side},{px!r},{qty!r}".encode() for side, levels in sides for px, qty in levels]

    @classmethod
    def of(cls, lines: Sequence[bytes], after: After) -> "RunningBook":
        """The state that `carried` wrote."""
        book = cls()
        for line in lines:
            book.take(_LAYOUT.decode(line))
        book.after = after
        return book


def read_changes(layout: Layout, part: Part, seen: Callable[[Line], Seen]) -> Iterator[Record | Reject]:
    """Samples of the part's instants, its best 50 levels a side, and the holes between them."""
    told = Told.by(part)
    carried, lines = part.lines[: told.carried], part.lines[told.carried :]
    start_us, end_us = part.bounds
    sampled = _SampledBook(RunningBook.of(carried, told.after), seen, told)
    for line in lines:
        try:
            change = layout.decode(line)
            if not start_us <= change.local_timestamp < end_us:
                raise Refused("outside_hour", f"its clock lies outside the hour {part.hour:%Y-%m-%d %H} UTC")
            yield from sampled.take(change)
        except Refused as refused:
            sampled.lose("gap")
            yield Reject(refused.rule, refused.reason, line)
    yield from sampled.close()


class _SampledBook:
    """A book through one part: its samples and holes, as its lines prove them."""

    def __init__(self, book: RunningBook, seen: Callable[[Line], Seen], told: Told) -> None:
        self._book, self._seen, self._told = book, seen, told
        self._due_us = _instant_from(told.since_us)
        self._line = book.last
        self._hole: tuple[int, HoleReason] | None = None
        if book.after == "lost":
            self._hole = told.since_us, "disconnected"

    def take(self, change: Change) -> Iterator[Record]:
        """Samples up to this line, which is then of the book; raises `Refused`, before anything, for a bad one."""
        self._seen(change)
        at_us = change.local_timestamp
        if self._book.restarts_with(change):
            self.lose("disconnected")
        if self._book.is_live:
            yield from self._samples(at_us + 1)
        elif change.is_snapshot:
            yield from self._mended(change, at_us)
            self._due_us = _instant_from(at_us + 1)
        self._book.take(change)
        self._line = change

    def lose(self, reason: HoleReason) -> None:
        """What comes after the last line is unknown until the next snapshot."""
        last = self._book.last
        if self._book.is_live and last is not None:
            self._hole = last.local_timestamp, reason
        self._book.lose()

    def close(self) -> Iterator[Record]:
        """The rest of the part's instants, or the hole in their place."""
        if self._told.is_lost:
            self.lose("disconnected")
        yield from self._samples(self._told.until_us)
        if self._line is not None:
            yield from self._mended(self._line, None)

    def _samples(self, until_us: int) -> Iterator[Record]:
        book, last = self._book, self._book.last
        if not book.is_live or last is None or self._due_us >= until_us:
            return
        bids, asks = nlargest(LEVELS, book.bids.items()), nsmallest(LEVELS, book.asks.items())
        sample = OrderBook(
            **self._seen(last),
            bid_px=tuple(px for px, _ in bids),
            bid_qty=tuple(qty for _, qty in bids),
            ask_px=tuple(px for px, _ in asks),
            ask_qty=tuple(qty for _, qty in asks),
        )
        while self._due_us < until_us:
            yield replace(sample, captured_ts=at_micros(self._due_us))
            self._due_us += EVERY_US

    def _mended(self, line: Change, until_us: int | None) -> Iterator[Record]:
        if self._hole is None:
            return
        since_us, reason = self._hole
        self._hole = None
        seen = self._seen(line) | {"captured_ts": at_micros(since_us), "event_ts": None}
        until_ts = None if until_us is None else at_micros(until_us)
        yield StreamHole(**seen, dataset="order_books", until_ts=until_ts, reason=reason)


def _instant_from(at_us: int) -> int:
    """The first even instant at or after this one."""
    return -(-at_us // EVERY_US) * EVERY_US
