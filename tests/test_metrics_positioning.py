"""Gamma by strike and expiry agrees with QuantLib on generated options, and its signs with their assumptions."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from math import sqrt
from pathlib import Path
from random import Random
from typing import NamedTuple

import duckdb
import pandas as pd
import pytest
import QuantLib

from tests.built_models import build, stage_hours
from tests.replayed import Row, assert_agreement, worst_errors

HOUR = datetime(2026, 1, 2, tzinfo=UTC)
AT = HOUR + timedelta(minutes=30)
FACTOR = 8.0  # by which everything that is a price is larger for SCALED


class Option(NamedTuple):
    underlying: str
    symbol: str
    expiry: datetime
    strike: float
    type: str
    forward: float
    vol: float
    open_interest: float


def options() -> Iterator[Option]:
    """Two expiries of twelve strikes; SWAPPED has the puts of BASE as calls, SCALED its prices in another unit."""
    draw = Random(7)
    for days in (0.2, 45.0):
        forward = draw.uniform(90, 110)
        for strike in range(60, 180, 10):
            for side in ("call", "put"):
                vol, coins = draw.uniform(0.2, 1.4), draw.uniform(0, 500)
                expiry = AT + timedelta(days=days)
                other = "put" if side == "call" else "call"
                name = f"{days}-{strike}-{side}"
                yield Option("BASE", f"B-{name}", expiry, strike, side, forward, vol, coins)
                yield Option("SWAPPED", f"W-{name}", expiry, strike, other, forward, vol, coins)
                yield Option("SCALED", f"X-{name}", expiry, strike * FACTOR, side, forward * FACTOR, vol, coins)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = stage_hours(tmp_path_factory.mktemp("positioning"))
    put(path, [(AT, option) for option in options()])
    build(path, "fct_options_positioning", "fct_options_positioning_by_strike")
    return path


def put(path: Path, told: Iterable[tuple[datetime, Option]]) -> None:
    """Options behind the staged lake, each as a reply of some instant told it."""
    names = ["captured_ts", "underlying", "symbol", "expiry_ts", "strike_px", "option_type"]
    names += ["forward_px", "mark_iv_ann", "coins"]
    rows = pd.DataFrame([(at, *option) for at, option in told], columns=names)  # noqa: F841 (read by name below)
    own = f"'v' as venue, 'option' as kind, timestamptz '{HOUR}' as utc_hour"
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(
            f"insert into lake.instruments by name select {own}, captured_ts, symbol, underlying as base_asset, "
            "'USD' as quote_asset, underlying as settle_asset, 1.0 as contract_size, 'base' as amount_unit, "
            "true as is_inverse, false as is_quanto, 'listed' as terms_source, strike_px, option_type, expiry_ts "
            "from rows"
        )
        connection.execute(
            "insert into lake.open_interest by name "
            f"select {own}, captured_ts, symbol, coins as open_interest_qty from rows"
        )
        connection.execute(f"insert into lake.implied_vols by name select {own}, * exclude (coins) from rows")


def read(path: Path, table: str) -> list[Row]:
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        cursor = connection.execute(f"select * from facts.{table}")
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def exposure(option: Option) -> float:
    """Dollars of delta for one percent, by QuantLib's Black calculator."""
    years = (option.expiry - AT).total_seconds() / (365 * 86_400)
    side = QuantLib.Option.Call if option.type == "call" else QuantLib.Option.Put
    payoff = QuantLib.PlainVanillaPayoff(side, option.strike)
    black = QuantLib.BlackCalculator(payoff, option.forward, option.vol * sqrt(years))
    return float(black.gammaForward() * option.open_interest * option.forward**2 * 0.01)


def by_side(*of: str) -> Mapping[tuple[object, ...], dict[str, float]]:
    sums: dict[tuple[object, ...], dict[str, float]] = defaultdict(lambda: {"call": 0.0, "put": 0.0})
    for option in options():
        sums[tuple(getattr(option, field) for field in of)][option.type] += exposure(option)
    return sums


def test_gamma_at_each_strike_agrees_with_quantlib(built: Path) -> None:
    """Far from the money QuantLib's is a difference of two nearly equal terms, and the looser of the two."""
    expected = by_side("underlying", "expiry", "strike")
    rows = {(r["underlying"], r["expiry_ts"].astimezone(UTC), r["strike_px"]): r for r in read(built, BY_STRIKE)}

    assert rows.keys() == expected.keys()
    assert_agreement("gamma by strike", worst_errors((rows[key], signed(own)) for key, own in expected.items()), 1e-9)


BY_STRIKE = "fct_options_positioning_by_strike"


def signed(own: Mapping[str, float]) -> dict[str, float | None]:
    return {
        "gamma_exposure_usd": own["call"] + own["put"],
        "gamma_if_dealers_long_calls_short_puts_usd": own["call"] - own["put"],
        "gamma_if_dealers_short_all_usd": -own["call"] - own["put"],
        "gamma_oi_share_frac": 1.0,
    }


def test_an_expiry_and_the_whole_are_the_sums_of_their_strikes(built: Path) -> None:
    rows = read(built, "fct_options_positioning")
    each, whole = by_side("underlying", "expiry"), by_side("underlying")
    pairs = [
        (row, signed(each[row["underlying"], row["expiry_ts"].astimezone(UTC)]))
        if row["expiry_ts"]
        else (row, signed(whole[row["underlying"],]))
        for row in rows
    ]

    assert len(rows) == 9
    assert_agreement("gamma by expiry", worst_errors(pairs), 1e-12)


def test_calls_for_puts_flips_the_assumed_sign_and_nothing_else(built: Path) -> None:
    totals = {row["underlying"]: row for row in read(built, "fct_options_positioning") if row["expiry_ts"] is None}
    base, swapped, scaled = totals["BASE"], totals["SWAPPED"], totals["SCALED"]
    side = "gamma_if_dealers_long_calls_short_puts_usd"

    assert swapped[side] == pytest.approx(-base[side], rel=1e-12)
    assert swapped["gamma_exposure_usd"] == pytest.approx(base["gamma_exposure_usd"], rel=1e-12)
    assert scaled["gamma_exposure_usd"] == pytest.approx(FACTOR * base["gamma_exposure_usd"], rel=1e-12)


def test_an_option_that_expires_between_two_replies_of_a_look_is_not_of_it(tmp_path: Path) -> None:
    """The look is of the instant of its last reply, and by then nothing of the option is open."""
    gone = Option("BASE", "B-gone", AT, 100.0, "call", 100.0, 0.5, 10.0)
    open_still = gone._replace(symbol="B-open", expiry=AT + timedelta(days=30))
    path = stage_hours(tmp_path)
    put(path, [(AT - timedelta(seconds=10), gone), (AT + timedelta(seconds=5), open_still)])

    build(path, "fct_options_positioning", BY_STRIKE)

    [strike] = read(path, BY_STRIKE)
    assert (strike["expiry_ts"], strike["contracts_count"]) == (open_still.expiry, 1)
    for row in read(path, "fct_options_positioning"):
        assert (row["contracts_count"], row["call_oi_base"], row["gamma_oi_share_frac"]) == (1, 10.0, 1.0)
        assert row["gamma_exposure_usd"] == strike["gamma_exposure_usd"] > 0
