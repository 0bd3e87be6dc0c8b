"""What a venue sent, on its way to the raw zone: a bounded buffer that becomes write-once objects.

An object is sealed when it is large or old enough and at the end of its hour. While the store cannot be written, the
buffer fills up to its bound and no further; what came meanwhile is counted, and the count is noted.
A small mark beside the raw zone says up to when all is written, and whether the recorder ended in order. It is there
from the recorder's first moment, so that one that was killed before it wrote anything is found out too.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_delay, wait_random_exponential

from ingestion.envelopes import Envelope
from ingestion.hours import hour_of
from ingestion.raw import RawZone
from ingestion.storage import Missing, StorageError, Store
from ingestion.transports.base import Clock
from ingestion.venues.streams import RAW_DATASET

LOG = logging.getLogger(__name__)
TICK = timedelta(microseconds=1)
LAST_WRITE_WITHIN_S = 20.0  # when stopping: after that the rest is given up, and said so


class Mark(msgspec.Struct, frozen=True):
    """How far a venue's recording is written."""

    written_ts: datetime
    is_ended: bool


def read_mark(store: Store, venue: str) -> Mark | None:
    """How far a venue's recording is written; none where it never was."""
    try:
        return msgspec.json.decode(store.read(_key(venue)), type=Mark)
    except (Missing, msgspec.DecodeError):
        return None


def _key(venue: str) -> str:
    return f"recorder/{venue}.json"


class Spool:
    """One venue's frames, snapshots and notes in the order of arrival."""

    def __init__(
        self,
        raw: RawZone,
        venue: str,
        clock: Clock,
        *,
        max_object_bytes: int = 8 * 1024 * 1024,
        max_age_s: float = 30.0,
        max_waiting_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self.written_count = 0  # envelopes that the raw zone holds
        self.taken_count = 0
        self._raw, self._venue, self._clock = raw, venue, clock
        self._max_object_bytes, self._max_age_s = max_object_bytes, max_age_s
        self._max_waiting_bytes = max_waiting_bytes
        self._open: list[Envelope] = []
        self._open_bytes = self._waiting_bytes = 0
        self._sealed: deque[tuple[list[Envelope], int]] = deque()
        self._last_ts = clock.now() - TICK
        self._is_due = asyncio.Event()

    def stamp(self) -> datetime:
        """Our clock now; no two stamps are the same, so that keys and rows keep the order of arrival."""
        self._last_ts = max(self._clock.now(), self._last_ts + TICK)
        return self._last_ts

    def put(self, envelope: Envelope) -> bool:
        """Take an envelope; false, and nothing kept, while the buffer is full."""
        size = len(envelope.body) + 200
        if self._waiting_bytes + size > self._max_waiting_bytes:
            return False
        first, at = (self._open[0].at if self._open else None), envelope.at
        if first is not None and at is not None and hour_of(first) != hour_of(at):
            self._seal()
        self._open.append(envelope)
        self._open_bytes += size
        self._waiting_bytes += size
        self.taken_count += 1
        if self._open_bytes >= self._max_object_bytes:
            self._seal()
        return True

    async def run(self) -> None:
        """Write what is sealed, for ever; cancel to end, then `close`."""
        while True:
            try:
                async with asyncio.timeout(self._max_age_s):
                    await self._is_due.wait()
            except TimeoutError:
                self._seal()
            self._is_due.clear()
            while self._sealed:
                await self._write(stop=None)

    async def close(self) -> int:
        """Once `run` has ended: write all that is left and end the mark; returns how many could not be written."""
        self._seal()
        try:
            while self._sealed:
                await self._write(stop=LAST_WRITE_WITHIN_S)
            await self._mark(is_ended=True)
        except StorageError as error:
            lost = sum(len(part) for part, _ in self._sealed)
            LOG.error("%s: %d envelopes are lost, the store cannot be written (%s)", self._venue, lost, error)
            return lost
        return 0

    def begin(self) -> Mark | None:
        """The mark of an earlier recorder that ended without a word; where there is none, mark that this one began."""
        earlier = read_mark(self._raw.store, self._venue)
        if earlier is not None and not earlier.is_ended:
            return earlier  # it stands until what is noted of it is written
        try:
            self._put_mark(Mark(self._clock.now(), is_ended=False))
        except StorageError as error:
            LOG.warning("%s: cannot mark that recording began (%s)", self._venue, error)
        return None

    def _seal(self) -> None:
        if self._open:
            self._sealed.append((self._open, self._open_bytes))
            self._open, self._open_bytes = [], 0
            self._is_due.set()

    async def _write(self, stop: float | None) -> None:
        """Write the oldest sealed part; it is let go of only once it is written."""
        part, size = self._sealed[0]
        hour = hour_of(part[0].at or self._clock.now())
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(StorageError),
            wait=wait_random_exponential(multiplier=0.5, max=30),
            stop=stop_after_delay(stop) if stop is not None else _never,
            before_sleep=self._tell,
            reraise=True,
        )
        await retrying(asyncio.to_thread, self._raw.write, self._venue, RAW_DATASET, hour, part)
        self._sealed.popleft()
        self._waiting_bytes -= size
        self.written_count += len(part)
        await self._mark(is_ended=False, at=part[-1].at)

    def _tell(self, failed: RetryCallState) -> None:
        """Say at each doubling of the attempts that nothing is written, and why: a full disk may stay so for hours."""
        number = failed.attempt_number
        if failed.outcome is not None and number & (number - 1) == 0:
            error = failed.outcome.exception()
            LOG.warning("%s: nothing is written, attempt %d failed (%s)", self._venue, number, error)

    async def _mark(self, *, is_ended: bool, at: datetime | None = None) -> None:
        await asyncio.to_thread(self._put_mark, Mark(at or self._clock.now(), is_ended))

    def _put_mark(self, mark: Mark) -> None:
        self._raw.store.put(_key(self._venue), msgspec.json.encode(mark))


_never: Callable[[object], bool] = lambda state: False  # noqa: E731 (a stop that never comes)
