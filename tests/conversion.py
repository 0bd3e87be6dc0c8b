"""The models' own conversion, macros/units.sql, run in DuckDB on terms and quantities of a test's choosing."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import jinja2
import pyarrow as pa

from ingestion.records import Instrument

UNITS = Path(__file__).parents[1] / "dbt_project" / "macros" / "units.sql"


class Quantity(NamedTuple):
    """So much of an instrument, in its venue's unit, at a price; `usd_px`: dollars of what its value is counted in."""

    terms: Instrument
    qty: float
    px: float | None
    usd_px: float | None = None


class Notional(NamedTuple):
    """What that is in base coin and in dollars, null where a price is missing."""

    base: float | None
    usd: float | None


def converted(quantities: Sequence[Quantity]) -> list[Notional]:
    """Each quantity through `base_qty` and `usd_qty`; at par a dollar needs no price."""
    macros = _macros()
    usd_px = f"case when {macros.is_at_par(macros.value_asset('terms'))} then coalesce(usd_px, 1.0) else usd_px end"
    terms = ("kind", "quote_asset", "settle_asset", "amount_unit", "contract_size", "is_inverse", "is_quanto")
    columns: dict[str, list[Any]] = {name: [getattr(q.terms, name) for q in quantities] for name in terms}
    columns["qty"], columns["px"] = [q.qty for q in quantities], pa.array([q.px for q in quantities], pa.float64())
    columns["usd_px"] = pa.array([q.usd_px for q in quantities], pa.float64())
    columns["place"] = list(range(len(quantities)))
    with duckdb.connect() as connection:
        connection.register("terms", pa.table(columns))
        found = connection.execute(
            f"select {macros.base_qty('qty', 'terms', 'px', usd_px)}, {macros.usd_qty('qty', 'terms', 'px', usd_px)} "
            "from terms order by place"
        ).fetchall()
    return [Notional(*row) for row in found]


@cache
def _macros() -> Any:
    return jinja2.Environment(autoescape=False).from_string(UNITS.read_text()).module
