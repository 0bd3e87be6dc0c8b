"""Bybit's tickers: spot, linear, inverse and options on one path.

A reply's `category` is not to be trusted: `BTCUSD` came under `linear`, a list of perpetuals for `option`.
What a row is, its own fields and its name must agree on.
Open interest of contracts comes as the sum of both sides, longs and shorts; here, as everywhere, it is one side's.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from ingestion.records import FutureTicker, Kind, OpenInterest, OptionQuote, PerpTicker, SpotTicker
from ingestion.venues.base import Refused, Reply
from ingestion.venues.bybit_answers import Answer, answer, listing
from ingestion.venues.bybit_names import FUNDED_EVERY_8H, FUNDING_INTERVAL_S, read_name
from ingestion.venues.columnwise import from_epoch
from ingestion.venues.sheets import Columns, HeadedSheet, Values
from ingestion.venues.wire import Blank, Finite, Name, agree


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


class _Marks(msgspec.Struct, rename="camel"):
    """What tells rows apart: one with any of these that lost another field is refused, not mistaken."""

    bid1_iv: msgspec.Raw | UnsetType = UNSET  # of options, to the underlying
    ask1_iv: msgspec.Raw | UnsetType = UNSET
    mark_iv: msgspec.Raw | UnsetType = UNSET
    underlying_price: msgspec.Raw | UnsetType = UNSET
    mark_price: msgspec.Raw | UnsetType = UNSET  # of contracts, if it is no option's
    index_price: msgspec.Raw | UnsetType = UNSET
    open_interest: msgspec.Raw | UnsetType = UNSET
    funding_rate: msgspec.Raw | UnsetType = UNSET
    next_funding_time: msgspec.Raw | UnsetType = UNSET
    delivery_time: msgspec.Raw | UnsetType = UNSET

    @property
    def are_of(self) -> Literal["options", "contracts", "pairs"]:
        if self.bid1_iv is not UNSET or self.ask1_iv is not UNSET:
            return "options"
        if self.mark_iv is not UNSET or self.underlying_price is not UNSET:
            return "options"
        return "pairs" if self == _NONE else "contracts"


_NONE = _Marks()
_MARKS = msgspec.json.Decoder(_Marks)
_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SPOT = msgspec.json.Decoder(_Spot, strict=False)
_CONTRACT = msgspec.json.Decoder(_Contract, strict=False)
_OPTION = msgspec.json.Decoder(_Option, strict=False)


class _Head(NamedTuple):
    """What a reply says once: its clock, and what its rows are said to be, by the question and by the reply."""

    answer: Answer
    categories: tuple[str | None, str]


def _listed(reply: Reply) -> tuple[_Head, list[msgspec.Raw]]:
    found = answer(reply)
    page = listing(found, reply)
    return _Head(found, (reply.query.get("category"), page.category)), page.list


def _columns(head: _Head, raws: Sequence[msgspec.Raw]) -> list[Columns]:
    if not b"".join(raws).isascii():
        for raw in raws:
            _KEYS.decode(raw)  # refuses a key that is no text, which is passed over below
    are_of = [_MARKS.decode(raw).are_of for raw in raws]
    options, contracts, pairs = (
        [raw for raw, its in zip(raws, are_of, strict=True) if its == group]
        for group in ("options", "contracts", "pairs")
    )
    told = []
    if options:
        told += _options(head, [_OPTION.decode(raw) for raw in options])
    if contracts:
        told += _contracts(head, [_CONTRACT.decode(raw) for raw in contracts])
    if pairs:
        told += _pairs(head, [_SPOT.decode(raw) for raw in pairs])
    return told


# `market/tickers` of every category.
parse_tickers = HeadedSheet(_listed, msgspec.Raw, _columns)


def _seen(head: _Head, rows: Sequence[_Spot]) -> dict[str, Values]:
    """What every record of these rows carries, but for the kind."""
    return {
        "venue": "bybit",
        "symbol": [row.symbol for row in rows],
        "event_ts": head.answer.event_us,
    }


def _touches(rows: Sequence[_Spot]) -> dict[str, Values]:
    """Both sides of the best level, as `touch`."""
    return {
        "bid_px": [row.bid1_price if row.bid1_price and row.bid1_size else None for row in rows],
        "bid_qty": [row.bid1_size if row.bid1_price and row.bid1_size else None for row in rows],
        "ask_px": [row.ask1_price if row.ask1_price and row.ask1_size else None for row in rows],
        "ask_qty": [row.ask1_size if row.ask1_price and row.ask1_size else None for row in rows],
        "last_px": [row.last_price or None for row in rows],
    }


def _pairs(head: _Head, rows: Sequence[_Spot]) -> list[Columns]:
    if "spot" not in head.categories:
        raise Refused("contradiction", f"{rows[0].symbol}: a spot pair's row in a list of '{head.categories[1]}'")
    fields: dict[str, Values] = {
        **_seen(head, rows),
        "kind": "spot",
        **_touches(rows),
        "volume_24h_base": [row.volume24h for row in rows],
        "volume_24h_quote": [row.turnover24h for row in rows],
    }
    return [Columns(SpotTicker, len(rows), fields)]


def _contracts(head: _Head, rows: Sequence[_Contract]) -> list[Columns]:
    seen = _seen(head, rows)
    named = [(row, read_name(row.symbol)) for row in rows]
    for row, name in named:
        is_dated = row.funding_rate == "" and row.delivery_time
        agree(row.symbol, "kind", name.kind, "future" if is_dated else "perp")
    qty = [one_side(row.open_interest, row.single_open_interest) for row in rows]
    interest: dict[str, Values] = {
        **seen,
        "kind": [name.kind for _, name in named],
        "open_interest_qty": qty,
        "open_interest_base": [
            one_side(row.open_interest_value, row.single_open_interest_value) if name.is_inverse else its
            for (row, name), its in zip(named, qty, strict=True)
        ],
    }
    perps = [each for each in named if each[1].kind == "perp"]
    futures = [each for each in named if each[1].kind == "future"]
    return [
        *([_perp_tickers(head, perps)] if perps else []),
        *([Columns(FutureTicker, len(futures), _contract_fields(head, "future", futures))] if futures else []),
        Columns(OpenInterest, len(rows), interest),
    ]


def _contract_fields(head: _Head, kind: Kind, named: Sequence[tuple[_Contract, Name]]) -> dict[str, Values]:
    rows = [row for row, _ in named]
    return {
        **_seen(head, rows),
        "kind": kind,
        **_touches(rows),
        "volume_24h_base": [row.turnover24h if name.is_inverse else row.volume24h for row, name in named],
        "volume_24h_quote": [row.volume24h if name.is_inverse else row.turnover24h for row, name in named],
        "mark_px": [row.mark_price for row in rows],
        "index_px": [row.index_price for row in rows],
    }


def _perp_tickers(head: _Head, named: Sequence[tuple[_Contract, Name]]) -> Columns:
    settled_us = iter(from_epoch([row.next_funding_time for row, _ in named if row.next_funding_time]).tolist())
    fields: dict[str, Values] = {
        **_contract_fields(head, "perp", named),
        "funding_rate": [None if row.funding_rate == "" else row.funding_rate for row, _ in named],
        "funding_interval_s": [
            row.funding_interval_hour * 3_600
            if row.funding_interval_hour != ""
            else FUNDING_INTERVAL_S
            if name.base_asset in FUNDED_EVERY_8H
            else None
            for row, name in named
        ],
        "next_funding_ts": [next(settled_us) if row.next_funding_time else None for row, _ in named],
    }
    return Columns(PerpTicker, len(named), fields)


def one_side(both: float, single: float | Blank) -> float:
    """Open interest of a contract, as every other venue counts it.

    https://bybit-exchange.github.io/docs/v5/market/open-interest documents the sum of both sides, and beside it the
    single side since 2026: to the unit, half of the sum.
    """
    return both / 2 if isinstance(single, str) else single


def _options(head: _Head, rows: Sequence[_Option]) -> list[Columns]:
    seen: dict[str, Values] = {**_seen(head, rows), "kind": "option"}
    for row in rows:
        agree(row.symbol, "kind", read_name(row.symbol).kind, "option")
    quotes: dict[str, Values] = {
        **seen,
        **_touches(rows),
        "mark_px": [row.mark_price or None for row in rows],
        "forward_px": [row.underlying_price for row in rows],
        "index_px": [row.index_price for row in rows],
        "bid_iv_ann": [(row.bid1_iv or None) if row.bid1_price and row.bid1_size else None for row in rows],
        "mark_iv_ann": [row.mark_iv or None for row in rows],
        "ask_iv_ann": [(row.ask1_iv or None) if row.ask1_price and row.ask1_size else None for row in rows],
        "delta": [row.delta for row in rows],
        "gamma": [row.gamma for row in rows],
        "vega": [row.vega for row in rows],
        "theta": [row.theta for row in rows],
        "volume_24h_qty": [row.volume24h for row in rows],
    }
    qty = [row.open_interest for row in rows]
    interest: dict[str, Values] = {**seen, "open_interest_qty": qty, "open_interest_base": qty}
    return [Columns(OptionQuote, len(rows), quotes), Columns(OpenInterest, len(rows), interest)]
