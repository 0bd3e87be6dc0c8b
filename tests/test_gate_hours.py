"""An hour is judged whole: what is measured of it, and which rules it then breaks."""

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ingestion.gate.hours import RULES, broken_rules, rules_of
from ingestion.gate.profile import HourProfile, profile
from ingestion.records import DATASETS, Record
from tests.toy_hour import to_table
from tests.toy_venue import AT, HOUR, record

LATER = AT + timedelta(minutes=1)


def profiled(dataset: str, *records: Record, **counts: int) -> HourProfile:
    table = to_table(DATASETS[dataset], HOUR, records)
    return profile(dataset, HOUR, table, **{"rejected_count": 0, "refused_count": 0} | counts)


def broken(dataset: str, *records: Record, **counts: int) -> list[str]:
    return [rule.rule for rule in broken_rules(dataset, [profiled(dataset, *records, **counts)]).get(HOUR, ())]


class TestProfile:
    def test_counts_rows_symbols_and_captures(self) -> None:
        measured = profiled(
            "perp_tickers",
            record("perp_tickers"),
            record("perp_tickers", captured_ts=LATER),
            record("perp_tickers", symbol="ETH-USD-PERP", captured_ts=LATER),
            rejected_count=1,
            refused_count=4,
        )

        assert (measured.rows_count, measured.symbols_count, measured.captures_count) == (3, 2, 2)
        assert (measured.rejected_count, measured.refused_count) == (1, 4)
        assert measured.rejected_frac == 0.25
        assert (measured.first_captured_ts, measured.last_captured_ts) == (AT, LATER)

    def test_one_symbol_of_two_kinds_is_two_instruments(self) -> None:
        measured = profiled("trades", record("trades"), record("trades", kind="spot"))

        assert (measured.symbols_count, measured.duplicate_count) == (2, 0)

    def test_an_empty_hour_measures_nothing(self) -> None:
        assert profiled("order_books") == HourProfile(utc_hour=HOUR)

    def test_locked_and_crossed_books_count_among_the_two_sided(self) -> None:
        measured = profiled(
            "order_books",
            record("order_books"),
            record("order_books", captured_ts=LATER, bid_px=(100.5,), bid_qty=(1.0,)),  # locked
            record("order_books", symbol="A", bid_px=(101.0,), bid_qty=(1.0,)),  # crossed
            record("order_books", symbol="B", bid_px=(), bid_qty=()),
            record("order_books", symbol="C", ask_px=(), ask_qty=()),
            record("order_books", symbol="D", ask_px=(), ask_qty=(), bid_px=(), bid_qty=()),
        )

        assert measured.crossed_frac == pytest.approx(2 / 3)
        assert measured.null_frac == pytest.approx(1 / 6)

    def test_a_price_moves_within_its_own_instrument(self) -> None:
        measured = profiled(
            "trades",
            record("trades", trade_id="1", px=100.0),
            record("trades", trade_id="2", px=150.0),
            record("trades", trade_id="3", px=0.5, symbol="DOGE"),
        )

        assert measured.max_px_ratio == 1.5

    def test_a_ticker_without_a_price_says_something_by_its_funding(self) -> None:
        measured = profiled(
            "perp_tickers",
            record("perp_tickers", mark_px=None),
            record("perp_tickers", mark_px=None, funding_rate=None, symbol="B"),
        )

        assert (measured.null_frac, measured.max_px_ratio) == (0.5, None)

    def test_only_what_is_captured_now_must_be_captured_in_its_hour(self) -> None:
        tomorrow = HOUR + timedelta(days=1)
        outside = (HOUR - timedelta(microseconds=1), HOUR + timedelta(hours=1))

        for at in outside:
            assert profiled("perp_tickers", record("perp_tickers", captured_ts=at)).outside_hour_count == 1
        assert profiled("perp_tickers", record("perp_tickers", captured_ts=HOUR)).outside_hour_count == 0
        assert profiled("trades", record("trades", captured_ts=tomorrow)).outside_hour_count == 0
        documented = record("instruments", captured_ts=tomorrow, terms_source="documented")
        assert profiled("instruments", documented).outside_hour_count == 0


HOURS_THAT_BREAK: dict[str, tuple[str, list[Record], dict[str, int]]] = {
    "nothing_readable": ("trades", [], {"refused_count": 1}),
    "rejected_frac": ("trades", [record("trades")], {"rejected_count": 1}),
    "duplicate_count": ("trades", [record("trades"), record("trades", captured_ts=LATER)], {}),
    "outside_hour_count": (
        "open_interest",
        [record("open_interest", captured_ts=HOUR + timedelta(hours=1))],
        {},
    ),
    "future_event_count": ("trades", [record("trades", event_ts=AT + timedelta(seconds=61))], {}),
    "crossed_frac": ("order_books", [record("order_books", bid_px=(101.0,), bid_qty=(1.0,))], {}),
    "null_frac": ("option_quotes", [record("option_quotes", mark_px=None, mark_iv_ann=None)], {}),
    "max_px_ratio": ("trades", [record("trades"), record("trades", trade_id="2", px=10_000.0)], {}),
}


@pytest.mark.parametrize("rule", HOURS_THAT_BREAK)
def test_an_hour_with_one_fault_breaks_that_rule_alone(rule: str) -> None:
    dataset, records, counts = HOURS_THAT_BREAK[rule]

    assert broken(dataset, *records, **counts) == [rule]


def test_every_rule_has_an_hour_that_breaks_it() -> None:
    assert set(HOURS_THAT_BREAK) == {rule.id for rule in RULES}


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_good_hour_breaks_no_rule(dataset: str) -> None:
    assert broken(dataset, record(dataset)) == []


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_dataset_has_one_limit_for_a_number(dataset: str) -> None:
    ids = [rule.id for rule in rules_of(dataset)]

    assert len(ids) == len(set(ids))


def test_a_trebled_ticker_is_a_new_coin_but_a_trebled_book_is_a_slip() -> None:
    def seen(dataset: str, **doubled: Any) -> list[Record]:
        return [record(dataset), record(dataset, captured_ts=LATER, **doubled)]

    assert broken("perp_tickers", *seen("perp_tickers", mark_px=900.0)) == []
    assert broken("perp_tickers", *seen("perp_tickers", mark_px=1_001.0)) == ["max_px_ratio"]
    assert broken("order_books", *seen("order_books", bid_px=(301.0,), bid_qty=(1.0,), ask_px=(), ask_qty=())) == [
        "max_px_ratio"
    ]


def test_unknown_instruments_do_not_hold_the_known_ones() -> None:
    assert broken("instruments", record("instruments"), unplaced_count=9) == []


def test_the_reason_names_number_limit_and_why() -> None:
    [rule] = broken_rules("trades", [profiled("trades", refused_count=1)])[HOUR]

    assert rule.reason == "nothing_readable 1 is over 0: replies came and no row was left of them"


def test_each_of_many_hours_is_judged_as_if_alone() -> None:
    """Four hundred hours, more than the library lists at once, against the limits written out plainly."""
    dice = random.Random(3)
    good = profiled("order_books", record("order_books"))
    hours = [
        replace(
            good,
            utc_hour=HOUR + timedelta(hours=n),
            rejected_frac=dice.choice([None, 0.0, 0.2, 0.21, 1.0]),
            crossed_frac=dice.choice([None, 0.5, 0.51]),
            duplicate_count=dice.choice([0, 0, 0, 1]),
            max_px_ratio=dice.choice([None, 1.0, 3.0, 3.01]),
        )
        for n in range(400)
    ]

    found = broken_rules("order_books", hours)

    for hour in hours:
        wanted = [
            name
            for name, is_over in (
                ("rejected_frac", (hour.rejected_frac or 0) > 0.2),
                ("duplicate_count", hour.duplicate_count > 0),
                ("crossed_frac", (hour.crossed_frac or 0) > 0.5),
                ("max_px_ratio", (hour.max_px_ratio or 0) > 3),
            )
            if is_over
        ]
        assert [rule.rule for rule in found.get(hour.utc_hour, ())] == wanted
    assert Counter(rule.rule for rules in found.values() for rule in rules)["rejected_frac"] > 100


def test_all_hours_broken_at_once_are_all_told() -> None:
    hours = [HourProfile(utc_hour=HOUR + timedelta(hours=n), duplicate_count=1) for n in range(168)]

    assert len(broken_rules("trades", hours)) == 168


def test_no_hours_break_nothing() -> None:
    assert broken_rules("trades", []) == {}
