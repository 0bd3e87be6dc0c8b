"""One book, rebuilt from snapshots and diffs under its venue's rule of sequence.

A diff that does not follow ends the book: there is none until the next snapshot. Quantities in diffs are absolute, so
that a duplicate is harmless; it is told by its id and dropped all the same.

A snapshot by REST need not fall between two diffs. Those that came before it are kept, and the first that goes beyond
it must reach back to it. Beyond the levels that such a snapshot has, only what changed since is known: see `reach`.
"""

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from enum import Enum, auto
from heapq import nlargest, nsmallest
from itertools import pairwise
from math import inf
from typing import TypeAlias

from ingestion.venues.streams import BookDiff, BookSnapshot, Level, Number, Stream

MAX_KEPT_DIFFS = 500  # for a snapshot by REST to join: 50 s of a venue that sends ten a second

Side: TypeAlias = dict[Number, Number]


class Verdict(Enum):
    """What became of a message."""

    APPLIED = auto()  # the book is whole, and was so just before
    STARTED = auto()  # the book is whole from here on
    REPLACED = auto()  # whole from here on, but what was before it may have missed something
    DUPLICATE = auto()  # told before: nothing changed
    WAITING = auto()  # there is no book yet
    GAP = auto()  # a message before this one is missing: there is no book any more
    RESET = auto()  # the venue counts anew: there is no book any more
    CHECKSUM = auto()  # the book is not the venue's: there is none any more


class Book:
    """One book of a stream; `bids` and `asks` are quantities by price, meaningless unless `is_live`."""

    def __init__(self, stream: Stream) -> None:
        self.is_live = False
        self.bids: Side = {}
        self.asks: Side = {}
        self.last_id: int | None = None
        self.event_ts: datetime | None = None
        self.last_ts: datetime | None = None  # our clock at the last message that was applied
        self._order = stream.order
        self._window = stream.window
        self._checksum = stream.checksum
        self._joins = stream.snapshot is not None
        self._is_whole_each = stream.renew is None and stream.snapshot is None
        self._kept: deque[BookDiff] = deque(maxlen=MAX_KEPT_DIFFS)
        self._offered: BookSnapshot | None = None  # a snapshot by REST that no diff reaches yet
        self._reach = (-inf, inf)  # the worst prices up to which every level is known

    def snapshot(self, snapshot: BookSnapshot) -> Verdict:
        """Take a whole book, from a frame or by REST."""
        if self._joins:
            self._offered = snapshot
            return self._join()
        if self.is_live and _is_before(snapshot.event_ts, self.event_ts):
            return Verdict.DUPLICATE
        was_live, followed = self.is_live, self._is_whole_each or snapshot.last_id == self.last_id is not None
        self._start(snapshot)
        if not self._is_right(snapshot.checksum):
            return self._end(Verdict.CHECKSUM)
        if not was_live:
            return Verdict.STARTED
        return Verdict.APPLIED if followed else Verdict.REPLACED

    def diff(self, diff: BookDiff) -> Verdict:
        """Take what changed."""
        if self._joins:
            self._keep(diff)
        if not self.is_live:
            return self._join() if self._offered is not None else Verdict.WAITING
        if not self._follows(diff):
            if diff.last_id is None or self.last_id is None or diff.last_id > self.last_id:
                return self._end(Verdict.GAP, diff)
            # Ids that went back are old news, unless the venue's clock went on meanwhile.
            if _is_before(self.event_ts, diff.event_ts):
                return self._end(Verdict.RESET, diff)
            return Verdict.DUPLICATE
        self._apply(diff)
        if not self._is_right(diff.checksum):
            return self._end(Verdict.CHECKSUM)
        if self._offered is not None:
            self._join()
        return Verdict.APPLIED

    def drop(self) -> None:
        """Forget the book, because something outside says that messages were lost."""
        self._end(Verdict.GAP)

    def best(self, levels: int) -> tuple[list[Level], list[Level]]:
        """The best bids and asks, best first."""
        bids, asks = self.bids, self.asks
        if len(bids) + len(asks) > 40 * levels:  # where a heap of a few beats sorting many
            return [(px, bids[px]) for px in nlargest(levels, bids)], [(px, asks[px]) for px in nsmallest(levels, asks)]
        return (
            [(px, bids[px]) for px in sorted(bids, reverse=True)[:levels]],
            [(px, asks[px]) for px in sorted(asks)[:levels]],
        )

    @property
    def reach(self) -> int:
        """How many levels are known without a hole between them, on the side that has fewer.

        The price moves away from what a snapshot by REST of so many levels had: time to ask for another.
        """
        lowest, highest = self._reach
        return min(sum(px >= lowest for px in self.bids), sum(px <= highest for px in self.asks))

    def _follows(self, diff: BookDiff) -> bool:
        match self._order:
            case "prev":
                return diff.prev_id == self.last_id
            case "span":
                return self.last_id is not None and diff.first_id == self.last_id + 1
            case "step":
                return self.last_id is not None and diff.last_id == self.last_id + 1
        return True

    def _start(self, snapshot: BookSnapshot) -> None:
        self.bids = {px: qty for px, qty in snapshot.bids if qty}
        self.asks = {px: qty for px, qty in snapshot.asks if qty}
        self.last_id, self.event_ts, self.last_ts = snapshot.last_id, snapshot.event_ts, snapshot.captured_ts
        self.is_live = True
        depth = snapshot.depth if self._joins else None
        self._reach = (
            float(min(self.bids)) if depth and len(self.bids) >= depth else -inf,
            float(max(self.asks)) if depth and len(self.asks) >= depth else inf,
        )

    def _apply(self, diff: BookDiff) -> None:
        for side, changes in ((self.bids, diff.bids), (self.asks, diff.asks)):
            for px, qty in changes:
                if qty:
                    side[px] = qty
                else:
                    side.pop(px, None)
        self.last_id, self.event_ts, self.last_ts = diff.last_id, diff.event_ts, diff.captured_ts
        if self._window is not None:
            while len(self.bids) > self._window:
                del self.bids[min(self.bids)]
            while len(self.asks) > self._window:
                del self.asks[max(self.asks)]

    def _is_right(self, checksum: int | None) -> bool:
        return self._checksum is None or checksum is None or self._checksum(*self.best(10)) == checksum

    def _end(self, verdict: Verdict, last: BookDiff | None = None) -> Verdict:
        self.is_live = False
        self._offered = None
        self._kept.clear()
        if last is not None and self._joins:
            self._kept.append(last)
        return verdict

    def _keep(self, diff: BookDiff) -> None:
        if self._kept and not self.is_live:
            before = self._kept[-1]
            if (diff.last_id or 0) < (before.last_id or 0) and _is_before(before.event_ts, diff.event_ts):
                self._kept.clear()  # counted anew while there was no book
        self._kept.append(diff)

    def _join(self) -> Verdict:
        """Bring the offered snapshot up to the last diff, if the diffs kept reach back to it."""
        snapshot, was_live = self._offered, self.is_live
        if snapshot is None or snapshot.last_id is None:
            return Verdict.WAITING
        beyond = sorted(
            (diff for diff in self._kept if diff.last_id is not None and diff.last_id > snapshot.last_id),
            key=lambda diff: diff.last_id or 0,
        )
        if not beyond:  # the stream is not there yet
            return Verdict.DUPLICATE if was_live else Verdict.WAITING
        self._offered = None
        if not _is_chain(self._order, snapshot.last_id, beyond):
            if was_live:
                return Verdict.DUPLICATE  # too old to be of use, and the book goes on
            return Verdict.WAITING
        self._start(snapshot)
        for diff in _once(beyond):
            self._apply(diff)
        return Verdict.DUPLICATE if was_live else Verdict.STARTED


def _is_before(a: datetime | None, b: datetime | None) -> bool:
    return a is not None and b is not None and a < b


def _once(diffs: Sequence[BookDiff]) -> list[BookDiff]:
    return list({diff.last_id: diff for diff in diffs}.values())


def _is_chain(order: str, held_id: int, diffs: Sequence[BookDiff]) -> bool:
    """Whether these diffs, once each and in order, miss nothing after what the snapshot holds."""
    wanted = _once(diffs)
    first = wanted[0]
    if order == "prev":
        # Binance asks for U ≤ lastUpdateId ≤ u; a snapshot between two diffs, whose ids leave room, joins as well.
        return (first.prev_id or 0) <= held_id and all(
            later.prev_id == earlier.last_id for earlier, later in pairwise(wanted)
        )
    return (first.first_id or 0) <= held_id + 1 and all(
        later.first_id == (earlier.last_id or 0) + 1 for earlier, later in pairwise(wanted)
    )
