"""What tests share: where the real recordings are, and how an envelope file is read."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion.envelopes import Envelope, unpack

RECORDINGS = Path(
    os.environ.get("BAROGRAPH_RECORDINGS", Path(__file__).parents[2] / "shared" / "recordings")
)


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real exchange payloads, which are not part of this repository."""
    if not RECORDINGS.is_dir():
        pytest.skip(f"no recordings at {RECORDINGS}; set BAROGRAPH_RECORDINGS to their folder")
    return RECORDINGS


@pytest.fixture(scope="session")
def recorded(recordings: Path) -> Callable[[str], list[Envelope]]:
    """Read one recording by its path below the recordings folder, e.g. `http/okx.jsonl.zst`."""

    def read(name: str) -> list[Envelope]:
        with (recordings / name).open("rb") as stream:
            return list(unpack(stream, name))

    return read
