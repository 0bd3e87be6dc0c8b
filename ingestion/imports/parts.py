"""A part of a vendor's file as the raw zone keeps it: lines of one UTC hour in an envelope.

Method `FILE`, host and path where the vendor publishes the file, body the lines as they stand in it. The query says
`sha256` (of the whole file), `hour`, `lines` (their numbers in it, counted from 1), and what a layout needs besides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode

import msgspec

from ingestion.envelopes import Envelope
from ingestion.venues.base import EARLIEST, LATEST, Refused

METHOD = "FILE"
HOUR_US = 3_600_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR_FORMAT = "%Y-%m-%dT%H"

Span = tuple[int, int]  # first and last line, both included


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines of a file; `told` is what its layout adds to the query."""

    host: str
    path: str
    sha256: str
    hour: datetime
    spans: Sequence[Span]
    lines: Sequence[bytes]  # without their line ends
    told: Mapping[str, str] = field(default_factory=dict)

    @property
    def bounds(self) -> tuple[int, int]:
        """The part's hour, half open, in microseconds."""
        start_us = micros_of(self.hour)
        return start_us, start_us + HOUR_US


def sealed(venue: str, captured_us: int, part: Part) -> Envelope:
    """The part in an envelope; the same part gives the same envelope, whenever it is sealed."""
    said = {
        "sha256": part.sha256,
        "hour": f"{part.hour:{_HOUR_FORMAT}}",
        "lines": ",".join(f"{first}-{last}" for first, last in part.spans),
    }
    text = b"\n".join(part.lines).decode() + "\n"
    return Envelope(
        venue=venue,
        method=METHOD,
        host=part.host,
        path=part.path,
        query=urlencode(said | dict(part.told), safe=","),
        status=200,
        captured_ts=f"{at_micros(captured_us):%Y-%m-%dT%H:%M:%S.%fZ}",
        encoding="text",
        body=msgspec.Raw(msgspec.json.encode(text)),
    )


def opened(envelope: Envelope) -> Part:
    """The part in this envelope; raises `Refused` for one that holds none."""
    said = dict(parse_qsl(envelope.query))
    try:
        hour = datetime.strptime(said.pop("hour"), _HOUR_FORMAT).replace(tzinfo=UTC)
        spans = [(int(a), int(b)) for a, _, b in (each.partition("-") for each in said.pop("lines").split(","))]
        data = envelope.reply_bytes
        return Part(
            envelope.host, envelope.path, said.pop("sha256"), hour, spans, data.removesuffix(b"\n").split(b"\n"), said
        )
    except (KeyError, ValueError, msgspec.DecodeError) as error:
        raise Refused("file_part", f"{envelope.path}: no part of a file ({error!r})") from error


def micros_of(at: datetime) -> int:
    """An instant as microseconds since 1970."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def at_micros(value: int) -> datetime:
    """Microseconds since 1970 as UTC, exactly; out of [2009, 2100) is `Refused`: it means another unit."""
    if not EARLIEST_US <= value < LATEST_US:
        raise Refused("timestamp", f"{value} microseconds since 1970 lie outside 2009 to 2100")
    return _EPOCH + timedelta(microseconds=value)


EARLIEST_US, LATEST_US = micros_of(EARLIEST), micros_of(LATEST)
