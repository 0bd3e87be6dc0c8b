"""Tardis's exchanges, each as the venue that it is here: https://docs.tardis.dev/historical-data-details/overview

Amounts and rates are the venue's own; where a column of one exchange is not what its name says, it stands here.
What is said of an exchange's columns is read off the mappers that make them:
https://github.com/tardis-dev/tardis-node/tree/master/src/mappers
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from ingestion.records import Kind
from ingestion.venues import kraken_names

PxSource = Literal["fill", "order", "bankruptcy"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one exchange of Tardis is here, and what its columns mean."""

    venue: str
    kinds: tuple[Kind, ...]  # tried in this order against the venue's grammar
    spelled: Callable[[str], str] = str  # our spelling of a symbol, which Tardis writes in capitals
    trade_id: Callable[[str, int], str] = lambda told, timestamp_us: told  # as the venue's own replies have it
    no_trades: str | None = None  # why its trades cannot stand beside those of the venue's replies
    trade_sides: int = 1  # 2: a trade's amount counts buyer and seller
    liquidation_px: PxSource | None = None  # none: it does not tell liquidations
    liquidations_are_sampled: bool = False
    iv_is_percent: bool = False  # else decimals
    underlying_is_forward: bool = False  # else it is the index
    has_greeks: bool = True  # in US dollars, as they are here
    funding_since: datetime | None = None  # the rate is a decimal from then on


# Where a name spells a decimal point `d`.
_POINT = re.compile(r"(?<=\d)D(?=\d)")
# Perpetuals on a thousand coins: https://api.hyperliquid.xyz/info, `meta`.
_THOUSANDS = {f"K{coin}": f"k{coin}" for coin in ("BONK", "DOGS", "FLOKI", "LUNC", "NEIRO", "PEPE", "SHIB")}


def _krakens(symbol: str) -> str:
    """`XBT/USD` (since July 2026 `BTC/USD`) is XXBTZUSD: both are filed under four letters, or neither is."""
    base, quote = (kraken_names.question(each, "") for each in symbol.split("/")) if "/" in symbol else (symbol, "")
    filed_base = "USDT" if base == "USDT" else _filed(base, "XZ")
    filed_quote = _filed(quote, "ZX")
    return f"{filed_base}{filed_quote}" if filed_base and filed_quote else f"{base}{quote}"


def _filed(code: str, letters: str) -> str | None:
    return next((f"{x}{code}" for x in letters if kraken_names.asset(f"{x}{code}") != f"{x}{code}"), None)


EXCHANGES: Mapping[str, Exchange] = {
    "binance": Exchange("binance_spot", ("spot",)),
    # Liquidations are of `forceOrder`, at its average price: the largest of a second.
    "binance-futures": Exchange(
        "binance_usdm", ("perp", "future"), liquidation_px="fill", liquidations_are_sampled=True
    ),
    "binance-delivery": Exchange(
        "binance_coinm", ("perp", "future"), liquidation_px="fill", liquidations_are_sampled=True
    ),
    "binance-european-options": Exchange("binance_options", ("option",)),
    # Liquidations are the trades so marked.
    "deribit": Exchange(
        "deribit",
        ("perp", "option", "future", "spot"),
        spelled=lambda symbol: _POINT.sub("d", symbol),
        liquidation_px="fill",
        iv_is_percent=True,
        underlying_is_forward=True,
    ),
    # Liquidations are of the REST list, at `bkPx`; greeks are those in coin.
    "okex": Exchange("okx", ("spot",)),
    "okex-swap": Exchange("okx", ("perp",), liquidation_px="bankruptcy"),
    "okex-futures": Exchange("okx", ("future",), liquidation_px="bankruptcy"),
    "okex-options": Exchange("okx", ("option",), has_greeks=False),
    # Until 2025 one liquidation a second and symbol at most.
    "bybit": Exchange("bybit", ("future", "perp"), liquidation_px="bankruptcy", liquidations_are_sampled=True),
    "bybit-spot": Exchange("bybit", ("spot",)),
    "bybit-options": Exchange("bybit", ("option",)),
    "coinbase": Exchange("coinbase", ("spot",)),
    "kraken": Exchange("kraken", ("spot",), spelled=_krakens),
    # Before that day the rate is an amount of money a contract.
    "cryptofacilities": Exchange(
        "kraken_futures",
        ("perp", "future"),
        liquidation_px="fill",
        funding_since=datetime(2022, 9, 29, tzinfo=UTC),
    ),
    # Liquidations are orders as they enter the book.
    "bitmex": Exchange("bitmex", ("perp", "future", "spot"), liquidation_px="order"),
    # The price of Bitfinex's liquidations is the position's entry.
    "bitfinex": Exchange("bitfinex", ("spot",), spelled=lambda symbol: f"t{symbol}"),
    "bitfinex-derivatives": Exchange("bitfinex", ("perp",), spelled=lambda symbol: f"t{symbol}"),
    "gate-io": Exchange("gate", ("spot",)),
    # `create_time`, where the replies have `create_time_ms`.
    "gate-io-futures": Exchange(
        "gate",
        ("perp", "future"),
        no_trades="its clock counts whole seconds, that of the venue's replies milliseconds: trades would contradict",
    ),
    # The stream's `tradeId`; the REST tape has the sequence instead.
    "kucoin": Exchange(
        "kucoin",
        ("spot",),
        no_trades="its ids are not those that the venue tells elsewhere: trades could count twice",
    ),
    "kucoin-futures": Exchange("kucoin_futures", ("perp", "future")),
    # A trade's `amount` is documented as the sum of both sides.
    "huobi-dm-swap": Exchange("htx_futures", ("perp",), trade_sides=2, liquidation_px="order"),
    "huobi-dm-linear-swap": Exchange("htx_futures", ("perp", "future"), trade_sides=2, liquidation_px="order"),
    "hyperliquid": Exchange(
        "hyperliquid",
        ("perp", "spot"),
        spelled=lambda symbol: _THOUSANDS.get(symbol, symbol.replace("/", "-")),
        trade_id=lambda told, timestamp_us: f"{timestamp_us // 1000}-{told}",
    ),
}
REFUSED: Mapping[str, str] = {
    "huobi-dm": "names contracts by their place in the calendar (BTC_CW), which is no instrument's name",
}
