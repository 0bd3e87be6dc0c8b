"""Hyperliquid's names and contract terms.

https://hyperliquid.gitbook.io/hyperliquid-docs/trading/contract-specifications
A perpetual is named by its coin: `BTC`, or `kPEPE` for a thousand PEPE. A spot pair is named by its place in
`spotMeta`, `@107`, except `PURR/USDC`; a slash passes no gate, so that our symbol has a dash there: `PURR-USDC`.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from ingestion.records import Instrument, Kind
from ingestion.venues.base import Refused
from ingestion.venues.wire import NAMES_KEPT, agree

_PERP = re.compile(r"([a-z0-9]+:)?[A-Za-z0-9]+")  # a prefix names the builder's exchange that lists it
_PAIR = re.compile(r"([A-Za-z0-9]+)[/-]([A-Za-z0-9]+)")
_INDEXED = re.compile(r"@[0-9]+")

SETTLE_ASSET = "USDC"
ORACLE_ASSET = "USDT"  # what oracle prices are in; profit and loss is paid in USDC one for one: a quanto
USDC_ORACLES = frozenset({"HYPE", "PURR"})

# "Funding payments every hour". Settlements of 2023 were eight hours apart up to this one, and an hour since.
FUNDING_INTERVAL_S = 3_600
FIRST_FUNDING_INTERVAL_S = 28_800
LAST_OF_EIGHT_HOURS = datetime(2023, 6, 8, 0, 30, tzinfo=UTC)


@lru_cache(maxsize=NAMES_KEPT)
def read_coin(coin: str) -> tuple[Kind, str]:
    """Kind and symbol of a coin on the wire, or in our spelling; what is neither perpetual nor pair is `Refused`."""
    if _INDEXED.fullmatch(coin):
        return "spot", coin
    if _PAIR.fullmatch(coin):
        return "spot", coin.replace("/", "-")
    if _PERP.fullmatch(coin):
        return "perp", coin
    raise Refused("unknown_symbol", f"{coin[:80]}: expected BTC, @107 or PURR/USDC")


def spelled(symbol: str) -> str:
    """The venue's spelling of a symbol."""
    return symbol.replace("-", "/")


def funding_interval_s(at: datetime) -> int:
    """Seconds that a settlement at this instant paid for."""
    return FIRST_FUNDING_INTERVAL_S if at < LAST_OF_EIGHT_HOURS else FUNDING_INTERVAL_S


def lot(decimals: int) -> float:
    """`szDecimals` as a step: 5 is 0.00001."""
    return float(Decimal(1).scaleb(-decimals))


def perp(
    symbol: str, at: datetime, source: Literal["listed", "documented"], lot_size_qty: float | None = None
) -> Instrument:
    """A perpetual of the venue's own exchange: one contract is one coin.

    A price has five significant digits, so that its tick moves with it and is not stated. Of a builder's exchange the
    terms are `Refused`.
    """
    if ":" in symbol:
        raise Refused("unknown_terms", f"{symbol}: its builder chose collateral and oracle, which no name tells")
    return Instrument(
        venue="hyperliquid",
        symbol=symbol,
        kind="perp",
        captured_ts=at,
        base_asset=symbol,
        quote_asset=SETTLE_ASSET if symbol in USDC_ORACLES else ORACLE_ASSET,
        settle_asset=SETTLE_ASSET,
        contract_size=1.0,
        amount_unit="base",
        is_inverse=False,
        is_quanto=symbol not in USDC_ORACLES,
        lot_size_qty=lot_size_qty,
        funding_interval_s=funding_interval_s(at),
        terms_source=source,
    )


def pair(
    symbol: str,
    base: str,
    quote: str,
    at: datetime,
    source: Literal["listed", "documented"],
    lot_size_qty: float | None = None,
) -> Instrument:
    """A spot pair."""
    return Instrument(
        venue="hyperliquid",
        symbol=symbol,
        kind="spot",
        captured_ts=at,
        base_asset=base,
        quote_asset=quote,
        settle_asset=quote,
        contract_size=1.0,
        amount_unit="base",
        is_inverse=False,
        lot_size_qty=lot_size_qty,
        terms_source=source,
    )


def terms(symbol: str, kind: Kind, at: datetime) -> Instrument:
    """Terms by the contract specification; `Refused` where only a list tells them: `@107`, and builders' perpetuals."""
    named, symbol = read_coin(symbol)
    agree(symbol, "kind", named, kind)
    if found := _PAIR.fullmatch(symbol):
        return pair(symbol, found[1], found[2], at, "documented")
    if kind == "spot":
        raise Refused("unknown_terms", f"{symbol}: which tokens it trades, only spotMeta tells")
    return perp(symbol, at, "documented")
