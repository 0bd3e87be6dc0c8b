"""Whether the recorder writes: exits with 1 and says of which venue nothing was written lately."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from ingestion.recorder.spool import read_mark
from ingestion.storage import Store
from ingestion.venues import VENUES
from orchestration.settings import Settings

LATELY = timedelta(minutes=2)  # four times as long as the recorder keeps frames to itself


def unwritten(store: Store, venues: Iterable[str], now: datetime) -> list[str]:
    """A line for each of these venues that has streams and is not being recorded."""
    lines = []
    for name in venues:
        if not VENUES[name].streams:
            continue
        mark = read_mark(store, name)
        if mark is None:
            lines.append(f"{name}: nothing was ever written")
        elif mark.is_ended:
            lines.append(f"{name}: ended at {mark.written_ts:%Y-%m-%dT%H:%M:%SZ}")
        elif now - mark.written_ts > LATELY:
            lines.append(f"{name}: nothing written since {mark.written_ts:%Y-%m-%dT%H:%M:%SZ}")
    return lines


if __name__ == "__main__":
    settings = Settings.read()
    sys.exit("\n".join(unwritten(Store.open(settings.lake_uri), settings.venues, datetime.now(UTC))) or None)
