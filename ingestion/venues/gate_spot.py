"""Gate's spot replies. Amounts count base coin; instants are milliseconds, of candles seconds."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import UNSET

from ingestion.records import Candle, OrderBook, Record, SpotTicker, Trade
from ingestion.venues.base import Refused, Reject, Reply, decode, instant, refuse_beyond_float64, rows
from ingestion.venues.bulk import Unplain
from ingestion.venues.columnwise import distinct, exact, from_epoch, of_each, or_else
from ingestion.venues.gate_answers import asked, at_ms, entries, refuse_failure, refuse_merged, row_list, seen_by
from ingestion.venues.gate_names import read_pair
from ingestion.venues.grids import Fields, Grid
from ingestion.venues.ladders import Depths, Ladder, Who
from ingestion.venues.sheets import Columns, Sheet, Values
from ingestion.venues.wire import Blank, Finite, Name, agree, instrument

INTERVALS_S = {"10s": 10, "1m": 60, "5m": 300, "15m": 900, "30m": 1_800, "1h": 3_600, "4h": 14_400, "8h": 28_800}


Digits = Annotated[int, msgspec.Meta(ge=0, le=30)]  # behind the point


class _Pair(msgspec.Struct):
    id: str
    base: str
    quote: str
    amount_precision: Digits
    precision: Digits  # of prices


_PAIR = msgspec.json.Decoder(_Pair, strict=False)


def parse_pairs(reply: Reply) -> Iterator[Record | Reject]:
    """`spot/currency_pairs`, with those that cannot be traded now."""

    def read(row: _Pair) -> list[Record]:
        return [
            instrument(
                Name("spot", row.base, row.quote, row.quote),
                venue="gate",
                symbol=row.id,
                captured_ts=reply.captured_ts,
                contract_size=1.0,
                amount_unit="base",
                terms_source="listed",
                tick_size_px=float(f"1e-{row.precision}"),
                lot_size_qty=float(f"1e-{row.amount_precision}"),
            )
        ]

    return rows(_PAIR, entries(reply), read)


class _Ticker(msgspec.Struct):
    currency_pair: str
    last: Finite | Blank
    highest_bid: Finite | Blank
    lowest_ask: Finite | Blank
    base_volume: Finite
    quote_volume: Finite
    highest_size: Finite | Blank | None = None  # where one pair is asked for, as lowest_size
    lowest_size: Finite | Blank | None = None


def _ticker_columns(_: Reply, told: Sequence[_Ticker]) -> list[Columns]:
    fields: dict[str, Values] = {
        "venue": "gate",
        "symbol": [row.currency_pair for row in told],
        "kind": "spot",
        "bid_px": [row.highest_bid or None for row in told],
        "bid_qty": [row.highest_size if row.highest_bid and row.highest_size != "" else None for row in told],
        "ask_px": [row.lowest_ask or None for row in told],
        "ask_qty": [row.lowest_size if row.lowest_ask and row.lowest_size != "" else None for row in told],
        "last_px": [row.last or None for row in told],
        "volume_24h_base": [row.base_volume for row in told],
        "volume_24h_quote": [row.quote_volume for row in told],
    }
    return [Columns(SpotTicker, len(told), fields)]


# `spot/tickers`; they carry no clock.
parse_tickers = Sheet(entries, _Ticker, _ticker_columns)


class _Book(msgspec.Struct):
    id: int  # rises by one a change; asked for by `with_id`
    bids: list[tuple[Finite, Finite]]
    asks: list[tuple[Finite, Finite]]
    current: int | None = None  # when the reply was made; not yet in 2021


class _Head(msgspec.Struct):
    """`order_book` with its sides unread, and what marks it as a failure."""

    id: int
    bids: msgspec.Raw
    asks: msgspec.Raw
    current: int | None = None
    label: Any = UNSET
    message: Any = UNSET


_BOOK = msgspec.json.Decoder(_Book, strict=False)
_HEAD = msgspec.json.Decoder(_Head, strict=False)


def parse_order_book(reply: Reply) -> Iterator[Record | Reject]:
    """`spot/order_book`; whose book it is stands only in the question."""
    symbol = asked(reply, "currency_pair")
    read_pair(symbol)
    refuse_merged(reply)
    refuse_failure(reply)
    refuse_beyond_float64(reply.body, f"gate {symbol} book")
    book = decode(_BOOK, reply.body, f"gate {reply.path}")
    seen = seen_by(reply, symbol, "spot", None if book.current is None else at_ms(book.current))
    yield OrderBook(
        **seen,
        sequence_id=book.id,
        bid_px=tuple(px for px, _ in book.bids),
        bid_qty=tuple(qty for _, qty in book.bids),
        ask_px=tuple(px for px, _ in book.asks),
        ask_qty=tuple(qty for _, qty in book.asks),
    )


def _depths(question: Reply, heads: Sequence[_Head]) -> Depths:
    symbol = asked(question, "currency_pair")
    read_pair(symbol)
    refuse_merged(question)
    if any(head.label is not UNSET or head.message is not UNSET for head in heads):
        raise Unplain(question.path)
    return Depths(
        who=Who("gate", "spot", symbol),
        sequence_id=[head.id for head in heads],
        event_us=[None if head.current is None else head.current * 1_000 for head in heads],
        bids=[head.bids for head in heads],
        asks=[head.asks for head in heads],
    )


order_books = Ladder(parse_order_book, _HEAD, _depths)


class _Trade(msgspec.Struct):
    id: str | int
    create_time_ms: Finite  # "1548000000123.456"
    side: Literal["buy", "sell"]
    amount: msgspec.Raw
    price: msgspec.Raw
    currency_pair: str | None = None  # in every reply seen, but not in the documented one


_NUMBER = msgspec.json.Decoder(Finite, strict=False)


def _trade_columns(reply: Reply, fills: Fields[_Trade]) -> list[Columns]:
    symbols = or_else(fills.currency_pair, [reply.query.get("currency_pair", "")] * len(fills))
    for symbol in distinct(symbols):
        read_pair(symbol)
        agree(symbol, "pair", reply.query.get("currency_pair", symbol), symbol)
    of = f"gate {symbols[0]} trade {fills.id[0]}"
    fields: dict[str, Values] = {
        "venue": "gate",
        "symbol": symbols,
        "kind": "spot",
        "event_ts": from_epoch(of_each(fills.create_time_ms, lambda at_ms: np.rint(at_ms * 1_000)), 1e-6),
        "trade_id": fills.id,
        "px": exact(fills.price, _NUMBER, of),
        "qty": exact(fills.amount, _NUMBER, of),
        "side": fills.side,
    }
    return [Columns(Trade, len(fills), fields)]


# `spot/trades`; `side` is the taker's.
parse_trades = Grid(row_list, _Trade, _trade_columns)


class _Bar(msgspec.Struct, array_like=True):
    start_s: int
    volume_quote: Finite
    close: Finite
    high: Finite
    low: Finite
    open: Finite
    volume_base: Finite | None = None  # in replies since 2022


_BAR = msgspec.json.Decoder(_Bar, strict=False)


def parse_candles(reply: Reply) -> Iterator[Record | Reject]:
    """`spot/candlesticks`: close, high, low and open, in this order, between the two volumes.

    A bar that is not over is left out.
    """
    symbol = asked(reply, "currency_pair")
    read_pair(symbol)
    length_s = interval_s(reply)

    def read(bar: _Bar) -> list[Record]:
        start_ts = instant(bar.start_s, 1.0)
        if start_ts + timedelta(seconds=length_s) > reply.captured_ts:
            return []
        return [
            Candle(
                **seen_by(reply, symbol, "spot", start_ts),
                interval_s=length_s,
                open_px=bar.open,
                high_px=bar.high,
                low_px=bar.low,
                close_px=bar.close,
                volume_base=bar.volume_base,
            )
        ]

    return rows(_BAR, entries(reply), read)


def interval_s(reply: Reply) -> int:
    """The bars' length by the question; days and weeks can be of another time zone and are `Refused`."""
    name = reply.query.get("interval", "")
    if name not in INTERVALS_S:
        raise Refused("interval", f"gate {reply.path}: interval '{name}', expected one of {', '.join(INTERVALS_S)}")
    return INTERVALS_S[name]
