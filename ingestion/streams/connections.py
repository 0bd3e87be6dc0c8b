"""What a connection tells of besides books, and where it told nothing: a hole in every dataset and symbol at once."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec.structs import replace

from ingestion.records import HoleReason, StreamHole, Trade
from ingestion.streams.sampling import SampledBook
from ingestion.venues.streams import Stream, Told

BookKey = tuple[str, str, str]  # stream, kind, symbol


class Connection:
    """One connection of a stream through one hour."""

    def __init__(self, venue: str, stream: Stream, hour: datetime) -> None:
        self.stream = stream
        self.heard_ts = hour  # when its last frame came
        self.books: dict[BookKey, SampledBook] = {}
        self._venue, self._hour = venue, hour
        self._told: dict[Told, None] = {}
        self._carried: dict[str, Told] = {}  # by channel
        self._holes: dict[Told, StreamHole] = {}
        self._last_trade: dict[tuple[Told, bool], Trade] = {}

    def tells(self, told: Told) -> None:
        """Remember that it tells of this."""
        if told.dataset != "order_books":
            self._told[told] = None

    def carry(self, channel: str, told: Told, holes: Iterable[StreamHole] = ()) -> None:
        """It is asked for this channel, which another connection may have left with holes."""
        self._carried[channel] = told
        self.tells(told)
        for hole in holes:
            self._holes.setdefault(Told(hole.dataset, hole.kind, hole.symbol), hole)

    def give_up(self, channel: str) -> list[StreamHole]:
        """It is not asked for this channel any more; returns the holes in what no other channel of it tells."""
        told = self._carried.pop(channel, None)
        if told is None or told in self._carried.values():
            return []
        if not self._carried:  # so nothing comes over it
            self._told.clear()
            holes, self._holes = self._holes, {}
            return list(holes.values())
        self._told.pop(told, None)
        hole = self._holes.pop(told, None)
        return [] if hole is None else [hole]

    def hear(self, at: datetime) -> Iterator[StreamHole]:
        """A frame came: what was a hole so far ends here, and so does the life of one too long silent."""
        if (at - self.heard_ts).total_seconds() > self.stream.silence_s:
            self.lose("silence", self.heard_ts)
        self.heard_ts = max(at, self.heard_ts)
        if self._holes:
            holes, self._holes = self._holes, {}
            yield from (replace(hole, until_ts=at) for hole in holes.values() if hole.captured_ts < at)

    def lose(self, reason: HoleReason, since: datetime) -> None:
        """From here on, until it is heard again, nothing can be trusted."""
        for book in self.books.values():
            book.lose(reason, since)
        for told in self._told:
            if told not in self._holes:
                self._holes[told] = self._hole(told, reason, since)

    def count(self, trade: Trade) -> Iterator[StreamHole]:
        """The trades that are missing before this one, where the venue numbers them without a gap."""
        told = Told("trades", trade.kind, trade.symbol)
        last = self._last_trade.get((told, trade.is_aggregate))
        if last is not None:
            missed_from, missed_to = int(last.trade_id) + 1, int(trade.trade_id) - 1
            if missed_to < missed_from - 1:
                return  # told before, or late
            if missed_to >= missed_from:
                hole = self._hole(told, "gap", last.captured_ts)
                ids = {"missed_from_id": missed_from, "missed_to_id": missed_to}
                yield replace(hole, until_ts=trade.captured_ts, **ids)
        self._last_trade[told, trade.is_aggregate] = trade

    def close(self) -> Iterator[StreamHole]:
        """The holes that the hour did not see mended."""
        yield from self._holes.values()

    def _hole(self, told: Told, reason: HoleReason, since: datetime) -> StreamHole:
        return StreamHole(
            venue=self._venue,
            symbol=told.symbol,
            kind=told.kind,
            captured_ts=max(since, self._hour),
            dataset=told.dataset,
            reason=reason,
        )
