"""Option arithmetic: SSVI slices as raw SVI, undiscounted Black-76, its inverse and its Greeks.

The slices are Gatheral and Jacquier's surface with φ(θ) = η/√(θ(1 + θ)), and one ρ for all expiries of an
instant: free of butterfly arbitrage while η²(1 + |ρ|) ≤ 4, of calendar arbitrage because θ rises with expiry
("Arbitrage-free SVI volatility surfaces", 2014).
"""

from dataclasses import dataclass
from math import sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

YEAR_S: Final = 365 * 86_400
_ROOT_TWO_PI: Final = float(np.sqrt(2 * np.pi))


@dataclass(frozen=True, slots=True)
class Svi:
    """Raw SVI: w(k) = a + b(ρ(k − m) + √((k − m)² + σ²)), total variance at log-moneyness k = ln(K/F)."""

    a: float
    b: float
    rho: float
    m: float
    sigma: float

    def total_variance(self, k: Floats) -> Floats:
        away = k - self.m
        return self.a + self.b * (self.rho * away + np.sqrt(away**2 + self.sigma**2))


def ssvi(theta: float, rho: float, eta: float) -> Svi:
    """The slice whose total variance at the money is `theta`."""
    phi = eta / sqrt(theta * (1 + theta))
    rest = 1 - rho**2
    return Svi(a=theta / 2 * rest, b=theta * phi / 2, rho=rho, m=-rho / phi, sigma=sqrt(rest) / phi)


class Greeks(NamedTuple):
    """Undiscounted, forward delta; vega a point of volatility, theta a day, both in US dollars."""

    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats


def black76(forward: Floats, strike: Floats, vol: Floats, years: Floats, is_call: Bools) -> Floats:
    """Undiscounted premium in the forward's currency; out-of-the-money values keep their full precision."""
    width = vol * np.sqrt(years)
    d1 = np.log(forward / strike) / width + width / 2
    d2 = d1 - width
    sign = np.where(is_call, 1.0, -1.0)
    return np.maximum(sign * (forward * ndtr(sign * d1) - strike * ndtr(sign * d2)), 0.0)


def greeks(forward: Floats, strike: Floats, vol: Floats, years: Floats, is_call: Bools) -> Greeks:
    width = vol * np.sqrt(years)
    d1 = np.log(forward / strike) / width + width / 2
    density = np.exp(-(d1**2) / 2) / _ROOT_TWO_PI
    return Greeks(
        delta=np.where(is_call, ndtr(d1), ndtr(d1) - 1.0),
        gamma=density / (forward * width),
        vega=forward * density * np.sqrt(years) / 100,
        theta=-forward * density * vol / (2 * np.sqrt(years)) / 365,
    )


def implied_vol(premium: Floats, forward: Floats, strike: Floats, years: Floats, is_call: Bools) -> Floats:
    """Volatility by bisection over 1 % to 500 %; NaN where the premium lies outside what these give."""
    low, high = np.full(premium.shape, 0.01), np.full(premium.shape, 5.0)
    solvable = (premium > black76(forward, strike, low, years, is_call)) & (
        premium < black76(forward, strike, high, years, is_call)
    )
    for _ in range(42):  # 5 / 2^42 is below what any venue prints
        middle = (low + high) / 2
        is_below = black76(forward, strike, middle, years, is_call) < premium
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return np.where(solvable, (low + high) / 2, np.nan)
