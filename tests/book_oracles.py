"""Order-book metrics by hand: plain loops over snapshots, exact where a sum may cancel; nothing of the product."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import numpy as np

Level = tuple[float, float, float]  # price, base coin, dollars

EDGES_BPS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 300, 500)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Seen:
    """One snapshot, levels from the touch outward."""

    at: datetime
    bids: list[Level]
    asks: list[Level]

    @property
    def is_sound(self) -> bool:
        return bool(self.bids and self.asks) and self.bids[0][0] < self.asks[0][0]

    @property
    def mid(self) -> float:
        return (self.bids[0][0] + self.asks[0][0]) / 2


def minute_of(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def side_flow(before: Level, now: Level, better: int) -> Fraction:
    """What was added to one side at one level; `better` is 1 where a higher price is nearer to the other side."""
    (earlier_px, earlier_qty, _), (px, qty, _) = before, now
    flow = Fraction(0)
    if better * px >= better * earlier_px:
        flow += Fraction(qty)
    if better * px <= better * earlier_px:
        flow -= Fraction(earlier_qty)
    return flow


def order_flows(hour: Sequence[Seen]) -> dict[datetime, dict[str, float | None]]:
    """By minute: the flow of ten levels in coin and over the mean depth of a level."""
    sound = [seen for seen in hour if seen.is_sound]
    pairs = defaultdict(list)
    for before, now in pairwise(sound):
        pairs[minute_of(now.at)].append((before, now))
    found = {}
    for minute in sorted({minute_of(seen.at) for seen in hour}):
        own = pairs[minute]
        numbers: dict[str, float | None] = {"comparisons_count": len(own)}
        is_deep = all(min(len(now.bids), len(now.asks)) >= 10 for _, now in own)
        depth = None
        if own and is_deep:
            rest = sum(Fraction(level[1]) for _, now in own for level in (*now.bids[:10], *now.asks[:10]))
            depth = rest / (20 * len(own))
        numbers["mean_level_depth_base"] = None if depth is None else float(depth)
        for place in range(10):
            has_level = all(
                len(side) > place for before, now in own for side in (before.bids, before.asks, now.bids, now.asks)
            )
            flow = None
            if own and has_level:
                flow = sum(
                    (
                        side_flow(before.bids[place], now.bids[place], 1)
                        - side_flow(before.asks[place], now.asks[place], -1)
                        for before, now in own
                    ),
                    Fraction(0),
                )
            numbers[f"ofi_l{place + 1}_base"] = None if flow is None else float(flow)
            numbers[f"ofi_l{place + 1}_frac"] = None if flow is None or depth is None else float(flow / depth)
        found[minute] = numbers
    return found


def principal_weights(bars: Sequence[Sequence[float]]) -> list[float]:
    """First principal component by power iteration on the centred bars; absolute sum one, sum positive."""
    centred = np.array(bars) - np.array(bars).mean(axis=0)
    weights = np.ones(centred.shape[1])
    for _ in range(20_000):
        weights = centred.T @ (centred @ weights)
        weights /= np.sqrt((weights**2).sum())
    weights /= np.abs(weights).sum()
    return list(weights if weights.sum() > 0 else -weights)


def walked(levels: Sequence[Level], order_usd: int) -> float | None:
    """The average price of an order; none where the levels do not hold it."""
    left, coins = Fraction(order_usd), []
    for px, _, usd in levels:
        part = min(left, Fraction(usd))
        left -= part
        coins.append(float(part) / px)
    return None if left else order_usd / math.fsum(coins)


def impact(seen: Seen, order_usd: int) -> dict[str, float | None]:
    if not seen.is_sound:
        return dict.fromkeys(("buy_fill_px", "sell_fill_px", "is_depth_sufficient"))
    buy, sell = walked(seen.asks, order_usd), walked(seen.bids, order_usd)
    return {
        "buy_fill_px": buy,
        "sell_fill_px": sell,
        "is_ask_depth_sufficient": buy is not None,
        "is_bid_depth_sufficient": sell is not None,
        "is_depth_sufficient": buy is not None and sell is not None,
    }


def decayed_imbalance(seen: Seen, per_bps: float = 0.1) -> float | None:
    """As far as both sides reach, by the decimals of their prices; none where that is under 1 / `per_bps`."""
    if not seen.is_sound:
        return None
    sides = [[(Decimal(repr(px)), usd) for px, _, usd in side] for side in (seen.bids, seen.asks)]
    mid = (sides[0][0][0] + sides[1][0][0]) / 2
    reach = min(abs(side[-1][0] - mid) for side in sides)
    if reach / mid * 10_000 < 1 / Decimal(repr(per_bps)):
        return None
    bid, ask = (
        sum(usd * np.exp(-per_bps * float(abs(px - mid) / mid) * 1e4) for px, usd in side if abs(px - mid) <= reach)
        for side in sides
    )
    return float((bid - ask) / (bid + ask))


def profile(minute: Sequence[Seen]) -> dict[float, float]:
    """Dollars by lower edge, of the last sound snapshot, in the buckets that it spans."""
    sound = [seen for seen in minute if seen.is_sound]
    if not sound:
        return {}
    last = sound[-1]
    found = {}
    for sign, side in ((-1, last.bids), (1, last.asks)):
        for near, far in pairwise(EDGES_BPS):
            inner, outer = (Fraction(last.mid) * (1 + sign * Fraction(bps, 10_000)) for bps in (near, far))
            if sign * Fraction(side[-1][0]) >= sign * outer:
                own = [usd for px, _, usd in side if sign * inner < sign * Fraction(px) <= sign * outer]
                found[float(near if sign > 0 else -far)] = float(sum(map(Fraction, own)))
    return found


def depth_within_10bps(seen: Seen, side: str) -> float | None:
    if not seen.is_sound:
        return None
    sign, levels = (-1, seen.bids) if side == "bid" else (1, seen.asks)
    edge = Fraction(seen.mid) * (1 + sign * Fraction(10, 10_000))
    if sign * Fraction(levels[-1][0]) < sign * edge:
        return None
    return float(sum(Fraction(usd) for px, _, usd in levels if sign * Fraction(px) <= sign * edge))


def sweeps(hour: Sequence[Seen], side: str) -> dict[datetime, tuple[float, float | None]]:
    """By instant: the part that a sweep took, and the seconds until half of it was back."""
    depths = [(seen.at, depth) for seen in hour if (depth := depth_within_10bps(seen, side)) is not None]
    found = {}
    for n in range(1, len(depths)):
        (earlier, before), (at, after) = depths[n - 1], depths[n]
        if not before or (before - after) / before < 0.3 or (at - earlier).total_seconds() > 10:
            continue
        back = next((late for late, depth in depths[n + 1 :] if depth >= (before + after) / 2), None)
        found[at] = ((before - after) / before, None if back is None else (back - at).total_seconds())
    return found


def micro_adjustments(
    touches: Sequence[tuple[float, float, float, float]], tick: float
) -> dict[tuple[int, int], float]:
    """Stoikov's recursion from (bid, bid size, ask, ask size): the adjustment by (bucket, spread in ticks)."""

    def state(touch: tuple[float, float, float, float]) -> tuple[int, int]:
        bid, bid_qty, ask, ask_qty = touch
        lean = (bid_qty - ask_qty) / (bid_qty + ask_qty)
        for bucket in range(-4, 5):
            if bucket == 4 or lean < (2 * bucket + 1) / 9 or (bucket < 0 and lean == (2 * bucket + 1) / 9):
                return bucket, min(3, round((ask - bid) / tick))
        raise AssertionError

    steps = []
    for before, now in pairwise(touches):
        move = (now[0] + now[2] - before[0] - before[2]) / 2
        (bucket, spread), (next_bucket, next_spread) = state(before), state(now)
        steps.append(((bucket, spread), (next_bucket, next_spread), move))
        steps.append(((-bucket, spread), (-next_bucket, next_spread), -move))
    while True:
        left = {start for start, _, _ in steps}
        kept = [step for step in steps if step[1] in left]
        if len(kept) == len(steps):
            break
        steps = kept
    states = sorted(left)
    place = {each: n for n, each in enumerate(states)}
    stays, leaps, drift = np.zeros((len(states),) * 2), np.zeros((len(states),) * 2), np.zeros(len(states))
    for start in states:
        own = [step for step in steps if step[0] == start]
        for _, end, move in own:
            (stays if abs(move) < tick / 4 else leaps)[place[start], place[end]] += 1 / len(own)
            drift[place[start]] += move / len(own)
    inverse = np.linalg.inv(np.eye(len(states)) - stays)
    term = inverse @ drift
    onward = inverse @ leaps
    total = np.zeros(len(states))
    for _ in range(3_000):
        total += term
        term = onward @ term
        term = (term - np.array([term[place[-bucket, spread]] for bucket, spread in states])) / 2
    return {each: float(total[place[each]]) for each in states}
