"""Gate, by numbers read off real replies by hand, by documented examples, and by the traps of its units."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.envelopes import Envelope
from ingestion.records import Candle, Instrument, Liquidation, OpenInterest, PerpTicker, Record, Trade
from ingestion.venues.base import Plan, Refused, Reject, Reply, Request
from ingestion.venues.gate import GATE

NOW = datetime(2026, 1, 2, 13, 0, 5, tzinfo=UTC)
HOUR_S = 1_767_355_200  # 2026-01-02 12:00 UTC
HOUR = datetime.fromtimestamp(HOUR_S, UTC)
PLAN = Plan(("BTC", "ETH"), HOUR, HOUR + timedelta(hours=1))
Recorded = Callable[[str], list[Envelope]]


def answer_to(path: str, query: str, body: object) -> Reply:
    return Reply.read("/api/v4/" + path, query, json.dumps(body).encode(), NOW)


def ask(path: str, query: str, body: object) -> list[Any]:
    return list(GATE.parse(answer_to(path, query, body)))


@pytest.fixture
def read(recorded: Recorded) -> Callable[..., list[Any]]:
    """What the recorded reply to one question holds."""
    envelopes = {
        (e.path, e.query): e for name in ("gate", "gate_futures", "gateio") for e in recorded(f"http/{name}.jsonl.zst")
    }
    return lambda path, query="": list(GATE.parse(envelopes["/api/v4/" + path, query].reply()))


def told(rows: Sequence[Any], record: type[Record]) -> dict[str, Any]:
    assert not [row for row in rows if isinstance(row, Reject)]
    return {row.symbol: row for row in rows if isinstance(row, record)}


class TestRealReplies:
    def test_a_contract_is_its_multiplier_in_coin(self, read: Any) -> None:
        """302 perpetuals of May 2023; one of PEPE is ten million PEPE, one of bitcoin a ten-thousandth."""
        listed = told(read("futures/usdt/contracts"), Instrument)

        assert len(listed) == 302
        assert {s: listed[s].contract_size for s in ("BTC_USDT", "ETH_USDT", "KNC_USDT", "PEPE_USDT")} == {
            "BTC_USDT": 0.0001,
            "ETH_USDT": 0.01,
            "KNC_USDT": 1.0,
            "PEPE_USDT": 10_000_000.0,
        }
        assert {i.settle_asset for i in listed.values()} == {"USDT"}
        assert {(i.is_inverse, i.is_quanto, i.amount_unit) for i in listed.values()} == {(False, False, "contracts")}
        assert (listed["BTC_USDT"].tick_size_px, listed["BTC_USDT"].lot_size_qty) == (0.1, 1.0)

    def test_a_list_tells_funding_and_open_interest_too(self, read: Any) -> None:
        rows = read("futures/usdt/contracts")
        perp, interest = told(rows, PerpTicker)["BTC_USDT"], told(rows, OpenInterest)["BTC_USDT"]

        assert (perp.mark_px, perp.index_px, perp.last_px) == (26_704.26, 26_703.16, 26_696.0)
        assert (perp.funding_rate, perp.funding_interval_s) == (0.000086, 28_800)
        assert perp.next_funding_ts == datetime(2023, 5, 24, 16, tzinfo=UTC)
        assert interest.open_interest_qty == 169_531_691

    def test_inverse_contracts_are_a_dollar_though_their_multiplier_is_zero(self, read: Any) -> None:
        """May 2019: as many contracts as dollars changed hands."""
        bitcoin = told(read("futures/contracts"), Instrument)["BTC_USD"]

        assert (bitcoin.contract_size, bitcoin.is_inverse, bitcoin.settle_asset) == (1.0, True, "BTC")

    def test_quanto_contracts_are_bitcoin_a_dollar_of_the_price(self, read: Any, recorded: Recorded) -> None:
        """Contracts x multiplier x price is the day's volume in bitcoin, which the tickers of 2019 state.

        Of those above 100 bitcoin, for it is told in whole ones; prices moved by up to a fifth in the day.
        """
        listed, rows = told(read("futures/contracts"), Instrument), recorded("http/gate_futures.jsonl.zst")
        tickers = json.loads(next(e for e in rows if e.path.endswith("tickers")).reply_bytes)
        traded = [t for t in tickers if t["contract"] != "BTC_USD" and float(t["volume_24h_btc"]) > 100]

        assert len(traded) == 7
        assert all(listed[t["contract"]].is_quanto for t in traded)
        for ticker in traded:
            bitcoin = float(ticker["volume_24h"]) * listed[ticker["contract"]].contract_size * float(ticker["last"])
            assert bitcoin == pytest.approx(float(ticker["volume_24h_btc"]), rel=0.1), ticker

    def test_open_interest_is_counted_once(self, read: Any) -> None:
        """A ticker's `total_size` is the list's `position_size`, which counts longs alone: all 22 of May 2019."""
        by_list = told(read("futures/contracts"), OpenInterest)
        by_ticker = told(read("futures/tickers"), OpenInterest)

        assert {s: i.open_interest_qty for s, i in by_ticker.items()} == {
            s: i.open_interest_qty for s, i in by_list.items()
        }
        assert by_ticker["BTC_USD"].open_interest_qty == 8_491_108

    def test_a_trade_of_a_negative_size_was_a_sale(self, read: Any) -> None:
        trades = read("futures/trades", "contract=ETH_USD")

        assert Counter(trade.side for trade in trades) == {"buy": 63, "sell": 37}
        assert sum(trade.qty for trade in trades) == 66_679
        assert trades[0] == Trade(
            venue="gate",
            symbol="ETH_USD",
            kind="perp",
            captured_ts=datetime(2019, 5, 7, 4, 9, 18, tzinfo=UTC),
            event_ts=datetime(2019, 5, 7, 4, 8, 19, tzinfo=UTC),
            trade_id="566624",
            px=177.7,
            qty=5.0,
            side="sell",
        )

    def test_books_of_futures_count_seconds_and_contracts(self, read: Any) -> None:
        [book] = read("futures/usdt/order_book", "contract=OMG_USDT&limit=100&with_id=true")

        assert (book.kind, book.sequence_id) == ("perp", 3_132_789_259)
        assert book.event_ts == datetime(2023, 5, 24, 12, 9, 26, 668_000, tzinfo=UTC)
        assert (book.bid_px[:2], book.bid_qty[:2]) == ((0.7703, 0.7699), (42.0, 619.0))
        assert (book.ask_px[:2], book.ask_qty[:2]) == ((0.7711, 0.7712), (129.0, 229.0))
        assert (len(book.bid_px), len(book.ask_px)) == (68, 100)

    def test_books_of_spot_count_milliseconds_and_coin(self, read: Any) -> None:
        [book] = read("spot/order_book", "currency_pair=BTC_USDT&limit=20&with_id=true")

        assert (book.kind, book.sequence_id) == ("spot", 27_596_272_445)
        assert book.event_ts == datetime(2025, 9, 29, 0, 12, 37, 920_000, tzinfo=UTC)
        assert (book.bid_px[0], book.bid_qty[0]) == (112_095.8, 2.255276)
        assert (book.ask_px[0], book.ask_qty[0]) == (112_095.9, 0.509926)

    def test_digits_behind_the_point_become_steps(self, read: Any) -> None:
        pairs = told(read("spot/currency_pairs"), Instrument)

        assert len(pairs) == 1_458
        assert (pairs["BTC_USDT"].tick_size_px, pairs["BTC_USDT"].lot_size_qty) == (0.01, 0.0001)


class TestNames:
    def test_one_spelling_names_a_pair_and_a_perpetual(self) -> None:
        spot, perp = GATE.terms("BTC_USDT", "spot", NOW), GATE.terms("BTC_USDT", "perp", NOW)

        assert (spot.contract_size, spot.amount_unit) == (1.0, "base")
        assert (perp.contract_size, perp.amount_unit) == (0.0001, "contracts")

    def test_a_future_is_delivered_at_eight(self) -> None:
        assert GATE.terms("BTC_USDT_20260327", "future", NOW).expiry_ts == datetime(2026, 3, 27, 8, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("symbol", "kind", "rule"),
        [
            ("PEPE_USDT", "perp", "unknown_terms"),
            ("XRP_USD", "perp", "unknown_terms"),
            ("ETH_USDT_20260327", "future", "unknown_terms"),
            ("BTC_USDT", "future", "contradiction"),
            ("BTC_USDT_20260332", "future", "unknown_symbol"),
            ("BTC_USD_20260327", "future", "unknown_symbol"),
            ("mark_BTC_USDT", "perp", "unknown_symbol"),
            ("BTC-USDT", "spot", "unknown_symbol"),
            ("BTC_USDT_20260327", "spot", "unknown_symbol"),
        ],
    )
    def test_what_no_document_tells_is_refused(self, symbol: str, kind: Any, rule: str) -> None:
        with pytest.raises(Refused) as caught:
            GATE.terms(symbol, kind, NOW)

        assert caught.value.rule == rule
        assert symbol in caught.value.reason


FUTURES_TRADE = {"id": 7, "create_time": HOUR_S, "contract": "BTC_USDT", "size": "-12", "price": "90000.1"}
SPOT_TRADE = {
    "id": "7",
    "create_time": str(HOUR_S),
    "create_time_ms": f"{HOUR_S}123.456",
    "currency_pair": "BTC_USDT",
    "side": "sell",
    "amount": "0.0123",
    "price": "90000.1",
}
BAR = {"t": HOUR_S, "v": "97151", "c": "3", "h": "4", "l": "1", "o": "2", "sum": "9"}
CONTRACT = {
    "name": "BTC_USD",
    "type": "inverse",
    "quanto_multiplier": "0",
    "order_price_round": "0.1",
    "position_size": "18000000",
    "mark_price": "90015.2",
    "index_price": "90005.6",
    "last_price": "90020.1",
    "funding_rate": "-0.00002",
    "funding_interval": 28_800,
    "funding_next_apply": HOUR_S,
}


class TestUnits:
    def test_the_same_field_counts_seconds_of_futures_and_milliseconds_of_spot(self) -> None:
        [future] = ask(
            "futures/usdt/trades", "contract=BTC_USDT", [{**FUTURES_TRADE, "create_time_ms": HOUR_S + 0.123}]
        )
        [spot] = ask("spot/trades", "currency_pair=BTC_USDT", [SPOT_TRADE])

        assert future.event_ts == HOUR + timedelta(milliseconds=123)
        assert spot.event_ts == HOUR + timedelta(microseconds=123_456)
        assert (future.kind, future.side, future.qty) == ("perp", "sell", 12.0)
        assert (spot.kind, spot.side, spot.qty) == ("spot", "sell", 0.0123)

    @pytest.mark.parametrize(
        ("path", "row"),
        [
            ("futures/usdt/trades", {**FUTURES_TRADE, "create_time_ms": HOUR_S * 1_000}),
            ("spot/trades", {**SPOT_TRADE, "create_time_ms": str(HOUR_S)}),
        ],
    )
    def test_a_timestamp_in_the_others_unit_is_noticed(self, path: str, row: object) -> None:
        [reject] = ask(path, "", [row])

        assert (type(reject), reject.rule) == (Reject, "timestamp")

    def test_an_inverse_contract_of_another_face_is_a_contradiction(self) -> None:
        [reject] = ask("futures/btc/contracts", "", [{**CONTRACT, "quanto_multiplier": "10"}])

        assert (type(reject), reject.rule) == (Reject, "contradiction")

    def test_a_contract_that_may_be_traded_in_parts_has_no_known_lot(self) -> None:
        whole, *_ = ask("futures/btc/contracts", "", [{**CONTRACT, "enable_decimal": False}])
        parts, *_ = ask("futures/btc/contracts", "", [{**CONTRACT, "enable_decimal": True}])

        assert (whole.lot_size_qty, parts.lot_size_qty) == (1.0, None)

    def test_an_inverse_contract_settled_in_dollars_is_none_of_gates(self) -> None:
        [reject] = ask("futures/usdt/contracts", "", [CONTRACT])

        assert (type(reject), reject.rule) == (Reject, "unknown_symbol")

    def test_bars_of_futures_count_contracts_and_those_of_spot_begin_with_the_quote_volume(self) -> None:
        [future] = ask("futures/usdt/candlesticks", "contract=BTC_USDT&interval=1m", [BAR])
        [dollars] = ask("futures/btc/candlesticks", "contract=BTC_USD&interval=1m", [BAR])
        [unknown] = ask("futures/usdt/candlesticks", "contract=PEPE_USDT&interval=1m", [BAR])
        row = [str(HOUR_S), "9", "3", "4", "1", "2", "0.5", "true"]
        [spot] = ask("spot/candlesticks", "currency_pair=BTC_USDT&interval=1m", [row])

        for bar in (future, dollars, unknown, spot):
            assert isinstance(bar, Candle)
            assert (bar.open_px, bar.high_px, bar.low_px, bar.close_px) == (2.0, 4.0, 1.0, 3.0)
            assert (bar.event_ts, bar.interval_s) == (HOUR, 60)
        assert (future.volume_base, spot.volume_base) == (pytest.approx(9.7151), 0.5)
        assert (dollars.volume_base, unknown.volume_base) == (None, None)

    @pytest.mark.parametrize("query", ["contract=BTC_USDT&interval=1d", "contract=mark_BTC_USDT&interval=1m"])
    def test_bars_that_are_no_trades_of_a_utc_span_are_refused(self, query: str) -> None:
        with pytest.raises(Refused):
            ask("futures/usdt/candlesticks", query, [BAR])

    def test_a_liquidation_is_the_order_and_not_the_position(self) -> None:
        """A long of 600 is sold; 200 were left to close of another's 900 when it was told again."""
        row = {
            "time": HOUR_S,
            "contract": "BTC_USDT",
            "size": 600,
            "order_size": -600,
            "order_price": "89705.1",
            "fill_price": "89942.7",
            "left": 0,
        }
        sold, stepped = ask("futures/usdt/liq_orders", "", [row, {**row, "size": "900", "order_size": "-200"}])

        assert isinstance(sold, Liquidation)
        assert (sold.side, sold.qty, sold.px, sold.px_source) == ("sell", 600.0, 89_942.7, "fill")
        assert (stepped.side, stepped.qty) == ("sell", 200.0)

    def test_settlements_tell_their_interval(self) -> None:
        rows = [{"t": HOUR_S, "r": "0.0001"}, {"t": HOUR_S - 14_400, "r": "-0.0002"}]
        first, second = ask("futures/usdt/funding_rate", "contract=ETH_USDT", rows)

        assert (first.symbol, first.funding_rate, first.funding_interval_s) == ("ETH_USDT", -0.0002, None)
        assert (second.funding_rate, second.funding_interval_s) == (0.0001, 14_400)

    @given(st.integers(1, 10**9), st.booleans(), st.integers(1, 10**9), st.integers(0, 999))
    def test_any_trade_keeps_size_side_price_and_instant(self, size: int, is_sale: bool, cents: int, ms: int) -> None:
        row = {
            **FUTURES_TRADE,
            "size": str(-size if is_sale else size),
            "price": f"{cents / 100:.2f}",
            "create_time_ms": float(f"{HOUR_S}.{ms:03}"),
        }
        [trade] = ask("futures/usdt/trades", "contract=BTC_USDT", [row])

        assert (trade.qty, trade.side, trade.px) == (size, "sell" if is_sale else "buy", cents / 100)
        assert trade.event_ts == HOUR + timedelta(milliseconds=ms)


class TestHostileReplies:
    @pytest.mark.parametrize("path", ["spot/tickers", "futures/usdt/contracts", "spot/order_book"])
    def test_an_error_in_a_reply_of_status_200_is_the_venues(self, path: str) -> None:
        body = {"label": "TOO_MANY_REQUESTS", "message": "Request Rate Limit Exceeded"}
        with pytest.raises(Refused, match="TOO_MANY_REQUESTS, Request Rate") as caught:
            ask(path, "currency_pair=BTC_USDT", body)

        assert caught.value.rule == "venue_error"

    @pytest.mark.parametrize("field", sorted(CONTRACT.keys() - {"funding_interval"}))
    def test_a_missing_field_is_a_rejected_row_that_names_it(self, field: str) -> None:
        row = {key: value for key, value in CONTRACT.items() if key != field}
        found = ask("futures/btc/contracts", "", [row, CONTRACT])

        assert (type(found[0]), found[0].rule) == (Reject, "schema")
        assert field.partition("_")[0] in found[0].reason
        assert len(found) == 1 + 3

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "1_000", "90,000", None, True, [], {}])
    def test_what_is_no_finite_number_is_no_size(self, number: object) -> None:
        [reject] = ask("futures/usdt/trades", "contract=BTC_USDT", [{**FUTURES_TRADE, "size": number}])

        assert (type(reject), reject.rule) == (Reject, "schema")

    @pytest.mark.parametrize("field", ["price", "amount"])
    def test_a_number_that_a_float_would_change_costs_its_trade(self, field: str) -> None:
        reject, good = ask("spot/trades", "", [{**SPOT_TRADE, field: "0.12345678901234567"}, SPOT_TRADE])

        assert (type(reject), reject.rule) == (Reject, "precision")
        assert isinstance(good, Trade)


def asked(dataset: str, plan: Plan = PLAN) -> list[Request]:
    endpoints = [e for e in GATE.endpoints if e.dataset == dataset]
    return [request for e in endpoints if e.requests is not None for request in e.requests(plan)]


def follow(request: Request, body: object) -> Request | None:
    path = request.path.removeprefix("/api/v4/")
    step = GATE.endpoint(request.path, dict(request.query)).follow
    assert step is not None
    return step(request, answer_to(path, request.query_string, body))


class TestQuestions:
    def test_a_contract_is_asked_for_where_it_is_settled(self) -> None:
        listed = [GATE.terms(s, k, NOW) for s, k in (("BTC_USDT_20260327", "future"), ("ETH_USD", "perp"))]
        plan = Plan(("BTC", "ETH"), HOUR, HOUR, tuple(listed))

        assert [
            (r.path, dict(r.query)["contract"]) for r in asked("order_books", plan) if "contract" in dict(r.query)
        ] == [
            ("/api/v4/delivery/usdt/order_book", "BTC_USDT_20260327"),
            ("/api/v4/futures/btc/order_book", "ETH_USD"),
        ]

    def test_an_hour_is_asked_for_to_the_second(self) -> None:
        """Settlements and bars lie on whole seconds; of trades the second after is asked for too."""
        assert {dict(r.query)["to"] for r in asked("funding_rates") + asked("candles")} == {str(HOUR_S + 3_599)}
        assert {dict(r.query)["to"] for r in asked("trades")} == {str(HOUR_S + 3_600)}
        assert {dict(r.query)["from"] for r in asked("trades") + asked("liquidations")} == {str(HOUR_S)}

    def test_no_question_about_liquidations_is_longer_than_gate_answers(self) -> None:
        day = Plan(("BTC",), HOUR, HOUR + timedelta(days=1))
        spans = [(int(dict(r.query)["from"]), int(dict(r.query)["to"])) for r in asked("liquidations", day)]

        assert len(spans) == 2 * 24
        assert all(end - start < 3_600 for start, end in spans)

    def test_full_pages_are_followed_and_the_last_is_not(self) -> None:
        spot, futures = asked("trades")[0], asked("trades")[-1]
        full = [{}] * 1_000

        for first, key, second in ((spot, "page", "2"), (futures, "offset", "1000")):
            page = follow(first, full)
            assert page is not None
            assert dict(page.query) == {**dict(first.query), key: second}
            assert follow(first, full[1:]) is None

    @pytest.mark.parametrize(("index", "key", "value"), [(0, "page", "101"), (-1, "offset", "100000")])
    def test_trades_beyond_the_last_page_are_a_gap_and_not_silence(self, index: int, key: str, value: str) -> None:
        request = asked("trades")[index]
        last = Request(request.path, tuple({**dict(request.query), key: value}.items()))

        with pytest.raises(Refused, match="Gate pages no further"):
            follow(last, [{}] * 1_000)

    def test_what_lies_before_a_full_reply_is_asked_for(self) -> None:
        funding, liquidations = asked("funding_rates")[0], asked("liquidations")[0]
        settled = [{"t": HOUR_S + 60 + n} for n in range(1_000)]
        forced = [{"time": HOUR_S + 60 + n} for n in range(1_000)]
        before, around = follow(funding, settled), follow(liquidations, forced)

        assert before is not None
        assert around is not None
        assert (dict(before.query)["to"], dict(around.query)["to"]) == (str(HOUR_S + 59), str(HOUR_S + 60))
        with pytest.raises(Refused, match="over 1000 liquidations in the second"):
            follow(around, [{"time": HOUR_S + 60}] * 1_000)
