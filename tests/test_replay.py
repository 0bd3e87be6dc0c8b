"""Recordings and the simulated exchange answer as of a clock that can be moved."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from ingestion.envelopes import Envelope, seal
from ingestion.transports.base import CaptureFailed, VirtualClock
from ingestion.transports.replay import ReplayTransport
from ingestion.transports.sandbox import SandboxTransport
from ingestion.venues.base import Request
from tests.venue_server import ASKED, NOW, asked, venue


def recorded(path: str, query: str, body: bytes, at: datetime | None, status: int = 200) -> Envelope:
    envelope = seal(venue="okx", host="h", path=path, query=query, status=status, captured_ts=at or NOW, body=body)
    return envelope if at else Envelope(venue="okx", path=path, query=query, status=200, body=envelope.body)


class TestAReplay:
    def test_gives_the_newest_reply_not_after_its_clock(self) -> None:
        clock = VirtualClock(NOW)
        minutes = [0, 10, 20]
        replies = [recorded("/depth", "symbol=BTC&limit=5", b"%d" % m, NOW + timedelta(minutes=m)) for m in minutes]
        transport = ReplayTransport(replies[::-1], clock)

        for minute, body in [(0, b"0"), (9, b"0"), (10, b"10"), (15, b"10"), (500, b"20")]:
            clock.set(NOW + timedelta(minutes=minute))
            assert asked(transport).reply_bytes == body
        clock.set(NOW + timedelta(minutes=15))
        assert asked(transport).at == NOW + timedelta(minutes=10)

    def test_knows_a_query_in_any_order_and_spelling(self) -> None:
        transport = ReplayTransport(
            [recorded("/t", "limit=5&symbols=[%22BTC%22]&empty=", b"1", NOW)], VirtualClock(NOW)
        )
        request = Request("/t", (("empty", ""), ("symbols", '["BTC"]'), ("limit", "5")))
        assert asked(transport, request).reply_bytes == b"1"

    def test_says_what_was_asked_and_the_newest_that_it_knows(self) -> None:
        clock = VirtualClock(NOW)
        later = recorded("/depth", "symbol=BTC&limit=5", b"1", NOW + timedelta(hours=1))
        with pytest.raises(CaptureFailed) as caught:
            asked(ReplayTransport([later], clock))
        assert str(caught.value) == (
            "okx /depth: no recorded reply for symbol=BTC&limit=5 up to 2026-01-02T13:00:05Z"
            " (the newest is of 2026-01-02T14:00:05Z)"
        )
        with pytest.raises(CaptureFailed, match=r"no recorded reply up to .* \(none at any time\)"):
            asked(ReplayTransport([later], clock), Request("/depth"))

    def test_fails_where_the_recording_failed(self) -> None:
        replies = [recorded("/p", "", b"[]", NOW - timedelta(hours=1)), recorded("/p", "", b"", NOW, 502)]
        with pytest.raises(CaptureFailed, match="status 502, as recorded 2026-01-02T13:00:05Z"):
            asked(ReplayTransport(replies, VirtualClock(NOW)), Request("/p"))

    def test_leaves_out_and_counts_what_has_no_time(self) -> None:
        transport = ReplayTransport([recorded("/p", "", b"[]", None)], VirtualClock(NOW))
        assert transport.undated_count == 1
        with pytest.raises(CaptureFailed, match="none at any time"):
            asked(transport, Request("/p"))


class TestTheSandbox:
    def test_asks_an_app_on_a_clock_that_can_be_moved(self) -> None:
        """A day of hourly requests, each limited once, takes no real time."""
        clock, calls = VirtualClock(NOW), 0

        async def app(
            scope: dict[str, object],
            receive: Callable[[], Awaitable[object]],
            send: Callable[[dict[str, object]], Awaitable[None]],
        ) -> None:
            nonlocal calls
            calls += 1
            status = 429 if calls % 2 else 200
            headers = [(b"retry-after", b"30")] if status == 429 else []
            await send({"type": "http.response.start", "status": status, "headers": headers})
            body = json.dumps([scope["path"], clock.now().isoformat()]).encode()
            await send({"type": "http.response.body", "body": body})

        transport = SandboxTransport(app, clock)
        assert transport.is_virtual
        for hour in range(24):
            clock.set(NOW + timedelta(hours=hour))
            envelope = asyncio.run(transport.get(venue(weight_per_minute=2), ASKED, 1))
            assert json.loads(envelope.reply_bytes) == ["/depth", clock.now().isoformat()]
            assert (envelope.host, envelope.at) == ("sandbox", clock.now())
        assert calls == 48
