"""What could go wrong, and what did: the margin ladder, forced orders, open interest, gaps, venues drifting apart."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orchestration.pictures.looks import (
    BUY,
    HOUR_BAR_DAYS,
    INK,
    SELL,
    colours,
    dollars,
    line,
    middle,
    missing,
    percent,
    sheet,
    through_time,
    zero,
)
from orchestration.pictures.selection import Frame, Selection

TABLE = "fct_leverage"


def draw_risk(selection: Selection) -> Figure:
    leverage = selection.needed(TABLE, "utc_hour")
    figure = sheet(f"Risk: {selection.told}", 13, 9.5)
    panels = figure.subplots(3, 2)
    ladder, interest, forced, gaps, apart, moved = panels.ravel()
    venues = colours(leverage["venue"])
    _ladder(ladder, selection.rows("fct_margin_stress", "utc_hour"), venues)
    _interest(interest, leverage, venues)
    _forced(forced, selection.rows("fct_liquidations", "utc_hour"))
    _gaps(gaps, selection.rows("fct_price_gaps", "utc_hour"))
    _apart(apart, selection.rows("fct_dispersion", "captured_ts"))
    _moved(moved, selection.rows("fct_realized_vol", "utc_hour"))
    for axis in (interest, forced, gaps, apart, moved):
        through_time(selection.hours, axis)
    return figure


def _ladder(axis: Axes, rows: Frame, venues: dict[str, str]) -> None:
    axis.set_title("Margin ladder: what a shock would close, modelled")
    if rows.empty:
        missing(axis, "margin stress")
        return
    last = rows[rows["utc_hour"] == rows["utc_hour"].max()]
    sums = last.pivot_table(index="shock_frac", columns="venue", values="modelled_liquidations_usd", aggfunc="sum")
    base = np.zeros(len(sums))
    for venue in sums.columns:
        values = sums[venue].fillna(0).to_numpy(dtype=np.float64)
        axis.bar(range(len(sums)), values, bottom=base, color=venues.get(str(venue), INK), label=str(venue))
        base += values
    axis.set_xticks(range(len(sums)), [f"{100 * shock:+.0f} %" for shock in sums.index])
    dollars(axis)
    axis.set_xlabel(
        f"move of the price from that of {last['utc_hour'].iloc[0]:%H:%M} UTC: falls close longs, rises shorts"
    )
    axis.set_ylabel("USD")
    axis.legend(loc="upper center", ncols=2)
    if unknown := sorted(venues.keys() - set(sums.columns)):
        axis.text(0.5, 0.62, f"no tiers known: {', '.join(unknown)}", ha="center", fontsize=8, transform=axis.transAxes)


def _interest(axis: Axes, rows: Frame, venues: dict[str, str]) -> None:
    axis.set_title("Open interest, perpetuals and dated futures")
    for venue, own in rows.groupby("venue"):
        hours = own.groupby("utc_hour")["open_interest_usd"].sum(min_count=1)
        line(axis, middle(hours.index.to_series()), hours, color=venues[str(venue)], label=str(venue))
    axis.set_ylim(bottom=0)
    dollars(axis)
    axis.set_ylabel("USD")
    axis.legend(loc="best", ncols=2)


def _forced(axis: Axes, rows: Frame) -> None:
    axis.set_title("Forced orders: shorts closed up, longs down; hatched: at least")
    if rows.empty:
        missing(axis, "forced orders")
        return
    for column, sign, colour in (("short", 1, BUY), ("long", -1, SELL)):
        for is_least, own in rows.groupby("is_lower_bound"):
            sums = own.groupby("utc_hour")[f"{column}_liquidations_usd"].sum()
            axis.bar(
                middle(sums.index.to_series()),
                sign * sums,
                HOUR_BAR_DAYS,
                color=colour,
                hatch="///" if is_least else None,
                edgecolor="white",
            )
    zero(axis)
    dollars(axis)
    axis.set_ylabel("USD")


def _gaps(axis: Axes, rows: Frame) -> None:
    axis.set_title("Largest gap between minutes, spot and perpetuals; ringed: over 4 σ")
    own = rows[rows["largest_gap_bps"].notna() & (rows["kind"] != "future")]
    if own.empty:
        missing(axis, "gaps")
        return
    venues = colours(own["venue"])
    for venue, each in own.groupby("venue"):
        axis.plot(
            middle(each["utc_hour"]),
            each["largest_gap_bps"],
            ".",
            color=venues[str(venue)],
            markersize=4,
            label=str(venue),
        )
    ringed = own[own["has_price_gap"].fillna(value=False).astype(bool)]
    axis.plot(middle(ringed["utc_hour"]), ringed["largest_gap_bps"], "o", mfc="none", mec=INK, markersize=7)
    zero(axis)
    axis.set_ylabel("bps")
    axis.legend(loc="best", ncols=2, fontsize=7)


def _apart(axis: Axes, rows: Frame) -> None:
    axis.set_title("Dispersion: dearest less cheapest venue in one currency")
    if rows.empty or rows["dispersion_bps"].isna().all():
        missing(axis, "dispersion")
        return
    palette = colours(["perp", "spot"])
    for kind, own in rows[rows["dispersion_bps"].notna()].groupby("kind"):
        line(axis, own["captured_ts"], own["dispersion_bps"], color=palette[str(kind)], label=str(kind))
    axis.set_ylim(bottom=0)
    axis.set_ylabel("bps of the median mid")
    axis.legend(loc="best")


def _moved(axis: Axes, rows: Frame) -> None:
    axis.set_title("Realised volatility, close to close")
    known = rows[rows["realized_vol_close_to_close_ann"].notna() & rows["bar_s"].isin([60, 3600])]
    if known.empty:
        missing(axis, "realised volatility")
        return
    palette = colours(f"{window:09d}" for window in known["window_s"])
    for window, own in known.groupby("window_s"):
        label = f"{window // 86_400} d" if window >= 86_400 else f"{window // 3600} h"
        line(
            axis,
            middle(own["utc_hour"]),
            own["realized_vol_close_to_close_ann"],
            color=palette[f"{window:09d}"],
            label=label,
        )
    axis.set_ylim(bottom=0)
    percent(axis)
    axis.set_ylabel("a year")
    axis.legend(loc="best", ncols=3)
