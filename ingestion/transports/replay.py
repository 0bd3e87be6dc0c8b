"""Answers from recordings, including the raw zone itself, as of a virtual clock."""

import json
from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import parse_qsl

from ingestion.envelopes import Envelope
from ingestion.transports.base import CaptureFailed, VirtualClock
from ingestion.venues.base import Request, Venue

Asked = tuple[str, str, tuple[tuple[str, str], ...], object]


class ReplayTransport:
    """The newest recorded reply not after the clock, to the same venue, path, query in any order, and POST body.

    A reply keeps the time of its recording. Recordings without a time cannot be placed; they are left out
    and counted in `undated_count`.
    """

    is_virtual = True

    def __init__(self, envelopes: Iterable[Envelope], clock: VirtualClock) -> None:
        self.clock = clock
        self.undated_count = 0
        replies: dict[Asked, list[tuple[datetime, Envelope]]] = {}
        for envelope in envelopes:
            at = envelope.at
            if at is None:
                self.undated_count += 1
                continue
            asked = _asked(envelope.venue, envelope.path, envelope.query, envelope.asked)
            replies.setdefault(asked, []).append((at, envelope))
        # A stable sort: of two replies at one instant the later line wins.
        self._replies = {asked: sorted(pairs, key=lambda pair: pair[0]) for asked, pairs in replies.items()}

    async def get(self, venue: Venue, request: Request, weight: int) -> Envelope:
        now = self.clock.now()
        pairs = self._replies.get(_asked(venue.name, request.path, request.query_string, request.body), [])
        place = bisect_right(pairs, now, key=lambda pair: pair[0])
        if place == 0:
            known = f"the newest is of {pairs[-1][0]:%Y-%m-%dT%H:%M:%SZ}" if pairs else "none at any time"
            query = f" for {request.query_string}" if request.query else ""
            reason = f"no recorded reply{query} up to {now:%Y-%m-%dT%H:%M:%SZ} ({known})"
            raise CaptureFailed(venue.name, request.path, reason)
        at, envelope = pairs[place - 1]
        if envelope.status != 200:
            reason = f"status {envelope.status}, as recorded {at:%Y-%m-%dT%H:%M:%SZ}"
            raise CaptureFailed(venue.name, request.path, reason)
        return envelope

    async def aclose(self) -> None:
        """Nothing is held open."""


def _asked(venue: str, path: str, query: str, body: str | None) -> Asked:
    posted = None if body is None else json.dumps(json.loads(body), sort_keys=True)
    return venue, path, tuple(sorted(parse_qsl(query, keep_blank_values=True))), posted
