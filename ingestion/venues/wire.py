"""What several venues' wire formats share: finite numbers, absence, and what a symbol's name says."""

import calendar
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias, TypedDict

import msgspec

from ingestion.records import AmountUnit, Instrument, Kind
from ingestion.venues.base import EARLIEST, LATEST, Refused

Finite: TypeAlias = Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]  # NaN and infinity fail any bound
Blank: TypeAlias = Literal[""]  # how OKX and Bybit write "not applicable" in a field of decimals

NAMES_KEPT = 8_192  # more symbols than a venue lists: reading a name once is a fifth of reading its quotes
EXPIRY_HOUR = 8  # UTC; Deribit, OKX and Bybit all deliver then
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def given(value: float | Blank | None) -> float | None:
    """The number, or none where the venue left it blank."""
    return None if isinstance(value, str) else value


def touch(px: float | Blank | None, qty: float | Blank | None) -> tuple[float | None, float | None]:
    """Price and size of the best level; none at all where nothing rests, which venues also write as 0."""
    return (given(px), given(qty)) if given(px) and given(qty) else (None, None)


def above_zero(value: float | Blank | None) -> float | None:
    """A price or volatility for which the venue writes 0 when there is none."""
    return given(value) or None


class Seen(TypedDict):
    """What every record of one row carries; passed on as `**seen`."""

    venue: str
    symbol: str
    kind: Kind
    captured_ts: datetime
    event_ts: datetime | None


class Quotes(TypedDict):
    """What every ticker says that is no option's; passed on as `**quotes`."""

    bid_px: float | None
    bid_qty: float | None
    ask_px: float | None
    ask_qty: float | None
    last_px: float | None
    volume_24h_base: float | None
    volume_24h_quote: float | None


@dataclass(frozen=True, slots=True)
class Name:
    """What a symbol says by its venue's documented grammar."""

    kind: Kind
    base_asset: str
    quote_asset: str
    settle_asset: str
    is_inverse: bool = False
    expiry_ts: datetime | None = None
    strike_px: float | None = None
    option_type: Literal["call", "put"] | None = None


def is_named(symbol: str, read_name: Callable[[str], Name]) -> bool:
    """Whether a grammar knows this name; what is listed outside it has replies that could not be read either."""
    try:
        read_name(symbol)
    except Refused:
        return False
    return True


def instrument(
    name: Name,
    *,
    venue: str,
    symbol: str,
    captured_ts: datetime,
    contract_size: float,
    amount_unit: AmountUnit,
    terms_source: Literal["listed", "documented"],
    event_ts: datetime | None = None,
    tick_size_px: float | None = None,
    lot_size_qty: float | None = None,
    funding_interval_s: int | None = None,
) -> Instrument:
    """The terms of what is so named."""
    return Instrument(
        venue=venue,
        symbol=symbol,
        kind=name.kind,
        captured_ts=captured_ts,
        event_ts=event_ts,
        base_asset=name.base_asset,
        quote_asset=name.quote_asset,
        settle_asset=name.settle_asset,
        contract_size=contract_size,
        amount_unit=amount_unit,
        is_inverse=name.is_inverse,
        tick_size_px=tick_size_px,
        lot_size_qty=lot_size_qty,
        strike_px=name.strike_px,
        option_type=name.option_type,
        expiry_ts=name.expiry_ts,
        funding_interval_s=funding_interval_s,
        terms_source=terms_source,
    )


def expiry(year: int, month: int, day: int, symbol: str) -> datetime:
    """Delivery on that day; `Refused` where the calendar has no such day."""
    try:
        return datetime(2000 + year, month, day, EXPIRY_HOUR, tzinfo=UTC)
    except ValueError as error:
        raise Refused("unknown_symbol", f"{symbol}: no day {day} of month {month} in 20{year:02}") from error


def expiry_written(text: str, symbol: str) -> datetime:
    """Delivery on a day written `29MAR24` or `5JUN24`."""
    month = text[-5:-2]
    if month not in _MONTHS:
        raise Refused("unknown_symbol", f"{symbol}: {month} is no month")
    return expiry(int(text[-2:]), _MONTHS.index(month) + 1, int(text[:-5]), symbol)


def last_friday(year: int, month: int, symbol: str) -> datetime:
    """Delivery of a quarterly contract."""
    days = calendar.monthcalendar(2000 + year, month)
    return expiry(year, month, max(week[calendar.FRIDAY] for week in days), symbol)


def instant_written(text: str) -> datetime:
    """An ISO 8601 instant as UTC, cut to the microsecond; without a zone, or outside 2009 to 2100, it is `Refused`."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused("timestamp", f"'{text[:40]}' is no ISO 8601 instant") from error
    if at.tzinfo is None or not EARLIEST <= at < LATEST:
        raise Refused("timestamp", f"'{text[:40]}' has no time zone or lies outside 2009 to 2100")
    return at.astimezone(UTC)


def agree(symbol: str, what: str, named: object, listed: object) -> None:
    """Refuse a row whose fields contradict its own name: one of the two is not what we think."""
    if named != listed:
        raise Refused("contradiction", f"{symbol}: {what} is {listed} in the reply, {named} by its name")
