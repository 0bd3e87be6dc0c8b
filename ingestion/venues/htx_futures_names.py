"""HTX Futures' names and contract terms: https://www.htx.com/en-us/opend/newApiPages/

`BTC-USDT` and `BTC-USDT-240329` are linear, `BTC-USD` is a perpetual in coin, `BTC240329` a future in coin.
Market data may name a future by its turn instead, as `BTC_CW` or `BTC-USDT-CQ`: the records never do.
"""

import re
from datetime import datetime, timedelta
from functools import lru_cache

from ingestion.records import Instrument, Kind
from ingestion.venues.base import Refused
from ingestion.venues.wire import EXPIRY_HOUR, NAMES_KEPT, Name, agree, expiry, instrument, last_friday

VENUE = "htx_futures"

_LINEAR = re.compile(r"([A-Z0-9]+)-(USDT|HUSD)(?:-([0-9]{6}))?")
_COIN_PERP = re.compile(r"([A-Z0-9]+)-USD")
_COIN_FUTURE = re.compile(r"([A-Z0-9]+?)([0-9]{6})")
_TURN = re.compile(r"(?:([A-Z0-9]+)_|([A-Z0-9]+-USDT-))(CW|NW|CQ|NQ)")
_INDEX = re.compile(r"([A-Z0-9]+)(?:-(USD|USDT|HUSD))?")
_FRIDAY = 4
_WEEK = timedelta(weeks=1)
ROLL = timedelta(hours=1)  # after a delivery, in which turns change hands at an instant that is not told

INVERSE_FACE = 10.0  # US dollars
INVERSE_FACE_BTC = 100.0
# `contract_size` in the lists of 2022 and, of bitcoin, in the documentation; every coin has its own.
LINEAR_SIZE = {"BTC": 0.001, "ETH": 0.01}


@lru_cache(maxsize=NAMES_KEPT)
def read_name(code: str) -> Name:
    """What the code of a contract says; `Refused` if it is none, also if it names a contract by its turn."""
    if found := _LINEAR.fullmatch(code):
        base, quote, day = found.groups()
        return Name("future" if day else "perp", base, quote, quote, False, _expiry(day, code) if day else None)
    if found := _COIN_PERP.fullmatch(code):
        return Name("perp", found[1], "USD", found[1], True)
    if found := _COIN_FUTURE.fullmatch(code):
        return Name("future", found[1], "USD", found[1], True, _expiry(found[2], code))
    raise Refused("unknown_symbol", f"{code}: no contract of HTX's grammar, such as BTC-USDT, BTC-USD or BTC240329")


def _expiry(day: str, code: str) -> datetime:
    return expiry(int(day[:2]), int(day[2:4]), int(day[4:]), code)


def read_index(symbol: str) -> Name:
    """An index is named as the perpetual on it, or, where futures in coin ask for it, by the coin alone."""
    found = _INDEX.fullmatch(symbol)
    if found is None:
        raise Refused("unknown_symbol", f"{symbol}: no index of HTX's grammar, such as BTC or BTC-USDT")
    quote = found[2] or "USD"
    return Name("spot", found[1], quote, quote)


def contract_code(symbol: str, at: datetime) -> str:
    """The code of a contract, whatever its case, and at this instant of one that is named by its turn.

    Weekly contracts are delivered on Fridays; a quarterly one stays in its turn until it has two weeks to run.
    """
    code = symbol.upper()
    found = _TURN.fullmatch(code)
    if found is None:
        return code
    friday = at.replace(hour=EXPIRY_HOUR, minute=0, second=0, microsecond=0) + timedelta(_FRIDAY - at.weekday())
    this_week = friday if friday > at else friday + _WEEK
    if at - (this_week - _WEEK) < ROLL:
        raise Refused("unknown_symbol", f"{symbol}: which contract has its turn at {at:%Y-%m-%d %H:%M} is not told")
    turns = {"CW": this_week, "NW": this_week + _WEEK}
    turns["CQ"], turns["NQ"] = _quarters_after(turns["NW"], code)
    return f"{found[1] or found[2]}{turns[found[3]]:%y%m%d}"


@lru_cache(maxsize=NAMES_KEPT)
def _quarters_after(day: datetime, code: str) -> tuple[datetime, datetime]:
    year = day.year % 100
    ends = [last_friday(y, month, code) for y in (year, year + 1) for month in (3, 6, 9, 12)]
    first, second, *_ = [end for end in ends if end > day]
    return first, second


def terms(symbol: str, kind: Kind, at: datetime) -> Instrument:
    """Terms by HTX's naming and documented sizes; an index counts as a spot pair."""
    name = read_index(symbol) if kind == "spot" else read_name(symbol)
    agree(symbol, "kind", name.kind, kind)
    return instrument(
        name,
        venue=VENUE,
        symbol=symbol,
        captured_ts=at,
        contract_size=1.0 if kind == "spot" else _documented_size(symbol, name),
        amount_unit="base" if kind == "spot" else "contracts",
        terms_source="documented",
    )


def _documented_size(symbol: str, name: Name) -> float:
    if name.is_inverse:
        return INVERSE_FACE_BTC if name.base_asset == "BTC" else INVERSE_FACE
    if name.quote_asset != "USDT" or name.base_asset not in LINEAR_SIZE:
        raise Refused("unknown_terms", f"{symbol}: HTX documents no size of this contract, its lists do")
    return LINEAR_SIZE[name.base_asset]
