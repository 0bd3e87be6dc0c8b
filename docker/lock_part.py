"""Print a part of requirements.lock: one package's pins, or all that production needs (no dev group).

The lock says who asked for each pin ("via"), so the part is found by walking those notes, and an image is
installed from the very hashes that were tested. A package may have several pins, one a Python version.
Runs before anything is installed: standard library only.
"""

import re
import sys
from pathlib import Path

_ASKED_BY_US = "barograph (pyproject.toml)"


def pins(lock: str) -> list[tuple[str, str]]:
    """(package name, its pin with hashes and notes), in the lock's order."""
    parts = re.split(r"(?m)^(?=[A-Za-z0-9])", lock)
    return [(part.partition("==")[0], part) for part in parts if "==" in part]


def asked_by(pin: str) -> set[str]:
    """Who needs this package: names, or the project itself with the group in brackets."""
    _, _, notes = pin.partition("# via")
    return {note for line in notes.splitlines() if (note := line.strip().removeprefix("#").strip())}


def package_part(lock: str, package: str) -> str:
    """The pins of one package."""
    part = "".join(pin for name, pin in pins(lock) if name == package)
    if not part:
        raise SystemExit(f"lock_part: {package!r} is not in the lock (expected one of its {len(pins(lock))} pins)")
    return part


def runtime_part(lock: str) -> str:
    """The pins that the project's own dependencies need, directly or not."""
    needed = {_ASKED_BY_US}
    while more := {name for name, pin in pins(lock) if asked_by(pin) & needed} - needed:
        needed |= more
    if len(needed) == 1:
        raise SystemExit(f"lock_part: no pin says '# via {_ASKED_BY_US}' (expected a lock made by `make lock`)")
    return "".join(pin for name, pin in pins(lock) if name in needed)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: lock_part.py requirements.lock (--runtime | PACKAGE)")
    text = Path(sys.argv[1]).read_text()
    sys.stdout.write(runtime_part(text) if sys.argv[2] == "--runtime" else package_part(text, sys.argv[2]))
