"""The recorder writes what venues send, whole and in order, mends what can be mended, and notes every hole."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from ingestion.envelopes import Envelope
from ingestion.hours import hour_of
from ingestion.raw import RawZone
from ingestion.recorder import Recorder
from ingestion.recorder.recorder import Recorded
from ingestion.records import OrderBook, StreamHole
from ingestion.storage import Store
from ingestion.streams import Sampling, read_stream
from ingestion.transports.base import Clock, SystemClock, VirtualClock
from ingestion.venues import VENUES
from ingestion.venues.base import Refused, Request, Venue
from ingestion.venues.streams import Told
from tests.stream_server import PLAN, Rests, serving, toy
from tests.test_streams_recorded import HOUR, RECORDED, envelopes, told_by_rest

WITHIN_S = 60.0


def raw_zone(folder: Path) -> RawZone:
    return RawZone(Store.open(str(folder / "lake")))


def kept(raw: RawZone, venue: str) -> list[Envelope]:
    """Everything in the raw zone of this venue's streams, in the order of arrival."""
    keys: list[str] = []
    for day in raw.store.folders(f"raw/{venue}/stream/"):
        for hour in raw.store.folders(f"raw/{venue}/stream/{day}/"):
            keys += raw.store.list(f"raw/{venue}/stream/{day}/{hour}/")
    return [envelope for key in sorted(keys) for envelope in raw.read(key)]


def notes(found: list[Envelope]) -> list[str]:
    return [json.loads(e.reply_bytes)["event"] for e in found if e.method == "NOTE"]


def frames(found: list[Envelope]) -> list[bytes]:
    return [e.reply_bytes for e in found if e.method == "WS"]


async def nothing(request: Request) -> None:
    return None


@asynccontextmanager
async def recording(
    raw: RawZone,
    venue: Venue,
    server: str,
    answer: Callable[[Request], Awaitable[object | None]] = nothing,
    clock: Clock | None = None,
    **bounds: Any,
) -> AsyncIterator[Recorder]:
    """A recorder at work; when the block ends it is told to stop, and has stopped."""
    recorder = Recorder([venue], raw, Rests(answer), clock or SystemClock(), server=server, **bounds)
    stop = asyncio.Event()
    work = asyncio.create_task(recorder.run(PLAN, stop))
    try:
        async with asyncio.timeout(WITHIN_S):
            yield recorder
    finally:
        stop.set()
        recorder.outcome = await work  # type: ignore[attr-defined]


async def taken(recorder: Recorder, venue: str, count: int) -> None:
    """Once the recorder has taken so many envelopes."""
    while recorder.spools[venue].taken_count < count:
        await asyncio.sleep(0)


class Oracle:
    """The book of the toy venue as its server has it, in another shape than the recorder's."""

    def __init__(self) -> None:
        self.last_id = 0
        self.levels: dict[str, dict[float, float]] = {"b": {}, "a": {}}

    def next(self) -> dict[str, Any]:
        """Some change, numbered."""
        self.last_id += 1
        n = self.last_id
        told = {"id": n, "b": [[100.0 - n % 7, float(n)]], "a": [[101.0 + n % 5, n % 3 + 1.0]]}
        if n % 11 == 0:
            told["b"].append([100.0 - (n + 3) % 7, 0.0])
        for side in ("b", "a"):
            for px, qty in told[side]:
                self.levels[side].pop(px, None)
                if qty:
                    self.levels[side][px] = qty
        return told

    def whole(self) -> dict[str, Any]:
        return {"id": self.last_id, **{side: [[px, q] for px, q in rows.items()] for side, rows in self.levels.items()}}


class TestRealStreams:
    @pytest.mark.parametrize(("venue_name", "symbol", "count"), RECORDED)
    def test_a_real_stream_served_again_is_recorded_so_that_every_book_can_be_rebuilt(
        self, recordings: Path, tmp_path: Path, venue_name: str, symbol: str, count: int
    ) -> None:
        """Level by level, at every instant of the replies that were derived from the same lines by others."""
        raw, venue = raw_zone(tmp_path), VENUES[venue_name]
        lines = list(envelopes(recordings, venue_name, symbol))
        asyncio.run(self.served(raw, venue, symbol, lines))
        rows = list(read_stream(venue, HOUR, kept(raw, venue_name), Sampling(5.0, levels=1_000)))
        books = {r.captured_ts: r for r in rows if isinstance(r, OrderBook) and r.symbol == symbol}
        replies = told_by_rest(recordings)[venue_name, symbol, "depth"]

        assert len(replies) == count
        for at, body in replies.items():
            book = books[at]
            for side, px, qty in (("bids", book.bid_px, book.bid_qty), ("asks", book.ask_px, book.ask_qty)):
                assert list(zip(px, qty, strict=True)) == [(float(p), float(q)) for p, q in body[side]], (at, side)

    async def served(self, raw: RawZone, venue: Venue, symbol: str, lines: list[Envelope]) -> None:
        clock, done = VirtualClock(at_of(lines[0]) - timedelta(seconds=1)), asyncio.Event()
        reached: asyncio.Queue[object] = asyncio.Queue()
        started = asyncio.Event()

        async def talk(socket: ServerConnection) -> None:
            path = socket.request.path if socket.request is not None else ""
            if started.is_set() or path not in venue.streams[0].url:
                await done.wait()
                return
            started.set()
            await socket.recv()  # what was subscribed to
            for line in lines:
                count = recorder.spools[venue.name].taken_count
                clock.set(at_of(line))
                if line.status == 200:
                    reached.put_nowait(json.loads(line.reply_bytes))
                else:
                    await socket.send(line.reply_bytes.decode())
                await taken(recorder, venue.name, count + 1)
            done.set()

        async def snapshot(request: Request) -> object | None:
            return await reached.get() if dict(request.query)["symbol"] == symbol else None

        async with serving(talk) as server, recording(raw, venue, server, snapshot, clock) as recorder:
            await done.wait()


def at_of(envelope: Envelope) -> datetime:
    at = envelope.at
    assert at is not None
    return at


class TestFaults:
    """A toy venue whose server knows the true book."""

    def test_everything_sent_is_written_in_order_and_the_end_is_noted(self, tmp_path: Path) -> None:
        raw, oracle, sent = raw_zone(tmp_path), Oracle(), []

        async def talk(socket: ServerConnection) -> None:
            await socket.recv()
            for _ in range(500):
                sent.append(json.dumps(oracle.next()))
                await socket.send(sent[-1])
            await socket.wait_closed()

        async def run() -> list[Recorded]:
            async with serving(talk) as server, recording(raw, toy(), server) as recorder:
                await taken(recorder, "toy", 501)
            return recorder.outcome  # type: ignore[attr-defined, no-any-return]

        [outcome] = asyncio.run(run())
        found = kept(raw, "toy")

        assert [frame.decode() for frame in frames(found)] == sent
        assert notes(found) == ["connected", "stopped"]
        assert (outcome.written_count, outcome.lost_count) == (len(found), 0)
        stamps = [at_of(envelope) for envelope in found]
        assert stamps == sorted(set(stamps))

    @pytest.mark.parametrize("fault", ["dropped", "duplicated", "swapped", "cut"])
    def test_a_fault_is_in_the_ledger_is_mended_and_no_wrong_book_comes_of_it(self, tmp_path: Path, fault: str) -> None:
        raw, oracle = raw_zone(tmp_path), Oracle()
        truth: dict[int, Any] = {}
        connections = 0

        def tell() -> str:
            told = json.dumps(oracle.next())
            truth[oracle.last_id] = oracle.whole()
            return told

        async def talk(socket: ServerConnection) -> None:
            nonlocal connections
            connections += 1
            await socket.recv()
            sent, after = 0, 0
            while after < 100:
                sent += 1
                messages = [tell()]
                if sent == 100 and connections == 1:
                    if fault == "dropped":
                        messages = []
                    elif fault == "duplicated":
                        messages *= 2
                    elif fault == "swapped":
                        messages = [tell(), *messages]
                    else:
                        return
                for message in messages:
                    await socket.send(message)
                    await (await socket.ping())  # it has been read
                after += sent > 100 and asked == (1 if fault == "duplicated" else 2)
            done.set()
            await socket.wait_closed()

        asked = 0

        async def snapshot(request: Request) -> object:
            nonlocal asked
            asked += 1
            return oracle.whole()

        done = asyncio.Event()

        async def run() -> None:
            async with serving(talk) as server, recording(raw, toy(), server, snapshot, ask_again_after_s=0.01):
                await done.wait()

        asyncio.run(run())
        found = kept(raw, "toy")
        heard = [at_of(envelope) for envelope in found if envelope.method == "WS"]
        rows = list(read_stream(toy(), hour_of(heard[0]), found, Sampling(0.001)))
        books = [row for row in rows if isinstance(row, OrderBook)]
        holes = [r for r in rows if isinstance(r, StreamHole) and heard[0] < r.captured_ts < heard[-1]]

        for book in books:
            held = truth[book.sequence_id or 0]
            assert dict(zip(book.bid_px, book.bid_qty, strict=True)) == dict(held["b"])
            assert dict(zip(book.ask_px, book.ask_qty, strict=True)) == dict(held["a"])
        sequence_ids = [book.sequence_id or 0 for book in books]
        assert min(sequence_ids) < 100 < max(sequence_ids)
        expected = {"dropped": ["gap"], "duplicated": [], "swapped": ["gap"], "cut": ["disconnected"]}
        assert [hole.reason for hole in holes] == expected[fault]
        assert all(hole.until_ts is not None for hole in holes)

    def test_silence_is_noted_and_the_connection_given_up(self, tmp_path: Path) -> None:
        raw, connected = raw_zone(tmp_path), asyncio.Queue[int]()

        async def talk(socket: ServerConnection) -> None:
            connected.put_nowait(1)
            await socket.wait_closed()

        async def run() -> None:
            async with serving(talk) as server, recording(raw, toy(silence_s=0.05), server):
                for _ in range(2):
                    await connected.get()

        asyncio.run(run())
        assert notes(kept(raw, "toy"))[:3] == ["connected", "silent", "connected"]

    def test_what_the_venue_wants_to_hear_is_sent_at_once(self, tmp_path: Path) -> None:
        heard: list[str] = []

        async def talk(socket: ServerConnection) -> None:
            await socket.recv()
            await socket.send('{"ping": 7}')
            heard.append(str(await socket.recv()))
            done.set()
            await socket.wait_closed()

        done = asyncio.Event()

        async def run() -> None:
            async with serving(talk) as server, recording(raw_zone(tmp_path), toy(), server):
                await done.wait()

        asyncio.run(run())
        assert heard == ['{"pong": 7}']

    def test_an_hour_begins_with_a_note_and_books_of_its_own(self, tmp_path: Path) -> None:
        """Each hour must be readable alone."""
        raw, oracle = raw_zone(tmp_path), Oracle()
        clock = VirtualClock(datetime(2026, 1, 2, 13, 59, 59, tzinfo=UTC))
        asked: asyncio.Queue[int] = asyncio.Queue()

        async def talk(socket: ServerConnection) -> None:
            await socket.recv()
            await socket.send(json.dumps(oracle.next()))
            await asked.get()
            await taken(recorder, "toy", 3)  # connected, the diff, the snapshot
            clock.set(datetime(2026, 1, 2, 14, 0, 1, tzinfo=UTC))
            await socket.send(json.dumps(oracle.next()))
            await taken(recorder, "toy", 5)
            done.set()
            await socket.wait_closed()

        async def snapshot(request: Request) -> object:
            asked.put_nowait(1)
            return oracle.whole()

        done = asyncio.Event()

        async def run() -> Recorder:
            nonlocal recorder
            async with serving(talk) as server, recording(raw, toy(), server, snapshot, clock) as recorder:
                await done.wait()
            return recorder

        recorder: Any = None
        asyncio.run(run())
        hours = raw.store.folders("raw/toy/stream/date=2026-01-02/")

        assert hours == ["hour=13", "hour=14"]
        assert notes(kept(raw, "toy")) == ["connected", "continued", "stopped"]


def test_a_listed_name_that_no_grammar_knows_is_not_recorded_and_ends_nothing(tmp_path: Path) -> None:
    def tells(channel: str) -> Told:
        if channel == "BTC_?":
            raise Refused("unknown_symbol", channel)
        return Told("order_books", "perp", channel)

    stream = dataclasses.replace(toy().streams[0], channels=lambda plan: ["BTC_?", "BTC"], tells=tells)
    venue = dataclasses.replace(toy(), streams=(stream,))
    asked: asyncio.Queue[list[str]] = asyncio.Queue()

    async def talk(socket: ServerConnection) -> None:
        asked.put_nowait(json.loads(await socket.recv())["subscribe"])
        await socket.wait_closed()

    async def run() -> None:
        async with serving(talk) as server, recording(raw_zone(tmp_path), venue, server):
            assert await asked.get() == ["BTC"]

    asyncio.run(run())
