"""Vendors' files into raw: verbatim, by the hour, the same however often and however interrupted; or not at all."""

import gzip
import json
import random
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion.imports import archives
from ingestion.imports.archives import BadFile, check
from ingestion.imports.parts import opened
from ingestion.imports.sealing import PART_BYTES
from ingestion.venues.base import Refused
from tests.imported import envelopes_of, objects_in, rows_of, sealed, source_of
from tests.vendor_files import (
    DAY_US,
    HOUR_US,
    SECOND_US,
    TARDIS_HEADERS,
    VISION_HEADERS,
    csv,
    tardis,
    tardis_changes,
    tardis_trades,
    vision,
    vision_trades,
    write_checksum,
    zipped,
)


def trades(folder: Path, count: int = 300, *, every_us: int = 600 * SECOND_US) -> Path:
    lines = tardis_trades(count, every_us=every_us)
    return tardis(folder, "trades", "deribit", "BTC-PERPETUAL", lines)


def aggregates(folder: Path, count: int = 144, **more: object) -> Path:
    lines = vision_trades(count, every_ms=600_000)
    return vision(folder, "um", "aggTrades", "BTCUSDT", lines, header=VISION_HEADERS[("aggTrades", "um")], **more)  # type: ignore[arg-type]


class TestRaw:
    def test_holds_every_line_of_the_file_as_it_stands(self, tmp_path: Path) -> None:
        path = trades(tmp_path, 40_000, every_us=SECOND_US)

        parts = [opened(envelope) for envelope in envelopes_of(path, tmp_path / "lake")]

        written = gzip.decompress(path.read_bytes()).splitlines()[1:]
        assert [line for part in parts for line in part.lines] == written
        assert {part.path for part in parts} == {"/v1/deribit/trades/2024/01/14/BTC-PERPETUAL.csv.gz"}

    def test_says_which_lines_of_which_file_it_holds(self, tmp_path: Path) -> None:
        """Six trades an hour; the header is the first line."""
        envelopes = envelopes_of(trades(tmp_path, 12), tmp_path / "lake")

        assert [(envelope.method, envelope.host) for envelope in envelopes] == 2 * [("FILE", "datasets.tardis.dev")]
        assert [opened(envelope).spans for envelope in envelopes] == [[(2, 7)], [(8, 13)]]
        assert {len(opened(envelope).sha256) for envelope in envelopes} == {64}

    def test_has_parts_of_bounded_size(self, tmp_path: Path) -> None:
        path = trades(tmp_path, 60_000, every_us=50_000)

        parts = [opened(envelope) for envelope in envelopes_of(path, tmp_path / "lake")]

        sizes = [sum(len(line) + 1 for line in part.lines) for part in parts]
        assert len(parts) > 3
        assert max(sizes) < PART_BYTES + 200

    def test_takes_lines_in_any_order(self, tmp_path: Path) -> None:
        """As of a file that is sorted by symbol: each hour still has its own."""
        lines = tardis_trades(2_000, every_us=43 * SECOND_US)
        random.Random(7).shuffle(lines)
        path = tardis(tmp_path, "trades", "deribit", "BTC-PERPETUAL", lines)

        parts = [opened(envelope) for envelope in envelopes_of(path, tmp_path / "lake")]
        rows = rows_of(path, tmp_path / "lake")

        assert len(parts) == 24
        assert len(rows) == 2_000

    def test_of_the_same_file_twice_is_the_same(self, tmp_path: Path) -> None:
        path = aggregates(tmp_path)
        sealed(path, tmp_path / "lake")
        once = objects_in(tmp_path / "lake")

        sealed(path, tmp_path / "lake")

        assert objects_in(tmp_path / "lake") == once

    def test_of_an_empty_file_is_nothing(self, tmp_path: Path) -> None:
        """Tardis serves an empty archive for a day without data."""
        path = tmp_path / "deribit_trades_2024-01-14_BTC-PERPETUAL.csv.gz"
        path.write_bytes(gzip.compress(b""))

        done = sealed(path, tmp_path / "lake")

        assert (done.lines_count, done.hours) == (0, set())
        assert objects_in(tmp_path / "lake") == {}


KILLED = """
import os, signal, sys
from pathlib import Path
from ingestion.imports.archives import check
from ingestion.imports.sealing import seal
from ingestion.raw import RawZone
from ingestion.storage import LocalStore
from tests.imported import source_of

class Dying(LocalStore):
    left = int(sys.argv[3])

    def put_new(self, key, data):
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        return super().put_new(key, data)

path = Path(sys.argv[1])
seal(check(path, source_of(path), lambda count: None), RawZone(Dying(Path(sys.argv[2]))), lambda count: None)
"""


class TestKilled:
    @pytest.mark.parametrize("writes", [0, 1, 5, 17, 23])
    @pytest.mark.parametrize("kind", ["trades", "changes", "archive"])
    def test_half_way_and_resumed_is_as_if_undisturbed(self, tmp_path: Path, kind: str, writes: int) -> None:
        """A day, an object an hour; SIGKILL comes after so many of them."""
        make: dict[str, Callable[[], Path]] = {
            "trades": lambda: trades(tmp_path, 144),
            "archive": lambda: aggregates(tmp_path),
            "changes": lambda: tardis(
                tmp_path, "incremental_book_L2", "binance-futures", "BTCUSDT", hourly_changes()
            ),
        }  # fmt: skip
        path = make[kind]()
        sealed(path, tmp_path / "undisturbed")

        command = [sys.executable, "-c", KILLED, str(path), str(tmp_path / "lake"), str(writes)]
        died = subprocess.run(command, check=False, capture_output=True, text=True)
        assert died.returncode == -signal.SIGKILL, died.stderr
        left = objects_in(tmp_path / "lake")
        sealed(path, tmp_path / "lake")

        assert len(left) == writes
        assert objects_in(tmp_path / "lake") == objects_in(tmp_path / "undisturbed")


def hourly_changes() -> list[tuple[str | int | float, ...]]:
    """Some changes at the start of each hour of the day; the snapshot only at the first."""
    lines = []
    for hour in range(24):
        some = tardis_changes(3, start_us=DAY_US + hour * HOUR_US, seed=hour)
        lines += [line for line in some if hour == 0 or line[4] == "false"]
    return [tuple(line) for line in lines]


def refusal(path: Path, *, needs_checksum: bool = True) -> str:
    """Why the file cannot be taken."""
    with pytest.raises((BadFile, Refused)) as refused:
        check(path, source_of(path), lambda count: None, needs_checksum=needs_checksum)
    reason = str(refused.value)
    assert path.name in reason
    assert "\n" not in reason
    return reason


class TestWholeness:
    @pytest.mark.parametrize("kept", [0.99, 0.5, 0.01, 0.0])
    def test_a_truncated_gzip_is_refused(self, tmp_path: Path, kept: float) -> None:
        path = trades(tmp_path)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * kept)])

        assert "the gzip stream ends too early (expected a whole file)" in refusal(path)

    @pytest.mark.parametrize("kept", [0.99, 0.5, 0.01, 0.0])
    def test_a_truncated_zip_is_refused(self, tmp_path: Path, kept: float) -> None:
        path = aggregates(tmp_path)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * kept)])
        write_checksum(path)

        assert "damaged zip archive" in refusal(path)

    def test_bytes_that_were_changed_are_refused(self, tmp_path: Path) -> None:
        archive, compressed = aggregates(tmp_path), trades(tmp_path)
        for path in (archive, compressed):
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 0xFF
            path.write_bytes(data)
        write_checksum(archive)

        assert "damaged zip archive" in refusal(archive)
        assert "damaged gzip stream" in refusal(compressed)

    def test_what_is_no_archive_is_refused(self, tmp_path: Path) -> None:
        path = trades(tmp_path)
        path.write_bytes(b"<html>not found</html>")

        assert "damaged gzip stream" in refusal(path)

    def test_two_gzip_members_are_one_file(self, tmp_path: Path) -> None:
        lines = tardis_trades(4, every_us=SECOND_US)
        path = tardis(tmp_path, "trades", "deribit", "BTC-PERPETUAL", lines[:2])
        path.write_bytes(path.read_bytes() + gzip.compress(csv(None, lines[2:])))

        assert len(rows_of(path, tmp_path / "lake")) == 4

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        assert "No such file" in refusal(tmp_path / "deribit_trades_2024-01-14_X.csv.gz")


class TestChecksum:
    def test_that_does_not_fit_is_refused(self, tmp_path: Path) -> None:
        path = aggregates(tmp_path)
        beside = path.with_name(path.name + ".CHECKSUM")
        beside.write_text(f"{'0' * 64}  {path.name}\n")

        for needs_checksum in (True, False):
            assert "(expected 0000000000000000…" in refusal(path, needs_checksum=needs_checksum)

    def test_that_is_missing_is_demanded_unless_told_otherwise(self, tmp_path: Path) -> None:
        path = aggregates(tmp_path, checksum=False)

        assert f"no {path.name}.CHECKSUM beside it" in refusal(path)
        check(path, source_of(path), lambda count: None, needs_checksum=False)

    @pytest.mark.parametrize("text", ["", "hello", "0" * 64, f"{'0' * 64}  another.zip"])
    def test_that_is_none_is_refused(self, tmp_path: Path, text: str) -> None:
        path = aggregates(tmp_path)
        path.with_name(path.name + ".CHECKSUM").write_text(text)

        assert "no checksum of" in refusal(path)


class TestHeader:
    @pytest.mark.parametrize(
        ("header", "reason"),
        [
            (
                TARDIS_HEADERS["trades"].replace("price", "px"),
                "column 7 is 'px' (expected 'price')",
            ),
            (TARDIS_HEADERS["trades"] + ",fee", "column 9 is 'fee' (expected absent)"),
            (TARDIS_HEADERS["trades"].removesuffix(",amount"), "column 8 is absent (expected 'amount')"),
            (TARDIS_HEADERS["quotes"], "column 5 is 'ask_amount' (expected 'id')"),
        ],
    )
    def test_of_other_columns_is_refused_by_the_first_that_differs(
        self, tmp_path: Path, header: str, reason: str
    ) -> None:
        path = tardis(tmp_path, "trades", "deribit", "X", tardis_trades(2), header=header)

        assert reason in refusal(path)

    def test_that_is_missing_where_it_is_documented_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "deribit_trades_2024-01-14_X.csv.gz"
        path.write_bytes(gzip.compress(csv(None, tardis_trades(2))))

        assert "column 1 is 'deribit' (expected 'exchange')" in refusal(path)

    def test_of_the_archive_is_refused_by_the_first_column_that_differs(self, tmp_path: Path) -> None:
        header = VISION_HEADERS[("aggTrades", "um")].replace("quantity", "qty")
        path = vision(tmp_path, "um", "aggTrades", "BTCUSDT", vision_trades(2), header=header)

        assert "column 3 is 'qty' (expected 'quantity')" in refusal(path)

    def test_lines_without_one_must_have_the_documented_width(self, tmp_path: Path) -> None:
        """Trades of spot in a file of futures."""
        path = vision(tmp_path, "um", "trades", "BTCUSDT", [(1, "42000", "1", "42000", 1, "True", "True")])

        assert "lines of 7 columns (expected 6)" in refusal(path)


class TestBooks:
    def test_of_two_instruments_in_one_file_are_refused(self, tmp_path: Path) -> None:
        other = [("binance-futures", "ETHUSDT", *line[2:]) for line in tardis_changes(2)]
        path = tardis(tmp_path, "incremental_book_L2", "binance-futures", "PERPETUALS", [*tardis_changes(2), *other])

        assert "is of ETHUSDT, others of BTCUSDT (expected one book a file)" in refusal(path)

    def test_of_two_instruments_are_named_though_a_name_be_long(self, tmp_path: Path) -> None:
        other = [("binance-futures", "x" + 30 * "\u20ac", *line[2:]) for line in tardis_changes(2)]
        path = tardis(tmp_path, "incremental_book_L2", "binance-futures", "PERPETUALS", [*tardis_changes(2), *other])

        assert f"is of x{30 * chr(0x20AC)}, others of BTCUSDT" in refusal(path)

    def test_that_run_back_in_time_are_refused(self, tmp_path: Path) -> None:
        lines = tardis_changes(3)
        path = tardis(tmp_path, "incremental_book_L2", "binance-futures", "BTCUSDT", [*lines, lines[0]])

        assert "local_timestamp runs back (expected the order of arrival)" in refusal(path)


class TestHostileArchives:
    @pytest.mark.parametrize(
        "name",
        [
            "../../../../etc/cron.d/evil",
            "/etc/passwd",
            "..\\evil.csv",
            "BTCUSDT-trades-2024-01-14.csv",
            "sub/BTCUSDT-aggTrades-2024-01-14.csv",
        ],
    )
    def test_a_member_of_another_name_is_refused_and_not_unpacked(self, tmp_path: Path, name: str) -> None:
        path = aggregates(tmp_path / "in")
        zipped(path, {name: b"1"})
        write_checksum(path)
        before = objects_in(tmp_path)

        assert "(expected BTCUSDT-aggTrades-2024-01-14.csv alone)" in refusal(path)
        assert objects_in(tmp_path) == before

    def test_more_than_one_member_is_refused(self, tmp_path: Path) -> None:
        path = aggregates(tmp_path)
        zipped(path, {"BTCUSDT-aggTrades-2024-01-14.csv": b"1", "readme.txt": b"1"})
        write_checksum(path)

        assert "alone" in refusal(path)

    def test_a_packing_that_is_not_used_there_is_refused(self, tmp_path: Path) -> None:
        path = aggregates(tmp_path)
        zipped(path, {"BTCUSDT-aggTrades-2024-01-14.csv": b"1"}, packing=zipfile.ZIP_LZMA)
        write_checksum(path)

        assert "packed by method 14 (expected deflate)" in refusal(path)

    def test_a_bomb_is_refused_before_it_is_inflated(self, tmp_path: Path) -> None:
        """A thousandth of its size on disk, which no market data shrinks to."""
        line = b"1,1,1,1,1,1,true\n"
        bomb = line * (80 * 1024 * 1024 // len(line))
        archive, compressed = aggregates(tmp_path), trades(tmp_path)
        zipped(archive, {"BTCUSDT-aggTrades-2024-01-14.csv": bomb})
        write_checksum(archive)
        compressed.write_bytes(gzip.compress(TARDIS_HEADERS["trades"].encode() + b"\n" + bomb, compresslevel=9))

        assert "inflates to over 100 times its size" in refusal(archive)
        assert "inflates to over 100 times its size" in refusal(compressed)

    def test_a_line_without_an_end_is_refused(self, tmp_path: Path) -> None:
        path = trades(tmp_path)
        noise = random.Random(7).randbytes(archives.MAX_LINE_BYTES * 2).hex().encode()
        path.write_bytes(gzip.compress(TARDIS_HEADERS["trades"].encode() + b"\n" + noise))

        assert f"line 2 is over {archives.MAX_LINE_BYTES} bytes long" in refusal(path)

    def test_what_is_no_text_is_refused(self, tmp_path: Path) -> None:
        path = trades(tmp_path)
        path.write_bytes(gzip.compress(TARDIS_HEADERS["trades"].encode() + b"\n\xff\xfe\x00,1\n"))

        assert "not UTF-8" in refusal(path)

    @pytest.mark.parametrize("before", ["", f"{TARDIS_HEADERS['trades']}\n"])
    def test_a_text_that_ends_inside_a_character_is_refused(self, tmp_path: Path, before: str) -> None:
        path = trades(tmp_path)
        path.write_bytes(gzip.compress(before.encode() + b"deribit,\xe2\x82"))

        assert f"after line {before.count(chr(10))}: not UTF-8" in refusal(path)


def test_a_file_that_is_changed_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = trades(tmp_path)
    archive = check(path, source_of(path), lambda count: None)
    path.write_bytes(path.read_bytes() + b"x")

    with pytest.raises(BadFile, match="was changed while it was read"):
        list(archive.lines(lambda count: None))


def test_progress_is_told_in_bytes_of_the_file(tmp_path: Path) -> None:
    for path in (trades(tmp_path, 50_000, every_us=SECOND_US), aggregates(tmp_path)):
        told: list[int] = []
        check(path, source_of(path), told.append)

        assert 0.9 * path.stat().st_size <= sum(told) <= path.stat().st_size


def test_an_envelope_of_a_file_is_plain_json_that_anything_can_read(tmp_path: Path) -> None:
    [envelope, *_] = envelopes_of(trades(tmp_path, 2), tmp_path / "lake")

    body = json.loads(bytes(envelope.body))

    assert body.splitlines()[0].startswith("deribit,BTC-PERPETUAL,1705190400000000,")
