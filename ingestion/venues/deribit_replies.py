"""Deribit's replies about now: instruments, books and indices; quotes are read in `deribit_quotes`."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from ingestion.records import IndexPrice, Kind, OrderBook, Record
from ingestion.venues.base import Refused, Reject, Reply, decode, instant, refuse_beyond_float64, rows
from ingestion.venues.deribit_names import FUNDING_INTERVAL_S, amount_unit, read_name
from ingestion.venues.ladders import Depths, Ladder, Who, each_named
from ingestion.venues.wire import Finite, Seen, agree, instrument


class _Fault(msgspec.Struct):
    code: int
    message: str


class Answer(msgspec.Struct, rename="camel"):
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Fault | None = None
    us_out: int | None = None  # microseconds

    @property
    def event_ts(self) -> datetime | None:
        return None if self.us_out is None else instant(self.us_out, 1e-6)


_ANSWER = msgspec.json.Decoder(Answer)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def answer(reply: Reply) -> Answer:
    found = decode(_ANSWER, reply.body, f"deribit {reply.path}")
    if found.error is not None:
        raise Refused("venue_error", f"deribit {reply.path}: error {found.error.code}, {found.error.message[:120]}")
    return found


def listed(found: Answer, reply: Reply) -> list[msgspec.Raw]:
    return decode(_LIST, bytes(found.result), f"deribit {reply.path}: result")


def seen_by(reply: Reply, symbol: str, kind: Kind, timestamp: int) -> Seen:
    return {
        "venue": "deribit",
        "symbol": symbol,
        "kind": kind,
        "captured_ts": reply.captured_ts,
        "event_ts": instant(timestamp),
    }


class _Listed(msgspec.Struct):
    instrument_name: str
    kind: str
    base_currency: str
    contract_size: Finite
    tick_size: Finite
    min_trade_amount: Finite
    expiration_timestamp: int | None = None  # spot has none; the year 3000 for a perpetual
    settlement_period: str | None = None  # spot has none
    settlement_currency: str | None = None  # since 2022
    instrument_type: Literal["linear", "reversed"] | None = None  # since 2023
    strike: Finite | None = None  # options
    option_type: Literal["call", "put"] | None = None  # options


_LISTED = msgspec.json.Decoder(_Listed)


def parse_instruments(reply: Reply) -> Iterator[Record | Reject]:
    """`get_instruments`. `quote_currency` of coin-settled options was USD in 2020, BTC in 2021: not read."""
    found = answer(reply)

    def read(row: _Listed) -> list[Record]:
        symbol = row.instrument_name
        name = read_name(symbol)
        agree(symbol, "kind", name.kind, "perp" if row.settlement_period == "perpetual" else row.kind)
        agree(symbol, "base", name.base_asset, row.base_currency)
        agree(symbol, "strike", name.strike_px, row.strike)
        agree(symbol, "option type", name.option_type, row.option_type)
        if row.settlement_currency is not None:
            agree(symbol, "settlement", name.settle_asset, row.settlement_currency)
        if row.instrument_type is not None and name.kind != "spot":
            agree(symbol, "type", "reversed" if name.is_inverse else "linear", row.instrument_type)
        if name.expiry_ts is not None:
            agree(
                symbol,
                "expiry",
                name.expiry_ts,
                row.expiration_timestamp and instant(row.expiration_timestamp),
            )
        return [
            instrument(
                name,
                venue="deribit",
                symbol=symbol,
                captured_ts=reply.captured_ts,
                event_ts=found.event_ts,
                contract_size=1.0 if name.kind == "spot" else row.contract_size,
                amount_unit=amount_unit(name),
                terms_source="listed",
                tick_size_px=row.tick_size,
                lot_size_qty=row.min_trade_amount,
                funding_interval_s=FUNDING_INTERVAL_S if name.kind == "perp" else None,
            )
        ]

    return rows(_LISTED, listed(found, reply), read)


class _Book(msgspec.Struct):
    instrument_name: str
    timestamp: int
    change_id: int
    bids: msgspec.Raw
    asks: msgspec.Raw


_BOOK = msgspec.json.Decoder(_Book)
_LEVELS = msgspec.json.Decoder(list[tuple[Finite, Finite]])


def parse_order_book(reply: Reply) -> Iterator[Record | Reject]:
    """`get_order_book`. Only levels are held to 15 digits: the statistics beside them are computed."""

    def read(row: _Book) -> list[Record]:
        name = read_name(row.instrument_name)
        for side in (row.bids, row.asks):
            refuse_beyond_float64(bytes(side), row.instrument_name)
        bids, asks = _LEVELS.decode(row.bids), _LEVELS.decode(row.asks)
        return [
            OrderBook(
                **seen_by(reply, row.instrument_name, name.kind, row.timestamp),
                sequence_id=row.change_id,
                bid_px=tuple(px for px, _ in bids),
                bid_qty=tuple(qty for _, qty in bids),
                ask_px=tuple(px for px, _ in asks),
                ask_qty=tuple(qty for _, qty in asks),
            )
        ]

    return rows(_BOOK, [answer(reply).result], read)


class _Headed(msgspec.Struct, rename="camel"):
    """A reply that is one book."""

    result: _Book
    error: None = None
    us_out: int | None = None


_HEADED = msgspec.json.Decoder(_Headed)


def _depths(_: Reply, told: Sequence[_Headed]) -> Depths:
    heads = [each.result for each in told]
    names = [head.instrument_name for head in heads]
    return Depths(
        who=each_named(names, lambda symbol: Who("deribit", read_name(symbol).kind, symbol)),
        sequence_id=[head.change_id for head in heads],
        event_us=[head.timestamp * 1_000 for head in heads],
        bids=[head.bids for head in heads],
        asks=[head.asks for head in heads],
    )


order_books = Ladder(parse_order_book, _HEADED, _depths, level=b"[,]", held="levels")


class _Index(msgspec.Struct):
    index_price: Finite


_INDEX = msgspec.json.Decoder(_Index)
_INDEX_NAME = re.compile(r"([a-z0-9]+)_([a-z0-9]+)")


def parse_index_price(reply: Reply) -> Iterator[Record | Reject]:
    """`get_index_price`; which index it is stands only in the question."""
    found = answer(reply)
    asked = reply.query.get("index_name", "")
    pair = _INDEX_NAME.fullmatch(asked)
    if pair is None:
        raise Refused("unknown_symbol", f"deribit {reply.path}: index_name '{asked}', expected one such as btc_usd")
    base, quote = pair[1].upper(), pair[2].upper()

    def read(row: _Index) -> list[Record]:
        return [
            IndexPrice(
                venue="deribit",
                symbol=asked,
                kind="spot",
                captured_ts=reply.captured_ts,
                event_ts=found.event_ts,
                base_asset=base,
                quote_asset=quote,
                index_px=row.index_price,
            )
        ]

    return rows(_INDEX, [found.result], read)
