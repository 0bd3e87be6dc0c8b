"""A venue that says wait is not asked meanwhile, by anybody."""

import asyncio
import random
from datetime import timedelta
from email.utils import format_datetime

import httpx
import pytest

from ingestion.transports.base import CaptureFailed, VirtualClock
from ingestion.transports.live import LiveTransport
from ingestion.transports.pacing import Budget
from ingestion.venues.base import Request
from tests.venue_server import ASKED, NOW, Seconds, answers, asked, live, says, venue


class TestAPause:
    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({"retry-after": "7"}, 7.0),
            ({"retry-after": "2.5"}, 2.5),
            ({"retry-after": format_datetime(NOW + timedelta(seconds=11), usegmt=True)}, 11.0),
            ({"retry-after": "soon"}, 5.0),
            ({"retry-after": "-3"}, 5.0),
            ({"retry-after": "99999999999999999999"}, 5.0),
            ({"retry-after": "0"}, 1.0),
            ({}, 5.0),
        ],
    )
    def test_lasts_as_long_as_the_venue_says(self, headers: dict[str, str], seconds: float) -> None:
        passing = Seconds()
        handler, heard = answers(says(429, headers=headers), says(200, b"[]"))
        asked(live(handler, passing))
        assert passing.now_s == seconds
        assert len(heard) == 2

    def test_holds_everybody_who_asks_that_venue_and_nobody_else(self) -> None:
        passing = Seconds()
        times: dict[str, list[float]] = {}

        def handler(request: httpx.Request) -> httpx.Response:
            times.setdefault(request.url.host, []).append(passing.now_s)
            if request.url.host == "okx.test" and len(times["okx.test"]) == 1:
                return says(429, headers={"retry-after": "9"})
            return says(200, b"[]")

        async def ask() -> None:
            transport = live(handler, passing)
            paused = [transport.get(venue("okx"), Request("/p", (("n", str(n)),)), 1) for n in range(8)]
            await asyncio.gather(*paused, transport.get(venue("bybit"), ASKED, 1))

        asyncio.run(ask())
        assert times["okx.test"] == [0.0] + [9.0] * 8
        assert times["bybit.test"] == [0.0]

    def test_a_thousand_replies_of_which_a_third_say_wait_see_no_request_meanwhile(self) -> None:
        """30 % of answers are 429 with a Retry-After; the server counts who asks before it is over."""
        dice, passing = random.Random(7), Seconds()
        counts = {"replies": 0, "limited": 0, "during a ban": 0}
        barred_until_s = 0.0

        def handler(request: httpx.Request) -> httpx.Response:
            nonlocal barred_until_s
            counts["replies"] += 1
            counts["during a ban"] += passing.now_s < barred_until_s
            if dice.random() < 0.3:
                counts["limited"] += 1
                seconds = dice.randint(1, 30)
                barred_until_s = passing.now_s + seconds
                return says(429, headers={"retry-after": str(seconds)})
            return says(200, b"[]")

        async def ask(transport: LiveTransport, n: int) -> bool:
            try:
                await transport.get(venue(), Request("/p", (("n", str(n)),)), 1)
            except CaptureFailed:
                return False
            return True

        async def ask_all() -> int:
            transport, had = live(handler, passing), 0
            while counts["replies"] < 1000:
                had += sum(await asyncio.gather(*(ask(transport, n) for n in range(8))))
            return had

        had = asyncio.run(ask_all())
        assert counts["during a ban"] == 0
        assert had == counts["replies"] - counts["limited"]
        assert 250 <= counts["limited"] <= 350


class TestABan:
    @pytest.mark.parametrize(
        ("reply", "until", "seconds"),
        [
            (says(418, headers={"retry-after": "120"}), "13:02:05", 120),
            (says(418), "13:05:05", 300),
            (says(403), "13:05:05", 300),
            (says(429, headers={"retry-after": "3600"}), "14:00:05", 3600),
        ],
    )
    def test_fails_every_request_at_once_without_sending_until_it_ends(
        self, reply: httpx.Response, until: str, seconds: float
    ) -> None:
        passing = Seconds()
        handler, heard = answers(reply, says(200, b"[]"))
        transport = live(handler, passing)
        banned = f"banned until 2026-01-02T{until}Z \\(status {reply.status_code}\\)"

        for at in (0, 1, seconds - 0.1):
            passing.now_s = at
            with pytest.raises(CaptureFailed, match=banned):
                asked(transport)
        assert len(heard) == 1
        assert passing.slept == []
        assert asyncio.run(transport.get(venue("bybit"), ASKED, 1)).status == 200

        passing.now_s = seconds
        assert asked(transport).status == 200

    def test_reaches_those_who_wait_for_their_turn(self) -> None:
        handler, heard = answers(says(429, headers={"retry-after": "9"}), says(418), says(200))

        async def ask() -> list[object]:
            transport = live(handler)
            several = (transport.get(venue(), ASKED, 1) for _ in range(6))
            return list(await asyncio.gather(*several, return_exceptions=True))

        outcomes = asyncio.run(ask())
        assert [type(outcome) for outcome in outcomes] == [CaptureFailed] * 6
        assert all("banned until" in str(outcome) for outcome in outcomes)
        assert len(heard) == 2

    def test_is_over_on_a_virtual_clock_when_that_clock_says_so(self) -> None:
        handler, heard = answers(says(418), says(200, b"[]"))
        clock = VirtualClock(NOW)
        transport = LiveTransport(clock=clock, transport=httpx.MockTransport(handler))

        for _ in range(2):
            with pytest.raises(CaptureFailed, match="banned"):
                asked(transport)
        clock.set(NOW + timedelta(minutes=5))
        assert asked(transport).at == NOW + timedelta(minutes=5)
        clock.set(NOW - timedelta(days=1))
        assert asked(transport).at == NOW - timedelta(days=1)
        assert len(heard) == 3


class TestABudget:
    def test_is_never_exceeded_in_any_minute(self) -> None:
        """Half of it at once, the other half over the minute."""

        async def spent_at_once(budget: Budget) -> int:
            for spent in range(1000):
                try:
                    async with asyncio.timeout(0.01):
                        await budget.spend(10)
                except TimeoutError:
                    return spent * 10
            raise AssertionError("no limit")

        assert asyncio.run(spent_at_once(Budget(600))) == 300

    def test_outlasts_the_event_loop_of_one_sweep(self, recwarn: pytest.WarningsRecorder) -> None:
        budget = Budget(600)
        asyncio.run(budget.spend(300))

        async def spend_more() -> None:
            async with asyncio.timeout(0.01):
                await budget.spend(100)

        with pytest.raises(TimeoutError):
            asyncio.run(spend_more())
        assert not recwarn.list

    def test_lets_a_single_heavy_request_through(self) -> None:
        asyncio.run(Budget(10).spend(50))
