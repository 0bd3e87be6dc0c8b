"""What OKX says of every instrument at once: quotes, marks, running funding, volatilities, open interest, indices.

Sizes are contracts for derivatives and base coin for spot; a blank field means absent.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol, TypeVar

import msgspec

from ingestion.records import (
    FutureTicker,
    IndexPrice,
    Kind,
    OpenInterest,
    OptionQuote,
    PerpTicker,
    Record,
    SpotTicker,
)
from ingestion.venues.base import Refused, Reject, Reply, instant
from ingestion.venues.columnwise import from_epoch
from ingestion.venues.okx_replies import KINDS, InstType, each, raws, seen_by
from ingestion.venues.sheets import Columns, Sheet, Values
from ingestion.venues.wire import Blank, Finite

_TICKERS: dict[Kind, type[Record]] = {
    "spot": SpotTicker,
    "perp": PerpTicker,
    "future": FutureTicker,
    "option": OptionQuote,
}


class _Dated(Protocol):
    @property
    def inst_id(self) -> str: ...

    @property
    def ts(self) -> int: ...


class _Typed(Protocol):
    @property
    def inst_type(self) -> InstType: ...


R = TypeVar("R", bound=_Typed)


def _by_kind(rows: Sequence[R]) -> list[tuple[Kind, list[R]]]:
    """Rows of one kind each; a reply has mostly one."""
    types = dict.fromkeys([row.inst_type for row in rows])
    return [(KINDS[its], [row for row in rows if row.inst_type == its]) for its in types]


def _seen(kind: Values, rows: Sequence[_Dated]) -> dict[str, Values]:
    """What every row carries."""
    return {
        "venue": "okx",
        "symbol": [row.inst_id for row in rows],
        "kind": kind,
        "event_ts": from_epoch([row.ts for row in rows]),
    }


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


def _ticker_columns(_: Reply, tickers: Sequence[_Ticker]) -> list[Columns]:
    return [_quoted(kind, rows) for kind, rows in _by_kind(tickers)]


def _quoted(kind: Kind, rows: Sequence[_Ticker]) -> Columns:
    fields: dict[str, Values] = {
        **_seen(kind, rows),
        "bid_px": [row.bid_px if row.bid_px and row.bid_sz else None for row in rows],  # both or neither, as `touch`
        "bid_qty": [row.bid_sz if row.bid_px and row.bid_sz else None for row in rows],
        "ask_px": [row.ask_px if row.ask_px and row.ask_sz else None for row in rows],
        "ask_qty": [row.ask_sz if row.ask_px and row.ask_sz else None for row in rows],
    }
    if kind == "option":
        fields["last_px"] = [row.last or None for row in rows]  # 0 where there is none
        fields["volume_24h_qty"] = [row.vol24h for row in rows]
        return Columns(_TICKERS[kind], len(rows), fields)
    fields["last_px"] = [None if row.last == "" else row.last for row in rows]
    if kind == "spot":
        fields["volume_24h_base"] = [row.vol24h for row in rows]
        fields["volume_24h_quote"] = [row.vol_ccy24h for row in rows]
    else:
        fields["volume_24h_base"] = [row.vol_ccy24h for row in rows]
    return Columns(_TICKERS[kind], len(rows), fields)


# `market/tickers`. `volCcy24h` counts quote currency for spot, base coin for derivatives.
parse_tickers = Sheet(raws, _Ticker, _ticker_columns)


class _Mark(msgspec.Struct, rename="camel"):
    inst_type: Literal["SWAP", "FUTURES", "OPTION"]
    inst_id: str
    mark_px: Finite
    ts: int


def _mark_columns(_: Reply, marks: Sequence[_Mark]) -> list[Columns]:
    return [
        Columns(_TICKERS[kind], len(rows), {**_seen(kind, rows), "mark_px": [row.mark_px for row in rows]})
        for kind, rows in _by_kind(marks)
    ]


# `public/mark-price`.
parse_mark_prices = Sheet(raws, _Mark, _mark_columns)


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


def _summary_columns(_: Reply, rows: Sequence[_Summary]) -> list[Columns]:
    fields: dict[str, Values] = {
        **_seen("option", rows),
        "forward_px": [row.fwd_px for row in rows],
        "bid_iv_ann": [row.bid_vol or None for row in rows],
        "mark_iv_ann": [row.mark_vol or None for row in rows],
        "ask_iv_ann": [row.ask_vol or None for row in rows],
        "delta": [row.delta_bs for row in rows],
        "gamma": [row.gamma_bs for row in rows],
        "vega": [row.vega_bs for row in rows],
        "theta": [row.theta_bs for row in rows],
    }
    return [Columns(OptionQuote, len(rows), fields)]


# `public/opt-summary`: volatilities as decimals and the expiry's forward, but no prices.
parse_option_summary = Sheet(raws, _Summary, _summary_columns)


class _Interest(msgspec.Struct, rename="camel"):
    inst_type: Literal["SWAP", "FUTURES", "OPTION"]
    inst_id: str
    oi: Finite  # contracts
    oi_ccy: Finite  # base coin
    ts: int


def _interest_columns(_: Reply, rows: Sequence[_Interest]) -> list[Columns]:
    fields: dict[str, Values] = {
        **_seen([KINDS[row.inst_type] for row in rows], rows),
        "open_interest_qty": [row.oi for row in rows],
        "open_interest_base": [row.oi_ccy for row in rows],
    }
    return [Columns(OpenInterest, len(rows), fields)]


# `public/open-interest`. Contracts, and the same in base coin.
parse_open_interest = Sheet(raws, _Interest, _interest_columns)


class _Index(msgspec.Struct, rename="camel"):
    inst_id: str
    idx_px: Finite
    ts: int


def _index_columns(_: Reply, rows: Sequence[_Index]) -> list[Columns]:
    names = [row.inst_id.partition("-") for row in rows]
    for base, dash, quote in names:
        if not base or not quote:
            raise Refused("unknown_symbol", f"{base}{dash}{quote}: no index of OKX's grammar, such as BTC-USD")
    fields: dict[str, Values] = {
        **_seen("spot", rows),
        "base_asset": [base for base, _, _ in names],
        "quote_asset": [quote for _, _, quote in names],
        "index_px": [row.idx_px for row in rows],
    }
    return [Columns(IndexPrice, len(rows), fields)]


# `market/index-tickers`. An index is named like a spot pair: `BTC-USD`.
parse_index_tickers = Sheet(raws, _Index, _index_columns)
