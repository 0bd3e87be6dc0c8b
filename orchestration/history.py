"""Hours that were brought into raw, taken through to readers: what imports and backfills end with."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from ingestion.hours import HOUR
from orchestration.settings import Settings

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
    """From raw to readers, then the days of these hours; raises `RunFailed`."""
    from orchestration.running import run  # loads Dagster

    for start, end in spans(hours):
        say(f"building {start:%Y-%m-%d %H:00} to {end:%Y-%m-%d %H:00}")
        run(settings, "rebuild", start, end)
        run(settings, "daily", start.replace(hour=0), end)
