"""Reserves of pools over JSON-RPC: whole numbers that lose no digit, and replies refused rather than guessed at."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion.columns import as_table, to_records
from ingestion.gate.rows import broken_rule
from ingestion.lake import Lake
from ingestion.records import GasPrice, PoolReserves
from ingestion.storage import Store
from ingestion.venues.base import Plan, Refused, Reject, Reply
from ingestion.venues.chains import ETHEREUM, UNISWAP_V2, USDC, WETH
from ingestion.venues.evm_pools import GET_RESERVES, Pool
from tests.toy_venue import record

HOUR = datetime(2026, 1, 2, 13, tzinfo=UTC)
NOW = datetime(2026, 1, 2, 13, 0, 5, tzinfo=UTC)
MINED = int(datetime(2026, 1, 2, 12, 59, 59, tzinfo=UTC).timestamp())
IN_USDC, IN_USDT = UNISWAP_V2
MOST = 2**112 - 1


def words(*values: int) -> str:
    return "0x" + "".join(f"{value:064x}" for value in values)


def asked(*pools: str) -> list[dict[str, Any]]:
    """The newest block, and the reserves of these addresses."""
    calls: list[tuple[str, list[Any]]] = [("eth_getBlockByNumber", ["latest", False])]
    calls += [("eth_call", [{"to": pool, "data": GET_RESERVES}, "latest"]) for pool in pools]
    return [{"jsonrpc": "2.0", "id": n, "method": m, "params": p} for n, (m, p) in enumerate(calls, start=1)]


BLOCK = {"number": "0x1406f54", "timestamp": hex(MINED), "gasUsed": "0x1", "gasLimit": "0x2"}


def read(*told: object, pools: tuple[str, ...] = (IN_USDC.address,)) -> list[Any]:
    answers = [{"jsonrpc": "2.0", "id": n, "result": each} for n, each in enumerate((BLOCK, *told), start=1)]
    reply = Reply.read("/", "", json.dumps(answers).encode(), NOW, json.dumps(asked(*pools)))
    return list(ETHEREUM.parse(reply))


class TestReading:
    def test_the_tokens_order_on_the_chain_is_that_of_their_addresses(self) -> None:
        """USDC 0xA0b8… comes before WETH 0xC02a…, and that before USDT 0xdAC1…."""
        one, other = read(
            words(18_214_903_112_457, 6_071 * 10**18, MINED - 24),
            words(5_804 * 10**18, 17_412_336_010_200, MINED),
            pools=(IN_USDC.address, IN_USDT.address.lower()),
        )

        assert (one.base_asset, one.quote_asset, other.quote_asset) == ("ETH", "USDC", "USDT")
        assert (one.base_reserve_units, one.quote_reserve_units) == (6_071 * 10**18, 18_214_903_112_457)
        assert (other.base_reserve_units, other.quote_reserve_units) == (5_804 * 10**18, 17_412_336_010_200)
        assert (one.base_decimals, one.quote_decimals) == (18, 6)
        assert (one.symbol, other.symbol) == (IN_USDC.address, IN_USDT.address)

    def test_the_block_gives_its_number_and_clock_and_the_pool_when_it_last_changed(self) -> None:
        [row] = read(words(1, 1, MINED - 24))

        assert (row.block_number, row.event_ts) == (0x1406F54, datetime(2026, 1, 2, 12, 59, 59, tzinfo=UTC))
        assert row.changed_ts == datetime(2026, 1, 2, 12, 59, 35, tzinfo=UTC)

    def test_a_pool_that_failed_costs_itself_alone(self) -> None:
        good, bad = words(1, 1, MINED), "0x"
        rows = read(good, bad, pools=(IN_USDC.address, IN_USDT.address))

        assert sorted(type(row).__name__ for row in rows) == ["PoolReserves", "Reject"]

    def test_gas_and_pools_are_told_apart_by_what_was_asked(self) -> None:
        gas = {"jsonrpc": "2.0", "id": 1, "method": "eth_gasPrice", "params": []}
        reply = Reply.read("/", "", b'{"jsonrpc":"2.0","id":1,"result":"0x1"}', NOW, json.dumps(gas))

        assert [type(row) for row in ETHEREUM.parse(reply)] == [GasPrice]

    def test_another_order_of_base_and_quote_turns_the_reserves(self) -> None:
        assert not IN_USDC.is_base_first
        assert Pool(IN_USDC.address, base=USDC, quote=WETH).is_base_first


@pytest.mark.parametrize(
    "told",
    [
        words(0, 5, MINED),
        words(5, 0, MINED),
        words(2**112, 5, MINED),
        words(5, 5, 2**32),
        words(5, 5),
        words(5, 5, MINED, 7),
        words(5, 5, MINED)[2:],
        words(5, 5, MINED).replace("0x0", "0xg"),
        "0x",
        None,
        5,
        [words(5, 5, MINED)],
    ],
    ids=[
        "no coins",
        "no money",
        "over uint112",
        "over uint32",
        "two words",
        "four",
        "bare",
        "letter",
        "",
        "none",
        "n",
        "list",
    ],
)
def test_what_is_no_pair_of_reserves_is_a_reject_and_never_a_row(told: object) -> None:
    assert [type(row) for row in read(told)] == [Reject]


def test_an_address_that_no_table_names_is_a_reject() -> None:
    [row] = read(words(1, 1, MINED), pools=("0x" + "1" * 40,))

    assert "no pool of the table" in row.reason


def test_an_answer_to_what_was_not_asked_is_refused() -> None:
    with pytest.raises(Refused, match="call 2, which was not asked"):
        read(words(1, 1, MINED), pools=())


def test_pools_are_asked_for_the_wanted_underlyings_in_one_batch() -> None:
    [endpoint] = [each for each in ETHEREUM.endpoints if each.dataset == "pool_reserves"]
    assert endpoint.requests
    [request] = endpoint.requests(Plan(("BTC", "ETH"), HOUR, HOUR))

    assert [call["method"] for call in json.loads(request.body or "")] == [
        "eth_getBlockByNumber",
        "eth_call",
        "eth_call",
    ]
    assert endpoint.weight == 3
    assert endpoint.requests(Plan(("BTC",), HOUR, HOUR)) == []


class TestWholeNumbers:
    def test_every_digit_of_the_largest_reserve_survives_lake_and_warehouse(self, tmp_path: Path) -> None:
        """2^112 − 1 has 34 digits; a double would keep 16, 64 bits not even the size."""
        row = record("pool_reserves", base_reserve_units=Decimal(MOST), quote_reserve_units=Decimal(MOST - 1))
        assert isinstance(row, PoolReserves)
        table = as_table(PoolReserves, HOUR, [row])
        lake = Lake(Store.open(str(tmp_path / "lake")))
        key = lake.write("pool_reserves", "toy", HOUR, table)

        assert to_records(PoolReserves, lake.read("pool_reserves", "toy", HOUR)) == [row]
        stored = duckdb.sql(
            f"select base_reserve_units, quote_reserve_units from '{tmp_path / 'lake' / key}'"
        ).fetchall()
        assert stored == [(MOST, MOST - 1)]

    @pytest.mark.parametrize(
        ("units", "rule"),
        [
            (Decimal(0), "reserve_range"),
            (Decimal(-1), "reserve_range"),
            (Decimal(MOST + 1), "reserve_range"),
            (Decimal("NaN"), "finite"),
            (Decimal("Infinity"), "finite"),
            ("5", "type"),
        ],
    )
    def test_the_gate_refuses_what_no_pair_can_hold(self, units: object, rule: str) -> None:
        broken = broken_rule(record("pool_reserves", base_reserve_units=Decimal(1)))
        assert broken is None
        row = PoolReserves(**{**_said(), "base_reserve_units": units})

        found = broken_rule(row)
        assert found
        assert found[0] == rule


def _said() -> dict[str, Any]:
    row = record("pool_reserves")
    return {name: getattr(row, name) for name in row.__struct_fields__}
