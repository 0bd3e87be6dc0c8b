"""How books lie in Parquet: whole numbers at a decimal scale of each row, prices as their distance from the best.

    price = (best_bid - bid_offset) / 10^px_scale        size = bid_size / 10^qty_scale

Files hold an offset as its step from the level before: where the best has moved, steps repeat from book to book and
offsets do not.
The quotient of two whole numbers that a double holds exactly is the nearest double of the decimal, and of no other at
its scale, so that nothing is lost. The prices or sizes of a row of which that cannot be said have no scale and stand as
doubles in `bid_px`, `ask_px` or `bid_qty`, `ask_qty`, which are null elsewhere.
The layout is known here and, as `STAGED`, in `decoded_levels` of dbt_project/macros/books.sql, nowhere else.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingestion.columns import FLOATS, schema_of
from ingestion.records import OrderBook

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MAX_SCALE = 22  # the last power of ten that a double holds exactly
MAX_EXACT = 2**52 - 1  # up to here no two whole numbers over one power of ten are the same double

_NO_SCALE = MAX_SCALE + 1
_POWERS = np.array([*(float(10**k) for k in range(MAX_SCALE + 1)), np.nan])  # at no scale is a number whole
_SAMPLE = 2  # levels of a side that guess its row's scale

_LEVELS = pa.list_(pa.int64())
_HEAD = [field for field in schema_of(OrderBook) if field.type != FLOATS]
_SIDES = (("bid", -1), ("ask", 1))  # which way a side runs from its best price

SCHEMA = pa.schema(
    [
        *_HEAD,
        pa.field("px_scale", pa.int8()),
        pa.field("qty_scale", pa.int8()),
        *(pa.field(f"best_{side}", pa.int64()) for side, _ in _SIDES),
        *(pa.field(f"{side}_step", _LEVELS) for side, _ in _SIDES),
        *(pa.field(f"{side}_size", _LEVELS) for side, _ in _SIDES),
        *(pa.field(f"{side}_{what}", FLOATS) for what in ("px", "qty") for side, _ in _SIDES),
    ]
)
# What SQL reads: offsets themselves, because a running sum over a list is quadratic there.
STAGED = pa.schema([field.with_name(field.name.replace("_step", "_offset")) for field in SCHEMA])
# Of `SCHEMA`, pages hold the bytes apart, first bytes together; a dictionary would be as long as the column.
SPLIT = ["best_bid", "best_ask", *(f"{field.name}.list.element" for field in SCHEMA if pa.types.is_list(field.type))]


def encoded(books: pa.Table) -> pa.Table:
    """Books in the columns of their record as they lie in Parquet, `SCHEMA`."""
    rows = books.num_rows
    bid_px, ask_px = (_Lists.of(books[f"{side}_px"]) for side, _ in _SIDES)
    bid_qty, ask_qty = (_Lists.of(books[f"{side}_qty"]) for side, _ in _SIDES)
    px_scale, px = _scaled(rows, (bid_px, ask_px))
    qty_scale, qty = _scaled(rows, (bid_qty, ask_qty))
    has_px, has_qty = px_scale <= MAX_SCALE, qty_scale <= MAX_SCALE
    columns: dict[str, Any] = {field.name: books[field.name] for field in _HEAD}
    columns["px_scale"] = _where(has_px, px_scale, pa.int8())
    columns["qty_scale"] = _where(has_qty, qty_scale, pa.int8())
    for (side, sign), lists, whole in zip(_SIDES, (bid_px, ask_px), px, strict=True):
        best = np.zeros(rows, dtype=np.int64)
        best[lists.lengths > 0] = whole[lists.starts[lists.lengths > 0]]
        columns[f"best_{side}"] = _where(has_px & (lists.lengths > 0), best, pa.int64())
        columns[f"{side}_step"] = lists.filled(has_px, lists.steps(whole, sign))
        columns[f"{side}_px"] = lists.filled(~has_px, lists.values)
    for (side, _), lists, whole in zip(_SIDES, (bid_qty, ask_qty), qty, strict=True):
        columns[f"{side}_size"] = lists.filled(has_qty, whole)
        columns[f"{side}_qty"] = lists.filled(~has_qty, lists.values)
    return pa.table(columns, schema=SCHEMA)


def staged(stored: pa.Table) -> pa.Table:
    """Books as they lie in Parquet, each level at its distance from the best, `STAGED`."""
    columns = [_Lists.of(stored[name]).sums() if name.endswith("_step") else stored[name] for name in SCHEMA.names]
    return pa.table(columns, schema=STAGED)


def decoded(stored: pa.Table) -> pa.Table:
    """Books as they lie in Parquet, in the columns of their record."""
    stored = staged(stored)
    columns: dict[str, Any] = {field.name: stored[field.name] for field in _HEAD}
    px_scale, qty_scale = (_filled(stored[name]) for name in ("px_scale", "qty_scale"))
    for side, sign in _SIDES:
        offset, size = _Lists.of(stored[f"{side}_offset"]), _Lists.of(stored[f"{side}_size"])
        whole = _filled(stored[f"best_{side}"])[offset.rows] + sign * offset.values
        columns[f"{side}_px"] = offset.either(whole / _POWERS[px_scale[offset.rows]], stored[f"{side}_px"])
        columns[f"{side}_qty"] = size.either(size.values / _POWERS[qty_scale[size.rows]], stored[f"{side}_qty"])
    return pa.table(columns, schema=schema_of(OrderBook))


class _Lists:
    """A column of lists, flat: where each row's values begin, how many they are, and the row of each value."""

    def __init__(self, values: npt.NDArray[Any], lengths: Ints, is_there: Bools) -> None:
        self.values = values
        self.lengths = lengths
        self.is_there = is_there
        self.starts: Ints = np.cumsum(lengths) - lengths

    @cached_property
    def rows(self) -> Ints:
        found: Ints = np.repeat(np.arange(len(self.lengths)), self.lengths)
        return found

    @classmethod
    def of(cls, column: "pa.ChunkedArray[Any]") -> "_Lists":
        array: Any = column.combine_chunks()
        lengths = array.value_lengths().fill_null(0)
        return cls(np.asarray(array.flatten()), np.asarray(lengths, dtype=np.int64), np.asarray(array.is_valid()))

    def steps(self, values: Ints, sign: int) -> Ints:
        """From each value of a list to the next, by this sign; a list begins with zero."""
        found = np.empty_like(values)
        before, after = values[:-1], values[1:]
        np.subtract(*((after, before) if sign > 0 else (before, after)), out=found[1:])
        found[self.starts[self.lengths > 0]] = 0
        return found

    def sums(self) -> "pa.Array[Any]":
        """These lists as running sums; what a sum over all lists overflows by cancels out."""
        running = np.concatenate([[0], np.cumsum(self.values)])
        return self.filled(self.is_there, running[1:] - running[self.starts[self.rows]])

    def filled(self, has: Bools, values: npt.NDArray[Any]) -> "pa.Array[Any]":
        """Lists of these lengths where a row `has` one, else null."""
        lengths = np.where(has, self.lengths, 0)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        kept = values if has.all() else values[has[self.rows]]
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array(kept), mask=pa.array(~has))  # type: ignore[call-overload, no-any-return]

    def either(self, values: Floats, otherwise: "pa.ChunkedArray[Any]") -> "pa.Array[Any]":
        """These lists, and where there are none the others."""
        if self.is_there.all():
            return self.filled(self.is_there, values)
        other = _Lists.of(otherwise)
        order = np.argsort(np.concatenate([self.rows, other.rows]), kind="stable")
        whole = _Lists(np.concatenate([values, other.values])[order], self.lengths + other.lengths, self.is_there)
        return whole.filled(np.ones(len(self.lengths), dtype=np.bool_), whole.values)


def _scaled(rows: int, sides: Sequence[_Lists]) -> tuple[Ints, list[Ints]]:
    """The smallest scale at which all of a row's numbers are whole, `_NO_SCALE` where there is none, and them so."""
    scale = np.zeros(rows, dtype=np.int64)
    for lists in sides:
        heads = [np.flatnonzero(lists.lengths > place) for place in range(_SAMPLE)]
        places = [lists.starts[of] + place for place, of in enumerate(heads)]
        _raise(scale, lists.values, np.concatenate(places), np.concatenate(heads))
    is_wrong = np.zeros(rows, dtype=np.bool_)
    found = []
    powers = _POWERS[scale]
    for lists in sides:
        whole, is_whole = _whole(lists.values, _each(powers, lists.lengths))
        odd = np.flatnonzero(~is_whole)
        if len(odd):
            _raise(scale, lists.values, odd, lists.rows[odd])
            is_wrong[lists.rows[odd]] = True
        found.append(whole)
    if is_wrong.any():
        for lists, whole in zip(sides, found, strict=True):
            again = np.flatnonzero(is_wrong[lists.rows])
            whole[again], is_whole = _whole(lists.values[again], _POWERS[scale[lists.rows[again]]])
            scale[lists.rows[again[~is_whole]]] = _NO_SCALE
    return scale, found


def _each(powers: Floats, lengths: Ints) -> Floats | float:
    """The power of each value, or of all."""
    is_one = len(powers) > 0 and bool((powers == powers[0]).all())
    return float(powers[0]) if is_one else np.repeat(powers, lengths)


def _raise(scale: Ints, values: Floats, places: Ints, rows: Ints) -> None:
    """Raise the scales of these rows to the least at which their values at these places are whole."""
    values = values[places]
    for k in range(_NO_SCALE + 1):
        if not len(rows):
            return
        scale[rows] = np.maximum(scale[rows], k)
        if k > MAX_SCALE:
            return
        _, is_whole = _whole(values, float(_POWERS[k]))
        values, rows = values[~is_whole], rows[~is_whole]


def _whole(values: Floats, power: Floats | float) -> tuple[Ints, Bools]:
    """The numbers times a power of ten, and whether dividing by it again gives the very same."""
    with np.errstate(over="ignore"):
        product = values * power
    np.rint(product, out=product)
    is_whole: Bools = product / power == values
    if len(product) and not (product.max() <= MAX_EXACT and product.min() >= -MAX_EXACT):
        is_whole &= np.abs(product) <= MAX_EXACT
    if not is_whole.all():
        product[~is_whole] = 0.0
    return product.astype(np.int64), is_whole


def _where(has: Bools, values: Ints, kind: pa.DataType) -> "pa.Array[Any]":
    return pa.array(values.astype(kind.to_pandas_dtype()), kind, mask=~has)


def _filled(column: "pa.ChunkedArray[Any]") -> Ints:
    return np.asarray(column.combine_chunks().fill_null(0), dtype=np.int64)
