"""What OKX's replies share; its lists of instruments, its books.

Sizes are contracts for derivatives and base coin for spot; a blank field means absent.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Literal, TypeVar

import msgspec

from ingestion.records import Kind, OrderBook, Record
from ingestion.venues.base import Refused, Reject, Reply, decode, instant, refuse_beyond_float64, rows
from ingestion.venues.ladders import Depths, Ladder, Who
from ingestion.venues.okx_names import read_name
from ingestion.venues.wire import Blank, Finite, Name, Seen, instrument

T = TypeVar("T")

InstType = Literal["SPOT", "SWAP", "FUTURES", "OPTION"]
KINDS: dict[InstType, Kind] = {"SPOT": "spot", "SWAP": "perp", "FUTURES": "future", "OPTION": "option"}
_USUAL = {"USDⓈ": "USD"}  # what contracts named `_UM` settle in, as the documentation's table spells it


class _Answer(msgspec.Struct):
    code: str
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


_ANSWER = msgspec.json.Decoder(_Answer)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def row_list(reply: Reply) -> msgspec.Raw:
    """The list of a reply's rows; an error that OKX reports in a reply of status 200 is `Refused`."""
    found = decode(_ANSWER, reply.body, f"okx {reply.path}")
    if found.code != "0":
        raise Refused("venue_error", f"okx {reply.path}: code {found.code[:20]}, {found.msg[:120]}")
    return found.data


def raws(reply: Reply) -> list[msgspec.Raw]:
    """The rows of a reply; `Refused` as `row_list`."""
    return decode(_LIST, bytes(row_list(reply)), f"okx {reply.path}: data")


def each(
    reply: Reply, decoder: msgspec.json.Decoder[T], read: Callable[[T], list[Record]]
) -> Iterator[Record | Reject]:
    """What `read` makes of the rows of a reply."""
    return rows(decoder, raws(reply), read)


def seen_by(reply: Reply, symbol: str, kind: Kind, ts: int | None) -> Seen:
    return {
        "venue": "okx",
        "symbol": symbol,
        "kind": kind,
        "captured_ts": reply.captured_ts,
        "event_ts": None if ts is None else instant(ts),
    }


class _Listed(msgspec.Struct, rename="camel"):
    inst_type: InstType
    inst_id: str
    uly: str  # blank for spot
    base_ccy: str  # blank for derivatives, as quoteCcy
    quote_ccy: str
    settle_ccy: str  # blank for spot, as ctVal, ctMult, ctValCcy
    ct_val: Finite | Blank
    ct_mult: Finite | Blank
    ct_val_ccy: str
    ct_type: Literal["linear", "inverse", ""]  # blank for spot and options
    exp_time: int | Blank  # dated contracts
    stk: Finite | Blank  # options, as optType
    opt_type: Literal["C", "P", ""]
    tick_sz: Finite
    lot_sz: Finite


_LISTED = msgspec.json.Decoder(_Listed, strict=False)


def parse_instruments(reply: Reply) -> Iterator[Record | Reject]:
    """`public/instruments`. One contract is `ctVal` × `ctMult` of `ctValCcy`."""

    def read(row: _Listed) -> list[Record]:
        name = _name_listed(row)
        return [
            instrument(
                name,
                venue="okx",
                symbol=row.inst_id,
                captured_ts=reply.captured_ts,
                contract_size=_contract_size(row, name),
                amount_unit="base" if name.kind == "spot" else "contracts",
                terms_source="listed",
                tick_size_px=row.tick_sz,
                lot_size_qty=row.lot_sz,
            )
        ]

    return each(reply, _LISTED, read)


def _name_listed(row: _Listed) -> Name:
    kind = KINDS[row.inst_type]
    if kind == "spot":
        return Name(kind, row.base_ccy, row.quote_ccy, row.quote_ccy)
    base, _, quote = row.uly.partition("-")
    settle = _USUAL.get(row.settle_ccy, row.settle_ccy)
    expiry_ts = None if kind == "perp" else instant(_stated(row.inst_id, "expTime", row.exp_time))
    if kind != "option":
        is_inverse = _stated(row.inst_id, "ctType", row.ct_type) == "inverse"
        return Name(kind, base, quote, settle, is_inverse, expiry_ts)
    is_call = _stated(row.inst_id, "optType", row.opt_type) == "C"
    return Name(
        kind,
        base,
        quote,
        settle,
        settle == base,
        expiry_ts,
        _stated(row.inst_id, "stk", row.stk),
        "call" if is_call else "put",
    )


def _stated(symbol: str, field: str, value: T | Blank) -> T:
    if value == "":
        raise Refused("schema", f"{symbol}: `{field}` is blank, which no instrument of its kind has")
    return value


def _contract_size(row: _Listed, name: Name) -> float:
    if name.kind == "spot":
        return 1.0
    counted = name.quote_asset if name.is_inverse and name.kind != "option" else name.base_asset
    if row.ct_val_ccy != counted:
        raise Refused("contradiction", f"{row.inst_id}: contracts of {row.ct_val_ccy}, expected {counted}")
    value, times = _stated(row.inst_id, "ctVal", row.ct_val), _stated(row.inst_id, "ctMult", row.ct_mult)
    return float(Decimal(str(value)) * Decimal(str(times)))  # 0.1 × 0.1 is 0.01, in floats it is not


_Level = tuple[Finite, Finite, str, str]  # price, size, a deprecated 0, number of orders


class _Book(msgspec.Struct, rename="camel"):
    bids: list[_Level]
    asks: list[_Level]
    ts: int
    seq_id: int | None = None  # in replies since 2023


class _Head(msgspec.Struct, rename="camel"):
    """A book with its sides unread."""

    bids: msgspec.Raw
    asks: msgspec.Raw
    ts: int
    seq_id: int | None = None


class _Headed(msgspec.Struct):
    """A reply that is one book."""

    code: Literal["0"]
    data: tuple[_Head]
    msg: str = ""


_BOOK = msgspec.json.Decoder(_Book, strict=False)
_HEADED = msgspec.json.Decoder(_Headed, strict=False)


def parse_order_book(reply: Reply) -> Iterator[Record | Reject]:
    """`market/books`; whose book it is stands only in the question."""
    symbol = reply.query.get("instId", "")
    name = read_name(symbol)
    refuse_beyond_float64(reply.body, f"okx {symbol} book")

    def read(row: _Book) -> list[Record]:
        return [
            OrderBook(
                **seen_by(reply, symbol, name.kind, row.ts),
                sequence_id=row.seq_id,
                bid_px=tuple(level[0] for level in row.bids),
                bid_qty=tuple(level[1] for level in row.bids),
                ask_px=tuple(level[0] for level in row.asks),
                ask_qty=tuple(level[1] for level in row.asks),
            )
        ]

    return each(reply, _BOOK, read)


def _depths(asked: Reply, told: Sequence[_Headed]) -> Depths:
    symbol = asked.query.get("instId", "")
    heads = [head for each in told for head in each.data]
    return Depths(
        who=Who("okx", read_name(symbol).kind, symbol),
        sequence_id=[head.seq_id for head in heads],
        event_us=[head.ts * 1_000 for head in heads],
        bids=[head.bids for head in heads],
        asks=[head.asks for head in heads],
    )


# `market/books`, as `parse_order_book` reads it.
order_books = Ladder(parse_order_book, _HEADED, _depths, level=b'["","","",""]')
