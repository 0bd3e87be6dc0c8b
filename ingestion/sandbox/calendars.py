"""When contracts expire: Fridays and days at 08:00 UTC, as all six venues have it."""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from ingestion.sandbox.path import EPOCH

Term = Literal["day", "week", "month", "quarter"]

DELIVERY: Final = timedelta(hours=8)
FRIDAY: Final = 4


def last_friday(year: int, month: int) -> datetime:
    """08:00 UTC of the month's last Friday."""
    first_of_next = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    last = first_of_next - timedelta(days=1)
    return last - timedelta(days=(last.weekday() - FRIDAY) % 7) + DELIVERY


def term_of(expiry: datetime) -> Term:
    """What an expiry is listed as: a Friday that ends a quarter or a month counts as that."""
    if expiry.weekday() != FRIDAY:
        return "day"
    if expiry != last_friday(expiry.year, expiry.month):
        return "week"
    return "quarter" if expiry.month % 3 == 0 else "month"


def session_of(at: datetime) -> int:
    """Counts delivery days: what is listed changes at 08:00 UTC and stays for a day."""
    return (at - EPOCH - DELIVERY) // timedelta(days=1)


def next_days(at: datetime, count: int) -> list[datetime]:
    first = EPOCH + timedelta(days=session_of(at) + 1) + DELIVERY
    return [first + timedelta(days=n) for n in range(count)]


def next_fridays(at: datetime, count: int) -> list[datetime]:
    tomorrow = next_days(at, 1)[0]
    first = tomorrow + timedelta(days=(FRIDAY - tomorrow.weekday()) % 7)
    return [first + timedelta(weeks=n) for n in range(count)]


def next_month_ends(at: datetime, count: int, every: int = 1) -> list[datetime]:
    """Last Fridays of the coming months; `every=3` keeps the quarter ends."""
    ends: list[datetime] = []
    year, month = at.year, at.month
    while len(ends) < count:
        end = last_friday(year, month)
        if end > at and month % every == 0:
            ends.append(end)
        year, month = year + month // 12, month % 12 + 1
    return ends


def option_expiries(at: datetime) -> list[datetime]:
    """2 days, 3 weeks, 2 months, 3 quarters, each once: 7, 30, 60, 90 and 180 days are always bracketed."""
    near = next_days(at, 2) + next_fridays(at, 3)
    return sorted({*near, *next_month_ends(at, 2), *next_month_ends(at, 3, every=3)})


def future_expiries(at: datetime) -> list[datetime]:
    """Deribit's dated futures: 2 weeks, 2 months, 3 quarters."""
    dates = next_fridays(at, 2) + next_month_ends(at, 2) + next_month_ends(at, 3, every=3)
    return sorted(set(dates))


def quarter_expiries(at: datetime) -> list[datetime]:
    """The current quarter's end and the next one's."""
    return next_month_ends(at, 2, every=3)


def dated(expiry: datetime) -> str:
    """Deribit's and Bybit's spelling of a date: 5JAN24."""
    return f"{expiry.day}{expiry:%b%y}".upper()
