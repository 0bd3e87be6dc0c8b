"""Raw replies to measure by, as lines of a raw object: generated, or recorded and repeated with other clocks."""

import io
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import venue_shapes
import zstandard
from venue_shapes import SHAPES, BookShape, TradeShape

HOUR = datetime(2026, 3, 5, 9, tzinfo=UTC)
RECORDED_HOUR = datetime(2024, 8, 8, 23, tzinfo=UTC)
BOOKS = "binance_l2_2024-08-08/rest.jsonl.zst"

Lines = Iterator[bytes]


class Kind(NamedTuple):
    """One kind of replies: an endless run of lines, and what they are."""

    name: str
    venue: str
    dataset: str
    hour: datetime
    lines: Callable[[Path], Lines]  # given the recordings
    is_recorded: bool = False


def line(venue: str, path: str, query: str, at: datetime, body: str) -> bytes:
    asked = (
        f'{{"venue":"{venue}","method":"GET","host":"","path":"{path}","query":"{query}","request":null,"status":200'
    )
    clock = f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"
    return f'{asked},"captured_ts":"{clock}","recorded_at":null,"encoding":"json","body":{body}}}\n'.encode()


def _generated_books(_: Path) -> Lines:
    """Two books of 20 levels a side that live: at each step a third of the sizes has changed and the mid has moved."""
    dice = random.Random(1)  # noqa: S311
    mids, sizes = {"BTCUSDT": 618_240, "ETHUSDT": 262_411}, {}
    step = 0
    while True:
        step += 1
        at = HOUR + timedelta(milliseconds=20 * step % 3_599_000, microseconds=step)
        for symbol in mids:
            mids[symbol] += dice.choice((-3, -1, 0, 0, 1, 3))
            told = {}
            for side, sign in (("bids", -1), ("asks", 1)):
                ticks = [mids[symbol] + sign * (n * 4 + n % 3 + 1) for n in range(20)]
                for tick in ticks:
                    if (symbol, tick) not in sizes or dice.random() < 0.33:
                        sizes[symbol, tick] = dice.choice((dice.randint(1, 900), dice.randint(1, 9_000))) / 1_000
                told[side] = [[f"{tick / 10:.1f}", f"{sizes[symbol, tick]:.3f}"] for tick in ticks]
            ms = int(at.timestamp() * 1_000) - 30
            sides = json.dumps(told, separators=(",", ":"))[1:]
            body = f'{{"lastUpdateId":{5_123_127_383_657 + step},"E":{ms},"T":{ms - 1},{sides}'
            yield line("binance_usdm", "/fapi/v1/depth", f"symbol={symbol}&limit=20", at, body)


def _generated_trades(_: Path) -> Lines:
    """Pages of a thousand trades; each begins with the last hundred of the page before."""
    dice = random.Random(2)  # noqa: S311
    px, number, page, carried = 618_240, 3_000_000_000, 0, list[str]()
    while True:
        page += 1
        at = HOUR + timedelta(milliseconds=500 * page % 3_599_000, microseconds=page)
        ms = int(at.timestamp() * 1_000) - 1_000
        fresh = []
        for place in range(1_000 - len(carried)):
            px += dice.randint(-20, 20)
            number += 1
            said = f'{{"a":{number},"p":"{px / 10:.1f}","q":"{dice.randint(1, 9_000) / 1_000:.3f}","f":{number * 2}'
            fresh.append(f'{said},"l":{number * 2 + 1},"T":{ms + place // 2},"m":{dice.choice(("true", "false"))}}}')
        rows = carried + fresh
        carried = rows[-100:]
        query = "symbol=BTCUSDT&limit=1000"
        yield line("binance_usdm", "/fapi/v1/aggTrades", query, at, f"[{','.join(rows)}]")


def _generated_tickers(_: Path) -> Lines:
    """Every pair's best quote, four hundred pairs a reply; read row by row."""
    dice = random.Random(3)  # noqa: S311
    sweep = 0
    while True:
        sweep += 1
        at = HOUR + timedelta(milliseconds=500 * sweep % 3_599_000, microseconds=sweep)
        rows = [
            {
                "symbol": f"C{pair}USDT",
                "bidPrice": f"{pair + dice.random():.8f}",
                "bidQty": f"{dice.randint(1, 9_000) / 1_000:.8f}",
                "askPrice": f"{pair + 1 + dice.random():.8f}",
                "askQty": f"{dice.randint(1, 9_000) / 1_000:.8f}",
            }
            for pair in range(1, 401)
        ]
        yield line("binance_spot", "/api/v3/ticker/bookTicker", "", at, json.dumps(rows, separators=(",", ":")))


def _recorded(recordings: Path, ending: str) -> Iterator[tuple[int, dict[str, Any], datetime]]:
    """Replies of USD-M, over and over: the round, the reply, and a capture of its own."""
    with (recordings / BOOKS).open("rb") as stream:
        told = [json.loads(each) for each in io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(stream))]
    replies = [each for each in told if each["venue"] == "binance_usdm" and each["path"].endswith(ending)]
    turn = 0
    while True:
        for reply in replies:
            yield turn, reply, datetime.fromisoformat(reply["recorded_at"]) + timedelta(microseconds=turn)
        turn += 1


def _recorded_books(recordings: Path) -> Lines:
    for _, reply, at in _recorded(recordings, "/depth"):
        body = json.dumps(reply["body"], separators=(",", ":"))
        yield line(reply["venue"], reply["path"], reply["query"], at, body)


def _recorded_trades(recordings: Path) -> Lines:
    """As they were polled every five seconds, most of them seen before."""
    for turn, reply, at in _recorded(recordings, "/trades"):
        rows = [row | {"id": row["id"] + turn * 10**10} for row in reply["body"]]
        yield line(reply["venue"], reply["path"], reply["query"], at, json.dumps(rows, separators=(",", ":")))


def _shaped(shape: BookShape | TradeShape) -> Callable[[Path], Lines]:
    """What the venue would say of the market of `_generated_books` or `_generated_trades`."""

    def books(_: Path) -> Lines:
        for body, at in _bodies(_generated_books):
            sides = ([(px, qty) for px, qty in body[side]] for side in ("bids", "asks"))
            yield said(at, shape.write(body["lastUpdateId"], body["T"], *sides))  # type: ignore[union-attr, call-arg, arg-type]

    def trades(_: Path) -> Lines:
        for body, at in _bodies(_generated_trades):
            fills = [(fill["a"], fill["T"], fill["p"], fill["q"], fill["m"]) for fill in body]
            yield said(at, shape.write(fills))  # type: ignore[call-arg, arg-type]

    def said(at: datetime, body: str) -> bytes:
        asked = venue_shapes.example(shape.venue, shape.path)
        return line(shape.venue, shape.path, asked["query"], at, body)

    return books if shape.dataset == "order_books" else trades


def _bodies(lines: Callable[[Path], Lines]) -> Iterator[tuple[Any, datetime]]:
    for each in lines(Path()):
        told = json.loads(each)
        if "symbol=ETHUSDT" not in told["query"]:
            yield told["body"], datetime.fromisoformat(told["captured_ts"])


KINDS = (
    Kind("books of 1,000 levels, recorded", "binance_usdm", "order_books", RECORDED_HOUR, _recorded_books, True),
    Kind("books of 20 levels, generated", "binance_usdm", "order_books", HOUR, _generated_books),
    Kind("trades that were polled, recorded", "binance_usdm", "trades", RECORDED_HOUR, _recorded_trades, True),
    Kind("trades in pages, generated", "binance_usdm", "trades", HOUR, _generated_trades),
    Kind("tickers, generated", "binance_spot", "spot_tickers", HOUR, _generated_tickers),
    *(
        Kind(
            f"{shape.dataset.replace('order_', '')} of {shape.venue}", shape.venue, shape.dataset, HOUR, _shaped(shape)
        )
        for shape in SHAPES
    ),
)


def write(kind: Kind, recordings: Path, size: int, path: Path) -> int:
    """One object of at least so many bytes of lines; returns how many there are."""
    written = 0
    with path.open("wb") as sink, zstandard.ZstdCompressor(level=3).stream_writer(sink) as packed:
        for each in kind.lines(recordings):
            packed.write(each)
            written += len(each)
            if written >= size:
                return written
    raise AssertionError("lines never end")
