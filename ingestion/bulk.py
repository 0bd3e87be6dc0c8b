"""Many replies of one kind at once, straight to columns: what their parser says of them, several times sooner.

Only what is plain is read so. A reply with anything odd in it is left to the parser, which alone decides what is
refused and why; so the rows are the parser's own, whichever way they were read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw

from ingestion.columns import INSTANT, as_instants, schema_of
from ingestion.records import Kind, OrderBook, Record, SpotTicker, Trade
from ingestion.venues.base import EARLIEST, LATEST, Reply, refuse_beyond_float64

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# What a reader may raise over a reply that is not plain.
SLIPS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)

_LEVEL = b'["",""],'  # two numbers written as text, without their digits
_DIGITS = b"0123456789."
_DOT, _ZERO, _COMMA = b".0,"


class Unplain(ValueError):
    """Something in a reply that only its parser can judge."""


class Who(NamedTuple):
    """Whose rows a reply tells of."""

    venue: str
    kind: Kind
    symbol: str


class Depth(NamedTuple):
    """A reply that is one book, its sides as JSON of `[["price","size"],…]`."""

    who: Who
    sequence_id: int | None
    event_ms: int | None
    bids: Raw
    asks: Raw


class Fills(NamedTuple):
    """A reply that lists trades, by column."""

    who: Who
    trade_ids: Ints
    px: Floats
    qty: Floats
    event_ms: Ints
    is_sell: Bools
    is_aggregate: bool


class Quotes(NamedTuple):
    """A reply that lists the best quotes of pairs, by column, on our clock; a price of zero is none."""

    venue: str
    symbols: list[str]
    bid_px: Floats
    bid_qty: Floats
    ask_px: Floats
    ask_qty: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Bulk:
    """How replies of one endpoint become a table; `read` raises `Unplain` or one of `SLIPS` for what is not plain."""

    record: type[Record]
    read: Callable[[Reply], Any]
    join: Callable[[datetime, Sequence[Reply], Sequence[Any]], "Joined"]


class Joined(NamedTuple):
    """The rows of plain replies, and the places of those that are not; of a join, rows only where all are."""

    table: pa.Table
    unplain: list[int]


def books(read: Callable[[Reply], Depth]) -> Bulk:
    return Bulk(OrderBook, read, _join_books)


def trades(read: Callable[[Reply], Fills]) -> Bulk:
    return Bulk(Trade, read, _join_trades)


def spot_quotes(read: Callable[[Reply], Quotes]) -> Bulk:
    return Bulk(SpotTicker, read, _join_quotes)


def read_all(bulk: Bulk, hour: datetime, replies: Sequence[Reply]) -> Joined:
    """Read what is plain of these replies: of their numbers too, a double must be able to give back the digits."""
    told = {}
    for place, reply in enumerate(replies):
        try:
            refuse_beyond_float64(reply.body, reply.path)
            told[place] = bulk.read(reply)
        except SLIPS:
            continue
    while told:
        places = list(told)
        try:
            joined = bulk.join(hour, [replies[place] for place in places], list(told.values()))
        except SLIPS:
            break
        if not joined.unplain:
            return Joined(joined.table, [place for place in range(len(replies)) if place not in told])
        for number in joined.unplain:
            del told[places[number]]
    return Joined(schema_of(bulk.record).empty_table(), list(range(len(replies))))


def _join_books(hour: datetime, replies: Sequence[Reply], depths: Sequence[Depth]) -> Joined:
    bids, asks = _levels([bytes(depth.bids) for depth in depths]), _levels([bytes(depth.asks) for depth in depths])
    event_us, is_early = _events([depth.event_ms for depth in depths])
    odd = is_early | bids.is_odd | asks.is_odd
    if odd.any():
        return Joined(schema_of(OrderBook).empty_table(), np.flatnonzero(odd).tolist())
    columns = {
        **_heads(hour, replies, [depth.who for depth in depths], np.ones(len(depths), dtype=np.int64)),
        "event_ts": event_us,
        "sequence_id": pa.array([depth.sequence_id for depth in depths], pa.int64()),
        "bid_px": bids.px,
        "bid_qty": bids.qty,
        "ask_px": asks.px,
        "ask_qty": asks.qty,
    }
    return Joined(pa.table(columns, schema=schema_of(OrderBook)), [])


def _join_trades(hour: datetime, replies: Sequence[Reply], told: Sequence[Fills]) -> Joined:
    counts = np.array([len(fills.trade_ids) for fills in told], dtype=np.int64)
    event_us, is_early = _events(np.concatenate([fills.event_ms for fills in told]))
    if is_early.any():
        places = np.repeat(np.arange(len(told)), counts)[is_early]
        return Joined(schema_of(Trade).empty_table(), np.unique(places).tolist())
    columns = {
        **_heads(hour, replies, [fills.who for fills in told], counts),
        "event_ts": event_us,
        "trade_id": pa.array(np.concatenate([fills.trade_ids for fills in told])).cast(pa.string()),
        "px": np.concatenate([fills.px for fills in told]),
        "qty": np.concatenate([fills.qty for fills in told]),
        "side": pc.if_else(pa.array(np.concatenate([fills.is_sell for fills in told])), "sell", "buy"),
        "is_aggregate": np.repeat(np.array([fills.is_aggregate for fills in told], dtype=np.bool_), counts),
    }
    return Joined(pa.table(columns, schema=schema_of(Trade)), [])


def _join_quotes(hour: datetime, replies: Sequence[Reply], told: Sequence[Quotes]) -> Joined:
    counts = np.array([len(quotes.symbols) for quotes in told], dtype=np.int64)
    who = [Who(quotes.venue, "spot", "") for quotes in told]
    columns = {
        **_heads(hour, replies, who, counts),
        "symbol": pa.array([symbol for quotes in told for symbol in quotes.symbols], pa.string()),
    }
    for side in ("bid", "ask"):
        px, qty = (np.concatenate([getattr(quotes, f"{side}_{what}") for quotes in told]) for what in ("px", "qty"))
        columns[f"{side}_px"] = pa.array(px, mask=px == 0)
        columns[f"{side}_qty"] = pa.array(qty + 0.0, mask=px == 0)
    schema = schema_of(SpotTicker)
    rows = int(counts.sum())
    return Joined(
        pa.table([columns.get(field.name, pa.nulls(rows, field.type)) for field in schema], schema=schema), []
    )


def _heads(hour: datetime, replies: Sequence[Reply], who: Sequence[Who], counts: Ints) -> dict[str, Any]:
    """The columns that are the same in all rows of a reply, of which each has so many."""
    rows = pa.array(np.repeat(np.arange(len(replies)), counts))
    captured = pa.array(as_instants([reply.captured_ts for reply in replies]), INSTANT)
    columns = {name: pa.array([getattr(each, name) for each in who], pa.string()) for name in Who._fields}
    [hour_us] = as_instants([hour])
    return {
        "utc_hour": pa.array(np.full(len(rows), hour_us), INSTANT),
        "captured_ts": captured.take(rows),  # type: ignore[arg-type]
        **{name: column.take(rows) for name, column in columns.items()},  # type: ignore[arg-type]
    }


def _events(event_ms: Sequence[int | None] | Ints) -> tuple["pa.Array[Any]", Bools]:
    """The venue's clock, and which are outside what `instant` takes."""
    milliseconds = pa.array(event_ms, pa.int64())
    earliest, latest = (each.timestamp() * 1e3 for each in (EARLIEST, LATEST))
    is_early = pc.or_(pc.less(milliseconds, int(earliest)), pc.greater_equal(milliseconds, int(latest)))  # type: ignore[call-overload]
    microseconds = pc.multiply(milliseconds, 1_000)
    return microseconds.cast(INSTANT), np.asarray(is_early.fill_null(False), dtype=np.bool_)  # type: ignore[attr-defined]


class _Side(NamedTuple):
    px: Any
    qty: Any
    is_odd: Bools


def _levels(sides: Sequence[bytes]) -> _Side:
    """Lists of prices and sizes, and which sides are not plainly `[["1.5","2"],…]` with numbers over zero."""
    counts = np.array([max(0, side.count(b"[") - 1) for side in sides], dtype=np.int64)
    is_odd = np.array([side != b"[]" and not side.startswith(b"[[") for side in sides], dtype=np.bool_)
    if is_odd.any():  # a number, a list of numbers: without its digits it would be nothing
        return _Side(None, None, is_odd)
    told = [side for side in sides if side != b"[]"]
    text = b",".join(told)
    if text.translate(None, _DIGITS) != b",".join(_shape(count) for count in counts.tolist() if count):
        is_odd[:] = [side != b"[]" and side.translate(None, _DIGITS) != _shape(side.count(b"[") - 1) for side in sides]
        return _Side(None, None, is_odd)
    numbers, is_strange = _numbers(text.translate(None, b'[]"'))
    if is_strange.any():
        is_odd[np.searchsorted(np.cumsum(counts) * 2, np.flatnonzero(is_strange), side="right")] = True
        return _Side(None, None, is_odd)
    ends = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
    px, qty = (pa.ListArray.from_arrays(ends, pa.array(numbers[first::2])) for first in (0, 1))  # type: ignore[call-overload]
    return _Side(px, qty, is_odd)


@lru_cache(maxsize=4096)
def _shape(count: int) -> bytes:
    return b"[" + (_LEVEL * count)[:-1] + b"]"


def _numbers(text: bytes) -> tuple[Floats, Bools]:
    """Numbers between commas, and which are no decimals over zero as JSON writes them: 00.5, .5, 5., 0."""
    if not text:
        return np.zeros(0), np.zeros(0, dtype=np.bool_)
    letters = np.frombuffer(text, dtype=np.uint8)
    cuts = np.flatnonzero(letters == _COMMA)
    starts, ends = np.concatenate([[0], cuts + 1]), np.concatenate([cuts, [len(text)]])
    lengths = ends - starts
    first, last = letters[np.minimum(starts, len(text) - 1)], letters[ends - 1]
    second = letters[np.minimum(starts + 1, len(text) - 1)]
    is_strange = (lengths == 0) | (first == _DOT) | (last == _DOT)
    is_strange |= (first == _ZERO) & (lengths > 1) & (second != _DOT)
    if is_strange.any():
        return np.zeros(0), is_strange
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    spelled = pa.StringArray.from_buffers(len(lengths), pa.py_buffer(offsets), pa.py_buffer(text.replace(b",", b"")))  # type: ignore[arg-type]
    try:
        numbers = np.asarray(spelled.cast(pa.float64()), dtype=np.float64)
    except pa.ArrowInvalid:  # 1.2.3
        return np.zeros(0), np.asarray(pc.greater(pc.count_substring(spelled, "."), 1), dtype=np.bool_)  # type: ignore[call-overload]
    return numbers, ~((numbers > 0) & (numbers < np.inf))
