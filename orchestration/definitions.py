"""What Dagster loads: everything above, wired for the deployment that the environment describes."""

import dagster as dg

from orchestration.manifest import ensure_manifest
from orchestration.settings import Settings


def build_defs(settings: Settings) -> dg.Definitions:
    """The same assembly for production, the command line and tests; only the settings differ."""
    ensure_manifest()
    # The dbt assets read the manifest when they are defined.
    from orchestration.assets.lake import lake
    from orchestration.assets.published import published_days, published_hours
    from orchestration.assets.raw import raw
    from orchestration.assets.warehouse import daily_models, hourly_models, staged
    from orchestration.jobs import SCHEDULES, jobs_of
    from orchestration.resources import BarographResource, dbt_resource

    return dg.Definitions(
        assets=[raw, lake, staged, hourly_models, daily_models, published_hours, published_days],
        jobs=jobs_of(settings.venues),
        schedules=SCHEDULES,
        resources={"barograph": BarographResource.of(settings), "dbt": dbt_resource()},
        executor=dg.in_process_executor,
    )


defs = build_defs(Settings.read())
