"""Deribit's quotes: `ticker` and the book summaries, for every kind of instrument.

Volatilities are percent on the wire. Open interest counts what sizes count: US dollars, or base coin.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from ingestion.records import FutureTicker, Kind, OpenInterest, OptionQuote, PerpTicker, Record, SpotTicker
from ingestion.venues.base import Refused, Reject, Reply, rows
from ingestion.venues.columnwise import from_epoch
from ingestion.venues.deribit_names import FUNDING_INTERVAL_S, amount_unit, read_name
from ingestion.venues.deribit_replies import answer, listed, seen_by
from ingestion.venues.sheets import Columns, Sheet, Values
from ingestion.venues.wire import Finite, Name, Quotes, Seen, above_zero, touch


class _Summary(msgspec.Struct):
    instrument_name: str
    creation_timestamp: int
    bid_price: Finite | None
    ask_price: Finite | None
    mark_price: Finite
    last: Finite | None
    volume: Finite  # base coin
    volume_usd: Finite | None = None
    volume_notional: Finite | None = None  # futures and spot; not yet in 2020
    open_interest: Finite | None = None  # derivatives
    estimated_delivery_price: Finite | None = None  # derivatives
    underlying_price: Finite | None = None  # options
    mark_iv: Finite | None = None  # options; not yet in January 2024
    current_funding: Finite | None = None  # perpetuals


def _listed_summaries(reply: Reply) -> list[msgspec.Raw]:
    return listed(answer(reply), reply)


def _summary_columns(_: Reply, told: Sequence[_Summary]) -> list[Columns]:
    alike: dict[tuple[Kind, bool], list[_Summary]] = {}
    for row in told:
        name = read_name(row.instrument_name)
        alike.setdefault((name.kind, name.is_inverse), []).append(row)
    return [columns for its in alike.values() for columns in _columns_of(read_name(its[0].instrument_name), its)]


def _columns_of(name: Name, told: Sequence[_Summary]) -> list[Columns]:
    """Of rows whose names are of one kind, all inverse or all linear."""
    seen: dict[str, Values] = {
        "venue": "deribit",
        "symbol": [row.instrument_name for row in told],
        "kind": name.kind,
        "event_ts": from_epoch([row.creation_timestamp for row in told]),
    }
    quotes: dict[str, Values] = {
        **seen,
        "bid_px": [row.bid_price for row in told],
        "ask_px": [row.ask_price for row in told],
        "last_px": [row.last for row in told],
    }
    if name.kind == "option":
        quotes["mark_px"] = [row.mark_price or None for row in told]  # 0 is a mark too small for the venue's digits
        quotes["forward_px"] = _all(told, name, "underlying_price")
        quotes["index_px"] = [row.estimated_delivery_price for row in told]
        quotes["mark_iv_ann"] = [row.mark_iv / 100 if row.mark_iv else None for row in told]
        quotes["volume_24h_qty"] = [row.volume for row in told]
        return [Columns(OptionQuote, len(told), quotes), _interest(seen, name, told)]
    quotes["volume_24h_base"] = [row.volume for row in told]
    quotes["volume_24h_quote"] = [_volume_quote(name, row.volume_notional, row.volume_usd) for row in told]
    if name.kind == "spot":
        return [Columns(SpotTicker, len(told), quotes)]
    quotes["mark_px"] = [row.mark_price for row in told]
    quotes["index_px"] = _all(told, name, "estimated_delivery_price")
    if name.kind == "future":
        return [Columns(FutureTicker, len(told), quotes), _interest(seen, name, told)]
    quotes["funding_rate"] = _all(told, name, "current_funding")
    quotes["funding_interval_s"] = FUNDING_INTERVAL_S
    return [Columns(PerpTicker, len(told), quotes), _interest(seen, name, told)]


def _interest(seen: Mapping[str, Values], name: Name, told: Sequence[_Summary]) -> Columns:
    qty = _all(told, name, "open_interest")
    base = qty if amount_unit(name) == "base" else None
    return Columns(OpenInterest, len(told), {**seen, "open_interest_qty": qty, "open_interest_base": base})


def _all(told: Sequence[_Summary], name: Name, field: str) -> Values:
    values = [getattr(row, field) for row in told]
    if None in values:
        raise _lacks(told[values.index(None)].instrument_name, field, name.kind)
    return values


def _lacks(symbol: str, field: str, kind: Kind) -> Refused:
    return Refused("schema", f"{symbol}: no `{field}`, which every {kind} has")


# `get_book_summary_by_currency` and `…_by_instrument`.
# `estimated_delivery_price` is the index, and its average in the half hour before a delivery.
parse_book_summaries = Sheet(_listed_summaries, _Summary, _summary_columns, strict=True)


def _needed(seen: Seen, field: str, value: float | None) -> float:
    if value is None:
        raise _lacks(seen["symbol"], field, seen["kind"])
    return value


def _decimal(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


def _volume_quote(name: Name, notional: float | None, usd: float | None) -> float | None:
    return usd if notional is None and name.is_inverse else notional


def _open_interest(seen: Seen, name: Name, amount: float | None) -> OpenInterest:
    qty = _needed(seen, "open_interest", amount)
    base = qty if amount_unit(name) == "base" else None
    return OpenInterest(**seen, open_interest_qty=qty, open_interest_base=base)


def _ticker(
    seen: Seen, name: Name, quotes: Quotes, mark_px: float, index_px: float | None, funding: float | None
) -> Record:
    if name.kind == "spot":
        return SpotTicker(**seen, **quotes)
    index = _needed(seen, "estimated_delivery_price", index_px)
    if name.kind == "future":
        return FutureTicker(**seen, **quotes, mark_px=mark_px, index_px=index)
    return PerpTicker(
        **seen,
        **quotes,
        mark_px=mark_px,
        index_px=index,
        funding_rate=_needed(seen, "current_funding", funding),
        funding_interval_s=FUNDING_INTERVAL_S,
    )


class _Day(msgspec.Struct):
    volume: Finite
    volume_usd: Finite | None = None
    volume_notional: Finite | None = None


class _Greeks(msgspec.Struct):
    delta: Finite
    gamma: Finite
    vega: Finite
    theta: Finite


class _Ticker(msgspec.Struct):
    instrument_name: str
    timestamp: int
    best_bid_price: Finite | None
    best_bid_amount: Finite
    best_ask_price: Finite | None
    best_ask_amount: Finite
    mark_price: Finite
    last_price: Finite | None
    index_price: Finite
    stats: _Day
    open_interest: Finite | None = None  # derivatives
    current_funding: Finite | None = None  # perpetuals
    underlying_price: Finite | None = None  # options, as all below
    bid_iv: Finite | None = None
    mark_iv: Finite | None = None
    ask_iv: Finite | None = None
    greeks: _Greeks | None = None


_TICKER = msgspec.json.Decoder(_Ticker)


def parse_ticker(reply: Reply) -> Iterator[Record | Reject]:
    """`ticker`. A side where nothing rests has amount 0, for options also volatility 0: absent here."""

    def read(row: _Ticker) -> list[Record]:
        name = read_name(row.instrument_name)
        seen = seen_by(reply, row.instrument_name, name.kind, row.timestamp)
        bid_px, bid_qty = touch(row.best_bid_price, row.best_bid_amount)
        ask_px, ask_qty = touch(row.best_ask_price, row.best_ask_amount)
        if name.kind == "option":
            if row.greeks is None:
                raise Refused("schema", f"{row.instrument_name}: no `greeks`, which every option has")
            quote = OptionQuote(
                **seen,
                bid_px=bid_px,
                bid_qty=bid_qty,
                ask_px=ask_px,
                ask_qty=ask_qty,
                mark_px=above_zero(row.mark_price),
                last_px=row.last_price,
                forward_px=_needed(seen, "underlying_price", row.underlying_price),
                index_px=row.index_price,
                bid_iv_ann=_decimal(above_zero(row.bid_iv)),
                mark_iv_ann=_decimal(above_zero(_needed(seen, "mark_iv", row.mark_iv))),
                ask_iv_ann=_decimal(above_zero(row.ask_iv)),
                delta=row.greeks.delta,
                gamma=row.greeks.gamma,
                vega=row.greeks.vega,
                theta=row.greeks.theta,
                volume_24h_qty=row.stats.volume,
            )
            return [quote, _open_interest(seen, name, row.open_interest)]
        quotes: Quotes = {
            "bid_px": bid_px,
            "bid_qty": bid_qty,
            "ask_px": ask_px,
            "ask_qty": ask_qty,
            "last_px": row.last_price,
            "volume_24h_base": row.stats.volume,
            "volume_24h_quote": _volume_quote(name, row.stats.volume_notional, row.stats.volume_usd),
        }
        ticker = _ticker(seen, name, quotes, row.mark_price, row.index_price, row.current_funding)
        return [ticker] if name.kind == "spot" else [ticker, _open_interest(seen, name, row.open_interest)]

    return rows(_TICKER, [answer(reply).result], read)
