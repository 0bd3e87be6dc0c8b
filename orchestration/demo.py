"""The demonstration: two days of the built-in exchange, and what a newcomer should see at the end."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ingestion.sandbox.path import CLOSES, OPENS
from orchestration.pictures import draw
from orchestration.pipeline import Pipeline
from orchestration.published import Answer, query
from orchestration.running import run
from orchestration.settings import BadSetting, Settings

DAY = timedelta(days=1)
SWEEP_MINUTES = 15  # the market between two sweeps is there all the same; this only looks less often
SHOWN = (
    "utc_hour, underlying, pressure_z, book_imbalance_10bps_frac, trade_imbalance_frac, perp_basis_bps, "
    "implied_vol_30d_ann, vol_spread_trailing_30d_ann, put_call_oi_frac, coverage_frac, quality_grade"
)


@dataclass(frozen=True, slots=True)
class Summary:
    """What the demonstration made."""

    seconds: float
    hours: Answer
    days: Answer
    counts: Answer
    pictures: tuple[Path, ...]

    def show(self, console: Console) -> None:
        console.print(_table("mart_pressure_differentials_hourly: the day, every third hour", self.hours))
        console.print(_table("mart_pressure_differentials_daily", self.days))
        console.print(_table("Published tables", self.counts))
        for picture in self.pictures:
            console.print(f"picture: {picture}", soft_wrap=True)
        console.print(f"\nSimulated two days through both gates in {self.seconds:.0f} s. Next:")
        console.print(
            '  .venv/bin/barograph sql "select * from fct_basis order by captured_ts desc limit 5"',
            markup=False,
        )
        console.print("  .venv/bin/barograph draw vol --out pictures")
        console.print("  .venv/bin/barograph coverage")
        console.print("  make dev    # the same definitions in the Dagster UI")


def span_of(day: datetime, now: datetime) -> tuple[datetime, datetime]:
    """The day that holds this instant and the day before; raises BadSetting for what cannot be simulated whole."""
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    first, last = OPENS + DAY, min(CLOSES, now.replace(hour=0, minute=0, second=0, microsecond=0)) - DAY
    if not first <= midnight <= last:
        raise BadSetting(f"--day {day:%Y-%m-%d}: expected a UTC day from {first:%Y-%m-%d} to {last:%Y-%m-%d}")
    return midnight - DAY, midnight + DAY


def simulate(settings: Settings, start: datetime, end: datetime, say: Callable[[str], None]) -> Summary:
    """
    Run [start, end), whole days, through Dagster in one run each for hours and days; draw the last day.

    The UI shows the run of the days alone.
    """
    started = time.monotonic()
    say("simulating and building the hours")
    run(replace(settings, sweep_minutes=SWEEP_MINUTES), "hourly", start, end, in_history=False)
    say("building the days")
    run(settings, "daily", start, end)
    say("drawing")
    day = end - DAY
    pipeline = Pipeline(settings)
    folder = settings.warehouse_path.parent / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    hours = query(
        pipeline.store,
        f"select {SHOWN} from mart_pressure_differentials_hourly "  # noqa: S608 (a constant and an instant)
        f"where utc_hour >= '{day:%Y-%m-%d %H:00:00}+00' order by underlying, utc_hour",
    )
    pictures = tuple(
        draw(pipeline.store, family, folder / name, underlying="BTC", start=day, end=end, venue=venue)
        for family, name, venue in (
            ("pressure", "pressure_through_the_day.png", None),
            ("books", "order_book_heat_map.png", "binance_usdm"),
        )
    )
    return Summary(
        seconds=time.monotonic() - started,
        hours=hours._replace(rows=[row for row in hours.rows if row[0].hour % 3 == 2]),
        days=query(
            pipeline.store,
            "select utc_date, underlying, pressure_z, lowest_pressure_z, highest_pressure_z, perp_basis_bps, "
            "implied_vol_30d_ann, realized_vol_trailing_30d_ann, put_call_oi_frac, hours_count, quality_grade "
            "from mart_pressure_differentials_daily order by underlying, utc_date",
        ),
        counts=query(
            pipeline.store,
            "select table_name, sum(rows_count)::bigint as rows, count(*) as partitions "
            "from published_partitions group by table_name order by table_name",
        ),
        pictures=pictures,
    )


def _table(title: str, answer: Answer) -> Table:
    table = Table(*(name.replace("_", " ") for name in answer.columns), title=title, title_justify="left")
    for row in answer.rows:
        table.add_row(*(_cell(value) for value in row))
    return table


def _cell(value: object) -> str:
    if value is None:
        return "·"
    if isinstance(value, datetime):
        return f"{value:%m-%d %H:%M}"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
