"""Liquidations, leverage and margin stress agree with plain loops over generated rows of five venues' contracts."""

import csv
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path
from random import Random
from typing import NamedTuple

import duckdb
import pandas as pd
import pytest

from tests.built_models import build, stage_hours
from tests.replayed import Row, assert_agreement, worst_errors

HOUR = datetime(2026, 9, 1, 10, tzinfo=UTC)
TIERS = Path(__file__).parents[1] / "dbt_project" / "seeds" / "margin_tiers.csv"
SHOCKS = (-0.2, -0.1, -0.05, 0.05, 0.1, 0.2)


class Contract(NamedTuple):
    """How the venue counts, and what its quantity is in dollars at a price."""

    venue: str
    symbol: str
    quote: str
    unit: str
    size: float
    is_inverse: bool
    usd: Callable[[float, float], float]


CONTRACTS = (
    Contract("binance_usdm", "BTCUSDT", "USDT", "base", 1.0, False, lambda qty, px: qty * px),
    Contract("binance_usdm", "MIRROR", "USDT", "base", 1.0, False, lambda qty, px: qty * px),
    Contract("binance_coinm", "BTCUSD_PERP", "USD", "contracts", 100.0, True, lambda qty, _: qty * 100),
    Contract("okx", "BTC-USDT-SWAP", "USDT", "contracts", 0.01, False, lambda qty, px: qty * 0.01 * px),
    Contract("bybit", "BTCUSDT", "USDT", "base", 1.0, False, lambda qty, px: qty * px),
    Contract("deribit", "BTC-PERPETUAL", "USD", "usd", 10.0, True, lambda qty, _: qty),
)
LOOKS = [HOUR + timedelta(minutes=minute) for minute in (5, 30, 55)]


def market(contract: Contract) -> tuple[list[float], list[float], float]:
    """Price and open interest at each look, and the day's volume in coin; MIRROR is as the contract that it mirrors."""
    draw = Random(f"{contract.venue} {'BTCUSDT' if contract.symbol == 'MIRROR' else contract.symbol}")
    prices = [draw.uniform(60_000, 70_000) for _ in LOOKS]
    return prices, [draw.uniform(1e5, 2e5) for _ in LOOKS], draw.uniform(100, 200)


def forced(contract: Contract) -> list[tuple[str, float, float]]:
    """Side, price and quantity; MIRROR sold what the other bought."""
    draw = Random(7)
    orders = [(draw.choice(["buy", "sell"]), draw.uniform(6e4, 7e4), draw.uniform(1, 500)) for _ in range(40)]
    flipped = {"buy": "sell", "sell": "buy"} if contract.symbol == "MIRROR" else {}
    return [(flipped.get(side, side), px, qty) for side, px, qty in orders]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = stage_hours(tmp_path_factory.mktemp("risk"))
    rows: dict[str, list[Row]] = {"instruments": [], "open_interest": [], "perp_tickers": [], "liquidations": []}
    for contract in CONTRACTS:
        who = {"utc_hour": HOUR, "venue": contract.venue, "kind": "perp", "symbol": contract.symbol}
        rows["instruments"].append(
            who
            | {"captured_ts": HOUR, "base_asset": "BTC", "quote_asset": contract.quote, "settle_asset": "BTC"}
            | {"amount_unit": contract.unit, "contract_size": contract.size, "is_inverse": contract.is_inverse}
            | {"is_quanto": False, "terms_source": "listed"}
        )
        prices, interest, volume = market(contract)
        for at, px, qty in zip(LOOKS, prices, interest, strict=True):
            rows["open_interest"].append(who | {"captured_ts": at, "open_interest_qty": qty})
            quote = {"bid_px": px - 0.5, "ask_px": px + 0.5, "mark_px": px, "volume_24h_base": volume}
            rows["perp_tickers"].append(who | {"captured_ts": at} | quote)
        for n, (side, px, qty) in enumerate(forced(contract)):
            at = HOUR + timedelta(minutes=n)
            order = {"side": side, "px": px, "qty": qty, "px_source": "fill", "is_sampled": False}
            rows["liquidations"].append(who | {"captured_ts": at, "event_ts": at} | order)
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for dataset, of in rows.items():
            connection.register("told", pd.DataFrame(of))
            connection.execute(f"insert into lake.{dataset} by name select * from told")
    build(path, "fct_liquidations", "fct_leverage", "fct_margin_stress")
    return path


def read(path: Path, table: str) -> list[Row]:
    with duckdb.connect(str(path), read_only=True) as connection:
        cursor = connection.execute(f"select * from facts.{table}")
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def by_contract(rows: list[Row]) -> Iterator[tuple[Row, Contract]]:
    contracts = {(contract.venue, contract.symbol): contract for contract in CONTRACTS}
    return ((row, contracts[row["venue"], row["symbol"]]) for row in rows)


def test_forced_orders_are_dollars_of_what_they_closed(built: Path) -> None:
    rows = read(built, "fct_liquidations")
    pairs = []
    for row, contract in by_contract(rows):
        usd = {"sell": 0.0, "buy": 0.0}
        for side, px, qty in forced(contract):
            usd[side] += contract.usd(qty, px)
        lean = (usd["buy"] - usd["sell"]) / (usd["buy"] + usd["sell"])
        largest = max(contract.usd(qty, px) for _, px, qty in forced(contract))
        expected = {"long_liquidations_usd": usd["sell"], "short_liquidations_usd": usd["buy"]}
        pairs.append((row, expected | {"liquidation_imbalance_frac": lean, "largest_liquidation_usd": largest}))
    lean_of = {row["symbol"]: row["liquidation_imbalance_frac"] for row in rows if row["venue"] == "binance_usdm"}

    assert len(rows) == len(CONTRACTS)
    assert_agreement("liquidations", worst_errors(pairs), 1e-12)
    assert lean_of["MIRROR"] == pytest.approx(-lean_of["BTCUSDT"], rel=1e-12)


def test_leverage_is_what_is_open_over_what_trades(built: Path) -> None:
    rows = read(built, "fct_leverage")
    pairs = []
    for row, contract in by_contract(rows):
        prices, interest, volume = market(contract)
        usd = contract.usd(interest[-1], prices[-1])
        change = interest[-1] / interest[0] - 1
        expected = {
            "open_interest_usd": usd,
            "open_interest_base": usd / prices[-1],
            "open_interest_to_volume_frac": usd / (volume * prices[-1]),
            "open_interest_change_frac": change,
            "open_interest_change_usd": contract.usd(interest[-1] - interest[0], prices[-1]),
            "price_change_frac": prices[-1] / prices[0] - 1,
        }
        pairs.append((row, expected))
        rose = prices[-1] > prices[0]
        assert (
            row["positioning"]
            == {
                (True, True): "new_longs",
                (True, False): "short_covering",
                (False, True): "new_shorts",
                (False, False): "long_unwinding",
            }[rose, change > 0]
        )

    assert len(rows) == len(CONTRACTS)
    assert_agreement("leverage", worst_errors(pairs), 1e-11)


def tier_of(contract: Contract, usd: float, px: float) -> dict[str, str] | None:
    """The seed's own row for a position of this size, read as text."""
    with TIERS.open() as lines:
        for row in csv.DictReader(lines):
            size = usd if row["size_unit"] == "usd" else usd / px
            held = (row["venue"], row["kind"], row["underlying"], row["is_inverse"])
            if held == (contract.venue, "perp", "BTC", str(contract.is_inverse).lower()) and (
                float(row["size_floor"]) < size <= float(row["size_cap"] or "inf")
                and date.fromisoformat(row["valid_from"]) <= HOUR.date()
                and HOUR.date() < date.fromisoformat(row["valid_to"] or "9999-12-31")
            ):
                return row
    return None


def taken_over(contract: Contract, entry: float, px: float, side: int) -> list[bool]:
    """Each position that may be opened: whether margin plus profit at this price is no more than its maintenance."""
    found = []
    for leverage, usd in product((5, 10, 20, 50), (1e4, 1e5, 1e6)):
        tier = tier_of(contract, usd, entry)
        if tier is None:
            continue
        coins, worth = usd / entry, (usd / entry if contract.is_inverse else usd)
        slope = float(tier["margin_slope_frac_per_base"]) * coins
        if 1 / leverage < float(tier["initial_margin_frac"]) + slope:
            continue
        off = float(tier["maintenance_deduction"])
        off = off if (tier["size_unit"] == "usd") != contract.is_inverse else off / entry
        maintenance = worth * (float(tier["maintenance_margin_frac"]) + slope) - off
        profit = side * (usd * (1 / entry - 1 / px) if contract.is_inverse else coins * (px - entry))
        found.append(worth / leverage + profit <= maintenance)
    return found


def test_a_shock_takes_over_whose_equity_falls_to_the_maintenance_margin(built: Path) -> None:
    rows = read(built, "fct_margin_stress")
    pairs = []
    for row, contract in by_contract(rows):
        prices, interest, _ = market(contract)
        at = prices[-1] * (1 + row["shock_frac"])
        longs, shorts = (taken_over(contract, prices[-1], at, side) for side in (1, -1))
        share = {"long_liquidated_share_frac": sum(longs) / len(longs), "positions_count": float(len(longs))}
        hurt = sum(longs if row["shock_frac"] < 0 else shorts) / len(longs)
        expected = share | {"short_liquidated_share_frac": sum(shorts) / len(shorts)}
        pairs.append((row, expected | {"modelled_liquidations_usd": contract.usd(interest[-1], prices[-1]) * hurt}))

    assert len(rows) == len(CONTRACTS) * len(SHOCKS)
    assert {row["positions_count"] for row in rows} > {12}  # some tiers allow less than others
    assert_agreement("margin stress", worst_errors(pairs), 1e-12)


def test_a_larger_shock_takes_over_no_less(built: Path) -> None:
    rows = {(row["venue"], row["symbol"], row["shock_frac"]): row for row in read(built, "fct_margin_stress")}
    for contract, side in product(CONTRACTS, (-1, 1)):
        ladder = [rows[contract.venue, contract.symbol, side * shock] for shock in (0.05, 0.1, 0.2)]
        taken = [row["modelled_liquidations_usd"] for row in ladder]

        assert taken == sorted(taken)
        assert sum(row["modelled_cluster_usd"] for row in ladder) == pytest.approx(taken[-1], rel=1e-12)
