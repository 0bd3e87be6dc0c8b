"""A contract that changes at half past is converted by what it was at each trade, from raw replies to readers."""

from collections.abc import Iterator
from datetime import UTC, timedelta
from typing import Any

import duckdb
import msgspec
import pytest

from ingestion.estimators.implied_vols import implied_vols
from ingestion.records import Instrument, OptionQuote
from tests.built_models import build, stage_hours
from tests.toy_hour import to_table
from tests.toy_venue import AT, HOUR, record, row
from tests.toy_zone import zone_at

CHANGE = HOUR + timedelta(minutes=30)
PX = 100.0  # so that a contract of 100 dollars is one coin


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Listed as 100 dollars at 20:01 and 20:15, as 10 from 20:30 on; two contracts traded on either side of that."""
    folder = tmp_path_factory.mktemp("terms")
    zone = zone_at(folder / "lake")
    for minute, size in ((1, 100.0), (15, 100.0), (30, 10.0), (45, 10.0)):
        zone.put("instruments", row("instruments", contract_size=size), at=HOUR + timedelta(minutes=minute))
    traded = {
        "first": HOUR,
        "last of 100": CHANGE - timedelta(microseconds=1),
        "first of 10": CHANGE,
        "last": HOUR + timedelta(minutes=59, seconds=59),
    }
    trades = [
        row("trades", trade_id=name.replace(" ", "-"), px=PX, qty=2.0, event_ts=at.isoformat())
        for name, at in traded.items()
    ]
    zone.put("trades", *trades, at=HOUR + timedelta(minutes=61))
    verdicts = {verdict.dataset: verdict.status for verdict in zone.ingest("instruments", "trades")}
    assert verdicts == {"instruments": "ok", "trades": "ok"}

    path = stage_hours(folder, zone.lake, [HOUR])
    build(path, "dim_instruments", "fct_trade_flow")
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def rows(warehouse: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return warehouse.execute(sql).fetchall()


def test_readers_get_one_row_a_change_and_none_for_a_list_that_says_the_same(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    told = rows(
        warehouse,
        "select valid_from_ts, valid_to_ts, contract_size from facts.dim_instruments order by valid_from_ts",
    )

    assert [(start.astimezone(UTC), end.astimezone(UTC), size) for start, end, size in told] == [
        (HOUR, CHANGE, 100.0),
        (CHANGE, HOUR + timedelta(hours=1), 10.0),
    ]


def test_each_trade_is_converted_by_the_size_of_its_instant(warehouse: duckdb.DuckDBPyConnection) -> None:
    told = rows(warehouse, "select trade_id, trade_base, trade_usd from staging.stg_trades order by event_ts")

    assert told == [
        ("first", 2.0, 200.0),
        ("last-of-100", 2.0, 200.0),
        ("first-of-10", 0.2, 20.0),
        ("last", 0.2, 20.0),
    ]


def test_the_hours_flow_counts_each_trade_once(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Two terms an hour would count every trade twice, were they joined by the hour alone."""
    assert rows(warehouse, "select trades_count, buy_usd, sell_usd from facts.fct_trade_flow") == [(4, 440.0, 0.0)]


def test_an_options_time_runs_to_the_expiry_that_was_listed_when_it_was_quoted() -> None:
    """An expiry that is moved at half past moves for the quotes from then on alone."""
    early, late = HOUR + timedelta(days=10), HOUR + timedelta(days=20)
    symbol = {"symbol": "BTC-USD-C", "kind": "option"}
    terms = symbol | {"contract_size": 1.0, "amount_unit": "base", "strike_px": 40_000.0, "option_type": "call"}
    listed = [
        msgspec.structs.replace(record("instruments", **terms, expiry_ts=early.isoformat()), captured_ts=AT),
        msgspec.structs.replace(record("instruments", **terms, expiry_ts=late.isoformat()), captured_ts=CHANGE),
    ]
    instants = (HOUR, CHANGE - timedelta(microseconds=1), CHANGE)
    quotes = [
        msgspec.structs.replace(record("option_quotes", **symbol, forward_px=40_000.0), captured_ts=at)
        for at in instants
    ]

    found = implied_vols(to_table(OptionQuote, HOUR, quotes), to_table(Instrument, HOUR, listed)).to_pylist()

    assert [(row["captured_ts"], row["expiry_ts"]) for row in found] == list(
        zip(instants, (early, early, late), strict=True)
    )
