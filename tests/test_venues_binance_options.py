"""Binance's options, by hand-made replies in the documented formats of 2023 and 2025, and by what is asked."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestion.gate.rows import broken_rule
from ingestion.records import IndexPrice, Instrument, OpenInterest, OptionQuote, OrderBook, Record, Trade
from ingestion.venues.base import Plan, Refused, Reject, Reply
from ingestion.venues.binance_options import BINANCE_OPTIONS, NEAR_EXPIRIES

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
NOON_MS = 1_767_355_200_000
SYMBOL = "BTC-260130-95000-C"


def ask(path: str, query: str, body: object) -> list[Record | Reject]:
    return list(BINANCE_OPTIONS.parse(Reply.read("/eapi/v1/" + path, query, json.dumps(body).encode(), NOON)))


def only(items: list[Record | Reject]) -> Any:
    [item] = items
    assert not isinstance(item, Reject), item
    assert broken_rule(item) is None
    return item


LISTED: dict[str, Any] = {
    "symbol": SYMBOL,
    "side": "CALL",
    "strikePrice": "95000.00000000",
    "underlying": "BTCUSDT",
    "unit": 1,
    "expiryDate": 1_769_760_000_000,
    "quoteAsset": "USDT",
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "5", "maxPrice": "60000", "tickSize": "5"},
        {"filterType": "LOT_SIZE", "minQty": "0.01", "maxQty": "1000", "stepSize": "0.01"},
    ],
}
MARK = {
    "symbol": SYMBOL,
    "markPrice": "2710.5",
    "bidIV": "0.4581",
    "askIV": "0.4702",
    "markIV": "0.4643",
    "delta": "0.3912",
    "gamma": "0.00003",
    "vega": "93.1",
    "theta": "-62.4",
}


class TestInstruments:
    def test_a_contract_is_a_unit_of_coin_settled_in_dollars(self) -> None:
        assert only(ask("exchangeInfo", "", {"serverTime": NOON_MS, "optionSymbols": [LISTED]})) == Instrument(
            venue="binance_options",
            symbol=SYMBOL,
            kind="option",
            captured_ts=NOON,
            base_asset="BTC",
            quote_asset="USDT",
            settle_asset="USDT",
            contract_size=1.0,
            amount_unit="contracts",
            is_inverse=False,
            tick_size_px=5.0,
            lot_size_qty=0.01,
            strike_px=95_000.0,
            option_type="call",
            expiry_ts=datetime(2026, 1, 30, 8, tzinfo=UTC),
            terms_source="listed",
        )

    @pytest.mark.parametrize(
        "changed",
        [
            {"side": "PUT"},
            {"strikePrice": "9500"},
            {"underlying": "ETHUSDT"},
            {"expiryDate": 1_769_673_600_000},
            {"quoteAsset": "USDC"},
        ],
    )
    def test_a_row_that_contradicts_its_name_is_rejected(self, changed: dict[str, Any]) -> None:
        [reject] = ask("exchangeInfo", "", {"optionSymbols": [LISTED | changed]})

        assert isinstance(reject, Reject)
        assert reject.rule == "contradiction"

    def test_names_say_the_terms_but_for_the_size_of_other_coins(self) -> None:
        put = BINANCE_OPTIONS.terms("ETH-260327-2950.5-P", "option", NOON)
        assert (put.strike_px, put.option_type, put.contract_size) == (2_950.5, "put", 1.0)
        assert put.expiry_ts == datetime(2026, 3, 27, 8, tzinfo=UTC)
        with pytest.raises(Refused) as caught:
            BINANCE_OPTIONS.terms("DOGE-260327-0.2-P", "option", NOON)
        assert caught.value.rule == "unknown_terms"

    @pytest.mark.parametrize(
        "symbol", ["BTCUSDT", "BTC-26JAN30-95000-C", "BTC-260230-95000-C", "BTC-260130-95000-X", ""]
    )
    def test_names_outside_the_grammar_are_refused(self, symbol: str) -> None:
        with pytest.raises(Refused) as caught:
            BINANCE_OPTIONS.terms(symbol, "option", NOON)

        assert caught.value.rule == "unknown_symbol"


class TestQuotes:
    def test_volatilities_are_decimals_and_there_is_no_clock(self) -> None:
        assert only(ask("mark", "", [MARK])) == OptionQuote(
            venue="binance_options",
            symbol=SYMBOL,
            kind="option",
            captured_ts=NOON,
            mark_px=2_710.5,
            bid_iv_ann=0.4581,
            mark_iv_ann=0.4643,
            ask_iv_ann=0.4702,
            delta=0.3912,
            gamma=0.00003,
            vega=93.1,
            theta=-62.4,
        )

    def test_minus_one_is_a_side_that_nobody_quotes(self) -> None:
        """And no volatility of −100 %, at which the whole row would be refused with its greeks."""
        quote = only(ask("mark", "", [MARK | {"bidIV": "-1.0", "askIV": "-1.0"}]))

        assert (quote.bid_iv_ann, quote.ask_iv_ann, quote.mark_iv_ann, quote.delta) == (None, None, 0.4643, 0.3912)

    def test_a_percentage_would_not_pass_the_gate(self) -> None:
        [quote] = ask("mark", "", [MARK | {"markIV": "46.43"}])

        assert not isinstance(quote, Reject)
        broken = broken_rule(quote)
        assert broken is not None
        assert broken[0] == "iv_range"

    def test_the_days_ticker_has_the_touch_the_index_and_contracts(self) -> None:
        row = {"symbol": SYMBOL, "lastPrice": "2710", "volume": "12.4", "bidPrice": "0.0", "askPrice": "2745"}
        quote = only(ask("ticker", "", [row | {"exercisePrice": "91250.4", "closeTime": 0}]))

        assert (quote.bid_px, quote.ask_px, quote.ask_qty, quote.last_px) == (None, 2_745.0, None, 2_710.0)
        assert (quote.index_px, quote.volume_24h_qty, quote.event_ts) == (91_250.4, 12.4, None)

    @pytest.mark.parametrize("field", sorted(MARK))
    def test_a_missing_field_is_a_rejected_row_that_names_it(self, field: str) -> None:
        [reject] = ask("mark", "", [{key: value for key, value in MARK.items() if key != field}])

        assert isinstance(reject, Reject)
        assert field in reject.reason

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "1_000", "", None, [], {}])
    def test_what_is_no_finite_number_is_no_greek(self, number: object) -> None:
        [reject] = ask("mark", "", [MARK | {"delta": number}])

        assert isinstance(reject, Reject)
        assert reject.rule == "schema"


class TestOpenInterest:
    def test_counts_contracts_of_a_coin_worth_what_the_venue_says(self) -> None:
        """4.01 contracts of 1 ETH at an index of 1,217.03 are the documentation's 4,880.30 dollars."""
        row = {
            "symbol": "ETH-260130-3000-P",
            "sumOpenInterest": "4.01",
            "sumOpenInterestUsd": "4880.2985615624",
            "timestamp": str(NOON_MS),
        }
        interest = only(ask("openInterest", "underlyingAsset=ETH&expiration=260130", [row]))

        assert isinstance(interest, OpenInterest)
        assert (interest.open_interest_qty, interest.event_ts) == (4.01, NOON)
        size = BINANCE_OPTIONS.terms(interest.symbol, "option", NOON).contract_size
        assert interest.open_interest_qty * size * 1_217.03 == pytest.approx(4_880.30, rel=1e-5)


BOOK: dict[str, Any] = {"bids": [["2675", "0.5"], ["2670", "1.2"]], "asks": [["2745", "0.4"]], "T": NOON_MS}


class TestBooks:
    @pytest.mark.parametrize("sequence", [{"lastUpdateId": 4_417}, {"u": 4_417}], ids=["2025", "2023"])
    def test_a_book_of_either_era_is_named_by_the_question(self, sequence: dict[str, int]) -> None:
        assert only(ask("depth", f"symbol={SYMBOL}&limit=50", BOOK | sequence)) == OrderBook(
            venue="binance_options",
            symbol=SYMBOL,
            kind="option",
            captured_ts=NOON,
            event_ts=NOON,
            sequence_id=4_417,
            bid_px=(2_675.0, 2_670.0),
            bid_qty=(0.5, 1.2),
            ask_px=(2_745.0,),
            ask_qty=(0.4,),
        )

    def test_a_book_without_a_sequence_or_a_name_is_refused(self) -> None:
        with pytest.raises(Refused, match="lastUpdateId"):
            ask("depth", f"symbol={SYMBOL}", BOOK)
        with pytest.raises(Refused) as caught:
            ask("depth", "", BOOK | {"u": 1})
        assert caught.value.rule == "unknown_symbol"


class TestTrades:
    @pytest.mark.parametrize(("wire", "side"), [(1, "buy"), (-1, "sell")])
    @pytest.mark.parametrize("trade_id", [2_323_857_420_768_529_130, "63"])
    def test_the_direction_is_the_takers(self, wire: int, side: str, trade_id: int | str) -> None:
        row = {"id": trade_id, "symbol": SYMBOL, "price": "2710", "qty": "0.1", "side": wire, "time": NOON_MS}
        trade = only(ask("trades", f"symbol={SYMBOL}", [row]))

        assert isinstance(trade, Trade)
        assert (trade.side, trade.trade_id, trade.px, trade.qty) == (side, str(trade_id), 2_710.0, 0.1)

    def test_another_symbol_than_the_asked_or_another_direction_is_rejected(self) -> None:
        row = {"id": 1, "symbol": SYMBOL, "price": "2710", "qty": "0.1", "side": 1, "time": NOON_MS}
        for changed in ({"symbol": "BTC-260130-96000-C"}, {"side": 0}, {"qty": "-0.1"}):
            [reject] = ask("trades", f"symbol={SYMBOL}", [row | changed])
            assert isinstance(reject, Reject)


def test_an_index_is_named_by_the_question() -> None:
    body = {"time": NOON_MS, "indexPrice": "91250.40"}
    index = only(ask("index", "underlying=BTCUSDT", body))

    assert isinstance(index, IndexPrice)
    assert (index.symbol, index.base_asset, index.quote_asset, index.index_px) == ("BTCUSDT", "BTC", "USDT", 91_250.4)
    with pytest.raises(Refused):
        ask("index", "", body)


def test_an_error_in_a_reply_of_status_200_is_the_venues() -> None:
    for path in ("exchangeInfo", "mark", "depth"):
        with pytest.raises(Refused, match="-1003") as caught:
            ask(path, f"symbol={SYMBOL}", {"code": -1003, "msg": "Too many requests."})
        assert caught.value.rule == "venue_error"


def test_books_and_trades_are_asked_of_the_next_expiries_and_interest_of_all() -> None:
    """Symbol by symbol over a thousand options would cost more than the venue allows."""
    days = ("260103", "260104", "260109", "260130", "251226")  # the last has expired
    listed = tuple(
        BINANCE_OPTIONS.terms(f"{base}-{day}-{strike}-C", "option", NOON)
        for base, strike in (("BTC", 95_000), ("ETH", 3_000))
        for day in days
    )
    plan = Plan(("BTC",), NOON, NOON + timedelta(hours=1), listed)

    def asked(dataset: str) -> list[dict[str, str]]:
        return [
            dict(request.query)
            for endpoint in BINANCE_OPTIONS.endpoints
            if endpoint.dataset == dataset and endpoint.requests
            for request in endpoint.requests(plan)
        ]

    near = [f"BTC-{day}-95000-C" for day in sorted(days)[1 : 1 + NEAR_EXPIRIES]]
    assert [query["symbol"] for query in asked("order_books")] == near
    assert [query["symbol"] for query in asked("trades")] == near
    assert [(query["underlyingAsset"], query["expiration"]) for query in asked("open_interest")] == [
        ("BTC", day) for day in ("260103", "260104", "260109", "260130")
    ]
    assert asked("index_prices") == [{"underlying": "BTCUSDT"}]
