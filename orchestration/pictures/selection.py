"""The published rows that a picture is of: one underlying, one span, and a venue if one is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import duckdb

from ingestion.hours import HOUR, hour_of

Frame: TypeAlias = Any  # of pandas; which columns it has, and of which types, only the query knows
RESOLUTION = timedelta(microseconds=1)


class NothingToDraw(ValueError):
    """There are no published rows of what was asked for."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows of [start, end); every table that it reads has `underlying` and `utc_hour`."""

    connection: duckdb.DuckDBPyConnection
    underlying: str
    start: datetime
    end: datetime
    venue: str | None = None

    @property
    def when(self) -> str:
        is_of_a_day = self.start.date() == self.end.date()
        end = f"{self.end:%H:%M}" if is_of_a_day else f"{self.end:%Y-%m-%d %H:%M}"
        return f"{self.start:%Y-%m-%d %H:%M} to {end} UTC"

    @property
    def told(self) -> str:
        """What was selected, for titles and errors."""
        return f"{self.venue or ''} {self.underlying}, {self.when}".lstrip()

    @property
    def span(self) -> tuple[datetime, datetime]:
        return self.start, self.end

    @property
    def hours(self) -> tuple[datetime, datetime]:
        """The whole hours that the span touches."""
        return hour_of(self.start), hour_of(self.end - RESOLUTION) + HOUR

    def rows(self, table: str, time: str, **equal: str) -> Frame:
        """Rows of `table` whose `time` is in the span, oldest first; of hours, the one that it begins in too.

        Each of `equal` is a column and its value.
        """
        values: dict[str, object] = {
            "underlying": self.underlying,
            "start": hour_of(self.start) if time == "utc_hour" else self.start,
            "first_hour": hour_of(self.start),
            "end": self.end,
        }
        conditions = [f"{time} >= $start", f"{time} < $end", "utc_hour >= $first_hour", "utc_hour < $end"]
        if self.venue is not None and table not in WITHOUT_VENUE:
            equal = {"venue": self.venue} | equal
        values |= equal
        conditions += [f"{column} = ${column}" for column in equal]
        statement = f"select * from {table} where underlying = $underlying and {' and '.join(conditions)} order by all"  # noqa: S608
        found = self.connection.execute(statement, values).to_arrow_table().to_pandas()
        for column in found.select_dtypes("datetimetz").columns:
            found[column] = found[column].dt.tz_convert(UTC)
        return found.sort_values(time, kind="stable", ignore_index=True)

    def needed(self, table: str, time: str) -> Frame:
        """The same, of which there must be some; raises NothingToDraw."""
        found = self.rows(table, time)
        if found.empty:
            raise NothingToDraw(f"{self.told}: {table} has no rows (expected some: see barograph status)")
        return found


# Tables of an underlying as a whole; they have no column of venues.
WITHOUT_VENUE = frozenset(
    {"fct_pressure", "fct_stress", "fct_dispersion", "fct_arbitrage", "fct_funding_by_underlying", "fct_realized_vol"}
    | {"mart_pressure_differentials_hourly", "mart_vol_spread_hourly"}
)


def last_day(connection: duckdb.DuckDBPyConnection, table: str, underlying: str) -> tuple[datetime, datetime]:
    """The last 24 hours of a table, from its first hour in them to its last; raises NothingToDraw."""
    hours = connection.execute(
        f"select min(utc_hour), max(utc_hour) from {table} where underlying = $underlying and utc_hour > "  # noqa: S608
        f"(select max(utc_hour) from {table} where underlying = $underlying) - interval '24 hours'",
        {"underlying": underlying},
    ).fetchone()
    if hours is None or hours[0] is None:
        known = connection.execute(f"select distinct underlying from {table} order by all").fetchall()  # noqa: S608
        names = ", ".join(name for (name,) in known[:20]) or "nothing is published"
        raise NothingToDraw(f"{table}: no rows of {underlying!r} (expected one of: {names})")
    return hours[0].astimezone(UTC), hours[1].astimezone(UTC) + HOUR


def busiest(rows: Frame, weight: str) -> Frame:
    """The rows of the one instrument with most of `weight` over all its rows; ties go by name."""
    totals: Mapping[tuple[str, str, str], float] = rows.groupby(["venue", "kind", "symbol"])[weight].sum().to_dict()
    venue, kind, symbol = min(totals, key=lambda key: (-totals[key], key))
    return rows[(rows["venue"] == venue) & (rows["kind"] == kind) & (rows["symbol"] == symbol)]
