"""What it pays to hold: futures over spot by time to expiry, funding, and the premium of perpetuals."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orchestration.pictures.looks import INK, colours, line, missing, percent, sheet, side_by_side, through_time, zero
from orchestration.pictures.selection import Frame, Selection

TABLE = "fct_basis"
TENORS = (7, 30, 60, 90, 180)


def draw_carry(selection: Selection) -> Figure:
    rows = _referred(selection.needed(TABLE, "captured_ts"))
    venues = colours(rows["venue"])
    figure = sheet(f"Carry: {selection.told}", 13, 8.5)
    upper, lower = side_by_side(figure, 2, 1)
    curve, maturity = upper.subplots(1, 2, width_ratios=(1.4, 1))
    _curve(curve, rows[rows["kind"] == "future"], venues)
    terms = selection.rows("fct_basis_term_structure", "minute_ts", reference_kind="index")
    _maturities(maturity, terms, venues)
    premium, funding = lower.subplots(1, 2, sharex=True)
    _premium(premium, rows[rows["kind"] == "perp"], venues)
    _funding(funding, selection, venues)
    through_time(selection.span, premium, funding)
    premium.set_xlabel("UTC")
    return figure


def _referred(rows: Frame) -> Frame:
    """Each contract against one reference: its venue's index, or the first spot pair where no index was captured."""
    contract = ["venue", "kind", "symbol"]
    ranks = (
        (rows["reference_kind"] != "index").astype(int).astype(str) + rows["reference_venue"] + rows["reference_symbol"]
    )
    ranked = rows.assign(reference_rank=ranks)
    best = ranked.groupby(contract)["reference_rank"].transform("min")
    return ranked[ranked["reference_rank"] == best]


def _curve(axis: Axes, rows: Frame, venues: dict[str, str]) -> None:
    """The newest look at each contract."""
    axis.set_title("Basis of dated futures at the last look")
    if rows.empty:
        missing(axis, "dated futures")
        return
    last = rows.groupby(["venue", "symbol"], as_index=False).last()
    for venue, own in last.groupby("venue"):
        points = own.sort_values("days_to_expiry")
        axis.plot(points["days_to_expiry"], points["basis_simple_ann"], "o", color=venues[str(venue)], label=str(venue))
    ends = last.assign(end=(last["captured_ts"] + pd.to_timedelta(last["days_to_expiry"], unit="D")).dt.round("h"))
    for end, own in ends.groupby("end"):
        place = (own["days_to_expiry"].mean(), own["basis_simple_ann"].max())
        axis.annotate(f"{end:%d %b %y}", place, fontsize=7, rotation=40, xytext=(1, 5), textcoords="offset points")
    axis.set_xlim(left=0)
    percent(axis)
    axis.margins(x=0.05, y=0.35)
    axis.set_xlabel("days to expiry")
    axis.set_ylabel("simple, a year")
    axis.legend(loc="best")


def _maturities(axis: Axes, rows: Frame, venues: dict[str, str]) -> None:
    axis.set_title("At constant maturity, first and last minute of the span")
    names = [f"carry_{tenor}d_ann" for tenor in TENORS]
    if rows.empty or rows[names].isna().all(axis=None):
        missing(axis, "constant maturities")
        return
    for (venue, settle), own in rows.groupby(["venue", "settle_asset"]):
        for row, style in ((own.iloc[0], ":"), (own.iloc[-1], "-")):
            values = [row[name] for name in names]
            axis.plot(
                TENORS, values, style, color=venues[str(venue)], marker="o" if style == "-" else None, markersize=3,
                alpha=1.0 if settle != "USDT" else 0.6,
            )  # fmt: skip
    axis.plot([], [], ":", color=INK, label="first")
    axis.plot([], [], "-", color=INK, label="last")
    percent(axis)
    axis.margins(y=0.35)
    axis.set_xticks(TENORS)
    axis.set_xlabel("days")
    axis.set_ylabel("simple, a year")
    axis.legend(loc="best")


def _premium(axis: Axes, rows: Frame, venues: dict[str, str]) -> None:
    kinds = " or ".join(sorted(rows["reference_kind"].unique())) or "index"
    axis.set_title(f"Perpetuals over {kinds}")
    if rows.empty:
        missing(axis, "perpetuals")
        return
    for (venue, symbol), own in rows.groupby(["venue", "symbol"]):
        line(
            axis,
            own["captured_ts"],
            own["basis_bps"],
            color=venues[str(venue)],
            linewidth=0.9,
            label=f"{venue} {symbol}",
        )
    zero(axis)
    axis.set_ylabel("bps")
    axis.legend(loc="lower left", fontsize=6.5, ncols=2)


def _funding(axis: Axes, selection: Selection, venues: dict[str, str]) -> None:
    axis.set_title("Funding: lines run at the hour's last look, diamonds were paid")
    rows = selection.rows("fct_funding", "rate_ts")
    rows = rows[rows["apr_ann"].notna()]
    if rows.empty:
        missing(axis, "funding")
        return
    named: set[str] = set()
    for (venue, _symbol), own in rows.groupby(["venue", "symbol"]):
        colour = venues.get(str(venue), INK)
        running, paid = own[own["is_predicted"]], own[~own["is_predicted"]]
        label = "_" * (str(venue) in named) + str(venue)
        named.add(str(venue))
        line(axis, running["rate_ts"], running["apr_ann"], color=colour, linewidth=0.9, label=label)
        axis.plot(paid["rate_ts"], paid["apr_ann"], "D", color=colour, markersize=3.5)
    weighted = selection.rows("fct_funding_by_underlying", "utc_hour")
    if selection.venue is None and len(weighted):
        ends = weighted["utc_hour"] + pd.Timedelta(hours=1)
        line(axis, ends, weighted["apr_ann"], color=INK, linewidth=2.2, label="all, by open interest")
    axis.legend(loc="best")
    zero(axis)
    percent(axis)
    axis.set_ylabel("a year; above zero, longs pay")
