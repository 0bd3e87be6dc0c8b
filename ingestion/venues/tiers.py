"""Margin tiers as venues list them: levels of one contract after another, each from where the one below ends."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

from ingestion.records import MarginTier, Record
from ingestion.venues.base import Refused, Reject
from ingestion.venues.wire import Seen


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a contract; `number` counts from 1 at its lowest, 0 where the venue gives the others none.

    Margins are fractions of a position's value, or percent.
    """

    seen: Seen
    number: int
    size_unit: Literal["contracts", "base", "quote"]
    cap_qty: float
    initial_margin: float
    maintenance_margin: float
    max_leverage: float
    deduction_qty: float | None = None
    floor_qty: float | None = None  # where the venue tells it
    step_qty: float = 0.0  # by how much it may lie over the cap of the level below


def ladder(rows: Iterable[msgspec.Raw], read: Callable[[bytes], Level]) -> Iterator[Record | Reject]:
    """The rows of a reply as tiers, in the order in which they are told.

    A level over one that cannot be read is rejected too: where it begins is not known.
    """
    below: Level | None = None
    for raw in rows:
        try:
            level = read(bytes(raw))
            floor_qty, unit = _floor(level, below), _margin_unit(level)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            below = None
            yield Reject("schema", str(error), bytes(raw))
        except Refused as refused:
            below = None
            yield Reject(refused.rule, refused.reason, bytes(raw))
        else:
            below = level if level.cap_qty > floor_qty else None
            yield MarginTier(
                **level.seen,
                size_unit=level.size_unit,
                size_floor_qty=floor_qty,
                size_cap_qty=level.cap_qty,
                initial_margin_frac=level.initial_margin / unit,
                maintenance_margin_frac=level.maintenance_margin / unit,
                maintenance_deduction_qty=level.deduction_qty,
            )


def _floor(level: Level, below: Level | None) -> float:
    symbol = level.seen["symbol"]
    if level.number == 1:
        begins, step_qty = 0.0, 0.0
    elif below is None or below.seen["symbol"] != symbol or level.number not in {0, below.number + 1}:
        raise Refused("tier_shape", f"{symbol}: the level below is missing, so where this one begins is not known")
    else:
        begins, step_qty = below.cap_qty, level.step_qty
    if level.floor_qty is not None and not begins <= level.floor_qty <= begins + step_qty:
        raise Refused("tier_shape", f"{symbol}: a level begins at {level.floor_qty}, the one below ends at {begins}")
    return begins


def _margin_unit(level: Level) -> float:
    """1, or 100 where margins are percent: a level's initial margin is 1 / leverage, but for the rounding of both."""
    product = level.initial_margin * level.max_leverage
    for unit in (1.0, 100.0):
        if unit / 2 < product < unit * 2:
            return unit
    told = f"initial margin {level.initial_margin} at leverage {level.max_leverage}"
    raise Refused("unit", f"{level.seen['symbol']}: {told} is neither a fraction nor a percent of the position")
