"""What OKX says of every instrument at once: quotes, marks, running funding, volatilities, open interest, indices.

Sizes are contracts for derivatives and base coin for spot; a blank field means absent.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from ingestion.records import (
    FutureTicker,
    IndexPrice,
    OpenInterest,
    OptionQuote,
    PerpTicker,
    Record,
    SpotTicker,
)
from ingestion.venues.base import Refused, Reject, Reply, instant
from ingestion.venues.okx_replies import KINDS, InstType, each, seen_by
from ingestion.venues.wire import Blank, Finite, Quotes, above_zero, given, touch


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
