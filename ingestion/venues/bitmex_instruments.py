"""BitMEX's instruments: one row tells terms, quotes, funding and open interest.

https://support.bitmex.com/hc/en-gb/articles/6206354894365--instrument-field-definitions
Sizes are contracts everywhere, in spot pairs too; what one is, three formulas tell:
https://support.bitmex.com/hc/en-gb/articles/16797952159261
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, NamedTuple, TypeAlias, TypeVar

import msgspec

from ingestion.columns import EPOCH, MICROSECOND
from ingestion.records import FutureTicker, Instrument, Kind, OpenInterest, PerpTicker, SpotTicker
from ingestion.venues.base import ANY, Refused, Reply, decode
from ingestion.venues.bitmex_names import coin, kind_of, settlement
from ingestion.venues.columnwise import from_written, where_given
from ingestion.venues.sheets import Columns, Sheet, Values
from ingestion.venues.wire import Finite, agree, instant_written

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

TICKERS: dict[Kind, type[SpotTicker]] = {"spot": SpotTicker, "perp": PerpTicker, "future": FutureTicker}

_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def row_list(reply: Reply) -> msgspec.Raw:
    """The list of a reply's rows."""
    return decode(ANY, reply.body, f"bitmex {reply.path}")


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


class _Terms(NamedTuple):
    """What a row says of its contract, in our words."""

    kind: Kind
    base_asset: str
    quote_asset: str
    settle_asset: str
    contract_size: float
    expiry_us: int | None
    funding_interval_s: int | None


_Told: TypeAlias = tuple[int, _Terms, _Listed]  # when, and what


def _wanted(reply: Reply) -> list[msgspec.Raw]:
    found = [(_typ(raw), raw) for raw in each(reply)]
    wanted = [raw for typ, raw in found if typ not in NOT_READ]
    if found and not wanted:
        raise Refused("retired", f"bitmex {reply.path}: nothing but {NOT_READ[found[0][0]]}")
    return wanted


def _typ(raw: msgspec.Raw) -> str:
    try:
        return _TYPED.decode(raw).typ
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""  # whoever reads the row whole, rejects it


def _columns(_: Reply, listed: Sequence[_Listed]) -> Iterator[Columns]:
    kinds = [_kind(row) for row in listed]
    times = from_written([row.timestamp for row in listed])
    terms = [_terms(row, kind) for row, kind in zip(listed, kinds, strict=True)]
    told = list(zip(times, terms, listed, strict=True))
    yield _instruments(told)
    for kind, record in TICKERS.items():
        ours = [told_of for told_of in told if told_of[1].kind == kind]
        if ours:
            yield _tickers(record, kind, ours)
            if kind != "spot":
                yield _interest(kind, [told_of for told_of in ours if told_of[2].open_interest is not None])


# `instrument/active` and `instrument`: of each row the terms, the ticker and the open interest.
# Types that are no contracts of ours (`NOT_READ`) are left out; a reply of nothing else is refused.
parse_instruments = Sheet(_wanted, _Listed, _columns, strict=True)


def _kind(row: _Listed) -> Kind:
    if row.typ not in KINDS:
        raise Refused("unknown_terms", f"{row.symbol}: type {row.typ!r:.20} is none that is documented")
    kind = KINDS[row.typ]
    agree(row.symbol, "kind", kind_of(row.symbol), kind)  # books and trades have the name only
    return kind


def _terms(row: _Listed, kind: Kind) -> _Terms:
    settle, size = _contract(row, kind)
    expiry_ts = instant_written(_stated(row, "expiry", row.expiry)) if kind == "future" else None
    interval = _stated(row, "fundingInterval", row.funding_interval) if kind == "perp" else None
    base, quote = coin(row.underlying), coin(row.quote_currency)
    interval_s = None if interval is None else seconds(interval, row.symbol)
    agree(row.symbol, "inverse", settle == base, row.is_inverse)
    agree(row.symbol, "quanto", settle not in (base, quote), row.is_quanto)
    expiry_us = None if expiry_ts is None else (expiry_ts - EPOCH) // MICROSECOND
    return _Terms(kind, base, quote, settle, size, expiry_us, interval_s)


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


def _instruments(told: Sequence[_Told]) -> Columns:
    listed = [row for _, _, row in told]
    terms = [terms for _, terms, _ in told]
    fields: dict[str, Values] = {
        "venue": "bitmex",
        "symbol": [row.symbol for row in listed],
        "kind": [contract.kind for contract in terms],
        "base_asset": [contract.base_asset for contract in terms],
        "quote_asset": [contract.quote_asset for contract in terms],
        "settle_asset": [contract.settle_asset for contract in terms],
        "contract_size": [contract.contract_size for contract in terms],
        "amount_unit": "contracts",
        "is_inverse": [row.is_inverse for row in listed],
        "is_quanto": [row.is_quanto for row in listed],
        "tick_size_px": [row.tick_size for row in listed],
        "lot_size_qty": [row.lot_size for row in listed],
        "expiry_ts": [contract.expiry_us for contract in terms],
        "funding_interval_s": [contract.funding_interval_s for contract in terms],
        "terms_source": "listed",
    }
    return Columns(Instrument, len(told), fields)


def _tickers(record: type[SpotTicker], kind: Kind, told: Sequence[_Told]) -> Columns:
    listed = [row for _, _, row in told]
    fields: dict[str, Values] = {
        **_seen(kind, told),
        "bid_px": [row.bid_price or None for row in listed],  # 0 where there is none, as in other prices
        "ask_px": [row.ask_price or None for row in listed],
        "last_px": [row.last_price or None for row in listed],
        "volume_24h_base": [row.home_notional24h for row in listed],
        "volume_24h_quote": [row.foreign_notional24h for row in listed],
    }
    if kind != "spot":
        fields["mark_px"] = [row.mark_price or None for row in listed]
        fields["index_px"] = [row.indicative_settle_price or None for row in listed]
    if kind == "perp":
        fields["funding_rate"] = [row.funding_rate for row in listed]
        fields["funding_interval_s"] = [terms.funding_interval_s for _, terms, _ in told]
        fields["next_funding_ts"] = where_given([row.funding_timestamp for row in listed], from_written)
    return Columns(record, len(told), fields)


def _interest(kind: Kind, told: Sequence[_Told]) -> Columns:
    fields: dict[str, Values] = {
        **_seen(kind, told),
        "open_interest_qty": [row.open_interest for _, _, row in told],
        "open_interest_base": [_coins(row, row.open_value) for _, _, row in told],
    }
    return Columns(OpenInterest, len(told), fields)


def _seen(kind: Kind, told: Sequence[_Told]) -> dict[str, Values]:
    return {
        "venue": "bitmex",
        "symbol": [row.symbol for _, _, row in told],
        "kind": kind,
        "event_ts": [at for at, _, _ in told],
    }
