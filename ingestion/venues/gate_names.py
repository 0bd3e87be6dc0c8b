"""Gate's names and contract terms: https://www.gate.com/docs/developers/apiv4/en/#futures

Spot pairs and perpetuals share their spelling (`BTC_USDT`): which one is meant, only the context says.
"""

import re
from datetime import datetime
from functools import lru_cache

import msgspec

from ingestion.records import Instrument, Kind
from ingestion.venues.base import Refused
from ingestion.venues.wire import NAMES_KEPT, Name, agree, expiry, instrument

_NAME = re.compile(r"(?P<base>[^\W_]+)_(?P<quote>[A-Z0-9]+)(_20(?P<day>[0-9]{6}))?")

# `quanto_multiplier` in the lists of 2023 and, of bitcoin, in the documentation; every coin has its own.
LINEAR_SIZE = {"BTC": 0.0001, "ETH": 0.01, "ETHW": 0.1}
DATED_SIZE = {"BTC": 0.0001}
INVERSE_SIZE = 1.0  # US dollar; the lists say 0
QUANTO_SIZE = {"ETH": 0.000001}  # bitcoin a dollar of the price, in the lists of 2019


@lru_cache(maxsize=NAMES_KEPT)
def read_contract(symbol: str) -> Name:
    """What the name of a perpetual or future says; prices in USD are settled in bitcoin."""
    found = _NAME.fullmatch(symbol)
    if found is None or found["quote"] not in ("USDT", "USD") or (found["day"] and found["quote"] == "USD"):
        raise Refused("unknown_symbol", f"{symbol}: no contract of Gate's grammar, such as BTC_USDT or BTC_USD")
    base, quote, day = found["base"], found["quote"], found["day"]
    if day:
        expiry_ts = expiry(int(day[:2]), int(day[2:4]), int(day[4:]), symbol)
        return Name("future", base, quote, quote, expiry_ts=expiry_ts)
    if quote == "USDT":
        return Name("perp", base, quote, quote)
    return Name("perp", base, quote, "BTC", is_inverse=base == "BTC")


@lru_cache(maxsize=NAMES_KEPT)
def read_pair(symbol: str) -> Name:
    """The two sides of a spot pair."""
    found = _NAME.fullmatch(symbol)
    if found is None or found["day"]:
        raise Refused("unknown_symbol", f"{symbol}: no spot pair of Gate's grammar, such as BTC_USDT")
    return Name("spot", found["base"], found["quote"], found["quote"])


@lru_cache(maxsize=NAMES_KEPT)
def refuse_foreign(symbol: str, kind: Kind, settle_asset: str) -> None:
    """Refuse a contract that by its name belongs to another market than the one whose reply it stands in."""
    name = read_contract(symbol)
    agree(symbol, "kind", name.kind, kind)
    agree(symbol, "settlement", name.settle_asset, settle_asset)


def is_quanto(name: Name) -> bool:
    return name.settle_asset not in (name.base_asset, name.quote_asset)


def terms(symbol: str, kind: Kind, at: datetime) -> Instrument:
    """Terms by Gate's naming and documented multipliers; a coin whose multiplier only lists tell is `Refused`."""
    name = read_pair(symbol) if kind == "spot" else read_contract(symbol)
    agree(symbol, "kind", name.kind, kind)
    found = instrument(
        name,
        venue="gate",
        symbol=symbol,
        captured_ts=at,
        contract_size=1.0 if kind == "spot" else documented_size(symbol),
        amount_unit="base" if kind == "spot" else "contracts",
        terms_source="documented",
    )
    return msgspec.structs.replace(found, is_quanto=is_quanto(name))


def documented_size(symbol: str) -> float:
    """One contract: base coin, US dollars if inverse, bitcoin a dollar of the price if quanto."""
    name = read_contract(symbol)
    if name.is_inverse:
        return INVERSE_SIZE
    sizes = QUANTO_SIZE if is_quanto(name) else DATED_SIZE if name.kind == "future" else LINEAR_SIZE
    if name.base_asset not in sizes:
        raise Refused("unknown_terms", f"{symbol}: Gate documents no multiplier of {name.base_asset}, its lists do")
    return sizes[name.base_asset]
