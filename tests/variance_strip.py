"""Cboe's sum over the options of one expiry, in plain loops: the second opinion on model-free variance."""

from collections.abc import Sequence
from statistics import median
from typing import Any


def strip_of(quotes: Sequence[dict[str, Any]], years: float) -> float:
    """Cboe's sum over one expiry, outward from the centre in two loops."""
    forward = median(row["forward_px"] for row in quotes)
    mids = {(row["strike_px"], row["option_type"]): row["mid_premium_usd"] for row in quotes if row["bid_premium_usd"]}
    strikes = sorted({row["strike_px"] for row in quotes})
    centre = max(strike for strike in strikes if strike <= forward)
    chosen = {centre: (mids[centre, "call"] + mids[centre, "put"]) / 2}
    for side, outward in (
        ("put", [s for s in strikes if s < centre][::-1]),
        ("call", [s for s in strikes if s > centre]),
    ):
        unbid = 0
        for strike in outward:
            unbid = 0 if (strike, side) in mids else unbid + 1
            if unbid == 2:
                break
            if unbid == 0:
                chosen[strike] = mids[strike, side]
    ks = sorted(chosen)
    widths = [ks[1] - ks[0], *((b - a) / 2 for a, b in zip(ks, ks[2:], strict=False)), ks[-1] - ks[-2]]
    total = sum(width / k**2 * chosen[k] for width, k in zip(widths, ks, strict=True))
    return (2 * total - (forward / centre - 1) ** 2) / years
