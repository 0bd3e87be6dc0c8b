"""Where a venue would take an isolated position over, by its margin tiers. Formulas: docs/metrics/risk.md."""

from typing import Literal

import msgspec

from orchestration.positions import Position, coins


class Tier(msgspec.Struct, frozen=True):
    """A row of `fct_margin_tiers`: sizes over the floor up to the cap, in dollars or coin."""

    venue: str
    kind: str
    symbol: str
    amount_unit: Literal["usd", "base"]
    size_floor_qty: float
    size_cap_qty: float | None
    initial_margin_frac: float
    maintenance_margin_frac: float
    margin_slope_frac_per_base: float
    maintenance_deduction_qty: float

    @property
    def key(self) -> tuple[str, str, str]:
        return self.venue, self.kind, self.symbol


class NoMarginCall(ValueError):
    """A position that has none, or of which none is known; the message is the reason that its row gives."""


def margin_call_px(position: Position, tiers: list[Tier], leverage: float) -> float:
    """The price at which equity has fallen to the maintenance margin, opened at entry. Raises NoMarginCall.

    `tiers` are the hour's. Linear: entry -/+ (IM - MM) / size; inverse: contracts / (PV +/- (IM - MM)).
    """
    terms = position.terms
    if terms.kind in ("spot", "option"):
        raise NoMarginCall(f"no tiers of {terms.kind}s" if terms.kind == "option" else "spot has no margin")
    known = [tier for tier in tiers if tier.key == terms.key]
    if terms.is_quanto or not known:
        raise NoMarginCall("no tiers known of this contract")
    base = abs(coins(terms, position.quantity, position.entry_px))
    for tier in known:
        size = base * position.entry_px if tier.amount_unit == "usd" else base
        if size > tier.size_floor_qty and (tier.size_cap_qty is None or size <= tier.size_cap_qty):
            break
    else:
        raise NoMarginCall("no tier known of this size")
    slope = tier.margin_slope_frac_per_base * base
    least = tier.initial_margin_frac + slope
    if 1 / leverage < least:
        raise NoMarginCall(f"its tier allows leverage up to {1 / least:.4g}, not {leverage:g}")
    gap = 1 / leverage - (tier.maintenance_margin_frac + slope - tier.maintenance_deduction_qty / size)
    toward = -gap if position.quantity > 0 else gap
    return position.entry_px / (1 - toward) if terms.is_inverse else position.entry_px * (1 + toward)
