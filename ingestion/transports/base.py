"""What every transport promises: a reply in an envelope, or `CaptureFailed` saying why there is none."""

from datetime import UTC, datetime
from typing import Protocol

from ingestion.envelopes import Envelope
from ingestion.venues.base import Request, Venue


class CaptureFailed(RuntimeError):
    """No reply could be had; `reason` is one line without the venue and path that the message begins with."""

    def __init__(self, venue: str, path: str, reason: str) -> None:
        super().__init__(f"{venue} {path}: {reason}")
        self.venue = venue
        self.path = path
        self.reason = reason


class Clock(Protocol):
    """Where `captured_ts` comes from."""

    def now(self) -> datetime: ...


class SystemClock:
    """This computer's clock, UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class VirtualClock:
    """A clock that stands where it was set."""

    def __init__(self, at: datetime) -> None:
        self._at = _utc(at)

    def now(self) -> datetime:
        return self._at

    def set(self, at: datetime) -> None:
        self._at = _utc(at)


class Transport(Protocol):
    """Asks venues. `is_virtual` transports answer as of their clock, which can be moved."""

    @property
    def clock(self) -> Clock: ...

    @property
    def is_virtual(self) -> bool: ...

    async def get(self, venue: Venue, request: Request, weight: int) -> Envelope:
        """The reply, after retries; raises `CaptureFailed`. `weight` counts against the venue's budget."""
        ...

    async def aclose(self) -> None: ...


def _utc(at: datetime) -> datetime:
    if at.utcoffset() is None:
        raise ValueError(f"{at.isoformat()}: expected an instant with a time zone")
    return at.astimezone(UTC)
