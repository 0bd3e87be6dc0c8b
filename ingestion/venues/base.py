"""The shape a venue fills: data and pure functions.

A venue knows no HTTP client, no Dagster, no storage. What it does not know, it refuses where it is read.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import parse_qsl, urlencode

import msgspec

from ingestion.records import Instrument, Kind, Record

if TYPE_CHECKING:
    from ingestion.venues.streams import Stream

T = TypeVar("T")

EARLIEST = datetime(2009, 1, 3, tzinfo=UTC)  # Bitcoin's genesis block: nothing here is older
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a venue: a GET, or a POST of `body` where there is one.

    `query` keeps the order in which the venue documents it.
    """

    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: str | None = None  # JSON text, sent as it stands
    until_ts: datetime | None = field(default=None, compare=False)  # where `follow` stops; never sent

    @property
    def query_string(self) -> str:
        return urlencode(self.query)

    @classmethod
    def post(cls, path: str, asked: object) -> "Request":
        """A POST of this object as JSON, keys in their order."""
        return cls(path, body=json.dumps(asked, separators=(",", ":")))


class Reply(msgspec.Struct, frozen=True, gc=False):
    """What came back, verbatim, with what was asked and when we had it.

    What was asked by POST stands in `query` too: `{"type": "l2Book", "req": {"coin": "BTC"}}` as `type` and `req.coin`,
    list items by their place from 0.
    """

    path: str
    query: Mapping[str, str]
    body: bytes
    captured_ts: datetime

    @classmethod
    def read(cls, path: str, query: str, body: bytes, captured_ts: datetime, asked: str | None = None) -> "Reply":
        """Raises `Refused` where `asked`, the body of a POST, is no JSON."""
        said = dict(parse_qsl(query, keep_blank_values=True))
        if asked is not None:
            try:
                said |= dict(_flat("", json.loads(asked)))
            except (ValueError, RecursionError) as error:
                raise Refused("schema", f"{path}: what was asked is no JSON ({error})") from error
        return cls(path, said, body, captured_ts)


UNKNOWN_SIDE = "unknown_side"  # rule of a row whose source says that it does not know the side


class Refused(ValueError):
    """A whole reply that cannot be read: `rule` names why in one word, the message says it in a line."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Reject:
    """One row of a reply that cannot be read, and why; the rest of the reply stands."""

    rule: str
    reason: str
    row: bytes
    dataset: str | None = None  # that it would have told of, where its reply tells of several


@dataclass(frozen=True, slots=True)
class Plan:
    """What a capture wants: which underlyings, over which half-open span, given what is listed."""

    underlyings: tuple[str, ...]  # base assets, upper case: ("BTC", "ETH")
    start_ts: datetime
    end_ts: datetime
    listed: tuple[Instrument, ...] = ()

    def of(self, venue: str) -> "Plan":
        """The plan as one venue sees it: symbols of others are not its own."""
        return replace(self, listed=tuple(i for i in self.listed if i.venue == venue))

    def symbols(self, *kinds: Kind) -> list[str]:
        """Listed symbols of these kinds on the wanted underlyings, sorted."""
        return sorted({i.symbol for i in self.listed if i.kind in kinds and i.base_asset in self.underlyings})


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else key, inner)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _flat(f"{name}.{place}" if name else str(place), inner)
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)


Parse = Callable[[Reply], Iterator[Record | Reject]]
Proof = Literal["recording", "example", "sandbox"]  # a real reply; the documentation's own; our simulation alone


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One kind of reply: which path it answers, how to ask for it, how to read it.

    `dataset` names the raw dataset; the records that `parse` yields may belong to several.
    `is_archived`: the venue can be asked again later, so the hourly run fetches it for the whole hour.
    `is_reference`: a spot price or an index; asked before the derivatives of the same sweep.
    `history`: how far back the venue answers, in its own words; `proof`: the best evidence that `parse` is right.
    """

    dataset: str
    path: str  # exact, or a regular expression matched in full
    parse: Parse
    requests: Callable[[Plan], Sequence[Request]] | None = None  # none: read in recordings, never asked
    weight: int = 1
    is_archived: bool = False
    is_reference: bool = False
    follow: Callable[[Request, Reply], Request | None] | None = None  # the next page, if any
    tells: tuple[str, ...] = ()  # datasets that these replies tell of too, of which an hour may have none
    when: Callable[[Mapping[str, str]], bool] = lambda query: True  # tells endpoints on one path apart
    history: str = "now"
    proof: Proof = "example"


@dataclass(frozen=True, slots=True)
class Venue:
    """One exchange: where it is, how often it may be asked, what it answers, what its names mean."""

    name: str
    base_url: str
    docs_url: str
    endpoints: tuple[Endpoint, ...]
    terms: Callable[[str, Kind, datetime], Instrument]  # documented grammar; raises Refused
    weight_per_minute: int
    retired: Mapping[str, str] = field(default_factory=dict)  # path expression → why it is refused
    told_within: tuple[str, ...] = ()  # lake datasets that come inside the replies about others
    known_as: tuple[str, ...] = ()  # other names that recordings give it
    streams: tuple["Stream", ...] = ()  # what it sends unasked, over WebSocket
    told_by_stream: tuple[str, ...] = ()  # lake datasets that no reply tells of

    @property
    def datasets(self) -> tuple[str, ...]:
        """Raw datasets that this venue can be asked for."""
        return tuple(dict.fromkeys(e.dataset for e in self.endpoints if e.requests is not None))

    @property
    def expected(self) -> tuple[str, ...]:
        """Lake datasets that this venue's replies fill: each hour has them, or a gap and its reason."""
        return (*self.datasets, *self.told_within)

    @property
    def lake_datasets(self) -> tuple[str, ...]:
        """Lake datasets that this venue fills, those included that have rows only while it is recorded."""
        return (*self.expected, *self.told_by_stream, *(("stream_holes",) if self.streams else ()))

    def endpoint(self, path: str, query: Mapping[str, str]) -> Endpoint:
        """The endpoint that answers this path, or `Refused` with the reason why none does."""
        for endpoint in self.endpoints:
            if re.fullmatch(endpoint.path, path) and endpoint.when(query):
                return endpoint
        for expression, reason in self.retired.items():
            if re.fullmatch(expression, path):
                raise Refused("retired", f"{self.name} {path}: {reason}")
        raise Refused("unknown_endpoint", f"{self.name} {path}: no parser knows this endpoint")

    def parse(self, reply: Reply) -> Iterator[Record | Reject]:
        """Read one reply into records and rejected rows; raises `Refused` for a reply that is none of ours."""
        return self.endpoint(reply.path, reply.query).parse(reply)


ANY = msgspec.json.Decoder(msgspec.Raw)  # valid JSON, whatever it says


def decode(decoder: msgspec.json.Decoder[T], body: bytes, what: str) -> T:
    """Decode a whole reply; anything that does not fit is `Refused` by rule `schema`, naming the field."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("schema", f"{what}: {error}") from error


def rows(
    decoder: msgspec.json.Decoder[T], raws: Iterable[msgspec.Raw], read: Callable[[T], Iterable[Record]]
) -> Iterator[Record | Reject]:
    """Decode a list row by row, so that one bad row costs one row and not the reply."""
    for raw in raws:
        try:
            yield from read(decoder.decode(raw))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield Reject("schema", str(error), bytes(raw))
        except Refused as refused:
            yield Reject(refused.rule, refused.reason, bytes(raw))


def instant(value: float, unit_s: float = 1e-3) -> datetime:
    """An epoch count as UTC, to the microsecond; `unit_s` is 1e-3 for milliseconds, 1e-6 for microseconds.

    Out of [2009, 2100) is `Refused`: it means another unit than the venue documents.
    """
    try:
        at = _EPOCH + timedelta(microseconds=round(value * (unit_s * 1e6)))
    except OverflowError as error:
        raise Refused("timestamp", f"{value} is no instant at {unit_s} s a unit") from error
    if not EARLIEST <= at < LATEST:
        raise Refused("timestamp", f"{value} read at {unit_s} s a unit is {at:%Y-%m-%d}, outside 2009 to 2100")
    return at


_LONG_NUMBER = re.compile(rb"[0-9][0-9.]{15,}")
_DIGITS_TO_0 = bytes.maketrans(b"123456789.", b"0" * 10)
_SHAPES = bytes(
    ord("0") if letter in b"0123456789" else letter if letter in b"." else ord(" ") for letter in range(256)
)


def refuse_beyond_float64(body: bytes, what: str) -> None:
    """Refuse a reply with a number of over 15 significant digits: a float64 would change it silently."""
    # The search is slow, and mostly there is nothing so long, or whole numbers alone are.
    if b"0" * 16 not in body.translate(_DIGITS_TO_0):
        return
    if not any(len(shape) > 16 and b"." in shape for shape in set(body.translate(_SHAPES).split())):
        return
    for match in _LONG_NUMBER.finditer(body):
        digits = match.group().lstrip(b"0.").replace(b".", b"")
        if len(digits.rstrip(b"0")) > 15 and b"." in match.group():
            raise Refused("precision", f"{what}: {match.group().decode()} has over 15 significant digits")
