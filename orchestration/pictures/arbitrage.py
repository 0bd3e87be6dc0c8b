"""What could be locked in, net of every cost: by pair, through time, and by size."""

from typing import Any

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
    missing,
    sheet,
    short,
    side_by_side,
    through_time,
)
from orchestration.pictures.selection import Frame, NothingToDraw, Selection

TABLE = "fct_arbitrage"
SHOWN = 18
KINDS = ("cross_venue", "on_chain", "synthetic", "triangular")
SIZES = ("10k", "100k", "1m")


def draw_arbitrage(selection: Selection) -> Figure:
    everything = selection.needed(TABLE, "captured_ts")
    rows = everything[everything["net_top_bps"].notna()]
    if rows.empty:
        raise NothingToDraw(
            f"{selection.told}: {TABLE} has no fees for any of {len(everything)} rows (see seeds/fees.csv)"
        )
    rows = rows.assign(pair=[_named(row) for row in rows.itertuples()])
    best = rows.groupby("pair")["net_top_bps"].max().nlargest(SHOWN)
    figure = sheet(f"Arbitrage net of fees: {selection.told}", 13, 8.5)
    left, right = side_by_side(figure, 1, 2, width_ratios=(1, 1))
    pairs = left.subplots()
    _pairs(pairs, rows, list(best.index))
    time, size = right.subplots(2, 1)
    _time(time, rows)
    through_time(selection.span, time)
    _sizes(size, rows, str(best.index[0]))
    return figure


def _named(row: Any) -> str:
    buy = f"{row.buy_venue} {_brief(row.buy_symbol)}"
    sell = f"{row.sell_venue} {_brief(row.sell_symbol)}"
    return f"{buy} → {sell}"


def _brief(symbol: str) -> str:
    """A pool's address by its ends."""
    return f"{symbol[:6]}…{symbol[-4:]}" if symbol.startswith("0x") else symbol


def _pairs(axis: Axes, rows: Frame, names: list[str]) -> None:
    """Every look a mark: filled where both books could be traded, hollow where they could not."""
    for place, name in enumerate(names[::-1]):
        own = rows[rows["pair"] == name]
        y = np.full(len(own), place)
        axis.plot([own["net_top_bps"].min(), own["net_top_bps"].max()], [place, place], color=QUIET, linewidth=0.8)
        axis.scatter(own["gross_top_bps"], y, marker="|", s=30, color=QUIET, linewidth=0.8)
        is_now = own["is_executable"].astype(bool).to_numpy()
        edges = np.where(own["net_top_bps"] > 0, BUY, SELL)
        faces = np.where(is_now, edges, "white")
        looks = {"facecolors": faces.tolist(), "edgecolors": edges.tolist()}
        axis.scatter(own["net_top_bps"], y, s=16, linewidth=0.8, **looks)
    axis.axvline(0, color=INK, linewidth=0.9)
    axis.set_yticks(range(len(names)), names[::-1], fontsize=7.5)
    axis.set_title("At the touch: net (dots) and gross (ticks)")
    axis.set_xlabel("bps of what is bought; hollow: not executable")


def _time(axis: Axes, rows: Frame) -> None:
    palette = colours(KINDS)
    for kind, own in rows.groupby("arbitrage_kind"):
        best = own.groupby("captured_ts")["net_top_bps"].max()
        axis.plot(
            best.index, best, ".", markersize=4, color=palette.get(str(kind), INK), label=str(kind).replace("_", " ")
        )
    axis.axhline(0, color=INK, linewidth=0.9)
    axis.set_title("The best of each look, by kind")
    axis.set_ylabel("net at the touch, bps")
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(KINDS), borderaxespad=0)


def _sizes(axis: Axes, rows: Frame, pair: str) -> None:
    """What each size gains, pays and keeps, at the look at which the best pair was best."""
    own = rows[rows["pair"] == pair]
    row = own.loc[own["net_top_bps"].idxmax()]
    labels = {f"{name}_usd": f"{name} USD" for name in SIZES} | {"usd": f"best size\n{short(row['best_size_usd'])} USD"}
    prefixes = {"usd": "best_"}
    known = [name for name in labels if not pd.isna(row[f"{prefixes.get(name, '')}net_{name}"])]
    axis.set_title(f"{pair} at {row['captured_ts']:%Y-%m-%d %H:%M:%S}", fontsize=9)
    if not known:
        missing(axis, "sizes")
        return
    places = np.arange(len(known))
    gained, kept = (
        [float(row[f"{prefixes.get(name, '')}{part}_{name}"]) for name in known] for part in ("gross", "net")
    )
    paid = [net - gross for gross, net in zip(gained, kept, strict=True)]  # a swap's gas among it
    for shift, part, values, colour in (
        (-0.27, "gross", gained, QUIET),
        (0.0, "fees and gas", paid, SELL),
        (0.27, "net", kept, BUY),
    ):
        bars = axis.bar(places + shift, values, 0.26, color=colour, label=part)
        axis.bar_label(bars, [short(value) for value in values], fontsize=7)
    axis.axhline(0, color=INK, linewidth=0.9)
    axis.set_yscale("symlog", linthresh=1.0)
    axis.set_xticks(places, [labels[name] for name in known])
    dollars(axis)
    axis.margins(y=0.15)
    axis.set_ylabel("USD")
    axis.legend(loc="best", ncols=3)
