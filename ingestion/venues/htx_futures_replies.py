"""HTX Futures' contracts, tickers, indices, open interest and running funding, of all three products.

Sizes count contracts; instants are milliseconds. Numbers come bare or as strings, by the product and the year.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from ingestion.records import FutureTicker, IndexPrice, Kind, OpenInterest, PerpTicker, Record
from ingestion.venues.base import Refused, Reject, Reply, decode, instant, rows
from ingestion.venues.columnwise import from_epoch
from ingestion.venues.htx_futures_answers import answer, channel, counted_once, entries, seen_by
from ingestion.venues.htx_futures_names import VENUE, contract_code, read_index, read_name
from ingestion.venues.sheets import Columns, HeadedSheet, Sheet, Values
from ingestion.venues.wire import Blank, Finite, above_zero, agree, instrument

Hours = Annotated[int, msgspec.Meta(ge=1, le=24)]


class _Contract(msgspec.Struct):
    symbol: str  # the coin
    contract_code: str
    contract_size: Finite  # base coin if linear, US dollars if settled in coin
    price_tick: Finite
    delivery_date: str | None = None  # blank of perpetuals in tether; those in coin never had it
    settlement_period: Hours | Blank | None = None  # of perpetuals, in lists since 2026


_CONTRACT = msgspec.json.Decoder(_Contract, strict=False)


def parse_contracts(reply: Reply) -> Iterator[Record | Reject]:
    """`contract_info`. What is linear, inverse or dated, only the code says; orders are of whole contracts."""
    found = answer(reply)

    def read(row: _Contract) -> list[Record]:
        name = read_name(row.contract_code)
        agree(row.contract_code, "base", name.base_asset, row.symbol)
        if name.expiry_ts is not None:
            agree(row.contract_code, "delivery", f"{name.expiry_ts:%Y%m%d}", row.delivery_date)
        hours = row.settlement_period if name.kind == "perp" else None
        return [
            instrument(
                name,
                venue=VENUE,
                symbol=row.contract_code,
                captured_ts=reply.captured_ts,
                event_ts=None if found.ts is None else instant(found.ts),
                contract_size=row.contract_size,
                amount_unit="contracts",
                terms_source="listed",
                tick_size_px=row.price_tick,
                lot_size_qty=1.0,
                funding_interval_s=3_600 * hours if hours else None,
            )
        ]

    return rows(_CONTRACT, entries(found.data, reply), read)


class _Index(msgspec.Struct):
    index_price: Finite
    index_ts: int
    contract_code: str | None = None  # futures in coin have `symbol` instead
    symbol: str | None = None


_INDEX = msgspec.json.Decoder(_Index, strict=False)


def parse_index_prices(reply: Reply) -> Iterator[Record | Reject]:
    """`index`; the index's own name is kept as it comes: `BTC`, `BTC-USD` or `BTC-USDT`."""

    def read(row: _Index) -> list[Record]:
        symbol = row.contract_code or row.symbol or ""
        name = read_index(symbol)
        seen = seen_by(reply, symbol, "spot", row.index_ts)
        return [
            IndexPrice(**seen, base_asset=name.base_asset, quote_asset=name.quote_asset, index_px=row.index_price),
        ]

    return rows(_INDEX, entries(answer(reply).data, reply), read)


class _Interest(msgspec.Struct):
    contract_code: str
    volume: Finite  # contracts
    amount: Finite  # base coin


_INTEREST = msgspec.json.Decoder(_Interest, strict=False)


def parse_open_interest(reply: Reply) -> Iterator[Record | Reject]:
    """`open_interest`: counted once, whatever the documentation says (`counted_once` has the evidence)."""
    found = answer(reply)

    def read(row: _Interest) -> list[Record]:
        seen = seen_by(reply, row.contract_code, read_name(row.contract_code).kind, found.ts)
        return [OpenInterest(**seen, open_interest_qty=row.volume, open_interest_base=row.amount)]

    return rows(_INTEREST, entries(found.data, reply), read)


class _Funding(msgspec.Struct):
    contract_code: str
    funding_rate: Finite | None  # null while a contract is suspended
    funding_time: int | None  # the settlement to come
    next_funding_time: int | None = None  # the one after it; null since 2021


_FUNDING = msgspec.json.Decoder(_Funding, strict=False)


def parse_funding(reply: Reply) -> Iterator[Record | Reject]:
    """`funding_rate` and `batch_funding_rate`: the running rate, whose interval is only told by two settlements."""
    found = answer(reply)

    def read(row: _Funding) -> list[Record]:
        if row.funding_rate is None or row.funding_time is None:
            return []
        interval_s = None
        if row.next_funding_time is not None:
            interval_s = (row.next_funding_time - row.funding_time) // 1_000
        return [
            PerpTicker(
                **seen_by(reply, row.contract_code, read_name(row.contract_code).kind, found.ts),
                funding_rate=row.funding_rate,
                funding_interval_s=interval_s,
                next_funding_ts=instant(row.funding_time),
            )
        ]

    return rows(_FUNDING, entries(found.data, reply), read)


_Touch = tuple[Finite, Finite]  # price, contracts


class _Tick(msgspec.Struct):
    close: Finite  # the last price
    amount: Finite  # base coin of 24 hours, both sides
    ts: int
    ask: _Touch | None = None  # null or absent where nothing rests
    bid: _Touch | None = None


class _BatchTick(_Tick):
    contract_code: str | None = None  # futures in coin have `symbol` instead, by their turn
    symbol: str | None = None
    vol: Finite | None = None  # quote currency of 24 hours, both sides; in a single tick contracts


def _listed_tick(reply: Reply) -> tuple[str, list[msgspec.Raw]]:
    found = answer(reply)
    symbol, _ = channel(found, reply)
    return symbol, entries(found.tick, reply)


def _listed_ticks(reply: Reply) -> list[msgspec.Raw]:
    return entries(answer(reply).ticks, reply)


def _tick_columns(symbol: str, told: Sequence[_Tick]) -> list[Columns]:
    return _quoted([symbol] * len(told), told, [None] * len(told))


def _batch_columns(_: Reply, told: Sequence[_BatchTick]) -> list[Columns]:
    symbols = [contract_code(row.contract_code or row.symbol or "", instant(row.ts)) for row in told]
    return _quoted(symbols, told, [None if row.vol is None else counted_once(row.vol) for row in told])


def _quoted(symbols: Sequence[str], told: Sequence[_Tick], volumes: Sequence[float | None]) -> list[Columns]:
    """Tickers of each kind; `volumes` are those in quote currency."""
    listed = [
        (read_name(symbol).kind, symbol, row, vol) for symbol, row, vol in zip(symbols, told, volumes, strict=True)
    ]
    return [
        _quoted_kind(kind, [(symbol, row, vol) for its, symbol, row, vol in listed if its == kind])
        for kind in sorted({kind for kind, *_ in listed})
    ]


def _quoted_kind(kind: Kind, told: Sequence[tuple[str, _Tick, float | None]]) -> Columns:
    ticks = [row for _, row, _ in told]
    fields: dict[str, Values] = {
        "venue": VENUE,
        "symbol": [symbol for symbol, _, _ in told],
        "kind": kind,
        "event_ts": from_epoch([row.ts for row in ticks]),
        "bid_px": [row.bid[0] or None if row.bid and row.bid[1] else None for row in ticks],
        "bid_qty": [row.bid[1] or None if row.bid and row.bid[0] else None for row in ticks],
        "ask_px": [row.ask[0] or None if row.ask and row.ask[1] else None for row in ticks],
        "ask_qty": [row.ask[1] or None if row.ask and row.ask[0] else None for row in ticks],
        "last_px": [row.close or None for row in ticks],
        "volume_24h_base": [counted_once(row.amount) for row in ticks],
        "volume_24h_quote": [volume for _, _, volume in told],
    }
    return Columns(PerpTicker if kind == "perp" else FutureTicker, len(told), fields)


_TICK = HeadedSheet(_listed_tick, _Tick, _tick_columns)


def parse_tick(reply: Reply) -> Iterator[Record | Reject]:
    """`detail/merged`: one contract, so that many at once are not read sooner."""
    return _TICK(reply)


# `v2/…/detail/batch_merged`: all contracts of a product.
parse_ticks = Sheet(_listed_ticks, _BatchTick, _batch_columns)


class _MarkBar(msgspec.Struct):
    id: int  # its start, in seconds
    close: Finite


_MARK_BARS = msgspec.json.Decoder(list[_MarkBar], strict=False)
_MARK_BAR_S = {"mark_price.1min": 60}


def parse_mark_price(reply: Reply) -> Iterator[Record | Reject]:
    """`mark_price_kline`: the close of the bar that is open when HTX answers is the mark price of that instant."""
    found = answer(reply)
    symbol, what = channel(found, reply)
    kind = read_name(symbol).kind
    length_s = _MARK_BAR_S.get(what)
    if length_s is None or found.ts is None:
        raise Refused("interval", f"{VENUE} {reply.path}: '{what}', expected bars of a minute and a clock")
    bars = decode(_MARK_BARS, bytes(found.data), f"{VENUE} {reply.path}: data")
    latest = max(bars, key=lambda bar: bar.id, default=None)
    if latest is None or not latest.id <= found.ts / 1_000 < latest.id + length_s:
        raise Refused("timestamp", f"{VENUE} {symbol}: no bar is open at {_written(instant(found.ts))}")
    ticker = PerpTicker if kind == "perp" else FutureTicker
    yield ticker(**seen_by(reply, symbol, kind, found.ts), mark_px=above_zero(latest.close))


def _written(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
