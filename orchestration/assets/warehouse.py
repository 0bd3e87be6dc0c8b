"""Warehouse: the dbt models as assets, built on what is staged for the run's window."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TextIO

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource, dbt_assets

from ingestion.estimators import SOURCE_OF
from ingestion.hours import HOUR
from ingestion.venues import VENUES
from orchestration.partitions import hours_of, utc_day, utc_hour
from orchestration.pipeline import Pipeline
from orchestration.resources import DBT_PROJECT, BarographResource
from orchestration.tables import DAILY_TABLES, HOURLY_TABLES, KEPT_TABLES, READ_BY_DAYS
from orchestration.warehouse import (
    STAGED,
    begin,
    certify,
    end,
    failed_hours,
    handed_on,
    only_writer,
    stage,
    uncertified,
    withdraw,
)

DAILY = "tag:daily"
LATENESS = timedelta(minutes=15)  # after midnight, before a day counts as closed


class Translator(DagsterDbtTranslator):
    """The asset key is the place: `facts/fct_basis`; a dbt source is the staged dataset."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_source_tests_as_checks=True))

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey(["staged", dbt_resource_props["name"]])
        return dg.AssetKey([dbt_resource_props["fqn"][1], dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        return str(dbt_resource_props["fqn"][1])


def _feeds(dataset: str) -> list[dg.AssetKey]:
    """The lake assets whose rows stand in a staged dataset; coverage tells of all of them."""
    told_by = dataset
    while told_by in SOURCE_OF:
        told_by = SOURCE_OF[told_by]
    return [
        dg.AssetKey(["lake", venue.name, own])
        for venue in VENUES.values()
        for own in venue.lake_datasets
        if told_by in {own, "coverage"}
    ]


@dg.multi_asset(
    name="stage_lake",
    specs=[
        dg.AssetSpec(
            key=["staged", dataset],
            group_name="staged",
            kinds={"duckdb"},
            deps=_feeds(dataset),
            partitions_def=utc_hour,
            description=f"The window's {dataset.replace('_', ' ')} of all venues, where dbt's sources look.",
        )
        for dataset in STAGED
    ],
    partitions_def=utc_hour,
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool="warehouse",
)
def staged(context: dg.AssetExecutionContext, barograph: BarographResource) -> Iterator[dg.MaterializeResult[None]]:
    pipeline = barograph.open()
    with only_writer(pipeline.settings.warehouse_path):
        counts = stage(pipeline.settings.warehouse_path, pipeline.lake, hours_of(context))
    for dataset, count in counts.items():
        yield dg.MaterializeResult(asset_key=["staged", dataset], metadata={"dagster/row_count": count})


@dbt_assets(
    manifest=DBT_PROJECT.manifest_path,
    exclude=DAILY,
    name="build_hours",
    partitions_def=utc_hour,
    backfill_policy=dg.BackfillPolicy.single_run(),
    dagster_dbt_translator=Translator(),
    pool="warehouse",
)
def hourly_models(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, barograph: BarographResource
) -> Iterator[Any]:
    pipeline = barograph.open()
    path, hours = pipeline.settings.warehouse_path, hours_of(context)
    with only_writer(path) as lock:
        # Staged again: since the staging step another run may have staged its own window.
        stage(path, pipeline.lake, hours)
        withdraw(path, (*HOURLY_TABLES, *KEPT_TABLES), hours)
        failed = begin(path, hours)
        yield from _build(context, dbt, pipeline, hours, lock)
        is_whole = _is_whole(context, hourly_models)
        end(path, [hour for hour in hours if is_whole or hour not in failed])  # a part mends no whole
        if is_whole:
            certify(path, (*HOURLY_TABLES, *KEPT_TABLES), hours)


@dbt_assets(
    manifest=DBT_PROJECT.manifest_path,
    select=DAILY,
    name="build_days",
    partitions_def=utc_day,
    backfill_policy=dg.BackfillPolicy.single_run(),
    dagster_dbt_translator=Translator(),
    pool="warehouse",
)
def daily_models(context: dg.AssetExecutionContext, dbt: DbtCliResource, barograph: BarographResource) -> Iterator[Any]:
    pipeline = barograph.open()
    path, hours = pipeline.settings.warehouse_path, hours_of(context)
    with only_writer(path) as lock:
        withdraw(path, DAILY_TABLES, hours)
        # A day rests on hours that passed, or on none.
        if wrong := uncertified(path, READ_BY_DAYS, hours, may_be_absent=True) or failed_hours(path, hours):
            raise dg.Failure(f"the day rests on hours that did not pass: {'; '.join(wrong)}", allow_retries=False)
        yield from _build(context, dbt, pipeline, hours, lock)
        if _is_whole(context, daily_models):
            certify(path, DAILY_TABLES, hours)


def _is_whole(context: dg.AssetExecutionContext, models: dg.AssetsDefinition) -> bool:
    """Whether this run built every model and ran every test: a part passes nothing on."""
    left_out = (models.keys - context.selected_asset_keys, models.check_keys - context.selected_asset_check_keys)
    return not any(left_out)


def _build(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, pipeline: Pipeline, hours: Sequence[datetime], lock: TextIO
) -> Iterator[Any]:
    window = {
        "from_hour": f"{hours[0]:%Y-%m-%d %H:%M:%S}+00",
        "to_hour": f"{hours[-1] + HOUR:%Y-%m-%d %H:%M:%S}+00",
        "warehouse_path": str(pipeline.settings.warehouse_path),
        "closed_before": f"{pipeline.now() - LATENESS:%Y-%m-%d %H:%M:%S}+00",
    }
    # Unit tests prove the code, not an hour; they run with the other tests of the code.
    arguments = ["build", "--exclude-resource-type", "unit_test", "--vars", json.dumps(window)]
    # Of its own for each warehouse, whose lock this run holds; the default is one more folder a run, for ever.
    target = pipeline.settings.warehouse_path.with_name("dbt") / context.op_handle.name
    with handed_on(lock):
        invocation = dbt.cli(arguments, context=context, target_path=target)
    yield from invocation.stream()
