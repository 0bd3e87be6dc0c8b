"""A file of the lake or of what is published that is missing or damaged is one line that names it, whoever reads it."""

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestion.lake import Lake
from ingestion.storage import StorageError, Store
from orchestration.cli import main
from orchestration.settings import Settings
from orchestration.warehouse import stage
from tests.world import copy_of

BOOK_CSV = "venue,symbol,quantity,entry\nderibit,BTC-PERPETUAL,-150000,97500\n"


@pytest.mark.parametrize("kept", [None, 0, 1000], ids=["missing", "empty", "cut"])
@pytest.mark.parametrize(
    ("command", "table"),
    [(("hedge", "book.csv"), "dim_instruments"), (("draw", "carry", "--out", "pictures"), "fct_basis")],
    ids=["hedge", "draw"],
)
def test_a_lost_file_is_named_and_nothing_is_written(
    good_hour: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
    table: str,
    kept: int | None,
) -> None:
    settings = copy_of(good_hour, tmp_path / "copy")
    monkeypatch.chdir(tmp_path)
    Path("book.csv").write_text(BOOK_CSV)
    for path in Path("copy/lake/published/data/main", table).rglob("*.parquet"):
        whole = path.read_bytes()
        path.unlink()
        if kept is not None:
            path.write_bytes(whole[:kept])
    monkeypatch.setattr(sys, "argv", ["barograph", *command, "--lake-uri", settings.lake_uri])

    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err

    assert ended.value.code == 1
    assert len(told.strip().splitlines()) == 1, told
    assert told.startswith(f"barograph: {settings.lake_uri.removeprefix('file://')}/published: cannot be read (")
    assert table in told
    assert not Path("pictures").exists()


@pytest.mark.parametrize("dataset", ["trades", "order_books"])
def test_a_damaged_file_of_the_lake_is_named_without_the_statement_that_read_it(tmp_path: Path, dataset: str) -> None:
    lake = Lake(Store.open(str(tmp_path / "lake")))
    damaged = tmp_path / "lake" / "lake" / dataset / "venue=okx" / "date=2026-01-02" / "hour=00.parquet"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"cut")

    with pytest.raises(StorageError, match=re.escape(str(damaged))) as told:
        stage(tmp_path / "warehouse.duckdb", lake, [datetime(2026, 1, 2, tzinfo=UTC)])

    assert len(str(told.value).splitlines()) == 1
    assert "select" not in str(told.value)
