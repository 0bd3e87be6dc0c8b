"""Envelope files into the raw zone, hour by hour: recordings of others, or another lake's own raw objects."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ingestion.envelopes import Envelope, Unreadable, seal, unpack
from ingestion.hours import hour_of
from ingestion.raw import RawZone
from ingestion.venues import VENUES
from ingestion.venues.base import Refused

UNRECOGNISED = "unrecognised"  # raw dataset of replies that no endpoint claims; the gate says why


@dataclass
class Imported:
    """What an import found: the hours it filled, and what it left out with the reason."""

    hours: list[datetime] = field(default_factory=list)
    replies: Counter[str] = field(default_factory=Counter)  # by venue
    left_out: Counter[str] = field(default_factory=Counter)  # by reason


def import_envelopes(
    paths: Sequence[Path], raw: RawZone, start: datetime | None, end: datetime | None, venues: Sequence[str]
) -> Imported:
    """Write the replies of [start, end) into raw, each in the hour of its capture; nothing is written if any
    file is unreadable. Raises `Unreadable`, or ValueError where no reply fits."""
    imported = Imported()
    parcels: dict[tuple[str, str, datetime], list[Envelope]] = {}
    for envelope in _read(paths):
        at = envelope.at
        if envelope.venue not in VENUES:
            imported.left_out[f"{envelope.venue}: no adapter"] += 1
        elif envelope.venue not in venues:
            imported.left_out[f"{envelope.venue}: not asked for"] += 1
        elif at is None:
            imported.left_out[f"{envelope.venue}: no capture time"] += 1
        elif (start and at < start) or (end and at >= end):
            imported.left_out["outside the span"] += 1
        else:
            key = (envelope.venue, _dataset(envelope), hour_of(at))
            parcels.setdefault(key, []).append(_own(envelope, at))
            imported.replies[envelope.venue] += 1
    if not parcels:
        reasons = ", ".join(f"{count} {reason}" for reason, count in imported.left_out.items()) or "no replies"
        raise ValueError(f"{len(paths)} files: nothing to replay ({reasons})")
    for (venue, dataset, hour), envelopes in sorted(parcels.items()):
        raw.write(venue, dataset, hour, envelopes)
    imported.hours = sorted({hour for _, _, hour in parcels})
    return imported


def _read(paths: Sequence[Path]) -> Iterator[Envelope]:
    for path in paths:
        try:
            stream = path.open("rb")
        except OSError as error:
            raise Unreadable(f"{path}: {error.strerror} (expected an envelope file)") from error
        with stream:
            yield from unpack(stream, str(path))


def _dataset(envelope: Envelope) -> str:
    try:
        reply = envelope.reply()
        return VENUES[envelope.venue].endpoint(reply.path, reply.query).dataset
    except Refused:
        return UNRECOGNISED


def _own(envelope: Envelope, at: datetime) -> Envelope:
    """The same reply in this lake's own envelope; the recording's clock becomes `captured_ts`."""
    return seal(
        venue=envelope.venue,
        host=envelope.host,
        path=envelope.path,
        query=envelope.query,
        status=envelope.status,
        captured_ts=at,
        body=envelope.reply_bytes,
    )
