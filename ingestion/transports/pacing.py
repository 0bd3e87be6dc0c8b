"""How often one venue may be asked: its weight budget, its pauses (429) and its bans (418, 403)."""

import asyncio
import time
import warnings
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiolimiter import AsyncLimiter

from ingestion.transports.base import Clock

Sleep = Callable[[float], Awaitable[None]]


class Banned(Exception):
    """The venue told us to stay away; the message says until when."""


class Time(Protocol):
    """Seconds that pass, as pauses are measured in; never the time of day."""

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class RealTime:
    """Seconds as they pass here."""

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class VirtualTime:
    """Seconds of a virtual clock: waiting is counted, and costs nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._slept_s = 0.0

    def monotonic(self) -> float:
        return self._clock.now().timestamp() + self._slept_s

    async def sleep(self, seconds: float) -> None:
        until = self.monotonic() + seconds
        await asyncio.sleep(0)
        # Others may have slept through the same seconds.
        self._slept_s += max(0.0, until - self.monotonic())


class Budget:
    """At most `weight_per_minute` in any 60 seconds.

    A leaky bucket lets through its capacity at once and its rate after that: half the budget for each keeps
    the sum of both within the budget.
    """

    def __init__(self, weight_per_minute: int) -> None:
        self._limiter = AsyncLimiter(max(weight_per_minute / 2, 1), 60)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def spend(self, weight: int) -> None:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            with warnings.catch_warnings():
                # One transport serves sweep after sweep, each in a loop of its own. The limiter warns,
                # and then keeps its level, which is what we want of it.
                warnings.simplefilter("ignore", RuntimeWarning)
                self._limiter.has_capacity()
            self._loop = loop
        await self._limiter.acquire(min(weight, self._limiter.max_rate))


class Pace:
    """One venue's turn-taking: nobody's request leaves during a pause, and none at all during a ban."""

    def __init__(self, budget: Budget | None, passing: Time) -> None:
        self._budget = budget
        self._time = passing
        self._resume_at = float("-inf")
        self._ban: tuple[float, float, str] | None = None

    async def turn(self, weight: int) -> None:
        """Return when a request may leave; raises `Banned` at once if that is not soon."""
        self._refuse_if_banned()
        if self._budget is not None:
            await self._budget.spend(weight)
        while True:
            self._refuse_if_banned()
            wait_s = self._resume_at - self._time.monotonic()
            if wait_s <= 0:
                return
            await self._time.sleep(wait_s)

    def pause(self, seconds: float) -> None:
        self._resume_at = max(self._resume_at, self._time.monotonic() + seconds)

    def ban(self, seconds: float, reason: str) -> None:
        now = self._time.monotonic()
        if self._ban is None or self._ban[1] < now + seconds:
            self._ban = (now, now + seconds, reason)

    def _refuse_if_banned(self) -> None:
        # A virtual clock may be set back to before the ban.
        if self._ban is not None and self._ban[0] <= self._time.monotonic() < self._ban[1]:
            raise Banned(self._ban[2])
