"""Books and trades as each venue writes them, made from its documented example, and read as a plain program would."""

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

EXAMPLES = Path(__file__).parents[1] / "tests" / "examples"

Name = str | int  # of a key, or the place in a list
Way = tuple[Name, ...]  # from a body to what is meant


class Level(NamedTuple):
    """Where price and size stand in a level."""

    px: Name = 0
    qty: Name = 1


class BookShape(NamedTuple):
    """One book a reply."""

    venue: str
    path: str
    bids: Way
    asks: Way
    level: Level = Level()
    number: Way | None = None
    at: Way | None = None
    unit: str = "ms"

    dataset = "order_books"

    def write(self, number: int, ms: int, bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> str:
        body = json.loads(_text(example(self.venue, self.path)["body"]))
        for way, levels in ((self.bids, bids), (self.asks, asks)):
            like = _at(body, way)[0]
            _put(body, way, [_changed(like, {self.level.px: px, self.level.qty: qty}) for px, qty in levels])
        if self.number is not None:
            _put(body, self.number, _like(_at(body, self.number), number))
        if self.at is not None:
            _put(body, self.at, _clock(_at(body, self.at), ms, self.unit))
        return _text(body)

    def read(self, body: Any) -> tuple[int | None, int | None, list[Any], list[Any]]:
        """The sequence, microseconds, and both sides as they stand."""
        number = None if self.number is None else int(_at(body, self.number))
        at = None if self.at is None else micros(_at(body, self.at), self.unit)
        return number, at, _at(body, self.bids), _at(body, self.asks)


class TradeShape(NamedTuple):
    """A page of trades a reply."""

    venue: str
    path: str
    rows: Way
    number: Name
    at: Name
    px: Name
    qty: Name
    side: Name | None  # none: the sign of the size
    sold: str | bool = "sell"
    bought: str = "buy"
    unit: str = "ms"

    dataset = "trades"

    def write(self, fills: list[tuple[int, int, str, str, bool]]) -> str:
        """Of number, milliseconds, price, size, whether sold."""
        body = json.loads(_text(example(self.venue, self.path)["body"]))
        like = _at(body, self.rows)[0]
        rows = []
        for number, ms, px, qty, is_sale in fills:
            fields: dict[Name, Any] = {self.number: str(number), self.px: px, self.qty: qty}
            if self.side is None:
                fields[self.qty] = f"-{qty}" if is_sale else qty
            else:
                fields[self.side] = self.sold if is_sale else self.bought
            row = _changed(like, fields)
            row[self.at] = _clock(like[self.at], ms, self.unit)
            rows.append(row)
        return _text(_put(body, self.rows, rows))

    def read(self, body: Any) -> Iterator[tuple[str, int, Any, Any, bool]]:
        """The id, microseconds, price, size, whether sold."""
        number, at, px, qty, side, sold, unit = (
            self.number,
            self.at,
            self.px,
            self.qty,
            self.side,
            self.sold,
            self.unit,
        )
        for row in _at(body, self.rows):
            size = row[qty]
            if side is None:
                is_sale = float(size) < 0
                size = size.removeprefix("-") if isinstance(size, str) else abs(size)
            else:
                is_sale = row[side] == sold
            yield str(row[number]), micros(row[at], unit), row[px], size, is_sale


@cache
def example(venue: str, path: str) -> dict[str, Any]:
    """The documented reply of this endpoint."""
    for file in sorted(EXAMPLES.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            said: dict[str, Any] = json.loads(line)
            if said["venue"] == venue and said["path"] == path:
                return said
    raise LookupError(f"no example of {venue} {path}")


def micros(value: Any, unit: str) -> int:
    """A venue's clock in microseconds."""
    if unit == "iso":
        return round(datetime.fromisoformat(value).timestamp() * 1e6)
    if unit == "ms":
        return int(value) * 1_000
    if unit == "ns":
        return int(value) // 1_000
    return round(float(value) * (1e6 if unit == "s" else 1e3))  # "fms": milliseconds with a fraction


def _clock(like: Any, ms: int, unit: str) -> Any:
    if unit == "iso":
        return f"{datetime.fromtimestamp(ms // 1_000, UTC):%Y-%m-%dT%H:%M:%S}.{ms % 1_000:03}Z"
    return _like(like, {"s": ms / 1_000, "ms": ms, "fms": f"{ms}.306", "ns": ms * 10**6}[unit])


def _like(like: Any, value: Any) -> Any:
    """The value written as the example writes it."""
    if isinstance(like, str):
        return str(value)
    if isinstance(like, float):
        return float(value)
    text = str(value)
    return int(text) if text.isdecimal() else max(1, round(float(text) * 1_000))


def _changed(like: Any, fields: dict[Name, Any]) -> Any:
    changed = copy.copy(like)
    for name, value in fields.items():
        changed[name] = _like(like[name], value)
    return changed


def _at(body: Any, way: Way) -> Any:
    for name in way:
        body = body[name]
    return body


def _put(body: Any, way: Way, value: Any) -> Any:
    if not way:
        return value
    _at(body, way[:-1])[way[-1]] = value
    return body


def _text(body: Any) -> str:
    return json.dumps(body, separators=(",", ":"))


def _book(venue: str, path: str, root: Way, *names: Any, **more: Any) -> BookShape:
    """By where bids, asks, the sequence and the clock stand below `root`."""
    ways = [None if name is None else (*root, *name) if isinstance(name, tuple) else (*root, name) for name in names]
    return BookShape(venue, path, ways[0], ways[1], number=ways[2], at=ways[3], **more)  # type: ignore[arg-type]


_OKX, _DERIBIT, _KUCOIN = "/api/v5/market/", "/api/v2/public/", "/api/v1/market/"
SHAPES: tuple[BookShape | TradeShape, ...] = (
    _book("okx", _OKX + "books", ("data", 0), "bids", "asks", "seqId", "ts"),
    _book("bybit", "/v5/market/orderbook", ("result",), "b", "a", "u", "ts"),
    _book("deribit", _DERIBIT + "get_order_book", ("result",), "bids", "asks", "change_id", "timestamp"),
    _book("coinbase", "/products/ETH-USD/book", (), "bids", "asks", "sequence", "time", unit="iso"),
    _book("kraken", "/0/public/Depth", ("result", "XXBTZUSD"), "bids", "asks", None, None),
    BookShape(
        "kraken_futures",
        "/derivatives/api/v3/orderbook",
        ("orderBook", "bids"),
        ("orderBook", "asks"),
        at=("serverTime",),
        unit="iso",
    ),
    _book(
        "gate", "/api/v4/futures/usdt/order_book", (), "bids", "asks", "id", "current", level=Level("p", "s"), unit="s"
    ),
    _book("kucoin", _KUCOIN + "orderbook/level2_100", ("data",), "bids", "asks", "sequence", "time"),
    _book("kucoin_futures", "/api/v1/level2/depth100", ("data",), "bids", "asks", "sequence", "ts", unit="ns"),
    TradeShape("okx", _OKX + "history-trades", ("data",), "tradeId", "ts", "px", "sz", "side"),
    TradeShape(
        "bybit", "/v5/market/recent-trade", ("result", "list"), "execId", "time", "price", "size", "side", "Sell", "Buy"
    ),
    TradeShape(
        "deribit",
        _DERIBIT + "get_last_trades_by_currency_and_time",
        ("result", "trades"),
        "trade_id",
        "timestamp",
        "price",
        "amount",
        "direction",
    ),
    TradeShape(
        "coinbase",
        "/products/BTC-USD/trades",
        (),
        "trade_id",
        "time",
        "price",
        "size",
        "side",
        "buy",
        "sell",
        "iso",
    ),
    TradeShape("kraken", "/0/public/Trades", ("result", "XXBTZUSD"), 6, 2, 0, 1, 3, "s", "b", "s"),
    TradeShape("bitfinex", "/v2/trades/tBTCUSD/hist", (), 0, 1, 3, 2, None),
    TradeShape(
        "gate",
        "/api/v4/spot/trades",
        (),
        "id",
        "create_time_ms",
        "price",
        "amount",
        "side",
        "sell",
        "buy",
        "fms",
    ),
    TradeShape("gate", "/api/v4/futures/usdt/trades", (), "id", "create_time_ms", "price", "size", None, unit="s"),
    TradeShape("kucoin", _KUCOIN + "histories", ("data",), "sequence", "time", "price", "size", "side", unit="ns"),
    TradeShape(
        "kucoin_futures", "/api/v1/trade/history", ("data",), "tradeId", "ts", "price", "size", "side", unit="ns"
    ),
)
