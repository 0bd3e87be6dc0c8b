"""What the whole pipeline publishes about the simulated market is what the market knows to be true.

Each tolerance says where the difference comes from; what is computed from the very numbers served agrees to rounding.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import exp, sqrt
from statistics import median

import numpy as np
import pytest

from ingestion.sandbox.market import Market
from ingestion.sandbox.path import EPOCH, milliseconds
from ingestion.sandbox.prices import INDEX_OFFSET_BPS
from ingestion.storage import Store
from orchestration.published import open_published
from orchestration.running import run
from orchestration.settings import Settings
from tests.sandbox_truth import ROUNDING, Published, dollars, rows, tape

HOUR = datetime(2026, 3, 4, 13, tzinfo=UTC)
VOL_ANN = {"BTC": 0.45, "ETH": 0.60}


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(seed=7)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    folder = tmp_path_factory.mktemp("truth")
    settings = Settings(
        lake_uri=f"file://{folder / 'lake'}",
        warehouse_path=folder / "warehouse.duckdb",
        source="sandbox",
        sweep_minutes=15,
    )
    run(settings, "hourly", HOUR, HOUR + timedelta(hours=1))
    with open_published(Store.open(settings.lake_uri)) as connection:
        yield connection


def test_book_imbalance_is_that_of_the_book_that_was_served(published: Published, market: Market) -> None:
    for venue, kind, symbol, at, first_10, within_10bps in rows(
        published,
        "select venue, kind, symbol, captured_ts, depth_imbalance_10_frac, depth_imbalance_10bps_frac "
        "from fct_order_book_imbalance",
    ):
        book = market.book(venue, kind, symbol, at)

        assert first_10 == pytest.approx(book.imbalance(10), abs=ROUNDING)
        assert within_10bps == pytest.approx(book.band_imbalance(10), abs=ROUNDING)


def test_perpetual_basis_is_the_premium_that_the_market_set(published: Published, market: Market) -> None:
    """Half a tick of a 5-dollar mark on a 3,000-dollar coin is under 0.1 bps; the mid rounds alike."""
    for venue, asset, at, basis_bps, mark_basis_bps in rows(
        published,
        "select venue, underlying, captured_ts, basis_bps, mark_basis_bps from fct_basis "
        "where kind = 'perp' and reference_kind = 'index'",
    ):
        premium_bps = 1e4 * market.premium_frac(venue, asset, at)

        assert basis_bps == pytest.approx(premium_bps, abs=0.1)
        assert mark_basis_bps is None or mark_basis_bps == pytest.approx(premium_bps, abs=0.1)


def test_dated_futures_carry_what_the_market_pays(published: Published, market: Market) -> None:
    """Quotes and indices are rounded to ticks of under 0.3 bps together, which the days left annualise."""
    for asset, days, carry_ann in rows(
        published,
        "select underlying, days_to_expiry, basis_log_ann from fct_basis "
        "where kind = 'future' and reference_kind = 'index'",
    ):
        assert carry_ann == pytest.approx(market.carry_ann(asset), abs=0.3e-4 * 365 / days)


def test_implied_volatility_at_each_tenor_is_that_of_the_surface(published: Published, market: Market) -> None:
    """The smile is curved and the strikes are apart: a straight line between two stands up to 0.4 points above it."""
    for asset, venue, tenor_days, at, implied in rows(
        published, "select underlying, venue, tenor_days, captured_ts, implied_vol_ann from fct_vol_spread"
    ):
        assert implied == pytest.approx(market.constant_maturity_vol(asset, tenor_days, at), abs=4e-3), (
            venue,
            tenor_days,
        )


def test_realised_volatility_is_the_path_s_own(published: Published) -> None:
    """An estimate from n hourly returns scatters by σ / √(2n); four of these bound it."""
    for asset, tenor_days, realized in rows(
        published, "select distinct underlying, tenor_days, realized_vol_trailing_ann from fct_vol_spread"
    ):
        scatter = VOL_ANN[asset] / sqrt(2 * 24 * tenor_days)

        assert realized == pytest.approx(VOL_ANN[asset], abs=4 * scatter)


def test_forward_volatility_is_not_known_yet(published: Published) -> None:
    for forward, is_complete in rows(published, "select realized_vol_forward_ann, is_complete from fct_vol_spread"):
        assert forward is None
        assert is_complete is False


def test_put_call_ratios_are_those_of_the_open_interest(published: Published, market: Market) -> None:
    for venue, asset, expiry, at, put_call in rows(
        published,
        "select venue, underlying, expiry_ts, captured_ts, put_call_oi_frac from fct_options_positioning",
    ):
        assert put_call == pytest.approx(market.put_call_oi(venue, asset, at, expiry), rel=ROUNDING)


def test_takers_lean_as_the_market_made_them(published: Published, market: Market) -> None:
    """Sizes are drawn too, so an hour of all instruments together scatters by some hundredths."""
    for asset, imbalance in rows(
        published, "select underlying, trade_imbalance_frac from mart_pressure_differentials_hourly"
    ):
        shares = [market.aggressor_share(asset, HOUR.replace(minute=minute)) for minute in range(60)]

        assert imbalance == pytest.approx(2 * sum(shares) / 60 - 1, abs=0.1)


def test_a_stablecoin_leg_is_converted_at_the_rate_that_was_observed(published: Published, market: Market) -> None:
    """The index that carries dollars is quoted to 1e-6 or so, the pair that carries USDC in ticks of 1e-4."""
    for symbol, quote_rate, at in rows(
        published,
        "select symbol, quote_rate, captured_ts from fct_basis "
        "where venue = 'deribit' and reference_symbol = 'BTCUSDT'",
    ):
        is_linear = "USDC" in symbol
        worth = market.stable_usd("USDT", at) / (market.stable_usd("USDC", at) if is_linear else 1.0)

        assert quote_rate == pytest.approx(worth, abs=1e-4 if is_linear else 2e-5)


def test_the_hour_rests_on_every_dataset_of_every_venue(published: Published) -> None:
    assert {status for (status,) in rows(published, "select status from fct_data_coverage")} == {"ok"}
    for coverage_frac, grade, venues_count in rows(
        published, "select coverage_frac, quality_grade, venues_count from mart_pressure_differentials_hourly"
    ):
        assert (coverage_frac > 0.6, grade in "ABC", venues_count) == (True, True, 6)


# A reply of Bybit holds the last trades alone, and looks are a quarter of an hour apart.
WHOLE = "venue <> 'bybit'"


class TestFlow:
    def test_takers_bought_and_sold_what_the_tape_says(self, published: Published, market: Market) -> None:
        """The same trades in dollars; spot pairs are told in dollars by a rate that is quoted to 1e-4 or finer."""
        for *listed, count, imbalance, cvd_usd in rows(
            published,
            "select venue, kind, symbol, trades_count, trade_imbalance_frac, cvd_usd from fct_trade_flow "
            f"where kind <> 'spot' and {WHOLE}",
        ):
            trades = tape(market, *listed, HOUR)
            usd = dollars(market, *listed, HOUR, trades)
            net = sum(each if bought else -each for each, bought in zip(usd, trades.is_buy.tolist(), strict=True))

            assert count == len(trades)
            assert imbalance == pytest.approx(net / sum(usd), abs=1e-9)
            assert cvd_usd == pytest.approx(net, abs=1e-6 * count)

    def test_as_many_dollars_buy_as_pressure_says(self, published: Published, market: Market) -> None:
        """Sides are drawn trade by trade: the weighted share scatters by √(Σ w²) / Σ w, and four of these bound it."""
        for *listed, asset, imbalance in rows(
            published,
            "select venue, kind, symbol, underlying, trade_imbalance_frac from fct_trade_flow "
            f"where {WHOLE} and kind <> 'future'",
        ):
            trades = tape(market, *listed, HOUR)
            usd = np.array(dollars(market, *listed, HOUR, trades))
            share = [market.aggressor_share(asset, EPOCH + timedelta(milliseconds=ms)) for ms in trades.at_ms.tolist()]

            truth = float((usd * (2 * np.array(share) - 1)).sum() / usd.sum())
            assert imbalance == pytest.approx(truth, abs=4 * float(np.sqrt((usd**2).sum()) / usd.sum()))

    def test_takers_pay_the_spread_around_the_mid_of_the_look_before(
        self, published: Published, market: Market
    ) -> None:
        """Trades within five seconds of a look, by dollars; the touch and the mid are those of tape and book."""
        looks = [HOUR + timedelta(minutes=minute) for minute in (0, 15, 30, 45)]
        for *listed, count, told in rows(
            published,
            "select venue, kind, symbol, marked_trades_count, effective_spread_bps from fct_liquidity "
            f"where marked_trades_count > 0 and kind <> 'spot' and {WHOLE}",
        ):
            listing, paid = market.listing(*listed, HOUR), []
            for at in looks:
                mid = market.book(*listed, at).mid_px
                near = market.trades(listing, milliseconds(at), milliseconds(at) + 5_000)
                sides = np.where(near.is_buy, 1, -1)
                costs = (2e4 * sides * (near.px - mid) / mid).tolist()
                paid += list(zip(costs, dollars(market, *listed, HOUR, near), strict=True))

            assert count == len(paid)
            assert told == pytest.approx(sum(c * usd for c, usd in paid) / sum(usd for _, usd in paid), abs=1e-6)

    def test_nothing_leads_for_all_prices_come_of_one_path(self, published: Published) -> None:
        """Prices stand for five seconds and trades come every seven: a second or two is what they happen to show."""
        leads = [lead_s for (lead_s,) in rows(published, "select lead_s from fct_lead_lag where lead_s is not null")]

        assert len(leads) > 20
        assert median(leads) == pytest.approx(0, abs=0.5)
        assert max(map(abs, leads)) <= 2

    def test_gaps_are_the_tape_s_longest_waits_and_the_widest_premium(
        self, published: Published, market: Market
    ) -> None:
        """Waits to the microsecond; a premium to the ticks of mark and index, as for the basis."""
        looks = [HOUR + timedelta(minutes=minute) for minute in (0, 15, 30, 45)]
        for *listed, asset, wait_s, widest_bps, median_bps in rows(
            published,
            "select venue, kind, symbol, underlying, trade_wait_max_s, mark_index_gap_bps, mark_index_gap_median_bps "
            f"from fct_price_gaps where {WHOLE}",
        ):
            assert wait_s == pytest.approx(float(np.diff(tape(market, *listed, HOUR).at_ms).max()) / 1e3, abs=1e-6)
            if widest_bps is not None:
                premiums = [1e4 * market.premium_frac(listed[0], asset, at) for at in looks]
                assert abs(widest_bps) == pytest.approx(max(map(abs, premiums)), abs=0.1)
                assert median_bps == pytest.approx(median(premiums), abs=0.1)

    def test_venues_stand_apart_by_their_index_and_premium(self, published: Published, market: Market) -> None:
        """Of both ends half a tick of the mid, 5 cents of Deribit's ether at the most, and the rate of a stablecoin."""
        for asset, kind, at, venues_count, told, lowest, highest in rows(
            published,
            "select underlying, kind, captured_ts, venues_count, dispersion_bps, lowest_venue, highest_venue "
            "from fct_dispersion",
        ):
            quoting = {"binance_spot", "okx", "bybit"} if kind == "spot" else INDEX_OFFSET_BPS.keys() - {"binance_spot"}
            away = {
                venue: INDEX_OFFSET_BPS[venue] + (1e4 * market.premium_frac(venue, asset, at) if kind == "perp" else 0)
                for venue in quoting
            }

            assert venues_count == len(away)
            assert told == pytest.approx(max(away.values()) - min(away.values()), abs=0.06)
            assert (lowest, highest) == (min(away, key=away.__getitem__), max(away, key=away.__getitem__))


def running_rate(market: Market, venue: str, asset: str, at: datetime) -> float:
    """For eight hours; Deribit has no interval to wait for and pays the rate of the moment."""
    return market.current_funding(asset, at) if venue == "deribit" else market.running_funding_rate(venue, asset, at)


class TestCarry:
    def test_a_rate_that_runs_is_the_venue_s_formula_over_the_true_premium(
        self, published: Published, market: Market
    ) -> None:
        """Served with eight decimals of a rate for eight hours."""
        for venue, asset, at, rate_per_hour in rows(
            published, "select venue, underlying, captured_ts, rate_per_hour from fct_funding where is_predicted"
        ):
            assert rate_per_hour == pytest.approx(running_rate(market, venue, asset, at) / 8, abs=0.51e-8 / 8)

    def test_a_rate_that_was_paid_is_that_of_its_hour(self, published: Published, market: Market) -> None:
        for asset, at, rate_per_hour in rows(
            published, "select underlying, settled_ts, rate_per_hour from fct_funding where not is_predicted"
        ):
            assert rate_per_hour == pytest.approx(market.funding_1h(asset, at), abs=1e-10)

    def test_an_underlying_pays_the_rates_of_its_contracts_by_their_true_interest(
        self, published: Published, market: Market
    ) -> None:
        """Rates as above; open interest in dollars of the mark and not of the mid, a difference of 1e-4 in a weight."""
        paid: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for *listed, asset, at in rows(
            published, "select venue, 'perp', symbol, underlying, captured_ts from fct_funding where is_predicted"
        ):
            rate, listing = running_rate(market, listed[0], asset, at), market.listing(*listed, at)
            paid[asset].append((rate / 8, market.open_interest_usd(listing, at)))
        for asset, told in rows(published, "select underlying, rate_per_hour from fct_funding_by_underlying"):
            truth = sum(rate * usd for rate, usd in paid[asset]) / sum(usd for _, usd in paid[asset])

            assert told == pytest.approx(truth, rel=1e-3, abs=0.51e-8 / 8)

    def test_the_curve_of_futures_is_flat_at_what_the_market_pays(self, published: Published, market: Market) -> None:
        """Simple interest of a carry c over T years is (exp(c T) − 1) / T; the ticks of both legs come to 0.3 bps."""
        for asset, days, told in rows(
            published,
            "unpivot (select underlying, carry_30d_ann as c30, carry_60d_ann as c60, carry_90d_ann as c90 "
            "from fct_basis_term_structure where reference_kind = 'index') "
            "on c30, c60, c90 into name days value carry",
        ):
            years = int(days[1:]) / 365

            assert told == pytest.approx((exp(market.carry_ann(asset) * years) - 1) / years, abs=2e-3)


class TestRisk:
    def test_open_interest_is_what_the_market_holds_and_moves_as_it_does(
        self, published: Published, market: Market
    ) -> None:
        """In whole lots as served, at the mid; Bybit tells coins too, to five digits. No price is in a change."""
        for *listed, at, base, usd, change, span_s in rows(
            published,
            "select venue, kind, symbol, captured_ts, open_interest_base, open_interest_usd, "
            "open_interest_change_frac, change_span_s from fct_leverage",
        ):
            listing, mid = market.listing(*listed, at), market.book(*listed, at).mid_px
            first, last = (market.open_interest_qty(listing, moment) for moment in (at - timedelta(seconds=span_s), at))

            assert usd == pytest.approx(listing.usd_of(last, mid), rel=1e-9)
            assert base == pytest.approx(listing.usd_of(last, mid) / mid, rel=1e-5)
            assert change == pytest.approx(last / first - 1, abs=ROUNDING)

    def test_margin_tiers_are_those_that_bybit_and_okx_tell_once_an_hour(self, published: Published) -> None:
        """Of every contract up to 2, 10, 50 and 200 million dollars, of a coin taken for 50,000 or 2,500."""
        found = rows(
            published,
            "select venue, kind, symbol, list(size_cap_qty order by size_cap_qty) as caps, "
            "list(1 / initial_margin_frac order by size_cap_qty), any_value(amount_unit), any_value(underlying), "
            "count(distinct captured_ts) from fct_margin_tiers where evidence = 'told' group by all",
        )
        told = {(venue, kind) for venue, kind, *_ in found}

        assert told == {("bybit", "perp"), ("bybit", "future"), ("okx", "perp")}
        for *_, caps, leverages, unit, underlying, captures in found:
            px = 1 if unit == "usd" else {"BTC": 50_000, "ETH": 2_500}[underlying]
            assert [cap * px for cap in caps] == pytest.approx([2e6, 1e7, 5e7, 2e8], rel=ROUNDING)
            assert leverages == pytest.approx([100, 50, 20, 5], rel=ROUNDING)
            assert captures == 1

    def test_a_shock_is_told_of_the_true_price_and_interest(self, published: Published, market: Market) -> None:
        """Mid and lots as served; tick and lot are the only difference from what the market holds."""
        for *listed, at, shock, px, usd, modelled, longs, shorts in rows(
            published,
            "select venue, kind, symbol, captured_ts, shock_frac, shocked_px, open_interest_usd, "
            "modelled_liquidations_usd, long_liquidated_share_frac, short_liquidated_share_frac from fct_margin_stress",
        ):
            listing = market.listing(*listed, at)
            worth = 1.0 if listing.is_inverse else market.quote_usd(listing, at)  # readers count USDT as dollars

            assert px == pytest.approx(market.mark_px(listing, at) * (1 + shock), rel=1e-4)
            assert usd == pytest.approx(market.open_interest_usd(listing, at) / worth, rel=1e-4)
            assert modelled == pytest.approx(usd * (longs if shock < 0 else shorts), rel=ROUNDING)

    def test_forced_orders_are_those_of_the_tape_and_none_while_nothing_is_strained(
        self, published: Published, market: Market
    ) -> None:
        """Sales of takers close longs. OKX tells the price of bankruptcy, here half a percent from the fill."""
        told = {
            tuple(listed): (count, longs, shorts)
            for *listed, count, longs, shorts in rows(
                published,
                "select venue, kind, symbol, liquidations_count, long_liquidations_usd, short_liquidations_usd "
                "from fct_liquidations",
            )
        }
        expected = {}
        for venue, listing in ((v, each) for v in ("deribit", "okx") for each in market.listings(v, HOUR)):
            if listing.kind not in ("perp", "future"):
                continue
            listed = (venue, listing.kind, listing.symbol)
            trades = tape(market, *listed, HOUR)
            is_forced, usd = market.is_forced(listing, trades), np.array(dollars(market, *listed, HOUR, trades))
            longs, shorts = (float(usd[is_forced & (trades.is_buy == is_buy)].sum()) for is_buy in (False, True))
            if is_forced.any():
                expected[listed] = (
                    int(is_forced.sum()),
                    pytest.approx(longs, rel=5.1e-3),
                    pytest.approx(shorts, rel=5.1e-3),
                )

        assert told == expected
        assert {symbol[:3] for _, _, symbol in told} == {"ETH"}

    def test_realised_volatility_of_every_window_is_the_path_s(self, published: Published) -> None:
        """Close to close scatters by σ / √(2n), ranges by half; those of five-second prices are 3 % too narrow."""
        names = ("close_to_close", "parkinson", "garman_klass", "rogers_satchell", "yang_zhang")
        for asset, bars_count, *told in rows(
            published,
            f"select underlying, bars_count, {', '.join(f'realized_vol_{name}_ann' for name in names)} "
            "from fct_realized_vol where bar_s = 3600",
        ):
            sigma = VOL_ANN[asset]
            assert told[0] == pytest.approx(sigma, abs=4 * sigma / sqrt(2 * bars_count))
            for value in told[1:]:
                assert value == pytest.approx(sigma * 0.97, abs=0.03 * sigma + 2 * sigma / sqrt(2 * bars_count))
