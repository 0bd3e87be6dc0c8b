"""Binance's futures: funding intervals by their settlements, bars in coins, and what is served no more."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestion.envelopes import Envelope
from ingestion.records import Candle, FundingRate, Instrument, PerpTicker
from ingestion.venues import VENUES
from ingestion.venues.base import Plan, Refused, Reject, Reply, Venue
from ingestion.venues.binance_coinm import BINANCE_COINM
from ingestion.venues.binance_usdm import BINANCE_USDM

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
NOON_MS = 1_767_355_200_000
Recorded = Callable[[str], list[Envelope]]
BOTH = pytest.mark.parametrize("venue", [BINANCE_USDM, BINANCE_COINM], ids=lambda venue: venue.name)


def root(venue: Venue) -> str:
    return "/fapi/v1/" if venue is BINANCE_USDM else "/dapi/v1/"


def ask(venue: Venue, path: str, query: str, body: object) -> list[Any]:
    return list(venue.parse(Reply.read(root(venue) + path, query, json.dumps(body).encode(), NOON)))


def asked(venue: Venue, dataset: str, plan: Plan) -> list[dict[str, str]]:
    return [
        dict(request.query)
        for endpoint in venue.endpoints
        if endpoint.dataset == dataset and endpoint.requests
        for request in endpoint.requests(plan)
    ]


class TestFundingIntervals:
    def test_recorded_settlements_of_bitcoin_stand_eight_hours_apart(self, recorded: Recorded) -> None:
        found: Counter[int | None] = Counter()
        for name in ("binance_usdm", "binance_coinm"):
            for envelope in recorded(f"http/{name}.jsonl.zst"):
                if envelope.path.endswith("/fundingRate"):
                    rows = list(VENUES[name].parse(envelope.reply()))
                    symbols = {row.symbol for row in rows if isinstance(row, FundingRate)}
                    assert len(symbols) <= 1
                    found.update(row.funding_interval_s for row in rows if isinstance(row, FundingRate))

        assert found.keys() == {None, 28_800}
        assert found[28_800] > 100

    def test_a_changed_interval_holds_from_its_first_settlement(self) -> None:
        rows = [
            {"symbol": "LPTUSDT", "fundingTime": NOON_MS + round(h * 3_600_000), "fundingRate": "0.0001"}
            for h in (-16, -8 + 2e-6, 0 + 1e-6, 4, 8)
        ]
        settled = ask(BINANCE_USDM, "fundingRate", "symbol=LPTUSDT", rows)

        assert [row.funding_interval_s for row in settled] == [None, 28_800, 28_800, 14_400, 14_400]

    def test_adjusted_perpetuals_state_theirs_and_only_they_are_listed(self, recorded: Recorded) -> None:
        """A real list holds perpetuals at 8 hours too, whose cap was adjusted; bitcoin is not among them."""
        [envelope] = [e for e in recorded("http/binance_usdm.jsonl.zst") if e.path.endswith("/fundingInfo")]
        rows = list(BINANCE_USDM.parse(envelope.reply()))
        stated = {row.symbol: row.funding_interval_s for row in rows if isinstance(row, PerpTicker)}

        assert len(stated) == len(rows)
        assert Counter(stated.values()) == {28_800: 18, 14_400: 7}
        assert (stated["GTCUSDT"], stated["LPTUSDT"]) == (28_800, 14_400)
        assert "BTCUSDT" not in stated

    def test_what_no_list_states_is_not_assumed(self, recorded: Recorded) -> None:
        """LPTUSDT was funded every 4 hours when its contract list said nothing of it."""
        perps = [
            row
            for envelope in recorded("http/binance_usdm.jsonl.zst")
            if envelope.path.endswith("/exchangeInfo")
            for row in BINANCE_USDM.parse(envelope.reply())
            if isinstance(row, Instrument) and row.kind == "perp"
        ]

        assert {row.funding_interval_s for row in perps if row.base_asset in ("BTC", "ETH")} == {28_800}
        assert {row.funding_interval_s for row in perps if row.base_asset not in ("BTC", "ETH")} == {None}
        assert BINANCE_COINM.terms("XRPUSD_PERP", "perp", NOON).funding_interval_s is None

    @pytest.mark.parametrize("hours", [0, 25, None, 4.5, "four"])
    def test_an_interval_that_is_none_is_rejected(self, hours: object) -> None:
        [reject] = ask(BINANCE_USDM, "fundingInfo", "", [{"symbol": "LPTUSDT", "fundingIntervalHours": hours}])

        assert isinstance(reject, Reject)


class TestMinuteBars:
    def test_of_inverse_contracts_the_second_volume_counts_coins(self) -> None:
        bar = [NOON_MS, "91180.1", "91240.0", "91150.4", "91222.7", "4120", NOON_MS + 59_999, "4.5176", 310]
        [coins] = ask(BINANCE_COINM, "klines", "symbol=BTCUSD_PERP&interval=1m", [bar])
        linear = [*bar[:5], "4.12", *bar[6:]]
        [base] = ask(BINANCE_USDM, "klines", "symbol=BTCUSDT&interval=1m", [linear])

        assert isinstance(coins, Candle)
        assert (coins.volume_base, coins.interval_s, coins.event_ts) == (4.5176, 60, NOON)
        assert base.volume_base == 4.12
        # 4,120 contracts of 100 dollars are worth those coins at the bar's price.
        assert coins.volume_base == pytest.approx(4_120 * 100 / 91_200, rel=1e-3)

    @BOTH
    def test_are_asked_of_the_hour_for_perpetuals_and_dated_futures(self, venue: Venue) -> None:
        names = ("BTCUSDT", "BTCUSDT_260327") if venue is BINANCE_USDM else ("BTCUSD_PERP", "BTCUSD_260327")
        listed = (venue.terms(names[0], "perp", NOON), venue.terms(names[1], "future", NOON))
        plan = Plan(("BTC",), NOON, NOON + timedelta(hours=1), listed)

        assert [(q["symbol"], q["interval"], q["startTime"], q["endTime"]) for q in asked(venue, "candles", plan)] == [
            (name, "1m", str(NOON_MS), str(NOON_MS + 3_600_000 - 1)) for name in names
        ]
        for dataset in ("trades", "order_books", "open_interest"):
            assert [query["symbol"] for query in asked(venue, dataset, plan)] == list(names)
        assert [query["symbol"] for query in asked(venue, "funding_rates", plan)] == [names[0]]


@BOTH
def test_liquidations_are_served_by_stream_alone(venue: Venue) -> None:
    with pytest.raises(Refused, match="stream") as caught:
        ask(venue, "allForceOrders", "", [])

    assert caught.value.rule == "retired"
    assert "liquidations" not in venue.expected
    assert "liquidations" in venue.lake_datasets
