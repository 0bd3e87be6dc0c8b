"""What Bybit sends unasked; which category it is of, only the connection tells.

https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook
https://bybit-exchange.github.io/docs/v5/websocket/public/trade
https://bybit-exchange.github.io/docs/v5/websocket/public/ticker
https://bybit-exchange.github.io/docs/v5/websocket/public/all-liquidation
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

import msgspec

from ingestion.records import (
    FutureTicker,
    Kind,
    Liquidation,
    OpenInterest,
    OptionQuote,
    PerpTicker,
    Record,
    SpotTicker,
    Trade,
)
from ingestion.venues.base import Refused, Reply, decode, instant, rows
from ingestion.venues.binance import Amount, Price
from ingestion.venues.bybit_answers import seen_by
from ingestion.venues.bybit_names import read_name
from ingestion.venues.bybit_tickers import one_side
from ingestion.venues.streams import BookDiff, BookSnapshot, Control, Said, refuse_long_numbers
from ingestion.venues.wire import Blank, Finite, Quotes, above_zero, given, touch

Category = Literal["spot", "linear", "inverse", "option"]


class _Frame(msgspec.Struct):
    topic: str = ""
    type: Literal["snapshot", "delta", ""] = ""
    ts: int = 0
    cts: int | None = None  # the matching engine's clock, of books
    data: msgspec.Raw = msgspec.Raw(b"")
    op: str = ""
    success: bool | None = None


class _Book(msgspec.Struct):
    s: str
    b: list[tuple[Price, Amount]]
    a: list[tuple[Price, Amount]]
    u: int  # rises by one; 1 is a snapshot after a restart


class _Trade(msgspec.Struct):
    time: int = msgspec.field(name="T")
    symbol: str = msgspec.field(name="s")
    side: Literal["Buy", "Sell"] = msgspec.field(name="S")  # the taker's
    size: Price = msgspec.field(name="v")
    price: Price = msgspec.field(name="p")
    id: str = msgspec.field(name="i")


class _Forced(msgspec.Struct):
    time: int = msgspec.field(name="T")
    symbol: str = msgspec.field(name="s")
    side: Literal["Buy", "Sell"] = msgspec.field(name="S")  # of the position: Buy is a long that was liquidated
    size: Price = msgspec.field(name="v")
    price: Price = msgspec.field(name="p")  # of bankruptcy


class _Ticker(msgspec.Struct, rename="camel"):
    """Of spot and contracts; a delta has only what changed."""

    symbol: str
    last_price: Finite | Blank = ""
    bid1_price: Finite | Blank = ""
    bid1_size: Finite | Blank = ""
    ask1_price: Finite | Blank = ""
    ask1_size: Finite | Blank = ""
    volume24h: Finite | Blank = ""
    turnover24h: Finite | Blank = ""
    mark_price: Finite | Blank = ""
    index_price: Finite | Blank = ""
    open_interest: Finite | Blank = ""  # both sides
    open_interest_value: Finite | Blank = ""
    single_open_interest: Finite | Blank = ""
    single_open_interest_value: Finite | Blank = ""
    funding_rate: Finite | Blank = ""
    next_funding_time: int | Blank = ""
    funding_interval_hour: int | Blank = ""


class _OptionTicker(msgspec.Struct, rename="camel"):
    """Always whole, and with other names than the REST reply."""

    symbol: str
    bid_price: Finite | Blank
    bid_size: Finite | Blank
    bid_iv: Finite | Blank
    ask_price: Finite | Blank
    ask_size: Finite | Blank
    ask_iv: Finite | Blank
    last_price: Finite | Blank
    mark_price: Finite
    index_price: Finite
    mark_price_iv: Finite | Blank
    underlying_price: Finite
    open_interest: Finite
    volume24h: Finite
    delta: Finite
    gamma: Finite
    vega: Finite
    theta: Finite


_FRAME = msgspec.json.Decoder(_Frame)
_BOOK, _TICKER = msgspec.json.Decoder(_Book, strict=False), msgspec.json.Decoder(_Ticker, strict=False)
_TRADE, _FORCED = msgspec.json.Decoder(_Trade, strict=False), msgspec.json.Decoder(_Forced, strict=False)
_OPTION = msgspec.json.Decoder(_OptionTicker, strict=False)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_SIDES: dict[str, Literal["buy", "sell"]] = {"Buy": "buy", "Sell": "sell"}
_CLOSING: dict[str, Literal["buy", "sell"]] = {"Buy": "sell", "Sell": "buy"}


def read_frame(category: Category, reply: Reply) -> Iterator[Said]:
    """Read one frame of a category's connection."""
    frame = decode(_FRAME, reply.body, f"bybit {reply.path}")
    if not frame.topic:
        return iter([_control(frame, reply)])
    subject = frame.topic.partition(".")[0]
    refuse_long_numbers(reply.body, frame.topic[:80])
    if subject not in _READ:
        raise Refused("unknown_endpoint", f"bybit {frame.topic[:80]}: no parser knows this topic")
    return _READ[subject](category, reply, frame)


def _control(frame: _Frame, reply: Reply) -> Control:
    if frame.success is False:
        return Control(event="error", text=reply.body.decode(errors="replace"))
    if frame.op in ("ping", "pong"):
        return Control(event="alive")
    if not frame.op and frame.success is None:
        raise Refused("schema", f"bybit {reply.path}: neither a topic nor an answer")
    return Control(event="subscribed")


def kind_of(category: Category, symbol: str) -> Kind:
    return "spot" if category == "spot" else read_name(symbol).kind


def _book(category: Category, reply: Reply, frame: _Frame) -> Iterator[Said]:
    book = decode(_BOOK, bytes(frame.data), frame.topic)
    kind, event_ts = kind_of(category, book.s), instant(frame.ts if frame.cts is None else frame.cts)
    if frame.type == "snapshot":
        yield BookSnapshot(
            kind=kind,
            symbol=book.s,
            captured_ts=reply.captured_ts,
            event_ts=event_ts,
            last_id=book.u,
            bids=book.b,
            asks=book.a,
        )
    elif frame.type == "delta":
        yield BookDiff(
            kind=kind,
            symbol=book.s,
            captured_ts=reply.captured_ts,
            event_ts=event_ts,
            last_id=book.u,
            bids=book.b,
            asks=book.a,
        )
    else:
        raise Refused("schema", f"bybit {frame.topic}: a book that is neither snapshot nor delta")


def _trades(category: Category, reply: Reply, frame: _Frame) -> Iterator[Said]:
    def read(row: _Trade) -> list[Record]:
        seen = seen_by(reply, row.symbol, kind_of(category, row.symbol), instant(row.time))
        return [Trade(**seen, trade_id=row.id, px=row.price, qty=row.size, side=_SIDES[row.side])]

    listed = decode(_LIST, bytes(frame.data), frame.topic)
    return rows(_TRADE, listed, read)


def _forced(category: Category, reply: Reply, frame: _Frame) -> Iterator[Said]:
    def read(row: _Forced) -> list[Record]:
        seen = seen_by(reply, row.symbol, kind_of(category, row.symbol), instant(row.time))
        return [Liquidation(**seen, side=_CLOSING[row.side], px=row.price, px_source="bankruptcy", qty=row.size)]

    listed = decode(_LIST, bytes(frame.data), frame.topic)
    return rows(_FORCED, listed, read)


def _ticker(category: Category, reply: Reply, frame: _Frame) -> Iterator[Said]:
    if category == "option":
        yield from _option(reply, frame)
        return
    row = decode(_TICKER, bytes(frame.data), frame.topic)
    kind = kind_of(category, row.symbol)
    seen = seen_by(reply, row.symbol, kind, instant(frame.ts))
    is_inverse = category == "inverse"
    volume, turnover = (row.turnover24h, row.volume24h) if is_inverse else (row.volume24h, row.turnover24h)
    quotes: Quotes = {
        "bid_px": above_zero(row.bid1_price),
        "bid_qty": above_zero(row.bid1_size),
        "ask_px": above_zero(row.ask1_price),
        "ask_qty": above_zero(row.ask1_size),
        "last_px": above_zero(row.last_price),
        "volume_24h_base": given(volume),
        "volume_24h_quote": given(turnover),
    }
    if kind == "spot":
        yield SpotTicker(**seen, **quotes)
        return
    mark_px, index_px = above_zero(row.mark_price), above_zero(row.index_price)
    if kind == "future":
        yield FutureTicker(**seen, **quotes, mark_px=mark_px, index_px=index_px)
    else:
        next_ms, hours = given(row.next_funding_time), given(row.funding_interval_hour)
        yield PerpTicker(
            **seen,
            **quotes,
            mark_px=mark_px,
            index_px=index_px,
            funding_rate=given(row.funding_rate),
            funding_interval_s=None if hours is None else int(hours) * 3_600,
            next_funding_ts=instant(int(next_ms)) if next_ms else None,
        )
    both, value = given(row.open_interest), given(row.open_interest_value)
    if both is not None:
        qty = one_side(both, row.single_open_interest)
        base = qty if not is_inverse else None if value is None else one_side(value, row.single_open_interest_value)
        yield OpenInterest(**seen, open_interest_qty=qty, open_interest_base=base)


def _option(reply: Reply, frame: _Frame) -> Iterator[Record]:
    row = decode(_OPTION, bytes(frame.data), frame.topic)
    seen = seen_by(reply, row.symbol, kind_of("option", row.symbol), instant(frame.ts))
    bid_px, bid_qty = touch(row.bid_price, row.bid_size)
    ask_px, ask_qty = touch(row.ask_price, row.ask_size)
    yield OptionQuote(
        **seen,
        bid_px=bid_px,
        bid_qty=bid_qty,
        ask_px=ask_px,
        ask_qty=ask_qty,
        mark_px=above_zero(row.mark_price),
        last_px=above_zero(row.last_price),
        forward_px=row.underlying_price,
        index_px=row.index_price,
        bid_iv_ann=above_zero(row.bid_iv) if bid_px else None,
        mark_iv_ann=above_zero(row.mark_price_iv),
        ask_iv_ann=above_zero(row.ask_iv) if ask_px else None,
        delta=row.delta,
        gamma=row.gamma,
        vega=row.vega,
        theta=row.theta,
        volume_24h_qty=row.volume24h,
    )
    yield OpenInterest(**seen, open_interest_qty=row.open_interest, open_interest_base=row.open_interest)


_READ: Mapping[str, Callable[[Category, Reply, _Frame], Iterator[Said]]] = {
    "orderbook": _book,
    "publicTrade": _trades,
    "allLiquidation": _forced,
    "tickers": _ticker,
}
