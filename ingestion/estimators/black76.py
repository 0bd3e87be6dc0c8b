"""Undiscounted Black-76 and its Greeks, of an option on the forward of its own expiry (r = 0).

Black, "The pricing of commodity contracts" (1976). Arrays have one shape; what cannot be computed is NaN.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DAYS_PER_YEAR = 365


class Greeks(NamedTuple):
    """Of one coin of notional, in dollars and, for a premium that is paid in the coin, in coin.

    The coin's figures are those of the premium in coin, V / F: a hedge in inverse contracts needs them.
    """

    delta_frac: Floats  # coins of forward that move with the premium in dollars: N(d1), or N(d1) - 1
    coin_delta_frac: Floats  # the same with the premium itself held in coin: delta - V / F
    gamma_per_usd: Floats  # change of delta as the forward moves a dollar
    coin_gamma_per_usd: Floats  # change of the coin delta: gamma - coin delta / F
    vega_usd: Floats  # a point (0.01) of volatility
    vega_base: Floats
    theta_usd: Floats  # a day passing; negative
    theta_base: Floats


def premium(forward: Floats, strike: Floats, total_vol: Floats, is_call: Bools) -> Floats:
    """In the forward's currency; `total_vol` is volatility times the root of the years."""
    with np.errstate(divide="ignore", invalid="ignore"):
        d1 = np.log(forward / strike) / total_vol + total_vol / 2
    sign = np.where(is_call, 1.0, -1.0)
    return sign * (forward * ndtr(sign * d1) - strike * ndtr(sign * (d1 - total_vol)))


def greeks(forward: Floats, strike: Floats, vol: Floats, years: Floats, is_call: Bools) -> Greeks:
    """Of volatilities as decimals a year; NaN where there is none or the option has expired."""
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(np.where(years > 0, years, np.nan))
        total_vol = vol * root
        d1 = np.log(forward / strike) / total_vol + total_vol / 2
        density = np.exp(-(d1**2) / 2) / np.sqrt(2 * np.pi)
        delta = np.where(is_call, ndtr(d1), -ndtr(-d1))
        coin_delta = delta - premium(forward, strike, total_vol, is_call) / forward
        gamma = density / (forward * total_vol)
        vega = forward * density * root / 100
        theta = -forward * density * vol / (2 * root) / DAYS_PER_YEAR
        return Greeks(
            delta, coin_delta, gamma, gamma - coin_delta / forward, vega, vega / forward, theta, theta / forward
        )
