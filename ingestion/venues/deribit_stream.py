"""What Deribit sends unasked; a channel's data are those of the method of its name, books aside.

https://docs.deribit.com/articles/notifications
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec

from ingestion.records import Kind, Record
from ingestion.venues.base import Plan, Refused, Reject, Reply, decode, instant
from ingestion.venues.binance import Amount, Price
from ingestion.venues.deribit_history import parse_trades
from ingestion.venues.deribit_names import read_name
from ingestion.venues.deribit_quotes import parse_ticker
from ingestion.venues.streams import BookDiff, BookSnapshot, Control, Said, Stream, Told, refuse_long_numbers

DOCS = "https://docs.deribit.com/articles/notifications"
URL = "wss://www.deribit.com/ws/api/v2"
OFTEN, SELDOM = "100ms", "agg2"  # the finest for those who do not log in; every two seconds
HEARTBEAT_S = 30

_TICKERS: dict[Kind, str] = {
    "spot": "spot_tickers",
    "perp": "perp_tickers",
    "future": "future_tickers",
    "option": "option_quotes",
}


class _Params(msgspec.Struct):
    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    type: str = ""  # of a heartbeat


class _Frame(msgspec.Struct):
    method: str = ""
    params: _Params | None = None
    error: msgspec.Raw = msgspec.Raw(b"")
    id: int | None = None


class _Book(msgspec.Struct):
    type: Literal["snapshot", "change"]
    timestamp: int
    instrument_name: str
    change_id: int
    bids: list[tuple[Literal["new", "change", "delete"], Price, Amount]]
    asks: list[tuple[Literal["new", "change", "delete"], Price, Amount]]
    prev_change_id: int | None = None  # none in a snapshot


_CHANNEL = re.compile(rb'"channel"\s*:\s*"([^"]+)"')
_FRAME, _BOOK = msgspec.json.Decoder(_Frame), msgspec.json.Decoder(_Book)


def read_frame(reply: Reply) -> Iterator[Said]:
    """Read one frame of JSON-RPC."""
    frame = decode(_FRAME, reply.body, f"deribit {reply.path}")
    if frame.error:
        return iter([Control(event="error", text=reply.body.decode(errors="replace"))])
    if frame.method == "heartbeat" and frame.params is not None:
        is_question = frame.params.type == "test_request"  # unanswered, the venue hangs up
        return iter([Control(event="alive", reply=_call("public/test", {}) if is_question else None)])
    if frame.method != "subscription" or frame.params is None:
        if frame.id is None:
            raise Refused("schema", f"deribit {reply.path}: neither a notification nor an answer")
        return iter([Control(event="subscribed")])
    subject = frame.params.channel.partition(".")[0]
    if subject not in _READ:
        raise Refused("unknown_endpoint", f"deribit {frame.params.channel[:80]}: no parser knows this channel")
    return _READ[subject](reply, bytes(frame.params.data))


def _book(reply: Reply, data: bytes) -> Iterator[Said]:
    """All levels once, then what changed; a deleted level comes with an amount of 0."""
    refuse_long_numbers(data, "deribit book")
    book = decode(_BOOK, data, "deribit book")
    kind, symbol = read_name(book.instrument_name).kind, book.instrument_name
    sides = [[(px, qty) for _, px, qty in side] for side in (book.bids, book.asks)]
    if book.type == "snapshot":
        yield BookSnapshot(
            kind=kind,
            symbol=symbol,
            captured_ts=reply.captured_ts,
            event_ts=instant(book.timestamp),
            last_id=book.change_id,
            bids=sides[0],
            asks=sides[1],
        )
        return
    if book.prev_change_id is None:
        raise Refused("schema", f"deribit {symbol}: a change that does not name the one before it")
    if any(action == "delete" and qty for action, _, qty in (*book.bids, *book.asks)):
        raise Refused("contradiction", f"deribit {symbol}: a deleted level with an amount")
    yield BookDiff(
        kind=kind,
        symbol=symbol,
        captured_ts=reply.captured_ts,
        event_ts=instant(book.timestamp),
        last_id=book.change_id,
        prev_id=book.prev_change_id,
        bids=sides[0],
        asks=sides[1],
    )


def _trades(reply: Reply, data: bytes) -> Iterator[Record | Reject]:
    return parse_trades(_answered(reply, b'{"trades":' + data + b',"has_more":false}'))


def _ticker(reply: Reply, data: bytes) -> Iterator[Record | Reject]:
    return parse_ticker(_answered(reply, data))


def _answered(reply: Reply, result: bytes) -> Reply:
    return Reply(reply.path, {}, b'{"result":' + result + b"}", reply.captured_ts)


_READ: dict[str, Callable[[Reply, bytes], Iterator[Said]]] = {"book": _book, "trades": _trades, "ticker": _ticker}


def _tells(channel: str) -> Told:
    subject, *rest = channel.split(".")
    if rest[0] in ("option", "future"):  # of a kind and currency
        return Told("trades", "option" if rest[0] == "option" else "future", rest[1])
    kind = read_name(rest[0]).kind
    dataset = {"book": "order_books", "trades": "trades", "ticker": _TICKERS[kind]}[subject]
    return Told(dataset, kind, rest[0])


def _call(method: str, params: object) -> str:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).decode()


def _subscribe(channels: Sequence[str]) -> list[str]:
    heartbeat = _call("public/set_heartbeat", {"interval": HEARTBEAT_S})
    return [heartbeat, _call("public/subscribe", {"channels": list(channels)})]


def _renew(symbol: str) -> list[str]:
    channels = {"channels": [f"book.{symbol}.{OFTEN}"]}
    return [_call("public/unsubscribe", channels), _call("public/subscribe", channels)]


def streams(coins: Callable[[Plan], list[str]]) -> tuple[Stream, Stream]:
    """What is listed; before any list, the perpetuals of these coins."""

    def of_futures(plan: Plan) -> list[str]:
        symbols = plan.symbols("perp", "future") or [f"{coin}-PERPETUAL" for coin in coins(plan)]
        return [f"{subject}.{symbol}.{OFTEN}" for symbol in symbols for subject in ("book", "trades", "ticker")]

    def of_options(plan: Plan) -> list[str]:
        tickers = [f"ticker.{symbol}.{SELDOM}" for symbol in plan.symbols("option")]
        return [*(f"trades.option.{base}.{OFTEN}" for base in plan.underlyings), *tickers]

    def stream(name: str, channels: Callable[[Plan], list[str]], has_books: bool) -> Stream:
        return Stream(
            name=name,
            url=URL,
            docs_url=DOCS,
            channels=channels,
            tells=_tells,
            subscribe=_subscribe,
            read=read_frame,
            silence_s=3 * HEARTBEAT_S,
            max_channels=500,
            connections_per_minute=30,  # 32 may be open at once from one address
            order="prev",
            named_by=_CHANNEL,
            renew=_renew if has_books else None,
        )

    return stream("futures", of_futures, has_books=True), stream("options", of_options, has_books=False)
