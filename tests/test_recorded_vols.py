"""Surfaces, model-free variance and Greeks of one recorded hour, against the replies themselves.

2024-01-14 20:01 UTC at Deribit (prices) and OKX (vols and Greeks). Replies are read by `tests/recorded_hour.py`, vols
solved by bisection, slices fitted by scipy from several starts.
"""

import math
from collections import defaultdict
from datetime import datetime
from statistics import median
from typing import Any

import numpy as np
import pytest
from scipy.optimize import least_squares

from tests.recorded_hour import Option, at_the_money, bisected, black, deribit_vols, instant, only_reply, years_to
from tests.replayed import Replay, Row, replayed_hour
from tests.variance_strip import strip_of

__all__ = ["replayed_hour"]

MIN_STRIKES = 5


def quoted() -> tuple[datetime, dict[datetime, list[Row]]]:
    """Deribit's options by expiry, premiums in dollars."""
    reply = only_reply("deribit", "get_book_summary_by_currency", "currency=BTC&kind=option")
    expiries: dict[datetime, list[Row]] = defaultdict(list)
    for said in reply["body"]["result"]:
        option, forward = Option(said["instrument_name"]), said["underlying_price"]
        bid, ask = said["bid_price"], said["ask_price"]
        mid = (bid + ask) / 2 * forward if bid and ask else None
        expiries[option.expiry].append(
            {
                "option_type": "call" if option.is_call else "put",
                "strike_px": float(option.strike),
                "forward_px": forward,
                "bid_premium_usd": bid if mid else None,
                "mid_premium_usd": mid,
                "sides": [price and price * forward for price in (bid, ask)],
            }
        )
    return instant(reply), expiries


def slices_of(replayed: Replay, venue: str) -> dict[datetime, Row]:
    return {row["expiry_ts"]: row for row in replayed.rows(f"select * from fct_vol_surface where venue = '{venue}'")}


def smile(quotes: list[Row]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """k, total vol and vega of the options out of the money that have a vol on both sides."""
    found = []
    for row in sorted(quotes, key=lambda row: row["strike_px"]):
        forward, strike, is_call = row["forward_px"], row["strike_px"], row["option_type"] == "call"
        if row["mid_premium_usd"] and is_call == (strike >= forward):
            vols = [bisected(premium, forward, strike, is_call=is_call) for premium in row["sides"]]
            mid = bisected(row["mid_premium_usd"], forward, strike, is_call=is_call)
            if mid and None not in vols:
                d1 = math.log(forward / strike) / mid + mid / 2
                found.append((math.log(strike / forward), mid, math.exp(-(d1**2) / 2)))
    return np.array(found)


def svi(parameters: tuple[float, ...], k: Any) -> Any:
    a, b, rho, m, sigma = parameters
    return a + b * (rho * (k - m) + np.hypot(k - m, sigma))


def error(parameters: tuple[float, ...], points: np.ndarray[Any, np.dtype[np.float64]]) -> Any:
    k, total_vol, vega = points.T
    return vega * (svi(parameters, k) - total_vol**2) / (2 * total_vol)


def test_no_fit_of_scipy_is_nearer_to_the_quotes(replayed_hour: Replay) -> None:
    """From nine starts, within the same bounds: to a thousandth of the squared error at every expiry of Deribit."""
    _, expiries = quoted()
    published = slices_of(replayed_hour, "deribit")
    ratios = []
    for expiry, quotes in expiries.items():
        points = smile(quotes)
        assert published[expiry]["strikes_count"] == len(points) >= MIN_STRIKES
        low, high = points[:, 0].min(), points[:, 0].max()
        width = high - low
        bounds = ([-10, 0, -0.9993, low, 1e-3 * width], [10, 150, 0.9993, high, width])
        starts = [(1e-4, 0.1, -0.1, m, s * width) for m in (low / 2, 0, high / 2) for s in (0.05, 0.3, 0.9)]
        fits = [least_squares(error, start, bounds=bounds, args=(points,), max_nfev=500) for start in starts]
        ours = tuple(published[expiry][f"svi_{name}"] for name in ("a", "b", "rho", "m", "sigma"))
        ratios.append(float(np.sum(error(ours, points) ** 2)) / min(2 * each.cost for each in fits))
    print(f"{len(ratios)} slices, squared error {min(ratios):.6f} to {max(ratios):.6f} of scipy's best")  # noqa: T201

    assert len(ratios) == 11
    assert max(ratios) < 1.001


def test_butterflies_of_the_slices_are_worth_what_the_flag_says(replayed_hour: Replay) -> None:
    """Second differences of call prices on a grid within 2 of the money: negative somewhere if and only if flagged."""
    for row in replayed_hour.rows("select * from fct_vol_surface where fit_reason is null"):
        parameters = tuple(row[f"svi_{name}"] for name in ("a", "b", "rho", "m", "sigma"))
        step = 2e-3
        worst = math.inf
        for k in np.arange(-2, 2, 0.01):
            strikes = [math.exp(k - step), math.exp(k), math.exp(k + step)]
            put, middle, far = (
                black(1.0, strike, math.sqrt(svi(parameters, math.log(strike))), is_call=False) for strike in strikes
            )
            left, right = strikes[1] - strikes[0], strikes[2] - strikes[1]
            slope = (far - middle) / right - (middle - put) / left
            scale = math.exp(-((k / math.sqrt(svi(parameters, k))) ** 2) / 2)
            if scale > 1e-6:  # farther out the price of a butterfly is rounding
                worst = min(worst, slope / scale)

        if worst < -1e-9:
            assert row["has_butterfly_arbitrage"], row["expiry_ts"]
        if not row["has_butterfly_arbitrage"]:
            assert worst > -1e-9, row["expiry_ts"]


def test_the_slices_pass_the_money_where_the_marks_do(replayed_hour: Replay) -> None:
    """A line between two marks and a slice through all mids: apart by a day's ticks and a year's wide quotes."""
    _, vols = deribit_vols()
    published = slices_of(replayed_hour, "deribit")
    gaps = {
        expiry: published[expiry]["atm_vol_ann"] - (at_the_money([vol for vol in vols if vol[0].expiry == expiry]) or 0)
        for expiry in published
    }
    print({f"{expiry:%d%b}": f"{gap:+.4f}" for expiry, gap in sorted(gaps.items())})  # noqa: T201

    assert median(abs(gap) for gap in gaps.values()) < 0.004
    assert max(abs(gap) for gap in gaps.values()) < 0.01


def test_model_free_variance_is_the_sum_by_hand(replayed_hour: Replay) -> None:
    at, expiries = quoted()
    published = {
        row["expiry_ts"]: row
        for row in replayed_hour.rows("select * from fct_model_free_variance where venue = 'deribit'")
    }
    own = {expiry: strip_of(quotes, years_to(expiry, at)) for expiry, quotes in expiries.items()}
    for expiry, variance in own.items():
        assert published[expiry]["model_free_variance_ann"] == pytest.approx(variance, rel=1e-9)

    near = max(expiry for expiry in own if years_to(expiry, at) * 365 <= 30)
    far = min(expiry for expiry in own if years_to(expiry, at) * 365 > 30)
    (t1, w1), (t2, w2) = ((years_to(e, at), own[e] * years_to(e, at)) for e in (near, far))
    tenor = 30 / 365
    both = math.sqrt((w1 + (w2 - w1) * (tenor - t1) / (t2 - t1)) / tenor)
    print(f"30 days: {both:.4f}")  # noqa: T201
    assert published[None]["model_free_vol_ann"] == pytest.approx(both, rel=1e-9)
    assert 0.5 < both < 0.7


def test_where_no_prices_were_told_nothing_is_summed(replayed_hour: Replay) -> None:
    """OKX's summary: vols make slices, and no variance without a model."""
    told = replayed_hour.rows("select * from fct_model_free_variance where venue = 'okx'")

    assert {row["model_free_variance_ann"] for row in told} == {None}
    assert all(row["atm_vol_ann"] for row in replayed_hour.rows("select * from fct_vol_surface where venue = 'okx'"))


def test_greeks_are_those_that_okx_prints(replayed_hour: Replay) -> None:
    """OKX's are present values: at each expiry its vega is ours times one discount, index over forward."""
    reply = only_reply("okx", "opt-summary", "uly=BTC-USD")
    rows = {row["symbol"]: row for row in replayed_hour.rows("select * from fct_implied_vol where venue = 'okx'")}
    off: list[float] = []
    index: dict[datetime, list[float]] = defaultdict(list)
    for said in reply["body"]["data"]:
        row = rows[said["instId"]]
        assert (row["venue_delta_frac"], row["venue_vega_usd"]) == (float(said["deltaBS"]), float(said["vegaBS"]))
        off.append(abs(row["delta_frac"] - row["venue_delta_frac"]))
        if 0.1 < abs(row["delta_frac"]) < 0.9:
            index[row["expiry_ts"]].append(row["venue_vega_usd"] / row["vega_usd"] * row["forward_px"])
    spots = [median(each) for each in index.values()]
    told = f"median {median(off):.1e}, worst {max(off):.1e}; index {min(spots):.0f} to {max(spots):.0f}"
    print(f"{len(off)} deltas, {told}")  # noqa: T201

    assert median(off) < 2e-4
    assert max(off) < 5e-3
    assert max(spots) / min(spots) < 1.005
