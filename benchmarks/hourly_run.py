"""Where an hourly run spends its time: the bare work of its parts against start-up, imports and bookkeeping.

    .venv/bin/python benchmarks/hourly_run.py [--history-hours 24]

An hour of the sandbox (12 sweeps, all venues) is run as a user runs it, in a fresh process, and then its parts
again, one by one, in a warmed process. The difference is overhead. The same for one venue, and after a day of
history: overhead should grow with neither. Processor seconds, because the machine may be shared.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from orchestration.pipeline import Pipeline
from orchestration.publish import publish
from orchestration.resources import DBT_EXECUTABLE, DBT_PROJECT
from orchestration.running import run
from orchestration.settings import Settings
from orchestration.tables import HOURLY_TABLES
from orchestration.warehouse import stage

HOUR = datetime(2026, 3, 5, 9, tzinfo=UTC)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--history-hours", type=int, default=24)
    history_hours = arguments.parse_args().history_hours
    table = Table("processor seconds", "one venue", "six venues", f"six venues, {history_hours} h of history")
    columns = [_measure(("deribit",), 0), _measure(None, 0), _measure(None, history_hours)]
    for name in columns[0]:
        table.add_row(name, *(f"{column[name]:.1f}" for column in columns))
    Console(width=110).print(table)


def _measure(venues: tuple[str, ...] | None, history_hours: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(
            Settings.read(),
            lake_uri=f"file://{folder}/lake",
            warehouse_path=Path(folder) / "warehouse.duckdb",
            source="sandbox",
        )
        settings = replace(settings, venues=venues or settings.venues)
        if history_hours:
            run(settings, "hourly", HOUR - timedelta(hours=history_hours), HOUR)
        whole = _timed(lambda: _as_a_user(settings))
        bare = _bare(settings)
    work = sum(bare.values())
    return {**bare, "bare work": work, "whole run": whole, "overhead": whole - work}


def _as_a_user(settings: Settings) -> None:
    program = (
        "from datetime import *; from pathlib import Path; from orchestration.running import run; "
        f"from orchestration.settings import Settings; run({_as_code(settings)}, 'hourly', "
        f"(hour := datetime.fromisoformat('{HOUR.isoformat()}')), hour + timedelta(hours=1))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)  # noqa: S603 (our own code)


def _as_code(settings: Settings) -> str:
    return (
        f"Settings(lake_uri={settings.lake_uri!r}, warehouse_path=Path({str(settings.warehouse_path)!r}), "
        f"source='sandbox', venues={settings.venues!r})"
    )


def _bare(settings: Settings) -> dict[str, float]:
    pipeline = Pipeline(settings)
    hours = [HOUR]
    pipeline.ingest(hours, settings.venues)  # imports Great Expectations, which every run must: overhead
    return {
        "capture": _timed(lambda: pipeline.capture(hours, pipeline.pairs)),
        "normalise and gate": _timed(lambda: pipeline.ingest(hours, settings.venues)),
        "stage": _timed(lambda: stage(settings.warehouse_path, pipeline.lake, hours)),
        "dbt models and tests": _dbt(settings),
        "publish": _timed(lambda: publish(settings.warehouse_path, pipeline.store, hours, HOURLY_TABLES)),
    }


def _dbt(settings: Settings) -> float:
    """What dbt spends on its nodes: a build less one that selects none of them."""
    target = settings.warehouse_path.parent / "target"
    window = {
        "from_hour": f"{HOUR:%Y-%m-%d %H:%M:%S}+00",
        "to_hour": f"{HOUR + timedelta(hours=1):%Y-%m-%d %H:%M:%S}+00",
        "warehouse_path": str(settings.warehouse_path),
    }
    command = [DBT_EXECUTABLE, "build", "--exclude-resource-type", "unit_test", "--vars", json.dumps(window)]
    folders = ["--project-dir", str(DBT_PROJECT.project_dir), "--profiles-dir", str(DBT_PROJECT.profiles_dir)]
    program = [*command, *folders, "--target-path", str(target)]
    whole = _timed(lambda: subprocess.run(program, check=True, capture_output=True))  # noqa: S603 (our own project)
    idle = _timed(
        lambda: subprocess.run([*program, "--select", "no_such_node"], check=True, capture_output=True)  # noqa: S603
    )
    return whole - idle


def _timed(work: Callable[[], object]) -> float:
    """Processor seconds, children included, the less of two: what a machine that others use still tells."""
    return min(_processor_seconds(work) for _ in range(2))


def _processor_seconds(work: Callable[[], object]) -> float:
    started = sum(os.times()[:4])
    work()
    return sum(os.times()[:4]) - started


if __name__ == "__main__":
    main()
