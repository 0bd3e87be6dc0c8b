"""The models' own unit tests hold, trap by trap, against the relations that a replay has built."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.replayed import Replay, replayed_hour

__all__ = ["replayed_hour"]

PROJECT = Path(__file__).parents[1] / "dbt_project"
GUARDED = ("facts", "marts", "intermediate")


@pytest.fixture(scope="module")
def told(replayed_hour: Replay, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where dbt's account of one run of all unit tests lies."""
    target = tmp_path_factory.mktemp("dbt_units")
    own = {**os.environ, "BAROGRAPH_WAREHOUSE_PATH": str(replayed_hour.warehouse_path)}
    command = [str(Path(sys.executable).with_name("dbt")), "--no-use-colors", "test", "--resource-type", "unit_test"]
    where = ["--project-dir", PROJECT, "--profiles-dir", PROJECT, "--target-path", target, "--log-path", target]
    run = subprocess.run(
        [*command, *map(str, where)], env=own, capture_output=True, text=True, timeout=600, check=False
    )
    if not (target / "run_results.json").is_file():
        pytest.fail(f"dbt ran no tests:\n{run.stdout[-4000:]}{run.stderr[-2000:]}", pytrace=False)
    return target


def read(target: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((target / name).read_text())
    return found


def test_every_unit_test_of_the_models_passes(told: Path) -> None:
    results = read(told, "run_results.json")["results"]
    failed = [
        f"{result['unique_id'].split('.', 2)[2]}: {result['status']}\n{result['message']}"
        for result in results
        if result["status"] != "pass"
    ]

    if failed:
        pytest.fail(f"{len(failed)} of {len(results)} dbt unit tests failed\n\n" + "\n\n".join(failed), pytrace=False)
    assert results


def test_every_model_with_a_number_of_its_own_has_a_unit_test(told: Path) -> None:
    """Facts, marts and what lies between; staging's are beside it."""
    manifest = read(told, "manifest.json")
    tested = {unit["model"] for unit in manifest["unit_tests"].values()}
    models = {
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["fqn"][1] in GUARDED
    }

    assert models - tested == set()


def test_models_between_say_what_one_row_is(told: Path) -> None:
    for node in read(told, "manifest.json")["nodes"].values():
        if node["resource_type"] == "model" and node["fqn"][1] == "intermediate":
            assert "One row per" in node["description"], node["name"]


def test_a_run_of_the_pipeline_runs_no_unit_test(replayed_hour: Replay) -> None:
    """They prove the code and not the hour, and would cost each hour seconds."""
    log = replayed_hour.warehouse_path.with_name("barograph.log").read_text()

    assert "fct_basis" in log
    assert "unit_test" not in log
