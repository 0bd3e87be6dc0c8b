"""Pictures for the demonstration: pressure through a day, and a book as a heat map."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.dates import DateFormatter
from matplotlib.figure import Figure

from ingestion.hours import hours_between
from ingestion.lake import Lake
from ingestion.storage import Missing
from orchestration.published import Answer

PANELS = (
    ("pressure_z", "pressure z"),
    ("book_imbalance_10bps_frac", "book imbalance\n±10 bps"),
    ("trade_imbalance_frac", "takers' imbalance"),
    ("perp_basis_bps", "perp basis, bps"),
    ("implied_vol_30d_ann", "implied vol 30 d"),
    ("put_call_oi_frac", "put / call\nopen interest"),
)
REACH_BPS = 60
BUCKET_BPS = 5.0

mpl.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})


def draw_pressure(hours: Answer, path: Path) -> Path:
    """One panel a measure, one line an underlying, on one time axis; gaps stay gaps."""
    columns = {name: index for index, name in enumerate(hours.columns)}
    figure = Figure(figsize=(9, 10), layout="constrained")
    axes: Sequence[Axes] = figure.subplots(len(PANELS), 1, sharex=True)
    for axis, (column, label) in zip(axes, PANELS, strict=True):
        for underlying in sorted({row[columns["underlying"]] for row in hours.rows}):
            rows = [row for row in hours.rows if row[columns["underlying"]] == underlying]
            values = [np.nan if row[columns[column]] is None else row[columns[column]] for row in rows]
            axis.plot([row[columns["utc_hour"]] for row in rows], values, marker=".", label=underlying)
        axis.set_ylabel(label)
        axis.grid(alpha=0.25)
        if column not in {"implied_vol_30d_ann", "put_call_oi_frac"}:
            axis.axhline(0, color="black", linewidth=0.6)
    axes[0].set_title("Pressure through the day: above zero, buyers press", loc="left")
    axes[0].legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False, ncols=4)
    axes[-1].set_xlabel("UTC hour")
    axes[-1].xaxis.set_major_formatter(DateFormatter("%H:%M"))  # type: ignore[no-untyped-call]
    figure.savefig(path, dpi=130)
    return path


def draw_book(lake: Lake, venue: str, symbol: str, start: datetime, end: datetime, path: Path) -> Path:
    """USD resting per capture and price bucket around the mid, bids and asks in two colours, mid on top."""
    moments, mids, bids, asks = [], [], [], []
    edges = np.arange(-REACH_BPS, REACH_BPS + BUCKET_BPS, BUCKET_BPS)
    for hour in hours_between(start, end):
        try:
            rows = lake.read("order_books", venue, hour).to_pylist()
        except Missing:
            continue
        for row in sorted((r for r in rows if r["symbol"] == symbol), key=lambda r: r["captured_ts"]):
            if not row["bid_px"] or not row["ask_px"] or row["bid_px"][0] >= row["ask_px"][0]:
                continue
            mid = (row["bid_px"][0] + row["ask_px"][0]) / 2
            moments.append(row["captured_ts"])
            mids.append(mid)
            bids.append(_resting(row["bid_px"], row["bid_qty"], mid, edges))
            asks.append(_resting(row["ask_px"], row["ask_qty"], mid, edges))
    if not moments:
        raise ValueError(f"{venue} {symbol}: no order book between {start:%Y-%m-%dT%H:%MZ} and {end:%Y-%m-%dT%H:%MZ}")
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2.6))
    upper.plot(moments, mids, color="black", linewidth=1)
    upper.set_ylabel("mid, USDT")
    upper.set_title(f"{venue} {symbol}: resting depth, USD per {BUCKET_BPS:g} bps", loc="left")
    depths = [np.ma.masked_less_equal(np.array(side).T, 0) for side in (bids, asks)]
    # Depth near the touch is many times that further out: a linear scale would show one line.
    norm = LogNorm(vmin=min(d.min() for d in depths), vmax=max(d.max() for d in depths))
    for depth, colours, side in zip(depths, ("Greens", "Reds"), ("bid", "ask"), strict=True):
        mesh = lower.pcolormesh(moments, edges[:-1] + BUCKET_BPS / 2, depth, cmap=colours, norm=norm, shading="nearest")
        figure.colorbar(mesh, ax=lower, pad=0.01, label=f"{side}, USD")
    lower.set_ylabel("bps from mid")
    lower.set_xlabel("UTC")
    lower.xaxis.set_major_formatter(DateFormatter("%H:%M"))  # type: ignore[no-untyped-call]
    figure.savefig(path, dpi=130)
    return path


def _resting(
    px: Sequence[float],
    qty: Sequence[float],
    mid: float,
    edges: "np.ndarray[tuple[int], np.dtype[np.float64]]",
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    prices = np.array(px)
    resting, _ = np.histogram((prices / mid - 1) * 1e4, bins=edges, weights=prices * np.array(qty))
    return resting
