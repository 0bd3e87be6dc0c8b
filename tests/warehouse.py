"""A small warehouse, built by hand: two fact tables and a daily mart that all carry the same mark."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from ingestion.storage import Store
from orchestration.candidates import PublishedTable
from orchestration.published import open_published

DAY = datetime(2024, 1, 14, tzinfo=UTC)
HOURS = [DAY.replace(hour=hour) for hour in range(3)]

TABLES = (
    PublishedTable("fct_books", "facts", "utc_hour", ("utc_hour", "venue", "symbol")),
    PublishedTable("fct_vols", "facts", "utc_hour", ("utc_hour", "venue", "symbol")),
    PublishedTable("mart_pressure_daily", "marts", "utc_date", ("utc_date", "venue", "symbol")),
)

MARKS = " union ".join(f"select mark_count from {table.name}" for table in TABLES)

_ROWS = """
create schema facts;
create schema marts;
create table facts.fct_books as
select
    hour as utc_hour, 'deribit' as venue, 'S' || i as symbol, date '2024-01-14' as utc_date,
    {mark} as mark_count, 100.5::double as mid_px, 1e6 / (i + 1) as bid_depth_usd,
    (i - 2) / 10.0::double as imbalance_frac, if(i = 3, null, 2.5::double) as spread_bps, i = 4 as is_crossed,
    1.0::double as coverage_frac, 'A' as quality_grade, [0.1 * i, null]::double[] as ladder,
    (i * 1.005)::decimal(18, 3) as tick_px, (i + 1)::hugeint as levels_count,
    hour + interval 59 minute as captured_ts
from unnest({hours}) as hours(hour), range(5) as symbols(i);
create table facts.fct_vols as
select
    hour as utc_hour, 'okx' as venue, 'S' || i as symbol, {mark} as mark_count,
    0.65::double as implied_vol_30d_ann, 0.5::double as realized_vol_30d_ann,
    -0.15::double as vol_spread_30d_ann, 30.0::double as days_to_expiry, 0.7::double as put_call_ratio
from unnest({hours}) as hours(hour), range(4) as symbols(i);
create table marts.mart_pressure_daily as
select
    date '2024-01-14' as utc_date, 'okx' as venue, 'S' || i as symbol, {mark} as mark_count,
    2.5::double as pressure_z
from range(2) as symbols(i);
"""


def build(path: Path, mark: int = 1, hours: Sequence[datetime] = HOURS, then: str = "") -> Path:
    """Write the warehouse anew, and run `then` over it."""
    path.unlink(missing_ok=True)
    listed = ", ".join(f"timestamptz '{hour:%Y-%m-%d %H:%M:%S}+00'" for hour in hours)
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(_ROWS.format(mark=mark, hours=f"[{listed}]"))
        connection.execute(then)
    return path


def read(store: Store, sql: str, version: int | None = None) -> list[tuple[Any, ...]]:
    """What a reader gets."""
    with open_published(store, version) as connection:
        return connection.execute(sql).fetchall()
