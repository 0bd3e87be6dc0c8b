"""Bybit's tickers: spot, linear, inverse and options on one path.

A reply's `category` is not to be trusted: `BTCUSD` came under `linear`, a list of perpetuals for `option`.
What a row is, its own fields and its name must agree on.
Open interest of contracts comes as the sum of both sides, longs and shorts; here, as everywhere, it is one side's.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from ingestion.records import FutureTicker, OpenInterest, OptionQuote, PerpTicker, Record, SpotTicker
from ingestion.venues.base import Refused, Reject, Reply, instant, rows
from ingestion.venues.bybit_answers import answer, listing, seen_by
from ingestion.venues.bybit_names import FUNDED_EVERY_8H, FUNDING_INTERVAL_S, read_name
from ingestion.venues.wire import Blank, Finite, Name, Quotes, above_zero, agree, given, touch


class _Spot(msgspec.Struct, rename="camel"):
    symbol: str
    last_price: Finite | Blank
    bid1_price: Finite | Blank
    bid1_size: Finite | Blank
    ask1_price: Finite | Blank
    ask1_size: Finite | Blank
    volume24h: Finite  # base coin
    turnover24h: Finite  # quote currency


class _Contract(_Spot, rename="camel"):
    mark_price: Finite
    index_price: Finite
    open_interest: Finite  # both sides; US dollars for inverse, as volume24h
    open_interest_value: Finite  # both sides; base coin for inverse, as turnover24h
    funding_rate: Finite | Blank  # blank for dated futures
    next_funding_time: int | Blank  # 0 for dated futures
    delivery_time: int | Blank  # 0 for perpetuals
    funding_interval_hour: int | Blank = ""  # in replies since 2024
    single_open_interest: Finite | Blank = ""  # one side, in replies since 2026
    single_open_interest_value: Finite | Blank = ""


class _Option(_Spot, rename="camel"):
    bid1_iv: Finite | Blank
    ask1_iv: Finite | Blank
    mark_iv: Finite | Blank
    mark_price: Finite
    index_price: Finite
    underlying_price: Finite
    open_interest: Finite  # one side; base coin, as volume24h
    delta: Finite
    gamma: Finite
    vega: Finite
    theta: Finite


_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_RAW = msgspec.json.Decoder(msgspec.Raw)
_SPOT = msgspec.json.Decoder(_Spot, strict=False)
_CONTRACT = msgspec.json.Decoder(_Contract, strict=False)
_OPTION = msgspec.json.Decoder(_Option, strict=False)

# A row with any of these is read as what has them, so that one which lost a field is refused, not mistaken.
_OF_OPTIONS = {"bid1Iv", "ask1Iv", "markIv", "underlyingPrice"}
_OF_CONTRACTS = {"markPrice", "indexPrice", "openInterest", "fundingRate", "nextFundingTime", "deliveryTime"}


def parse_tickers(reply: Reply) -> Iterator[Record | Reject]:
    """`market/tickers` of every category."""
    found = answer(reply)
    page = listing(found, reply)
    is_spot_list = "spot" in (reply.query.get("category"), page.category)

    def read(raw: msgspec.Raw) -> list[Record]:
        keys = _KEYS.decode(raw).keys()
        if keys & _OF_OPTIONS:
            return _option(_OPTION.decode(raw), reply, found.event_ts)
        if keys & _OF_CONTRACTS:
            return _contract(_CONTRACT.decode(raw), reply, found.event_ts)
        row = _SPOT.decode(raw)
        if not is_spot_list:
            raise Refused("contradiction", f"{row.symbol}: a spot pair's row in a list of '{page.category}'")
        seen = seen_by(reply, row.symbol, "spot", found.event_ts)
        return [SpotTicker(**seen, **_quotes(row, row.volume24h, row.turnover24h))]

    return rows(_RAW, page.list, read)


def _quotes(row: _Spot, volume_base: float, volume_quote: float) -> Quotes:
    bid_px, bid_qty = touch(row.bid1_price, row.bid1_size)
    ask_px, ask_qty = touch(row.ask1_price, row.ask1_size)
    return {
        "bid_px": bid_px,
        "bid_qty": bid_qty,
        "ask_px": ask_px,
        "ask_qty": ask_qty,
        "last_px": above_zero(row.last_price),
        "volume_24h_base": volume_base,
        "volume_24h_quote": volume_quote,
    }


def _contract(row: _Contract, reply: Reply, event_ts: datetime | None) -> list[Record]:
    name = read_name(row.symbol)
    is_dated = row.funding_rate == "" and bool(given(row.delivery_time))
    agree(row.symbol, "kind", name.kind, "future" if is_dated else "perp")
    seen = seen_by(reply, row.symbol, name.kind, event_ts)
    qty = one_side(row.open_interest, row.single_open_interest)
    if name.is_inverse:
        quotes = _quotes(row, row.turnover24h, row.volume24h)
        base = one_side(row.open_interest_value, row.single_open_interest_value)
    else:
        quotes = _quotes(row, row.volume24h, row.turnover24h)
        base = qty
    interest = OpenInterest(**seen, open_interest_qty=qty, open_interest_base=base)
    if is_dated:
        return [
            FutureTicker(**seen, **quotes, mark_px=row.mark_price, index_px=row.index_price),
            interest,
        ]
    next_ms = given(row.next_funding_time)
    return [
        PerpTicker(
            **seen,
            **quotes,
            mark_px=row.mark_price,
            index_px=row.index_price,
            funding_rate=given(row.funding_rate),
            funding_interval_s=_interval_s(row, name),
            next_funding_ts=instant(int(next_ms)) if next_ms else None,
        ),
        interest,
    ]


def one_side(both: float, single: float | Blank) -> float:
    """Open interest of a contract, as every other venue counts it.

    https://bybit-exchange.github.io/docs/v5/market/open-interest documents the sum of both sides, and beside it the
    single side since 2026: to the unit, half of the sum.
    """
    stated = given(single)
    return both / 2 if stated is None else stated


def _interval_s(row: _Contract, name: Name) -> int | None:
    hours = given(row.funding_interval_hour)
    if hours is not None:
        return int(hours) * 3_600
    return FUNDING_INTERVAL_S if name.base_asset in FUNDED_EVERY_8H else None


def _option(row: _Option, reply: Reply, event_ts: datetime | None) -> list[Record]:
    agree(row.symbol, "kind", read_name(row.symbol).kind, "option")
    seen = seen_by(reply, row.symbol, "option", event_ts)
    bid_px, bid_qty = touch(row.bid1_price, row.bid1_size)
    ask_px, ask_qty = touch(row.ask1_price, row.ask1_size)
    return [
        OptionQuote(
            **seen,
            bid_px=bid_px,
            bid_qty=bid_qty,
            ask_px=ask_px,
            ask_qty=ask_qty,
            mark_px=above_zero(row.mark_price),
            last_px=above_zero(row.last_price),
            forward_px=row.underlying_price,
            index_px=row.index_price,
            bid_iv_ann=above_zero(row.bid1_iv) if bid_px else None,
            mark_iv_ann=above_zero(row.mark_iv),
            ask_iv_ann=above_zero(row.ask1_iv) if ask_px else None,
            delta=row.delta,
            gamma=row.gamma,
            vega=row.vega,
            theta=row.theta,
            volume_24h_qty=row.volume24h,
        ),
        OpenInterest(**seen, open_interest_qty=row.open_interest, open_interest_base=row.open_interest),
    ]
