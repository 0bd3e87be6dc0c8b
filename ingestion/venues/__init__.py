"""The venues, by name. Adding one is a module and a line here."""

from ingestion.venues.base import Venue
from ingestion.venues.binance_coinm import BINANCE_COINM
from ingestion.venues.binance_spot import BINANCE_SPOT
from ingestion.venues.binance_usdm import BINANCE_USDM
from ingestion.venues.bybit import BYBIT
from ingestion.venues.chains import ARBITRUM, BASE, BNB_CHAIN, ETHEREUM, OPTIMISM, POLYGON
from ingestion.venues.deribit import DERIBIT
from ingestion.venues.okx import OKX

VENUES: dict[str, Venue] = {each.name: each for each in list(globals().values()) if isinstance(each, Venue)}
OWN_NAMES: dict[str, str] = {other: each.name for each in VENUES.values() for other in (each.name, *each.known_as)}
