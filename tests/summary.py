"""After a run, say in words which promises were kept: each test file by its first line.

`make test` loads it as a plugin.
"""

import ast
from collections import Counter, defaultdict
from pathlib import Path

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line a file, before pytest's own closing line."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            counts[report.nodeid.partition("::")[0]][outcome] += 1
    if not counts:
        return
    terminalreporter.section("what was promised, and kept")
    for file, outcomes in sorted(counts.items()):
        told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
        mark = "no " if outcomes["failed"] or outcomes["error"] else "yes" if outcomes["passed"] else "-  "
        terminalreporter.write_line(f"  {mark}  {_promise(config.rootpath / file)} ({told})")


def _promise(file: Path) -> str:
    """The first line of a test file's docstring, or its name."""
    docstring = ast.get_docstring(ast.parse(file.read_text())) if file.is_file() else None
    return docstring.splitlines()[0] if docstring else file.name
