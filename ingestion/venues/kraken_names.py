"""Kraken's names: https://docs.kraken.com/api/docs/rest-api/get-tradable-asset-pairs

A pair's identity is the name that every reply gives it. That is XXBTZUSD where base and quote are among the assets
of the first years, which are filed under four letters, X before a coin and Z before a currency. All others are their
usual names one after the other: XBTUSDT, SOLUSD. A question may use either spelling, as XBTUSD.
"""

import re
from datetime import datetime
from functools import lru_cache

from ingestion.records import Instrument, Kind
from ingestion.venues.base import Refused
from ingestion.venues.wire import NAMES_KEPT, Name, instrument

# Closed: XTZ, XCN or ZETA are names in full. By the list of assets of October 2017, and the Australian dollar.
_X = "ETC|ETH|ICN|LTC|MLN|NMC|REP|XBT|XDG|XLM|XMR|XRP|XVN|ZEC"
_Z = "AUD|CAD|EUR|GBP|JPY|KRW|USD"
_FILED = re.compile(rf"X(?P<coin>{_X})|Z(?P<currency>{_Z})")
_FILED_PAIR = re.compile(rf"(?P<base>X({_X})|Z({_Z})|USDT)(?P<quote>X({_X})|Z({_Z}))")
_QUOTES = "USD|EUR|GBP|AUD|CAD|CHF|JPY|USDT|USDC|USDG|USD1|DAI|DOT|ETH|XBT"  # none ends in another: read one way
# Dollars whose names end in USD: what stands before it may be the coin's last letters, as in ADAUSD, or the dollar's
# first, as in XBTAUSD. Coins seldom end in PY or RL: of those, one that is not known is not read.
_BEFORE_USD = ("PY", "RL", "A")
_AGAINST_THEM = re.compile("XBT|ETH|SOL|XRP|XDG|LTC|USDT|USDC")
# A tokenised share has an x behind its ticker: AAPLxUSD.
_PAIR = re.compile(rf"(?P<base>[A-Z0-9]+(\.[A-Z]|x)?)(?P<quote>{_QUOTES})")
_DARK = ".d"  # the dark pool of a pair, a book of its own until 2021

# "BTC is used on the platform UI, XBT on the API; both refer to Bitcoin": Kraken's contract specifications.
_USUAL = {"XBT": "BTC", "XDG": "DOGE"}
_KRAKENS = {usual: own for own, usual in _USUAL.items()}


def asset(code: str) -> str:
    """An asset by the name that others give it: BTC for XXBT and XBT, USD for ZUSD."""
    found = _FILED.fullmatch(code)
    own = code if found is None else found["coin"] or found["currency"]
    return _USUAL.get(own, own)


def question(base: str, quote: str) -> str:
    """How to ask for a pair by the usual names of its assets."""
    return f"{_KRAKENS.get(base, base)}{_KRAKENS.get(quote, quote)}"


@lru_cache(maxsize=NAMES_KEPT)
def read_name(symbol: str) -> Name:
    """What a pair's name says; one whose two halves cannot be told apart is `Refused`."""
    bare = symbol.removesuffix(_DARK)
    found = _FILED_PAIR.fullmatch(bare) or _PAIR.fullmatch(bare)
    if found is None:
        raise Refused("unknown_symbol", f"kraken {symbol}: expected a pair such as XXBTZUSD or XBTUSDT")
    own, quoted = _told_apart(symbol, found["base"], found["quote"])
    base, quote = asset(own), asset(quoted)
    return Name("spot", base, quote, quote)


def _told_apart(symbol: str, base: str, quote: str) -> tuple[str, str]:
    before = next((each for each in _BEFORE_USD if quote == "USD" and base.endswith(each)), None)
    if before is None:
        return base, quote
    coin, dollar = base.removesuffix(before), before + quote
    if _AGAINST_THEM.fullmatch(coin):
        return coin, dollar
    if before != "A" and base != "JPY":
        raise Refused("unknown_symbol", f"kraken {symbol}: may be {base} in {quote} or {coin or 'nothing'} in {dollar}")
    return base, quote


def is_dark(symbol: str) -> bool:
    return symbol.endswith(_DARK)


def terms(symbol: str, kind: Kind, at: datetime) -> Instrument:
    """A pair by its name: what Kraken serves here is spot alone."""
    if kind != "spot":
        raise Refused("unknown_symbol", f"kraken {kind} {symbol}: expected a spot pair")
    return instrument(
        read_name(symbol),
        venue="kraken",
        symbol=symbol,
        captured_ts=at,
        contract_size=1.0,
        amount_unit="base",
        terms_source="documented",
    )
