"""Memory that was freed is kept for what follows, and goes back to the system when it is told to."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
from pathlib import Path
import pyarrow as pa
from ingestion.allocator import give_back, set_allocator

def resident_mb():
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024

set_allocator()
pieces = [bytes(3_000) for _ in range(40_000)]
scattered = pieces[::100]
del pieces
held = resident_mb()
give_back()
print(pa.default_memory_pool().backend_name, held - resident_mb())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc says how it keeps memory")
def test_free_pages_between_others_are_given_back() -> None:
    """120 MB in small pieces, of which one in a hundred stays."""
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
    pool, given_mb = said.split()

    assert pool == "system"
    assert float(given_mb) > 80
