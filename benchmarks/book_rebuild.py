"""How fast books are rebuilt from diffs, against a dict that is sorted at every message.

    .venv/bin/python benchmarks/book_rebuild.py [--messages 1000000]

One book, one core, processor seconds. `book` takes diffs that are decoded; `frame → book` begins with the bytes of a
frame; `raw → samples` with the lines of raw objects, and ends with sampled books and the ledger. The naive baseline
keeps dicts and sorts both sides at every message, as one does who wants the best level; it gets a tenth of the
messages, at most 20,000. The recorded stream is repeated, each time from its snapshot.
"""

import argparse
import json
import os
import random
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import msgspec
import zstandard
from rich.console import Console
from rich.table import Table

from ingestion.envelopes import Envelope
from ingestion.records import OrderBook
from ingestion.streams import read_stream
from ingestion.streams.books import Book, Verdict
from ingestion.venues import VENUES
from ingestion.venues.base import Reply
from ingestion.venues.streams import BookDiff, BookSnapshot

RECORDINGS = Path(os.environ.get("BAROGRAPH_RECORDINGS", Path(__file__).parents[2] / "shared" / "recordings"))
LOG = RECORDINGS / "binance_l2_2024-08-08" / "ws" / "binance_usdm_BTCUSDT.log.zst"
VENUE = VENUES["binance_usdm"]
STREAM = VENUE.streams[0]
CHUNK = 50_000
NAIVE_AT_MOST = 20_000

Line = tuple[datetime, bytes]  # our clock, a frame or the REST snapshot


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--messages", type=int, default=1_000_000)
    messages = arguments.parse_args().messages

    table = Table("diffs", "levels each", "what", "messages/s", "naive", "ratio")
    if LOG.is_file():
        recorded = list(_recorded())
        repeats = max(1, messages // (len(recorded) - 1))
        _measure(table, "recorded BTCUSDT", lambda: (list(recorded) for _ in range(repeats)))
    else:
        print(f"no recording at {LOG}")  # noqa: T201
    _measure(table, "generated", lambda: _chunks(_generated(), messages))
    console = Console(width=110)
    console.print(table)
    console.print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


def _chunks(lines: Iterator[Line], messages: int) -> Iterator[list[Line]]:
    """A snapshot and `messages` diffs; whoever takes them goes on with the same book."""
    left = messages + 1
    while left > 0:
        yield list(islice(lines, min(CHUNK, left)))
        left -= CHUNK


def _measure(table: Table, name: str, source: Callable[[], Iterable[list[Line]]]) -> None:
    first = next(iter(source()))
    levels = [len(diff.bids) + len(diff.asks) for diff in _decoded(first) if isinstance(diff, BookDiff)]
    sample = first[: min(len(first), max(1_000, NAIVE_AT_MOST))]
    stages: list[tuple[str, Callable[[Iterable[list[Line]]], float], float]] = [
        ("book", _book_only, _naive(_decoded(sample))),
        ("frame → book", _frame_to_book, _naive(_parsed(sample))),
        ("raw → samples", _raw_to_samples, 0.0),
    ]
    for what, stage, naive in stages:
        rate = stage(source())
        row = (f"{rate:,.0f}", f"{naive:,.0f}" if naive else "", f"{rate / naive:,.0f}" if naive else "")
        table.add_row(name, f"{sum(levels) / len(levels):.0f}", what, *row)


def _reply(at: datetime, body: bytes) -> Reply:
    query = {} if body.startswith(b'{"stream"') else {"symbol": "BTCUSDT", "limit": "1000"}
    return Reply(STREAM.path, query, body, at)


def _read(at: datetime, body: bytes) -> BookDiff | BookSnapshot:
    reply = _reply(at, body)
    snapshot = STREAM.read_snapshot
    said = next(snapshot(reply) if reply.query and snapshot is not None else STREAM.read(reply))
    if not isinstance(said, BookDiff | BookSnapshot):
        raise TypeError(f"{said}: expected a book's message")
    return said


def _decoded(lines: list[Line]) -> list[BookDiff | BookSnapshot]:
    return [_read(at, body) for at, body in lines]


class _Kept:
    """A book that starts anew at every snapshot, and must not lose a message."""

    def __init__(self) -> None:
        self.book, self.taken = Book(STREAM), 0

    def take(self, message: BookDiff | BookSnapshot) -> None:
        if isinstance(message, BookSnapshot):
            self.book = Book(STREAM)
            self.book.snapshot(message)
            return
        self.taken += 1
        if self.book.diff(message) in (Verdict.GAP, Verdict.RESET):
            raise ValueError(f"message {self.taken} does not follow")


def _book_only(source: Iterable[list[Line]]) -> float:
    kept, spent = _Kept(), 0.0
    for lines in source:
        messages = _decoded(lines)
        start = time.process_time()
        for message in messages:
            kept.take(message)
        spent += time.process_time() - start
    return kept.taken / spent


def _frame_to_book(source: Iterable[list[Line]]) -> float:
    kept, spent = _Kept(), 0.0
    for lines in source:
        start = time.process_time()
        for at, body in lines:
            kept.take(_read(at, body))
        spent += time.process_time() - start
    return kept.taken / spent


def _raw_to_samples(source: Iterable[list[Line]]) -> float:
    """Decompressed lines of envelopes in, one hour's rows out."""
    decoder, taken, spent = msgspec.json.Decoder(Envelope), 0, 0.0
    for lines in islice(source, 1):
        hour = lines[0][0].replace(minute=0, second=0, microsecond=0)
        packed = [_sealed(at, body) for at, body in lines if at < hour + timedelta(hours=1)]
        start = time.process_time()
        rows = list(read_stream(VENUE, hour, map(decoder.decode, packed)))
        if not any(isinstance(row, OrderBook) for row in rows):
            raise ValueError("no book was sampled")
        spent += time.process_time() - start
        taken += len(packed) - 1
    return taken / spent


def _sealed(at: datetime, body: bytes) -> bytes:
    is_frame = body.startswith(b'{"stream"')
    return msgspec.json.encode(
        Envelope(
            venue=VENUE.name,
            method="WS" if is_frame else "GET",
            path=STREAM.path if is_frame else "/fapi/v1/depth",
            query="connection=0" if is_frame else "symbol=BTCUSDT&limit=1000",
            status=101 if is_frame else 200,
            captured_ts=at.isoformat(),
            body=msgspec.Raw(body),
        )
    )


def _parsed(lines: list[Line]) -> Iterator[BookDiff | BookSnapshot]:
    """As a first attempt reads them: `json.loads`, then floats."""

    def side(levels: list[list[str]]) -> list[tuple[float, float]]:
        return [(float(px), float(qty)) for px, qty in levels]

    for at, body in lines:
        told = json.loads(body)
        data = told.get("data", told)
        bids, asks = side(data.get("b") or data.get("bids", [])), side(data.get("a") or data.get("asks", []))
        shape = BookDiff if "data" in told else BookSnapshot
        yield shape(kind="perp", symbol="BTCUSDT", captured_ts=at, bids=bids, asks=asks)


def _naive(messages: Iterable[BookDiff | BookSnapshot]) -> float:
    bids: dict[float, float] = {}
    asks: dict[float, float] = {}
    taken, best = 0, (0.0, 0.0)
    start = time.process_time()
    for message in messages:
        for book, changes in ((bids, message.bids), (asks, message.asks)):
            for px, qty in changes:
                if qty:
                    book[float(px)] = float(qty)
                else:
                    book.pop(float(px), None)
        best = (sorted(bids, reverse=True)[0], sorted(asks)[0])
        taken += 1
    if best[0] >= best[1]:
        raise ValueError(f"crossed at {best}")
    return taken / (time.process_time() - start)


def _recorded() -> Iterator[Line]:
    """The snapshot first, then every diff that it does not hold yet."""
    with LOG.open("rb") as packed:
        lines = zstandard.ZstdDecompressor().stream_reader(packed).read().splitlines()
    told = [line.partition(b" ")[::2] for line in lines]
    at_s = {body: int(ns) / 1e9 for ns, body in told}
    [whole] = [body for _, body in told if body.startswith(b'{"lastUpdateId"')]
    held_id = json.loads(whole)["lastUpdateId"]
    yield datetime.fromtimestamp(at_s[whole], UTC), whole
    for ns, body in told:
        if b'"e":"depthUpdate"' in body[:80] and json.loads(body)["data"]["u"] >= held_id:
            yield datetime.fromtimestamp(int(ns) / 1e9, UTC), body


def _generated() -> Iterator[Line]:
    """A book of 2 × 1,000 levels about a price that wanders; ten messages a second, a dozen levels each."""
    draw = random.Random(11)  # noqa: S311 (not a secret)
    at, last_id, mid = datetime(2026, 1, 2, 13, tzinfo=UTC), 1_000, 900_000
    whole = {"lastUpdateId": last_id, "E": _ms(at), "T": _ms(at)}
    sides = {"bids": -1, "asks": 1}
    levels = {side: [[_px(mid + sign * n), "1.500"] for n in range(1, 1_001)] for side, sign in sides.items()}
    yield at, json.dumps({**whole, **levels}).encode()
    while True:
        at += timedelta(milliseconds=100)
        mid += draw.choice((-1, 0, 0, 1))
        changes = {
            "b": [[_px(mid - draw.randint(1, 500)), draw.choice(("0.000", "0.250", "12.125"))] for _ in range(6)],
            "a": [[_px(mid + draw.randint(1, 500)), draw.choice(("0.000", "0.250", "12.125"))] for _ in range(6)],
        }
        changes["b"].append([_px(mid), "0.000"])
        changes["a"].append([_px(mid), "0.000"])
        ids = {"U": last_id + 1, "u": last_id + 5, "pu": last_id}
        data = {"e": "depthUpdate", "E": _ms(at), "T": _ms(at), "s": "BTCUSDT", **ids, **changes}
        last_id += 5
        yield at, json.dumps({"stream": "btcusdt@depth@100ms", "data": data}, separators=(",", ":")).encode()


def _px(ticks: int) -> str:
    return f"{ticks // 10}.{ticks % 10}"


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1_000)


if __name__ == "__main__":
    main()
