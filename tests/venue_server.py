"""A venue's server for the tests: it answers as it is told, and keeps what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime

import httpx

from ingestion.envelopes import Envelope
from ingestion.records import Instrument, Kind
from ingestion.transports.base import Transport, VirtualClock
from ingestion.transports.live import ATTEMPTS, MAX_BODY_BYTES, LiveTransport
from ingestion.venues.base import Refused, Request, Venue

NOW = datetime(2026, 1, 2, 13, 0, 5, tzinfo=UTC)
ASKED = Request("/depth", (("symbol", "BTC"), ("limit", "5")))

Handler = Callable[[httpx.Request], httpx.Response]


def unknown(symbol: str, kind: Kind, at: datetime) -> Instrument:
    raise Refused("unknown_symbol", symbol)


def venue(name: str = "okx", weight_per_minute: int = 1200) -> Venue:
    return Venue(name, f"https://{name}.test", "", (), unknown, weight_per_minute)


class Seconds:
    """Time that passes only by sleeping, and remembers how long each sleep was."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        until = self.now_s + seconds
        await asyncio.sleep(0)
        self.now_s = max(self.now_s, until)


class Chunks(httpx.AsyncByteStream):
    """A body that arrives in pieces, as it does from a network."""

    def __init__(self, content: bytes, size: int = 8192) -> None:
        self._content = content
        self._size = size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._content), self._size):
            yield self._content[start : start + self._size]


def says(status: int, content: bytes = b"", headers: Mapping[str, str] | None = None) -> httpx.Response:
    """A reply whose body is still to be read, as a network's is."""
    return httpx.Response(status, headers=headers, stream=Chunks(content))


def live(
    handler: Handler,
    seconds: Seconds | None = None,
    *,
    max_body_bytes: int = MAX_BODY_BYTES,
    attempts: int = ATTEMPTS,
) -> LiveTransport:
    """The live transport with this server behind it, at `NOW`."""
    return LiveTransport(
        clock=VirtualClock(NOW),
        transport=httpx.MockTransport(handler),
        passing=seconds or Seconds(),
        max_body_bytes=max_body_bytes,
        attempts=attempts,
    )


def asked(transport: Transport, request: Request = ASKED) -> Envelope:
    return asyncio.run(transport.get(venue(), request, 1))


def answers(*replies: httpx.Response | Exception) -> tuple[Handler, list[httpx.Request]]:
    """A server that gives these answers in turn, the last one for ever, and keeps what it was asked."""
    left, heard = list(replies), []

    def handle(request: httpx.Request) -> httpx.Response:
        heard.append(request)
        reply = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status_code, headers=reply.headers, stream=reply.stream)

    return handle, heard
