"""Past hours out of venues: each page once, at whatever point it was interrupted, and no venue for another's fault."""

import asyncio
import io
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import msgspec
import pytest
from rich.console import Console

from ingestion.envelopes import Envelope
from ingestion.hours import HOUR
from ingestion.transports import Transport
from ingestion.transports.base import Clock
from ingestion.venues import VENUES
from ingestion.venues.base import Request, Venue
from orchestration import history
from orchestration.backfill import HOURS_AT_ONCE, Fetched, archived_of, backfill, closed
from orchestration.pipeline import Pipeline
from orchestration.settings import BadSetting
from tests.imported import objects_in
from tests.world import HOUR_0, deployment

VENUES_ASKED = ("binance_spot", "deribit")
HOURS = (HOUR_0, HOUR_0 + HOUR)
CHART = "/api/v2/public/get_tradingview_chart_data"


@dataclass
class Traffic:
    """What was asked for, and how many hours of charts at once."""

    asked: Counter[tuple[str, str]] = field(default_factory=Counter)  # venue, path
    charts: Counter[str] = field(default_factory=Counter)  # being asked now, by their first instant
    most_at_once: int = 0


class Watched:
    """Notes what is asked of another transport."""

    is_virtual = True

    def __init__(self, asking: Transport, traffic: Traffic) -> None:
        self._asking, self._traffic = asking, traffic

    @property
    def clock(self) -> Clock:
        return self._asking.clock

    async def get(self, venue: Venue, request: Request, weight: int) -> Envelope:
        self._traffic.asked[venue.name, request.path] += 1
        starts = parse_qs(request.query_string).get("start_timestamp", []) if request.path == CHART else []
        self._traffic.charts.update(starts)
        self._traffic.most_at_once = max(self._traffic.most_at_once, len(+self._traffic.charts))
        await asyncio.sleep(0)  # so that all who may ask have begun to
        try:
            return await self._asking.get(venue, request, weight)
        finally:
            self._traffic.charts.subtract(starts)

    async def aclose(self) -> None:
        await self._asking.aclose()


@dataclass(frozen=True)
class Deployment(Pipeline):
    """A deployment on the sandbox whose questions are watched."""

    traffic: Traffic = field(default_factory=Traffic)

    def transport(self, at: datetime) -> Transport:
        return Watched(super().transport(at), self.traffic)

    @property
    def asked(self) -> Counter[tuple[str, str]]:
        """What was asked of archives; the listings are asked for each time."""
        paths = {
            (name, endpoint.path)
            for name in self.settings.venues
            for endpoint in VENUES[name].endpoints
            if endpoint.is_archived
        }
        return Counter({pair: count for pair, count in self.traffic.asked.items() if pair in paths})


def opened(folder: Path, *venues: str, faults: Sequence[str] = ()) -> Deployment:
    return Deployment(deployment(folder, venues=venues or VENUES_ASKED, sandbox_faults=tuple(faults)))


def fetched(pipeline: Pipeline, hours: Sequence[datetime] = HOURS) -> Fetched:
    return backfill(pipeline, hours, Console(file=io.StringIO()))


def raw_of(folder: Path) -> dict[str, bytes]:
    return objects_in(folder / "lake" / "raw")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    fetched(opened(folder))
    return folder


def rewritten(folder: Path, whole: Path, **changes: object) -> None:
    """All that the other deployment holds, as if each reply had come otherwise."""
    source, target = opened(whole), opened(folder)
    target.claim("sandbox")
    for venue in VENUES_ASKED:
        for hour in HOURS:
            for key in source.raw.objects(venue, hour):
                envelopes = [msgspec.structs.replace(envelope, **changes) for envelope in source.raw.read(key)]
                target.raw.write(venue, key.split("/")[2], hour, envelopes)


class TestFetched:
    def test_every_archived_dataset_of_every_hour_is_in_raw(self, undisturbed: Path) -> None:
        found = {tuple(name.split("/")[:4]) for name in raw_of(undisturbed)}

        assert found == {
            (venue, dataset, "date=2026-03-04", f"hour={hour:%H}")
            for name in VENUES_ASKED
            for venue, dataset in archived_of(name)
            for hour in HOURS
        }

    def test_the_next_time_nothing_is_asked_and_nothing_written(self, undisturbed: Path) -> None:
        before = objects_in(undisturbed)
        again = opened(undisturbed)

        told = fetched(again)

        assert again.asked == Counter()
        assert sum(told.asked.values()) == 0 < sum(told.kept.values())
        assert objects_in(undisturbed) == before

    def test_only_what_is_missing_is_asked_for(self, tmp_path: Path, undisturbed: Path) -> None:
        first = opened(tmp_path)
        fetched(first)
        (lost,) = (key for key in first.raw.objects("binance_spot", HOUR_0) if "/candles/" in key)
        first.store.delete(lost)
        again = opened(tmp_path)

        fetched(again)

        assert {path for _, path in again.asked} == {"/api/v3/klines"}
        assert raw_of(tmp_path) == raw_of(undisturbed)

    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"captured_ts": "2026-03-04T10:30:00Z"}, id="came before the hours had closed"),
            pytest.param({"status": 503}, id="was a failure"),
            pytest.param({"body": msgspec.Raw(b'{"maintenance": true}')}, id="cannot be read"),
        ],
    )
    def test_what_is_not_an_answer_is_asked_for_again(
        self, tmp_path: Path, undisturbed: Path, changes: dict[str, object]
    ) -> None:
        rewritten(tmp_path, undisturbed, **changes)

        told = fetched(opened(tmp_path))

        assert told.kept == Counter()
        assert raw_of(undisturbed).items() <= raw_of(tmp_path).items()

    def test_no_more_than_a_few_hours_of_a_venue_are_asked_for_at_once(self, tmp_path: Path) -> None:
        pipeline = opened(tmp_path, "deribit")

        fetched(pipeline, [HOUR_0 + n * HOUR for n in range(HOURS_AT_ONCE + 2)])

        assert pipeline.traffic.most_at_once == HOURS_AT_ONCE


class TestFailing:
    def test_a_venue_that_fails_leaves_its_reasons_and_the_others_all_they_have(
        self, tmp_path: Path, undisturbed: Path
    ) -> None:
        ill = opened(tmp_path, faults=("deribit:.*:503:1.0",))

        told = fetched(ill)

        whole = raw_of(undisturbed)
        assert raw_of(tmp_path) == {name: held for name, held in whole.items() if name.startswith("binance_spot/")}
        assert set(told.gaps) == set(archived_of("deribit"))
        noted = ill.quarantine.read_capture_gaps("deribit", HOUR_0)
        assert set(noted) == {dataset for _, dataset in archived_of("deribit")}
        assert ill.quarantine.read_capture_gaps("binance_spot", HOUR_0) == {}

    def test_what_failed_comes_the_next_time(self, tmp_path: Path, undisturbed: Path) -> None:
        fetched(opened(tmp_path, faults=(f"deribit:{CHART}:503:1.0",)))
        assert not any("candles" in name for name in raw_of(tmp_path) if name.startswith("deribit/"))

        fetched(opened(tmp_path))

        assert raw_of(tmp_path) == raw_of(undisturbed)


KILLED = """
import os, signal, sys
from pathlib import Path
from ingestion.storage import LocalStore
from tests.test_backfill import fetched, opened

write, left = LocalStore.put_new, int(sys.argv[2])

def put_new(self, key, data):
    global left
    if key.startswith("raw/"):
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
    return write(self, key, data)

LocalStore.put_new = put_new
fetched(opened(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("writes", [0, 7])
def test_killed_and_resumed_it_is_as_if_it_had_never_stopped(tmp_path: Path, undisturbed: Path, writes: int) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(writes)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(raw_of(tmp_path)) == writes

    told = fetched(opened(tmp_path))

    assert raw_of(tmp_path) == raw_of(undisturbed)
    assert (sum(told.kept.values()) > 0) == (writes > 0)


class TestHours:
    def test_the_hour_that_is_not_over_is_left_out(self) -> None:
        now = HOUR_0 + HOUR + timedelta(minutes=59)

        assert closed([HOUR_0, HOUR_0 + HOUR], now) == [HOUR_0]

    def test_an_hour_is_over_with_its_last_instant(self) -> None:
        assert closed([HOUR_0], HOUR_0 + HOUR) == [HOUR_0]

    def test_hours_of_which_none_is_over_are_refused(self) -> None:
        with pytest.raises(BadSetting, match="2026-03-04T10:00Z: the hour is not over"):
            closed([HOUR_0, HOUR_0 + HOUR], HOUR_0 + timedelta(minutes=59))

    def test_hours_that_lie_near_are_built_as_one_span(self) -> None:
        far = datetime(2026, 3, 6, tzinfo=UTC)

        assert history.spans([far, HOUR_0 + 4 * HOUR, HOUR_0]) == [
            (HOUR_0, HOUR_0 + 5 * HOUR),
            (far, far + HOUR),
        ]

    def test_only_the_days_that_are_over_are_built(self) -> None:
        day = HOUR_0.replace(hour=0)
        noon = day + timedelta(days=1, hours=12)

        assert history.closed_days(HOUR_0, noon, noon) == (day, day + timedelta(days=1))
        assert history.closed_days(HOUR_0, HOUR_0 + HOUR, noon) == (day, HOUR_0 + HOUR)
        assert history.closed_days(noon - HOUR, noon, noon) is None
        assert history.closed_days(HOUR_0, noon, day + timedelta(days=1)) == (day, day + timedelta(days=1))
