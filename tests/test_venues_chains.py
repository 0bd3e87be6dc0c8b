"""Gas of EVM chains, by the documentation's arithmetic and by the traps of JSON-RPC."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ingestion.records import GasPrice
from ingestion.venues import VENUES
from ingestion.venues.base import Refused, Reject, Reply, Request
from ingestion.venues.chains import BASE, ETHEREUM, OPTIMISM
from ingestion.venues.evm import L1_TX_BYTES, chain
from tests.test_venues import PLAN

NOW = datetime(2026, 1, 2, 13, 0, 5, tzinfo=UTC)
GWEI = 10**9


def call(number: int, method: str, *params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


def said(asked: object, told: object, venue: Any = ETHEREUM) -> list[Any]:
    return list(venue.parse(Reply.read("/", "", json.dumps(told).encode(), NOW, json.dumps(asked))))


def result(number: int, value: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "result": value}


HISTORY = {
    "oldestBlock": hex(100),
    "baseFeePerGas": [hex(30 * GWEI), hex(33 * GWEI), hex(32 * GWEI)],
    "gasUsedRatio": [0.9, 0.4],
    "reward": [[hex(1), hex(2), hex(3)], [hex(4), hex(5), hex(6)]],
}
ASKED_HISTORY = call(1, "eth_feeHistory", "0x2", "latest", [10, 50, 90])


class TestOneCall:
    def test_a_fee_history_is_a_row_a_block_with_the_fee_of_the_next(self) -> None:
        first, second = said(ASKED_HISTORY, result(1, HISTORY))

        assert (first.venue, first.symbol, first.chain_id, first.block_number) == ("ethereum", "ETH", 1, 100)
        assert (first.base_fee_wei, first.next_base_fee_wei, first.gas_used_frac) == (30 * GWEI, 33 * GWEI, 0.9)
        assert (second.block_number, second.next_base_fee_wei) == (101, 32 * GWEI)
        assert (second.priority_fee_p10_wei, second.priority_fee_p50_wei, second.priority_fee_p90_wei) == (4, 5, 6)

    def test_the_next_base_fee_is_what_eip_1559_makes_of_this_block(self) -> None:
        """base × (1 + (used − target) / target / 8): 30 gwei after a block nine tenths full is 33."""
        [first, _] = said(ASKED_HISTORY, result(1, HISTORY))

        assert first.next_base_fee_wei == 30 * GWEI + 30 * GWEI * (0.9 - 0.5) / 0.5 / 8

    def test_tips_go_by_the_percentiles_that_were_asked_for(self) -> None:
        asked = call(1, "eth_feeHistory", "0x2", "latest", [50, 99])
        [row, _] = said(asked, result(1, HISTORY | {"reward": [["0x7", "0x8"], ["0x7", "0x8"]]}))

        assert (row.priority_fee_p10_wei, row.priority_fee_p50_wei, row.priority_fee_p90_wei) == (None, 7, None)

    def test_a_block_brings_its_own_clock_in_seconds(self) -> None:
        told = {"number": "0x64", "timestamp": hex(1_767_358_800), "gasUsed": "0x5", "gasLimit": "0xa"}
        [row] = said(
            call(7, "eth_getBlockByNumber", "latest", False), result(7, told | {"baseFeePerGas": "0x3b9aca00"})
        )

        assert row.event_ts == datetime(2026, 1, 2, 13, tzinfo=UTC)
        assert (row.block_number, row.gas_used_frac, row.base_fee_wei) == (100, 0.5, GWEI)

    def test_a_gas_price_alone_names_no_block(self) -> None:
        [row] = said(call(1, "eth_gasPrice"), result(1, "0x9502F900"))

        assert (row.gas_price_wei, row.block_number) == (2_500_000_000, None)


class TestABatch:
    def test_is_one_row_a_block_whatever_the_order_of_answers(self) -> None:
        block = {"number": hex(101), "timestamp": hex(1_767_358_800), "gasUsed": "0x4", "gasLimit": "0xa"}
        asked = [ASKED_HISTORY, call(2, "eth_gasPrice"), call(3, "eth_getBlockByNumber", "latest", False)]
        told = [result(3, block), result(1, HISTORY), result(2, hex(35 * GWEI))]
        rows = {row.block_number: row for row in said(asked, told)}

        assert sorted(rows) == [100, 101]
        assert rows[101].gas_price_wei == 35 * GWEI
        assert rows[101].event_ts == datetime(2026, 1, 2, 13, tzinfo=UTC)
        assert (rows[100].gas_price_wei, rows[100].event_ts) == (None, None)

    def test_a_call_that_failed_costs_itself_alone(self) -> None:
        failed = {"jsonrpc": "2.0", "id": 2, "error": {"code": -32000, "message": "too many requests"}}
        rows = said([ASKED_HISTORY, call(2, "eth_gasPrice")], [result(1, HISTORY), failed])

        [reject] = [row for row in rows if isinstance(row, Reject)]
        assert "eth_gasPrice" in reject.reason
        assert "too many requests" in reject.reason
        assert len([row for row in rows if isinstance(row, GasPrice)]) == 2

    def test_an_answer_to_what_was_not_asked_is_refused(self) -> None:
        with pytest.raises(Refused, match="call 9, which was not asked"):
            said([ASKED_HISTORY], [result(9, "0x1")])


@pytest.mark.parametrize("told", ["100", "0x", "0xzz", 100, None, "0x" + "f" * 20, ["0x1"], "-0x1"])
def test_what_is_no_amount_is_a_reject_and_never_a_row(told: object) -> None:
    rows = said(call(1, "eth_gasPrice"), result(1, told))

    assert [type(row) for row in rows] == [Reject]


@pytest.mark.parametrize(
    "changes",
    [
        {"baseFeePerGas": [hex(1), hex(2)]},
        {"reward": [["0x1", "0x2", "0x3"]]},
        {"reward": [["0x1"], ["0x1"]]},
        {"gasUsedRatio": ["full", 0.4]},
    ],
    ids=["a fee missing", "a block's tips missing", "a percentile missing", "a ratio retyped"],
)
def test_a_history_that_does_not_add_up_is_a_reject(changes: dict[str, Any]) -> None:
    assert [type(row) for row in said(ASKED_HISTORY, result(1, HISTORY | changes))] == [Reject]


class TestAnOpStackChain:
    """Beside its own gas a transaction pays for its data on the first layer."""

    FEE, BLOB_FEE, FEE_SCALAR, BLOB_FEE_SCALAR = 12 * GWEI, 3 * GWEI, 2_269, 1_055_762

    def bound(self) -> int:
        """Fjord's upper bound in whole numbers: https://specs.optimism.io/protocol/fjord/predeploys.html."""
        size = L1_TX_BYTES + 68
        estimated = max(-42_585_600 + 836_500 * (size + size // 255 + 16), 100 * 10**6)
        scaled = self.FEE_SCALAR * self.FEE * 16 + self.BLOB_FEE_SCALAR * self.BLOB_FEE
        return estimated * scaled // 10**12

    def test_tells_the_inputs_of_the_data_fee_and_the_fee_itself(self) -> None:
        [request] = BASE.endpoints[0].requests(PLAN)  # type: ignore[misc]
        asked = json.loads(request.body or "")
        values = [self.FEE, self.BLOB_FEE, self.FEE_SCALAR, self.BLOB_FEE_SCALAR, self.bound()]
        oracle = [c for c in asked if c["method"] == "eth_call"]
        told = [result(1, HISTORY)]
        told += [result(each["id"], f"0x{value:064x}") for each, value in zip(oracle, values, strict=True)]
        row = said(asked, told, BASE)[-1]

        assert (row.block_number, row.chain_id) == (101, 8453)
        assert (row.l1_base_fee_wei, row.l1_blob_base_fee_wei) == (self.FEE, self.BLOB_FEE)
        assert (row.l1_base_fee_scalar, row.l1_blob_base_fee_scalar) == (self.FEE_SCALAR, self.BLOB_FEE_SCALAR)
        assert (row.l1_data_fee_wei, row.l1_tx_bytes) == (self.bound(), 300)

    def test_is_asked_of_op_stack_chains_alone(self) -> None:
        def oracle_calls(venue: Any) -> int:
            return sum("eth_call" in (request.body or "") for request in venue.endpoints[0].requests(PLAN))

        assert {name: oracle_calls(VENUES[name]) for name in ("base", "optimism", "ethereum", "polygon")} == {
            "base": 1,
            "optimism": 1,
            "ethereum": 0,
            "polygon": 0,
        }
        assert OPTIMISM.endpoints[0].weight == 8

    def test_another_chain_is_a_line(self) -> None:
        own = chain("unichain", 130, "ETH", "https://node.test", is_op_stack=True)

        [row] = said(call(1, "eth_gasPrice"), result(1, "0x1"), own)
        assert (row.venue, row.chain_id) == ("unichain", 130)


def test_the_question_is_one_batch_so_that_its_answers_are_of_one_moment() -> None:
    [request] = ETHEREUM.endpoints[0].requests(PLAN)  # type: ignore[misc]

    assert isinstance(request, Request)
    assert [each["method"] for each in json.loads(request.body or "")] == [
        "eth_feeHistory",
        "eth_gasPrice",
        "eth_getBlockByNumber",
    ]
