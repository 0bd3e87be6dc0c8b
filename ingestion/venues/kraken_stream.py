"""What Kraken sends unasked, by its second protocol; sizes in base coin, times in ISO 8601.

https://docs.kraken.com/api/docs/guides/spot-ws-intro
A pair is `BTC/USD` there and XXBTZUSD in every reply; it is told here by the name in the replies.
Books carry no ids but a checksum over their ten best levels, of the digits as they came.
"""

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Literal

import msgspec

from ingestion.records import SpotTicker, Trade
from ingestion.venues.base import Plan, Refused, Reply, decode, rows
from ingestion.venues.binance import Price
from ingestion.venues.kraken_names import question, read_name
from ingestion.venues.streams import (
    BookDiff,
    BookSnapshot,
    Control,
    Keepalive,
    Level,
    Said,
    Stream,
    Told,
    refuse_long_numbers,
)
from ingestion.venues.wire import Finite, Seen, above_zero, instant_written, touch

DOCS = "https://docs.kraken.com/api/docs/guides/spot-ws-intro"
URL = "wss://ws.kraken.com/v2"
DEPTH = 500  # one of 10, 25, 100, 500, 1000

_DATASETS = {"book": "order_books", "trade": "trades", "ticker": "spot_tickers"}
# Pairs of these coins in dollars or euros are filed under eight letters, as no later pair is: lists of 2017 and 2021.
_FILED = frozenset({"ETC", "ETH", "LTC", "MLN", "REP", "XBT", "XLM", "XMR", "XRP", "ZEC"})


class _Level(msgspec.Struct):
    price: Decimal
    qty: Decimal


class _Book(msgspec.Struct):
    symbol: str
    bids: list[_Level]
    asks: list[_Level]
    checksum: int
    timestamp: str | None = None  # in a snapshot not before 2025


class _Trade(msgspec.Struct):
    symbol: str
    side: Literal["buy", "sell"]  # the taker's
    qty: Price
    price: Price
    trade_id: int
    timestamp: str


class _Ticker(msgspec.Struct):
    symbol: str
    bid: Finite
    bid_qty: Finite
    ask: Finite
    ask_qty: Finite
    last: Finite
    volume: Finite  # of 24 hours, base coin
    timestamp: str | None = None  # since 2025


class _Frame(msgspec.Struct):
    channel: str = ""
    type: Literal["snapshot", "update", ""] = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    method: str = ""
    success: bool | None = None


_CHANNEL = re.compile(rb'"channel"\s*:\s*"([^"]+)".*?"symbol"\s*:\s*"([^"]+)"', re.DOTALL)
_FRAME = msgspec.json.Decoder(_Frame)
_BOOK = msgspec.json.Decoder(tuple[_Book])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_TRADE, _TICKER = msgspec.json.Decoder(_Trade), msgspec.json.Decoder(_Ticker)


def checksum(bids: Sequence[Level], asks: Sequence[Level]) -> int:
    """CRC32 of the ten best asks, then the ten best bids: price and size each without point and leading zeros.

    https://docs.kraken.com/api/docs/guides/spot-ws-book-v2
    """
    numbers = [number for side in (asks, bids) for level in side for number in level]
    return zlib.crc32("".join(f"{number:f}".replace(".", "").lstrip("0") for number in numbers).encode())


def read_frame(reply: Reply) -> Iterator[Said]:
    """Read one frame, by its channel."""
    frame = decode(_FRAME, reply.body, f"kraken {reply.path}")
    if frame.success is False:
        return iter([Control(event="error", text=reply.body.decode(errors="replace"))])
    if frame.method:
        return iter([Control(event="alive" if frame.method == "pong" else "subscribed")])
    if frame.channel in ("heartbeat", "status"):
        return iter([Control(event="alive")])
    if frame.channel not in _READ:
        raise Refused("unknown_endpoint", f"kraken {reply.path}: no parser knows channel {frame.channel[:40]!r}")
    refuse_long_numbers(bytes(frame.data), f"kraken {frame.channel}")
    return _READ[frame.channel](reply, frame)


@lru_cache(maxsize=4096)
def _symbol(pair: str) -> str:
    base, _, quote = pair.partition("/")
    if quote not in ("USD", "EUR", "USDT"):
        raise Refused("unknown_symbol", f"kraken {pair[:40]}: expected a pair in USD, EUR or USDT")
    code = question(base, "")
    if pair == "USDT/USD":
        symbol = "USDTZUSD"
    else:
        symbol = f"X{code}Z{quote}" if code in _FILED and quote != "USDT" else code + quote
    read_name(symbol)
    return symbol


def _seen(reply: Reply, pair: str, time: str | None) -> Seen:
    return {
        "venue": "kraken",
        "symbol": _symbol(pair),
        "kind": "spot",
        "captured_ts": reply.captured_ts,
        "event_ts": None if time is None else instant_written(time),
    }


def _book(reply: Reply, frame: _Frame) -> Iterator[Said]:
    (book,) = decode(_BOOK, bytes(frame.data), "kraken book")
    if any(level.price <= 0 or level.qty < 0 for level in (*book.bids, *book.asks)):
        raise Refused("schema", f"kraken {book.symbol}: a price or size below zero")
    bids, asks = [[(level.price, level.qty) for level in side] for side in (book.bids, book.asks)]
    event_ts = None if book.timestamp is None else instant_written(book.timestamp)
    if frame.type not in ("snapshot", "update"):
        raise Refused("schema", f"kraken {book.symbol}: a book that is neither snapshot nor update")
    message = BookSnapshot if frame.type == "snapshot" else BookDiff
    yield message(
        kind="spot",
        symbol=_symbol(book.symbol),
        captured_ts=reply.captured_ts,
        event_ts=event_ts,
        bids=bids,
        asks=asks,
        checksum=book.checksum,
    )


def _trades(reply: Reply, frame: _Frame) -> Iterator[Said]:
    def read(row: _Trade) -> list[Trade]:
        seen = _seen(reply, row.symbol, row.timestamp)
        return [Trade(**seen, trade_id=str(row.trade_id), px=row.price, qty=row.qty, side=row.side)]

    listed = decode(_LIST, bytes(frame.data), "kraken trade")
    return rows(_TRADE, listed, read)


def _tickers(reply: Reply, frame: _Frame) -> Iterator[Said]:
    def read(row: _Ticker) -> list[SpotTicker]:
        bid_px, bid_qty = touch(row.bid, row.bid_qty)
        ask_px, ask_qty = touch(row.ask, row.ask_qty)
        return [
            SpotTicker(
                **_seen(reply, row.symbol, row.timestamp),
                bid_px=bid_px,
                bid_qty=bid_qty,
                ask_px=ask_px,
                ask_qty=ask_qty,
                last_px=above_zero(row.last),
                volume_24h_base=row.volume,
            )
        ]

    listed = decode(_LIST, bytes(frame.data), "kraken ticker")
    return rows(_TICKER, listed, read)


_READ: dict[str, Callable[[Reply, _Frame], Iterator[Said]]] = {"book": _book, "trade": _trades, "ticker": _tickers}


def _tells(channel: str) -> Told:
    name, _, pair = channel.partition(":")
    return Told(_DATASETS[name], "spot", _symbol(pair))


def _asked(method: str, channels: Sequence[str]) -> list[str]:
    wanted: dict[str, list[str]] = {}
    for channel in channels:
        name, _, pair = channel.partition(":")
        wanted.setdefault(name, []).append(pair)
    more: dict[str, dict[str, object]] = {"book": {"depth": DEPTH}, "ticker": {"event_trigger": "bbo"}}
    asked = [{"channel": name, "symbol": pairs, **more.get(name, {})} for name, pairs in wanted.items()]
    return [msgspec.json.encode({"method": method, "params": params}).decode() for params in asked]


def _pair(symbol: str) -> str:
    name = read_name(symbol)
    return f"{name.base_asset}/{name.quote_asset}"


def _renew(symbol: str) -> list[str]:
    channels = [f"book:{_pair(symbol)}"]
    return _asked("unsubscribe", channels) + _asked("subscribe", channels)


def streams(pairs: Callable[[Plan], list[str]]) -> tuple[Stream]:
    """All that is told of these pairs; a channel is written `book:BTC/USD`."""
    return (
        Stream(
            name="feed",
            url=URL,
            docs_url=DOCS,
            channels=lambda plan: [f"{name}:{_pair(symbol)}" for symbol in pairs(plan) for name in _DATASETS],
            tells=_tells,
            subscribe=lambda channels: _asked("subscribe", channels),
            read=read_frame,
            silence_s=15,  # heartbeats come every second
            max_channels=300,
            connections_per_minute=15,  # 150 in ten minutes
            keepalive=Keepalive('{"method":"ping"}', 30),
            window=DEPTH,
            checksum=checksum,
            counts_trades=True,  # "unique identifier per pair, which counts up"
            named_by=_CHANNEL,
            joint=":",
            renew=_renew,
        ),
    )
