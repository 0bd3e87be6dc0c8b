"""Who took: running purchases less sales, what trading cost, and how one-sided the volume was."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orchestration.pictures.looks import (
    BUY,
    HOUR_BAR_DAYS,
    SELL,
    colours,
    dollars,
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

TABLE = "fct_trade_flow"
SHOWN = 14  # instruments in a list, those of most volume


def draw_flow(selection: Selection) -> Figure:
    rows = selection.needed(TABLE, "utc_hour")
    rows = rows.assign(name=_named(rows))
    figure = sheet(f"Flow: {selection.told}", 13, 9)
    left, right = side_by_side(figure, 1, 2, width_ratios=(1.5, 1))
    running, bars, toxic, cost = left.subplots(4, 1, sharex=True)
    _running(running, rows)
    _bars(bars, rows)
    volume = rows.groupby("name")["volume_usd"].sum().sort_values(ascending=False)
    leading = list(volume.index[:6])
    _lines(
        toxic, selection.rows("fct_vpin", "utc_hour"), "vpin_mean_frac", leading, "VPIN of the six busiest, hourly mean"
    )
    toxic.set_ylabel("|B − S| / V")
    costs = selection.rows("fct_liquidity", "utc_hour")
    # Against a mid of seconds ago most of what a taker pays is the price's own move.
    age_s = costs["mid_age_ms"].mean() / 1e3
    title = f"Effective spread: twice what takers pay from mid, here {age_s:.1f} s old"
    _lines(cost, costs, "effective_spread_bps", leading, title)
    cost.set_ylabel("bps")
    through_time(selection.hours, running, bars, toxic, cost)
    sides, lean = right.subplots(1, 2, sharey=True, width_ratios=(1.5, 1))
    _sides(sides, lean, rows, list(volume.index[:SHOWN]))
    return figure


def _named(rows: Frame) -> Frame:
    """A symbol can be a spot pair and a perpetual of one venue."""
    return rows["venue"] + " " + rows["symbol"] + rows["kind"].map({"spot": " spot"}).fillna("")


def _running(axis: Axes, rows: Frame) -> None:
    palette = colours(["future", "perp", "spot"])
    for kind, own in rows.groupby("kind"):
        hours = own.groupby("utc_hour")["cvd_usd"].sum()
        line(axis, middle(hours.index.to_series()), hours.cumsum(), color=palette[str(kind)], label=str(kind))
    zero(axis)
    dollars(axis)
    axis.set_title("Bought less sold by takers, cumulated over the span (CVD)")
    axis.set_ylabel("USD")
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0)


def _bars(axis: Axes, rows: Frame) -> None:
    hours = rows.groupby("utc_hour")[["buy_usd", "sell_usd"]].sum()
    axis.bar(middle(hours.index.to_series()), hours["buy_usd"], HOUR_BAR_DAYS, color=BUY, label="takers bought")
    axis.bar(middle(hours.index.to_series()), -hours["sell_usd"], HOUR_BAR_DAYS, color=SELL, label="takers sold")
    zero(axis)
    dollars(axis)
    axis.set_title("Volume of the hour by the taker's side, all instruments")
    axis.set_ylabel("USD")
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0)


def _lines(axis: Axes, rows: Frame, column: str, names: list[str], title: str) -> None:
    own = rows.assign(name=_named(rows))
    if own.empty or own.loc[own["name"].isin(names), column].isna().all():
        missing(axis, column)
    else:
        palette = colours(names)
        for name in names:
            one = own[own["name"] == name]
            line(axis, middle(one["utc_hour"]), one[column], color=palette[name], label=name)
        low, high = axis.get_ylim()
        axis.set_ylim(min(0.0, low), high + 0.35 * (high - min(0.0, low)))
        axis.legend(loc="upper left", fontsize=7, ncols=3)
    axis.set_title(title)


def _sides(axis: Axes, lean: Axes, rows: Frame, names: list[str]) -> None:
    sums = rows.groupby("name")[["buy_usd", "sell_usd"]].sum().loc[names[::-1]]
    places = np.arange(len(sums))
    axis.barh(places, sums["buy_usd"], color=BUY)
    axis.barh(places, -sums["sell_usd"], color=SELL)
    axis.axvline(0, color="black", linewidth=0.7)
    axis.set_yticks(places, list(sums.index), fontsize=8)
    dollars(axis, is_x=True)
    axis.set_title("Sold and bought in the span")
    axis.set_xlabel("USD")
    total = sums["buy_usd"] + sums["sell_usd"]
    share = (sums["buy_usd"] - sums["sell_usd"]) / total.where(total > 0)
    lean.barh(places, share, color=[BUY if value > 0 else SELL for value in share])
    lean.axvline(0, color="black", linewidth=0.7)
    lean.set_xlim(-1, 1) if share.abs().max() > 0.5 else lean.set_xlim(-0.5, 0.5)
    percent(lean, is_x=True)
    lean.set_title("Imbalance")
    lean.set_xlabel("(B − S) / (B + S)")
