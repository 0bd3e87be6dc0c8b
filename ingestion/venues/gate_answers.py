"""What Gate's replies share: rows or an error, whose market a path is of, and what was asked."""

import re
from datetime import datetime
from typing import Literal

import msgspec

from ingestion.records import Kind
from ingestion.venues.base import ANY, Refused, Reply, decode, instant
from ingestion.venues.wire import Seen

_MARKET = re.compile(r"/api/v4/(?P<product>futures|delivery)/((?P<settle>usdt|btc)/)?.+")


class _Failure(msgspec.Struct):
    label: str | None = None
    message: str = ""


_FAILURE = msgspec.json.Decoder(_Failure)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def refuse_failure(reply: Reply) -> None:
    """Refuse an error reply, whatever its status, in the venue's own words."""
    if reply.body.lstrip().startswith(b"{"):
        failure = decode(_FAILURE, reply.body, f"gate {reply.path}")
        if failure.label is not None:
            raise Refused("venue_error", f"gate {reply.path}: {failure.label[:40]}, {failure.message[:120]}")


def row_list(reply: Reply) -> msgspec.Raw:
    """The list of a reply's rows; where one contract was asked for by its path, the reply is its row."""
    refuse_failure(reply)
    is_row = reply.body.lstrip().startswith(b"{")
    return decode(ANY, b"[%b]" % reply.body if is_row else reply.body, f"gate {reply.path}")


def entries(reply: Reply) -> list[msgspec.Raw]:
    """The rows of a reply; `Refused` as `row_list`."""
    return decode(_LIST, bytes(row_list(reply)), f"gate {reply.path}")


def market_of(reply: Reply) -> tuple[Kind, str]:
    """Kind and settlement coin, which only the path tells.

    Paths of 2019 name no settlement: everything was settled in bitcoin (`volume_24h_btc` of the tickers is contracts
    x multiplier x price).
    """
    found = _MARKET.fullmatch(reply.path)
    if found is None:
        raise Refused("unknown_endpoint", f"gate {reply.path}: tells no market")
    return ("perp" if found["product"] == "futures" else "future"), (found["settle"] or "btc").upper()


def asked(reply: Reply, name: Literal["currency_pair", "contract"]) -> str:
    """Whose rows these are, where only the question says."""
    symbol = reply.query.get(name, "")
    if not symbol:
        raise Refused("unknown_symbol", f"gate {reply.path}: no {name} was asked for, and the reply names none")
    return symbol


def refuse_merged(reply: Reply) -> None:
    """Refuse a book whose levels the question had merged into steps of `interval`: no price need be an order's."""
    step = reply.query.get("interval", "0")
    if step != "0":
        raise Refused("merged", f"gate {reply.path}: levels merged into steps of {step[:20]}")


def seen_by(reply: Reply, symbol: str, kind: Kind, event_ts: datetime | None = None) -> Seen:
    return {
        "venue": "gate",
        "symbol": symbol,
        "kind": kind,
        "captured_ts": reply.captured_ts,
        "event_ts": event_ts,
    }


def at_s(seconds: float) -> datetime:
    """Futures count seconds, to the millisecond behind the point; `create_time_ms` does so too."""
    return instant(round(seconds * 1_000))


def at_ms(milliseconds: float) -> datetime:
    """Spot counts milliseconds, to the microsecond behind the point."""
    return instant(round(milliseconds * 1_000), 1e-6)
