"""When things run. Sweep all hour; build each hour once it has closed, each day once its last hour is built.

Live, what exists only now is swept every few minutes into the open hour. The hourly run fetches what venues keep,
and takes the closed hour through both gates.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg

from orchestration.assets.lake import LAKE_SPECS
from orchestration.assets.raw import RAW_SPECS
from orchestration.assets.warehouse import staged
from orchestration.partitions import key_of_day, key_of_hour
from orchestration.tables import DAILY_TABLES, HOURLY_TABLES

if TYPE_CHECKING:  # Dagster does not export it
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

STAGED = dg.AssetSelection.assets(*staged.keys)
DAYS = dg.AssetSelection.assets(
    *(dg.AssetKey([zone, table.name]) for table in DAILY_TABLES for zone in ("marts", "published"))
)
EVERY_VENUE = dg.AssetSelection.assets(*(spec.key for spec in (*RAW_SPECS, *LAKE_SPECS)))
HOURS = dg.AssetSelection.all() - EVERY_VENUE - STAGED - DAYS
PUBLISHED_HOURS = dg.AssetKey(["published", HOURLY_TABLES[-1].name])
PUBLISHED_DAYS = dg.AssetKey(["published", DAILY_TABLES[-1].name])
MISSED_HOURS, MISSED_DAYS = 24, 7  # how far back a schedule looks for what it missed while the daemon was down


def jobs_of(venues: Collection[str]) -> "tuple[UnresolvedAssetJobDefinition, ...]":
    """The jobs of a deployment that asks these venues: what is not asked for has neither run nor verdict."""
    raw, lake = (_of(venues, specs) for specs in (RAW_SPECS, LAKE_SPECS))
    return (
        dg.define_asset_job("sweep", raw, description="Look at every venue once, now."),
        dg.define_asset_job(
            "hourly", raw | lake | STAGED | HOURS, description="A closed hour, from the venues to readers."
        ),
        dg.define_asset_job(
            "rebuild",
            lake | STAGED | HOURS,
            description="Hours whose raw replies are already kept, from raw to readers.",
        ),
        dg.define_asset_job("daily", DAYS, description="A closed day, from its hours to readers."),
    )


def _of(venues: Collection[str], specs: Sequence[dg.AssetSpec]) -> dg.AssetSelection:
    return dg.AssetSelection.assets(*(spec.key for spec in specs if spec.key.path[1] in venues))


@dg.schedule(job_name="sweep", cron_schedule="*/5 * * * *", execution_timezone="UTC")
def every_five_minutes(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    return dg.RunRequest(partition_key=key_of_hour(context.scheduled_execution_time))


@dg.schedule(job_name="hourly", cron_schedule="5 * * * *", execution_timezone="UTC")
def after_the_hour(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
    closed = [context.scheduled_execution_time - timedelta(hours=back) for back in range(MISSED_HOURS, 0, -1)]
    return _owed(context.instance, PUBLISHED_HOURS, [key_of_hour(hour) for hour in closed])


@dg.schedule(job_name="daily", cron_schedule="25 0 * * *", execution_timezone="UTC")
def after_the_close(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
    closed = [context.scheduled_execution_time - timedelta(days=back) for back in range(MISSED_DAYS, 0, -1)]
    return _owed(context.instance, PUBLISHED_DAYS, [key_of_day(day) for day in closed])


def _owed(instance: dg.DagsterInstance, published: dg.AssetKey, closed: Sequence[str]) -> list[dg.RunRequest]:
    """The last of the closed partitions, and those before it that have been missed since the first that was published.

    Dagster makes up for no tick that it missed but the last. A run key keeps one that failed from being asked for
    again at every tick.
    """
    done = instance.get_materialized_partitions(published).intersection(closed)
    since = min(done, default=closed[-1])
    missed = [key for key in closed[:-1] if key > since and key not in done]
    return [dg.RunRequest(run_key=key, partition_key=key) for key in (*missed, closed[-1])]


SCHEDULES = (every_five_minutes, after_the_hour, after_the_close)
