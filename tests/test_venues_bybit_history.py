"""What Bybit keeps, by hand-made replies in its documented format: bars, payments, open interest, option trades."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestion.records import Candle, FundingRate, OpenInterest, Record, Trade
from ingestion.venues.base import Plan, Refused, Reject, Reply, Request
from ingestion.venues.bybit import BYBIT
from ingestion.venues.bybit_history import BARS_A_PAGE, next_candles

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
NOON_MS = 1_767_355_200_000
NOW = NOON + timedelta(hours=1, seconds=5)
PATH = "/v5/market/"


def reply(path: str, query: str, result: object) -> Reply:
    body = {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": NOON_MS + 3_605_000}
    return Reply.read(PATH + path, query, json.dumps(body).encode(), NOW)


def ask(path: str, query: str, result: object) -> list[Record | Reject]:
    return list(BYBIT.parse(reply(path, query, result)))


def bars(symbol: str, *rows: list[str]) -> dict[str, Any]:
    return {"category": "", "symbol": symbol, "list": rows}


BAR = [str(NOON_MS), "91000", "91020", "90990", "91010", "4100", "45.05"]


class TestCandles:
    @pytest.mark.parametrize(
        ("category", "symbol", "kind", "volume"),
        [
            ("spot", "BTCUSDT", "spot", 4_100.0),
            ("linear", "BTCUSDT", "perp", 4_100.0),
            ("linear", "BTC-27MAR26", "future", 4_100.0),
            ("inverse", "BTCUSD", "perp", 45.05),
            ("inverse", "BTCUSDH26", "future", 45.05),
        ],
    )
    def test_coins_are_the_volume_and_of_inverse_contracts_the_turnover(
        self, category: str, symbol: str, kind: str, volume: float
    ) -> None:
        [bar] = ask("kline", f"category={category}&symbol={symbol}&interval=1", bars(symbol, BAR))

        assert isinstance(bar, Candle)
        assert (bar.kind, bar.volume_base, bar.interval_s, bar.event_ts) == (kind, volume, 60, NOON)
        assert (bar.open_px, bar.high_px, bar.low_px, bar.close_px) == (91_000, 91_020, 90_990, 91_010)

    def test_another_symbol_than_the_asked_is_refused(self) -> None:
        with pytest.raises(Refused) as caught:
            ask("kline", "category=linear&symbol=BTCUSDT&interval=1", bars("ETHUSDT", BAR))

        assert caught.value.rule == "contradiction"

    @pytest.mark.parametrize("interval", ["", "M", "7"])
    def test_a_length_that_is_not_known_is_refused(self, interval: str) -> None:
        with pytest.raises(Refused, match="interval"):
            ask("kline", f"category=linear&symbol=BTCUSDT&interval={interval}", bars("BTCUSDT", BAR))

    def test_pages_go_back_from_the_oldest_bar(self) -> None:
        asked = (("category", "linear"), ("symbol", "BTCUSDT"), ("interval", "1"), ("end", "9"))
        request = Request(PATH + "kline", asked)
        rows = [[str(NOON_MS - n * 60_000), *BAR[1:]] for n in range(BARS_A_PAGE)]
        second = next_candles(request, reply("kline", "", bars("BTCUSDT", *rows)))

        assert second is not None
        assert dict(second.query) == {**dict(asked), "end": str(NOON_MS - (BARS_A_PAGE - 1) * 60_000 - 1)}
        assert next_candles(request, reply("kline", "", bars("BTCUSDT", *rows[:-1]))) is None

    def test_the_hours_bars_and_no_other_are_asked_for(self) -> None:
        """Both ends are inclusive: 60 bars of a minute open in the hour."""
        endpoint = next(e for e in BYBIT.endpoints if e.dataset == "candles")
        assert endpoint.requests
        query = dict(endpoint.requests(Plan(("BTC",), NOON, NOON + timedelta(hours=1)))[0].query)

        assert (query["start"], query["end"]) == (str(NOON_MS), str(NOON_MS + 3_600_000 - 1))


class TestSettledFunding:
    def read(self, *hours: float, symbol: str = "ETHUSDT") -> list[Record | Reject]:
        rows = [
            {"symbol": symbol, "fundingRate": "-0.0001", "fundingRateTimestamp": str(round(NOON_MS + h * 3_600_000))}
            for h in hours
        ]
        return ask("funding/history", f"category=linear&symbol={symbol}", {"category": "linear", "list": rows})

    def test_an_interval_is_the_time_since_the_settlement_before(self) -> None:
        rows = [row for row in self.read(0, -1, -2, -10) if isinstance(row, FundingRate)]

        assert [row.funding_interval_s for row in rows] == [None, 28_800, 3_600, 3_600]
        assert {row.funding_rate for row in rows} == {-0.0001}
        assert rows[-1].event_ts == NOON

    def test_a_dated_future_is_never_funded(self) -> None:
        [reject] = self.read(0, symbol="ETHUSDH26")

        assert isinstance(reject, Reject)
        assert reject.rule == "contradiction"


class TestOpenInterest:
    def read(self, symbol: str, row: dict[str, str]) -> OpenInterest:
        [interest] = ask("open-interest", f"category=linear&symbol={symbol}", {"symbol": symbol, "list": [row]})
        assert isinstance(interest, OpenInterest)
        return interest

    def test_is_one_sides_in_both_eras(self) -> None:
        """The documentation's sum of both sides, before it stated one beside it and since."""
        before = self.read("BTCUSDT", {"openInterest": "52664.642", "timestamp": str(NOON_MS)})
        since = {"openInterest": "63910691", "singleOpenInterest": "31955346", "timestamp": str(NOON_MS)}
        inverse = self.read("BTCUSD", since)

        assert (before.open_interest_qty, before.open_interest_base) == (26_332.321, 26_332.321)
        assert (inverse.open_interest_qty, inverse.open_interest_base) == (31_955_346.0, None)
        assert inverse.event_ts == NOON


def test_a_trade_of_an_option_is_one_of_a_whole_underlying() -> None:
    """The question names the coin alone; the taker's side stands in the row."""
    row = {"execId": "a-1", "symbol": "ETH-30JAN26-3000-P", "price": "88.4", "size": "0.5", "side": "Buy"}
    rows = {"category": "option", "list": [{**row, "time": str(NOON_MS), "mIv": "0.65"}]}
    [bought] = ask("recent-trade", "category=option&baseCoin=ETH", rows)

    assert isinstance(bought, Trade)
    assert (bought.kind, bought.symbol, bought.side, bought.px, bought.qty) == (
        "option",
        "ETH-30JAN26-3000-P",
        "buy",
        88.4,
        0.5,
    )


def test_realised_volatility_is_no_index_of_options() -> None:
    with pytest.raises(Refused, match="realised") as caught:
        ask("historical-volatility", "category=option", [])

    assert caught.value.rule == "retired"
