"""What the whole pipeline publishes about the simulated market is what the market knows to be true.

Each tolerance says where the difference comes from; what is computed from the very numbers served agrees to rounding.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import sqrt
from typing import Any

import duckdb
import pytest

from ingestion.sandbox.market import Market
from ingestion.storage import Store
from orchestration.published import open_published
from orchestration.running import run
from orchestration.settings import Settings

HOUR = datetime(2026, 3, 4, 13, tzinfo=UTC)
ROUNDING = 1e-12
VOL_ANN = {"BTC": 0.45, "ETH": 0.60}


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(seed=7)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
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


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    found = connection.execute(query).fetchall()
    assert found, query
    return found


def test_book_imbalance_is_that_of_the_book_that_was_served(
    published: duckdb.DuckDBPyConnection, market: Market
) -> None:
    for venue, kind, symbol, at, first_10, within_10bps in rows(
        published,
        "select venue, kind, symbol, captured_ts, depth_imbalance_10_frac, depth_imbalance_10bps_frac "
        "from fct_order_book_imbalance",
    ):
        book = market.book(venue, kind, symbol, at)

        assert first_10 == pytest.approx(book.imbalance(10), abs=ROUNDING)
        assert within_10bps == pytest.approx(book.band_imbalance(10), abs=ROUNDING)


def test_perpetual_basis_is_the_premium_that_the_market_set(
    published: duckdb.DuckDBPyConnection, market: Market
) -> None:
    """Half a tick of a 5-dollar mark on a 3,000-dollar coin is under 0.1 bps; the mid rounds alike."""
    for venue, asset, at, basis_bps, mark_basis_bps in rows(
        published,
        "select venue, underlying, captured_ts, basis_bps, mark_basis_bps from fct_basis "
        "where kind = 'perp' and reference_kind = 'index'",
    ):
        premium_bps = 1e4 * market.premium_frac(venue, asset, at)

        assert basis_bps == pytest.approx(premium_bps, abs=0.1)
        assert mark_basis_bps is None or mark_basis_bps == pytest.approx(premium_bps, abs=0.1)


def test_dated_futures_carry_what_the_market_pays(published: duckdb.DuckDBPyConnection, market: Market) -> None:
    """Quotes and indices are rounded to ticks of under 0.3 bps together, which the days left annualise."""
    for asset, days, carry_ann in rows(
        published,
        "select underlying, days_to_expiry, basis_log_ann from fct_basis "
        "where kind = 'future' and reference_kind = 'index'",
    ):
        assert carry_ann == pytest.approx(market.carry_ann(asset), abs=0.3e-4 * 365 / days)


def test_implied_volatility_at_each_tenor_is_that_of_the_surface(
    published: duckdb.DuckDBPyConnection, market: Market
) -> None:
    """The smile is curved and the strikes are apart: a straight line between two stands up to 0.4 points above it."""
    for asset, venue, tenor_days, at, implied in rows(
        published, "select underlying, venue, tenor_days, captured_ts, implied_vol_ann from fct_vol_spread"
    ):
        assert implied == pytest.approx(market.constant_maturity_vol(asset, tenor_days, at), abs=4e-3), (
            venue,
            tenor_days,
        )


def test_realised_volatility_is_the_path_s_own(published: duckdb.DuckDBPyConnection) -> None:
    """An estimate from n hourly returns scatters by σ / √(2n); four of these bound it."""
    for asset, tenor_days, realized in rows(
        published, "select distinct underlying, tenor_days, realized_vol_trailing_ann from fct_vol_spread"
    ):
        scatter = VOL_ANN[asset] / sqrt(2 * 24 * tenor_days)

        assert realized == pytest.approx(VOL_ANN[asset], abs=4 * scatter)


def test_forward_volatility_is_not_known_yet(published: duckdb.DuckDBPyConnection) -> None:
    for forward, is_complete in rows(published, "select realized_vol_forward_ann, is_complete from fct_vol_spread"):
        assert forward is None
        assert is_complete is False


def test_put_call_ratios_are_those_of_the_open_interest(published: duckdb.DuckDBPyConnection, market: Market) -> None:
    for venue, asset, expiry, at, put_call in rows(
        published,
        "select venue, underlying, expiry_ts, captured_ts, put_call_oi_frac from fct_options_positioning",
    ):
        assert put_call == pytest.approx(market.put_call_oi(venue, asset, at, expiry), rel=ROUNDING)


def test_takers_lean_as_the_market_made_them(published: duckdb.DuckDBPyConnection, market: Market) -> None:
    """Sizes are drawn too, so an hour of all instruments together scatters by some hundredths."""
    for asset, imbalance in rows(
        published, "select underlying, trade_imbalance_frac from mart_pressure_differentials_hourly"
    ):
        shares = [market.aggressor_share(asset, HOUR.replace(minute=minute)) for minute in range(60)]

        assert imbalance == pytest.approx(2 * sum(shares) / 60 - 1, abs=0.1)


def test_a_stablecoin_leg_is_converted_at_the_rate_that_was_observed(
    published: duckdb.DuckDBPyConnection, market: Market
) -> None:
    """The index that carries dollars is quoted to 1e-6 or so, the pair that carries USDC in ticks of 1e-4."""
    for symbol, quote_rate, at in rows(
        published,
        "select symbol, quote_rate, captured_ts from fct_basis "
        "where venue = 'deribit' and reference_symbol = 'BTCUSDT'",
    ):
        is_linear = "USDC" in symbol
        worth = market.stable_usd("USDT", at) / (market.stable_usd("USDC", at) if is_linear else 1.0)

        assert quote_rate == pytest.approx(worth, abs=1e-4 if is_linear else 2e-5)


def test_the_hour_rests_on_every_dataset_of_every_venue(published: duckdb.DuckDBPyConnection) -> None:
    assert {status for (status,) in rows(published, "select status from fct_data_coverage")} == {"ok"}
    for coverage_frac, grade, venues_count in rows(
        published, "select coverage_frac, quality_grade, venues_count from mart_pressure_differentials_hourly"
    ):
        assert (coverage_frac > 0.6, grade in "ABC", venues_count) == (True, True, 6)
