"""Fail unless requirements.lock answers pyproject.toml: all that is asked for, nothing that is not, by hash.

Reads the two files only; no registry is asked.
"""

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_PIN = re.compile(r"(?m)^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s\\;]+)")
_PLACE = re.compile(r"(?i)\b[a-z][a-z0-9+]*://|^\s*-(?:-(?:extra-)?index-url|i|-find-links|f)\b", re.MULTILINE)


def faults(pyproject: str, lock: str) -> list[str]:
    """One line for each thing wrong."""
    asked = [Requirement(text) for text in _asked(tomllib.loads(pyproject))]
    names = {canonicalize_name(requirement.name) for requirement in asked}
    return [
        *(fault for requirement in asked for fault in _unanswered(requirement, lock)),
        *(f"{name}: pinned, but not asked for in pyproject.toml" for name in sorted(_ours(lock) - names)),
        *(f"{name}: pinned without a hash" for name, block in _blocks(lock) if "--hash=sha256:" not in block),
        *(f"a place to download from is named: {place.group().strip()!r}" for place in _PLACE.finditer(lock)),
    ]


def _asked(project: dict[str, dict[str, list[str]]]) -> list[str]:
    return [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]


def _unanswered(requirement: Requirement, lock: str) -> list[str]:
    name = canonicalize_name(requirement.name)
    pinned = [pin["version"] for pin in _PIN.finditer(lock) if canonicalize_name(pin["name"]) == name]
    if not pinned:
        return [f"{name}: asked for in pyproject.toml, not in the lock"]
    wrong = [version for version in pinned if not requirement.specifier.contains(version, prereleases=True)]
    return [f"{name}: locked at {version}, expected {requirement.specifier}" for version in wrong]


def _blocks(lock: str) -> list[tuple[str, str]]:
    """(name, pin with its hashes and notes) in the lock's order."""
    starts = list(_PIN.finditer(lock))
    ends = [start.start() for start in starts[1:]] + [len(lock)]
    return [(start["name"], lock[start.start() : end]) for start, end in zip(starts, ends, strict=True)]


def _ours(lock: str) -> set[str]:
    return {canonicalize_name(name) for name, block in _blocks(lock) if "barograph (pyproject.toml" in block}


if __name__ == "__main__":
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    found = faults((root / "pyproject.toml").read_text(), (root / "requirements.lock").read_text())
    if found:
        sys.exit("\n".join([*found, "requirements.lock is stale: run `make lock`"]))
    sys.stdout.write("requirements.lock answers pyproject.toml\n")
