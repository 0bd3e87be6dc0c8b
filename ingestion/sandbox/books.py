"""Order books: a ladder on the instrument's tick whose lean is a stated function of pressure.

The truth, at distance d bps from the touch and pressure p:
    lean(d)  = 0.6 · p · (0.4 + 0.6 · exp(−d / 25 bps))
    bid, ask = depth(d) · (1 ± lean(d)) US dollars, rounded to lots
The same depth on both sides makes the imbalance of any number of levels a depth-weighted mean of the lean.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingestion.sandbox.listings import Listing

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVELS: Final = 120
LEAN: Final = 0.6
LEAN_REACH_BPS: Final = 25.0
HALF_SPREAD_BPS: Final = {"spot": 0.3, "perp": 0.2, "future": 1.0}
DEPTH_USD: Final = {"spot": 40_000.0, "perp": 80_000.0, "future": 15_000.0}  # a level next to the touch

# 100 levels a side reach 124 bps, so that a reply of 100 levels covers the band of ±100 bps
_DISTANCE_BPS: Final = 0.05 * np.expm1(0.079 * np.arange(LEVELS))
_DEPTH_SHAPE: Final = 1.0 + 12.0 * (_DISTANCE_BPS / 100.0) ** 0.8


@dataclass(frozen=True, slots=True)
class Book:
    """One snapshot, best level first; sizes in the venue's unit, `*_usd` their US dollars."""

    bid_px: Floats
    bid_qty: Floats
    bid_usd: Floats
    ask_px: Floats
    ask_qty: Floats
    ask_usd: Floats

    @property
    def mid_px(self) -> float:
        return float(self.bid_px[0] + self.ask_px[0]) / 2

    def imbalance(self, levels: int) -> float:
        """(ΣB − ΣA)/(ΣB + ΣA) in US dollars over the first levels; positive: buyers lean."""
        return _imbalance(self.bid_usd[:levels], self.ask_usd[:levels])

    def band_imbalance(self, bps: float) -> float:
        """The same within ± bps of the mid."""
        reach = self.mid_px * bps / 10_000
        return _imbalance(
            self.bid_usd[self.bid_px >= self.mid_px - reach], self.ask_usd[self.ask_px <= self.mid_px + reach]
        )


def touch_ticks(listing: Listing, mid_px: Floats) -> tuple[Ints, Ints]:
    """Best bid and ask in ticks around mid prices: the half spread, widened to whole ticks, never locked."""
    half = HALF_SPREAD_BPS[listing.kind] / 10_000
    bid = np.floor(mid_px * (1 - half) / listing.tick + 1e-9).astype(np.int64)
    ask = np.ceil(mid_px * (1 + half) / listing.tick - 1e-9).astype(np.int64)
    return bid, np.maximum(ask, bid + 1)


def price_of(listing: Listing, ticks: Ints) -> Floats:
    return np.round(ticks * listing.tick, listing.px_dp)


def lean(pressure: float, distance_bps: Floats) -> Floats:
    """By how much bids outweigh asks at a distance from the touch."""
    return LEAN * pressure * (0.4 + 0.6 * np.exp(-distance_bps / LEAN_REACH_BPS))


def ladder(listing: Listing, mid_px: float, quote_usd: float, pressure: float, noise: np.random.Generator) -> Book:
    """The book around a mid price; `quote_usd` is the worth of one unit of the quote currency."""
    bid_tick, ask_tick = touch_ticks(listing, np.array([mid_px]))
    away_bps = _DISTANCE_BPS
    steps = np.arange(LEVELS) + np.round(away_bps / 10_000 * mid_px / listing.tick).astype(np.int64)
    distance_bps = steps * listing.tick / mid_px * 10_000
    depth_usd = DEPTH_USD[listing.kind] * _DEPTH_SHAPE * np.exp(0.3 * noise.standard_normal(LEVELS))
    leaning = lean(pressure, distance_bps)

    def side(ticks: Ints, usd: Floats) -> tuple[Floats, Floats, Floats]:
        px = price_of(listing, ticks)
        unit_usd = listing.usd_of(1.0, 1.0) if listing.is_inverse else listing.contract_size * px * quote_usd
        lots = np.maximum(np.round(usd / unit_usd / listing.lot), 1.0)
        qty = np.round(lots * listing.lot, listing.qty_dp)
        return px, qty, qty * unit_usd

    bids = side(bid_tick - steps, depth_usd * (1 + leaning))
    asks = side(ask_tick + steps, depth_usd * (1 - leaning))
    return Book(*bids, *asks)


def _imbalance(bid_usd: Floats, ask_usd: Floats) -> float:
    bids, asks = float(bid_usd.sum()), float(ask_usd.sum())
    return (bids - asks) / (bids + asks)
