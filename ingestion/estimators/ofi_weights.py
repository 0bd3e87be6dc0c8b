"""What each level of the book counts for in an instrument's order flow: the first principal component of the hour.

Order flow imbalance of ten levels is summed by the minute and divided by the bar's mean depth; the component's weights
sum to one in absolute value, and their sum is positive, so that bids added stay positive.
Source: Cont, Cucuringu, Zhang, "Cross-Impact of Order Flow Imbalance in Equity Markets" (2021), section 2.
"""

import numpy as np
import pandas as pd
import pyarrow as pa

from ingestion.estimators.order_books import IDENTITY, Books, Floats, books_of

LEVELS = 10
MIN_BARS = 20  # twice as many as weights
MIN_EIGENVALUE_GAP = 1e-9  # of the largest: nearer, and the component has no direction

SCHEMA = pa.schema(
    [
        *IDENTITY,
        pa.field("bars_count", pa.int64()),
        pa.field("explained_frac", pa.float64()),
        *(pa.field(f"l{level}_weight", pa.float64()) for level in range(1, LEVELS + 1)),
    ]
)


def ofi_weights(order_books: pa.Table, instruments: pa.Table) -> pa.Table:
    """One row per instrument, `SCHEMA`, from lake tables of one venue and hour.

    None for an instrument with under `MIN_BARS` minutes of ten levels, or whose flow has no one direction.
    """
    if not order_books.num_rows or not instruments.num_rows:
        return SCHEMA.empty_table()
    books = books_of(order_books, instruments, LEVELS)
    bars = _bars(books)
    rows = []
    for _, own in bars.groupby("instrument", sort=True):
        component = first_component(own[list(range(LEVELS))].to_numpy(dtype=np.float64))
        if component is not None:
            weights, explained = component
            named = {f"l{level}_weight": weight for level, weight in enumerate(weights.tolist(), 1)}
            identity = {field.name: own[field.name].iloc[0] for field in IDENTITY}
            rows.append(identity | {"bars_count": len(own), "explained_frac": explained} | named)
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def first_component(bars: Floats) -> tuple[Floats, float] | None:
    """Weights of the levels, absolute sum one and sum positive, and their share of the variance, of (bars, levels)."""
    if len(bars) < MIN_BARS:
        return None
    variances, directions = np.linalg.eigh(np.cov(bars, rowvar=False))
    if not variances[-1] - variances[-2] > MIN_EIGENVALUE_GAP * variances[-1]:
        return None
    weights = directions[:, -1] / np.abs(directions[:, -1]).sum()
    return np.asarray(np.copysign(1.0, weights.sum()) * weights), float(variances[-1] / variances.sum())


def order_flow(books: Books) -> Floats:
    """Of each snapshot against the one before it, by level: the contributions e_n, NaN at an instrument's first.

    No inequality is strict: at an unchanged price it is the change of the size (Cont, Kukanov, Stoikov 2014).
    """
    flow = np.full(books.bid_px.shape, np.nan)
    bid_px, ask_px = books.bid_px, books.ask_px
    flow[1:] = (
        (bid_px[1:] >= bid_px[:-1]) * books.bid_base[1:]
        - (bid_px[1:] <= bid_px[:-1]) * books.bid_base[:-1]
        - (ask_px[1:] <= ask_px[:-1]) * books.ask_base[1:]
        + (ask_px[1:] >= ask_px[:-1]) * books.ask_base[:-1]
    )
    flow[np.diff(books.instruments, prepend=-1) != 0] = np.nan
    return flow


def _bars(books: Books) -> pd.DataFrame:
    """Depth-normalised flow a minute, columns 0 to 9, of minutes in which every compared snapshot has ten levels."""
    flow = pd.DataFrame(order_flow(books))
    flow["depth"] = np.mean((books.bid_base + books.ask_base) / 2, axis=1)
    keys = books.frame[[field.name for field in IDENTITY]].assign(
        instrument=books.instruments, bar=books.frame["captured_ts"].dt.floor("min")
    )
    is_compared = ~pd.Series(np.diff(books.instruments, prepend=-1) != 0)
    compared = pd.concat([keys, flow], axis=1)[is_compared]
    by_bar = compared.groupby(["instrument", "bar"], sort=True)
    sums = by_bar[list(range(LEVELS))].sum(min_count=1, skipna=False)
    bars = sums.div(by_bar["depth"].mean(skipna=False), axis=0)
    return by_bar[[field.name for field in IDENTITY]].first().join(bars).dropna().reset_index()
