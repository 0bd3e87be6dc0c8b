"""OKX's names and contract terms: https://www.okx.com/docs-v5/en/#public-data-rest-api-get-instruments"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

from ingestion.records import Instrument, Kind
from ingestion.venues.base import Refused
from ingestion.venues.wire import NAMES_KEPT, Name, agree, expiry, instrument

_NAME = re.compile(
    r"(?P<base>[A-Z0-9]+)-(?P<quote>[A-Z0-9]+)((?<=-USD)(?P<linear>_UM))?"
    r"(-(?P<swap>SWAP)|-(?P<day>[0-9]{6})(-(?P<strike>[0-9]+(\.[0-9]+)?)-(?P<right>[CP]))?)?"
)
_RIGHTS: dict[str, Literal["call", "put"]] = {"C": "call", "P": "put"}

INVERSE_FACE = 10.0  # US dollars
INVERSE_FACE_BTC = 100.0
# Since the face values of March 2020; every other coin's was changed later, some repeatedly.
LINEAR_SIZE = {"BTC": 0.01, "ETH": 0.1}
LINEAR_SINCE = datetime(2020, 3, 20, 9, tzinfo=UTC)
# Cut to a tenth on 2022-05-26, 08:00 to 09:00 UTC. First announced for April 7, but the list of May 13 still
# has the old sizes; open interest of January 2024 counts in the new.
OPTION_SIZE_BEFORE = {"BTC": 0.1, "ETH": 1.0}
OPTION_SIZE = {"BTC": 0.01, "ETH": 0.1}
OPTION_CHANGE = (datetime(2022, 5, 26, 8, tzinfo=UTC), datetime(2022, 5, 26, 9, tzinfo=UTC))


@lru_cache(maxsize=NAMES_KEPT)
def read_name(symbol: str) -> Name:
    """What an `instId` says; whatever is none of the four documented shapes is `Refused`.

    `BTC-USD_UM-SWAP` is margined and settled in US dollars and counts coin, `BTC-USD-SWAP` is inverse.
    """
    found = _NAME.fullmatch(symbol)
    if found is None or (found["linear"] and not (found["swap"] or found["day"])):
        raise Refused("unknown_symbol", f"{symbol}: no spot pair, swap, future or option of OKX's grammar")
    base, quote = found["base"], found["quote"]
    if not (found["swap"] or found["day"]):
        return Name("spot", base, quote, quote)
    is_inverse = quote == "USD" and not found["linear"]
    settle = base if is_inverse else quote
    if found["swap"]:
        return Name("perp", base, quote, settle, is_inverse)
    day = found["day"]
    expiry_ts = expiry(int(day[:2]), int(day[2:4]), int(day[4:]), symbol)
    if found["strike"] is None:
        return Name("future", base, quote, settle, is_inverse, expiry_ts)
    return Name("option", base, quote, settle, is_inverse, expiry_ts, float(found["strike"]), _RIGHTS[found["right"]])


def terms(symbol: str, kind: Kind, at: datetime) -> Instrument:
    """Terms by OKX's naming and its announced contract sizes; a size not announced here is `Refused`."""
    name = read_name(symbol)
    agree(symbol, "kind", name.kind, kind)
    return instrument(
        name,
        venue="okx",
        symbol=symbol,
        captured_ts=at,
        contract_size=1.0 if kind == "spot" else _documented_size(symbol, name, at),
        amount_unit="base" if kind == "spot" else "contracts",
        terms_source="documented",
    )


def _documented_size(symbol: str, name: Name, at: datetime) -> float:
    sizes: dict[str, float] = {}
    if name.kind == "option" and name.is_inverse:
        began, ended = OPTION_CHANGE
        sizes = OPTION_SIZE_BEFORE if at < began else OPTION_SIZE if at >= ended else {}
    elif name.kind != "option" and name.is_inverse:
        return INVERSE_FACE_BTC if name.base_asset == "BTC" else INVERSE_FACE
    elif name.quote_asset == "USDT" and at >= LINEAR_SINCE:
        sizes = LINEAR_SIZE
    if name.base_asset not in sizes:
        raise Refused("unknown_terms", f"{symbol}: contract size at {at:%Y-%m-%d %H:%M} not documented here")
    return sizes[name.base_asset]
