"""What Hyperliquid sends unasked. Its rows are those of the replies to questions; every book is a whole one.

https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions
"""

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from ingestion.records import OrderBook
from ingestion.venues.base import Plan, Refused, Reply, decode
from ingestion.venues.hyperliquid_history import parse_trades
from ingestion.venues.hyperliquid_names import read_coin, spelled
from ingestion.venues.hyperliquid_replies import parse_contexts, parse_order_book
from ingestion.venues.streams import BookSnapshot, Control, Keepalive, Said, Stream, Told

DOCS = "https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket"
URL = "wss://api.hyperliquid.xyz/ws"

_DATASETS = {"l2Book": "order_books", "trades": "trades", "activeAssetCtx": "perp_tickers"}


class _Frame(msgspec.Struct):
    channel: str
    data: msgspec.Raw = msgspec.Raw(b"")


class _Context(msgspec.Struct):
    coin: str
    ctx: msgspec.Raw


_CHANNEL = re.compile(rb'"channel"\s*:\s*"([^"]+)".*?"coin"\s*:\s*"([^"]+)"', re.DOTALL)
_FRAME, _CONTEXT = msgspec.json.Decoder(_Frame), msgspec.json.Decoder(_Context)


def read_frame(reply: Reply) -> Iterator[Said]:
    """Read one frame, by its channel."""
    frame = decode(_FRAME, reply.body, f"hyperliquid {reply.path}")
    if frame.channel == "error":
        return iter([Control(event="error", text=reply.body.decode(errors="replace"))])
    if frame.channel in ("pong", "subscriptionResponse"):
        return iter([Control(event="alive" if frame.channel == "pong" else "subscribed")])
    if frame.channel not in _READ:
        raise Refused("unknown_endpoint", f"hyperliquid {reply.path}: no parser knows {frame.channel[:40]!r}")
    return _READ[frame.channel](Reply(reply.path, {"type": frame.channel}, bytes(frame.data), reply.captured_ts))


def _book(reply: Reply) -> Iterator[Said]:
    for book in parse_order_book(reply):
        if isinstance(book, OrderBook):
            yield BookSnapshot(
                kind=book.kind,
                symbol=book.symbol,
                captured_ts=book.captured_ts,
                event_ts=book.event_ts,
                bids=list(zip(book.bid_px, book.bid_qty, strict=True)),
                asks=list(zip(book.ask_px, book.ask_qty, strict=True)),
            )


def _trades(reply: Reply) -> Iterator[Said]:
    return parse_trades(reply)


def _context(reply: Reply) -> Iterator[Said]:
    """As the one row of a `metaAndAssetCtxs`."""
    context = decode(_CONTEXT, reply.body, "hyperliquid activeAssetCtx")
    universe = msgspec.json.encode({"universe": [{"name": context.coin, "szDecimals": 0}]})
    body = b"[" + universe + b",[" + bytes(context.ctx) + b"]]"
    return parse_contexts(Reply(reply.path, reply.query, body, reply.captured_ts))


_READ: dict[str, Callable[[Reply], Iterator[Said]]] = {"l2Book": _book, "trades": _trades, "activeAssetCtx": _context}


def _tells(channel: str) -> Told:
    name, _, coin = channel.partition(" ")
    kind, symbol = read_coin(coin)
    return Told(_DATASETS[name], kind, symbol)


def _subscribe(channels: Sequence[str]) -> list[str]:
    def asked(channel: str) -> dict[str, object]:
        name, _, coin = channel.partition(" ")
        return {"method": "subscribe", "subscription": {"type": name, "coin": coin}}

    return [msgspec.json.encode(asked(channel)).decode() for channel in channels]


def streams(perps: Callable[[Plan], list[str]], pairs: Callable[[Plan], list[str]]) -> tuple[Stream]:
    """All that is told of these coins; a channel is written `l2Book BTC`."""

    def channels(plan: Plan) -> list[str]:
        contexts = [f"activeAssetCtx {coin}" for coin in perps(plan)]
        coins = [*perps(plan), *map(spelled, pairs(plan))]
        return contexts + [f"{name} {coin}" for coin in coins for name in ("l2Book", "trades")]

    return (
        Stream(
            name="feed",
            url=URL,
            docs_url=DOCS,
            channels=channels,
            tells=_tells,
            subscribe=_subscribe,
            read=read_frame,
            silence_s=30,  # books come every half second
            max_channels=1_000,
            frames_per_s=30,  # 2,000 a minute
            connections_per_minute=30,
            named_by=_CHANNEL,
            joint=" ",
            keepalive=Keepalive('{"method":"ping"}', 50),  # it closes after 60 s without a word
        ),
    )
