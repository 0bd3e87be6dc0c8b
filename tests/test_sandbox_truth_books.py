"""The books and option chains that the market served are what readers find measured, with why a difference may be.

The hour is the good one of other tests, at which nothing is strained.
"""

from collections.abc import Iterator
from datetime import timedelta
from math import exp, sqrt

import numpy as np
import pytest

from ingestion.sandbox import books
from ingestion.sandbox.market import Market
from ingestion.sandbox.surfaces import black76
from orchestration.published import open_published
from orchestration.settings import Settings
from tests.sandbox_truth import ROUNDING, Published, filled, levels, rows
from tests.world import store_of


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(seed=7)


@pytest.fixture(scope="module")
def published(good_hour: Settings) -> Iterator[Published]:
    with open_published(store_of(good_hour)) as connection:
        yield connection


class TestBooks:
    def test_an_order_pays_what_the_levels_that_were_served_ask(self, published: Published, market: Market) -> None:
        """Computed from the very levels: to rounding."""
        found = rows(
            published,
            "select venue, kind, symbol, captured_ts, bid_levels_count, ask_levels_count, order_usd, buy_fill_px, "
            "sell_fill_px from fct_market_impact "
            "join fct_order_book_imbalance using (venue, kind, symbol, captured_ts)",
        )
        for *listed, at, bids_count, asks_count, order_usd, buy_px, sell_px in found:
            asks, bids = (
                levels(market, tuple(listed), at, *side) for side in (("ask", asks_count), ("bid", bids_count))
            )

            assert buy_px == pytest.approx(filled(asks, order_usd), rel=ROUNDING)
            assert sell_px == pytest.approx(filled(bids, order_usd), rel=ROUNDING)
        assert len(found) == 3 * 4 * 62

    def test_a_small_order_pays_half_of_the_spread_that_the_market_keeps(
        self, published: Published, market: Market
    ) -> None:
        """The touch lies outward of the half spread by up to a tick, and mid by half a tick of that."""
        for *listed, at, mid_px, slippage_bps in rows(
            published,
            "select venue, kind, symbol, captured_ts, mid_px, buy_slippage_bps from fct_market_impact "
            "where order_usd = 10000 and kind <> 'future'",
        ):
            tick_bps = 1e4 * market.listing(*listed, at).tick / mid_px

            assert 0 <= slippage_bps - books.HALF_SPREAD_BPS[listed[1]] + 1e-6 <= tick_bps + 0.01

    def test_imbalance_that_decays_is_that_of_the_book_that_was_served(
        self, published: Published, market: Market
    ) -> None:
        """Weights fall by e every 10 bps from mid, as far as both sides were served; at that edge they are 1e-5."""
        for *listed, at, bids_count, asks_count, told in rows(
            published,
            "select venue, kind, symbol, captured_ts, bid_levels_count, ask_levels_count, decayed_imbalance_frac "
            "from fct_order_book_imbalance",
        ):
            bids, asks = (
                levels(market, tuple(listed), at, *side) for side in (("bid", bids_count), ("ask", asks_count))
            )
            mid = (bids[0][0] + asks[0][0]) / 2
            reach = min(mid - bids[-1][0], asks[-1][0] - mid) * (1 + ROUNDING)
            bid, ask = (
                sum(usd * exp(-abs(px / mid - 1) * 1e3) for px, usd in side if abs(px - mid) <= reach)
                for side in (bids, asks)
            )

            assert told == pytest.approx((bid - ask) / (bid + ask), abs=1e-11)

    def test_the_touch_leans_as_pressure_does(self, published: Published, market: Market) -> None:
        """Both sides are drawn of one depth, so that half a lot a side is all that hides 0.6 · pressure."""
        for *listed, asset, at, mid_px, told in rows(
            published,
            "select venue, kind, symbol, underlying, captured_ts, mid_px, depth_imbalance_1_frac "
            "from fct_order_book_imbalance where kind <> 'future'",
        ):
            listing = market.listing(*listed, at)
            side_usd = levels(market, tuple(listed), at, "bid", 1)[0][1]
            half_lot = listing.usd_of(listing.lot, mid_px) / side_usd

            assert told == pytest.approx(books.LEAN * market.pressure(asset, at), abs=half_lot + 1e-12)

    def test_a_bucket_of_the_profile_holds_what_rests_there(self, published: Published, market: Market) -> None:
        """A level within 1e-6 bps of an edge may stand on either side of it, for prices are binary."""
        for *listed, at, lower, upper, mid, told in rows(
            published,
            "select venue, kind, symbol, captured_ts, lower_bps, upper_bps, mid_px, resting_usd from fct_book_profile",
        ):
            side = levels(market, tuple(listed), at, "bid" if upper <= 0 else "ask", 200)
            near, far = sorted((abs(lower), abs(upper)))
            away = [(abs(px / mid - 1) * 1e4, usd) for px, usd in side]
            least, most = (sum(usd for bps, usd in away if near + edge < bps <= far - edge) for edge in (1e-6, -1e-6))

            assert least * (1 - ROUNDING) <= told <= most * (1 + ROUNDING)

    def test_a_micro_price_is_not_told_of_four_looks(self, published: Published) -> None:
        """What it is worth where there are enough is shown on a simulated chain."""
        assert rows(published, "select distinct micro_price_px from fct_order_book_imbalance") == [(None,)]


class TestOptions:
    def test_open_interest_and_its_gamma_are_those_of_the_chain(self, published: Published, market: Market) -> None:
        """Coins as served; gamma by the true surface, of vols that Deribit prints to 0.01 points and OKX to 1e-4."""
        for venue, asset, expiry, strike, at, calls, puts, gamma in rows(
            published,
            "select venue, underlying, expiry_ts, strike_px, captured_ts, call_oi_base, put_oi_base, "
            "gamma_exposure_usd from fct_options_positioning_by_strike where gamma_oi_share_frac = 1",
        ):
            chain = market.chain(venue, asset, at)
            own = [
                n for n, listing in enumerate(chain.listings) if (listing.expiry, listing.strike) == (expiry, strike)
            ]
            interest = {bool(chain.is_call[n]): float(chain.open_interest_base[n]) for n in own}
            weights = chain.gamma * chain.open_interest_base * chain.forward**2 / 100

            assert calls == pytest.approx(interest[True], rel=ROUNDING)
            assert puts == pytest.approx(interest[False], rel=ROUNDING)
            assert gamma == pytest.approx(float(weights[own].sum()), rel=2e-3, abs=1.0)

    def test_holders_lose_least_where_the_true_chain_says(self, published: Published, market: Market) -> None:
        for venue, asset, expiry, at, told in rows(
            published,
            "select venue, underlying, expiry_ts, captured_ts, max_pain_px from fct_options_positioning "
            "where expiry_ts is not null",
        ):
            chain = market.chain(venue, asset, at)
            own = np.array([listing.expiry == expiry for listing in chain.listings])
            strikes, interest, is_call = chain.strike[own], chain.open_interest_base[own], chain.is_call[own]
            pains = {
                settled: float(interest @ np.maximum(np.where(is_call, settled - strikes, strikes - settled), 0))
                for settled in strikes.tolist()
            }

            assert told == min(pains, key=pains.__getitem__)

    def test_a_mark_s_volatility_is_that_of_the_surface(self, published: Published, market: Market) -> None:
        """Marks of premiums are served to 1e-8 coins or cents; where vega is small that is most of what is told."""
        for venue, asset, expiry, strike, at, told, vega in rows(
            published,
            "select venue, underlying, expiry_ts, strike_px, captured_ts, mark_iv_ann, vega_usd from fct_implied_vol "
            "where mark_iv_ann is not null and years_to_expiry > 2 / 365",
        ):
            truth = market.implied_vol(asset, strike, expiry, at, venue)

            assert told == pytest.approx(truth, abs=1e-4 + 0.01 / vega / 100), (venue, strike, expiry)

    def test_variance_without_a_model_is_that_of_the_true_premiums(self, published: Published, market: Market) -> None:
        """The same strikes at the surface's own premiums: mids of rounded quotes differ by up to half a tick each."""
        for venue, asset, expiry, at, lowest, highest, forward, centre, told in rows(
            published,
            "select venue, underlying, expiry_ts, captured_ts, lowest_strike_px, highest_strike_px, forward_px, "
            "centre_strike_px, model_free_vol_ann from fct_model_free_variance where expiry_ts is not null",
        ):
            chain = market.chain(venue, asset, at)
            is_own = np.array([listing.expiry == expiry for listing in chain.listings])
            strikes = np.unique(chain.strike[is_own & (chain.strike >= lowest) & (chain.strike <= highest)])
            years = (expiry - at) / timedelta(days=365)
            vols = np.array([market.implied_vol(asset, strike, expiry, at, venue) for strike in strikes.tolist()])
            call, put = (
                black76(np.array(forward), strikes, vols, np.array(years), np.array(is_call))
                for is_call in (True, False)
            )
            premiums = np.where(strikes < centre, put, np.where(strikes > centre, call, (call + put) / 2))
            total = 2 * (np.gradient(strikes) / strikes**2 * premiums).sum() - (forward / centre - 1) ** 2

            assert told == pytest.approx(sqrt(total / years), rel=0.01), (venue, expiry)
