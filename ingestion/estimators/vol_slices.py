"""One SVI slice for each expiry of each look at a venue's options, from the vols of both sides of the market.

At each strike the option out of the money speaks, where it is bid and asked: the vol of its mid. Under five such
strikes there is no slice. Nothing is said of 25-delta strikes beyond the quoted ones.
"""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ingestion.estimators.black76 import DAYS_PER_YEAR
from ingestion.estimators.svi import Floats, Svi, fit

MIN_STRIKES = 5
SLICE = ["underlying", "settle_asset", "look_ts", "expiry_ts"]
CALENDAR_POINTS = 101
LEAST_VEGA = 1e-12  # minutes before expiry every strike may be far out, and still they are a smile

_INSTANT = pa.timestamp("us", tz="UTC")
_MEASURED = (
    *("svi_a", "svi_b", "svi_rho", "svi_m", "svi_sigma", "fit_error_ann", "atm_vol_ann"),
    *("call_25d_vol_ann", "put_25d_vol_ann"),
    *("least_density_frac", "least_density_log_moneyness", "steepest_wing_frac", "least_calendar_gap_frac"),
)
_FIELDS: "list[pa.Field[Any]]" = [
    pa.field("utc_hour", _INSTANT),
    pa.field("venue", pa.string()),
    pa.field("underlying", pa.string()),
    pa.field("settle_asset", pa.string()),
    pa.field("expiry_ts", _INSTANT),
    pa.field("captured_ts", _INSTANT),
    pa.field("forward_px", pa.float64()),
    pa.field("years_to_expiry", pa.float64()),
    pa.field("strikes_count", pa.int64()),
    pa.field("lowest_log_moneyness", pa.float64()),
    pa.field("highest_log_moneyness", pa.float64()),
    pa.field("fit_reason", pa.string()),
    *(pa.field(name, pa.float64()) for name in _MEASURED),
]
SCHEMA = pa.schema(_FIELDS)


def vol_slices(vols: pa.Table) -> pa.Table:
    """The slices of one venue and hour, from its `implied_vols`; one row an expiry ahead and look, `SCHEMA`."""
    quotes = vols.to_pandas()
    quotes = quotes[quotes["expiry_ts"] > quotes["look_ts"]]
    if quotes.empty:
        return SCHEMA.empty_table()
    keys = quotes.groupby(SLICE, dropna=False, sort=True)
    slices = keys.agg(
        utc_hour=("utc_hour", "first"), venue=("venue", "first"), forward_px=("forward_px", "median")
    ).reset_index()
    strikes = _strikes(quotes)
    count = strikes.groupby(SLICE, dropna=False).agg(
        strikes_count=("k", "size"), lowest_log_moneyness=("k", "min"), highest_log_moneyness=("k", "max")
    )
    slices = slices.merge(count.reset_index(), on=SLICE, how="left")
    slices["strikes_count"] = slices["strikes_count"].fillna(0).astype("int64")
    seconds = (slices["expiry_ts"] - slices["look_ts"]).dt.total_seconds()
    slices["years_to_expiry"] = seconds / (DAYS_PER_YEAR * 86_400)
    is_fitted = slices["strikes_count"] >= MIN_STRIKES
    slices["fit_reason"] = np.where(is_fitted, np.array(None, dtype=object), "too_few_strikes")
    fitted = slices[is_fitted]
    if len(fitted):
        measured = _measured(fitted, *_padded(fitted, strikes))
        slices = slices.join(pd.DataFrame(measured, index=fitted.index))
    slices = slices.rename(columns={"look_ts": "captured_ts"}).reindex(columns=SCHEMA.names)
    return pa.Table.from_pandas(slices, schema=SCHEMA, preserve_index=False, safe=True)


def _strikes(quotes: pd.DataFrame) -> pd.DataFrame:
    """Log-moneyness, total variance and vega of the option out of the money at each strike, its newest of the look."""
    vol = quotes["mid_iv_ann"].fillna((quotes["bid_iv_ann"] + quotes["ask_iv_ann"]) / 2)
    is_call = quotes["option_type"] == "call"
    is_quoted = (quotes["bid_iv_ann"] <= quotes["ask_iv_ann"]) & vol.notna() & (quotes["years_to_expiry"] > 0)
    k, w = quotes["log_moneyness"], vol**2 * quotes["years_to_expiry"]
    d1 = -k / np.sqrt(w) + np.sqrt(w) / 2
    found = quotes[[*SLICE, "strike_px", "captured_ts"]].assign(
        k=k, w=w, vega=np.maximum(np.exp(-(d1**2) / 2), LEAST_VEGA), is_vol_alone=quotes["mid_iv_ann"].isna()
    )
    found = found[is_quoted & (is_call == (k >= 0))]
    # Of two in one reply, what was solved from prices comes last and stands.
    order = [*SLICE, "strike_px", "captured_ts", "is_vol_alone"]
    found = found.sort_values(order, ascending=[True] * (len(order) - 1) + [False], kind="stable")
    return found.drop_duplicates([*SLICE, "strike_px"], keep="last")


def _padded(fitted: pd.DataFrame, strikes: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """k, w and vega as (slices, strikes); a short slice repeats its first strike, with no vega."""
    number = fitted[SLICE].reset_index(drop=True).reset_index(names="row")
    strikes = strikes.merge(number, on=SLICE, how="inner").sort_values(by=["row", "strike_px"], kind="stable")
    row = strikes["row"].to_numpy()
    place = strikes.groupby("row").cumcount().to_numpy()
    first = place == 0
    shape = (len(fitted), int(place.max()) + 1)

    def laid_out(name: str, *, repeats: bool) -> Floats:
        values = strikes[name].to_numpy(dtype=np.float64)
        laid = np.repeat(values[first][:, None] if repeats else np.zeros((shape[0], 1)), shape[1], axis=1)
        laid[row, place] = values
        return laid

    return laid_out("k", repeats=True), laid_out("w", repeats=True), laid_out("vega", repeats=False)


def _measured(fitted: pd.DataFrame, k: Floats, w: Floats, vega: Floats) -> dict[str, Floats]:
    slice_ = fit(k, w, vega)
    years = fitted["years_to_expiry"].to_numpy()
    low, high = (fitted[f"{end}_log_moneyness"].to_numpy() for end in ("lowest", "highest"))

    def vol(at: Floats) -> Floats:
        is_quoted = (at >= low) & (at <= high)
        return np.where(is_quoted, np.sqrt(slice_.total_variance(at[:, None])[:, 0] / years), np.nan)

    error = (np.sqrt(slice_.total_variance(k)) - np.sqrt(w)) / np.sqrt(years)[:, None]
    least, least_k = slice_.least_density(np.maximum(np.abs(low), np.abs(high)) + 0.5)
    found = (
        *slice_,
        np.sqrt(np.sum((vega * error) ** 2, axis=1) / np.sum(vega**2, axis=1)),
        vol(np.zeros(len(years))),
        *(vol(slice_.strike_of_delta(0.25)), vol(slice_.strike_of_delta(0.75))),
        *(least, least_k, slice_.steepest_wing(), _calendar_gaps(fitted, slice_, low, high)),
    )
    return dict(zip(_MEASURED, found, strict=True))


def _calendar_gaps(fitted: pd.DataFrame, slice_: Svi, low: Floats, high: Floats) -> Floats:
    """Least rise of total variance since any fitted expiry before, over the strikes quoted in both; NaN without one.

    Beyond the quotes the wings of two slices cross where nobody trades. Not the expiry before alone: where its variance
    is too low, a later one above it may still stand below those before.
    """
    look = fitted.groupby(SLICE[:3], dropna=False, sort=False)
    place = look.cumcount().to_numpy()
    least = np.full(len(fitted), np.nan)
    for expiries in range(1, int(place.max()) + 1):
        row = np.flatnonzero(place >= expiries)
        own, before = (Svi(*(each[of] for each in slice_)) for of in (row, row - expiries))
        left, right = np.maximum(low[row], low[row - expiries]), np.minimum(high[row], high[row - expiries])
        k = left[:, None] + np.linspace(0, 1, CALENDAR_POINTS) * (right - left)[:, None]
        gap = np.min(own.total_variance(k) - before.total_variance(k), axis=1)
        least[row] = np.fmin(least[row], np.where(left <= right, gap, np.nan))
    return least
