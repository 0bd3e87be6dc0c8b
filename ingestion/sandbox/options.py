"""One venue's option chain at an instant: quotes, volatilities, Greeks and open interest, as aligned arrays.

The truth, with p pressure, s stress and T years of 365 days to expiry:
    θ(T)   = level² · (far² T + (near² − far²)(1 − exp(−T/τ)) τ),  level = 1 + 0.05 · slow(t) + 0.15 · s
    ρ      = skew + 0.10 · p; under one day to expiry the smile of one day
    put/call open interest of an expiry = 0.75 · exp(−0.6 · p at the hour + 0.15 · a number of that expiry)
Premiums are Black-76 on the expiry's own forward: in coin for Deribit and OKX, in USDC for Bybit, whose
forward and index are quoted in the premium's currency.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import exp
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingestion.sandbox.calendars import Term, term_of
from ingestion.sandbox.listings import Listing
from ingestion.sandbox.path import EPOCH, seeded
from ingestion.sandbox.surfaces import YEAR_S, Svi, black76, greeks, implied_vol, ssvi

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Smile(NamedTuple):
    """What the surface of an underlying is made of; vols are decimals a year."""

    near_vol: float
    far_vol: float
    skew: float
    eta: float


SMILES: Final = {"BTC": Smile(0.48, 0.52, -0.15, 1.1), "ETH": Smile(0.63, 0.67, -0.12, 1.1)}
FADE_Y: Final = 0.15  # τ, in which the near vol gives way to the far one
LAST_DAY_Y: Final = 1 / 365
PUT_CALL: Final = 0.75
HALF_SPREAD_VOL: Final = 0.006
OI_BASE: Final[dict[Term, float]] = {"day": 800.0, "week": 4_000.0, "month": 9_000.0, "quarter": 14_000.0}
OI_SHARE: Final = {"deribit": 1.0, "okx": 0.2, "bybit": 0.15}
COINS_PER_BTC: Final = {"BTC": 1.0, "ETH": 12.0}  # open interest counts coins: more of the cheaper one


@dataclass(frozen=True, slots=True)
class Chain:
    """Aligned arrays, one element an option; premiums as the venue quotes them, NaN where nobody does."""

    listings: list[Listing]
    strike: Floats
    is_call: Bools
    years: Floats
    forward: Floats
    vol: Floats
    mark: Floats
    bid: Floats
    ask: Floats
    bid_iv: Floats
    ask_iv: Floats
    bid_qty: Floats
    ask_qty: Floats
    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats
    open_interest_base: Floats
    volume_base: Floats


def years_to(expiry: datetime, at: datetime) -> float:
    return (expiry - at) / timedelta(seconds=YEAR_S)


def slice_of(asset: str, years: float, level: float, pressure: float) -> Svi:
    """The SVI slice of a term; `level` scales the whole surface.

    Within the last day the smile stands still and total variance shrinks with time, because the wings of a
    slice of minutes would show volatilities that no venue prints. Less variance keeps butterflies away.
    """
    smile = SMILES[asset]
    term = max(years, LAST_DAY_Y)
    fading = (smile.near_vol**2 - smile.far_vol**2) * (1 - exp(-term / FADE_Y)) * FADE_Y
    theta = level**2 * (smile.far_vol**2 * term + fading)
    slice_ = ssvi(theta, smile.skew + 0.10 * pressure, smile.eta)
    left = years / term
    return replace(slice_, a=slice_.a * left, b=slice_.b * left)


def put_call_target(seed: int, venue: str, asset: str, expiry: datetime, hourly_pressure: float) -> float:
    """The put/call ratio that an expiry's open interest is drawn for, before rounding to lots."""
    own = seeded(seed, "put call", venue, asset, _days(expiry)).standard_normal()
    return PUT_CALL * exp(-0.6 * hourly_pressure + 0.15 * float(own))


def chain(
    seed: int,
    venue: str,
    asset: str,
    listings: list[Listing],
    at: datetime,
    forwards: dict[datetime, float],
    slices: dict[datetime, Svi],
    hourly_pressure: float,
) -> Chain:
    expiries = [listing.expiry for listing in listings if listing.expiry is not None]
    strike = np.array([float(listing.strike or 0) for listing in listings])
    is_call = np.array([listing.option_type == "call" for listing in listings])
    forward = np.array([forwards[expiry] for expiry in expiries])
    years = np.array([years_to(expiry, at) for expiry in expiries])
    variance = np.concatenate(
        [
            slices[expiry].total_variance(np.log(strike[rows] / forward[rows]))
            for expiry, rows in _rows_by_expiry(expiries).items()
        ]
    )
    vol = np.sqrt(variance / years)
    in_coin = np.where([listing.is_inverse for listing in listings], forward, 1.0)
    ticks = np.array([listing.tick for listing in listings])

    def quoted(shifted: Floats, *, up: bool) -> Floats:
        premium = black76(forward, strike, np.maximum(shifted, 0.02), years, is_call) / in_coin
        tick = np.where(np.array([listing.is_inverse for listing in listings]) & (premium >= 0.005), 5 * ticks, ticks)
        steps = np.ceil(premium / tick - 1e-9) if up else np.floor(premium / tick + 1e-9)
        return np.round(steps * tick, 6)

    mark = np.round(black76(forward, strike, vol, years, is_call) / in_coin, 8)
    bid = quoted(vol - HALF_SPREAD_VOL, up=False)
    ask = np.maximum(quoted(vol + HALF_SPREAD_VOL, up=True), ticks)
    bid = np.where(bid > 0, np.minimum(bid, np.round(ask - ticks, 6)), np.nan)
    bid = np.where(bid > 0, bid, np.nan)
    sizes, interest, volume = _quantities(seed, venue, asset, listings, expiries, at, hourly_pressure)
    given = greeks(forward, strike, vol, years, is_call)
    return Chain(
        listings=listings,
        strike=strike,
        is_call=is_call,
        years=years,
        forward=forward,
        vol=vol,
        mark=mark,
        bid=bid,
        ask=ask,
        bid_iv=implied_vol(bid * in_coin, forward, strike, years, is_call),
        ask_iv=implied_vol(ask * in_coin, forward, strike, years, is_call),
        bid_qty=np.where(np.isnan(bid), 0.0, sizes[0]),
        ask_qty=sizes[1],
        delta=given.delta,
        gamma=given.gamma,
        vega=given.vega,
        theta=given.theta,
        open_interest_base=interest,
        volume_base=volume,
    )


def _rows_by_expiry(expiries: list[datetime]) -> dict[datetime, NDArray[np.int64]]:
    rows: dict[datetime, list[int]] = {}
    for n, expiry in enumerate(expiries):
        rows.setdefault(expiry, []).append(n)
    return {expiry: np.array(numbers) for expiry, numbers in rows.items()}


def _quantities(
    seed: int,
    venue: str,
    asset: str,
    listings: list[Listing],
    expiries: list[datetime],
    at: datetime,
    hourly_pressure: float,
) -> tuple[Floats, Floats, Floats]:
    sizes, interest = np.empty((2, len(listings))), np.empty(len(listings))
    hour = (at - EPOCH) // timedelta(hours=1)
    traded = seeded(seed, "option volume", venue, asset, hour).random(len(listings))
    for expiry, rows in _rows_by_expiry(expiries).items():
        draw = seeded(seed, "option sizes", venue, asset, _days(expiry))
        count = len(rows) // 2
        sizes[:, rows] = np.exp(draw.standard_normal((2, len(rows)))) * 5.0
        ratio = put_call_target(seed, venue, asset, expiry, hourly_pressure)
        total = OI_BASE[term_of(expiry)] * OI_SHARE[venue] * COINS_PER_BTC[asset]
        place = np.linspace(-1.0, 1.0, count)  # from the lowest strike to the highest
        calls = np.exp(-(((place - 0.15) / 0.5) ** 2) + 0.4 * draw.standard_normal(count))
        puts = np.exp(-(((place + 0.15) / 0.5) ** 2) + 0.4 * draw.standard_normal(count))
        interest[rows[0::2]] = total / (1 + ratio) * calls / calls.sum()
        interest[rows[1::2]] = total * ratio / (1 + ratio) * puts / puts.sum()
    lot = np.array([_lot_base(listing) for listing in listings])
    rounded = np.round(np.round(interest / lot) * lot, 6)
    volume = np.round(np.round(rounded * 0.08 * traded / lot) * lot, 6)
    return np.round(np.maximum(np.round(sizes / lot), 1.0) * lot, 6), rounded, volume


def _lot_base(listing: Listing) -> float:
    return listing.lot * listing.contract_size


def _days(expiry: datetime) -> int:
    return (expiry - EPOCH).days
