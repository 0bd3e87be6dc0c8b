"""Every stream of some venues at once, into the raw zone, until it is told to stop."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from aiolimiter import AsyncLimiter

from ingestion.envelopes import Envelope
from ingestion.raw import RawZone
from ingestion.recorder.listener import ASK_AGAIN_AFTER_S, Listener
from ingestion.recorder.spool import Spool
from ingestion.streams import EVERY_SECOND
from ingestion.transports.base import Clock, Transport
from ingestion.venues.base import Plan, Request, Venue
from ingestion.venues.streams import Stream

LOG = logging.getLogger(__name__)
SNAPSHOT_WEIGHT = 50  # Binance's for a thousand levels; no venue's snapshot weighs more


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of one venue's recording."""

    venue: str
    written_count: int  # envelopes in the raw zone
    lost_count: int  # that could not be written at the end


class Recorder:
    """Records the streams of venues as a plan has them.

    `transport` fetches snapshots within the venues' budgets; `server` puts one address in every venue's place.
    `levels` a side of every book are kept known, so that so many can be sampled.
    Memory is bounded: each venue's buffer, and what a connection may hold back.
    """

    def __init__(
        self,
        venues: Sequence[Venue],
        raw: RawZone,
        transport: Transport,
        clock: Clock,
        *,
        server: str | None = None,
        ask_again_after_s: float = ASK_AGAIN_AFTER_S,
        levels: int = EVERY_SECOND.levels,
        max_age_s: float = 30.0,
        max_object_bytes: int = 8 * 1024 * 1024,
        max_waiting_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self._venues = [venue for venue in venues if venue.streams]
        self._lines: list[_Line] = []
        self._hung_up: set[asyncio.Task[None]] = set()  # that have not ended yet
        self._failed = asyncio.Event()  # a listener ended for a reason of its own
        self._transport, self._server = transport, server
        self._ask_again_after_s, self._levels = ask_again_after_s, levels
        self.spools = {
            venue.name: Spool(
                raw,
                venue.name,
                clock,
                max_age_s=max_age_s,
                max_object_bytes=max_object_bytes,
                max_waiting_bytes=max_waiting_bytes,
            )
            for venue in self._venues
        }

    async def run(self, plan: Plan, stop: asyncio.Event) -> list[Recorded]:
        """Record until `stop` is set, then write all that is left.

        A listener that fails for a reason of its own takes the recorder down: nothing is silently not recorded.
        """
        self._lines = [_Line(venue, stream) for venue in self._venues for stream in venue.streams]
        self.follow(plan)
        self._note_killed()
        writing = [asyncio.create_task(spool.run()) for spool in self.spools.values()]
        ending = [asyncio.create_task(event.wait()) for event in (stop, self._failed)]
        try:
            done, _ = await asyncio.wait([*ending, *writing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            lines, self._lines = self._lines, []
            listening = [task for line in lines for task in line.listening.values()]
            done |= {task for task in listening if task.done()}
            await _end([*ending, *listening, *self._hung_up, *writing])
            for line in lines:
                for listener in line.listening:
                    listener.note_stopped()
            lost = {name: await spool.close() for name, spool in self.spools.items()}
        for task in done:
            task.result()
        return [Recorded(name, spool.written_count, lost[name]) for name, spool in self.spools.items()]

    def follow(self, plan: Plan) -> None:
        """While it runs: record what this plan has from now on.

        What is new comes over connections of its own, so that no book that goes on is cut. A connection lets go of
        what the plan has no more, and ends with the last of it.
        """
        for line in self._lines:
            planned = line.stream.channels(plan.of(line.venue.name))
            wanted = dict.fromkeys(line.stream.wanted(plan.of(line.venue.name)))
            if unread := [channel for channel in planned if channel not in wanted]:
                LOG.warning(
                    "%s %s: not recorded, for no grammar knows them: %s", line.venue.name, line.stream.name, unread
                )
            for listener in list(line.listening):
                listener.keep(wanted)
                if not listener.left.isdisjoint(wanted):  # it may carry them still: one book must not come over two
                    listener.note_stopped()
                    self._hang_up(line.listening.pop(listener))
                elif not listener.channels:
                    self._hang_up(line.listening.pop(listener))
            carried = {channel for listener in line.listening for channel in listener.channels}
            self._open(line, [channel for channel in wanted if channel not in carried])

    def _open(self, line: "_Line", channels: Sequence[str]) -> None:
        async def ask(request: Request) -> Envelope:
            return await self._transport.get(line.venue, request, SNAPSHOT_WEIGHT)

        for subscription in line.stream.shared_out(channels):
            listener = Listener(
                line.venue,
                line.stream,
                subscription,
                next(line.numbers),
                self.spools[line.venue.name],
                ask,
                line.connecting,
                server=self._server,
                ask_again_after_s=self._ask_again_after_s,
                levels=self._levels,
            )
            line.listening[listener] = task = asyncio.create_task(listener.run())
            task.add_done_callback(lambda ended: None if ended.cancelled() else self._failed.set())

    def _hang_up(self, task: "asyncio.Task[None]") -> None:
        task.cancel()
        self._hung_up.add(task)
        task.add_done_callback(self._hung_up.discard)

    def _note_killed(self) -> None:
        for name, spool in self.spools.items():
            mark = spool.begin()
            if mark is not None:
                LOG.warning("%s: an earlier recorder ended without a word after %s", name, mark.written_ts)
                for listener in (each for line in self._lines if line.venue.name == name for each in line.listening):
                    listener.note_killed(mark.written_ts)


class _Line:
    """One stream's connections, each with the task that listens."""

    def __init__(self, venue: Venue, stream: Stream) -> None:
        self.venue, self.stream = venue, stream
        self.connecting = AsyncLimiter(stream.connections_per_minute, 60)
        self.numbers = count()
        self.listening: dict[Listener, asyncio.Task[None]] = {}


async def _end(tasks: Sequence["asyncio.Task[object]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
