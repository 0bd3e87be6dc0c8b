"""Run a job of the definitions in this process, over a span of hours or days."""

import contextlib
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

import dagster as dg

from ingestion.hours import HOUR
from orchestration.definitions import build_defs
from orchestration.outcomes import Outcome, RunFailed
from orchestration.partitions import key_of_day, key_of_hour
from orchestration.settings import BadSetting, Settings
from orchestration.signalled import INTERRUPTED

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def run(settings: Settings, job: str, start: datetime, end: datetime, *, in_history: bool = True) -> Outcome:
    """
    Run one job over [start, end) as a single run; raises `RunFailed`.

    Without `in_history` the instance of DAGSTER_HOME never hears of it: two events for every asset and hour cost its
    SQLite files about 6 s an hour of data, more than the work itself.
    """
    result = execute(settings, job, start, end, in_history=in_history)
    if not result.success:
        raise RunFailed(f"{job} {' to '.join(_keys(job, start, end))}: {_reason(result)}")
    return Outcome(
        job,
        sum(event.is_step_materialization for event in result.all_events),
        {
            str(event.step_key): event.step_success_data.duration_ms / 1000
            for event in result.all_events
            if event.is_step_success
        },
        tuple(
            f"{'/'.join(check.asset_key.path)}: {check.description or check.check_name}"
            for check in result.get_asset_check_evaluations()
            if not check.passed
        ),
    )


def execute(
    settings: Settings, job: str, start: datetime, end: datetime, *, in_history: bool = True
) -> dg.ExecuteInProcessResult:
    """The same, with all that Dagster recorded, whether it succeeded or not."""
    definitions = build_defs(settings)
    first, last = _keys(job, start, end)
    # dbt tells every model on standard output, which belongs to the command's own answer.
    with _instance(in_history) as instance, _log(settings) as stream, contextlib.redirect_stdout(stream):
        return definitions.resolve_job_def(job).execute_in_process(
            instance=instance,
            partition_key=first if first == last else None,
            tags={} if first == last else {RANGE_START: first, RANGE_END: last},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )


def _log(settings: Settings) -> TextIO:
    folder = settings.warehouse_path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / "barograph.log").open("a")
    except OSError as error:
        raise BadSetting(f"{folder}: {error.strerror} (expected a folder that this user may write)") from error


def _keys(job: str, start: datetime, end: datetime) -> tuple[str, str]:
    if job == "daily":
        return key_of_day(start), key_of_day(end - timedelta(microseconds=1))
    return key_of_hour(start), key_of_hour(end - HOUR)


def _reason(result: dg.ExecuteInProcessResult) -> str:
    """What a failed check says, for it knows best; else what the failed step says."""
    blocking = [c for c in result.get_asset_check_evaluations() if not c.passed and c.severity.name == "ERROR"]
    if blocking:
        more = f" (and {len(blocking) - 1} more)" if blocking[1:] else ""
        return f"{_told(blocking[0])}{more}"
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            # Dagster wraps what a step raised; what that was raised from says less than its own line.
            while error is not None and error.cause is not None and (error.cls_name or "").startswith("Dagster"):
                error = error.cause
            if error is not None and error.cls_name == dg.DagsterExecutionInterruptedError.__name__:
                return f"{event.step_key}: {INTERRUPTED}"
            if event.step_failure_data.user_failure_data is not None:
                return str(event.step_failure_data.user_failure_data.description)
            return f"{event.step_key}: {_own_words(error.message, error.cls_name) if error else 'failed'}"
    return "failed before its first step"


def _told(check: dg.AssetCheckEvaluation) -> str:
    return f"{'/'.join(check.asset_key.path)}: {check.check_name} failed: {check.description or 'see its rows'}"


def _own_words(message: str, cls_name: str | None) -> str:
    """An exception's message without the name of its class."""
    name, _, words = message.strip().partition(": ")
    return words if cls_name and name.endswith(cls_name) and words else message.strip()


def _instance(in_history: bool) -> dg.DagsterInstance:
    """The instance of DAGSTER_HOME, so that the UI shows the run; else one that is gone with the process."""
    home = os.environ.get("DAGSTER_HOME")
    if not home or not in_history:
        return dg.DagsterInstance.ephemeral()
    Path(home).mkdir(parents=True, exist_ok=True)
    return dg.DagsterInstance.get()
