"""The sandbox's truth: one seeded market, a pure function of time, with every quantity's formula stated.

Nothing is stepped: any instant of 2023 to 2035 can be asked in any order. `path` states price, pressure and
stress, `prices` index, premium and carry, `books` the lean, `tape` the takers, `funding` the rates,
`options` the surface and its open interest. What is returned here is what the wire modules print.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from ingestion.records import Kind
from ingestion.sandbox import books, funding, options, tape
from ingestion.sandbox.books import Book
from ingestion.sandbox.calendars import option_expiries
from ingestion.sandbox.listings import Listing
from ingestion.sandbox.memory import Memory
from ingestion.sandbox.options import Chain
from ingestion.sandbox.path import EPOCH, FIRST_DAY, microseconds, milliseconds, seeded
from ingestion.sandbox.prices import CARRY_ANN, Prices, UnknownInstrument
from ingestion.sandbox.surfaces import Svi
from ingestion.sandbox.tape import Bools, DayStats, Tape

__all__ = ["Market", "Truth", "UnknownInstrument"]

FORCED_EVERY: Final = 50  # trades
FORCED_OVER: Final = 0.25  # stress
OPEN_INTEREST_USD: Final = {
    "binance_usdm": 6.0e9,
    "binance_coinm": 0.6e9,
    "deribit": 0.9e9,
    "okx": 1.2e9,
    "bybit": 1.8e9,
}


@dataclass(frozen=True, slots=True)
class Truth:
    """The latent numbers of one underlying at one instant."""

    usd_px: float
    pressure: float
    stress: float
    aggressor_share: float
    realised_vol_ann: float
    carry_ann: float
    atm_vol_30d_ann: float


class Market(Prices):
    """One seed's market; sizes are in the venue's own unit unless a name says `usd` or `base`."""

    def __init__(self, seed: int = 7, vol_ann: dict[str, float] | None = None) -> None:
        super().__init__(seed, vol_ann)
        self._tapes: Memory[tuple[str, str, str, int], Tape] = Memory(160)
        self._books: Memory[tuple[str, str, str, int], Book] = Memory(64)
        self._chains: Memory[tuple[str, str, int], Chain] = Memory(12)

    def truth(self, asset: str, at: datetime) -> Truth:
        return Truth(
            usd_px=self.usd_px(asset, at),
            pressure=self.pressure(asset, at),
            stress=self.stress(asset, at),
            aggressor_share=self.aggressor_share(asset, at),
            realised_vol_ann=self.world.vol_ann[asset],
            carry_ann=CARRY_ANN[asset],
            atm_vol_30d_ann=self.constant_maturity_vol(asset, 30.0, at),
        )

    def book(self, venue: str, kind: Kind, symbol: str, at: datetime) -> Book:
        """The very book that is served; raises `UnknownInstrument`."""
        return self.book_of(self.listing(venue, kind, symbol, at), at)

    def book_of(self, listing: Listing, at: datetime) -> Book:
        second = microseconds(at) // 1_000_000

        def make() -> Book:
            return books.ladder(
                listing,
                self.mark_px(listing, at),
                self.quote_usd(listing, at),
                self.pressure(listing.asset, at),
                seeded(self.seed, "book", listing.venue, listing.kind, listing.symbol, second),
            )

        return self._books.get((listing.venue, listing.kind, listing.symbol, second), make)

    # Trades

    def trades(self, listing: Listing, start_ms: int, end_ms: int, limit: int | None = None) -> Tape:
        """The first `limit` trades of start ≤ time ≤ end; the caller keeps `end_ms` at or before now."""
        start_ms = max(start_ms, FIRST_DAY * 86_400_000)
        found: list[Tape] = []
        for day in range(start_ms // 86_400_000, end_ms // 86_400_000 + 1):
            found.append(self.tape(listing, day).between(start_ms, end_ms))
            if limit is not None and sum(map(len, found)) >= limit:
                break
        return tape.join(found).cut(0, limit)

    def trades_from(self, listing: Listing, trade_id: int, limit: int, end_ms: int) -> Tape:
        """At most `limit` trades from an id on, none after `end_ms`."""
        day = max(FIRST_DAY, tape.day_of_id(listing, trade_id))
        found = self.trades(listing, day * 86_400_000, end_ms, limit + listing.trades_a_day)
        first = int(np.searchsorted(found.trade_id, trade_id))
        return found.cut(first, first + limit)

    def trades_before(self, listing: Listing, end_ms: int, limit: int) -> Tape:
        """The last `limit` trades up to and with `end_ms`."""
        found = self.trades(listing, end_ms - 2 * 86_400_000, end_ms)
        return found.cut(max(0, len(found) - limit), None)

    def trades_below(self, listing: Listing, trade_id: int, limit: int) -> Tape:
        """The last `limit` trades of smaller ids."""
        day = tape.day_of_id(listing, trade_id)
        found = self.trades(listing, (day - 1) * 86_400_000, (day + 1) * 86_400_000 - 1)
        last = int(np.searchsorted(found.trade_id, trade_id))
        return found.cut(max(0, last - limit), last)

    def is_forced(self, listing: Listing, trades: Tape) -> Bools:
        """Which takers of a contract's trades were liquidated: every 50th while stress is over a quarter."""
        forced: Bools = (trades.trade_id % FORCED_EVERY == 0) & (listing.kind != "spot")
        for n in np.flatnonzero(forced):
            at = EPOCH + timedelta(milliseconds=int(trades.at_ms[n]))
            forced[n] = self.stress(listing.asset, at) > FORCED_OVER
        return forced

    def day_stats(self, listing: Listing, at: datetime) -> DayStats:
        end_ms = milliseconds(at)
        return tape.stats(listing, self.trades(listing, end_ms - 86_400_000 + 1, end_ms))

    def tape(self, listing: Listing, day: int) -> Tape:
        """All trades of one UTC day, those of the future included."""
        key = (listing.venue, listing.kind, listing.symbol, day)
        return self._tapes.get(key, lambda: self.draw_tape(listing, day))

    def draw_tape(self, listing: Listing, day: int) -> Tape:
        """The same, not remembered: for who walks through months of days once."""
        noise = seeded(self.seed, "trades", listing.venue, listing.kind, listing.symbol, day)
        mid = self.mids(listing, day)
        usd = mid * self.world.coin_usd(listing.quote, day)
        return tape.draw(listing, day, mid, usd, self._latent(listing.asset, day), noise)

    # Funding and open interest

    def funding_rate(self, venue: str, asset: str, settled_at: datetime) -> float:
        """The rate settled at 0, 8 or 16 o'clock, for the 8 hours before."""
        return funding.clamped(venue, self.premiums(venue, asset, settled_at - funding.INTERVAL, settled_at))

    def running_funding_rate(self, venue: str, asset: str, at: datetime) -> float:
        """What would be settled, by the minutes of the running interval so far."""
        start = funding.next_settlement(at) - funding.INTERVAL
        return funding.clamped(venue, self.premiums(venue, asset, start, at + timedelta(minutes=1)))

    def funding_1h(self, asset: str, at: datetime) -> float:
        """Deribit's: what the hour up to `at` paid, an eighth of its mean damped premium."""
        return float(funding.damped(self.premiums("deribit", asset, at - timedelta(hours=1), at)).mean()) / 8

    def funding_8h(self, asset: str, at: datetime) -> float:
        """Deribit's: the mean of the damped premium over the last 8 hours."""
        minute = at.replace(second=0, microsecond=0) + timedelta(minutes=1)
        return float(funding.damped(self.premiums("deribit", asset, minute - funding.INTERVAL, minute)).mean())

    def current_funding(self, asset: str, at: datetime) -> float:
        """Deribit's: the damped premium of this moment."""
        return float(funding.damped(np.array(self.premium_frac("deribit", asset, at))))

    def open_interest_usd(self, listing: Listing, at: datetime) -> float:
        """Of a perpetual or dated future, before rounding to lots."""
        slow = float(self.world.slow(listing.asset, np.array([microseconds(at) // 1_000_000 * 1.0]))[0])
        moving = 1 + 0.08 * slow + 0.04 * self.pressure(listing.asset, at)
        share = (1.0 if listing.asset == "BTC" else 0.6) * (0.3 if listing.is_inverse else 1.0)
        if listing.expiry is not None:
            share *= 0.1
        return OPEN_INTEREST_USD[listing.venue] * share * moving

    def open_interest_qty(self, listing: Listing, at: datetime) -> float:
        """The same in the venue's unit, in whole lots, as served."""
        px_usd = self.mark_px(listing, at) * self.quote_usd(listing, at)
        lots = round(listing.qty_of(self.open_interest_usd(listing, at), px_usd) / listing.lot)
        return round(lots * listing.lot, listing.qty_dp)

    # Options

    def svi(self, asset: str, expiry: datetime, at: datetime) -> Svi:
        """The SVI slice of an expiry; the same at all venues."""
        level = 1 + 0.05 * float(self.world.slow(f"iv {asset}", np.array([microseconds(at) / 1e6]))[0])
        level += 0.15 * self.stress(asset, at)
        return options.slice_of(asset, options.years_to(expiry, at), level, self.pressure(asset, at))

    def implied_vol(self, asset: str, strike: float, expiry: datetime, at: datetime, venue: str = "deribit") -> float:
        """A decimal a year; the venue matters only through its forward."""
        k = np.log(strike / self.forward_px(venue, asset, expiry, at))
        variance = float(self.svi(asset, expiry, at).total_variance(np.array(k)))
        return float(np.sqrt(variance / options.years_to(expiry, at)))

    def atm_vol(self, asset: str, expiry: datetime, at: datetime) -> float:
        """The vol at strike = forward."""
        variance = float(self.svi(asset, expiry, at).total_variance(np.array(0.0)))
        return float(np.sqrt(variance / options.years_to(expiry, at)))

    def constant_maturity_vol(self, asset: str, tenor_days: float, at: datetime) -> float:
        """At the money, linear in total variance between the listed expiries that bracket the tenor."""
        tenor = tenor_days / 365
        terms = [(options.years_to(expiry, at), expiry) for expiry in option_expiries(at)]
        before, after = [t for t in terms if t[0] <= tenor], [t for t in terms if t[0] > tenor]
        if not before or not after:
            raise ValueError(f"{tenor_days} d: not bracketed by the expiries listed at {at.isoformat()}")
        (near, near_expiry), (far, far_expiry) = before[-1], after[0]
        near_w = self.atm_vol(asset, near_expiry, at) ** 2 * near
        far_w = self.atm_vol(asset, far_expiry, at) ** 2 * far
        return float(np.sqrt((near_w + (far_w - near_w) * (tenor - near) / (far - near)) / tenor))

    def volatility_index(self, asset: str, at: datetime) -> float:
        """Deribit's DVOL, a decimal a year: the 30-day vol at the money."""
        return self.constant_maturity_vol(asset, 30.0, at)

    def chain(self, venue: str, asset: str, at: datetime) -> Chain:
        """Everything that a venue quotes on an underlying's options."""

        def make() -> Chain:
            expiries = option_expiries(at)
            return options.chain(
                self.seed,
                venue,
                asset,
                self.listings(venue, at, "option", asset=asset),
                at,
                {expiry: self.forward_px(venue, asset, expiry, at) for expiry in expiries},
                {expiry: self.svi(asset, expiry, at) for expiry in expiries},
                self.pressure(asset, at.replace(minute=0, second=0, microsecond=0)),
            )

        return self._chains.get((venue, asset, microseconds(at)), make)

    def put_call_oi(self, venue: str, asset: str, at: datetime, expiry: datetime | None = None) -> float:
        """Put over call open interest in coin, as served; of one expiry or of all."""
        found = self.chain(venue, asset, at)
        rows = np.array([expiry in (None, listing.expiry) for listing in found.listings])
        puts = found.open_interest_base[rows & ~found.is_call].sum()
        return float(puts / found.open_interest_base[rows & found.is_call].sum())
