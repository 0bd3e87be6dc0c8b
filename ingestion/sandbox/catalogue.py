"""What each venue lists at an instant: spot pairs, perpetuals, dated futures and options."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from ingestion.records import AmountUnit
from ingestion.sandbox.calendars import (
    DELIVERY,
    Term,
    dated,
    future_expiries,
    next_fridays,
    next_month_ends,
    option_expiries,
    quarter_expiries,
    session_of,
    term_of,
)
from ingestion.sandbox.listings import Listing
from ingestion.sandbox.path import ASSETS, EPOCH

ReferencePx: TypeAlias = Callable[[str, datetime], float]  # asset, instant → US dollars

QUARTER_LETTER: Final = {3: "H", 6: "M", 9: "U", 12: "Z"}  # Bybit's inverse futures: BTCUSDH25
STRIKE_STEPS: Final[dict[str, dict[Term, int]]] = {
    "BTC": {"day": 1_000, "week": 2_000, "month": 5_000, "quarter": 5_000},
    "ETH": {"day": 25, "week": 50, "month": 200, "quarter": 200},
}
STRIKE_OFFSETS: Final = (-10, -8, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16)


def listed(venue: str, at: datetime, reference_px: ReferencePx) -> list[Listing]:
    """Everything that a venue lists; strikes follow `reference_px(asset, instant)` in US dollars."""
    return list(_VENUES[venue](at, reference_px))


def strikes(asset: str, expiry: datetime, at: datetime, reference_px: ReferencePx) -> list[int]:
    """Strikes of an expiry: daily ones stand from their listing on, others are re-centred each Monday."""
    term = term_of(expiry)
    if term == "day":
        anchor = expiry - timedelta(days=3)
    else:
        today = EPOCH + timedelta(days=session_of(at)) + DELIVERY
        anchor = today - timedelta(days=today.weekday())
    step = STRIKE_STEPS[asset][term]
    centre = round(reference_px(asset, anchor) / step)
    return [(centre + offset) * step for offset in STRIKE_OFFSETS if centre + offset > 0]


def _spot(
    venue: str,
    names: tuple[str, ...],
    ticks: tuple[float, ...],
    px_dp: tuple[int, ...],
    qty_dp: tuple[int, ...],
) -> Iterator[Listing]:
    for n, asset in enumerate((*ASSETS, "USDC")):
        yield Listing(
            venue=venue,
            kind="spot",
            symbol=names[n],
            asset=asset,
            quote="USDT",
            settle="USDT",
            unit="base",
            contract_size=1.0,
            is_inverse=False,
            tick=ticks[n],
            px_dp=px_dp[n],
            lot=round(10.0 ** -qty_dp[n], qty_dp[n]),
            qty_dp=qty_dp[n],
            trades_a_day=(14_400, 11_520, 1_440)[n],
        )


def _contract(
    venue: str,
    asset: str,
    symbol: str,
    expiry: datetime | None,
    *,
    is_inverse: bool,
    unit: AmountUnit,
    contract_size: float,
    tick: float,
    px_dp: int,
    lot: float,
    qty_dp: int,
    stable: str = "USDT",  # of a linear contract
) -> Listing:
    return Listing(
        venue=venue,
        kind="perp" if expiry is None else "future",
        symbol=symbol,
        asset=asset,
        quote="USD" if is_inverse else stable,
        settle=asset if is_inverse else stable,
        unit=unit,
        contract_size=contract_size,
        is_inverse=is_inverse,
        tick=tick,
        px_dp=px_dp,
        lot=lot,
        qty_dp=qty_dp,
        trades_a_day=14_400 if expiry is None else 1_440,
        expiry=expiry,
    )


def _by_asset(asset: str, btc: float, eth: float) -> float:
    return btc if asset == "BTC" else eth


def _binance_spot(at: datetime, reference_px: ReferencePx) -> Iterator[Listing]:
    names = ("BTCUSDT", "ETHUSDT", "USDCUSDT")
    yield from _spot("binance_spot", names, (0.01, 0.01, 0.00001), (2, 2, 5), (5, 4, 0))


def _binance_usdm(at: datetime, reference_px: ReferencePx) -> Iterator[Listing]:
    for asset in ASSETS:
        for expiry in (None, *quarter_expiries(at)):
            yield _contract(
                "binance_usdm",
                asset,
                f"{asset}USDT{'' if expiry is None else f'_{expiry:%y%m%d}'}",
                expiry,
                is_inverse=False,
                unit="base",
                contract_size=1.0,
                tick=_by_asset(asset, 0.1, 0.01),
                px_dp=1 if asset == "BTC" else 2,
                lot=0.001,
                qty_dp=3,
            )


def _binance_coinm(at: datetime, reference_px: ReferencePx) -> Iterator[Listing]:
    for asset in ASSETS:
        for expiry in (None, *quarter_expiries(at)):
            yield _contract(
                "binance_coinm",
                asset,
                f"{asset}USD_{'PERP' if expiry is None else f'{expiry:%y%m%d}'}",
                expiry,
                is_inverse=True,
                unit="contracts",
                contract_size=_by_asset(asset, 100.0, 10.0),
                tick=_by_asset(asset, 0.1, 0.01),
                px_dp=1 if asset == "BTC" else 2,
                lot=1.0,
                qty_dp=0,
            )


def _deribit(at: datetime, reference_px: ReferencePx) -> Iterator[Listing]:
    for asset in ASSETS:
        for expiry in (None, *future_expiries(at)):
            tick = _by_asset(asset, 0.5, 0.05) if expiry is None else _by_asset(asset, 2.5, 0.25)
            yield _contract(
                "deribit",
                asset,
                f"{asset}-{'PERPETUAL' if expiry is None else dated(expiry)}",
                expiry,
                is_inverse=True,
                unit="usd",
                contract_size=1.0,
                tick=tick,
                px_dp=2,
                lot=_by_asset(asset, 10.0, 1.0),
                qty_dp=0,
            )
        yield _contract(
            "deribit",
            asset,
            f"{asset}_USDC-PERPETUAL",
            None,
            is_inverse=False,
            unit="base",
            contract_size=1.0,
            tick=_by_asset(asset, 0.5, 0.05),
            px_dp=2,
            lot=_by_asset(asset, 0.0001, 0.001),
            qty_dp=4,
            stable="USDC",
        )
        for expiry, strike, option_type in _options(asset, at, reference_px):
            yield Listing(
                venue="deribit",
                kind="option",
                asset=asset,
                quote="USD",
                settle=asset,
                unit="base",
                symbol=f"{asset}-{dated(expiry)}-{strike}-{option_type[0].upper()}",
                contract_size=1.0,
                is_inverse=True,
                tick=0.0001,
                px_dp=4,
                lot=_by_asset(asset, 0.1, 1.0),
                qty_dp=1,
                expiry=expiry,
                strike=strike,
                option_type=option_type,
            )


def _okx(at: datetime, reference_px: ReferencePx) -> Iterator[Listing]:
    yield from _spot("okx", ("BTC-USDT", "ETH-USDT", "USDC-USDT"), (0.1, 0.01, 0.0001), (1, 2, 4), (8, 6, 6))
    dates = sorted({*next_fridays(at, 2), *next_month_ends(at, 1), *quarter_expiries(at)})
    for asset in ASSETS:
        tick, px_dp = _by_asset(asset, 0.1, 0.01), 1 if asset == "BTC" else 2
        for expiry in (None, *dates):
            end = "SWAP" if expiry is None else f"{expiry:%y%m%d}"
            yield _contract(
                "okx",
                asset,
                f"{asset}-USDT-{end}",
                expiry,
                is_inverse=False,
                unit="contracts",
                tick=tick,
                px_dp=px_dp,
                contract_size=_by_asset(asset, 0.01, 0.1),
                lot=0.01,
                qty_dp=2,
            )
            yield _contract(
                "okx",
                asset,
                f"{asset}-USD-{end}",
                expiry,
                is_inverse=True,
                unit="contracts",
                tick=tick,
                px_dp=px_dp,
                contract_size=_by_asset(asset, 100.0, 10.0),
                lot=1.0,
                qty_dp=0,
            )
        for expiry, strike, option_type in _options(asset, at, reference_px):
            yield Listing(
                venue="okx",
                kind="option",
                asset=asset,
                quote="USD",
                settle=asset,
                unit="contracts",
                symbol=f"{asset}-USD-{expiry:%y%m%d}-{strike}-{option_type[0].upper()}",
                contract_size=_by_asset(asset, 0.01, 0.1),
                is_inverse=True,
                tick=0.0001,
                px_dp=4,
                lot=1.0,
                qty_dp=0,
                expiry=expiry,
                strike=strike,
                option_type=option_type,
            )


def _bybit(at: datetime, reference_px: ReferencePx) -> Iterator[Listing]:
    names = ("BTCUSDT", "ETHUSDT", "USDCUSDT")
    yield from _spot("bybit", names, (0.01, 0.01, 0.0001), (2, 2, 4), (6, 5, 2))
    for asset in ASSETS:
        yield _contract(
            "bybit",
            asset,
            f"{asset}USDT",
            None,
            is_inverse=False,
            unit="base",
            contract_size=1.0,
            tick=_by_asset(asset, 0.1, 0.01),
            px_dp=2,
            lot=_by_asset(asset, 0.001, 0.01),
            qty_dp=3 if asset == "BTC" else 2,
        )
        for expiry in (None, *quarter_expiries(at)):
            end = "" if expiry is None else f"{QUARTER_LETTER[expiry.month]}{expiry:%y}"
            yield _contract(
                "bybit",
                asset,
                f"{asset}USD{end}",
                expiry,
                is_inverse=True,
                unit="usd",
                contract_size=1.0,
                tick=_by_asset(asset, 0.5, 0.05),
                px_dp=2,
                lot=1.0,
                qty_dp=0,
            )
        for expiry, strike, option_type in _options(asset, at, reference_px):
            yield Listing(
                venue="bybit",
                kind="option",
                asset=asset,
                quote="USDC",
                settle="USDC",
                unit="base",
                symbol=f"{asset}-{dated(expiry)}-{strike}-{option_type[0].upper()}",
                contract_size=1.0,
                is_inverse=False,
                tick=_by_asset(asset, 5.0, 0.1),
                px_dp=0 if asset == "BTC" else 1,
                lot=_by_asset(asset, 0.01, 0.1),
                qty_dp=2,
                expiry=expiry,
                strike=strike,
                option_type=option_type,
            )


def _nothing(at: datetime, reference_px: ReferencePx) -> Iterator[Listing]:
    """A chain lists no instruments."""
    return iter(())


def _options(
    asset: str, at: datetime, reference_px: ReferencePx
) -> Iterator[tuple[datetime, int, Literal["call", "put"]]]:
    for expiry in option_expiries(at):
        for strike in strikes(asset, expiry, at, reference_px):
            yield expiry, strike, "call"
            yield expiry, strike, "put"


_VENUES: Final[dict[str, Callable[[datetime, ReferencePx], Iterator[Listing]]]] = {
    "binance_spot": _binance_spot,
    "binance_usdm": _binance_usdm,
    "binance_coinm": _binance_coinm,
    "deribit": _deribit,
    "okx": _okx,
    "bybit": _bybit,
    "ethereum": _nothing,
}
