"""Chains of the Ethereum family: what a transaction costs on them, and what pools hold, over JSON-RPC.

https://ethereum.github.io/execution-apis/ · https://specs.optimism.io/protocol/fjord/predeploys.html
Any node of the chain answers; `BAROGRAPH_URL_<CHAIN>` names one's own. Amounts are wei, hexadecimal on the wire.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import msgspec

from ingestion.records import GasPrice, Instrument, Kind, Record
from ingestion.venues.base import Endpoint, Refused, Reject, Reply, Request, Venue, instant
from ingestion.venues.evm_pools import Pool, asks_reserves, pool_endpoint
from ingestion.venues.json_rpc import BLOCK, CALL, Call, Quantity, amount, answered, batch

DOCS = "https://ethereum.github.io/execution-apis/"
BLOCKS = 20
PERCENTILES = (10, 50, 90)  # of a block's gas, by the tip that it paid
FEE_HISTORY, GAS_PRICE = "eth_feeHistory", "eth_gasPrice"

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


def chain(
    name: str, chain_id: int, coin: str, base_url: str, *, is_op_stack: bool = False, pools: Sequence[Pool] = ()
) -> Venue:
    """A chain as a venue: its gas, paid in `coin`, and the reserves of these pools."""
    parse = partial(_parse, name, chain_id, coin)
    calls = _calls(is_op_stack)
    gas = Endpoint(
        "gas_prices",
        "/",
        parse,
        lambda plan: [Request.post("/", calls)],
        weight=len(calls),
        when=lambda query: not asks_reserves(query),
    )
    return Venue(
        name=name,
        base_url=base_url,
        docs_url=DOCS,
        endpoints=(gas, pool_endpoint(name, chain_id, pools)) if pools else (gas,),
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
        asked += [(CALL, [{"to": ORACLE, "data": data}, "latest"]) for data in ORACLE_SAYS]
    return batch(asked)


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


def _parse(name: str, chain_id: int, coin: str, reply: Reply) -> Iterator[Record | Reject]:
    """A reply to one call or to a batch, in any order; a call that failed costs itself alone.

    One row a block. A price that names no block is of the newest that the same reply names. Where two calls speak of
    one block the first holds: nodes round the share of gas used differently.
    """
    facts: list[tuple[int | None, dict[str, Any]]] = []
    for call, answer in answered(name, reply):
        try:
            facts += _facts(call, answer.told())
        except (msgspec.DecodeError, Refused) as error:
            yield Reject("schema", f"{name} {call.method}: {error}", msgspec.json.encode(answer))
    newest = max((block for block, _ in facts if block is not None), default=None)
    rows: dict[int | None, dict[str, Any]] = {}
    for block, told in facts:
        row = rows.setdefault(newest if block is None else block, {})
        row |= {field: value for field, value in told.items() if field not in row}
    seen: dict[str, Any] = {"venue": name, "symbol": coin, "kind": "spot", "captured_ts": reply.captured_ts}
    for block, row in rows.items():
        yield GasPrice(**seen, chain_id=chain_id, block_number=block, **row)


def _percentiles(call: Call) -> tuple[float, ...]:
    """Those of a fee history, as they were asked for."""
    found = sorted((int(m[1]), float(v)) for k, v in call.params.items() if (m := re.fullmatch(r"2\.([0-9]+)", k)))
    return tuple(value for _, value in found)


def _facts(call: Call, result: bytes) -> list[tuple[int | None, dict[str, Any]]]:
    if call.method == FEE_HISTORY:
        return _history(msgspec.json.decode(result, type=_FeeHistory), _percentiles(call))
    if call.method == BLOCK:
        return [_block(msgspec.json.decode(result, type=_Block))]
    told = amount(msgspec.json.decode(result, type=Quantity))
    if call.method == GAS_PRICE:
        return [(None, {"gas_price_wei": told})]
    if call.method == CALL and call.data in ORACLE_SAYS:
        column = ORACLE_SAYS[call.data]
        return [(None, {column: told} | ({"l1_tx_bytes": L1_TX_BYTES} if column == "l1_data_fee_wei" else {}))]
    raise Refused("unknown_endpoint", f"{call.method} {call.data}: no parser knows this call")


def _history(told: _FeeHistory, percentiles: Sequence[float]) -> list[tuple[int | None, dict[str, Any]]]:
    fees, blocks = [amount(fee) for fee in told.base_fee_per_gas], len(told.gas_used_ratio)
    if len(fees) != blocks + 1:
        raise Refused("schema", f"{len(fees)} base fees of {blocks} blocks (expected one more than blocks)")
    if told.reward is not None and (
        len(told.reward) != blocks or any(len(tips) != len(percentiles) for tips in told.reward)
    ):
        raise Refused("schema", f"rewards of {len(told.reward)} blocks (expected {blocks}, {len(percentiles)} each)")
    oldest = amount(told.oldest_block)
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
        f"priority_fee_p{percentile:.0f}_wei": amount(tip)
        for percentile, tip in zip(percentiles, tips, strict=False)
        if percentile in PERCENTILES
    }


def _block(told: _Block) -> tuple[int, dict[str, Any]]:
    limit = amount(told.gas_limit)
    return amount(told.number), {
        "event_ts": instant(amount(told.timestamp), 1.0),
        "base_fee_wei": None if told.base_fee_per_gas is None else amount(told.base_fee_per_gas),
        "gas_used_frac": amount(told.gas_used) / limit if limit else None,
    }


def _no_terms(name: str, symbol: str, kind: Kind, hour: object) -> Instrument:
    raise Refused("unknown_symbol", f"{name} {kind} {symbol}: a chain lists no instruments")
