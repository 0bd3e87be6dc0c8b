"""Recording as a service: streams of the venues that have them, sweeps of all that no stream tells."""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from datetime import datetime, timedelta

from ingestion.capture import Pair
from ingestion.hours import HOUR, hour_of
from ingestion.recorder import Recorder
from ingestion.recorder.recorder import Recorded
from ingestion.records import Instrument
from ingestion.transports import Transport
from ingestion.venues import VENUES
from ingestion.venues.base import Plan
from orchestration.pipeline import Pipeline
from orchestration.settings import BadSetting, Settings

LOG = logging.getLogger(__name__)
LISTED_WITHIN = timedelta(minutes=1)  # of the hour: venues list new expiries then


def record(settings: Settings, *, flush_s: float = 30.0) -> list[Recorded]:
    """Record until SIGTERM or SIGINT; returns what was written and what was lost. Raises `BadSetting`."""
    if settings.source == "sandbox":
        raise BadSetting("BAROGRAPH_SOURCE sandbox: has no streams to record (expected live)")
    if not any(VENUES[name].streams for name in settings.venues):
        known = ", ".join(venue.name for venue in VENUES.values() if venue.streams)
        raise BadSetting(f"venues {', '.join(settings.venues)}: none of them has streams (expected one of {known})")
    pipeline = Pipeline(settings)
    pipeline.claim(pipeline.origin)
    return asyncio.run(_record(pipeline, flush_s))


async def _record(pipeline: Pipeline, flush_s: float) -> list[Recorded]:
    settings, stop = pipeline.settings, asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    transport = pipeline.transport(pipeline.now())
    venues = [VENUES[name] for name in settings.venues]
    recorder = Recorder(
        venues,
        pipeline.raw,
        transport,
        transport.clock,
        server=settings.base_url,
        levels=settings.book_levels,
        max_age_s=flush_s,
    )
    rounds = Rounds(pipeline, transport, recorder)
    await _until(stop, rounds.begin())
    polling = asyncio.create_task(_poll(rounds, settings.sweep_minutes * 60))
    try:
        return await recorder.run(rounds.plan, stop)
    finally:
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        await transport.aclose()


class Rounds:
    """Sweeps beside the streams; with each hour's listing, `plan` and what is recorded follow."""

    def __init__(self, pipeline: Pipeline, transport: Transport, recorder: Recorder) -> None:
        self._pipeline, self._transport, self._recorder = pipeline, transport, recorder
        self._listed_hour = hour_of(self._settled())
        self.plan = self._plan_of(())

    async def begin(self) -> None:
        """Ask what is listed, for the first plan."""
        await self._sweep([pair for pair in self._pipeline.pairs if pair[1] == "instruments"])
        self.plan = self._relisted()

    async def sweep(self) -> None:
        """One sweep of what no stream tells; after the first of an hour, streams tell what is listed by then."""
        await self._sweep(self.untold)
        hour = hour_of(self._settled())
        if hour != self._listed_hour:
            try:
                self.plan = await asyncio.to_thread(self._relisted)
                self._recorder.follow(self.plan)
            except Exception:
                LOG.exception("what is listed cannot be read; what was recorded goes on")
                return
            self._listed_hour = hour

    @property
    def untold(self) -> list[Pair]:
        """What exists only now and no stream tells: sweeps have to ask for it.

        References stay among them: what a stablecoin is worth no stream of the wanted coins tells.
        """
        venues = [VENUES[name] for name in self._pipeline.settings.venues]
        told = {
            (venue.name, stream.tells(channel).dataset)
            for venue in venues
            for stream in venue.streams
            for channel in stream.wanted(self.plan.of(venue.name))
        }
        references = {(v.name, endpoint.dataset) for v in venues for endpoint in v.endpoints if endpoint.is_reference}
        return [pair for pair in self._pipeline.pairs if pair not in told - references]

    def _relisted(self) -> Plan:
        """The plan of the open hour; of a venue whose listing did not come whole, what was known before stands."""
        now = self._transport.clock.now()
        fresh = self._pipeline.listed(hour_of(now))
        whole = {each.venue for each in fresh} - {
            name
            for name in self._pipeline.settings.venues
            if "instruments" in self._pipeline.quarantine.read_capture_gaps(name, hour_of(now))
        }
        before = [each for each in self.plan.listed if each.venue not in whole]
        listed = {(i.venue, i.kind, i.symbol): i for i in (*before, *fresh) if i.expiry_ts is None or i.expiry_ts > now}
        return self._plan_of(tuple(listed.values()))

    def _plan_of(self, listed: tuple[Instrument, ...]) -> Plan:
        hour = hour_of(self._transport.clock.now())
        return Plan(self._pipeline.settings.underlyings, hour, hour + HOUR, listed)

    def _settled(self) -> datetime:
        return self._transport.clock.now() - LISTED_WITHIN

    async def _sweep(self, pairs: list[Pair]) -> None:
        """One sweep into the open hour; a venue that fails is a gap, what else goes wrong is told and tried again."""
        try:
            await self._pipeline.capture_through(self._transport, [hour_of(self._transport.clock.now())], pairs)
        except Exception:
            LOG.exception("the sweep failed; the streams go on")


async def _poll(rounds: Rounds, every_s: float) -> None:
    while True:
        await rounds.sweep()
        await asyncio.sleep(every_s)


async def _until(stop: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Work, unless it is time to stop."""
    doing = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([doing, stopping], return_when=asyncio.FIRST_COMPLETED)
    for task in (doing, stopping):
        task.cancel()
    await asyncio.gather(doing, stopping, return_exceptions=True)
