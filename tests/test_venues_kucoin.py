"""KuCoin's two venues, by documented examples and by the traps of their units.

The one real reply at hand is of another API of KuCoin's, with books of the same form.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.envelopes import Envelope
from ingestion.records import Candle, FutureTicker, IndexPrice, Instrument, OpenInterest, PerpTicker, SpotTicker, Trade
from ingestion.venues.base import Plan, Refused, Reject, Reply, Request, Venue
from ingestion.venues.kucoin import KUCOIN
from ingestion.venues.kucoin_futures import KUCOIN_FUTURES

NOW = datetime(2026, 1, 2, 13, 0, 5, tzinfo=UTC)
HOUR_S = 1_767_355_200  # 2026-01-02 12:00 UTC
HOUR = datetime.fromtimestamp(HOUR_S, UTC)
PLAN = Plan(("BTC", "ETH"), HOUR, HOUR + timedelta(hours=1))
Recorded = Callable[[str], list[Envelope]]


def answer_to(path: str, query: str, data: object) -> Reply:
    body = json.dumps({"code": "200000", "data": data}).encode()
    return Reply.read("/api/" + path, query, body, NOW)


def ask(venue: Venue, path: str, query: str, data: object) -> list[Any]:
    return list(venue.parse(answer_to(path, query, data)))


LINEAR = {
    "symbol": "XBTUSDTM",
    "type": "FFWCSX",
    "baseCurrency": "XBT",
    "quoteCurrency": "USDT",
    "settleCurrency": "USDT",
    "multiplier": 0.001,
    "isInverse": False,
    "isQuanto": True,
    "lotSize": 1,
    "tickSize": 0.1,
    "expireDate": None,
    "openInterest": "9622858",
    "markPrice": 84478.96,
    "indexPrice": 84526.25,
    "lastTradePrice": 84477,
    "volumeOf24h": 7991.204,
    "turnoverOf24h": 6.845151044888e8,
    "fundingFeeRate": 8.1e-5,
    "fundingRateGranularity": 28_800_000,
    "currentFundingRateGranularity": 14_400_000,
    "nextFundingRateTime": 3_196_728,
    "nextFundingRateDateTime": (HOUR_S + 14_400) * 1_000,
}
INVERSE = {
    **LINEAR,
    "symbol": "XBTUSDM",
    "quoteCurrency": "USD",
    "settleCurrency": "XBT",
    "multiplier": -1.0,
    "isInverse": True,
    "isQuanto": False,
    "volumeOf24h": 4_320_446.0,
    "turnoverOf24h": 51.2,
}
DATED = {
    **INVERSE,
    "symbol": "XBTMZ26",
    "type": "FFICSX",
    "expireDate": 1_798_185_600_000,
    "fundingFeeRate": None,
    "fundingRateGranularity": None,
    "currentFundingRateGranularity": None,
    "nextFundingRateTime": None,
    "nextFundingRateDateTime": None,
}


def listed(row: object) -> list[Any]:
    return ask(KUCOIN_FUTURES, "v1/contracts/active", "", [row])


class TestContracts:
    def test_a_linear_contract_is_its_multiplier_of_coin_and_no_quanto(self) -> None:
        """`isQuanto` is true of it: it is settled in what it is quoted in."""
        terms, _, interest = listed(LINEAR)

        assert terms == Instrument(
            venue="kucoin_futures",
            symbol="XBTUSDTM",
            kind="perp",
            captured_ts=NOW,
            base_asset="BTC",
            quote_asset="USDT",
            settle_asset="USDT",
            contract_size=0.001,
            amount_unit="contracts",
            is_inverse=False,
            tick_size_px=0.1,
            lot_size_qty=1.0,
            funding_interval_s=14_400,
            terms_source="listed",
        )
        assert isinstance(interest, OpenInterest)
        assert (interest.open_interest_qty, interest.open_interest_base) == (9_622_858.0, None)

    def test_a_negative_multiplier_is_a_dollar(self) -> None:
        terms, *_ = listed(INVERSE)

        assert (terms.contract_size, terms.is_inverse) == (1.0, True)
        assert (terms.base_asset, terms.quote_asset, terms.settle_asset) == ("BTC", "USD", "BTC")

    def test_volumes_change_places_where_a_contract_is_inverse(self) -> None:
        """By their own figures: quote over base is a price near the mark for both."""
        for row in (LINEAR, INVERSE):
            _, ticker, _ = listed(row)
            assert ticker.volume_24h_quote / ticker.volume_24h_base == pytest.approx(ticker.mark_px, rel=0.02)

    def test_funding_is_of_the_running_period_and_due_at_an_instant(self) -> None:
        """`nextFundingRateTime` counts down, and `fundingRateGranularity` is of the periods to come."""
        _, ticker, _ = listed(LINEAR)
        _, coming, _ = listed({**LINEAR, "currentFundingRateGranularity": None})

        assert isinstance(ticker, PerpTicker)
        assert (ticker.funding_rate, ticker.funding_interval_s) == (0.000081, 14_400)
        assert ticker.next_funding_ts == HOUR + timedelta(hours=4)
        assert coming.funding_interval_s == 28_800

    def test_a_dated_contract_has_an_expiry_and_no_funding(self) -> None:
        terms, ticker, _ = listed(DATED)

        assert (terms.kind, terms.funding_interval_s) == ("future", None)
        assert terms.expiry_ts == datetime(2026, 12, 25, 8, tzinfo=UTC)
        assert type(ticker) is FutureTicker

    def test_a_perpetual_that_is_to_be_delisted_stays_one(self) -> None:
        terms, *_ = listed({**LINEAR, "expireDate": 1_798_185_600_000})

        assert (terms.kind, terms.expiry_ts) == ("perp", None)

    @pytest.mark.parametrize(
        ("row", "rule"),
        [
            ({**LINEAR, "multiplier": -1.0}, "contradiction"),
            ({**INVERSE, "multiplier": 100.0}, "contradiction"),
            ({**INVERSE, "multiplier": -100.0}, "contradiction"),
            ({**LINEAR, "settleCurrency": "XBT"}, "unknown_terms"),
            ({**DATED, "expireDate": None}, "schema"),
            ({**LINEAR, "type": "FFXXXX"}, "schema"),
        ],
    )
    def test_terms_that_contradict_themselves_are_refused(self, row: object, rule: str) -> None:
        [reject] = listed(row)

        assert (type(reject), reject.rule) == (Reject, rule)

    @pytest.mark.parametrize(("row", "kind"), [(LINEAR, "perp"), (INVERSE, "perp"), (DATED, "future")])
    def test_documented_terms_agree_with_listed_ones(self, row: dict[str, Any], kind: Any) -> None:
        found, *_ = listed(row)
        documented = KUCOIN_FUTURES.terms(row["symbol"], kind, NOW)

        for term in ("base_asset", "quote_asset", "settle_asset", "contract_size", "amount_unit", "is_inverse"):
            assert getattr(documented, term) == getattr(found, term), term
        assert documented.expiry_ts == found.expiry_ts


class TestNames:
    @pytest.mark.parametrize(
        ("symbol", "kind", "terms"),
        [
            ("ETHUSDTM", "perp", ("ETH", "USDT", "USDT", 0.01)),
            ("ETHUSDM", "perp", ("ETH", "USD", "ETH", 1.0)),
            (".KXBTUSDT", "spot", ("BTC", "USDT", "USDT", 1.0)),
            (".BXBT", "spot", ("BTC", "USD", "USD", 1.0)),
        ],
    )
    def test_a_name_tells_its_terms(self, symbol: str, kind: Any, terms: tuple[str, str, str, float]) -> None:
        found = KUCOIN_FUTURES.terms(symbol, kind, NOW)

        assert (found.base_asset, found.quote_asset, found.settle_asset, found.contract_size) == terms

    @pytest.mark.parametrize(
        ("symbol", "kind", "rule"),
        [
            ("SOLUSDTM", "perp", "unknown_terms"),
            ("XBTUSDCM", "perp", "unknown_terms"),
            ("XBTUSDTM", "future", "contradiction"),
            ("BTC-USDT", "spot", "unknown_symbol"),
            (".XBTUSDTMFPI8H", "spot", "unknown_symbol"),
        ],
    )
    def test_what_no_document_tells_is_refused(self, symbol: str, kind: Any, rule: str) -> None:
        with pytest.raises(Refused) as caught:
            KUCOIN_FUTURES.terms(symbol, kind, NOW)

        assert caught.value.rule == rule
        assert symbol in caught.value.reason

    def test_spot_spells_bitcoin_btc_and_is_another_venue(self) -> None:
        pair = KUCOIN.terms("BTC-USDT", "spot", NOW)

        assert (pair.venue, pair.base_asset, pair.amount_unit) == ("kucoin", "BTC", "base")
        with pytest.raises(Refused):
            KUCOIN.terms("XBTUSDTM", "perp", NOW)


FUTURES_TRADE = {"tradeId": "1", "ts": HOUR_S * 10**9, "size": 6, "price": "84477", "side": "sell"}
SPOT_TRADE = {"sequence": "1", "time": HOUR_S * 10**9, "size": "0.5", "price": "84477.1", "side": "buy"}


class TestUnits:
    @given(st.integers(1_500_000_000 * 10**6, 2_000_000_000 * 10**6), st.integers(0, 999))
    def test_nanoseconds_are_read_to_the_microsecond(self, microseconds: int, rest_ns: int) -> None:
        """A float64 cannot hold them: 2026 in nanoseconds is known to 256 at best."""
        stamp = microseconds * 1_000 + rest_ns
        [trade] = ask(KUCOIN_FUTURES, "v1/trade/history", "symbol=XBTUSDTM", [{**FUTURES_TRADE, "ts": stamp}])

        assert trade.event_ts == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)

    @pytest.mark.parametrize("stamp", [HOUR_S * 1_000, HOUR_S * 10**6, HOUR_S, 0])
    def test_a_trade_stamped_in_another_unit_is_noticed(self, stamp: int) -> None:
        for venue, path, query, row in (
            (KUCOIN_FUTURES, "v1/trade/history", "symbol=XBTUSDTM", {**FUTURES_TRADE, "ts": stamp}),
            (KUCOIN, "v1/market/histories", "symbol=BTC-USDT", {**SPOT_TRADE, "time": stamp}),
        ):
            [reject] = ask(venue, path, query, [row])
            assert (type(reject), reject.rule) == (Reject, "timestamp")

    def test_sides_are_the_takers(self) -> None:
        [future] = ask(KUCOIN_FUTURES, "v1/trade/history", "symbol=XBTUSDM", [FUTURES_TRADE])
        [spot] = ask(KUCOIN, "v1/market/histories", "symbol=BTC-USDT", [SPOT_TRADE])

        assert isinstance(future, Trade)
        assert (future.kind, future.symbol, future.side, future.qty) == ("perp", "XBTUSDM", "sell", 6.0)
        assert (spot.kind, spot.symbol, spot.side, spot.qty) == ("spot", "BTC-USDT", "buy", 0.5)

    def test_the_close_comes_second_in_spot_and_fifth_in_futures(self) -> None:
        row = [str(HOUR_S), "2", "3", "4", "1", "0.5", "9"]
        [spot] = ask(KUCOIN, "v1/market/candles", "symbol=BTC-USDT&type=1min", [row])
        bar = [HOUR_S * 1_000, 2, 4, 1, 3, 500, 9]
        [future] = ask(KUCOIN_FUTURES, "v1/kline/query", "symbol=XBTUSDTM&granularity=1", [bar])
        [dollars] = ask(KUCOIN_FUTURES, "v1/kline/query", "symbol=XBTUSDM&granularity=1", [bar])

        for candle in (spot, future, dollars):
            assert isinstance(candle, Candle)
            assert (candle.open_px, candle.high_px, candle.low_px, candle.close_px) == (2.0, 4.0, 1.0, 3.0)
            assert (candle.event_ts, candle.interval_s) == (HOUR, 60)
        assert (spot.volume_base, future.volume_base, dollars.volume_base) == (0.5, 0.5, None)

    @pytest.mark.parametrize(
        ("venue", "path", "query"),
        [(KUCOIN, "v1/market/candles", "type=1month"), (KUCOIN_FUTURES, "v1/kline/query", "granularity=43200")],
    )
    def test_a_month_has_no_length(self, venue: Venue, path: str, query: str) -> None:
        symbol = "BTC-USDT" if venue is KUCOIN else "XBTUSDTM"
        with pytest.raises(Refused) as caught:
            ask(venue, path, f"symbol={symbol}&{query}", [])

        assert caught.value.rule == "interval"

    def test_quotes_of_futures_are_not_as_old_as_the_last_trade(self) -> None:
        """`ts` is when that trade filled: of a contract that is seldom traded the quotes are still of now."""
        quotes = {"bestBidPrice": "84490", "bestBidSize": 1200, "bestAskPrice": None, "bestAskSize": None}
        row = {"symbol": "XBTMH26", "price": "84500.5", **quotes, "ts": (HOUR_S - 10**6) * 10**9}
        [ticker] = ask(KUCOIN_FUTURES, "v1/allTickers", "", [row])

        assert type(ticker) is FutureTicker
        assert (ticker.event_ts, ticker.bid_px, ticker.bid_qty) == (None, 84_490.0, 1_200.0)
        assert (ticker.ask_px, ticker.ask_qty, ticker.last_px) == (None, None, 84_500.5)

    def test_one_clock_stamps_all_spot_tickers(self) -> None:
        quotes = {"buy": None, "bestBidSize": None, "sell": "1.5", "bestAskSize": "200", "last": None}
        row = {"symbol": "NEW-USDT", **quotes, "vol": "0", "volValue": "0"}
        [ticker] = ask(KUCOIN, "v1/market/allTickers", "", {"time": HOUR_S * 1_000, "ticker": [row]})

        assert isinstance(ticker, SpotTicker)
        assert (ticker.event_ts, ticker.bid_px, ticker.ask_px, ticker.last_px) == (HOUR, None, 1.5, None)

    def test_settlements_tell_their_interval_whatever_their_order(self) -> None:
        rows = [
            {"symbol": "XBTUSDTM", "fundingRate": rate, "timepoint": (HOUR_S - hours * 3_600) * 1_000}
            for hours, rate in ((0, 2.1e-4), (4, -3.0e-5), (12, 4.5e-4))
        ]
        found = ask(KUCOIN_FUTURES, "v1/contract/funding-rates", "symbol=XBTUSDTM", rows)

        assert [(row.funding_rate, row.funding_interval_s) for row in found] == [
            (4.5e-4, None),
            (-3.0e-5, 28_800),
            (2.1e-4, 14_400),
        ]

    def test_an_index_is_a_price_of_its_own_name(self) -> None:
        row = {"symbol": ".BXBT", "granularity": 1_000, "timePoint": HOUR_S * 1_000, "value": 84_526.22}
        [index] = ask(KUCOIN_FUTURES, "v1/index/query", "symbol=.BXBT", {"dataList": [row], "hasMore": True})

        assert isinstance(index, IndexPrice)
        assert (index.symbol, index.base_asset, index.quote_asset) == (".BXBT", "BTC", "USD")
        assert (index.index_px, index.event_ts) == (84_526.22, HOUR)

    def test_a_real_book_is_read_level_by_level(self, recorded: Recorded) -> None:
        """Of the API of unified accounts, which shows the same market: contracts of 0.001 bitcoin, nanoseconds."""
        [envelope] = recorded("http/kucoin.jsonl.zst")
        reply = Reply.read("/api/v1/level2/snapshot", "symbol=XBTUSDTM", envelope.reply_bytes, NOW)
        [book] = KUCOIN_FUTURES.parse(reply)

        assert (book.symbol, book.kind, book.sequence_id) == ("XBTUSDTM", "perp", 1_732_973_817_559)
        assert book.event_ts == datetime(2026, 1, 21, 4, 19, 14, 925_000, tzinfo=UTC)
        assert book.bid_px == (89_389.6, 89_389.5, 89_388.9, 89_388.8, 89_388.7)
        assert book.bid_qty == (1_507.0, 25.0, 12.0, 117.0, 743.0)
        assert book.ask_px == (89_389.7, 89_390.1, 89_393.0, 89_393.1, 89_393.2)
        assert book.ask_qty == (48.0, 1.0, 5.0, 10.0, 1.0)


class TestHostileReplies:
    @pytest.mark.parametrize("venue", [KUCOIN, KUCOIN_FUTURES])
    def test_an_error_in_a_reply_of_status_200_is_the_venues(self, venue: Venue) -> None:
        body = b'{"code":"200002","msg":"Too many requests in a short period of time, please retry later"}'
        for request in questions(venue):
            with pytest.raises(Refused, match="200002, Too many requests") as caught:
                list(venue.parse(Reply.read(request.path, request.query_string, body, NOW)))
            assert caught.value.rule == "venue_error"

    @pytest.mark.parametrize("field", sorted({*LINEAR} - {"isQuanto", "nextFundingRateTime"}))
    def test_a_missing_field_of_a_contract_is_noticed_unless_dated_ones_have_none(self, field: str) -> None:
        row = {key: value for key, value in LINEAR.items() if key != field}
        first, *_ = listed(row)

        if LINEAR[field] is not None and DATED[field] is None:
            assert isinstance(first, Instrument)
        else:
            assert (type(first), first.rule) == (Reject, "schema")
            assert field in first.reason

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "1_000", "84,477", None, True, [], {}])
    def test_what_is_no_finite_number_is_no_price(self, number: object) -> None:
        for venue, path, query, row in (
            (KUCOIN_FUTURES, "v1/trade/history", "symbol=XBTUSDTM", FUTURES_TRADE),
            (KUCOIN, "v1/market/histories", "symbol=BTC-USDT", SPOT_TRADE),
        ):
            [reject] = ask(venue, path, query, [{**row, "price": number}])
            assert (type(reject), reject.rule) == (Reject, "schema")


def questions(venue: Venue, plan: Plan = PLAN, dataset: str | None = None) -> list[Request]:
    endpoints = [e for e in venue.endpoints if dataset in (None, e.dataset)]
    return [request for e in endpoints if e.requests is not None for request in e.requests(plan)]


class TestQuestions:
    def test_bitcoin_is_asked_for_as_each_host_spells_it(self) -> None:
        spot = [dict(r.query)["symbol"] for r in questions(KUCOIN, dataset="trades")]
        futures = [dict(r.query)["symbol"] for r in questions(KUCOIN_FUTURES, dataset="trades")]

        assert spot == ["BTC-USDT", "ETH-USDT"]
        assert futures == ["XBTUSDTM", "XBTUSDM", "ETHUSDTM", "ETHUSDM"]

    def test_spans_are_seconds_of_spot_and_milliseconds_of_futures(self) -> None:
        spot = dict(questions(KUCOIN, dataset="candles")[0].query)
        futures = dict(questions(KUCOIN_FUTURES, dataset="candles")[0].query)

        assert (spot["startAt"], spot["endAt"]) == (str(HOUR_S), str(HOUR_S + 3_599))
        assert (futures["from"], futures["to"]) == (str(HOUR_S * 1_000), str((HOUR_S + 3_600) * 1_000 - 1))

    def test_no_question_is_for_more_bars_than_a_reply_holds(self) -> None:
        week = Plan(("BTC",), HOUR, HOUR + timedelta(days=7))
        spot = [dict(r.query) for r in questions(KUCOIN, week, "candles")]
        futures = [dict(r.query) for r in questions(KUCOIN_FUTURES, week, "candles")]

        assert all(int(q["endAt"]) - int(q["startAt"]) < 1_500 * 60 for q in spot)
        assert all(int(q["to"]) - int(q["from"]) < 500 * 60_000 for q in futures)
        assert (len(spot), len(futures)) == (7, 2 * 21)

    def test_settlements_are_followed_back_until_nothing_lies_before(self) -> None:
        [request, *_] = questions(KUCOIN_FUTURES, dataset="funding_rates")
        step = KUCOIN_FUTURES.endpoint(request.path, dict(request.query)).follow
        assert step is not None

        def page(*seconds: int) -> Reply:
            rows = [{"symbol": "XBTUSDTM", "fundingRate": 1e-4, "timepoint": s * 1_000} for s in seconds]
            return answer_to("v1/contract/funding-rates", request.query_string, rows)

        earlier = step(request, page(HOUR_S + 3_000, HOUR_S + 60))
        assert earlier is not None
        assert dict(earlier.query) == {**dict(request.query), "to": str((HOUR_S + 60) * 1_000 - 1)}
        assert step(earlier, page()) is None
        assert step(earlier, page(HOUR_S)) is None
