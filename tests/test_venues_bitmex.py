"""BitMEX, by numbers read off real replies by hand, by documented examples, and by the traps of its contracts."""

import json
import random
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
    Kind,
    OpenInterest,
    OrderBook,
    PerpTicker,
    SpotTicker,
    Trade,
)
from ingestion.venues.base import Endpoint, Plan, Refused, Reject, Reply, Request
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


class TestContractSizes:
    def test_a_linear_contract_is_a_millionth_of_a_bitcoin(self) -> None:
        terms, _, interest = listed()

        assert (terms.contract_size, terms.settle_asset, terms.is_quanto) == (0.000001, "USDT", False)
        assert interest.open_interest_qty * terms.contract_size == pytest.approx(450)

    def test_so_says_the_documented_size(self) -> None:
        documented = BITMEX.terms("XBTUSDT", "perp", NOW)

        assert (documented.contract_size, documented.settle_asset) == (0.000001, "USDT")

    @pytest.mark.parametrize(
        ("symbol", "multiplier", "contracts_a_coin", "size"),
        [("LTCUSDT", 100, 10_000, 0.0001), ("DOGEUSDT", 10_000, 100, 0.01), ("SHIBUSDT", 1_000_000, 1, 1.0)],
    )
    def test_a_linear_contract_is_a_part_of_a_coin(
        self, symbol: str, multiplier: int, contracts_a_coin: int, size: float
    ) -> None:
        terms, *_ = listed(symbol=symbol, multiplier=multiplier, underlyingToPositionMultiplier=contracts_a_coin)

        assert terms.contract_size == size

    def test_two_fields_that_tell_different_sizes_are_rejected(self) -> None:
        [reject] = listed(multiplier=100)

        assert isinstance(reject, Reject)
        assert reject.rule == "contradiction"

    def test_an_inverse_contract_of_other_parts(self) -> None:
        """-1,000,000 satoshi a price of one, out of 100,000,000 to a bitcoin: a hundredth of the quote currency."""
        inverse = {"multiplier": -1_000_000, "underlyingToSettleMultiplier": -100_000_000, "settlCurrency": "XBt"}
        terms, *_ = listed(symbol="XBTETH", quoteCurrency="ETH", isInverse=True, **inverse)

        assert (terms.contract_size, terms.quote_asset, terms.settle_asset) == (0.01, "ETH", "BTC")

    def test_margin_in_ether_is_counted_in_gwei(self) -> None:
        inverse = {"multiplier": -1_000_000_000, "underlyingToSettleMultiplier": -1_000_000_000}
        terms, _, interest = listed(
            symbol="ETHUSD_ETH",
            underlying="ETH",
            quoteCurrency="USD",
            settlCurrency="Gwei",
            isInverse=True,
            openValue=2_500_000_000,
            **inverse,
        )

        assert (terms.contract_size, terms.settle_asset, interest.open_interest_base) == (1.0, "ETH", 2.5)

    def test_spot_is_counted_in_contracts_too(self) -> None:
        [terms, ticker] = ask("instrument/active", [SPOT])

        assert (terms.kind, terms.contract_size, terms.settle_asset) == ("spot", 0.00000001, "USDT")
        assert type(ticker) is SpotTicker
        assert (ticker.bid_px, ticker.ask_px) == (88_155.1, None)
        assert BITMEX.terms("XBT_USDT", "spot", NOW).contract_size == 0.00000001

    @pytest.mark.parametrize("currency", ["MAMUSd", "USD", "xbt", ""])
    def test_a_currency_of_unknown_scale_is_no_contract_size(self, currency: str) -> None:
        [reject] = listed(settlCurrency=currency)

        assert reject.rule == "unknown_terms"

    @pytest.mark.parametrize("field", ["multiplier", "underlyingToPositionMultiplier", "fundingInterval"])
    def test_what_no_perpetual_lacks_is_not_guessed(self, field: str) -> None:
        [reject] = listed(**{field: None})

        assert isinstance(reject, Reject)
        assert reject.rule == "schema"
        assert field in reject.reason

    def test_open_value_is_coin_of_an_inverse_contract_only(self) -> None:
        assert listed()[2].open_interest_base is None

    def test_a_row_that_tells_no_open_interest_still_tells_its_terms(self) -> None:
        assert [type(item) for item in listed(openInterest=None)] == [Instrument, PerpTicker]


class TestFundingIntervals:
    @pytest.mark.parametrize(("written", "interval_s"), [("01T08", 28_800), ("01T01", 3_600), ("02T00", 86_400)])
    def test_an_interval_is_an_instant_after_the_first_of_2000(self, written: str, interval_s: int) -> None:
        terms, ticker, _ = listed(fundingInterval=f"2000-01-{written}:00:00.000Z")

        assert (terms.funding_interval_s, ticker.funding_interval_s) == (interval_s, interval_s)

    @pytest.mark.parametrize(
        ("written", "rule"),
        [
            ("2000-01-01T00:00:00.000Z", "interval"),
            ("1999-12-31T16:00:00.000Z", "interval"),
            ("2000-01-01T08:00:00.500Z", "interval"),
            ("2000-01-01T08:00:00.000", "schema"),
            (28_800, "schema"),
        ],
    )
    def test_no_other_instant_is_an_interval(self, written: object, rule: str) -> None:
        [reject] = listed(fundingInterval=written)

        assert isinstance(reject, Reject)
        assert reject.rule == rule


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


class TestNames:
    @pytest.mark.parametrize(
        ("symbol", "kind"),
        [("ETHUSDT", "perp"), ("ETHUSD_ETH", "perp"), ("SOLUSD", "perp"), ("ETH_USDT", "spot"), ("SOLH26", "future")],
    )
    def test_sizes_that_only_the_list_tells_are_not_guessed(self, symbol: str, kind: Kind) -> None:
        with pytest.raises(Refused) as caught:
            BITMEX.terms(symbol, kind, NOW)

        assert caught.value.rule == "unknown_terms"

    @pytest.mark.parametrize("symbol", [".BXBT", "xbtusd", "XBT-USD", "", "XBT_", "XBTUSD_EUR"])
    def test_what_is_no_contract_is_refused(self, symbol: str) -> None:
        with pytest.raises(Refused) as caught:
            BITMEX.terms(symbol, "perp", NOW)

        assert caught.value.rule == "unknown_symbol"

    @pytest.mark.parametrize(("symbol", "kind"), [("XBTUSD", "future"), ("XBTZ26", "perp"), ("XBT_USDT", "perp")])
    def test_a_name_of_another_kind_contradicts(self, symbol: str, kind: Kind) -> None:
        with pytest.raises(Refused) as caught:
            BITMEX.terms(symbol, kind, NOW)

        assert caught.value.rule == "contradiction"

    @pytest.mark.parametrize(
        ("symbol", "base", "quote", "expiry_ts"),
        [
            ("XBTH26", "BTC", "USD", datetime(2026, 3, 27, 12, tzinfo=UTC)),
            ("ETHUSDZ26", "ETH", "USD", datetime(2026, 12, 25, 12, tzinfo=UTC)),
            ("ETHM26", "ETH", "BTC", datetime(2026, 6, 26, 12, tzinfo=UTC)),
        ],
    )
    def test_a_future_is_delivered_at_noon_of_the_last_friday(
        self, symbol: str, base: str, quote: str, expiry_ts: datetime
    ) -> None:
        terms = BITMEX.terms(symbol, "future", NOW)

        assert (terms.base_asset, terms.quote_asset, terms.expiry_ts) == (base, quote, expiry_ts)

    def test_documented_terms_are_the_listed_ones(self, lists: Any) -> None:
        """Where the venue's guides tell the size of a contract, its lists of 2019 and 2021 told the same."""
        checked = 0
        for told in lists:
            for symbol, items in told.items():
                real = items[Instrument]
                try:
                    terms = BITMEX.terms(symbol, real.kind, real.captured_ts)
                except Refused:
                    continue
                for field in Instrument.__struct_fields__:
                    if field not in ("tick_size_px", "lot_size_qty", "terms_source"):
                        assert getattr(terms, field) == getattr(real, field), (symbol, field)
                checked += 1

        assert checked >= 10

    def test_a_perpetual_with_a_futures_name_is_rejected(self) -> None:
        """Books and trades have nothing but the name."""
        [reject] = listed(symbol="XBTZ26")

        assert isinstance(reject, Reject)
        assert reject.rule == "contradiction"


def all_pages(dataset: str, path: str, stamps: list[datetime], **asked: str) -> list[int]:
    """Every row that the follow-ups get from a venue that skips `start` of the rows since `startTime`."""
    follow = endpoint(dataset).follow
    assert follow is not None
    written = [at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1_000:03}Z" for at in stamps]
    request: Request | None = Request(f"/api/v1/{path}", tuple({**asked, "start": "0"}.items()))
    got: list[int] = []
    while request is not None:
        now = dict(request.query)
        since = [n for n, at in enumerate(written) if at >= now["startTime"]]
        page = since[int(now["start"]) :][: int(now["count"])]
        got += page
        body = json.dumps([{"timestamp": written[n]} for n in page]).encode()
        request = follow(request, Reply(request.path, {}, body, NOW))
    return got


class TestQuestions:
    @pytest.mark.parametrize("a_millisecond", [1, 7, 999, 1_000, 2_500, 5_003])
    def test_every_trade_is_in_one_page_however_many_share_a_millisecond(self, a_millisecond: int) -> None:
        first = datetime(2026, 1, 2, 12, tzinfo=UTC)
        stamps = [first + timedelta(milliseconds=n // a_millisecond) for n in range(5_003)]
        [asked] = questions("trades", Plan(("BTC",), first, first + HOUR))

        assert all_pages("trades", "trade", stamps, **asked) == list(range(5_003))

    def test_a_page_that_is_full_to_the_last_row_is_followed_by_an_empty_one(self) -> None:
        first = datetime(2026, 1, 2, 12, tzinfo=UTC)
        stamps = [first + timedelta(seconds=n) for n in range(2_000)]
        [asked] = questions("trades", Plan(("BTC",), first, first + HOUR))

        assert all_pages("trades", "trade", stamps, **asked) == list(range(2_000))

    def test_an_hour_ends_before_the_next_begins(self) -> None:
        start = datetime(2026, 1, 2, 12, tzinfo=UTC)
        [asked] = questions("trades", Plan(("BTC",), start, start + HOUR))

        assert (asked["startTime"], asked["endTime"]) == ("2026-01-02T12:00:00.000Z", "2026-01-02T12:59:59.999Z")

    def test_bars_are_asked_for_by_their_ends(self) -> None:
        """Of the hour from 12 to 13, the bar is labelled 13:00."""
        start = datetime(2026, 1, 2, 12, tzinfo=UTC)
        [asked] = questions("candles", Plan(("BTC",), start, start + HOUR))

        assert (asked["startTime"], asked["endTime"]) == ("2026-01-02T13:00:00.000Z", "2026-01-02T13:59:59.999Z")
        assert (asked["binSize"], asked["partial"]) == ("1h", "false")

    def test_settlements_are_asked_for_far_enough_back_that_consecutive_ones_prove_the_interval(self) -> None:
        start = datetime(2026, 1, 2, 12, tzinfo=UTC)
        [asked] = questions("funding_rates", Plan(("BTC",), start, start + HOUR))

        assert asked["startTime"] == "2025-12-30T13:00:00.000Z"

    def test_bitcoin_is_asked_for_as_xbt(self) -> None:
        plan = Plan(("BTC", "ETH"), NOW - HOUR, NOW)

        assert [q["symbol"] for q in questions("order_books", plan)] == ["XBTUSD", "ETHUSD"]
        assert [q["symbol"] for q in questions("index_prices", plan)] == [".BXBT", ".BETH"]

    def test_the_types_that_are_asked_for_are_told_apart_by_the_filter(self) -> None:
        """A future that the question for perpetuals tells would be of no phase."""
        asked = {
            dataset: questions(dataset)[0]["filter"] for dataset in ("perp_tickers", "future_tickers", "spot_tickers")
        }

        assert {dataset: json.loads(filtered) for dataset, filtered in asked.items()} == {
            "perp_tickers": {"state": "Open", "typ": "FFWCSX"},
            "future_tickers": {"state": "Open", "typ": "FFCCSX"},
            "spot_tickers": {"state": "Open", "typ": "IFXXXP"},
        }
        for dataset, filtered in asked.items():
            assert [d for d in asked if endpoint(d).when({"filter": filtered})] == [dataset]

    def test_who_is_not_logged_in_may_ask_30_times_a_minute(self) -> None:
        asked = sum(len(e.requests(PLAN)) * e.weight for e in BITMEX.endpoints if e.requests is not None)

        assert asked <= BITMEX.weight_per_minute == 30


class TestHostileReplies:
    @pytest.mark.parametrize(
        "path", ["instrument/active", "instrument", "orderBook/L2", "trade", "funding", "trade/bucketed"]
    )
    def test_an_error_is_no_list_whatever_its_status(self, path: str) -> None:
        error = {"error": {"message": "Rate limit exceeded, retry in 1 seconds.", "name": "RateLimitError"}}
        with pytest.raises(Refused) as caught:
            ask(path, error, "binSize=1h")

        assert caught.value.rule == "schema"

    def test_levels_in_any_order_are_the_same_book(self, replies: Any) -> None:
        levels = json.loads(replies("orderBook/L2")[0].body)
        shuffled = random.Random(7).sample(levels, len(levels))

        assert ask("orderBook/L2", shuffled) == ask("orderBook/L2", levels)

    def test_a_book_is_of_one_symbol(self) -> None:
        level = {"symbol": "XBTUSD", "id": 1, "side": "Buy", "size": 100, "price": 88_000}
        [book] = ask("orderBook/L2", [level])

        assert book == OrderBook(
            venue="bitmex",
            symbol="XBTUSD",
            kind="perp",
            captured_ts=NOW,
            bid_px=(88_000.0,),
            bid_qty=(100.0,),
            ask_px=(),
            ask_qty=(),
        )
        for levels in ([], [level, {**level, "symbol": "ETHUSD"}]):
            with pytest.raises(Refused) as caught:
                ask("orderBook/L2", levels)
            assert caught.value.rule == "unknown_symbol"

    @pytest.mark.parametrize("typ", ["FFMCSX", "FFICSX", "FFSCSX", "OCECCS"])
    def test_what_is_no_contract_of_ours_is_left_out(self, typ: str) -> None:
        [terms, *_] = ask("instrument/active", [{"symbol": "XBTH26_M26", "typ": typ}, PERP])

        assert terms.symbol == "XBTUSDT"
        with pytest.raises(Refused) as caught:
            ask("instrument/active", [{"symbol": "XBTH26_M26", "typ": typ}])
        assert caught.value.rule == "retired"

    def test_a_type_that_is_new_is_rejected_and_not_left_out(self) -> None:
        [reject] = listed(typ="FFXXXX")

        assert isinstance(reject, Reject)
        assert reject.rule == "unknown_terms"

    def test_no_instruments_at_all_are_no_rejects(self) -> None:
        assert ask("instrument/active", []) == []

    @pytest.mark.parametrize("changed", [{"symbol": 7}, {"typ": None}, {"lotSize": "100"}, {"timestamp": None}])
    def test_one_damaged_row_does_not_cost_the_others(self, changed: dict[str, object]) -> None:
        row = {name: value for name, value in {**PERP, **changed}.items() if value is not None}
        rejects = [item for item in ask("instrument/active", [row, PERP]) if isinstance(item, Reject)]

        assert [reject.rule for reject in rejects] == ["schema"]

    @pytest.mark.parametrize("stamp", ["2026-01-02T12:00:00.000", "yesterday", ""])
    def test_a_time_without_its_zone_is_none(self, stamp: str) -> None:
        row = {"timestamp": stamp, "symbol": "XBTUSD", "side": "Buy", "size": 100, "price": 1, "trdMatchID": "a"}
        [reject] = ask("trade", [row])

        assert isinstance(reject, Reject)

    def test_a_trade_without_a_side_is_rejected(self) -> None:
        row = {"timestamp": "2026-01-02T12:00:00.000Z", "symbol": "XBTUSD", "size": 100, "price": 1, "trdMatchID": "a"}
        reject, trade = ask("trade", [row | {"side": ""}, row | {"side": "Sell"}])

        assert isinstance(reject, Reject)
        assert isinstance(trade, Trade)
