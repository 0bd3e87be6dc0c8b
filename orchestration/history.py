"""Hours that were brought into raw, taken through to readers: what imports and backfills end with."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

from ingestion.hours import HOUR, hour_of
from orchestration.settings import BadSetting, Settings

APART = timedelta(days=1)  # a run costs tens of seconds, an hour without anything new next to nothing


def spans(hours: Collection[datetime]) -> list[tuple[datetime, datetime]]:
    """The hours as half-open spans; holes of less than a day are within one."""
    found: list[tuple[datetime, datetime]] = []
    for hour in sorted(hours):
        if found and hour - found[-1][1] < APART:
            found[-1] = (found[-1][0], hour + HOUR)
        else:
            found.append((hour, hour + HOUR))
    return found


def build(settings: Settings, hours: Collection[datetime], say: Callable[[str], None]) -> None:
    """From raw to readers, then the days of these hours that are over; raises `RunFailed`."""
    for start, end in spans(hours):
        say(f"building {start:%Y-%m-%d %H:00} to {end:%Y-%m-%d %H:00}")
        publish_span(settings, "rebuild", start, end)


def publish_span(settings: Settings, job: str, start: datetime, end: datetime) -> None:
    """Run an hourly job over [start, end), then the daily one over those of its days that are over.

    Raises BadSetting, and runs nothing, for hours that have not begun.
    """
    check_begun(end, datetime.now(UTC))
    from orchestration.running import run  # loads Dagster

    run(settings, job, start, end)
    days = closed_days(start, end, datetime.now(UTC))
    if days is not None:
        run(settings, "daily", *days)


def check_begun(end: datetime, now: datetime) -> None:
    """Raises BadSetting where a span of whole hours ends after the open hour: nobody could have seen what is in it."""
    latest = hour_of(now) + HOUR
    if end > latest:
        raise BadSetting(
            f"{end - HOUR:%Y-%m-%dT%H:00Z}: the hour has not begun (expected an end up to {latest:%Y-%m-%dT%H:00Z})"
        )


def closed_days(start: datetime, end: datetime, now: datetime) -> tuple[datetime, datetime] | None:
    """The days that [start, end) touches and that are over, as a half-open span; None where none is."""
    first, midnight = (each.replace(hour=0, minute=0, second=0, microsecond=0) for each in (start, now))
    last = min(end, midnight)
    return (first, last) if first < last else None
