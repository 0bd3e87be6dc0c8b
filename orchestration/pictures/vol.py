"""Implied volatility: each expiry's smile with quotes and fit, the surface, the term structure, and the spread."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from orchestration.pictures.looks import (
    BUY,
    INK,
    QUIET,
    SELL,
    colours,
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

TABLE = "fct_vol_surface"
SMILES = 8


def draw_vol(selection: Selection) -> Figure:
    """The venue with most strikes, at the last look of the span."""
    everything = selection.needed(TABLE, "captured_ts")
    totals = everything.groupby(["venue", "settle_asset"])["strikes_count"].sum()
    venue, settle = min(totals.index, key=lambda key: (-totals[key], key))
    own = {"venue": venue, "settle_asset": settle}
    mine = everything[(everything["venue"] == venue) & (everything["settle_asset"] == settle)]
    at = mine["captured_ts"].max()
    slices = mine[mine["captured_ts"] == at].sort_values("expiry_ts")
    quotes = selection.rows("fct_implied_vol", "look_ts", **own)
    quotes = quotes[quotes["look_ts"] == at]

    figure = sheet(
        f"{venue} {selection.underlying} options in {settle}: volatility at {at:%Y-%m-%d %H:%M:%S} UTC", 14, 10.5
    )
    upper, lower = side_by_side(figure, 2, 1, height_ratios=(1.25, 1))
    _smiles(upper, slices, quotes)
    surface, term, spread = lower.subplots(1, 3, width_ratios=(1.25, 1, 1))
    grid = selection.rows("fct_vol_surface_grid", "captured_ts", **own)
    _surface(lower, surface, grid[grid["captured_ts"] == at])
    _term(term, selection, everything)
    _spread(spread, selection)
    return figure


def _smiles(figure: SubFigure, slices: Frame, quotes: Frame) -> None:
    chosen = slices.iloc[np.unique(np.linspace(0, len(slices) - 1, min(SMILES, len(slices))).round().astype(int))]
    panels = figure.subplots(2, -(-len(chosen) // 2), squeeze=False).ravel()
    for axis, (_, fit) in zip(panels, chosen.iterrows(), strict=False):
        own = quotes[quotes["expiry_ts"] == fit["expiry_ts"]]
        # Of call and put the one out of the money is what people trade.
        shown = own[np.where(own["option_type"] == "call", own["log_moneyness"] >= 0, own["log_moneyness"] < 0)]
        if shown["bid_iv_ann"].notna().any():
            two = shown[shown["bid_iv_ann"].notna() & shown["ask_iv_ann"].notna()]
            axis.vlines(
                two["log_moneyness"], two["bid_iv_ann"], two["ask_iv_ann"], color=BUY, linewidth=1.6, label="bid to ask"
            )
        axis.plot(shown["log_moneyness"], shown["mark_iv_ann"], ".", color=INK, markersize=3, label="mark")
        _fit(axis, fit)
        axis.axvline(0, color=QUIET, linewidth=0.6)
        percent(axis)
        days = 365 * fit["years_to_expiry"]
        axis.set_title(f"{fit['expiry_ts']:%d %b %Y}, {days:.3g} d", fontsize=9)
    for axis in panels[len(chosen) :]:
        axis.set_axis_off()
    for axis in panels[-(len(panels) // 2) :]:
        axis.set_xlabel("ln(strike / forward)")
    panels[0].legend(loc="best", fontsize=7)


def _fit(axis: Axes, fit: Frame) -> None:
    """The slice over the strikes that it was fitted to; dashed where it was refused for an arbitrage."""
    if pd.isna(fit["svi_a"]):
        axis.text(
            0.5, 0.92, f"no fit: {fit['fit_reason']}", ha="center", transform=axis.transAxes, fontsize=7, color=QUIET
        )
        return
    k = np.linspace(fit["lowest_log_moneyness"], fit["highest_log_moneyness"], 200)
    away = k - fit["svi_m"]
    total = fit["svi_a"] + fit["svi_b"] * (fit["svi_rho"] * away + np.sqrt(away**2 + fit["svi_sigma"] ** 2))
    is_accepted = bool(fit["is_accepted"])
    axis.plot(
        k, np.sqrt(np.maximum(total, 0) / fit["years_to_expiry"]), "-" if is_accepted else "--", color=SELL,
        linewidth=1.1, label="SVI",
    )  # fmt: skip
    if not is_accepted:
        broken = [name for name in ("butterfly", "calendar") if fit[f"has_{name}_arbitrage"] is True]
        axis.text(
            0.5, 0.92, f"refused: {' and '.join(broken) or 'wing too steep'}", ha="center", transform=axis.transAxes,
            fontsize=7, color=SELL,
        )  # fmt: skip


def _surface(figure: SubFigure, axis: Axes, grid: Frame) -> None:
    axis.set_title("Surface; between dots it is quoted, beyond them the fit alone")
    known = grid[grid["implied_vol_ann"].notna()]
    cells = known.pivot(index="tenor_days", columns="log_moneyness", values="implied_vol_ann") if len(known) else known
    if len(known) == 0 or min(cells.shape) < 2:
        missing(axis, "surface")
        return
    values = np.ma.masked_invalid(cells.to_numpy(dtype=np.float64))
    k, tenors = cells.columns.to_numpy(dtype=np.float64), cells.index.to_numpy(dtype=np.float64)
    filled = axis.contourf(k, tenors, values, levels=14, cmap="cividis")
    lines = axis.contour(k, tenors, values, levels=7, colors="white", linewidths=0.5)
    axis.clabel(lines, fmt=lambda value: f"{100 * value:.0f} %", fontsize=6)
    bar = figure.colorbar(filled, ax=axis, pad=0.01)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    quoted = known[known["is_quoted"].astype(bool)]
    axis.plot(quoted["log_moneyness"], quoted["tenor_days"], "o", mfc="white", mec=INK, markersize=3, clip_on=False)
    axis.set_yscale("log")
    axis.set_yticks(tenors, [f"{tenor:g}" for tenor in tenors])
    axis.minorticks_off()
    axis.grid(visible=False)
    axis.set_xlabel("ln(strike / forward)")
    axis.set_ylabel("days")


def _term(axis: Axes, selection: Selection, everything: Frame) -> None:
    """At the money by venue, the variance of all strikes, and the 25-delta wings, each at its last look."""
    palette = colours(everything["venue"])
    for (venue, _), own in everything.groupby(["venue", "settle_asset"]):
        last = own[own["captured_ts"] == own["captured_ts"].max()].sort_values("expiry_ts")
        axis.plot(
            365 * last["years_to_expiry"],
            last["atm_vol_ann"],
            "-o",
            markersize=3,
            color=palette[str(venue)],
            label=f"{venue}, at the money",
        )
    free = selection.rows("fct_model_free_variance", "captured_ts")
    free = free[free["expiry_ts"].notna()]
    for venue, own in free.groupby("venue"):
        last = own[own["captured_ts"] == own["captured_ts"].max()].sort_values("expiry_ts")
        if last["model_free_vol_ann"].isna().all():
            continue
        axis.plot(
            365 * last["years_to_expiry"],
            last["model_free_vol_ann"],
            ":",
            color=palette[str(venue)],
            label=f"{venue}, model-free",
        )
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    percent(axis)
    low, high = axis.get_ylim()
    axis.set_ylim(low, high + 0.22 * (high - low))
    axis.set_title("Term structure at the last look")
    axis.set_xlabel("days to expiry")
    axis.set_ylabel("a year")
    axis.legend(loc="upper left", fontsize=7, ncols=2)


def _spread(axis: Axes, selection: Selection) -> None:
    rows = selection.rows("mart_vol_spread_hourly", "utc_hour")
    axis.set_title("Implied less realised of as many days before")
    if rows.empty or rows["vol_spread_trailing_ann"].isna().all():
        missing(axis, "spread")
        return
    palette = colours(f"{tenor:02d}" for tenor in rows["tenor_days"])
    for tenor, own in rows.groupby("tenor_days"):
        line(
            axis,
            middle(own["utc_hour"]),
            own["vol_spread_trailing_ann"],
            color=palette[f"{tenor:02d}"],
            label=f"{tenor} d",
        )
    zero(axis)
    percent(axis)
    through_time(selection.hours, axis)
    axis.set_ylabel("points a year")
    axis.legend(loc="best")
