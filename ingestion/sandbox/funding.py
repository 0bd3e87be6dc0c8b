"""Funding by each venue's own formula, from premiums by the minute.

Binance, Bybit, OKX   F = P + clamp(1 bp − P, ±5 bps) at 0, 8 and 16 o'clock UTC; P the mean premium of the
                      8 hours, on Binance and Bybit linearly weighted (later minutes more), on OKX plain
Deribit               the mean over the last 8 hours of max(2.5 bps, premium) + min(−2.5 bps, premium)
"""

from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

INTERVAL: Final = timedelta(hours=8)
INTEREST: Final = 0.0001
CLAMP: Final = 0.0005
DAMPER: Final = 0.00025
IS_WEIGHTED: Final = {"binance_usdm": True, "binance_coinm": True, "bybit": True, "okx": False}


def next_settlement(at: datetime) -> datetime:
    """The next of 0, 8 and 16 o'clock UTC, always after `at`."""
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return day + ((at - day) // INTERVAL + 1) * INTERVAL


def clamped(venue: str, premiums: Floats) -> float:
    """The rate for 8 hours from premiums by the minute, oldest first."""
    weights = np.arange(1.0, len(premiums) + 1) if IS_WEIGHTED[venue] else np.ones(len(premiums))
    mean = float((premiums * weights).sum() / weights.sum())
    return mean + min(max(INTEREST - mean, -CLAMP), CLAMP)


def damped(premium: Floats) -> Floats:
    """Deribit's rate for 8 hours if a premium stayed as it is: none while it stays within the damper."""
    return np.maximum(DAMPER, premium) + np.minimum(-DAMPER, premium)
