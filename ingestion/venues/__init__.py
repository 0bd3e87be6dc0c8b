"""The venues, by name. Adding one is a module and a line here."""

from ingestion.venues.base import Venue
from ingestion.venues.binance_coinm import BINANCE_COINM
from ingestion.venues.binance_options import BINANCE_OPTIONS
from ingestion.venues.binance_spot import BINANCE_SPOT
from ingestion.venues.binance_usdm import BINANCE_USDM
from ingestion.venues.bitfinex import BITFINEX
from ingestion.venues.bitmex import BITMEX
from ingestion.venues.bybit import BYBIT
from ingestion.venues.chains import ARBITRUM, BASE, BNB_CHAIN, ETHEREUM, OPTIMISM, POLYGON
from ingestion.venues.coinbase import COINBASE
from ingestion.venues.deribit import DERIBIT
from ingestion.venues.gate import GATE
from ingestion.venues.htx_futures import HTX_FUTURES
from ingestion.venues.hyperliquid import HYPERLIQUID
from ingestion.venues.kraken import KRAKEN
from ingestion.venues.kraken_futures import KRAKEN_FUTURES
from ingestion.venues.kucoin import KUCOIN
from ingestion.venues.kucoin_futures import KUCOIN_FUTURES
from ingestion.venues.okx import OKX

VENUES: dict[str, Venue] = {each.name: each for each in list(globals().values()) if isinstance(each, Venue)}
OWN_NAMES: dict[str, str] = {other: each.name for each in VENUES.values() for other in (each.name, *each.known_as)}


def adopt(name: str) -> str:
    """A venue's own name; `ccxt:<id>` is listed from now on. Raises ValueError for a name that no adapter knows."""
    if name.startswith("ccxt") and name not in OWN_NAMES:
        from ingestion.venues.unified import unified_venue  # loads the library

        venue = unified_venue(name.replace("ccxt_", "ccxt:", 1).removeprefix("ccxt:"))
        VENUES[venue.name] = venue
        OWN_NAMES.update(dict.fromkeys((venue.name, *venue.known_as), venue.name))
    if name not in OWN_NAMES:
        raise ValueError(f"venue {name!r}: unknown (expected one of {', '.join(VENUES)}, or ccxt:<id>)")
    return OWN_NAMES[name]
