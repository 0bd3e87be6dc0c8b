"""Bad data does not reach readers, whichever jobs run, together or apart."""

import io
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ingestion.hours import HOUR
from ingestion.lake import Lake
from ingestion.venues import VENUES
from orchestration.assets.published import published_hours
from orchestration.assets.warehouse import hourly_models
from orchestration.outcomes import RunFailed
from orchestration.published import open_published
from orchestration.running import execute, run
from orchestration.settings import Settings
from orchestration.tables import HOURLY_TABLES
from tests.world import (
    HOUR_0,
    alter,
    copy_of,
    deployment,
    files_below,
    materialize,
    published_rows,
    read,
    store_of,
    version_of,
)

NEXT = HOUR_0 + HOUR
MART = "mart_pressure_differentials_hourly"

# One venue is away; at four others one dataset is broken, each in its own way; one venue is well.
FAULTS = (
    "binance_coinm:.:503:1.0",
    "deribit:/get_order_book:crossed:1.0",
    "okx:/market/books:nan:1.0",
    "bybit:/v5/market/tickers:retyped:1.0",
    "bybit:/v5/market/orderbook:truncated:1.0",
    "binance_spot:/api/v3/depth:html:1.0",
)
HELD = {("deribit", "order_books"), ("okx", "order_books"), ("bybit", "perp_tickers")}
GAPS = {("bybit", "order_books"), ("binance_spot", "order_books")}


class Spoilt:
    """The good hour asked for again and the next one for the first time, both with faults, in one run."""

    def __init__(self, settings: Settings, before: Settings, result: dg.ExecuteInProcessResult) -> None:
        self.settings, self.before, self.result = settings, before, result

    def status(self, hour_offset: int) -> dict[tuple[str, str], str]:
        hour = HOUR_0 + timedelta(hours=hour_offset)
        rows = read(
            self.settings,
            f"select venue, dataset, status from fct_data_coverage where utc_hour = '{hour:%Y-%m-%d %H:00:00}+00'",
        )
        return {(venue, dataset): status for venue, dataset, status in rows}

    def checks(self) -> dict[tuple[str, str], dg.AssetCheckEvaluation]:
        return {
            (check.asset_key.path[1], check.asset_key.path[2]): check
            for check in self.result.get_asset_check_evaluations()
            if check.check_name == "passed_gate_1"
        }


@pytest.fixture(scope="module")
def spoilt(good_hour: Settings, tmp_path_factory: pytest.TempPathFactory) -> Spoilt:
    settings = copy_of(good_hour, tmp_path_factory.mktemp("spoilt"), sandbox_faults=FAULTS)
    return Spoilt(settings, good_hour, execute(settings, "hourly", HOUR_0, NEXT + HOUR))


class TestGateOne:
    """What is broken stays out of the lake; what is not goes on."""

    def test_the_run_goes_on_without_what_was_broken(self, spoilt: Spoilt) -> None:
        assert spoilt.result.success
        assert version_of(spoilt.settings) == 2

    def test_each_broken_dataset_is_held_or_a_gap_and_every_other_is_data(self, spoilt: Spoilt) -> None:
        status = spoilt.status(1)
        bad = {pair: word for pair, word in status.items() if word != "ok"}

        assert {pair for pair, word in bad.items() if word == "held"} >= HELD
        assert {pair for pair, word in bad.items() if word == "gap"} >= GAPS
        assert {pair for pair in status if pair[0] == "binance_coinm" and status[pair] == "ok"} == set()
        assert {venue for venue, _ in bad} == {"binance_coinm", "binance_spot", "bybit", "deribit", "okx"}
        assert len(status) - len(bad) > len(bad)

    def test_what_was_held_is_in_quarantine_with_rule_and_reason_and_not_in_the_lake(self, spoilt: Spoilt) -> None:
        keys = store_of(spoilt.settings).list("quarantine/")
        told = read(spoilt.settings, "select broken_rules, reason from fct_data_coverage where status = 'held'")

        assert all(any(f"venue={venue}/" in key or f"/{venue}/" in key for key in keys) for venue, _ in HELD)
        assert all(rules and reason for rules, reason in told)
        for venue, dataset in HELD | GAPS:
            assert not store_of(spoilt.settings).exists(
                f"lake/{dataset}/venue={venue}/date={NEXT:%Y-%m-%d}/hour={NEXT:%H}.parquet"
            )

    def test_an_hour_that_was_good_keeps_its_lake_files_when_asked_again_it_is_broken(self, spoilt: Spoilt) -> None:
        """Only what the gate says of them changes."""
        before, after = (
            {
                name: data
                for name, data in files_below(settings.warehouse_path.parent / "lake" / "lake").items()
                if f"hour={HOUR_0:%H}" in name and not name.startswith("coverage/")
            }
            for settings in (spoilt.before, spoilt.settings)
        )

        assert spoilt.status(0)["deribit", "order_books"] == "held"
        assert after == before

    def test_no_nan_and_no_infinity_is_published(self, spoilt: Spoilt) -> None:
        with closing(open_published(store_of(spoilt.settings))) as connection:
            doubles = connection.execute(
                "select table_name, column_name from duckdb_columns() where data_type = 'DOUBLE'"
            ).fetchall()
            wrong = {
                f"{table}.{column}": count
                for table, column in doubles
                for (count,) in connection.execute(
                    f'select count(*) from "{table}" where not isfinite("{column}")'
                ).fetchall()
                if count
            }

        assert doubles
        assert wrong == {}

    def test_marts_degrade_and_say_so(self, spoilt: Spoilt) -> None:
        rows = read(
            spoilt.settings,
            f"select utc_hour, venues_count, coverage_frac, quality_grade, book_imbalance_10bps_frac from {MART} "
            "where underlying = 'BTC' order by utc_hour",
        )
        [(good_grade, good_coverage)] = read(
            spoilt.before, f"select quality_grade, coverage_frac from {MART} where underlying = 'BTC'"
        )
        (_, venues_before, coverage_0, _, _), (_, venues_count, coverage_1, grade, imbalance) = rows

        assert (good_grade, venues_before) == ("A", 6)
        assert venues_count == 5
        assert coverage_1 < coverage_0 < good_coverage
        assert grade > good_grade
        assert imbalance is not None

    def test_the_venue_that_is_well_is_published_to_the_last_row(self, spoilt: Spoilt) -> None:
        [(books, symbols)] = read(
            spoilt.settings,
            "select count(*), count(distinct symbol) from fct_order_book_imbalance "
            f"where venue = 'binance_usdm' and utc_hour = '{NEXT:%Y-%m-%d %H:00:00}+00'",
        )

        assert books == 4 * symbols > 0

    def test_the_verdict_is_a_failed_check_that_warns_where_the_hour_still_rests_on_something(
        self, spoilt: Spoilt
    ) -> None:
        checks = spoilt.checks()
        failed = {pair for pair, check in checks.items() if not check.passed}
        bad = {pair for offset in (0, 1) for pair, word in spoilt.status(offset).items() if word != "ok"}

        assert failed == bad & set(checks)
        assert failed >= HELD | GAPS
        assert {checks[pair].severity for pair in failed} == {dg.AssetCheckSeverity.WARN}
        assert "crossed_frac" in (checks["deribit", "order_books"].description or "")

    def test_where_nothing_at_all_is_usable_the_check_is_an_error_and_nothing_follows(self, tmp_path: Path) -> None:
        settings = deployment(tmp_path, sandbox_faults=("*:.:500:1.0",))

        result = execute(settings, "hourly", HOUR_0, NEXT)

        checks = [c for c in result.get_asset_check_evaluations() if c.check_name == "passed_gate_1"]
        assert not result.success
        failed = [check for check in checks if not check.passed]
        assert {check.severity for check in failed} == {dg.AssetCheckSeverity.ERROR}
        assert {tuple(check.asset_key.path[1:]) for check in failed} == {
            (name, dataset) for name in settings.venues for dataset in VENUES[name].expected
        }
        assert {check.description for check in checks if check.passed} == {"nothing was recorded"}
        assert {e.step_key for e in result.all_events if e.is_step_success} <= {"capture", "normalise"}
        assert version_of(settings) == 0

    def test_that_failure_is_told_in_a_line(self, tmp_path: Path) -> None:
        settings = deployment(tmp_path, sandbox_faults=("*:.:500:1.0",), venues=("binance_spot",))

        with pytest.raises(
            RunFailed, match=r"^hourly .*: lake/binance_spot/candles: passed_gate_1 failed: gap: .*status 500"
        ):
            run(settings, "hourly", HOUR_0, NEXT)


LIES = {
    "a fact within its range": "update facts.fct_order_book_imbalance set depth_imbalance_10bps_frac = 0.1",
    "a fact out of its range": "update facts.fct_order_book_imbalance set depth_imbalance_10bps_frac = 7",
    "one value that is no number": "update facts.fct_basis set basis_bps = 'nan' "
    "where captured_ts = (select min(captured_ts) from facts.fct_basis)",
    "a mart within its range": f"update marts.{MART} set trade_imbalance_frac = -trade_imbalance_frac",
    "a mart out of its range": f"update marts.{MART} set pressure_z = 99",
    "a better grade": f"update marts.{MART} set quality_grade = 'A', coverage_frac = 1",
    "rows gone": "delete from facts.fct_trade_flow",
    "a row three times": "insert into facts.fct_trade_flow select flow.* "
    "from facts.fct_trade_flow as flow, range(2) where symbol = 'BTCUSDT'",
    "other terms": "update facts.dim_instruments set contract_size = 2 * contract_size",
}


@pytest.fixture(scope="module")
def lied_to(good_hour: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return copy_of(good_hour, tmp_path_factory.mktemp("lied"))


class TestGateTwo:
    """Publishing runs apart as well: it shows only the very rows that passed their tests."""

    @pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
    def test_a_lie_written_after_the_tests_is_refused_and_the_last_good_version_stays(
        self, good_hour: Settings, lied_to: Settings, tmp_path: Path, lie: str
    ) -> None:
        settings = replace(lied_to, warehouse_path=tmp_path / "warehouse.duckdb")
        settings.warehouse_path.write_bytes(good_hour.warehouse_path.read_bytes())
        alter(settings, lie)

        result = materialize(settings, published_hours, HOUR_0)

        assert not result.success
        assert "changed after its tests passed" in reason_of(result)
        assert version_of(settings) == 1
        assert published_rows(settings) == published_rows(good_hour)

    def test_a_day_is_not_built_on_an_hour_that_changed_after_its_tests(
        self, good_hour: Settings, tmp_path: Path
    ) -> None:
        settings = copy_of(good_hour, tmp_path)
        alter(settings, LIES["a mart within its range"])

        with pytest.raises(RunFailed, match="the day rests on hours that did not pass"):
            run(settings, "daily", HOUR_0.replace(hour=0), HOUR_0)

        assert version_of(settings) == 1

    def test_a_day_is_not_built_on_what_an_hour_left_that_failed_before_its_marts(
        self, good_hour: Settings, tmp_path: Path
    ) -> None:
        """dbt keeps what it built before a test fails, and the marts behind that test are not there to tell."""
        settings = copy_of(good_hour, tmp_path)
        marts = [table.name for table in HOURLY_TABLES if table.schema == "marts"]
        alter(
            settings, "; ".join(["delete from control.certificates", *(f"delete from marts.{mart}" for mart in marts)])
        )

        with pytest.raises(RunFailed, match=r"int_reconciliation_errors_gathered .*: its tests have not passed"):
            run(settings, "daily", HOUR_0.replace(hour=0), HOUR_0)


@pytest.fixture(scope="module")
def poisoned(good_hour: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The lake written past gate 1: a book twice in the grain, and a trade of NaN coins."""
    settings = copy_of(good_hour, tmp_path_factory.mktemp("poisoned"))
    lake = Lake(store_of(settings))
    books = lake.read("order_books", "okx", HOUR_0)
    lake.write("order_books", "okx", HOUR_0, pa.concat_tables([books, books.slice(0, 1)]))
    trades = lake.read("trades", "binance_usdm", HOUR_0)
    at = trades.schema.get_field_index("qty")
    nan = pc.if_else(pc.equal(trades["trade_id"], trades["trade_id"][0]), float("nan"), trades["qty"])
    spoilt = io.BytesIO()  # around the lake, which writes no such number
    pq.write_table(trades.set_column(at, trades.schema.field(at), nan), spoilt)
    key = f"lake/trades/venue=binance_usdm/date={HOUR_0:%Y-%m-%d}/hour={HOUR_0:%H}.parquet"
    lake.store.put(key, spoilt.getvalue())
    return settings


@pytest.fixture(scope="module")
def built(poisoned: Settings) -> dg.ExecuteInProcessResult:
    """What dbt alone makes of it."""
    return materialize(poisoned, hourly_models, HOUR_0)


class TestJobsApart:
    """A blocking check holds only inside its own run; what is not certified goes nowhere in the next one."""

    def test_dbt_alone_fails_its_tests_and_readers_keep_what_they_had(
        self, poisoned: Settings, built: dg.ExecuteInProcessResult, good_hour: Settings
    ) -> None:
        failed = {check.asset_key.path[-1] for check in built.get_asset_check_evaluations() if not check.passed}

        assert not built.success
        assert failed & {"fct_order_book_imbalance", "order_books", "stg_order_books"}
        assert failed & {"fct_trade_flow", "trades", "stg_trades"}
        assert published_rows(poisoned) == published_rows(good_hour)

    @pytest.mark.usefixtures("built")
    def test_publishing_alone_then_refuses_what_has_not_passed(self, poisoned: Settings, good_hour: Settings) -> None:
        result = materialize(poisoned, published_hours, HOUR_0)

        assert not result.success
        assert "its tests have not passed" in reason_of(result)
        assert version_of(poisoned) == 1
        assert published_rows(poisoned) == published_rows(good_hour)

    @pytest.mark.usefixtures("built")
    def test_marts_alone_pass_their_own_tests_and_still_certify_nothing(self, poisoned: Settings) -> None:
        built = materialize(poisoned, hourly_models, HOUR_0, [f"marts/{MART}"])

        result = materialize(poisoned, published_hours, HOUR_0)

        assert built.success
        assert not result.success
        assert f"marts.{MART} 2026-03-04T10:00Z: its tests have not passed" in reason_of(result)
        assert version_of(poisoned) == 1

    @pytest.mark.usefixtures("built")
    def test_an_hour_that_failed_does_not_stop_the_next(self, poisoned: Settings) -> None:
        run(poisoned, "hourly", NEXT, NEXT + HOUR)

        assert read(poisoned, f"select distinct utc_hour from {MART} order by utc_hour") == [(HOUR_0,), (NEXT,)]

    @pytest.mark.usefixtures("built")
    def test_no_later_hour_looks_back_on_an_hour_that_failed(self, poisoned: Settings) -> None:
        """What it left is taken out before the next is built; a day waits until it is mended."""
        run(poisoned, "hourly", NEXT, NEXT + HOUR)

        assert kept_hours(poisoned) == {NEXT}
        with pytest.raises(RunFailed, match=r"2026-03-04T10:00Z: its build failed"):
            run(poisoned, "daily", HOUR_0.replace(hour=0), HOUR_0)

    def test_an_hour_that_passed_is_looked_back_on(self, good_hour: Settings, tmp_path: Path) -> None:
        settings = copy_of(good_hour, tmp_path)

        run(settings, "hourly", NEXT, NEXT + HOUR)

        assert kept_hours(settings) == {HOUR_0, NEXT}


def kept_hours(settings: Settings) -> set[datetime]:
    """The hours of which the warehouse has rows that were built."""
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where schema_name not in ('lake', 'control')"
        ).fetchall()
        hours = set[datetime]()
        for schema, name in tables:
            columns = connection.table(f"{schema}.{name}").columns
            if "utc_hour" in columns:
                found = connection.execute(f"select distinct date_trunc('hour', utc_hour) from {schema}.{name}")
                hours |= {hour for (hour,) in found.fetchall()}
    return hours


def reason_of(result: dg.ExecuteInProcessResult) -> str:
    [failure] = [event for event in result.all_events if event.is_step_failure]
    user_failure = failure.step_failure_data.user_failure_data
    return str(user_failure.description if user_failure else failure.step_failure_data.error)
