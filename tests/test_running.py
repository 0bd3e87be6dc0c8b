"""Runs from the command line stand in the history that the UI shows, unless they ask not to; they fail in one line."""

from pathlib import Path

import dagster as dg
import pytest

from ingestion.hours import HOUR
from orchestration.outcomes import RunFailed
from orchestration.running import execute, run
from tests.world import HOUR_0, deployment


@pytest.mark.parametrize(("in_history", "runs"), [(True, 1), (False, 0)])
def test_the_ui_knows_the_runs_that_are_in_its_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_history: bool, runs: int
) -> None:
    """The run itself fails early, which makes it short."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    settings = deployment(tmp_path, sandbox_faults=("*:.:500:1.0",), venues=("binance_spot",))

    execute(settings, "hourly", HOUR_0, HOUR_0 + HOUR, in_history=in_history)

    (tmp_path / "home").mkdir(exist_ok=True)
    with dg.DagsterInstance.get() as instance:
        assert instance.get_runs_count() == runs


def test_a_step_that_fails_says_what_was_expected(tmp_path: Path) -> None:
    """In the words of the troubleshooting, not in those of the operating system below them."""
    settings = deployment(tmp_path, venues=("binance_spot",))
    taken = tmp_path / "lake" / "lake"
    taken.parent.mkdir()
    taken.write_text("no folder")

    with pytest.raises(RunFailed, match=f"normalise: {taken}/coverage.*: a file stands where a folder is needed$"):
        run(settings, "rebuild", HOUR_0, HOUR_0 + HOUR)
