"""How every picture looks: colours that the colour-blind tell apart, UTC on the axis, and gaps that stay gaps."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Okabe and Ito, "Color universal design" (2008); buyers and sellers keep theirs in every picture.
BUY, SELL = "#0072B2", "#D55E00"
INK, QUIET = "#222222", "#8A8A8A"
SERIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#B8A600")
HOUR_BAR_DAYS = 50 / 1_440  # how wide the bar of an hour is drawn
GAP_STEPS = 1.75  # of the usual step: what is further apart is not joined

mpl.rcParams.update(
    {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 10,
        "axes.grid": True,
        "grid.alpha": 0.22,
        "grid.linewidth": 0.6,
        "legend.frameon": False,
        "legend.fontsize": 8,
        "timezone": "UTC",
    }
)


def sheet(title: str, width: float, height: float) -> Figure:
    """An empty figure in inches under one heading."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    return figure


def side_by_side(figure: Figure | SubFigure, rows: int, columns: int, **ratios: Sequence[float]) -> list[SubFigure]:
    """Parts of a figure that are laid out apart, row by row."""
    found: list[SubFigure] = np.ravel(figure.subfigures(rows, columns, **ratios)).tolist()  # type: ignore[call-overload]
    return found


def colours(names: Iterable[str]) -> dict[str, str]:
    """One colour a name, the same for the same set of names."""
    return {name: SERIES[n % len(SERIES)] for n, name in enumerate(sorted(set(names)))}


def line(axis: Axes, times: pd.Series, values: pd.Series, **looks: object) -> None:
    """A line through time, broken where a step is missing or a value is null; a lone point is a dot."""
    at, y = _with_gaps(times, values)
    is_dotted = len(times) <= 60  # a lone dot between two gaps would not show as a line
    axis.plot(at, y, **({"linewidth": 1.2, "marker": "o" if is_dotted else None, "markersize": 2.6} | looks))  # type: ignore[arg-type]


def _with_gaps(times: pd.Series, values: pd.Series) -> tuple[Floats, Floats]:
    at = times.dt.tz_localize(None).to_numpy()
    y = values.to_numpy(dtype=np.float64, na_value=np.nan)
    steps = np.diff(at)
    if not len(steps):
        return at, y
    holes = np.flatnonzero(steps > GAP_STEPS * np.median(steps)) + 1
    return np.insert(at, holes, at[holes - 1] + np.median(steps)), np.insert(y, holes, np.nan)


def through_time(span: tuple[datetime, datetime], *axes: Axes) -> None:
    """The whole span on axes that share it, also where rows begin later or end before; UTC below the last."""
    first, last = (float(date2num(at)) for at in span)  # type: ignore[no-untyped-call]
    edge = (last - first) / 60  # what happened at the very end is not cut in half
    for axis in axes:
        if axis.has_data():
            locator = AutoDateLocator(minticks=3, maxticks=9)  # type: ignore[no-untyped-call]
            axis.set_xlim(first - edge, last + edge)
            axis.xaxis.set_major_locator(locator)
            axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    if axes[-1].has_data():
        axes[-1].set_xlabel("UTC")


def middle(hours: pd.Series) -> pd.Series:
    """Where the value of an hour is drawn: half of it later than its label."""
    return hours + pd.Timedelta(minutes=30)


def zero(axis: Axes) -> None:
    axis.axhline(0, color=INK, linewidth=0.7)


def percent(axis: Axes, *, is_x: bool = False) -> None:
    """Shares and rates a year as percent."""
    (axis.xaxis if is_x else axis.yaxis).set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))


def dollars(axis: Axes, *, is_x: bool = False) -> None:
    """US dollars with k, M or B."""
    (axis.xaxis if is_x else axis.yaxis).set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def short(value: float) -> str:
    """1500 is 1.5k; the sign stays."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def missing(axis: Axes, what: str) -> None:
    """Says in the panel what it has no rows of."""
    axis.text(
        0.5, 0.5, f"{what}: not measured in this span", ha="center", va="center", color=QUIET, transform=axis.transAxes
    )
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(visible=False)
