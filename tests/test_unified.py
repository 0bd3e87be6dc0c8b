"""Any exchange of the ccxt library through one adapter: verbatim replies, read again at any time, units confirmed.

The exchange here answers in MEXC's wire format with figures of our own: spot pairs, and contracts of a part of a coin.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from ingestion.capture import Captured, capture_archived, capture_sweep
from ingestion.gate.rows import broken_rule
from ingestion.records import FundingRate, Instrument, OpenInterest, OrderBook, PerpTicker, Record, Trade
from ingestion.transports import LiveTransport, UnifiedTransport, VirtualClock
from ingestion.transports.base import CaptureFailed
from ingestion.venues import OWN_NAMES, VENUES, adopt
from ingestion.venues.base import Plan, Refused, Reject, Reply, Request, Venue
from ingestion.venues.unified_rows import READERS, open_interest, perp_ticker, spot_ticker
from orchestration.settings import BadSetting, Settings
from tests.venue_server import says

NOW = datetime(2026, 1, 2, 13, 0, 5, tzinfo=UTC)
HOUR = NOW.replace(second=0)
NOW_MS = 1_767_358_805_000


@pytest.fixture(scope="module", autouse=True)
def registry() -> Iterator[None]:
    """What is adopted here is not listed for the tests of other files."""
    venues, names = dict(VENUES), dict(OWN_NAMES)
    yield
    for listed, before in ((VENUES, venues), (OWN_NAMES, names)):
        for name in listed.keys() - before.keys():
            del listed[name]


@pytest.fixture(scope="module")
def venue() -> Venue:
    return VENUES[adopt("ccxt:mexc")]


def contract(symbol: str, **told: Any) -> dict[str, Any]:
    base, quote = symbol.split("_")
    return {
        "symbol": symbol,
        "baseCoin": base,
        "quoteCoin": quote,
        "settleCoin": quote,
        "contractSize": 0.0001,
        "priceScale": 1,
        "volScale": 0,
        "priceUnit": 0.1,
        "volUnit": 1,
        "minVol": 1,
        "state": 0,
    } | told


def ticker(symbol: str, **told: Any) -> dict[str, Any]:
    """Two million contracts of 0.0001 at 50,000: ten million."""
    return {
        "symbol": symbol,
        "lastPrice": 50_000,
        "bid1": 49_999.9,
        "ask1": 50_000.1,
        "volume24": 2_000_000,
        "amount24": 10_000_000,
        "timestamp": NOW_MS - 1_000,
    } | told


def envelope(data: object) -> dict[str, Any]:
    return {"success": True, "code": 0, "data": data}


BTC, ETH = contract("BTC_USDT"), contract("ETH_USDT", contractSize=0.01)
SPOT = {
    "symbol": "BTCUSDT",
    "status": "1",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "baseAssetPrecision": 8,
    "quotePrecision": 2,
    "quoteAssetPrecision": 2,
    "baseSizePrecision": "0.000001",
    "quoteAmountPrecision": "1",
    "isSpotTradingAllowed": True,
    "permissions": ["SPOT"],
}
BOOK = {"asks": [[50_000.1, 20, 1], [50_001, 30, 2]], "bids": [[49_999.9, 10, 1]], "version": 77, "timestamp": NOW_MS}
TRADES = [{"p": 49_999.9, "v": 700, "T": 2, "O": 1, "M": 1, "t": NOW_MS - 1_000, "i": "a-1"}]
SETTLED = {
    "pageSize": 1,
    "totalCount": 1,
    "totalPage": 1,
    "currentPage": 1,
    "resultList": [{"symbol": "BTC_USDT", "fundingRate": -0.0003, "settleTime": NOW_MS - 5_000}],
}
LISTING = ["/api/v3/exchangeInfo", "/api/v1/contract/detail", "/api/v1/contract/ticker"]
ANSWERS: dict[str, Any] = {
    LISTING[0]: {"symbols": [SPOT]},
    LISTING[1]: envelope([BTC, ETH]),
    LISTING[2]: envelope([ticker("BTC_USDT"), ticker("ETH_USDT")]),  # ether's volume fits another size
    "/api/v1/contract/depth/BTC_USDT": envelope(BOOK),
    "/api/v1/contract/deals/BTC_USDT": envelope(TRADES),
    "/api/v1/contract/funding_rate/history": envelope(SETTLED),
}


class Exchange:
    """It answers by path and keeps what it was asked."""

    def __init__(self, answers: dict[str, Any] = ANSWERS) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if request.url.path not in self.answers:
            return says(404, b'{"error": {"message": "Not Found", "name": "HTTPError"}}')
        return says(200, json.dumps(self.answers[request.url.path]).encode())

    def transport(self) -> UnifiedTransport:
        return UnifiedTransport(LiveTransport(transport=httpx.MockTransport(self), clock=VirtualClock(NOW), attempts=1))


def swept(venue: Venue, exchange: Exchange, *datasets: str) -> Captured:
    plan = Plan(("BTC", "ETH"), HOUR, NOW)
    wanted = [(venue.name, dataset) for dataset in ("instruments", *datasets)]
    return asyncio.run(capture_sweep(exchange.transport(), wanted, plan, 30.0, {venue.name: venue}))


def rows_of(venue: Venue, captured: Captured, dataset: str) -> list[Record | Reject]:
    return [row for e in captured.envelopes[venue.name, dataset] for row in venue.parse(e.reply())]


class TestASweep:
    def test_asks_what_the_library_says_and_keeps_the_replies_verbatim(self, venue: Venue) -> None:
        exchange = Exchange()
        captured = swept(venue, exchange, "order_books")
        [kept_in] = captured.envelopes[venue.name, "order_books"]
        kept = json.loads(kept_in.reply_bytes)

        assert exchange.asked[:3] == LISTING
        assert sorted(exchange.asked[3:]) == ["/api/v1/contract/depth/BTC_USDT", "/api/v3/depth"]
        assert (kept_in.venue, kept_in.host, kept_in.path) == ("ccxt_mexc", "api.mexc.com", "/order_books")
        assert [json.loads(call["reply"]) for call in kept["calls"]] == [envelope(BOOK)]
        assert kept["calls"][0]["url"].startswith("https://api.mexc.com/api/v1/contract/depth/BTC_USDT")

    def test_becomes_rows_by_the_venues_own_names(self, venue: Venue) -> None:
        captured = swept(venue, Exchange(), "order_books", "trades")
        [book] = rows_of(venue, captured, "order_books")
        [trade] = rows_of(venue, captured, "trades")

        assert isinstance(book, OrderBook)
        assert (book.symbol, book.kind, book.ask_px, book.bid_qty) == (
            "BTC_USDT",
            "perp",
            (50_000.1, 50_001.0),
            (10.0,),
        )
        assert isinstance(trade, Trade)
        assert (trade.side, trade.qty, trade.px) == ("sell", 700.0, 49_999.9)
        assert trade.event_ts == datetime(2026, 1, 2, 13, 0, 4, tzinfo=UTC)
        assert [broken_rule(row) for row in (book, trade)] == [None, None]

    def test_an_answer_is_read_alone_in_another_process_and_at_another_time(self, venue: Venue) -> None:
        """Everything that reading takes is in the envelope: nothing that this process remembers."""
        captured = swept(venue, Exchange(), "order_books")
        [kept_in] = captured.envelopes[venue.name, "order_books"]
        elsewhere = VENUES[adopt("ccxt_mexc")]

        assert list(elsewhere.parse(kept_in.reply())) == list(venue.parse(kept_in.reply()))

    def test_settled_funding_is_asked_for_the_hour(self, venue: Venue) -> None:
        exchange = Exchange()
        listed = tuple(r for r in rows_of(venue, swept(venue, exchange), "instruments") if isinstance(r, Instrument))
        plan = Plan(("BTC",), HOUR, NOW, listed)
        wanted = [(venue.name, "funding_rates")]
        captured = asyncio.run(capture_archived(exchange.transport(), wanted, plan, 30.0, {venue.name: venue}))
        [row] = rows_of(venue, captured, "funding_rates")

        assert isinstance(row, FundingRate)
        assert (row.funding_rate, row.event_ts) == (-0.0003, HOUR)

    def test_a_venue_that_fails_is_a_gap_with_its_reason(self, venue: Venue) -> None:
        captured = swept(venue, Exchange({path: ANSWERS[path] for path in LISTING}), "order_books")

        [reason] = captured.gaps[venue.name, "order_books"]
        assert "status 404" in reason
        assert (venue.name, "order_books") not in captured.envelopes

    def test_a_reply_that_the_library_cannot_read_is_a_gap_and_no_crash(self, venue: Venue) -> None:
        broken = Exchange(ANSWERS | {"/api/v1/contract/depth/BTC_USDT": {"oops": 1}})

        [reason] = swept(venue, broken, "order_books").gaps[venue.name, "order_books"]
        assert "/order_books" in reason

    def test_the_listing_is_asked_for_once_however_many_ask_at_once(self, venue: Venue) -> None:
        exchange = Exchange()
        transport = exchange.transport()

        async def ask() -> None:
            request = Request("/order_books", (("kind", "perp"), ("id", "BTC_USDT")))
            await asyncio.gather(*(transport.get(venue, request, 1) for _ in range(5)))

        asyncio.run(ask())
        assert Counter(exchange.asked) == dict.fromkeys(LISTING, 1) | {"/api/v1/contract/depth/BTC_USDT": 5}

    def test_what_is_not_listed_cannot_be_asked_for(self, venue: Venue) -> None:
        with pytest.raises(CaptureFailed, match="no market 'DOGE' is listed"):
            asyncio.run(Exchange().transport().get(venue, Request("/trades", (("kind", "perp"), ("id", "DOGE"))), 1))


TRADE = {"id": "1", "timestamp": NOW_MS - 1_000, "side": "buy", "price": 1.0, "amount": 2.0}
RATE = {"timestamp": NOW_MS - 5_000, "fundingRate": 0.0001}
BAR = [NOW_MS - 7_205_000, 1, 2, 1, 2, 5]


class TestUnitsAreConfirmed:
    def test_a_contract_is_listed_where_its_volume_confirms_its_size(self, venue: Venue) -> None:
        rows = rows_of(venue, swept(venue, Exchange()), "instruments")
        perps = [row for row in rows if isinstance(row, Instrument) and row.kind == "perp"]

        assert [(i.symbol, i.contract_size, i.amount_unit, i.settle_asset) for i in perps] == [
            ("BTC_USDT", 0.0001, "contracts", "USDT")
        ]

    def test_one_whose_size_nothing_confirms_is_rejected(self, venue: Venue) -> None:
        rejects = [r for r in rows_of(venue, swept(venue, Exchange()), "instruments") if isinstance(r, Reject)]

        assert [(r.rule, r.reason) for r in rejects] == [
            ("units", "ETH_USDT: a contract of 0.01, which nothing confirms")
        ]

    @pytest.mark.parametrize("size", [0.001, 0.01, 1.0, 0.00001])
    def test_a_size_that_the_library_has_wrong_is_caught(self, venue: Venue, size: float) -> None:
        wrong = envelope([contract("BTC_USDT", contractSize=size)])
        rows = rows_of(venue, swept(venue, Exchange(ANSWERS | {LISTING[1]: wrong})), "instruments")

        assert not [row for row in rows if isinstance(row, Instrument) and row.kind == "perp"]

    @pytest.mark.parametrize(
        ("base", "quote", "kept"),
        [
            (10.0, 500_000.0, (10.0, 500_000.0)),  # coins
            (1_000.0, 500_000.0, (10.0, 500_000.0)),  # contracts of 0.01
            (500_000.0, 500_000.0, None),  # dollars twice
            (10.0, 10.0, None),
            (10.0, None, (None, None)),  # nothing to confirm it by
        ],
    )
    def test_volume_is_what_its_turnover_confirms(self, base: float, quote: float | None, kept: Any) -> None:
        said = {"ticker": {"last": 50_000.0, "baseVolume": base, "quoteVolume": quote}, "funding": {}}
        rows = list(perp_ticker(LINEAR, said, NOW))
        [ticker] = [row for row in rows if isinstance(row, PerpTicker)]

        assert (ticker.volume_24h_base, ticker.volume_24h_quote) == (kept or (None, None))
        assert [row.rule for row in rows if isinstance(row, Reject)] == ([] if kept else ["units"])

    @pytest.mark.parametrize(
        ("amount", "value", "contracts", "base"),
        [(2_000.0, 1_000_000.0, 2_000.0, None), (20.0, 1_000_000.0, 2_000.0, 20.0)],
        ids=["contracts", "coins"],
    )
    def test_open_interest_is_told_apart_by_its_value(
        self, amount: float, value: float, contracts: float, base: float | None
    ) -> None:
        said = {"interest": {"openInterestAmount": amount, "openInterestValue": value}, "ticker": {"last": 50_000.0}}
        [row] = open_interest(LINEAR, said, NOW)

        assert isinstance(row, OpenInterest)
        assert (row.open_interest_qty, row.open_interest_base) == (contracts, base)

    @pytest.mark.parametrize("value", [None, 7.0])
    def test_open_interest_that_nothing_confirms_is_rejected(self, value: float | None) -> None:
        said = {"interest": {"openInterestAmount": 20.0, "openInterestValue": value}, "ticker": {"last": 50_000.0}}
        [row] = open_interest(LINEAR, said, NOW)

        assert isinstance(row, Reject)
        assert row.rule == "units"

    def test_a_funding_rate_without_its_interval_is_rejected_and_the_quote_stands(self) -> None:
        said = {"ticker": {"last": 1.0, "bid": 0.9}, "funding": {"fundingRate": 0.0001}}
        ticker, reject = perp_ticker(LINEAR, said, NOW)

        assert isinstance(ticker, PerpTicker)
        assert (ticker.funding_rate, ticker.bid_px) == (None, 0.9)
        assert isinstance(reject, Reject)

    @pytest.mark.parametrize(
        ("dataset", "good", "odd"),
        [
            ("trades", TRADE, [TRADE | {"price": None}, TRADE | {"timestamp": 5}, TRADE | {"id": None}, None]),
            ("funding_rates", RATE, [RATE | {"fundingRate": None}, RATE | {"timestamp": None, "fundingRate": "?"}, {}]),
            ("candles", BAR, [[BAR[0], None, None, None, None, 0], [None, *BAR[1:]], [5, *BAR[1:]], [], None]),
        ],
    )
    def test_an_odd_row_costs_one_row_and_not_the_reply(self, dataset: str, good: Any, odd: list[Any]) -> None:
        first, *rejects, last = READERS[dataset](LINEAR, [good, *odd, good], NOW)

        assert first == last
        assert not isinstance(first, Reject)
        assert [type(reject) for reject in rejects] == [Reject] * len(odd)

    def test_a_number_that_is_none_refuses_the_reply(self) -> None:
        with pytest.raises(Refused, match="no finite number"):
            list(spot_ticker(LINEAR, {"last": float("nan")}, NOW))


LINEAR = Instrument(
    venue="ccxt_x",
    symbol="BTCUSDT",
    kind="perp",
    captured_ts=NOW,
    base_asset="BTC",
    quote_asset="USDT",
    settle_asset="USDT",
    contract_size=0.01,
    amount_unit="contracts",
    is_inverse=False,
    terms_source="listed",
)


class TestByName:
    def test_a_venue_of_the_library_is_named_like_any_other(self) -> None:
        settings = Settings.read({"BAROGRAPH_VENUES": "okx,ccxt:bitstamp"})

        assert settings.venues == ("okx", "ccxt_bitstamp")
        assert "order_books" in VENUES["ccxt_bitstamp"].datasets

    def test_one_that_the_library_does_not_know_is_refused(self) -> None:
        with pytest.raises(BadSetting, match=r"ccxt:nowhere'.*unknown to ccxt"):
            Settings.read({"BAROGRAPH_VENUES": "ccxt:nowhere"})

    def test_every_exchange_of_the_library_makes_an_adapter(self) -> None:
        import ccxt

        from ingestion.venues.unified import unified_venue

        venues = [unified_venue(exchange_id) for exchange_id in ccxt.exchanges]

        assert len({venue.name for venue in venues}) == len(ccxt.exchanges) > 90
        assert all(set(venue.datasets) <= {"instruments", *READERS} for venue in venues)

    def test_an_answer_whose_replies_are_missing_is_refused(self, venue: Venue) -> None:
        body = json.dumps({"market": None, "calls": []}).encode()

        with pytest.raises(Refused, match=r"no reply of https://api\.mexc\.com"):
            list(venue.parse(Reply.read("/fetchMarkets", "", body, NOW)))
