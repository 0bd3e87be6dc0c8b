"""One connection of a stream: kept open, written down, and every hole in it noted."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container
from contextlib import suppress
from datetime import datetime
from math import inf
from urllib.parse import urlsplit, urlunsplit

import msgspec
from aiolimiter import AsyncLimiter
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, WebSocketException

from ingestion.envelopes import Envelope, seal
from ingestion.recorder.books import FollowedBooks
from ingestion.recorder.spool import Spool
from ingestion.streams import EVERY_SECOND
from ingestion.transports.base import CaptureFailed
from ingestion.venues.base import Refused, Reply, Request, Venue
from ingestion.venues.streams import (
    NOTE_METHOD,
    WS_METHOD,
    WS_STATUS,
    Control,
    Note,
    NoteEvent,
    Stream,
    Subscription,
)

LOG = logging.getLogger(__name__)
MAX_FRAME_BYTES = 16 * 1024 * 1024
FRAMES_WAITING = 256  # in memory; beyond it the venue's sending is held back
TURNED_AWAY_PAUSE_S = 60.0  # after a handshake that the venue refused
ASK_AGAIN_AFTER_S = 5.0  # for a book that did not come

Ask = Callable[[Request], Awaitable[Envelope]]


class Listener:
    """Connects, subscribes, writes every frame, mends books, reconnects; until it is cancelled."""

    def __init__(
        self,
        venue: Venue,
        stream: Stream,
        subscription: Subscription,
        number: int,
        spool: Spool,
        ask: Ask,
        connecting: AsyncLimiter,
        *,
        server: str | None = None,
        ask_again_after_s: float = ASK_AGAIN_AFTER_S,
        levels: int = EVERY_SECOND.levels,
    ) -> None:
        self._venue, self._stream, self._subscription = venue, stream, subscription
        self._spool, self._ask, self._connecting = spool, ask, connecting
        self._url = stream.url if server is None else _at(server, stream.url)
        self._query = f"connection={number}"
        self._ask_again_after_s = ask_again_after_s
        self._books = FollowedBooks(stream, stream.books(subscription.channels), levels)
        self._is_missing = asyncio.Event()  # some book is, that was not just asked for
        self.left: set[str] = set()  # channels that are wanted no more and that this connection may still carry
        self._dropped = 0
        self._dropped_since: datetime | None = None
        self._refused = 0

    def __str__(self) -> str:
        return f"{self._venue.name} {self._stream.name} {self._query}"

    @property
    def channels(self) -> tuple[str, ...]:
        """What it is to carry."""
        return self._subscription.channels

    def keep(self, wanted: Container[str]) -> None:
        """Carry these alone from now on; the connection is not cut, and asks for no others once it is made anew."""
        left = tuple(channel for channel in self.channels if channel not in wanted)
        if left:
            kept = tuple(channel for channel in self.channels if channel in wanted)
            self._subscription = Subscription(kept, tuple(self._stream.subscribe(kept)) if kept else ())
            self._books.keep(self._stream.books(kept))
            self.left.update(left)
            self._note("left", channels=left)

    async def run(self) -> None:
        """Listen for ever."""
        while True:
            try:
                async for socket in self._connections():
                    await self._connecting.acquire()
                    await self._session(socket)
            except (InvalidHandshake, OSError) as error:
                LOG.warning("%s: turned away (%s)", self, error)
                await asyncio.sleep(TURNED_AWAY_PAUSE_S)

    def _connections(self) -> connect:
        """Connections one after another, with growing random pauses while none can be had."""
        return connect(
            self._url,
            max_size=MAX_FRAME_BYTES,
            max_queue=FRAMES_WAITING,
            ping_timeout=None,  # while frames wait a pong does too; a dead peer is told by its silence
            proxy=None,
            close_timeout=2,
        )

    async def _session(self, socket: ClientConnection) -> None:
        self._books.start()
        self.left.clear()
        self._note("connected", channels=self._subscription.channels)
        reason: tuple[NoteEvent, str]
        try:
            async with asyncio.TaskGroup() as tasks:
                helpers = [tasks.create_task(self._subscribe(socket)), tasks.create_task(self._mend(socket))]
                if self._stream.keepalive is not None:
                    helpers.append(tasks.create_task(self._keep_alive(socket)))
                reason = await self._listen(socket)
                for helper in helpers:
                    helper.cancel()
        except* (ConnectionClosed, WebSocketException, OSError) as errors:
            reason = "disconnected", str(errors.exceptions[0])[:200]
        LOG.warning("%s: %s %s", self, *reason)
        self._note(reason[0], reason=reason[1])
        await socket.close()

    async def _listen(self, socket: ClientConnection) -> tuple[NoteEvent, str]:
        """Write frames until the connection ends; returns how it did."""
        ends_at = None
        if self._stream.max_age_s is not None:
            ends_at = asyncio.get_running_loop().time() + self._stream.max_age_s * 0.98
        while ends_at is None or asyncio.get_running_loop().time() < ends_at:
            try:
                async with asyncio.timeout(self._stream.silence_s):
                    frame = await socket.recv(decode=False)
            except TimeoutError:
                return "silent", f"nothing for {self._stream.silence_s:g} s"
            except ConnectionClosed as closed:
                return "disconnected", str(closed)[:200]
            for control in self._take(frame if isinstance(frame, bytes) else frame.encode()):
                if control.reply is not None:
                    await socket.send(control.reply)
                if control.event == "error":
                    LOG.error("%s: %s", self, control.text[:200])
        return "disconnected", "renewed before the venue ends it"

    def _take(self, frame: bytes) -> list[Control]:
        at = self._spool.stamp()
        if self._books.turn(at):
            self._is_missing.set()
            self._note("continued", at, channels=self._subscription.channels)
            at = self._spool.stamp()
        kept = self._spool.put(_sealed(self._venue, self._stream, self._query, WS_METHOD, at, frame))
        if not kept:
            # The reader will miss this frame: its books end here, as ours do.
            self._dropped += 1
            self._dropped_since = self._dropped_since or at
            self._books.start()
            self._is_missing.set()
            return []
        if self._dropped:
            dropped, since, self._dropped, self._dropped_since = self._dropped, self._dropped_since, 0, None
            self._note("dropped", frames=dropped, since_ts=since)
        try:
            controls = self._books.take(Reply(self._stream.path, {}, frame, at))
        except Refused as refused:
            self._refused += 1
            if self._refused.bit_count() == 1:  # the 1st, 2nd, 4th, 8th, …
                LOG.warning("%s: frame refused, %d so far (%s)", self, self._refused, refused.reason)
            return []
        if self._books.ended:
            self._books.ended = False
            self._is_missing.set()
        return controls

    async def _subscribe(self, socket: ClientConnection) -> None:
        for frame in self._subscription.frames:
            await socket.send(frame)
            await asyncio.sleep(1 / self._stream.frames_per_s)

    async def _keep_alive(self, socket: ClientConnection) -> None:
        keepalive = self._stream.keepalive
        while keepalive is not None:
            await asyncio.sleep(keepalive.every_s)
            await socket.send(keepalive.text)

    async def _mend(self, socket: ClientConnection) -> None:
        """Ask for every book that is missing, each at most once in a while, until none is."""
        now = asyncio.get_running_loop().time
        # Subscribing brings the first, where no REST reply does.
        asked = dict.fromkeys(self._books.missing() if self._stream.snapshot is None else (), now())
        while True:
            self._is_missing.clear()
            for symbol in self._books.missing():
                if now() - asked.get(symbol, -inf) >= self._ask_again_after_s:
                    await self._ask_book(socket, symbol)
                    asked[symbol] = now()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._ask_again_after_s):
                    await self._is_missing.wait()

    async def _ask_book(self, socket: ClientConnection, symbol: str) -> None:
        if self._stream.snapshot is None:
            for frame in self._stream.renew(symbol) if self._stream.renew is not None else ():
                await socket.send(frame)
                await asyncio.sleep(1 / self._stream.frames_per_s)
            return
        try:
            envelope = await self._ask(self._stream.snapshot(symbol))
            stamped = msgspec.structs.replace(envelope, captured_ts=_spelled(self._spool.stamp()))
            if self._spool.put(stamped):
                self._books.take_snapshot(stamped.reply())
        except (CaptureFailed, Refused) as error:
            LOG.warning("%s: no snapshot of %s (%s)", self, symbol, error)

    def _note(
        self,
        event: NoteEvent,
        at: datetime | None = None,
        *,
        channels: tuple[str, ...] = (),
        since_ts: datetime | None = None,
        frames: int | None = None,
        reason: str = "",
    ) -> None:
        body = msgspec.json.encode(
            Note(event=event, channels=channels, since_ts=since_ts, frames=frames, reason=reason)
        )
        self._spool.put(_sealed(self._venue, self._stream, self._query, NOTE_METHOD, at or self._spool.stamp(), body))

    def note_killed(self, since_ts: datetime) -> None:
        """An earlier recorder ended without a word: what it had not written by then is lost."""
        self._note("killed", channels=self._subscription.channels, since_ts=since_ts)

    def note_stopped(self) -> None:
        """This recorder ends, and all that it had is written."""
        self._note("stopped")


def _at(server: str, url: str) -> str:
    """The stream's path on another server: `http://127.0.0.1:8080` in the place of `wss://stream.venue.com`."""
    there, own = urlsplit(server), urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(there.scheme, there.scheme)
    return urlunsplit((scheme, there.netloc, there.path.rstrip("/") + own.path, own.query, ""))


def _sealed(venue: Venue, stream: Stream, query: str, method: str, at: datetime, body: bytes) -> Envelope:
    sealed = seal(
        venue=venue.name,
        host=urlsplit(stream.url).hostname or "",
        path=stream.path,
        query=query,
        status=WS_STATUS,
        captured_ts=at,
        body=body,
    )
    return msgspec.structs.replace(sealed, method=method)


def _spelled(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
