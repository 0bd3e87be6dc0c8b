"""Trades walked level by level, a second opinion on arbitrage: plain loops that share no code with the models."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

Row = dict[str, Any]
Levels = Sequence[tuple[float, float]]  # price and coins, best first

SEEDS = Path(__file__).parents[1] / "dbt_project" / "seeds"
SIZES = {"10k": 10_000.0, "100k": 100_000.0, "1m": 1_000_000.0}
TOLERANCE = 1e-9
EMPTY = 1e-12  # of a level, that rounding leaves behind


@dataclass(frozen=True)
class Gain:
    """What a size brings: coins, dollars spent on them, dollars above those, and fees."""

    base: float
    spent: float
    gross: float
    fees: float

    @property
    def net(self) -> float:
        return self.gross - self.fees


def taker_fees() -> dict[tuple[str, str], tuple[float, float | None]]:
    """Taker and delivery fee by (venue, kind), as the seed says them without an end."""
    with (SEEDS / "fees.csv").open() as stream:
        return {
            (row["venue"], row["kind"]): (
                float(row["taker_fee_frac"]),
                float(row["delivery_fee_frac"]) if row["delivery_fee_frac"] else None,
            )
            for row in csv.DictReader(stream)
            if not row["valid_to"]
        }


def buy(asks: Levels, money: float) -> float | None:
    """Coins for so much money; none where the asks end before it does."""
    coins = 0.0
    for px, size in asks:
        cost = px * size
        if money <= cost:
            return coins + money / px
        coins, money = coins + size, money - cost
    return coins if money <= EMPTY else None


def sell(bids: Levels, coins: float) -> float | None:
    """Money for so many coins; none where the bids end before they do."""
    money, left = 0.0, coins
    for px, size in bids:
        if left <= size:
            return money + left * px
        money, left = money + size * px, left - size
    return money if left <= EMPTY * coins else None


def spend(asks: Levels, bids: Levels, money: float, buy_fee: float, sell_fee: float) -> Gain | None:
    """Buy for so much money and sell the coins."""
    coins = buy(asks, money)
    sold = None if coins is None else sell(bids, coins)
    if coins is None or sold is None:
        return None
    return Gain(coins, money, sold - money, money * buy_fee + sold * sell_fee)


def best(asks: Levels, bids: Levels, buy_fee: float, sell_fee: float) -> Gain:
    """Match level with level for as long as a pair still gains after both fees."""
    wanted, offered = [list(level) for level in bids], [list(level) for level in asks]
    base = spent = sold = 0.0
    while wanted and offered and wanted[0][0] * (1 - sell_fee) > offered[0][0] * (1 + buy_fee):
        size = min(wanted[0][1], offered[0][1])
        base, spent, sold = base + size, spent + size * offered[0][0], sold + size * wanted[0][0]
        for side in (wanted, offered):
            side[0][1] -= size
        wanted = wanted if wanted[0][1] > 0 else wanted[1:]
        offered = offered if offered[0][1] > 0 else offered[1:]
    return Gain(base, spent, sold - spent, spent * buy_fee + sold * sell_fee)


def read(path: Path, sql: str) -> list[Row]:
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        cursor = connection.execute(sql)
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def at_rate(bids: Levels, rate: float) -> list[tuple[float, float]]:
    return [(px * rate, size) for px, size in bids]


def compare(worst: dict[str, float], row: Row, name: str, value: float | None, scale: float = 0.0) -> None:
    """Note the error of a column, relative to the value or to what it is the small difference of."""
    measured = row[name]
    assert (measured is None) == (value is None), (name, measured, value)
    if value is not None:
        worst[name] = max(worst.get(name, 0.0), abs(measured - value) / max(abs(value), scale, 1e-12))


def compare_gain(worst: dict[str, float], row: Row, name: str, gain: Gain | None, spent: float) -> None:
    compare(worst, row, f"gross_{name}_usd", gain and gain.gross, spent)
    compare(worst, row, f"fees_{name}_usd", gain and gain.fees, spent)
    compare(worst, row, f"net_{name}_usd", gain and gain.net, spent)


def agree(title: str, worst: dict[str, float]) -> None:
    print(f"{title}: " + ", ".join(f"{name} {error:.1e}" for name, error in worst.items()))  # noqa: T201
    assert worst
    assert {name: error for name, error in worst.items() if error > TOLERANCE} == {}
