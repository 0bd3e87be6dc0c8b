"""The latent world in steps of five seconds: price, pressure and stress of BTC and ETH, and two stablecoins.

Days join at daily levels (a slow mean-reverting walk drawn once from the seed); within a day a Brownian
bridge is drawn from (seed, day) alone, so that any hour is reached without walking there.

The truth, with t in seconds UTC:
    stress(t)   = sin²(π (t − start)/length) inside one window a day of 2.5 to 4 hours, 0 outside
    pressure(t) = 0.40 · slow(t) + 0.55 · sign · stress(t), sign ±1 by day; positive: buyers press
    slow(t)     = 0.5 sin(t, 7.3 h) + 0.3 sin(t, 19.1 h) + 0.2 sin(t, 61 h), phases by seed
    variance    = vol² / 365 a day, spread over the day in proportion to 1 + 4 · stress
    usdt_usd    = 0.9995 + 0.0005 · slow(t);  usdc_usd = 1 + 0.0001 · slow(t)
"""

import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingestion.sandbox.memory import Memory

Floats = NDArray[np.float64]

ASSETS: Final = ("BTC", "ETH")
COINS: Final = ("USD", "USDT", "USDC")
STEP_S: Final = 5
STEPS: Final = 86_400 // STEP_S
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
OPENS: Final = datetime(2023, 1, 1, tzinfo=UTC)  # the first instant that can be asked about
CLOSES: Final = datetime(2036, 1, 1, tzinfo=UTC)
FIRST_DAY: Final = (datetime(2022, 1, 1, tzinfo=UTC) - EPOCH).days  # archives reach further back than clocks
LAST_DAY: Final = (datetime(2036, 3, 1, tzinfo=UTC) - EPOCH).days

CENTRE_USD: Final = {"BTC": 92_000.0, "ETH": 3_200.0}
LEVEL_SD: Final = {"BTC": 0.12, "ETH": 0.15}  # of the log price around its centre
TRUE_VOL_ANN: Final = {"BTC": 0.45, "ETH": 0.60}
CORRELATION: Final = 0.8
PERIODS_H: Final = (7.3, 19.1, 61.0)
WEIGHTS: Final = (0.5, 0.3, 0.2)


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day of one underlying at each five-second step."""

    usd_px: Floats
    pressure: Floats
    stress: Floats


def seeded(seed: int, *names: str | int) -> np.random.Generator:
    """A generator that depends on nothing but the seed and these names."""
    words = [zlib.crc32(name.encode()) if isinstance(name, str) else name for name in names]
    return np.random.default_rng([seed, *words])


def at_day(day: int) -> datetime:
    return EPOCH + timedelta(days=day)


def microseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def milliseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(milliseconds=1)


def day_and_step(at: datetime) -> tuple[int, int]:
    """The day since 1970 and the five-second step in it; refuses instants that the market does not know."""
    if at.utcoffset() is None:
        raise ValueError(f"{at.isoformat()}: expected an instant with a time zone")
    day, rest = divmod(microseconds(at), 86_400_000_000)
    if not FIRST_DAY <= day < LAST_DAY:
        raise ValueError(f"{at.isoformat()}: the sandbox knows {OPENS:%Y-%m-%d} to {CLOSES:%Y-%m-%d}")
    return day, rest // (STEP_S * 1_000_000)


class World:
    """The latent paths of one seed."""

    def __init__(self, seed: int, vol_ann: dict[str, float]) -> None:
        self.seed = seed
        self.vol_ann = vol_ann
        self._levels = _daily_levels(seed, vol_ann)
        self._phases = {
            name: seeded(seed, "phases", name).uniform(0.0, 2 * np.pi, len(PERIODS_H))
            for name in (*ASSETS, "USDT", "USDC", *(f"iv {asset}" for asset in ASSETS))
        }
        self._days: Memory[tuple[str, int], Day] = Memory(48)
        self._coins: Memory[tuple[str, int], Floats] = Memory(48)

    def day(self, asset: str, day: int) -> Day:
        return self._days.get((asset, day), lambda: self._draw(asset, day))

    def coin_usd(self, coin: str, day: int) -> Floats:
        """US dollars for one unit of a quote currency, at each step."""
        return self._coins.get((coin, day), lambda: self._coin(coin, day))

    def slow(self, name: str, seconds: Floats) -> Floats:
        """A smooth curve in [−1, 1] of its own phases."""
        curve = np.zeros_like(seconds)
        for weight, period_h, phase in zip(WEIGHTS, PERIODS_H, self._phases[name], strict=True):
            curve += weight * np.sin(seconds * (2 * np.pi / (period_h * 3_600)) + phase)
        return curve

    def storm(self, asset: str, day: int) -> tuple[float, float, float]:
        """The day's window of stress: start and length in seconds of the day, and its sign."""
        draw = seeded(self.seed, "storm", asset, day)
        start_s, length_s = draw.uniform(3_600, 19 * 3_600), draw.uniform(2.5 * 3_600, 4 * 3_600)
        return start_s, length_s, 1.0 if draw.random() < 0.5 else -1.0

    def _coin(self, coin: str, day: int) -> Floats:
        if coin == "USD":
            return np.ones(STEPS)
        middle, width = {"USDT": (0.9995, 0.0005), "USDC": (1.0, 0.0001)}[coin]
        return middle + width * self.slow(coin, _seconds(day))

    def _draw(self, asset: str, day: int) -> Day:
        start_s, length_s, sign = self.storm(asset, day)
        phase = (np.arange(STEPS) * float(STEP_S) - start_s) / length_s
        stress = np.where((phase > 0) & (phase < 1), np.sin(np.pi * phase) ** 2, 0.0)
        pressure = 0.40 * self.slow(asset, _seconds(day)) + 0.55 * sign * stress

        weight = 1.0 + 4.0 * stress
        share = weight / weight.sum()
        noise = seeded(self.seed, "steps", day).standard_normal((2, STEPS))
        own = noise[0] if asset == "BTC" else CORRELATION * noise[0] + _REST * noise[1]
        free = np.sqrt(share * (self.vol_ann[asset] ** 2 / 365)) * own
        here, there = self._levels[asset][day - FIRST_DAY : day - FIRST_DAY + 2]
        bridged = free + share * ((there - here) - free.sum())
        log_px = here + np.concatenate(([0.0], np.cumsum(bridged)[:-1]))
        return Day(usd_px=CENTRE_USD[asset] * np.exp(log_px), pressure=pressure, stress=stress)


_REST: Final = sqrt(1 - CORRELATION**2)


def _seconds(day: int) -> Floats:
    return np.arange(STEPS, dtype=np.float64) * STEP_S + day * 86_400.0


def _daily_levels(seed: int, vol_ann: dict[str, float]) -> dict[str, Floats]:
    days = LAST_DAY - FIRST_DAY + 2
    noise = seeded(seed, "levels").standard_normal((2, days))
    levels: dict[str, Floats] = {}
    for asset in ASSETS:
        step_sd = vol_ann[asset] / sqrt(365)
        pull = sqrt(max(0.0, 1 - (step_sd / LEVEL_SD[asset]) ** 2))  # the level's deviation stays LEVEL_SD
        own = noise[0] if asset == "BTC" else CORRELATION * noise[0] + _REST * noise[1]
        level = np.empty(days)
        level[0] = LEVEL_SD[asset] * own[0]
        for k in range(1, days):
            level[k] = pull * level[k - 1] + step_sd * own[k]
        levels[asset] = level
    return levels
