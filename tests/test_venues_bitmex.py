"""BitMEX, by numbers read off real replies by hand, by documented examples, and by the traps of its contracts."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestion.envelopes import Envelope
from ingestion.records import (
    Candle,
    FundingRate,
    FutureTicker,
    IndexPrice,
    Instrument,
    OpenInterest,
    PerpTicker,
    SpotTicker,
)
from ingestion.venues.base import Endpoint, Plan, Refused, Reject, Reply
from ingestion.venues.bitmex import BITMEX
from tests.test_venues import PLAN

NOW = datetime(2026, 1, 2, 13, 0, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
Recorded = Callable[[str], list[Envelope]]


def ask(path: str, body: object, query: str = "", at: datetime = NOW) -> list[Any]:
    return list(BITMEX.parse(Reply.read(f"/api/v1/{path}", query, json.dumps(body).encode(), at)))


def endpoint(dataset: str) -> Endpoint:
    [found] = [e for e in BITMEX.endpoints if e.dataset == dataset]
    return found


def questions(dataset: str, plan: Plan = PLAN) -> list[dict[str, str]]:
    requests = endpoint(dataset).requests
    assert requests is not None
    return [dict(request.query) for request in requests(plan)]


@pytest.fixture
def replies(recorded: Recorded) -> Callable[[str], list[Reply]]:
    """The recorded replies to a path, in the order of the file."""
    envelopes = recorded("http/bitmex.jsonl.zst")
    return lambda path: [e.reply() for e in envelopes if e.path == f"/api/v1/{path}"]


@pytest.fixture
def lists(replies: Any) -> tuple[dict[str, dict[type, Any]], ...]:
    """What the lists of 2019 and of 2021 tell, by symbol and type of record."""
    told: list[dict[str, dict[type, Any]]] = []
    for reply in replies("instrument/active"):
        items: list[Any] = list(BITMEX.parse(reply))
        assert not [item for item in items if isinstance(item, Reject)]
        told.append({item.symbol: {} for item in items})
        for item in items:
            told[-1][item.symbol][type(item)] = item
    return tuple(told)


class TestRealReplies:
    def test_an_inverse_contract_is_a_dollar_and_its_open_interest_is_told_in_bitcoin(self, lists: Any) -> None:
        told = lists[1]["XBTUSD"]

        assert told[Instrument] == Instrument(
            venue="bitmex",
            symbol="XBTUSD",
            kind="perp",
            captured_ts=datetime(2021, 7, 22, 22, 36, 7, tzinfo=UTC),
            base_asset="BTC",
            quote_asset="USD",
            settle_asset="BTC",
            contract_size=1.0,
            amount_unit="contracts",
            is_inverse=True,
            tick_size_px=0.5,
            lot_size_qty=100.0,
            funding_interval_s=28_800,
            terms_source="listed",
        )
        assert told[OpenInterest].open_interest_qty == 574_264_600
        assert told[OpenInterest].open_interest_base == 17_842.6882543

    def test_a_perpetuals_ticker(self, lists: Any) -> None:
        ticker = lists[1]["XBTUSD"][PerpTicker]

        assert (ticker.bid_px, ticker.ask_px, ticker.bid_qty, ticker.ask_qty) == (32_180.0, 32_180.5, None, None)
        assert (ticker.mark_px, ticker.index_px) == (32_184.89, 32_182.72)
        assert (ticker.volume_24h_base, ticker.volume_24h_quote) == (20_614.440797969906, 662_123_900)
        assert (ticker.funding_rate, ticker.funding_interval_s) == (0.0001, 28_800)
        assert ticker.next_funding_ts == datetime(2021, 7, 23, 4, tzinfo=UTC)

    def test_a_quanto_on_ether_pays_100_satoshi_a_dollar(self, lists: Any) -> None:
        """1,403,475 contracts at 2,003.93 dollars: 2,812 bitcoin, which are 45,000 ether, and not 1.4 million."""
        told = lists[1]["ETHUSD"]
        terms = told[Instrument]

        assert (terms.is_quanto, terms.is_inverse, terms.contract_size) == (True, False, 0.000001)
        assert (terms.base_asset, terms.quote_asset, terms.settle_asset) == ("ETH", "USD", "BTC")
        assert told[OpenInterest].open_interest_qty == 1_403_475
        assert told[OpenInterest].open_interest_base is None
        assert (told[PerpTicker].mark_px, told[PerpTicker].funding_rate) == (2_003.93, 0.000551)
        assert 1_403_475 * terms.contract_size * 2_003.93 == pytest.approx(2_812.46565675, rel=1e-4)

    @pytest.mark.parametrize(
        ("symbol", "base", "quote", "settle", "size"),
        [
            ("XLMUSDT", "XLM", "USDT", "BTC", 0.001),
            ("ETHU21", "ETH", "BTC", "BTC", 1.0),
            ("XBTEUR", "BTC", "EUR", "BTC", 1.0),
        ],
    )
    def test_contracts_of_every_style(
        self, lists: Any, symbol: str, base: str, quote: str, settle: str, size: float
    ) -> None:
        terms = lists[1][symbol][Instrument]

        assert (terms.base_asset, terms.quote_asset, terms.settle_asset) == (base, quote, settle)
        assert terms.contract_size == size
        assert (terms.is_inverse, terms.is_quanto) == (symbol == "XBTEUR", symbol == "XLMUSDT")

    @pytest.mark.parametrize(
        ("year", "symbol", "expiry_ts"),
        [
            (0, "XBTZ19", datetime(2019, 12, 27, 12, tzinfo=UTC)),
            (1, "XBTU21", datetime(2021, 9, 24, 12, tzinfo=UTC)),
            (1, "XBTZ21", datetime(2021, 12, 31, 12, tzinfo=UTC)),
        ],
    )
    def test_a_futures_name_tells_its_delivery(self, lists: Any, year: int, symbol: str, expiry_ts: datetime) -> None:
        assert lists[year][symbol][Instrument].expiry_ts == expiry_ts
        assert BITMEX.terms(symbol, "future", NOW).expiry_ts == expiry_ts

    def test_what_the_venue_says_all_contracts_are_worth_follows_from_the_size_of_one(
        self, replies: Any, lists: Any
    ) -> None:
        """`openValue` is read for inverse contracts only, and proves the size of every other."""
        checked: Counter[str] = Counter()
        for reply, told in zip(replies("instrument/active"), lists, strict=True):
            for row in json.loads(reply.body):
                if row["symbol"] not in told or not row["openInterest"]:
                    continue
                terms = told[row["symbol"]][Instrument]
                value = row["openInterest"] * terms.contract_size
                value = value / row["markPrice"] if terms.is_inverse else value * row["markPrice"]
                assert value == pytest.approx(row["openValue"] / 100_000_000, rel=0.01), row["symbol"]
                checked["inverse" if terms.is_inverse else "quanto" if terms.is_quanto else "linear"] += 1

        assert min(checked[style] for style in ("inverse", "quanto", "linear")) >= 5

    def test_volume_is_told_in_coin_and_in_currency(self, replies: Any, lists: Any) -> None:
        """And is not `volume24h`, which counts contracts."""
        for reply, told in zip(replies("instrument/active"), lists, strict=True):
            for row in json.loads(reply.body):
                if row["symbol"] in told and row.get("vwap"):
                    [ticker] = [t for t in told[row["symbol"]].values() if isinstance(t, SpotTicker)]
                    worth = ticker.volume_24h_base * row["vwap"]
                    assert worth == pytest.approx(ticker.volume_24h_quote, rel=0.01), row["symbol"]

    def test_every_row_tells_terms_ticker_and_open_interest(self, lists: Any) -> None:
        of_2019, of_2021 = lists

        assert (len(of_2019), len(of_2021)) == (11, 34)
        assert {len(told) for told in (*of_2019.values(), *of_2021.values())} == {3}
        assert Counter(told[Instrument].kind for told in of_2021.values()) == {"perp": 23, "future": 11}

    def test_a_future_is_paid_no_funding(self, lists: Any) -> None:
        told = lists[1]["XBTU21"]

        assert told[Instrument].funding_interval_s is None
        assert FutureTicker in told

    def test_up_and_down_contracts_are_left_out(self, replies: Any, lists: Any) -> None:
        options = {reply.query["symbol"]: reply for reply in replies("instrument")}

        assert not [symbol for symbol in lists[0] if "_" in symbol]
        for symbol in ("XBT7D_U105", "XBT7D_D95"):
            with pytest.raises(Refused, match="delisted") as caught:
                list(BITMEX.parse(options[symbol]))
            assert caught.value.rule == "retired"

    def test_a_book_is_read_whole_from_the_middle_out(self, replies: Any) -> None:
        book: Any
        [book] = BITMEX.parse(replies("orderBook/L2")[0])

        assert (book.kind, len(book.bid_px), len(book.ask_px)) == ("perp", 4_662, 7_095)
        assert (book.bid_px[:2], book.bid_qty[:2]) == ((7_945.5, 7_945.0), (73_436.0, 80_342.0))
        assert (book.ask_px[:2], book.ask_qty[:2]) == ((7_946.0, 7_946.5), (1_158_879.0, 4_205.0))

    def test_the_side_of_a_trade_is_its_takers(self, replies: Any) -> None:
        """In the two seconds around the book, what sold hit its best bid and what bought lifted its best ask."""
        trades: list[Any] = list(BITMEX.parse(replies("trade")[0]))
        near = {(t.side, t.px) for t in trades if t.event_ts >= datetime(2019, 9, 29, 16, 5, 26, tzinfo=UTC)}

        assert near == {("sell", 7_945.5), ("buy", 7_946.0)}

    def test_trades_are_sized_in_contracts_and_have_names_of_their_own(self, replies: Any) -> None:
        [reply] = replies("trade")
        trades: list[Any] = list(BITMEX.parse(reply))
        notionals = [row["homeNotional"] for row in json.loads(reply.body)]

        assert len({t.trade_id for t in trades}) == len(trades) == 100
        assert (trades[0].side, trades[0].qty, trades[0].px) == ("sell", 532.0, 7_945.5)
        assert notionals[0] == 0.06695752
        assert [t.qty / t.px for t in trades] == pytest.approx(notionals, rel=1e-3)
        assert max(t.event_ts for t in trades) == datetime(2019, 9, 29, 16, 5, 27, 238_000, tzinfo=UTC)


PERP: dict[str, Any] = {
    "symbol": "XBTUSDT",
    "typ": "FFWCSX",
    "state": "Open",
    "underlying": "XBT",
    "quoteCurrency": "USDT",
    "timestamp": "2026-01-02T13:00:04.500Z",
    "lotSize": 100,
    "tickSize": 0.1,
    "isInverse": False,
    "isQuanto": False,
    "multiplier": 1,
    "settlCurrency": "USDt",
    "underlyingToPositionMultiplier": 1_000_000,
    "quoteToSettleMultiplier": 1_000_000,
    "fundingInterval": "2000-01-01T08:00:00.000Z",
    "fundingTimestamp": "2026-01-02T20:00:00.000Z",
    "fundingRate": -0.000031,
    "markPrice": 88_150,
    "openInterest": 450_000_000,
    "openValue": 39_667_500_000_000,
}
SPOT: dict[str, Any] = {
    "symbol": "XBT_USDT",
    "typ": "IFXXXP",
    "underlying": "XBT",
    "quoteCurrency": "USDT",
    "timestamp": "2026-01-02T13:00:04.500Z",
    "lotSize": 10_000,
    "tickSize": 0.1,
    "isInverse": False,
    "isQuanto": False,
    "multiplier": 1,
    "settlCurrency": "",
    "underlyingToPositionMultiplier": 100_000_000,
    "bidPrice": 88_155.1,
    "openInterest": 0,
}


def listed(**changed: object) -> list[Any]:
    """What a row of the list tells; a field that is given as None is not in it at all."""
    row = {name: value for name, value in {**PERP, **changed}.items() if value is not None}
    return ask("instrument/active", [row])


class TestDocumentedExamples:
    def test_a_settlement_states_its_interval(self) -> None:
        row = {"timestamp": "2026-01-02T12:00:00.000Z", "symbol": "XBTUSD", "fundingRate": -0.000031}
        row["fundingInterval"] = "2000-01-01T08:00:00.000Z"

        assert ask("funding", [{**row, "fundingRateDaily": -0.000093}]) == [
            FundingRate(
                venue="bitmex",
                symbol="XBTUSD",
                kind="perp",
                captured_ts=NOW,
                event_ts=datetime(2026, 1, 2, 12, tzinfo=UTC),
                funding_rate=-0.000031,
                funding_interval_s=28_800,
            )
        ]

    def test_a_bar_that_is_labelled_13_began_at_12_and_its_volume_is_coin(self) -> None:
        bar = {"timestamp": "2026-01-02T13:00:00.000Z", "symbol": "XBTUSD", "open": 88_100, "high": 88_301}
        bar |= {"low": 88_040.5, "close": 88_212.1, "volume": 17_001_200, "homeNotional": 192.82}

        assert ask("trade/bucketed", [bar], "binSize=1h") == [
            Candle(
                venue="bitmex",
                symbol="XBTUSD",
                kind="perp",
                captured_ts=NOW,
                event_ts=datetime(2026, 1, 2, 12, tzinfo=UTC),
                interval_s=3_600,
                open_px=88_100.0,
                high_px=88_301.0,
                low_px=88_040.5,
                close_px=88_212.1,
                volume_base=192.82,
            )
        ]

    @pytest.mark.parametrize("query", ["", "binSize=1w", "binSize=3600"])
    def test_a_bar_of_unknown_length_is_refused(self, query: str) -> None:
        with pytest.raises(Refused) as caught:
            ask("trade/bucketed", [], query)

        assert caught.value.rule == "interval"

    def test_an_index_is_of_bitcoin(self) -> None:
        row = {"symbol": ".BXBT", "typ": "MRCXXX", "underlying": "XBT", "quoteCurrency": "USD", "lastPrice": 88_207.43}

        assert ask("instrument", [{**row, "timestamp": "2026-01-02T13:00:00.000Z"}], "symbol=.BXBT") == [
            IndexPrice(
                venue="bitmex",
                symbol=".BXBT",
                kind="spot",
                captured_ts=NOW,
                event_ts=datetime(2026, 1, 2, 13, tzinfo=UTC),
                base_asset="BTC",
                quote_asset="USD",
                index_px=88_207.43,
            )
        ]

    def test_orders_of_liquidations_that_rest_are_no_liquidations(self) -> None:
        row = {"orderID": "0", "symbol": "XBTUSD", "side": "Sell", "price": 88_000, "leavesQty": 100}
        with pytest.raises(Refused, match="without the time") as caught:
            ask("liquidation", [row])

        assert caught.value.rule == "retired"
