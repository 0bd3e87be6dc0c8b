"""Latent state and prices of the sandbox's instruments; prices stand for five seconds.

index(venue)  = usd price · (1 + INDEX_OFFSET_BPS) / worth of the quote currency; it is the spot mid too
perpetual     = index · (1 + premium),  premium = (1 + 50 · pressure + PREMIUM_BIAS_BPS) bps
dated future  = index · exp(carry · T), T in years of 365 days; no pressure in it
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from ingestion.records import Kind
from ingestion.sandbox import options, tape
from ingestion.sandbox.calendars import session_of
from ingestion.sandbox.catalogue import listed
from ingestion.sandbox.listings import Listing
from ingestion.sandbox.memory import Memory
from ingestion.sandbox.path import (
    ASSETS,
    STEP_S,
    STEPS,
    TRUE_VOL_ANN,
    Day,
    Floats,
    World,
    at_day,
    day_and_step,
)
from ingestion.sandbox.surfaces import YEAR_S

CARRY_ANN: Final = {"BTC": 0.08, "ETH": 0.06}
INDEX_OFFSET_BPS: Final = {
    "binance_spot": 0.0,
    "binance_usdm": 0.1,
    "binance_coinm": -0.1,
    "deribit": -0.3,
    "okx": 0.4,
    "bybit": -0.5,
}
PREMIUM_BIAS_BPS: Final = {
    "binance_usdm": 0.0,
    "binance_coinm": -0.5,
    "deribit": -1.0,
    "okx": 0.3,
    "bybit": 0.6,
}


class UnknownInstrument(ValueError):
    """No such instrument is listed at that instant."""


class Prices:
    """One seed's prices, in the instrument's quote currency unless a name says `usd`."""

    def __init__(self, seed: int = 7, vol_ann: dict[str, float] | None = None) -> None:
        self.seed = seed
        self.world = World(seed, TRUE_VOL_ANN | (vol_ann or {}))
        self._listings: Memory[tuple[str, int], dict[tuple[Kind, str], Listing]] = Memory(64)
        self._indices: Memory[tuple[str, str, str, int], Floats] = Memory(64)
        self._mids: Memory[tuple[str, str, str, int], Floats] = Memory(160)

    # What is listed

    def listings(self, venue: str, at: datetime, *kinds: Kind, asset: str | None = None) -> list[Listing]:
        """What a venue lists, of these kinds (all if none is named), in a fixed order."""
        return [
            listing
            for listing in self._listed(venue, at).values()
            if (not kinds or listing.kind in kinds) and asset in (None, listing.asset)
        ]

    def listing(self, venue: str, kind: Kind, symbol: str, at: datetime) -> Listing:
        """One instrument by its identity; raises `UnknownInstrument`."""
        try:
            return self._listed(venue, at)[kind, symbol]
        except KeyError as error:
            message = f"{venue} {kind} {symbol!r}: not listed at {at.isoformat()}"
            raise UnknownInstrument(message) from error

    def find(self, venue: str, symbol: str, at: datetime, kinds: Iterable[Kind]) -> Listing:
        """One instrument by its symbol among these kinds; raises `UnknownInstrument`."""
        for kind in kinds:
            if (kind, symbol) in self._listed(venue, at):
                return self._listed(venue, at)[kind, symbol]
        raise UnknownInstrument(f"{venue} {symbol!r}: not listed at {at.isoformat()}")

    # The latent state

    def usd_px(self, asset: str, at: datetime) -> float:
        return self._at(self._usd(asset, day_and_step(at)[0]), at)

    def stable_usd(self, coin: str, at: datetime) -> float:
        """US dollars for one USD, USDT or USDC."""
        return self._at(self.world.coin_usd(coin, day_and_step(at)[0]), at)

    def pressure(self, asset: str, at: datetime) -> float:
        """In [−1, 1]; positive: buyers press. Null pressure for a stablecoin."""
        return self._at(self._latent(asset, day_and_step(at)[0]).pressure, at)

    def stress(self, asset: str, at: datetime) -> float:
        return self._at(self._latent(asset, day_and_step(at)[0]).stress, at)

    def aggressor_share(self, asset: str, at: datetime) -> float:
        """The probability that a taker buys."""
        return float(tape.buy_share(np.array(self.pressure(asset, at))))

    def carry_ann(self, asset: str) -> float:
        """Continuously compounded, a year of 365 days."""
        return CARRY_ANN[asset]

    # Prices

    def index_px(self, venue: str, asset: str, quote: str, at: datetime) -> float:
        """The venue's index, in `quote`."""
        return self._at(self.index_steps(venue, asset, quote, day_and_step(at)[0]), at)

    def spot_px(self, venue: str, asset: str, quote: str, at: datetime) -> float:
        """The spot mid before rounding to ticks: the venue's index."""
        return self.index_px(venue, asset, quote, at)

    def premium_frac(self, venue: str, asset: str, at: datetime) -> float:
        """(mark − index)/index of a perpetual."""
        return float(premium(venue, np.array(self.pressure(asset, at))))

    def forward_px(self, venue: str, asset: str, expiry: datetime, at: datetime) -> float:
        """The forward of an expiry in US dollars: the truth of the dated future, listed or not."""
        years = options.years_to(expiry, at)
        return self.index_px(venue, asset, "USD", at) * float(np.exp(CARRY_ANN[asset] * years))

    def mark_px(self, listing: Listing, at: datetime) -> float:
        """The mark of a perpetual or dated future, the mid of a spot pair; in its quote currency."""
        return self._at(self.mids(listing, day_and_step(at)[0]), at)

    def quote_usd(self, listing: Listing, at: datetime) -> float:
        return self.stable_usd(listing.quote, at)

    def mids(self, listing: Listing, day: int) -> Floats:
        """The mid of one UTC day at each five-second step; candles are made of these."""

        def make() -> Floats:
            index = self.index_steps(listing.venue, listing.asset, listing.quote, day)
            if listing.kind == "spot":
                return index
            if listing.expiry is None:
                return index * (1 + premium(listing.venue, self._latent(listing.asset, day).pressure))
            now = options.years_to(listing.expiry, at_day(day))
            years = now - np.arange(STEPS, dtype=np.float64) * (STEP_S / YEAR_S)
            dated: Floats = index * np.exp(CARRY_ANN[listing.asset] * years)
            return dated

        return self._mids.get((listing.venue, listing.kind, listing.symbol, day), make)

    def index_steps(self, venue: str, asset: str, quote: str, day: int) -> Floats:
        """The venue's index of one UTC day at each five-second step."""

        def make() -> Floats:
            offset = INDEX_OFFSET_BPS[venue] / 10_000 if asset in ASSETS else 0.0
            return self._usd(asset, day) * (1 + offset) / self.world.coin_usd(quote, day)

        return self._indices.get((venue, asset, quote, day), make)

    def index_range(self, venue: str, asset: str, quote: str, at: datetime) -> tuple[float, float, float]:
        """The index of 24 hours ago, and its highest and lowest since."""
        day, step = day_and_step(at)
        both = np.concatenate([self.index_steps(venue, asset, quote, n) for n in (day - 1, day)])
        since = both[step : STEPS + step + 1]
        return float(since[0]), float(since.max()), float(since.min())

    def premiums(self, venue: str, asset: str, start: datetime, end: datetime) -> Floats:
        """The premium at each whole minute of [start, end)."""
        minutes = (end - start) // timedelta(minutes=1)
        first_day, first_step = day_and_step(start)
        first = first_step // 12
        days = range(first_day, first_day + (first + minutes - 1) // 1_440 + 1)
        by_minute = np.concatenate([self._latent(asset, day).pressure[::12] for day in days])
        return premium(venue, by_minute[first : first + minutes])

    # Within

    def _listed(self, venue: str, at: datetime) -> dict[tuple[Kind, str], Listing]:
        day_and_step(at)

        def make() -> dict[tuple[Kind, str], Listing]:
            return {(one.kind, one.symbol): one for one in listed(venue, at, self.usd_px)}

        return self._listings.get((venue, session_of(at)), make)

    def _at(self, steps: Floats, at: datetime) -> float:
        return float(steps[day_and_step(at)[1]])

    def _latent(self, asset: str, day: int) -> Day:
        if asset in ASSETS:
            return self.world.day(asset, day)
        return Day(usd_px=self.world.coin_usd(asset, day), pressure=np.zeros(STEPS), stress=np.zeros(STEPS))

    def _usd(self, asset: str, day: int) -> Floats:
        return self._latent(asset, day).usd_px


def premium(venue: str, pressure: Floats) -> Floats:
    """(mark − index)/index of a perpetual."""
    bias_bps = 1.0 + PREMIUM_BIAS_BPS[venue]
    return (50.0 * pressure + bias_bps) / 10_000
