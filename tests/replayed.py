"""Recordings replayed once a session through the command line, and what readers then find published.

Oracles read the recordings on their own: nothing here parses a reply.
"""

import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import zstandard

from ingestion.storage import Store
from orchestration.published import open_published
from tests.conftest import RECORDINGS

BOOKS = "binance_l2_2024-08-08/rest.jsonl.zst"
HOUR = ("--from", "2024-01-14T20:00Z", "--to", "2024-01-14T21:00Z")

Row = dict[str, Any]


@dataclass(frozen=True)
class Replay:
    """A lake and warehouse that the command line filled."""

    lake_uri: str
    warehouse_path: Path

    def rows(self, sql: str) -> list[Row]:
        """What a reader of the published tables gets."""
        with open_published(Store.open(self.lake_uri)) as connection:
            cursor = connection.execute(sql)
            names = [column[0] for column in cursor.description or []]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture(scope="session")
def replayed_books(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Replay:
    """Six minutes of Binance books and trades, every five seconds."""
    if not (recordings / BOOKS).is_file():
        pytest.skip(f"no {BOOKS} in {recordings}")
    return replay(tmp_path_factory.getbasetemp() / "books", (recordings / BOOKS,))


@pytest.fixture(scope="session")
def replayed_hour(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Replay:
    """The hour in which options, futures and spot of several venues were recorded within ten seconds."""
    files = tuple(sorted((recordings / "http").glob("*.jsonl.zst")))
    if not files:
        pytest.skip(f"no http/*.jsonl.zst in {recordings}")
    return replay(tmp_path_factory.getbasetemp() / "hour", files, HOUR)


# Cached, because a session fixture that two files import runs once for each.
@cache
def replay(folder: Path, files: tuple[Path, ...], span: tuple[str, ...] = ()) -> Replay:
    """`barograph replay` into a lake of its own."""
    done = Replay(f"file://{folder / 'lake'}", folder / "warehouse.duckdb")
    own = {name: value for name, value in os.environ.items() if not name.startswith(("BAROGRAPH_", "DAGSTER_"))}
    where = ("--lake-uri", done.lake_uri, "--warehouse-path", str(done.warehouse_path))
    command = [str(Path(sys.executable).with_name("barograph")), "replay", *map(str, files), *span, *where]
    told = subprocess.run(command, env=own, capture_output=True, text=True, timeout=900, check=False)
    if told.returncode:
        pytest.fail(f"barograph replay exited with {told.returncode}: {told.stderr.strip()}", pytrace=False)
    return done


def recorded_replies(name: str) -> Iterator[Row]:
    """The lines of one recording as plain JSON, e.g. `http/okx.jsonl.zst`."""
    with (RECORDINGS / name).open("rb") as stream:
        for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(stream), encoding="utf-8"):
            yield json.loads(line)


def error_of(published: float | None, expected: float | None) -> float:
    """Relative error; infinite where one is null and the other is not. Exact zeros are compared absolutely."""
    if published is None or expected is None:
        return 0.0 if published is expected else math.inf
    if not math.isfinite(published):
        return math.inf
    return abs(published - expected) / (abs(expected) or 1.0)


def worst_errors(pairs: Iterable[tuple[Row, Mapping[str, float | None]]]) -> dict[str, float]:
    """The largest error of each expected column over pairs of (published row, expected values)."""
    worst: dict[str, float] = {}
    for row, expected in pairs:
        for column, value in expected.items():
            worst[column] = max(worst.get(column, 0.0), error_of(row[column], value))
    return worst


def assert_agreement(title: str, worst: Mapping[str, float], tolerance: float = 1e-9) -> None:
    """Tell the worst errors (seen with `-s` or on failure), then hold them to the tolerance."""
    told = ", ".join(f"{column} {error:.1e}" for column, error in worst.items())
    print(f"{title}: {told}")  # noqa: T201
    assert worst
    assert {column: error for column, error in worst.items() if not error <= tolerance} == {}
