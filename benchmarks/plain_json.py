"""The program one writes first: `json.loads`, lists, Parquet, ten thousand lines at a time.

With checks it refuses and drops what gate 1 does of these replies; without, it writes whatever it reads.
"""

import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from venue_shapes import SHAPES, BookShape, TradeShape

CHUNK_LINES = 10_000
CHUNK_BYTES = 16 * 1024 * 1024  # a line may be a hundred kilobytes
MINUTE_US, DAY_US = 60_000_000, 86_400_000_000

_NAME = re.compile(r"[\w.:@+-]{1,64}")
_QUOTED = ("bidPrice", "bidQty", "askPrice", "askQty")
_LONG = re.compile(r"[0-9][0-9.]{15,}")

Row = dict[str, Any]
Rows = Iterator[tuple[Any, Row]]  # what says the same, and the row


class Refused(ValueError):
    """A reply or row that must not enter."""


def lines_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        yield from io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(stream), 1024 * 1024)


def chunks_of(path: Path) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    size = 0
    for each in lines_of(path):
        chunk.append(each)
        size += len(each)
        if len(chunk) == CHUNK_LINES or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def write_lake(path: Path, out: Path, dataset: str, *, is_checked: bool) -> int:
    """Raw lines to Parquet; returns the rows."""
    read, schema = _READERS[dataset]
    seen: set[Any] = set()
    count = 0
    with pq.ParquetWriter(out, schema, compression="zstd", compression_level=3) as writer:
        for chunk in chunks_of(path):
            columns: dict[str, list[Any]] = {name: [] for name in schema.names}
            for each in chunk:
                said = json.loads(each)
                if is_checked and (said["status"] != 200 or not _NAME.fullmatch(said["venue"])):
                    continue
                with suppress(Refused):
                    for key, row in read(said, is_checked):
                        if is_checked:
                            if key in seen:
                                continue
                            seen.add(key)
                        for name, value in row.items():
                            columns[name].append(value)
                        count += 1
            writer.write_table(pa.table(columns, schema=schema))
    return count


def write_lines(path: Path, out: Path) -> int:
    """The floor: the same bytes decompressed, and in Parquet as they are."""
    schema = pa.schema([("line", pa.binary())])
    with pq.ParquetWriter(out, schema, compression="zstd", compression_level=3, use_dictionary=False) as writer:
        count = 0
        for chunk in chunks_of(path):
            count += len(chunk)
            writer.write_table(pa.table([pa.array(chunk, pa.binary())], schema=schema))
    return count


def _read_book(said: Row, is_checked: bool) -> Rows:
    shape = _SHAPES[said["venue"], said["path"]]
    number, event_us, *sides = shape.read(said["body"])
    row = _who(said) | {"event_ts": event_us, "sequence_id": number}
    first, second = shape.level
    for side, sign, levels in zip(("bid", "ask"), (-1, 1), sides, strict=True):
        row[f"{side}_px"] = px = [float(level[first]) for level in levels]
        row[f"{side}_qty"] = qty = [float(level[second]) for level in levels]
        if is_checked:
            for level in levels:
                if not _is_exact(level[first]) or not _is_exact(level[second]):
                    raise Refused("precision")
            if not all(0 < each < 1e300 for each in px) or not all(0 < each < 1e300 for each in qty):
                raise Refused("positive")
            if not all(sign * (after - before) > 0 for before, after in pairwise(px)):
                raise Refused("book_order")
    if is_checked:
        _check_clock(row, DAY_US)
    yield (row["symbol"], row["captured_ts"], row["event_ts"]), row


def _read_trades(said: Row, is_checked: bool) -> Rows:
    who = _who(said)
    is_aggregate = said["path"].endswith("aggTrades")
    for number, event_us, px, qty, is_sale in _SHAPES[said["venue"], said["path"]].read(said["body"]):
        row = who | {
            "event_ts": event_us,
            "trade_id": number,
            "px": float(px),
            "qty": float(qty),
            "side": "sell" if is_sale else "buy",
            "is_aggregate": is_aggregate,
        }
        if is_checked:
            if not _is_exact(px) or not _is_exact(qty):
                raise Refused("precision")
            if not 0 < row["px"] < 1e300 or not 0 < row["qty"] < 1e300 or not _NAME.fullmatch(number):
                continue
            _check_clock(row, None)
        yield (row["symbol"], number), row


def _read_tickers(said: Row, is_checked: bool) -> Rows:
    clock = _micros(said["captured_ts"])
    for each in said["body"]:
        row = {
            "venue": said["venue"],
            "symbol": each["symbol"],
            "kind": "spot",
            "captured_ts": clock,
            "bid_px": float(each["bidPrice"]) or None,
            "bid_qty": float(each["bidQty"]),
            "ask_px": float(each["askPrice"]) or None,
            "ask_qty": float(each["askQty"]),
        }
        if is_checked:
            if not all(_is_exact(each[name]) for name in _QUOTED):
                raise Refused("precision")
            if not _NAME.fullmatch(row["symbol"]):
                continue
            if not all(
                row[name] is None or 0 <= row[name] < 1e300 for name in ("bid_px", "bid_qty", "ask_px", "ask_qty")
            ):
                continue
        yield (row["symbol"], clock), row


def _who(said: Row) -> Row:
    symbol = said["query"].partition("symbol=")[2].partition("&")[0] or said["path"]
    return {"venue": said["venue"], "symbol": symbol, "kind": "perp", "captured_ts": _micros(said["captured_ts"])}


def _micros(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1e6)


def _is_exact(number: str | float) -> bool:
    """At most 15 significant digits, which a double gives back as they were; of what was no text nobody can say."""
    return not isinstance(number, str) or _LONG.match(number) is None or len(number.replace(".", "").strip("0")) <= 15


def _check_clock(row: Row, most_us: int | None) -> None:
    age_us = row["captured_ts"] - (row["event_ts"] or row["captured_ts"])
    if age_us < -MINUTE_US or (most_us is not None and age_us > most_us) or not row["symbol"]:
        raise Refused("clock")


_BINANCE_BOOK = BookShape("", "", ("bids",), ("asks",), number=("lastUpdateId",), at=("T",))
_SHAPES: dict[tuple[str, str], Any] = {(shape.venue, shape.path): shape for shape in SHAPES} | {
    ("binance_usdm", "/fapi/v1/depth"): _BINANCE_BOOK,
    ("binance_usdm", "/fapi/v1/aggTrades"): TradeShape("", "", (), "a", "T", "p", "q", "m", True),
    ("binance_usdm", "/fapi/v1/trades"): TradeShape("", "", (), "id", "time", "price", "qty", "isBuyerMaker", True),
}
_INSTANT = pa.timestamp("us", tz="UTC")
_HEAD = [("venue", pa.string()), ("symbol", pa.string()), ("kind", pa.string()), ("captured_ts", _INSTANT)]
_LEVELS = [(f"{side}_{what}", pa.list_(pa.float64())) for side in ("bid", "ask") for what in ("px", "qty")]
_FLOATS = [(f"{side}_{what}", pa.float64()) for side in ("bid", "ask") for what in ("px", "qty")]
_TRADE = [("trade_id", pa.string()), ("px", pa.float64()), ("qty", pa.float64()), ("side", pa.string())]
_READERS: dict[str, tuple[Callable[[Row, bool], Rows], pa.Schema]] = {
    "order_books": (_read_book, pa.schema([*_HEAD, ("event_ts", _INSTANT), ("sequence_id", pa.int64()), *_LEVELS])),
    "trades": (_read_trades, pa.schema([*_HEAD, ("event_ts", _INSTANT), *_TRADE, ("is_aggregate", pa.bool_())])),
    "spot_tickers": (_read_tickers, pa.schema([*_HEAD, *_FLOATS])),
}
