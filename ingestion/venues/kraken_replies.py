"""Kraken's replies: `error` and `result`, keyed by the pair's name; decimals as strings, sizes in base coin."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Annotated, Literal, TypeVar

import msgspec

from ingestion.records import Candle, OrderBook, Record, SpotTicker, Trade
from ingestion.venues.base import Refused, Reject, Reply, Request, decode, instant, refuse_beyond_float64, rows
from ingestion.venues.kraken_names import asset
from ingestion.venues.wire import Finite, Name, Seen, above_zero, instrument, touch

T = TypeVar("T")

INTERVALS_MIN = (1, 5, 15, 30, 60, 240, 1_440, 10_080, 21_600)


class _Answer(msgspec.Struct):
    error: list[str]
    result: msgspec.Raw = msgspec.Raw(b"null")


_ANSWER = msgspec.json.Decoder(_Answer)
_RESULT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_NANOSECONDS = msgspec.json.Decoder(int, strict=False)


def _result(reply: Reply) -> dict[str, msgspec.Raw]:
    """What stands under `result`; an error, which Kraken reports with status 200, is `Refused`."""
    found = decode(_ANSWER, reply.body, f"kraken {reply.path}")
    if found.error:
        raise Refused("venue_error", f"kraken {reply.path}: {', '.join(found.error)[:120]}")
    return decode(_RESULT, bytes(found.result), f"kraken {reply.path}: result")


def _each(
    reply: Reply, decoder: msgspec.json.Decoder[T], read: Callable[[str, T], list[Record]]
) -> Iterator[Record | Reject]:
    """One row a pair."""
    for symbol, raw in _result(reply).items():
        yield from rows(decoder, [raw], partial(read, symbol))


def _listed(reply: Reply) -> tuple[str, list[msgspec.Raw]]:
    """The pair and its rows, where `last` stands beside them."""
    found = {name: raw for name, raw in _result(reply).items() if name != "last"}
    if len(found) != 1:
        raise Refused("schema", f"kraken {reply.path}: {len(found)} pairs in one reply, expected 1")
    [(symbol, raw)] = found.items()
    return symbol, decode(_LIST, bytes(raw), f"kraken {reply.path}: {symbol}")


def _seen(reply: Reply, symbol: str, event_ts: datetime | None = None) -> Seen:
    return {
        "venue": "kraken",
        "symbol": symbol,
        "kind": "spot",
        "captured_ts": reply.captured_ts,
        "event_ts": event_ts,
    }


Decimals = Annotated[int, msgspec.Meta(ge=0, le=30)]


class _Pair(msgspec.Struct):
    base: str
    quote: str
    pair_decimals: Decimals
    lot_decimals: Decimals
    lot_multiplier: Annotated[int, msgspec.Meta(ge=1, le=10**9)]
    tick_size: Finite | None = None  # in lists since 2022; before, a price had `pair_decimals`


_PAIR = msgspec.json.Decoder(_Pair, strict=False)


def parse_pairs(reply: Reply) -> Iterator[Record | Reject]:
    """`AssetPairs`. https://docs.kraken.com/api/docs/rest-api/get-tradable-asset-pairs"""

    def read(symbol: str, row: _Pair) -> list[Record]:
        tick_size = _step(row.pair_decimals) if row.tick_size is None else row.tick_size
        base, quote = asset(row.base), asset(row.quote)
        return [
            instrument(
                Name("spot", base, quote, quote),
                venue="kraken",
                symbol=symbol,
                captured_ts=reply.captured_ts,
                contract_size=1.0,
                amount_unit="base",
                terms_source="listed",
                tick_size_px=tick_size,
                lot_size_qty=_step(row.lot_decimals) * row.lot_multiplier,
            )
        ]

    return _each(reply, _PAIR, read)


def _step(decimals: int) -> float:
    return float(Decimal(1).scaleb(-decimals))


class _Ticker(msgspec.Struct):
    a: tuple[Finite, Finite, Finite]  # price, whole lots, size
    b: tuple[Finite, Finite, Finite]
    c: tuple[Finite, Finite]  # last price, size
    v: tuple[Finite, Finite]  # today, last 24 hours


_TICKER = msgspec.json.Decoder(_Ticker, strict=False)


def parse_tickers(reply: Reply) -> Iterator[Record | Reject]:
    """`Ticker`, which tells no time. https://docs.kraken.com/api/docs/rest-api/get-ticker-information"""

    def read(symbol: str, row: _Ticker) -> list[Record]:
        bid_px, bid_qty = touch(row.b[0], row.b[2])
        ask_px, ask_qty = touch(row.a[0], row.a[2])
        return [
            SpotTicker(
                **_seen(reply, symbol),
                bid_px=bid_px,
                bid_qty=bid_qty,
                ask_px=ask_px,
                ask_qty=ask_qty,
                last_px=above_zero(row.c[0]),
                volume_24h_base=row.v[1],
            )
        ]

    return _each(reply, _TICKER, read)


_Level = tuple[Finite, Finite, int]  # price, size, when the level last changed


class _Book(msgspec.Struct):
    bids: list[_Level]
    asks: list[_Level]


_BOOK = msgspec.json.Decoder(_Book, strict=False)


def parse_order_book(reply: Reply) -> Iterator[Record | Reject]:
    """`Depth`, which tells when each level changed but not when it was taken.

    https://docs.kraken.com/api/docs/rest-api/get-order-book
    """
    refuse_beyond_float64(reply.body, "kraken book")

    def read(symbol: str, row: _Book) -> list[Record]:
        return [
            OrderBook(
                **_seen(reply, symbol),
                bid_px=tuple(level[0] for level in row.bids),
                bid_qty=tuple(level[1] for level in row.bids),
                ask_px=tuple(level[0] for level in row.asks),
                ask_qty=tuple(level[1] for level in row.asks),
            )
        ]

    return _each(reply, _BOOK, read)


class _Trade(msgspec.Struct, array_like=True):
    px: Finite
    qty: Finite
    time_s: Decimal
    side: Literal["b", "s"]
    order_type: Literal["m", "l"]
    misc: str
    trade_id: int | None = None  # in replies since 2022


_TRADE = msgspec.json.Decoder(_Trade, strict=False)
_SIDES: dict[str, Literal["buy", "sell"]] = {"b": "buy", "s": "sell"}


def parse_trades(reply: Reply) -> Iterator[Record | Reject]:
    """`Trades`; side and type are those of the order that took.

    Before trades had ids, the time was what the venue went on from; where two share it, they cannot be told apart.
    https://docs.kraken.com/api/docs/rest-api/get-recent-trades
    """
    symbol, raws = _listed(reply)
    known: set[str] = set()

    def read(row: _Trade) -> list[Record]:
        event_ts = _instant(row.time_s)
        trade_id = str(row.time_s if row.trade_id is None else row.trade_id)
        if row.trade_id is None and trade_id in known:
            raise Refused("no_id", f"kraken {symbol}: two trades at {trade_id} s, neither with an id")
        known.add(trade_id)
        seen = _seen(reply, symbol, event_ts)
        return [Trade(**seen, trade_id=trade_id, px=row.px, qty=row.qty, side=_SIDES[row.side])]

    return rows(_TRADE, raws, read)


def _instant(seconds: Decimal) -> datetime:
    """Cut to the microsecond. A decimal may be written with an exponent of any length: no integer is made of those."""
    if not seconds.is_finite() or seconds.adjusted() > 12:
        raise Refused("timestamp", f"kraken: {seconds} s is no instant")
    return instant(int(seconds * 1_000_000), 1e-6)


def next_trades(request: Request, reply: Reply) -> Request | None:
    """The page after `last`, which is the last trade's time in nanoseconds."""
    _, raws = _listed(reply)
    if not raws:
        return None
    if request.until_ts is None:
        raise Refused("paging", f"kraken {reply.path}: more pages may follow, but no until_ts to end at")
    last = decode(_NANOSECONDS, bytes(_result(reply).get("last", b"null")), f"kraken {reply.path}: last")
    if instant(last, 1e-9) >= request.until_ts:
        return None
    query = {**dict(request.query), "since": str(last)}
    return Request(request.path, tuple(query.items()), until_ts=request.until_ts)


_Bar = tuple[int, Finite, Finite, Finite, Finite, Finite, Finite, int]  # …, weighted average, volume, trades
_BAR = msgspec.json.Decoder(_Bar, strict=False)


def parse_candles(reply: Reply) -> Iterator[Record | Reject]:
    """`OHLC`, by the start in seconds. The last bar of every reply is not over yet, and is left out.

    https://docs.kraken.com/api/docs/rest-api/get-ohlc-data
    """
    asked = reply.query.get("interval", "1")  # a minute, where the question names none
    if asked not in map(str, INTERVALS_MIN):
        raise Refused("interval", f"kraken {reply.path}: interval '{asked}', expected one of {INTERVALS_MIN}")
    interval = timedelta(minutes=int(asked))
    symbol, raws = _listed(reply)

    def read(bar: _Bar) -> list[Record]:
        start_ts = instant(bar[0], 1)
        if start_ts + interval > reply.captured_ts:
            return []
        return [
            Candle(
                **_seen(reply, symbol, start_ts),
                interval_s=int(interval.total_seconds()),
                open_px=bar[1],
                high_px=bar[2],
                low_px=bar[3],
                close_px=bar[4],
                volume_base=bar[6],
            )
        ]

    return rows(_BAR, raws, read)
