"""A made-up market that streams one book in the wire format of several venues, and knows what is true.

It shares no code with the product: books are integers of ticks, kept by plain sorting.
"""

import json
import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ingestion.envelopes import Envelope, seal

HOUR = datetime(2026, 1, 2, 13, tzinfo=UTC)
Side = list[tuple[float, float]]
Changes = list[tuple[int, int]]  # ticks of price, lots of size


@dataclass
class Message:
    """One change of the book: what it covers, what it says, and the whole book after it."""

    first_id: int
    last_id: int
    prev_id: int
    at: datetime
    bids: Changes
    asks: Changes
    book: tuple[Changes, Changes]
    before: tuple[Changes, Changes]


@dataclass
class Market:
    """A book that walks about; a price is `ticks` / 10, a size `lots` / 1000."""

    seed: int
    is_contiguous: bool  # ids without room between two messages
    steps_by_one: bool = False
    mid: int = 600_000
    last_id: int = 5_000_000
    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        for step in range(1, 60):
            self.bids[self.mid - step * 3], self.asks[self.mid + step * 3] = 1_000 + step, 2_000 + step
        self.now = self.book()

    def book(self) -> tuple[Changes, Changes]:
        return sorted(self.bids.items(), reverse=True), sorted(self.asks.items())

    def move(self, at: datetime) -> Message:
        """Change a few levels; the touch wanders, and what it crosses or leaves far behind is gone."""
        draw, before = self.random, self.now
        self.mid += draw.choice((-4, -2, 0, 0, 0, 2, 4))
        bids: dict[int, int] = {px: 0 for px in self.bids if not self.mid - 150 <= px < self.mid}
        asks: dict[int, int] = {px: 0 for px in self.asks if not self.mid < px <= self.mid + 150}
        for _ in range(draw.randint(0, 4)):
            bids[self.mid - draw.randint(1, 150)] = draw.choice((0, draw.randint(1, 9_000)))
            asks[self.mid + draw.randint(1, 150)] = draw.choice((0, draw.randint(1, 9_000)))
        for side, changes in ((self.bids, bids), (self.asks, asks)):
            side.update(changes)
            for px in [px for px, qty in side.items() if qty == 0]:
                del side[px]
        room = 0 if self.is_contiguous else draw.randint(0, 20)
        first_id = self.last_id + 1 + room
        last_id = first_id if self.steps_by_one else first_id + draw.randint(0, 9)
        self.now = self.book()
        message = Message(first_id, last_id, self.last_id, at, [*bids.items()], [*asks.items()], self.now, before)
        self.last_id = last_id
        return message


def price(ticks: int) -> str:
    return f"{ticks // 10}.{ticks % 10}"


def size(lots: int) -> str:
    return f"{lots // 1_000}.{lots % 1_000:03}"


def texts(levels: Changes) -> list[list[str]]:
    return [[price(px), size(qty)] for px, qty in levels]


def floats(levels: Changes, count: int) -> Side:
    return [(float(price(px)), float(size(qty))) for px, qty in levels[:count]]


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1_000)


@dataclass(frozen=True)
class Wire:
    """How one venue writes a diff and a whole book."""

    venue: str
    path: str
    symbol: str
    diff: Callable[[Message], Any]
    whole: Callable[[Message], Any]
    is_rest: bool = False
    is_contiguous: bool = False
    steps_by_one: bool = False
    has_ids: bool = True
    rest_path: str = ""

    def market(self, seed: int) -> Market:
        return Market(seed, self.is_contiguous, self.steps_by_one)


def _depth_update(m: Message, symbol: str, **more: int) -> dict[str, Any]:
    data = {"e": "depthUpdate", "E": ms(m.at), "s": symbol, "U": m.first_id, "u": m.last_id, **more}
    return {"stream": f"{symbol.lower()}@depth@100ms", "data": {**data, "b": texts(m.bids), "a": texts(m.asks)}}


def _depth(m: Message) -> dict[str, Any]:
    return {"lastUpdateId": m.last_id, "bids": texts(m.book[0]), "asks": texts(m.book[1])}


def _deribit(m: Message, kind: str) -> dict[str, Any]:
    def side(levels: Changes, action: str) -> list[list[Any]]:
        return [[action if qty else "delete", px / 10, qty / 1_000] for px, qty in levels]

    bids, asks = m.book if kind == "snapshot" else (m.bids, m.asks)
    data: dict[str, Any] = {"type": kind, "timestamp": ms(m.at), "instrument_name": "BTC-PERPETUAL"}
    data |= {"change_id": m.last_id, "bids": side(bids, "new"), "asks": side(asks, "change")}
    if kind == "change":
        data["prev_change_id"] = m.prev_id
    params = {"channel": "book.BTC-PERPETUAL.100ms", "data": data}
    return {"jsonrpc": "2.0", "method": "subscription", "params": params}


def _okx(m: Message, action: str) -> dict[str, Any]:
    bids, asks = m.book if action == "snapshot" else (m.bids, m.asks)
    row = {"bids": [[*level, "0", "1"] for level in texts(bids)], "asks": [[*level, "0", "1"] for level in texts(asks)]}
    ids = {"ts": str(ms(m.at)), "checksum": 0, "seqId": m.last_id, "prevSeqId": m.prev_id if action == "update" else -1}
    return {"arg": {"channel": "books", "instId": "BTC-USDT-SWAP"}, "action": action, "data": [{**row, **ids}]}


def _bybit(m: Message, kind: str) -> dict[str, Any]:
    bids, asks = m.book if kind == "snapshot" else (m.bids, m.asks)
    data = {"s": "BTCUSDT", "b": texts(bids), "a": texts(asks), "u": m.last_id, "seq": m.last_id * 7}
    return {"topic": "orderbook.200.BTCUSDT", "type": kind, "ts": ms(m.at), "cts": ms(m.at), "data": data}


def _crc(book: tuple[Changes, Changes]) -> int:
    digits = [
        text.replace(".", "").lstrip("0") for side in (book[1], book[0]) for pair in texts(side[:10]) for text in pair
    ]
    return zlib.crc32("".join(digits).encode())


def _kraken(m: Message, kind: str) -> str:
    def side(levels: Changes) -> str:
        return "[" + ",".join(f'{{"price":{price(px)},"qty":{size(qty)}}}' for px, qty in levels) + "]"

    bids, asks = m.book if kind == "snapshot" else (m.bids, m.asks)
    stamp = m.at.isoformat().replace("+00:00", "Z")
    levels = f'"bids":{side(bids)},"asks":{side(asks)},"checksum":{_crc(m.book)}'
    return f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"BTC/USD",{levels},"timestamp":"{stamp}"}}]}}'


WIRES = (
    Wire(
        "binance_spot",
        "/ws/books",
        "BTCUSDT",
        lambda m: _depth_update(m, "BTCUSDT"),
        _depth,
        is_rest=True,
        is_contiguous=True,
        rest_path="/api/v3/depth",
    ),
    Wire(
        "binance_usdm",
        "/ws/books",
        "BTCUSDT",
        lambda m: _depth_update(m, "BTCUSDT", T=ms(m.at), pu=m.prev_id),
        lambda m: {**_depth(m), "E": ms(m.at), "T": ms(m.at)},
        is_rest=True,
        rest_path="/fapi/v1/depth",
    ),
    Wire(
        "deribit",
        "/ws/futures",
        "BTC-PERPETUAL",
        lambda m: _deribit(m, "change"),
        lambda m: _deribit(m, "snapshot"),
    ),
    Wire("okx", "/ws/public", "BTC-USDT-SWAP", lambda m: _okx(m, "update"), lambda m: _okx(m, "snapshot")),
    Wire(
        "bybit",
        "/ws/linear",
        "BTCUSDT",
        lambda m: _bybit(m, "delta"),
        lambda m: _bybit(m, "snapshot"),
        is_contiguous=True,
        steps_by_one=True,
    ),
    Wire(
        "kraken",
        "/ws/feed",
        "XXBTZUSD",
        lambda m: _kraken(m, "update"),
        lambda m: _kraken(m, "snapshot"),
        has_ids=False,
    ),
)


def envelope(wire: Wire, at: datetime, body: Any, method: str = "WS") -> Envelope:
    """One line as the recorder writes it; a REST snapshot is a `GET`."""
    text = body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))
    sealed = seal(
        venue=wire.venue,
        host="",
        path=wire.rest_path if method == "GET" else wire.path,
        query=f"symbol={wire.symbol}&limit=1000" if method == "GET" else "connection=0",
        status=200 if method == "GET" else 101,
        captured_ts=at,
        body=text.encode(),
    )
    fields = {name: getattr(sealed, name) for name in sealed.__struct_fields__}
    return Envelope(**{**fields, "method": method})


def clock(seed: int, per_second: float, start: datetime = HOUR) -> Iterator[datetime]:
    """Instants of an hour, unevenly apart, in whole milliseconds."""
    draw, at = random.Random(seed), start + timedelta(milliseconds=500)
    while at < start + timedelta(minutes=59, seconds=59):
        yield at
        at += timedelta(milliseconds=1 + int(draw.expovariate(per_second) * 1_000))
