"""KuCoin Futures' names and contract terms.

https://www.kucoin.com/docs-new/rest/futures-trading/market-data/get-all-symbols
Bitcoin is `XBT` here, of contracts, indices and settlement alike; the records say `BTC`.
"""

import re
from datetime import datetime
from functools import lru_cache

from ingestion.records import Instrument, Kind
from ingestion.venues.base import Refused
from ingestion.venues.wire import NAMES_KEPT, Name, agree, instrument, last_friday

VENUE = "kucoin_futures"

_PERP = re.compile(r"([^\W_]+?)(USDT|USDC|USD)M")
_DATED = re.compile(r"([A-Z0-9]+)M([HMUZ])([0-9]{2})")
_INDEX = re.compile(r"\.K([A-Z0-9]+?)(USDT|USDC|USD)")
_QUARTER_MONTH = {"H": 3, "M": 6, "U": 9, "Z": 12}
BITCOIN_IN_DOLLARS = ".BXBT"

# `multiplier`, as https://www.kucoin.com/support/26684247213849 has it too; every other coin has its own.
LINEAR_SIZE = {"BTC": 0.001, "ETH": 0.01}
INVERSE_SIZE = 1.0  # US dollar, of all that are settled in coin; the lists say -1


def coin(currency: str) -> str:
    return "BTC" if currency == "XBT" else currency


@lru_cache(maxsize=NAMES_KEPT)
def read_name(symbol: str) -> Name:
    """What the name of a contract or index says; `Refused` if it is none."""
    if found := _PERP.fullmatch(symbol):
        base, quote = coin(found[1]), found[2]
        is_inverse = quote == "USD"
        return Name("perp", base, quote, base if is_inverse else quote, is_inverse)
    if found := _DATED.fullmatch(symbol):
        base = coin(found[1])
        expiry_ts = last_friday(int(found[3]), _QUARTER_MONTH[found[2]], symbol)
        return Name("future", base, "USD", base, True, expiry_ts)
    if symbol == BITCOIN_IN_DOLLARS:
        return Name("spot", "BTC", "USD", "USD")
    if found := _INDEX.fullmatch(symbol):
        return Name("spot", coin(found[1]), found[2], found[2])
    raise Refused(
        "unknown_symbol", f"{symbol}: no contract or index of KuCoin's grammar, such as XBTUSDTM or .KXBTUSDT"
    )


def terms(symbol: str, kind: Kind, at: datetime) -> Instrument:
    """Terms by KuCoin's naming and documented multipliers; an index counts as a spot pair."""
    name = read_name(symbol)
    agree(symbol, "kind", name.kind, kind)
    return instrument(
        name,
        venue=VENUE,
        symbol=symbol,
        captured_ts=at,
        contract_size=1.0 if kind == "spot" else documented_size(symbol),
        amount_unit="base" if kind == "spot" else "contracts",
        terms_source="documented",
    )


def documented_size(symbol: str) -> float:
    """One contract: base coin, or US dollars if inverse."""
    name = read_name(symbol)
    if name.is_inverse:
        return INVERSE_SIZE
    if name.quote_asset != "USDT" or name.base_asset not in LINEAR_SIZE:
        raise Refused("unknown_terms", f"{symbol}: KuCoin documents no multiplier of this contract, its lists do")
    return LINEAR_SIZE[name.base_asset]
