"""Asks the venues themselves over HTTP, within their budgets.

A 429 pauses everyone who asks that venue; a ban (418, 403) stops the venue. Neither is a matter of one
request: asking on is what turns a pause into a ban.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import httpx
import msgspec
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from ingestion.envelopes import Envelope, seal
from ingestion.transports.base import CaptureFailed, Clock, SystemClock, VirtualClock
from ingestion.transports.bodies import ACCEPT_ENCODING, Damaged, TooLarge, UnknownEncoding, read_capped
from ingestion.transports.pacing import Banned, Budget, Pace, RealTime, Time, VirtualTime
from ingestion.venues.base import Request, Venue

MAX_BODY_BYTES = 64 * 1024 * 1024
ATTEMPTS = 4
REPLY_WITHIN_S = 60.0
UNSTATED_PAUSE_S = 5.0  # after a 429 without Retry-After
UNSTATED_BAN_S = 300.0  # after a 418 or 403 without Retry-After
SHORTEST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0  # a longer one is no pause: nobody waits for it

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]

_BACKOFF = wait_random_exponential(multiplier=0.5, max=10)
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")


class _Again(Exception):
    """A failure that asking again may cure."""

    def __init__(self, reason: str, *, is_paced: bool = False) -> None:
        super().__init__(reason)
        self.is_paced = is_paced  # the venue's pause says when; no wait of ours on top


class LiveTransport:
    """Replies over HTTP. `base_url` or `app` put one server in every venue's place, `base_urls` one in a venue's.

    Connections belong to an event loop: close before a loop ends, and ask on in the next.
    """

    def __init__(
        self,
        base_url: str | None = None,
        app: ASGIApp | None = None,
        clock: Clock | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        passing: Time | None = None,
        base_urls: Mapping[str, str] | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        attempts: int = ATTEMPTS,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.is_virtual = isinstance(self.clock, VirtualClock)
        if app is not None:
            transport = httpx.ASGITransport(app)
            base_url = base_url or "http://sandbox"
        self._base_url = _checked(base_url) if base_url else None
        self._base_urls = {venue: _checked(url) for venue, url in (base_urls or {}).items()}
        self._transport = transport
        self._time = passing or (VirtualTime(self.clock) if self.is_virtual else RealTime())
        self._max_body_bytes = max_body_bytes
        self._attempts = attempts
        self._paces: dict[str, Pace] = {}
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def get(self, venue: Venue, request: Request, weight: int) -> Envelope:
        """The venue's reply of status 200 with a JSON body; raises `CaptureFailed` for anything else."""
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._attempts),
            wait=_wait,
            sleep=self._time.sleep,
            retry=retry_if_exception_type(_Again),
            reraise=True,
        )
        try:
            return await retrying(self._ask, venue, request, weight)
        except _Again as again:
            reason = f"{again} ({self._attempts} attempts)"
            raise CaptureFailed(venue.name, request.path, reason) from again
        except (Banned, TooLarge, UnknownEncoding) as error:
            raise CaptureFailed(venue.name, request.path, str(error)) from error

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.aclose()

    async def _ask(self, venue: Venue, request: Request, weight: int) -> Envelope:
        pace = self._pace(venue)
        base_url = httpx.URL(self._base_urls.get(venue.name) or self._base_url or venue.base_url)
        query = request.query_string
        path = "" if request.path == "/" else request.path  # a node's address may be a path of its own
        url = f"{str(base_url).rstrip('/')}{path}{'?' if query else ''}{query}"
        await pace.turn(weight)
        try:
            async with asyncio.timeout(REPLY_WITHIN_S), self._asking(url, request) as response:
                # Before the body is awaited: meanwhile others would ask on.
                self._heed(response, pace)
                body = await self._body(response)
        except TimeoutError as error:
            raise _Again(f"no whole reply within {REPLY_WITHIN_S:.0f} s") from error
        except httpx.TransportError as error:
            raise _Again(_line(f"{type(error).__name__}: {error}")) from error
        except Damaged as error:
            raise _Again(str(error)) from error
        self._refuse_unless_json(venue, request, response, body)
        return seal(
            venue=venue.name,
            host=base_url.host,
            path=request.path,
            query=query,
            status=response.status_code,
            captured_ts=self.clock.now(),
            body=body,
            asked=request.body,
        )

    def _asking(self, url: str, request: Request) -> AbstractAsyncContextManager[httpx.Response]:
        if request.body is None:
            return self._connected().stream("GET", url)
        headers = {"content-type": "application/json"}
        return self._connected().stream("POST", url, content=request.body.encode(), headers=headers)

    def _heed(self, response: httpx.Response, pace: Pace) -> None:
        """Pause or stop the whole venue if the reply asks for it."""
        status, stated_s = response.status_code, self._retry_after_s(response)
        if status in {418, 403}:
            self._ban(pace, stated_s or UNSTATED_BAN_S, status)
        elif status == 429 or (status == 503 and stated_s is not None):
            seconds = UNSTATED_PAUSE_S if stated_s is None else max(stated_s, SHORTEST_PAUSE_S)
            if seconds > LONGEST_PAUSE_S:
                self._ban(pace, seconds, status)
            pace.pause(seconds)

    def _ban(self, pace: Pace, seconds: float, status: int) -> None:
        until = self.clock.now().astimezone(UTC) + timedelta(seconds=seconds)
        reason = f"banned until {until:%Y-%m-%dT%H:%M:%SZ} (status {status})"
        pace.ban(seconds, reason)
        raise Banned(reason)

    def _retry_after_s(self, response: httpx.Response) -> float | None:
        """Seconds to stay away, from a count or an HTTP date; none if the header is absent or unreadable."""
        stated = response.headers.get("retry-after", "").strip()
        if _SECONDS.fullmatch(stated):
            return float(stated)
        try:
            until: datetime = parsedate_to_datetime(stated)
            return max(0.0, (until - self.clock.now()).total_seconds())
        except (ValueError, TypeError, IndexError, OverflowError):
            return None

    async def _body(self, response: httpx.Response) -> bytes:
        if response.status_code == 200:
            return await read_capped(response, self._max_body_bytes)
        try:
            return await read_capped(response, 64 * 1024)
        except (TooLarge, UnknownEncoding, Damaged) as error:
            return str(error).encode()  # stands in for the venue's message, which is all it is read for

    def _refuse_unless_json(self, venue: Venue, request: Request, response: httpx.Response, body: bytes) -> None:
        status = response.status_code
        message = _line(body[:1000].decode(errors="replace"))
        if status == 429 or status >= 500:
            raise _Again(f"status {status}: {message}", is_paced=status == 429)
        if status != 200:
            raise CaptureFailed(venue.name, request.path, f"status {status}: {message}")
        try:
            msgspec.json.decode(body, type=msgspec.Raw)
        except msgspec.DecodeError as error:
            raise _Again(f"not JSON: {message or 'an empty body'}") from error
        except RecursionError as error:
            raise CaptureFailed(venue.name, request.path, "JSON nested too deep") from error

    def _pace(self, venue: Venue) -> Pace:
        if venue.name not in self._paces:
            # A virtual day must not last as long as a day.
            budget = None if self.is_virtual else Budget(venue.weight_per_minute)
            self._paces[venue.name] = Pace(budget, self._time)
        return self._paces[venue.name]

    def _connected(self) -> httpx.AsyncClient:
        """A client of this event loop: connections cannot be carried from one loop to the next."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._loop = loop
            self._client = httpx.AsyncClient(
                http2=self._transport is None,
                transport=self._transport,
                headers={
                    "user-agent": f"barograph/{_version()}",
                    "accept": "application/json",
                    "accept-encoding": ACCEPT_ENCODING,
                },
                timeout=httpx.Timeout(20.0, connect=10.0, pool=None),
            )
        return self._client


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return 0.0 if isinstance(error, _Again) and error.is_paced else _BACKOFF(state)


def _checked(base_url: str) -> str:
    url = httpx.URL(base_url)
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError(f"base URL {base_url!r}: expected http://host or https://host")
    return base_url


def _line(text: str) -> str:
    """One printable line of at most 200 characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]


def _version() -> str:
    try:
        return version("barograph")
    except PackageNotFoundError:
        return "0"  # run from a checkout that is not installed
