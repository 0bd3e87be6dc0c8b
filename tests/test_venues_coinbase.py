"""Coinbase Exchange, by numbers read off real replies by hand, by documented examples, and by its traps."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.envelopes import Envelope
from ingestion.records import Candle, Instrument, OrderBook, Record, SpotTicker, Trade
from ingestion.venues.base import Plan, Refused, Reject, Reply, Request
from ingestion.venues.coinbase import COINBASE
from ingestion.venues.coinbase_replies import TRADES_A_PAGE, next_trades

NOW = datetime(2026, 1, 2, 13, 0, 5, tzinfo=UTC)
HOUR = datetime(2026, 1, 2, 12, tzinfo=UTC)
PLAN = Plan(("BTC", "ETH"), HOUR, HOUR + timedelta(hours=1))
Recorded = Callable[[str], list[Envelope]]


def ask(path: str, body: object, query: str = "") -> list[Record | Reject]:
    return list(COINBASE.parse(Reply.read(path, query, json.dumps(body).encode(), NOW)))


def asked(dataset: str, plan: Plan = PLAN) -> list[Request]:
    [endpoint] = [e for e in COINBASE.endpoints if e.dataset == dataset]
    assert endpoint.requests is not None
    return list(endpoint.requests(plan))


@pytest.fixture
def read(recorded: Recorded) -> Callable[..., list[Any]]:
    """What the recorded replies to one path hold, oldest first."""
    envelopes = sorted(recorded("http/coinbase.jsonl.zst"), key=lambda e: str(e.recorded_at))
    return lambda path: [list(COINBASE.parse(e.reply())) for e in envelopes if e.path == path]


class TestRealReplies:
    def test_a_list_of_2017_knows_no_step_of_size(self, read: Any) -> None:
        old, new = ({i.symbol: i for i in reply} for reply in read("/products"))

        assert (len(old), len(new)) == (9, 162)
        assert (old["BTC-USD"].tick_size_px, old["BTC-USD"].lot_size_qty) == (0.01, None)
        assert new["BTC-USD"] == Instrument(
            venue="coinbase",
            symbol="BTC-USD",
            kind="spot",
            captured_ts=datetime(2021, 4, 17, 16, 43, 36, tzinfo=UTC),
            base_asset="BTC",
            quote_asset="USD",
            settle_asset="USD",
            contract_size=1.0,
            amount_unit="base",
            is_inverse=False,
            tick_size_px=0.01,
            lot_size_qty=0.00000001,
            terms_source="listed",
        )

    def test_the_book_of_level_two_is_price_and_the_sum_of_sizes(self, read: Any) -> None:
        [[book]] = read("/products/BTC-USD/book")

        assert isinstance(book, OrderBook)
        assert (book.symbol, book.sequence_id, book.event_ts) == ("BTC-USD", 9_341_561_528, None)
        assert (len(book.bid_px), len(book.ask_px)) == (50, 50)
        assert (book.bid_px[:2], book.bid_qty[:2]) == ((5362.39, 5362.38), (0.12951376, 1.07549082))
        assert (book.ask_px[0], book.ask_qty[0], book.ask_px[-1]) == (5363.77, 0.1, 5381.01)

    def test_a_pair_asked_for_in_lower_case_is_the_same_pair(self, read: Any) -> None:
        [[ticker]] = read("/products/btc-usd/ticker")

        assert ticker == SpotTicker(
            venue="coinbase",
            symbol="BTC-USD",
            kind="spot",
            captured_ts=datetime(2017, 10, 3, 4, 0, 34, tzinfo=UTC),
            bid_px=4417.0,
            ask_px=4417.01,
            last_px=4417.01,
            volume_24h_base=7878.23402368,
        )


TRADE = {"trade_id": 7, "side": "sell", "size": "0.5", "price": "88210.44", "time": "2026-01-02T12:59:59.123456Z"}


class TestTrades:
    def test_the_aggressor_did_the_opposite_of_the_resting_order(self) -> None:
        """The documentation: a resting sell that is taken is an up-tick, so somebody bought."""
        up, down = ask("/products/BTC-USD/trades", [TRADE, {**TRADE, "trade_id": 6, "side": "buy"}])

        assert up == Trade(
            venue="coinbase",
            symbol="BTC-USD",
            kind="spot",
            captured_ts=NOW,
            event_ts=datetime(2026, 1, 2, 12, 59, 59, 123_456, tzinfo=UTC),
            trade_id="7",
            px=88_210.44,
            qty=0.5,
            side="buy",
        )
        assert isinstance(down, Trade)
        assert down.side == "sell"

    def test_pages_go_back_by_id_until_the_hours_first_trade(self) -> None:
        request = asked("trades")[0]
        assert (request.path, request.query, request.until_ts) == (
            "/products/BTC-USD/trades",
            (("limit", "1000"),),
            HOUR,
        )

        def page(rows: int, oldest: str) -> Reply:
            body = [*([TRADE] * (rows - 1)), {**TRADE, "trade_id": 5, "time": oldest}]
            return Reply.read(request.path, request.query_string, json.dumps(body).encode(), NOW)

        second = next_trades(request, page(TRADES_A_PAGE, "2026-01-02T12:00:00Z"))
        assert second is not None
        assert (second.query, second.until_ts) == ((("limit", "1000"), ("after", "5")), HOUR)
        assert next_trades(second, page(TRADES_A_PAGE, "2026-01-02T11:59:59.999Z")) is None
        assert next_trades(second, page(TRADES_A_PAGE - 1, "2026-01-02T12:30:00Z")) is None
        with pytest.raises(Refused, match="no until_ts"):
            next_trades(Request(request.path, request.query), page(TRADES_A_PAGE, "2026-01-02T12:30:00Z"))


class TestCandles:
    def test_low_stands_before_high_and_open(self) -> None:
        start_s = round(HOUR.timestamp())
        [bar] = ask("/products/BTC-USD/candles", [[start_s, 1, 4, 2, 3, 0.5]], "granularity=60")

        assert bar == Candle(
            venue="coinbase",
            symbol="BTC-USD",
            kind="spot",
            captured_ts=NOW,
            event_ts=HOUR,
            interval_s=60,
            open_px=2.0,
            high_px=4.0,
            low_px=1.0,
            close_px=3.0,
            volume_base=0.5,
        )

    def test_a_bar_that_is_not_over_is_none(self) -> None:
        running, over = [NOW.replace(second=0), 1, 4, 2, 3, 9], [HOUR.replace(minute=59), 1, 4, 2, 3, 9]
        body = [[round(bar[0].timestamp()), *bar[1:]] for bar in (running, over)]

        assert [bar.event_ts for bar in ask("/products/BTC-USD/candles", body, "granularity=60")] == [over[0]]

    @pytest.mark.parametrize("query", ["", "granularity=120", "granularity=60.0"])
    def test_bars_of_a_length_that_the_question_does_not_tell_are_refused(self, query: str) -> None:
        with pytest.raises(Refused, match="granularity"):
            ask("/products/BTC-USD/candles", [[1, 1, 1, 1, 1, 1]], query)

    @given(minutes=st.integers(1, 2_000))
    def test_the_questions_cover_each_minute_once_and_300_at_most(self, minutes: int) -> None:
        plan = Plan(("BTC",), HOUR, HOUR + timedelta(minutes=minutes))
        covered: list[datetime] = []
        for request in asked("candles", plan):
            query = dict(request.query)
            start, end = datetime.fromisoformat(query["start"]), datetime.fromisoformat(query["end"])
            count = (end - start) // timedelta(minutes=1) + 1
            assert count <= 300
            covered += [start + timedelta(minutes=n) for n in range(count)]

        assert covered == [HOUR + timedelta(minutes=n) for n in range(minutes)]


class TestQuestions:
    def test_of_listed_pairs_in_dollars_and_of_default_ones_before_any_list(self) -> None:
        names = ("BTC-USD", "BTC-USDT", "BTC-EUR", "ETH-BTC", "SOL-USD", "ETH-USD")
        listed = tuple(COINBASE.terms(symbol, "spot", NOW) for symbol in names)
        plan = Plan(("BTC", "ETH"), HOUR, NOW, listed)

        assert [r.path for r in asked("order_books", plan)] == [
            f"/products/{symbol}/book" for symbol in ("BTC-USD", "BTC-USDT", "ETH-USD")
        ]
        assert [r.path for r in asked("order_books")] == ["/products/BTC-USD/book", "/products/ETH-USD/book"]

    def test_what_a_stablecoin_is_worth_is_asked_too(self) -> None:
        assert asked("spot_tickers")[-1].path == "/products/USDT-USD/ticker"


BOOK: dict[str, Any] = {"bids": [["2", "1", 1]], "asks": [["3", "1", 1]], "sequence": 9, "auction_mode": False}


class TestHostileReplies:
    def test_an_auctions_indicative_quote_is_no_book(self) -> None:
        with pytest.raises(Refused) as caught:
            ask("/products/BTC-USD/book", {**BOOK, "auction_mode": True})

        assert caught.value.rule == "auction"

    def test_single_orders_are_not_taken_for_levels(self) -> None:
        order = ["2", "1", "3b0f1225-7f84-490b-a29f-0faef9de823a"]
        with pytest.raises(Refused, match="bids"):
            ask("/products/BTC-USD/book", {**BOOK, "bids": [order]}, "level=3")

    def test_a_delisted_pair_is_no_instrument_and_one_that_contradicts_its_name_is_rejected(self) -> None:
        pair = {"id": "BTC-USD", "base_currency": "BTC", "quote_currency": "USD", "quote_increment": "0.01"}
        good, reject = ask(
            "/products", [pair, {**pair, "status": "delisted"}, {**pair, "quote_currency": "USDC", "status": "online"}]
        )

        assert isinstance(good, Instrument)
        assert isinstance(reject, Reject)
        assert reject.rule == "contradiction"

    @pytest.mark.parametrize("field", sorted(TRADE))
    def test_a_missing_field_is_a_rejected_row_that_names_it(self, field: str) -> None:
        row = {key: value for key, value in TRADE.items() if key != field}
        reject, good = ask("/products/BTC-USD/trades", [row, TRADE])

        assert isinstance(reject, Reject)
        assert (reject.rule, field in reject.reason) == ("schema", True)
        assert isinstance(good, Trade)

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "1_000", "88,210", None, True, [], {}])
    def test_what_is_no_finite_number_is_no_price(self, number: object) -> None:
        [reject] = ask("/products/BTC-USD/trades", [{**TRADE, "price": number}])

        assert isinstance(reject, Reject)
        assert reject.rule == "schema"

    @pytest.mark.parametrize("time", ["2026-01-02T12:59:59", "1970-01-01T00:00:00Z", "1767358799", "soon", ""])
    def test_a_time_without_its_zone_or_era_is_no_time(self, time: str) -> None:
        [reject] = ask("/products/BTC-USD/trades", [{**TRADE, "time": time}])

        assert isinstance(reject, Reject)
        assert reject.rule == "timestamp"

    def test_an_error_is_no_list(self) -> None:
        with pytest.raises(Refused) as caught:
            ask("/products/BTC-USD/trades", {"message": "NotFound"})

        assert caught.value.rule == "schema"

    @pytest.mark.parametrize("symbol", ["BTC", "BTCUSD", "btc-usd", "BTC-USD-PERP", "-USD", "BTC-", "BTC-USD\n"])
    def test_what_is_no_pair_has_no_terms(self, symbol: str) -> None:
        with pytest.raises(Refused) as caught:
            COINBASE.terms(symbol, "spot", NOW)

        assert caught.value.rule == "unknown_symbol"

    def test_no_perpetual_is_listed_here(self) -> None:
        with pytest.raises(Refused):
            COINBASE.terms("BTC-USD", "perp", NOW)
