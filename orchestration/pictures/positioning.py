"""Where holders of options are placed: open interest and gamma by strike, max pain, puts against calls."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orchestration.pictures.looks import (
    BUY,
    INK,
    QUIET,
    SELL,
    colours,
    dollars,
    line,
    missing,
    sheet,
    short,
    side_by_side,
    through_time,
)
from orchestration.pictures.selection import Frame, Selection

TABLE = "fct_options_positioning_by_strike"
EXPIRIES = 3


def draw_positioning(selection: Selection) -> Figure:
    """The venue with most open interest, its three largest expiries, at the last look of the span."""
    everything = selection.needed(TABLE, "captured_ts")
    everything = everything.assign(oi_base=everything["call_oi_base"].fillna(0) + everything["put_oi_base"].fillna(0))
    venue = everything.groupby("venue")["oi_base"].sum().idxmax()
    mine = everything[everything["venue"] == venue]
    at = mine["captured_ts"].max()
    last = mine[mine["captured_ts"] == at]
    expiries = last.groupby("expiry_ts")["oi_base"].sum().nlargest(EXPIRIES).index.sort_values()
    totals = selection.rows("fct_options_positioning", "captured_ts")
    forwards = selection.rows("fct_vol_surface", "captured_ts", venue=venue)
    forwards = forwards[forwards["captured_ts"] == forwards["captured_ts"].max()]  # others may have expired since

    figure = sheet(f"{venue} {selection.underlying} options: positioning at {at:%Y-%m-%d %H:%M:%S} UTC", 14, 9.5)
    upper, lower = side_by_side(figure, 2, 1, height_ratios=(1.9, 1))
    panels = upper.subplots(2, len(expiries), squeeze=False, sharex="col")
    for n, expiry in enumerate(expiries):
        own = last[last["expiry_ts"] == expiry].sort_values("strike_px")
        pain = totals[(totals["venue"] == venue) & (totals["captured_ts"] == at) & (totals["expiry_ts"] == expiry)]
        fwd = forwards[forwards["expiry_ts"] == expiry]
        levels = [
            ("max pain", pain["max_pain_px"].iloc[-1] if len(pain) else None, "--"),
            ("forward", fwd["forward_px"].iloc[-1] if len(fwd) else None, "-"),
        ]
        _strikes(panels[0, n], own, "oi_base", f"{expiry:%d %b %Y}")
        _strikes(panels[1, n], own, "gamma_usd", "")
        for axis in panels[:, n]:
            _marked(axis, levels)
        panels[1, n].set_xlabel("strike, USD")
    panels[0, 0].set_ylabel(f"open interest, {selection.underlying}\ncalls up, puts down")
    panels[1, 0].set_ylabel("gamma, USD a percent\ncalls up, puts down")
    panels[0, 0].legend(loc="upper left", fontsize=7)
    ratio, pains = lower.subplots(1, 2)
    _ratio(ratio, totals[totals["expiry_ts"].isna()])
    through_time(selection.span, ratio)
    _pains(pains, totals[(totals["venue"] == venue) & (totals["captured_ts"] == at)], forwards)
    return figure


def _strikes(axis: Axes, rows: Frame, what: str, title: str) -> None:
    strikes = rows["strike_px"].to_numpy(dtype=np.float64)
    reach = float(strikes[-1] - strikes[0])
    width = max(0.8 * float(np.min(np.diff(strikes))), reach / 120) if len(strikes) > 1 else 1.0
    for side, sign, colour in (("call", 1, BUY), ("put", -1, SELL)):
        axis.bar(strikes, sign * rows[f"{side}_{what}"].fillna(0), width, color=colour, label=f"{side}s")
    axis.axhline(0, color=INK, linewidth=0.7)
    axis.yaxis.set_major_formatter(lambda value, _: short(abs(value)))
    dollars(axis, is_x=True)
    axis.set_title(title)


def _marked(axis: Axes, levels: list[tuple[str, float | None, str]]) -> None:
    for label, px, style in levels:
        if px is not None and not pd.isna(px):
            axis.axvline(px, color=INK, linestyle=style, linewidth=1, label=f"{label} {px:,.0f}")


def _ratio(axis: Axes, rows: Frame) -> None:
    axis.set_title("Puts over calls, all expiries: open interest (full), 24 h volume (dotted, hollow)")
    if rows.empty:
        missing(axis, "ratios")
        return
    palette = colours(rows["venue"])
    for venue, own in rows.groupby("venue"):
        line(axis, own["captured_ts"], own["put_call_oi_frac"], color=palette[str(venue)], label=str(venue))
        line(
            axis, own["captured_ts"], own["put_call_volume_frac"], color=palette[str(venue)], linestyle=":", mfc="white"
        )
    axis.axhline(1, color=INK, linewidth=0.7)
    axis.set_ylabel("puts / calls")
    axis.legend(loc="best")


def _pains(axis: Axes, totals: Frame, forwards: Frame) -> None:
    axis.set_title("Max pain against the forward, area by open interest")
    own = totals[totals["max_pain_px"].notna()]
    if own.empty:
        missing(axis, "max pain")
        return
    oi = own["call_oi_base"].fillna(0) + own["put_oi_base"].fillna(0)
    axis.scatter(own["expiry_ts"], own["max_pain_px"], 300 * oi / oi.max() + 4, color=SELL, alpha=0.6, label="max pain")
    last = forwards.groupby("expiry_ts")["forward_px"].last() if len(forwards) else pd.Series(dtype=float)
    axis.plot(last.index, last, "-o", markersize=3, color=INK, label="forward")
    dollars(axis)
    axis.set_xlabel("expiry")
    axis.tick_params(axis="x", labelrotation=20)
    axis.set_ylabel("USD")
    axis.legend(loc="best")
    axis.grid(color=QUIET)
