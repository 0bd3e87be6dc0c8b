"""What Dagster loads: an asset and a check a dataset, few steps, one writer, and schedules that repeat nothing."""

import ast
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from ingestion.venues import VENUES
from orchestration import definitions
from orchestration.assets.lake import LAKE_SPECS, lake
from orchestration.assets.published import published_days, published_hours
from orchestration.assets.raw import RAW_SPECS, raw
from orchestration.assets.warehouse import daily_models, hourly_models, staged
from orchestration.settings import Settings
from orchestration.tables import DAILY_TABLES, HOURLY_TABLES

ASSETS = (raw, lake, staged, hourly_models, daily_models, published_hours, published_days)
MAX_BODY_LINES = 12


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    return definitions.build_defs(Settings())


def test_they_load(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)

    assert {job.name for job in defs.jobs or ()} == {"sweep", "hourly", "rebuild", "daily"}


def test_every_dataset_of_every_venue_is_a_raw_asset_and_every_kind_of_its_rows_a_lake_asset() -> None:
    """Of the registry's own: another test of this process may have adopted exchanges of ccxt since."""
    own = [venue for venue in VENUES.values() if not venue.name.startswith("ccxt_")]
    names = {venue.name for venue in own}

    assert {key for key in raw.keys if key.path[1] in names} == {
        dg.AssetKey(["raw", venue.name, dataset]) for venue in own for dataset in venue.datasets
    }
    assert {key for key in lake.keys if key.path[1] in names} == {
        dg.AssetKey(["lake", venue.name, dataset]) for venue in own for dataset in venue.lake_datasets
    }


def test_every_lake_asset_is_guarded_by_a_blocking_check() -> None:
    guarded = {spec.asset_key for spec in lake.check_specs if spec.blocking and spec.name == "passed_gate_1"}

    assert guarded == lake.keys


def test_every_fact_and_mart_that_is_published_is_guarded_by_blocking_tests() -> None:
    guarded = {
        spec.asset_key for models in (hourly_models, daily_models) for spec in models.check_specs if spec.blocking
    }

    assert guarded >= {dg.AssetKey([table.schema, table.name]) for table in (*HOURLY_TABLES, *DAILY_TABLES)}


@pytest.mark.parametrize("job", ["hourly", "rebuild"])
def test_the_jobs_of_an_hour_carry_every_check_of_it(defs: dg.Definitions, job: str) -> None:
    carried = defs.resolve_job_def(job).asset_layer.asset_graph.asset_check_keys

    assert carried == lake.check_keys | hourly_models.check_keys


@pytest.mark.parametrize("job", ["hourly", "rebuild", "daily", "sweep"])
def test_a_job_has_a_handful_of_steps_however_many_venues_are_asked(job: str) -> None:
    """A step costs seconds."""
    steps = {
        frozenset(node.name for node in definitions.build_defs(settings).resolve_job_def(job).nodes)
        for settings in (Settings(), Settings(venues=("deribit",)))
    }

    assert len(steps) == 1
    assert len(steps.pop()) <= 5


def test_a_deployment_that_asks_one_venue_has_jobs_for_that_one_alone() -> None:
    """A venue that is not asked is not a gap."""
    job = definitions.build_defs(Settings(venues=("deribit",))).resolve_job_def("hourly")
    keys = {key for key in job.asset_layer.executable_asset_keys if key.path[0] in {"raw", "lake"}}

    assert {key.path[1] for key in keys} == {"deribit"}
    assert len(keys) == len(VENUES["deribit"].datasets) + len(VENUES["deribit"].lake_datasets)


def test_a_range_is_one_run_for_every_asset() -> None:
    assert {str(asset.backfill_policy) for asset in ASSETS} == {str(dg.BackfillPolicy.single_run())}


def test_whoever_touches_the_warehouse_waits_in_one_pool() -> None:
    pools = {asset.op.name: asset.op.pool for asset in ASSETS}

    assert pools == {
        "capture": "venues",
        "normalise": "lake",
        **dict.fromkeys(("stage_lake", "build_hours", "build_days", "publish_hours", "publish_days"), "warehouse"),
    }


AT_FIVE_PAST = datetime(2026, 3, 5, 0, 5, tzinfo=UTC)
AFTER_MIDNIGHT = datetime(2026, 3, 5, 0, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "cron", "job", "at", "partition_key"),
    [
        ("every_five_minutes", "*/5 * * * *", "sweep", AT_FIVE_PAST, "2026-03-05-00:00"),
        ("after_the_hour", "5 * * * *", "hourly", AT_FIVE_PAST, "2026-03-04-23:00"),
        ("after_the_close", "25 0 * * *", "daily", AFTER_MIDNIGHT, "2026-03-04"),
    ],
)
def test_a_schedule_asks_for_the_partition_that_its_moment_is_about(
    defs: dg.Definitions, schedule: str, cron: str, job: str, at: datetime, partition_key: str, tmp_path: Path
) -> None:
    definition = defs.resolve_schedule_def(schedule)

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        [request] = asked_of(defs, schedule, at, instance)

    assert (definition.cron_schedule, definition.execution_timezone, definition.job_name) == (cron, "UTC", job)
    assert request.partition_key == partition_key
    # An hour and a day are built once a tick, however often it is evaluated; every sweep is a new look.
    assert request.run_key == (None if job == "sweep" else partition_key)


def asked_of(
    defs: dg.Definitions, schedule: str, at: datetime, instance: dg.DagsterInstance
) -> Sequence[dg.RunRequest]:
    context = dg.build_schedule_context(
        instance=instance, scheduled_execution_time=at, repository_def=defs.get_repository_def()
    )
    return defs.resolve_schedule_def(schedule).evaluate_tick(context).run_requests or ()


@pytest.mark.parametrize(
    ("schedule", "asset", "at", "published", "asked"),
    [
        pytest.param(
            "after_the_hour",
            ["published", "mart_pressure_differentials_hourly"],
            datetime(2026, 3, 5, 2, 5, tzinfo=UTC),
            ("2026-03-04-21:00", "2026-03-04-23:00"),
            ["2026-03-04-22:00", "2026-03-05-00:00", "2026-03-05-01:00"],
            id="hours, across midnight",
        ),
        pytest.param(
            "after_the_close",
            ["published", "mart_pressure_differentials_daily"],
            AFTER_MIDNIGHT,
            ("2026-03-01", "2026-03-02"),
            ["2026-03-03", "2026-03-04"],
            id="days",
        ),
        pytest.param(
            "after_the_hour",
            ["published", "mart_pressure_differentials_hourly"],
            AT_FIVE_PAST,
            ("2024-01-14-20:00",),
            ["2026-03-04-23:00"],
            id="a recorded hour of long ago is no reason to ask for all since",
        ),
        pytest.param(
            "after_the_hour",
            ["published", "mart_pressure_differentials_hourly"],
            AT_FIVE_PAST,
            ("2026-03-04-22:00", "2026-03-04-23:00"),
            ["2026-03-04-23:00"],
            id="nothing missed",
        ),
    ],
)
def test_a_schedule_makes_up_for_what_it_missed_while_it_was_down(
    defs: dg.Definitions,
    schedule: str,
    asset: list[str],
    at: datetime,
    published: tuple[str, ...],
    asked: list[str],
    tmp_path: Path,
) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        for key in published:
            instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=key))

        requests = asked_of(defs, schedule, at, instance)

    assert [request.partition_key for request in requests] == asked
    assert [request.run_key for request in requests] == asked


def test_what_assets_do_is_told_elsewhere() -> None:
    """The body of an asset wires; the work is in the modules that know no Dagster."""
    long = {}
    for path in sorted((Path(definitions.__file__).parent / "assets").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and any("asset" in ast.unparse(d) for d in node.decorator_list):
                length = (node.end_lineno or 0) - node.body[0].lineno + 1
                if length > MAX_BODY_LINES:
                    long[node.name] = length

    assert long == {}


def test_specs_say_what_they_are() -> None:
    assert all(spec.description and spec.group_name for spec in (*RAW_SPECS, *LAKE_SPECS))
