"""`barograph import` and `barograph backfill` on the command line: raw as asked, or one line and nothing written."""

import gzip
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from orchestration.cli import main
from tests.imported import objects_in
from tests.vendor_files import (
    DAY_US,
    HOUR_US,
    TARDIS_HEADERS,
    VISION_HEADERS,
    Line,
    tardis,
    tardis_trades,
    vision,
    vision_trades,
    write_checksum,
    zipped,
)

AGGREGATES = VISION_HEADERS[("aggTrades", "um")]


class Told(NamedTuple):
    """What a command left on the terminal."""

    code: int
    out: str
    err: str


Barograph = Callable[..., Told]


@pytest.fixture
def barograph(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Barograph:
    """The command's own entry point, in this process and in an empty folder."""
    for name in os.environ:
        if name.startswith(("BAROGRAPH_", "AWS_", "DAGSTER_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str | Path) -> Told:
        monkeypatch.setattr(sys, "argv", ["barograph", *map(str, arguments)])
        capfd.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        return Told(code, *capfd.readouterr())

    return call


def trades(folder: Path) -> Path:
    return tardis(folder, "trades", "deribit", "BTC-PERPETUAL", tardis_trades(300))


def aggregates(folder: Path, lines: list[Line] | None = None, **more: object) -> Path:
    more = {"header": AGGREGATES} | more
    return vision(folder, "um", "aggTrades", "BTCUSDT", lines or vision_trades(300), **more)  # type: ignore[arg-type]


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-200])
    return path


def checksummed(path: Path) -> Path:
    write_checksum(path)
    return path


def renamed(path: Path, name: str) -> Path:
    return path.rename(path.with_name(name))


def of_another_sum(path: Path) -> Path:
    path.with_name(path.name + ".CHECKSUM").write_text(f"{'0' * 64}  {path.name}\n")
    return path


def escaping(path: Path) -> Path:
    return checksummed(zipped(path, {"../../evil.csv": b"1"}))


def bomb(path: Path) -> Path:
    path.write_bytes(gzip.compress(TARDIS_HEADERS["trades"].encode() + b"\n" + b"1,1\n" * (20 * 1024 * 1024)))
    return path


BAD_TARDIS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "cut short": (lambda folder: cut(trades(folder)), "gzip"),
    "a bomb": (lambda folder: bomb(trades(folder)), "inflates to over 100 times"),
    "another header": (
        lambda folder: tardis(
            folder, "trades", "deribit", "X", [], header=TARDIS_HEADERS["trades"].replace("price", "px")
        ),
        "column 7 is 'px' (expected 'price')",
    ),
    "an unknown kind": (lambda folder: renamed(trades(folder), "deribit_candles_2024-01-14_X.csv.gz"), "expected"),
    "an unknown exchange": (
        lambda folder: renamed(trades(folder), "mtgox_trades_2024-01-14_BTCUSD.csv.gz"),
        "exchange mtgox: no venue here (expected one of binance, ",
    ),
    "an exchange of other units": (
        lambda folder: renamed(trades(folder), "huobi-dm_trades_2024-01-14_BTC_CW.csv.gz"),
        "huobi-dm",
    ),
    "any name": (lambda folder: renamed(trades(folder), "download.csv.gz"), "download.csv.gz"),
    "no file": (lambda folder: folder / "deribit_trades_2024-01-14_ABSENT.csv.gz", "No such file"),
}
BAD_VISION: dict[str, tuple[Callable[[Path], Path], str]] = {
    "cut short": (lambda folder: checksummed(cut(aggregates(folder))), "damaged zip archive"),
    "another checksum": (lambda folder: of_another_sum(aggregates(folder)), "expected 0000000000000000"),
    "no checksum": (lambda folder: aggregates(folder, checksum=False), "CHECKSUM"),
    "another header": (
        lambda folder: aggregates(folder, header=AGGREGATES.replace("quantity", "qty")),
        "column 3 is 'qty' (expected 'quantity')",
    ),
    "a way out of the folder": (lambda folder: escaping(aggregates(folder)), "alone)"),
    "an unknown kind": (lambda folder: renamed(aggregates(folder), "BTCUSDT-gossip-2024-01-14.zip"), "gossip"),
    "a kind without a home": (
        lambda folder: renamed(aggregates(folder), "BTCUSDT-bookDepth-2024-01-14.zip"),
        "bookDepth",
    ),
    "no file": (lambda folder: folder / "data/futures/um/daily/trades/X/X-trades-2024-01-14.zip", "No such file"),
}


@pytest.mark.parametrize(
    ("vendor", "name"), [*(("tardis", name) for name in BAD_TARDIS), *(("binance-vision", name) for name in BAD_VISION)]
)
def test_a_bad_file_is_refused_in_one_line_and_so_are_the_good_ones_with_it(
    barograph: Barograph, tmp_path: Path, vendor: str, name: str
) -> None:
    spoilt, words = (BAD_TARDIS if vendor == "tardis" else BAD_VISION)[name]
    good = trades(tmp_path / "good") if vendor == "tardis" else aggregates(tmp_path / "good")
    bad = spoilt(tmp_path)
    before = objects_in(tmp_path)

    told = barograph("import", vendor, good, bad)

    assert (told.code, told.out) == (1, "")
    [line] = told.err.splitlines()
    assert line.startswith("barograph: ")
    assert bad.name in line
    assert words in line
    assert objects_in(tmp_path) == before


def test_without_a_build_the_lines_are_in_raw_and_no_further(barograph: Barograph, tmp_path: Path) -> None:
    told = barograph("import", "tardis", trades(tmp_path), "--no-build", "--lake-uri", tmp_path / "lake")

    assert (told.code, told.err) == (0, "")
    assert "300" in told.out
    lake = objects_in(tmp_path / "lake")
    assert lake.pop("origin") == b"venues"
    [lines, version] = sorted(lake)
    assert lines.startswith("raw/deribit/tardis/date=2024-01-14/hour=00/")
    assert version == "raw/deribit/tardis/files/v1/deribit/trades/2024/01/14/BTC-PERPETUAL.csv.gz.sha256"


def test_files_without_their_folder_are_told_their_market(barograph: Barograph, tmp_path: Path) -> None:
    """The checksum is beside it, as it is on the site."""
    path = aggregates(tmp_path).rename(tmp_path / "BTCUSDT-aggTrades-2024-01-14.zip")
    write_checksum(path)
    to_lake = ("--no-build", "--lake-uri", tmp_path / "lake")

    untold = barograph("import", "binance-vision", path, *to_lake)
    told = barograph("import", "binance-vision", path, "--market", "um", *to_lake)

    assert untold.code == 1
    assert "--market" in untold.err
    assert told.code == 0
    assert "binance_usdm" in told.out


def test_a_file_without_a_checksum_is_taken_where_none_is_asked_for(barograph: Barograph, tmp_path: Path) -> None:
    path = aggregates(tmp_path, checksum=False)

    told = barograph("import", "binance-vision", path, "--no-checksum", "--no-build", "--lake-uri", tmp_path / "lake")

    assert told.code == 0
    assert (tmp_path / "lake" / "raw" / "binance_usdm" / "binance_vision").is_dir()


def test_files_do_not_enter_a_lake_of_simulated_replies(barograph: Barograph, tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "origin").write_text("sandbox")

    told = barograph("import", "tardis", trades(tmp_path), "--lake-uri", tmp_path / "lake")

    assert told.code == 1
    assert "holds replies of sandbox (expected venues" in told.err
    assert list(objects_in(tmp_path / "lake")) == ["origin"]


def test_a_corrected_file_is_refused_by_a_lake_that_has_the_old_one(barograph: Barograph, tmp_path: Path) -> None:
    to_lake = ("--no-build", "--lake-uri", tmp_path / "lake")
    assert barograph("import", "binance-vision", aggregates(tmp_path), *to_lake).code == 0
    before = objects_in(tmp_path / "lake")
    corrected = aggregates(tmp_path, vision_trades(300, start_ms=DAY_US // 1000 + HOUR_US // 2000))

    told = barograph("import", "binance-vision", corrected, *to_lake)

    assert told.code == 1
    assert "another content of it was imported" in told.err
    assert objects_in(tmp_path / "lake") == before


def test_two_contents_of_a_file_in_one_command_leave_no_lake(barograph: Barograph, tmp_path: Path) -> None:
    one, other = aggregates(tmp_path / "a"), aggregates(tmp_path / "b", vision_trades(299))

    told = barograph("import", "binance-vision", one, other, "--no-build", "--lake-uri", tmp_path / "lake")

    assert (told.code, told.out) == (1, "")
    assert "(expected one content of a file)" in told.err
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--from", "2026-03-04", "--to", "2026-03-04"), "empty span"),
        (("--from", "2026-03-04", "--to", "2026-03-05", "--venue", "nowhere"), "venue 'nowhere'"),
        (("--from", "2099-03-04", "--to", "2099-03-05"), "the hour is not over"),
    ],
)
def test_a_span_that_cannot_be_fetched_is_refused(
    barograph: Barograph, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    told = barograph("backfill", *arguments)

    assert (told.code, told.out) == (1, "")
    assert words in told.err
    assert objects_in(tmp_path) == {}


def test_a_backfill_without_a_build_stops_at_raw(
    barograph: Barograph, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BAROGRAPH_SOURCE", "sandbox")
    span = ("--from", "2026-03-04T10:00Z", "--to", "2026-03-04T11:00Z")

    told = barograph("backfill", *span, "--venue", "binance_spot", "--no-build", "--lake-uri", tmp_path / "lake")

    assert (told.code, told.err) == (0, "")
    assert "binance_spot" in told.out
    folders = {name.rpartition("/")[0] for name in objects_in(tmp_path / "lake")}
    hour = "date=2026-03-04/hour=10"
    assert folders == {"", f"raw/binance_spot/candles/{hour}", f"raw/binance_spot/trades/{hour}"}
