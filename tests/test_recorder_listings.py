"""While the recorder runs, what is newly listed comes beside, what expired is let go of, and no other book is cut."""

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from websockets.asyncio.server import ServerConnection

from ingestion.envelopes import Envelope, seal
from ingestion.recorder import Recorder
from ingestion.records import Instrument, OrderBook, StreamHole
from ingestion.streams import Sampling, read_stream
from ingestion.transports.base import CaptureFailed
from ingestion.venues import VENUES
from ingestion.venues.base import Plan, Reply, Request, Venue
from ingestion.venues.streams import BookSnapshot, Told
from ingestion.venues.wire import Name, instrument
from orchestration.pipeline import Pipeline
from orchestration.record import Rounds
from orchestration.settings import Settings
from tests.stream_server import Rests, serving, toy
from tests.test_recorder import WITHIN_S, at_of, kept, nothing, raw_zone

HOUR = datetime(2026, 1, 2, 8, tzinfo=UTC)


def coins() -> Venue:
    """A book a coin that the plan wants; every message is a whole one, whose id is its number."""

    def read(reply: Reply) -> Iterator[BookSnapshot]:
        coin, number = json.loads(reply.body)
        levels = [(100.0, float(number))], [(101.0, float(number))]
        yield BookSnapshot(
            kind="perp", symbol=coin, captured_ts=reply.captured_ts, last_id=number, bids=levels[0], asks=levels[1]
        )

    stream = dataclasses.replace(
        toy().streams[0],
        channels=lambda plan: list(plan.underlyings),
        tells=lambda channel: Told("order_books", "perp", channel),
        read=read,
        order="none",
        snapshot=None,
        read_snapshot=None,
    )
    return dataclasses.replace(toy(), streams=(stream,))


def plan(*wanted: str) -> Plan:
    return Plan(wanted, HOUR, HOUR + timedelta(hours=1))


class Server:
    """Keeps each connection by what it asked for, and sends what it is told to."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[list[str]] = asyncio.Queue()
        self.sockets: dict[str, ServerConnection] = {}  # by coin, the last that asked for it

    async def talk(self, socket: ServerConnection) -> None:
        wanted = json.loads(await socket.recv())["subscribe"]
        self.sockets |= dict.fromkeys(wanted, socket)
        self.asked.put_nowait(wanted)
        await socket.wait_closed()

    async def send(self, coin: str, *numbers: int) -> None:
        for number in numbers:
            await self.sockets[coin].send(json.dumps([coin, number]))
            await (await self.sockets[coin].ping())  # it has been read


class Ticking:
    """A clock that runs from the start of an hour, so that no test meets its end."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()

    def now(self) -> datetime:
        return HOUR + timedelta(seconds=time.monotonic() - self._began_s)


@asynccontextmanager
async def recorded(folder: Path, *wanted: str) -> AsyncIterator[tuple[Recorder, Server]]:
    there, stop = Server(), asyncio.Event()
    async with serving(there.talk) as address, asyncio.timeout(WITHIN_S):
        recorder = Recorder([coins()], raw_zone(folder), Rests(nothing), Ticking(), server=address)
        work = asyncio.create_task(recorder.run(plan(*wanted), stop))
        assert await there.asked.get() == list(wanted)
        try:
            yield recorder, there
        finally:
            stop.set()
            await work


def told(folder: Path) -> tuple[list[Envelope], list[tuple[str, str]]]:
    """All that was written, and the notes of each connection."""
    found = kept(raw_zone(folder), "toy")
    return found, [(e.query, json.loads(e.reply_bytes)["event"]) for e in found if e.method == "NOTE"]


def read(found: list[Envelope], coin: str) -> tuple[list[OrderBook], list[StreamHole]]:
    """A coin's samples, a millisecond apart, and its holes."""
    rows = [
        row
        for row in read_stream(coins(), HOUR, found, Sampling(0.001))
        if isinstance(row, OrderBook | StreamHole) and row.symbol == coin
    ]
    return [r for r in rows if isinstance(r, OrderBook)], [r for r in rows if isinstance(r, StreamHole)]


def spans(found: list[Envelope], coin: str) -> list[tuple[datetime, int]]:
    """When each of a coin's messages came, and its number."""
    frames = [(at_of(e), json.loads(e.reply_bytes)) for e in found if e.method == "WS"]
    return [(at, number) for at, (name, number) in frames if name == coin]


def assert_true(found: list[Envelope], coin: str, books: list[OrderBook]) -> None:
    """Every sample is the last message before it."""
    assert books
    messages = spans(found, coin)
    for book in books:
        assert book.sequence_id == [number for at, number in messages if at < book.captured_ts][-1]
        assert book.bid_qty == (float(book.sequence_id or 0),)


def test_what_is_newly_listed_comes_over_another_connection_and_cuts_no_book(tmp_path: Path) -> None:
    async def run() -> None:
        async with recorded(tmp_path, "BTC") as (recorder, there):
            await there.send("BTC", 1, 2, 3)
            recorder.follow(plan("BTC", "ETH"))
            await there.send("BTC", 4, 5)
            assert await there.asked.get() == ["ETH"]
            for number in range(6, 60):
                await there.send("BTC", number)
                await there.send("ETH", number)

    asyncio.run(run())
    found, notes = told(tmp_path)

    assert notes == [
        ("connection=0", "connected"),
        ("connection=1", "connected"),
        ("connection=0", "stopped"),
        ("connection=1", "stopped"),
    ]
    assert [number for _, number in spans(found, "BTC")] == list(range(1, 60))
    for coin in ("BTC", "ETH"):
        books, holes = read(found, coin)
        assert_true(found, coin, books)
        assert [hole.reason for hole in holes] == ["no_snapshot", "disconnected"]  # its beginning, and the end


def test_a_plan_that_says_the_same_changes_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async with recorded(tmp_path, "BTC", "ETH") as (recorder, there):
            recorder.follow(plan("ETH", "BTC"))
            await there.send("BTC", 1)

    asyncio.run(run())

    assert told(tmp_path)[1] == [("connection=0", "connected"), ("connection=0", "stopped")]


def test_what_expired_is_let_go_of_and_the_last_of_a_connection_ends_it(tmp_path: Path) -> None:
    """A message that comes after the note is none of a book that is recorded."""

    async def run() -> None:
        async with recorded(tmp_path, "BTC", "ETH") as (recorder, there):
            for number in range(1, 30):
                await there.send("BTC", number)
                await there.send("ETH", number)
            recorder.follow(plan("BTC"))
            for number in range(30, 60):
                await there.send("BTC", number)
                await there.send("ETH", number)
            recorder.follow(plan("SOL"))
            assert await there.asked.get() == ["SOL"]
            await there.sockets["BTC"].wait_closed()

    asyncio.run(run())
    found, notes = told(tmp_path)
    left = [at_of(e) for e in found if e.method == "NOTE" and json.loads(e.reply_bytes)["event"] == "left"]

    assert notes[:3] == [("connection=0", "connected"), ("connection=0", "left"), ("connection=0", "left")]
    assert notes[3:] == [("connection=1", "connected"), ("connection=1", "stopped")]
    for coin, until in zip(("ETH", "BTC"), left, strict=True):
        books, holes = read(found, coin)
        assert_true(found, coin, books)
        assert books[-1].captured_ts <= until
        assert [(hole.reason, hole.until_ts is None) for hole in holes] == [("no_snapshot", False)]


def test_what_is_wanted_again_never_comes_over_two_connections_at_once(tmp_path: Path) -> None:
    """The connection that let go of it still carries it, and is made anew: a hole, and true books on both sides."""

    async def run() -> None:
        async with recorded(tmp_path, "BTC", "ETH") as (recorder, there):
            for number in range(1, 20):
                await there.send("BTC", number)
                await there.send("ETH", number)
            before = there.sockets["ETH"]
            recorder.follow(plan("BTC"))
            await there.send("BTC", 20)
            recorder.follow(plan("BTC", "ETH"))
            assert await there.asked.get() == ["BTC", "ETH"]
            await before.wait_closed()
            for number in range(21, 60):
                await there.send("BTC", number)
                await there.send("ETH", number)

    asyncio.run(run())
    found, notes = told(tmp_path)

    assert [event for _, event in notes] == ["connected", "left", "stopped", "connected", "stopped"]
    for coin in ("BTC", "ETH"):
        books, holes = read(found, coin)
        assert_true(found, coin, books)
        assert [hole.until_ts is None for hole in holes] == [False, False, True]  # the last is the end


class HandClock:
    """A clock that stands where it was set, of a transport that is none the less live."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


class Listing:
    """A transport that knows what Binance COIN-M lists and nothing else; the listing may be out of reach."""

    is_virtual = False

    def __init__(self, clock: HandClock, *contracts: tuple[str, datetime | None]) -> None:
        self.clock, self.contracts, self.is_broken = clock, contracts, False

    async def get(self, venue: Venue, request: Request, weight: int) -> Envelope:
        if request.path != "/dapi/v1/exchangeInfo" or self.is_broken:
            raise CaptureFailed(venue.name, request.path, "not here")
        body = {"symbols": [_contract(symbol, expiry) for symbol, expiry in self.contracts]}
        return seal(
            venue=venue.name,
            host="",
            path=request.path,
            query=request.query_string,
            status=200,
            captured_ts=self.clock.now(),
            body=json.dumps(body).encode(),
        )

    async def aclose(self) -> None:
        """Nothing is held open."""


def _contract(symbol: str, expiry: datetime | None) -> dict[str, Any]:
    never_ms = 4_133_404_800_000
    return {
        "symbol": symbol,
        "pair": "BTCUSD",
        "contractType": "PERPETUAL" if expiry is None else "CURRENT_QUARTER",
        "deliveryDate": never_ms if expiry is None else int(expiry.timestamp() * 1_000),
        "onboardDate": 1_567_964_400_000,
        "contractStatus": "TRADING",
        "contractSize": 100,
        "baseAsset": "BTC",
        "quoteAsset": "USD",
        "marginAsset": "BTC",
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.1", "maxPrice": "1000000", "tickSize": "0.1"},
            {"filterType": "LOT_SIZE", "minQty": "1", "maxQty": "9000", "stepSize": "1"},
        ],
    }


OLD, NEW = datetime(2026, 3, 27, 8, tzinfo=UTC), datetime(2026, 6, 26, 8, tzinfo=UTC)
PERP = ("BTCUSD_PERP", None)


@asynccontextmanager
async def rounds_of(folder: Path, transport: Listing) -> AsyncIterator[tuple[Rounds, list[str]]]:
    """Rounds beside a recorder at work, and the depth channels in the order in which they were asked for."""
    asked: list[str] = []

    async def talk(socket: ServerConnection) -> None:
        async for frame in socket:
            asked.extend(name for name in json.loads(frame)["params"] if name.endswith("@depth@100ms"))

    pipeline = Pipeline(Settings(lake_uri=str(folder), venues=("binance_coinm",), underlyings=("BTC",)))
    stop = asyncio.Event()
    async with serving(talk) as address, asyncio.timeout(WITHIN_S):
        recorder = Recorder([VENUES["binance_coinm"]], pipeline.raw, transport, transport.clock, server=address)
        rounds = Rounds(pipeline, transport, recorder)
        await rounds.begin()
        work = asyncio.create_task(recorder.run(rounds.plan, stop))
        try:
            yield rounds, asked
        finally:
            stop.set()
            await work


async def heard(asked: list[str], *symbols: str) -> None:
    """Once these books were asked for, in this order."""
    while len(asked) < len(symbols):
        await asyncio.sleep(0)
    assert [name.partition("@")[0].upper() for name in asked] == list(symbols)


def test_each_hour_the_recorder_follows_what_is_listed_by_then(tmp_path: Path) -> None:
    clock = HandClock(OLD - timedelta(minutes=30))
    transport = Listing(clock, PERP, ("BTCUSD_260327", OLD))

    async def run() -> None:
        async with rounds_of(tmp_path, transport) as (rounds, asked):
            await heard(asked, "BTCUSD_PERP", "BTCUSD_260327")

            transport.contracts = (PERP, ("BTCUSD_260327", OLD), ("BTCUSD_260626", NEW))
            clock.at = OLD + timedelta(seconds=20)
            await rounds.sweep()  # the hour has hardly begun
            assert len(rounds.plan.listed) == 2
            clock.at = OLD + timedelta(minutes=5)
            await rounds.sweep()
            await heard(asked, "BTCUSD_PERP", "BTCUSD_260327", "BTCUSD_260626")
            assert {each.symbol for each in rounds.plan.listed} == {"BTCUSD_PERP", "BTCUSD_260626"}

    asyncio.run(run())


def test_sweeps_ask_for_what_no_stream_of_the_plan_tells(tmp_path: Path) -> None:
    """Deribit's quotes of options come over a channel an option."""
    pipeline = Pipeline(Settings(lake_uri=str(tmp_path), venues=("deribit",), underlyings=("BTC",)))
    transport = Listing(HandClock(HOUR))
    rounds = Rounds(pipeline, transport, Recorder([VENUES["deribit"]], pipeline.raw, transport, transport.clock))
    option = VENUES["deribit"].terms("BTC-27MAR26-100000-C", "option", HOUR)

    assert ("deribit", "option_quotes") in rounds.untold
    rounds.plan = dataclasses.replace(rounds.plan, listed=(option,))
    assert ("deribit", "option_quotes") not in rounds.untold


def test_a_listing_that_does_not_come_lets_go_of_nothing_but_what_expired(tmp_path: Path) -> None:
    clock = HandClock(OLD - timedelta(minutes=30))
    transport = Listing(clock, PERP, ("BTCUSD_260327", OLD), ("BTCUSD_260626", NEW))

    async def run() -> None:
        async with rounds_of(tmp_path, transport) as (rounds, _):
            transport.is_broken = True
            clock.at = OLD + timedelta(minutes=5)
            await rounds.sweep()
            assert {each.symbol for each in rounds.plan.listed} == {"BTCUSD_PERP", "BTCUSD_260626"}

    asyncio.run(run())


def test_a_venue_is_asked_for_its_own_instruments_alone(tmp_path: Path) -> None:
    """Two venues spell their options alike, and each has some that the other has not."""
    own = dataclasses.replace(coins().streams[0], channels=lambda plan: [each.symbol for each in plan.listed])
    venue = dataclasses.replace(coins(), streams=(own,))
    told_of = [_instrument("toy", "BTC"), _instrument("elsewhere", "ETH")]

    async def run() -> None:
        there, stop = Server(), asyncio.Event()
        async with serving(there.talk) as address, asyncio.timeout(WITHIN_S):
            recorder = Recorder([venue], raw_zone(tmp_path), Rests(nothing), Ticking(), server=address)
            work = asyncio.create_task(recorder.run(dataclasses.replace(plan(), listed=tuple(told_of)), stop))
            assert await there.asked.get() == ["BTC"]
            stop.set()
            await work

    asyncio.run(run())


def _instrument(venue: str, symbol: str) -> Instrument:
    return instrument(
        Name("perp", symbol, "USD", "USD"),
        venue=venue,
        symbol=symbol,
        captured_ts=HOUR,
        contract_size=1.0,
        amount_unit="contracts",
        terms_source="documented",
    )
