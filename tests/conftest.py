"""What tests share: where the real recordings are, and how an envelope file is read."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ingestion.envelopes import Envelope, unpack
from tests.s3 import s3_store_env  # noqa: F401 (one server for the whole session)

if TYPE_CHECKING:
    from orchestration.settings import Settings

RECORDINGS = Path(os.environ.get("BAROGRAPH_RECORDINGS", Path(__file__).parents[2] / "shared" / "recordings"))

# They build whole deployments: begun last, one of them would be all that runs for minutes.
SLOWEST_FIRST = (
    "test_identity.py",
    "test_gates.py",
    "test_bad_input.py",
    "test_dbt_units.py",
    "test_sandbox_truth.py",
    "test_s3_pipeline.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first, each file in its own order."""
    ranks = {name: rank for rank, name in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))


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


@pytest.fixture(scope="session")
def good_hour(tmp_path_factory: pytest.TempPathFactory) -> "Settings":
    """A deployment with one published hour of all venues. Shared: copy it before you change it."""
    # Loading the definitions takes seconds that other tests need not pay.
    from tests.world import build_good_hour

    return build_good_hour(tmp_path_factory.mktemp("good"))
