"""Realised volatility agrees with numpy on a generated market, knows its own scale, and does not look ahead.

Ninety-two days of hourly bars told by three hours, and a day of trades; some bars and trades are missing.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from tests.built_models import build, stage_hours
from tests.replayed import Row, assert_agreement, worst_errors

HOUR = timedelta(hours=1)
LAST = datetime(2026, 3, 4, 13, tzinfo=UTC)
TOLD = [LAST - 2 * HOUR, LAST - HOUR, LAST]  # hours whose replies held candles
DAYS, YEAR_S = 92, 365 * 86_400
SCALE = {"BTC": 0.004, "ETH": 0.006, "XRP": 0.004}
FACTOR = 7.0  # XRP is BTC in another unit of money
Floats = NDArray[np.float64]


def walk(underlying: str, steps: int, sigma: float, salt: int) -> Floats:
    """A price with a few jumps."""
    draw = np.random.default_rng([salt, 0 if underlying == "ETH" else 1])
    moves = draw.normal(0, sigma, steps) + draw.normal(0, 12 * sigma, steps) * (draw.random(steps) < 0.004)
    return np.asarray(100 * np.exp(np.cumsum(moves)) * (FACTOR if underlying == "XRP" else 1.0))


@cache
def hourly_bars(underlying: str) -> list[Row]:
    """Four quarters an hour make its open, high, low and close; every 97th bar is missing."""
    count = DAYS * 24
    quarters = walk(underlying, 4 * count, SCALE[underlying] / 2, 1).reshape(count, 4)
    first = LAST + HOUR - count * HOUR
    return [
        {"bar_ts": first + n * HOUR, "o": px[0], "h": px.max(), "l": px.min(), "c": px[-1]}
        for n, px in enumerate(quarters)
        if n % 97
    ]


@cache
def trades(underlying: str) -> list[Row]:
    """A trade every 12 s of 26 hours; a minute in forty has none."""
    start, count = LAST - 25 * HOUR, 26 * 300
    return [
        {"trade_id": str(n), "at": start + n * timedelta(seconds=12), "px": px}
        for n, px in enumerate(walk(underlying, count, SCALE[underlying] / 17, 2))
        if (n // 5) % 40 != 7
    ]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = stage_hours(tmp_path_factory.mktemp("realized_vol"))
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        listed, told, traded = [], [], []
        for underlying in SCALE:
            symbol = f"{underlying}USDT"
            bars = hourly_bars(underlying)
            for hour in TOLD:
                known = [bar for bar in bars if bar["bar_ts"] <= hour]
                told += [[hour, symbol, hour + HOUR, *bar.values()] for bar in known]
            for row in trades(underlying):
                hour = row["at"].replace(minute=0, second=0, microsecond=0)
                traded.append([hour, symbol, row["at"], *row.values()])
            hours = {row[0] for row in [*told, *traded]}
            listed += [[hour, symbol, hour, underlying] for hour in hours]
        fill(connection, "instruments", ["utc_hour", "symbol", "captured_ts", "base_asset"], listed, TERMS)
        fill(connection, "candles", ["utc_hour", "symbol", "captured_ts", *BAR], told, ", 3600 as interval_s")
        fill(
            connection,
            "trades",
            ["utc_hour", "symbol", "captured_ts", "trade_id", "event_ts", "px"],
            traded,
            ", 1.0 as qty, 'buy' as side, false as is_aggregate",
        )
    build(path, "fct_realized_vol")
    return path


BAR = ["event_ts", "open_px", "high_px", "low_px", "close_px"]
TERMS = """, 'USDT' as quote_asset, 'USDT' as settle_asset, 1.0 as contract_size, 'base' as amount_unit,
    false as is_inverse, false as is_quanto, 'listed' as terms_source"""


def fill(
    connection: duckdb.DuckDBPyConnection, dataset: str, names: list[str], rows: list[list[object]], more: str
) -> None:
    """Rows of Binance's spot pairs; `more` are columns that all share."""
    connection.register("rows", pd.DataFrame(rows, columns=names))
    connection.execute(
        f"insert into lake.{dataset} by name select 'binance_spot' as venue, 'spot' as kind, * {more} from rows"
    )


def read(path: Path) -> Iterator[Row]:
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        cursor = connection.execute("select * from facts.fct_realized_vol order by all")
        names = [column[0] for column in cursor.description or []]
        yield from (dict(zip(names, row, strict=True)) for row in cursor.fetchall())


@cache
def bars_of(underlying: str, bar_s: int) -> dict[int, tuple[float, float, float, float]]:
    """Open, high, low, close by the bar's start in seconds."""
    if bar_s == 3600:
        return {int(b["bar_ts"].timestamp()): (b["o"], b["h"], b["l"], b["c"]) for b in hourly_bars(underlying)}
    inside: dict[int, list[float]] = {}
    for row in trades(underlying):
        inside.setdefault(int(row["at"].timestamp()) // bar_s * bar_s, []).append(row["px"])
    return {start: (px[0], max(px), min(px), px[-1]) for start, px in inside.items()}


def expected(underlying: str, hour: datetime, window_s: int, bar_s: int) -> dict[str, float | None]:
    """Every bar of the window whose predecessor is known, by numpy."""
    bars, end = bars_of(underlying, bar_s), int((hour + HOUR).timestamp())
    if bar_s == 3600:
        told = max([at for at in TOLD if at <= hour], default=None)
        bars = {} if told is None else {at: bar for at, bar in bars.items() if at <= told.timestamp()}
    starts = [at for at in range(end - window_s, end, bar_s) if at in bars and at - bar_s in bars]
    found: dict[str, float | None] = {"bars_count": len(starts), "bars_share_frac": len(starts) * bar_s / window_s}
    if len(starts) < 0.95 * window_s / bar_s:
        return found | dict.fromkeys(MEASURES)
    o, h, l, c = np.log(np.array([bars[at] for at in starts])).T  # noqa: E741
    before = np.log([bars[at - bar_s][3] for at in starts])
    r = c - before
    n, a_year = len(starts), YEAR_S / bar_s
    rs = np.mean((h - c) * (h - o) + (l - c) * (l - o))
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    touching = np.diff(starts) == bar_s
    rv, bv = float(r @ r), np.pi / 2 * float((np.abs(r[1:]) * np.abs(r[:-1]))[touching].sum())
    values = (
        np.sqrt(np.mean(r**2) * a_year),
        np.sqrt(np.mean((h - l) ** 2) / (4 * np.log(2)) * a_year),
        np.sqrt(np.mean(0.5 * (h - l) ** 2 - (2 * np.log(2) - 1) * (c - o) ** 2) * a_year),
        np.sqrt(rs * a_year),
        np.sqrt((np.var(o - before, ddof=1) + k * np.var(c - o, ddof=1) + (1 - k) * rs) * a_year),
        rv,
        bv,
        max(0.0, rv - bv),
        max(0.0, rv - bv) / rv,
    )
    return found | {name: float(value) for name, value in zip(MEASURES, values, strict=True)}


ESTIMATORS = ("close_to_close", "parkinson", "garman_klass", "rogers_satchell", "yang_zhang")
VOLS = tuple(f"realized_vol_{name}_ann" for name in ESTIMATORS)
MEASURES = (*VOLS, "realized_variance_frac", "bipower_variance_frac", "jump_variance_frac", "jump_share_frac")


def test_every_estimator_agrees_with_numpy_over_every_window(warehouse: Path) -> None:
    rows = list(read(warehouse))
    worst = worst_errors(
        (row, expected(row["underlying"], row["utc_hour"].astimezone(UTC), row["window_s"], row["bar_s"]))
        for row in rows
    )
    measured = [row for row in rows if row["realized_variance_frac"] is not None]

    assert len({(row["window_s"], row["bar_s"]) for row in measured}) == 8
    assert {row["bar_s"] for row in measured if row["bars_share_frac"] < 1} >= {60, 3600}  # holes were met
    assert_agreement("realised volatility against numpy", worst, 1e-9)


def test_a_price_in_another_money_has_the_same_volatility(warehouse: Path) -> None:
    rows = {(row["underlying"], row["utc_hour"], row["window_s"], row["bar_s"]): row for row in read(warehouse)}

    pairs = [(rows["XRP", *rest], row) for (underlying, *rest), row in rows.items() if underlying == "BTC"]
    worst = worst_errors((other, {name: row[name] for name in MEASURES}) for other, row in pairs)

    assert_agreement("the same price in another money", worst, 1e-9)


def test_an_hour_built_alone_is_the_hour_that_was_built_with_others(warehouse: Path) -> None:
    """To the last bit; the candles of later hours are kept by then, and are not looked at."""
    before = list(read(warehouse))
    build(warehouse, "fct_realized_vol", from_hour=f"{TOLD[0]:%F %T}+00", to_hour=f"{TOLD[1]:%F %T}+00")

    assert list(read(warehouse)) == before


def test_a_bar_told_late_moves_no_hour_before(tmp_path: Path) -> None:
    """Nor where it stands beside the window: of two returns that touch, the first rests on the bar before it."""
    late, path = LAST - 24 * HOUR, stage_hours(tmp_path)
    close = {LAST + n * HOUR: 100 + 7.0 * (n * n % 11) for n in range(-26, 2)}
    told = [
        [hour, "BTCUSDT", hour + HOUR, bar_ts, px, px, px, px]
        for hour in (LAST, LAST + HOUR)
        for bar_ts, px in close.items()
        if bar_ts <= hour and not (bar_ts == late and hour == LAST)
    ]
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        listed = [[hour, "BTCUSDT", hour, "BTC"] for hour in (LAST, LAST + HOUR)]
        fill(connection, "instruments", ["utc_hour", "symbol", "captured_ts", "base_asset"], listed, TERMS)
        fill(connection, "candles", ["utc_hour", "symbol", "captured_ts", *BAR], told, ", 3600 as interval_s")

    def of_the_hour() -> Row:
        with duckdb.connect(str(path), read_only=True) as connection:
            found = connection.execute(
                "select bars_count, bipower_variance_frac from facts.fct_realized_vol "
                "where utc_hour = ? and window_s = 86400 and bar_s = 3600",
                [LAST],
            ).fetchall()
        [(count, bipower)] = found
        return {"bars_count": count, "bipower_variance_frac": bipower}

    build(path, "fct_realized_vol", hours=(LAST, LAST + HOUR))
    alone = of_the_hour()
    build(path, "fct_realized_vol")

    moves = np.abs(np.diff(np.log([close[LAST + n * HOUR] for n in range(-23, 1)])))
    assert alone == {"bars_count": 23, "bipower_variance_frac": pytest.approx(np.pi / 2 * moves[1:] @ moves[:-1])}
    assert of_the_hour() == alone
