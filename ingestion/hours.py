"""UTC hours, the partition of everything: how an instant is read, floored and spelled in a key."""

import re
from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)

_EXPECTED = "expected a UTC instant such as 2024-01-14T20:00Z or a day such as 2024-01-14"
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}(:\d{2}(:\d{2}(\.\d{1,6})?)?)?(Z|[+-]\d{2}:\d{2})?)?", re.ASCII)


def hour_of(at: datetime) -> datetime:
    """The UTC hour that holds this instant; raises ValueError for an instant without a time zone."""
    if at.utcoffset() is None:
        raise ValueError(f"{at.isoformat()}: expected an instant with a time zone")
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def hours_between(start: datetime, end: datetime) -> list[datetime]:
    """Every hour that overlaps [start, end), in order; empty when the span is."""
    hours = []
    hour = hour_of(start)
    if end <= start:
        return []
    while hour < end:
        hours.append(hour)
        hour += HOUR
    return hours


def parse_instant(text: str) -> datetime:
    """Read an instant as UTC, to the microsecond; one without an offset is UTC, a day is its midnight."""
    spelled = text.strip()
    if not _INSTANT.fullmatch(spelled):
        raise ValueError(f"{text!r}: {_EXPECTED}")
    try:
        at = datetime.fromisoformat(spelled)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r}: {_EXPECTED} ({error})") from error


def day_and_hour(hour: datetime) -> tuple[str, str]:
    """How a key spells an hour: ("2024-01-14", "20"); raises ValueError for what is no whole hour."""
    if hour_of(hour) != hour:
        raise ValueError(f"{hour.isoformat()}: expected a whole UTC hour")
    utc = hour.astimezone(UTC)
    return f"{utc:%Y-%m-%d}", f"{utc:%H}"
