"""The simulated exchange behind the very code that asks the real ones, on a clock that can be moved."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ingestion.transports.base import VirtualClock
from ingestion.transports.live import ASGIApp, LiveTransport

if TYPE_CHECKING:
    from ingestion.sandbox.faults import Faults
    from ingestion.sandbox.market import Market


class SandboxTransport(LiveTransport):
    """`LiveTransport` into an ASGI app instead of the network; waiting costs no time."""

    clock: VirtualClock

    def __init__(self, app: ASGIApp, clock: VirtualClock) -> None:
        super().__init__(app=app, clock=clock)


def sandbox_transport(at: datetime, market: Market | None = None, faults: Faults | None = None) -> SandboxTransport:
    """A simulated exchange as of `at`; `market` and `faults` are those of `sandbox.app.create_app`."""
    # Only who asks for the simulation loads it.
    from ingestion.sandbox.app import create_app
    from ingestion.sandbox.market import Market

    clock = VirtualClock(at)
    return SandboxTransport(create_app(market or Market(), clock, faults), clock)
