"""Funding intervals as they were paid: the time between one settlement and the next."""

from collections.abc import Iterable, Iterator

import msgspec

from ingestion.records import FundingRate, Record
from ingestion.venues.base import Reject

JITTER_S = 60  # venues stamp a settlement some milliseconds late


def with_intervals(rows: Iterable[Record | Reject]) -> Iterator[Record | Reject]:
    """The settlements of one reply in their order in time, each with the seconds since the one before it.

    The first of each symbol has none: nothing in the reply says when the one before it was. Nor has any where a row
    of the reply cannot be read: it may be a settlement between two others.
    """
    found = list(rows)
    if any(isinstance(row, Reject) for row in found):
        yield from found
        return
    yield from (row for row in found if not isinstance(row, FundingRate))
    before: dict[str, FundingRate] = {}
    for row in sorted((r for r in found if isinstance(r, FundingRate)), key=lambda r: (r.symbol, r.event_ts)):
        last = before.get(row.symbol)
        before[row.symbol] = row
        if last is None or row.event_ts is None or last.event_ts is None:
            yield row
            continue
        since_s = round((row.event_ts - last.event_ts).total_seconds() / JITTER_S) * JITTER_S
        yield msgspec.structs.replace(row, funding_interval_s=since_s or None)
