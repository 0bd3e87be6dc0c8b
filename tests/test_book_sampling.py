"""How often and how deep streamed books are sampled is a setting; an hour follows the one it was last built with."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ingestion.envelopes import Envelope
from ingestion.recorder.books import FollowedBooks
from ingestion.venues import VENUES
from ingestion.venues.base import Reply
from orchestration.pipeline import Pipeline
from orchestration.resources import BarographResource
from orchestration.settings import Settings
from tests.streamed_market import HOUR
from tests.test_streams_read import line


def book(seconds: float) -> Envelope:
    """A whole book of five levels a side; Hyperliquid sends no other."""
    levels = [[{"px": str(100 + sign * n), "sz": "1", "n": 1} for n in range(1, 6)] for sign in (-1, 1)]
    data = {"coin": "BTC", "time": int((HOUR + timedelta(seconds=seconds)).timestamp() * 1_000), "levels": levels}
    return line("hyperliquid", "/ws/feed", seconds, {"channel": "l2Book", "data": data})


def recorded(folder: Path) -> None:
    Pipeline(settings(folder)).raw.write("hyperliquid", "stream", HOUR, [book(n + 0.5) for n in range(21)])


def settings(folder: Path, **more: Any) -> Settings:
    return Settings(lake_uri=str(folder), venues=("hyperliquid",), **more)


def built(folder: Path, **more: Any) -> list[tuple[float, int]]:
    """The hour built with these settings, as an asset builds it: seconds into the hour and levels of each sample."""
    pipeline = BarographResource.of(settings(folder, **more)).open()
    pipeline.ingest([HOUR], ["hyperliquid"])
    rows = pipeline.lake.read("order_books", "hyperliquid", HOUR).to_pylist()
    return [((row["captured_ts"] - HOUR).total_seconds(), len(row["bid_px"])) for row in rows]


def files(folder: Path) -> dict[str, bytes]:
    store = Pipeline(settings(folder)).store
    return {key: store.read(key) for key in store.list("lake/")}


def test_an_hour_is_sampled_as_the_settings_say(tmp_path: Path) -> None:
    recorded(tmp_path)

    assert built(tmp_path) == [(n, 5) for n in range(1, 21)]
    assert built(tmp_path, book_every_s=5.0, book_levels=2) == [(5, 2), (10, 2), (15, 2), (20, 2)]
    assert built(tmp_path, book_every_s=0.5)[:3] == [(1, 5), (1.5, 5), (2, 5)]


def test_an_hour_that_was_built_with_other_settings_is_built_anew(tmp_path: Path) -> None:
    """Nothing of the first build is left: files and coverage are those of a lake that never had it."""
    for name in ("again", "once"):
        recorded(tmp_path / name)
    built(tmp_path / "again")
    first = files(tmp_path / "again")
    for name in ("again", "once"):
        built(tmp_path / name, book_every_s=5.0, book_levels=2)

    assert files(tmp_path / "again") == files(tmp_path / "once") != first


@pytest.mark.parametrize(("text", "every_s"), [("0.1", 0.1), ("0.25", 0.25), ("1", 1), ("60", 60), ("3600", 3600)])
def test_what_divides_an_hour_is_taken(text: str, every_s: float) -> None:
    read = Settings.read({"BAROGRAPH_BOOK_EVERY_S": text, "BAROGRAPH_BOOK_LEVELS": "200"})

    assert (read.book_every_s, read.book_levels) == (every_s, 200)


@pytest.mark.parametrize(("levels", "missing"), [(20, []), (50, ["BTCUSDT"])])
def test_a_recorder_asks_for_a_book_before_fewer_levels_are_known_than_are_sampled(
    levels: int, missing: list[str]
) -> None:
    """Of a snapshot of 100 levels a side 80 are left; those beyond it are known in part."""
    [stream] = [each for each in VENUES["binance_spot"].streams if each.name == "books"]
    books = FollowedBooks(stream, ["BTCUSDT"], levels)
    whole = {side: [[str(1_000 + sign * n), "1"] for n in range(1, 101)] for side, sign in (("bids", -1), ("asks", 1))}
    changes = {
        side: [[str(1_000 + sign * n), "0" if n < 21 else "1"] for n in (*range(1, 21), *range(101, 161))]
        for side, sign in (("b", -1), ("a", 1))
    }
    diff = {"e": "depthUpdate", "E": int(HOUR.timestamp() * 1_000), "s": "BTCUSDT", "U": 2, "u": 2, **changes}
    asked = {"symbol": "BTCUSDT", "limit": "100"}
    books.take_snapshot(Reply("/api/v3/depth", asked, json.dumps({"lastUpdateId": 1, **whole}).encode(), HOUR))
    books.take(Reply(stream.path, {}, json.dumps({"stream": "btcusdt@depth@100ms", "data": diff}).encode(), HOUR))

    assert books.missing() == missing
