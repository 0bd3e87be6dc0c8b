"""Pressure that was planted is found, through the real models: a regime in its very hours, and takers who lean.

The history is of rows that the hour's facts would hold: four days of noise in each family, a span in which two of them
press, and the same with every sign turned. The second opinion is numpy, hour by hour.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from ingestion.sandbox import tape
from ingestion.sandbox.market import Market
from ingestion.sandbox.path import milliseconds
from tests.built_models import build, stage_hours
from tests.replayed import Row, assert_agreement, worst_errors

Floats = NDArray[np.float64]

START = datetime(2026, 1, 2, tzinfo=UTC)
HOURS = [START + timedelta(hours=n) for n in range(96)]
WEIGHTS = {"book": 0.25, "flow": 0.25, "basis": 0.2, "vol": 0.1, "positioning": 0.2}
NOISE = {"book": 0.05, "flow": 0.1, "basis": 2.0, "vol": 0.01, "positioning": 0.02}
ENTERED, LEFT = HOURS[70], HOURS[75]
# In deviations of the noise: first one family presses, then two, at last too little to begin and enough to stay.
BOOK = {68: 7.0, 69: 7.0, 70: 7.0, 71: 7.0, 72: 7.0, 73: 3.5, 74: 3.5}
FLOW = {70: 7.0, 71: 7.0, 72: 7.0, 73: 3.5, 74: 3.5}
QUIET = range(66, 78)  # hours in which the noise is left out, so that the span is what was planted
TAPE_HOURS = [datetime(2026, 3, 4, tzinfo=UTC) + timedelta(hours=n) for n in range(14)]


def planted(underlying: str) -> dict[str, Floats]:
    """Each family's measure by hour: BTC is bought, SOLD is BTC with every sign turned, ONE has a book alone."""
    dice = np.random.default_rng(11)
    measures = {family: scale * dice.standard_normal(len(HOURS)) for family, scale in NOISE.items()}
    for hour in QUIET:
        for family in measures:
            measures[family][hour] = NOISE[family] * {"book": BOOK, "flow": FLOW}.get(family, {}).get(hour, 0.0)
    if underlying == "SOLD":
        return {family: -values for family, values in measures.items()}
    return {"book": measures["book"]} if underlying == "ONE" else measures


def upstream() -> dict[str, list[Row]]:
    """The tables that the hour's components are gathered from, one row an hour whose measure is what is planted."""
    tables: dict[str, list[Row]] = {
        name: []
        for name in (
            "facts.fct_order_book_imbalance",
            "facts.fct_trade_flow",
            "facts.fct_basis",
            "intermediate.int_basis_hours_averaged",
            "facts.fct_vol_spread",
            "facts.fct_options_positioning",
        )
    }
    books, flows, references, bases, vols, placings = tables.values()
    for underlying, (n, hour) in product(("BTC", "SOLD", "ONE"), enumerate(HOURS)):
        values = {family: float(series[n]) for family, series in planted(underlying).items()}
        who = {"underlying": underlying, "utc_hour": hour, "venue": "binance_usdm", "captured_ts": hour}
        listed = who | {"kind": "perp", "symbol": f"{underlying}USDT"}
        touch = {"spread_bps": 1.0, "is_crossed": False, "is_locked": False}
        books.append(listed | touch | {"depth_imbalance_10bps_frac": values["book"]})
        if underlying == "ONE":
            continue
        flows.append(listed | {"buy_usd": 1e6 * (1 + values["flow"]), "sell_usd": 1e6 * (1 - values["flow"])})
        rest = {"basis_simple_ann": None, "funding_rate_per_hour": 1e-5, "open_interest_usd": 1e9}
        bases.append(listed | rest | {"basis_bps": values["basis"]})
        references.append(who)
        vol = {"tenor_days": 30, "implied_vol_ann": 0.5 + values["vol"], "realized_vol_trailing_ann": 0.5}
        vols.append(who | {"settle_asset": "USDT"} | vol)
        calls, puts = (1000 * (1 + sign * values["positioning"]) for sign in (1, -1))
        placings.append(who | {"expiry_ts": None, "call_oi_base": calls, "put_oi_base": puts})
    return tables


def taped(market: Market) -> tuple[list[Row], list[Row]]:
    """The sandbox's own trades of two perpetuals, and their terms."""
    trades: list[Row] = []
    terms: list[Row] = []
    for symbol, hour in product(("BTCUSDT", "ETHUSDT"), TAPE_HOURS):
        listing = market.listing("binance_usdm", "perp", symbol, hour)
        who = {"venue": "binance_usdm", "kind": "perp", "symbol": symbol, "utc_hour": hour}
        unit = {"amount_unit": "base", "contract_size": 1.0, "is_inverse": False, "is_quanto": False}
        coins = {"base_asset": listing.asset, "quote_asset": "USDT", "settle_asset": "USDT"}
        terms.append(who | unit | coins | {"captured_ts": hour, "terms_source": "listed"})
        found = market.trades(listing, milliseconds(hour), milliseconds(hour + timedelta(hours=1)) - 1)
        for trade_id, at_ms, px, qty, is_buy in zip(
            found.trade_id, found.at_ms, found.px, found.qty, found.is_buy, strict=True
        ):
            at = datetime.fromtimestamp(int(at_ms) / 1e3, UTC)
            trade = {"trade_id": str(trade_id), "side": "buy" if is_buy else "sell", "px": px, "qty": qty}
            trades.append(who | trade | {"event_ts": at, "captured_ts": hour, "is_aggregate": False})
    return trades, terms


@dataclass(frozen=True)
class Built:
    """What the models made of it."""

    path: Path

    def rows(self, query: str) -> list[Row]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            cursor = connection.execute(query)
            names = [column[0] for column in cursor.description or []]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def pressure(self, underlying: str) -> list[Row]:
        return self.rows(f"select * from facts.fct_pressure where underlying = '{underlying}' order by utc_hour")


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(seed=7)


@pytest.fixture(scope="module")
def built(market: Market, tmp_path_factory: pytest.TempPathFactory) -> Built:
    path = stage_hours(tmp_path_factory.mktemp("planted"))
    trades, terms = taped(market)
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name, rows in {"lake.trades": trades, "lake.instruments": terms}.items():
            connection.register("told", pd.DataFrame(rows))
            connection.execute(f"insert into {name} by name select * from told")
        for name, rows in upstream().items():
            connection.register("told", pd.DataFrame(rows))
            connection.execute(f"create schema if not exists {name.partition('.')[0]}")
            connection.execute(f"create table {name} as select * from told")
    models = ("int_pressure_scores_standardized", "int_pressure_composed", "fct_pressure")
    build(path, "fct_vpin", alone=("int_pressure_components_gathered", "pressure_weights", *models))
    return Built(path)


def scores(values: Floats) -> list[float | None]:
    """Robust z of each hour against all hours before it, twenty at the least."""
    found: list[float | None] = []
    for n, value in enumerate(values):
        past = values[:n]
        spread = float(np.median(np.abs(past - np.median(past)))) if n else 0.0
        is_known = n >= 20 and spread > 0
        found.append(float(np.clip((value - np.median(past)) / (1.4826 * spread), -8, 8)) if is_known else None)
    return found


class TestRegime:
    def test_is_entered_and_left_in_its_hours(self, built: Built) -> None:
        """One family alone at seven deviations does not begin it, for 0.25 · 7 is under 2; 3.5 of two keep it."""
        rows = {row["utc_hour"]: row for row in built.pressure("BTC")}
        buying = [hour for hour, row in rows.items() if row["pressure_regime"] == "buying"]

        assert buying == HOURS[HOURS.index(ENTERED) : HOURS.index(LEFT)]
        assert {rows[hour]["first_true_ts"] for hour in buying} == {ENTERED}
        assert rows[LEFT]["first_true_ts"] is None
        assert all(rows[hour]["pressure_z"] < 2 for hour in HOURS[68:70])
        assert all(rows[hour]["pressure_z"] >= 2 for hour in HOURS[70:73])
        assert all(1 <= rows[hour]["pressure_z"] < 2 for hour in HOURS[73:75])
        assert {row["pressure_regime"] for hour, row in rows.items() if hour >= HOURS[20]} == {"buying", "neutral"}

    def test_of_one_family_is_none_however_hard_it_presses(self, built: Built) -> None:
        rows = {row["utc_hour"]: row for row in built.pressure("ONE")}

        assert rows[ENTERED]["pressure_z"] > 4
        assert rows[ENTERED]["components_count"] == 1
        assert {row["pressure_regime"] for row in rows.values()} == {None, "neutral"}

    def test_turned_in_every_sign_is_selling_in_the_same_hours(self, built: Built) -> None:
        bought, sold = built.pressure("BTC"), built.pressure("SOLD")
        turned = {"buying": "selling", "neutral": "neutral", None: None}
        signed = [name for name in bought[0] if name.endswith("_z")]

        assert len(signed) == 13
        for one, other in zip(bought, sold, strict=True):
            assert (other["pressure_regime"], other["first_true_ts"]) == (
                turned[one["pressure_regime"]],
                one["first_true_ts"],
            )
            for name in signed:
                assert (one[name] is None) == (other[name] is None)
                assert one[name] is None or other[name] == pytest.approx(-one[name], abs=1e-9)

    def test_needs_twenty_hours_of_history(self, built: Built) -> None:
        rows = built.pressure("BTC")

        assert [row["pressure_z"] is None for row in rows] == [n < 20 for n in range(len(HOURS))]


def test_scores_and_their_parts_are_those_of_numpy(built: Built) -> None:
    by_family = {family: scores(values) for family, values in planted("BTC").items()}
    pairs = []
    for n, row in enumerate(built.pressure("BTC")):
        own = {family: found[n] for family, found in by_family.items()}
        expected: dict[str, float | None] = {f"{family}_z": z for family, z in own.items()}
        if n >= 20:
            parts = {family: z * WEIGHTS[family] for family, z in own.items() if z is not None}
            expected |= {f"{family}_contribution_z": part for family, part in parts.items()}
            expected["pressure_z"] = sum(parts.values())
        pairs.append((row, expected))

    # A flow is told by what was bought and sold, and the difference of these is rounded.
    assert_agreement("pressure", worst_errors(pairs), 1e-9)


def test_a_family_that_presses_more_gives_more_and_the_parts_are_the_whole(built: Built) -> None:
    rows = [row for row in built.pressure("BTC") if row["pressure_z"] is not None]
    for row in rows:
        assert sum(row[f"{family}_contribution_z"] for family in WEIGHTS) == pytest.approx(row["pressure_z"], abs=1e-12)

    by_hour = {row["utc_hour"]: row for row in rows}
    assert by_hour[HOURS[70]]["flow_contribution_z"] > by_hour[HOURS[69]]["flow_contribution_z"]
    assert by_hour[HOURS[70]]["pressure_z"] > by_hour[HOURS[73]]["pressure_z"] > by_hour[HOURS[75]]["pressure_z"]


def test_vpin_of_the_market_is_that_of_the_law_by_which_takers_are_drawn(built: Built, market: Market) -> None:
    """Sides and sizes drawn anew by their law, poured into buckets of the same size.

    A bucket's imbalance scatters by 0.2 or so, and four of the errors of its mean bound the difference.
    """
    found = built.rows("select * from facts.fct_vpin where vpin_mean_frac is not null order by symbol, utc_hour")
    told, drawn = [], []
    dice = np.random.default_rng(5)
    for row in found:
        at = [row["utc_hour"] + timedelta(minutes=minute) for minute in range(60)]
        share = float(np.mean([market.aggressor_share(row["underlying"], moment) for moment in at]))
        told.append((row["vpin_mean_frac"], row["buckets_count"]))
        drawn.append(poured(dice, share, row["bucket_usd"]))
    weights = [count for _, count in told]
    mean = float(np.average([value for value, _ in told], weights=weights))
    truth = float(np.average([float(buckets.mean()) for buckets in drawn], weights=weights))
    scatter = float(np.sqrt(np.average([float(buckets.var()) for buckets in drawn], weights=weights)))

    print(f"vpin {mean:.4f}, by the law {truth:.4f}, {sum(weights)} buckets")  # noqa: T201
    assert len(found) == 2 * (len(TAPE_HOURS) - 6)
    assert mean == pytest.approx(truth, abs=4 * scatter / np.sqrt(sum(weights)))


def poured(dice: np.random.Generator, share: float, bucket_usd: float) -> Floats:
    """|bought − sold| / size of many buckets of takers who buy with this probability."""
    usd = tape.MEDIAN_USD * np.exp(tape.SIZE_SPREAD * dice.standard_normal(40_000))
    ends = np.concatenate(([0.0], np.cumsum(usd)))
    net = np.concatenate(([0.0], np.cumsum(np.where(dice.random(len(usd)) < share, usd, -usd))))
    edges = np.arange(0.0, ends[-1], bucket_usd)
    result: Floats = np.abs(np.diff(np.interp(edges, ends, net))) / bucket_usd
    return result
