"""Gate's books, trades, bars, funding and liquidations of perpetuals and dated futures.

Sizes count contracts; instants are seconds.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET

from ingestion.records import Candle, FundingRate, Liquidation, OrderBook, Record, Trade
from ingestion.venues.base import Refused, Reject, Reply, decode, instant, refuse_beyond_float64, rows
from ingestion.venues.bulk import Unplain
from ingestion.venues.columnwise import distinct, from_epoch, of_each, or_else, sides
from ingestion.venues.gate_answers import (
    asked,
    at_s,
    entries,
    market_of,
    refuse_failure,
    refuse_merged,
    row_list,
    seen_by,
)
from ingestion.venues.gate_names import documented_size, read_contract, refuse_foreign
from ingestion.venues.gate_spot import interval_s
from ingestion.venues.grids import Fields, Grid
from ingestion.venues.ladders import Depths, Ladder, Who
from ingestion.venues.settlements import with_intervals
from ingestion.venues.sheets import Columns, Values
from ingestion.venues.wire import Finite


class _Level(msgspec.Struct):
    p: Finite
    s: Finite


class _Book(msgspec.Struct):
    bids: list[_Level]
    asks: list[_Level]
    id: int | None = None  # asked for by `with_id`
    current: Finite | None = None  # when the reply was made; not yet in 2019


class _Head(msgspec.Struct):
    """`order_book` with its sides unread, and what marks it as a failure."""

    bids: msgspec.Raw
    asks: msgspec.Raw
    id: int | None = None
    current: Finite | None = None
    label: Any = UNSET
    message: Any = UNSET


_BOOK = msgspec.json.Decoder(_Book, strict=False)
_HEAD = msgspec.json.Decoder(_Head, strict=False)


def parse_order_book(reply: Reply) -> Iterator[Record | Reject]:
    """`order_book` of futures and delivery; whose book it is stands only in the question."""
    symbol = asked(reply, "contract")
    kind = read_contract(symbol).kind
    refuse_merged(reply)
    refuse_failure(reply)
    refuse_beyond_float64(reply.body, f"gate {symbol} book")
    book = decode(_BOOK, reply.body, f"gate {reply.path}")
    yield OrderBook(
        **seen_by(reply, symbol, kind, None if book.current is None else at_s(book.current)),
        sequence_id=book.id,
        bid_px=tuple(level.p for level in book.bids),
        bid_qty=tuple(level.s for level in book.bids),
        ask_px=tuple(level.p for level in book.asks),
        ask_qty=tuple(level.s for level in book.asks),
    )


def _depths(question: Reply, heads: Sequence[_Head]) -> Depths:
    symbol = asked(question, "contract")
    refuse_merged(question)
    if any(head.label is not UNSET or head.message is not UNSET for head in heads):
        raise Unplain(question.path)
    return Depths(
        who=Who("gate", read_contract(symbol).kind, symbol),
        sequence_id=[head.id for head in heads],
        event_us=[None if head.current is None else round(head.current * 1_000) * 1_000 for head in heads],
        bids=[head.bids for head in heads],
        asks=[head.asks for head in heads],
    )


# Sizes became strings with fractions of contracts; in 2023 they came first.
order_books = Ladder(
    parse_order_book,
    _HEAD,
    _depths,
    level=b'{"p":"","s":""}',
    also={b'{"p":"","s":}': (0, 1), b'{"s":,"p":""}': (1, 0)},
)


class _Trade(msgspec.Struct):
    id: int
    contract: str
    size: Finite  # negative: the taker sold
    price: Finite
    create_time: Finite
    create_time_ms: Finite | None = None  # seconds too, with milliseconds; not yet in 2019


def _listed_trades(reply: Reply) -> msgspec.Raw:
    market_of(reply)
    return row_list(reply)


def _trade_columns(reply: Reply, fills: Fields[_Trade]) -> list[Columns]:
    kind, settle = market_of(reply)
    for symbol in distinct(fills.contract):
        refuse_foreign(symbol, kind, settle)
    seconds = or_else(fills.create_time_ms, fills.create_time)
    fields: dict[str, Values] = {
        "venue": "gate",
        "symbol": fills.contract,
        "kind": kind,
        "event_ts": from_epoch(of_each(seconds, lambda at: np.rint(at * 1_000))),
        "trade_id": fills.id,
        "px": fills.price,
        "qty": of_each(fills.size, abs),
        "side": sides(of_each(fills.size, lambda size: size < 0)),
    }
    return [Columns(Trade, len(fills), fields)]


# `trades` of futures and delivery; the sign of the size is the taker's side.
parse_trades = Grid(_listed_trades, _Trade, _trade_columns, is_exact=True)


class _Bar(msgspec.Struct):
    t: int
    v: Finite  # contracts
    o: Finite
    h: Finite
    l: Finite  # noqa: E741 (the venue's name)
    c: Finite


_BAR = msgspec.json.Decoder(_Bar, strict=False)


def parse_candles(reply: Reply) -> Iterator[Record | Reject]:
    """`candlesticks` of futures and delivery; contracts become base coin where the multiplier is documented.

    A bar that is not over is left out.
    """
    symbol = asked(reply, "contract")
    name, length_s, size = read_contract(symbol), interval_s(reply), _base_a_contract(symbol)

    def read(bar: _Bar) -> list[Record]:
        start_ts = instant(bar.t, 1.0)
        if start_ts + timedelta(seconds=length_s) > reply.captured_ts:
            return []
        return [
            Candle(
                **seen_by(reply, symbol, name.kind, start_ts),
                interval_s=length_s,
                open_px=bar.o,
                high_px=bar.h,
                low_px=bar.l,
                close_px=bar.c,
                volume_base=None if size is None else bar.v * size,
            )
        ]

    return rows(_BAR, entries(reply), read)


def _base_a_contract(symbol: str) -> float | None:
    if read_contract(symbol).settle_asset != "USDT":
        return None  # dollars, or bitcoin: the price at which each traded is not told
    try:
        return documented_size(symbol)
    except Refused:
        return None


class _Funding(msgspec.Struct):
    t: int
    r: Finite


_FUNDING = msgspec.json.Decoder(_Funding, strict=False)


def parse_funding_rates(reply: Reply) -> Iterator[Record | Reject]:
    """`funding_rate`: settled rates; whose they are stands only in the question."""
    symbol = asked(reply, "contract")
    kind = read_contract(symbol).kind

    def read(row: _Funding) -> list[Record]:
        return [FundingRate(**seen_by(reply, symbol, kind, instant(row.t, 1.0)), funding_rate=row.r)]

    return with_intervals(rows(_FUNDING, entries(reply), read))


class _Liquidation(msgspec.Struct):
    time: int
    contract: str
    order_size: Finite  # the order's; `size` is the position's and of the opposite sign
    fill_price: Finite  # average


_LIQUIDATION = msgspec.json.Decoder(_Liquidation, strict=False)


def parse_liquidations(reply: Reply) -> Iterator[Record | Reject]:
    """`liq_orders`. A position that is closed in steps comes with the rest of its `size` at every step.

    Before January 2025 `order_size` was not told, and such a row is refused: of `size` alone the venue does not say
    whether its sign is the position's or the order's.
    """
    kind, settle = market_of(reply)

    def read(row: _Liquidation) -> list[Record]:
        refuse_foreign(row.contract, kind, settle)
        return [
            Liquidation(
                **seen_by(reply, row.contract, kind, instant(row.time, 1.0)),
                side="sell" if row.order_size < 0 else "buy",
                px=row.fill_price,
                px_source="fill",
                qty=abs(row.order_size),
            )
        ]

    return rows(_LIQUIDATION, entries(reply), read)
