"""Documented examples of every venue's replies: each is read whole.

They are written in the documentation's format with figures of our own, for what no recording shows.
"""

from pathlib import Path

import pytest

from ingestion.envelopes import Envelope, unpack
from ingestion.gate.rows import broken_rule
from ingestion.venues import VENUES
from ingestion.venues.base import Reject

FOLDER = Path(__file__).parent / "examples"


def examples() -> list[tuple[str, Envelope]]:
    found = []
    for path in sorted(FOLDER.glob("*.jsonl")):
        with path.open("rb") as stream:
            found += [(f"{path.stem} {e.path} {e.asked or e.query}", e) for e in unpack(stream, path.name)]
    return found


@pytest.mark.parametrize("envelope", [pytest.param(envelope, id=name) for name, envelope in examples()])
def test_a_documented_example_is_read_without_a_reject_and_passes_the_gate(envelope: Envelope) -> None:
    rows = list(VENUES[envelope.venue].parse(envelope.reply()))

    assert rows
    assert [row for row in rows if isinstance(row, Reject)] == []
    assert [broken_rule(row) for row in rows if not isinstance(row, Reject) and broken_rule(row)] == []


def test_an_endpoint_that_claims_an_example_has_one() -> None:
    """`proof="example"` of what is asked; a recording's claim is held in tests/test_venues.py."""
    shown = {(e.venue, id(VENUES[e.venue].endpoint(e.path, e.reply().query))) for _, e in examples()}
    claimed = [
        f"{venue.name} {endpoint.dataset} {endpoint.path}"
        for venue in VENUES.values()
        for endpoint in venue.endpoints
        if endpoint.requests is not None and endpoint.proof == "example" and (venue.name, id(endpoint)) not in shown
    ]

    assert claimed == []
