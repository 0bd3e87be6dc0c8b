"""What OKX sends unasked. Its rows are those of the REST replies; only books come otherwise.

https://www.okx.com/docs-v5/en/#overview-websocket
A channel is written `books:BTC-USDT`: its name, and the value of the one argument that it takes.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec

from ingestion.records import Kind, Record
from ingestion.venues.base import Plan, Refused, Reject, Reply, decode, instant
from ingestion.venues.binance import Amount, Price
from ingestion.venues.okx_history import parse_liquidations, parse_trades
from ingestion.venues.okx_names import read_name
from ingestion.venues.okx_tickers import (
    parse_funding_rate,
    parse_mark_prices,
    parse_open_interest,
    parse_option_summary,
    parse_tickers,
)
from ingestion.venues.streams import BookDiff, BookSnapshot, Control, Keepalive, Said, Stream, Told, refuse_long_numbers

DOCS = "https://www.okx.com/docs-v5/en/#overview-websocket"
BOOKS = "books"
DEPTH = 400

_TICKERS: dict[Kind, str] = {"spot": "spot_tickers", "perp": "perp_tickers", "future": "future_tickers"}
_DATASETS = {
    BOOKS: "order_books",
    "trades-all": "trades",
    "option-trades": "trades",
    "open-interest": "open_interest",
    "opt-summary": "option_quotes",
    "liquidation-orders": "liquidations",
}
_BY_TYPE: dict[str, Kind] = {"SWAP": "perp", "FUTURES": "future"}  # channels of all instruments of a type
_BY_FAMILY = ("opt-summary", "option-trades")
_READ: dict[str, Callable[[Reply], Iterator[Record | Reject]]] = {
    "trades": parse_trades,
    "trades-all": parse_trades,
    "option-trades": parse_trades,
    "tickers": parse_tickers,
    "mark-price": parse_mark_prices,
    "funding-rate": parse_funding_rate,
    "open-interest": parse_open_interest,
    "opt-summary": parse_option_summary,
    "liquidation-orders": parse_liquidations,
}


class _Arg(msgspec.Struct, rename="camel"):
    channel: str
    inst_id: str = ""


class _Frame(msgspec.Struct):
    event: str = ""
    arg: _Arg | None = None
    action: Literal["snapshot", "update", ""] = ""
    data: msgspec.Raw = msgspec.Raw(b"")


class _Book(msgspec.Struct, rename="camel"):
    bids: list[tuple[Price, Amount, str, str]]  # price, size, a deprecated 0, number of orders
    asks: list[tuple[Price, Amount, str, str]]
    ts: int
    seq_id: int
    prev_seq_id: int  # -1 in a snapshot; the `checksum` beside it was given up, and is 0


_CHANNEL = re.compile(rb'"channel"\s*:\s*"([^"]+)".*?"inst(?:Id|Family|Type)"\s*:\s*"([^"]+)"', re.DOTALL)
_FRAME = msgspec.json.Decoder(_Frame)
_BOOKS = msgspec.json.Decoder(tuple[_Book], strict=False)


def read_frame(reply: Reply) -> Iterator[Said]:
    """Read one frame; `pong` is the only one that is no JSON."""
    if reply.body == b"pong":
        return iter([Control(event="alive")])
    frame = decode(_FRAME, reply.body, f"okx {reply.path}")
    if frame.event:
        is_error = frame.event in ("error", "notice", "channel-conn-count-error")
        event: Literal["error", "subscribed"] = "error" if is_error else "subscribed"
        return iter([Control(event=event, text=reply.body.decode(errors="replace"))])
    if frame.arg is None:
        raise Refused("schema", f"okx {reply.path}: neither data nor an event")
    if frame.arg.channel == BOOKS:
        return _book(reply, frame, frame.arg.inst_id)
    if frame.arg.channel not in _READ:
        raise Refused("unknown_endpoint", f"okx {reply.path}: no parser knows channel {frame.arg.channel[:40]!r}")
    body = b'{"code":"0","data":' + bytes(frame.data) + b"}"  # as the REST reply that has the same rows
    return _READ[frame.arg.channel](Reply(reply.path, {}, body, reply.captured_ts))


def _book(reply: Reply, frame: _Frame, symbol: str) -> Iterator[Said]:
    """A message without a change comes every minute, with `seqId` and `prevSeqId` alike."""
    refuse_long_numbers(reply.body, f"okx {symbol} book")
    (row,) = decode(_BOOKS, bytes(frame.data), f"okx {symbol} book")
    bids, asks = [(px, qty) for px, qty, *_ in row.bids], [(px, qty) for px, qty, *_ in row.asks]
    kind, event_ts = read_name(symbol).kind, instant(row.ts)
    if frame.action == "snapshot":
        yield BookSnapshot(
            kind=kind,
            symbol=symbol,
            captured_ts=reply.captured_ts,
            event_ts=event_ts,
            last_id=row.seq_id,
            bids=bids,
            asks=asks,
        )
    elif frame.action == "update":
        yield BookDiff(
            kind=kind,
            symbol=symbol,
            captured_ts=reply.captured_ts,
            event_ts=event_ts,
            last_id=row.seq_id,
            prev_id=row.prev_seq_id,
            bids=bids,
            asks=asks,
        )
    else:
        raise Refused("schema", f"okx {symbol}: a book that is neither snapshot nor update")


def _tells(channel: str) -> Told:
    name, _, value = channel.partition(":")
    if value in _BY_TYPE:
        return Told(_DATASETS[name], _BY_TYPE[value], value)
    kind: Kind = "option" if name in _BY_FAMILY else read_name(value).kind
    return Told(_DATASETS.get(name) or _TICKERS[kind], kind, value)


def _arg(channel: str) -> dict[str, str]:
    name, _, value = channel.partition(":")
    key = "instType" if value in _BY_TYPE else "instFamily" if name in _BY_FAMILY else "instId"
    return {"channel": name, key: value}


def _asked(op: str, channels: Sequence[str]) -> list[str]:
    return [msgspec.json.encode({"op": op, "args": [_arg(channel) for channel in channels]}).decode()]


def _renew(symbol: str) -> list[str]:
    channels = [f"{BOOKS}:{symbol}"]
    return _asked("unsubscribe", channels) + _asked("subscribe", channels)


def streams(pairs: Callable[[Plan], list[str]], contracts: Callable[[Plan, Kind], list[str]]) -> tuple[Stream, Stream]:
    """`pairs` are spot, `contracts` those of a kind. Single trades come from another address than all else."""

    def public(plan: Plan) -> list[str]:
        spot, perps, futures = pairs(plan), contracts(plan, "perp"), contracts(plan, "future")
        derivatives = [*perps, *futures]
        return [
            *(f"{name}:{symbol}" for symbol in [*spot, *derivatives] for name in (BOOKS, "tickers")),
            *(f"{name}:{symbol}" for symbol in derivatives for name in ("mark-price", "open-interest")),
            *(f"funding-rate:{symbol}" for symbol in perps),
            *(f"{name}:{base}-USD" for base in plan.underlyings for name in _BY_FAMILY),
            *(f"liquidation-orders:{kind}" for kind in _BY_TYPE),
        ]

    def trades(plan: Plan) -> list[str]:
        symbols = [*pairs(plan), *contracts(plan, "perp"), *contracts(plan, "future")]
        return [f"trades-all:{symbol}" for symbol in symbols]

    def stream(name: str, url: str, channels: Callable[[Plan], list[str]], has_books: bool) -> Stream:
        return Stream(
            name=name,
            url=url,
            docs_url=DOCS,
            channels=channels,
            tells=_tells,
            subscribe=lambda wanted: _asked("subscribe", wanted),
            read=read_frame,
            silence_s=60,
            max_channels=240,  # of one request, 64 kB
            frames_per_s=1,  # and at most 480 requests an hour to subscribe or not
            connections_per_minute=180,  # 3 a second
            keepalive=Keepalive("ping", 20),  # it closes after 30 s without a word
            order="prev",
            window=DEPTH if has_books else None,
            named_by=_CHANNEL,
            joint=":",
            renew=_renew if has_books else None,
        )

    return (
        stream("public", "wss://ws.okx.com:8443/ws/v5/public", public, has_books=True),
        stream("business", "wss://ws.okx.com:8443/ws/v5/business", trades, has_books=False),
    )
