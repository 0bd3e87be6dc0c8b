"""Surfaces and model-free variance through the real models: the market's truth, planted arbitrage, Cboe's own example.

The second opinions are QuantLib, scipy's root finder on the market's slices, and loops written here.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import duckdb
import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from scipy.optimize import brentq
from scipy.stats import norm

from ingestion.lake import Lake
from ingestion.sandbox.market import Market
from ingestion.sandbox.surfaces import Svi as MarketSlice
from ingestion.storage import Store
from tests.built_models import build, stage_hours
from tests.option_chains import Chain, black, keep, priced, simulated, vix_2009
from tests.variance_strip import strip_of

HOUR = datetime(2026, 3, 4, 13, tzinfo=UTC)
LOOKS = (HOUR + timedelta(minutes=5), HOUR + timedelta(minutes=35))
IN_2009 = datetime(2009, 1, 1, tzinfo=UTC)
FACTS = ("fct_implied_vol", "fct_vol_surface", "fct_vol_surface_grid", "fct_model_free_variance")
TICK = {"deribit": 5e-4, "bybit": 5 / 95_000}  # of the forward, at the money
SMILE = MarketSlice(a=0.02, b=0.1, rho=-0.3, m=0.02, sigma=0.3)  # of 180 days
MIRRORED = MarketSlice(a=SMILE.a, b=SMILE.b, rho=-SMILE.rho, m=-SMILE.m, sigma=SMILE.sigma)
VOGT = MarketSlice(a=-0.0410, b=0.1331, rho=0.3060, m=0.3586, sigma=0.4153)
STRIKES = [100 * math.exp(k) for k in np.linspace(-0.6, 1.0, 41)]

Row = dict[str, Any]


def planted(at: datetime) -> Chain:
    def smile(slice_: MarketSlice, days: float, lower: float = 0.0) -> Any:
        return lambda k: math.sqrt((slice_.total_variance(np.array(k)) - lower) / (days / 365))

    return [
        *priced("VOGT", at, 365, STRIKES, smile(VOGT, 365)),
        *priced("SOUND", at, 180, STRIKES, smile(SMILE, 180)),
        *priced("SOUND", at, 365, STRIKES, smile(SMILE, 365, -0.01)),
        *priced("MIRRORED", at, 180, STRIKES, smile(MIRRORED, 180)),
        *priced("CROSSED", at, 180, STRIKES, smile(SMILE, 180)),
        *priced("CROSSED", at, 365, STRIKES, smile(SMILE, 365, 0.01)),
        *priced("DIPPED", at, 60, STRIKES, smile(SMILE, 60)),
        *priced("DIPPED", at, 100, STRIKES, smile(SMILE, 100, 0.02)),
        *priced("DIPPED", at, 140, STRIKES, smile(SMILE, 140, 0.01)),
        *priced("DIPPED", at, 200, STRIKES, smile(SMILE, 200, -0.01)),
        *priced("FEW", at, 30, [90, 95, 100, 105], lambda k: 0.5),
        *priced("FLAT", at, 91.25, [25 * 1.01**n for n in range(300)], lambda k: 0.6),
        *priced("TENFOLD", at, 91.25, [250 * 1.01**n for n in range(300)], lambda k: 0.6, forward=1_000.0),
    ]


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(seed=7)


@pytest.fixture(scope="module")
def warehouse(market: Market, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    folder = tmp_path_factory.mktemp("surfaces")
    lake = Lake(Store.open(str(folder / "lake")))
    for venue in TICK:
        keep(
            lake,
            venue,
            [row for at in LOOKS for asset in ("BTC", "ETH") for row in simulated(market, venue, asset, at)],
        )
    keep(lake, "planted", planted(LOOKS[0]))
    keep(lake, "cboe", vix_2009(IN_2009))
    path = stage_hours(folder, lake, [IN_2009, HOUR])
    build(path, *FACTS)
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def rows(warehouse: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
    cursor = warehouse.execute(sql)
    names = [column[0] for column in cursor.description or []]
    found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    assert found, sql
    return found


def slices(warehouse: duckdb.DuckDBPyConnection, where: str) -> list[Row]:
    return rows(warehouse, f"select * from facts.fct_vol_surface where {where} order by all")


def vol_of(slice_: MarketSlice, k: float, years: float) -> float:
    return math.sqrt(float(slice_.total_variance(np.array(k))) / years)


def vol_at_delta(slice_: MarketSlice, years: float, call_delta: float) -> float:
    """Where N(d1) is `call_delta`, found by Brent's method."""

    def off(k: float) -> float:
        width = vol_of(slice_, k, years) * math.sqrt(years)
        return float(norm.cdf(-k / width + width / 2)) - call_delta

    return vol_of(slice_, brentq(off, -2, 2), years)


def coin_delta(row: Row) -> float:
    """By how much the premium in coin moves as the forward does, in coins of forward: by central differences."""
    forward, width = row["forward_px"], row["mark_iv_ann"] * math.sqrt(row["years_to_expiry"])
    step = 1e-4 * forward
    up, down = (black(f, row["strike_px"], width, row["option_type"]) / f for f in (forward + step, forward - step))
    return (up - down) / (2 * step) * forward


def half_tick_vol(row: Row, density: float) -> float:
    """By how much the mid's vol moves with half a tick: what one strike cannot tell."""
    return TICK[row["venue"]] / 2 / (density * math.sqrt(row["years_to_expiry"]))


class TestGreeks:
    def test_agree_with_quantlib_at_every_quote(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        """Those in coin by shifting the forward of the premium in coin up and down."""
        worst: dict[str, float] = defaultdict(float)
        for row in rows(
            warehouse,
            "select * from facts.fct_implied_vol where venue in ('deribit', 'bybit') and mark_iv_ann is not null "
            f"and captured_ts = '{LOOKS[0]}'",
        ):
            forward, strike, years = row["forward_px"], row["strike_px"], row["years_to_expiry"]
            side = ql.Option.Call if row["option_type"] == "call" else ql.Option.Put
            width = row["mark_iv_ann"] * math.sqrt(years)
            by = ql.BlackCalculator(ql.PlainVanillaPayoff(side, strike), forward, width)
            told = {
                "delta_frac": by.deltaForward(),
                "gamma_per_usd": by.gammaForward(),
                "vega_usd": by.vega(years) / 100,
                "theta_usd": -by.gammaForward() * (forward * row["mark_iv_ann"]) ** 2 / 2 / 365,
            }
            if row["settle_asset"] == row["underlying"]:
                told["coin_delta_frac"] = coin_delta(row)
                told["vega_base"] = told["vega_usd"] / forward
                told["theta_base"] = told["theta_usd"] / forward
            else:
                assert row["coin_delta_frac"] is None
            for name, value in told.items():
                scale = {"gamma_per_usd": 1 / forward, "vega_usd": forward / 100, "theta_usd": forward / 365}
                worst[name] = max(worst[name], abs(row[name] - value) / scale.get(name, 1.0))
        print({name: f"{error:.1e}" for name, error in worst.items()})  # noqa: T201

        assert worst.pop("coin_delta_frac") < 1e-5  # the error of the differences
        assert max(worst.values()) < 1e-9


class TestSlices:
    def test_of_the_market_are_all_accepted(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        """The simulated surface is free of arbitrage, and rounding to ticks does not make any."""
        found = slices(warehouse, "venue in ('deribit', 'bybit')")

        assert len(found) == 2 * 2 * 2 * 8
        assert {
            (row["is_accepted"], row["has_butterfly_arbitrage"], row["has_calendar_arbitrage"]) for row in found
        } == {(True, False, False)}

    def test_are_those_of_the_market(self, warehouse: duckdb.DuckDBPyConnection, market: Market) -> None:
        """At the money and at 25 delta, to what half a tick of one strike's mid is worth in vol."""
        worst: dict[str, float] = defaultdict(float)
        for row in slices(warehouse, "venue in ('deribit', 'bybit')"):
            truth = market.svi(row["underlying"], row["expiry_ts"], row["captured_ts"])
            years = row["years_to_expiry"]

            call, put = (vol_at_delta(truth, years, delta) for delta in (0.25, 0.75))
            atm = vol_of(truth, 0.0, years)
            for name, value, density in (
                ("atm_vol_ann", atm, norm.pdf(0)),
                ("call_25d_vol_ann", call, norm.pdf(0.674)),
                ("put_25d_vol_ann", put, norm.pdf(0.674)),
                ("rr_25d_ann", call - put, norm.pdf(0.674) / 2),
                ("bf_25d_ann", (call + put) / 2 - atm, norm.pdf(0.674) / 2),
            ):
                worst[f"{row['venue']} {name}"] = max(worst[f"{row['venue']} {name}"], abs(row[name] - value))
                assert row[name] == pytest.approx(value, abs=half_tick_vol(row, density)), (row["expiry_ts"], name)
        print({name: f"{error:.1e}" for name, error in worst.items()})  # noqa: T201

    def test_tilt_as_the_market_does(self, warehouse: duckdb.DuckDBPyConnection, market: Market) -> None:
        """From a week on; in the last days the strikes are too few for the wings."""
        for row in slices(warehouse, "venue = 'bybit' and years_to_expiry > 7 / 365"):
            truth = market.svi(row["underlying"], row["expiry_ts"], row["captured_ts"])

            assert row["svi_rho"] == pytest.approx(truth.rho, abs=0.02)

    def test_that_were_priced_exactly_are_found_exactly(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        [near, far] = slices(warehouse, "underlying = 'SOUND'")

        assert [near[f"svi_{name}"] for name in ("a", "b", "rho", "m", "sigma")] == pytest.approx(
            [SMILE.a, SMILE.b, SMILE.rho, SMILE.m, SMILE.sigma], abs=1e-6
        )
        assert near["fit_error_ann"] < 1e-9
        assert far["least_calendar_gap_frac"] == pytest.approx(0.01, abs=1e-9)
        assert far["forward_vol_ann"] == pytest.approx(math.sqrt(0.01 / (185 / 365)), abs=1e-9)
        assert near["is_accepted"]
        assert far["is_accepted"]

    def test_that_are_mirrored_tilt_the_other_way_and_stand_as_high(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        """Puts of one are dear, calls of the other, though not by as much: deltas are no mirror of each other."""
        [one, _], [other] = (slices(warehouse, f"underlying = '{name}'") for name in ("SOUND", "MIRRORED"))

        assert (other["svi_rho"], other["svi_m"]) == pytest.approx((-one["svi_rho"], -one["svi_m"]), abs=1e-6)
        assert other["atm_vol_ann"] == pytest.approx(one["atm_vol_ann"], abs=1e-9)
        assert other["rr_25d_ann"] > 0 > one["rr_25d_ann"]

    def test_of_vogt_price_a_butterfly_below_nothing(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        [row] = slices(warehouse, "underlying = 'VOGT'")

        assert round(row["least_density_frac"], 7) == -0.0328636
        assert round(row["least_density_log_moneyness"], 5) == 0.87926
        assert (row["has_butterfly_arbitrage"], row["has_calendar_arbitrage"], row["is_accepted"]) == (
            True,
            False,
            False,
        )

    def test_whose_variance_falls_with_time_are_told(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        """The later expiry carries the flag; nothing can be said of the vol between."""
        [near, far] = slices(warehouse, "underlying = 'CROSSED'")

        assert (near["has_calendar_arbitrage"], near["is_accepted"]) == (False, True)
        assert (far["has_calendar_arbitrage"], far["is_accepted"]) == (True, False)
        assert far["least_calendar_gap_frac"] == pytest.approx(-0.01, abs=1e-9)
        assert far["forward_vol_ann"] is None

    def test_above_the_expiry_before_and_below_an_earlier_one_are_told_too(
        self, warehouse: duckdb.DuckDBPyConnection
    ) -> None:
        """Variance falls by 0.02, rises by half of that, and at last above all."""
        found = slices(warehouse, "underlying = 'DIPPED'")

        assert [row["has_calendar_arbitrage"] for row in found] == [False, True, True, False]
        assert [row["is_accepted"] for row in found] == [True, False, False, True]
        assert [row["least_calendar_gap_frac"] for row in found[1:]] == pytest.approx([-0.02, -0.01, 0.01], abs=1e-9)

    def test_of_four_strikes_are_not_fitted(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        [row] = slices(warehouse, "underlying = 'FEW'")

        assert (row["strikes_count"], row["fit_reason"], row["is_accepted"]) == (4, "too_few_strikes", False)
        assert {row[name] for name in ("svi_a", "atm_vol_ann", "rr_25d_ann", "has_butterfly_arbitrage")} == {None}


class TestGrid:
    def test_between_accepted_slices_total_variance_never_falls(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        found = rows(
            warehouse,
            "select tenor_days, implied_vol_ann from facts.fct_vol_surface_grid "
            "where underlying = 'DIPPED' and log_moneyness = 0 order by tenor_days",
        )
        total = {row["tenor_days"]: row["implied_vol_ann"] ** 2 * row["tenor_days"] / 365 for row in found}

        least = float(SMILE.total_variance(np.array(0.0)))
        expected = {60: least, 90: least + 0.01 * 30 / 140, 180: least + 0.01 * 120 / 140}
        assert total == pytest.approx(expected, abs=1e-9)

    def test_is_the_market_s_surface_where_it_is_quoted(
        self, warehouse: duckdb.DuckDBPyConnection, market: Market
    ) -> None:
        """Total variance linear in time, at fixed moneyness, between the expiries around; so too at the money."""
        worst = 0.0
        found = rows(warehouse, "select * from facts.fct_vol_surface_grid where venue in ('deribit', 'bybit')")
        for row in found:
            asset, at, tenor = row["underlying"], row["captured_ts"], row["tenor_days"] / 365
            if not row["is_quoted"]:
                continue
            terms = sorted(
                (told["years_to_expiry"], told["expiry_ts"])
                for told in slices(warehouse, f"venue = 'bybit' and underlying = '{asset}' and captured_ts = '{at}'")
            )
            (near, near_expiry), (far, far_expiry) = next(
                pair for pair in pairwise(terms) if pair[0][0] <= tenor < pair[1][0]
            )
            k = np.array(row["log_moneyness"])
            w1, w2 = (float(market.svi(asset, expiry, at).total_variance(k)) for expiry in (near_expiry, far_expiry))
            truth = math.sqrt((w1 + (w2 - w1) * (tenor - near) / (far - near)) / tenor)
            error = abs(row["implied_vol_ann"] - truth)
            if row["log_moneyness"] == 0:
                assert truth == pytest.approx(market.constant_maturity_vol(asset, row["tenor_days"], at), abs=1e-12)
                assert error < 3e-3
            assert error < 5e-3, row  # the wings of Deribit at seven days are few ticks of premium
            worst = max(worst, error)
        print(f"{len(found)} points, worst {worst:.1e}")  # noqa: T201

        assert {row["tenor_days"] for row in found} == {7, 30, 60, 90, 180}
        assert len(found) == 8 * 5 * 11


def variances(warehouse: duckdb.DuckDBPyConnection, where: str) -> list[Row]:
    return rows(warehouse, f"select * from facts.fct_model_free_variance where {where} order by all")


class TestModelFreeVariance:
    def test_of_cboes_example_is_the_printed_index(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        near, far, both = variances(warehouse, "venue = 'cboe'")

        assert [near["centre_strike_px"], far["centre_strike_px"]] == [920, 920]
        assert round(near["model_free_variance_ann"], 10) == 0.4727672252
        assert round(far["model_free_variance_ann"], 10) == 0.3668181547
        assert round(100 * both["model_free_vol_ann"], 9) == 61.217998579

    def test_agrees_with_a_sum_by_hand_at_every_expiry(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
        for quote in rows(warehouse, "select * from staging.stg_implied_vols where venue in ('deribit', 'bybit')"):
            groups[quote["venue"], quote["underlying"], quote["look_ts"], quote["expiry_ts"]].append(quote)
        found = variances(warehouse, "venue in ('deribit', 'bybit') and expiry_ts is not null")
        errors = []
        for row in found:
            quotes = groups[row["venue"], row["underlying"], row["captured_ts"], row["expiry_ts"]]
            own = strip_of(quotes, (row["expiry_ts"] - row["captured_ts"]).total_seconds() / (365 * 86_400))
            errors.append(abs(row["model_free_variance_ann"] / own - 1))
        print(f"{len(found)} expiries, worst {max(errors):.1e}")  # noqa: T201

        assert len(found) == len(groups) == 2 * 2 * 2 * 8
        assert max(errors) < 1e-12

    def test_of_a_flat_vol_is_its_square(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        """Strikes 1 % apart from a quarter to five times the forward: what is cut off and between is under 0.03 %."""
        [row, _] = variances(warehouse, "underlying = 'FLAT'")

        assert row["model_free_variance_ann"] == pytest.approx(0.36, rel=3e-4)

    def test_does_not_know_in_what_prices_are_counted(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        [one, _], [ten, _] = (variances(warehouse, f"underlying = '{name}'") for name in ("FLAT", "TENFOLD"))

        assert ten["model_free_variance_ann"] == pytest.approx(one["model_free_variance_ann"], rel=1e-12)

    def test_is_not_measured_at_thirty_days_by_one_expiry(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        [_, both] = variances(warehouse, "underlying = 'FLAT'")

        assert (both["expiry_ts"], both["model_free_variance_ann"]) == (None, None)

    def test_stands_over_the_money_where_wings_are_dear(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        """The market's smile is convex, so the mean over strikes is more than the vol at the forward."""
        at_the_money = {
            (row["venue"], row["underlying"], row["captured_ts"], row["expiry_ts"]): row["atm_vol_ann"]
            for row in slices(warehouse, "venue = 'bybit'")
        }
        for row in variances(warehouse, "venue = 'bybit' and expiry_ts is not null"):
            atm = at_the_money[row["venue"], row["underlying"], row["captured_ts"], row["expiry_ts"]]

            assert atm < row["model_free_vol_ann"] < 1.3 * atm
