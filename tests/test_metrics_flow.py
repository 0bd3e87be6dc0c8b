"""Flow and liquidity, checked against second opinions that share no code with the models.

The market (tests/flow_market.py) is made up, so its spread, its impact, who follows whom and by how much are known too.
"""

import math
import statistics
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import duckdb
import numpy as np
import pytest
from scipy import stats

from tests.built_models import build, stage_hours
from tests.flow_market import (
    AN_HOUR,
    BOUNCE,
    FOLLOWS_S,
    HALF_SPREAD,
    HOUR,
    LAMBDA_PX,
    USDT_USD,
    WEEK,
    Series,
    market,
    put,
)
from tests.flow_oracles import (
    costs,
    edge_bps,
    hayashi_yoshida,
    information_shares,
    kyle,
    minute_bars,
    vpins,
)
from tests.replayed import BOOKS, Replay, Row, assert_agreement, recorded_replies, replayed_books, worst_errors
from tests.test_recorded_books import USD_A_CONTRACT, asked

__all__ = ["replayed_books"]

FACTS = ("fct_trade_flow", "fct_liquidity", "fct_vpin", "fct_price_gaps", "fct_dispersion", "fct_lead_lag")
GRID_MS = (-10_000, -5_000, -2_000, -1_000, -500, 0, 500, 1_000, 2_000, 5_000, 10_000)
Published = dict[str, list[Row]]


def read(path: Path) -> Published:
    found: Published = {}
    with duckdb.connect(str(path), read_only=True) as warehouse:
        warehouse.execute("set TimeZone = 'UTC'")
        for fact in FACTS:
            cursor = warehouse.execute(f"select * from facts.{fact} where utc_hour = ? order by all", [HOUR])
            names = [column[0] for column in cursor.description or []]
            found[fact] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return found


@pytest.fixture(scope="module")
def series() -> dict[str, Series]:
    return market()


@pytest.fixture(scope="module")
def warehouse_path(series: dict[str, Series], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = stage_hours(tmp_path_factory.mktemp("flow"))
    put(path, series)
    return path


@pytest.fixture(scope="module")
def hour_alone(warehouse_path: Path) -> Published:
    """The hour built by a run of its own, after the hours that came before it."""
    build(warehouse_path, *FACTS, hours=(HOUR - 8 * WEEK, HOUR))
    build(warehouse_path, *FACTS, hours=(HOUR, HOUR + AN_HOUR))
    return read(warehouse_path)


@pytest.fixture(scope="module")
def facts(warehouse_path: Path, hour_alone: Published) -> Published:
    """All hours built by one run."""
    build(warehouse_path, *FACTS)
    return read(warehouse_path)


def row_of(facts: Published, fact: str, series: Series) -> Row:
    [row] = [row for row in facts[fact] if (row["venue"], row["kind"], row["symbol"]) == series.key]
    return row


def test_an_hour_is_the_same_however_the_runs_were_cut(facts: Published, hour_alone: Published) -> None:
    """To the bit: what an hour takes from earlier hours it takes from what the warehouse keeps."""
    assert {fact: len(rows) for fact, rows in facts.items()} == {fact: len(rows) for fact, rows in hour_alone.items()}
    assert all(facts.values())
    assert facts == hour_alone


class TestFlow:
    def test_running_sums_averages_and_shares(self, facts: Published, series: dict[str, Series]) -> None:
        volume = {name: math.fsum(each.usd) for name, each in series.items()}
        pairs = []
        for name, each in series.items():
            signed = [Fraction(usd if buy else -usd) for usd, buy in zip(each.usd, each.is_buy, strict=True)]
            running = np.cumsum(np.array(signed, dtype=object))
            weeks = [
                each.earlier_usd[HOUR - week * WEEK] for week in range(1, 9) if HOUR - week * WEEK in each.earlier_usd
            ]
            alike = [n for n, other in series.items() if (other.underlying, other.kind) == (each.underlying, each.kind)]
            kinds = {
                kind: math.fsum(
                    volume[n]
                    for n, other in series.items()
                    if (other.underlying, other.kind) == (each.underlying, kind)
                )
                for kind in ("perp", "spot")
            }
            expected = {
                "trades_count": len(each.px),
                "volume_usd": volume[name],
                "vwap_px": volume[name] / math.fsum(each.qty),
                "relative_volume_frac": volume[name] / statistics.median(weeks) if len(weeks) >= 6 else None,
                "venue_share_frac": volume[name] / math.fsum(volume[n] for n in alike),
                "perp_spot_volume_frac": kinds["perp"] / kinds["spot"] if all(kinds.values()) else None,
            }
            row = row_of(facts, "fct_trade_flow", each)
            pairs.append((row, expected))
            # Rounding to a millionth of a dollar, trade by trade.
            for column, value in {
                "cvd_usd": running[-1],
                "cvd_low_usd": min(running),
                "cvd_high_usd": max(running),
            }.items():
                assert row[column] == pytest.approx(float(value), abs=0.5e-6 * len(signed))

        assert_agreement("flow", worst_errors(pairs))

    def test_swapping_sides_turns_every_sign(self, facts: Published, series: dict[str, Series]) -> None:
        one, other = (row_of(facts, "fct_trade_flow", series[name]) for name in ("leader", "swapped"))

        assert one["trade_imbalance_frac"] == -other["trade_imbalance_frac"] != 0
        assert (one["cvd_usd"], one["cvd_low_usd"]) == (-other["cvd_usd"], -other["cvd_high_usd"])
        assert one["vwap_px"] == other["vwap_px"]


class TestLiquidity:
    def test_every_number_of_every_series(self, facts: Published, series: dict[str, Series]) -> None:
        pairs = []
        for each in series.values():
            bars = minute_bars(each)
            ratios = [
                abs(math.log(bar["c"] / bars[minute - 1]["c"])) / bar["usd"]
                for minute, bar in bars.items()
                if minute - 1 in bars
            ]
            slope, fit = kyle(each)
            mean_px = statistics.fmean(each.mid_px[60 * minute + 59] for minute in range(1, 60))
            expected = costs(each) | {
                "marked_trades_count": len(each.px),
                "kyle_stretches_count": 59,
                "kyle_lambda_px": slope,
                "kyle_lambda_1m_usd_bps": slope * 1e10 / mean_px**2,
                "kyle_fit_frac": fit,
                "amihud_minutes_count": len(ratios),
                "amihud_1m_usd_frac": statistics.fmean(ratios) * 1e6,
                "edge_minutes_count": len(ratios),
                "edge_spread_bps": edge_bps(each),
            }
            pairs.append((row_of(facts, "fct_liquidity", each), expected))

        # The slope of what hardly depends on flow is a difference of near numbers, and so is a mid from bid and ask.
        assert_agreement("liquidity", worst_errors(pairs), 1e-7)

    def test_what_the_market_was_made_of_is_found_again(self, facts: Published, series: dict[str, Series]) -> None:
        """A standard error of λ is 0.5 √60 / (coins a minute · √59); four of them bound it. EDGE errs by an eighth."""
        leader = row_of(facts, "fct_liquidity", series["leader"])
        bouncing = row_of(facts, "fct_liquidity", series["bouncing"])

        assert leader["effective_spread_bps"] == pytest.approx(2e4 * HALF_SPREAD, rel=1e-9)
        assert leader["kyle_lambda_px"] == pytest.approx(LAMBDA_PX, abs=4 * 0.5 * math.sqrt(60) / (4.0 * math.sqrt(59)))
        assert (
            leader["price_impact_5s_bps"] > 0 > row_of(facts, "fct_liquidity", series["swapped"])["price_impact_5s_bps"]
        )
        assert bouncing["effective_spread_bps"] == pytest.approx(2e4 * BOUNCE, rel=1e-9)
        assert bouncing["edge_spread_bps"] == pytest.approx(2e4 * BOUNCE, rel=0.125)

    def test_swapping_sides_turns_what_has_a_sign_and_nothing_else(
        self, facts: Published, series: dict[str, Series]
    ) -> None:
        one, other = (row_of(facts, "fct_liquidity", series[name]) for name in ("leader", "swapped"))
        signed = [
            column for column in one if column.startswith(("effective", "realized", "price_impact", "kyle_lambda"))
        ]

        assert len(signed) == 7
        assert [one[column] for column in signed] == [-other[column] for column in signed]
        kept = ["mid_age_ms", "kyle_fit_frac", "amihud_1m_usd_frac", "edge_spread_bps"]
        assert [one[column] for column in kept] == [other[column] for column in kept]

    def test_four_times_the_size_moves_the_price_a_quarter_as_far_a_coin(
        self, facts: Published, series: dict[str, Series]
    ) -> None:
        one, larger = (row_of(facts, "fct_liquidity", series[name]) for name in ("leader", "larger"))

        assert (larger["effective_spread_bps"], larger["edge_spread_bps"]) == (
            one["effective_spread_bps"],
            one["edge_spread_bps"],
        )
        assert larger["kyle_lambda_px"] == pytest.approx(one["kyle_lambda_px"] / 4, rel=1e-12)
        assert larger["amihud_1m_usd_frac"] == pytest.approx(one["amihud_1m_usd_frac"] / 4, rel=1e-12)


class TestVpin:
    def test_buckets_are_those_that_pouring_trade_by_trade_fills(
        self, facts: Published, series: dict[str, Series]
    ) -> None:
        pairs = []
        for name in ("leader", "swapped", "larger"):
            count, found = vpins(series[name])
            assert len(found) > 20
            expected: dict[str, float | None] = {
                "buckets_count": count,
                "vpin_last_frac": found[-1],
                "vpin_mean_frac": statistics.fmean(found),
                "vpin_max_frac": max(found),
            }
            pairs.append((row_of(facts, "fct_vpin", series[name]), expected))

        assert_agreement("vpin", worst_errors(pairs))

    def test_neither_side_nor_size_matters(self, facts: Published, series: dict[str, Series]) -> None:
        """Four times the dollars in four times the bucket: to a millionth of a dollar a trade."""
        one, swapped, larger = (row_of(facts, "fct_vpin", series[name]) for name in ("leader", "swapped", "larger"))

        for column in ("vpin_last_frac", "vpin_mean_frac", "vpin_max_frac"):
            assert one[column] == swapped[column]
            assert one[column] == pytest.approx(larger[column], rel=1e-6)

    def test_without_hours_before_there_is_no_bucket_to_fill(self, facts: Published, series: dict[str, Series]) -> None:
        row = row_of(facts, "fct_vpin", series["follower"])

        assert (row["bucket_usd"], row["buckets_count"], row["vpin_last_frac"]) == (None, 0, None)


class TestGaps:
    def test_gaps_and_waits_of_every_series(self, facts: Published, series: dict[str, Series]) -> None:
        pairs = []
        for each in series.values():
            bars = minute_bars(each)
            minutes = [minute for minute in bars if minute - 1 in bars]
            returns = {m: math.log(bars[m]["c"] / bars[m - 1]["c"]) for m in minutes}
            gaps = {m: math.log(bars[m]["o"] / bars[m - 1]["c"]) for m in minutes}
            scores = {}
            for minute in minutes:
                past = [returns[m] for m in minutes if m < minute]
                if len(past) >= 20:
                    scores[minute] = gaps[minute] / (1.4826 * stats.median_abs_deviation(past))
            largest = max(gaps.values(), key=abs)
            waits = np.diff(each.at_us) / 1e6
            expected: dict[str, float | None] = {
                "scored_minutes_count": len(scores),
                "price_gaps_count": sum(abs(score) > 4 for score in scores.values()),
                "largest_gap_bps": math.expm1(largest) * 1e4,
                "largest_gap_z": max(-8.0, min(8.0, max(scores.values(), key=abs))),
                "trade_wait_max_s": float(waits.max()),
                "trade_wait_p99_s": float(np.quantile(waits, 0.99)),
                "marks_count": 0,
                "mark_index_gap_bps": None,
            }
            pairs.append((row_of(facts, "fct_price_gaps", each), expected))

        # Instants are microseconds, and epoch seconds hold them to a quarter of one.
        assert_agreement("gaps", worst_errors(pairs), 1e-6)


class TestDispersion:
    def test_venues_stand_as_far_apart_as_they_were_put(self, facts: Published, series: dict[str, Series]) -> None:
        """Spot at 1.001 and 1.003 of one price; what trails by two seconds stands where the leader stood."""
        spot = [row for row in facts["fct_dispersion"] if (row["underlying"], row["kind"]) == ("BTC", "spot")]
        perps = [row for row in facts["fct_dispersion"] if (row["underlying"], row["kind"]) == ("BTC", "perp")]
        leader, dear = series["leader"].mid_px, series["dear"].mid_px

        assert len(spot) == len(perps) == 60
        for row in spot:
            second = int((row["captured_ts"] - HOUR).total_seconds())
            assert (row["quote_asset"], row["venues_count"], row["skew_ms"]) == ("USD", 2, 0)
            assert (row["lowest_venue"], row["highest_venue"]) == ("gamma", "delta")
            assert row["dispersion_bps"] == pytest.approx(1e4 * 0.002 / 1.002, rel=1e-9)
            assert row["highest_mid_px"] == pytest.approx(dear[second] * USDT_USD, rel=1e-12)
        for row in perps:
            second = int((row["captured_ts"] - HOUR).total_seconds())
            now, late = leader[second], leader[second - FOLLOWS_S]
            assert row["quote_asset"] == "USD"  # all can be told in either, and dollars come first
            assert row["dispersion_bps"] == pytest.approx(2e4 * abs(now - late) / (now + late), abs=1e-6)


class TestLeadLag:
    def test_every_pair_agrees_with_the_definition(self, facts: Published, series: dict[str, Series]) -> None:
        by_key = {each.key: each for each in series.values()}
        pairs = []
        for row in facts["fct_lead_lag"]:
            one = by_key[row["venue"], row["kind"], row["symbol"]]
            other = by_key[row["reference_venue"], row["reference_kind"], row["reference_symbol"]]
            assert math.fsum(one.usd) < math.fsum(other.usd)
            found = {lag: hayashi_yoshida(one, other, lag) for lag in GRID_MS}
            best = max(found, key=lambda lag: abs(found[lag][1]))
            expected: dict[str, float | None] = {
                "hy_covariance_frac": found[0][0],
                "hy_correlation_frac": found[0][1],
                "best_correlation_frac": found[best][1],
                "lead_s": best / 1000,
                "lead_lag_ratio_frac": sum(found[lag][1] ** 2 for lag in GRID_MS if lag > 0)
                / sum(found[lag][1] ** 2 for lag in GRID_MS if lag < 0),
            }
            pairs.append((row, expected))

        assert len(pairs) == 7
        assert_agreement("lead and lag", worst_errors(pairs))

    def test_what_trails_by_two_seconds_is_found_to(self, facts: Published, series: dict[str, Series]) -> None:
        [row] = [
            row
            for row in facts["fct_lead_lag"]
            if {row["venue"], row["reference_venue"]} == {"alpha", "beta"} and row["underlying"] == "BTC"
        ]

        assert row["reference_venue"] == "alpha"
        assert row["lead_s"] == -FOLLOWS_S
        assert row["lead_lag_ratio_frac"] < 1

    def test_information_shares_are_those_of_a_regression_and_find_who_makes_the_price(
        self, facts: Published, series: dict[str, Series]
    ) -> None:
        """The walk that nothing corrects makes nearly all of it. Levels are whole billionths: four digits agree."""
        [row] = [row for row in facts["fct_lead_lag"] if row["underlying"] == "XRP"]
        lower, upper = information_shares(series["patient"], series["prompt"])
        expected = {"information_share_lower_frac": lower, "information_share_upper_frac": upper}

        assert (row["venue"], row["reference_venue"], row["mids_count"]) == ("beta", "alpha", 3600 - 6)
        assert_agreement("information shares", worst_errors([(row, expected)]), 1e-4)
        assert row["information_share_upper_frac"] < 0.02

    def test_a_price_that_is_another_some_seconds_late_has_no_information_share(self, facts: Published) -> None:
        """Nothing is left unexplained, and nothing that could be shared out."""
        rows = [row for row in facts["fct_lead_lag"] if row["underlying"] == "BTC"]

        assert {row["information_share_lower_frac"] for row in rows} == {None}


def test_recorded_trades_cost_what_the_recorded_books_say(replayed_books: Replay) -> None:
    """Books of Binance every five seconds and the trades between them; a mid of over five seconds before is none."""
    mids: dict[tuple[str, str], list[tuple[datetime, float]]] = {}
    trades: dict[tuple[str, str], dict[int, Row]] = {}
    for reply in recorded_replies(BOOKS):
        venue, symbol, at = asked(reply)
        if reply["path"].endswith("/depth"):
            bid, ask = float(reply["body"]["bids"][0][0]), float(reply["body"]["asks"][0][0])
            mids.setdefault((venue, symbol), []).append((at, (bid + ask) / 2))
        elif reply["path"].endswith("/trades"):
            trades.setdefault((venue, symbol), {}).update({trade["id"]: trade for trade in reply["body"]})
    pairs = []
    for row in replayed_books.rows("select * from fct_liquidity"):
        own = mids[row["venue"], row["symbol"]]
        instants = [at for at, _ in own]
        costs_usd = []
        for trade in trades[row["venue"], row["symbol"]].values():
            at = datetime.fromtimestamp(trade["time"] / 1000, UTC)
            found = bisect_right(instants, at) - 1
            if found < 0 or at - instants[found] > timedelta(seconds=5):
                continue
            px, mid, sign = float(trade["price"]), own[found][1], -1 if trade["isBuyerMaker"] else 1
            face = USD_A_CONTRACT.get(row["symbol"])
            usd = float(trade["qty"]) * (float(face) if face else px)
            costs_usd.append((2e4 * sign * (px - mid) / mid, usd))
        total = math.fsum(usd for _, usd in costs_usd)
        expected = {
            "marked_trades_count": len(costs_usd),
            "effective_spread_bps": math.fsum(cost * usd for cost, usd in costs_usd) / total,
        }
        pairs.append((row, expected))

    assert len(pairs) == 6
    assert_agreement("recorded costs", worst_errors(pairs), 1e-7)
