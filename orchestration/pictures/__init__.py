"""Pictures of published tables, one family of metrics a file: `draw` makes any of them, whole or not at all."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from ingestion.storage import Store
from orchestration.answers import whole_file
from orchestration.pictures import arbitrage, books, carry, flow, positioning, pressure, risk, vol
from orchestration.pictures.selection import NothingToDraw, Selection, last_day
from orchestration.published import reading

__all__ = ["FAMILIES", "NothingToDraw", "draw"]

DPI = 130
OTHER_PICTURES = (".gif", ".jpeg", ".jpg", ".pdf", ".svg", ".webp")  # a folder of such a name is a slip
DAY = timedelta(days=1)


class Family(NamedTuple):
    """What draws a family, and the table whose last day is drawn where no span is asked for."""

    draw: Callable[[Selection], Figure]
    table: str


FAMILIES = {
    "arbitrage": Family(arbitrage.draw_arbitrage, arbitrage.TABLE),
    "books": Family(books.draw_books, books.TABLE),
    "carry": Family(carry.draw_carry, carry.TABLE),
    "flow": Family(flow.draw_flow, flow.TABLE),
    "positioning": Family(positioning.draw_positioning, positioning.TABLE),
    "pressure": Family(pressure.draw_pressure, pressure.TABLE),
    "risk": Family(risk.draw_risk, risk.TABLE),
    "vol": Family(vol.draw_vol, vol.TABLE),
}


def draw(
    store: Store,
    family: str,
    out: Path,
    *,
    underlying: str,
    start: datetime | None = None,
    end: datetime | None = None,
    venue: str | None = None,
) -> Path:
    """Draw one family into `out`, a .png or a folder that is made; returns the file.

    Without a span it is the last published day, with one end of it 24 hours or up to the last published hour.
    Raises ValueError for no such family or a file that cannot be, NothingToDraw without rows, StorageError.
    """
    if family not in FAMILIES:
        raise ValueError(f"draw {family!r}: no such family (expected one of {', '.join(FAMILIES)})")
    if out.suffix.lower() in OTHER_PICTURES and not out.is_dir():
        raise ValueError(f"--out {out}: no picture of that kind is drawn (expected a .png or a folder)")
    known = FAMILIES[family]
    path = out if out.suffix == ".png" else out / f"{family}_{underlying}.png"
    with reading(store) as connection:
        if start is None or end is None:
            first, last = last_day(connection, known.table, underlying)
            start, end = start or (first if end is None else end - DAY), end or last
        figure = known.draw(Selection(connection, underlying, start, end, venue))
    with whole_file("--out", path) as partial:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(partial, dpi=DPI)
    return path
