"""`barograph status` tells how a deployment stands; `barograph sql` writes answers to files, whole or not at all."""

import json
import os
from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from typer.testing import CliRunner

from ingestion.storage import Store
from orchestration.cli import app
from orchestration.duck import connect
from orchestration.publish import publish
from orchestration.status import Status, read_status
from orchestration.warehouse import certify
from tests.warehouse import DAY, HOURS, TABLES, build

COVERAGE = """
create table facts.fct_data_coverage as
select
    hour as utc_hour, venue, 'd' || i as dataset, if(i < 2, 'ok', if(venue = 'okx', 'gap', 'held')) as status,
    hour + interval 50 minute as last_captured_ts
from unnest((select list(distinct utc_hour) from facts.fct_books)) as hours(hour), range(3) as datasets(i),
    (values ('okx'), ('deribit')) as venues(venue)
"""
NOW = HOURS[-1] + timedelta(hours=3, minutes=30)


def told(lake: Path, warehouse: Path) -> Status:
    return read_status(Store.open(str(lake)), warehouse, NOW)


@pytest.fixture
def published(tmp_path: Path) -> tuple[Path, Path]:
    """Three hours, certified and shown."""
    from orchestration.candidates import PublishedTable

    coverage = PublishedTable("fct_data_coverage", "facts", "utc_hour", ("venue", "dataset", "utc_hour"))
    warehouse = build(tmp_path / "warehouse.duckdb", then=COVERAGE)
    certify(warehouse, (*TABLES, coverage), HOURS)
    publish(warehouse, Store.open(str(tmp_path / "lake")), HOURS, (*TABLES, coverage))
    return tmp_path / "lake", warehouse


def test_nothing_published_is_a_status_too_and_leaves_no_trace(tmp_path: Path) -> None:
    status = told(tmp_path / "lake", tmp_path / "warehouse.duckdb")

    assert (status.version, status.last_hour, status.origin, status.unpublished) == (None, None, None, [])
    assert list(tmp_path.iterdir()) == []


def test_it_says_what_readers_get_and_how_late_that_is(published: tuple[Path, Path]) -> None:
    status = told(*published)
    books = next(table for table in status.tables if table.table_name == "fct_books")

    assert (status.version, status.last_hour, status.lag_s) == (1, HOURS[-1], 2.5 * 3600)
    assert (books.rows_count, books.partitions_count) == (15, 3)
    assert (books.first_partition_ts, books.last_partition_ts) == (HOURS[0], HOURS[-1])
    assert books.known_at == status.known_at
    assert status.unpublished == []


def test_it_says_what_the_last_hour_rests_on(published: tuple[Path, Path]) -> None:
    deribit, okx = told(*published).venues

    assert (deribit.venue, deribit.ok_count, deribit.gap_count, deribit.held_count) == ("deribit", 2, 0, 1)
    assert (okx.venue, okx.ok_count, okx.gap_count, okx.held_count) == ("okx", 2, 1, 0)
    assert okx.last_captured_ts == HOURS[-1] + timedelta(minutes=50)


def test_it_names_what_was_tested_and_not_yet_shown(published: tuple[Path, Path]) -> None:
    lake, warehouse = published
    later = [*HOURS, HOURS[-1] + timedelta(hours=1)]
    build(warehouse, hours=later)
    certify(warehouse, TABLES[:1], later)

    assert told(lake, warehouse).unpublished == [f"fct_books {later[-1]:%Y-%m-%dT%H:%MZ}"]


def test_a_warehouse_in_use_is_said_and_not_waited_for(published: tuple[Path, Path]) -> None:
    lake, warehouse = published
    with duckdb.connect(str(warehouse)):
        assert told(lake, warehouse).unpublished is None


def test_a_warehouse_that_is_none_is_not_called_one_in_use(
    published: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    lake, warehouse = published
    warehouse.write_text("a letter")
    status = told(lake, warehouse)
    status.show(Console())

    assert status.unpublished is None
    assert f"warehouse: {warehouse}: cannot be opened (expected a DuckDB file" in capsys.readouterr().out


class TestTheCommands:
    def test_status_is_for_people_and_for_programs(self, published: tuple[Path, Path]) -> None:
        where = ["--lake-uri", str(published[0]), "--warehouse-path", str(published[1])]
        shown = CliRunner().invoke(app, ["status", *where]).output
        data = json.loads(CliRunner().invoke(app, ["status", "--format", "json", *where]).output)

        assert "version 1" in shown
        assert f"{DAY:%Y-%m-%d} 02:00:00" in shown
        assert (data["version"], data["last_hour"]) == (1, "2024-01-14T02:00:00Z")

    @pytest.mark.parametrize("form", ["parquet", "csv", "json"])
    def test_an_answer_is_written_whole(self, published: tuple[Path, Path], tmp_path: Path, form: str) -> None:
        file = tmp_path / "out" / f"books.{form}"
        file.parent.mkdir()
        statement = "select venue, symbol, mid_px, spread_bps, utc_hour from fct_books order by all"
        asked = ["sql", statement, "--format", form, "--output", str(file), "--lake-uri", str(published[0])]
        assert CliRunner().invoke(app, asked).exit_code == 0

        with connect() as connection:
            read = connection.read_json if form == "json" else connection.read_csv
            found = duckdb.from_arrow(pq.read_table(file)) if form == "parquet" else read(str(file))
            rows = found.select("venue, symbol, mid_px, spread_bps").fetchall()
        assert len(rows) == 15
        assert rows[3 * 3] == ("deribit", "S3", 100.5, None)
        assert [path.name for path in file.parent.iterdir()] == [file.name]

    def test_a_query_that_fails_leaves_what_was_there(self, published: tuple[Path, Path], tmp_path: Path) -> None:
        file = tmp_path / "kept.parquet"
        file.write_bytes(b"before")
        asked = ["sql", "select 1 from nowhere", "--format", "parquet", "--output", str(file)]
        done = CliRunner().invoke(app, [*asked, "--lake-uri", str(published[0])])

        assert done.exit_code != 0
        assert file.read_bytes() == b"before"
        assert not list(tmp_path.glob(".kept*"))

    @pytest.mark.parametrize(
        ("name", "told"),
        [
            ("folder", "no file is there (expected a file, or a free name in a folder)"),
            ("pipe", "no file is there (expected a file, or a free name in a folder)"),
            ("nowhere/books.csv", "No such file or directory (expected a file that this user may write)"),
        ],
    )
    def test_an_answer_takes_the_place_of_a_file_alone(
        self, published: tuple[Path, Path], tmp_path: Path, name: str, told: str
    ) -> None:
        """Of a device, such as /dev/null, a file was made."""
        (tmp_path / "folder").mkdir()
        os.mkfifo(tmp_path / "pipe")
        before = sorted(path.name for path in tmp_path.iterdir())
        asked = ["sql", "select 1", "--format", "csv", "--output", str(tmp_path / name)]
        done = CliRunner().invoke(app, [*asked, "--lake-uri", str(published[0])])

        assert str(done.exception) == f"--output {tmp_path / name}: {told}"
        assert sorted(path.name for path in tmp_path.iterdir()) == before
        assert (tmp_path / "pipe").is_fifo()
