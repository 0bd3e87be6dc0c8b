"""Kraken Futures' names and contract terms.

https://support.kraken.com/articles/360022835911 (inverse), https://support.kraken.com/articles/4844359082772 (linear)
Contracts are named in upper case; replies before 2022 wrote them in lower case, as those of indices still are.
"""

import calendar
import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from ingestion.records import Instrument, Kind
from ingestion.venues.base import Refused
from ingestion.venues.wire import NAMES_KEPT, Name, agree, instrument

# P perpetual, F of fixed maturity; I inverse, F linear of many collaterals, V linear of the quote coin (until 2020).
_NAME = re.compile(r"(?P<term>[PF])(?P<style>[IFV])_(?P<base>[A-Z0-9]+)(?P<quote>USD|XBT)(_(?P<day>[0-9]{6}))?")
_INDEX = re.compile(r"in_(?P<base>[a-z0-9]+)(?P<quote>usd|xbt)")
STYLES = {"futures_inverse": "I", "flexible_futures": "F", "futures_vanilla": "V"}

# "XBT is used on the API and account logs. Both refer to Bitcoin": both specifications.
_USUAL = {"XBT": "BTC"}
_KRAKENS = {usual: own for own, usual in _USUAL.items()}

# One US dollar if inverse; one coin if linear: both specifications, and `contractSize` of every list.
CONTRACT_SIZE = 1.0


def spelled(symbol: str) -> str:
    """A contract's name as Kraken writes it today, for names are not told apart by case."""
    return symbol.upper()


@lru_cache(maxsize=NAMES_KEPT)
def read_name(symbol: str) -> Name:
    """What a contract's name says; anything else is `Refused`."""
    found = _NAME.fullmatch(symbol)
    if found is None or (found["term"] == "P") is not (found["day"] is None):
        raise Refused("unknown_symbol", f"kraken_futures {symbol}: expected such as PI_XBTUSD or FF_XBTUSD_261225")
    base, quote = _asset(found["base"]), _asset(found["quote"])
    is_inverse = found["style"] == "I"
    settle = base if is_inverse else quote
    if found["day"] is None:
        return Name("perp", base, quote, settle, is_inverse)
    return Name("future", base, quote, settle, is_inverse, _last_trading(found["day"], found["style"], symbol))


def style(symbol: str) -> str:
    """I, F or V."""
    return symbol[1]


def read_index(symbol: str) -> tuple[str, str]:
    """Base and quote of a real-time index, such as `in_xbtusd`; anything else is `Refused`."""
    found = _INDEX.fullmatch(symbol)
    if found is None:
        raise Refused("unknown_symbol", f"kraken_futures {symbol}: expected an index such as in_xbtusd")
    return _asset(found["base"].upper()), _asset(found["quote"].upper())


def question(base: str, style: str) -> str:
    """The name of the perpetual of this style in dollars."""
    return f"P{style}_{_KRAKENS.get(base, base)}USD"


def _asset(code: str) -> str:
    return _USUAL.get(code, code)


def _last_trading(day: str, style: str, symbol: str) -> datetime:
    """08:00 UTC if linear of many collaterals; else 16:00 in London, which is 15:00 UTC in its summer.

    https://support.kraken.com/hc/en-us/articles/linear-multi-collateral-fixed-maturity-contract-specifications
    https://support.kraken.com/hc/en-us/articles/360022632172
    """
    try:
        on = date(2000 + int(day[:2]), int(day[2:4]), int(day[4:]))
    except ValueError as error:
        raise Refused("unknown_symbol", f"kraken_futures {symbol}: the calendar has no day {day}") from error
    hour = 8 if style == "F" else 15 if _is_summer_in_london(on) else 16
    return datetime(on.year, on.month, on.day, hour, tzinfo=UTC)


def _is_summer_in_london(on: date) -> bool:
    """From the last Sunday of March to that of October, by law since 1996; no zone database is needed to run."""
    return _last_sunday(on.year, 3) <= on < _last_sunday(on.year, 10)


def _last_sunday(year: int, month: int) -> date:
    last = date(year, month, calendar.monthrange(year, month)[1])
    return last - timedelta(days=(last.weekday() + 1) % 7)


def terms(symbol: str, kind: Kind, at: datetime) -> Instrument:
    """Terms by the grammar and the specifications, which have not changed since the first list known."""
    name = read_name(symbol)
    agree(symbol, "kind", name.kind, kind)
    return instrument(
        name,
        venue="kraken_futures",
        symbol=symbol,
        captured_ts=at,
        contract_size=CONTRACT_SIZE,
        amount_unit="contracts",
        terms_source="documented",
    )
