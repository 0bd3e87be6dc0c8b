"""Run a job of the definitions in this process, over a span of hours or days."""

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg

from ingestion.hours import HOUR
from orchestration.definitions import build_defs
from orchestration.partitions import key_of_day, key_of_hour
from orchestration.settings import Settings

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


class RunFailed(RuntimeError):
    """A job stopped; the message is the first step's own reason, in a line."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished run did: materialised assets and the warnings of its checks."""

    job: str
    materialized_count: int
    step_seconds: Mapping[str, float]
    warnings: tuple[str, ...]


def run(settings: Settings, job: str, start: datetime, end: datetime) -> Outcome:
    """Run one job over [start, end) as a single run; raises `RunFailed`."""
    definitions = build_defs(settings)
    first, last = (
        (key_of_day(start), key_of_day(end - timedelta(microseconds=1)))
        if job == "daily"
        else (key_of_hour(start), key_of_hour(end - HOUR))
    )
    log = settings.warehouse_path.with_name("barograph.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    # dbt tells every model on standard output, which belongs to the command's own answer.
    with _instance() as instance, log.open("a") as stream, contextlib.redirect_stdout(stream):
        result = definitions.resolve_job_def(job).execute_in_process(
            instance=instance,
            partition_key=first if first == last else None,
            tags={} if first == last else {RANGE_START: first, RANGE_END: last},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )
    if not result.success:
        raise RunFailed(f"{job} {first} to {last}: {_reason(result.all_events)}")
    checks = result.get_asset_check_evaluations()
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
            for check in checks
            if not check.passed
        ),
    )


def _reason(events: Sequence[dg.DagsterEvent]) -> str:
    for event in events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            if event.step_failure_data.user_failure_data is not None:
                return str(event.step_failure_data.user_failure_data.description)
            return f"{event.step_key}: {error.message.strip() if error else 'failed'}"
    return "failed before its first step"


def _instance() -> dg.DagsterInstance:
    """The instance of DAGSTER_HOME, so that the UI shows the run; else one that is gone with the process."""
    home = os.environ.get("DAGSTER_HOME")
    if not home:
        return dg.DagsterInstance.ephemeral()
    Path(home).mkdir(parents=True, exist_ok=True)
    return dg.DagsterInstance.get()
