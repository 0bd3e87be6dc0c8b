"""Fail unless the demo published what it promises: whole days of hourly rows, their daily rows, two pictures.

Asks through `barograph sql`, as a reader would, with the environment that the demo had.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

WAREHOUSE = Path(os.environ.get("BAROGRAPH_WAREHOUSE_PATH", ".barograph/warehouse.duckdb"))
PICTURES = WAREHOUSE.parent / "demo"
PNG = b"\x89PNG\r\n\x1a\n"
# A blank chart with axes is smaller.
PICTURE_BYTES = 10_000
# Sweeps look four times an hour, so that their last minutes are not seen.
WHOLE = 0.9
HOURS = """
    select underlying, strftime(utc_hour at time zone 'UTC', '%Y-%m-%d') as day, count(*) as rows_count,
        count(distinct utc_hour) as hours_count, count(pressure_z) as scored_count,
        min(coverage_frac) as least_coverage_frac
    from mart_pressure_differentials_hourly group by all order by all
"""
DAYS = """
    select underlying, strftime(utc_date, '%Y-%m-%d') as day, pressure_z
    from mart_pressure_differentials_daily order by all
"""


def ask(query: str) -> list[dict[str, Any]]:
    """The rows that `barograph sql` answers with."""
    command = [str(Path(sys.executable).with_name("barograph")), "sql", "--format", "json", query]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        sys.exit(f"check_demo: barograph sql ended with {answer.returncode}: {answer.stderr.strip()}")
    rows: list[dict[str, Any]] = json.loads(answer.stdout)
    return rows


def table_faults(hours: list[dict[str, Any]], days: list[dict[str, Any]]) -> list[str]:
    """Every day of both underlyings has its 24 hours, whole, and its daily row; the last day has a score."""
    hourly = {(row["underlying"], row["day"]): row for row in hours}
    daily = {(row["underlying"], row["day"]): row for row in days}
    faults = [f"no rows of {name}" for name in sorted({"BTC", "ETH"} - {name for name, _ in hourly})]
    for row in hourly.values():
        if not row["rows_count"] == row["hours_count"] == 24:
            faults.append(f"hourly mart: {row} (expected 24 rows, one an hour)")
        if row["least_coverage_frac"] < WHOLE:
            faults.append(f"hourly mart: {row} (expected a coverage of {WHOLE} or more, all venues answer)")
    if len(days) != len(daily) or daily.keys() != hourly.keys():
        faults.append(f"daily mart: {sorted(daily)} in {len(days)} rows (expected {sorted(hourly)})")
    last = max((day for _, day in hourly), default="")
    for name, day in sorted(key for key in hourly.keys() & daily.keys() if key[1] == last):
        if not hourly[name, day]["scored_count"] or daily[name, day]["pressure_z"] is None:
            faults.append(f"{name} {day}: no pressure_z (expected a score on the last day)")
    return faults


def picture_faults(folder: Path) -> list[str]:
    """Two pictures at least, each a PNG with something on it."""
    pictures = sorted(folder.glob("*.png"))
    faults = [f"{folder}: {len(pictures)} pictures (expected at least 2)"] if len(pictures) < 2 else []
    for path in pictures:
        content = path.read_bytes()
        if not content.startswith(PNG) or len(content) < PICTURE_BYTES:
            faults.append(f"{path}: {len(content)} bytes (expected a PNG of at least {PICTURE_BYTES})")
    return faults


if __name__ == "__main__":
    hours = ask(HOURS)
    if found := [*table_faults(hours, ask(DAYS)), *picture_faults(PICTURES)]:
        sys.exit("\n".join(f"check_demo: {fault}" for fault in found))
    days_count = len({row["day"] for row in hours})
    sys.stdout.write(f"the demo published {days_count} whole days, and drew its pictures\n")
