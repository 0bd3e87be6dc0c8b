"""Bad input to the command line: one clear line that names what was expected, and nothing half-written."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
import zstandard

from ingestion.envelopes import Envelope, pack, seal
from orchestration.cli import main
from orchestration.settings import Settings
from tests.s3 import S3StoreEnv
from tests.world import HOUR_0, copy_of, files_below

HOUR = ("--from", "2026-03-04T10:00Z", "--to", "2026-03-04T11:00Z")


class Told(NamedTuple):
    """What a command left on the terminal."""

    code: int
    out: str
    err: str


Barograph = Callable[..., Told]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith(("BAROGRAPH_", "AWS_", "DAGSTER_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def barograph(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Barograph:
    """The command's own entry point, in this process."""

    def call(*arguments: str) -> Told:
        monkeypatch.setattr(sys, "argv", ["barograph", *arguments])
        capfd.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        return Told(code, *capfd.readouterr())

    return call


def spawned(*arguments: str, **environment: str) -> Told:
    """The installed command in a process of its own, for what would start a job."""
    command = str(Path(sys.executable).with_name("barograph"))
    done = subprocess.run(
        [command, *arguments], capture_output=True, text=True, check=False, env=os.environ | environment
    )
    return Told(done.returncode, done.stdout, done.stderr)


def refused(told: Told, *words: str) -> None:
    """One line on standard error, with all that was promised in it, and nothing on standard output."""
    assert told.code == 1, told
    assert told.out == ""
    assert len(told.err.splitlines()) == 1, told.err
    assert told.err.startswith("barograph: ")
    assert [word for word in words if word not in told.err] == [], told.err


BAD_ARGUMENTS = [
    (("run", *HOUR, "--venue", "nowhere"), ("venue 'nowhere'", "expected one of binance_coinm")),
    (("run", "--from", "yesterday", "--to", "2026-03-04"), ("yesterday", "expected")),
    (("run", "--from", "2026-03-04", "--to", "2026-02-30"), ("2026-02-30", "expected")),
    (
        ("run", "--from", "2026-03-05", "--to", "2026-03-04"),
        ("2026-03-05", "2026-03-04", "expected --from before --to"),
    ),
    (("run", "--from", "2026-03-04T10:00Z", "--to", "2026-03-04T10:00Z"), ("empty span",)),
    (("coverage", "--from", "2026-13-01"), ("2026-13-01", "expected")),
    (("demo", "--day", "someday"), ("someday", "expected")),
    (("sandbox", "--fault", "deribit:nonsense"), ("deribit:nonsense", "expected venue:path expression:kind:share")),
    (("sandbox", "--fault", "deribit:/x:melted:1.0"), ("melted", "expected one of 429")),
    (("sql", "select 1", "--format", "xml"), ("xml", "expected table, json, csv, parquet")),
    (("sql", "select 1", "--format", "parquet"), ("--format parquet without --output: expected --output",)),
    (("sql", "select 1", "--output", "x"), ("--format table --output x: expected", "json, csv or parquet")),
    (("status", "--format", "xml"), ("xml", "expected table, json")),
    (
        ("sql", "select 1", "--lake-uri", "ftp://host/lake"),
        ("ftp://host/lake", "expected a path, file:///path or s3://"),
    ),
    (("sql", "select 1"), ("nothing was published yet", "published/CURRENT")),
    (("coverage",), ("nothing was published yet",)),
    (("draw", "vol", "--out", "pictures"), ("nothing was published yet",)),
    (("draw", "greeks", "--out", "pictures"), ("draw 'greeks'", "expected one of arbitrage, books")),
    (
        ("draw", "vol", "--out", "a.png", "--from", "2026-03-05", "--to", "2026-03-04"),
        ("empty span", "expected --from before --to"),
    ),
    (("publish", *HOUR), ("warehouse.duckdb", "expected a DuckDB file")),
]


@pytest.mark.parametrize(("arguments", "words"), BAD_ARGUMENTS, ids=lambda value: " ".join(value)[:60])
def test_a_bad_argument_is_named_with_what_was_expected(
    barograph: Barograph, tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    refused(barograph(*arguments), *words)

    assert list(files_below(tmp_path)) in ([], [".barograph/warehouse.duckdb.lock"])


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("BAROGRAPH_SOURCE", "nowhere", "expected live or sandbox"),
        ("BAROGRAPH_SWEEP_MINUTES", "7", "expected a divisor of 60"),
        ("BAROGRAPH_SWEEP_MINUTES", "often", "expected a whole number"),
        ("BAROGRAPH_SWEEP_MINUTES", "²", "BAROGRAPH_SWEEP_MINUTES '²': expected a whole number"),
        ("BAROGRAPH_BOOK_EVERY_S", "7", "BAROGRAPH_BOOK_EVERY_S '7': expected seconds from 0.1 that divide 3600"),
        ("BAROGRAPH_BOOK_EVERY_S", "0.0625", "expected seconds from 0.1 that divide 3600"),
        ("BAROGRAPH_BOOK_EVERY_S", "0.1171875", "expected seconds from 0.1 that divide 3600"),
        ("BAROGRAPH_BOOK_EVERY_S", "7200", "expected seconds from 0.1 that divide 3600"),
        ("BAROGRAPH_BOOK_EVERY_S", "nan", "expected seconds from 0.1 that divide 3600"),
        ("BAROGRAPH_BOOK_EVERY_S", "-1", "expected seconds from 0.1 that divide 3600"),
        ("BAROGRAPH_BOOK_EVERY_S", "often", "expected seconds from 0.1 that divide 3600"),
        ("BAROGRAPH_BOOK_LEVELS", "0", "BAROGRAPH_BOOK_LEVELS 0: expected 1 to 500"),
        ("BAROGRAPH_BOOK_LEVELS", "501", "expected 1 to 500"),
        ("BAROGRAPH_BOOK_LEVELS", "all", "expected a whole number"),
        ("BAROGRAPH_BASE_URL", "foo", "BAROGRAPH_BASE_URL 'foo': expected http://host or https://host"),
        ("BAROGRAPH_BASE_URL", "http://host:port", "BAROGRAPH_BASE_URL 'http://host:port': expected http://host"),
        ("BAROGRAPH_URL_DERIBIT", "notaurl", "BAROGRAPH_URL_DERIBIT 'notaurl': expected http://host or https://host"),
        ("BAROGRAPH_SANDBOX_SEED", "-1", "expected a whole number"),
        ("BAROGRAPH_VENUES", "okx,nowhere", "expected one of"),
    ],
)
def test_a_bad_setting_is_named_with_what_was_expected(
    barograph: Barograph, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(name, value)

    refused(barograph("capture"), value.rpartition(",")[2], expected)
    assert files_below(tmp_path) == {}


@pytest.mark.parametrize(
    "arguments", [("run",), ("nonsense",), ("sql",), ("run", "--form", "2026"), ("sandbox", "--port", "x")]
)
def test_a_command_that_is_not_one_is_a_usage_error(barograph: Barograph, arguments: tuple[str, ...]) -> None:
    told = barograph(*arguments)

    assert told.code == 2
    assert "Usage: " in told.err
    assert "Traceback" not in told.err


HOSTILE = [
    "copy (select 1) to '{folder}/out.csv'",
    "attach '{folder}/other.duckdb' as other",
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('{folder}/warehouse.duckdb')",
    "select * from '/etc/passwd'",
    "select * from glob('/etc/*')",
    "insert into fct_basis select * from fct_basis",
    "delete from fct_basis",
    "drop table fct_basis",
    "select 1; drop table fct_basis",
    "set enable_external_access = true",
    "install httpfs",
    "pragma database_list; select 1",
    "select * from [bold]nowhere[/bold]",
    "select * from nowhere",
    "",
]


@pytest.fixture(scope="module")
def readable(good_hour: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return copy_of(good_hour, tmp_path_factory.mktemp("readable"))


@pytest.mark.parametrize("form", ["table", "json", "csv"])
@pytest.mark.parametrize("statement", HOSTILE)
def test_sql_that_is_no_reading_of_the_published_tables_is_refused(
    barograph: Barograph, readable: Settings, tmp_path: Path, statement: str, form: str
) -> None:
    folder = readable.warehouse_path.parent
    before = files_below(folder)

    told = barograph("sql", statement.format(folder=folder), "--format", form, "--lake-uri", readable.lake_uri)

    refused(told, "query: ")
    assert "root:" not in told.err
    assert files_below(folder) == before
    assert files_below(tmp_path) == {}


def test_an_hour_that_was_never_built_is_not_published(barograph: Barograph, readable: Settings) -> None:
    folder = readable.warehouse_path.parent
    before = files_below(folder / "lake")

    told = barograph(
        "publish", "--from", "2026-03-04T11:00Z", "--to", "2026-03-04T12:00Z",
        "--lake-uri", readable.lake_uri, "--warehouse-path", str(readable.warehouse_path),
    )  # fmt: skip

    refused(told, "publish refused", "2026-03-04T11:00Z", "its tests have not passed")
    assert files_below(folder / "lake") == before


class TestRecordings:
    """A recording that cannot be taken leaves nothing behind."""

    def test_one_that_is_not_there(self, barograph: Barograph, tmp_path: Path) -> None:
        refused(barograph("replay", "absent.jsonl.zst"), "absent.jsonl.zst", "expected an envelope file")

        assert files_below(tmp_path) == {}

    def test_a_folder(self, barograph: Barograph, tmp_path: Path) -> None:
        refused(barograph("replay", str(tmp_path)), str(tmp_path), "expected an envelope file")

    def test_one_of_other_bytes(self, barograph: Barograph, tmp_path: Path) -> None:
        path = tmp_path / "noise.jsonl.zst"
        path.write_bytes(b"\x00\x01 no recording \xff" * 99)

        refused(barograph("replay", str(path)), "noise.jsonl.zst")

        assert list(files_below(tmp_path)) == ["noise.jsonl.zst"]

    def test_a_good_one_before_a_truncated_one_is_not_written_either(
        self, barograph: Barograph, tmp_path: Path
    ) -> None:
        whole = pack([reply("/api/v3/depth", {"bids": [["1", "1"]] * 5000, "asks": []})] * 9)
        (tmp_path / "good.jsonl.zst").write_bytes(whole)
        (tmp_path / "half.jsonl.zst").write_bytes(whole[: len(whole) // 2])

        told = barograph("replay", str(tmp_path / "good.jsonl.zst"), str(tmp_path / "half.jsonl.zst"))

        refused(told, "half.jsonl.zst")
        assert list(files_below(tmp_path)) == ["good.jsonl.zst", "half.jsonl.zst"]

    def test_one_in_which_a_line_is_no_envelope(self, barograph: Barograph, tmp_path: Path) -> None:
        path = tmp_path / "lines.jsonl.zst"
        path.write_bytes(zstandard.compress(json.dumps({"venue": 7}).encode() + b"\n"))

        refused(barograph("replay", str(path)), "lines.jsonl.zst")

    def test_one_without_a_reply_of_the_span(self, barograph: Barograph, tmp_path: Path) -> None:
        path = tmp_path / "early.jsonl.zst"
        path.write_bytes(pack([reply("/api/v3/depth", {})]))

        refused(
            barograph("replay", str(path), "--from", "2027-01-01", "--to", "2027-01-02"),
            "nothing to replay (1 outside the span)",
        )
        assert list(files_below(tmp_path)) == ["early.jsonl.zst"]

    def test_one_of_another_venue(self, barograph: Barograph, tmp_path: Path) -> None:
        path = tmp_path / "other.jsonl.zst"
        path.write_bytes(pack([reply("/api/v3/depth", {})]))

        refused(barograph("replay", str(path), "--venue", "okx"), "nothing to replay (1 binance_spot: not asked for)")

    def test_real_replies_do_not_enter_a_lake_of_simulated_ones(
        self, barograph: Barograph, readable: Settings, tmp_path: Path
    ) -> None:
        path = tmp_path / "real.jsonl.zst"
        path.write_bytes(pack([reply("/api/v3/depth", {})]))
        before = files_below(readable.warehouse_path.parent)

        told = barograph("replay", str(path), "--lake-uri", readable.lake_uri)

        refused(told, readable.lake_uri, "holds replies of sandbox", "expected venues", "--lake-uri")
        assert files_below(readable.warehouse_path.parent) == before


class TestPlaces:
    """Where nothing can be written nothing is, and the line says where."""

    def test_a_lake_behind_a_file(self, barograph: Barograph, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("BAROGRAPH_SOURCE", "sandbox")
        (tmp_path / "file").write_text("in the way")

        told = barograph("run", *HOUR, "--lake-uri", f"file://{tmp_path}/file/lake")

        refused(told, f"{tmp_path}/file/lake", "a file stands where a folder is needed")
        assert (tmp_path / "file").read_text() == "in the way"

    def test_a_warehouse_behind_a_file(self, barograph: Barograph, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")

        told = barograph("run", *HOUR, "--warehouse-path", str(tmp_path / "file" / "warehouse.duckdb"))

        refused(told, f"{tmp_path}/file", "expected a folder")
        assert list(files_below(tmp_path)) == ["file"]

    def test_a_warehouse_that_is_none(self, barograph: Barograph, readable: Settings, tmp_path: Path) -> None:
        path = tmp_path / "warehouse.duckdb"
        path.write_text("a letter")

        told = barograph("publish", *HOUR, "--lake-uri", readable.lake_uri, "--warehouse-path", str(path))

        refused(told, str(path), "expected a DuckDB file")
        assert path.read_text() == "a letter"

    def test_simulated_replies_do_not_enter_a_lake_of_real_ones(
        self, barograph: Barograph, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """And it is said at once: trying again would not help."""
        monkeypatch.setenv("BAROGRAPH_SOURCE", "sandbox")
        (tmp_path / "lake").mkdir()
        (tmp_path / "lake" / "origin").write_text("venues")

        told = barograph("run", *HOUR, "--lake-uri", f"file://{tmp_path}/lake")

        refused(told, "holds replies of venues", "expected sandbox")
        assert list(files_below(tmp_path / "lake")) == ["origin"]


class TestObjectStorage:
    @pytest.mark.parametrize("command", [("sql", "select 1"), ("publish", *HOUR), ("coverage",)])
    def test_a_bucket_that_does_not_exist(
        self,
        barograph: Barograph,
        monkeypatch: pytest.MonkeyPatch,
        s3_store_env: S3StoreEnv,
        readable: Settings,
        command: tuple[str, ...],
    ) -> None:
        set_all(monkeypatch, s3_store_env.variables)
        monkeypatch.setenv("BAROGRAPH_WAREHOUSE_PATH", str(readable.warehouse_path))

        refused(barograph(*command, "--lake-uri", "s3://nowhere/lake"), "s3://nowhere", "expected")

    @pytest.mark.parametrize("command", [("sql", "select 1"), ("publish", *HOUR)])
    def test_a_wrong_key(
        self,
        barograph: Barograph,
        monkeypatch: pytest.MonkeyPatch,
        s3_store_env: S3StoreEnv,
        readable: Settings,
        command: tuple[str, ...],
    ) -> None:
        """It is refused, and the secret is not repeated."""
        wrong = "a-wrong-secret-of-the-tests"
        set_all(monkeypatch, s3_store_env.variables | {"AWS_SECRET_ACCESS_KEY": wrong})
        monkeypatch.setenv("BAROGRAPH_WAREHOUSE_PATH", str(readable.warehouse_path))

        told = barograph(*command, "--lake-uri", f"s3://{s3_store_env.bucket}/lake")

        refused(told, f"s3://{s3_store_env.bucket}", "access denied", "AWS_SECRET_ACCESS_KEY")
        assert wrong not in told.err

    def test_a_run_against_a_missing_bucket_stops_before_it_asks_anybody(self, s3_store_env: S3StoreEnv) -> None:
        told = spawned(
            "run", *HOUR, "--lake-uri", "s3://nowhere/lake", **s3_store_env.variables, BAROGRAPH_SOURCE="sandbox"
        )

        refused(told, "s3://nowhere", "expected")


def reply(path: str, body: object) -> Envelope:
    """An envelope of binance_spot, captured in the good hour."""
    return seal(
        venue="binance_spot",
        host="api.binance.com",
        path=path,
        query="symbol=BTCUSDT&limit=1000",
        status=200,
        captured_ts=datetime(2026, 3, 4, 10, 1, tzinfo=UTC),
        body=json.dumps(body).encode(),
    )


def set_all(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_who_only_reads_does_not_wait_for_the_scheduler_to_load() -> None:
    """Loading Dagster takes longer than most queries."""
    loaded = "import orchestration.cli, sys; print([name for name in ('dagster', 'dbt') if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_the_good_hour_is_the_hour_of_these_tests() -> None:
    assert f"{HOUR_0:%Y-%m-%dT%H:00Z}" == HOUR[1]
