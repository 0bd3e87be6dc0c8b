"""When things run. Sweep all hour; build each hour once it has closed, each day once its last hour is built.

Live, what exists only now is swept every few minutes into the open hour. The hourly run fetches what venues keep,
and takes the closed hour through both gates.
"""

from datetime import timedelta

import dagster as dg

from orchestration.assets.lake import LAKE_SPECS
from orchestration.assets.raw import RAW_SPECS
from orchestration.assets.warehouse import DAILY, staged
from orchestration.partitions import key_of_day, key_of_hour

RAW = dg.AssetSelection.assets(*(spec.key for spec in RAW_SPECS))
LAKE = dg.AssetSelection.assets(*(spec.key for spec in LAKE_SPECS))
DAYS = dg.AssetSelection.assets(dg.AssetKey(["marts", DAILY]), dg.AssetKey(["published", DAILY]))
HOURS = dg.AssetSelection.all() - RAW - LAKE - dg.AssetSelection.assets(*staged.keys) - DAYS

sweep = dg.define_asset_job("sweep", RAW, description="Look at every venue once, now.")
hourly = dg.define_asset_job(
    "hourly",
    RAW | LAKE | dg.AssetSelection.assets(*staged.keys) | HOURS,
    description="A closed hour, from the venues to readers.",
)
rebuild = dg.define_asset_job(
    "rebuild",
    LAKE | dg.AssetSelection.assets(*staged.keys) | HOURS,
    description="Hours whose raw replies are already kept, from raw to readers.",
)
daily = dg.define_asset_job("daily", DAYS, description="A closed day, from its hours to readers.")
JOBS = (sweep, hourly, rebuild, daily)


@dg.schedule(job=sweep, cron_schedule="*/5 * * * *", execution_timezone="UTC")
def every_five_minutes(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    return dg.RunRequest(partition_key=key_of_hour(context.scheduled_execution_time))


@dg.schedule(job=hourly, cron_schedule="5 * * * *", execution_timezone="UTC")
def after_the_hour(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    closed = context.scheduled_execution_time - timedelta(hours=1)
    return dg.RunRequest(run_key=key_of_hour(closed), partition_key=key_of_hour(closed))


@dg.schedule(job=daily, cron_schedule="25 0 * * *", execution_timezone="UTC")
def after_the_close(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    yesterday = context.scheduled_execution_time - timedelta(days=1)
    return dg.RunRequest(run_key=key_of_day(yesterday), partition_key=key_of_day(yesterday))


SCHEDULES = (every_five_minutes, after_the_hour, after_the_close)
