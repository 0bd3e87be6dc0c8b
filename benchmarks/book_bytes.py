"""How many bytes a book of 20 levels a side takes in the lake, against lists of doubles, and where they are.

    .venv/bin/python benchmarks/book_bytes.py [--recordings FOLDER]

Each line is one file of the lake, in its order. Recorded replies by REST (one in five seconds, six instruments) in one
file; recorded streams rebuilt by the project's own reader and sampled every second, a file for each venue, as the hour
is written; generated books that live. Doubles: the record's columns in Parquet, zstd level 3, as pyarrow writes them.
`file` counts the footer, which does not grow with rows; `pages` and what is right of it do not.

`fresh sizes` is a floor for columns of sizes: those that the book before did not say at that price, at the entropy of
all such sizes of the instrument, as if their distribution were known and which they are cost nothing.

Every file is read back, and every number held to the shortest decimal of the double that was put in.
"""

import argparse
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from itertools import islice
from math import log2
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import raw_replies
from rich.console import Console
from rich.table import Table

from ingestion import books_layout
from ingestion.columns import as_table, in_order
from ingestion.duplicates import lake_order
from ingestion.parquet_files import write
from ingestion.records import OrderBook
from ingestion.streams import Sampling, read_stream
from ingestion.venues import VENUES
from tests.test_streams_recorded import HOUR, RECORDED, envelopes, told_by_rest

RECORDINGS = Path(os.environ.get("BAROGRAPH_RECORDINGS", Path(__file__).parents[2] / "shared" / "recordings"))
LEVELS = 20
GENERATED = 7_200  # two instruments, an hour of seconds
PARTS = {
    "best": ("best_bid", "best_ask"),
    "prices": ("bid_step", "ask_step"),
    "sizes": ("bid_size", "ask_size"),
    "clocks, ids": ("captured_ts", "event_ts", "sequence_id"),
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--recordings", type=Path, default=RECORDINGS)
    recordings = arguments.parse_args().recordings
    table = Table(title="bytes a snapshot of 2 x 20 levels")
    table.add_column("books")
    for name in ("rows", "doubles", "file", "ratio", "pages", *PARTS, "rest", "fresh sizes"):
        table.add_column(name, justify="right")
    for name, books in _cases(recordings):
        table.add_row(name, *_row(books))
    Console(width=150).print(table)


def _cases(recordings: Path) -> Iterator[tuple[str, list[OrderBook]]]:
    if recordings.is_dir():
        yield "recorded by REST, one file", list(_by_rest(recordings))
        streamed: dict[str, list[OrderBook]] = defaultdict(list)
        for venue, symbol, _ in RECORDED:
            lines = envelopes(recordings, venue, symbol)
            rows = read_stream(VENUES[venue], HOUR, lines, Sampling(levels=LEVELS))
            streamed[venue] += [row for row in rows if isinstance(row, OrderBook)]
        for venue, books in streamed.items():
            yield f"recorded stream, {venue}", books
    yield "generated", list(_generated())


def _by_rest(recordings: Path) -> Iterator[OrderBook]:
    for (venue, symbol, what), replies in told_by_rest(recordings).items():
        for at, body in replies.items() if what == "depth" else ():
            yield _book(venue, symbol, at, body)


def _generated() -> Iterator[OrderBook]:
    [kind] = [each for each in raw_replies.KINDS if each.name == "books of 20 levels, generated"]
    for line in islice(kind.lines(Path()), GENERATED):
        said = json.loads(line)
        symbol = said["query"].partition("symbol=")[2].partition("&")[0]
        yield _book(said["venue"], symbol, datetime.fromisoformat(said["captured_ts"]), said["body"])


def _book(venue: str, symbol: str, at: datetime, body: dict[str, Any]) -> OrderBook:
    return OrderBook(
        venue=venue,
        symbol=symbol,
        kind="spot" if venue == "binance_spot" else "perp",
        captured_ts=at,
        event_ts=datetime.fromtimestamp(body["T"] / 1_000, UTC) if "T" in body else None,
        sequence_id=body["lastUpdateId"],
        **{
            f"{side}_{what}": tuple(float(level[place]) for level in body[f"{side}s"][:LEVELS])
            for side in ("bid", "ask")
            for place, what in enumerate(("px", "qty"))
        },
    )


def _row(books: list[OrderBook]) -> list[str]:
    table = in_order(as_table(OrderBook, HOUR, books), ["venue", *lake_order(OrderBook)])
    stored, doubles = BytesIO(), BytesIO()
    write([books_layout.encoded(table)], books_layout.SCHEMA, stored, books_layout.SPLIT)
    pq.write_table(table, doubles, compression="zstd", compression_level=3)
    _check(pq.read_table(stored), table)
    pages = _pages(stored)
    told = [sum(pages[name] for name in names) for names in PARTS.values()]
    sizes = [len(doubles.getvalue()), len(stored.getvalue())]
    of_pages = [sum(pages.values()), *told, sum(pages.values()) - sum(told), _fresh_sizes(table)]
    rows = table.num_rows
    return [
        f"{rows:,}",
        *(f"{size / rows:.1f}" for size in sizes),
        f"{sizes[1] / sizes[0]:.2f}",
        *(f"{size / rows:.1f}" for size in of_pages),
    ]


def _pages(file: BytesIO) -> Counter[str]:
    """Compressed bytes by column."""
    metadata = pq.ParquetFile(file).metadata
    found: Counter[str] = Counter()
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            column = metadata.row_group(group).column(place)
            found[column.path_in_schema.partition(".")[0]] += column.total_compressed_size
    return found


def _check(stored: pa.Table, table: pa.Table) -> None:
    if not books_layout.decoded(stored).equals(table):
        raise AssertionError("the doubles that were read are not those that were written")
    for row, said in zip(books_layout.staged(stored).to_pylist(), table.to_pylist(), strict=True):
        for side, outward in (("bid", -1), ("ask", 1)):
            px = [row[f"best_{side}"] + outward * offset for offset in row[f"{side}_offset"]]
            for what, wholes, scale in (("px", px, "px_scale"), ("qty", row[f"{side}_size"], "qty_scale")):
                decimals = [Decimal(repr(number)) for number in said[f"{side}_{what}"]]
                if [Decimal(whole).scaleb(-row[scale]) for whole in wholes] != decimals:
                    raise AssertionError(f"{said['symbol']} {said['captured_ts']}: {side}_{what} is another decimal")


def _fresh_sizes(table: pa.Table) -> float:
    """Bytes that no layout saves which takes only the book before as known."""
    before: dict[tuple[str, str, str], dict[float, float]] = {}
    fresh: dict[tuple[str, str], Counter[float]] = defaultdict(Counter)
    for row in table.to_pylist():
        for side in ("bid", "ask"):
            here = dict(zip(row[f"{side}_px"], row[f"{side}_qty"], strict=True))
            there = before.get((row["venue"], row["symbol"], side), {})
            fresh[row["venue"], row["symbol"]].update(qty for px, qty in here.items() if there.get(px) != qty)
            before[row["venue"], row["symbol"], side] = here
    return sum(-n * log2(n / seen.total()) for seen in fresh.values() for n in seen.values()) / 8


if __name__ == "__main__":
    main()
