"""What an import of vendors' files costs: lines a second and peak memory, into raw and from raw to rows.

    .venv/bin/python benchmarks/imports.py [--lines 5000000]

Each file is generated in its vendor's format and taken by `barograph import --no-build` in a fresh process; another
reads all that raw then holds, as the normaliser does. Processor seconds, because the machine may be shared. Memory
should not grow with the file: it is told for the file and for a tenth of it.
"""

import argparse
import gzip
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.filesize import decimal
from rich.progress import track
from rich.table import Table

DAY_US = 1_705_190_400_000_000  # 2024-01-14
DAY_LENGTH_US = 86_400_000_000

READING = """
import sys
from datetime import UTC, datetime
from ingestion.hours import HOUR
from ingestion.imports import RAW_DATASETS, read_file_rows
from ingestion.raw import RawZone
from ingestion.storage import Store
from ingestion.venues import VENUES

raw = RawZone(Store.open(sys.argv[1]))
for venue in raw.store.folders("raw/"):
    for hour in range(24):
        for key in raw.objects(venue, datetime(2024, 1, 14, tzinfo=UTC) + hour * HOUR):
            for envelope in raw.read(key):
                for row in read_file_rows(VENUES[venue], envelope):
                    pass
"""


class Cost(NamedTuple):
    """Of one process."""

    cpu_s: float
    peak_mb: float


class Generated(NamedTuple):
    """A file and what `barograph import` is told of it."""

    path: Path
    command: str
    inflated_bytes: int


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--lines", type=int, default=5_000_000)
    lines = arguments.parse_args().lines
    table = Table("file", "lines", "size", "inflated", "import lines/s", "MB/s", "peak MB", "read lines/s", "peak MB")
    runs = [(generate, count) for generate in (_trades, _changes, _aggregates) for count in (lines // 10, lines)]
    console = Console(width=140)
    for generate, count in track(runs, console=console, transient=True):
        with tempfile.TemporaryDirectory() as folder:
            table.add_row(*_measured(generate(Path(folder), count), count, Path(folder) / "lake"))
    console.print(table)


def _measured(file: Generated, lines: int, lake: Path) -> tuple[str, ...]:
    barograph = str(Path(sys.executable).with_name("barograph"))
    taken = _cost([barograph, "import", file.command, str(file.path), "--no-build", "--lake-uri", str(lake)])
    read = _cost([sys.executable, "-c", READING, str(lake)])
    return (
        file.path.name,
        f"{lines:,}",
        decimal(file.path.stat().st_size),
        decimal(file.inflated_bytes),
        f"{lines / taken.cpu_s:,.0f}",
        f"{file.inflated_bytes / taken.cpu_s / 1e6:.0f}",
        f"{taken.peak_mb:.0f}",
        f"{lines / read.cpu_s:,.0f}",
        f"{read.peak_mb:.0f}",
    )


def _cost(command: list[str]) -> Cost:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 (our own program)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[0]} failed")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _trades(folder: Path, count: int) -> Generated:
    draw, every_us = _draw(), DAY_LENGTH_US // count

    def lines() -> Iterator[str]:
        yield "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
        for n in range(count):
            at, px = DAY_US + n * every_us, 42_000 + draw.randrange(2_000) / 2
            yield f"deribit,BTC-PERPETUAL,{at},{at + 7_003},{200_000_000 + n},{draw.choice(('buy', 'sell'))},{px},10"

    path = folder / "deribit_trades_2024-01-14_BTC-PERPETUAL.csv.gz"
    return Generated(path, "tardis", _compressed(path, lines))


def _changes(folder: Path, count: int) -> Generated:
    """One snapshot of 1,000 levels a side, then messages of ten changes, two in five of them removals."""
    draw, every_us = _draw(), DAY_LENGTH_US // count

    def lines() -> Iterator[str]:
        yield "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"
        for n in range(count):
            is_snapshot = n < 2_000
            at = DAY_US + (0 if is_snapshot else n // 10 * 10 * every_us)
            level = n // 2 if is_snapshot else draw.randrange(1_000)
            side, px = ("bid", 42_000 - level / 10) if n % 2 else ("ask", 42_000.1 + level / 10)
            qty = draw.choice((0, 0, 0.5, 1.25, 3.875)) if not is_snapshot else 1.5
            snapshot = "true" if is_snapshot else "false"
            yield f"binance-futures,BTCUSDT,{at},{at + 5_000},{snapshot},{side},{px:.1f},{qty}"

    path = folder / "binance-futures_incremental_book_L2_2024-01-14_BTCUSDT.csv.gz"
    return Generated(path, "tardis", _compressed(path, lines))


def _aggregates(folder: Path, count: int) -> Generated:
    draw, every_ms = _draw(), DAY_LENGTH_US / 1000 / count

    def lines() -> Iterator[str]:
        yield "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
        for n in range(count):
            at, px = DAY_US // 1000 + int(n * every_ms), 42_000 + draw.randrange(20_000) / 10
            qty, is_buyer_maker = f"0.{draw.randrange(1, 1_000):03d}", draw.choice(("true", "false"))
            yield f"{1_000_000 + n},{px},{qty},{2 * n},{2 * n + 1},{at},{is_buyer_maker}"

    path = folder / "data/futures/um/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2024-01-14.zip"
    path.parent.mkdir(parents=True)
    size = 0
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(f"{path.stem}.csv", "w") as member,
    ):
        for line in lines():
            size += member.write(f"{line}\n".encode())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(path.name + ".CHECKSUM").write_text(f"{digest}  {path.name}\n")
    return Generated(path, "binance-vision", size)


def _draw() -> random.Random:
    return random.Random(7)  # noqa: S311 (figures, no secrets)


def _compressed(path: Path, lines: Callable[[], Iterator[str]]) -> int:
    size = 0
    with gzip.open(path, "wb", compresslevel=6) as stream:
        for line in lines():
            size += stream.write(f"{line}\n".encode())
    return size


if __name__ == "__main__":
    main()
