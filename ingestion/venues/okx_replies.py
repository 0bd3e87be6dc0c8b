"""OKX's replies about now. Sizes are contracts for derivatives and base coin for spot; a blank field means absent."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Literal, TypeVar

import msgspec

from ingestion.records import (
    FutureTicker,
    IndexPrice,
    Kind,
    OpenInterest,
    OptionQuote,
    OrderBook,
    PerpTicker,
    Record,
    SpotTicker,
)
from ingestion.venues.base import Refused, Reject, Reply, decode, instant, refuse_beyond_float64, rows
from ingestion.venues.okx_names import read_name
from ingestion.venues.wire import Blank, Finite, Name, Quotes, Seen, above_zero, given, instrument, touch

T = TypeVar("T")

InstType = Literal["SPOT", "SWAP", "FUTURES", "OPTION"]
KINDS: dict[InstType, Kind] = {"SPOT": "spot", "SWAP": "perp", "FUTURES": "future", "OPTION": "option"}


class _Answer(msgspec.Struct):
    code: str
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


_ANSWER = msgspec.json.Decoder(_Answer)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def raws(reply: Reply) -> list[msgspec.Raw]:
    """The rows of a reply; an error that OKX reports in a reply of status 200 is `Refused`."""
    found = decode(_ANSWER, reply.body, f"okx {reply.path}")
    if found.code != "0":
        raise Refused("venue_error", f"okx {reply.path}: code {found.code[:20]}, {found.msg[:120]}")
    return decode(_LIST, bytes(found.data), f"okx {reply.path}: data")


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
    expiry_ts = None if kind == "perp" else instant(_stated(row.inst_id, "expTime", row.exp_time))
    if kind != "option":
        is_inverse = _stated(row.inst_id, "ctType", row.ct_type) == "inverse"
        return Name(kind, base, quote, row.settle_ccy, is_inverse, expiry_ts)
    is_call = _stated(row.inst_id, "optType", row.opt_type) == "C"
    return Name(
        kind,
        base,
        quote,
        row.settle_ccy,
        row.settle_ccy == base,
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


class _Ticker(msgspec.Struct, rename="camel"):
    inst_type: InstType
    inst_id: str
    last: Finite | Blank  # blank where nothing traded or rests yet
    bid_px: Finite | Blank
    bid_sz: Finite | Blank
    ask_px: Finite | Blank
    ask_sz: Finite | Blank
    vol24h: Finite  # contracts; base coin for spot
    vol_ccy24h: Finite = msgspec.field(name="volCcy24h")  # base coin; quote currency for spot
    ts: int


_TICKER = msgspec.json.Decoder(_Ticker, strict=False)


def parse_tickers(reply: Reply) -> Iterator[Record | Reject]:
    """`market/tickers`. `volCcy24h` counts quote currency for spot, base coin for derivatives."""

    def read(row: _Ticker) -> list[Record]:
        kind = KINDS[row.inst_type]
        seen = seen_by(reply, row.inst_id, kind, row.ts)
        bid_px, bid_qty = touch(row.bid_px, row.bid_sz)
        ask_px, ask_qty = touch(row.ask_px, row.ask_sz)
        if kind == "option":
            return [
                OptionQuote(
                    **seen,
                    bid_px=bid_px,
                    bid_qty=bid_qty,
                    ask_px=ask_px,
                    ask_qty=ask_qty,
                    last_px=above_zero(row.last),
                    volume_24h_qty=row.vol24h,
                )
            ]
        quotes: Quotes = {
            "bid_px": bid_px,
            "bid_qty": bid_qty,
            "ask_px": ask_px,
            "ask_qty": ask_qty,
            "last_px": given(row.last),
            "volume_24h_base": row.vol24h if kind == "spot" else row.vol_ccy24h,
            "volume_24h_quote": row.vol_ccy24h if kind == "spot" else None,
        }
        if kind == "spot":
            return [SpotTicker(**seen, **quotes)]
        return [FutureTicker(**seen, **quotes) if kind == "future" else PerpTicker(**seen, **quotes)]

    return each(reply, _TICKER, read)


class _Mark(msgspec.Struct, rename="camel"):
    inst_type: Literal["SWAP", "FUTURES", "OPTION"]
    inst_id: str
    mark_px: Finite
    ts: int


_MARK = msgspec.json.Decoder(_Mark, strict=False)


def parse_mark_prices(reply: Reply) -> Iterator[Record | Reject]:
    """`public/mark-price`."""

    def read(row: _Mark) -> list[Record]:
        kind = KINDS[row.inst_type]
        seen = seen_by(reply, row.inst_id, kind, row.ts)
        if kind == "option":
            return [OptionQuote(**seen, mark_px=row.mark_px)]
        ticker = FutureTicker if kind == "future" else PerpTicker
        return [ticker(**seen, mark_px=row.mark_px)]

    return each(reply, _MARK, read)


class _Funding(msgspec.Struct, rename="camel"):
    inst_type: Literal["SWAP"]
    inst_id: str
    funding_rate: Finite
    funding_time: int  # the settlement this rate is for
    next_funding_time: int  # the one after it
    ts: int


_FUNDING = msgspec.json.Decoder(_Funding, strict=False)


def parse_funding_rate(reply: Reply) -> Iterator[Record | Reject]:
    """`public/funding-rate`: the running rate; OKX states the interval only by two settlement times."""

    def read(row: _Funding) -> list[Record]:
        interval_s, rest_ms = divmod(row.next_funding_time - row.funding_time, 1_000)
        if interval_s <= 0 or rest_ms:
            raise Refused(
                "timestamp",
                f"{row.inst_id}: settlements at {row.funding_time} and {row.next_funding_time} ms",
            )
        return [
            PerpTicker(
                **seen_by(reply, row.inst_id, "perp", row.ts),
                funding_rate=row.funding_rate,
                funding_interval_s=interval_s,
                next_funding_ts=instant(row.funding_time),
            )
        ]

    return each(reply, _FUNDING, read)


class _Summary(msgspec.Struct, rename="camel"):
    inst_id: str
    fwd_px: Finite
    mark_vol: Finite
    bid_vol: Finite  # 0 where nothing is bid, as askVol
    ask_vol: Finite
    delta_bs: Finite = msgspec.field(name="deltaBS")  # greeks in US dollars; `delta`, … are those in coin
    gamma_bs: Finite = msgspec.field(name="gammaBS")
    vega_bs: Finite = msgspec.field(name="vegaBS")
    theta_bs: Finite = msgspec.field(name="thetaBS")
    ts: int


_SUMMARY = msgspec.json.Decoder(_Summary, strict=False)


def parse_option_summary(reply: Reply) -> Iterator[Record | Reject]:
    """`public/opt-summary`: volatilities as decimals and the expiry's forward, but no prices."""

    def read(row: _Summary) -> list[Record]:
        return [
            OptionQuote(
                **seen_by(reply, row.inst_id, "option", row.ts),
                forward_px=row.fwd_px,
                bid_iv_ann=above_zero(row.bid_vol),
                mark_iv_ann=above_zero(row.mark_vol),
                ask_iv_ann=above_zero(row.ask_vol),
                delta=row.delta_bs,
                gamma=row.gamma_bs,
                vega=row.vega_bs,
                theta=row.theta_bs,
            )
        ]

    return each(reply, _SUMMARY, read)


class _Interest(msgspec.Struct, rename="camel"):
    inst_type: Literal["SWAP", "FUTURES", "OPTION"]
    inst_id: str
    oi: Finite  # contracts
    oi_ccy: Finite  # base coin
    ts: int


_INTEREST = msgspec.json.Decoder(_Interest, strict=False)


def parse_open_interest(reply: Reply) -> Iterator[Record | Reject]:
    """`public/open-interest`. Contracts, and the same in base coin."""

    def read(row: _Interest) -> list[Record]:
        seen = seen_by(reply, row.inst_id, KINDS[row.inst_type], row.ts)
        return [OpenInterest(**seen, open_interest_qty=row.oi, open_interest_base=row.oi_ccy)]

    return each(reply, _INTEREST, read)


class _Index(msgspec.Struct, rename="camel"):
    inst_id: str
    idx_px: Finite
    ts: int


_INDEX = msgspec.json.Decoder(_Index, strict=False)


def parse_index_tickers(reply: Reply) -> Iterator[Record | Reject]:
    """`market/index-tickers`. An index is named like a spot pair: `BTC-USD`."""

    def read(row: _Index) -> list[Record]:
        base, _, quote = row.inst_id.partition("-")
        if not base or not quote:
            raise Refused("unknown_symbol", f"{row.inst_id}: no index of OKX's grammar, such as BTC-USD")
        seen = seen_by(reply, row.inst_id, "spot", row.ts)
        return [IndexPrice(**seen, base_asset=base, quote_asset=quote, index_px=row.idx_px)]

    return each(reply, _INDEX, read)


_Level = tuple[Finite, Finite, str, str]  # price, size, a deprecated 0, number of orders


class _Book(msgspec.Struct, rename="camel"):
    bids: list[_Level]
    asks: list[_Level]
    ts: int
    seq_id: int | None = None  # in replies since 2023


_BOOK = msgspec.json.Decoder(_Book, strict=False)


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
