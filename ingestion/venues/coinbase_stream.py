"""What Coinbase Exchange sends unasked; sizes in base coin, times in ISO 8601.

https://docs.cdp.coinbase.com/exchange/websocket-feed/channels
Books come without ids: that no update is missing, the venue guarantees and nothing shows.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec

from ingestion.records import SpotTicker, Trade
from ingestion.venues.base import Plan, Refused, Reply, decode
from ingestion.venues.binance import Amount, Price
from ingestion.venues.coinbase_replies import read_name
from ingestion.venues.streams import BookDiff, BookSnapshot, Control, Level, Said, Stream, Told, refuse_long_numbers
from ingestion.venues.wire import Finite, Seen, above_zero, instant_written, touch

DOCS = "https://docs.cdp.coinbase.com/exchange/websocket-feed/channels"
URL = "wss://ws-feed.exchange.coinbase.com"

_BOOKS, _TRADES, _TICKER, _HEARTBEAT = "level2_batch", "matches", "ticker", "heartbeat"
_DATASETS = {_BOOKS: "order_books", _TRADES: "trades", _TICKER: "spot_tickers", _HEARTBEAT: "spot_tickers"}
_TAKERS: dict[str, Literal["buy", "sell"]] = {"buy": "sell", "sell": "buy"}  # by the maker's side


class _Type(msgspec.Struct):
    type: str


class _Snapshot(msgspec.Struct):
    product_id: str
    bids: list[tuple[Price, Amount]]
    asks: list[tuple[Price, Amount]]


class _Update(msgspec.Struct):
    product_id: str
    changes: list[tuple[Literal["buy", "sell"], Price, Amount]]
    time: str


class _Match(msgspec.Struct):
    product_id: str
    trade_id: int
    side: Literal["buy", "sell"]  # the maker's
    size: Price
    price: Price
    time: str


class _Ticker(msgspec.Struct):
    product_id: str
    price: Finite
    volume_24h: Finite
    best_bid: Finite
    best_bid_size: Finite
    best_ask: Finite
    best_ask_size: Finite
    time: str


_TYPE = msgspec.json.Decoder(_Type)
_SNAPSHOT, _UPDATE = msgspec.json.Decoder(_Snapshot, strict=False), msgspec.json.Decoder(_Update, strict=False)
_MATCH, _QUOTE = msgspec.json.Decoder(_Match, strict=False), msgspec.json.Decoder(_Ticker, strict=False)


def read_frame(reply: Reply) -> Iterator[Said]:
    """Read one frame, by its `type`."""
    kind = decode(_TYPE, reply.body, f"coinbase {reply.path}").type
    if kind not in _READ:
        raise Refused("unknown_endpoint", f"coinbase {reply.path}: no parser knows type {kind[:40]!r}")
    refuse_long_numbers(reply.body, f"coinbase {kind}")
    return _READ[kind](reply)


def _seen(reply: Reply, symbol: str, time: str) -> Seen:
    read_name(symbol)
    return {
        "venue": "coinbase",
        "symbol": symbol,
        "kind": "spot",
        "captured_ts": reply.captured_ts,
        "event_ts": instant_written(time),
    }


def _snapshot(reply: Reply) -> Iterator[Said]:
    book = decode(_SNAPSHOT, reply.body, "coinbase snapshot")
    read_name(book.product_id)
    yield BookSnapshot(
        kind="spot",
        symbol=book.product_id,
        captured_ts=reply.captured_ts,
        bids=book.bids,
        asks=book.asks,
    )


def _update(reply: Reply) -> Iterator[Said]:
    update = decode(_UPDATE, reply.body, "coinbase l2update")
    read_name(update.product_id)
    sides: dict[str, list[Level]] = {"buy": [], "sell": []}
    for side, px, qty in update.changes:
        sides[side].append((px, qty))
    yield BookDiff(
        kind="spot",
        symbol=update.product_id,
        captured_ts=reply.captured_ts,
        event_ts=instant_written(update.time),
        bids=sides["buy"],
        asks=sides["sell"],
    )


def _match(reply: Reply) -> Iterator[Said]:
    """Also `last_match`, the one before the subscription."""
    match = decode(_MATCH, reply.body, "coinbase match")
    yield Trade(
        **_seen(reply, match.product_id, match.time),
        trade_id=str(match.trade_id),
        px=match.price,
        qty=match.size,
        side=_TAKERS[match.side],
    )


def _ticker(reply: Reply) -> Iterator[Said]:
    quote = decode(_QUOTE, reply.body, "coinbase ticker")
    bid_px, bid_qty = touch(quote.best_bid, quote.best_bid_size)
    ask_px, ask_qty = touch(quote.best_ask, quote.best_ask_size)
    yield SpotTicker(
        **_seen(reply, quote.product_id, quote.time),
        bid_px=bid_px,
        bid_qty=bid_qty,
        ask_px=ask_px,
        ask_qty=ask_qty,
        last_px=above_zero(quote.price),
        volume_24h_base=quote.volume_24h,
    )


def _alive(reply: Reply) -> Iterator[Said]:
    yield Control(event="alive")


def _subscribed(reply: Reply) -> Iterator[Said]:
    yield Control(event="subscribed")


def _error(reply: Reply) -> Iterator[Said]:
    yield Control(event="error", text=reply.body.decode(errors="replace"))


_READ: dict[str, Callable[[Reply], Iterator[Said]]] = {
    "snapshot": _snapshot,
    "l2update": _update,
    "match": _match,
    "last_match": _match,
    "ticker": _ticker,
    "heartbeat": _alive,
    "subscriptions": _subscribed,
    "error": _error,
}


def _asked(op: str, channels: Sequence[str]) -> list[str]:
    wanted: dict[str, list[str]] = {}
    for channel in channels:
        name, _, product = channel.partition(":")
        wanted.setdefault(name, []).append(product)
    named = [{"name": name, "product_ids": products} for name, products in wanted.items()]
    return [msgspec.json.encode({"type": op, "channels": named}).decode()]


def _renew(symbol: str) -> list[str]:
    channels = [f"{_BOOKS}:{symbol}"]
    return _asked("unsubscribe", channels) + _asked("subscribe", channels)


def _tells(channel: str) -> Told:
    name, _, product = channel.partition(":")
    return Told(_DATASETS[name], "spot", product)


def streams(pairs: Callable[[Plan], list[str]]) -> tuple[Stream]:
    """All that is told of these pairs; a channel is written `matches:BTC-USD`."""
    return (
        Stream(
            name="feed",
            url=URL,
            docs_url=DOCS,
            channels=lambda plan: [f"{name}:{pair}" for pair in pairs(plan) for name in _DATASETS],
            tells=_tells,
            subscribe=lambda channels: _asked("subscribe", channels),
            read=read_frame,
            silence_s=15,  # heartbeats come every second
            max_channels=40,
            connections_per_minute=60,
            counts_trades=True,  # heartbeats carry the last trade id so that one can see that none is missing
            renew=_renew,
        ),
    )
