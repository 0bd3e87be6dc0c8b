"""A run that is killed leaves the dbt that it started; the warehouse stays taken until that has ended too."""

import fcntl
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.warehouse import only_writer

WITHIN_S = 120.0

# Builds an hour of an empty lake with the dbt that it is given.
BUILD = """
import sys
from pathlib import Path
import dagster as dg
from orchestration.definitions import defs
from orchestration.assets.warehouse import hourly_models
from orchestration.resources import BarographResource, DBT_PROJECT, Dbt
from tests.world import deployment

folder = Path(sys.argv[1])
dbt = Dbt(project_dir=str(DBT_PROJECT.project_dir), dbt_executable=str(folder / "lingering"))
settings = deployment(folder, venues=("binance_spot",))
resources = {"barograph": BarographResource.of(settings), "dbt": dbt}
dg.materialize([hourly_models], partition_key="2026-03-04-10:00", resources=resources)
"""


@pytest.mark.parametrize("has_input", [True, False], ids=["input", "no_input"])
def test_the_warehouse_is_taken_until_the_dbt_of_a_killed_run_has_ended(tmp_path: Path, has_input: bool) -> None:
    """dbt's part is played by a program that says when it began and ends when it is told to."""
    os.mkfifo(tmp_path / "began")
    os.mkfifo(tmp_path / "may_end")
    program = tmp_path / "lingering"
    program.write_text(f"#!/bin/sh\necho began > {tmp_path}/began\nread told < {tmp_path}/may_end\n")
    program.chmod(0o700)
    began = os.open(tmp_path / "began", os.O_RDWR)
    may_end = os.open(tmp_path / "may_end", os.O_RDWR)

    run = subprocess.Popen(
        [sys.executable, "-c", BUILD, str(tmp_path)],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "DAGSTER_HOME": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=None if has_input else lambda: os.close(0),
    )
    try:
        assert select.select([began, run.stdout], [], [], WITHIN_S)[0] == [began]  # its output ends with it
    finally:
        run.kill()
        run.communicate()

    with (tmp_path / "warehouse.duckdb.lock").open("a") as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(may_end, b"now\n")
        with only_writer(tmp_path / "warehouse.duckdb"):
            pass
    os.close(began)
    os.close(may_end)
