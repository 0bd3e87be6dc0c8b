"""SVI slices of total variance: the fit of many at once, and the arbitrage in one.

w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2)), k = ln(K / F), w = vol^2 years. Gatheral, "A parsimonious
arbitrage-free implied volatility parameterization" (2004); fitted quasi-explicitly (De Marco and Martini, Zeliade
Systems, 2009): at given m and sigma the rest is linear. What is best on a grid of them is then improved together, by
Levenberg-Marquardt steps that keep w and b positive, |rho| below one, and the bend where there are quotes. Nothing is
drawn: the same quotes give the same slice.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]

STEPS = 3000  # a slice of next to no variance lies at the end of a long valley
STUCK = 1e8  # damping at which a step is too short to matter
SLICES_AT_ONCE = 128
STEEPEST_RHO = 0.999
WIDE = 2.0  # log-moneyness; at 0.5 the arbitrage of Vogt's slice stays unseen


class Svi(NamedTuple):
    """Parameters of slices, in arrays of one shape."""

    a: Floats
    b: Floats
    rho: Floats
    m: Floats
    sigma: Floats

    def total_variance(self, k: Floats) -> Floats:
        """At `k`, of shape (slices, points)."""
        a, b, rho, m, sigma = (each[:, None] for each in self)
        w: Floats = a + b * (rho * (k - m) + np.hypot(k - m, sigma))
        return w

    def density(self, k: Floats) -> Floats:
        """Durrleman's g(k): where it is negative, so is a butterfly's price."""
        _, b, rho, m, sigma = (each[:, None] for each in self)
        away, root = k - m, np.hypot(k - m, sigma)
        w, slope, curve = self.total_variance(k), b * (rho + away / root), b * sigma**2 / root**3
        g: Floats = (1 - k * slope / (2 * w)) ** 2 - slope**2 / 4 * (1 / w + 0.25) + curve / 2
        return g

    def least_density(self, reach: Floats) -> tuple[Floats, Floats]:
        """The smallest g over at least +-`WIDE` and `reach`, looked for closer where the slice bends; and its k."""
        edge = np.maximum(WIDE, reach)[:, None]
        wide = np.linspace(-1, 1, 801) * edge
        bend = np.clip(self.m[:, None] + np.linspace(-5, 5, 201) * self.sigma[:, None], -edge, edge)
        rows = np.arange(len(reach))
        k = np.hstack([wide, bend])
        step = (wide[:, 1] - wide[:, 0])[:, None]
        for finer in (1, 50, 2500):
            near = k[rows, np.argmin(self.density(k), axis=1)][:, None]
            k = np.clip(near + np.linspace(-1, 1, 101) * step / finer, -edge, edge)
        least = np.argmin(self.density(k), axis=1)
        return self.density(k)[rows, least], k[rows, least]

    def steepest_wing(self) -> Floats:
        """Rise of total variance with k far out; over 2 a wing can be arbitraged (Lee, "The moment formula", 2004)."""
        steepest: Floats = self.b * (1 + np.abs(self.rho))
        return steepest

    def strike_of_delta(self, call_delta: float) -> Floats:
        """The k at which N(d1), undiscounted, is `call_delta`; NaN where none within +-3 is."""
        low, high = np.full(len(self.a), -3.0), np.full(len(self.a), 3.0)

        def delta(k: Floats) -> Floats:
            total_vol = np.sqrt(self.total_variance(k[:, None])[:, 0])
            return np.asarray(ndtr(-k / total_vol + total_vol / 2), dtype=np.float64)

        is_bracketed = (delta(low) > call_delta) & (delta(high) < call_delta)
        for _ in range(60):
            middle = (low + high) / 2
            is_above = delta(middle) > call_delta  # delta falls with the strike
            low, high = np.where(is_above, middle, low), np.where(is_above, high, middle)
        return np.where(is_bracketed, (low + high) / 2, np.nan)


def fit(k: Floats, w: Floats, vega: Floats) -> Svi:
    """The slices nearest to total variances `w` at `k`, by squared error of volatility times vega.

    All of shape (slices, quotes), `k` within a slice in any order; where a slice has fewer, its `vega` is 0 there and
    `k` and `w` repeat one of its own. At least five quotes a slice determine it.
    """
    weight = vega / (2 * np.sqrt(w))
    parts = [slice(first, first + SLICES_AT_ONCE) for first in range(0, len(k), SLICES_AT_ONCE)]
    fitted = [_improved(k[part], w[part], weight[part]) for part in parts]
    return Svi(*(np.concatenate(each) for each in zip(*fitted, strict=True)))


def _best_of_grid(k: Floats, w: Floats, weight: Floats) -> Svi:
    """Of the linear fits w = a + d y + c z at each m and sigma of a grid, the best that is a slice.

    y = (k - m) / sigma and z = sqrt(y^2 + 1), so c = b sigma and d = rho c.
    """
    width = np.ptp(k, axis=1)[:, None]
    m = np.repeat(k.min(axis=1)[:, None] + np.linspace(0, 1, 13) * width, 9, axis=1)
    sigma = np.tile(np.geomspace(0.02, 1, 9) * width, (1, 13))
    y = (k[:, None, :] - m[..., None]) / sigma[..., None]
    z, one = np.sqrt(y**2 + 1), np.ones_like(y)
    flat = np.average(w, axis=1, weights=weight)
    best = np.stack([flat / 2, flat / width[:, 0], 0 * flat, m[:, 0], width[:, 0]])
    least = np.full(len(k), np.inf)
    rows = np.arange(len(k))
    for rho in (None, STEEPEST_RHO, -STEEPEST_RHO):  # free, and on the edges
        basis = np.stack([one, y, z] if rho is None else [one, z + rho * y], axis=-1) * weight[:, None, :, None]
        found, cost = _least_squares(basis, (weight * w)[:, None, :])
        a, c = found[..., 0], found[..., -1]
        d = found[..., 1] if rho is None else rho * c
        is_slice = (c > 0) & (np.abs(d) < c) & (a + np.sqrt(np.maximum(c**2 - d**2, 0)) > 0)
        cost = np.where(is_slice, cost, np.inf)
        node = np.argmin(cost, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            chosen = np.stack([each[rows, node] for each in (a, c / sigma, d / c, m, sigma)])
        is_better = cost[rows, node] < least
        best[:, is_better] = chosen[:, is_better]
        least = np.minimum(least, cost[rows, node])
    return Svi(*best)


def _least_squares(basis: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Coefficients and squared error of each fit, by the normal equations, kept solvable where columns are alike."""
    transposed = np.swapaxes(basis, -1, -2)
    normal = transposed @ basis
    ridge = 1e-12 * np.trace(normal, axis1=-2, axis2=-1)[..., None, None] * np.eye(basis.shape[-1])
    found = np.linalg.solve(normal + ridge, transposed @ target[..., None])
    return found[..., 0], np.sum((target - (basis @ found)[..., 0]) ** 2, axis=-1)


def _improved(k: Floats, w: Floats, weight: Floats) -> Svi:
    """The best of the grid after damped Gauss-Newton steps on (ln of the least w, ln b, artanh rho, m, ln sigma)."""
    start = _best_of_grid(k, w, weight)
    bottom = start.a + start.b * start.sigma * np.sqrt(1 - start.rho**2)
    free = np.stack(
        [np.log(np.maximum(bottom, 1e-10)), np.log(start.b), np.arctanh(start.rho), start.m, np.log(start.sigma)]
    )
    low, width = k.min(axis=1), np.ptp(k, axis=1)
    bounds = (
        np.stack([0 * low - 25, 0 * low - 12, 0 * low - 4, low, np.log(1e-3 * width)]),
        np.stack([0 * low + 5, 0 * low + 5, 0 * low + 4, low + width, np.log(width)]),
    )
    free = np.clip(free, *bounds)
    damping = np.full(len(k), 1e-3)  # each slice has its own, infinite once it improves no more
    residual = weight * (_slice_of(free).total_variance(k) - w)
    cost = np.sum(residual**2, axis=1)
    for _ in range(STEPS):
        going = np.flatnonzero(damping < STUCK)
        if not len(going):
            break
        slope = weight[going, :, None] * _derivatives(free[:, going], k[going])
        transposed = np.swapaxes(slope, 1, 2)
        normal = transposed @ slope
        diagonal = np.einsum("sii->si", normal)
        stiff = (damping[going, None] * diagonal + 1e-14 * diagonal.sum(axis=1, keepdims=True) + 1e-300)[..., None]
        step = np.linalg.solve(normal + stiff * np.eye(5), -(transposed @ residual[going, :, None]))[..., 0].T
        tried = np.clip(free[:, going] + step, *(bound[:, going] for bound in bounds))
        off = weight[going] * (_slice_of(tried).total_variance(k[going]) - w[going])
        gain = cost[going] - np.sum(off**2, axis=1)
        is_better = gain > 0
        is_done = is_better & (gain <= 1e-10 * cost[going])
        damping[going] = np.where(is_done, np.inf, np.maximum(damping[going] * np.where(is_better, 0.2, 4), 1e-12))
        better = going[is_better]
        free[:, better], residual[better], cost[better] = (
            tried[:, is_better],
            off[is_better],
            (cost[going] - gain)[is_better],
        )
    return _slice_of(free)


def _slice_of(free: Floats) -> Svi:
    bottom, b, rho, m, sigma = np.exp(free[0]), np.exp(free[1]), np.tanh(free[2]), free[3], np.exp(free[4])
    return Svi(bottom - b * sigma * np.sqrt(1 - rho**2), b, rho, m, sigma)


def _derivatives(free: Floats, k: Floats) -> Floats:
    """Of total variance by each free parameter; shape (slices, quotes, 5)."""
    _, b, rho, m, sigma = (each[:, None] for each in _slice_of(free))
    away, root, narrow = k - m, np.hypot(k - m, sigma), np.sqrt(1 - rho**2)
    return np.stack(
        [
            np.broadcast_to(np.exp(free[0])[:, None], k.shape),
            b * (rho * away + root - sigma * narrow),
            b * narrow * (narrow * away + rho * sigma),
            -b * (rho + away / root),
            b * sigma * (sigma / root - narrow),
        ],
        axis=-1,
    )
