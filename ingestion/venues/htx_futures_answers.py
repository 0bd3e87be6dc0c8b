"""What HTX Futures' replies share: the status, the rows, and whose channel a reply is of."""

from itertools import chain

import msgspec

from ingestion.records import Kind
from ingestion.venues.base import Refused, Reply, decode, instant
from ingestion.venues.htx_futures_names import VENUE, contract_code
from ingestion.venues.wire import Seen

OK_OF_V3 = 200


class Answer(msgspec.Struct):
    """Reference data stands in `data`, market data in `tick`, `ticks` or `data` with the channel beside it."""

    status: str | None = None  # v3 has `code` instead
    code: int | None = None
    msg: str = ""
    err_code: int | str | None = None
    err_msg: str = ""
    market_code: int | str = msgspec.field(name="err-code", default="")
    market_msg: str = msgspec.field(name="err-msg", default="")
    ts: int | None = None
    ch: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")
    tick: msgspec.Raw = msgspec.Raw(b"null")
    ticks: msgspec.Raw = msgspec.Raw(b"null")


class _Group(msgspec.Struct):
    data: list[msgspec.Raw]


ANSWER = msgspec.json.Decoder(Answer)
_GROUP = msgspec.json.Decoder(_Group)
_GROUPS = msgspec.json.Decoder(list[_Group])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def answer(reply: Reply) -> Answer:
    """The reply unwrapped; an error or a maintenance that HTX reports in a reply of status 200 is `Refused`."""
    found = decode(ANSWER, reply.body, f"{VENUE} {reply.path}")
    if found.status == "ok" or (found.status is None and found.code == OK_OF_V3):
        return found
    why = (
        found.status or found.code,
        found.err_code or found.market_code,
        found.err_msg or found.market_msg or found.msg,
    )
    said = ", ".join(str(part)[:120] for part in why if part)
    raise Refused("venue_error", f"{VENUE} {reply.path}: status {said or 'not told'}")


def entries(raw: msgspec.Raw, reply: Reply) -> list[msgspec.Raw]:
    """The rows of a reply; of a question about one contract, some endpoints answer with its row alone."""
    if bytes(raw).lstrip().startswith(b"{"):
        return [raw]
    return decode(_LIST, bytes(raw), f"{VENUE} {reply.path}: rows")


def channel(found: Answer, reply: Reply) -> tuple[str, str]:
    """The contract's code and what of it, from `market.BTC_CW.depth.step0`; `Refused` where another was asked."""
    head, _, rest = found.ch.partition(".")
    symbol, _, what = rest.partition(".")
    asked = reply.query.get("contract_code") or reply.query.get("symbol") or symbol
    at = reply.captured_ts if found.ts is None else instant(found.ts)
    code = contract_code(symbol, at)
    if head != "market" or not what or contract_code(asked, at) != code:
        raise Refused("symbol", f"{VENUE} {reply.path}: channel '{found.ch[:60]}' came where '{asked[:40]}' was asked")
    return code, what


def seen_by(reply: Reply, symbol: str, kind: Kind, ts: int | None) -> Seen:
    return {
        "venue": VENUE,
        "symbol": symbol,
        "kind": kind,
        "captured_ts": reply.captured_ts,
        "event_ts": None if ts is None else instant(ts),
    }


def counted_once(both_sides: float) -> float:
    """What changed hands: HTX adds what was bought to what was sold.

    Documented of every volume, and seen: of 3,219 trades of April 2020 not one has an odd number of contracts,
    of the 150 asks beside them 74 do. Open interest is documented alike but is counted once: it may be odd.
    """
    return both_sides / 2


def inner(rows: msgspec.Raw, reply: Reply) -> list[msgspec.Raw]:
    """Rows of groups of rows, as trades by the order that took."""
    try:
        groups = _GROUPS.decode(rows)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        groups = [decode(_GROUP, bytes(each), f"{VENUE} {reply.path}: group") for each in entries(rows, reply)]
    return list(chain.from_iterable(group.data for group in groups))
