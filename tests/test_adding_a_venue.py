"""Adding a venue, tried: one file and one line, and it has all that the others have.

The venue is made up (tests/madeup_venue.py), and so is the copy of the tree that it is added to.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ingestion.lake import Lake
from ingestion.storage import Store
from orchestration.published import open_published

ROOT = Path(__file__).parents[1]
COPIED = ("ingestion", "orchestration", "dbt_project", "tests")
MANIFEST = "dbt_project/target/manifest.json"
REGISTRY = Path("ingestion/venues/__init__.py")
MODULE = Path("ingestion/venues/madeup.py")
LINE = "from ingestion.venues.madeup import MADEUP\n"
HOUR = datetime(2026, 3, 4, 10, tzinfo=UTC)
DATASETS = ("instruments", "open_interest", "order_books", "perp_tickers", "trades")
HOUR_MS = int(HOUR.timestamp() * 1_000)

REPLIES: dict[str, Any] = {
    "/contracts": [{"symbol": "BTC_PERP", "tick": "0.5", "contract": "0.01"}],
    "/book": {
        "symbol": "BTC_PERP",
        "ts": HOUR_MS,
        "bids": [["99990", "300"], ["99910", "500"], ["99000", "1000"]],
        "asks": [["100010", "100"], ["100090", "400"], ["101000", "900"]],
    },
    "/ticker": {
        "symbol": "BTC_PERP",
        "ts": HOUR_MS,
        "mark": "100000",
        "index": "99900",
        "funding": "0.0001",
        "open_contracts": "5000",
    },
    "/trades": [
        {"id": 1, "symbol": "BTC_PERP", "ts": HOUR_MS + 60_000, "px": "100010", "contracts": "20", "taker": "buy"},
        {"id": 2, "symbol": "BTC_PERP", "ts": HOUR_MS + 3_000_000, "px": "99990", "contracts": "5", "taker": "sell"},
    ],
}


class Exchange(BaseHTTPRequestHandler):
    """Answers by path, of the one contract that it lists; anything else is a 404."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        of_what = parse_qs(asked.query).get("symbol", ["BTC_PERP"])
        said = json.dumps(REPLIES.get(asked.path)).encode()
        self.send_response(200 if asked.path in REPLIES and of_what == ["BTC_PERP"] else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: a test's output is its own."""


@contextmanager
def exchange() -> Iterator[str]:
    """The made-up exchange on loopback; yields its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Exchange) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class Added:
    """A copy of the tree with one venue more, and what its hour became."""

    tree: Path
    store: Store
    assets: list[str]
    checks: list[str]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a reader of the published tables gets."""
        with closing(open_published(self.store)) as connection:
            return connection.execute(sql).fetchall()


def python(tree: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """This interpreter in the copy: its modules come before those that are installed."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("BAROGRAPH_", "DAGSTER_", "DBT_"))}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env={**own, **settings, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Added:
    folder = tmp_path_factory.mktemp("adding")
    tree = folder / "tree"
    for name in COPIED:
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "target", "logs"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    if (ROOT / MANIFEST).is_file():  # made anew if it is older than what it is made of; that takes seconds
        (tree / MANIFEST).parent.mkdir()
        shutil.copy2(ROOT / MANIFEST, tree / MANIFEST)
    shutil.copy(ROOT / "tests" / "madeup_venue.py", tree / MODULE)
    registry = (tree / REGISTRY).read_text()
    (tree / REGISTRY).write_text(registry.replace("\nVENUES", LINE + "\nVENUES", 1))
    with exchange() as address:
        answer = python(
            tree,
            "-m",
            "tests.madeup_hour",
            HOUR.isoformat(),
            BAROGRAPH_VENUES="madeup",
            BAROGRAPH_URL_MADEUP=address,
            BAROGRAPH_SWEEP_MINUTES="15",
            BAROGRAPH_LAKE_URI=f"file://{folder / 'lake'}",
            BAROGRAPH_WAREHOUSE_PATH=str(folder / "warehouse.duckdb"),
        )
    assert answer.returncode == 0, answer.stderr
    return Added(tree, Store.open(str(folder / "lake")), **json.loads(answer.stdout))


def test_each_dataset_is_a_raw_and_a_lake_asset_and_the_lake_is_guarded(added: Added) -> None:
    assert added.assets == [
        *(f"lake/madeup/{dataset}" for dataset in DATASETS),
        *(f"raw/madeup/{dataset}" for dataset in DATASETS if dataset != "open_interest"),  # told within tickers
    ]
    assert added.checks == [f"lake/madeup/{dataset}/passed_gate_1" for dataset in DATASETS]


def test_its_replies_are_kept_and_become_rows_of_the_lake(added: Added) -> None:
    """Four sweeps of the hour, and its trades once it had closed."""
    lake = Lake(added.store)
    replies = {dataset: len(added.store.list(f"raw/madeup/{dataset}/")) for dataset in DATASETS}
    rows = {dataset: lake.read(dataset, "madeup", HOUR).num_rows for dataset in DATASETS}

    assert all(replies[dataset] for dataset in DATASETS if dataset != "open_interest")
    assert rows == {"instruments": 1, "open_interest": 4, "order_books": 4, "perp_tickers": 4, "trades": 2}


def test_readers_are_told_what_its_hour_rests_on(added: Added) -> None:
    rows = added.rows("select venue, dataset, status, rejected_count, refused_count from fct_data_coverage")

    assert sorted(rows) == [("madeup", dataset, "ok", 0, 0) for dataset in DATASETS]


def test_its_book_is_published_in_dollars(added: Added) -> None:
    """Contracts x 0.01 coin x price: 300 x 999.9 + 500 x 999.1 are bid within 10 bps of 100,000."""
    [row] = added.rows(
        "select distinct underlying, mid_px, spread_bps, queue_imbalance_frac, bid_depth_10bps_usd, ask_depth_10bps_usd"
        " from fct_order_book_imbalance"
    )

    assert row == ("BTC", 100_000, 2, 0.5, pytest.approx(799_520), pytest.approx(500_370))


def test_its_other_contracts_are_told_in_dollars_too(added: Added) -> None:
    """Open interest of 5,000 is 50 coins; 20 were bought at 100,010 and 5 sold at 99,990."""
    [(interest_usd, per_hour)] = added.rows("select distinct open_interest_usd, funding_rate_per_hour from fct_basis")
    [flow] = added.rows("select trades_count, buy_usd, sell_usd from fct_trade_flow")

    assert interest_usd == pytest.approx(5_000_000)
    assert per_hour == pytest.approx(0.0001 / 8)
    assert flow == (2, pytest.approx(20_002), pytest.approx(4_999.5))


def test_it_is_on_the_page_of_coverage(added: Added) -> None:
    page = python(added.tree, "-m", "ingestion.coverage_page").stdout

    assert "| [madeup](#madeup) | sandbox | sandbox | sandbox |" in page
    assert "| trades | `/trades` | archived | 1 | a year | sandbox |" in page


def test_the_tests_of_every_venue_hold_it(added: Added) -> None:
    """By its being listed; none of them names it."""
    answer = python(added.tree, "-m", "pytest", "-k", "madeup", "tests/test_venues.py", "tests/test_coverage_page.py")
    passed = re.search(r"(\d+) passed", answer.stdout)

    assert answer.returncode == 0, answer.stdout
    assert passed
    assert int(passed[1]) >= 10


def test_an_exchange_of_ccxt_needs_only_its_name(tmp_path: Path) -> None:
    """It is known from the command line on; here nobody answers, which is a gap with its reason."""
    nobody = "http://127.0.0.1:9"
    command = "from orchestration.cli import main; main()"
    answer = python(
        tmp_path, "-c", command, "capture", "--venue", "ccxt:bitstamp", "--lake-uri", "lake", BAROGRAPH_BASE_URL=nobody
    )
    [noted] = (tmp_path / "lake" / "quarantine" / "gaps" / "ccxt_bitstamp").rglob("*.json")

    assert answer.returncode == 0, answer.stderr
    assert "/fetchMarkets" in noted.read_text()
