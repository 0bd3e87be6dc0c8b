"""Looks at a venue's options: one underlying may be told in several replies, and a stream tells it without a pause."""

import pandas as pd

MAX_GAP_IN_LOOK = pd.Timedelta(seconds=30)  # between two replies of one look
MAX_LOOK = pd.Timedelta(seconds=60)


def looks(captured_ts: "pd.Series[pd.Timestamp]") -> "pd.Series[pd.Timestamp]":
    """The instant of each quote's look: of those that follow each other closely, within a minute, the last."""
    instants = pd.Series(captured_ts.unique()).sort_values(ignore_index=True)
    starts: list[pd.Timestamp] = []
    before: pd.Timestamp | None = None
    for instant in instants:
        if before is None or instant - before > MAX_GAP_IN_LOOK or instant - starts[-1] > MAX_LOOK:
            starts.append(instant)
        else:
            starts.append(starts[-1])
        before = instant
    last = instants.groupby(starts).transform("max")
    return captured_ts.map(dict(zip(instants, last, strict=True)))
