"""Options that several commands take alike."""

from pathlib import Path
from typing import Annotated

import typer

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
