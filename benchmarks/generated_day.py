"""A generated day for the benchmarks of metrics, in a warehouse of its own, and the project's real models on it.

Ten instruments: the spot pair at Binance and the USD-M perpetual of five coins, or ten spot pairs. Everything follows
from row numbers through DuckDB's `hash`, so that two runs of one version measure the same rows.
"""

# ruff: noqa: S608 (names and numbers of this file's own)

import json
import resource
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from ingestion.lake import Lake
from ingestion.storage import Store
from orchestration.resources import DBT_EXECUTABLE, DBT_PROJECT
from orchestration.warehouse import stage

START = datetime(2026, 3, 4, tzinfo=UTC)
LEVELS = 20


class GeneratedDay:
    """A warehouse with the staging views and empty tables of some models, to be filled with generated rows.

    `hours` from `START` are the window of every model.
    """

    def __init__(self, folder: Path, hours: int, *models: str) -> None:
        self.hours = hours
        self.path = folder / "day.duckdb"
        self._target = folder / "target"
        stage(self.path, Lake(Store.open(str(folder / "lake"))), [START])
        self._build_empty(models)
        self.connection = duckdb.connect(str(self.path))
        self.connection.execute("set timezone = 'UTC'; set asof_loop_join_threshold = 0; set threads = 2")

    def _build_empty(self, models: tuple[str, ...]) -> None:
        window = {"from_hour": str(START), "to_hour": str(START + timedelta(hours=self.hours))}
        command = [DBT_EXECUTABLE, "--quiet", "build", "--select", *(f"+{model}" for model in models)]
        command += ["--exclude-resource-type", "test", "--exclude-resource-type", "unit_test", "--full-refresh"]
        command += ["--vars", json.dumps({"warehouse_path": str(self.path), **window})]
        command += ["--project-dir", str(DBT_PROJECT.project_dir), "--profiles-dir", str(DBT_PROJECT.profiles_dir)]
        command += ["--target-path", str(self._target), "--log-path", str(self._target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own project)
        if done.returncode:
            raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])

    def sql_of(self, model: str) -> str:
        """What dbt would run for this model over the day."""
        [path] = (self._target / "compiled").rglob(f"models/**/{model}.sql")
        return path.read_text()

    def build(self, model: str, schema: str) -> None:
        """Replace one model's table, as a run over the whole day would."""
        self.connection.execute(f"create or replace table {schema}.{model} as {self.sql_of(model)}")

    def instruments(self, *kinds: str) -> None:
        """Coins C0, C1, ...: the same number of each kind, ten instruments in all; one listing an hour."""
        for kind in kinds:
            self.connection.execute(
                f"""
                insert into lake.instruments by name
                select
                    utc_hour, '{_venue(kind)}' as venue, 'C' || n || 'USDT' as symbol, '{kind}' as kind,
                    utc_hour as captured_ts, 'C' || n as base_asset, 'USDT' as quote_asset, 'USDT' as settle_asset,
                    1.0 as contract_size, 'base' as amount_unit, false as is_inverse, false as is_quanto,
                    0.1 as tick_size_px, 0.001 as lot_size_qty, 'listed' as terms_source
                from range({10 // len(kinds)}) as coins(n), {self._each_hour()}
                """
            )

    def trades(self, count: int, *kinds: str) -> None:
        """So many trades in the order of time, ids counting up, in milliseconds, several of some instants."""
        per_kind = 10 // len(kinds)
        step_us = self.hours * 3_600_000_000 / count
        self.connection.execute(
            f"""
            insert into lake.trades by name
            select
                make_timestamptz(us // 3600000000 * 3600000000) as utc_hour,
                {_by_kind(kinds, per_kind, _venue)} as venue, 'C' || (s % {per_kind}) || 'USDT' as symbol,
                {_by_kind(kinds, per_kind, str)} as kind, make_timestamptz(us + 40000) as captured_ts,
                make_timestamptz(us) as event_ts, (1000000000 + i)::varchar as trade_id,
                round({_price("us", "s")} + ((hash(i + 3) % 11)::bigint - 5) / 10.0, 1) as px,
                (1 + hash(i) % 5000) / 1000.0 as qty,
                if(hash(i + 1) % 2 = 0, 'buy', 'sell') as side, false as is_aggregate
            from (
                select i, (hash(i + 7) % 10)::integer as s, {_us(START)} + (i * {step_us})::bigint // 1000 * 1000 as us
                from range({count}) as r(i)
            ) as drawn
            """
        )

    def books(self, *kinds: str) -> None:
        """A book a second of 2 x 20 levels for each instrument, as staged from the lake: whole numbers and offsets.

        Every other instrument's ends 4 bps from its mid, as of what is traded most; the others' 60 bps from it.
        """
        per_kind = 10 // len(kinds)
        self.connection.execute(
            f"""
            insert into lake.order_books by name
            select
                make_timestamptz(us // 3600000000 * 3600000000) as utc_hour,
                {_by_kind(kinds, per_kind, _venue)} as venue, 'C' || (s % {per_kind}) || 'USDT' as symbol,
                {_by_kind(kinds, per_kind, str)} as kind, make_timestamptz(us) as captured_ts,
                make_timestamptz(us - 30000) as event_ts, 1 as px_scale, 3 as qty_scale, touch as best_bid,
                touch + 1 + (hash(s, us + 9) % 2)::bigint as best_ask,
                {_offsets(0)} as bid_offset,
                {_offsets(40)} as ask_offset,
                list_transform(range({LEVELS}), lambda k: 1 + (hash(s, us, k + 80) % 50000)::bigint) as bid_size,
                list_transform(range({LEVELS}), lambda k: 1 + (hash(s, us, k + 120) % 50000)::bigint) as ask_size
            from (
                select s, us, (10 * {_price("us", "s")})::bigint as touch, (4 + 60 * (s % 2))::bigint as step
                from (
                    select s::integer as s, {_us(START)} + i * 1000000 as us
                    from range({self.hours * 3600}) as r(i), range(10) as t(s)
                ) as places
            ) as drawn
            """
        )

    def timed(self, work: Callable[[], object]) -> float:
        """Processor seconds of this process, all its threads."""
        before = time.process_time()
        work()
        return time.process_time() - before

    def _each_hour(self) -> str:
        hour = f"timestamptz '{START}' + to_hours(h::integer)"
        return f"(select {hour} as utc_hour from range({self.hours}) as r(h)) as hours"


def rss_mb() -> float:
    """Peak memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _venue(kind: str) -> str:
    return {"spot": "binance_spot", "perp": "binance_usdm"}[kind]


def _by_kind(kinds: tuple[str, ...], per_kind: int, said: Callable[[str], str]) -> str:
    whens = " ".join(f"when {n} then '{said(kind)}'" for n, kind in enumerate(kinds))
    return f"case s // {per_kind} {whens} end"


def _offsets(salt: int) -> str:
    return (
        f"list_transform(range({LEVELS}), lambda k: step * k + (hash(s, us, k + {salt}) % 3)::bigint * (k > 0)::bigint)"
    )


def _price(us: str, series: str) -> str:
    """Waves of a minute, an hour and a day about a price of each instrument's own."""
    return (
        f"(20000 + 100 * ({series} % 5) + 40 * sin({us} / 3.1e6) + 90 * sin({us} / 6.0e8 + {series})"
        f" + 300 * sin({us} / 1.4e10))"
    )


def _us(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000


__all__ = ["LEVELS", "START", "GeneratedDay", "rss_mb"]
