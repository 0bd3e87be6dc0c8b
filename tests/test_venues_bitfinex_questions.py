"""Bitfinex: what is asked of it, page after page, and what must not be taken for a row."""

from datetime import UTC, datetime, timedelta

import pytest

from ingestion.records import (
    Record,
)
from ingestion.venues.base import Plan, Refused, Reject
from ingestion.venues.bitfinex import BITFINEX
from tests.test_venues_bitfinex import NOON_MS, STATUS, all_pages, ask, liquidation


class TestQuestions:
    def test_no_trade_is_lost_between_pages_though_they_share_milliseconds(self) -> None:
        rows = [[n, NOON_MS + n // 7, 0.1, 100] for n in range(25_003)]
        got = all_pages("trades/tBTCUSD/hist", "trades", 10_000, rows, lambda row: int(row[1]))

        assert sorted({row[0] for row in got}) == list(range(25_003))
        assert len(got) < 25_003 + 3 * 7

    def test_no_liquidation_is_lost_between_pages(self) -> None:
        rows = [liquidation(-1.0) for _ in range(1_100)]
        for number, [row] in enumerate(rows):
            row[1], row[2] = number, NOON_MS + number // 3
        got = all_pages("liquidations/hist", "liquidations", 500, rows, lambda row: int(row[0][2]))

        assert sorted({row[0][1] for row in got}) == list(range(1_100))

    def test_a_whole_page_of_one_millisecond_is_said_and_not_asked_for_ever(self) -> None:
        with pytest.raises(Refused) as caught:
            all_pages(
                "trades/tBTCUSD/hist", "trades", 10_000, [[n, NOON_MS, 0.1, 1] for n in range(10_001)], lambda r: r[1]
            )

        assert caught.value.rule == "paging"

    @pytest.mark.parametrize("hour", range(24))
    def test_whatever_the_hour_the_three_settlements_of_the_day_before_its_end_are_asked_for(self, hour: int) -> None:
        start = datetime(2026, 1, 2, hour, tzinfo=UTC)
        end = start + timedelta(hours=1)
        [funding] = [e for e in BITFINEX.endpoints if e.dataset == "funding_rates"]
        assert funding.requests is not None
        asked = [int(dict(r.query)["end"]) + 1 for r in funding.requests(Plan(("BTC",), start, end))]
        settlements = [datetime.fromtimestamp(ms / 1_000, UTC) for ms in asked]

        assert len(settlements) == 3
        assert all(end - timedelta(days=1) <= at < end and at.hour % 8 == 0 for at in settlements)

    def test_a_days_questions_stay_within_the_slowest_limits(self) -> None:
        """Of 90 a minute: 15 questions for trades, 30 for candles, 3 for liquidations."""
        weights = {endpoint.dataset: endpoint.weight for endpoint in BITFINEX.endpoints}

        assert (90 // weights["trades"], 90 // weights["candles"], 90 // weights["liquidations"]) == (15, 30, 3)


class TestHostileReplies:
    @pytest.mark.parametrize(
        "path", ["tickers", "trades/tBTCUSD/hist", "book/tBTCUSD/P0", "conf/pub:list:pair:exchange"]
    )
    def test_an_error_in_a_reply_of_status_200_is_the_venues(self, path: str) -> None:
        with pytest.raises(Refused, match="limit: invalid") as caught:
            ask(path, ["error", 10_020, "limit: invalid"])

        assert caught.value.rule == "venue_error"

    def test_a_rate_limit_is_no_list(self) -> None:
        with pytest.raises(Refused):
            ask("tickers", {"error": "ERR_RATE_LIMIT"})

    def test_an_empty_book_is_of_no_listed_pair(self) -> None:
        with pytest.raises(Refused) as caught:
            ask("book/tNOPUSD/P0", [])

        assert caught.value.rule == "unknown_symbol"

    @pytest.mark.parametrize("place", [0, 1, 8, 12, 15, 18])
    def test_a_status_with_another_type_in_a_place_is_rejected(self, place: int) -> None:
        row = [*STATUS]
        row[place] = {}
        reject, *good = ask("status/deriv", [row, STATUS])

        assert isinstance(reject, Reject)
        assert reject.rule == "schema"
        assert len(good) == 2

    def test_a_row_that_was_cut_short_is_rejected(self) -> None:
        [reject] = ask("status/deriv", [STATUS[:18]])

        assert isinstance(reject, Reject)

    @pytest.mark.parametrize("stamp", [NOON_MS * 1_000, NOON_MS // 1_000, 0])
    def test_a_timestamp_in_another_unit_is_noticed(self, stamp: int) -> None:
        [reject] = ask("trades/tBTCUSD/hist", [[1, stamp, 0.1, 100]])

        assert isinstance(reject, Reject)
        assert reject.rule == "timestamp"

    def test_an_executed_liquidation_without_a_price_is_rejected(self) -> None:
        [reject] = ask("liquidations/hist", [liquidation(-0.5, px=None)])

        assert isinstance(reject, Reject)
        assert reject.rule == "schema"


def test_rows_are_records_or_rejects() -> None:
    told: list[Record | Reject] = ask("trades/tBTCUSD/hist", [[1, NOON_MS, 0.1, 100], [2, NOON_MS, "0.1", 100]])

    assert [isinstance(row, Reject) for row in told] == [False, True]
