"""The shape of what a venue sends unasked: its connections, and what their frames say.

As a venue, a stream is data and pure functions; whoever connects, keeps alive and writes down lives elsewhere.

The raw dataset is `stream`, its envelopes in the order of arrival, the objects of one connection one after another:

- a frame, whatever it says: method `WS`, path `/ws/<stream>`, query `connection=<n>`, status 101, body verbatim;
- a book's snapshot by REST: the `GET` as any other, after the frames that came before it;
- what happened to the connection: method `NOTE`, path and query as its frames, body a `Note`.

An hour of these stands alone: at its start, and after every hole, every book's snapshot is asked for anew.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from ingestion.records import Kind, Record
from ingestion.venues.base import Plan, Reject, Reply, Request, refuse_beyond_float64

RAW_DATASET = "stream"
WS_METHOD, NOTE_METHOD = "WS", "NOTE"
WS_STATUS = 101
PATH = "/ws/"
NAMED_WITHIN = 1024  # bytes of a frame: the channel comes first

Number: TypeAlias = float | Decimal  # decimals where a checksum is made of their digits
Level: TypeAlias = tuple[Number, Number]  # price and quantity; in a diff a quantity of 0 removes the price

# How a venue lets one see that nothing is missing between two diffs of a book:
# span: each covers the ids from first to last, and the next begins one after.
# prev: each names the last id of the one before.
# step: ids rise by one a message.
# none: only the connection's own order, and a checksum where there is one.
Order = Literal["span", "prev", "step", "none"]


class BookSnapshot(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A whole book, as a frame or a REST reply states it; levels in any order."""

    kind: Kind
    symbol: str
    captured_ts: datetime
    event_ts: datetime | None = None
    last_id: int | None = None  # the last change it holds; none where the venue counts none
    bids: Sequence[Level]
    asks: Sequence[Level]
    depth: int | None = None  # the most levels a side it may have; none: it has all
    checksum: int | None = None


class BookDiff(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What changed in a book: quantities are the new ones, not differences."""

    kind: Kind
    symbol: str
    captured_ts: datetime
    event_ts: datetime | None = None
    first_id: int | None = None
    last_id: int | None = None
    prev_id: int | None = None
    bids: Sequence[Level]
    asks: Sequence[Level]
    checksum: int | None = None


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """A frame about the connection itself; `error`: the venue refuses what was asked, `text` says why."""

    event: Literal["subscribed", "alive", "error", "other"]
    text: str = ""
    reply: str | None = None  # what must be sent back at once, as Deribit's test_request


Said: TypeAlias = Record | BookSnapshot | BookDiff | Control | Reject

NoteEvent = Literal["connected", "continued", "disconnected", "silent", "dropped", "killed", "stopped", "left"]


class Note(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the recorder knows of a connection and no frame says.

    connected: it is open, before its first frame. continued: it is still open, at the start of an hour. disconnected:
    it is closed. silent: it said nothing for too long and is given up. dropped: frames came that could not be kept.
    killed: an earlier recorder ended without a word, and what it had not written is lost. stopped: this recorder ends,
    everything it had is written. left: its channels are wanted no more, though their frames may go on.
    """

    event: NoteEvent
    channels: tuple[str, ...] = ()  # of this connection; none: all of the stream
    since_ts: datetime | None = None  # when what is noted began; none: now
    frames: int | None = None  # how many were dropped
    reason: str = ""


class Told(NamedTuple):
    """What a channel is about: the lake dataset, and whose; a channel of all symbols names them by one word."""

    dataset: str
    kind: Kind
    symbol: str


@dataclass(frozen=True, slots=True)
class Keepalive:
    """A text that the venue wants to hear; without one, the protocol's own pings do."""

    text: str
    every_s: float


@dataclass(frozen=True, slots=True)
class Subscription:
    """One connection: which channels it carries and the text frames that ask for them, in order."""

    channels: tuple[str, ...]
    frames: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of connection of a venue.

    A channel is the smallest thing that can be subscribed to, in this adapter's spelling.
    `read` raises `Refused` for a frame that it does not know; a frame so lost breaks the books of its connection.
    A book's snapshot comes by REST where there is a `snapshot`, otherwise by subscribing. `renew` is what to send for
    another one of one symbol on the open connection; where both are none, every message is a whole book.
    """

    name: str  # lower-case letters, digits and underscores
    url: str  # wss://…
    docs_url: str
    channels: Callable[[Plan], Sequence[str]]
    tells: Callable[[str], Told]  # what a channel is about
    subscribe: Callable[[Sequence[str]], Sequence[str]]
    read: Callable[[Reply], Iterator[Said]]
    silence_s: float  # without a frame for so long, the connection is dead
    max_channels: int  # a connection, by the documentation
    frames_per_s: float = 1.0  # what we may send on a connection
    connections_per_minute: int = 60  # from one address
    max_age_s: float | None = None  # after which the venue closes it
    keepalive: Keepalive | None = None
    order: Order = "none"
    window: int | None = None  # the levels a side that diffs tell of; what is pushed beyond is not told of again
    checksum: Callable[[Sequence[Level], Sequence[Level]], int] | None = None  # of the ten best bids and asks
    patches_tickers: bool = False  # its tickers say only what changed since the last
    counts_trades: bool = False  # trade ids of one symbol rise by one
    named_by: re.Pattern[bytes] | None = None  # finds in a frame what, joined by `joint`, is its channel
    joint: str = ""
    renew: Callable[[str], Sequence[str]] | None = None
    snapshot: Callable[[str], Request] | None = None
    read_snapshot: Callable[[Reply], Iterator[BookSnapshot]] | None = None

    def dataset_of(self, frame: bytes) -> str | None:
        """The dataset of the channel that a frame names, whatever else is wrong with it; none where it names none."""
        found = self.named_by.search(frame[:NAMED_WITHIN]) if self.named_by is not None else None
        try:
            told = self.told(self.joint.join(part.decode() for part in found.groups())) if found else None
        except UnicodeDecodeError:
            return None
        return None if told is None else told.dataset

    def told(self, channel: str) -> Told | None:
        """What a channel is about; none where it is no channel of ours, as of a symbol that no grammar knows."""
        try:
            return self.tells(channel)
        except (LookupError, ValueError):  # `Refused` among them
            return None

    def wanted(self, plan: Plan) -> list[str]:
        """The channels that this plan takes, each once."""
        return [channel for channel in dict.fromkeys(self.channels(plan)) if self.told(channel) is not None]

    @property
    def path(self) -> str:
        """What the envelopes of its frames and notes carry as their path."""
        return PATH + self.name

    def subscriptions(self, plan: Plan) -> list[Subscription]:
        """The connections that this plan takes, each within the venue's limit."""
        return self.shared_out(self.wanted(plan))

    def shared_out(self, wanted: Sequence[str]) -> list[Subscription]:
        """The connections that these channels take."""
        shares = [tuple(wanted[at : at + self.max_channels]) for at in range(0, len(wanted), self.max_channels)]
        return [Subscription(share, tuple(self.subscribe(share))) for share in shares]

    def books(self, channels: Sequence[str]) -> list[str]:
        """The symbols whose books these channels tell."""
        told = [self.told(channel) for channel in channels]
        return list(dict.fromkeys(each.symbol for each in told if each is not None and each.dataset == "order_books"))


# Digits and points as one letter: a run of over 16 may be a number that a float64 would change.
_DIGITS = bytes(ord("#") if chr(code) in "0123456789." else ord(" ") for code in range(256))


def refuse_long_numbers(body: bytes, what: str) -> None:
    """As `refuse_beyond_float64`, and many times as fast on a frame that has no number so long."""
    if b"#" * 17 in body.translate(_DIGITS):
        refuse_beyond_float64(body, what)
