"""How time is sliced: the UTC hour, and the UTC day for daily marts."""

from datetime import datetime

import dagster as dg

from ingestion.hours import hours_between
from orchestration.options import EARLIEST

FIRST_DAY = f"{EARLIEST:%Y-%m-%d}"  # of the command line's instants too: what it takes has a partition

# The open hour is a partition too: sweeps fill it.
utc_hour = dg.HourlyPartitionsDefinition(start_date=f"{FIRST_DAY}-00:00", timezone="UTC", end_offset=1)
utc_day = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, timezone="UTC")


def key_of_hour(hour: datetime) -> str:
    """The partition key of an hour: `2026-01-02-13:00`."""
    return f"{hour:%Y-%m-%d-%H:00}"


def key_of_day(day: datetime) -> str:
    """The partition key of a day: `2026-01-02`."""
    return f"{day:%Y-%m-%d}"


def hours_of(context: dg.AssetExecutionContext) -> list[datetime]:
    """The hours that this run is about, whether its partitions are hours or days."""
    window = context.partition_time_window
    return hours_between(window.start, window.end)
