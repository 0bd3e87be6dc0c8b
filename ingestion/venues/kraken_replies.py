"""Kraken's replies about what is now: `error` and `result`, keyed by the pair's name.

Decimals are strings, sizes in base coin.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, TypeVar

import msgspec

from ingestion.records import OrderBook, Record, SpotTicker
from ingestion.venues.base import Refused, Reject, Reply, decode, refuse_beyond_float64, rows
from ingestion.venues.bulk import Unplain
from ingestion.venues.kraken_names import asset
from ingestion.venues.ladders import Depths, Ladder, Who, each_named
from ingestion.venues.wire import Finite, Name, Seen, above_zero, instrument, touch

T = TypeVar("T")


class _Answer(msgspec.Struct):
    error: list[str]
    result: msgspec.Raw = msgspec.Raw(b"null")


_ANSWER = msgspec.json.Decoder(_Answer)
_RESULT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def result(reply: Reply) -> dict[str, msgspec.Raw]:
    """What stands under `result`; an error, which Kraken reports with status 200, is `Refused`."""
    found = decode(_ANSWER, reply.body, f"kraken {reply.path}")
    if found.error:
        raise Refused("venue_error", f"kraken {reply.path}: {', '.join(found.error)[:120]}")
    return decode(_RESULT, bytes(found.result), f"kraken {reply.path}: result")


def _each(
    reply: Reply, decoder: msgspec.json.Decoder[T], read: Callable[[str, T], list[Record]]
) -> Iterator[Record | Reject]:
    """One row a pair."""
    for symbol, raw in result(reply).items():
        yield from rows(decoder, [raw], partial(read, symbol))


def row_list(reply: Reply) -> tuple[str, msgspec.Raw]:
    """The pair and the list of its rows, where `last` stands beside them."""
    found = {name: raw for name, raw in result(reply).items() if name != "last"}
    if len(found) != 1:
        raise Refused("schema", f"kraken {reply.path}: {len(found)} pairs in one reply, expected 1")
    [(symbol, raw)] = found.items()
    return symbol, raw


def listed(reply: Reply) -> tuple[str, list[msgspec.Raw]]:
    """The pair and its rows; `Refused` as `row_list`."""
    symbol, raw = row_list(reply)
    return symbol, decode(_LIST, bytes(raw), f"kraken {reply.path}: {symbol}")


def seen_by(reply: Reply, symbol: str, event_ts: datetime | None = None) -> Seen:
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
                **seen_by(reply, symbol),
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


class _Head(msgspec.Struct):
    """A book with its sides unread."""

    bids: msgspec.Raw
    asks: msgspec.Raw


class _Heads(msgspec.Struct):
    error: list[str]
    result: dict[str, _Head]


_BOOK, _HEADS = msgspec.json.Decoder(_Book, strict=False), msgspec.json.Decoder(_Heads)


def parse_order_book(reply: Reply) -> Iterator[Record | Reject]:
    """`Depth`, which tells when each level changed but not when it was taken.

    https://docs.kraken.com/api/docs/rest-api/get-order-book
    """
    refuse_beyond_float64(reply.body, "kraken book")

    def read(symbol: str, row: _Book) -> list[Record]:
        return [
            OrderBook(
                **seen_by(reply, symbol),
                bid_px=tuple(level[0] for level in row.bids),
                bid_qty=tuple(level[1] for level in row.bids),
                ask_px=tuple(level[0] for level in row.asks),
                ask_qty=tuple(level[1] for level in row.asks),
            )
        ]

    return _each(reply, _BOOK, read)


def _depths(_: Reply, told: Sequence[_Heads]) -> Depths:
    if any(each.error or len(each.result) != 1 for each in told):
        raise Unplain("errors, or not one pair")
    heads = [head for each in told for head in each.result.values()]
    return Depths(
        who=each_named([symbol for each in told for symbol in each.result], partial(Who, "kraken", "spot")),
        sequence_id=None,
        event_us=None,
        bids=[head.bids for head in heads],
        asks=[head.asks for head in heads],
    )


order_books = Ladder(parse_order_book, _HEADS, _depths, level=b'["","",]')
