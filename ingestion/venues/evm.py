"""Chains of the Ethereum family: what a transaction costs on them, over JSON-RPC.

https://ethereum.github.io/execution-apis/ · https://specs.optimism.io/protocol/fjord/predeploys.html
Any node of the chain answers; `BAROGRAPH_URL_<CHAIN>` names one's own. Amounts are wei, hexadecimal on the wire.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Any

import msgspec

from ingestion.records import GasPrice, Instrument, Kind, Record
from ingestion.venues.base import Endpoint, Refused, Reject, Reply, Request, Venue, decode, instant

DOCS = "https://ethereum.github.io/execution-apis/"
BLOCKS = 20
PERCENTILES = (10, 50, 90)  # of a block's gas, by the tip that it paid
FEE_HISTORY, GAS_PRICE, BLOCK = "eth_feeHistory", "eth_gasPrice", "eth_getBlockByNumber"

# The GasPriceOracle of every OP-stack chain, and the selectors of its methods.
ORACLE = "0x420000000000000000000000000000000000000F"
L1_TX_BYTES = 300  # an unsigned swap through a router, as a rule
ORACLE_SAYS = {
    "0x519b4bd3": "l1_base_fee_wei",  # l1BaseFee()
    "0xf8206140": "l1_blob_base_fee_wei",  # blobBaseFee()
    "0xc5985918": "l1_base_fee_scalar",  # baseFeeScalar()
    "0x68d5dca6": "l1_blob_base_fee_scalar",  # blobBaseFeeScalar()
    f"0xf1c7a58b{L1_TX_BYTES:064x}": "l1_data_fee_wei",  # getL1FeeUpperBound(uint256)
}

Quantity = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-fA-F]{1,64}$")]


def chain(name: str, chain_id: int, coin: str, base_url: str, *, is_op_stack: bool = False) -> Venue:
    """A chain as a venue of one dataset; `coin` is what its gas is paid in."""
    parse = partial(_parse, name, chain_id, coin)
    calls = _calls(is_op_stack)
    return Venue(
        name=name,
        base_url=base_url,
        docs_url=DOCS,
        endpoints=(Endpoint("gas_prices", "/", parse, lambda plan: [Request.post("/", calls)], weight=len(calls)),),
        terms=partial(_no_terms, name),
        weight_per_minute=120,
    )


def _calls(is_op_stack: bool) -> list[dict[str, Any]]:
    asked: list[tuple[str, list[Any]]] = [
        (FEE_HISTORY, [hex(BLOCKS), "latest", list(PERCENTILES)]),
        (GAS_PRICE, []),
        (BLOCK, ["latest", False]),
    ]
    if is_op_stack:
        asked += [("eth_call", [{"to": ORACLE, "data": data}, "latest"]) for data in ORACLE_SAYS]
    return [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        for number, (method, params) in enumerate(asked, start=1)
    ]


class _Answer(msgspec.Struct):
    id: int | str
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"null")


class _FeeHistory(msgspec.Struct, rename="camel"):
    oldest_block: Quantity
    base_fee_per_gas: list[Quantity]  # one more than blocks: the next block's
    gas_used_ratio: list[float]
    reward: list[list[Quantity]] | None = None  # a block's tips by the percentiles that were asked for


class _Block(msgspec.Struct, rename="camel"):
    number: Quantity
    timestamp: Quantity
    gas_used: Quantity
    gas_limit: Quantity
    base_fee_per_gas: Quantity | None = None  # none before London, or where the chain burns none


_ONE = msgspec.json.Decoder(_Answer)
_SEVERAL = msgspec.json.Decoder(list[_Answer])


def _parse(name: str, chain_id: int, coin: str, reply: Reply) -> Iterator[Record | Reject]:
    """A reply to one call or to a batch, in any order; a call that failed costs itself alone.

    One row a block. A price that names no block is of the newest that the same reply names. Where two calls speak of
    one block the first holds: nodes round the share of gas used differently.
    """
    is_batch = reply.body.lstrip().startswith(b"[")
    answers = decode(_SEVERAL, reply.body, f"{name} {reply.path}") if is_batch else [_single(name, reply)]
    asked = _asked(reply)
    facts: list[tuple[int | None, dict[str, Any]]] = []
    for answer in answers:
        call = asked.get(str(answer.id))
        if call is None:
            raise Refused("schema", f"{name}: an answer to call {answer.id}, which was not asked")
        try:
            facts += _facts(call, answer)
        except (msgspec.DecodeError, Refused) as error:
            yield Reject("schema", f"{name} {call[0]}: {error}", msgspec.json.encode(answer))
    newest = max((block for block, _ in facts if block is not None), default=None)
    rows: dict[int | None, dict[str, Any]] = {}
    for block, told in facts:
        row = rows.setdefault(newest if block is None else block, {})
        row |= {field: value for field, value in told.items() if field not in row}
    seen: dict[str, Any] = {"venue": name, "symbol": coin, "kind": "spot", "captured_ts": reply.captured_ts}
    for block, row in rows.items():
        yield GasPrice(**seen, chain_id=chain_id, block_number=block, **row)


def _single(name: str, reply: Reply) -> _Answer:
    return decode(_ONE, reply.body, f"{name} {reply.path}")


def _asked(reply: Reply) -> dict[str, tuple[str, str, tuple[float, ...]]]:
    """By call id: the method, its call data if any, and the percentiles of a fee history."""
    calls: dict[str, dict[str, str]] = {}
    for key, value in reply.query.items():
        place, dot, rest = key.partition(".")
        calls.setdefault(place if dot and place.isdigit() else "", {})[rest if place.isdigit() else key] = value
    return {
        call["id"]: (call["method"], call.get("params.0.data", ""), _percentiles(call))
        for call in calls.values()
        if "id" in call and "method" in call
    }


def _percentiles(call: dict[str, str]) -> tuple[float, ...]:
    found = sorted((int(m[1]), float(v)) for k, v in call.items() if (m := re.fullmatch(r"params\.2\.([0-9]+)", k)))
    return tuple(value for _, value in found)


def _facts(call: tuple[str, str, tuple[float, ...]], answer: _Answer) -> list[tuple[int | None, dict[str, Any]]]:
    method, data, percentiles = call
    if bytes(answer.error) != b"null":
        raise Refused("venue_error", bytes(answer.error)[:200].decode(errors="replace"))
    result = bytes(answer.result)
    if method == FEE_HISTORY:
        return _history(msgspec.json.decode(result, type=_FeeHistory), percentiles)
    if method == BLOCK:
        return [_block(msgspec.json.decode(result, type=_Block))]
    amount = _amount(msgspec.json.decode(result, type=Quantity))
    if method == GAS_PRICE:
        return [(None, {"gas_price_wei": amount})]
    if method == "eth_call" and data in ORACLE_SAYS:
        column = ORACLE_SAYS[data]
        return [(None, {column: amount} | ({"l1_tx_bytes": L1_TX_BYTES} if column == "l1_data_fee_wei" else {}))]
    raise Refused("unknown_endpoint", f"{method} {data}: no parser knows this call")


def _history(told: _FeeHistory, percentiles: Sequence[float]) -> list[tuple[int | None, dict[str, Any]]]:
    fees, blocks = [_amount(fee) for fee in told.base_fee_per_gas], len(told.gas_used_ratio)
    if len(fees) != blocks + 1:
        raise Refused("schema", f"{len(fees)} base fees of {blocks} blocks (expected one more than blocks)")
    if told.reward is not None and (
        len(told.reward) != blocks or any(len(tips) != len(percentiles) for tips in told.reward)
    ):
        raise Refused("schema", f"rewards of {len(told.reward)} blocks (expected {blocks}, {len(percentiles)} each)")
    oldest = _amount(told.oldest_block)
    return [
        (
            oldest + n,
            {"base_fee_wei": fees[n], "next_base_fee_wei": fees[n + 1], "gas_used_frac": told.gas_used_ratio[n]}
            | _tips(percentiles, told.reward[n] if told.reward else ()),
        )
        for n in range(blocks)
    ]


def _tips(percentiles: Sequence[float], tips: Sequence[str]) -> dict[str, int]:
    """Tips by the column of their percentile; other percentiles have none."""
    return {
        f"priority_fee_p{percentile:.0f}_wei": _amount(tip)
        for percentile, tip in zip(percentiles, tips, strict=False)
        if percentile in PERCENTILES
    }


def _block(told: _Block) -> tuple[int, dict[str, Any]]:
    limit = _amount(told.gas_limit)
    return _amount(told.number), {
        "event_ts": instant(_amount(told.timestamp), 1.0),
        "base_fee_wei": None if told.base_fee_per_gas is None else _amount(told.base_fee_per_gas),
        "gas_used_frac": _amount(told.gas_used) / limit if limit else None,
    }


def _amount(text: str) -> int:
    value = int(text, 16)
    if value >= 2**63:
        raise Refused("range", f"{text[:20]}… is over 2^63 wei")
    return value


def _no_terms(name: str, symbol: str, kind: Kind, hour: object) -> Instrument:
    raise Refused("unknown_symbol", f"{name} {kind} {symbol}: a chain lists no instruments")
