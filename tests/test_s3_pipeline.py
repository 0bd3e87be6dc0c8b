"""The same hour on object storage and on a disk: the same code, the same rows."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ingestion.hours import HOUR
from orchestration.running import run
from orchestration.settings import Settings
from tests.s3 import S3StoreEnv
from tests.world import HOUR_0, published_rows, store_of, version_of


@pytest.fixture(scope="module")
def on_s3(good_hour: Settings, s3_store_env: S3StoreEnv, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The good hour's settings, with its lake in a bucket and a warehouse of its own."""
    return replace(
        good_hour,
        lake_uri=f"s3://{s3_store_env.bucket}/an-hour",
        warehouse_path=tmp_path_factory.mktemp("s3_hour") / "warehouse.duckdb",
    )


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, s3_store_env: S3StoreEnv) -> None:
    for name, value in s3_store_env.variables.items():
        monkeypatch.setenv(name, value)


def test_an_hour_on_object_storage_publishes_the_rows_that_it_publishes_on_a_disk(
    on_s3: Settings, good_hour: Settings
) -> None:
    run(on_s3, "hourly", HOUR_0, HOUR_0 + HOUR)

    assert version_of(on_s3) == 1
    assert published_rows(on_s3) == published_rows(good_hour)


def test_its_raw_and_lake_objects_are_the_very_files(on_s3: Settings, good_hour: Settings) -> None:
    """Envelopes and rows are pure functions of the replies, wherever they lie."""
    bucket, disk = store_of(on_s3), store_of(good_hour)

    for zone in ("raw/", "lake/"):
        keys = disk.list(zone)
        assert keys
        assert bucket.list(zone) == keys
        assert [key for key in keys if bucket.read(key) != disk.read(key)] == []


def test_the_command_reads_it(on_s3: Settings, s3_store_env: S3StoreEnv, tmp_path: Path) -> None:
    command = str(Path(sys.executable).with_name("barograph"))
    sql = "select venue, count(*) as books_count from fct_order_book_imbalance group by venue order by venue limit 1"

    done = subprocess.run(
        [command, "sql", sql, "--format", "csv", "--lake-uri", on_s3.lake_uri],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | s3_store_env.variables,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "venue,books_count"
    assert done.stdout.splitlines()[1].startswith("binance_coinm,")
