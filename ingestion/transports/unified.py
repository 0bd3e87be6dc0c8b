"""Asks for ccxt venues: the library says which requests a question takes, the live transport makes them."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import httpx
import msgspec

from ingestion.envelopes import Envelope, seal
from ingestion.transports.base import CaptureFailed, Clock, Transport
from ingestion.venues.base import Refused, Request, Venue

LISTING = Request("/fetchMarkets")
MAX_CALLS = 50  # of one question


class UnifiedTransport:
    """A transport in front of another: what is no ccxt venue passes through.

    The markets of a venue are kept once it has listed them, for every other answer carries its own.
    """

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self._markets: dict[str, list[dict[str, Any]]] = {}
        self._listing: dict[str, asyncio.Lock] = {}

    @property
    def clock(self) -> Clock:
        return self._inner.clock

    @property
    def is_virtual(self) -> bool:
        return self._inner.is_virtual

    async def get(self, venue: Venue, request: Request, weight: int) -> Envelope:
        """The answer to a unified question, all its replies in one envelope; raises `CaptureFailed`."""
        if not venue.name.startswith("ccxt_"):
            return await self._inner.get(venue, request, weight)
        if request.path != LISTING.path:
            async with self._listing.setdefault(venue.name, asyncio.Lock()):
                if venue.name not in self._markets:
                    await self._answer(venue, LISTING, weight)
        return await self._answer(venue, request, weight)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _answer(self, venue: Venue, request: Request, weight: int) -> Envelope:
        # The library is large; who asks no such venue does not load it.
        from ingestion.venues.unified import Unanswered, answer, market_of, sealed

        market = market_of(self._markets.get(venue.name, ()), request)
        calls: list[tuple[Any, str]] = []
        host = ""
        while True:
            try:
                said = answer(venue.name.removeprefix("ccxt_"), request, market, _replies(calls))
                break
            except Refused as refused:
                raise CaptureFailed(venue.name, request.path, refused.reason) from refused
            except Unanswered as unanswered:
                if len(calls) == MAX_CALLS:
                    raise CaptureFailed(venue.name, request.path, f"over {MAX_CALLS} requests") from unanswered
                call = unanswered.call
            url = httpx.URL(call.url)
            server = replace(venue, base_url=f"{url.scheme}://{url.netloc.decode()}")
            query = tuple(parse_qsl(url.query.decode(), keep_blank_values=True))
            reply = await self._inner.get(server, Request(url.path, query, call.body), weight)
            host = host or url.host
            calls.append((call, reply.reply_bytes.decode()))
        if request.path == LISTING.path:
            self._markets[venue.name] = msgspec.json.decode(msgspec.json.encode(said["markets"], enc_hook=str))
        return seal(
            venue=venue.name,
            host=host,
            path=request.path,
            query=request.query_string,
            status=200,
            captured_ts=self.clock.now(),
            body=sealed(market, calls),
        )


def _replies(calls: Sequence[tuple[Any, str]]) -> list[str]:
    return [reply for _, reply in calls]
