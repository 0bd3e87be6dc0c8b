"""Trades: one tape a day and instrument, with consecutive ids for any day.

A day holds a fixed number of trades, spread over it as a Poisson process is once its count is known, denser
in stress (intensity in proportion to 1 + 2 · stress). The taker buys with probability 0.5 + 0.3 · pressure,
trades at the touch of the book of that moment, and takes a lognormal number of US dollars.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingestion.sandbox.books import price_of, touch_ticks
from ingestion.sandbox.listings import Listing
from ingestion.sandbox.path import FIRST_DAY, STEP_S, STEPS, Day

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BUY_TILT: Final = 0.3
MEDIAN_USD: Final = 1_500.0
SIZE_SPREAD: Final = 1.2


@dataclass(frozen=True, slots=True)
class Tape:
    """Trades in time order; sizes in the venue's unit, `is_buy` is the taker's side."""

    trade_id: Ints
    at_ms: Ints
    px: Floats
    qty: Floats
    is_buy: Bools

    def __len__(self) -> int:
        return len(self.trade_id)

    def between(self, start_ms: int, end_ms: int) -> "Tape":
        """Trades of start ≤ time ≤ end."""
        first, last = np.searchsorted(self.at_ms, [start_ms, end_ms + 1])
        return self.cut(int(first), int(last))

    def cut(self, first: int, last: int | None) -> "Tape":
        span = slice(first, last)
        return Tape(self.trade_id[span], self.at_ms[span], self.px[span], self.qty[span], self.is_buy[span])


def join(tapes: list[Tape]) -> Tape:
    if not tapes:
        nothing = np.empty(0)
        none = nothing.astype(np.int64)
        return Tape(none, none, nothing, nothing, nothing.astype(np.bool_))
    return Tape(
        *(
            np.concatenate([getattr(tape, name) for tape in tapes])
            for name in ("trade_id", "at_ms", "px", "qty", "is_buy")
        )
    )


def buy_share(pressure: Floats) -> Floats:
    """How likely the taker buys."""
    return 0.5 + BUY_TILT * pressure


def day_of_id(listing: Listing, trade_id: int) -> int:
    return trade_id // listing.trades_a_day + FIRST_DAY


def draw(listing: Listing, day: int, mid_px: Floats, usd_px: Floats, latent: Day, noise: np.random.Generator) -> Tape:
    """One day's tape; `mid_px` in the quote currency and `usd_px` in US dollars, at each step."""
    count = listing.trades_a_day
    waits = noise.standard_exponential(count + 1)  # their normed sums are a Poisson day's moments
    moments = np.cumsum(waits)[:-1] / waits.sum()
    intensity = np.concatenate(([0.0], np.cumsum(1.0 + 2.0 * latent.stress)))
    seconds = np.interp(moments, intensity / intensity[-1], np.arange(STEPS + 1) * float(STEP_S))
    at_ms = np.minimum((seconds * 1_000).astype(np.int64), 86_400_000 - 1)
    step = at_ms // (STEP_S * 1_000)

    is_buy = noise.random(count) < buy_share(latent.pressure[step])
    bid, ask = touch_ticks(listing, mid_px)
    px = price_of(listing, np.where(is_buy, ask[step], bid[step]))
    usd = MEDIAN_USD * np.exp(SIZE_SPREAD * noise.standard_normal(count))
    unit_usd = listing.usd_of(1.0, 1.0) if listing.is_inverse else listing.contract_size * usd_px[step]
    qty = np.round(np.maximum(np.round(usd / unit_usd / listing.lot), 1.0) * listing.lot, listing.qty_dp)
    return Tape(
        trade_id=(day - FIRST_DAY) * count + np.arange(count),
        at_ms=day * 86_400_000 + at_ms,
        px=px,
        qty=qty,
        is_buy=is_buy,
    )


@dataclass(frozen=True, slots=True)
class DayStats:
    """What a tape sums up to; volumes in the venue's unit, base coin and quote currency."""

    first: Tape
    last: Tape
    high_px: float
    low_px: float
    volume_qty: float
    volume_base: float
    volume_quote: float
    count: int


def stats(listing: Listing, tape: Tape) -> DayStats:
    base, quote = base_and_quote(listing, tape.px, tape.qty)
    return DayStats(
        first=tape.cut(0, 1),
        last=tape.cut(len(tape) - 1, len(tape)),
        high_px=float(tape.px.max()),
        low_px=float(tape.px.min()),
        volume_qty=float(tape.qty.sum()),
        volume_base=float(base.sum()),
        volume_quote=float(quote.sum()),
        count=len(tape),
    )


def base_and_quote(listing: Listing, px: Floats, qty: Floats) -> tuple[Floats, Floats]:
    """Sizes in the venue's unit as base coin and as quote currency, at these prices."""
    if listing.is_inverse:
        quote = qty * listing.contract_size
        return quote / px, quote
    base = qty * listing.contract_size
    return base, base * px
