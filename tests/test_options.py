"""Instants on the command line are refused at once where no build could take them."""

from datetime import datetime
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from orchestration.cli import app
from orchestration.options import EARLIEST, LATEST, span, whole_hours
from orchestration.settings import BadSetting

PROJECT = Path(__file__).parents[1] / "dbt_project" / "dbt_project.yml"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "--from", "9999-12-31T22:00", "--to", "9999-12-31T23:00"], "--from '9999-12-31T22:00'"),
        (["run", "--from", "0001-01-01", "--to", "0001-01-02"], "--from '0001-01-01'"),
        (["run", "--from", "2026-03-04", "--to", "2100-01-01T00:00:00.000001"], "--to '2100-01-01T00:00:00.000001'"),
        (["demo", "--day", "0001-01-01"], "--day '0001-01-01'"),
        (["coverage", "--from", "2008-12-31T23:59"], "--from '2008-12-31T23:59'"),
    ],
)
def test_an_instant_at_the_ends_of_the_calendar_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)

    refused = CliRunner().invoke(app, arguments).exception

    assert isinstance(refused, BadSetting)
    assert str(refused) == f"{told}: expected an instant from 2009-01-01 to 2100-01-01"
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_instant_is_told_with_its_option() -> None:
    with pytest.raises(BadSetting, match=r"^--to 'soon': expected a UTC instant"):
        span("2026-03-04", "soon")


def test_the_bounds_are_the_widest_window_that_dbt_builds() -> None:
    window = yaml.safe_load(PROJECT.read_text())["vars"]

    assert datetime.fromisoformat(window["from_hour"]) == EARLIEST
    assert datetime.fromisoformat(window["to_hour"]) == LATEST
    assert whole_hours("2009-01-01", "2100-01-01") == (EARLIEST, LATEST)
