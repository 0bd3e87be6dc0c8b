"""Which way an underlying was pressed: the score, what it is made of, and the measures below it."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orchestration.pictures.looks import (
    BUY,
    HOUR_BAR_DAYS,
    INK,
    SELL,
    SERIES,
    line,
    middle,
    missing,
    percent,
    sheet,
    side_by_side,
    through_time,
    zero,
)
from orchestration.pictures.selection import Frame, Selection

TABLE = "fct_pressure"
FAMILIES = ("book", "flow", "basis", "vol", "positioning")
MEASURES = (
    ("book_imbalance_10bps_frac", "book imbalance, 10 bps"),
    ("trade_imbalance_frac", "takers' imbalance"),
    ("perp_basis_bps", "perp basis, bps"),
    ("vol_spread_trailing_30d_ann", "implied less realised, 30 d"),
    ("oi_imbalance_frac", "calls less puts, share of OI"),
)


def draw_pressure(selection: Selection) -> Figure:
    rows = selection.needed(TABLE, "utc_hour")
    figure = sheet(f"Pressure: {selection.told}", 13, 8.5)
    left, right = side_by_side(figure, 1, 2, width_ratios=(1.6, 1))
    score, parts, shift, strain = left.subplots(4, 1, sharex=True, height_ratios=(1.6, 1.6, 0.8, 0.8))
    _score(score, rows)
    _parts(parts, rows)
    for axis, told, column, title in (
        (shift, rows, "pressure_shift_z", "Shift: robust z of the hour's change"),
        (strain, selection.rows("fct_stress", "utc_hour"), "stress_z", "Stress: strain in any direction"),
    ):
        if told.empty or told[column].isna().all():
            missing(axis, column)
        else:
            line(axis, middle(told["utc_hour"]), told[column], color=INK)
            zero(axis)
        axis.set_title(title)
        axis.set_ylabel("z")
    through_time(selection.hours, score, parts, shift, strain)
    panels = right.subplots(len(MEASURES), 1, sharex=True)
    measured = selection.rows("mart_pressure_differentials_hourly", "utc_hour")
    for axis, (column, title), colour in zip(panels, MEASURES, SERIES, strict=False):
        if measured.empty or measured[column].isna().all():
            missing(axis, title)
        else:
            line(axis, middle(measured["utc_hour"]), measured[column], color=colour)
            zero(axis)
            if not column.endswith("bps"):
                percent(axis)
        axis.set_title(title)
    through_time(selection.hours, *panels)
    return figure


def _score(axis: Axes, rows: Frame) -> None:
    if rows["pressure_z"].isna().all():
        missing(axis, "score (it needs twenty hours of history)")
        return
    line(axis, middle(rows["utc_hour"]), rows["pressure_z"], color=INK)
    hour = pd.Timedelta(hours=1)
    for regime, colour in (("buying", BUY), ("selling", SELL)):
        for n, at in enumerate(rows.loc[rows["pressure_regime"] == regime, "utc_hour"]):
            axis.axvspan(at, at + hour, color=colour, alpha=0.2, linewidth=0, label="_" * bool(n) + regime)
    for level, style in ((2, "--"), (1, ":")):
        for sign in (-1, 1):
            axis.axhline(sign * level, color=INK, linewidth=0.7, linestyle=style)
    zero(axis)
    axis.set_title("Pressure: above zero, buyers press; a regime is entered at 2 (dashed) and left under 1 (dotted)")
    axis.set_ylabel("z")
    if (rows["pressure_regime"].isin(["buying", "selling"])).any():
        axis.legend(loc="best")


def _parts(axis: Axes, rows: Frame) -> None:
    """Stacked up and down from zero, so that the ends add up to the score."""
    columns = [f"{family}_contribution_z" for family in FAMILIES]
    if rows[columns].isna().all(axis=None):
        missing(axis, "contributions")
        return
    above, below = np.zeros(len(rows)), np.zeros(len(rows))
    for family, column, colour in zip(FAMILIES, columns, SERIES, strict=False):
        part = rows[column].fillna(0).to_numpy(dtype=np.float64)
        base = np.where(part >= 0, above, below)
        axis.bar(middle(rows["utc_hour"]), part, HOUR_BAR_DAYS, bottom=base, color=colour, label=family)
        above, below = above + np.maximum(part, 0), below + np.minimum(part, 0)
    line(axis, middle(rows["utc_hour"]), rows["pressure_z"], color=INK, linewidth=0.9)
    zero(axis)
    axis.set_title("What each family gives; the line is their sum")
    axis.set_ylabel("z")
    axis.legend(loc="best", ncols=5, fontsize=7)
