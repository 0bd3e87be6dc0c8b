"""The row rules, over columns: which rows of a table may break one.

No row that breaks a rule is missed; `broken_rule` then says of those few which do, which rule, and why.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.columns import ints
from ingestion.gate.rows import (
    ALL_KINDS,
    EVENTS,
    KINDS,
    MAX_SKEW,
    MAX_SNAPSHOT_AGE,
    NUMBERS,
    SEQUENCE,
    SNAPSHOTS,
    TEXTS,
    Bound,
)
from ingestion.records import Candle, Instrument, MarginTier, OrderBook, Record

Bools = npt.NDArray[np.bool_]

# The plain letters of a name; others that a name may have are looked at one by one.
_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:@+-"
_MAX_NAME_BYTES = 64
_HUGE = 1e300  # numbers below it have a finite sum


def suspects(record: type[Record], table: pa.Table, venue: str) -> Bools:
    """For each row, whether it may break a row rule or is another venue's."""
    if record is Instrument:  # few, and with rules of several fields
        return np.ones(table.num_rows, dtype=np.bool_)
    found = _not_among(table["venue"], {venue}) | _not_among(table["kind"], KINDS.get(record, ALL_KINDS))
    for name in TEXTS[record]:
        found |= _no_plain_name(table[name])
    found |= _off_clock(record, table)
    if record is OrderBook:
        found |= _out_of_bound(table["sequence_id"], SEQUENCE, is_required=False)
        return found | _off_side(table, "bid", -1) | _off_side(table, "ask", 1)
    for name, is_required, bound in NUMBERS[record]:
        found |= _out_of_bound(table[name], bound, is_required=is_required)
    if record is Candle:
        found |= _no_candle(table)
    if record is MarginTier:
        found |= _no_tier(table)
    return found


def _not_among(column: "pa.ChunkedArray[Any]", allowed: set[str] | frozenset[str]) -> Bools:
    if pa.types.is_dictionary(column.type):
        return _of_names(column, lambda names: _not_among(names, allowed))
    if set(column.unique().to_pylist()) <= allowed:
        return np.zeros(len(column), dtype=np.bool_)
    return ~np.asarray(pc.is_in(column, pa.array(sorted(allowed))), dtype=np.bool_)


def _of_names(column: "pa.ChunkedArray[Any]", judge: Callable[["pa.ChunkedArray[Any]"], Bools]) -> Bools:
    """What holds for each row, by the names that rows share."""
    array: Any = column.combine_chunks()
    found = judge(pa.chunked_array([array.dictionary]))
    return found[np.asarray(array.indices)] if found.any() else np.zeros(len(array), dtype=np.bool_)


def _no_plain_name(column: "pa.ChunkedArray[Any]") -> Bools:
    if pa.types.is_dictionary(column.type):
        return _of_names(column, _no_plain_name)
    lengths = np.asarray(pc.binary_length(column), dtype=np.int64)
    found = (lengths == 0) | (lengths > _MAX_NAME_BYTES)
    array: Any = column.combine_chunks()
    _, offsets, letters = array.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[array.offset :][: len(array) + 1]
    if letters is not None and bytes(letters)[ends[0] : ends[-1]].translate(None, _PLAIN):
        found |= ~np.asarray(pc.match_substring_regex(column, r"^[A-Za-z0-9_.:@+-]*$"), dtype=np.bool_)
    return found  # type: ignore[no-any-return]


def _off_clock(record: type[Record], table: pa.Table) -> Bools:
    captured = ints(table["captured_ts"])
    has_event = np.asarray(table["event_ts"].is_valid(), dtype=np.bool_)
    event = np.where(has_event, ints(table["event_ts"].fill_null(0)), captured)  # type: ignore[arg-type]
    found = event - captured > MAX_SKEW.total_seconds() * 1e6
    if record in EVENTS:
        found |= ~has_event
    if record in SNAPSHOTS:
        found |= captured - event > MAX_SNAPSHOT_AGE.total_seconds() * 1e6
    return found  # type: ignore[no-any-return]


def _out_of_bound(column: "pa.ChunkedArray[Any]", bound: Bound | None, *, is_required: bool) -> Bools:
    is_there = np.asarray(column.is_valid(), dtype=np.bool_)
    if pa.types.is_decimal(column.type):
        # Doubles are near enough to suspect by: one that rounds to a bound is looked at too.
        column = column.cast(pa.float64())
        bound = bound and replace(bound, low=float(bound.low), high=np.nextafter(float(bound.high), 0))
    numbers = np.asarray(column.fill_null(0))  # type: ignore[arg-type]
    found = ~np.isfinite(numbers)
    if bound is not None:
        found |= (numbers < bound.low) | (numbers > bound.high)
        if bound.is_open:
            found |= numbers == bound.low
    return found & is_there | (~is_there & is_required)  # type: ignore[no-any-return]


def _off_side(table: pa.Table, side: str, sign: int) -> Bools:
    """Books whose side has unlike lists, a number that is not over zero, or prices that do not run outward."""
    px, qty = table[f"{side}_px"].combine_chunks(), table[f"{side}_qty"].combine_chunks()
    lengths = np.asarray(pc.list_value_length(px), dtype=np.int64)
    found: Bools = lengths != np.asarray(pc.list_value_length(qty), dtype=np.int64)
    if found.any():
        return np.ones(len(lengths), dtype=np.bool_)
    ends = np.cumsum(lengths)
    prices, sizes = (np.asarray(lists.flatten()) for lists in (px, qty))  # type: ignore[attr-defined]
    before, after = prices[:-1], prices[1:]
    is_outward = np.ones(len(prices), dtype=np.bool_)
    is_outward[1:] = after > before if sign > 0 else after < before
    is_outward[(ends - lengths)[lengths > 0]] = True  # the first price of a row follows upon another row's last
    if is_outward.all() and _are_within(prices) and _are_within(sizes):
        return found
    is_odd = ~((prices > 0) & (prices < _HUGE) & (sizes > 0) & (sizes < _HUGE) & is_outward)
    found[np.searchsorted(ends, np.flatnonzero(is_odd), side="right")] = True
    return found


def _are_within(numbers: npt.NDArray[np.float64]) -> bool:
    return not len(numbers) or bool(numbers.min() > 0 and numbers.max() < _HUGE)  # NaN is neither


def _no_candle(table: pa.Table) -> Bools:
    low, high, first, last = (np.asarray(table[f"{name}_px"]) for name in ("low", "high", "open", "close"))
    return ~((low <= first) & (first <= high) & (low <= last) & (last <= high))


def _no_tier(table: pa.Table) -> Bools:
    floor, cap, initial, kept = (
        np.asarray(table[name].to_numpy(), dtype=np.float64)
        for name in ("size_floor_qty", "size_cap_qty", "initial_margin_frac", "maintenance_margin_frac")
    )
    return (cap <= floor) | ~(kept <= initial)  # no cap is NaN
