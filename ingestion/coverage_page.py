"""docs/coverage.md, made of the venues: `.venv/bin/python -m ingestion.coverage_page > docs/coverage.md`."""

import sys
from collections.abc import Iterable, Sequence

from ingestion.records import DATASETS
from ingestion.venues import VENUES
from ingestion.venues.base import Endpoint, Venue

OURS = frozenset({"stream_holes"})  # what no venue tells

_OPENING = """\
# Coverage

What every venue is asked by REST, what its replies fill, how far back it answers, and what proves that they are
read right.

| proof | means |
|---|---|
| recording | real replies are read into rows: `tests/test_venues.py` |
| example | a reply in the documented format is: `tests/examples/` |
| sandbox | only our own simulation is |

*Weight* is one request's share of the venue's budget a minute. *Archived* datasets can be asked for again, as far
back as *history* says; all others exist only when they are looked at. An endpoint that is *read* is never asked, but
understood in recordings. What is told *within* comes inside the replies about something else; what only a *stream*
tells of has rows while it is recorded.

This page is made from the venues: `.venv/bin/python -m ingestion.coverage_page > docs/coverage.md`.
"""


def page(venues: Iterable[Venue]) -> str:
    """The whole page: all venues by dataset, then each by endpoint, with what it lacks and what is refused."""
    known = sorted(venues, key=lambda venue: venue.name)
    return "\n".join([_OPENING, _overview(known), *(_section(venue) for venue in known)])


def _datasets() -> list[str]:
    return [name for name in DATASETS if name not in OURS]


def _overview(venues: Sequence[Venue]) -> str:
    rows = [[f"[{venue.name}](#{venue.name})", *(_mark(venue, name) for name in _datasets())] for venue in venues]
    return _table(["venue", *(name.replace("_", " ") for name in _datasets())], rows)


def _mark(venue: Venue, dataset: str) -> str:
    proofs = {endpoint.proof for endpoint in venue.endpoints if endpoint.dataset == dataset and endpoint.requests}
    best = next((proof for proof in ("recording", "example", "sandbox") if proof in proofs), "")
    return best or ("within" if dataset in venue.told_within else "stream" if dataset in venue.told_by_stream else "")


def _section(venue: Venue) -> str:
    lacking = [name for name in _datasets() if name not in venue.lake_datasets]
    order = list(DATASETS)
    endpoints = sorted(venue.endpoints, key=lambda e: (order.index(e.dataset), e.requests is None))
    parts = [
        f"## {venue.name}",
        f"<{venue.docs_url}>, {venue.weight_per_minute:,} a minute.",
        _table(
            ["dataset", "endpoint", "is", "weight", "history", "proof"],
            [[e.dataset, f"`{e.path}`", _use(e), str(e.weight), e.history, e.proof] for e in endpoints],
        ),
    ]
    if venue.told_within:
        parts.append(f"Told within: {', '.join(venue.told_within)}.")
    if venue.told_by_stream:
        parts.append(f"By stream alone: {', '.join(venue.told_by_stream)}.")
    parts.append(f"No dataset here: {', '.join(lacking)}." if lacking else "Every dataset is here.")
    if venue.streams:
        parts.append("Streams: " + ", ".join(f"[{s.name}]({s.docs_url})" for s in venue.streams) + ".")
    if venue.retired:
        parts.append("Known and not read:")
        parts.append("\n".join(f"- `{path}`: {reason}" for path, reason in venue.retired.items()))
    return "\n" + "\n\n".join(parts) + "\n"


def _use(endpoint: Endpoint) -> str:
    if endpoint.requests is None:
        return "read"
    return "archived" if endpoint.is_archived else "asked"


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(page(VENUES.values()))
