"""What every Bybit v5 reply shares: the return code, the venue's clock, the list."""

from contextlib import suppress
from datetime import datetime
from typing import Literal

import msgspec

from ingestion.columns import as_instants
from ingestion.records import Kind
from ingestion.venues.base import Refused, Reply, decode, instant
from ingestion.venues.bybit_names import read_name
from ingestion.venues.wire import Seen


class Answer(msgspec.Struct, rename="camel"):
    ret_code: int
    ret_msg: str
    result: msgspec.Raw = msgspec.Raw(b"null")
    time: int | None = None

    @property
    def event_ts(self) -> datetime | None:
        return None if self.time is None else instant(self.time)

    @property
    def event_us(self) -> int | None:
        return as_instants([self.event_ts])[0]


class Listing(msgspec.Struct, rename="camel"):
    list: list[msgspec.Raw]
    category: str = ""
    next_page_cursor: str = ""


class _Listed(msgspec.Struct):
    list: msgspec.Raw


class _Answered(msgspec.Struct, rename="camel"):
    """A whole reply that is no error."""

    ret_code: Literal[0]
    ret_msg: str
    result: _Listed
    time: int | None = None


_ANSWER = msgspec.json.Decoder(Answer)
_LISTED, _ANSWERED = msgspec.json.Decoder(_Listed), msgspec.json.Decoder(_Answered)
_LISTING = msgspec.json.Decoder(Listing)


def answer(reply: Reply) -> Answer:
    """The reply unwrapped; an error that Bybit reports in a reply of status 200 is `Refused`."""
    found = decode(_ANSWER, reply.body, f"bybit {reply.path}")
    if found.ret_code != 0:
        raise Refused("venue_error", f"bybit {reply.path}: retCode {found.ret_code}, {found.ret_msg[:120]}")
    return found


def listing(found: Answer, reply: Reply) -> Listing:
    return decode(_LISTING, bytes(found.result), f"bybit {reply.path}: result")


def row_list(reply: Reply) -> msgspec.Raw:
    """The list of a reply's rows."""
    with suppress(Refused):
        return decode(_ANSWERED, reply.body, "").result.list
    # In two steps, which say what is wrong.
    return decode(_LISTED, bytes(answer(reply).result), f"bybit {reply.path}: result").list


def seen_by(reply: Reply, symbol: str, kind: Kind, event_ts: datetime | None) -> Seen:
    return {
        "venue": "bybit",
        "symbol": symbol,
        "kind": kind,
        "captured_ts": reply.captured_ts,
        "event_ts": event_ts,
    }


def kind_asked(reply: Reply, symbol: str) -> Kind:
    """Of what kind a book or trade is: what is spot, only the question says."""
    category = reply.query.get("category")
    if category not in ("spot", "linear", "inverse", "option"):
        raise Refused("unknown_symbol", f"bybit {reply.path}: category '{category}' tells no kind")
    return "spot" if category == "spot" else read_name(symbol).kind
