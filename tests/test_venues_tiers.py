"""Margin tiers as Bybit, OKX, Gate and KuCoin tell them: units, where a level begins, and what is not guessed."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestion.gate.rows import broken_rule
from ingestion.records import MarginTier
from ingestion.venues import VENUES
from ingestion.venues.base import Plan, Refused, Reject, Reply
from tests.toy_venue import record

NOW = datetime(2026, 1, 2, 13, 0, 5, tzinfo=UTC)
HOUR = datetime(2026, 1, 2, 13, tzinfo=UTC)
PLAN = Plan(("BTC", "ETH"), HOUR, HOUR + timedelta(hours=1))

BYBIT = "/v5/market/risk-limit", "category=linear&symbol=BTCUSDT"
OKX = "/api/v5/public/position-tiers", "instType=SWAP&tdMode=isolated&instFamily=BTC-USDT"
GATE = "/api/v4/futures/usdt/risk_limit_tiers", "contract=BTC_USDT"
KUCOIN = "/api/v1/contracts/risk-limit/XBTUSDTM", ""


def told(venue: str, asked: tuple[str, str], body: object) -> list[Any]:
    path, query = asked
    return list(VENUES[venue].parse(Reply.read(path, query, json.dumps(body).encode(), NOW)))


def bybit(*rows: dict[str, Any]) -> object:
    return {"retCode": 0, "retMsg": "OK", "result": {"category": "linear", "list": list(rows)}, "time": 1767358804911}


def limit(cap: str, maintenance: str, initial: str, leverage: str, **more: Any) -> dict[str, Any]:
    margins = {"maintenanceMargin": maintenance, "initialMargin": initial, "maxLeverage": leverage}
    return {"id": 1, "symbol": "BTCUSDT", "riskLimitValue": cap, **margins, "isLowestRisk": 0, **more}


LOWEST = limit("2000000", "0.005", "0.01", "100.00", isLowestRisk=1)
SECOND = limit("3000000", "0.0065", "0.0111", "90.00", mmDeduction="3000")
THIRD = limit("9000000", "0.01", "0.02", "50.00", mmDeduction="13500")


def spans(rows: list[Any]) -> list[tuple[float, float | None]]:
    return [(row.size_floor_qty, row.size_cap_qty) for row in rows if isinstance(row, MarginTier)]


class TestLevels:
    def test_a_level_begins_where_the_one_below_ends(self) -> None:
        rows = told("bybit", BYBIT, bybit(LOWEST, SECOND, THIRD))

        assert spans(rows) == [(0, 2e6), (2e6, 3e6), (3e6, 9e6)]
        assert [row.maintenance_deduction_qty for row in rows] == [None, 3_000, 13_500]

    def test_one_over_a_level_that_cannot_be_read_is_not_stretched_down_to_the_last(self) -> None:
        rows = told("bybit", BYBIT, bybit(LOWEST, SECOND | {"riskLimitValue": "many"}, THIRD))

        assert spans(rows) == [(0, 2e6)]
        assert [row.rule for row in rows if isinstance(row, Reject)] == ["schema", "tier_shape"]

    def test_one_over_a_level_of_another_contract_begins_nowhere(self) -> None:
        rows = told("bybit", BYBIT, bybit(LOWEST, SECOND | {"symbol": "ETHUSDT"}, LOWEST | {"symbol": "ETHUSDT"}))

        assert [(row.symbol, row.size_floor_qty) for row in rows if isinstance(row, MarginTier)] == [
            ("BTCUSDT", 0),
            ("ETHUSDT", 0),
        ]

    def test_one_whose_cap_is_not_over_its_floor_is_refused_by_the_gate_and_holds_none_up(self) -> None:
        rows = told("bybit", BYBIT, bybit(LOWEST, SECOND | {"riskLimitValue": "1000"}, THIRD))
        [_, upside_down] = [row for row in rows if isinstance(row, MarginTier)]

        assert (broken_rule(upside_down) or ("",))[0] == "tier_shape"
        assert [row.rule for row in rows if isinstance(row, Reject)] == ["tier_shape"]

    def test_a_venues_own_floor_must_be_where_the_level_below_ends(self) -> None:
        def tier(number: int, floor: str, cap: str) -> dict[str, str]:
            margins = {"mmr": "0.01", "imr": "0.02", "maxLever": "50"}
            return {"instFamily": "BTC-USDT", "tier": str(number), "minSz": floor, "maxSz": cap, **margins}

        rows = told("okx", OKX, {"code": "0", "data": [tier(1, "0", "10"), tier(2, "11", "20"), tier(3, "30", "40")]})

        assert spans(rows) == [(0, 10), (10, 20)]
        assert [row.reason for row in rows if isinstance(row, Reject)] == [
            "BTC-USDT-SWAP: a level begins at 30.0, the one below ends at 20.0"
        ]

    def test_a_number_left_out_is_a_level_left_out(self) -> None:
        def tier(number: int, cap: str) -> dict[str, Any]:
            rates = {"initial_rate": "0.02", "maintenance_rate": "0.01", "leverage_max": "50"}
            return {"tier": number, "risk_limit": cap, "contract": "BTC_USDT", **rates}

        assert spans(told("gate", GATE, [tier(1, "10"), tier(3, "30"), tier(4, "40")])) == [(0, 10)]


class TestUnits:
    def test_percent_and_fractions_are_told_apart_by_the_leverage(self) -> None:
        [fraction] = told("bybit", BYBIT, bybit(LOWEST))
        [percent] = told("bybit", BYBIT, bybit(LOWEST | {"maintenanceMargin": "0.5", "initialMargin": "1"}))

        assert (fraction.initial_margin_frac, fraction.maintenance_margin_frac) == (0.01, 0.005)
        assert percent == fraction

    def test_a_rounded_leverage_is_no_other_unit(self) -> None:
        [tier] = told("bybit", BYBIT, bybit(LOWEST | {"initialMargin": "0.75", "maxLeverage": "1.3"}))

        assert tier.initial_margin_frac == 0.75

    def test_margins_that_are_neither_are_refused(self) -> None:
        [reject] = told("bybit", BYBIT, bybit(LOWEST | {"initialMargin": "0.1"}))

        assert (reject.rule, "initial margin 0.1 at leverage 100.0" in reject.reason) == ("unit", True)

    @pytest.mark.parametrize(
        ("venue", "asked", "row", "unit"),
        [
            ("bybit", BYBIT, {"symbol": "BTCUSDT"}, "quote"),
            ("bybit", BYBIT, {"symbol": "BTCUSD"}, "base"),
            ("gate", GATE, {"contract": "BTC_USDT"}, "quote"),
            (
                "gate",
                ("/api/v4/futures/btc/risk_limit_tiers", "contract=BTC_USD"),
                {"contract": "BTC_USD"},
                "base",
            ),
        ],
    )
    def test_sizes_count_money_or_of_inverse_contracts_coin(
        self, venue: str, asked: tuple[str, str], row: dict[str, str], unit: str
    ) -> None:
        rates = {"initial_rate": "0.02", "maintenance_rate": "0.01", "leverage_max": "50"}
        body = bybit(LOWEST | row) if venue == "bybit" else [{"tier": 1, "risk_limit": "10", **rates, **row}]
        [tier] = told(venue, asked, body)

        assert (tier.symbol, tier.size_unit) == (*row.values(), unit)

    def test_what_is_settled_in_a_third_coin_has_no_unit(self) -> None:
        rates = {"initial_rate": "0.02", "maintenance_rate": "0.01", "leverage_max": "50"}
        asked = "/api/v4/futures/btc/risk_limit_tiers", "contract=ETH_USD"
        [reject] = told("gate", asked, [{"tier": 1, "risk_limit": "10", **rates}])

        assert (reject.rule, reject.reason) == (
            "unit",
            "ETH_USD: sizes in BTC, which is neither its base nor its quote",
        )

    def test_the_unit_of_kucoins_inverse_contracts_is_not_guessed(self) -> None:
        level = {"level": 1, "maxRiskLimit": 10, "minRiskLimit": 0, "maxLeverage": 50}
        row = {"symbol": "XBTUSDM", **level, "initialMargin": 0.02, "maintainMargin": 0.01}
        asked = "/api/v1/contracts/risk-limit/XBTUSDM", ""

        assert [each.rule for each in told("kucoin_futures", asked, {"code": "200000", "data": [row]})] == ["unit"]


class TestWhoseTheyAre:
    @pytest.mark.parametrize("query", ["instType=SWAP&tdMode=cross&uly=BTC-USDT", "instType=FUTURES&tdMode=isolated"])
    def test_okxs_tiers_of_other_modes_and_of_futures_are_not_taken_for_isolated_swaps(self, query: str) -> None:
        with pytest.raises(Refused, match="no parser knows"):
            told("okx", (OKX[0], query), {"code": "0", "data": []})

    def test_an_answer_about_another_contract_is_refused(self) -> None:
        rates = {"initial_rate": "0.02", "maintenance_rate": "0.01", "leverage_max": "50"}
        [reject] = told("gate", GATE, [{"tier": 1, "risk_limit": "10", "contract": "ETH_USDT", **rates}])

        assert (reject.rule, reject.reason) == ("unknown_symbol", "ETH_USDT: BTC_USDT was asked for")

    @pytest.mark.parametrize(
        ("venue", "listed", "expected"),
        [
            ("bybit", [("perp", "BTCUSD"), ("future", "BTCUSDH26")], ["BTCUSD", "BTCUSDH26"]),
            ("okx", [("perp", "BTC-USD-SWAP"), ("future", "BTC-USD-260327")], ["BTC-USD"]),
            ("gate", [("perp", "BTC_USDT"), ("future", "BTC_USDT_20260327")], ["BTC_USDT"]),
            ("kucoin_futures", [("perp", "XBTUSDM"), ("perp", "XBTUSDTM"), ("future", "XBTMH26")], ["XBTUSDTM"]),
        ],
    )
    def test_each_listed_contract_whose_tiers_can_be_read_is_asked_for_once(
        self, venue: str, listed: list[tuple[str, str]], expected: list[str]
    ) -> None:
        named = [VENUES[venue].terms(symbol, kind, NOW) for kind, symbol in listed]  # type: ignore[arg-type]
        plan = Plan(PLAN.underlyings, PLAN.start_ts, PLAN.end_ts, tuple(named))
        [endpoint] = [each for each in VENUES[venue].endpoints if each.dataset == "margin_tiers"]
        assert endpoint.requests
        asked = [request.query[-1][1] if request.query else request.path for request in endpoint.requests(plan)]

        assert [name.rpartition("/")[2] for name in asked] == expected


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"initial_margin_frac": 1.5}, "margin_range"),
        ({"maintenance_margin_frac": 0.0}, "margin_range"),
        ({"maintenance_margin_frac": 0.02}, "tier_shape"),
        ({"size_floor_qty": 2e6}, "tier_shape"),
        ({"maintenance_deduction_qty": -1.0}, "negative"),
        ({"kind": "option"}, "kind"),
    ],
)
def test_the_gate_refuses_what_is_no_tier(change: dict[str, Any], rule: str) -> None:
    assert (broken_rule(record("margin_tiers", **change)) or ("",))[0] == rule
    assert broken_rule(record("margin_tiers", size_cap_qty=None)) is None
