"""The page of what venues are asked is made from the venues, and says what they lack."""

import re
from pathlib import Path

import pytest

from ingestion.coverage_page import page
from ingestion.records import DATASETS
from ingestion.venues import VENUES
from ingestion.venues.base import Venue
from tests.toy_venue import TOY

PAGE = Path(__file__).parents[1] / "docs" / "coverage.md"


@pytest.fixture(params=list(VENUES))
def venue(request: pytest.FixtureRequest) -> Venue:
    return VENUES[request.param]


def section(venue: Venue, text: str) -> str:
    parts = re.split(r"(?m)^## (.+)$", text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[venue.name]


def test_the_committed_page_is_the_generated_one() -> None:
    """`.venv/bin/python -m ingestion.coverage_page > docs/coverage.md` makes it."""
    assert PAGE.read_text() == page(VENUES.values())


def test_every_endpoint_has_its_line_with_weight_history_and_proof(venue: Venue) -> None:
    lines = section(venue, page(VENUES.values())).splitlines()
    for endpoint in venue.endpoints:
        use = "read" if endpoint.requests is None else "archived" if endpoint.is_archived else "asked"
        path = endpoint.path.replace("|", r"\|")
        told = f"| {endpoint.dataset} | `{path}` | {use} | {endpoint.weight} | {endpoint.history} | {endpoint.proof} |"
        assert told in lines


def test_every_dataset_is_asked_told_within_or_named_as_lacking(venue: Venue) -> None:
    text = section(venue, page(VENUES.values()))
    lacking = re.search(r"No dataset here: (.+)\.", text)
    named = set(lacking[1].split(", ")) if lacking else set()

    assert (named | set(venue.lake_datasets)) - {"stream_holes"} == set(DATASETS) - {"stream_holes"}
    assert not named & set(venue.lake_datasets)
    assert all(reason in text for reason in venue.retired.values())


def test_a_new_venue_appears_by_being_listed() -> None:
    text = page([TOY, *VENUES.values()])

    assert f"| [{TOY.name}](#{TOY.name}) |" in text
    assert section(TOY, text)
