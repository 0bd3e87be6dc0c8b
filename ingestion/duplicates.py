"""One hour's rows of one dataset, each said once, whatever the order in which they came.

Equal rows collapse everywhere. Beyond that:
a trade seen in two captures keeps its first sighting;
a settled payment or a bar keeps its latest, for a venue corrects those;
the terms of an instrument keep each list of the hour, for a change holds from its instant;
a snapshot that two endpoints describe at the same instants becomes one row where they do not disagree.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingestion.columns import as_table, in_order, ints, to_records
from ingestion.naming import spelled_out
from ingestion.ordering import changes, keys_of
from ingestion.records import (
    Candle,
    FundingRate,
    GasPrice,
    Instrument,
    Liquidation,
    MarginTier,
    Record,
    StreamHole,
    Trade,
    VolatilityIndex,
)

R = TypeVar("R", bound=Record)
Found = tuple[Record, str]  # a row, and the key of the raw object it came from
Conflict = tuple[Record, str, str]  # a row, its raw object, and what it contradicts
Bools = npt.NDArray[np.bool_]

OBJECT = "object_number"  # beside a record's columns: which raw object a row came from


class Settled(NamedTuple):
    """Rows at one row a grain, how many grains they were told of, and the rows that contradict one."""

    table: pa.Table
    grains_count: int
    conflicts: list[Conflict]


GRAINS: dict[type[Record], tuple[str, ...]] = {
    Instrument: ("kind", "symbol", "captured_ts"),  # every list of the hour: a change holds from its instant
    Trade: ("kind", "symbol", "is_aggregate", "trade_id"),
    FundingRate: ("kind", "symbol", "event_ts"),
    Candle: ("kind", "symbol", "interval_s", "event_ts"),
    Liquidation: ("kind", "symbol", "event_ts", "side", "px", "qty", "liquidation_id"),
    MarginTier: ("kind", "symbol", "captured_ts", "size_floor_qty"),
    VolatilityIndex: ("kind", "symbol", "interval_s", "event_ts"),
    GasPrice: ("symbol", "chain_id", "block_number", "captured_ts"),
    StreamHole: ("kind", "symbol", "dataset", "captured_ts", "reason"),
}
SNAPSHOT_GRAIN = ("kind", "symbol", "captured_ts", "event_ts")

_ENCODER = msgspec.msgpack.Encoder()
_NO_EVENT = datetime.min.replace(tzinfo=UTC)


def grain_of(record: type[Record]) -> tuple[str, ...]:
    """The columns by which one row stands for one thing said."""
    return GRAINS.get(record, SNAPSHOT_GRAIN)


def lake_order(record: type[Record]) -> tuple[str, ...]:
    """The order in which `settled` takes rows and in which the lake holds them: an instrument's stand together."""
    return tuple(dict.fromkeys(("kind", "symbol", *grain_of(record), "captured_ts")))


def settled(record: type[Record], tables: Iterable[pa.Table], keys: Sequence[str]) -> Iterator[Settled]:
    """Settle rows that come in `lake_order`, portion by portion.

    Each row has in column `OBJECT` the place of its raw object's key in `keys`. A portion ends with a grain.
    """
    begun: pa.Table | None = None  # the last grain so far, of which more may come
    for table in tables:
        whole = table if begun is None else pa.concat_tables([begun.combine_chunks(), table])
        is_first = begins(whole, grain_of(record))
        last = int(np.flatnonzero(is_first)[-1])
        if last:
            yield _settled(record, whole.slice(0, last), is_first[:last], keys)
        begun, _ = _without_echoes(record, whole.slice(last), is_first[last:])
    if begun is not None:
        yield _settled(record, begun, begins(begun, grain_of(record)), keys)


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


def _settled(record: type[Record], table: pa.Table, is_first: Bools, keys: Sequence[str]) -> Settled:
    grains_count = int(is_first.sum())
    rest, is_alone = _without_echoes(record, table, is_first)
    if is_alone.all():
        return Settled(rest.drop_columns([OBJECT]), grains_count, [])
    alone = rest.filter(pa.array(is_alone)).drop_columns([OBJECT])
    apart = rest.filter(pa.array(~is_alone))
    found = zip(to_records(record, apart), (keys[number] for number in ints(apart[OBJECT])), strict=True)
    kept, conflicts = said_once(list(found))
    hour = table["utc_hour"][0].as_py()
    whole = pa.concat_tables([spelled_out(alone), as_table(record, hour, kept)])
    return Settled(in_order(whole, lake_order(record)), grains_count, conflicts)


def _without_echoes(record: type[Record], table: pa.Table, is_first: Bools) -> tuple[pa.Table, Bools]:
    """Without what only repeats a row, as a later sighting may, and whether each row left is alone in its grain.

    `is_first` says which rows begin a grain.
    """
    if is_first.all():
        return table, is_first
    said = [field.name for field in table.schema if field.name not in {"utc_hour", "captured_ts", OBJECT}]
    is_list = any(pa.types.is_list(table.schema.field(name).type) for name in said)
    echoes = ~is_first & (False if is_list else ~begins(table, said))
    number = np.cumsum(is_first) - 1
    is_plain = np.bincount(number) == np.bincount(number, weights=echoes).astype(np.int64) + 1
    # Of rows that say the same, the sighting that the settled row would keep.
    stays = np.roll(is_first, -1) if _SETTLE.get(record) is _latest else is_first
    kept = stays | ~is_plain[number]
    return table.filter(pa.array(kept)), is_plain[number][kept]


def begins(table: pa.Table, names: Sequence[str]) -> Bools:
    """For each row, whether any of these columns differs from the row before."""
    return changes(keys_of(table, names), table.num_rows)


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
    return tuple([getattr(record, name) for name in grain_of(type(record))])


def _named(record: Record) -> str:
    named = [f"{name} {getattr(record, name)}" for name in grain_of(type(record))]
    return ", ".join(named)


def _first(held: Record, later: Record) -> Record | None:
    clocks: dict[str, Any] = {"captured_ts": held.captured_ts}
    if _is_same_instant(held.event_ts, later.event_ts):
        clocks["event_ts"] = held.event_ts
    return held if msgspec.structs.replace(later, **clocks) == held else None


def _is_same_instant(a: datetime | None, b: datetime | None) -> bool:
    """Whether one of them is the other without its microseconds: a venue's replies may tell fewer than its archive."""
    if a is None or b is None or (a.microsecond % 1000 and b.microsecond % 1000):
        return a == b
    return a - timedelta(microseconds=a.microsecond % 1000) == b - timedelta(microseconds=b.microsecond % 1000)


def _latest(held: Record, later: Record) -> Record:
    return later


def _latest_completed(held: Record, later: Record) -> Record:
    said = msgspec.structs.asdict(later).items()
    return msgspec.structs.replace(later, **{name: getattr(held, name) for name, value in said if value is None})


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
    Instrument: _latest_completed,
}
