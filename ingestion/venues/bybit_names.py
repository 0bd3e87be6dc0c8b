"""Bybit's names and contract terms: https://bybit-exchange.github.io/docs/v5/enum#symbol

Spot pairs and USDT perpetuals share their spelling (`BTCUSDT`): what is spot, only the context says.
"""

import re
from datetime import datetime
from functools import lru_cache
from typing import Literal

from ingestion.records import AmountUnit, Instrument, Kind
from ingestion.venues.base import Refused
from ingestion.venues.wire import NAMES_KEPT, Name, agree, expiry_written, instrument, last_friday

# Tried in this order: `PERPUSDT` is a USDT perpetual on the coin PERP, `BTCUSDH24` no perpetual at all.
_OPTION = re.compile(r"([A-Z0-9]+)-([0-9]{1,2}[A-Z]{3}[0-9]{2})-([0-9]+(?:\.[0-9]+)?)-([CP])(-USDT)?")
_DATED_USDT = re.compile(r"([A-Z0-9]+)USDT-([0-9]{1,2}[A-Z]{3}[0-9]{2})")
_DATED_USDC = re.compile(r"([A-Z0-9]+)-([0-9]{1,2}[A-Z]{3}[0-9]{2})")
_QUARTERLY = re.compile(r"([A-Z0-9]+)USD([HMUZ])([0-9]{2})")
_PERPS = (
    (re.compile(r"([A-Z0-9]+)USDT"), "USDT"),
    (re.compile(r"([A-Z0-9]+)PERP"), "USDC"),
    (re.compile(r"([A-Z0-9]+)USD"), "USD"),
)
_QUARTER_MONTH = {"H": 3, "M": 6, "U": 9, "Z": 12}
_RIGHTS: dict[str, Literal["call", "put"]] = {"C": "call", "P": "put"}
_SPOT_QUOTES = ("USDT", "USDC", "DAI", "BTC", "ETH", "EUR", "BRZ")

# Every 8 hours for these; the interval of other coins was shortened case by case, and only lists state it.
FUNDING_INTERVAL_S = 28_800
FUNDED_EVERY_8H = ("BTC", "ETH")


@lru_cache(maxsize=NAMES_KEPT)
def read_name(symbol: str) -> Name:
    """What the name of a derivative says; `Refused` if it is none."""
    if found := _OPTION.fullmatch(symbol):
        base, day, strike, right, usdt = found.groups()
        quote = "USDT" if usdt else "USDC"
        expiry_ts = expiry_written(day, symbol)
        return Name("option", base, quote, quote, False, expiry_ts, float(strike), _RIGHTS[right])
    for grammar, quote in ((_DATED_USDT, "USDT"), (_DATED_USDC, "USDC")):
        if found := grammar.fullmatch(symbol):
            return Name("future", found[1], quote, quote, False, expiry_written(found[2], symbol))
    if found := _QUARTERLY.fullmatch(symbol):
        base, letter, year = found.groups()
        expiry_ts = last_friday(int(year), _QUARTER_MONTH[letter], symbol)
        return Name("future", base, "USD", base, True, expiry_ts)
    for grammar, quote in _PERPS:
        if found := grammar.fullmatch(symbol):
            is_inverse = quote == "USD"
            return Name("perp", found[1], quote, found[1] if is_inverse else quote, is_inverse)
    raise Refused("unknown_symbol", f"{symbol}: no perpetual, future or option of Bybit's grammar")


def read_spot(symbol: str) -> Name:
    """The two sides of a spot pair, by the quote currency it ends in; leveraged tokens are pairs too."""
    for quote in _SPOT_QUOTES:
        base = symbol.removesuffix(quote)
        if base and base != symbol:
            return Name("spot", base, quote, quote)
    raise Refused("unknown_symbol", f"{symbol}: no spot pair in {', '.join(_SPOT_QUOTES)}")


def amount_unit(name: Name) -> AmountUnit:
    return "usd" if name.is_inverse else "base"


def terms(symbol: str, kind: Kind, at: datetime) -> Instrument:
    """Terms by Bybit's naming: sizes count base coin, for inverse contracts US dollars."""
    name = read_spot(symbol) if kind == "spot" else read_name(symbol)
    agree(symbol, "kind", name.kind, kind)
    is_every_8h = kind == "perp" and name.base_asset in FUNDED_EVERY_8H
    return instrument(
        name,
        venue="bybit",
        symbol=symbol,
        captured_ts=at,
        contract_size=1.0,
        amount_unit=amount_unit(name),
        terms_source="documented",
        funding_interval_s=FUNDING_INTERVAL_S if is_every_8h else None,
    )
