"""Bybit's instruments, books and trades."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Literal

import msgspec

from ingestion.records import Instrument, Kind, OrderBook, Record, Trade
from ingestion.venues.base import (
    Reject,
    Reply,
    Request,
    instant,
    refuse_beyond_float64,
    rows,
)
from ingestion.venues.bybit_answers import answer, kind_asked, listing, row_list, seen_by
from ingestion.venues.bybit_names import amount_unit, read_name
from ingestion.venues.columnwise import by_name, from_epoch, one_of, sides
from ingestion.venues.grids import Fields, Grid
from ingestion.venues.ladders import Depths, Ladder, Who, each_named
from ingestion.venues.sheets import Columns, Values
from ingestion.venues.wire import Finite, Name, agree, instrument


class _Price(msgspec.Struct, rename="camel"):
    tick_size: Finite


class _Lot(msgspec.Struct, rename="camel"):
    qty_step: Finite


class _SpotLot(msgspec.Struct, rename="camel"):
    base_precision: Finite


class _Pair(msgspec.Struct, rename="camel"):
    symbol: str
    base_coin: str
    quote_coin: str
    price_filter: _Price
    lot_size_filter: _SpotLot


class _Contract(msgspec.Struct, rename="camel"):
    symbol: str
    contract_type: Literal["LinearPerpetual", "LinearFutures", "InversePerpetual", "InverseFutures"]
    base_coin: str
    quote_coin: str
    settle_coin: str
    delivery_time: int  # 0, or the day of delisting, for perpetuals
    funding_interval: int  # minutes
    price_filter: _Price
    lot_size_filter: _Lot


class _Option(msgspec.Struct, rename="camel"):
    symbol: str
    options_type: Literal["Call", "Put"]
    base_coin: str
    settle_coin: str
    delivery_time: int
    price_filter: _Price
    lot_size_filter: _Lot


_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_RAW = msgspec.json.Decoder(msgspec.Raw)
_PAIR = msgspec.json.Decoder(_Pair, strict=False)
_CONTRACT = msgspec.json.Decoder(_Contract, strict=False)
_OPTION = msgspec.json.Decoder(_Option, strict=False)


def parse_instruments(reply: Reply) -> Iterator[Record | Reject]:
    """`market/instruments-info` of every category."""
    found = answer(reply)

    def read(raw: msgspec.Raw) -> list[Record]:
        keys = _KEYS.decode(raw).keys()
        if "contractType" in keys:
            return [_contract(_CONTRACT.decode(raw), reply, found.event_ts)]
        if "optionsType" in keys:
            return [_option(_OPTION.decode(raw), reply, found.event_ts)]
        pair = _PAIR.decode(raw)
        name = Name("spot", pair.base_coin, pair.quote_coin, pair.quote_coin)
        lot = pair.lot_size_filter.base_precision
        return [_listed(name, pair.symbol, reply, found.event_ts, pair.price_filter.tick_size, lot)]

    return rows(_RAW, listing(found, reply).list, read)


def _listed(
    name: Name,
    symbol: str,
    reply: Reply,
    event_ts: datetime | None,
    tick_size_px: float,
    lot_size_qty: float,
    funding_interval_s: int | None = None,
) -> Instrument:
    return instrument(
        name,
        venue="bybit",
        symbol=symbol,
        captured_ts=reply.captured_ts,
        event_ts=event_ts,
        contract_size=1.0,
        amount_unit=amount_unit(name),
        terms_source="listed",
        tick_size_px=tick_size_px,
        lot_size_qty=lot_size_qty,
        funding_interval_s=funding_interval_s,
    )


def _contract(row: _Contract, reply: Reply, event_ts: datetime | None) -> Instrument:
    is_perp = row.contract_type.endswith("Perpetual")
    kind: Kind = "perp" if is_perp else "future"
    is_inverse = row.contract_type.startswith("Inverse")
    expiry_ts = None if is_perp else instant(row.delivery_time)
    name = Name(kind, row.base_coin, row.quote_coin, row.settle_coin, is_inverse, expiry_ts)
    return _listed(
        name,
        row.symbol,
        reply,
        event_ts,
        row.price_filter.tick_size,
        row.lot_size_filter.qty_step,
        row.funding_interval * 60 if is_perp else None,
    )


def _option(row: _Option, reply: Reply, event_ts: datetime | None) -> Instrument:
    """The strike stands only in the name. `quoteCoin` says USD, but premiums are paid in the settle coin."""
    name = read_name(row.symbol)
    agree(row.symbol, "option type", name.option_type, row.options_type.lower())
    agree(row.symbol, "base", name.base_asset, row.base_coin)
    agree(row.symbol, "settlement", name.settle_asset, row.settle_coin)
    agree(row.symbol, "expiry", name.expiry_ts, instant(row.delivery_time))
    return _listed(name, row.symbol, reply, event_ts, row.price_filter.tick_size, row.lot_size_filter.qty_step)


def next_instruments(request: Request, reply: Reply) -> Request | None:
    """The page after this one; the last has no cursor."""
    cursor = listing(answer(reply), reply).next_page_cursor
    if not cursor:
        return None
    return Request(request.path, tuple({**dict(request.query), "cursor": cursor}.items()))


class _Book(msgspec.Struct):
    s: str
    b: list[tuple[Finite, Finite]]
    a: list[tuple[Finite, Finite]]
    ts: int
    u: int  # the update id, as in the stream of the same depth


class _Head(msgspec.Struct):
    """A book with its sides unread."""

    s: str
    b: msgspec.Raw
    a: msgspec.Raw
    ts: int
    u: int


class _Headed(msgspec.Struct, rename="camel"):
    """A reply that is one book, as `Answer` has it."""

    ret_code: Literal[0]
    ret_msg: str
    result: _Head
    time: int | None = None


_BOOK = msgspec.json.Decoder(_Book, strict=False)
_HEADED = msgspec.json.Decoder(_Headed)


def parse_order_book(reply: Reply) -> Iterator[Record | Reject]:
    """`market/orderbook`."""
    found = answer(reply)
    refuse_beyond_float64(reply.body, f"bybit {reply.query.get('symbol', '')} book")

    def read(row: _Book) -> list[Record]:
        seen = seen_by(reply, row.s, kind_asked(reply, row.s), instant(row.ts))
        return [
            OrderBook(
                **seen,
                sequence_id=row.u,
                bid_px=tuple(px for px, _ in row.b),
                bid_qty=tuple(qty for _, qty in row.b),
                ask_px=tuple(px for px, _ in row.a),
                ask_qty=tuple(qty for _, qty in row.a),
            )
        ]

    return rows(_BOOK, [found.result], read)


def _depths(asked: Reply, told: Sequence[_Headed]) -> Depths:
    heads = [each.result for each in told]
    return Depths(
        who=each_named([head.s for head in heads], lambda symbol: Who("bybit", kind_asked(asked, symbol), symbol)),
        sequence_id=[head.u for head in heads],
        event_us=[head.ts * 1_000 for head in heads],
        bids=[head.b for head in heads],
        asks=[head.a for head in heads],
    )


# `market/orderbook`, as `parse_order_book` reads it.
order_books = Ladder(parse_order_book, _HEADED, _depths)


class _Trade(msgspec.Struct, rename="camel"):
    exec_id: str
    symbol: str
    price: Finite
    size: Finite
    side: Literal["Buy", "Sell"]
    time: int


def _trade_columns(reply: Reply, fills: Fields[_Trade]) -> list[Columns]:
    fields: dict[str, Values] = {
        "venue": "bybit",
        "symbol": fills.symbol,
        "kind": by_name(fills.symbol, partial(kind_asked, reply)),
        "event_ts": from_epoch(fills.time),
        "trade_id": fills.exec_id,
        "px": fills.price,
        "qty": fills.size,
        "side": sides(one_of(fills.side, "Sell")),
    }
    return [Columns(Trade, len(fills), fields)]


# `market/recent-trade`; `side` is the taker's.
parse_trades = Grid(row_list, _Trade, _trade_columns, is_exact=True)
