"""One instrument: identity, the contract terms that give its numbers a meaning, and how coarse they are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ingestion.records import AmountUnit, Kind


@dataclass(frozen=True, slots=True)
class Listing:
    """One instrument: identity, contract terms, and how coarse its prices and sizes are."""

    venue: str
    kind: Kind
    symbol: str
    asset: str
    quote: str  # the currency of its prices
    settle: str
    unit: AmountUnit
    contract_size: float  # of one contract: base coin if linear, US dollars if inverse; else 1
    is_inverse: bool
    tick: float
    px_dp: int
    lot: float
    qty_dp: int
    trades_a_day: int = 0
    expiry: datetime | None = None
    strike: int | None = None
    option_type: Literal["call", "put"] | None = None

    def price(self, px: float) -> str:
        return f"{px:.{self.px_dp}f}"

    def quantity(self, qty: float) -> str:
        return f"{qty:.{self.qty_dp}f}"

    def usd_of(self, qty: float, px_usd: float) -> float:
        """Notional in US dollars of a size in the venue's unit, at a price in US dollars."""
        if self.unit == "usd":
            return qty
        if self.unit == "base":
            return qty * px_usd
        return qty * self.contract_size * (1.0 if self.is_inverse else px_usd)

    def qty_of(self, usd: float, px_usd: float) -> float:
        """The size in the venue's unit of a notional in US dollars, not yet rounded to lots."""
        return usd / self.usd_of(1.0, px_usd)
