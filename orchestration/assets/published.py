"""Published: what readers see, all tables of a window at once, only after gate 2."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import dagster as dg

from orchestration.candidates import PublishedTable, Unpublishable
from orchestration.partitions import hours_of, utc_day, utc_hour
from orchestration.pipeline import Pipeline
from orchestration.publish import Published, PublishError, PublishRefused, publish
from orchestration.resources import BarographResource
from orchestration.tables import DAILY_TABLES, HOURLY_TABLES
from orchestration.warehouse import WarehouseBusy, only_writer, uncertified


def _specs(tables: Sequence[PublishedTable], partitions: dg.PartitionsDefinition) -> list[dg.AssetSpec]:
    return [
        dg.AssetSpec(
            key=["published", table.name],
            group_name="published",
            kinds={"duckdb", "parquet"},
            deps=[[table.schema, table.name]],
            partitions_def=partitions,
            description=f"`{table.name}` as readers see it, one version for all tables.",
        )
        for table in tables
    ]


def show(pipeline: Pipeline, tables: Sequence[PublishedTable], hours: Sequence[datetime]) -> Published:
    """Publish these hours of these tables if every row of them passed its tests; raises `PublishError`."""
    path = pipeline.settings.warehouse_path
    with only_writer(path):
        if wrong := uncertified(path, tables, hours):
            raise PublishRefused(wrong)
        return publish(path, pipeline.store, hours, tables)


def _materialized(
    context: dg.AssetExecutionContext, barograph: BarographResource, tables: Sequence[PublishedTable]
) -> Iterator[dg.MaterializeResult[None]]:
    try:
        published = show(barograph.open(), tables, hours_of(context))
    except (PublishError, Unpublishable, WarehouseBusy) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    for table in tables:
        yield dg.MaterializeResult(
            asset_key=["published", table.name],
            metadata={"dagster/row_count": published.rows[table.name], "version": published.version},
        )


@dg.multi_asset(
    name="publish_hours",
    specs=_specs(HOURLY_TABLES, utc_hour),
    partitions_def=utc_hour,
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool="warehouse",
)
def published_hours(
    context: dg.AssetExecutionContext, barograph: BarographResource
) -> Iterator[dg.MaterializeResult[None]]:
    yield from _materialized(context, barograph, HOURLY_TABLES)


@dg.multi_asset(
    name="publish_days",
    specs=_specs(DAILY_TABLES, utc_day),
    partitions_def=utc_day,
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool="warehouse",
)
def published_days(
    context: dg.AssetExecutionContext, barograph: BarographResource
) -> Iterator[dg.MaterializeResult[None]]:
    yield from _materialized(context, barograph, DAILY_TABLES)
