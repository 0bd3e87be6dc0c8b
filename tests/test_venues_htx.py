"""HTX Futures, by numbers read off real replies by hand, by documented examples, and by the traps of its units."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ingestion.envelopes import Envelope
from ingestion.records import Candle, FutureTicker, IndexPrice, Instrument, OpenInterest, PerpTicker, Trade
from ingestion.venues.base import Plan, Refused, Reject, Reply, Request
from ingestion.venues.htx_futures import HTX_FUTURES
from ingestion.venues.htx_futures_names import contract_code, read_name

NOW = datetime(2026, 1, 7, 13, 0, 5, tzinfo=UTC)  # a Wednesday
NOW_MS = 1_767_790_805_000
HOUR = datetime(2026, 1, 7, 12, tzinfo=UTC)
HOUR_S = 1_767_787_200
PLAN = Plan(("BTC", "ETH"), HOUR, HOUR + timedelta(hours=1))
APRIL_2020 = datetime(2020, 4, 3, 11, 23, 45, tzinfo=UTC)
Recorded = Callable[[str], list[Envelope]]


def answer_to(path: str, query: str, **body: object) -> Reply:
    return Reply.read(path, query, json.dumps({"status": "ok", "ts": NOW_MS, **body}).encode(), NOW)


def ask(path: str, query: str = "", **body: object) -> list[Any]:
    return list(HTX_FUTURES.parse(answer_to(path, query, **body)))


@pytest.fixture
def read(recorded: Recorded) -> Callable[..., list[Any]]:
    """What the recorded reply to one question holds; of two to the same, the last."""
    envelopes = {(e.path, e.query): e for e in recorded("http/huobi_futures.jsonl.zst")}
    return lambda path, query="": list(HTX_FUTURES.parse(envelopes[path, query].reply()))


def by_symbol(rows: Sequence[Any]) -> dict[str, Any]:
    assert not [row for row in rows if isinstance(row, Reject)]
    return {row.symbol: row for row in rows}


class TestRealReplies:
    def test_contracts_are_coin_if_linear_and_dollars_if_settled_in_coin(self, read: Any) -> None:
        linear = by_symbol(read("/linear-swap-api/v1/swap_contract_info"))
        perps = by_symbol(read("/swap-api/v1/swap_contract_info"))
        futures = by_symbol(read("/api/v1/contract_contract_info"))

        assert (len(linear), len(perps), len(futures)) == (121, 50, 27)
        assert (linear["BTC-USDT"].contract_size, linear["ETH-USDT"].contract_size) == (0.001, 0.01)
        assert {i.contract_size for s, i in perps.items() if s != "BTC-USD"} == {10.0}
        assert (perps["BTC-USD"].contract_size, futures["BTC200626"].contract_size) == (100.0, 100.0)
        assert {i.is_inverse for i in linear.values()} == {False}
        assert {i.is_inverse for i in (*perps.values(), *futures.values())} == {True}

    def test_three_products_on_one_coin_do_not_collide(self, read: Any) -> None:
        """By (kind, symbol), the whole identity within a venue."""
        paths = ("/linear-swap-api/v1/swap_contract_info", "/swap-api/v1/swap_contract_info")
        rows = [row for path in (*paths, "/api/v1/contract_contract_info") for row in read(path)]

        assert len({(row.kind, row.symbol) for row in rows}) == len(rows) == 198
        assert sorted(row.symbol for row in rows if row.base_asset == "BTC") == [
            "BTC-USD",
            "BTC-USDT",
            "BTC200410",
            "BTC200417",
            "BTC200626",
        ]

    def test_a_future_is_delivered_on_its_friday_at_eight(self, read: Any) -> None:
        future = by_symbol(read("/api/v1/contract_contract_info"))["BTC200626"]

        assert (future.kind, future.base_asset, future.settle_asset) == ("future", "BTC", "BTC")
        assert future.expiry_ts == datetime(2020, 6, 26, 8, tzinfo=UTC)
        assert (future.tick_size_px, future.lot_size_qty) == (0.01, 1.0)

    def test_a_trade_is_told_twice_as_large_as_it_was(self, read: Any, recorded: Recorded) -> None:
        """3,219 trades without one odd amount are sums of two equal sides; books beside them have odd sizes."""
        trades = read("/market/history/trade", "size=2000&symbol=BTC_CW")
        [book] = read("/market/depth", "symbol=BTC_CW&type=step0")

        assert len(trades) == 3_219
        assert sum(trade.qty for trade in trades) == 122_406 / 2
        assert min(trade.qty for trade in trades) == 1
        assert sum(qty % 2 for qty in book.ask_qty) == 74
        assert Counter(trade.side for trade in trades) == {"buy": 1_712, "sell": 1_507}
        assert trades[0] == Trade(
            venue="htx_futures",
            symbol="BTC200410",
            kind="future",
            captured_ts=datetime(2020, 4, 3, 11, 23, 46, tzinfo=UTC),
            event_ts=datetime(2020, 4, 3, 11, 3, 14, 128_000, tzinfo=UTC),
            trade_id="568708943430000",
            px=6_959.28,
            qty=70.0,
            side="buy",
        )

    def test_open_interest_is_told_once_for_it_can_be_odd(self, read: Any) -> None:
        """1,671 contracts cannot be what longs and shorts hold together, whatever the documentation says.

        Of 10 and 100 dollars, they are the coins beside them at the prices of the same minute.
        """
        [perp] = read("/swap-api/v1/swap_open_interest", "contract_code=ETH-USD")
        [future] = read("/api/v1/contract_open_interest", "contract_type=this_week&symbol=BTC")

        assert isinstance(perp, OpenInterest)
        assert (perp.symbol, perp.open_interest_qty) == ("ETH-USD", 1_671.0)
        assert (future.symbol, future.open_interest_qty) == ("BTC200410", 218_216.0)
        assert 1_671 * 10 / perp.open_interest_base == pytest.approx(144.91, rel=1e-4)
        assert 218_216 * 100 / future.open_interest_base == pytest.approx(6_944.6, rel=1e-4)

    def test_a_contract_named_by_its_turn_is_the_one_listed_in_it(self, read: Any) -> None:
        """Friday of April 2020, three hours after a delivery: this week's is of the Friday to come."""
        listed = read("/api/v1/contract_contract_info", "contract_type=this_week&symbol=BTC")
        [book] = read("/market/depth", "symbol=BTC_CW&type=step0")
        [ticker] = read("/market/detail/merged", "symbol=BTC_CW")

        assert [row.symbol for row in listed] == [book.symbol] == [ticker.symbol] == ["BTC200410"]
        assert contract_code("BTC_NW", APRIL_2020) == "BTC200417"
        assert contract_code("BTC_CQ", APRIL_2020) == "BTC200626"

    def test_a_book_is_150_levels_in_contracts(self, read: Any) -> None:
        [book] = read("/market/depth", "symbol=BTC_CW&type=step0")

        assert (book.kind, book.sequence_id) == ("future", 56_874_925_758)
        assert book.event_ts == datetime(2020, 4, 3, 11, 23, 49, 996_000, tzinfo=UTC)
        assert (len(book.bid_px), len(book.ask_px)) == (150, 150)
        assert (book.bid_px[0], book.bid_qty[0], book.ask_px[0], book.ask_qty[0]) == (6_944.6, 11.0, 6_944.61, 190.0)

    def test_a_ticker_counts_a_days_volume_once(self, read: Any) -> None:
        """476.27 ether of both sides; `amount` comes with 36 digits behind the point."""
        [ticker] = read("/swap-ex/market/detail/merged", "contract_code=ETH-USD")

        assert isinstance(ticker, PerpTicker)
        assert (ticker.bid_px, ticker.bid_qty, ticker.ask_px, ticker.ask_qty) == (144.87, 700.0, 144.95, 7.0)
        assert (ticker.last_px, ticker.volume_24h_base) == (144.91, pytest.approx(238.1367774430129987))

    def test_funding_is_due_at_the_first_of_two_settlements(self, read: Any) -> None:
        [ticker] = read("/swap-api/v1/swap_funding_rate", "contract_code=ETH-USD")

        assert (ticker.funding_rate, ticker.funding_interval_s) == (0.0001, 28_800)
        assert ticker.next_funding_ts == datetime(2020, 4, 3, 12, tzinfo=UTC)

    def test_an_index_keeps_the_name_it_comes_with(self, read: Any) -> None:
        [of_coin] = read("/api/v1/contract_index", "symbol=BTC")
        [of_perp] = read("/swap-api/v1/swap_index", "contract_code=ETH-USD")

        assert isinstance(of_coin, IndexPrice)
        assert (of_coin.symbol, of_coin.base_asset, of_coin.quote_asset) == ("BTC", "BTC", "USD")
        assert (of_coin.index_px, of_perp.symbol, of_perp.index_px) == (6_961.9475, "ETH-USD", 145.034885814)


class TestNames:
    @pytest.mark.parametrize(
        ("symbol", "kind", "terms"),
        [
            ("BTC-USDT", "perp", ("USDT", "USDT", 0.001, False)),
            ("BTC-USDT-260327", "future", ("USDT", "USDT", 0.001, False)),
            ("BTC-USD", "perp", ("USD", "BTC", 100.0, True)),
            ("BTC260327", "future", ("USD", "BTC", 100.0, True)),
            ("BTC-USDT", "spot", ("USDT", "USDT", 1.0, False)),
            ("BTC", "spot", ("USD", "USD", 1.0, False)),
        ],
    )
    def test_a_name_tells_its_terms(self, symbol: str, kind: Any, terms: object) -> None:
        found = HTX_FUTURES.terms(symbol, kind, NOW)

        assert (found.quote_asset, found.settle_asset, found.contract_size, found.is_inverse) == terms
        assert (found.base_asset, found.expiry_ts is None) == ("BTC", kind != "future")

    @pytest.mark.parametrize(
        ("symbol", "kind", "rule"),
        [
            ("XRP-USDT", "perp", "unknown_terms"),
            ("BTC-HUSD", "perp", "unknown_terms"),
            ("BTC-USD", "future", "contradiction"),
            ("BTC_CW", "future", "unknown_symbol"),
            ("BTC-USDT-CQ", "future", "unknown_symbol"),
            ("BTC260332", "future", "unknown_symbol"),
            ("btc-usdt", "perp", "unknown_symbol"),
        ],
    )
    def test_what_no_document_tells_is_refused(self, symbol: str, kind: Any, rule: str) -> None:
        with pytest.raises(Refused) as caught:
            HTX_FUTURES.terms(symbol, kind, NOW)

        assert caught.value.rule == rule
        assert symbol in caught.value.reason

    @pytest.mark.parametrize(
        ("at", "turns"),
        [
            # As the documentation's own lists of contracts have them.
            (datetime(2021, 12, 6, 1, 20, tzinfo=UTC), {"CW": "211210", "NW": "211217", "CQ": "211231"}),
            (
                datetime(2021, 1, 19, 8, 28, tzinfo=UTC),
                {"CW": "210122", "NW": "210129", "CQ": "210326", "NQ": "210625"},
            ),
            (datetime(2020, 9, 14, tzinfo=UTC), {"CW": "200918", "NW": "200925", "CQ": "201225", "NQ": "210326"}),
            # The last minute before a delivery, and the first after the hour in which turns change hands.
            (datetime(2026, 1, 9, 7, 59, tzinfo=UTC), {"CW": "260109", "NW": "260116"}),
            (datetime(2026, 1, 9, 9, 0, tzinfo=UTC), {"CW": "260116", "NW": "260123"}),
        ],
    )
    def test_turns_follow_the_calendar(self, at: datetime, turns: dict[str, str]) -> None:
        assert {turn: contract_code(f"BTC_{turn}", at) for turn in turns} == {t: f"BTC{d}" for t, d in turns.items()}
        assert {turn: contract_code(f"btc-usdt-{turn}", at) for turn in turns} == {
            t: f"BTC-USDT-{d}" for t, d in turns.items()
        }

    @pytest.mark.parametrize("minute", [0, 59])
    def test_in_the_hour_after_a_delivery_nobody_tells_whose_turn_it_is(self, minute: int) -> None:
        with pytest.raises(Refused, match="which contract has its turn"):
            contract_code("BTC_CW", datetime(2026, 1, 9, 8, minute, tzinfo=UTC))

    @given(st.integers(0, 40 * 365 * 86_400).map(lambda s: HOUR + timedelta(seconds=s)))
    def test_turns_are_four_different_fridays_in_their_order(self, at: datetime) -> None:
        assume(not (at.weekday() == 4 and at.hour == 8))
        days = [read_name(contract_code(f"BTC_{turn}", at)).expiry_ts for turn in ("CW", "NW", "CQ", "NQ")]

        assert all(day is not None and day.weekday() == 4 for day in days)
        assert days == sorted(set(days), key=lambda day: day or at)
        assert days[0] is not None
        assert timedelta() < days[0] - at <= timedelta(weeks=1)


TRADE = {"id": 1, "price": 90_000.1, "amount": 24, "direction": "sell", "ts": NOW_MS}
TRADES = {"ch": "market.BTC-USD.trade.detail", "data": [{"id": 1, "ts": NOW_MS, "data": [TRADE]}]}
TICK = {"ts": NOW_MS, "ask": [90_000.2, 5], "bid": [90_000.1, 7], "close": "90000.1", "amount": "3.0", "vol": "270000"}
WHOSE = {"query_id": 9, "contract_code": "BTC-USDT", "direction": "sell", "offset": "close"}
LIQUIDATION = {**WHOSE, "volume": 479, "price": 89_441.7, "created_at": NOW_MS, "amount": 0.479}


def traded(**changed: object) -> list[Any]:
    group = {"id": 1, "ts": NOW_MS, "data": [{**TRADE, **changed}]}
    return ask("/swap-ex/market/history/trade", "contract_code=BTC-USD&size=2000", **{**TRADES, "data": [group]})


class TestUnits:
    def test_an_odd_amount_would_mean_that_sides_are_added_no_more(self) -> None:
        [trade], [reject] = traded(), traded(amount=23)

        assert (trade.qty, trade.side, trade.kind) == (12.0, "sell", "perp")
        assert (type(reject), reject.rule) == (Reject, "contradiction")

    def test_tickers_of_a_product_are_told_apart_by_their_names(self) -> None:
        names = ({"contract_code": "BTC-USDT"}, {"contract_code": "BTC-USDT-CW"}, {"symbol": "ETH_CQ"})
        rows = ask("/v2/linear-swap-ex/market/detail/batch_merged", ticks=[{**TICK, **name} for name in names])

        assert [(type(row), row.symbol) for row in rows] == [
            (PerpTicker, "BTC-USDT"),
            (FutureTicker, "BTC-USDT-260109"),
            (FutureTicker, "ETH260327"),
        ]
        assert {(row.volume_24h_base, row.volume_24h_quote) for row in rows} == {(1.5, 135_000.0)}

    def test_a_side_without_orders_has_no_quote(self) -> None:
        rows = [{**TICK, "contract_code": "BTC-USD", "ask": None, "bid": [0, 0]}]
        [ticker] = ask("/v2/swap-ex/market/detail/batch_merged", ticks=rows)

        assert (ticker.bid_px, ticker.bid_qty, ticker.ask_px, ticker.ask_qty) == (None, None, None, None)

    def test_a_bar_counts_volume_once_and_begins_on_its_second(self) -> None:
        row = {"id": HOUR_S, "open": 2, "high": 4, "low": 1, "close": 3, "amount": 0.128, "vol": 128, "count": 6}
        [bar] = ask("/market/history/kline", "symbol=BTC260327", ch="market.BTC260327.kline.60min", data=[row])

        assert isinstance(bar, Candle)
        assert (bar.open_px, bar.high_px, bar.low_px, bar.close_px) == (2.0, 4.0, 1.0, 3.0)
        assert (bar.volume_base, bar.interval_s, bar.event_ts, bar.kind) == (0.064, 3_600, HOUR, "future")

    def test_the_bar_that_is_open_tells_the_mark_price_and_no_other(self) -> None:
        path, query = "/index/market/history/swap_mark_price_kline", "contract_code=BTC-USD&period=1min&size=1"
        bars = [{"id": NOW_MS // 60_000 * 60 - back, "close": str(90_000 - back)} for back in (60, 0)]
        [ticker] = ask(path, query, ch="market.BTC-USD.mark_price.1min", data=bars)

        assert (ticker.symbol, ticker.mark_px, ticker.event_ts) == ("BTC-USD", 90_000.0, NOW)
        with pytest.raises(Refused, match="no bar is open"):
            ask(path, query, ch="market.BTC-USD.mark_price.1min", data=bars[:1])

    def test_a_suspended_contract_tells_no_funding(self) -> None:
        row = {"contract_code": "BTC-USDT", "funding_rate": "0.0001", "funding_time": str(NOW_MS)}
        none = {**row, "funding_rate": None, "next_funding_time": "null"}
        [ticker] = ask("/linear-swap-api/v1/swap_batch_funding_rate", data=[none, row])

        assert (ticker.funding_rate, ticker.funding_interval_s, ticker.next_funding_ts) == (0.0001, None, NOW)

    def test_a_liquidation_is_priced_at_bankruptcy(self) -> None:
        body = json.dumps({"code": 200, "msg": "", "data": [LIQUIDATION], "ts": NOW_MS}).encode()
        [forced] = HTX_FUTURES.parse(Reply.read("/linear-swap-api/v3/swap_liquidation_orders", "", body, NOW))

        assert (forced.side, forced.qty, forced.px, forced.px_source) == ("sell", 479.0, 89_441.7, "bankruptcy")
        assert (forced.liquidation_id, forced.kind) == ("9", "perp")

    def test_a_merged_book_is_no_book(self) -> None:
        tick = {"bids": [[1, 1]], "asks": [[2, 1]], "mrid": 1, "ts": NOW_MS}
        with pytest.raises(Refused) as caught:
            ask("/market/depth", "symbol=BTC_CQ&type=step5", ch="market.BTC_CQ.depth.step5", tick=tick)

        assert caught.value.rule == "merged"


class TestHostileReplies:
    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (
                b'{"status":"error","err_code":1014,"err_msg":"No such contract.","ts":1}',
                "error, 1014, No such contract",
            ),
            (b'{"status":"error","err-code":"bad-request","err-msg":"invalid symbol"}', "error, bad-request, invalid"),
            (b'{"code":1030,"msg":"Input error.","ts":1}', "status 1030, Input error"),
            (b'{"status":"maintain"}', "status maintain"),
        ],
    )
    def test_an_error_in_a_reply_of_status_200_is_the_venues(self, body: bytes, said: str) -> None:
        for request in asked():
            with pytest.raises(Refused, match=said) as caught:
                list(HTX_FUTURES.parse(Reply.read(request.path, request.query_string, body, NOW)))
            assert caught.value.rule == "venue_error"

    def test_another_contracts_channel_is_refused(self) -> None:
        with pytest.raises(Refused) as caught:
            ask("/swap-ex/market/history/trade", "contract_code=ETH-USD", **TRADES)

        assert caught.value.rule == "symbol"

    @pytest.mark.parametrize("stamp", [NOW_MS * 1_000, NOW_MS // 1_000, 0])
    def test_a_timestamp_in_another_unit_is_noticed(self, stamp: int) -> None:
        [reject] = traded(ts=stamp)

        assert (type(reject), reject.rule) == (Reject, "timestamp")

    def test_a_future_that_is_delivered_on_another_day_contradicts_its_name(self) -> None:
        row = {"symbol": "BTC", "contract_code": "BTC260327", "contract_size": 100, "price_tick": 0.01}
        good, *rejects = ask(
            "/api/v1/contract_contract_info",
            data=[{**row, "delivery_date": "20260327"}, {**row, "delivery_date": "20260626"}, row],
        )

        assert isinstance(good, Instrument)
        assert [reject.rule for reject in rejects] == ["contradiction", "contradiction"]


def asked(dataset: str | None = None, plan: Plan = PLAN) -> list[Request]:
    endpoints = [e for e in HTX_FUTURES.endpoints if dataset in (None, e.dataset)]
    return [request for e in endpoints if e.requests is not None for request in e.requests(plan)]


class TestQuestions:
    def test_a_contract_is_asked_for_under_its_products_path_and_key(self) -> None:
        names: Any = (("BTC-USDT-260327", "future"), ("BTC-USD", "perp"), ("BTC260327", "future"))
        plan = Plan(("BTC",), HOUR, HOUR, tuple(HTX_FUTURES.terms(symbol, kind, NOW) for symbol, kind in names))

        assert [(r.path, r.query[0]) for r in asked("order_books", plan)] == [
            ("/swap-ex/market/depth", ("contract_code", "BTC-USD")),
            ("/linear-swap-ex/market/depth", ("contract_code", "BTC-USDT-260327")),
            ("/market/depth", ("symbol", "BTC260327")),
        ]

    def test_lists_of_linear_contracts_are_asked_for_with_their_futures(self) -> None:
        for dataset in ("instruments", "open_interest"):
            assert [dict(r.query) for r in asked(dataset)] == [{"business_type": "all"}, {}, {}]

    def test_liquidations_are_followed_by_id_until_none_comes(self) -> None:
        request = asked("liquidations")[0]
        step = HTX_FUTURES.endpoint(request.path, dict(request.query)).follow
        assert step is not None

        def page(*ids: int) -> Reply:
            return answer_to(request.path, "", data=[{**LIQUIDATION, "query_id": n} for n in ids])

        later = step(request, page(9, 11, 10))
        assert later is not None
        assert dict(later.query) == {**dict(request.query), "from_id": "11"}
        assert step(later, page()) is None
        assert step(later, page(11)) is None

    def test_settlements_are_paged_back_to_the_start_of_the_span(self) -> None:
        request = asked("funding_rates")[0]
        step = HTX_FUTURES.endpoint(request.path, dict(request.query)).follow
        assert step is not None

        def page(earliest_s: int, of: int = 3) -> Reply:
            row = {"contract_code": "BTC-USDT", "funding_rate": "0.0001", "funding_time": str(earliest_s * 1_000)}
            return answer_to(request.path, "", data={"total_page": of, "current_page": 1, "data": [row]})

        second = step(request, page(HOUR_S + 1))
        assert second is not None
        assert (dict(second.query)["page_index"], second.until_ts) == ("2", HOUR)
        assert step(request, page(HOUR_S)) is None
        assert step(request, page(HOUR_S + 1, of=1)) is None
