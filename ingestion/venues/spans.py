"""Spans of time in requests: cut to what a venue answers at once, counted in its unit."""

from collections.abc import Iterator
from datetime import datetime, timedelta


def spans(start: datetime, end: datetime, longest: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """Half-open stretches of at most `longest` that together are [start, end)."""
    while start < end:
        stop = min(start + longest, end)
        yield start, stop
        start = stop


def epoch_s(at: datetime) -> int:
    return int(at.timestamp())


def epoch_ms(at: datetime) -> int:
    return round(at.timestamp() * 1_000)
