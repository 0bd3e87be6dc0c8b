"""What Binance's three venues send unasked; every frame is `{"stream": …, "data": …}`."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from ingestion.records import FutureTicker, Kind, Liquidation, PerpTicker, Trade
from ingestion.venues.base import EARLIEST, Refused, Reply, decode, instant
from ingestion.venues.binance import (
    TICKERS,
    Amount,
    Id,
    Identity,
    Market,
    Price,
    Signed,
    identity,
    present,
    reader,
    source,
)
from ingestion.venues.streams import BookDiff, Control, Said, refuse_long_numbers

SIDES: dict[str, Literal["buy", "sell"]] = {"BUY": "buy", "SELL": "sell"}


class Frame(Struct):
    """A frame of a combined stream, or the answer to a subscription."""

    stream: str = ""
    data: Raw = Raw(b"")
    id: int | None = None
    error: Raw = Raw(b"")
    code: int | None = None


class SpotDiff(Struct):
    """`depthUpdate` of spot: the next one's `U` is this one's `u` + 1."""

    sent_ms: int = field(name="E")
    symbol: str = field(name="s")
    first_id: Id = field(name="U")
    last_id: Id = field(name="u")
    bids: list[tuple[Price, Amount]] = field(name="b")
    asks: list[tuple[Price, Amount]] = field(name="a")


class Diff(Struct):
    """`depthUpdate` of futures: `pu` is the `u` of the one before."""

    matched_ms: int = field(name="T")
    symbol: str = field(name="s")
    first_id: Id = field(name="U")
    last_id: Id = field(name="u")
    prev_id: Id = field(name="pu")
    bids: list[tuple[Price, Amount]] = field(name="b")
    asks: list[tuple[Price, Amount]] = field(name="a")


class Best(Struct):
    """`bookTicker`; spot carries no clock."""

    symbol: str = field(name="s")
    bid_px: Amount = field(name="b")
    bid_qty: Amount = field(name="B")
    ask_px: Amount = field(name="a")
    ask_qty: Amount = field(name="A")
    matched_ms: int | UnsetType = field(name="T", default=UNSET)


class Fill(Struct):
    """`trade`; futures say what kind it is, and only those of the market are trades."""

    symbol: str = field(name="s")
    id: Id = field(name="t")
    price: Price = field(name="p")
    qty: Price = field(name="q")
    matched_ms: int = field(name="T")
    is_buyer_maker: bool = field(name="m")
    origin: Literal["MARKET"] | UnsetType = field(name="X", default=UNSET)


class AggregateFill(Struct):
    """`aggTrade`: fills of one taker order at one price."""

    symbol: str = field(name="s")
    id: Id = field(name="a")
    price: Price = field(name="p")
    qty: Price = field(name="q")
    matched_ms: int = field(name="T")
    is_buyer_maker: bool = field(name="m")


class Mark(Struct):
    """`markPriceUpdate`; a dated future has "" for a rate and 0 for its next funding."""

    sent_ms: int = field(name="E")
    symbol: str = field(name="s")
    mark_px: Price = field(name="p")
    index_px: Price = field(name="i")
    funding_rate: Signed | Literal[""] = field(name="r")
    next_funding_ms: int = field(name="T")


class ForcedOrder(Struct):
    """`forceOrder`'s `o`: `ap` is what it was filled at, `z` how much."""

    symbol: str = field(name="s")
    side: Literal["BUY", "SELL"] = field(name="S")
    fill_px: Price = field(name="ap")
    filled_qty: Price = field(name="z")
    traded_ms: int = field(name="T")


class Forced(Struct):
    """`forceOrder`: the largest (USD-M) or the latest (COIN-M) of a second, of one symbol."""

    order: ForcedOrder = field(name="o")


_FRAME = msgspec.json.Decoder(Frame)
_SPOT_DIFF, _DIFF, _BEST, _MARK, _FORCED = (
    reader(SpotDiff),
    reader(Diff),
    reader(Best),
    reader(Mark),
    reader(Forced),
)
_FILL, _AGGREGATE = reader(Fill), reader(AggregateFill)


def read_frame(market: Market, reply: Reply) -> Iterator[Said]:
    """Read one frame, by what its `stream` names."""
    frame = decode(_FRAME, reply.body, source(market, reply))
    if frame.stream:
        refuse_long_numbers(reply.body, frame.stream)
        return _READ[_subject(frame.stream)](market, reply, frame.data)
    if frame.error or frame.code is not None:
        return iter([Control(event="error", text=reply.body.decode(errors="replace"))])
    if frame.id is None:
        raise Refused("schema", f"{source(market, reply)}: neither a stream's frame nor an answer")
    return iter([Control(event="subscribed")])


@lru_cache(maxsize=4096)
def _subject(stream: str) -> str:
    subject = stream.split("@")[1] if "@" in stream else ""
    if subject not in _READ:
        raise Refused("unknown_endpoint", f"stream {stream!r}: no parser knows it")
    return subject


@lru_cache(maxsize=4096)
def _kind(market: Market, symbol: str) -> Kind:
    return identity(market, Reply("", {}, b"", EARLIEST), symbol)["kind"]


def _who(market: Market, reply: Reply, symbol: str, event_ms: int | UnsetType = UNSET) -> Identity:
    return Identity(
        venue=market.venue,
        symbol=symbol,
        kind=_kind(market, symbol),
        captured_ts=reply.captured_ts,
        event_ts=None if event_ms is UNSET else instant(event_ms),
    )


def _depth(market: Market, reply: Reply, data: Raw) -> Iterator[Said]:
    if market.venue == "binance_spot":
        spot = decode(_SPOT_DIFF, bytes(data), "depth")
        yield BookDiff(
            kind="spot",
            symbol=spot.symbol,
            captured_ts=reply.captured_ts,
            event_ts=instant(spot.sent_ms),
            first_id=spot.first_id,
            last_id=spot.last_id,
            bids=spot.bids,
            asks=spot.asks,
        )
        return
    diff = decode(_DIFF, bytes(data), "depth")
    yield BookDiff(
        kind=_kind(market, diff.symbol),
        symbol=diff.symbol,
        captured_ts=reply.captured_ts,
        event_ts=instant(diff.matched_ms),
        first_id=diff.first_id,
        last_id=diff.last_id,
        prev_id=diff.prev_id,
        bids=diff.bids,
        asks=diff.asks,
    )


def _best(market: Market, reply: Reply, data: Raw) -> Iterator[Said]:
    best = decode(_BEST, bytes(data), "bookTicker")
    who = _who(market, reply, best.symbol, best.matched_ms)
    yield TICKERS[who["kind"]](
        **who,
        bid_px=present(best.bid_px),
        bid_qty=best.bid_qty if best.bid_px else None,
        ask_px=present(best.ask_px),
        ask_qty=best.ask_qty if best.ask_px else None,
    )


def _trade(market: Market, reply: Reply, data: Raw) -> Iterator[Said]:
    return _traded(market, reply, decode(_FILL, bytes(data), "trade"), is_aggregate=False)


def _aggregate(market: Market, reply: Reply, data: Raw) -> Iterator[Said]:
    return _traded(market, reply, decode(_AGGREGATE, bytes(data), "aggTrade"), is_aggregate=True)


def _traded(market: Market, reply: Reply, fill: Fill | AggregateFill, is_aggregate: bool) -> Iterator[Said]:
    yield Trade(
        **_who(market, reply, fill.symbol, fill.matched_ms),
        trade_id=str(fill.id),
        px=fill.price,
        qty=fill.qty,
        side="sell" if fill.is_buyer_maker else "buy",  # the buyer rested, so the seller took
        is_aggregate=is_aggregate,
    )


def _mark(market: Market, reply: Reply, data: Raw) -> Iterator[Said]:
    mark = decode(_MARK, bytes(data), "markPrice")
    who = _who(market, reply, mark.symbol, mark.sent_ms)
    if who["kind"] == "future":
        yield FutureTicker(**who, mark_px=mark.mark_px, index_px=mark.index_px)
        return
    if not isinstance(mark.funding_rate, float):
        raise Refused("funding", f"{mark.symbol}: a perpetual without funding rate")
    yield PerpTicker(
        **who,
        mark_px=mark.mark_px,
        index_px=mark.index_px,
        funding_rate=mark.funding_rate,
        next_funding_ts=instant(mark.next_funding_ms),
    )


def _forced(market: Market, reply: Reply, data: Raw) -> Iterator[Said]:
    order = decode(_FORCED, bytes(data), "forceOrder").order
    yield Liquidation(
        **_who(market, reply, order.symbol, order.traded_ms),
        side=SIDES[order.side],
        px=order.fill_px,
        px_source="fill",
        qty=order.filled_qty,
        is_sampled=True,
    )


_READ: dict[str, Callable[[Market, Reply, Raw], Iterator[Said]]] = {
    "depth": _depth,
    "bookTicker": _best,
    "trade": _trade,
    "aggTrade": _aggregate,
    "markPrice": _mark,
    "forceOrder": _forced,
}
