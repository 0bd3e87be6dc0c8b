"""Real streams of six instruments, rebuilt, are the books and trades that others derived from the same lines."""

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from ingestion.envelopes import Envelope, seal
from ingestion.records import OrderBook, Record, SpotTicker, StreamHole, Trade
from ingestion.streams import Sampling, read_stream
from ingestion.venues import VENUES
from ingestion.venues.base import Reject

HOUR = datetime(2024, 8, 8, 23, tzinfo=UTC)
FOLDER = "binance_l2_2024-08-08"
RECORDED = (
    ("binance_spot", "BTCUSDT", 69),
    ("binance_spot", "ETHUSDT", 69),
    ("binance_usdm", "BTCUSDT", 68),
    ("binance_usdm", "ETHUSDT", 68),
    ("binance_coinm", "BTCUSD_PERP", 68),
    ("binance_coinm", "ETHUSD_PERP", 68),
)
DEPTH_PATHS = {
    "binance_spot": "/api/v3/depth",
    "binance_usdm": "/fapi/v1/depth",
    "binance_coinm": "/dapi/v1/depth",
}


def envelopes(folder: Path, venue: str, symbol: str) -> Iterator[Envelope]:
    """The recorded lines as the recorder would have written them."""
    log = folder / FOLDER / "ws" / f"{venue}_{symbol}.log.zst"
    with log.open("rb") as packed:
        lines = zstandard.ZstdDecompressor().stream_reader(packed).read().splitlines()
    for line in lines:
        ns, _, body = line.partition(b" ")
        at = datetime.fromtimestamp(int(ns) // 1_000 / 1e6, UTC)
        is_snapshot = body.startswith(b'{"lastUpdateId"')
        sealed = seal(
            venue=venue,
            host="",
            path=DEPTH_PATHS[venue] if is_snapshot else "/ws/books",
            query=f"symbol={symbol}&limit=1000" if is_snapshot else "connection=0",
            status=200 if is_snapshot else 101,
            captured_ts=at,
            body=body,
        )
        yield sealed if is_snapshot else Envelope(**{**_fields(sealed), "method": "WS"})


def _fields(envelope: Envelope) -> dict[str, Any]:
    return {name: getattr(envelope, name) for name in envelope.__struct_fields__}


@cache
def told_by_rest(folder: Path) -> dict[tuple[str, str, str], dict[datetime, Any]]:
    """Venue, symbol and last word of the path → instant → the reply's JSON."""
    told: dict[tuple[str, str, str], dict[datetime, Any]] = defaultdict(dict)
    with (folder / FOLDER / "rest.jsonl.zst").open("rb") as packed:
        for line in zstandard.ZstdDecompressor().stream_reader(packed).read().splitlines():
            reply = json.loads(line)
            symbol = dict(part.split("=") for part in reply["query"].split("&"))["symbol"]
            key = (reply["venue"], symbol, reply["path"].rpartition("/")[2])
            told[key][datetime.fromisoformat(reply["recorded_at"].replace("Z", "+00:00"))] = reply["body"]
    return told


@cache
def rebuilt(folder: Path, venue: str, symbol: str) -> list[Record | Reject]:
    return list(read_stream(VENUES[venue], HOUR, envelopes(folder, venue, symbol), Sampling(5.0, levels=1_000)))


@pytest.mark.parametrize(("venue", "symbol", "count"), RECORDED)
def test_every_level_of_every_book_is_the_one_of_the_rest_reply(
    recordings: Path, venue: str, symbol: str, count: int
) -> None:
    """410 books of 2 × 1,000 levels in all."""
    books = {row.captured_ts: row for row in rebuilt(recordings, venue, symbol) if isinstance(row, OrderBook)}
    replies = told_by_rest(recordings)[venue, symbol, "depth"]

    assert len(replies) == count
    assert replies.keys() <= books.keys()
    for at, body in replies.items():
        book = books[at]
        for side, px, qty in (("bids", book.bid_px, book.bid_qty), ("asks", book.ask_px, book.ask_qty)):
            assert list(zip(px, qty, strict=True)) == [(float(p), float(q)) for p, q in body[side]], (at, side)
        assert book.sequence_id == body["lastUpdateId"], at


@pytest.mark.parametrize(("venue", "symbol", "count"), RECORDED)
def test_every_trade_is_the_one_of_the_rest_reply(recordings: Path, venue: str, symbol: str, count: int) -> None:
    trades = {row.trade_id: row for row in rebuilt(recordings, venue, symbol) if isinstance(row, Trade)}
    replies = told_by_rest(recordings)[venue, symbol, "trades"]

    told = {str(row["id"]): row for body in replies.values() for row in body}
    assert told
    assert told.keys() <= trades.keys()
    for trade_id, row in told.items():
        trade = trades[trade_id]
        assert (trade.px, trade.qty) == (float(row["price"]), float(row["qty"]))
        assert trade.side == ("sell" if row["isBuyerMaker"] else "buy")
        assert trade.event_ts == datetime.fromtimestamp(row["time"] / 1_000, UTC)


@pytest.mark.parametrize(("venue", "symbol", "count"), RECORDED)
def test_a_stream_without_a_loss_has_no_hole_but_its_beginning(
    recordings: Path, venue: str, symbol: str, count: int
) -> None:
    """The chain of ids has no gap from the snapshot on; before it, and before the stream, there was nothing."""
    rows = rebuilt(recordings, venue, symbol)

    assert not [row for row in rows if isinstance(row, Reject)]
    holes = [row for row in rows if isinstance(row, StreamHole)]
    assert {(hole.dataset, hole.reason) for hole in holes} == {("order_books", "no_snapshot")}
    assert len(holes) == 1
    assert holes[0].captured_ts == HOUR
    assert holes[0].until_ts is not None


@pytest.mark.parametrize(("venue", "symbol", "count"), RECORDED)
def test_quotes_are_those_that_were_sent_last_in_their_stretch(
    recordings: Path, venue: str, symbol: str, count: int
) -> None:
    quotes = [row for row in rebuilt(recordings, venue, symbol) if isinstance(row, SpotTicker)]

    last: dict[int, tuple[float, float]] = {}
    for envelope in envelopes(recordings, venue, symbol):
        frame = json.loads(envelope.reply_bytes)
        if frame.get("stream", "").endswith("@bookTicker"):
            at = envelope.at
            assert at is not None
            last[int(at.timestamp()) // 5] = (float(frame["data"]["b"]), float(frame["data"]["a"]))
    assert {int(row.captured_ts.timestamp()) // 5: (row.bid_px, row.ask_px) for row in quotes} == last


@pytest.mark.parametrize(("venue", "symbol", "count"), RECORDED)
def test_a_real_stream_through_a_bad_line_shows_no_book_that_was_not_there(
    recordings: Path, venue: str, symbol: str, count: int
) -> None:
    """Some ten diffs each dropped, doubled and swapped; a snapshot by REST every ten seconds or so."""
    draw, truth = random.Random(symbol), told_by_rest(recordings)[venue, symbol, "depth"]
    told = [each for each in envelopes(recordings, venue, symbol) if b"@depth" in bytes(each.body)[:60]]
    lost: list[datetime] = []
    line: list[Envelope] = []
    for frame in told:
        chance, at = draw.random() * len(told) / 10, frame.at
        assert at is not None
        if chance < 1:
            lost.append(at)
            continue
        line.append(frame)
        if chance < 2:
            line.append(frame)
        elif chance < 3 and len(line) > 1:
            line[-2:] = [
                msgspec.structs.replace(line[-2], body=line[-1].body),
                msgspec.structs.replace(line[-1], body=line[-2].body),
            ]
    for at, body in truth.items():
        if draw.random() < 0.5:
            line.append(_snapshot(venue, symbol, at, body))
    rows = list(read_stream(VENUES[venue], HOUR, sorted(line, key=lambda each: each.at or HOUR), Sampling(5.0)))

    books = {row.captured_ts: row for row in rows if isinstance(row, OrderBook)}
    holes = [row for row in rows if isinstance(row, StreamHole)]
    assert lost
    assert books.keys() & truth.keys()
    for at, book in books.items():
        if at in truth:
            bids, asks = (truth[at][side][:50] for side in ("bids", "asks"))
            assert list(zip(book.bid_px, book.bid_qty, strict=True)) == [(float(p), float(q)) for p, q in bids], at
            assert list(zip(book.ask_px, book.ask_qty, strict=True)) == [(float(p), float(q)) for p, q in asks], at
    for at in truth:
        is_hole = any(hole.captured_ts < at and (hole.until_ts is None or at <= hole.until_ts) for hole in holes)
        assert (at in books) is not is_hole, at
    for at in lost:
        assert any(hole.captured_ts <= at and (hole.until_ts is None or at <= hole.until_ts) for hole in holes), at


def _snapshot(venue: str, symbol: str, at: datetime, body: Any) -> Envelope:
    return seal(
        venue=venue,
        host="",
        path=DEPTH_PATHS[venue],
        query=f"symbol={symbol}&limit=1000",
        status=200,
        captured_ts=at,
        body=json.dumps(body).encode(),
    )
