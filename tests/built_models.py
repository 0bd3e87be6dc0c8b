"""dbt models built on rows of a test's own: an empty lake staged, rows put in behind it, some models run."""

import json
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ingestion.lake import Lake
from ingestion.storage import Store
from orchestration.resources import DBT_EXECUTABLE, DBT_PROJECT
from orchestration.warehouse import stage


def stage_hours(folder: Path, lake: Lake | None = None, hours: Sequence[datetime] = ()) -> Path:
    """A warehouse with these hours of the lake staged; without a lake, with its empty tables."""
    path = folder / "warehouse.duckdb"
    stage(path, lake or Lake(Store.open(str(folder / "lake"))), hours or [datetime(2026, 1, 2, tzinfo=UTC)])
    return path


def build(
    path: Path,
    *models: str,
    alone: Sequence[str] = (),
    hours: tuple[datetime, datetime] | None = None,
    **variables: str,
) -> None:
    """Run these models and all that they rest on, seeds too, over all that is staged, or from one hour to the other.

    What is built `alone` rests on tables that are there already.
    """
    folder, project = path.parent, str(DBT_PROJECT.project_dir)
    command = [DBT_EXECUTABLE, "--quiet", "build", "--select", *(f"+{model}" for model in models), *alone]
    command += ["--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"]
    window = dict(zip(("from_hour", "to_hour"), map(str, hours), strict=True)) if hours else {}
    command += ["--vars", json.dumps({"warehouse_path": str(path), **window, **variables})]
    command += ["--project-dir", project, "--profiles-dir", project]
    command += ["--target-path", str(folder / "target"), "--log-path", str(folder)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
