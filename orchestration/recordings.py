"""Envelope files into the raw zone, hour by hour: recordings of others, or another lake's own raw objects."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ingestion.envelopes import Envelope, Unreadable, seal, unpack
from ingestion.hours import HOUR, hour_of
from ingestion.raw import RawZone
from ingestion.venues import OWN_NAMES, VENUES
from ingestion.venues.base import Refused

UNRECOGNISED = "unrecognised"  # raw dataset of replies that no endpoint claims; the gate says why


@dataclass
class Recorded:
    """What files hold of the wanted replies, by (venue, dataset, hour), and what was left out with the reason."""

    parcels: dict[tuple[str, str, datetime], list[Envelope]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)  # by reason

    @property
    def hours(self) -> list[datetime]:
        return sorted({hour for _, _, hour in self.parcels})

    @property
    def spans(self) -> list[tuple[datetime, datetime]]:
        """The hours as half-open spans without holes."""
        spans: list[tuple[datetime, datetime]] = []
        for hour in self.hours:
            if spans and spans[-1][1] == hour:
                spans[-1] = (spans[-1][0], hour + HOUR)
            else:
                spans.append((hour, hour + HOUR))
        return spans

    @property
    def replies(self) -> Counter[str]:
        """How many of each venue."""
        counts: Counter[str] = Counter()
        for (venue, _, _), envelopes in self.parcels.items():
            counts[venue] += len(envelopes)
        return counts

    def write(self, raw: RawZone) -> None:
        """Put every reply into the hour of its capture."""
        for (venue, dataset, hour), envelopes in sorted(self.parcels.items()):
            raw.write(venue, dataset, hour, envelopes)


def read_envelopes(
    paths: Sequence[Path], start: datetime | None, end: datetime | None, venues: Sequence[str]
) -> Recorded:
    """The replies of [start, end) in these files. Raises `Unreadable`, or ValueError where no reply fits."""
    recorded = Recorded()
    for envelope in _read(paths):
        at = envelope.at
        venue = OWN_NAMES.get(envelope.venue)
        if venue is None:
            recorded.left_out[f"{envelope.venue}: no adapter"] += 1
        elif venue not in venues:
            recorded.left_out[f"{envelope.venue}: not asked for"] += 1
        elif at is None:
            recorded.left_out[f"{envelope.venue}: no capture time"] += 1
        elif (start and at < start) or (end and at >= end):
            recorded.left_out["outside the span"] += 1
        else:
            key = (venue, _dataset(venue, envelope), hour_of(at))
            recorded.parcels.setdefault(key, []).append(_own(venue, envelope, at))
    if not recorded.parcels:
        reasons = ", ".join(f"{count} {reason}" for reason, count in recorded.left_out.items()) or "no replies"
        raise ValueError(f"{len(paths)} files: nothing to replay ({reasons})")
    return recorded


def _read(paths: Sequence[Path]) -> Iterator[Envelope]:
    for path in paths:
        try:
            stream = path.open("rb")
        except OSError as error:
            raise Unreadable(f"{path}: {error.strerror} (expected an envelope file)") from error
        with stream:
            yield from unpack(stream, str(path))


def _dataset(venue: str, envelope: Envelope) -> str:
    try:
        reply = envelope.reply()
        return VENUES[venue].endpoint(reply.path, reply.query).dataset
    except Refused:
        return UNRECOGNISED


def _own(venue: str, envelope: Envelope, at: datetime) -> Envelope:
    """The same reply in this lake's own envelope; the recording's clock becomes `captured_ts`."""
    return seal(
        venue=venue,
        host=envelope.host,
        path=envelope.path,
        query=envelope.query,
        status=envelope.status,
        captured_ts=at,
        body=envelope.reply_bytes,
        asked=envelope.asked,
    )
