"""Every stream of some venues at once, into the raw zone, until it is told to stop."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from aiolimiter import AsyncLimiter

from ingestion.envelopes import Envelope
from ingestion.raw import RawZone
from ingestion.recorder.listener import ASK_AGAIN_AFTER_S, Listener
from ingestion.recorder.spool import Spool
from ingestion.streams import EVERY_SECOND
from ingestion.transports.base import Clock, Transport
from ingestion.venues.base import Plan, Request, Venue

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
        listeners = {venue.name: self._listeners(venue, plan) for venue in self._venues}
        for name, each in listeners.items():
            mark = self.spools[name].unended()
            if mark is not None:
                LOG.warning("%s: an earlier recorder ended without a word after %s", name, mark.written_ts)
                for listener in each:
                    listener.note_killed(mark.written_ts)
        writing = [asyncio.create_task(spool.run()) for spool in self.spools.values()]
        listening = [asyncio.create_task(listener.run()) for each in listeners.values() for listener in each]
        stopping = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([stopping, *writing, *listening], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end([stopping, *listening, *writing])
            for each in listeners.values():
                for listener in each:
                    listener.note_stopped()
            lost = {name: await spool.close() for name, spool in self.spools.items()}
        for task in done:
            task.result()
        return [Recorded(name, spool.written_count, lost[name]) for name, spool in self.spools.items()]

    def _listeners(self, venue: Venue, plan: Plan) -> list[Listener]:
        async def ask(request: Request) -> Envelope:
            return await self._transport.get(venue, request, SNAPSHOT_WEIGHT)

        return [
            Listener(
                venue,
                stream,
                subscription,
                number,
                self.spools[venue.name],
                ask,
                connecting,
                server=self._server,
                ask_again_after_s=self._ask_again_after_s,
                levels=self._levels,
            )
            for stream in venue.streams
            for connecting in [AsyncLimiter(stream.connections_per_minute, 60)]
            for number, subscription in enumerate(stream.subscriptions(plan))
        ]


async def _end(tasks: Sequence["asyncio.Task[object]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
