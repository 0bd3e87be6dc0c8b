"""The command line: a thin door onto the same definitions that Dagster schedules."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ingestion.envelopes import Unreadable
from ingestion.hours import HOUR, hour_of, hours_between
from ingestion.storage import StorageError, Store
from orchestration.answers import FORMS, as_table, err, out, print_answer, print_coverage, working, write_answer
from orchestration.candidates import Unpublishable
from orchestration.options import (
    From,
    IsBuilt,
    LakeUri,
    TableOrJson,
    To,
    Venues,
    WarehousePath,
    instant,
    known_form,
    settings_of,
    span,
    whole_hours,
)
from orchestration.outcomes import RunFailed
from orchestration.publish import PublishError
from orchestration.published import NothingPublished, QueryRefused
from orchestration.settings import SIMULATED, BadSetting, Settings
from orchestration.warehouse import WarehouseBusy

if TYPE_CHECKING:
    from ingestion.imports.archives import SourceFile
    from orchestration.hedge import HedgeReport
    from orchestration.status import Status

EXPECTED = (
    BadSetting,
    NothingPublished,
    OSError,
    PublishError,
    QueryRefused,
    RunFailed,
    StorageError,
    Unpublishable,
    Unreadable,
    ValueError,
    WarehouseBusy,
)
DEMO_DAY = "2026-03-04"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="markdown",
    help="A market-microstructure warehouse for crypto derivatives.",
)

imports = typer.Typer(no_args_is_help=True, help="Bring files of data vendors into the lake.")
app.add_typer(imports, name="import")


@app.command(epilog="Example: `barograph demo --day 2026-03-04`")
def demo(
    day: Annotated[
        str, typer.Option(help="The UTC day to end with; the day before is simulated for its history")
    ] = DEMO_DAY,
    lake_uri: LakeUri = None,
    warehouse_path: WarehousePath = None,
) -> None:
    """Simulate two days on the built-in exchange, through every gate, to tables and pictures. No network."""
    from orchestration.demo import simulate, span_of

    settings = replace(settings_of(lake_uri, warehouse_path), source="sandbox", base_url=None, venues=SIMULATED)
    start, end = span_of(instant("--day", day), datetime.now(UTC))
    with working("starting") as say:
        summary = simulate(settings, start, end, say)
    summary.show(out)


@app.command(
    epilog="Example: `barograph replay recordings/*.jsonl.zst --from 2024-01-14T20:00Z --to 2024-01-14T21:00Z`"
)
def replay(
    paths: Annotated[list[Path], typer.Argument(help="Envelope files: .jsonl or .jsonl.zst")],
    start: From = None,
    end: To = None,
    lake_uri: LakeUri = None,
    warehouse_path: WarehousePath = None,
    venue: Venues = None,
) -> None:
    """Take recorded replies through the whole pipeline, hour by hour as they were captured, and publish."""
    settings = settings_of(lake_uri, warehouse_path, venue)

    from orchestration.history import check_begun, publish_span
    from orchestration.pipeline import Pipeline
    from orchestration.recordings import read_envelopes

    first, last = span(start, end)
    pipeline = Pipeline(settings)
    with working("reading") as say:
        # All is read before anything is written.
        recorded = read_envelopes(paths, first, last, settings.venues)
        check_begun(recorded.hours[-1] + HOUR, datetime.now(UTC))
        pipeline.claim("venues")
        recorded.write(pipeline.raw)
        for begin, finish in recorded.spans:
            say(f"{begin:%Y-%m-%d %H:00} to {finish:%Y-%m-%d %H:00}")
            publish_span(settings, "rebuild", begin, finish)
    table = Table("", "count", title="Replayed")
    for name, count in sorted(recorded.replies.items()):
        table.add_row(f"{name} replies", str(count))
    for reason, count in sorted(recorded.left_out.items()):
        table.add_row(f"left out, {reason}", str(count), style="dim")
    out.print(table)
    print_coverage(Store.open(settings.lake_uri), recorded.hours[0], recorded.hours[-1] + HOUR)


@app.command(epilog="Example: `barograph capture --venue deribit`")
def capture(lake_uri: LakeUri = None, venue: Venues = None) -> None:
    """Look at every venue once, now, and keep the replies in the raw zone of this hour."""
    settings = settings_of(lake_uri, None, venue)

    from orchestration.running import run  # loads the assets of every venue that is known by now

    hour = hour_of(datetime.now().astimezone())
    with working("asking"):
        outcome = run(settings, "sweep", hour, hour + HOUR)
    out.print(f"captured {outcome.materialized_count} datasets into {hour:%Y-%m-%dT%H:00Z}")


@app.command(epilog="Example: `barograph record --venue binance_usdm --venue deribit`")
def record(
    lake_uri: LakeUri = None,
    venue: Venues = None,
    flush_s: Annotated[
        float, typer.Option("--flush-seconds", min=0.1, help="The most that a crash can lose of a venue")
    ] = 30.0,
) -> None:
    """Record streams between the hours, verbatim into the raw zone, and sweep the rest; ends on SIGTERM or Ctrl-C."""
    from orchestration.record import record as recording

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would print the address of one's own node
    recorded = recording(settings_of(lake_uri, None, venue), flush_s=flush_s)
    columns = ("venue", "written", "lost")
    out.print(as_table(columns, [(each.venue, each.written_count, each.lost_count) for each in recorded]))
    if any(each.lost_count for each in recorded):
        raise StorageError(f"{lake_uri or Settings.read().lake_uri}: the last frames could not be written")


@app.command("run", epilog="Example: `barograph run --from 2026-03-04T00:00Z --to 2026-03-05T00:00Z`")
def run_span(
    start: Annotated[str, typer.Option("--from", help="First instant, UTC")],
    end: Annotated[str, typer.Option("--to", help="End, not included, UTC")],
    lake_uri: LakeUri = None,
    warehouse_path: WarehousePath = None,
    venue: Venues = None,
    is_rebuild: Annotated[bool, typer.Option("--rebuild", help="From the raw zone; ask no venue")] = False,
) -> None:
    """Take a span of hours from the venues to readers in one run; then the days that closed with it."""
    settings = settings_of(lake_uri, warehouse_path, venue)

    from orchestration.history import publish_span

    first, last = whole_hours(start, end)
    with working(f"{first:%Y-%m-%d %H:00} to {last:%Y-%m-%d %H:00}"):
        publish_span(settings, "rebuild" if is_rebuild else "hourly", first, last)
    print_coverage(Store.open(settings.lake_uri), first, last)


@app.command(epilog="Example: `barograph backfill --from 2026-03-01 --to 2026-03-04 --venue deribit`")
def backfill(
    start: Annotated[str, typer.Option("--from", help="First instant, UTC")],
    end: Annotated[str, typer.Option("--to", help="End, not included, UTC")],
    lake_uri: LakeUri = None,
    warehouse_path: WarehousePath = None,
    venue: Venues = None,
    is_built: IsBuilt = True,
) -> None:
    """Ask venues for what they keep of past hours, many hours at once; what raw holds already is not asked again."""
    from orchestration.backfill import backfill as fetch
    from orchestration.backfill import closed
    from orchestration.history import build
    from orchestration.pipeline import Pipeline

    settings = settings_of(lake_uri, warehouse_path, venue)
    pipeline = Pipeline(settings)
    hours = closed(hours_between(*whole_hours(start, end)), pipeline.now())
    fetched = fetch(pipeline, hours, err)
    fetched.show(out)
    if is_built:
        with working("building") as say:
            build(settings, hours, say)
        print_coverage(Store.open(settings.lake_uri), hours[0], hours[-1] + HOUR)


@imports.command("tardis", epilog="Example: `barograph import tardis deribit_trades_2024-01-14_BTC-PERPETUAL.csv.gz`")
def import_tardis(
    files: Annotated[list[Path], typer.Argument(help="Downloads, by the names or folders that Tardis gives them")],
    lake_uri: LakeUri = None,
    warehouse_path: WarehousePath = None,
    is_built: IsBuilt = True,
) -> None:
    """Files of Tardis: trades, quotes, books, changes of books, tickers, option chains, liquidations."""
    from ingestion.imports.tardis_files import TardisFile

    _bring([(file, TardisFile.named(file)) for file in files], settings_of(lake_uri, warehouse_path), is_built)


@imports.command(
    "binance-vision", epilog="Example: `barograph import binance-vision --market um BTCUSDT-aggTrades-2024-01-14.zip`"
)
def import_binance_vision(
    files: Annotated[list[Path], typer.Argument(help="Archives by Binance's names, each with its .CHECKSUM beside it")],
    market: Annotated[
        str | None, typer.Option(help="spot, um, cm or option, where neither name nor folder says it")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="klines, markPriceKlines or indexPriceKlines, where the folder does not say it")
    ] = None,
    needs_checksum: Annotated[bool, typer.Option("--checksum/--no-checksum", help="Demand the .CHECKSUM")] = True,
    lake_uri: LakeUri = None,
    warehouse_path: WarehousePath = None,
    is_built: IsBuilt = True,
) -> None:
    """Files of Binance's public archive: trades, bars, quotes, open interest, funding, liquidations, options."""
    from ingestion.imports.vision_files import VisionFile

    named = [(file, VisionFile.named(file.absolute(), market, kind)) for file in files]
    _bring(named, settings_of(lake_uri, warehouse_path), is_built, needs_checksum=needs_checksum)


@app.command(epilog="Example: `barograph publish --from 2026-03-04T00:00Z --to 2026-03-05T00:00Z`")
def publish(
    start: Annotated[str, typer.Option("--from", help="First instant, UTC")],
    end: Annotated[str, typer.Option("--to", help="End, not included, UTC")],
    lake_uri: LakeUri = None,
    warehouse_path: WarehousePath = None,
) -> None:
    """Show readers what was built and passed its tests, and no more; the last good version stays if not."""
    from orchestration.assets.published import show
    from orchestration.pipeline import Pipeline
    from orchestration.tables import HOURLY_TABLES

    first, last = whole_hours(start, end)
    published = show(Pipeline(settings_of(lake_uri, warehouse_path)), HOURLY_TABLES, hours_between(first, last))
    out.print(f"version {published.version}: {sum(published.rows.values())} rows in {len(published.rows)} tables")


@app.command(epilog='Example: `barograph sql --format parquet --output basis.parquet "select * from fct_basis"`')
def sql(
    statement: Annotated[str, typer.Argument(help="One SELECT over the published tables")],
    form: Annotated[str, typer.Option("--format", help="table, json, csv or parquet")] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", help="Write all rows to this file, whole or not at all")
    ] = None,
    lake_uri: LakeUri = None,
) -> None:
    """Query what is published, read-only."""
    known_form(form, FORMS)
    if (form == "parquet" and output is None) or (form == "table" and output is not None):
        told = f"--format {form} --output {output}" if output else f"--format {form} without --output"
        raise BadSetting(f"{told}: expected --output with parquet, and with it json, csv or parquet")
    store = Store.open(settings_of(lake_uri).lake_uri)
    if output is None:
        print_answer(store, statement, form)
    else:
        out.print(f"{write_answer(store, statement, form, output)} bytes in {output}")


@app.command(epilog="Example: `barograph status --format json`")
def status(
    form: TableOrJson = "table",
    lake_uri: LakeUri = None,
    warehouse_path: WarehousePath = None,
) -> None:
    """What readers get now, how old it is, what its last hour rests on, and what waits to be published."""
    from orchestration.status import read_status

    known_form(form, ("table", "json"))
    settings = settings_of(lake_uri, warehouse_path)
    told = read_status(Store.open(settings.lake_uri), settings.warehouse_path, datetime.now(UTC))
    _tell(told, form)


@app.command(epilog="Example: `barograph hedge positions.csv --leverage 5 --horizon-days 3`")
def hedge(
    positions: Annotated[Path, typer.Argument(help="CSV: venue, symbol, quantity, entry, and kind where it is needed")],
    leverage: Annotated[float, typer.Option(min=1, max=1000, help="Of each position's isolated margin")] = 10,
    horizon_days: Annotated[
        float, typer.Option("--horizon-days", min=0, max=3650, help="How long a hedge is held, for its funding")
    ] = 7,
    form: TableOrJson = "table",
    lake_uri: LakeUri = None,
) -> None:
    """What positions are worth at the last published hour, what moves them, and the cheapest hedge of their delta."""
    from orchestration.hedge import read_hedge

    known_form(form, ("table", "json"))
    store = Store.open(settings_of(lake_uri).lake_uri)
    told = read_hedge(store, positions, leverage=leverage, horizon_days=horizon_days, now=datetime.now(UTC))
    _tell(told, form)


@app.command("draw", epilog="Example: `barograph draw vol --underlying BTC --out pictures`")
def draw_family(
    family: Annotated[str, typer.Argument(help="arbitrage, books, carry, flow, positioning, pressure, risk or vol")],
    output: Annotated[Path, typer.Option("--out", help="A .png, or a folder for one by the family's name")],
    underlying: Annotated[str, typer.Option(help="Of what")] = "BTC",
    venue: Annotated[str | None, typer.Option(help="Of this venue alone, where tables have venues")] = None,
    start: From = None,
    end: To = None,
    lake_uri: LakeUri = None,
) -> None:
    """Draw a family of published metrics; of the last published day, where no span is given."""
    from orchestration.pictures import draw

    first, last = span(start, end)
    store = Store.open(settings_of(lake_uri).lake_uri)
    drawn = draw(store, family, output, underlying=underlying, start=first, end=last, venue=venue)
    out.print(f"{drawn.stat().st_size} bytes in {drawn}", soft_wrap=True)


@app.command(epilog="Example: `barograph coverage --from 2026-03-04 --to 2026-03-05`")
def coverage(start: From = None, end: To = None, lake_uri: LakeUri = None) -> None:
    """What published hours rest on, venue by venue: data, gaps and held datasets; of all where no span is given."""
    first, last = span(start, end)
    settings = settings_of(lake_uri)
    print_coverage(Store.open(settings.lake_uri), first, last)


@app.command(
    epilog="Example: `barograph sandbox --port 8080`, then with BAROGRAPH_SOURCE=sandbox and "
    "BAROGRAPH_BASE_URL=http://127.0.0.1:8080: `barograph capture`"
)
def sandbox(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8080,
    seed: int = 7,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="venue:/path:kind:share, e.g. deribit:/get_order_book:crossed:0.1"),
    ] = None,
) -> None:
    """Serve the built-in exchange on 127.0.0.1 in the wire formats of all venues."""
    from ingestion.sandbox.app import serve
    from ingestion.sandbox.faults import Faults
    from ingestion.sandbox.market import Market

    serve(port, host="127.0.0.1", market=Market(seed=seed), faults=Faults.parse(fault or (), seed=seed))


def main() -> None:
    """Run the command line; what goes wrong is one clear line and a non-zero exit."""
    try:
        app()
    except EXPECTED as error:
        reason = escape(" ".join(str(error).split()))
        err.print(f"[red]barograph:[/red] {reason}", highlight=False, soft_wrap=True)
        sys.exit(1)


def _bring(
    files: "Sequence[tuple[Path, SourceFile]]", settings: Settings, is_built: bool, *, needs_checksum: bool = True
) -> None:
    from orchestration.history import build
    from orchestration.imports import bring
    from orchestration.pipeline import Pipeline

    brought = bring(Pipeline(settings), files, err, needs_checksum=needs_checksum)
    out.print(as_table(("file", "venue", "lines"), brought.files))
    if is_built and brought.hours:
        with working("building") as say:
            build(replace(settings, venues=brought.venues), brought.hours, say)
        print_coverage(Store.open(settings.lake_uri), min(brought.hours), max(brought.hours) + HOUR)


def _tell(told: "Status | HedgeReport", form: str) -> None:
    if form == "json":
        out.file.write(told.as_json() + "\n")
    else:
        told.show(out)
