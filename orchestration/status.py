"""How a deployment stands: what readers get, since when, what its last hour rests on, and what waits."""

from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from rich.console import Console

from ingestion.storage import Missing, Store
from orchestration.answers import as_table
from orchestration.pipeline import ORIGIN
from orchestration.published import current, query
from orchestration.tables import KEPT_TABLES
from orchestration.warehouse import WarehouseBusy, certified

KEPT = {table.name for table in KEPT_TABLES}  # certified, and no reader gets them
TABLES = """
    select
        table_name, sum(rows_count)::bigint, count(*), min(partition_ts), max(partition_ts), max(known_at)
    from published_partitions
    group by table_name
    order by table_name
"""
LAST_HOUR = """
    select
        venue,
        count(*) filter (status = 'ok'),
        count(*) filter (status = 'gap'),
        count(*) filter (status = 'held'),
        max(last_captured_ts),
        any_value(utc_hour)
    from fct_data_coverage
    where utc_hour = (select max(utc_hour) from fct_data_coverage)
    group by venue
    order by venue
"""


class TableStatus(msgspec.Struct, frozen=True):
    """One published table; partitions are hours or days, by their start."""

    table_name: str
    rows_count: int
    partitions_count: int
    first_partition_ts: datetime
    last_partition_ts: datetime
    known_at: datetime  # of the partition that readers got last


class VenueStatus(msgspec.Struct, frozen=True):
    """A venue's datasets in the last published hour, by gate 1's verdict."""

    venue: str
    ok_count: int
    gap_count: int
    held_count: int
    last_captured_ts: datetime | None


class Status(msgspec.Struct, frozen=True):
    """One deployment at one moment."""

    lake: str
    origin: str | None  # whose replies the lake holds; null before the first
    as_of: datetime
    version: int | None  # null: nothing was published yet
    known_at: datetime | None
    last_hour: datetime | None
    lag_s: float | None  # from the end of the last published hour to now
    tables: list[TableStatus]
    venues: list[VenueStatus]
    unpublished: list[str] | None  # partitions that passed their tests and wait; null where the warehouse is not read
    warehouse_reason: str | None = None  # why it is not: in use, not permitted, or no warehouse

    def as_json(self) -> str:
        return msgspec.json.encode(self).decode()

    def show(self, console: Console) -> None:
        """Print it for a person."""
        console.print(f"lake: {self.lake} ({self.origin or 'empty'})", highlight=False)
        if self.version is None or self.known_at is None or self.last_hour is None or self.lag_s is None:
            console.print("published: nothing yet")
        else:
            console.print(
                f"published: version {self.version}, readable since {self.known_at:%Y-%m-%dT%H:%M:%SZ}; "
                f"last hour {self.last_hour:%Y-%m-%dT%H:00Z}, which closed {timedelta(seconds=int(self.lag_s))} ago",
                highlight=False,
            )
            tables = [msgspec.structs.astuple(each) for each in self.tables]
            console.print(as_table(("table", "rows", "partitions", "first", "last", "newest known at"), tables))
            venues = [msgspec.structs.astuple(each) for each in self.venues]
            title = f"Datasets of {self.last_hour:%Y-%m-%dT%H:00Z}"
            console.print(as_table(("venue", "data", "gap", "held", "last captured"), venues, title))
        if self.unpublished is None:
            console.print(f"warehouse: {self.warehouse_reason}", highlight=False, markup=False, soft_wrap=True)
        else:
            console.print(f"warehouse: {len(self.unpublished)} tested partitions wait to be published")
            for line in self.unpublished[:10]:
                console.print(f"  {line}", highlight=False)


def read_status(store: Store, warehouse_path: Path, now: datetime) -> Status:
    """Look at a deployment; changes nothing and waits for nobody."""
    pointer = current(store)
    if pointer is None:
        waiting, reason = _waiting({}, warehouse_path)
        return Status(store.root, _origin(store), now, None, None, None, None, [], [], waiting, reason)
    tables = [TableStatus(*row) for row in query(store, TABLES).rows]
    last_hour = query(store, LAST_HOUR).rows
    hour = last_hour[0][-1] if last_hour else None
    shown = {
        (name, start): f"{rows} rows {content}"
        for name, start, rows, content in query(
            store, "select table_name, partition_ts, rows_count, content_hash from published_partitions"
        ).rows
    }
    waiting, reason = _waiting(shown, warehouse_path)
    return Status(
        lake=store.root,
        origin=_origin(store),
        as_of=now,
        version=pointer.version,
        known_at=pointer.known_at,
        last_hour=hour,
        lag_s=(now - hour - timedelta(hours=1)).total_seconds() if hour else None,
        tables=tables,
        venues=[VenueStatus(*row[:-1]) for row in last_hour],
        unpublished=waiting,
        warehouse_reason=reason,
    )


def _origin(store: Store) -> str | None:
    try:
        return store.read(ORIGIN).decode()
    except Missing:
        return None


def _waiting(shown: dict[tuple[str, datetime], str], warehouse_path: Path) -> tuple[list[str], None] | tuple[None, str]:
    """Certified partitions that readers do not have as they were certified, or why nobody can tell."""
    if not warehouse_path.exists():
        return [], None
    try:
        known = certified(warehouse_path)
    except WarehouseBusy as error:
        return None, str(error)
    waiting = [
        f"{name} {start:%Y-%m-%dT%H:%MZ}"
        for (name, start), content in sorted(known.items())
        if name not in KEPT and content != "no rows" and shown.get((name, start)) != content
    ]
    return waiting, None
