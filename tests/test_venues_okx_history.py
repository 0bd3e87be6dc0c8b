"""What OKX keeps, by hand-made replies in its documented format: trades, bars, payments, forced orders."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestion.records import Candle, FundingRate, Liquidation, Record, Trade
from ingestion.venues.base import Plan, Refused, Reject, Reply, Request
from ingestion.venues.okx import OKX

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
NOON_MS = 1_767_355_200_000
NOW = NOON + timedelta(hours=1, seconds=5)
PLAN = Plan(("BTC",), NOON, NOON + timedelta(hours=1))
MARKET, PUBLIC = "/api/v5/market/", "/api/v5/public/"


def reply(path: str, query: str, *rows: object) -> Reply:
    return Reply.read(path, query, json.dumps({"code": "0", "msg": "", "data": rows}).encode(), NOW)


def ask(path: str, query: str, *rows: object) -> list[Record | Reject]:
    return list(OKX.parse(reply(path, query, *rows)))


def follow_of(path: str) -> tuple[Request, Callable[[Request, Reply], Request | None]]:
    """The first question to a path, and how its next page is found."""
    endpoint = next(e for e in OKX.endpoints if e.path == path)
    assert endpoint.requests
    assert endpoint.follow
    return endpoint.requests(PLAN)[0], endpoint.follow


def trade(trade_id: int, at_ms: int, symbol: str = "BTC-USDT") -> dict[str, str]:
    return {"instId": symbol, "tradeId": str(trade_id), "px": "91200.5", "sz": "2", "side": "sell", "ts": str(at_ms)}


class TestTrades:
    def test_the_side_is_the_takers_and_sizes_are_contracts(self) -> None:
        [sold] = ask(MARKET + "history-trades", "instId=BTC-USD-SWAP", trade(11, NOON_MS, "BTC-USD-SWAP"))

        assert sold == Trade(
            venue="okx",
            symbol="BTC-USD-SWAP",
            kind="perp",
            captured_ts=NOW,
            event_ts=NOON,
            trade_id="11",
            px=91_200.5,
            qty=2.0,
            side="sell",
        )

    def test_kinds_are_told_by_names(self) -> None:
        names = ["BTC-USDT", "BTC-USDT-260327", "BTC-USD-260130-95000-C"]
        rows = ask(PUBLIC + "option-trades", "instFamily=BTC-USD", *(trade(1, NOON_MS, name) for name in names))

        assert [row.kind for row in rows if isinstance(row, Trade)] == ["spot", "future", "option"]

    def test_pages_go_back_by_trade_ids_until_the_hour_began(self) -> None:
        """By time, the page after a full one would lose the trades that share its last millisecond."""
        first, follow = follow_of(MARKET + "history-trades")
        assert first.query == (
            ("instId", "BTC-USDT"),
            ("type", "2"),
            ("after", str(NOON_MS + 3_600_000)),
            ("limit", "100"),
        )

        def page(last_id: int, last_ms: int, count: int = 100) -> Reply:
            return reply(first.path, "", *(trade(last_id - n, last_ms - n) for n in range(count)))

        second = follow(first, page(5_000, NOON_MS + 3_000_000))
        assert second is not None
        assert second.query == (("instId", "BTC-USDT"), ("type", "1"), ("after", "4901"), ("limit", "100"))
        assert follow(second, page(4_900, NOON_MS + 98)) is None  # its oldest is of the hour before
        assert follow(second, page(4_900, NOON_MS + 99)) is not None  # its oldest is the hour's first
        assert follow(second, page(4_900, NOON_MS + 3_000_000, count=99)) is None
        with pytest.raises(Refused, match="until_ts"):
            follow(Request(first.path, first.query), page(5_000, NOON_MS + 3_000_000))

    def test_a_price_that_a_float_would_change_is_refused(self) -> None:
        with pytest.raises(Refused) as caught:
            ask(MARKET + "trades", "", {**trade(1, NOON_MS), "px": "0.12345678901234567"})

        assert caught.value.rule == "precision"


def bar(minute: int = 0, confirm: str = "1", **changed: Any) -> list[Any]:
    return [str(NOON_MS + minute * 60_000), "91000", "91020", "90990", "91010", "4100", "41", "3731000", confirm]


class TestCandles:
    @pytest.mark.parametrize(
        ("symbol", "volume"), [("BTC-USDT", 4_100.0), ("BTC-USDT-SWAP", 41.0), ("BTC-USD-260327", 41.0)]
    )
    def test_volume_in_coins_stands_elsewhere_for_spot(self, symbol: str, volume: float) -> None:
        [candle] = ask(MARKET + "history-candles", f"instId={symbol}&bar=1m", bar())

        assert isinstance(candle, Candle)
        assert candle.volume_base == volume
        assert (candle.open_px, candle.high_px, candle.low_px, candle.close_px) == (91_000, 91_020, 90_990, 91_010)
        assert (candle.interval_s, candle.event_ts) == (60, NOON)

    def test_a_bar_that_still_runs_is_none_yet(self) -> None:
        rows = ask(MARKET + "candles", "instId=BTC-USDT&bar=1m", bar(1, confirm="0"), bar(0))

        assert [row.event_ts for row in rows if isinstance(row, Candle)] == [NOON]

    @pytest.mark.parametrize(("name", "length_s"), [("1m", 60), ("1H", 3_600), ("1Dutc", 86_400)])
    def test_lengths_are_those_of_the_question(self, name: str, length_s: int) -> None:
        [candle] = ask(MARKET + "history-candles", f"instId=BTC-USDT&bar={name}", bar())

        assert isinstance(candle, Candle)
        assert candle.interval_s == length_s

    def test_a_month_has_no_length(self) -> None:
        with pytest.raises(Refused, match="bar '1M'"):
            ask(MARKET + "history-candles", "instId=BTC-USDT&bar=1M", bar())

    def test_bounds_are_exclusive_and_pages_go_back_from_the_oldest(self) -> None:
        first, follow = follow_of(MARKET + "history-candles")
        asked = dict(first.query)
        assert (asked["before"], asked["after"]) == (str(NOON_MS - 1), str(NOON_MS + 3_600_000))

        full = reply(first.path, "", *(bar(minute) for minute in range(159, 59, -1)))
        second = follow(first, full)
        assert second is not None
        assert dict(second.query) == {**asked, "after": str(NOON_MS + 60 * 60_000)}
        assert follow(first, reply(first.path, "", bar())) is None


def settlement(hours: float, realized: str = "0.0001", predicted: str = "0.0009") -> dict[str, str]:
    return {
        "instType": "SWAP",
        "instId": "BTC-USDT-SWAP",
        "fundingRate": predicted,
        "realizedRate": realized,
        "fundingTime": str(round(NOON_MS + hours * 3_600_000)),
    }


class TestSettledFunding:
    def read(self, *rows: dict[str, str]) -> list[FundingRate]:
        found = ask(PUBLIC + "funding-rate-history", "instId=BTC-USDT-SWAP", *rows)
        assert not [row for row in found if isinstance(row, Reject)]
        return [row for row in found if isinstance(row, FundingRate)]

    def test_what_was_paid_counts_and_not_what_had_been_predicted(self) -> None:
        [paid] = self.read(settlement(0, realized="-0.00021", predicted="0.00018"))

        assert (paid.funding_rate, paid.event_ts) == (-0.00021, NOON)

    def test_an_interval_is_the_time_since_the_settlement_before(self) -> None:
        """Newest first as they come, some milliseconds late: eight hours, then four from a change on."""
        rows = self.read(settlement(4 + 7e-6), settlement(0), settlement(-8 + 3e-6), settlement(-16))

        assert [row.funding_interval_s for row in rows] == [None, 28_800, 28_800, 14_400]
        assert rows[0].event_ts == NOON - timedelta(hours=16)

    def test_a_row_without_the_paid_rate_is_rejected(self) -> None:
        row = {key: value for key, value in settlement(0).items() if key != "realizedRate"}
        [reject] = ask(PUBLIC + "funding-rate-history", "", row)

        assert isinstance(reject, Reject)
        assert "realizedRate" in reject.reason


def forced(*orders: tuple[str, str, int]) -> dict[str, Any]:
    details = [
        {"side": side, "posSide": "long", "bkPx": px, "sz": "4.2", "bkLoss": "0", "ccy": "", "ts": str(at_ms)}
        for side, px, at_ms in orders
    ]
    return {"instType": "SWAP", "instId": "BTC-USDT-SWAP", "instFamily": "BTC-USDT", "details": details}


class TestLiquidations:
    def test_the_side_is_the_orders_and_the_price_that_of_bankruptcy(self) -> None:
        [order] = ask(PUBLIC + "liquidation-orders", "instType=SWAP", forced(("sell", "90744.1", NOON_MS)))

        assert order == Liquidation(
            venue="okx",
            symbol="BTC-USDT-SWAP",
            kind="perp",
            captured_ts=NOW,
            event_ts=NOON,
            side="sell",
            px=90_744.1,
            px_source="bankruptcy",
            qty=4.2,
        )

    def test_an_hour_without_any_is_an_answer(self) -> None:
        assert ask(PUBLIC + "liquidation-orders", "instType=SWAP") == []

    def test_pages_go_back_and_repeat_the_millisecond_they_ended_in(self) -> None:
        first, follow = follow_of(PUBLIC + "liquidation-orders")
        orders = [("sell", "90000", NOON_MS + 100_000 - n) for n in range(100)]
        second = follow(first, reply(first.path, "", forced(*orders)))

        assert second is not None
        assert dict(second.query)["after"] == str(NOON_MS + 100_000 - 99 + 1)
        assert follow(first, reply(first.path, "", forced(*orders[:99]))) is None
        early = [(side, px, at_ms - 200_000) for side, px, at_ms in orders]
        assert follow(first, reply(first.path, "", forced(*early))) is None
        with pytest.raises(Refused, match="a whole page"):
            follow(second, reply(first.path, "", forced(*[orders[-1]] * 100)))
