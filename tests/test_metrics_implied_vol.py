"""What stands beside each implied vol: its Greeks, the forward it rests on, the look it belongs to, the venue's own.

Greeks of whole chains are held to QuantLib in `tests/test_metrics_vol_surface.py`; here are the real row and the traps.
"""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.estimators.black76 import Greeks, greeks, premium
from ingestion.estimators.implied_vols import implied_vols
from ingestion.estimators.looks import looks
from ingestion.hours import hour_of
from ingestion.records import Instrument, OptionQuote
from tests.option_chains import contract
from tests.toy_hour import to_table

AT = datetime(2023, 11, 10, 5, 18, 31, 632_000, tzinfo=UTC)
EXPIRY = datetime(2024, 9, 27, 8, tzinfo=UTC)
CALL, PUT = "BTC-27SEP24-40000-C", "BTC-27SEP24-40000-P"


def estimate(*quotes: OptionQuote, is_inverse: bool = True) -> list[dict[str, Any]]:
    terms = {
        quote.symbol: contract(
            quote, "BTC", EXPIRY, 40_000.0, "call" if quote.symbol.endswith("C") else "put", is_inverse=is_inverse
        )
        for quote in sorted(quotes, key=lambda quote: quote.captured_ts, reverse=True)
    }
    hour = hour_of(AT)
    table = implied_vols(to_table(OptionQuote, hour, list(quotes)), to_table(Instrument, hour, list(terms.values())))
    return sorted(table.to_pylist(), key=lambda row: (row["captured_ts"], row["symbol"]))


def quote(symbol: str = CALL, *, after_s: float = 0, venue: str = "deribit", **prices: Any) -> OptionQuote:
    return OptionQuote(venue=venue, kind="option", symbol=symbol, captured_ts=AT + timedelta(seconds=after_s), **prices)


def one(forward: float, strike: float, vol: float, years: float, *, is_call: bool) -> Greeks:
    inputs = [np.array([value]) for value in (forward, strike, vol, years)]
    return Greeks(*(float(each[0]) for each in greeks(*inputs, np.array([is_call]))))  # type: ignore[arg-type]


class TestARealDeribitRow:
    """2023-11-10, 27SEP24-40000-C: the venue printed a delta of 0.59833 and a vega of 142.30."""

    @pytest.fixture
    def row(self) -> dict[str, Any]:
        [row] = estimate(
            quote(mark_px=0.2169, bid_px=0.214, ask_px=0.2205, forward_px=39165.86, delta=0.59833, vega=142.3)
        )
        return row

    def test_has_the_greeks_that_the_venue_printed(self, row: dict[str, Any]) -> None:
        assert round(row["delta_frac"], 6) == 0.598312
        assert row["venue_delta_frac"] == pytest.approx(row["delta_frac"], abs=2e-5)
        assert row["venue_vega_usd"] == pytest.approx(row["vega_usd"], abs=0.05)

    def test_has_a_coin_delta_that_is_less_by_the_premium(self, row: dict[str, Any]) -> None:
        assert row["coin_delta_frac"] == pytest.approx(row["delta_frac"] - 0.2169, abs=1e-12)

    def test_counts_vega_and_theta_in_coin_too(self, row: dict[str, Any]) -> None:
        assert row["vega_base"] == row["vega_usd"] / 39165.86
        assert row["theta_base"] == row["theta_usd"] / 39165.86


def test_a_premium_in_dollars_has_no_greeks_in_coin() -> None:
    [row] = estimate(quote(mark_px=8_000.0, forward_px=39165.86), is_inverse=False)

    assert row["delta_frac"] > 0
    assert {row[name] for name in ("coin_delta_frac", "coin_gamma_per_usd", "vega_base", "theta_base")} == {None}


def test_a_quote_without_a_mark_has_no_greeks() -> None:
    [row] = estimate(quote(bid_px=0.214, forward_px=39165.86))

    assert row["bid_iv_ann"] is not None
    assert row["delta_frac"] is None


def test_an_expired_option_has_no_greeks() -> None:
    assert math.isnan(one(100.0, 100.0, 0.5, -0.1, is_call=True).delta_frac)


FORWARDS = st.floats(10.0, 1e5)
RATIOS = st.floats(-0.7, 0.7)
VOLS = st.floats(0.1, 2.0)
YEARS = st.floats(0.01, 2.0)


@given(FORWARDS, RATIOS, VOLS, YEARS)
def test_call_and_put_of_one_strike_differ_by_the_forward_alone(
    forward: float, ratio: float, vol: float, years: float
) -> None:
    """Deltas by one coin; coin deltas by K / F, for the premiums in coin differ by 1 - K / F; the rest is common."""
    strike = forward * math.exp(ratio)
    call, put = (one(forward, strike, vol, years, is_call=side) for side in (True, False))

    assert call.delta_frac - put.delta_frac == pytest.approx(1, abs=1e-12)
    assert call.coin_delta_frac - put.coin_delta_frac == pytest.approx(strike / forward, rel=1e-9)
    assert (call.gamma_per_usd, call.vega_usd, call.theta_usd) == (put.gamma_per_usd, put.vega_usd, put.theta_usd)


@given(FORWARDS, RATIOS, VOLS, YEARS, st.floats(2.0, 50.0))
def test_greeks_do_not_know_in_what_dollars_are_counted(
    forward: float, ratio: float, vol: float, years: float, scale: float
) -> None:
    small = one(forward, forward * math.exp(ratio), vol, years, is_call=True)
    large = one(forward * scale, forward * scale * math.exp(ratio), vol, years, is_call=True)

    assert large.delta_frac == pytest.approx(small.delta_frac, rel=1e-9)
    assert large.coin_delta_frac == pytest.approx(small.coin_delta_frac, rel=1e-9, abs=1e-12)
    assert large.gamma_per_usd * scale == pytest.approx(small.gamma_per_usd, rel=1e-9)
    assert large.vega_base == pytest.approx(small.vega_base, rel=1e-9)


@given(FORWARDS, RATIOS, VOLS, YEARS, st.booleans())
def test_greeks_are_the_slopes_of_the_premium(
    forward: float, ratio: float, vol: float, years: float, is_call: bool
) -> None:
    """By central differences of the premium, in dollars and in coin."""
    strike, side, step = forward * math.exp(ratio), np.array([is_call]), 1e-4
    told = one(forward, strike, vol, years, is_call=is_call)

    def worth(f: float, v: float = vol, y: float = years) -> float:
        return float(premium(np.array([f]), np.array([strike]), np.array([v * math.sqrt(y)]), side)[0])

    up, down = forward * (1 + step), forward * (1 - step)
    coin = [one(f, strike, vol, years, is_call=is_call).coin_delta_frac for f in (up, down)]
    assert told.delta_frac == pytest.approx((worth(up) - worth(down)) / (up - down), abs=1e-5)
    assert told.coin_gamma_per_usd * forward == pytest.approx((coin[0] - coin[1]) / (2 * step), rel=1e-3, abs=1e-4)
    a_point = (worth(forward, vol + step) - worth(forward, vol - step)) / (2 * step) / 100
    assert told.vega_usd / forward == pytest.approx(a_point / forward, abs=1e-8)
    a_minute = 1 / 365 / 1_440
    passing = (worth(forward, y=years - a_minute) - worth(forward, y=years + a_minute)) / 2 * 1_440
    assert told.theta_usd / forward == pytest.approx(passing / forward, abs=1e-7)


class TestForwards:
    def test_of_the_minute_before_serve_a_reply_that_tells_prices_alone(self) -> None:
        """OKX tells forwards and prices in two replies."""
        rows = estimate(
            quote(venue="okx", mark_iv_ann=0.6, forward_px=39_000.0),
            quote(venue="okx", after_s=60, bid_px=0.2, ask_px=0.21),
            quote(venue="okx", after_s=121, bid_px=0.2, ask_px=0.21),
        )

        assert [row["forward_source"] for row in rows] == ["venue", "venue_earlier", None]
        assert [row["forward_px"] for row in rows] == [39_000.0, 39_000.0, None]
        assert [row["bid_iv_reason"] for row in rows] == ["no_quote", None, "no_forward"]

    def test_that_come_later_are_not_known_yet(self) -> None:
        early, late = estimate(
            quote(venue="okx", bid_px=0.2), quote(venue="okx", after_s=1, mark_iv_ann=0.6, forward_px=39_000.0)
        )

        assert early["forward_px"] is None
        assert late["forward_px"] == 39_000.0


class TestTheVenuesOwn:
    def test_vols_of_zero_are_none(self) -> None:
        """Deribit prints a bid vol of 0 where nobody bids."""
        [row] = estimate(quote(mark_px=0.2169, forward_px=39165.86, bid_iv_ann=0.0, ask_iv_ann=0.62))

        assert (row["venue_bid_iv_ann"], row["venue_ask_iv_ann"]) == (None, 0.62)
        assert (row["bid_iv_ann"], row["bid_iv_reason"]) == (None, "no_quote")

    def test_figures_stand_beside_ours_and_not_in_their_place(self) -> None:
        [row] = estimate(quote(mark_px=0.2169, forward_px=39165.86, mark_iv_ann=0.99, delta=0.1))

        assert row["venue_mark_iv_ann"] == 0.99
        assert round(row["mark_iv_ann"], 6) == 0.608558
        assert row["venue_delta_frac"] == 0.1
        assert round(row["delta_frac"], 6) == 0.598312


def test_a_vol_over_a_thousand_percent_is_a_premium_of_one_tick() -> None:
    """Two hours before expiry a call 65 % above the forward is asked at the smallest tick."""
    at = EXPIRY - timedelta(hours=2)
    asked = OptionQuote(
        venue="deribit", kind="option", symbol=CALL, captured_ts=at, ask_px=0.0005, mark_px=0.0001, forward_px=24_000.0
    )
    hour = hour_of(at)
    terms = contract(asked, "BTC", EXPIRY, 40_000.0, "call", is_inverse=True)
    [row] = implied_vols(to_table(OptionQuote, hour, [asked]), to_table(Instrument, hour, [terms])).to_pylist()

    assert (row["ask_iv_ann"], row["ask_iv_reason"]) == (None, "above_range")
    assert (row["mark_iv_source"], row["delta_frac"]) == (None, None)


class TestLooks:
    def at(self, *seconds: float) -> list[float]:
        start = pd.Timestamp(AT)
        found = looks(pd.Series([start + pd.Timedelta(seconds=each) for each in seconds]))
        return [(look - start).total_seconds() for look in found]

    def test_replies_that_follow_each_other_are_one_of_the_last_instant(self) -> None:
        assert self.at(0, 2, 32, 0) == [32, 32, 32, 32]

    def test_a_pause_begins_the_next(self) -> None:
        assert self.at(0, 31, 300) == [0, 31, 300]

    def test_a_stream_is_cut_at_a_minute(self) -> None:
        assert self.at(0, 30, 60, 61, 90) == [60, 60, 60, 90, 90]

    def test_do_not_depend_on_the_order_of_quotes(self) -> None:
        assert self.at(300, 0, 2) == [300, 2, 2]

    def test_of_coin_and_dollar_options_are_apart(self) -> None:
        """They are two markets, and each has forwards of its own."""
        hour, coin = hour_of(AT), quote(mark_px=0.2, forward_px=39_000.0)
        dollar = quote("BTC_USDC-27SEP24-40000-C", after_s=2, mark_px=8_000.0, forward_px=39_000.0)
        terms = [
            contract(coin, "BTC", EXPIRY, 40_000.0, "call", is_inverse=True),
            contract(dollar, "BTC", EXPIRY, 40_000.0, "call", is_inverse=False),
        ]
        found = implied_vols(to_table(OptionQuote, hour, [coin, dollar]), to_table(Instrument, hour, terms)).to_pylist()

        assert {row["settle_asset"]: row["look_ts"] for row in found} == {"BTC": AT, "USDC": AT + timedelta(seconds=2)}
