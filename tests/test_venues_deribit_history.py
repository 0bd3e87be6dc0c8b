"""What Deribit keeps, by hand-made replies in its documented format: payments, forced orders, bars, DVOL."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingestion.envelopes import seal
from ingestion.gate.rows import broken_rule
from ingestion.ingest import ingest
from ingestion.lake import Lake
from ingestion.quarantine import Quarantine
from ingestion.raw import RawZone
from ingestion.records import Candle, FundingRate, Liquidation, Record, Trade, VolatilityIndex
from ingestion.storage import Store
from ingestion.venues.base import Refused, Reject, Reply, Request
from ingestion.venues.deribit import DERIBIT
from ingestion.venues.deribit_history import next_volatility

NOW = datetime(2026, 1, 2, 13, 0, 5, tzinfo=UTC)
NOON_MS = 1_767_355_200_000  # an hour before
PUBLIC = "/api/v2/public/"


def ask(method: str, query: str, result: object, now: datetime = NOW) -> list[Record | Reject]:
    body = json.dumps({"jsonrpc": "2.0", "result": result}).encode()
    return list(DERIBIT.parse(Reply.read(PUBLIC + method, query, body, now)))


def trade(**more: Any) -> dict[str, Any]:
    return {
        "trade_id": "7",
        "trade_seq": 7,
        "instrument_name": "BTC-PERPETUAL",
        "timestamp": NOON_MS,
        "direction": "sell",
        "price": 91_200.5,
        "amount": 500.0,
    } | more


class TestTrades:
    def read(self, *trades: dict[str, Any], query: str = "", now: datetime = NOW) -> list[Record | Reject]:
        return ask("get_last_trades_by_currency_and_time", query, {"trades": trades, "has_more": False}, now)

    @pytest.mark.parametrize(("party", "sides"), [("T", ["sell"]), ("M", ["buy"]), ("MT", ["buy", "sell"]), (None, [])])
    def test_a_liquidated_maker_did_the_opposite_of_the_taker(self, party: str | None, sides: list[str]) -> None:
        [sold, *forced] = self.read(trade(**({"liquidation": party} if party else {})))

        assert isinstance(sold, Trade)
        assert sold.side == "sell"
        assert [order.side for order in forced if isinstance(order, Liquidation)] == sides
        assert [order.liquidation_id for order in forced if isinstance(order, Liquidation)] == ["7"] * len(sides)

    def test_a_liquidation_is_priced_by_its_fill(self) -> None:
        [_, forced] = self.read(trade(liquidation="T"))

        assert forced == Liquidation(
            venue="deribit",
            symbol="BTC-PERPETUAL",
            kind="perp",
            captured_ts=NOW,
            event_ts=NOW.replace(hour=12, second=0),
            liquidation_id="7",
            side="sell",
            px=91_200.5,
            px_source="fill",
            qty=500.0,
        )

    def test_another_party_than_the_documented_is_rejected(self) -> None:
        [reject] = self.read(trade(liquidation="X"))

        assert isinstance(reject, Reject)

    def test_options_and_linear_contracts_count_coins(self) -> None:
        option, linear = trade(instrument_name="ETH-30JAN26-3000-P"), trade(instrument_name="SOL_USDC-PERPETUAL")
        kinds = [(item.kind, item.symbol) for item in self.read(option, linear) if isinstance(item, Trade)]

        assert kinds == [("option", "ETH-30JAN26-3000-P"), ("perp", "SOL_USDC-PERPETUAL")]
        assert DERIBIT.terms("ETH-30JAN26-3000-P", "option", NOW).amount_unit == "base"

    def test_nothing_about_more_than_a_day_ago_is_not_known_rather_than_nothing(self) -> None:
        """Deribit answers such a question with an empty page and no error."""
        query = f"start_timestamp={NOON_MS}"
        day_later = NOW + timedelta(days=1)

        assert self.read(query=query) == []
        with pytest.raises(Refused, match="24 hours") as caught:
            self.read(query=query, now=day_later)
        assert caught.value.rule == "too_old"
        assert len(self.read(trade(), query=query, now=day_later)) == 1

    @pytest.mark.parametrize(("forced", "rows_count"), [({"liquidation": "T"}, 1), ({}, 0)])
    def test_an_hour_of_trades_says_that_nobody_was_liquidated(
        self, tmp_path: Path, forced: dict[str, str], rows_count: int
    ) -> None:
        """And an hour of which no trade came says nothing."""
        store, hour = Store.open(str(tmp_path)), NOW.replace(hour=12, second=0)
        raw = RawZone(store)
        body = json.dumps({"result": {"trades": [trade(**forced)], "has_more": False}}).encode()
        path = PUBLIC + "get_last_trades_by_currency_and_time"
        told = seal(venue="deribit", host="", path=path, query="", status=200, captured_ts=NOW, body=body)
        raw.write("deribit", "trades", hour, [told])
        hours = [hour, hour - timedelta(hours=1)]
        verdicts = ingest(DERIBIT, hours, raw, Lake(store), Quarantine(store), ["trades", "liquidations"])
        found = {v.hour: (v.status, v.rows_count) for v in verdicts if v.dataset == "liquidations"}

        assert found == {hour: ("ok", rows_count), hours[1]: ("gap", 0)}


class TestFunding:
    QUERY = "instrument_name=BTC-PERPETUAL"

    def test_an_hour_paid_its_own_interest_and_not_that_of_eight(self) -> None:
        points = [
            {"timestamp": NOON_MS + n * 3_600_000, "interest_1h": 0.00001 * n, "interest_8h": 0.00028, "index_price": 1}
            for n in range(1, 9)
        ]
        paid = [row for row in ask("get_funding_rate_history", self.QUERY, points) if isinstance(row, FundingRate)]

        assert [row.funding_rate for row in paid] == [0.00001 * n for n in range(1, 9)]
        assert {row.funding_interval_s for row in paid} == {3_600}
        # Eight hours' payments are their sum: 0.00036, of which `interest_8h` at each hour would make eightfold.
        assert sum(row.funding_rate for row in paid) == pytest.approx(0.00036)

    def test_without_the_payment_of_the_hour_there_is_none(self) -> None:
        [reject] = ask("get_funding_rate_history", self.QUERY, [{"timestamp": NOON_MS, "interest_8h": 0.0001}])

        assert isinstance(reject, Reject)
        assert "interest_1h" in reject.reason

    def test_it_must_be_said_whose_it_is(self) -> None:
        with pytest.raises(Refused) as caught:
            ask("get_funding_rate_history", "", [])

        assert caught.value.rule == "unknown_symbol"


CHART = {
    "status": "ok",
    "ticks": [NOON_MS, NOON_MS + 60_000],
    "open": [91_000.0, 91_010.5],
    "high": [91_020.0, 91_011.0],
    "low": [90_990.5, 90_950.0],
    "close": [91_010.5, 90_960.0],
    "volume": [1.5, 0.25],
    "cost": [136_500.0, 22_740.0],
}


class TestCandles:
    QUERY = "instrument_name=ETH_USDC-PERPETUAL&resolution=1"

    def test_columns_become_bars_labelled_by_their_start_in_coins(self) -> None:
        [first, second] = ask("get_tradingview_chart_data", self.QUERY, CHART)

        assert first == Candle(
            venue="deribit",
            symbol="ETH_USDC-PERPETUAL",
            kind="perp",
            captured_ts=NOW,
            event_ts=NOW.replace(hour=12, second=0),
            interval_s=60,
            open_px=91_000.0,
            high_px=91_020.0,
            low_px=90_990.5,
            close_px=91_010.5,
            volume_base=1.5,
        )
        assert isinstance(second, Candle)
        assert second.event_ts == NOW.replace(hour=12, minute=1, second=0)

    def test_no_data_is_no_bars(self) -> None:
        empty = {name: "no_data" if name == "status" else [] for name in CHART}

        assert ask("get_tradingview_chart_data", self.QUERY, empty) == []

    @pytest.mark.parametrize("column", ["ticks", "close", "volume"])
    def test_columns_of_unequal_length_are_refused_whole(self, column: str) -> None:
        chart: dict[str, Any] = {**CHART, column: CHART[column][:1]}  # type: ignore[index]
        with pytest.raises(Refused, match="columns of") as caught:
            ask("get_tradingview_chart_data", self.QUERY, chart)

        assert caught.value.rule == "schema"

    @pytest.mark.parametrize(("resolution", "length_s"), [("1", 60), ("60", 3_600), ("1D", 86_400)])
    def test_resolutions_are_minutes(self, resolution: str, length_s: int) -> None:
        bars = ask("get_tradingview_chart_data", f"instrument_name=BTC-PERPETUAL&resolution={resolution}", CHART)

        assert {bar.interval_s for bar in bars if isinstance(bar, Candle)} == {length_s}

    def test_a_resolution_that_is_not_documented_is_refused(self) -> None:
        with pytest.raises(Refused, match="resolution '7'"):
            ask("get_tradingview_chart_data", "instrument_name=BTC-PERPETUAL&resolution=7", CHART)


class TestVolatilityIndex:
    def read(self, *bars: list[float], query: str = "currency=BTC&resolution=60") -> list[Record | Reject]:
        return ask("get_volatility_index_data", query, {"data": bars, "continuation": None})

    def test_percent_on_the_wire_is_a_decimal_here(self) -> None:
        [bar] = self.read([NOON_MS, 43.5, 44, 43.25, 43.75])

        assert bar == VolatilityIndex(
            venue="deribit",
            symbol="btcdvol_usdc",
            kind="option",
            captured_ts=NOW,
            event_ts=NOW.replace(hour=12, second=0),
            base_asset="BTC",
            interval_s=60,
            open_iv_ann=0.435,
            high_iv_ann=0.44,
            low_iv_ann=0.4325,
            close_iv_ann=0.4375,
        )
        assert broken_rule(bar) is None

    @pytest.mark.parametrize("close", [0.435, 0, -43.5, 4_350])
    def test_what_is_no_percentage_is_rejected(self, close: float) -> None:
        """Read as percent, a decimal of 0.435 would be a volatility of 0.4 % that no bound of ours would catch."""
        [reject, good] = self.read([NOON_MS, 43.5, 44, 43, close], [NOON_MS + 60_000, 43.5, 44, 43, 43.5])

        assert isinstance(reject, Reject)
        assert isinstance(good, VolatilityIndex)

    @pytest.mark.parametrize(("resolution", "length_s"), [("60", 60), ("3600", 3_600), ("1D", 86_400)])
    def test_resolutions_are_seconds(self, resolution: str, length_s: int) -> None:
        """Of bars of trades, `60` is an hour."""
        [bar] = self.read([NOON_MS, 43, 44, 43, 44], query=f"currency=ETH&resolution={resolution}")

        assert isinstance(bar, VolatilityIndex)
        assert (bar.symbol, bar.interval_s) == ("ethdvol_usdc", length_s)

    @pytest.mark.parametrize("query", ["resolution=60", "currency=BTC&resolution=5"])
    def test_what_the_question_leaves_open_is_refused(self, query: str) -> None:
        with pytest.raises(Refused):
            self.read([NOON_MS, 43, 44, 43, 44], query=query)

    def test_the_next_page_ends_where_this_one_begins(self) -> None:
        request = Request(PUBLIC + "get_volatility_index_data", (("currency", "BTC"), ("end_timestamp", "9")))

        def page(continuation: int | None) -> Reply:
            body = json.dumps({"result": {"data": [[1, 2, 3, 4, 5]], "continuation": continuation}}).encode()
            return Reply.read(request.path, request.query_string, body, NOW)

        before = next_volatility(request, page(5))
        assert before is not None
        assert dict(before.query) == {"currency": "BTC", "end_timestamp": "5"}
        assert next_volatility(request, page(None)) is None


@pytest.mark.parametrize("method", ["get_historical_volatility", "get_funding_chart_data", "get_funding_rate_value"])
def test_what_is_no_index_and_no_payment_is_refused_by_name(method: str) -> None:
    with pytest.raises(Refused) as caught:
        ask(method, "", [])

    assert caught.value.rule == "retired"
