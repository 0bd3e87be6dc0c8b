"""What one more hour of every model costs after 30 days of history, after a year of it, and against a rebuild.

    .venv/bin/python benchmarks/incremental_hour.py [--days 30 365] [--rows 200] [--hours 6] [--repeats 3]

One hour of the sandbox, all venues, goes through the real pipeline once. Then its warehouse is given a past: the rows
of that hour again, moved back by every whole hour of so many days, at most `--rows` an hour in each table. Tables with
more rows an hour hold snapshots of their own hour, which no other hour reads; the gathered series that later hours do
read have fewer, and are whole. The hour is then built as an hourly run builds it, models and tests, on each past in
turn; processor seconds of dbt and its children, less those of a dbt that selects nothing. The least of the repeats
counts.

A rebuild is the same models over `--hours` hours at once, all of them staged, and told a year of hours in proportion.
"""

# ruff: noqa: S608 (names of the project's own tables, instants of this file's)

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

from orchestration.pipeline import Pipeline
from orchestration.resources import DBT_EXECUTABLE, DBT_PROJECT
from orchestration.running import run
from orchestration.settings import Settings
from orchestration.warehouse import stage

HOUR = datetime(2026, 3, 5, 9, tzinfo=UTC)
ONE = timedelta(hours=1)
BARS = "intermediate.int_hourly_bars_merged"  # one row a bar, whichever hour told it


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--days", type=int, nargs="+", default=[30, 365])
    arguments.add_argument("--rows", type=int, default=200)
    arguments.add_argument("--hours", type=int, default=6)
    arguments.add_argument("--repeats", type=int, default=3)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        _measure(Path(name), asked.days, asked.rows, asked.hours, asked.repeats)


def _measure(folder: Path, days: Sequence[int], rows: int, hours: int, repeats: int) -> None:
    settings = replace(
        Settings.read(),
        lake_uri=f"file://{folder}/lake",
        warehouse_path=folder / "warehouse.duckdb",
        source="sandbox",
    )
    run(settings, "hourly", HOUR - (hours - 1) * ONE, HOUR + ONE)
    pipeline = Pipeline(settings)
    rebuilt = folder / "rebuilt.duckdb"
    stage(rebuilt, pipeline.lake, [HOUR - n * ONE for n in range(hours)])
    whole = _build(rebuilt, HOUR - (hours - 1) * ONE, HOUR + ONE) - _idle(rebuilt)
    stage(settings.warehouse_path, pipeline.lake, [HOUR])
    pasts = {}
    for past in days:
        pasts[past] = folder / f"{past}_days.duckdb"
        shutil.copy(settings.warehouse_path, pasts[past])
        _give_past(pasts[past], past, rows)
    idle = min(_idle(path) for path in pasts.values() for _ in range(2))
    seconds: dict[int, list[float]] = defaultdict(list)
    nodes: dict[tuple[int, str], list[float]] = defaultdict(list)
    for _ in range(repeats):
        for past, path in pasts.items():
            seconds[past].append(_build(path, HOUR, HOUR + ONE) - idle)
            for node, took in _told(path):
                nodes[past, node].append(took)
    table = Table("history", "rows", "file, MB", "hour, s", "to the first", "rebuild, s", "hour / rebuild")
    for past, path in pasts.items():
        least, rebuild = min(seconds[past]), whole / hours * past * 24
        table.add_row(
            f"{past} days",
            f"{_held(path):,}",
            f"{path.stat().st_size / 1e6:,.0f}",
            f"{least:.2f}",
            f"{least / min(seconds[days[0]]):.2f}",
            f"{rebuild:,.0f}",
            f"1/{rebuild / least:,.0f}",
        )
    console = Console(width=110)
    console.print(table)
    grown = {node: min(nodes[days[-1], node]) - min(nodes[days[0], node]) for past, node in nodes if past == days[0]}
    for node in sorted(grown, key=lambda node: -grown[node])[:8]:
        told = ", ".join(f"{min(nodes[past, node]):.2f}" for past in days)
        console.print(f"{node[:70]}: {told} s by the clock", highlight=False)


def _give_past(path: Path, days: int, most_rows: int) -> None:
    """The hour's rows once for every hour of so many days before it, in the order of time."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("set timezone = 'UTC'; set preserve_insertion_order = true")
        for table, columns in _kept(connection):
            if table == BARS:
                _give_bars(connection, days)
                continue
            partition = "utc_hour" if "utc_hour" in columns else "utc_date"
            step = "hour" if partition == "utc_hour" else "day"
            moved = ", ".join(
                f'cast("{name}" - {step}s.ago as {type_}) as "{name}"'
                if type_ in {"TIMESTAMP WITH TIME ZONE", "DATE"}
                else f'"{name}"'
                for name, type_ in columns.items()
            )
            count = days * (24 if step == "hour" else 1)
            connection.execute(
                f"""
                create temp table pattern as from {table}
                where {partition} = (select max({partition}) from {table}) limit {most_rows};
                delete from {table};
                insert into {table}
                select {moved} from range({count}, 0, -1) as back(n),
                    lateral (select to_{step}s(back.n::integer) as ago) as {step}s, pattern
                order by back.n desc;
                drop table pattern;
                """
            )
        connection.execute("checkpoint")


def _give_bars(connection: duckdb.DuckDBPyConnection, days: int) -> None:
    """Bars of so many days, each as it stood the last of so many days ago that are there."""
    connection.execute(
        f"""
        create temp table pattern as from {BARS};
        insert into {BARS}
        select pattern.* replace (bar_ts - ago as bar_ts, first_told_hour - ago as first_told_hour)
        from pattern, (
            select to_hours((n * (select count(distinct bar_ts) from pattern))::integer) as ago
            from range(1, 20) as earlier(n)
        )
        where bar_ts - ago >= timestamptz '{HOUR - timedelta(days=days)}'
        order by bar_ts;
        delete from {BARS} where bar_ts < timestamptz '{HOUR - timedelta(days=days)}';
        drop table pattern;
        """
    )


def _kept(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, dict[str, str]]]:
    """Every table that dbt keeps from run to run, with its columns."""
    manifest = json.loads(Path(DBT_PROJECT.manifest_path).read_text())
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model" and node["config"]["materialized"] == "incremental":
            table = f"{node['schema'].removeprefix('main_')}.{node['name']}"
            described = connection.execute(f"describe {table}").fetchall()
            yield table, {name: type_ for name, type_, *_ in described}


def _held(path: Path) -> int:
    with duckdb.connect(str(path), read_only=True) as connection:
        return sum(
            connection.execute(f"select count(*) from {table}").fetchall()[0][0] for table, _ in _kept(connection)
        )


def _build(path: Path, start: datetime, end: datetime, *selected: str) -> float:
    """Processor seconds of dbt over [start, end), as the hourly run calls it."""
    window = {"from_hour": str(start), "to_hour": str(end), "warehouse_path": str(path)}
    command = [DBT_EXECUTABLE, "--quiet", "build", "--exclude-resource-type", "unit_test"]
    command += [*selected] if selected else ["--exclude", "tag:daily"]
    command += ["--vars", json.dumps(window), "--target-path", str(_target(path)), "--log-path", str(_target(path))]
    folders = ["--project-dir", str(DBT_PROJECT.project_dir), "--profiles-dir", str(DBT_PROJECT.profiles_dir)]
    before = sum(os.times()[:4])
    done = subprocess.run([*command, *folders], capture_output=True, text=True, check=False)  # noqa: S603 (our own)
    if done.returncode:
        raise RuntimeError(done.stdout[-2000:])
    return sum(os.times()[:4]) - before


def _idle(path: Path) -> float:
    return _build(path, HOUR, HOUR + ONE, "--select", "no_such_node")


def _told(path: Path) -> Iterator[tuple[str, float]]:
    for result in json.loads((_target(path) / "run_results.json").read_text())["results"]:
        yield result["unique_id"].split(".", 2)[2], result["execution_time"]


def _target(path: Path) -> Path:
    return path.with_suffix(".target")


if __name__ == "__main__":
    main()
