"""Eight hours of carry on two venues, made up number by number, put into a staged lake and built by dbt."""

import json
import math
import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from orchestration.resources import DBT_EXECUTABLE, DBT_PROJECT
from tests.replayed import Row

START = datetime(2026, 1, 5, tzinfo=UTC)
END = START + timedelta(hours=8)
STEPS = [START + timedelta(minutes=5 * step) for step in range(96)]
DAYS = (25, 47, 81, 130, 250)
BUILT = (
    *("fct_funding", "fct_funding_by_underlying", "fct_basis_term_structure", "fct_calendar_spreads"),
    *("fct_carry_net", "mart_reconciliation_daily"),
)
COMPARED = [f"facts.{name}" for name in BUILT[:5]]
COMPARED += ["marts.mart_reconciliation_daily", "intermediate.int_funding_recomputed"]
COMPARED += ["intermediate.int_funding_scenarios_measured"]

Side = list[tuple[float, float]]  # price, quantity


@dataclass
class Made:
    """What was put into the lake, as plain numbers."""

    index: dict[datetime, float] = field(default_factory=dict)
    rate: dict[datetime, float] = field(default_factory=dict)  # dollars of a USDT
    premium: dict[tuple[str, datetime], float] = field(default_factory=dict)
    funding: dict[tuple[str, datetime], float] = field(default_factory=dict)
    interest: dict[tuple[str, datetime], float] = field(default_factory=dict)
    paid: dict[tuple[str, datetime], float] = field(default_factory=dict)
    futures: dict[tuple[int, datetime], float] = field(default_factory=dict)  # mids by days from the start
    books: dict[tuple[str, datetime], tuple[Side, Side]] = field(default_factory=dict)


def made_up() -> Made:
    made, dice = Made(), random.Random(11)
    level = 50_000.0
    for step, at in enumerate(STEPS):
        level *= math.exp(dice.gauss(0, 5e-4))
        made.index[at] = level
        made.rate[at] = 1 + dice.gauss(0, 2e-4)
        for venue in ("bybit", "deribit"):
            made.premium[venue, at] = 8e-4 * math.sin(step / 9) + dice.gauss(0, 1e-4)
            made.funding[venue, at] = dice.gauss(1e-4, 2e-4)
            made.interest[venue, at] = dice.uniform(1e8, 9e8)
        for days in DAYS:
            made.futures[days, at] = level * math.exp((0.05 + 0.04 * math.sin(days)) * days / 365 + dice.gauss(0, 1e-4))
        for name, mid in (("spot", level / made.rate[at]), ("future", made.futures[81, at]), ("perp", level)):
            made.books[name, at] = tuple(  # type: ignore[assignment]
                [(mid * (1 + sign * 1e-4 * (depth + dice.random())), dice.uniform(0.05, 3)) for depth in range(1, 25)]
                for sign in (-1, 1)
            )
    for hour in range(8):
        made.paid["deribit", START + timedelta(hours=hour)] = dice.gauss(1e-5, 1e-5)
    for eighths in range(1, 41):
        made.paid["bybit", START - timedelta(hours=8 * eighths)] = dice.gauss(1e-4, 2e-4)
    return made


def inserted(warehouse: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Row]) -> None:
    names = ", ".join(rows[0])
    marks = ", ".join("?" for _ in rows[0])
    warehouse.executemany(
        f"insert into lake.{table} ({names}) values ({marks})",
        [list(row.values()) for row in rows],
    )


def row(venue: str, kind: str, symbol: str, at: datetime, **own: Any) -> Row:
    hour = at.replace(minute=0, second=0, microsecond=0)
    return {"utc_hour": hour, "venue": venue, "kind": kind, "symbol": symbol, "captured_ts": at, "event_ts": at} | own


def future_name(days: int) -> str:
    return f"BTC-{days}D"


def fill(path: Path, made: Made) -> None:
    linear = {"base_asset": "BTC", "quote_asset": "USDT", "settle_asset": "USDT", "amount_unit": "base"}
    inverse = {"base_asset": "BTC", "quote_asset": "USD", "settle_asset": "BTC", "amount_unit": "usd"}
    listed = [("bybit", "perp", "BTCUSDT", linear, None), ("binance_spot", "spot", "BTCUSDT", linear, None)]
    listed += [("deribit", "perp", "BTC-PERPETUAL", inverse, None)]
    listed += [("deribit", "future", future_name(days), inverse, START + timedelta(days=days)) for days in DAYS]
    with duckdb.connect(str(path)) as warehouse:
        warehouse.execute("set TimeZone = 'UTC'")
        terms = [
            row(venue, kind, symbol, START + timedelta(hours=hour))
            | own
            | {"terms_source": "listed", "contract_size": 1.0, "is_inverse": own is inverse, "is_quanto": False}
            | {"expiry_ts": expiry, "funding_interval_s": 28_800 if kind == "perp" else None}
            for hour in range(8)
            for venue, kind, symbol, own, expiry in listed
        ]
        inserted(warehouse, "instruments", [{k: v for k, v in each.items() if k != "event_ts"} for each in terms])
        perps, books = [], []
        for at in STEPS:
            index, usdt = made.index[at], made.rate[at]
            due = {"bybit": END, "deribit": None}
            for venue, symbol, px in (("bybit", "BTCUSDT", index / usdt), ("deribit", "BTC-PERPETUAL", index)):
                mark = px * (1 + made.premium[venue, at])
                quote = {"bid_px": mark * (1 - 1e-5), "ask_px": mark * (1 + 1e-5), "mark_px": mark, "index_px": px}
                paid = {"funding_rate": made.funding[venue, at], "funding_interval_s": 28_800}
                perps.append(row(venue, "perp", symbol, at) | quote | paid | {"next_funding_ts": due[venue]})
            for name, key in (
                ("spot", ("binance_spot", "spot", "BTCUSDT")),
                ("future", ("deribit", "future", future_name(81))),
                ("perp", ("deribit", "perp", "BTC-PERPETUAL")),
            ):
                bids, asks = made.books[name, at]
                books.append(
                    row(*key, at + timedelta(seconds=2 * (name != "spot")))
                    | {"bid_px": [px for px, _ in bids], "ask_px": [px for px, _ in asks]}
                    | {
                        "bid_qty": [qty if name == "spot" else qty * px for px, qty in bids],
                        "ask_qty": [qty if name == "spot" else qty * px for px, qty in asks],
                    }
                )
        inserted(warehouse, "perp_tickers", perps)
        inserted(warehouse, "order_books", books)
        inserted(
            warehouse,
            "future_tickers",
            [
                row("deribit", "future", future_name(days), at + timedelta(seconds=7))
                | {"bid_px": px * (1 - 1e-5), "ask_px": px * (1 + 1e-5), "mark_px": px, "index_px": made.index[at]}
                for (days, at), px in made.futures.items()
            ],
        )
        inserted(
            warehouse,
            "open_interest",
            [
                row(venue, "perp", "BTCUSDT" if venue == "bybit" else "BTC-PERPETUAL", at)
                | {"open_interest_qty": usd / made.index[at] if venue == "bybit" else usd}
                for (venue, at), usd in made.interest.items()
            ],
        )
        inserted(
            warehouse,
            "index_prices",
            [
                row("deribit", "spot", "usdt_usd", at) | {"base_asset": "USDT", "quote_asset": "USD", "index_px": rate}
                for at, rate in made.rate.items()
            ],
        )
        inserted(
            warehouse,
            "funding_rates",
            [
                row(venue, "perp", "BTCUSDT" if venue == "bybit" else "BTC-PERPETUAL", told)
                | {"event_ts": at, "funding_rate": rate, "funding_interval_s": None if venue == "bybit" else 3600}
                for (venue, at), rate in made.paid.items()
                for told in ([at + timedelta(minutes=50)] if venue == "deribit" else [START + timedelta(minutes=50)])
            ],
        )


def built(path: Path, *windows: tuple[datetime, datetime]) -> dict[str, list[Row]]:
    """Run the models window by window; the rows of each table in its own order."""
    project = str(DBT_PROJECT.project_dir)
    for start, end in windows:
        told = {"warehouse_path": str(path), "from_hour": f"{start:%F %T}+00", "to_hour": f"{end:%F %T}+00"}
        command = [DBT_EXECUTABLE, "--quiet", "build", "--exclude-resource-type", "test"]
        command += ["--exclude-resource-type", "unit_test", "--select", *(f"+{name}" for name in BUILT)]
        command += ["--vars", json.dumps(told), "--project-dir", project, "--profiles-dir", project]
        command += ["--target-path", str(path.parent / "target"), "--log-path", str(path.parent)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stdout + answer.stderr
    tables = {}
    with duckdb.connect(str(path), read_only=True) as warehouse:
        warehouse.execute("set TimeZone = 'UTC'")
        for name in COMPARED:
            cursor = warehouse.execute(f"select * from {name} order by all")
            columns = [column[0] for column in cursor.description or []]
            rows = [dict(zip(columns, each, strict=True)) for each in cursor.fetchall()]
            tables[name.split(".")[1]] = [
                {k: v.astimezone(UTC) if isinstance(v, datetime) else v for k, v in each.items()} for each in rows
            ]
    return tables
