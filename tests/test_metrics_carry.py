"""Carry against a second opinion in plain Python and numpy: funding, term structure, net carry, venues' formulas.

Eight hours of two venues are made up (tests/carried.py) and built once by dbt; the oracles read the same numbers and
share no code with the models. `-s` prints the worst errors.
"""

import csv
import math
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestration.resources import DBT_PROJECT
from tests.built_models import stage_hours
from tests.carried import DAYS, END, START, STEPS, Made, Side, built, fill, made_up
from tests.replayed import Replay, Row, assert_agreement, replayed_hour, worst_errors

__all__ = ["replayed_hour"]

SIZES_USD = (1e4, 1e5, 1e6)
SEEDS = Path(DBT_PROJECT.project_dir) / "seeds"


@pytest.fixture(scope="module")
def made() -> Made:
    return made_up()


@pytest.fixture(scope="module")
def tables(made: Made, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Row]]:
    path = stage_hours(tmp_path_factory.mktemp("carry"))
    fill(path, made)
    return built(path, (START, END))


def hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0)


def newest(hour: datetime) -> datetime:
    return hour + timedelta(minutes=55)


def test_funding_is_that_of_each_payment_and_of_each_hours_newest_rate(
    tables: dict[str, list[Row]], made: Made
) -> None:
    pairs = []
    for told in tables["fct_funding"]:
        key = (told["venue"], told["rate_ts"])
        raw = made.funding[key] if told["is_predicted"] else made.paid[key]
        hours = 8 if told["is_predicted"] else 1
        pairs.append((told, {"rate_raw_frac": raw, "rate_per_hour": raw / hours, "apr_ann": raw / hours * 24 * 365}))

    assert sum(told["is_predicted"] for told in tables["fct_funding"]) == 16
    assert {told["rate_ts"] for told in tables["fct_funding"] if told["is_predicted"]} == {
        newest(START + timedelta(hours=hour)) for hour in range(8)
    }
    # Bybit's payments are of earlier days, though this hour's replies tell them again.
    assert [told["venue"] for told in tables["fct_funding"] if not told["is_predicted"]] == ["deribit"] * 8
    assert_agreement("funding", worst_errors(pairs), 1e-12)


def test_an_underlyings_funding_is_weighted_by_the_dollars_that_pay_it(
    tables: dict[str, list[Row]], made: Made
) -> None:
    pairs = []
    for told in tables["fct_funding_by_underlying"]:
        at = newest(told["utc_hour"])
        rates = np.array([made.funding[venue, at] / 8 for venue in ("bybit", "deribit")])
        bybit_mark = made.index[at] / made.rate[at] * (1 + made.premium["bybit", at])
        weights = np.array([made.interest["bybit", at] / made.index[at] * bybit_mark, made.interest["deribit", at]])
        pairs.append((told, {"rate_per_hour": float(np.average(rates, weights=weights))}))

        assert told["lowest_rate_per_hour"] <= told["rate_per_hour"] <= told["highest_rate_per_hour"]

    assert len(pairs) == 8
    assert_agreement("funding by underlying", worst_errors(pairs), 1e-11)


def test_carry_at_fixed_maturities_is_that_of_a_straight_line_through_total_carries(
    tables: dict[str, list[Row]], made: Made
) -> None:
    """Of each minute the tickers of second 7 stand, not the book of second 2."""
    pairs = []
    for told in tables["fct_basis_term_structure"]:
        if told["reference_kind"] != "index":
            continue
        at = told["minute_ts"]
        seconds = 86_400 * np.array(DAYS) - (at - START).total_seconds() - 7
        days = seconds / 86_400
        total = np.array([math.log(made.futures[each, at] / made.index[at]) for each in DAYS])
        expected: dict[str, float | None] = {}
        for tenor in (7, 30, 60, 90, 180):
            bracketed = days.min() <= tenor <= days.max()
            expected[f"carry_{tenor}d_ann"] = float(np.interp(tenor, days, total)) * 365 / tenor if bracketed else None
        pairs.append((told, expected))

        assert told["carry_7d_ann"] is None
        assert told["is_contango"] == (made.futures[DAYS[-1], at] > made.futures[DAYS[0], at])

    assert len(pairs) == len(STEPS)
    assert_agreement("term structure", worst_errors(pairs), 1e-9)


def test_forward_carries_add_up_to_the_curve(tables: dict[str, list[Row]], made: Made) -> None:
    pairs = []
    for told in tables["fct_calendar_spreads"]:
        if told["reference_kind"] != "index":
            continue
        near, far = (made.futures[int(told[f"{end}_symbol"][4:-1]), told["minute_ts"]] for end in ("near", "far"))
        days = (told["far_expiry_ts"] - told["near_expiry_ts"]).days
        expected = {
            "calendar_spread_bps": (far / near - 1) * 1e4,
            "forward_carry_ann": math.log(far / near) * 365 / days,
        }
        pairs.append((told, expected))

    assert len(pairs) == len(STEPS) * (len(DAYS) - 1)
    assert_agreement("calendar spreads", worst_errors(pairs), 1e-7)


def walked(side: Side, dollars: float) -> float | None:
    """What a marketable order of so many of the quote currency pays on average, level by level."""
    coins, left = 0.0, dollars
    for px, qty in side:
        taken = min(left, px * qty)
        coins, left = coins + taken / px, left - taken
        if left <= 0:
            return dollars / coins
    return None


def fees(venue: str, kind: str) -> dict[str, float | None]:
    with (SEEDS / "fees.csv").open() as lines:
        [found] = [
            each
            for each in csv.DictReader(lines)
            if (each["venue"], each["kind"]) == (venue, kind)
            and date.fromisoformat(each["valid_from"]) <= START.date()
            and not each["valid_to"]
        ]
    return {
        name: float(found[f"{name}_fee_frac"]) if found[f"{name}_fee_frac"] else None for name in ("taker", "delivery")
    }


def test_a_cash_and_carry_keeps_what_the_walked_books_and_the_fees_leave(
    tables: dict[str, list[Row]], made: Made
) -> None:
    spot_fee, own = fees("binance_spot", "spot")["taker"], fees("deribit", "future")
    assert spot_fee is not None
    assert own["taker"] is not None
    assert own["delivery"] is not None
    pairs = []
    for told in tables["fct_carry_net"]:
        if told["kind"] != "future":
            continue
        at = newest(told["utc_hour"])
        spot = walked(made.books["spot", at][1], told["size_usd"])
        sold = walked(made.books["future", at][0], told["size_usd"])
        expected: dict[str, float | None] = {"spot_ask_px": spot, "derivative_bid_px": sold}
        if spot is None or sold is None:
            assert not told["is_depth_sufficient"]
            expected |= {"net_ann": None}
        else:
            paid = spot * made.rate[at]
            days = (START + timedelta(days=81) - at - timedelta(seconds=2)) / timedelta(days=1)
            net = sold - paid - spot_fee * paid - (own["taker"] + own["delivery"]) * sold
            expected |= {
                "gross_ann": (sold - paid) / paid * 365 / days,
                "net_ann": net / paid * 365 / days,
                "net_on_capital_ann": net / (paid + 0.2 * sold) * 365 / days,
            }
        pairs.append((told, expected))

    assert len(pairs) == 8 * len(SIZES_USD)
    assert_agreement("cash and carry", worst_errors(pairs), 1e-9)


def test_a_perpetuals_carry_is_its_funding_less_the_round_trip(tables: dict[str, list[Row]], made: Made) -> None:
    spot_fee, own_fee = fees("binance_spot", "spot")["taker"], fees("deribit", "perp")["taker"]
    assert spot_fee is not None
    assert own_fee is not None
    pairs = []
    for told in tables["fct_carry_net"]:
        if told["kind"] != "perp":
            continue
        at, size = newest(told["utc_hour"]), told["size_usd"]
        (spot_bids, spot_asks), (bids, asks) = made.books["spot", at], made.books["perp", at]
        prices = [walked(side, size) for side in (spot_asks, spot_bids, bids, asks)]
        if None in prices:
            assert not told["is_depth_sufficient"]
            pairs.append((told, {"round_trip_cost_bps": None}))
            continue
        buy, back, sell, cover = (px for px in prices if px is not None)
        paid, got_back = buy * made.rate[at], back * made.rate[at]
        cost = 2 * (spot_fee * paid + own_fee * sell) + paid - got_back + cover - sell
        hourly = made.funding["deribit", at] / 8 * sell
        pairs.append(
            (
                told,
                {
                    "round_trip_cost_bps": cost / paid * 1e4,
                    "net_running_on_capital_ann": (hourly * 720 - cost) / (paid + 0.2 * sell) * 365 / 30,
                    "breakeven_days": cost / hourly / 24 if hourly > 0 else None,
                },
            )
        )

    assert len(pairs) == 8 * len(SIZES_USD)
    assert_agreement("perp carry", worst_errors(pairs), 1e-9)


def test_a_larger_size_never_gets_a_better_price(tables: dict[str, list[Row]]) -> None:
    by_pair: dict[tuple[Any, ...], list[Row]] = {}
    for told in tables["fct_carry_net"]:
        by_pair.setdefault((told["venue"], told["symbol"], told["utc_hour"]), []).append(told)
    for sizes in by_pair.values():
        deep = sorted((each for each in sizes if each["is_depth_sufficient"]), key=lambda each: each["size_usd"])
        for smaller, larger in pairwise(deep):
            assert larger["spot_ask_px"] >= smaller["spot_ask_px"]
            assert larger["derivative_bid_px"] <= smaller["derivative_bid_px"]
            assert larger["gross_bps"] <= smaller["gross_bps"]


def test_scenarios_are_the_quantiles_of_what_was_paid(tables: dict[str, list[Row]], made: Made) -> None:
    """Forty payments of Bybit, each of 8 hours; Deribit's of each hour so far are too few: the ninth never comes."""
    paid = np.array([rate for (venue, _), rate in sorted(made.paid.items()) if venue == "bybit"])
    pairs = []
    for told in tables["int_funding_scenarios_measured"]:
        if told["venue"] == "deribit":
            assert told["payments_count"] == told["utc_hour"].hour + 1
            assert told["middle_rate_per_hour"] is None
            continue
        low, middle, high = np.quantile(paid / 8, [0.1, 0.5, 0.9])
        expected = {"settled_frac": paid.sum(), "low_rate_per_hour": low, "middle_rate_per_hour": middle}
        pairs.append((told, expected | {"high_rate_per_hour": high}))

        assert told["payments_count"] == 40

    assert len(pairs) == 8
    assert_agreement("scenarios", worst_errors(pairs), 1e-12)


def recomputed(made: Made) -> Iterator[tuple[tuple[str, datetime], float]]:
    """Deribit: what of the newest premium exceeds 2.5 bps. Bybit: linearly weighted by the minute, drawn to 1 bp."""
    for hour in range(8):
        at = newest(START + timedelta(hours=hour))
        premium = made.premium["deribit", at]
        yield ("deribit", at), math.copysign(max(abs(premium) - 2.5e-4, 0.0), premium)
        seen = [step for step in STEPS if step <= at]
        weights = [(step - START).total_seconds() // 60 + 1 for step in seen]
        mean = float(np.average([made.premium["bybit", step] for step in seen], weights=weights))
        yield ("bybit", at), mean + float(np.clip(1e-4 - mean, -5e-4, 5e-4))


def test_funding_is_recomputed_by_each_venues_own_formula(tables: dict[str, list[Row]], made: Made) -> None:
    """Nothing is zero at one and not at the other, though Deribit's damper leaves many zeros."""
    expected = dict(recomputed(made))
    told = {(each["venue"], each["captured_ts"]): each["recomputed_rate"] for each in tables["int_funding_recomputed"]}
    worst = max(abs(told[key] - value) for key, value in expected.items())

    print(f"recomputed funding: worst difference {worst:.1e}")  # noqa: T201
    assert told.keys() == expected.keys()
    assert worst < 1e-15


def test_errors_of_the_day_are_ours_less_the_venues(tables: dict[str, list[Row]], made: Made) -> None:
    ours = dict(recomputed(made))
    pairs = []
    for told in tables["mart_reconciliation_daily"]:
        if told["metric"] != "funding":
            continue
        errors = [1e4 * (rate - made.funding[key]) for key, rate in ours.items() if key[0] == told["venue"]]
        distances = np.abs(errors)
        expected: dict[str, float | None] = {
            "error_mean": float(np.mean(errors)),
            "error_p50": float(np.quantile(distances, 0.5)),
            "error_p95": float(np.quantile(distances, 0.95)),
            "error_max": float(distances.max()),
        }
        pairs.append((told, expected))

    assert {told["venue"] for told, _ in pairs} == {"bybit", "deribit"}
    assert_agreement("reconciliation", worst_errors(pairs), 1e-9)


def test_how_runs_are_cut_moves_no_row(
    tables: dict[str, list[Row]], made: Made, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = stage_hours(tmp_path_factory.mktemp("carry_in_two"))
    fill(path, made)
    middle = START + timedelta(hours=3)

    assert built(path, (START, middle), (middle, END)) == tables


def test_a_recorded_curve_is_the_line_through_its_recorded_basis(replayed_hour: Replay) -> None:
    """Deribit's futures of 2024-01-14 over its index, whose basis other tests hold to the recordings themselves."""
    basis = replayed_hour.rows(
        "select captured_ts, days_to_expiry, basis_bps from fct_basis "
        "where venue = 'deribit' and kind = 'future' and underlying = 'BTC' and reference_kind = 'index' order by all"
    )
    [curve] = replayed_hour.rows(
        "select * from fct_basis_term_structure "
        "where venue = 'deribit' and underlying = 'BTC' and reference_kind = 'index' and quote_asset = 'USD'"
    )
    days = [each["days_to_expiry"] for each in sorted(basis, key=lambda each: float(each["days_to_expiry"]))]
    total = [
        math.log1p(each["basis_bps"] / 1e4) for each in sorted(basis, key=lambda each: float(each["days_to_expiry"]))
    ]
    expected: dict[str, float | None] = {
        f"carry_{tenor}d_ann": float(np.interp(tenor, days, total)) * 365 / tenor for tenor in (7, 30, 60, 90, 180)
    }

    assert curve["expiries_count"] == len(basis) == 7
    assert_agreement("recorded curve", worst_errors([(curve, expected)]), 1e-9)
