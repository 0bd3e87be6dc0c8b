"""Imported files in the lake: beside what venues' replies filled, once each, and the same however they came there."""

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingestion.envelopes import Envelope
from ingestion.envelopes import seal as sealed_reply
from ingestion.ingest import Verdict, ingest
from ingestion.lake import Lake
from ingestion.quarantine import Quarantine
from ingestion.raw import RawZone
from ingestion.storage import Store
from ingestion.venues import VENUES
from tests.imported import objects_in, sealed
from tests.test_imports_sealing import KILLED
from tests.vendor_files import (
    DAY,
    DAY_US,
    HOUR_US,
    SECOND_US,
    VISION_HEADERS,
    Line,
    tardis,
    tardis_changes,
    tardis_trades,
    vision,
    vision_trades,
)

HOUR = datetime(2024, 1, 14, 20, tzinfo=UTC)


class Zones:
    """A lake in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store.open(str(folder))

    def ingest(self, venue: str, *hours: datetime) -> dict[str, Verdict]:
        """The verdicts of the last hour, by dataset."""
        raw, lake, quarantine = RawZone(self.store), Lake(self.store), Quarantine(self.store)
        verdicts = ingest(VENUES[venue], hours, raw, lake, quarantine, VENUES[venue].expected)
        return {verdict.dataset: verdict for verdict in verdicts if verdict.hour == hours[-1]}

    def reply(self, hour: datetime, dataset: str, envelope: Envelope) -> None:
        RawZone(self.store).write(envelope.venue, dataset, hour, [envelope])

    def trades(self, venue: str, hour: datetime) -> list[tuple[str, float]]:
        rows = Lake(self.store).read("trades", venue, hour).to_pylist()
        return sorted((row["trade_id"], row["px"]) for row in rows)

    def quarantined(self, hour: datetime) -> list[str]:
        return [row["rule_id"] for row in Quarantine(self.store).read([hour]).to_pylist()]


@pytest.fixture
def zones(tmp_path: Path) -> Zones:
    return Zones(tmp_path / "lake")


def aggregated(hour: datetime, ids: range, at_ms: int) -> Envelope:
    """A reply of Binance spot about aggregated trades, a millisecond apart, asked a day later."""
    rows = [
        {"a": n, "p": f"{42_000 + n}.10", "q": "0.5", "f": n, "l": n, "T": at_ms + n, "m": n % 3 == 0, "M": True}
        for n in ids
    ]
    return sealed_reply(
        venue="binance_spot", host="api.binance.com", path="/api/v3/aggTrades", query="symbol=BTCUSDT&fromId=1",
        status=200, captured_ts=hour + timedelta(days=1), body=json.dumps(rows).encode(),
    )  # fmt: skip


def archived(folder: Path, period: str, ids: range, at: int) -> Path:
    """The same trades as a file of the archive; `at` is in its unit, and so are the steps."""
    step = 1000 if at > 10**14 else 1
    lines: list[Line] = [
        (
            *(n, f"{42_000 + n}.10000000", "0.50000000", n, n, at + n * step + (step > 1) * 321),
            *("True" if n % 3 == 0 else "False", "True"),
        )
        for n in ids
    ]
    return vision(folder, "spot", "aggTrades", "BTCUSDT", lines, period=period)


class TestMerged:
    @pytest.mark.parametrize(
        ("period", "hour", "unit"),
        [
            ("2024-01-14", HOUR, 1),
            ("2025-03-14", datetime(2025, 3, 14, 20, tzinfo=UTC), 1000),
        ],
    )
    def test_the_archive_completes_what_was_asked_for(
        self, tmp_path: Path, zones: Zones, period: str, hour: datetime, unit: int
    ) -> None:
        """Also since its clocks are microseconds, where replies still have milliseconds."""
        at_ms = int(hour.timestamp()) * 1000
        zones.reply(hour, "trades", aggregated(hour, range(6, 16), at_ms))
        assert len(zones.ingest("binance_spot", hour)) > 0
        assert [name for name, _ in zones.trades("binance_spot", hour)] == sorted(map(str, range(6, 16)))

        sealed(archived(tmp_path, period, range(1, 11), at_ms * unit), zones.folder)
        verdict = zones.ingest("binance_spot", hour)["trades"]

        expected = sorted((str(n), float(f"{42_000 + n}.10")) for n in range(1, 16))
        assert zones.trades("binance_spot", hour) == expected
        assert (verdict.status, verdict.rows_count, verdict.rejected_count) == ("ok", 15, 0)
        assert zones.quarantined(hour) == []

    def test_two_vendors_of_one_venue_are_one_tape(self, tmp_path: Path, zones: Zones) -> None:
        """Tardis tells single trades of USD-M and the archive aggregates: both are kept apart, and no row twice."""
        at_us = DAY_US + 20 * HOUR_US
        single: list[Line] = [
            ("binance-futures", "BTCUSDT", at_us + n * 1000, at_us + n * 1000 + 7, n, "buy", 42_000, 1)
            for n in range(1, 5)
        ]
        sealed(tardis(tmp_path, "trades", "binance-futures", "BTCUSDT", single), zones.folder)
        lines = vision_trades(3, start_ms=at_us // 1000)
        header = VISION_HEADERS[("aggTrades", "um")]
        sealed(vision(tmp_path, "um", "aggTrades", "BTCUSDT", lines, header=header), zones.folder)

        zones.ingest("binance_usdm", HOUR)

        rows = Lake(zones.store).read("trades", "binance_usdm", HOUR).to_pylist()
        assert sorted((row["is_aggregate"], row["trade_id"]) for row in rows) == [
            *((False, str(n)) for n in range(1, 5)),
            *((True, str(1000 + n)) for n in range(3)),
        ]


class TestSame:
    def test_an_import_repeated_leaves_every_byte_of_the_lake(self, tmp_path: Path, zones: Zones) -> None:
        lines = tardis_trades(50, every_us=SECOND_US, start_us=DAY_US + 20 * HOUR_US)
        path = tardis(tmp_path, "trades", "deribit", "BTC-PERPETUAL", lines)
        sealed(path, zones.folder)
        zones.ingest("deribit", HOUR)
        once = objects_in(zones.folder)

        sealed(path, zones.folder)
        zones.ingest("deribit", HOUR)

        assert objects_in(zones.folder) == once

    @pytest.mark.parametrize("writes", [1, 3])
    def test_an_import_killed_and_resumed_is_the_lake_of_one_that_was_not(
        self, tmp_path: Path, zones: Zones, writes: int
    ) -> None:
        """Six hours of a book; it is killed, what is there is ingested, and it is resumed."""
        hours = [DAY + timedelta(hours=n) for n in range(6)]
        lines = [
            line
            for n in range(6)
            for line in tardis_changes(40, start_us=DAY_US + n * HOUR_US, seed=n)
            if n == 0 or line[4] == "false"
        ]
        path = tardis(tmp_path, "incremental_book_L2", "binance-futures", "BTCUSDT", lines)
        undisturbed = Zones(tmp_path / "undisturbed")
        sealed(path, undisturbed.folder)
        undisturbed.ingest("binance_usdm", *hours)

        command = [sys.executable, "-c", KILLED, str(path), str(zones.folder), str(writes)]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
        zones.ingest("binance_usdm", *hours)
        sealed(path, zones.folder)
        zones.ingest("binance_usdm", *hours)

        assert objects_in(zones.folder / "raw") == objects_in(undisturbed.folder / "raw")
        assert objects_in(zones.folder / "lake") == objects_in(undisturbed.folder / "lake")
        assert len(objects_in(zones.folder / "lake" / "order_books")) == 7  # six hours, and the empty file

    def test_the_lake_is_made_again_from_raw(self, tmp_path: Path, zones: Zones) -> None:
        lines = tardis_trades(50, every_us=SECOND_US, start_us=DAY_US + 20 * HOUR_US)
        sealed(tardis(tmp_path, "trades", "deribit", "BTC-PERPETUAL", lines), zones.folder)
        zones.ingest("deribit", HOUR)
        once = objects_in(zones.folder / "lake")
        for key in zones.store.list("lake/"):
            zones.store.delete(key)

        Zones(zones.folder).ingest("deribit", HOUR)

        assert objects_in(zones.folder / "lake") == once


def test_lines_that_cannot_be_read_are_in_quarantine_and_the_rest_in_the_lake(tmp_path: Path, zones: Zones) -> None:
    lines = tardis_trades(20, every_us=SECOND_US, start_us=DAY_US + 20 * HOUR_US)
    lines[7] = (*lines[7][:6], "nan", 1)
    sealed(tardis(tmp_path, "trades", "deribit", "BTC-PERPETUAL", lines), zones.folder)

    verdict = zones.ingest("deribit", HOUR)["trades"]

    assert (verdict.status, verdict.rows_count) == ("ok", 19)
    assert zones.quarantined(HOUR) == ["schema"]


@pytest.mark.parametrize(("unsided", "status", "rules"), [(19, "ok", ()), (20, "held", ("nothing_readable",))])
def test_trades_whose_side_the_vendor_does_not_know_do_not_hold_the_others(
    tmp_path: Path, zones: Zones, unsided: int, status: str, rules: tuple[str, ...]
) -> None:
    """However many: the format says so of them. Where no other is left, there is no tape."""
    lines = tardis_trades(20, every_us=SECOND_US, start_us=DAY_US + 20 * HOUR_US)
    lines = [(*line[:5], "unknown", *line[6:]) if n < unsided else line for n, line in enumerate(lines)]
    sealed(tardis(tmp_path, "trades", "deribit", "BTC-PERPETUAL", lines), zones.folder)

    verdict = zones.ingest("deribit", HOUR)["trades"]

    assert (verdict.status, verdict.broken_rules) == (status, rules)
    assert (verdict.rows_count, verdict.rejected_count) == (20 - unsided, unsided)
    assert zones.quarantined(HOUR).count("unknown_side") == unsided


def test_a_file_of_which_no_line_can_be_read_holds_its_dataset(tmp_path: Path, zones: Zones) -> None:
    lines = [
        (*line[:4], "", *line[5:]) for line in tardis_trades(20, every_us=SECOND_US, start_us=DAY_US + 20 * HOUR_US)
    ]
    sealed(tardis(tmp_path, "trades", "deribit", "BTC-PERPETUAL", lines), zones.folder)

    verdict = zones.ingest("deribit", HOUR)["trades"]

    assert (verdict.status, verdict.broken_rules, verdict.rejected_count) == (
        "held",
        ("nothing_readable", "rejected_frac"),
        20,
    )
