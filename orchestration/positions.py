"""What a position is worth, what moves it, and what a shock does to it: arithmetic alone, row by row.

Profit in coin is turned to dollars at the price of its moment, so every figure of a coin-settled contract is the change
of its coin times that price. What the coin already held as margin gains or loses is apart.
Formulas by hand: docs/hedging.md.
"""

from datetime import datetime
from typing import Literal

import msgspec
import numpy as np

from ingestion.estimators.black76 import Floats, premium

SHOCKS = (-0.2, -0.1, -0.05, 0.05, 0.1, 0.2)


class Terms(msgspec.Struct, frozen=True):
    """One instrument's terms in force, as `dim_instruments` tells them."""

    venue: str
    kind: Literal["spot", "perp", "future", "option"]
    symbol: str
    underlying: str
    quote_asset: str
    settle_asset: str
    option_type: str | None
    amount_unit: Literal["contracts", "base", "usd"]
    contract_size: float
    lot_size_qty: float | None
    strike_px: float | None
    is_inverse: bool
    is_quanto: bool
    expiry_ts: datetime | None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.venue, self.kind, self.symbol

    @property
    def value_asset(self) -> str:
        """What price times size of a contract is counted in."""
        return self.settle_asset if self.is_quanto else self.quote_asset


class Position(msgspec.Struct, frozen=True):
    """One line of a book: quantity signed and in the venue's unit, entry in the instrument's own quote."""

    line: int
    terms: Terms
    quantity: float
    entry_px: float


class Vol(msgspec.Struct, frozen=True):
    """The newest row of an option in `fct_implied_vol`; Greeks are of one coin of notional."""

    captured_ts: datetime
    forward_px: float | None
    mark_iv_ann: float | None
    mark_iv_reason: str | None
    years_to_expiry: float
    delta_frac: float | None
    coin_delta_frac: float | None
    gamma_per_usd: float | None
    coin_gamma_per_usd: float | None
    vega_usd: float | None
    theta_usd: float | None


class Price(msgspec.Struct, frozen=True):
    """The newest price of anything but an option, in its own quote."""

    px: float
    px_source: str  # mid or mark
    captured_ts: datetime


class Shock(msgspec.Struct, frozen=True):
    """What a sudden move earns; coin where the contract settles in it."""

    shock_frac: float
    pnl_usd: float
    pnl_base: float | None


class Worth(msgspec.Struct, frozen=True):
    """One position at one price. Dollars of a premium in coin are at the expiry's forward."""

    px: float  # in the instrument's own quote: coin of an option whose premium is in coin
    px_source: str
    captured_ts: datetime
    value_usd: float
    pnl_usd: float
    pnl_base: float | None
    delta_base: float  # coin delta where settled in coin
    gamma_base_per_usd: float
    vega_usd: float  # a point (0.01) of volatility
    theta_usd: float  # a day
    shocks: tuple[Shock, ...]


class Unmeasurable(ValueError):
    """A position that cannot be valued; the message is the reason that its row gives."""


def coins(terms: Terms, quantity: float, px: float) -> float:
    """A quantity in the venue's unit as base coin at a price in the instrument's quote; not for quanto."""
    if terms.amount_unit == "base":
        return quantity
    if terms.amount_unit == "usd":
        return quantity / px
    if terms.is_inverse and terms.kind != "option":
        return quantity * terms.contract_size / px
    return quantity * terms.contract_size


def quantity_of(terms: Terms, base: float, px: float) -> float:
    """Base coin at a price as a quantity in the venue's unit: the inverse of `coins`."""
    return base / coins(terms, 1.0, px) if terms.amount_unit != "usd" else base * px


def worth_of(position: Position, price: Price | Vol | None, usd_rate: float | None) -> Worth:
    """Value a position; `usd_rate` is dollars per unit of `terms.value_asset`. Raises Unmeasurable."""
    terms = position.terms
    if price is None:
        raise Unmeasurable("no price in this hour")
    if usd_rate is None:
        raise Unmeasurable(f"no dollar rate of {terms.value_asset} was observed")
    if isinstance(price, Vol):
        return _option(position, price, usd_rate)
    if terms.is_quanto:
        return _linear(position, price, position.quantity * terms.contract_size * usd_rate, 1.0)
    base = coins(terms, position.quantity, position.entry_px)
    if terms.is_inverse:
        return _inverse(position, price, base * position.entry_px, usd_rate)
    return _linear(position, price, base, usd_rate)


def _linear(position: Position, price: Price, base: float, usd_rate: float) -> Worth:
    value = base * price.px * usd_rate
    return Worth(
        px=price.px,
        px_source=price.px_source,
        captured_ts=price.captured_ts,
        value_usd=value,
        pnl_usd=base * (price.px - position.entry_px) * usd_rate,
        pnl_base=None,
        delta_base=base,
        gamma_base_per_usd=0.0,
        vega_usd=0.0,
        theta_usd=0.0,
        shocks=tuple(Shock(shock, value * shock, None) for shock in SHOCKS),
    )


def _inverse(position: Position, price: Price, face: float, usd_rate: float) -> Worth:
    """Face is in the quote currency; the coin earned is face (1 / entry - 1 / price), concave in the price."""
    px = price.px
    pnl_base = face * (1 / position.entry_px - 1 / px)
    moved = ((shock, face / px * shock / (1 + shock)) for shock in SHOCKS)
    return Worth(
        px=px,
        px_source=price.px_source,
        captured_ts=price.captured_ts,
        value_usd=face * usd_rate,
        pnl_usd=pnl_base * px * usd_rate,
        pnl_base=pnl_base,
        delta_base=face / px,
        gamma_base_per_usd=-face / px**2 / usd_rate,
        vega_usd=0.0,
        theta_usd=0.0,
        shocks=tuple(Shock(shock, base * px * (1 + shock) * usd_rate, base) for shock, base in moved),
    )


def _option(position: Position, vol: Vol, usd_rate: float) -> Worth:
    """Greeks are those of the table; shocks move the forward and keep the mark's volatility and the time."""
    terms = position.terms
    delta, gamma = (
        (vol.coin_delta_frac, vol.coin_gamma_per_usd) if terms.is_inverse else (vol.delta_frac, vol.gamma_per_usd)
    )
    if vol.forward_px is None or vol.mark_iv_ann is None or terms.strike_px is None:
        raise Unmeasurable(f"no implied volatility of the mark: {vol.mark_iv_reason or 'no_forward'}")
    if delta is None or gamma is None or vol.vega_usd is None or vol.theta_usd is None:
        raise Unmeasurable("no Greeks of the mark")
    base = coins(terms, position.quantity, vol.forward_px)
    forwards = vol.forward_px * (1 + np.array((0.0, *SHOCKS)))
    premiums = _premiums(forwards, terms, vol.mark_iv_ann * vol.years_to_expiry**0.5)
    now = float(premiums[0])
    px = now / vol.forward_px if terms.is_inverse else now
    pnl = base * (px - position.entry_px)
    shocks = []
    for shock, forward, then in zip(SHOCKS, forwards[1:].tolist(), premiums[1:].tolist(), strict=True):
        moved = base * (then / forward - px) if terms.is_inverse else base * (then - now)
        in_coin = moved if terms.is_inverse else None
        shocks.append(Shock(shock, moved * (forward if terms.is_inverse else 1.0) * usd_rate, in_coin))
    return Worth(
        px=px,
        px_source="mark",
        captured_ts=vol.captured_ts,
        value_usd=base * now * usd_rate,
        pnl_usd=pnl * (vol.forward_px if terms.is_inverse else 1.0) * usd_rate,
        pnl_base=pnl if terms.is_inverse else None,
        delta_base=base * delta,
        gamma_base_per_usd=base * gamma / usd_rate,
        vega_usd=base * vol.vega_usd * usd_rate,
        theta_usd=base * vol.theta_usd * usd_rate,
        shocks=tuple(shocks),
    )


def _premiums(forwards: Floats, terms: Terms, total_vol: float) -> Floats:
    strikes = np.full(forwards.shape, terms.strike_px)
    return premium(forwards, strikes, np.full(forwards.shape, total_vol), np.array(terms.option_type == "call"))
