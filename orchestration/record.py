"""Recording as a service: streams of the venues that have them, sweeps of all that no stream tells."""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from datetime import UTC, datetime

from ingestion.capture import Pair
from ingestion.hours import HOUR, hour_of
from ingestion.recorder import Recorder
from ingestion.recorder.recorder import Recorded
from ingestion.transports import SystemClock, Transport
from ingestion.venues import VENUES
from ingestion.venues.base import Plan
from orchestration.pipeline import Pipeline
from orchestration.settings import BadSetting, Settings

LOG = logging.getLogger(__name__)


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
        SystemClock(),
        server=settings.base_url,
        levels=settings.book_levels,
        max_age_s=flush_s,
    )
    hour = hour_of(datetime.now(UTC))
    await _until(stop, _sweep(pipeline, transport, [pair for pair in pipeline.pairs if pair[1] == "instruments"]))
    plan = Plan(settings.underlyings, hour, hour + HOUR, pipeline.listed(hour))
    polling = asyncio.create_task(_poll(pipeline, transport, _untold(pipeline, plan)))
    try:
        return await recorder.run(plan, stop)
    finally:
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        await transport.aclose()


def _untold(pipeline: Pipeline, plan: Plan) -> list[Pair]:
    """What exists only now and no stream tells: sweeps have to ask for it.

    References stay among them: what a stablecoin is worth no stream of the wanted coins tells.
    """
    told = {
        (name, stream.tells(channel).dataset)
        for name in pipeline.settings.venues
        for stream in VENUES[name].streams
        for channel in stream.channels(plan)
    }
    references = {
        (name, endpoint.dataset)
        for name in pipeline.settings.venues
        for endpoint in VENUES[name].endpoints
        if endpoint.is_reference
    }
    return [pair for pair in pipeline.pairs if pair not in told - references]


async def _poll(pipeline: Pipeline, transport: Transport, pairs: list[Pair]) -> None:
    while True:
        await _sweep(pipeline, transport, pairs)
        await asyncio.sleep(pipeline.settings.sweep_minutes * 60)


async def _sweep(pipeline: Pipeline, transport: Transport, pairs: list[Pair]) -> None:
    """One sweep into the open hour; a venue that fails is a gap, what else goes wrong is told and tried again."""
    try:
        await pipeline.capture_through(transport, [hour_of(datetime.now(UTC))], pairs)
    except Exception:
        LOG.exception("the sweep failed; the streams go on")


async def _until(stop: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Work, unless it is time to stop."""
    doing = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([doing, stopping], return_when=asyncio.FIRST_COMPLETED)
    for task in (doing, stopping):
        task.cancel()
    await asyncio.gather(doing, stopping, return_exceptions=True)
