"""A book through time: price, lean, what rests where, and what an order would pay."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter, LogLocator

from orchestration.pictures.looks import (
    BUY,
    GAP_STEPS,
    INK,
    QUIET,
    SELL,
    Floats,
    dollars,
    line,
    missing,
    sheet,
    short,
    side_by_side,
    through_time,
    zero,
)
from orchestration.pictures.selection import Frame, Selection, busiest

TABLE = "fct_order_book_imbalance"
REACH_BPS = 50.0
SIDES = (("bid", BUY, "Blues"), ("ask", SELL, "Oranges"))


def draw_books(selection: Selection) -> Figure:
    """The instrument with most resting within 10 bps of its mid."""
    everything = selection.needed(TABLE, "captured_ts")
    depth = everything["bid_depth_10bps_usd"].fillna(0) + everything["ask_depth_10bps_usd"].fillna(0)
    rows = busiest(everything.assign(depth_usd=depth), "depth_usd")
    venue, kind, symbol = rows.iloc[0][["venue", "kind", "symbol"]]
    own = {"venue": venue, "kind": kind, "symbol": symbol}

    figure = sheet(f"{venue} {symbol} ({kind}): book, {selection.when}", 13, 9.5)
    left, right = side_by_side(figure, 1, 2, width_ratios=(2.1, 1))
    price, lean, touch, heat = left.subplots(4, 1, sharex=True, height_ratios=(1, 1, 0.8, 2.2))
    _price(price, rows)
    _lean(lean, rows)
    _touch(touch, rows)
    profile = selection.rows("fct_book_profile", "bar_start_ts", **own)
    _heat(left, heat, profile)
    through_time(selection.span, price, lean, touch, heat)
    curve, impact = right.subplots(2, 1)
    _curve(curve, profile)
    _impact(impact, selection.rows("fct_market_impact", "captured_ts", **own))
    return figure


def _price(axis: Axes, rows: Frame) -> None:
    line(axis, rows["captured_ts"], rows["mid_px"], color=INK, label="mid")
    crossed = rows[rows["is_crossed"] | rows["is_locked"]]
    if len(crossed):
        axis.plot(crossed["captured_ts"], crossed["mid_px"], "x", color=SELL, label="crossed or locked")
        axis.legend(loc="best")
    axis.set_title("Mid")
    axis.set_ylabel("price")
    axis.ticklabel_format(axis="y", useOffset=False)


def _lean(axis: Axes, rows: Frame) -> None:
    line(axis, rows["captured_ts"], rows["queue_imbalance_frac"], color=QUIET, linewidth=0.7, label="touch")
    line(axis, rows["captured_ts"], rows["depth_imbalance_10bps_frac"], color=BUY, label="within 10 bps")
    line(axis, rows["captured_ts"], rows["decayed_imbalance_frac"], color="#009E73", label="decayed, e every 10 bps")
    zero(axis)
    axis.set_ylim(-1.02, 1.02)
    axis.set_title("Imbalance: above zero, bids outweigh asks", loc="left")
    axis.set_ylabel("(B − A) / (B + A)")
    axis.legend(loc="lower right", ncols=3)


def _touch(axis: Axes, rows: Frame) -> None:
    line(axis, rows["captured_ts"], rows["spread_bps"], color=QUIET, label="spread")
    if rows["micro_price_adjustment_bps"].notna().any():
        micro_bps = rows["micro_price_adjustment_bps"]
        line(axis, rows["captured_ts"], micro_bps, color="#CC79A7", label="micro-price less mid")
    weighted_bps = 1e4 * (rows["weighted_mid_px"] / rows["mid_px"] - 1)
    line(axis, rows["captured_ts"], weighted_bps, color="#56B4E9", linewidth=0.8, label="weighted mid less mid")
    zero(axis)
    axis.set_title("Touch: spread, and where it draws the price")
    axis.set_ylabel("bps")
    axis.legend(loc="center right", ncols=3)


def _heat(figure: SubFigure, axis: Axes, profile: Frame) -> None:
    near = profile[profile["lower_bps"].abs().clip(lower=profile["upper_bps"].abs()) <= REACH_BPS]
    if near.empty:
        missing(axis, "profile")
        return
    # Buckets widen outward: only dollars a basis point compare.
    density = near.assign(density=near["resting_usd"] / (near["upper_bps"] - near["lower_bps"]))
    shown = density["density"][density["density"] > 0]
    norm = LogNorm(vmin=max(shown.quantile(0.02), 1.0), vmax=shown.max())
    for side, _, name in SIDES:
        own = density[density["upper_bps"] <= 0] if side == "bid" else density[density["lower_bps"] >= 0]
        cells = own.pivot(index="lower_bps", columns="bar_start_ts", values="density")
        times, values = time_edges(cells)
        edges = np.append(cells.index.to_numpy(), own["upper_bps"].max())
        mesh = axis.pcolormesh(times, edges, np.ma.masked_invalid(values), cmap=name, norm=norm)
        bar = figure.colorbar(
            mesh, ax=axis, pad=0.01, aspect=40, format=FuncFormatter(lambda value, _: short(value)),
            ticks=LogLocator(subs=(1, 2, 5), numticks=9),
        )  # fmt: skip
        bar.minorticks_off()
        bar.set_label(f"{side}s, USD a basis point", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    axis.axhline(0, color=INK, linewidth=0.8)
    axis.grid(visible=False)
    axis.set_title("What rests where: the last book of each minute")
    axis.set_ylabel("bps from mid")


def time_edges(cells: Frame) -> tuple[Floats, Floats]:
    """Edges in time and a column between each two; a minute that was not looked at is an empty column."""
    at = pd.DatetimeIndex(cells.columns).tz_localize(None).to_numpy()
    step = np.median(np.diff(at)) if len(at) > 1 else np.timedelta64(60, "s")
    values = cells.to_numpy(dtype=np.float64)
    ends = at + step
    edges, columns = [at[0]], []
    for n in range(len(at)):
        is_hole = n + 1 < len(at) and at[n + 1] - at[n] > GAP_STEPS * step
        edges.append(ends[n] if is_hole or n + 1 == len(at) else at[n + 1])
        columns.append(values[:, n])
        if is_hole:
            edges.append(at[n + 1])
            columns.append(np.full(len(values), np.nan))
    return np.array(edges), np.array(columns).T


def _curve(axis: Axes, profile: Frame) -> None:
    """Cumulated from the touch outward, the median of all minutes."""
    if profile.empty:
        missing(axis, "depth")
        return
    for side, colour, _ in SIDES:
        own = profile[profile["upper_bps"] <= 0] if side == "bid" else profile[profile["lower_bps"] >= 0]
        away = own.assign(away=own[["lower_bps", "upper_bps"]].abs().max(axis=1))
        sums = away.pivot(index="away", columns="bar_start_ts", values="resting_usd").sort_index().cumsum(skipna=False)
        middle, low, high = (sums.quantile(share, axis=1) for share in (0.5, 0.1, 0.9))
        sign = -1 if side == "bid" else 1
        axis.step(sign * middle.index, middle, where="pre", color=colour, label=f"{side}s")
        axis.fill_between(sign * middle.index, low, high, step="pre", color=colour, alpha=0.18)
    reach = min(100.0, float(profile["upper_bps"].max()))
    within = profile[profile["upper_bps"].abs().clip(lower=profile["lower_bps"].abs()) <= reach]
    most = within.assign(is_bid=within["upper_bps"] <= 0).groupby(["bar_start_ts", "is_bid"])["resting_usd"].sum()
    axis.set_xlim(-reach, reach)
    axis.set_ylim(0, 1.05 * float(most.quantile(0.95)))
    dollars(axis)
    axis.set_title("Depth: median, 10th to 90th percentile")
    axis.set_xlabel("bps from mid")
    axis.set_ylabel("USD up to there")
    axis.legend(loc="upper center")


def _impact(axis: Axes, rows: Frame) -> None:
    if rows.empty:
        missing(axis, "impact")
        return
    sizes = sorted(rows["order_usd"].unique())
    for column, colour, shift, label in (("buy", BUY, -0.17, "buying"), ("sell", SELL, 0.17, "selling")):
        costs = [rows.loc[rows["order_usd"] == size, f"{column}_slippage_bps"].dropna() for size in sizes]
        places = [n + shift for n, cost in enumerate(costs) if len(cost)]
        boxes = axis.boxplot(
            [cost.to_numpy() for cost in costs if len(cost)], positions=places, widths=0.28, showfliers=False,
            patch_artist=True, manage_ticks=False, medianprops={"color": INK},
        )  # fmt: skip
        for box in boxes["boxes"]:
            box.set(facecolor=colour, alpha=0.55)
        axis.plot([], [], color=colour, linewidth=6, alpha=0.55, label=label)
        for n, cost in enumerate(costs):
            unmet = 1 - len(cost) / max(1, int((rows["order_usd"] == sizes[n]).sum()))
            if unmet:
                axis.annotate(
                    f"{unmet:.0%} beyond book", (n + shift, 0), rotation=90, fontsize=7, va="bottom", ha="center"
                )
    axis.set_xticks(range(len(sizes)), [short(size) for size in sizes])
    axis.set_ylim(bottom=0)
    axis.set_title("Impact: median, quartiles, whiskers")
    axis.set_xlabel("market order, USD")
    axis.set_ylabel("bps from mid")
    axis.legend(loc="upper left")
