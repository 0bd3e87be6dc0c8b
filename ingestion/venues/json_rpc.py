"""JSON-RPC as nodes of a chain speak it: calls asked one by one or as a batch, and their answers in any order.

https://ethereum.github.io/execution-apis/
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec

from ingestion.venues.base import Refused, Reply, decode

CALL, BLOCK = "eth_call", "eth_getBlockByNumber"

Quantity = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-fA-F]{1,64}$")]


class Call(NamedTuple):
    """A call as it was asked; parameters by their dotted places: `0.to`, `0.data`."""

    method: str
    params: Mapping[str, str]

    @property
    def data(self) -> str:
        return self.params.get("0.data", "")


class Answer(msgspec.Struct):
    """What a node says to one call."""

    id: int | str
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"null")

    def told(self) -> bytes:
        """The result as JSON; raises `Refused` for an error."""
        if bytes(self.error) != b"null":
            raise Refused("venue_error", bytes(self.error)[:200].decode(errors="replace"))
        return bytes(self.result)


_ONE = msgspec.json.Decoder(Answer)
_SEVERAL = msgspec.json.Decoder(list[Answer])


def batch(asked: Sequence[tuple[str, list[Any]]]) -> list[dict[str, Any]]:
    """Calls (method, parameters) as one question, numbered from 1."""
    return [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        for number, (method, params) in enumerate(asked, start=1)
    ]


def answered(name: str, reply: Reply) -> Iterator[tuple[Call, Answer]]:
    """Each answer with its call; raises `Refused` for what is no reply, and for an answer to what was not asked."""
    what = f"{name} {reply.path}"
    is_batch = reply.body.lstrip().startswith(b"[")
    answers = decode(_SEVERAL, reply.body, what) if is_batch else [decode(_ONE, reply.body, what)]
    asked = _asked(reply)
    for answer in answers:
        call = asked.get(str(answer.id))
        if call is None:
            raise Refused("schema", f"{name}: an answer to call {answer.id}, which was not asked")
        yield call, answer


def amount(text: str, bits: int = 63) -> int:
    """A quantity of at most so many bits; raises `Refused`."""
    value = int(text, 16)
    if value >= 2**bits:
        raise Refused("range", f"{text[:20]}… is over 2^{bits}")
    return value


def _asked(reply: Reply) -> dict[str, Call]:
    """By call id; a batch stands in the query by places, a single call without."""
    calls: dict[str, dict[str, str]] = {}
    for key, value in reply.query.items():
        place, dot, rest = key.partition(".")
        calls.setdefault(place if dot and place.isdigit() else "", {})[rest if place.isdigit() else key] = value
    return {
        call["id"]: Call(call["method"], {k.removeprefix("params."): v for k, v in call.items() if "params." in k})
        for call in calls.values()
        if "id" in call and "method" in call
    }
