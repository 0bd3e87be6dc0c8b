"""Implied volatility of every captured option quote, on the expiry's own forward.

Undiscounted Black-76 (r = 0), time in seconds over 365 days from our clock, solved by Jaeckel's
"Let's Be Rational" (library `lbriv`). With the index as forward the answer is wrong by points of volatility.
Greeks are those of the mark's volatility; what the venue itself says stands beside ours.
"""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from lbriv import compute_trades_greeks
from numpy.typing import NDArray

from ingestion.estimators.black76 import DAYS_PER_YEAR, Floats, Greeks, greeks
from ingestion.estimators.looks import looks

SECONDS_PER_YEAR = DAYS_PER_YEAR * 86_400
QUOTES = ("bid", "mid", "ask", "mark")
NONE = np.array(None, dtype=object)
REASONS = ("no_quote", "no_forward", "expired", "below_intrinsic", "above_max", "above_range")
MAX_VOL_ANN = 10.0  # beyond it a premium of one tick minutes before expiry says nothing of volatility
MAX_FORWARD_AGE = pd.Timedelta(seconds=60)
COIN_GREEKS = ("coin_delta_frac", "coin_gamma_per_usd", "vega_base", "theta_base")
VENUE_SAID = {
    "bid_iv_ann": "venue_bid_iv_ann",
    "ask_iv_ann": "venue_ask_iv_ann",
    "mark_iv_ann": "venue_mark_iv_ann",
    "delta": "venue_delta_frac",
    "gamma": "venue_gamma_per_usd",
    "vega": "venue_vega_usd",
    "theta": "venue_theta_usd",
}

_INSTANT = pa.timestamp("us", tz="UTC")
_FIELDS: "list[pa.Field[Any]]" = [
    pa.field("utc_hour", _INSTANT),
    pa.field("venue", pa.string()),
    pa.field("kind", pa.string()),
    pa.field("symbol", pa.string()),
    pa.field("captured_ts", _INSTANT),
    pa.field("event_ts", _INSTANT),
    pa.field("look_ts", _INSTANT),
    pa.field("underlying", pa.string()),
    pa.field("settle_asset", pa.string()),
    pa.field("expiry_ts", _INSTANT),
    pa.field("strike_px", pa.float64()),
    pa.field("option_type", pa.string()),
    pa.field("forward_px", pa.float64()),
    pa.field("forward_source", pa.string()),
    pa.field("log_moneyness", pa.float64()),
    pa.field("years_to_expiry", pa.float64()),
    *(pa.field(f"{quote}_premium_usd", pa.float64()) for quote in QUOTES),
    *(pa.field(f"{quote}_iv_ann", pa.float64()) for quote in QUOTES),
    *(pa.field(f"{quote}_iv_reason", pa.string()) for quote in QUOTES),
    pa.field("mark_iv_source", pa.string()),
    *(pa.field(greek, pa.float64()) for greek in Greeks._fields),
    *(pa.field(said, pa.float64()) for said in VENUE_SAID.values()),
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
    `look_ts` is common to the quotes that one look at the underlying's options brought.
    """
    options = instruments.filter(pc.field("kind") == "option")
    if not quotes.num_rows or not options.num_rows:
        return SCHEMA.empty_table()
    frame = _with_terms(quotes.to_pandas(), options.to_pandas())
    if frame.empty:
        return SCHEMA.empty_table()
    frame["underlying"] = frame["base_asset"]
    frame["look_ts"] = frame.groupby(["underlying", "settle_asset"], dropna=False)["captured_ts"].transform(looks)
    for field, said in VENUE_SAID.items():
        values = _floats(frame[field])
        is_a_vol = (values > 0) & (values <= MAX_VOL_ANN)  # 0 where the venue has none
        frame[said] = np.where(is_a_vol, values, np.nan) if said.endswith("_ann") else values
    seconds = (frame["expiry_ts"] - frame["captured_ts"]).dt.total_seconds()
    frame["years_to_expiry"] = seconds / SECONDS_PER_YEAR
    frame["mid_px"] = (frame["bid_px"] + frame["ask_px"]) / 2
    _complete_forwards(frame)
    forwards, strikes, years = (_floats(frame[name]) for name in ("forward_px", "strike_px", "years_to_expiry"))
    is_call, is_inverse = (frame["option_type"] == "call").to_numpy(), frame["is_inverse"].to_numpy(dtype=bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        frame["log_moneyness"] = np.where(forwards > 0, np.log(strikes / forwards), np.nan)
    to_usd = np.where(is_inverse, forwards, 1.0)
    for quote in QUOTES:
        premiums = _floats(frame[f"{quote}_px"]) * to_usd
        vols, reasons = implied_vol(premiums, forwards, strikes, years, is_call)
        venue_vols = _floats(frame[f"{quote}_iv_ann"]) if quote != "mid" else np.full(len(frame), np.nan)
        take_venue = (reasons == "no_quote") & (venue_vols > 0) & (years > 0)
        taken, reasons = np.where(take_venue, venue_vols, vols), np.where(take_venue, NONE, reasons)
        # A premium in coin is no dollars without a forward.
        reasons[(reasons == "no_quote") & frame[f"{quote}_px"].notna().to_numpy()] = "no_forward"
        is_beyond = taken > MAX_VOL_ANN
        frame[f"{quote}_premium_usd"] = premiums
        frame[f"{quote}_iv_reason"] = np.where(is_beyond, "above_range", reasons)
        frame[f"{quote}_iv_ann"] = np.where(is_beyond, np.nan, taken)
        if quote == "mark":
            is_told = np.isfinite(taken) & ~is_beyond
            frame["mark_iv_source"] = np.where(is_told, np.where(take_venue, "venue", "inverted"), NONE)
    measured = greeks(forwards, strikes, _floats(frame["mark_iv_ann"]), years, is_call)._asdict()
    for name, values in measured.items():
        frame[name] = np.where(is_inverse, values, np.nan) if name in COIN_GREEKS else values
    frame = frame.sort_values(["symbol", "captured_ts", "event_ts"], kind="stable")
    return pa.Table.from_pandas(frame[SCHEMA.names], schema=SCHEMA, preserve_index=False, safe=True)


def _with_terms(quotes: pd.DataFrame, options: pd.DataFrame) -> pd.DataFrame:
    """Each quote with the terms in force when it was captured: the newest list, before the first that one."""
    name = ["venue", "symbol"]
    terms = options.sort_values("captured_ts", kind="stable")
    terms["captured_ts"] = terms["captured_ts"].where(terms.duplicated(name), terms["utc_hour"])
    terms = terms.sort_values("captured_ts", kind="stable")
    said = ["captured_ts", *name, "base_asset", "settle_asset", "is_inverse", "strike_px", "option_type", "expiry_ts"]
    found = pd.merge_asof(quotes.sort_values("captured_ts", kind="stable"), terms[said], on="captured_ts", by=name)
    return found[found["base_asset"].notna()].reset_index(drop=True)


def _complete_forwards(frame: pd.DataFrame) -> None:
    """Use the forward told with the quote; else the expiry's newest of the last minute; else put-call parity."""
    frame["forward_source"] = np.where(np.isfinite(_floats(frame["forward_px"])), "venue", NONE)
    _carry_forwards(frame)
    _infer_forwards(frame)


def _infer_forwards(frame: pd.DataFrame) -> None:
    """Put-call parity of each look and expiry, of its newest marks, at the strike where call and put are nearest.

    In dollars C - P = F - K; in coin, of premiums over the forward, c - p = 1 - K / F.
    """
    expiry = ["look_ts", "base_asset", "settle_asset", "is_inverse", "expiry_ts"]
    wanting = frame.loc[frame["forward_px"].isna(), expiry]
    if wanting.empty:
        return
    marked = frame[frame["mark_px"].notna()]
    marked = marked.sort_values(["captured_ts", "event_ts", "symbol"], kind="stable", na_position="first")
    newest = marked.drop_duplicates([*expiry, "strike_px", "option_type"], keep="last")
    told = newest[[*expiry, "strike_px", "option_type", "mark_px"]]
    calls, puts = (told[told["option_type"] == side] for side in ("call", "put"))
    pairs = calls.merge(puts, on=[*expiry, "strike_px"], suffixes=("_call", "_put"))
    strikes, gaps = _floats(pairs["strike_px"]), _floats(pairs["mark_px_call"]) - _floats(pairs["mark_px_put"])
    with np.errstate(divide="ignore"):
        in_coin = strikes / (1 - gaps)
    pairs["parity_px"] = np.where(pairs["is_inverse"].to_numpy(dtype=bool), in_coin, strikes + gaps)
    pairs["apart_px"] = np.abs(gaps)
    pairs = pairs[np.isfinite(pairs["parity_px"]) & (pairs["parity_px"] > 0)]
    nearest = pairs.sort_values(["apart_px", "strike_px"], kind="stable").drop_duplicates(expiry)
    found = wanting.reset_index().merge(nearest[[*expiry, "parity_px"]], on=expiry).set_index("index")
    frame.loc[found.index, "forward_px"] = found["parity_px"]
    frame.loc[found.index, "forward_source"] = "parity"


def _carry_forwards(frame: pd.DataFrame) -> None:
    """A venue may tell its prices apart from its forwards (OKX): the median of the expiry's newest reply with one."""
    expiry = ["base_asset", "settle_asset", "expiry_ts"]
    has_none = frame["forward_px"].isna()
    told = frame[~has_none].groupby([*expiry, "captured_ts"], as_index=False).agg({"forward_px": "median"})
    wanting = frame[has_none & (frame["bid_px"].notna() | frame["ask_px"].notna())]
    if wanting.empty or told.empty:
        return
    found = pd.merge_asof(
        wanting[[*expiry, "captured_ts"]].reset_index().sort_values("captured_ts", kind="stable"),
        told.sort_values(by="captured_ts", kind="stable"),
        on="captured_ts",
        by=expiry,
        tolerance=MAX_FORWARD_AGE,
    ).set_index("index")
    carried = found["forward_px"].dropna()
    frame.loc[carried.index, "forward_px"] = carried
    frame.loc[carried.index, "forward_source"] = "venue_earlier"


def _floats(column: "pd.Series[float]") -> Floats:
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
