"""Replies as their venues' adapters read them: every recorded one, and every documented example."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ingestion.envelopes import Envelope, unpack
from ingestion.records import Instrument, Record
from ingestion.venues import OWN_NAMES, VENUES
from ingestion.venues.base import Refused, Reply

EXAMPLES = Path(__file__).parent / "examples"
UNKNOWN_CAPTURE = datetime(2024, 1, 1, tzinfo=UTC)  # for the few whose source kept no time

Identity = tuple[str, str, str]  # venue, kind, symbol


class Replied(NamedTuple):
    """One reply that its venue's adapter could read, and the rows that it read."""

    venue: str
    reply: Reply
    rows: list[Record]


@cache
def examples() -> list[Replied]:
    return read_folder(EXAMPLES, "*.jsonl")


@cache
def read_folder(folder: Path, pattern: str) -> list[Replied]:
    """Every reply of these files that is not refused whole, without the rows that are."""
    found: list[Replied] = []
    for path in sorted(folder.glob(pattern)):
        with path.open("rb") as stream:
            found += _read(unpack(stream, path.name))
    return found


def listings(replies: Iterable[Replied]) -> dict[Identity, list[Instrument]]:
    """What was listed of each instrument, list by list."""
    found: dict[Identity, list[Instrument]] = defaultdict(list)
    for replied in replies:
        for row in replied.rows:
            if isinstance(row, Instrument):
                found[replied.venue, row.kind, row.symbol].append(row)
    return found


def _read(envelopes: Iterable[Envelope]) -> Iterator[Replied]:
    for envelope in envelopes:
        venue = OWN_NAMES.get(envelope.venue)
        if venue is None or envelope.status != 200:
            continue
        at = envelope.at or UNKNOWN_CAPTURE
        try:
            reply = Reply.read(envelope.path, envelope.query, envelope.reply_bytes, at, envelope.asked)
            found = list(VENUES[venue].parse(reply))
        except Refused:
            continue
        yield Replied(venue, reply, [row for row in found if isinstance(row, Record)])
