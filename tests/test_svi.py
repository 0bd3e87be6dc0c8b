"""Slices are found from their own points, alone or among others; their arbitrage is where it is known to be."""

import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingestion.estimators.implied_vols import implied_vols
from ingestion.estimators.svi import Floats, Svi, fit
from ingestion.estimators.vol_slices import SCHEMA, vol_slices
from ingestion.hours import hour_of
from ingestion.records import Instrument, OptionQuote
from tests.option_chains import Chain, priced
from tests.test_metrics_implied_vol import AT
from tests.toy_hour import to_table

K = np.linspace(-0.6, 0.5, 19)
VOGT = (-0.0410, 0.1331, 0.3060, 0.3586, 0.4153)


def slice_of(a: float, b: float, rho: float, m: float, sigma: float) -> Svi:
    return Svi(*(np.array([each]) for each in (a, b, rho, m, sigma)))


def points_of(slice_: Svi, k: Floats = K) -> tuple[Floats, Floats, Floats]:
    w = slice_.total_variance(k[None])
    return k[None], w, np.exp(-(k[None] ** 2) / w / 2)


def error_of(slice_: Svi, k: Floats, w: Floats, vega: Floats) -> float:
    """Root mean square of total vol, weighted by vega squared: what is minimised."""
    off = np.sqrt(slice_.total_variance(k)) - np.sqrt(w)
    return float(np.sqrt(np.sum((vega * off) ** 2) / np.sum(vega**2)))


LEVELS, SLOPES, TILTS = st.floats(0.001, 0.05), st.floats(0.02, 0.3), st.floats(-0.7, 0.7)
SLICES = st.builds(slice_of, LEVELS, SLOPES, TILTS, st.floats(-0.2, 0.2), st.floats(0.05, 0.4))


@settings(deadline=None, max_examples=50)
@given(SLICES)
@example(slice_of(0.001953125, 0.03125, 0.5, -0.1875, 0.0625))  # hundreds of steps from the best of the grid
def test_a_slice_is_found_from_its_own_points(slice_: Svi) -> None:
    k, w, vega = points_of(slice_)

    assert error_of(fit(k, w, vega), k, w, vega) < 1e-6


def test_the_order_of_strikes_does_not_matter() -> None:
    k, w, vega = points_of(slice_of(0.02, 0.1, -0.3, 0.02, 0.3))
    w = w * (1 + 0.01 * np.sin(40 * k))
    there, back = fit(k, w, vega), fit(k[:, ::-1], w[:, ::-1], vega[:, ::-1])

    assert np.stack(there) == pytest.approx(np.stack(back), abs=1e-7)


def test_a_slice_is_the_same_alone_and_among_longer_ones() -> None:
    """Padding carries no vega."""
    short, long = points_of(slice_of(0.02, 0.1, -0.3, 0.02, 0.3), K[4:12]), points_of(slice_of(*VOGT))
    short = (short[0], short[1] * (1 + 0.01 * np.sin(40 * short[0])), short[2])
    fill = len(K) - 8
    padded = [np.hstack([each, np.repeat(first, fill, axis=1)]) for each, first in zip(
        short, (short[0][:, :1], short[1][:, :1], np.zeros((1, 1))), strict=True)]  # fmt: skip
    both = fit(*(np.vstack(each) for each in zip(padded, long, strict=True)))
    alone = fit(*short)

    assert [float(each[0]) for each in both] == pytest.approx([float(each[0]) for each in alone], abs=1e-7)


def test_vogts_arbitrage_lies_beyond_half_a_log_strike() -> None:
    """Known: min g -0.0328636 at k 0.87926; within +-0.5 nothing is wrong with it."""
    vogt = slice_of(*VOGT)
    least, where = vogt.least_density(np.array([0.0]))

    assert (round(float(least[0]), 7), round(float(where[0]), 5)) == (-0.0328636, 0.87926)
    assert float(vogt.density(np.linspace(-0.5, 0.5, 401)[None]).min()) > 0


@pytest.mark.parametrize("k", [-1.2, -0.4, 0.0, 0.3, 0.87926])
def test_g_is_the_density_that_second_differences_of_prices_give(k: float) -> None:
    """g = density of ln K times √(2πw) exp(d₂² / 2), the density from calls 1e-4 apart."""
    vogt, step = slice_of(*VOGT), 1e-4

    def call(strike: float) -> float:
        total_vol = math.sqrt(float(vogt.total_variance(np.array([[math.log(strike)]]))[0, 0]))
        d1 = -math.log(strike) / total_vol + total_vol / 2
        up, down = (0.5 * math.erfc(-d / math.sqrt(2)) for d in (d1, d1 - total_vol))
        return up - strike * down

    strike, w = math.exp(k), float(vogt.total_variance(np.array([[k]]))[0, 0])
    density = (call(strike * (1 + step)) - 2 * call(strike) + call(strike * (1 - step))) / (strike * step) ** 2
    d2 = -k / math.sqrt(w) - math.sqrt(w) / 2
    own = density * strike * math.sqrt(2 * math.pi * w) * math.exp(d2**2 / 2)

    assert float(vogt.density(np.array([[k]]))[0, 0]) == pytest.approx(own, abs=2e-5)


def slices(chain: Chain) -> list[dict[str, object]]:
    hour = hour_of(AT)
    quotes, terms = [quote for quote, _ in chain], [each for _, each in chain]
    table = vol_slices(implied_vols(to_table(OptionQuote, hour, quotes), to_table(Instrument, hour, terms)))
    assert table.schema == SCHEMA
    found: list[dict[str, object]] = table.to_pylist()
    return found


def test_strikes_that_are_all_far_out_are_still_a_smile() -> None:
    """Two minutes before expiry, forty widths away: no vega is left, and nothing fails."""
    [row] = slices(priced("BTC", AT, 2 / 1440, [96.0, 96.5, 97.0, 103.0, 103.5, 104.0], lambda k: 3.0))

    assert row["strikes_count"] == 6
    assert row["fit_reason"] is None


def test_an_expired_expiry_has_no_row_and_an_empty_hour_none_at_all() -> None:
    chain = priced("BTC", AT, 1, [90.0, 95.0, 100.0, 105.0, 110.0], lambda k: 0.5)
    at_expiry = [
        (
            OptionQuote(**{**{f: getattr(q, f) for f in q.__struct_fields__}, "captured_ts": AT + timedelta(days=1)}),
            terms,
        )
        for q, terms in chain
    ]

    assert slices(at_expiry) == []
    assert len(slices(chain)) == 1


def test_a_strike_that_nobody_bids_is_not_counted() -> None:
    chain = priced("BTC", AT, 30, [90.0, 95.0, 100.0, 105.0, 110.0], lambda k: 0.5)
    unbid = [
        (OptionQuote(**{**{f: getattr(q, f) for f in q.__struct_fields__}, "bid_px": None}), terms)
        if (terms.strike_px, terms.option_type) == (110.0, "call")
        else (q, terms)
        for q, terms in chain
    ]
    [row] = slices(unbid)

    assert (row["strikes_count"], row["fit_reason"]) == (4, "too_few_strikes")
