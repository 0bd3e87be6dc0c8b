"""Options that several commands take alike, and how they are read."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ingestion.hours import HOUR, hour_of, hours_between, parse_instant
from orchestration.settings import BadSetting, Settings, known_venues

# The widest window that dbt builds: the defaults of its from_hour and to_hour.
EARLIEST = datetime(2009, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)

LakeUri = Annotated[
    str | None,
    typer.Option("--lake-uri", help="file:///path or s3://bucket/prefix. Default: .barograph/lake"),
]
WarehousePath = Annotated[
    Path | None,
    typer.Option("--warehouse-path", help="The private DuckDB file. Default: .barograph/warehouse.duckdb"),
]
From = Annotated[str | None, typer.Option("--from", help="First instant, UTC: 2024-01-14T20:00Z or 2024-01-14")]
To = Annotated[str | None, typer.Option("--to", help="End, not included, UTC")]
Venues = Annotated[list[str] | None, typer.Option("--venue", help="Only these venues; may be repeated")]
TableOrJson = Annotated[str, typer.Option("--format", help="table or json")]
IsBuilt = Annotated[bool, typer.Option("--build/--no-build", help="Go on to readers, or stop at the raw zone")]


def settings_of(lake_uri: str | None, warehouse_path: Path | None = None, venues: list[str] | None = None) -> Settings:
    """The environment's settings with what this command was told instead."""
    settings = Settings.read()
    return replace(
        settings,
        lake_uri=lake_uri or settings.lake_uri,
        warehouse_path=(warehouse_path or settings.warehouse_path).absolute(),
        venues=known_venues(tuple(venues)) if venues else settings.venues,
    )


def instant(option: str, text: str) -> datetime:
    """What this option was given, as UTC; raises BadSetting for no instant, or one that no build takes."""
    try:
        at = parse_instant(text)
    except ValueError as error:
        raise BadSetting(f"{option} {error}") from error
    if not EARLIEST <= at <= LATEST:
        raise BadSetting(f"{option} {text!r}: expected an instant from {EARLIEST:%Y-%m-%d} to {LATEST:%Y-%m-%d}")
    return at


def span(start: str | None, end: str | None) -> tuple[datetime | None, datetime | None]:
    """Both instants, as far as they were given; raises BadSetting where nothing lies between."""
    first, last = (instant(name, text) if text else None for name, text in (("--from", start), ("--to", end)))
    if first and last and first >= last:
        raise BadSetting(f"--from {start} --to {end}: empty span (expected --from before --to)")
    return first, last


def whole_hours(start: str, end: str) -> tuple[datetime, datetime]:
    """The hours that a span touches, from the first one's start to the last one's end."""
    first, last = span(start, end)
    if first is None or last is None:
        raise BadSetting("expected both --from and --to")
    return hour_of(first), hours_between(first, last)[-1] + HOUR


def known_form(form: str, forms: tuple[str, ...]) -> None:
    """Raises BadSetting for another."""
    if form not in forms:
        raise BadSetting(f"--format {form!r}: unknown (expected {', '.join(forms)})")
