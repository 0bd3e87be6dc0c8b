"""What KuCoin's replies share, spot and futures: the code, the list, nanoseconds, and budgets.

https://www.kucoin.com/docs-new/rate-limit
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from ingestion.venues.base import Refused, Reply, decode, instant
from ingestion.venues.columnwise import Ints, from_epoch, of_each

DOCS = "https://www.kucoin.com/docs-new/"
PUBLIC_WEIGHT_A_MINUTE = 4_000  # 2,000 in 30 s by IP address, of all public endpoints


class _Answer(msgspec.Struct):
    code: str
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


_ANSWER = msgspec.json.Decoder(_Answer)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def answer(reply: Reply, venue: str) -> bytes:
    """What the reply wraps; an error that KuCoin reports in a reply of status 200 is `Refused`."""
    found = decode(_ANSWER, reply.body, f"{venue} {reply.path}")
    if found.code != "200000":
        raise Refused("venue_error", f"{venue} {reply.path}: code {found.code[:20]}, {found.msg[:120]}")
    return bytes(found.data)


def entries(reply: Reply, venue: str) -> list[msgspec.Raw]:
    return decode(_LIST, answer(reply, venue), f"{venue} {reply.path}: data")


def asked(reply: Reply, venue: str) -> str:
    """Whose rows these are, where only the question says."""
    symbol = reply.query.get("symbol", "")
    if not symbol:
        raise Refused("unknown_symbol", f"{venue} {reply.path}: no symbol was asked for, and the reply names none")
    return symbol


def at_ns(nanoseconds: int) -> datetime:
    """By whole microseconds: as a float64 a count of nanoseconds is off by up to 128."""
    return instant(nanoseconds // 1_000, 1e-6)


def from_ns(nanoseconds: Sequence[int]) -> Ints:
    """Microseconds of many such counts."""
    return from_epoch(of_each(nanoseconds, lambda each: each // 1_000), 1e-6)
