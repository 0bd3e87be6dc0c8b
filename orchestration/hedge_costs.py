"""What it costs to trade a delta away, instrument by instrument: arithmetic alone.

Cost is what crossing the captured book takes, the taker's fee, and what holding the hedge pays; earnings are negative.
Nothing is extrapolated: an order is cut to the largest size that the book is known to hold.
"""

from collections import Counter
from datetime import datetime
from typing import Literal

import msgspec

from orchestration.positions import Terms, coins, quantity_of

BEST_COUNT = 5
AT_PAR = ("USD", "USDT", "USDC")  # depth counts them as dollars: docs/decisions/0006-depth-is-at-par-prices-are-not.md


class Depth(msgspec.Struct, frozen=True):
    """Slippage of one stated size on both sides, null where the captured side does not hold it."""

    order_usd: float
    buy_slippage_bps: float | None
    sell_slippage_bps: float | None


class Candidate(msgspec.Struct, frozen=True):
    """An instrument that a delta may be hedged with, at its newest book of the hour."""

    terms: Terms
    mid_px: float | None
    captured_ts: datetime
    depths: tuple[Depth, ...]
    usd_rate: float | None
    taker_fee_frac: float | None
    carry_per_day_frac: float | None  # of its value, what a long earns a day; negative: longs pay
    days_to_expiry: float | None


class Hedge(msgspec.Struct, frozen=True):
    """One order that takes the delta away, in the instrument's own units. Positive cost: paid."""

    venue: str
    kind: str
    symbol: str
    side: Literal["buy", "sell"]
    quantity: float
    amount_unit: str
    px: float
    captured_ts: datetime
    notional_usd: float
    slippage_usd: float
    fee_usd: float
    carry_usd: float
    cost_usd: float
    cost_bps: float
    residual_delta_base: float
    is_full: bool  # false: the book is not known to hold more
    note: str | None


class LeftOut(ValueError):
    """Why an instrument is no candidate."""


def carry_per_day(terms: Terms, funding_per_hour: float | None, basis_frac: float | None, days: float | None) -> float:
    """What a long earns a day of its value: funding of a perpetual, the basis rolling to nothing of a dated future.

    Raises LeftOut where it is not known. `basis_frac` is F / S - 1; within the last day all of it is left.
    """
    if terms.kind == "perp":
        if funding_per_hour is None:
            raise LeftOut("funding not known")
        return -funding_per_hour * 24
    if terms.kind == "future":
        if basis_frac is None or days is None:
            raise LeftOut("basis not known")
        return -basis_frac / (1 + basis_frac) / max(days, 1.0)
    return 0.0


def best_hedges(
    delta_base: float, candidates: list[Candidate], horizon_days: float
) -> tuple[list[Hedge], dict[str, int]]:
    """The cheapest orders that bring a delta to zero, full ones first, and how many were left out for which reason."""
    found: list[Hedge] = []
    left_out: Counter[str] = Counter()
    for candidate in candidates:
        try:
            found.append(hedge_with(candidate, delta_base, horizon_days))
        except LeftOut as reason:
            left_out[str(reason)] += 1
    found.sort(key=lambda hedge: (not hedge.is_full, hedge.cost_bps, hedge.venue, hedge.kind, hedge.symbol))
    return found[:BEST_COUNT], dict(sorted(left_out.items()))


def hedge_with(candidate: Candidate, delta_base: float, horizon_days: float) -> Hedge:
    """The order in one instrument, rounded to its lots. Raises LeftOut."""
    terms, px = candidate.terms, candidate.mid_px
    if terms.is_quanto:
        raise LeftOut("quanto")
    if px is None or candidate.usd_rate is None:
        raise LeftOut("no price in dollars")
    if candidate.taker_fee_frac is None:
        raise LeftOut("fee not known")
    if candidate.carry_per_day_frac is None:
        raise LeftOut("carry not known")
    side: Literal["buy", "sell"] = "sell" if delta_base > 0 else "buy"
    costs = _known_costs(candidate.depths, side)
    if not costs:
        raise LeftOut("book does not hold the smallest size")
    par = 1.0 if terms.quote_asset in AT_PAR else candidate.usd_rate  # dollars of depth in one of the price's currency
    most = costs[-1][0] / par
    quantity, is_full = _lots(terms, abs(delta_base), px, most)
    base = coins(terms, quantity, px)
    if not base:
        raise LeftOut("delta is under half a lot")
    signed = base if side == "buy" else -base
    notional = base * px * candidate.usd_rate
    slippage = _cost(costs, base * px * par) * candidate.usd_rate / par
    fee = notional * candidate.taker_fee_frac
    held = horizon_days
    notes = []
    if candidate.days_to_expiry is not None and candidate.days_to_expiry < horizon_days:
        held = max(candidate.days_to_expiry, 1.0)  # within the last day all of the basis is left
        notes.append(f"expires after {candidate.days_to_expiry:.1f} days")
    elif terms.kind == "spot" and side == "sell":
        notes.append("needs the coin in stock")
    if terms.quote_asset not in AT_PAR:
        notes.append(f"leaves {-signed * px:+.6g} {terms.quote_asset}")
    carry = -candidate.carry_per_day_frac * held * (notional if side == "buy" else -notional)
    cost = slippage + fee + carry
    return Hedge(
        venue=terms.venue,
        kind=terms.kind,
        symbol=terms.symbol,
        side=side,
        quantity=quantity,
        amount_unit=terms.amount_unit,
        px=px,
        captured_ts=candidate.captured_ts,
        notional_usd=notional,
        slippage_usd=slippage,
        fee_usd=fee,
        carry_usd=carry,
        cost_usd=cost,
        cost_bps=10_000 * cost / notional,
        residual_delta_base=delta_base + signed,
        is_full=is_full,
        note="; ".join(notes) or None,
    )


def _lots(terms: Terms, base: float, px: float, most: float) -> tuple[float, bool]:
    """Quantity nearest to the coins wanted: whole lots, at most `most` of the price's currency; whether it is all."""
    lot = terms.lot_size_qty
    wanted, room = quantity_of(terms, base, px), quantity_of(terms, most / px, px)
    if not lot:
        return min(wanted, room), wanted <= room
    count = min(round(wanted / lot), int(room / lot))
    return float(f"{count * lot:.12g}"), wanted < (count + 1) * lot


def _known_costs(depths: tuple[Depth, ...], side: str) -> list[tuple[float, float]]:
    """(size, cost) in dollars at par of the sizes that the side holds, smallest first."""
    costs = []
    for depth in sorted(depths, key=lambda depth: depth.order_usd):
        bps = depth.buy_slippage_bps if side == "buy" else depth.sell_slippage_bps
        if bps is None:
            break
        costs.append((depth.order_usd, depth.order_usd * bps / 10_000))
    return costs


def _cost(costs: list[tuple[float, float]], size: float) -> float:
    """Linear in cost between two stated sizes; below the smallest at its rate, which is a ceiling."""
    below, above = next(
        (pair for pair in zip([(0.0, 0.0), *costs], costs, strict=False) if size <= pair[1][0]),
        ((0.0, 0.0), costs[-1]) if len(costs) == 1 else (costs[-2], costs[-1]),  # the largest, but for its last bit
    )
    share = (size - below[0]) / (above[0] - below[0])
    return below[1] + share * (above[1] - below[1])
