"""Bitfinex's names and contract terms: https://docs.bitfinex.com/docs/introduction

`tBTCUSD` is a spot pair, `tDUSK:USD` one of a code that has not three letters, `tBTCF0:USTF0` a perpetual.
"""

import re
from datetime import datetime
from functools import lru_cache
from typing import Literal

from ingestion.records import Instrument, Kind
from ingestion.venues.base import Refused
from ingestion.venues.wire import NAMES_KEPT, Name, agree, instrument

_SYMBOL = re.compile(r"t(?:([A-Z0-9]{3})([A-Z0-9]{3})|([A-Z0-9]+):([A-Z0-9]+))")
_DERIVATIVE = "F0"

# Where the venue's code is another coin elsewhere or hides a well-known one: its own `pub:map:currency:sym`.
# Tether is UST; what was UST elsewhere is TERRAUST here.
COINS = {
    "ALG": "ALGO",
    "AMP": "AMPL",
    "ATO": "ATOM",
    "BAB": "BCH",
    "DAT": "DATA",
    "DSH": "DASH",
    "EUT": "EURT",
    "GTX": "GT",
    "IOT": "IOTA",
    "LBT": "LBTC",
    "MNA": "MANA",
    "OPX": "OP",
    "QTM": "QTUM",
    "STJ": "STORJ",
    "TSD": "TUSD",
    "UDC": "USDC",
    "UST": "USDT",
    "WBT": "WBTC",
    "WHBT": "WBT",
    "XCH": "XCHF",
    "YGG": "YEED",
}

FUNDING_INTERVAL_S = 28_800  # "funding applied in the current 8h period"


@lru_cache(maxsize=NAMES_KEPT)
def read_name(symbol: str) -> Name:
    """What a symbol says; a funding currency (`fUSD`) and whatever is no pair is `Refused`."""
    found = _SYMBOL.fullmatch(symbol)
    if found is None:
        raise Refused("unknown_symbol", f"{symbol[:80]}: expected tBTCUSD, tDUSK:USD or tBTCF0:USTF0")
    base, quote = (code for code in found.groups() if code is not None)
    is_derivative = found[3] is not None and base.endswith(_DERIVATIVE) and quote.endswith(_DERIVATIVE)
    if not is_derivative:
        return Name("spot", _coin(base), _coin(quote), _coin(quote))
    base, quote = base.removesuffix(_DERIVATIVE), quote.removesuffix(_DERIVATIVE)
    return Name("perp", _coin(base), _coin(quote), _coin(quote))


def _coin(code: str) -> str:
    return COINS.get(code, code)


def read_terms(symbol: str, at: datetime, source: Literal["listed", "documented"]) -> Instrument:
    """Sizes count base coin; a perpetual is linear, of one coin, settled in what it is quoted in.

    A price has five significant digits, so that its tick moves with it and is not stated.
    """
    name = read_name(symbol)
    return instrument(
        name,
        venue="bitfinex",
        symbol=symbol,
        captured_ts=at,
        contract_size=1.0,
        amount_unit="base",
        terms_source=source,
        funding_interval_s=FUNDING_INTERVAL_S if name.kind == "perp" else None,
    )


def terms(symbol: str, kind: Kind, at: datetime) -> Instrument:
    """Terms by Bitfinex's naming."""
    agree(symbol, "kind", read_name(symbol).kind, kind)
    return read_terms(symbol, at, "documented")
