"""BitMEX's instruments: one row tells terms, quotes, funding and open interest.

https://support.bitmex.com/hc/en-gb/articles/6206354894365--instrument-field-definitions
Sizes are contracts everywhere, in spot pairs too; what one is, three formulas tell:
https://support.bitmex.com/hc/en-gb/articles/16797952159261
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, TypeAlias, TypeVar

import msgspec

from ingestion.records import FutureTicker, Instrument, Kind, OpenInterest, PerpTicker, Record, SpotTicker
from ingestion.venues.base import Refused, Reject, Reply, decode, rows
from ingestion.venues.bitmex_names import coin, kind_of, settlement
from ingestion.venues.wire import Finite, Quotes, Seen, above_zero, agree, instant_written

T = TypeVar("T")
Interval: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]  # written as an instant after 2000-01-01
Whole: TypeAlias = Annotated[int, msgspec.Meta(ge=-(10**15), le=10**15)]

# https://support.bitmex.com/hc/en-gb/articles/6299296145565-What-are-the-Typ-Values-for-Instrument-endpoint
KINDS: dict[str, Kind] = {
    "FFWCSX": "perp",
    "FFWCSF": "perp",  # on currencies
    "FFCCSX": "future",
    "IFXXXP": "spot",
}
NOT_READ = {
    "OCECCS": "UP contracts, which BitMEX delisted",
    "OPECCS": "DOWN contracts, which BitMEX delisted",
    "FFMCSX": "spreads of two futures, whose price is a difference",
    "FFICSX": "prediction markets",
    "FFSCSX": "perpetuals on shares",
    "SRMCSX": "swap rates",
}

_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def each(reply: Reply) -> list[msgspec.Raw]:
    """The rows of a reply; `{"error": {"message": …}}` is none and `Refused`, whatever its status."""
    return decode(_LIST, reply.body, f"bitmex {reply.path}")


def seconds(interval: Interval, symbol: str) -> int:
    """The length of an interval: `2000-01-01T08:00:00.000Z` is eight hours."""
    length = (interval - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds()
    if length <= 0 or length != int(length):
        raise Refused("interval", f"{symbol}: {interval} is no interval after 2000-01-01")
    return int(length)


class _Typed(msgspec.Struct):
    symbol: str
    typ: str


class _Listed(msgspec.Struct, rename="camel"):
    """Newer replies leave out what is null."""

    symbol: str
    typ: str
    underlying: str
    quote_currency: str
    timestamp: str
    lot_size: Finite
    tick_size: Finite
    is_inverse: bool
    is_quanto: bool
    multiplier: Whole | None = None  # in minor units of the settlement currency
    settl_currency: str | None = None  # none or blank for spot
    underlying_to_position_multiplier: Whole | None = None  # contracts a unit of the underlying
    underlying_to_settle_multiplier: Whole | None = None
    quote_to_settle_multiplier: Whole | None = None
    expiry: str | None = None  # futures
    funding_interval: Interval | None = None  # perpetuals, as the next two
    funding_timestamp: str | None = None
    funding_rate: Finite | None = None
    bid_price: Finite | None = None
    ask_price: Finite | None = None
    last_price: Finite | None = None
    mark_price: Finite | None = None
    indicative_settle_price: Finite | None = None  # the index
    home_notional24h: Finite | None = msgspec.field(name="homeNotional24h", default=None)  # base coin
    foreign_notional24h: Finite | None = msgspec.field(name="foreignNotional24h", default=None)  # quote currency
    open_interest: Finite | None = None  # contracts
    open_value: Finite | None = None  # minor units of the settlement currency, at the mark


_TYPED = msgspec.json.Decoder(_Typed)
_LISTED = msgspec.json.Decoder(_Listed)


def parse_instruments(reply: Reply) -> Iterator[Record | Reject]:
    """`instrument/active` and `instrument`: of each row the terms, the ticker and the open interest.

    Types that are no contracts of ours (`NOT_READ`) are left out; a reply of nothing else is `Refused`.
    """
    found = [(_typ(raw), raw) for raw in each(reply)]
    wanted = [raw for typ, raw in found if typ not in NOT_READ]
    if found and not wanted:
        raise Refused("retired", f"bitmex {reply.path}: nothing but {NOT_READ[found[0][0]]}")
    yield from rows(_LISTED, wanted, partial(_told, reply))


def _typ(raw: msgspec.Raw) -> str:
    try:
        return _TYPED.decode(raw).typ
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""  # whoever reads the row whole, rejects it


def _told(reply: Reply, row: _Listed) -> list[Record]:
    if row.typ not in KINDS:
        raise Refused("unknown_terms", f"{row.symbol}: type {row.typ!r:.20} is none that is documented")
    kind = KINDS[row.typ]
    agree(row.symbol, "kind", kind_of(row.symbol), kind)  # books and trades have the name only
    seen: Seen = {
        "venue": "bitmex",
        "symbol": row.symbol,
        "kind": kind,
        "captured_ts": reply.captured_ts,
        "event_ts": instant_written(row.timestamp),
    }
    terms = _terms(seen, row)
    agree(row.symbol, "inverse", terms.settle_asset == terms.base_asset, row.is_inverse)
    agree(row.symbol, "quanto", terms.settle_asset not in (terms.base_asset, terms.quote_asset), row.is_quanto)
    told: list[Record] = [terms, _ticker(seen, row, terms.funding_interval_s)]
    if kind != "spot" and row.open_interest is not None:
        base = _coins(row, row.open_value)
        told.append(OpenInterest(**seen, open_interest_qty=row.open_interest, open_interest_base=base))
    return told


def _terms(seen: Seen, row: _Listed) -> Instrument:
    kind = seen["kind"]
    settle, size = _contract(row, kind)
    expiry_ts = instant_written(_stated(row, "expiry", row.expiry)) if kind == "future" else None
    interval = _stated(row, "fundingInterval", row.funding_interval) if kind == "perp" else None
    return Instrument(
        venue="bitmex",
        symbol=row.symbol,
        kind=kind,
        captured_ts=seen["captured_ts"],
        base_asset=coin(row.underlying),
        quote_asset=coin(row.quote_currency),
        settle_asset=settle,
        contract_size=size,
        amount_unit="contracts",
        is_inverse=row.is_inverse,
        is_quanto=row.is_quanto,
        tick_size_px=row.tick_size,
        lot_size_qty=row.lot_size,
        expiry_ts=expiry_ts,
        funding_interval_s=None if interval is None else seconds(interval, row.symbol),
        terms_source="listed",
    )


def _contract(row: _Listed, kind: Kind) -> tuple[str, float]:
    """What a contract is settled in, and its size."""
    if kind == "spot":
        return coin(row.quote_currency), 1 / _a_unit(row)
    settle, scale = settlement(row.settl_currency or "")
    multiplier = _stated(row, "multiplier", row.multiplier)
    if row.is_quanto:
        return settle, multiplier / scale
    if row.is_inverse:
        return settle, multiplier / _stated(row, "underlyingToSettleMultiplier", row.underlying_to_settle_multiplier)
    a_unit = _a_unit(row)
    agree(row.symbol, "multiplier × contracts a unit", row.quote_to_settle_multiplier, multiplier * a_unit)
    return settle, 1 / a_unit


def _a_unit(row: _Listed) -> int:
    return _stated(row, "underlyingToPositionMultiplier", row.underlying_to_position_multiplier)


def _stated(row: _Listed, field: str, value: T | None) -> T:
    if not value:
        raise Refused("schema", f"{row.symbol}: `{field}` is missing, which no instrument of its kind lacks")
    return value


def _coins(row: _Listed, minor_units: float | None) -> float | None:
    """The value in base coin, where that is what the contract is settled in."""
    if minor_units is None or not row.is_inverse:
        return None
    settle, scale = settlement(row.settl_currency or "")
    return minor_units / scale if settle == coin(row.underlying) else None


def _ticker(seen: Seen, row: _Listed, funding_interval_s: int | None) -> SpotTicker:
    quotes: Quotes = {
        "bid_px": above_zero(row.bid_price),
        "bid_qty": None,
        "ask_px": above_zero(row.ask_price),
        "ask_qty": None,
        "last_px": above_zero(row.last_price),
        "volume_24h_base": row.home_notional24h,
        "volume_24h_quote": row.foreign_notional24h,
    }
    if seen["kind"] == "spot":
        return SpotTicker(**seen, **quotes)
    mark_px, index_px = above_zero(row.mark_price), above_zero(row.indicative_settle_price)
    if seen["kind"] == "future":
        return FutureTicker(**seen, **quotes, mark_px=mark_px, index_px=index_px)
    return PerpTicker(
        **seen,
        **quotes,
        mark_px=mark_px,
        index_px=index_px,
        funding_rate=row.funding_rate,
        funding_interval_s=funding_interval_s,
        next_funding_ts=None if row.funding_timestamp is None else instant_written(row.funding_timestamp),
    )
