"""Implied volatility of every captured option quote, on the expiry's own forward.

Undiscounted Black-76 (r = 0), time in seconds over 365 days from our clock, solved by Jaeckel's
"Let's Be Rational" (library `lbriv`). With the index as forward the answer is wrong by points of volatility.
"""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from lbriv import compute_trades_greeks
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SECONDS_PER_YEAR = 365 * 86_400
QUOTES = ("bid", "mid", "ask", "mark")
NONE = np.array(None, dtype=object)
REASONS = ("no_quote", "no_forward", "expired", "below_intrinsic", "above_max")

_INSTANT = pa.timestamp("us", tz="UTC")
_FIELDS: "list[pa.Field[Any]]" = [
    pa.field("utc_hour", _INSTANT),
    pa.field("venue", pa.string()),
    pa.field("kind", pa.string()),
    pa.field("symbol", pa.string()),
    pa.field("captured_ts", _INSTANT),
    pa.field("underlying", pa.string()),
    pa.field("expiry_ts", _INSTANT),
    pa.field("strike_px", pa.float64()),
    pa.field("option_type", pa.string()),
    pa.field("forward_px", pa.float64()),
    pa.field("forward_source", pa.string()),
    pa.field("years_to_expiry", pa.float64()),
    *(pa.field(f"{quote}_premium_usd", pa.float64()) for quote in QUOTES),
    *(pa.field(f"{quote}_iv_ann", pa.float64()) for quote in QUOTES),
    *(pa.field(f"{quote}_iv_reason", pa.string()) for quote in QUOTES),
    pa.field("mark_iv_source", pa.string()),
]
SCHEMA = pa.schema(_FIELDS)


def implied_vol(
    premium_usd: Floats, forward_px: Floats, strike_px: Floats, years: Floats, is_call: NDArray[np.bool_]
) -> tuple[Floats, NDArray[np.object_]]:
    """Black-76 volatility (decimal a year) of undiscounted premiums, and why where there is none.

    All arrays have one shape. The second array holds null or one of `REASONS`; where it holds a reason the
    volatility is NaN. Source: Jaeckel, "Let's Be Rational" (Wilmott, 2015).
    """
    intrinsic = np.maximum(np.where(is_call, forward_px - strike_px, strike_px - forward_px), 0.0)
    ceiling = np.where(is_call, forward_px, strike_px)
    reason = np.full(premium_usd.shape, None, dtype=object)
    reason[premium_usd >= ceiling] = "above_max"
    reason[premium_usd <= intrinsic] = "below_intrinsic"
    reason[~(years > 0)] = "expired"
    reason[~(forward_px > 0)] = "no_forward"
    reason[~np.isfinite(premium_usd)] = "no_quote"

    total_vol = np.full(premium_usd.shape, np.nan)
    solvable = np.flatnonzero(reason == None)  # noqa: E711  (elementwise on an object array)
    if len(solvable):
        inputs = [np.ascontiguousarray(x[solvable]) for x in (premium_usd, forward_px, strike_px)]
        flags = np.ascontiguousarray(np.where(is_call[solvable], 1, 0).astype(np.int8))
        outputs = [np.empty(len(solvable)) for _ in range(4)]
        compute_trades_greeks(*inputs, flags, np.ones(len(solvable)), *outputs)
        total_vol[solvable] = outputs[0]
    unsolved = solvable[~(total_vol[solvable] > 0)]
    reason[unsolved] = "below_intrinsic"
    total_vol[unsolved] = np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        return total_vol / np.sqrt(years), reason


def implied_vols(quotes: pa.Table, instruments: pa.Table) -> pa.Table:
    """Invert the bid, mid, ask and mark of one venue and hour; one row per quote, `SCHEMA`.

    `quotes` and `instruments` are lake tables (`option_quotes`, `instruments`) of the same venue and hour.
    Where the venue gives vols and no prices (OKX), its own are taken and `mark_iv_source` says `venue`.
    """
    options = instruments.filter(pc.field("kind") == "option")
    if not quotes.num_rows or not options.num_rows:
        return SCHEMA.empty_table()
    frame = _with_terms(quotes.to_pandas(), options.to_pandas())
    if frame.empty:
        return SCHEMA.empty_table()
    frame["underlying"] = frame["base_asset"]
    seconds = (frame["expiry_ts"] - frame["captured_ts"]).dt.total_seconds()
    frame["years_to_expiry"] = seconds / SECONDS_PER_YEAR
    frame["mid_px"] = (frame["bid_px"] + frame["ask_px"]) / 2
    _complete_forwards(frame)
    to_usd = np.where(frame["is_inverse"].astype(bool), frame["forward_px"], 1.0)
    for quote in QUOTES:
        frame[f"{quote}_premium_usd"] = frame[f"{quote}_px"] * to_usd
        vols, reasons = implied_vol(
            _floats(frame[f"{quote}_premium_usd"]),
            _floats(frame["forward_px"]),
            _floats(frame["strike_px"]),
            _floats(frame["years_to_expiry"]),
            (frame["option_type"] == "call").to_numpy(),
        )
        given = f"{quote}_iv_ann"
        venue_vols = _floats(frame[given]) if given in frame else np.full(len(frame), np.nan)
        take_venue = (reasons == "no_quote") & np.isfinite(venue_vols) & (frame["years_to_expiry"] > 0).to_numpy()
        frame[f"{quote}_iv_reason"] = np.where(take_venue, NONE, reasons)
        frame[f"{quote}_iv_ann"] = np.where(take_venue, venue_vols, vols)
        if quote == "mark":
            frame["mark_iv_source"] = np.where(take_venue, "venue", np.where(np.isfinite(vols), "inverted", NONE))
    frame = frame.sort_values(["symbol", "captured_ts"], kind="stable")
    return pa.Table.from_pandas(frame[SCHEMA.names], schema=SCHEMA, preserve_index=False, safe=True)


def _with_terms(quotes: pd.DataFrame, options: pd.DataFrame) -> pd.DataFrame:
    """Each quote with the terms in force when it was captured: the newest list, before the first that one."""
    name = ["venue", "symbol"]
    terms = options.sort_values("captured_ts", kind="stable")
    terms["captured_ts"] = terms["captured_ts"].where(terms.duplicated(name), terms["utc_hour"])
    terms = terms.sort_values("captured_ts", kind="stable")
    said = ["captured_ts", *name, "base_asset", "is_inverse", "strike_px", "option_type", "expiry_ts"]
    found = pd.merge_asof(quotes.sort_values("captured_ts", kind="stable"), terms[said], on="captured_ts", by=name)
    return found[found["base_asset"].notna()].reset_index(drop=True)


def _complete_forwards(frame: pd.DataFrame) -> None:
    """Use the venue's forward; else put-call parity at the strike where call and put marks are nearest."""
    frame["forward_source"] = np.where(np.isfinite(_floats(frame["forward_px"])), "venue", NONE)
    missing = frame["forward_px"].isna() & frame["mark_px"].notna() & ~frame["is_inverse"].astype(bool)
    for _, group in frame[missing].groupby(["captured_ts", "base_asset", "expiry_ts"]):
        marks = group.pivot_table(index="strike_px", columns="option_type", values="mark_px", aggfunc="first")
        if {"call", "put"} <= set(marks.columns):
            gap = (marks["call"] - marks["put"]).dropna()
            if len(gap):
                nearest = int(np.argmin(np.abs(gap.to_numpy())))
                forward_px = float(gap.index[nearest]) + float(gap.iloc[nearest])
                frame.loc[group.index, "forward_px"] = forward_px
                frame.loc[group.index, "forward_source"] = "parity"


def _floats(column: "pd.Series[float]") -> Floats:
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
