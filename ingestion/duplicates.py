"""One hour's rows of one dataset, each said once, whatever the order in which they came.

Equal rows collapse everywhere. Beyond that:
a trade seen in two captures keeps its first sighting;
a settled payment or a bar keeps its latest, for a venue corrects those;
a snapshot that two endpoints describe at the same instants becomes one row where they do not disagree.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from ingestion.records import (
    Candle,
    FundingRate,
    GasPrice,
    Instrument,
    Liquidation,
    Record,
    StreamHole,
    Trade,
    VolatilityIndex,
)

R = TypeVar("R", bound=Record)
Found = tuple[Record, str]  # a row, and the key of the raw object it came from
Conflict = tuple[Record, str, str]  # a row, its raw object, and what it contradicts

GRAINS: dict[type[Record], tuple[str, ...]] = {
    Instrument: ("kind", "symbol"),
    Trade: ("kind", "symbol", "is_aggregate", "trade_id"),
    FundingRate: ("kind", "symbol", "event_ts"),
    Candle: ("kind", "symbol", "interval_s", "event_ts"),
    Liquidation: ("kind", "symbol", "event_ts", "side", "px", "qty", "liquidation_id"),
    VolatilityIndex: ("kind", "symbol", "interval_s", "event_ts"),
    GasPrice: ("symbol", "chain_id", "block_number", "captured_ts"),
    StreamHole: ("kind", "symbol", "dataset", "captured_ts", "reason"),
}
SNAPSHOT_GRAIN = ("kind", "symbol", "captured_ts", "event_ts")

_ENCODER = msgspec.msgpack.Encoder()
_NO_EVENT = datetime.min.replace(tzinfo=UTC)


def said_once(rows: Sequence[Found]) -> tuple[list[Record], list[Conflict]]:
    """Rows of one dataset at one row a grain, in an order of their own, and the rows that contradict one."""
    kept: dict[tuple[Any, ...], Record] = {}
    conflicts: list[Conflict] = []
    for record, key in sorted(rows, key=_order):
        grain = _grain(record)
        held = kept.get(grain)
        if held is None:
            kept[grain] = record
            continue
        merged = _SETTLE.get(type(record), _complete)(held, record)
        if merged is None:
            conflicts.append((record, key, f"{_named(record)} contradicts an earlier row"))
        else:
            kept[grain] = merged
    return list(kept.values()), conflicts


def _order(found: Found) -> tuple[Any, ...]:
    record, key = found
    return (
        record.captured_ts,
        record.kind,
        record.symbol,
        record.event_ts or _NO_EVENT,
        hashlib.blake2b(_ENCODER.encode(record), digest_size=16).digest(),
        key,
    )


def _grain(record: Record) -> tuple[Any, ...]:
    return tuple([getattr(record, name) for name in GRAINS.get(type(record), SNAPSHOT_GRAIN)])


def _named(record: Record) -> str:
    named = [f"{name} {getattr(record, name)}" for name in GRAINS.get(type(record), SNAPSHOT_GRAIN)]
    return ", ".join(named)


def _first(held: Record, later: Record) -> Record | None:
    if msgspec.structs.replace(later, captured_ts=held.captured_ts) == held:
        return held
    return None


def _latest(held: Record, later: Record) -> Record:
    return later


def _complete(held: Record, later: Record) -> Record | None:
    said = {name: (value, getattr(held, name)) for name, value in msgspec.structs.asdict(later).items()}
    if any(a is not None and b is not None and a != b for a, b in said.values()):
        return None
    return msgspec.structs.replace(held, **{name: a for name, (a, b) in said.items() if b is None})


_SETTLE: dict[type[Record], Callable[[Record, Record], Record | None]] = {
    Trade: _first,
    FundingRate: _latest,
    Candle: _latest,
    Liquidation: _first,
    VolatilityIndex: _latest,
    StreamHole: _latest,
    Instrument: _latest,
}
