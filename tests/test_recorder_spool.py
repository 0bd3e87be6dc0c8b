"""The recorder's buffer: bounded while the store fails, and a mark that says how the last recorder ended."""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ingestion.envelopes import Envelope
from ingestion.raw import RawZone
from ingestion.recorder.spool import Spool, read_mark
from ingestion.storage import StorageError, Store
from ingestion.transports.base import SystemClock
from tests.test_recorder import kept, raw_zone


class Failing:
    """A store that cannot be written until it is mended."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.is_broken = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put_new(self, key: str, data: bytes) -> bool:
        if self.is_broken:
            raise StorageError("disk full")
        return bool(self._store.put_new(key, data))


def frame(number: int, at: datetime) -> Envelope:
    from ingestion.envelopes import seal

    body = json.dumps({"id": number, "pad": "x" * 800}).encode()
    return seal(venue="toy", host="", path="/ws/books", query="", status=101, captured_ts=at, body=body)


class TestTheBuffer:
    def test_holds_no_more_than_its_bound_while_the_store_fails_and_says_what_it_refused(self, tmp_path: Path) -> None:
        store = Failing(Store.open(str(tmp_path / "lake")))

        async def fill() -> tuple[list[bool], int]:
            spool = Spool(
                RawZone(store), "toy", SystemClock(), max_object_bytes=5_000, max_waiting_bytes=20_000, max_age_s=0.01
            )
            writing = asyncio.create_task(spool.run())
            fitted = [spool.put(frame(n, spool.stamp())) for n in range(100)]
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            store.is_broken = False
            return fitted, await spool.close()

        fitted, lost = asyncio.run(fill())
        written = kept(RawZone(Store.open(str(tmp_path / "lake"))), "toy")

        assert 15 <= sum(fitted) <= 20
        assert fitted == sorted(fitted, reverse=True)  # the first are kept, the rest refused
        assert (lost, len(written)) == (0, sum(fitted))

    def test_says_why_nothing_is_written_while_it_tries_again(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A full disk was told of only at the end, or once the buffer was full."""
        store = Failing(Store.open(str(tmp_path / "lake")))

        async def write() -> int:
            spool = Spool(RawZone(store), "toy", SystemClock(), max_object_bytes=1)
            spool.put(frame(1, spool.stamp()))
            writing = asyncio.create_task(spool.run())
            async with asyncio.timeout(60):
                while not caplog.messages:
                    await asyncio.sleep(0)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            store.is_broken = False
            return await spool.close()

        assert asyncio.run(write()) == 0
        assert caplog.messages == ["toy: nothing is written, attempt 1 failed (disk full)"]

    def test_an_end_without_a_word_is_found_by_the_next(self, tmp_path: Path) -> None:
        raw = raw_zone(tmp_path)

        async def begin() -> datetime:
            spool = Spool(raw, "toy", SystemClock(), max_object_bytes=1)
            at = spool.stamp()
            spool.put(frame(1, at))
            writing = asyncio.create_task(spool.run())
            while read_mark(raw.store, "toy") is None:  # the mark follows what it tells of
                await asyncio.sleep(0)
            writing.cancel()  # and no close: it was killed
            await asyncio.gather(writing, return_exceptions=True)
            return at

        at = asyncio.run(begin())

        async def look() -> Any:
            return Spool(raw, "toy", SystemClock()).begin()

        assert asyncio.run(look()).written_ts == at

    def test_an_end_before_anything_was_written_is_found_by_the_next(self, tmp_path: Path) -> None:
        raw = raw_zone(tmp_path)
        before = SystemClock().now()

        async def begin() -> Any:
            spool = Spool(raw, "toy", SystemClock())
            found = spool.begin()
            spool.put(frame(1, spool.stamp()))  # and no close: it was killed
            return found

        assert asyncio.run(begin()) is None
        mark = asyncio.run(begin())
        assert before <= mark.written_ts <= SystemClock().now()
        assert asyncio.run(begin()) == mark  # until what is noted of it is written

    def test_an_end_in_order_leaves_nothing_to_find(self, tmp_path: Path) -> None:
        raw = raw_zone(tmp_path)

        async def begin_and_end() -> Any:
            spool = Spool(raw, "toy", SystemClock())
            found = spool.begin()
            return found, await spool.close()

        assert asyncio.run(begin_and_end()) == (None, 0)
        assert asyncio.run(begin_and_end()) == (None, 0)
