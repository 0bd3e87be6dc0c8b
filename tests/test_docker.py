"""The containers are what they claim: resolved by Compose itself, hardened, no secrets, installed by hash."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingestion.recorder.spool import LAST_WRITE_WITHIN_S
from ingestion.venues import VENUES

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
COMPOSE = DOCKER / "compose.yaml"
DOCKERFILE = DOCKER / "Dockerfile"
TEXT = COMPOSE.read_text()
RAW: dict[str, Any] = yaml.safe_load(TEXT)
VARIABLES = set(re.findall(r"\$\{(\w+)", TEXT))
SECRETS = {name for name in VARIABLES if re.search("PASSWORD|KEY", name)}
PINNED = re.compile(r"[a-z/-]+:\d+\.\d+[\w.-]*")


def binary(name: str) -> str:
    """A program of the dev dependencies, beside the interpreter that runs the tests."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip(f"no {name} beside {sys.executable}: run `make setup`")
    return found


def compose_config(variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Compose's own reading of the file: schema, references and variables. Needs no engine."""
    return subprocess.run(
        [binary("docker-compose"), "--file", str(COMPOSE), "--env-file", os.devnull, "config"],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def filled() -> dict[str, str]:
    ports = {"BAROGRAPH_WEB_PORT": "3000", "BAROGRAPH_S3_PORT": "8333"}
    return {name: f"filled-in-{name.lower()}" for name in VARIABLES} | ports


def asked_in_the_example() -> list[str]:
    [venues] = re.findall(r"(?m)^BAROGRAPH_VENUES=(.+)$", (DOCKER / ".env.example").read_text())
    return venues.split(",")


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    answer = compose_config(filled())
    assert answer.returncode == 0, answer.stderr
    return yaml.safe_load(answer.stdout)["services"]


class TestCompose:
    def test_accepts_the_file_without_a_warning(self) -> None:
        answer = compose_config(filled())

        assert (answer.returncode, answer.stderr) == (0, "")

    @pytest.mark.parametrize("missing", sorted(VARIABLES))
    def test_refuses_to_start_while_a_value_is_missing(self, missing: str) -> None:
        """No variable has a default, so no password can be somebody's guess."""
        answer = compose_config(filled() | {missing: ""})

        assert answer.returncode != 0
        assert f"required variable {missing} is missing" in answer.stderr

    def test_variables_are_exactly_those_of_the_example(self) -> None:
        example = re.findall(r"(?m)^(\w+)=", (DOCKER / ".env.example").read_text())

        assert set(example) == VARIABLES

    def test_the_example_holds_no_secret(self) -> None:
        lines = (DOCKER / ".env.example").read_text().splitlines()

        assert SECRETS
        assert {f"{name}=" for name in SECRETS} <= set(lines)

    def test_secrets_are_never_written_out(self) -> None:
        """Whatever is named like a secret takes its value from the environment."""
        named = re.findall(r"(?m)^ *(\w*(?:PASSWORD|SECRET|KEY|TOKEN)\w*): *(.*)$", TEXT)

        assert named
        assert all(value.startswith("${") for _, value in named), named

    def test_the_venues_of_the_example_are_known_and_some_have_streams(self) -> None:
        names = asked_in_the_example()

        assert set(names) <= set(VENUES)
        assert any(VENUES[name].streams for name in names)

    def test_ports_listen_on_loopback_only(self, services: dict[str, dict[str, Any]]) -> None:
        ports = {name: service["ports"] for name, service in services.items() if "ports" in service}

        assert set(ports) == {"s3", "webserver"}
        assert {port["host_ip"] for published in ports.values() for port in published} == {"127.0.0.1"}

    def test_every_container_is_hardened(self, services: dict[str, dict[str, Any]]) -> None:
        for name, service in services.items():
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
            assert "privileged" not in service, name
            assert service["user"].split(":")[0] not in {"", "0", "root"}, name
            assert service["restart"] != "no", name

    def test_every_service_that_stays_has_a_healthcheck(self, services: dict[str, dict[str, Any]]) -> None:
        ends = {
            needed
            for service in services.values()
            for needed, how in service.get("depends_on", {}).items()
            if how["condition"] == "service_completed_successfully"
        }
        for name, service in services.items():
            assert "test" in service["healthcheck"] or name in ends, name

    def test_nothing_waits_for_a_mere_start(self, services: dict[str, dict[str, Any]]) -> None:
        conditions = {
            how["condition"] for service in services.values() for how in service.get("depends_on", {}).values()
        }

        assert conditions == {"service_healthy", "service_completed_successfully"}

    def test_only_the_code_server_sees_the_warehouse(self, services: dict[str, dict[str, Any]]) -> None:
        seeing = {
            name
            for name, service in services.items()
            if any(volume.get("source") == "warehouse" for volume in service.get("volumes", []))
        }

        assert seeing == {"code"}

    def test_who_is_recorded_is_who_is_asked(self, services: dict[str, dict[str, Any]]) -> None:
        """Else coverage would tell of gaps that nobody meant to fill."""
        asked, recorded = (services[name]["environment"] for name in ("code", "recorder"))

        assert {name: asked[name] for name in recorded} == recorded
        assert "BAROGRAPH_VENUES" in recorded

    def test_the_recorder_is_given_time_to_write_what_it_holds(self) -> None:
        """Of each venue that streams, one after the other."""
        streaming = [name for name in asked_in_the_example() if VENUES[name].streams]
        grace_s = int(RAW["services"]["recorder"]["stop_grace_period"].removesuffix("s"))

        assert grace_s > LAST_WRITE_WITHIN_S * len(streaming)

    def test_images_name_their_full_version(self, services: dict[str, dict[str, Any]]) -> None:
        for service in services.values():
            assert PINNED.fullmatch(service["image"]), service["image"]


class TestDockerfile:
    def test_hadolint_finds_nothing(self) -> None:
        """Not even at the level of style, and no rule is switched off."""
        command = [
            binary("hadolint"),
            "--failure-threshold",
            "style",
            "--disable-ignore-pragma",
            str(DOCKERFILE),
        ]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)

        assert (answer.returncode, answer.stdout) == (0, "")

    def test_base_images_name_their_full_version(self) -> None:
        stages = re.findall(r"(?m)^FROM \S+ AS (\S+)$", DOCKERFILE.read_text())
        bases = set(re.findall(r"(?m)^FROM (\S+)", DOCKERFILE.read_text())) - set(stages)

        assert bases
        assert all(re.fullmatch(r"python:3\.1[123]\.\d+-slim-\w+", base) for base in bases), bases

    def test_images_that_run_have_an_ordinary_user_and_an_exec_form(self) -> None:
        for stage in ("storage", "barograph"):
            body = stage_of(stage)
            assert re.search(r"(?m)^USER 1\d{4}:1\d{4}$", body), stage
            assert re.search(r"(?m)^CMD \[", body), stage
            assert re.search(r"(?m)^HEALTHCHECK ", body), stage

    def test_images_that_run_install_nothing(self) -> None:
        """Compilers, installers and the lock stay in the stages that build."""
        for stage in ("base", "storage", "barograph"):
            assert not re.search(r"apt-get|pip install|requirements", stage_of(stage)), stage

    def test_installs_are_by_hash_alone(self) -> None:
        installs = re.findall(r"pip install(?:[^\n\\]|\\\n)*", DOCKERFILE.read_text())

        assert installs
        for install in installs:
            assert "--no-deps" in install
            assert "--require-hashes" in install or "--build-constraints /build/requirements.lock" in install

    def test_everything_that_is_copied_reaches_the_builder(self) -> None:
        """The folder's ignore file lets through exactly what the Dockerfile copies from it."""
        copies = re.findall(r"(?m)^COPY (?!--from)(.*) \S+$", DOCKERFILE.read_text())
        copied = {source.split("/")[0] for sources in copies for source in sources.split()}
        let_through = set(re.findall(r"(?m)^!(.+)$", (ROOT / ".dockerignore").read_text()))

        assert copied == let_through
        for sources in copies:
            for source in sources.split():
                assert (ROOT / source).exists() or source == "README.md", source


def stage_of(name: str) -> str:
    """The text of one stage."""
    found = re.search(rf"(?ms)^FROM \S+ AS {name}$.*?(?=^FROM |\Z)", DOCKERFILE.read_text())
    assert found, name
    return found.group()
