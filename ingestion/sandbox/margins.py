"""What the simulated venues ask of positions by size: four levels, alike for every contract of a coin.

Sizes are rough: of a coin at a price that the market may be far from.
"""

from dataclasses import dataclass
from typing import Final

from ingestion.sandbox.listings import Listing
from ingestion.sandbox.wire import plain

ROUGH_PX: Final = {"BTC": 50_000.0, "ETH": 2_500.0}
LEVELS: Final = ((100.0, 2e6), (50.0, 1e7), (20.0, 5e7), (5.0, 2e8))  # highest leverage, and dollars up to which


@dataclass(frozen=True, slots=True)
class Level:
    """One level: sizes over the floor up to the cap."""

    number: int
    leverage: float
    initial: float
    maintenance: float
    floor: float
    cap: float
    deduction: float


def bybit_limits(listing: Listing, first_id: int) -> list[dict[str, object]]:
    """As `risk-limit` tells of a contract: value in quote currency, of an inverse one in coin."""
    return [
        {
            "id": first_id + level.number,
            "symbol": listing.symbol,
            "riskLimitValue": plain(level.cap),
            "maintenanceMargin": plain(level.maintenance),
            "initialMargin": plain(level.initial),
            "isLowestRisk": int(level.number == 1),
            "maxLeverage": f"{level.leverage:.2f}",
            "mmDeduction": plain(level.deduction) if level.number > 1 else "",
        }
        for level in _levels(ROUGH_PX[listing.asset] if listing.is_inverse else 1.0)
    ]


def okx_tiers(listing: Listing, family: str) -> list[dict[str, object]]:
    """As `position-tiers` tells of a family, in contracts; a level begins one over the end of the one below."""
    contract_usd = listing.contract_size * (1.0 if listing.is_inverse else ROUGH_PX[listing.asset])
    return [
        {
            "uly": family,
            "instFamily": family,
            "instId": "",
            "tier": str(level.number),
            "minSz": plain(level.floor + 1 if level.floor else 0),
            "maxSz": plain(level.cap),
            "mmr": plain(level.maintenance),
            "imr": plain(level.initial),
            "maxLever": plain(level.leverage),
            "optMgnFactor": "0",
            "quoteMaxLoan": "",
            "baseMaxLoan": "",
        }
        for level in _levels(contract_usd)
    ]


def _levels(unit_usd: float) -> list[Level]:
    """Sizes count units of so many dollars. Half of the initial margin is to keep; the deduction lets levels meet."""
    found: list[Level] = []
    floor = deduction = maintenance = 0.0
    for number, (leverage, cap_usd) in enumerate(LEVELS, 1):
        rate = 0.5 / leverage
        deduction += floor * (rate - maintenance)
        maintenance = rate
        found.append(Level(number, leverage, 2 * rate, rate, floor, cap_usd / unit_usd, deduction))
        floor = cap_usd / unit_usd
    return found
