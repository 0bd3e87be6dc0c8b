"""What raw to lake costs: megabytes of raw JSON a second, against `json.loads` and against the floor, and peak memory.

    .venv/bin/python benchmarks/raw_to_lake.py [--size-mb 100] [--rounds 5] [--only okx] [--recordings FOLDER]

Each kind of replies is one raw object of about this size, taken by each pipeline in a fresh process:

- raw to lake: all that happens to an hour before its verdict. The content held to its name, strict types, every row
  rule, one row a grain, a total order, the hour's measures, books as whole numbers, Parquet;
- json.loads: a plain program, ten thousand lines at a time, that refuses and drops the same rows, but has no order, no
  measures and no bound on what it remembers (plain_json.py);
- unchecked: the same program, every check and the search for duplicates taken out;
- floor: the object decompressed, and its lines written to Parquet as they are.

Processor seconds, because the machine may be shared. In each round the pipelines take turns, so that what slows one is
likely to slow the next; speeds and ratios are medians of the rounds, beside the least and the most for the floor, which
is over so soon that it is the least steady.
Recorded replies are repeated with other clocks and ids until there are enough.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))

import plain_json
import raw_replies

from ingestion.allocator import keep_freed_memory, set_allocator
from ingestion.gate.profile import Measure
from ingestion.lake import Lake
from ingestion.normalise import normalise
from ingestion.raw import RawZone
from ingestion.reading import AT_ONCE_BYTES
from ingestion.runs import Memory
from ingestion.storage import Store
from ingestion.venues import VENUES

PIPELINES = ("raw to lake", "json.loads", "unchecked", "floor")
RECORDINGS = Path(os.environ.get("BAROGRAPH_RECORDINGS", Path(__file__).parents[2] / "shared" / "recordings"))


class Cost(NamedTuple):
    """Of one process: seconds of processor, megabytes at the peak and before the work, rows, bytes written."""

    cpu_s: float
    peak_mb: float
    idle_mb: float
    rows: int
    written: int


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--size-mb", type=float, default=100)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--recordings", type=Path, default=RECORDINGS)
    arguments.add_argument("--only", default="", help="kinds with this in their name")
    arguments.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.child:
        pipeline, kind, source, folder = given.child
        print(json.dumps(_measured(pipeline, raw_replies.KINDS[int(kind)], Path(source), Path(folder))))  # noqa: T201
        return
    known = given.recordings.is_dir()
    kinds = [
        n for n, kind in enumerate(raw_replies.KINDS) if given.only in kind.name and (known or not kind.is_recorded)
    ]
    console = Console(width=160)
    table = Table(
        title="raw to lake", caption="MB of raw JSON a processor second; ratios; peak memory of raw to lake, MB"
    )
    ratios = (*(f"of {name}" for name in PIPELINES[1:]), "from to")
    for name in ("replies", *PIPELINES, *ratios, "peak", "idle", "bytes a row"):
        table.add_column(name, justify="left" if name == "replies" else "right")
    for number in track(kinds, "measuring", console=Console(stderr=True)):
        table.add_row(*_row(number, given.recordings, given.size_mb * 1e6, given.rounds))
    console.print(table)


def _row(number: int, recordings: Path, size: float, rounds_count: int) -> list[str]:
    kind = raw_replies.KINDS[number]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "object"
        mb = raw_replies.write(kind, recordings, int(size), path) / 1e6
        rounds = [[_run(name, number, path, Path(folder)) for name in PIPELINES] for _ in range(rounds_count)]
    own, plain, *_ = rounds[0]
    if own.rows != plain.rows:
        raise AssertionError(f"{kind.name}: {own.rows} rows in the lake, {plain.rows} by json.loads")
    speeds = [median(mb / cost.cpu_s for cost in costs) for costs in zip(*rounds, strict=True)]
    ratios = [[costs[other].cpu_s / costs[0].cpu_s for costs in rounds] for other in range(1, len(PIPELINES))]
    return [
        f"{mb:.0f} MB of {kind.name}",
        *(f"{speed:.1f}" for speed in speeds),
        *(f"{median(each):.2f}" for each in ratios),
        f"{min(ratios[-1]):.2f} to {max(ratios[-1]):.2f}",
        f"{max(costs[0].peak_mb for costs in rounds):.0f}",
        f"{own.idle_mb:.0f}",
        f"{own.written / own.rows:.1f}",
    ]


def _run(pipeline: str, number: int, path: Path, folder: Path) -> Cost:
    command = [sys.executable, __file__, "--child", pipeline, str(number), str(path), str(folder)]
    return Cost(*json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))  # noqa: S603


def _measured(pipeline: str, kind: raw_replies.Kind, path: Path, folder: Path) -> Cost:
    out = folder / "out.parquet"
    keep_freed_memory()
    if pipeline == "raw to lake":
        set_allocator()  # as `ingest` does
    with pq.ParquetWriter(folder / "warm", pa.schema([("n", pa.int64())])) as writer:  # imports some of pandas
        writer.write_table(pa.table({"n": [1]}))
    store = Store.open(str(folder / "lake"))
    key = _sealed(kind, path, store) if pipeline == "raw to lake" else ""
    run = {
        "raw to lake": lambda: _raw_to_lake(kind, key, store, folder, out),
        "json.loads": lambda: plain_json.write_lake(path, out, kind.dataset, is_checked=True),
        "unchecked": lambda: plain_json.write_lake(path, out, kind.dataset, is_checked=False),
        "floor": lambda: plain_json.write_lines(path, out),
    }[pipeline]
    idle_mb = _peak_mb()
    began = time.process_time()
    rows = run()
    return Cost(time.process_time() - began, _peak_mb(), idle_mb, rows, out.stat().st_size)


def _peak_mb() -> float:
    # What getrusage says begins with the parent's.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _sealed(kind: raw_replies.Kind, path: Path, store: Store) -> str:
    """Lay the object in the raw zone, as it was when it was captured."""
    with path.open("rb") as stream:
        name = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
    key = f"raw/{kind.venue}/{kind.dataset}/date={kind.hour:%Y-%m-%d}/hour={kind.hour:%H}/0-{name}.jsonl.zst"
    if not store.exists(key):
        store.put_file(key, path)
    return key


def _raw_to_lake(kind: raw_replies.Kind, key: str, store: Store, folder: Path, out: Path) -> int:
    memory = Memory(folder)
    objects = [(key, RawZone(store).lines(key, AT_ONCE_BYTES))]
    found = normalise(VENUES[kind.venue], kind.hour, objects, memory)
    rows = 0
    for dataset, tables in found.settled():
        measure = Measure(dataset, kind.hour, memory)
        Lake(store).prepare(dataset, kind.venue, (measure.add(each) or each for each in tables), folder / dataset)
        if dataset == kind.dataset:
            rows = measure.rows_count
            (folder / dataset).rename(out)
    return rows


if __name__ == "__main__":
    main()
