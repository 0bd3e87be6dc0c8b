"""A small deployment on the built-in exchange, taken through the real jobs, and all that its readers see.

A run costs tens of seconds, so one good hour is built once and copied by whoever means to spoil it.
"""

import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from ingestion.hours import HOUR
from ingestion.storage import Store
from orchestration.partitions import key_of_hour
from orchestration.published import current, open_published
from orchestration.running import run
from orchestration.settings import Settings

HOUR_0 = datetime(2026, 3, 4, 10, tzinfo=UTC)
LEDGERS = ("published_partitions", "publishes")  # say when rows became readable, and so differ from run to run


def deployment(folder: Path, **changes: Any) -> Settings:
    """A deployment of its own below `folder`; nothing of the environment reaches it."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = Settings(
        lake_uri=f"file://{folder / 'lake'}",
        warehouse_path=folder / "warehouse.duckdb",
        source="sandbox",
        sweep_minutes=15,  # the fewest looks that speak of the whole hour
    )
    return replace(settings, **changes)


def copy_of(settings: Settings, folder: Path, **changes: Any) -> Settings:
    """The same deployment, file by file, somewhere else."""
    shutil.copytree(settings.warehouse_path.parent, folder, dirs_exist_ok=True)
    return replace(
        settings, lake_uri=f"file://{folder / 'lake'}", warehouse_path=folder / "warehouse.duckdb", **changes
    )


def build_good_hour(folder: Path) -> Settings:
    """One hour of all venues, from capture to readers."""
    settings = deployment(folder)
    run(settings, "hourly", HOUR_0, HOUR_0 + HOUR)
    return settings


def materialize(
    settings: Settings, asset: dg.AssetsDefinition, hour: datetime, selection: Sequence[str] | None = None
) -> dg.ExecuteInProcessResult:
    """Run one asset apart from its job, as anybody may from the UI; `selection` names keys like `marts/x`."""
    from orchestration.resources import BarographResource, dbt_resource

    return dg.materialize(
        [asset],
        partition_key=key_of_hour(hour),
        resources={"barograph": BarographResource.of(settings), "dbt": dbt_resource()},
        selection=list(selection) if selection else None,
        raise_on_error=False,
    )


def store_of(settings: Settings) -> Store:
    return Store.open(settings.lake_uri)


def version_of(settings: Settings) -> int:
    """The version that readers get; 0 where nothing was published."""
    pointer = current(store_of(settings))
    return pointer.version if pointer else 0


def read(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    """What a reader gets."""
    with closing(open_published(store_of(settings))) as connection:
        return connection.execute(sql).fetchall()


def published_rows(settings: Settings) -> dict[str, list[str]]:
    """Every published row of every table, sorted and spelled so that two floats are equal to the bit or not."""
    with closing(open_published(store_of(settings))) as connection:
        names = {name for (name,) in connection.execute("show tables").fetchall()} - set(LEDGERS)
        return {
            name: sorted(map(repr, connection.execute(f'select * from "{name}"').fetchall())) for name in sorted(names)
        }


def versions_of_partitions(settings: Settings) -> dict[tuple[str, datetime], int]:
    """The version in which each partition's rows became readable, by table and start."""
    rows = read(settings, "select table_name, partition_ts, version from published_partitions")
    return {(name, start): version for name, start, version in rows}


def alter(settings: Settings, sql: str) -> None:
    """Write into the private warehouse behind the pipeline's back."""
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(sql)


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file and what it holds."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
