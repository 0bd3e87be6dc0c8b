"""Kraken spot, by numbers read off real replies by hand, by documented examples, and by the traps of its formats."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestion.envelopes import Envelope
from ingestion.records import Candle, Instrument, OrderBook, Record, SpotTicker, Trade
from ingestion.venues.base import Plan, Refused, Reject, Reply, Request
from ingestion.venues.kraken import KRAKEN
from ingestion.venues.kraken_history import next_trades
from ingestion.venues.kraken_names import asset, read_name

NOW = datetime(2026, 1, 2, 13, 0, 5, tzinfo=UTC)
HOUR = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOUR_S = 1_767_355_200
PLAN = Plan(("BTC", "ETH"), HOUR, HOUR + timedelta(hours=1))
Recorded = Callable[[str], list[Envelope]]


def ask(method: str, result: object, query: str = "") -> list[Record | Reject]:
    body = json.dumps({"error": [], "result": result}).encode()
    return list(KRAKEN.parse(Reply.read("/0/public/" + method, query, body, NOW)))


def asked(dataset: str, plan: Plan = PLAN) -> list[Request]:
    [endpoint] = [e for e in KRAKEN.endpoints if e.dataset == dataset]
    assert endpoint.requests is not None
    return list(endpoint.requests(plan))


@pytest.fixture
def read(recorded: Recorded) -> Callable[..., list[Any]]:
    """What the recorded replies of one method hold, oldest first."""
    envelopes = sorted(recorded("http/kraken.jsonl.zst"), key=lambda e: str(e.recorded_at))
    return lambda method: [list(KRAKEN.parse(e.reply())) for e in envelopes if e.path == "/0/public/" + method]


class TestRealReplies:
    def test_every_pair_is_listed_under_the_name_that_replies_use(self, read: Any) -> None:
        old, new = ({i.symbol: i for i in reply} for reply in read("AssetPairs"))

        assert (len(old), len(new)) == (58, 304)
        assert new["XXBTZUSD"] == Instrument(
            venue="kraken",
            symbol="XXBTZUSD",
            kind="spot",
            captured_ts=datetime(2021, 4, 17, 16, 48, 52, tzinfo=UTC),
            base_asset="BTC",
            quote_asset="USD",
            settle_asset="USD",
            contract_size=1.0,
            amount_unit="base",
            is_inverse=False,
            tick_size_px=0.1,
            lot_size_qty=0.00000001,
            terms_source="listed",
        )

    def test_bitcoin_is_one_asset_under_all_its_names(self, read: Any) -> None:
        _, new = read("AssetPairs")
        bitcoin = {i.symbol for i in new if i.base_asset == "BTC"}

        assert {"XXBTZUSD", "XXBTZEUR", "XBTUSDT", "XBTCHF", "XXBTZUSD.d"} <= bitcoin
        assert {i.base_asset for i in new if "XBT" in i.symbol and i.quote_asset != "BTC"} == {"BTC"}
        assert not {i.base_asset for i in new} & {"XBT", "XXBT", "XETH", "XDG", "ZEUR"}

    def test_a_coin_whose_name_ends_in_a_quotes_prefix_is_not_cut(self, read: Any) -> None:
        _, new = read("AssetPairs")
        pairs = {i.symbol: (i.base_asset, i.quote_asset) for i in new}

        assert pairs["XTZUSD"] == ("XTZ", "USD")
        assert pairs["ICXETH"] == ("ICX", "ETH")
        assert pairs["ETH2.SETH"] == ("ETH2.S", "ETH")
        assert pairs["XDGUSDT"] == ("DOGE", "USDT")
        assert pairs["ZEURZUSD"] == ("EUR", "USD")

    def test_the_ticker_of_a_pair(self, read: Any) -> None:
        [[ticker]] = read("Ticker")

        assert ticker == SpotTicker(
            venue="kraken",
            symbol="BCHEUR",
            kind="spot",
            captured_ts=datetime(2017, 10, 3, 4, 5, 18, tzinfo=UTC),
            bid_px=354.3,
            bid_qty=18.0,
            ask_px=355.4,
            ask_qty=1.0,
            last_px=355.4,
            volume_24h_base=4433.77288826,
        )

    def test_the_book_has_a_hundred_levels_a_side(self, read: Any) -> None:
        [[book]] = read("Depth")

        assert isinstance(book, OrderBook)
        assert (book.symbol, len(book.bid_px), len(book.ask_px)) == ("BCHEUR", 100, 100)
        assert (book.bid_px[0], book.bid_qty[0], book.ask_px[0], book.ask_qty[0]) == (241.4, 9.0, 241.7, 1.5)

    def test_trades_of_before_ids_are_named_by_their_time(self, read: Any) -> None:
        [trades] = read("Trades")

        assert Counter(trade.side for trade in trades) == {"buy": 512, "sell": 488}
        assert len({trade.trade_id for trade in trades}) == 1_000
        assert trades[6] == Trade(
            venue="kraken",
            symbol="BCHEUR",
            kind="spot",
            captured_ts=datetime(2019, 5, 15, 7, 53, 25, tzinfo=UTC),
            event_ts=datetime(2019, 5, 15, 4, 50, 10, 899_400, tzinfo=UTC),
            trade_id="1557895810.8994",
            px=347.6,
            qty=0.0401939,
            side="buy",
        )


NEW_TRADE = ["88205.1", "0.014", HOUR_S + 1.8277369, "s", "l", "", 61_044_952]


class TestTrades:
    def test_have_ids_of_their_own_today(self) -> None:
        [trade] = ask("Trades", {"XXBTZUSD": [NEW_TRADE], "last": "1"})

        assert isinstance(trade, Trade)
        assert (trade.symbol, trade.trade_id, trade.side) == ("XXBTZUSD", "61044952", "sell")
        assert trade.event_ts == HOUR + timedelta(seconds=1, microseconds=827_736)

    def test_a_time_is_cut_and_not_rounded_into_the_next_hour(self) -> None:
        body = f'{{"error":[],"result":{{"XXBTZUSD":[["1","1",{HOUR_S + 3_599}.9999999,"b","m","",1]],"last":"1"}}}}'
        [trade] = KRAKEN.parse(Reply.read("/0/public/Trades", "", body.encode(), NOW))

        assert isinstance(trade, Trade)
        assert trade.event_ts == HOUR + timedelta(seconds=3_599, microseconds=999_999)

    def test_two_of_one_time_and_no_id_cannot_be_told_apart(self) -> None:
        row = NEW_TRADE[:6]
        first, second = ask("Trades", {"XXBTZUSD": [row, row], "last": "1"})

        assert isinstance(first, Trade)
        assert isinstance(second, Reject)
        assert second.rule == "no_id"

    def test_pages_go_on_from_last_until_the_hour_is_over(self) -> None:
        request = asked("trades")[0]
        assert (request.query, request.until_ts) == (
            (("pair", "XBTUSD"), ("since", "1767355199999999999"), ("count", "1000")),
            HOUR + timedelta(hours=1),
        )

        def page(last_ns: int, rows: int = 1) -> Reply:
            body = {"error": [], "result": {"XXBTZUSD": [NEW_TRADE] * rows, "last": str(last_ns)}}
            return Reply.read(request.path, request.query_string, json.dumps(body).encode(), NOW)

        second = next_trades(request, page(HOUR_S * 10**9 + 123_456_789))
        assert second is not None
        assert dict(second.query) == {"pair": "XBTUSD", "since": "1767355200123456789", "count": "1000"}
        assert second.until_ts == request.until_ts
        assert next_trades(second, page((HOUR_S + 3_600) * 10**9)) is None
        assert next_trades(second, page(HOUR_S * 10**9 + 123_456_789, rows=0)) is None
        with pytest.raises(Refused, match="no until_ts"):
            next_trades(Request(request.path, request.query), page(HOUR_S * 10**9))


class TestCandles:
    BAR = (HOUR_S, "2", "4", "1", "3", "2.5", "0.5", 7)

    def test_open_stands_first_and_the_average_before_the_volume(self) -> None:
        [bar] = ask("OHLC", {"XXBTZUSD": [self.BAR], "last": HOUR_S}, "pair=XBTUSD&interval=60")

        assert bar == Candle(
            venue="kraken",
            symbol="XXBTZUSD",
            kind="spot",
            captured_ts=NOW,
            event_ts=HOUR,
            interval_s=3_600,
            open_px=2.0,
            high_px=4.0,
            low_px=1.0,
            close_px=3.0,
            volume_base=0.5,
        )

    def test_the_last_bar_of_every_reply_is_not_over(self) -> None:
        running = (HOUR_S + 3_600, *self.BAR[1:])

        assert len(ask("OHLC", {"XXBTZUSD": [self.BAR, running], "last": HOUR_S}, "interval=60")) == 1

    def test_a_question_that_names_no_length_means_a_minute(self) -> None:
        [bar] = ask("OHLC", {"XXBTZUSD": [self.BAR], "last": HOUR_S})

        assert isinstance(bar, Candle)
        assert bar.interval_s == 60
        with pytest.raises(Refused, match="interval '7'"):
            ask("OHLC", {"XXBTZUSD": [self.BAR], "last": HOUR_S}, "interval=7")


class TestNames:
    @pytest.mark.parametrize(
        ("symbol", "base", "quote"),
        [
            ("XXBTZUSD", "BTC", "USD"),
            ("XBTUSDT", "BTC", "USDT"),
            ("XETHXXBT", "ETH", "BTC"),
            ("XETHZUSD.d", "ETH", "USD"),
            ("SOLUSD", "SOL", "USD"),
            ("XTZEUR", "XTZ", "EUR"),
            ("USDTZUSD", "USDT", "USD"),
            ("ZETAUSD", "ZETA", "USD"),
            ("XBTPYUSD", "BTC", "PYUSD"),
            ("ETHPYUSD", "ETH", "PYUSD"),
            ("XRPRLUSD", "XRP", "RLUSD"),
            ("XBTAUSD", "BTC", "AUSD"),
            ("XBTUSD1", "BTC", "USD1"),
            ("XBTUSDG", "BTC", "USDG"),
            ("PYUSDUSD", "PYUSD", "USD"),
            ("RLUSDUSD", "RLUSD", "USD"),
            ("AUSDUSD", "AUSD", "USD"),
            ("AUDUSD", "AUD", "USD"),
            ("USDTUSD", "USDT", "USD"),
            ("USDCUSD", "USDC", "USD"),
            ("USDGUSD", "USDG", "USD"),
            ("DAIUSD", "DAI", "USD"),
            ("ADAUSD", "ADA", "USD"),
            ("AURAUSD", "AURA", "USD"),
            ("AUSD", "A", "USD"),
            ("XBTAUD", "BTC", "AUD"),
        ],
    )
    def test_a_pair_is_read_by_either_spelling(self, symbol: str, base: str, quote: str) -> None:
        terms = KRAKEN.terms(symbol, "spot", NOW)

        assert (terms.base_asset, terms.quote_asset, terms.settle_asset) == (base, quote, quote)
        assert (terms.contract_size, terms.amount_unit, terms.terms_source) == (1.0, "base", "documented")

    @pytest.mark.parametrize("symbol", ["", "XBT", "USD", "XBT/USD", "BTC/USD", "xbtusd", "XBTFOO", "XXBTZUSD\n"])
    def test_what_cannot_be_told_apart_is_refused(self, symbol: str) -> None:
        with pytest.raises(Refused) as caught:
            read_name(symbol)

        assert caught.value.rule == "unknown_symbol"

    @pytest.mark.parametrize("symbol", ["PEARLUSD", "HAPPYUSD", "PYUSD", "XBTAUSD.x"])
    def test_what_may_be_cut_at_two_places_is_refused(self, symbol: str) -> None:
        with pytest.raises(Refused, match=symbol):
            read_name(symbol)

    def test_only_the_first_years_assets_lose_a_letter(self) -> None:
        assert [asset(code) for code in ("XXBT", "XBT", "ZUSD", "XTZ", "XCN", "ZRX", "ZETA", "XXDG")] == [
            "BTC",
            "BTC",
            "USD",
            "XTZ",
            "XCN",
            "ZRX",
            "ZETA",
            "DOGE",
        ]

    def test_no_perpetual_is_listed_here(self) -> None:
        with pytest.raises(Refused):
            KRAKEN.terms("XXBTZUSD", "perp", NOW)


class TestQuestions:
    def test_of_listed_pairs_without_their_dark_pools_and_of_default_ones_before_any_list(self) -> None:
        names = ("XXBTZUSD", "XXBTZUSD.d", "XBTUSDT", "XXBTZEUR", "XBTCHF", "XETHXXBT", "SOLUSD")
        listed = tuple(KRAKEN.terms(symbol, "spot", NOW) for symbol in names)

        def pairs(plan: Plan) -> list[str]:
            return [dict(request.query)["pair"] for request in asked("order_books", plan)]

        assert pairs(Plan(("BTC",), HOUR, NOW, listed)) == ["XBTUSDT", "XXBTZEUR", "XXBTZUSD"]
        assert pairs(Plan(("BTC", "DOGE", "SOL"), HOUR, NOW)) == ["XBTUSD", "XDGUSD", "SOLUSD"]

    def test_bars_of_a_minute_and_of_an_hour(self) -> None:
        assert [request.query for request in asked("candles", Plan(("BTC",), HOUR, NOW))] == [
            (("pair", "XBTUSD"), ("interval", "1"), ("since", str(HOUR_S - 1))),
            (("pair", "XBTUSD"), ("interval", "60"), ("since", str(HOUR_S - 1))),
        ]


class TestHostileReplies:
    def test_an_error_in_a_reply_of_status_200_is_the_venues(self) -> None:
        body = b'{"error":["EQuery:Unknown asset pair"]}'
        with pytest.raises(Refused, match="EQuery:Unknown asset pair") as caught:
            list(KRAKEN.parse(Reply.read("/0/public/Ticker", "pair=NOPE", body, NOW)))

        assert caught.value.rule == "venue_error"

    def test_one_bad_pair_costs_one_pair(self) -> None:
        good = {"a": ["3", "1", "1"], "b": ["2", "1", "1"], "c": ["2", "1"], "v": ["1", "5"]}
        reject, ticker = ask("Ticker", {"XXBTZUSD": {**good, "b": ["NaN", "1", "1"]}, "XETHZUSD": good})

        assert isinstance(reject, Reject)
        assert reject.rule == "schema"
        assert isinstance(ticker, SpotTicker)
        assert (ticker.symbol, ticker.bid_px, ticker.volume_24h_base) == ("XETHZUSD", 2.0, 5.0)

    def test_nothing_on_a_side_is_no_quote(self) -> None:
        row = {"a": ["0.0", "0", "0.0"], "b": ["2", "1", "1"], "c": ["0.0", "0.0"], "v": ["0", "0"]}
        [ticker] = ask("Ticker", {"XXBTZUSD": row})

        assert isinstance(ticker, SpotTicker)
        assert (ticker.ask_px, ticker.ask_qty, ticker.last_px, ticker.bid_px) == (None, None, None, 2.0)

    @pytest.mark.parametrize("pairs", [{}, {"XXBTZUSD": [], "XETHZUSD": []}])
    def test_trades_of_no_pair_or_of_two_are_nobodys(self, pairs: dict[str, object]) -> None:
        with pytest.raises(Refused, match="expected 1"):
            ask("Trades", {**pairs, "last": "1"})

    @pytest.mark.parametrize(("place", "value"), [(0, "NaN"), (1, "1e400"), (2, HOUR_S * 1_000), (3, "buy"), (2, "x")])
    def test_a_retyped_field_is_a_rejected_row(self, place: int, value: object) -> None:
        row = [*NEW_TRADE[:place], value, *NEW_TRADE[place + 1 :]]
        reject, good = ask("Trades", {"XXBTZUSD": [row, NEW_TRADE], "last": "1"})

        assert isinstance(reject, Reject)
        assert reject.rule in {"schema", "timestamp"}
        assert isinstance(good, Trade)

    def test_a_price_that_a_float_would_change_is_refused(self) -> None:
        with pytest.raises(Refused) as caught:
            ask("Depth", {"XXBTZUSD": {"bids": [["0.12345678901234567", "1", 1]], "asks": []}})

        assert caught.value.rule == "precision"
