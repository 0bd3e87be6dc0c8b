"""What Kraken Futures keeps: trades, forced orders, settled funding, bars; and how page follows page."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestion.records import Candle, FundingRate, Liquidation, Record, Trade
from ingestion.venues.base import Plan, Refused, Reject, Reply, Request
from ingestion.venues.kraken_futures import KRAKEN_FUTURES
from ingestion.venues.kraken_futures_history import FILLS_A_PAGE, next_candles, next_executions, next_history

NOW = datetime(2026, 1, 2, 13, 0, 5, tzinfo=UTC)
HOUR = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOUR_S = 1_767_355_200
PLAN = Plan(("BTC", "ETH"), HOUR, HOUR + timedelta(hours=1))


def reply(path: str, body: object, query: str = "") -> Reply:
    return Reply.read(path, query, json.dumps(body).encode(), NOW)


def ask(method: str, query: str = "", **said: object) -> list[Record | Reject]:
    body = {"result": "success", "serverTime": "2026-01-02T13:00:04.977Z", **said}
    return list(KRAKEN_FUTURES.parse(reply("/derivatives/api/v3/" + method, body, query)))


def asked(dataset: str, plan: Plan = PLAN) -> list[Request]:
    [endpoint] = [e for e in KRAKEN_FUTURES.endpoints if e.dataset == dataset and e.requests is not None]
    assert endpoint.requests is not None
    return list(endpoint.requests(plan))


def execution(**changes: object) -> dict[str, Any]:
    order = {"uid": "o", "tradeable": "PF_XBTUSD", "direction": "Buy", "quantity": "1", "orderType": "Post"}
    fill = {
        "uid": "e-1",
        "timestamp": (HOUR_S + 1) * 1_000 + 607,
        "quantity": "0.0021",
        "price": "80395",
        "makerOrder": order,
        "takerOrder": {**order, "direction": "Sell"},
        **changes,
    }
    return {"uid": "event", "timestamp": fill["timestamp"], "event": {"Execution": {"execution": fill}}}


class TestExecutions:
    PATH = "/api/history/v3/market/PF_XBTUSD/executions"

    def test_the_aggressors_order_is_the_takers(self) -> None:
        [trade] = KRAKEN_FUTURES.parse(reply(self.PATH, {"elements": [execution()], "len": 1}))

        assert trade == Trade(
            venue="kraken_futures",
            symbol="PF_XBTUSD",
            kind="perp",
            captured_ts=NOW,
            event_ts=HOUR + timedelta(seconds=1, milliseconds=607),
            trade_id="e-1",
            px=80_395.0,
            qty=0.0021,
            side="sell",
        )

    def test_a_fill_of_unknown_direction_or_of_another_contract_is_rejected(self) -> None:
        elements = [
            execution(takerOrder={"tradeable": "PF_XBTUSD", "direction": "Unknown"}),
            execution(takerOrder={"tradeable": "PF_ETHUSD", "direction": "Buy"}),
            execution(timestamp=HOUR_S),
        ]
        rejects = list(KRAKEN_FUTURES.parse(reply(self.PATH, {"elements": elements, "len": 3})))

        assert [r.rule for r in rejects if isinstance(r, Reject)] == ["schema", "contradiction", "timestamp"]

    def test_a_token_leads_to_the_next_page(self) -> None:
        request = asked("trades", Plan(("BTC",), HOUR, HOUR + timedelta(hours=1)))[0]
        assert request.path == self.PATH
        assert dict(request.query) == {
            "since": "1767355199999",
            "before": "1767358800000",
            "sort": "asc",
            "count": "1000",
        }

        def page(elements: list[Any], **more: str) -> Reply:
            return reply(request.path, {"elements": elements, "len": len(elements), **more})

        second = next_executions(request, page([execution()], continuationToken="dG9rZW4="))
        assert second == Request(request.path, (*request.query, ("continuation_token", "dG9rZW4=")))
        assert next_executions(second, page([execution()])) is None
        assert next_executions(second, page([], continuationToken="dG9rZW4=")) is None


FILL = {"time": "2026-01-02T12:51:07.010Z", "price": 80_000, "size": 0.5, "side": "sell", "type": "fill", "uid": "a"}


class TestForcedOrders:
    def test_a_liquidation_takes_from_the_book(self) -> None:
        rows = [FILL, {**FILL, "type": "liquidation"}, {**FILL, "type": "partial liquidation", "side": "buy"}]
        found = ask("history", "symbol=PF_XBTUSD&lastTime=2026-01-02T13:00:00.000Z", history=rows)

        assert [type(row) for row in found] == [Liquidation, Liquidation]
        assert found[0] == Liquidation(
            venue="kraken_futures",
            symbol="PF_XBTUSD",
            kind="perp",
            captured_ts=NOW,
            event_ts=datetime(2026, 1, 2, 12, 51, 7, 10_000, tzinfo=UTC),
            liquidation_id="a",
            side="sell",
            px=80_000.0,
            px_source="fill",
            qty=0.5,
        )

    def test_a_newest_page_tells_its_trades_too_but_none_that_was_agreed(self) -> None:
        types = ("fill", "liquidation", "assignment", "termination", "block")
        found = ask("history", "symbol=PF_XBTUSD", history=[{**FILL, "type": each} for each in types])

        assert [type(row) for row in found] == [Trade, Trade, Liquidation]

    def test_a_kind_of_fill_that_nobody_documented_is_rejected(self) -> None:
        [reject] = ask("history", "symbol=PF_XBTUSD", history=[{**FILL, "type": "teleport"}])

        assert isinstance(reject, Reject)
        assert reject.rule == "schema"

    def test_pages_go_back_in_time_and_repeat_the_oldest_millisecond(self) -> None:
        request = asked("liquidations", Plan(("BTC",), HOUR, HOUR + timedelta(hours=1)))[0]
        assert (dict(request.query), request.until_ts) == (
            {"symbol": "PF_XBTUSD", "lastTime": "2026-01-02T13:00:00.000Z"},
            HOUR,
        )

        def page(oldest: str, rows: int = FILLS_A_PAGE) -> Reply:
            body = {"result": "success", "history": [*([FILL] * (rows - 1)), {**FILL, "time": oldest}]}
            return reply(request.path, body)

        second = next_history(request, page("2026-01-02T12:30:00.004Z"))
        assert second is not None
        assert dict(second.query)["lastTime"] == "2026-01-02T12:30:00.005Z"
        assert next_history(second, page("2026-01-02T11:59:59.999Z")) is None
        assert next_history(second, page("2026-01-02T12:20:00Z", rows=FILLS_A_PAGE - 1)) is None
        with pytest.raises(Refused, match="a whole page of fills"):
            next_history(second, page("2026-01-02T12:30:00.004Z"))


class TestFunding:
    QUERY = "symbol=PF_XBTUSD"

    def test_is_the_relative_rate_settled_when_its_hour_ends(self) -> None:
        """The absolute one beside it is 72,000 times as large."""
        rate = {"timestamp": "2026-01-02T11:00:00Z", "fundingRate": 0.8822, "relativeFundingRate": 0.0000122}

        assert ask("historical-funding-rates", self.QUERY, rates=[rate]) == [
            FundingRate(
                venue="kraken_futures",
                symbol="PF_XBTUSD",
                kind="perp",
                captured_ts=NOW,
                event_ts=HOUR,
                funding_rate=0.0000122,
                funding_interval_s=3_600,
            )
        ]

    def test_of_the_running_hour_is_not_settled(self) -> None:
        rates = [
            {"timestamp": f"2026-01-02T{hour}:00:00Z", "fundingRate": 1, "relativeFundingRate": 0.00001}
            for hour in (11, 12, 13)
        ]
        found = ask("historical-funding-rates", self.QUERY, rates=rates)

        assert [row.event_ts for row in found if isinstance(row, FundingRate)] == [HOUR, HOUR + timedelta(hours=1)]

    def test_of_the_years_when_a_rate_held_four_hours_is_rejected(self) -> None:
        rate = {"timestamp": "2022-06-28T04:00:00.000Z", "fundingRate": -2.6e-11, "relativeFundingRate": -5.4e-07}
        [reject] = ask("historical-funding-rates", "symbol=PI_XBTUSD", rates=[rate])

        assert isinstance(reject, Reject)
        assert reject.rule == "unknown_terms"

    def test_without_its_relative_rate_is_rejected(self) -> None:
        [reject] = ask("historical-funding-rates", self.QUERY, rates=[{"timestamp": "2026-01-02T11:00:00Z"}])

        assert isinstance(reject, Reject)
        assert "relativeFundingRate" in reject.reason

    def test_is_asked_of_every_perpetual(self) -> None:
        assert [dict(request.query)["symbol"] for request in asked("funding_rates")] == [
            "PF_XBTUSD",
            "PI_XBTUSD",
            "PF_ETHUSD",
            "PI_ETHUSD",
        ]


def bars(symbol: str, *times_ms: int, more: bool = False, length: str = "1m") -> Reply:
    bar = {"open": "2", "high": "4", "low": "1", "close": "3", "volume": "0.5"}
    candles = [{"time": time_ms, **bar} for time_ms in times_ms]
    return reply(f"/api/charts/v1/trade/{symbol}/{length}", {"candles": candles, "more_candles": more})


class TestCandles:
    def test_volume_is_coin_if_linear_and_unknown_in_coin_if_inverse(self) -> None:
        [linear] = KRAKEN_FUTURES.parse(bars("PF_XBTUSD", HOUR_S * 1_000))
        [inverse] = KRAKEN_FUTURES.parse(bars("PI_XBTUSD", HOUR_S * 1_000))

        assert linear == Candle(
            venue="kraken_futures",
            symbol="PF_XBTUSD",
            kind="perp",
            captured_ts=NOW,
            event_ts=HOUR,
            interval_s=60,
            open_px=2.0,
            high_px=4.0,
            low_px=1.0,
            close_px=3.0,
            volume_base=0.5,
        )
        assert isinstance(inverse, Candle)
        assert inverse.volume_base is None

    def test_a_bar_that_is_not_over_is_none(self) -> None:
        found = list(KRAKEN_FUTURES.parse(bars("PF_XBTUSD", HOUR_S * 1_000, (HOUR_S + 3_600) * 1_000, length="1h")))

        assert len(found) == 1

    def test_seconds_where_milliseconds_were_are_noticed(self) -> None:
        [reject] = KRAKEN_FUTURES.parse(bars("PF_XBTUSD", HOUR_S))

        assert isinstance(reject, Reject)
        assert reject.rule == "timestamp"

    def test_bars_of_an_unknown_length_are_refused(self) -> None:
        with pytest.raises(Refused, match="expected one of"):
            list(KRAKEN_FUTURES.parse(bars("PF_XBTUSD", HOUR_S * 1_000, length="2h")))

    def test_a_page_cut_short_goes_on_after_its_last_bar(self) -> None:
        request = asked("candles", Plan(("BTC",), HOUR, HOUR + timedelta(hours=1)))[0]
        assert (request.path, request.query) == (
            "/api/charts/v1/trade/PF_XBTUSD/1m",
            (("from", str(HOUR_S)), ("to", str(HOUR_S + 3_540))),
        )

        second = next_candles(request, bars("PF_XBTUSD", HOUR_S * 1_000, (HOUR_S + 60) * 1_000, more=True))
        assert second is not None
        assert second.query == (("from", str(HOUR_S + 120)), ("to", str(HOUR_S + 3_540)))
        assert next_candles(second, bars("PF_XBTUSD", (HOUR_S + 120) * 1_000)) is None
        with pytest.raises(Refused, match="more bars"):
            next_candles(second, bars("PF_XBTUSD", (HOUR_S + 3_540) * 1_000, more=True))

    def test_a_long_span_is_asked_for_by_the_two_thousand(self) -> None:
        requests = asked("candles", Plan(("BTC",), HOUR, HOUR + timedelta(minutes=2_001)))
        linear = [dict(r.query) for r in requests if "PF_XBTUSD" in r.path]

        assert linear == [
            {"from": str(HOUR_S), "to": str(HOUR_S + 1_999 * 60)},
            {"from": str(HOUR_S + 2_000 * 60), "to": str(HOUR_S + 2_000 * 60)},
        ]
