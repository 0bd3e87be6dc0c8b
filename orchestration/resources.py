"""What assets are given. Wiring only: the work is in `pipeline`, `warehouse` and `publish`."""

import sys
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import dagster as dg
from dagster_dbt import DbtCliResource, DbtProject
from packaging.version import Version

from orchestration.pipeline import Pipeline
from orchestration.settings import Settings

DBT_PROJECT = DbtProject(
    project_dir=Path(__file__).parents[1] / "dbt_project",
    profiles_dir=Path(__file__).parents[1] / "dbt_project",
)
DBT_EXECUTABLE = str(Path(sys.executable).with_name("dbt"))  # of this environment, whatever PATH says


class BarographResource(dg.ConfigurableResource[Pipeline]):
    """One deployment: its lake, its warehouse and whom it asks."""

    lake_uri: str
    warehouse_path: str
    source: str
    base_url: str | None
    base_urls: dict[str, str]
    venues: list[str]
    underlyings: list[str]
    sweep_minutes: int
    book_every_s: float
    book_levels: int
    capture_deadline_s: float
    sandbox_seed: int
    sandbox_faults: list[str]

    @classmethod
    def of(cls, settings: Settings) -> "BarographResource":
        return cls(
            lake_uri=settings.lake_uri,
            warehouse_path=str(settings.warehouse_path),
            source=settings.source,
            base_url=settings.base_url,
            base_urls=dict(settings.base_urls),
            venues=list(settings.venues),
            underlyings=list(settings.underlyings),
            sweep_minutes=settings.sweep_minutes,
            book_every_s=settings.book_every_s,
            book_levels=settings.book_levels,
            capture_deadline_s=settings.capture_deadline_s,
            sandbox_seed=settings.sandbox_seed,
            sandbox_faults=list(settings.sandbox_faults),
        )

    def open(self) -> Pipeline:
        return Pipeline(
            Settings(
                lake_uri=self.lake_uri,
                warehouse_path=Path(self.warehouse_path),
                source="sandbox" if self.source == "sandbox" else "live",
                base_url=self.base_url,
                base_urls=tuple(self.base_urls.items()),
                venues=tuple(self.venues),
                underlyings=tuple(self.underlyings),
                sweep_minutes=self.sweep_minutes,
                book_every_s=self.book_every_s,
                book_levels=self.book_levels,
                capture_deadline_s=self.capture_deadline_s,
                sandbox_seed=self.sandbox_seed,
                sandbox_faults=tuple(self.sandbox_faults),
            )
        )


class Dbt(DbtCliResource):
    """dbt of this environment, whose version its own metadata tell: asking the program costs a start of it."""

    @cached_property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))


def dbt_resource() -> DbtCliResource:
    """dbt on this project; the warehouse's path reaches it through the variables of each call."""
    return Dbt(
        project_dir=str(DBT_PROJECT.project_dir),
        profiles_dir=str(DBT_PROJECT.profiles_dir),
        dbt_executable=DBT_EXECUTABLE,
    )
