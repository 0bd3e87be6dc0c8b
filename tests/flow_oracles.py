"""Second opinions on flow and liquidity, by loops, fractions and scipy: they share no code with the models."""

import math
import statistics
from bisect import bisect_left, bisect_right
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import stats

from tests.flow_market import HOUR, SECONDS, WEEK, Series

BUCKETS, WINDOW = 50, 20


def minute_bars(series: Series) -> dict[int, dict[str, float]]:
    """Open, high, low, close and dollars of each minute that traded."""
    bars: dict[int, dict[str, float]] = {}
    for us, px, usd in zip(series.at_us, series.px, series.usd, strict=True):
        bar = bars.setdefault(us // 60_000_000, {"o": px, "h": px, "l": px, "usd": 0.0})
        bar["h"], bar["l"], bar["c"] = max(bar["h"], px), min(bar["l"], px), px
        bar["usd"] += usd
    return bars


def costs(series: Series) -> dict[str, float | None]:
    """Spreads and impact by a loop over trades: the quote of the second of each, and of 5 and 60 s later."""
    weighed: dict[str, list[tuple[float, float]]] = {"effective": [], "r5": [], "i5": [], "r60": [], "i60": []}
    for us, buy, px, usd in zip(series.at_us, series.is_buy, series.px, series.usd, strict=True):
        sign, mid = (1 if buy else -1), series.mid_px[us // 1_000_000]
        weighed["effective"].append((2e4 * sign * (px - mid) / mid, usd))
        for horizon in (5, 60):
            later = us + horizon * 1_000_000
            if later < SECONDS * 1_000_000:
                then = series.mid_px[later // 1_000_000]
                weighed[f"r{horizon}"].append((2e4 * sign * (px - then) / mid, usd))
                weighed[f"i{horizon}"].append((2e4 * sign * (then - mid) / mid, usd))
    mean = {
        name: math.fsum(cost * usd for cost, usd in told) / math.fsum(usd for _, usd in told)
        for name, told in weighed.items()
    }
    return {
        "effective_spread_bps": mean["effective"],
        "realized_spread_5s_bps": mean["r5"],
        "price_impact_5s_bps": mean["i5"],
        "realized_spread_60s_bps": mean["r60"],
        "price_impact_60s_bps": mean["i60"],
    }


def edge_bps(series: Series) -> float:
    """EDGE after the paper's equations, by numpy over the pairs of neighbouring minutes."""
    bars = minute_bars(series)
    minutes = [minute for minute in bars if minute - 1 in bars]
    o, h, low, c1, h1, l1 = (
        np.log([bars[minute - back][what] for minute in minutes])
        for what, back in (("o", 0), ("h", 0), ("l", 0), ("c", 1), ("h", 1), ("l", 1))
    )
    m, m1 = (h + low) / 2, (h1 + l1) / 2
    moved = (h != low) | (low != c1)
    opens = np.mean((o != h) & moved) + np.mean((o != low) & moved)
    closes = np.mean((c1 != h1) & moved) + np.mean((c1 != l1) & moved)

    def centred(r: Any) -> Any:
        return r - moved * r.mean() / moved.mean()

    x1 = -4 / opens * centred(m - o) * (o - m1) - 4 / closes * centred(m - c1) * (c1 - m1)
    x2 = -4 / opens * centred(m - o) * (o - c1) - 4 / closes * centred(o - c1) * (c1 - m1)
    squared = (x2.var() * x1.mean() + x1.var() * x2.mean()) / (x1.var() + x2.var())
    return float(np.sign(squared) * np.sqrt(abs(squared)) * 1e4)


def kyle(series: Series) -> tuple[float, float]:
    """Slope and R² by scipy, over the last quote of each minute."""
    ends = [60 * minute + 59 for minute in range(60)]
    signed = [size if buy else -size for size, buy in zip(series.qty, series.is_buy, strict=True)]
    flows = [
        math.fsum(signed[bisect_right(series.at_us, a * 1_000_000) : bisect_right(series.at_us, b * 1_000_000)])
        for a, b in pairwise(ends)
    ]
    moves = [series.mid_px[b] - series.mid_px[a] for a, b in pairwise(ends)]
    fit = stats.linregress(flows, moves)
    return float(fit.slope), float(fit.rvalue**2)


def vpins(series: Series) -> tuple[int, list[float]]:
    """Filled buckets, and VPIN after each from the twentieth on, in exact fractions of a millionth of a dollar."""
    past = [usd for hour, usd in series.earlier_usd.items() if HOUR - WEEK <= hour < HOUR]
    size = round(statistics.median(past) / BUCKETS * 1_000_000)
    leans: list[int] = []
    room, lean = size, 0
    for usd, buy in zip(series.usd, series.is_buy, strict=True):
        left = round(usd * 1_000_000)
        while left:
            poured = min(left, room)
            lean += poured if buy else -poured
            left, room = left - poured, room - poured
            if not room:
                leans.append(abs(lean))
                room, lean = size, 0
    return len(leans), [
        float(Fraction(sum(leans[end - WINDOW : end]), WINDOW * size)) for end in range(WINDOW, len(leans) + 1)
    ]


def thinned(series: Series) -> tuple[Any, Any]:
    """Instants and log prices of the last trade of each second."""
    last = {us // 1_000_000: (us, px) for us, px in zip(series.at_us, series.px, strict=True)}
    told = sorted(last.values())
    return np.array([us for us, _ in told]), np.log([px for _, px in told])


def information_shares(one: Series, other: Series, lags: int = 5) -> tuple[float, float]:
    """Lower and upper share of `one`, by least squares and two Cholesky factors of the residuals' covariance."""
    levels = np.log(np.column_stack([one.mid_px, other.mid_px]))
    moves, errors = np.diff(levels, axis=0), (levels[:, 0] - levels[:, 1])[:-1]
    told = np.arange(lags, len(moves))
    regressors = [np.ones(len(told)), errors[told], *(moves[told - lag].T for lag in range(1, lags + 1))]
    design = np.vstack(regressors).T
    fitted = np.linalg.lstsq(design, moves[told], rcond=None)[0]
    surprises = moves[told] - design @ fitted
    covariance = surprises.T @ surprises / len(told)
    weights = np.array([fitted[1, 1], -fitted[1, 0]])
    total = weights @ covariance @ weights
    first = (weights @ np.linalg.cholesky(covariance))[0] ** 2 / total
    last = (weights[::-1] @ np.linalg.cholesky(covariance[::-1, ::-1]))[1] ** 2 / total
    return min(first, last), max(first, last)


def hayashi_yoshida(one: Series, other: Series, lag_ms: int) -> tuple[float, float]:
    """Covariance and correlation by the definition: every product of moves whose stretches overlap."""
    (at, x), (other_at, y) = thinned(one), thinned(other)
    at = at + 1000 * lag_ms
    total = math.fsum(
        float(dx) * float(dy)
        for a, b, dx in zip(at, at[1:], np.diff(x), strict=False)
        for dy in np.diff(y)[max(0, bisect_right(other_at, a) - 1) : bisect_left(other_at, b)]
    )
    return total, total / math.sqrt(float(np.sum(np.diff(x) ** 2) * np.sum(np.diff(y) ** 2)))
