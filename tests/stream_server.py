"""A venue's WebSocket server for the tests: it sends and loses what it is told, and answers REST beside."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response

from ingestion.envelopes import Envelope, seal
from ingestion.records import Instrument, Kind
from ingestion.transports.base import CaptureFailed, SystemClock
from ingestion.venues.base import Plan, Refused, Reply, Request, Venue
from ingestion.venues.streams import BookDiff, BookSnapshot, Control, Said, Stream, Told

Talk = Callable[[ServerConnection], Awaitable[None]]
Rest = Callable[[str], object]


@asynccontextmanager
async def serving(talk: Talk, rest: Rest | None = None) -> AsyncIterator[str]:
    """A server on loopback; yields its address. `rest` answers plain GETs by path; None is a 404."""

    async def plain(connection: ServerConnection, request: HttpRequest) -> Response | None:
        if "Upgrade" in request.headers:
            return None
        said = rest(request.path) if rest is not None else None
        status = HTTPStatus.NOT_FOUND if said is None else HTTPStatus.OK
        body = json.dumps(said).encode()
        headers = Headers({"content-type": "application/json", "content-length": str(len(body)), "connection": "close"})
        return Response(status.value, status.phrase, headers, body)

    server: Server = await serve(talk, "127.0.0.1", 0, process_request=plain)
    async with server:
        yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


class InThread:
    """The same server in a thread of its own, for a recorder in another process."""

    def __init__(self, talk: Talk, rest: Rest | None = None) -> None:
        self.address = ""
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve(talk, rest)))

    def __enter__(self) -> "InThread":
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self, talk: Talk, rest: Rest | None) -> None:
        async with serving(talk, rest) as self.address:
            self._ready.set()
            await self._end.wait()


class Rests:
    """A transport whose every answer is what the test says, or a failure."""

    is_virtual = False

    def __init__(self, answer: Callable[[Request], Awaitable[object | None]]) -> None:
        self.clock = SystemClock()
        self.asked: list[Request] = []
        self._answer = answer

    async def get(self, venue: Venue, request: Request, weight: int) -> Envelope:
        self.asked.append(request)
        said = await self._answer(request)
        if said is None:
            raise CaptureFailed(venue.name, request.path, "nothing to say")
        return seal(
            venue=venue.name,
            host="",
            path=request.path,
            query=request.query_string,
            status=200,
            captured_ts=datetime.now(UTC),
            body=json.dumps(said).encode(),
        )

    async def aclose(self) -> None:
        """Nothing is held open."""


def _said(kind: type[BookDiff] | type[BookSnapshot], told: dict[str, object], reply: Reply) -> Said:
    return kind(  # type: ignore[call-arg]
        kind="perp",
        symbol="BTC",
        captured_ts=reply.captured_ts,
        last_id=told["id"],
        bids=told["b"],
        asks=told["a"],
    )


def _read(reply: Reply) -> "list[Said]":
    told = json.loads(reply.body)
    if "ping" in told:
        return [Control(event="alive", reply=json.dumps({"pong": told["ping"]}))]
    if "id" not in told:
        raise Refused("schema", "neither a diff nor a ping")
    return [_said(BookDiff, told, reply)]


def _unknown(symbol: str, kind: Kind, at: datetime) -> Instrument:
    raise Refused("unknown_symbol", symbol)


def toy(*, silence_s: float = 30.0, snapshot: bool = True) -> Venue:
    """One book, `BTC`, whose diffs are numbered one by one; its snapshot is at `/book`."""
    stream = Stream(
        name="books",
        url="wss://stream.toy.test/all",
        docs_url="https://toy.test/docs",
        channels=lambda plan: ["BTC@book"],
        tells=lambda channel: Told("order_books", "perp", "BTC"),
        subscribe=lambda channels: [json.dumps({"subscribe": list(channels)})],
        read=lambda reply: iter(_read(reply)),
        silence_s=silence_s,
        max_channels=10,
        frames_per_s=1_000,
        connections_per_minute=6_000,
        order="step",
        snapshot=(lambda symbol: Request("/book", (("symbol", symbol),))) if snapshot else None,
        read_snapshot=lambda reply: iter([_said(BookSnapshot, json.loads(reply.body), reply)]),  # type: ignore[list-item]
    )
    return Venue("toy", "https://toy.test", "https://toy.test/docs", (), _unknown, 1_000, streams=(stream,))


PLAN = Plan(("BTC", "ETH"), datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, 1, tzinfo=UTC))
