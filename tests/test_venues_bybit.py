"""Bybit, by numbers read off real replies by hand, by documented examples, and by its formats' traps."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from ingestion.envelopes import Envelope
from ingestion.records import (
    FutureTicker,
    OpenInterest,
    OptionQuote,
    OrderBook,
    PerpTicker,
    Record,
    SpotTicker,
    Trade,
)
from ingestion.venues.base import Refused, Reject, Reply
from ingestion.venues.bybit import BYBIT
from ingestion.venues.bybit_names import read_name, read_spot

NOW = datetime(2024, 1, 14, 20, 1, 3, tzinfo=UTC)
NOW_MS = 1_705_262_463_000
Recorded = Callable[[str], list[Envelope]]


def reply(path: str, query: str, result: object) -> Reply:
    body = {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": NOW_MS}
    return Reply.read("/v5/market/" + path, query, json.dumps(body).encode(), NOW)


def ask(path: str, query: str, *rows: object, category: str = "") -> list[Record | Reject]:
    return list(BYBIT.parse(reply(path, query, {"category": category, "list": rows})))


@pytest.fixture
def tickers(recorded: Recorded) -> list[tuple[Envelope, list[Record | Reject]]]:
    """The seven recorded replies of `market/tickers`, in their order, with what they hold."""
    envelopes = [e for e in recorded("http/bybit.jsonl.zst") if e.path == "/v5/market/tickers"]
    return [(envelope, list(BYBIT.parse(envelope.reply()))) for envelope in envelopes]


def of(items: Sequence[Record | Reject], kind: type[Record], symbol: str) -> Any:
    found = [i for i in items if type(i) is kind and i.symbol == symbol]
    assert len(found) == 1
    return found[0]


def raw_rows(envelope: Envelope) -> list[dict[str, str]]:
    return list(json.loads(envelope.reply_bytes)["result"]["list"])


class TestRealReplies:
    def test_nothing_is_rejected_and_every_row_is_read_once(self, tickers: Any) -> None:
        for envelope, items in tickers:
            assert [item for item in items if isinstance(item, Reject)] == []
            quoted = [item.symbol for item in items if not isinstance(item, OpenInterest)]
            assert quoted == [row["symbol"] for row in raw_rows(envelope)]

    def test_an_inverse_perpetual_listed_as_linear_is_inverse(self, tickers: Any) -> None:
        """The reply to `category=inverse&symbol=BTCUSD` calls itself `linear`."""
        envelope, items = tickers[2]
        assert json.loads(envelope.reply_bytes)["result"]["category"] == "linear"

        assert of(items, PerpTicker, "BTCUSD") == PerpTicker(
            venue="bybit",
            symbol="BTCUSD",
            kind="perp",
            captured_ts=datetime(2024, 1, 5, 21, 59, 38, tzinfo=UTC),
            event_ts=datetime(2024, 1, 5, 21, 59, 38, 83_000, tzinfo=UTC),
            bid_px=43_909.0,
            bid_qty=12_245.0,
            ask_px=43_909.5,
            ask_qty=11_949.0,
            last_px=43_909.0,
            volume_24h_base=21_377.7156,
            volume_24h_quote=933_603_671.0,
            mark_px=43_909.0,
            index_px=43_934.39,
            funding_rate=0.0001,
            funding_interval_s=28_800,
            next_funding_ts=datetime(2024, 1, 6, tzinfo=UTC),
        )
        interest = of(items, OpenInterest, "BTCUSD")
        assert (interest.open_interest_qty, interest.open_interest_base) == (641_081_671.0 / 2, 14_600.23 / 2)
        assert BYBIT.terms("BTCUSD", "perp", NOW).is_inverse

    def test_perpetuals_in_reply_to_a_question_for_options_are_perpetuals(self, tickers: Any) -> None:
        _, items = tickers[6]

        assert Counter(type(item) for item in items) == {PerpTicker: 245, FutureTicker: 14, OpenInterest: 259}
        assert of(items, FutureTicker, "BTC-29MAR24").mark_px == 30_354.84

    def test_spot_and_perpetual_of_one_name_are_told_apart(self, tickers: Any) -> None:
        spot = of(tickers[3][1], SpotTicker, "BTCUSDT")
        perp = of(tickers[4][1], PerpTicker, "BTCUSDT")

        assert (spot.kind, perp.kind) == ("spot", "perp")
        assert (spot.bid_px, spot.bid_qty, spot.ask_px, spot.ask_qty) == (
            42_628.94,
            0.342182,
            42_628.95,
            0.623603,
        )
        assert (spot.volume_24h_base, spot.volume_24h_quote) == (4_127.989464, 176_874_488.70721023)

    def test_linear_volume_is_coin_and_its_turnover_dollars(self, tickers: Any) -> None:
        future = of(tickers[4][1], FutureTicker, "BTC-29MAR24")
        interest = of(tickers[4][1], OpenInterest, "BTC-29MAR24")

        assert future.mark_px == 43_354.29
        assert interest.open_interest_qty == interest.open_interest_base == 387.694 / 2

    def test_open_interest_is_worth_what_the_venue_says(self, tickers: Any) -> None:
        """To 1 %: coin from dollars for inverse contracts, dollars from coin for linear ones.

        The venue's worth is that of both sides, ours of one.
        """
        for envelope, items in tickers:
            worth = {row["symbol"]: float(row.get("openInterestValue", 0)) for row in raw_rows(envelope)}
            marks = {i.symbol: i.mark_px or 0 for i in items if isinstance(i, FutureTicker)}
            for item in items:
                if isinstance(item, OpenInterest):
                    terms = BYBIT.terms(item.symbol, item.kind, item.captured_ts)
                    qty, mark = item.open_interest_qty * terms.contract_size, marks[item.symbol]
                    value = qty / mark if terms.amount_unit == "usd" else qty * mark
                    assert 2 * value == pytest.approx(worth[item.symbol], rel=0.01, abs=0.01)
                    base = qty / mark if terms.is_inverse else qty
                    assert item.open_interest_base == pytest.approx(base, rel=0.01)

    def test_names_and_delivery_times_agree(self, tickers: Any) -> None:
        """44 dated rows, among them quarterlies (`BTCUSDH24`), whose name only says the quarter."""
        dated = 0
        for envelope, _ in tickers:
            for row in raw_rows(envelope):
                delivery_ms = int(row.get("deliveryTime", "0"))
                if delivery_ms:
                    expiry_ts = read_name(row["symbol"]).expiry_ts
                    assert expiry_ts == datetime.fromtimestamp(delivery_ms / 1_000, UTC)
                    dated += 1

        assert dated == 4 + 14 + 4 + 14

    def test_every_recorded_spot_pair_has_two_sides(self, tickers: Any) -> None:
        for _, items in tickers:
            for item in items:
                if isinstance(item, SpotTicker) and type(item) is SpotTicker:
                    name = read_spot(item.symbol)
                    assert name.base_asset + name.quote_asset == item.symbol

    @pytest.mark.parametrize(
        "path",
        [
            "/v2/public/tickers",
            "/public/linear/kline",
            "/spot/v1/symbols",
            "/spot/quote/v1/depth",
            "/option/usdc/openapi/public/v1/query-trade-latest",
            "/perpetual/usdc/openapi/public/v1/tick",
        ],
    )
    def test_what_came_before_v5_is_retired(self, path: str) -> None:
        with pytest.raises(Refused, match="replaced with v5") as caught:
            BYBIT.parse(Reply.read(path, "", b"{}", NOW))

        assert caught.value.rule == "retired"


OPTION = {
    "symbol": "BTC-29MAR24-40000-C",
    "bid1Price": "0",
    "bid1Size": "0",
    "bid1Iv": "0",
    "ask1Price": "5435",
    "ask1Size": "0.66",
    "ask1Iv": "0.62",
    "lastPrice": "0",
    "markPrice": "5400.5",
    "indexPrice": "42612.8",
    "markIv": "0.5567",
    "underlyingPrice": "43350.42",
    "openInterest": "6.3",
    "turnover24h": "2482.73",
    "volume24h": "0.15",
    "delta": "0.64",
    "gamma": "0.00003",
    "vega": "69.1",
    "theta": "-31.5",
}
PERP = {
    "symbol": "BTCUSDT",
    "lastPrice": "42600.1",
    "bid1Price": "42600",
    "bid1Size": "5",
    "ask1Price": "42600.1",
    "ask1Size": "11",
    "volume24h": "10",
    "turnover24h": "426000",
    "markPrice": "42601",
    "indexPrice": "42612",
    "openInterest": "100",
    "openInterestValue": "4260100",
    "fundingRate": "-0.0001",
    "nextFundingTime": "1705276800000",
    "deliveryTime": "0",
}
SPOT_FIELDS = (
    "symbol",
    "lastPrice",
    "bid1Price",
    "bid1Size",
    "ask1Price",
    "ask1Size",
    "volume24h",
    "turnover24h",
)
SPOT = {field: PERP[field] for field in SPOT_FIELDS}


class TestDocumentedExamples:
    def test_an_options_volatilities_are_decimals_and_its_premium_dollars(self) -> None:
        [quote, interest] = ask("tickers", "category=option&baseCoin=BTC", OPTION, category="option")

        assert quote == OptionQuote(
            venue="bybit",
            symbol="BTC-29MAR24-40000-C",
            kind="option",
            captured_ts=NOW,
            event_ts=NOW,
            ask_px=5_435.0,
            ask_qty=0.66,
            mark_px=5_400.5,
            forward_px=43_350.42,
            index_px=42_612.8,
            mark_iv_ann=0.5567,
            ask_iv_ann=0.62,
            delta=0.64,
            gamma=0.00003,
            vega=69.1,
            theta=-31.5,
            volume_24h_qty=0.15,
        )
        assert isinstance(interest, OpenInterest)
        assert interest.open_interest_qty == interest.open_interest_base == 6.3

    def test_a_stated_funding_interval_counts(self) -> None:
        [perp, _] = ask("tickers", "category=linear", {**PERP, "fundingIntervalHour": "4"}, category="linear")

        assert isinstance(perp, PerpTicker)
        assert (perp.funding_rate, perp.funding_interval_s) == (-0.0001, 14_400)

    def test_open_interest_of_a_contract_is_one_sides(self) -> None:
        """The venue sums longs and shorts; since 2026 it states one side too, which then counts."""
        stated = {**PERP, "singleOpenInterest": "51", "singleOpenInterestValue": "2172651"}
        inverse = {**PERP, "symbol": "BTCUSD", "openInterest": "4000000", "openInterestValue": "93.9"}
        [_, halved] = ask("tickers", "category=linear", PERP, category="linear")
        [_, told] = ask("tickers", "category=linear", stated, category="linear")
        [_, dollars] = ask("tickers", "category=inverse", inverse, category="inverse")

        assert isinstance(halved, OpenInterest)
        assert isinstance(told, OpenInterest)
        assert isinstance(dollars, OpenInterest)
        assert (halved.open_interest_qty, halved.open_interest_base) == (50.0, 50.0)
        assert (told.open_interest_qty, told.open_interest_base) == (51.0, 51.0)
        assert (dollars.open_interest_qty, dollars.open_interest_base) == (2_000_000.0, 46.95)

    def test_a_book_is_spot_or_perpetual_as_it_was_asked_for(self) -> None:
        book = {
            "s": "BTCUSDT",
            "b": [["42600", "5"], ["42599.9", "0.25"]],
            "a": [["42600.1", "11"]],
            "ts": NOW_MS,
            "u": 230_704,
            "seq": 1_432_604_333,
            "cts": NOW_MS - 5,
        }

        def read(category: str) -> Any:
            [book_read] = BYBIT.parse(reply("orderbook", f"category={category}&symbol=BTCUSDT&limit=200", book))
            return book_read

        assert read("spot").kind == "spot"
        assert read("linear") == OrderBook(
            venue="bybit",
            symbol="BTCUSDT",
            kind="perp",
            captured_ts=NOW,
            event_ts=NOW,
            sequence_id=230_704,
            bid_px=(42_600.0, 42_599.9),
            bid_qty=(5.0, 0.25),
            ask_px=(42_600.1,),
            ask_qty=(11.0,),
        )
        assert read("").rule == "unknown_symbol"

    def test_a_trades_side_is_the_takers(self) -> None:
        trade = {
            "execId": "2100000000007764263",
            "symbol": "BTCUSD",
            "price": "42600.50",
            "size": "300",
            "side": "Sell",
            "time": str(NOW_MS),
            "isBlockTrade": False,
        }
        assert ask("recent-trade", "category=inverse&symbol=BTCUSD", trade, category="inverse") == [
            Trade(
                venue="bybit",
                symbol="BTCUSD",
                kind="perp",
                captured_ts=NOW,
                event_ts=NOW,
                trade_id="2100000000007764263",
                px=42_600.5,
                qty=300.0,
                side="sell",
            )
        ]


class TestHostileReplies:
    @pytest.mark.parametrize("row", [PERP, OPTION, SPOT], ids=["perp", "option", "spot"])
    def test_a_missing_field_never_makes_a_row_something_else(self, row: dict[str, str]) -> None:
        category = "spot" if row is SPOT else "linear"
        for field in row:
            rest = {key: value for key, value in row.items() if key != field}
            [reject] = ask("tickers", f"category={category}", rest, category=category)

            assert isinstance(reject, Reject)
            assert reject.rule == "schema"
            assert field in reject.reason

    @pytest.mark.parametrize("number", ["NaN", "-inf", "1e400", "1_000", "x", None, True, [], {}])
    def test_what_is_no_finite_number_is_no_price(self, number: object) -> None:
        [reject] = ask("tickers", "category=linear", {**PERP, "bid1Price": number})

        assert isinstance(reject, Reject)
        assert reject.rule == "schema"

    @pytest.mark.parametrize(
        "changed",
        [
            {"symbol": "BTC-29MAR24"},
            {"fundingRate": "", "deliveryTime": "1711699200000"},
            {"symbol": "BTC-29MAR24-40000-C"},
        ],
    )
    def test_a_row_that_contradicts_its_name_is_rejected(self, changed: dict[str, str]) -> None:
        """A perpetual under a future's name, a future under a perpetual's, a contract under an option's."""
        [reject] = ask("tickers", "category=linear", {**PERP, **changed})

        assert isinstance(reject, Reject)
        assert reject.rule == "contradiction"

    def test_a_spot_pairs_row_among_contracts_is_rejected(self) -> None:
        [reject] = ask("tickers", "category=linear", SPOT, category="linear")

        assert isinstance(reject, Reject)
        assert reject.rule == "contradiction"

    def test_a_perpetual_to_be_delisted_stays_a_perpetual(self) -> None:
        """Its `deliveryTime` is the day of its end, but it still has a funding rate."""
        [perp, _] = ask("tickers", "category=linear", {**PERP, "deliveryTime": "1711699200000"})

        assert type(perp) is PerpTicker

    def test_a_timestamp_in_another_unit_is_noticed(self) -> None:
        [reject] = ask("tickers", "category=linear", {**PERP, "nextFundingTime": "1705276800"})
        assert isinstance(reject, Reject)
        assert reject.rule == "timestamp"

        body = {"retCode": 0, "retMsg": "OK", "result": {"list": [PERP]}, "time": NOW_MS // 1_000}
        [reject] = BYBIT.parse(Reply.read("/v5/market/tickers", "", json.dumps(body).encode(), NOW))
        assert isinstance(reject, Reject)
        assert reject.rule == "timestamp"

    def test_an_error_in_a_reply_of_status_200_is_the_venues(self) -> None:
        body = b'{"retCode":10006,"retMsg":"Too many visits!","result":{},"time":1705262463000}'
        with pytest.raises(Refused, match="10006, Too many visits!") as caught:
            BYBIT.parse(Reply.read("/v5/market/tickers", "category=spot", body, NOW))

        assert caught.value.rule == "venue_error"

    def test_a_price_that_a_float_would_change_is_refused(self) -> None:
        book = {"s": "BTCUSDT", "b": [["0.12345678901234567", "1"]], "a": [], "ts": NOW_MS, "u": 1}
        with pytest.raises(Refused) as caught:
            BYBIT.parse(reply("orderbook", "category=spot&symbol=BTCUSDT", book))

        assert caught.value.rule == "precision"
