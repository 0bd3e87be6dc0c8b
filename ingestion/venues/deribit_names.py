"""Deribit's names and contract terms: https://docs.deribit.com/#naming"""

import re
from datetime import datetime
from functools import lru_cache
from typing import Literal

from ingestion.records import AmountUnit, Instrument, Kind
from ingestion.venues.base import Refused
from ingestion.venues.wire import NAMES_KEPT, Name, agree, expiry_written, instrument

# `current_funding` is the 8-hour rate that would be paid if the present premium lasted; `funding_8h` is what
# was paid over the last 8 hours. Funding accrues continuously, so there is no next settlement.
FUNDING_INTERVAL_S = 28_800

INVERSE_FUTURE_SIZE = {"BTC": 10.0, "ETH": 1.0, "SOL": 10.0}  # US dollars
# https://support.deribit.com/hc/en-us/articles/25944750999581-Linear-USDC-Options
LINEAR_OPTION_SIZE = {"SOL": 10.0, "XRP": 1_000.0, "MATIC": 1_000.0}  # base coin

_NAME = re.compile(
    r"(?P<base>[A-Z0-9]+)(_(?P<quote>USDC|USDT|EURR))?"
    r"(-(?P<perpetual>PERPETUAL)"
    r"|-(?P<day>[0-9]{1,2}[A-Z]{3}[0-9]{2})(-(?P<strike>[0-9]+(d[0-9]+)?)-(?P<right>[CP]))?)?"
)
_SPOT = re.compile(r"(?P<base>[A-Z0-9]+)_(?P<quote>[A-Z0-9]+)")


@lru_cache(maxsize=NAMES_KEPT)
def read_name(symbol: str) -> Name:
    """What the name says; combos (`BTC-FS-29MAR24_PERP`) and whatever else is unknown are `Refused`."""
    if spot := _SPOT.fullmatch(symbol):
        return Name("spot", spot["base"], spot["quote"], spot["quote"])
    found = _NAME.fullmatch(symbol)
    if found is None or not (found["perpetual"] or found["day"]):
        raise Refused("unknown_symbol", f"{symbol}: no perpetual, future, option or spot pair of Deribit's grammar")
    base, linear_quote = found["base"], found["quote"]
    quote, settle = (linear_quote, linear_quote) if linear_quote else ("USD", base)
    is_inverse = linear_quote is None
    if found["perpetual"]:
        return Name("perp", base, quote, settle, is_inverse)
    expiry_ts = expiry_written(found["day"], symbol)
    if found["strike"] is None:
        return Name("future", base, quote, settle, is_inverse, expiry_ts)
    strike_px = float(found["strike"].replace("d", "."))
    return Name("option", base, quote, settle, is_inverse, expiry_ts, strike_px, _RIGHTS[found["right"]])


_RIGHTS: dict[str, Literal["call", "put"]] = {"C": "call", "P": "put"}


def amount_unit(name: Name) -> AmountUnit:
    return "usd" if name.is_inverse and name.kind in ("future", "perp") else "base"


def terms(symbol: str, kind: Kind, at: datetime) -> Instrument:
    """Terms by Deribit's naming and contract specifications.

    Sizes of linear futures and most linear options stand only in instrument lists: `Refused`, not guessed.
    """
    name = read_name(symbol)
    agree(symbol, "kind", name.kind, kind)
    return instrument(
        name,
        venue="deribit",
        symbol=symbol,
        captured_ts=at,
        contract_size=_documented_size(symbol, name),
        amount_unit=amount_unit(name),
        terms_source="documented",
        funding_interval_s=FUNDING_INTERVAL_S if kind == "perp" else None,
    )


def _documented_size(symbol: str, name: Name) -> float:
    if name.kind == "spot" or (name.kind == "option" and name.is_inverse):
        return 1.0
    sizes = INVERSE_FUTURE_SIZE if name.is_inverse else LINEAR_OPTION_SIZE if name.kind == "option" else {}
    if name.base_asset not in sizes:
        raise Refused("unknown_terms", f"{symbol}: contract size not documented here, only in an instrument list")
    return sizes[name.base_asset]
