"""Kraken Futures, by numbers read off real replies by hand, by documented examples, and by the traps of its units."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ingestion.envelopes import Envelope
from ingestion.records import (
    FutureTicker,
    IndexPrice,
    Instrument,
    OpenInterest,
    OrderBook,
    PerpTicker,
    Record,
    Trade,
)
from ingestion.venues.base import Refused, Reject, Reply
from ingestion.venues.kraken_futures import KRAKEN_FUTURES

NOW = datetime(2026, 1, 2, 13, 0, 5, tzinfo=UTC)
TRADING = "/derivatives/api/v3/"
Recorded = Callable[[str], list[Envelope]]


def reply(path: str, body: object, query: str = "") -> Reply:
    return Reply.read(path, query, json.dumps(body).encode(), NOW)


def ask(method: str, query: str = "", **said: object) -> list[Record | Reject]:
    body = {"result": "success", "serverTime": "2026-01-02T13:00:04.977Z", **said}
    return list(KRAKEN_FUTURES.parse(reply(TRADING + method, body, query)))


@pytest.fixture
def read(recorded: Recorded) -> Callable[[str], list[list[Any]]]:
    """What the recorded replies of one method hold, oldest first."""
    envelopes = sorted(recorded("http/kraken_futures.jsonl.zst"), key=lambda e: str(e.recorded_at))
    return lambda method: [list(KRAKEN_FUTURES.parse(e.reply())) for e in envelopes if e.path == TRADING + method]


class TestRealReplies:
    def test_indices_in_the_list_are_no_instruments(self, read: Any) -> None:
        first, _, last = ({i.symbol: i for i in reply} for reply in read("instruments"))

        assert (len(first), len(last)) == (17, 17)
        assert Counter((i.kind, i.is_inverse) for i in first.values()) == {
            ("perp", True): 5,
            ("perp", False): 1,
            ("future", True): 10,
            ("future", False): 1,
        }
        assert first["PI_XBTUSD"] == Instrument(
            venue="kraken_futures",
            symbol="PI_XBTUSD",
            kind="perp",
            captured_ts=datetime(2019, 11, 11, 7, 14, 48, tzinfo=UTC),
            event_ts=datetime(2019, 11, 11, 7, 14, 48, 716_000, tzinfo=UTC),
            base_asset="BTC",
            quote_asset="USD",
            settle_asset="BTC",
            contract_size=1.0,
            amount_unit="contracts",
            is_inverse=True,
            tick_size_px=0.5,
            terms_source="listed",
        )

    def test_contracts_end_at_four_in_london_in_winter_and_in_summer(self, read: Any) -> None:
        first, _, last = ({i.symbol: i for i in reply} for reply in read("instruments"))

        assert first["FI_XBTUSD_191129"].expiry_ts == datetime(2019, 11, 29, 16, tzinfo=UTC)
        assert last["FI_XBTUSD_210730"].expiry_ts == datetime(2021, 7, 30, 15, tzinfo=UTC)

    def test_a_contract_quoted_in_bitcoin_is_settled_in_it(self, read: Any) -> None:
        ripple = {i.symbol: i for i in read("instruments")[0]}["PV_XRPXBT"]

        assert (ripple.base_asset, ripple.quote_asset, ripple.settle_asset) == ("XRP", "BTC", "BTC")
        assert (ripple.is_inverse, ripple.contract_size, ripple.tick_size_px) == (False, 1.0, 0.00000001)

    def test_one_reply_tells_tickers_open_interest_and_indices(self, read: Any) -> None:
        for rows in read("tickers"):
            assert Counter(type(row) for row in rows) == {
                PerpTicker: 6,
                FutureTicker: 11,
                OpenInterest: 17,
                IndexPrice: 6,
            }

    def test_an_inverse_perpetual_counts_dollars_and_its_funding_is_a_fraction(self, read: Any) -> None:
        """Of 8797.2 dollars a coin, 5.539059657e-9 coins a dollar are 0.0048728 percent an hour."""
        rows = read("tickers")[0]
        [ticker] = [r for r in rows if isinstance(r, PerpTicker) and r.symbol == "PI_XBTUSD"]
        [interest] = [r for r in rows if isinstance(r, OpenInterest) and r.symbol == "PI_XBTUSD"]

        assert (ticker.mark_px, ticker.last_px, ticker.index_px) == (8797.2, 8797.5, None)
        assert (ticker.bid_px, ticker.bid_qty, ticker.ask_px, ticker.ask_qty) == (8797.0, 1901.0, 8797.5, 86_996.0)
        assert (ticker.volume_24h_base, ticker.volume_24h_quote) == (None, 57_572_223.0)
        assert ticker.funding_rate == pytest.approx(0.000048728, rel=1e-4)
        assert ticker.funding_interval_s == 3_600
        assert (interest.open_interest_qty, interest.open_interest_base) == (24_349_905.0, None)

    def test_fundings_of_all_perpetuals_are_of_one_order(self, read: Any) -> None:
        """Absolute, they differ by factors over 10,000: bitcoins a dollar, ripples a dollar, bitcoins a ripple."""
        rates = {r.symbol: abs(r.funding_rate) for r in read("tickers")[0] if isinstance(r, PerpTicker)}

        assert len(rates) == 6
        assert all(0.000005 < rate < 0.0005 for rate in rates.values()), rates

    def test_the_index_beside_each_inverse_perpetual_is_near_its_mark(self, read: Any) -> None:
        rows = read("tickers")[0]
        index = {(r.base_asset, r.quote_asset): r.index_px for r in rows if isinstance(r, IndexPrice)}
        marks = {r.symbol: r.mark_px for r in rows if isinstance(r, PerpTicker)}

        assert index["BTC", "USD"] == 8798.0
        assert marks["PI_XBTUSD"] == pytest.approx(index["BTC", "USD"], rel=0.001)
        assert marks["PV_XRPXBT"] == pytest.approx(index["XRP", "BTC"], rel=0.001)

    def test_a_sale_is_done_at_the_bid(self, read: Any) -> None:
        """The newest trade, of 25 s before the book, sold at what was still the best bid: `side` is the taker's."""
        [trades], [[book]] = read("history"), read("orderbook")

        assert isinstance(book, OrderBook)
        assert (book.symbol, len(book.bid_px), len(book.ask_px)) == ("PI_ETHUSD", 104, 125)
        assert (book.bid_px[0], book.bid_qty[0], book.ask_px[0], book.ask_qty[0]) == (186.45, 2.0, 186.5, 121_210.0)
        assert book.event_ts == datetime(2019, 11, 11, 7, 14, 44, 850_000, tzinfo=UTC)
        assert Counter(trade.side for trade in trades) == {"sell": 53, "buy": 47}
        assert trades[0] == Trade(
            venue="kraken_futures",
            symbol="PI_ETHUSD",
            kind="perp",
            captured_ts=datetime(2019, 11, 11, 7, 14, 46, tzinfo=UTC),
            event_ts=datetime(2019, 11, 11, 7, 14, 20, 93_000, tzinfo=UTC),
            trade_id="df8522a1-5f97-41e4-8eb1-e2c2546199a1",
            px=book.bid_px[0],
            qty=1.0,
            side="sell",
        )


PERP = {
    "symbol": "PF_XBTUSD",
    "tag": "perpetual",
    "pair": "BTC:USD",
    "markPrice": 80_400,
    "indexPrice": 80_000,
    "bid": 80_390,
    "bidSize": 0.5,
    "ask": 80_400,
    "askSize": 0.25,
    "last": 80_395,
    "vol24h": 4_000.5,
    "volumeQuote": 320_000_000,
    "openInterest": 2_100.25,
    "fundingRate": 0.8,
    "suspended": False,
}


class TestTickers:
    def test_a_linear_perpetual_counts_coins_and_its_funding_is_divided_by_the_index(self) -> None:
        """0.8 dollars a coin and hour, of 80,000: read as a rate it would be 80 percent an hour."""
        ticker, interest = ask("tickers", tickers=[PERP])

        assert isinstance(ticker, PerpTicker)
        assert ticker.funding_rate == pytest.approx(0.00001, rel=1e-12)
        assert (ticker.funding_interval_s, ticker.next_funding_ts) == (3_600, None)
        assert (ticker.mark_px, ticker.index_px, ticker.bid_qty) == (80_400.0, 80_000.0, 0.5)
        assert (ticker.volume_24h_base, ticker.volume_24h_quote) == (4_000.5, 320_000_000.0)
        assert isinstance(interest, OpenInterest)
        assert (interest.open_interest_qty, interest.kind) == (2_100.25, "perp")

    @pytest.mark.parametrize(
        ("symbol", "absolute", "index", "relative"),
        [
            # Kraken's own pairs of both, with the index beside them: the ticker feed of Sep 2026 and of Feb 2021.
            ("PF_XBTUSD", 0.912482213835, 83_995.76, 0.00001089345),
            ("PI_XBTUSD", 3.891007752e-9, 34_803.45, 0.000135046879166667),
        ],
    )
    def test_the_relative_rate_is_what_the_venue_itself_calls_so(
        self, symbol: str, absolute: float, index: float, relative: float
    ) -> None:
        ticker, _ = ask("tickers", tickers=[{**PERP, "symbol": symbol, "fundingRate": absolute, "indexPrice": index}])

        assert isinstance(ticker, PerpTicker)
        assert ticker.funding_rate == pytest.approx(relative, rel=0.005)

    def test_of_one_contract_alone(self) -> None:
        assert ask("tickers/PF_XBTUSD", ticker=PERP) == ask("tickers", tickers=[PERP])

    def test_names_are_not_told_apart_by_case(self) -> None:
        assert ask("tickers", tickers=[{**PERP, "symbol": "pf_xbtusd"}]) == ask("tickers", tickers=[PERP])

    def test_a_contract_without_orders_or_trades_has_no_quote(self) -> None:
        """Eight of 296 tickers of September 2026 had no touch, thirteen no last price."""
        bare = {key: value for key, value in PERP.items() if key not in {"bid", "bidSize", "ask", "askSize", "last"}}
        ticker, _ = ask("tickers", tickers=[{**bare, "symbol": "FF_XBTUSD_260327", "fundingRate": None}])

        assert type(ticker) is FutureTicker
        assert (ticker.bid_px, ticker.ask_qty, ticker.last_px, ticker.mark_px) == (None, None, None, 80_400.0)

    def test_a_reference_rate_of_once_a_day_is_no_index_to_measure_against(self) -> None:
        row = {"last": 80_000, "lastTime": "2026-01-02T13:00:03Z"}
        [index] = ask("tickers", tickers=[{"symbol": "in_xbtusd", **row}, {"symbol": "rr_xbtusd", **row}])

        assert index == IndexPrice(
            venue="kraken_futures",
            symbol="in_xbtusd",
            kind="spot",
            captured_ts=NOW,
            event_ts=datetime(2026, 1, 2, 13, 0, 3, tzinfo=UTC),
            base_asset="BTC",
            quote_asset="USD",
            index_px=80_000.0,
        )

    @pytest.mark.parametrize("field", ["symbol", "markPrice", "vol24h", "openInterest"])
    def test_a_missing_field_is_a_rejected_row_that_names_it(self, field: str) -> None:
        row = {key: value for key, value in PERP.items() if key != field}
        reject, good, _ = ask("tickers", tickers=[row, PERP])

        assert isinstance(reject, Reject)
        assert (reject.rule, field in reject.reason) == ("schema", True)
        assert isinstance(good, PerpTicker)

    @pytest.mark.parametrize("number", ["80400", "NaN", True, [], {}, 1e301])
    def test_a_number_that_is_none_or_written_as_text_is_no_price(self, number: object) -> None:
        [reject] = ask("tickers", tickers=[{**PERP, "markPrice": number}])

        assert isinstance(reject, Reject)
        assert reject.rule == "schema"

    def test_a_symbol_of_no_known_style_is_rejected(self) -> None:
        [reject] = ask("tickers", tickers=[{**PERP, "symbol": "OI_XBTUSD_260327_80000_C"}])

        assert isinstance(reject, Reject)
        assert reject.rule == "unknown_symbol"


CONTRACT = {
    "symbol": "PF_XBTUSD",
    "type": "flexible_futures",
    "tickSize": 1,
    "contractSize": 1,
    "tradeable": True,
    "contractValueTradePrecision": 4,
    "isExpired": False,
}


class TestInstruments:
    @pytest.mark.parametrize(("decimals", "lot"), [(4, 0.0001), (0, 1.0), (-3, 1_000.0), (None, None)])
    def test_a_lot_of_fewer_than_no_decimals_is_tens_and_thousands(
        self, decimals: int | None, lot: float | None
    ) -> None:
        [listed] = ask("instruments", instruments=[{**CONTRACT, "contractValueTradePrecision": decimals}])

        assert isinstance(listed, Instrument)
        assert listed.lot_size_qty == lot

    def test_what_has_expired_is_no_instrument(self) -> None:
        assert ask("instruments", instruments=[{**CONTRACT, "isExpired": True}]) == []

    @pytest.mark.parametrize(
        "contradiction",
        [
            {"type": "futures_inverse"},
            {"type": "options"},
            {"lastTradingTime": "2026-03-27T08:00:00Z"},
            {"symbol": "FF_XBTUSD_260327", "lastTradingTime": "2026-06-26T08:00:00Z"},
            {"symbol": "FF_XBTUSD_260327"},
        ],
    )
    def test_a_row_that_contradicts_its_name_is_rejected(self, contradiction: dict[str, str]) -> None:
        [reject] = ask("instruments", instruments=[{**CONTRACT, **contradiction}])

        assert isinstance(reject, Reject)
        assert reject.rule == "contradiction"

    @pytest.mark.parametrize("field", ["tickSize", "contractSize"])
    def test_a_contract_without_its_terms_is_rejected(self, field: str) -> None:
        [reject] = ask("instruments", instruments=[{**CONTRACT, field: None}])

        assert isinstance(reject, Reject)
        assert field in reject.reason


class TestTerms:
    @pytest.mark.parametrize(
        ("symbol", "kind", "settle", "is_inverse", "expiry_ts"),
        [
            ("PI_XBTUSD", "perp", "BTC", True, None),
            ("PF_XBTUSD", "perp", "USD", False, None),
            ("PI_ETHUSD", "perp", "ETH", True, None),
            ("PF_ETHUSD", "perp", "USD", False, None),
            # As listed in 2026: 16:00 in London, 08:00 UTC.
            ("FI_XBTUSD_260828", "future", "BTC", True, datetime(2026, 8, 28, 15, tzinfo=UTC)),
            ("FI_XBTUSD_261225", "future", "BTC", True, datetime(2026, 12, 25, 16, tzinfo=UTC)),
            ("FF_XBTUSD_261225", "future", "USD", False, datetime(2026, 12, 25, 8, tzinfo=UTC)),
            # The last Friday of March is before or after the clocks change.
            ("FI_ETHUSD_180330", "future", "ETH", True, datetime(2018, 3, 30, 15, tzinfo=UTC)),
            ("FI_ETHUSD_190329", "future", "ETH", True, datetime(2019, 3, 29, 16, tzinfo=UTC)),
            ("FI_ETHUSD_211029", "future", "ETH", True, datetime(2021, 10, 29, 15, tzinfo=UTC)),
        ],
    )
    def test_a_name_says_style_and_end(
        self, symbol: str, kind: Any, settle: str, is_inverse: bool, expiry_ts: datetime | None
    ) -> None:
        terms = KRAKEN_FUTURES.terms(symbol, kind, NOW)

        assert (terms.settle_asset, terms.is_inverse, terms.expiry_ts) == (settle, is_inverse, expiry_ts)
        assert (terms.contract_size, terms.amount_unit, terms.quote_asset) == (1.0, "contracts", "USD")

    @pytest.mark.parametrize(
        "symbol",
        ["", "XBTUSD", "PF_XBTEUR", "PF_XBTUSD_260327", "FI_XBTUSD", "FI_XBTUSD_260230", "pf_xbtusd", "PX_XBTUSD"],
    )
    def test_what_is_no_contract_has_none(self, symbol: str) -> None:
        with pytest.raises(Refused) as caught:
            KRAKEN_FUTURES.terms(symbol, "perp", NOW)

        assert caught.value.rule == "unknown_symbol"

    def test_a_perpetual_is_no_dated_future(self) -> None:
        with pytest.raises(Refused, match="kind"):
            KRAKEN_FUTURES.terms("PF_XBTUSD", "future", NOW)


class TestHostileReplies:
    @pytest.mark.parametrize(
        "body",
        [
            {"result": "error", "error": "apiLimitExceeded", "serverTime": "2026-01-02T13:00:04.977Z"},
            {"status": "BAD_REQUEST", "result": "error", "errors": [{"code": 11, "message": "apiLimitExceeded"}]},
        ],
    )
    def test_an_error_in_a_reply_of_status_200_is_the_venues(self, body: object) -> None:
        with pytest.raises(Refused, match="apiLimitExceeded") as caught:
            list(KRAKEN_FUTURES.parse(reply(TRADING + "tickers", body)))

        assert caught.value.rule == "venue_error"

    @pytest.mark.parametrize("method", ["tickers", "instruments", "orderbook", "history", "historical-funding-rates"])
    def test_a_success_that_says_nothing_is_refused(self, method: str) -> None:
        with pytest.raises(Refused) as caught:
            ask(method, "symbol=PF_XBTUSD")

        assert caught.value.rule == "schema"

    @pytest.mark.parametrize("method", ["orderbook", "history", "historical-funding-rates"])
    def test_what_only_the_question_can_name_is_nobodys_without_it(self, method: str) -> None:
        with pytest.raises(Refused) as caught:
            ask(method, orderBook={"bids": [], "asks": []}, history=[], rates=[])

        assert caught.value.rule == "unknown_symbol"

    def test_a_price_that_a_float_would_change_is_refused(self) -> None:
        body = '{"result":"success","orderBook":{"bids":[[0.12345678901234567,1]],"asks":[]}}'
        with pytest.raises(Refused) as caught:
            list(KRAKEN_FUTURES.parse(Reply.read(TRADING + "orderbook", "symbol=PF_XBTUSD", body.encode(), NOW)))

        assert caught.value.rule == "precision"
