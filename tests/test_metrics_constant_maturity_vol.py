"""Volatility at a tenor is of a look at a venue's options, in however many replies the look was told."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import duckdb
import msgspec
import pytest

from ingestion.lake import Lake
from ingestion.storage import Store
from tests.built_models import build, stage_hours
from tests.option_chains import Chain, keep, priced

HOUR = datetime(2026, 3, 4, 13, tzinfo=UTC)
AT = HOUR + timedelta(minutes=30)
STRIKES = [60, 70, 80, 85, 90, 95, 101, 105, 110, 115, 120, 130, 145, 160]
AT_THIRTY_DAYS = math.sqrt((7.2 + (15 - 7.2) * 10 / 40) / 30)  # 60 % at 20 days and 50 % at 60, in variance


def later(chain: Chain, seconds: float) -> Chain:
    """The chain as a reply of so much later tells it."""
    wait = timedelta(seconds=seconds)
    return [(msgspec.structs.replace(quote, captured_ts=quote.captured_ts + wait), terms) for quote, terms in chain]


def near(base: str, vol: float = 0.6) -> Chain:
    return priced(base, AT, 20, STRIKES, lambda _: vol)


def far(base: str) -> Chain:
    return priced(base, AT, 60, STRIKES, lambda _: 0.5)


def streamed(base: str) -> Chain:
    """Every quote an instant of its own, 50 ms after the one before."""
    return [row for n, told in enumerate(near(base) + far(base)) for row in later([told], n / 20)]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    folder = tmp_path_factory.mktemp("tenors")
    lake = Lake(Store.open(str(folder / "lake")))
    chain = [
        *near("ONE"), *far("ONE"),
        *near("TWO"), *later(far("TWO"), 2),
        *streamed("STREAM"),
        *near("TOLD_AGAIN", vol=0.9), *later(near("TOLD_AGAIN") + far("TOLD_AGAIN"), 2),
        *near("APART"), *later(far("APART"), 120),
    ]  # fmt: skip
    keep(lake, "planted", chain)
    path = stage_hours(folder, lake, [HOUR])
    build(path, "mart_vol_spread_hourly")
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def tenors(warehouse: duckdb.DuckDBPyConnection, underlying: str) -> dict[tuple[datetime, int], float | None]:
    told = warehouse.execute(
        "select captured_ts, tenor_days, implied_vol_ann from facts.fct_vol_spread where underlying = ?", [underlying]
    ).fetchall()
    return {(captured_ts, tenor_days): vol for captured_ts, tenor_days, vol in told}


@pytest.mark.parametrize(("underlying", "look_s"), [("ONE", 0), ("TWO", 2), ("STREAM", 2.75), ("TOLD_AGAIN", 2)])
def test_a_chain_is_one_of_its_look_in_however_many_replies(
    warehouse: duckdb.DuckDBPyConnection, underlying: str, look_s: float
) -> None:
    found = tenors(warehouse, underlying)

    look_ts = AT + timedelta(seconds=look_s)
    assert {captured_ts for captured_ts, _ in found} == {look_ts}
    assert found[look_ts, 30] == pytest.approx(AT_THIRTY_DAYS, abs=1e-6)
    assert (found[look_ts, 7], found[look_ts, 90]) == (None, None)


def test_one_reply_keeps_its_number_to_rounding(warehouse: duckdb.DuckDBPyConnection) -> None:
    assert tenors(warehouse, "ONE")[AT, 30] == pytest.approx(AT_THIRTY_DAYS, abs=1e-12)


def test_looks_apart_do_not_bracket_each_other(warehouse: duckdb.DuckDBPyConnection) -> None:
    found = tenors(warehouse, "APART")

    assert {captured_ts for captured_ts, _ in found} == {AT, AT + timedelta(minutes=2)}
    assert {vol for (_, tenor_days), vol in found.items() if tenor_days == 30} == {None}


def test_the_hour_counts_the_venue_that_told_it_so(warehouse: duckdb.DuckDBPyConnection) -> None:
    told = warehouse.sql(
        "select underlying, venues_count from marts.mart_vol_spread_hourly where tenor_days = 30"
    ).fetchall()

    assert dict(told) == {"ONE": 1, "TWO": 1, "STREAM": 1, "TOLD_AGAIN": 1, "APART": 0}
