"""Instants on the command line are refused at once where no build could take them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from ingestion.envelopes import pack, seal
from orchestration.cli import app
from orchestration.demo import span_of
from orchestration.history import check_begun
from orchestration.options import EARLIEST, LATEST, span, whole_hours
from orchestration.partitions import key_of_day, key_of_hour, utc_day, utc_hour
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


@pytest.mark.parametrize("command", ["run", "backfill"])
def test_an_hour_that_has_not_begun_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """A span of the future used to be simulated, or to end in a traceback."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAROGRAPH_SOURCE", "sandbox")

    refused = CliRunner().invoke(app, [command, "--from", "2099-03-04T10:00", "--to", "2099-03-04T12:00"]).exception

    assert isinstance(refused, BadSetting)
    assert str(refused).startswith("2099-03-04T1")
    assert "the hour " in str(refused)
    assert list(tmp_path.iterdir()) == []


def test_a_recording_of_an_hour_that_has_not_begun_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    at = datetime(2099, 3, 4, 10, 1, tzinfo=UTC)
    place = {"venue": "binance_spot", "host": "api.binance.com", "path": "/api/v3/depth", "query": "symbol=BTCUSDT"}
    (tmp_path / "late.jsonl.zst").write_bytes(pack([seal(**place, status=200, captured_ts=at, body=b"{}")]))

    refused = CliRunner().invoke(app, ["replay", "late.jsonl.zst"]).exception

    assert isinstance(refused, BadSetting)
    assert str(refused).startswith("2099-03-04T10:00Z: the hour has not begun")
    assert [path.name for path in tmp_path.iterdir()] == ["late.jsonl.zst"]


def test_the_open_hour_is_the_last_that_can_be_run() -> None:
    now = datetime(2026, 3, 4, 10, 59, 59, tzinfo=UTC)

    check_begun(datetime(2026, 3, 4, 11, tzinfo=UTC), now)
    with pytest.raises(BadSetting, match=r"^2026-03-04T11:00Z: .* \(expected an end up to 2026-03-04T11:00Z\)"):
        check_begun(datetime(2026, 3, 4, 12, tzinfo=UTC), now)


def test_the_earliest_instant_of_the_command_line_has_a_partition() -> None:
    """What venues keep of 2014 to 2016 could be fetched and not built."""
    assert utc_hour.has_partition_key(key_of_hour(EARLIEST))
    assert utc_day.has_partition_key(key_of_day(EARLIEST))


def test_the_demonstration_is_of_closed_days_that_the_sandbox_knows() -> None:
    now = datetime(2026, 11, 24, 2, tzinfo=UTC)
    first, yesterday = datetime(2023, 1, 2, tzinfo=UTC), datetime(2026, 11, 23, 23, 59, tzinfo=UTC)

    assert span_of(first, now) == (datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 1, 3, tzinfo=UTC))
    assert span_of(yesterday, now)[1] == datetime(2026, 11, 24, tzinfo=UTC)
    for day in (EARLIEST, datetime(2023, 1, 1, 23, tzinfo=UTC), now, LATEST):
        with pytest.raises(BadSetting, match="expected a UTC day from 2023-01-02 to 2026-11-23"):
            span_of(day, now)


def test_what_is_no_instant_is_told_with_its_option() -> None:
    with pytest.raises(BadSetting, match=r"^--to 'soon': expected a UTC instant"):
        span("2026-03-04", "soon")


def test_the_bounds_are_the_widest_window_that_dbt_builds() -> None:
    window = yaml.safe_load(PROJECT.read_text())["vars"]

    assert datetime.fromisoformat(window["from_hour"]) == EARLIEST
    assert datetime.fromisoformat(window["to_hour"]) == LATEST
    assert whole_hours("2009-01-01", "2100-01-01") == (EARLIEST, LATEST)
