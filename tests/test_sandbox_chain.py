"""The simulated chain: its fees follow EIP-1559, its pools the market, planted deviations stand where they are told."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from ingestion.pools import next_base_fee_wei
from ingestion.records import GasPrice, PoolReserves
from ingestion.sandbox.app import server
from ingestion.sandbox.chain import GAS_LIMIT, GAS_USED
from ingestion.sandbox.faults import Faults
from ingestion.sandbox.market import Market
from ingestion.venues.base import Plan, Reply
from ingestion.venues.chains import ETHEREUM

HOUR = datetime(2026, 3, 4, 13, tzinfo=UTC)  # the fourth hour from nine


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(seed=7)


def asked(market: Market, dataset: str, at: datetime, faults: Faults | None = None) -> list[Any]:
    """What the adapter reads of its own question."""
    [endpoint] = [each for each in ETHEREUM.endpoints if each.dataset == dataset]
    assert endpoint.requests
    [request] = endpoint.requests(Plan(("ETH",), at, at + timedelta(hours=1)))
    served = server(market, faults)("/", {}, "", at, (request.body or "").encode())
    assert served.status == 200, served.body
    return list(ETHEREUM.parse(Reply.read("/", "", served.body, at, request.body)))


def price(row: PoolReserves) -> float:
    """Money for a coin."""
    coins = row.base_reserve_units / Decimal(10) ** row.base_decimals
    return float(row.quote_reserve_units / Decimal(10) ** row.quote_decimals / coins)


class TestPools:
    def test_stand_at_the_market_of_their_block(self, market: Market) -> None:
        at = HOUR + timedelta(minutes=7, seconds=23)
        block_at = HOUR + timedelta(minutes=7, seconds=12)
        for row in asked(market, "pool_reserves", at):
            fair = market.usd_px("ETH", block_at) / market.stable_usd(row.quote_asset, block_at)

            assert (row.event_ts, row.changed_ts) == (block_at, block_at)
            assert price(row) == pytest.approx(fair, rel=1e-12)

    @pytest.mark.parametrize(
        ("minute", "share"), [(19, 0.0), (20, 0.012), (24, 0.012), (25, 0.0), (40, -0.012), (44, -0.012), (45, 0.0)]
    )
    def test_of_usdc_stand_apart_for_five_minutes_twice_in_each_fourth_hour(
        self, market: Market, minute: int, share: float
    ) -> None:
        for hour, planted in ((HOUR, share), (HOUR + timedelta(hours=1), 0.0)):
            at = hour + timedelta(minutes=minute)
            shares = {
                row.quote_asset: price(row) * market.stable_usd(row.quote_asset, at) / market.usd_px("ETH", at) - 1
                for row in asked(market, "pool_reserves", at)
            }

            assert shares == {"USDC": pytest.approx(planted, abs=1e-9), "USDT": pytest.approx(0.0, abs=1e-9)}

    def test_keep_the_product_of_what_they_hold(self, market: Market) -> None:
        products = [
            float(row.base_reserve_units * row.quote_reserve_units)
            for minute in (0, 20, 40, 59)
            for row in asked(market, "pool_reserves", HOUR + timedelta(minutes=minute))
        ]

        assert products == pytest.approx([products[0]] * 8, rel=1e-12)


class TestGas:
    def test_each_base_fee_is_what_eip_1559_makes_of_the_block_before(self, market: Market) -> None:
        rows = sorted(asked(market, "gas_prices", HOUR), key=lambda row: row.block_number)

        assert len(rows) == 20
        assert all(isinstance(row, GasPrice) for row in rows)
        for row, later in pairwise(rows):
            used = GAS_USED[row.block_number % 2]
            assert row.next_base_fee_wei == later.base_fee_wei == next_base_fee_wei(row.base_fee_wei, used, GAS_LIMIT)
        assert rows[-1].event_ts == HOUR


class TestQuestions:
    def ask(self, market: Market, body: bytes) -> tuple[int, Any]:
        served = server(market)("/", {}, "", HOUR, body)
        return served.status, json.loads(served.body)

    def test_what_is_no_call_is_an_error_of_its_own(self, market: Market) -> None:
        assert self.ask(market, b"")[0] == 400
        assert self.ask(market, b'[{"id": 1}]')[0] == 400
        status, told = self.ask(
            market, b'{"jsonrpc":"2.0","id":3,"method":"eth_call","params":[{"to":"0x1","data":"0x2"}]}'
        )
        assert (status, told["id"], told["error"]["code"]) == (200, 3, -32601)

    def test_faults_break_its_replies_too(self, market: Market) -> None:
        faults = Faults.parse(["ethereum:/:429:1.0"])
        served = server(market, faults)("/", {}, "", HOUR, b"[]")

        assert (served.status, json.loads(served.body)["error"]["code"]) == (429, -32005)
