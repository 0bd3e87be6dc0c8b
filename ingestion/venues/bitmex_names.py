"""BitMEX's names and contract terms: https://www.bitmex.com/app/perpetualContractsGuide

Bitcoin is XBT. `XBTUSD` is a perpetual, `XBTZ26` a future delivered in December 2026, `XBT_USDT` a spot pair;
`ETHUSD_ETH` is the perpetual whose margin is ether.
"""

import re
from datetime import datetime
from functools import lru_cache

from ingestion.records import Instrument, Kind
from ingestion.venues.base import Refused
from ingestion.venues.wire import NAMES_KEPT, agree, last_friday

_SPOT = re.compile(r"([A-Z0-9]+)_(USDT|USDC|XBT)")
_FUTURE = re.compile(r"([A-Z0-9]+)([FGHJKMNQUVXZ])([0-9]{2})(_ETH)?")
_PERP = re.compile(r"([A-Z0-9]+)(_ETH)?")
_MONTHS = "FGHJKMNQUVXZ"
DELIVERY_HOUR = 12  # UTC

COINS = {"XBT": "BTC"}
# Minor units of a settlement currency: https://blog.bitmex.com/api_announcement/the-101-on-our-eth-margined-contracts/
SETTLEMENT = {"XBt": ("BTC", 100_000_000), "USDt": ("USDT", 1_000_000), "Gwei": ("ETH", 1_000_000_000)}

FUNDING_INTERVAL_S = 28_800
XBT_QUANTO = 0.000001  # XBT a point of price: https://www.bitmex.com/app/seriesGuide/ETHUSD
XBT_LINEAR = 0.000001  # XBT a contract: https://www.bitmex.com/app/contract/XBTUSDT
# https://blog.bitmex.com/api_announcement/spot-order-book-trading-now-live-on-testnet-ahead-of-q2-launch/
XBT_SPOT = 0.00000001


def coin(code: str) -> str:
    return COINS.get(code, code)


def settlement(code: str) -> tuple[str, int]:
    """The coin of a `settlCurrency`, and how many of its minor units make one."""
    if code not in SETTLEMENT:
        raise Refused("unknown_terms", f"settlement in {code[:20]!r}: expected one of {', '.join(SETTLEMENT)}")
    return SETTLEMENT[code]


@lru_cache(maxsize=NAMES_KEPT)
def kind_of(symbol: str) -> Kind:
    """What a symbol names, by its shape; an index (`.BXBT`) and whatever has none of the shapes is `Refused`."""
    if _SPOT.fullmatch(symbol):
        return "spot"
    if _FUTURE.fullmatch(symbol):
        return "future"
    if _PERP.fullmatch(symbol):
        return "perp"
    raise Refused("unknown_symbol", f"{symbol[:80]}: expected XBTUSD, XBTZ26 or XBT_USDT")


def delivery(symbol: str) -> datetime:
    """Noon UTC of the last Friday of the month that a future's name gives."""
    found = _FUTURE.fullmatch(symbol)
    if found is None:
        raise Refused("unknown_symbol", f"{symbol[:80]}: no month of delivery in the name")
    return last_friday(int(found[3]), _MONTHS.index(found[2]) + 1, symbol).replace(hour=DELIVERY_HOUR)


def terms(symbol: str, kind: Kind, at: datetime) -> Instrument:
    """Terms of the contracts on bitcoin and ether whose size BitMEX's guides tell; others only a list does."""
    agree(symbol, "kind", kind_of(symbol), kind)
    future = _FUTURE.fullmatch(symbol)
    series = symbol if future is None else f"{future[1]}{future[4] or ''}"
    if series == ("XBT" if future else "XBTUSD") or series == "XBTEUR":
        quote = "EUR" if series == "XBTEUR" else "USD"
        return _documented(symbol, kind, at, "BTC", quote, "BTC", 1.0, is_inverse=True)
    if series == "ETHUSD":
        return _documented(symbol, kind, at, "ETH", "USD", "BTC", XBT_QUANTO, is_quanto=True)
    if future and series == "ETH":
        return _documented(symbol, kind, at, "ETH", "BTC", "BTC", 1.0)
    if series == "XBTUSDT" and not future:
        return _documented(symbol, kind, at, "BTC", "USDT", "USDT", XBT_LINEAR)
    if series == "XBT_USDT":
        return _documented(symbol, kind, at, "BTC", "USDT", "USDT", XBT_SPOT)
    raise Refused("unknown_terms", f"{symbol}: its contract size is told by the list of instruments only")


def _documented(
    symbol: str,
    kind: Kind,
    at: datetime,
    base: str,
    quote: str,
    settle: str,
    contract_size: float,
    *,
    is_inverse: bool = False,
    is_quanto: bool = False,
) -> Instrument:
    return Instrument(
        venue="bitmex",
        symbol=symbol,
        kind=kind,
        captured_ts=at,
        base_asset=base,
        quote_asset=quote,
        settle_asset=settle,
        contract_size=contract_size,
        amount_unit="contracts",
        is_inverse=is_inverse,
        is_quanto=is_quanto,
        expiry_ts=delivery(symbol) if kind == "future" else None,
        funding_interval_s=FUNDING_INTERVAL_S if kind == "perp" else None,
        terms_source="documented",
    )
