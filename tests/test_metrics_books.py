"""What the facts on books say of a made-up market is what plain loops say of it, and what symmetry demands."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.compute as pc
import pytest

from ingestion.estimators import ESTIMATORS, Estimator
from tests import book_oracles as by_hand
from tests.book_market import AROUND, HOUR, LISTED, NEXT, TICK, Listed, lake_of, shots, tables_of
from tests.book_oracles import Seen
from tests.built_models import build, stage_hours
from tests.replayed import Row, assert_agreement, worst_errors

FACTS = (
    "fct_order_flow_imbalance",
    "fct_market_impact",
    "fct_order_book_imbalance",
    "fct_book_profile",
    "fct_book_resilience",
)
RESTING_ON_BOOKS = [estimator for estimator in ESTIMATORS if "order_books" in estimator.rests_on]
BY_SYMBOL = {listed.symbol: listed for listed in LISTED}
SIZES_USD = (10_000, 100_000, 1_000_000)
ROUNDING = 1e-9


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hours of the market, built in one run."""
    folder = tmp_path_factory.mktemp("books")
    path = stage_hours(folder, lake_of(folder), [HOUR, NEXT])
    build(path, *FACTS)
    return path


@pytest.fixture(scope="module")
def warehouse(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def rows(warehouse: duckdb.DuckDBPyConnection, sql: str, *bound: Any) -> list[Row]:
    cursor = warehouse.execute(sql, list(bound))
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def of(warehouse: duckdb.DuckDBPyConnection, fact: str, symbol: str, order_by: str = "captured_ts") -> list[Row]:
    return rows(warehouse, f"select * from facts.{fact} where symbol = ? order by {order_by}", symbol)


def hours(listed: Listed) -> Iterator[list[Seen]]:
    for hour in (HOUR, NEXT):
        yield [listed.seen(shot) for shot in shots(listed, hour)]


def every(listed: Listed) -> list[Seen]:
    return [seen for hour in hours(listed) for seen in hour]


class TestOrderFlow:
    @pytest.mark.parametrize("symbol", BY_SYMBOL)
    def test_every_bar_is_that_of_plain_loops(self, warehouse: duckdb.DuckDBPyConnection, symbol: str) -> None:
        """Sums cancel, so that what remains of them is compared against the depth, not against itself."""
        expected = {
            minute: numbers
            for hour in hours(BY_SYMBOL[symbol])
            for minute, numbers in by_hand.order_flows(hour).items()
        }
        worst: dict[str, float] = defaultdict(float)
        found = of(warehouse, "fct_order_flow_imbalance", symbol, "bar_start_ts")

        assert [row["bar_start_ts"] for row in found] == list(expected)
        for row in found:
            for column, value in expected[row["bar_start_ts"]].items():
                assert (row[column] is None) == (value is None), (row["bar_start_ts"], column)
                if value is not None:
                    worst[column[:3]] = max(worst[column[:3]], abs(row[column] - value) / (abs(value) + 100.0))
        assert_agreement(f"order flow {symbol}", {column: error * 100 for column, error in worst.items()})

    @pytest.mark.parametrize("symbol", ["DEEP", "MIRROR", "TWICE", "INVERSE"])
    def test_levels_weigh_as_power_iteration_finds(self, warehouse: duckdb.DuckDBPyConnection, symbol: str) -> None:
        for hour in (HOUR, NEXT):
            bars = rows(
                warehouse,
                "select * from facts.fct_order_flow_imbalance "
                "where symbol = ? and utc_hour = ? and comparisons_count > 0",
                symbol,
                hour,
            )
            levels = [[bar[f"ofi_l{level}_frac"] for level in range(1, 11)] for bar in bars]
            weights = by_hand.principal_weights(levels)
            pairs = [
                (bar, {"ofi_integrated_frac": sum(w * x for w, x in zip(weights, own, strict=True))})
                for bar, own in zip(bars, levels, strict=True)
            ]

            assert sum(map(abs, weights)) == pytest.approx(1.0)
            assert_agreement(f"integrated {symbol}", worst_errors(pairs), tolerance=1e-6)

    def test_ten_levels_are_needed_for_depth_and_integration(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        found = of(warehouse, "fct_order_flow_imbalance", "SHALLOW", "bar_start_ts")

        assert any(row["ofi_l8_base"] is not None for row in found)
        for column in ("ofi_l9_base", "ofi_l1_frac", "ofi_integrated_frac", "mean_level_depth_base"):
            assert {row[column] for row in found} == {None}, column

    def test_mirrored_books_press_the_other_way_and_equally(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        pairs = zip(
            *(of(warehouse, "fct_order_flow_imbalance", symbol, "bar_start_ts") for symbol in ("DEEP", "MIRROR")),
            strict=True,
        )
        for row, mirrored in pairs:
            for column in (*(f"ofi_l{level}_base" for level in range(1, 11)), "ofi_integrated_frac"):
                if row[column] is not None:
                    assert mirrored[column] == pytest.approx(-row[column], abs=1e-8)

    def test_twice_the_size_is_twice_the_flow_and_no_other_share(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        pairs = zip(
            *(of(warehouse, "fct_order_flow_imbalance", symbol, "bar_start_ts") for symbol in ("DEEP", "TWICE")),
            strict=True,
        )
        for row, doubled in pairs:
            if row["comparisons_count"]:
                assert doubled["ofi_l1_base"] == pytest.approx(2 * row["ofi_l1_base"], abs=1e-8)
                assert doubled["ofi_integrated_frac"] == pytest.approx(row["ofi_integrated_frac"], abs=1e-8)


class TestImpact:
    @pytest.mark.parametrize("symbol", BY_SYMBOL)
    def test_every_fill_is_that_of_exact_arithmetic(self, warehouse: duckdb.DuckDBPyConnection, symbol: str) -> None:
        found = of(warehouse, "fct_market_impact", symbol, "captured_ts, order_usd")
        asked = [(seen, size) for seen in every(BY_SYMBOL[symbol]) for size in SIZES_USD]

        assert [(row["captured_ts"], row["order_usd"]) for row in found] == [(seen.at, size) for seen, size in asked]
        pairs = [(row, by_hand.impact(seen, size)) for row, (seen, size) in zip(found, asked, strict=True)]
        assert_agreement(f"impact {symbol}", worst_errors(pairs))

    def test_the_market_has_books_that_hold_a_size_and_books_that_do_not(
        self, warehouse: duckdb.DuckDBPyConnection
    ) -> None:
        found = rows(warehouse, "select distinct order_usd, is_depth_sufficient from facts.fct_market_impact")

        assert {(row["order_usd"], row["is_depth_sufficient"]) for row in found} >= {
            (size, is_held) for size in SIZES_USD for is_held in (True, False, None)
        }

    def test_a_larger_order_never_pays_less(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        for side in ("buy", "sell"):
            cheaper = rows(
                warehouse,
                f"""
                select * from facts.fct_market_impact as small
                inner join facts.fct_market_impact as large using (venue, kind, symbol, captured_ts)
                where small.order_usd < large.order_usd and small.{side}_slippage_bps > large.{side}_slippage_bps + 1e-9
                """,
            )
            assert cheaper == []

    def test_crossing_the_spread_costs_at_least_half_of_it(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        [least] = rows(
            warehouse,
            "select min(buy_slippage_bps) as buy, min(sell_slippage_bps) as sell from facts.fct_market_impact",
        )

        assert min(least["buy"], least["sell"]) > 1e4 * 0.9 * TICK / 2 / 2_000


class TestImbalance:
    @pytest.mark.parametrize("symbol", BY_SYMBOL)
    def test_decayed_imbalance_is_that_of_plain_loops(self, warehouse: duckdb.DuckDBPyConnection, symbol: str) -> None:
        found = of(warehouse, "fct_order_book_imbalance", symbol)
        pairs = [
            (row, {"decayed_imbalance_frac": by_hand.decayed_imbalance(seen)})
            for row, seen in zip(found, every(BY_SYMBOL[symbol]), strict=True)
        ]

        assert any(row["decayed_imbalance_frac"] is not None for row in found)
        assert_agreement(f"decayed {symbol}", worst_errors(pairs), tolerance=1e-11)

    @pytest.mark.parametrize("symbol", ["DEEP", "INVERSE"])
    def test_micro_prices_are_those_of_stoikovs_recursion(
        self, warehouse: duckdb.DuckDBPyConnection, symbol: str
    ) -> None:
        listed = BY_SYMBOL[symbol]
        for hour in (HOUR, NEXT):
            sound = [
                (bids[0][0], bids[0][1], asks[0][0], asks[0][1])
                for _, bids, asks in shots(listed, hour)
                if asks and bids[0][0] < asks[0][0]
            ]
            adjustments = by_hand.micro_adjustments(sound, TICK)
            told = rows(
                warehouse,
                "select * from lake.micro_prices where symbol = ? and utc_hour = ?",
                symbol,
                hour,
            )
            states = {(row["imbalance_bucket"], row["spread_ticks"]): row["adjustment_px"] for row in told}

            assert states.keys() == adjustments.keys()
            assert {row["steps_count"] for row in told} == {len(sound) - 1}
            worst = max(abs(states[state] - value) for state, value in adjustments.items())
            assert_agreement(f"micro {symbol}", {"adjustment_px": worst}, tolerance=1e-7)

    def test_each_touch_takes_the_adjustment_of_its_state(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        """Found without the model's join: the bucket is counted over edges, the spread in whole ticks."""
        states = {
            (row["symbol"], row["utc_hour"], row["imbalance_bucket"], row["spread_ticks"]): row["adjustment_px"]
            for row in rows(warehouse, "select * from lake.micro_prices")
        }
        edges = [(2 * k + 1) / 9 for k in range(4)]
        measured = 0
        for row in rows(warehouse, "select * from facts.fct_order_book_imbalance"):
            lean = row["queue_imbalance_frac"]
            expected = None
            if lean is not None:
                far = sum(abs(lean) >= edge for edge in edges)
                spread = min(3, round((row["best_ask_px"] - row["best_bid_px"]) / TICK))
                expected = states.get((row["symbol"], row["utc_hour"], far if lean > 0 else -far, spread))
            if expected is None:
                assert row["micro_price_px"] is None
            else:
                measured += 1
                assert row["micro_price_px"] == row["mid_px"] + expected
        assert measured > 5_000

    def test_adjustments_are_antisymmetric_and_zero_in_balance(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        told = rows(warehouse, "select * from lake.micro_prices")
        states = {
            (r["symbol"], r["utc_hour"], r["imbalance_bucket"], r["spread_ticks"]): r["adjustment_px"] for r in told
        }

        assert {symbol for symbol, *_ in states} == {"DEEP", "MIRROR", "TWICE", "INVERSE"}
        for (symbol, hour, bucket, spread), value in states.items():
            assert value == -states[symbol, hour, -bucket, spread]
            assert bucket or value == 0.0

    def test_the_price_is_drawn_to_the_side_that_the_market_leans_to(
        self, warehouse: duckdb.DuckDBPyConnection
    ) -> None:
        """In this market bids that outweigh asks do lift the price."""
        told = rows(warehouse, "select * from lake.micro_prices where spread_ticks = 1 and abs(imbalance_bucket) >= 2")

        assert told
        assert all(row["adjustment_px"] * row["imbalance_bucket"] > 0 for row in told)

    def test_a_mirrored_book_leans_the_other_way(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        """Exactly at the touch, which counts coins; a coin of 25 levels is worth up to 1.25 % more in a mirror."""
        pairs = zip(*(of(warehouse, "fct_order_book_imbalance", name) for name in ("DEEP", "MIRROR")), strict=True)
        for row, mirrored in pairs:
            if row["queue_imbalance_frac"] is None:
                continue
            assert mirrored["queue_imbalance_frac"] == -row["queue_imbalance_frac"]
            assert mirrored["weighted_mid_px"] - AROUND == pytest.approx(AROUND - row["weighted_mid_px"], abs=1e-9)
            for column in ("depth_imbalance_10_frac", "depth_imbalance_20_frac", "decayed_imbalance_frac"):
                if row[column] is not None:
                    assert mirrored[column] == pytest.approx(-row[column], abs=1.25e-2)

    def test_twice_the_size_leans_alike_and_rests_twice(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        pairs = zip(*(of(warehouse, "fct_order_book_imbalance", name) for name in ("DEEP", "TWICE")), strict=True)
        for row, doubled in pairs:
            for column in (
                name for name in row if "imbalance" in name or name.endswith(("mid_px", "spread_bps", "usd"))
            ):
                if row[column] is None:
                    assert doubled[column] is None
                else:
                    times = 2 if column.endswith("usd") else 1
                    assert doubled[column] == pytest.approx(times * row[column], rel=1e-12, abs=1e-12), column

    def test_the_more_rests_on_the_bid_the_higher_is_every_imbalance(
        self, warehouse: duckdb.DuckDBPyConnection
    ) -> None:
        told = {row["captured_ts"]: row for row in of(warehouse, "fct_order_book_imbalance", "DEEP")}
        for levels in (1, 5, 20):
            column = f"depth_imbalance_{levels}_frac"
            by_ratio = sorted(
                (sum(usd for *_, usd in seen.bids[:levels]) / sum(usd for *_, usd in seen.asks[:levels]), seen.at)
                for seen in every(BY_SYMBOL["DEEP"])
                if told[seen.at][column] is not None
            )
            found = [told[at][column] for _, at in by_ratio]

            assert len(found) > 1_000
            assert found == sorted(found)

    def test_too_few_steps_give_no_micro_price(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        assert {row["micro_price_px"] for row in of(warehouse, "fct_order_book_imbalance", "SHALLOW")} == {None}


class TestProfile:
    @pytest.mark.parametrize("symbol", BY_SYMBOL)
    def test_every_minute_is_that_of_exact_arithmetic(self, warehouse: duckdb.DuckDBPyConnection, symbol: str) -> None:
        minutes: dict[datetime, list[Seen]] = defaultdict(list)
        for seen in every(BY_SYMBOL[symbol]):
            minutes[by_hand.minute_of(seen.at)].append(seen)
        expected = {
            (minute, lower): usd for minute, own in minutes.items() for lower, usd in by_hand.profile(own).items()
        }
        found = {
            (row["bar_start_ts"], row["lower_bps"]): row
            for row in of(warehouse, "fct_book_profile", symbol, "captured_ts")
        }

        assert found.keys() == expected.keys()
        pairs = [(found[key], {"resting_usd": usd}) for key, usd in expected.items()]
        assert_agreement(f"profile {symbol}", worst_errors(pairs))

    def test_the_ten_buckets_next_to_mid_hold_the_depth_within_10_bps(
        self, warehouse: duckdb.DuckDBPyConnection
    ) -> None:
        sums = rows(
            warehouse,
            """
            select sum(resting_usd) as summed, any_value(bid_depth_10bps_usd) as depth
            from facts.fct_book_profile
            inner join facts.fct_order_book_imbalance using (venue, kind, symbol, captured_ts)
            where lower_bps between -10 and -1
            group by venue, kind, symbol, captured_ts
            """,
        )

        assert sums
        for row in sums:
            assert row["summed"] == pytest.approx(row["depth"], rel=ROUNDING)


class TestResilience:
    @pytest.mark.parametrize("symbol", ["DEEP", "INVERSE", "SHALLOW"])
    def test_every_sweep_is_that_of_plain_loops(self, warehouse: duckdb.DuckDBPyConnection, symbol: str) -> None:
        expected = {
            (side, at): sweep
            for hour in hours(BY_SYMBOL[symbol])
            for side in ("bid", "ask")
            for at, sweep in by_hand.sweeps(hour, side).items()
        }
        found = of(warehouse, "fct_book_resilience", symbol, "swept_ts")

        assert {(row["book_side"], row["swept_ts"]) for row in found} == expected.keys()
        assert bool(found) == (symbol != "SHALLOW")  # looked at every 20 s, it shows no sweep
        for row in found:
            taken_frac, half_recovery_s = expected[row["book_side"], row["swept_ts"]]
            assert row["taken_frac"] == pytest.approx(taken_frac, rel=ROUNDING)
            assert row["half_recovery_s"] == half_recovery_s
            assert row["is_complete"] == (half_recovery_s is not None)

    def test_twice_the_size_is_swept_at_the_same_instants(self, warehouse: duckdb.DuckDBPyConnection) -> None:
        single, double = (
            [
                (row["book_side"], row["swept_ts"], row["taken_frac"], row["half_recovery_s"])
                for row in of(warehouse, "fct_book_resilience", symbol, "swept_ts, book_side")
            ]
            for symbol in ("DEEP", "TWICE")
        )

        assert single == double


@pytest.mark.parametrize("estimator", RESTING_ON_BOOKS, ids=lambda estimator: estimator.name)
def test_an_hour_of_little_or_nothing_gives_no_estimate(estimator: Estimator) -> None:
    """No books, no terms, one book, one without asks: an empty table each, and no error."""
    books, terms = tables_of(HOUR)
    one_sided = books.filter(pc.equal(pc.list_value_length(books["ask_px"]), 0))

    assert one_sided.num_rows
    for own, listed in (
        (books[:0], terms),
        (books, terms[:0]),
        (books[:0], terms[:0]),
        (books[:1], terms),
        (one_sided, terms),
    ):
        assert estimator.estimate(own, listed).equals(estimator.schema.empty_table())


def test_an_hour_built_alone_is_that_built_after_another(path: Path, tmp_path: Path) -> None:
    """Nothing is carried over an hour's start, so it does not matter how runs are cut."""
    alone = stage_hours(tmp_path, lake_of(tmp_path, (NEXT,)), [NEXT])
    build(alone, *FACTS)

    with duckdb.connect(str(alone), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach '{path}' as together (read_only)")
        for fact in FACTS:
            own, other = (
                connection.execute(
                    f"select * from {place}facts.{fact} where utc_hour = ? order by all", [NEXT]
                ).fetchall()
                for place in ("", "together.")
            )
            assert own, fact
            assert own == other, fact
