"""The house rules, executed: what the repository may hold, what its commands are, what its lock says."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BINARY = {".png", ".parquet", ".zst", ".duckdb"}
TARGETS = {"setup", "check", "test", "demo", "dev", "live", "lock", "clean"}


def tracked() -> list[Path]:
    """Every file that a commit would hold: what git tracks or would add, without what it ignores."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip(f"not a git work tree: {listed.stderr.strip()}")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


FILES = tracked()
PYTHON = [path for path in FILES if path.suffix == ".py"]
TEXTS = [path for path in FILES if path.suffix not in BINARY]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


class TestTree:
    def test_the_root_stays_small_enough_to_read_at_once(self) -> None:
        entries = {path.relative_to(ROOT).parts[0] for path in FILES}

        assert len({entry for entry in entries if not entry.startswith(".")}) <= 14

    def test_no_python_file_outgrows_its_subject(self) -> None:
        lengths = {name_of(path): len(path.read_text().splitlines()) for path in PYTHON}

        assert {name: length for name, length in lengths.items() if length > 400} == {}

    def test_modules_are_named_for_what_they_hold(self) -> None:
        drawers = re.compile(r"(?:^|_)(?:utils?|helpers?|common|misc)(?:_|$)")

        assert [name_of(path) for path in FILES if drawers.search(path.stem)] == []

    def test_every_python_file_says_what_it_is(self) -> None:
        """The first line is a docstring; empty package markers have nothing to say."""
        silent = [name_of(path) for path in PYTHON if path.read_text().strip() and not opens(path)]

        assert silent == []

    def test_nothing_is_left_for_later(self) -> None:
        later = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")

        assert [name_of(path) for path in TEXTS if later.search(path.read_text())] == []

    def test_no_file_names_a_machine(self) -> None:
        """Somebody's folders have no meaning elsewhere; paths inside the image are the image's own."""
        folders = re.compile(r"(?<![\w.~*$})/-])/(?:work|root|home|tmp|Users)/")
        allowed = {"docker/Dockerfile", "docker/compose.yaml"}

        named = {name_of(path) for path in TEXTS if folders.search(path.read_text())}

        assert named <= allowed

    def test_the_readme_can_be_read_in_one_sitting(self) -> None:
        readme = ROOT / "README.md"
        if not readme.exists():
            pytest.skip("no README.md yet")

        assert len(readme.read_text().splitlines()) <= 120


def opens(path: Path) -> bool:
    """Whether a file begins with its docstring, after a shebang at most."""
    text = path.read_text()
    return re.match(r'(?:#!.*\n)?r?"""\S', text) is not None


class TestLock:
    def test_answers_pyproject(self) -> None:
        assert check_lock(ROOT).returncode == 0

    def test_names_no_place_to_download_from(self) -> None:
        """Whoever installs it brings the registry; the hashes say whether it is the right file."""
        lock = (ROOT / "requirements.lock").read_text()

        assert re.findall(r"(?m)https?:|^\s*--(?:index|extra|find|trusted).*", lock) == []

    @pytest.mark.parametrize(
        ("file", "old", "new", "told"),
        [
            (
                "pyproject.toml",
                '"rich>=14",',
                '"rich>=14", "left-pad>=1",',
                "left-pad: asked for in pyproject.toml",
            ),
            ("pyproject.toml", '"rich>=14",', "", "rich: pinned, but not asked for"),
            ("pyproject.toml", '"rich>=14",', '"rich>=1400",', "expected >=1400"),
            (
                "requirements.lock",
                "\nrich==",
                "\n--index-url https://example.org\nrich==",
                "a place to download",
            ),
            ("requirements.lock", "\nrich==", "\nbare==1.0\nrich==", "bare: pinned without a hash"),
        ],
    )
    def test_a_stale_lock_is_called_stale(self, tmp_path: Path, file: str, old: str, new: str, told: str) -> None:
        """The check itself is tried on what it is there to find."""
        for name in ("pyproject.toml", "requirements.lock"):
            shutil.copy(ROOT / name, tmp_path / name)
        text = (tmp_path / file).read_text()
        assert old in text
        (tmp_path / file).write_text(text.replace(old, new, 1))

        answer = check_lock(tmp_path)

        assert answer.returncode != 0
        assert told in answer.stderr


def check_lock(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / ".ci" / "check_lock.py"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


class TestCommands:
    def test_the_makefile_has_every_command_and_says_what_it_does(self) -> None:
        shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

        assert set(re.findall(r"(?m)^  make (\w+) +\S", shown)) >= TARGETS

    def test_an_unsuitable_python_is_refused_in_one_line(self, tmp_path: Path) -> None:
        """With nothing on the PATH that will do, setup says what it looked for, and makes no environment."""
        tools = tmp_path / "bin"
        tools.mkdir()
        for name in ("bash", "grep", "mkdir", "touch"):
            found = shutil.which(name)
            assert found
            (tools / name).symlink_to(found)
        old = tools / "python3"
        old.write_text("#!/bin/sh\nexit 1\n")
        old.chmod(0o755)
        for name in ("Makefile", "requirements.lock", "pyproject.toml"):
            shutil.copy(ROOT / name, tmp_path / name)
        make = shutil.which("make")
        assert make

        answer = subprocess.run(
            [make, "setup"],
            cwd=tmp_path,
            env={"PATH": str(tools)},
            capture_output=True,
            text=True,
            check=False,
        )

        assert answer.returncode != 0
        assert "setup: no suitable Python" in answer.stderr
        assert "3.11 to 3.13" in answer.stderr
        assert not (tmp_path / ".venv").exists()

    def test_ci_is_a_program_that_stops_at_the_first_failure(self) -> None:
        run = ROOT / ".ci" / "run"

        assert os.access(run, os.X_OK)
        assert "set -euo pipefail" in run.read_text()

    def test_every_command_of_the_project_exists(self) -> None:
        """The console script in pyproject points at a module of the wheel."""
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
        module, _, _ = project["project"]["scripts"]["barograph"].partition(":")

        assert module.split(".")[0] in packages
        assert all((ROOT / package).is_dir() for package in packages)
