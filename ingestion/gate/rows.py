"""Row rules: what one record must be to enter the lake.

Field names carry their unit, so most rules belong to a name and hold for every dataset that has it.
A crossed, locked or one-sided book passes: it is what the venue showed, and the facts flag it.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import inf, isfinite
from typing import TypeVar, get_args

import msgspec

from ingestion.records import (
    DATASETS,
    Candle,
    FundingRate,
    FutureTicker,
    GasPrice,
    IndexPrice,
    Instrument,
    Liquidation,
    MarginTier,
    OpenInterest,
    OptionQuote,
    OrderBook,
    PerpTicker,
    PoolReserves,
    Record,
    SpotTicker,
    Trade,
    VolatilityIndex,
)

Broken = tuple[str, str]
R = TypeVar("R", bound=Record)

MAX_SKEW = timedelta(seconds=60)
MAX_SNAPSHOT_AGE = timedelta(hours=24)
MAX_TIME_TO_EXPIRY = timedelta(days=3650)  # the longest future or option ever listed ran under three years

SNAPSHOTS = frozenset(
    {
        *(OrderBook, SpotTicker, FutureTicker, PerpTicker, OptionQuote, OpenInterest, IndexPrice),
        *(MarginTier, GasPrice, PoolReserves),
    }
)
EVENTS = frozenset(
    {Trade, FundingRate, Candle, Liquidation, VolatilityIndex}
)  # what happened at an instant, and means nothing without it
KINDS: dict[type[Record], frozenset[str]] = {
    SpotTicker: frozenset({"spot"}),
    FutureTicker: frozenset({"future"}),
    PerpTicker: frozenset({"perp"}),
    OptionQuote: frozenset({"option"}),
    IndexPrice: frozenset({"spot"}),
    FundingRate: frozenset({"perp"}),
    Liquidation: frozenset({"perp", "future", "option"}),
    MarginTier: frozenset({"perp", "future"}),
    VolatilityIndex: frozenset({"option"}),
    GasPrice: frozenset({"spot"}),
    PoolReserves: frozenset({"spot"}),
}
ALL_KINDS = frozenset({"spot", "perp", "future", "option"})

# An allow-list: names travel into file names, SQL and logs further on.
_NAME = re.compile(r"[\w.:@+-]{1,64}")


@dataclass(frozen=True, slots=True)
class Bound:
    """Numbers of these fields lie in [low, high], or in (low, high] where `is_open`."""

    rule: str
    fields: str  # a regular expression over field names; the first bound that matches holds
    low: float
    high: float
    is_open: bool = False


SEQUENCE = Bound("negative", r"sequence_id|missed_.+_id", 0, 2**62)  # JSON sets no bound, the lake's columns do
BOUNDS = (
    Bound("positive", r"(.+_)?px|contract_size|lot_size_qty", 0, inf, is_open=True),
    # A decimal a year. A venue's percent read as a decimal starts near 10; zero is a venue's "none".
    Bound("iv_range", r".+_iv_ann", 0, 5, is_open=True),
    # Black-Scholes; the margin covers venues that round to three digits.
    Bound("greek_range", r"delta", -1.001, 1.001),
    Bound("greek_range", r"gamma|vega", 0, inf),
    # Venues cap one settlement at 4 % or less; beyond 5 % it is a percent or a yearly rate.
    Bound("funding_range", r"funding_rate", -0.05, 0.05),
    # Of a position's value: a percent read as a decimal is a hundred times the other.
    Bound("margin_range", r".+_margin_frac", 0, 1, is_open=True),
    Bound("gas_range", r".+_wei|.+_scalar|block_number|chain_id", 0, 2**62),
    Bound("gas_range", r"gas_used_frac", 0, 1),
    Bound("reserve_range", r".+_reserve_units", 0, 2**112 - 1, is_open=True),  # uint112; an empty pool has no price
    Bound("reserve_range", r".+_decimals", 0, 36),
    Bound("interval_range", r"(.+_)?interval_s", 1, 31 * 86_400),
    Bound("negative", r"(.+_)?qty|volume_.+|open_interest_.+", 0, inf),
    SEQUENCE,
)
# Where one dataset departs from its fields' names.
EXCEPTIONS: dict[type[Record], tuple[Bound, ...]] = {
    # A trade of nothing is no trade; a quote of nothing is a side without orders.
    Trade: (Bound("positive", r"qty", 0, inf, is_open=True),),
    Liquidation: (Bound("positive", r"qty", 0, inf, is_open=True),),
    # A nearly worthless option's mark rounds to nothing at the venue's tick.
    OptionQuote: (Bound("negative", r"mark_px", 0, inf),),
}

Number = tuple[str, bool, Bound | None]
NUMERIC: frozenset[type] = frozenset({float, int, Decimal})


def _numbers_of(record: type[Record]) -> tuple[Number, ...]:
    bounds = (*EXCEPTIONS.get(record, ()), *BOUNDS)
    return tuple(
        (
            field.name,
            field.required,
            next((bound for bound in bounds if re.fullmatch(bound.fields, field.name)), None),
        )
        for field in msgspec.structs.fields(record)
        if NUMERIC & ({field.type} | set(get_args(field.type))) and field.type is not bool
    )


def _texts_of(record: type[Record]) -> tuple[str, ...]:
    return tuple(field.name for field in msgspec.structs.fields(record) if field.type is str and field.name != "venue")


NUMBERS = {record: _numbers_of(record) for record in DATASETS.values() if record is not OrderBook}
TEXTS = {record: _texts_of(record) for record in DATASETS.values()}


def broken_rule(record: Record) -> Broken | None:
    """The first rule that this record breaks and why, in a line; none if it may enter the lake."""
    try:
        return (
            _identity(record)
            or _clock(record)
            or (_book(record) if isinstance(record, OrderBook) else _numbers(record))
            or _shape(record)
        )
    except TypeError as error:
        return "type", f"{type(record).__name__}: {error}"


def _identity(record: Record) -> Broken | None:
    for name in TEXTS[type(record)]:
        text = getattr(record, name)
        if not _NAME.fullmatch(text):
            return "name", f"{name} {text[:80]!r}: expected 1 to 64 letters, digits or any of . : @ + - _"
    kinds = KINDS.get(type(record), ALL_KINDS)
    if record.kind not in kinds:
        return "kind", f"kind {record.kind!r}: expected one of {', '.join(sorted(kinds))}"
    return None


def _clock(record: Record) -> Broken | None:
    captured_ts, event_ts = record.captured_ts, record.event_ts
    if captured_ts.utcoffset() is None:
        return "clock", f"captured_ts {captured_ts}: expected an instant with a time zone"
    if event_ts is None:
        return ("clock", "no event_ts: expected the venue's instant") if type(record) in EVENTS else None
    if event_ts - captured_ts > MAX_SKEW:
        return "clock_skew", f"event_ts {event_ts} is {_ago(event_ts, captured_ts)} after captured_ts"
    if type(record) in SNAPSHOTS and captured_ts - event_ts > MAX_SNAPSHOT_AGE:
        return "stale", f"event_ts {event_ts} is {_ago(captured_ts, event_ts)} before captured_ts"
    return None


def _ago(later: datetime, earlier: datetime) -> str:
    return f"{(later - earlier).total_seconds():,.0f} s"


def _numbers(record: Record) -> Broken | None:
    for name, is_required, bound in NUMBERS[type(record)]:
        number = getattr(record, name)
        if number is None and not is_required:
            continue
        if type(number) not in NUMERIC:
            return "type", f"{name} {number!r:.80}: expected a number"
        # Unlike `isfinite`, of whole numbers of any length; a decimal's NaN cannot be compared.
        if not (number.is_finite() if type(number) is Decimal else -inf < number < inf):
            return "finite", f"{name} {number}: expected a finite number"
        if bound is None:
            continue
        if number < bound.low or number > bound.high or (bound.is_open and number == bound.low):
            span = f"{'(' if bound.is_open else '['}{bound.low:g}, {bound.high:g}]"
            return bound.rule, f"{name} {number}: expected within {span}"
    return None


def _book(book: OrderBook) -> Broken | None:
    if book.sequence_id is not None and not SEQUENCE.low <= book.sequence_id <= SEQUENCE.high:
        return SEQUENCE.rule, f"sequence_id {book.sequence_id}: expected within [0, {SEQUENCE.high:g}]"
    sides: tuple[tuple[str, tuple[float, ...], tuple[float, ...], Callable[[float, float], bool]], ...] = (
        ("bid", book.bid_px, book.bid_qty, operator.gt),
        ("ask", book.ask_px, book.ask_qty, operator.lt),
    )
    for side, px, qty, is_better in sides:
        if len(px) != len(qty):
            return "book_shape", f"{side}: {len(px)} prices and {len(qty)} sizes (expected as many)"
        if not px:
            continue
        # One NaN or infinity makes the sum so; this is ten times faster than asking each level.
        if not (isfinite(sum(px)) and isfinite(sum(qty))):
            return "finite", f"{side}: a price or size is not a finite number"
        if min(px) <= 0 or min(qty) <= 0:
            return "positive", f"{side}: lowest price {min(px)}, lowest size {min(qty)} (expected over 0)"
        if not all(map(is_better, px, px[1:])):
            return "book_order", f"{side}: prices do not run strictly outward from the best"
    return None


def _shape(record: Record) -> Broken | None:
    if isinstance(record, Instrument):
        return _terms(record)
    if isinstance(record, Candle):
        low, high = record.low_px, record.high_px
        if not (low <= record.open_px <= high and low <= record.close_px <= high):
            bar = f"open {record.open_px}, high {high}, low {low}, close {record.close_px}"
            return "candle_shape", f"{bar} (expected low ≤ open, close ≤ high)"
    if isinstance(record, MarginTier):
        return _tier(record)
    return None


def _tier(tier: MarginTier) -> Broken | None:
    if tier.size_cap_qty is not None and tier.size_cap_qty <= tier.size_floor_qty:
        sizes = f"sizes over {tier.size_floor_qty} up to {tier.size_cap_qty}"
        return "tier_shape", f"{sizes}: expected a cap over the floor"
    if tier.maintenance_margin_frac > tier.initial_margin_frac:
        margins = f"initial {tier.initial_margin_frac}, maintenance {tier.maintenance_margin_frac}"
        return "tier_shape", f"{margins}: expected no more to keep than to open"
    return None


def _terms(terms: Instrument) -> Broken | None:
    has_expiry = terms.kind in {"future", "option"}
    if has_expiry is not (terms.expiry_ts is not None):
        wanted = "an expiry" if has_expiry else "no expiry"
        return "terms", f"{terms.kind} with expiry_ts {terms.expiry_ts}: expected {wanted}"
    is_option = terms.kind == "option"
    if is_option is not (terms.strike_px is not None) or is_option is not (terms.option_type is not None):
        wanted = "both" if is_option else "neither"
        return "terms", f"{terms.kind}: strike {terms.strike_px}, {terms.option_type} (expected {wanted})"
    if terms.expiry_ts is not None and terms.expiry_ts - terms.captured_ts > MAX_TIME_TO_EXPIRY:
        return "terms", f"expiry_ts {terms.expiry_ts}: expected within ten years of the capture"
    return None
