"""Pools of two tokens on a chain, whose price is the ratio of what they hold: their reserves, by `getReserves()`.

https://docs.uniswap.org/contracts/v2/reference/smart-contracts/pair
Reserves are uint112, whole numbers of a token's smallest unit, more than 64 bits hold.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

import msgspec

from ingestion.records import PoolReserves, Record
from ingestion.venues.base import Endpoint, Plan, Refused, Reject, Reply, Request, instant
from ingestion.venues.json_rpc import BLOCK, CALL, Call, Quantity, amount, answered, batch

GET_RESERVES = "0x0902f1ac"  # the selector of getReserves()
_THREE_WORDS = re.compile(r"0x([0-9a-fA-F]{64})([0-9a-fA-F]{64})([0-9a-fA-F]{64})")
RESERVE_BITS, INSTANT_BITS = 112, 32


@dataclass(frozen=True, slots=True)
class Token:
    """A token's contract, the asset that it stands for, and how many decimals make one of it."""

    address: str
    asset: str
    decimals: int


@dataclass(frozen=True, slots=True)
class Pool:
    """A pair's contract; `base` is priced in `quote`."""

    address: str
    base: Token
    quote: Token

    @property
    def is_base_first(self) -> bool:
        """The contract's token0 is the one of the lower address."""
        return int(self.base.address, 16) < int(self.quote.address, 16)


class _Head(msgspec.Struct):
    number: Quantity
    timestamp: Quantity


class _Reserves(NamedTuple):
    base: int
    quote: int
    changed_ts: datetime | None


def pool_endpoint(name: str, chain_id: int, pools: Sequence[Pool]) -> Endpoint:
    """The reserves of these pools and the newest block, asked in one batch so that they are of one moment."""
    return Endpoint(
        "pool_reserves",
        "/",
        partial(_parse, name, chain_id, {pool.address.lower(): pool for pool in pools}),
        partial(_requests, pools),
        weight=1 + len(pools),
        is_reference=True,
        when=asks_reserves,
    )


def asks_reserves(query: Mapping[str, str]) -> bool:
    """Whether a question was about pools; all questions to a chain have one path."""
    return GET_RESERVES in query.values()


def _requests(pools: Sequence[Pool], plan: Plan) -> list[Request]:
    wanted = [pool for pool in pools if pool.base.asset in plan.underlyings]
    asked: list[tuple[str, list[Any]]] = [(BLOCK, ["latest", False])]
    asked += [(CALL, [{"to": pool.address, "data": GET_RESERVES}, "latest"]) for pool in wanted]
    return [Request.post("/", batch(asked))] if wanted else []


def _parse(name: str, chain_id: int, pools: Mapping[str, Pool], reply: Reply) -> Iterator[Record | Reject]:
    """A row a pool; a call that failed costs itself alone, and without the block its number and clock."""
    block: dict[str, Any] = {}
    found: list[tuple[Pool, _Reserves]] = []
    for call, answer in answered(name, reply):
        try:
            told = answer.told()
            if call.method == BLOCK:
                head = msgspec.json.decode(told, type=_Head)
                block = {
                    "block_number": amount(head.number),
                    "event_ts": instant(amount(head.timestamp), 1.0),
                }
            else:
                pool = _pool(pools, call)
                found.append((pool, _reserves(pool, msgspec.json.decode(told, type=str))))
        except (msgspec.DecodeError, Refused) as error:
            yield Reject("schema", f"{name} {call.method}: {error}", msgspec.json.encode(answer))
    for pool, reserves in found:
        yield PoolReserves(
            venue=name,
            symbol=pool.address,
            kind="spot",
            captured_ts=reply.captured_ts,
            chain_id=chain_id,
            base_asset=pool.base.asset,
            quote_asset=pool.quote.asset,
            base_reserve_units=Decimal(reserves.base),
            quote_reserve_units=Decimal(reserves.quote),
            base_decimals=pool.base.decimals,
            quote_decimals=pool.quote.decimals,
            changed_ts=reserves.changed_ts,
            **block,
        )


def _pool(pools: Mapping[str, Pool], call: Call) -> Pool:
    if call.method != CALL or call.data != GET_RESERVES:
        raise Refused("unknown_endpoint", f"{call.method} {call.data}: no parser knows this call")
    address = call.params.get("0.to", "")
    if address.lower() not in pools:
        raise Refused("unknown_symbol", f"{address}: no pool of the table")
    return pools[address.lower()]


def _reserves(pool: Pool, text: str) -> _Reserves:
    words = _THREE_WORDS.fullmatch(text)
    if words is None:
        raise Refused("schema", f"{text[:80]!r}: expected three words of 32 bytes")
    first, second = (amount(word, RESERVE_BITS) for word in words.groups()[:2])
    if not first or not second:
        raise Refused("range", f"{pool.address}: reserves of {first} and {second} (expected both above zero)")
    changed_s = amount(words[3], INSTANT_BITS)
    base, quote = (first, second) if pool.is_base_first else (second, first)
    return _Reserves(base, quote, instant(changed_s, 1.0) if changed_s else None)
