"""OKX, by numbers read off real replies by hand, by documented examples, and by the traps of its formats."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from ingestion.envelopes import Envelope
from ingestion.records import (
    FutureTicker,
    IndexPrice,
    Instrument,
    OpenInterest,
    OptionQuote,
    OrderBook,
    PerpTicker,
    Record,
    SpotTicker,
)
from ingestion.venues.base import Refused, Reject, Reply
from ingestion.venues.okx import OKX

NOW = datetime(2024, 1, 14, 20, 1, 7, tzinfo=UTC)
NOW_MS = 1_705_262_467_000
Recorded = Callable[[str], list[Envelope]]


def ask(path: str, query: str, *rows: object) -> list[Record | Reject]:
    body = json.dumps({"code": "0", "msg": "", "data": rows}).encode()
    return list(OKX.parse(Reply.read("/api/v5/" + path, query, body, NOW)))


@pytest.fixture
def read(recorded: Recorded) -> Callable[[str, str], list[Record | Reject]]:
    """What the recorded reply to one question holds."""
    envelopes = {(e.path, e.query): e for e in recorded("http/okx.jsonl.zst")}
    return lambda path, query: list(OKX.parse(envelopes["/api/v5/" + path, query].reply()))


def by_symbol(items: Sequence[Record | Reject]) -> dict[str, Any]:
    assert not [item for item in items if isinstance(item, Reject)]
    return {item.symbol: item for item in items if not isinstance(item, Reject)}


class TestRealReplies:
    @pytest.mark.parametrize(
        ("query", "rows"),
        [
            ("instType=SPOT", 513),
            ("instType=FUTURES", 104),
            ("instType=OPTION&uly=ETH-USD", 350),
            ("instType=OPTION&uly=BTC-USD", 346),
        ],
    )
    def test_every_listed_instrument_is_read(self, read: Any, query: str, rows: int) -> None:
        assert len(by_symbol(read("public/instruments", query))) == rows

    def test_a_contract_is_its_value_times_its_multiplier(self, read: Any) -> None:
        """BTC options had `ctVal` 1 and `ctMult` 0.1 in May 2022: a tenth of a coin, not one."""
        futures = by_symbol(read("public/instruments", "instType=FUTURES"))
        bitcoin = by_symbol(read("public/instruments", "instType=OPTION&uly=BTC-USD"))
        ether = by_symbol(read("public/instruments", "instType=OPTION&uly=ETH-USD"))

        assert bitcoin["BTC-USD-220514-22000-C"].contract_size == 0.1
        assert ether["ETH-USD-220514-1300-P"].contract_size == 1.0
        assert futures["BTC-USD-220930"].contract_size == 100.0
        assert futures["ETH-USD-220930"].contract_size == 10.0
        assert futures["BTC-USDT-220930"].contract_size == 0.01
        assert futures["TRX-USDT-220930"].contract_size == 1_000.0

    def test_an_option_is_settled_in_coin_though_its_type_is_blank(self, read: Any) -> None:
        option = by_symbol(read("public/instruments", "instType=OPTION&uly=BTC-USD"))["BTC-USD-220514-22000-C"]

        assert option == Instrument(
            venue="okx",
            symbol="BTC-USD-220514-22000-C",
            kind="option",
            captured_ts=datetime(2022, 5, 13, 16, 23, 17, tzinfo=UTC),
            base_asset="BTC",
            quote_asset="USD",
            settle_asset="BTC",
            contract_size=0.1,
            amount_unit="contracts",
            is_inverse=True,
            tick_size_px=0.0005,
            lot_size_qty=1.0,
            strike_px=22_000.0,
            option_type="call",
            expiry_ts=datetime(2022, 5, 14, 8, tzinfo=UTC),
            terms_source="listed",
        )

    def test_linear_and_inverse_futures_are_told_apart(self, read: Any) -> None:
        futures = by_symbol(read("public/instruments", "instType=FUTURES"))
        inverse, linear = futures["BTC-USD-220520"], futures["BTC-USDT-220520"]

        assert (inverse.is_inverse, inverse.settle_asset, inverse.quote_asset) == (True, "BTC", "USD")
        assert (linear.is_inverse, linear.settle_asset, linear.quote_asset) == (False, "USDT", "USDT")
        assert Counter(future.is_inverse for future in futures.values()) == {True: 52, False: 52}

    def test_spot_counts_base_coin(self, read: Any) -> None:
        pair = by_symbol(read("public/instruments", "instType=SPOT"))["BTC-USDT"]

        assert (pair.kind, pair.amount_unit, pair.contract_size) == ("spot", "base", 1.0)
        assert (pair.tick_size_px, pair.lot_size_qty, pair.settle_asset) == (0.1, 0.00000001, "USDT")

    def test_an_options_volatilities_are_decimals_and_zero_is_no_quote(self, read: Any) -> None:
        quote = by_symbol(read("public/opt-summary", "uly=BTC-USD"))["BTC-USD-240628-32000-C"]

        assert quote == OptionQuote(
            venue="okx",
            symbol="BTC-USD-240628-32000-C",
            kind="option",
            captured_ts=datetime(2024, 1, 14, 20, 1, 2, tzinfo=UTC),
            event_ts=datetime(2024, 1, 14, 20, 1, 2, 34_000, tzinfo=UTC),
            forward_px=44466.244418268952812,
            bid_iv_ann=None,
            mark_iv_ann=0.599502493380796,
            ask_iv_ann=None,
            delta=0.8444273812512421,
            gamma=0.000013812360802611782,
            vega=68.18729304878656,
            theta=-18.00277690665533,
        )

    def test_the_greeks_are_those_of_black_and_scholes(self, read: Any) -> None:
        """Call and put of one strike: deltas a whole apart, the same vega. OKX's coin greeks are neither."""
        quotes = by_symbol(read("public/opt-summary", "uly=BTC-USD"))
        call, put = quotes["BTC-USD-240628-32000-C"], quotes["BTC-USD-240628-32000-P"]

        assert call.delta - put.delta == pytest.approx(1, abs=0.002)
        assert call.vega == put.vega
        assert (put.bid_iv_ann, put.ask_iv_ann) == (0.5801479998779295, 0.6085292907714843)

    def test_contracts_and_coins_of_open_interest_agree_by_documented_terms(self, read: Any) -> None:
        """2,836 options of January 2024, of which no list is recorded: 0.01 BTC and 0.1 ETH a contract."""
        open_contracts = 0
        for interest in by_symbol(read("public/open-interest", "instType=OPTION")).values():
            size = OKX.terms(interest.symbol, "option", interest.captured_ts).contract_size
            assert interest.open_interest_qty * size == pytest.approx(interest.open_interest_base, rel=1e-9)
            open_contracts += interest.open_interest_qty > 0

        assert open_contracts == 455 + 409

    @pytest.mark.parametrize(
        "path",
        [
            "/api/futures/v3/instruments",
            "/api/spot/v3/instruments/BTC-USDT/book",
            "/api/swap/v3/instruments/BTC-USD-SWAP/depth",
        ],
    )
    def test_v3_is_retired(self, path: str) -> None:
        with pytest.raises(Refused, match="API v3") as caught:
            OKX.parse(Reply.read(path, "", b"[]", NOW))

        assert caught.value.rule == "retired"


TICKER = {
    "instType": "SWAP",
    "instId": "BTC-USDT-SWAP",
    "last": "42600.1",
    "lastSz": "3",
    "askPx": "42600.2",
    "askSz": "11",
    "bidPx": "42600.1",
    "bidSz": "5",
    "open24h": "42000",
    "volCcy24h": "2222",
    "vol24h": "222200",
    "ts": str(NOW_MS),
}
FUNDING = {
    "instType": "SWAP",
    "instId": "BTC-USDT-SWAP",
    "fundingRate": "0.0000182221218054",
    "nextFundingRate": "",
    "fundingTime": "1705276800000",
    "nextFundingTime": "1705305600000",
    "ts": str(NOW_MS),
}


class TestDocumentedExamples:
    def test_a_swaps_sizes_are_contracts_and_its_volume_coin(self) -> None:
        assert ask("market/tickers", "instType=SWAP", TICKER) == [
            PerpTicker(
                venue="okx",
                symbol="BTC-USDT-SWAP",
                kind="perp",
                captured_ts=NOW,
                event_ts=NOW,
                bid_px=42_600.1,
                bid_qty=5.0,
                ask_px=42_600.2,
                ask_qty=11.0,
                last_px=42_600.1,
                volume_24h_base=2_222.0,
            )
        ]

    def test_spot_swaps_the_two_volumes(self) -> None:
        row = {**TICKER, "instType": "SPOT", "instId": "BTC-USDT", "vol24h": "10", "volCcy24h": "426000"}
        [ticker] = ask("market/tickers", "instType=SPOT", row)

        assert type(ticker) is SpotTicker
        assert (ticker.volume_24h_base, ticker.volume_24h_quote) == (10.0, 426_000.0)

    def test_a_dated_future_is_no_perpetual(self) -> None:
        row = {**TICKER, "instType": "FUTURES", "instId": "BTC-USD-240329"}
        [ticker] = ask("market/tickers", "instType=FUTURES", row)

        assert type(ticker) is FutureTicker
        assert ticker.kind == "future"

    @pytest.mark.parametrize("nothing", ["", "0"])
    def test_an_option_without_orders_has_no_quote(self, nothing: str) -> None:
        sides = {"bidPx": nothing, "bidSz": nothing, "last": nothing}
        row = {**TICKER, **sides, "instType": "OPTION", "instId": "BTC-USD-240329-40000-C", "askPx": "0.1"}
        [quote] = ask("market/tickers", "instType=OPTION&uly=BTC-USD", row)

        assert isinstance(quote, OptionQuote)
        assert (quote.bid_px, quote.bid_qty, quote.last_px) == (None, None, None)
        assert (quote.ask_px, quote.ask_qty) == (0.1, 11.0)
        assert quote.volume_24h_qty == 222_200.0

    def test_marks_belong_to_their_kind(self) -> None:
        mark = {"instType": "SWAP", "instId": "BTC-USDT-SWAP", "markPx": "42601.5", "ts": str(NOW_MS)}
        option = {**mark, "instType": "OPTION", "instId": "BTC-USD-240329-40000-C", "markPx": "0.12"}
        [perp, quote] = ask("public/mark-price", "instType=SWAP", mark, option)

        assert isinstance(perp, PerpTicker)
        assert perp.mark_px == 42_601.5
        assert isinstance(quote, OptionQuote)
        assert quote.mark_px == 0.12

    def test_fundings_interval_is_the_distance_of_two_settlements(self) -> None:
        [perp] = ask("public/funding-rate", "instId=BTC-USDT-SWAP", FUNDING)

        assert isinstance(perp, PerpTicker)
        assert (perp.funding_rate, perp.funding_interval_s) == (0.0000182221218054, 28_800)
        assert perp.next_funding_ts == datetime(2024, 1, 15, tzinfo=UTC)

        every_two_hours = {**FUNDING, "nextFundingTime": "1705284000000"}
        [perp] = ask("public/funding-rate", "instId=BTC-USDT-SWAP", every_two_hours)
        assert isinstance(perp, PerpTicker)
        assert perp.funding_interval_s == 7_200

    def test_settlements_in_the_wrong_order_are_refused(self) -> None:
        row = {**FUNDING, "nextFundingTime": FUNDING["fundingTime"]}
        [reject] = ask("public/funding-rate", "instId=BTC-USDT-SWAP", row)

        assert isinstance(reject, Reject)
        assert reject.rule == "timestamp"

    def test_an_index_is_a_price_of_its_own_name(self) -> None:
        row = {"instId": "BTC-USD", "idxPx": "42612.8", "ts": str(NOW_MS)}

        assert ask("market/index-tickers", "quoteCcy=USD", row) == [
            IndexPrice(
                venue="okx",
                symbol="BTC-USD",
                kind="spot",
                captured_ts=NOW,
                event_ts=NOW,
                base_asset="BTC",
                quote_asset="USD",
                index_px=42_612.8,
            )
        ]

    def test_a_book_is_named_by_the_question(self) -> None:
        book = {
            "asks": [["42600.2", "11", "0", "4"], ["42600.3", "0.5", "0", "1"]],
            "bids": [["42600.1", "5", "0", "2"]],
            "ts": str(NOW_MS),
            "seqId": 3_235_851_742,
        }
        assert ask("market/books", "instId=BTC-USDT-SWAP&sz=400", book) == [
            OrderBook(
                venue="okx",
                symbol="BTC-USDT-SWAP",
                kind="perp",
                captured_ts=NOW,
                event_ts=NOW,
                sequence_id=3_235_851_742,
                bid_px=(42_600.1,),
                bid_qty=(5.0,),
                ask_px=(42_600.2, 42_600.3),
                ask_qty=(11.0, 0.5),
            )
        ]
        with pytest.raises(Refused) as caught:
            ask("market/books", "sz=400", book)
        assert caught.value.rule == "unknown_symbol"

    def test_a_price_that_a_float_would_change_is_refused(self) -> None:
        book = {"asks": [["0.12345678901234567", "1", "0", "1"]], "bids": [], "ts": str(NOW_MS)}
        with pytest.raises(Refused) as caught:
            ask("market/books", "instId=BTC-USDT", book)

        assert caught.value.rule == "precision"

    def test_open_interest_of_swaps_is_contracts_and_coin(self) -> None:
        row = {"instType": "SWAP", "instId": "BTC-USD-SWAP", "oi": "5000", "oiCcy": "11.7", "ts": str(NOW_MS)}
        [interest] = ask("public/open-interest", "instType=SWAP", row)

        assert isinstance(interest, OpenInterest)
        assert (interest.kind, interest.open_interest_qty, interest.open_interest_base) == (
            "perp",
            5_000.0,
            11.7,
        )


class TestHostileReplies:
    @pytest.mark.parametrize("field", sorted({*TICKER} - {"lastSz", "open24h"}))
    def test_a_missing_field_is_a_rejected_row_that_names_it(self, field: str) -> None:
        row = {key: value for key, value in TICKER.items() if key != field}
        [reject, good] = ask("market/tickers", "instType=SWAP", row, TICKER)

        assert isinstance(reject, Reject)
        assert reject.rule == "schema"
        assert field in reject.reason
        assert isinstance(good, PerpTicker)

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "1_000", "42,600", None, True, [], {}])
    def test_what_is_no_finite_number_is_no_price(self, number: object) -> None:
        [reject] = ask("market/tickers", "instType=SWAP", {**TICKER, "bidPx": number})

        assert isinstance(reject, Reject)
        assert reject.rule == "schema"

    def test_blank_is_absence_only_where_it_is_documented(self) -> None:
        [reject] = ask("market/tickers", "instType=SWAP", {**TICKER, "vol24h": ""})

        assert isinstance(reject, Reject)
        assert reject.rule == "schema"

    @pytest.mark.parametrize("stamp", [NOW_MS * 1_000, NOW_MS // 1_000, 0])
    def test_a_timestamp_in_another_unit_is_noticed(self, stamp: int) -> None:
        [reject] = ask("market/tickers", "instType=SWAP", {**TICKER, "ts": str(stamp)})

        assert isinstance(reject, Reject)
        assert reject.rule == "timestamp"

    def test_contracts_of_another_currency_contradict_the_list(self) -> None:
        row = {
            "instType": "SWAP",
            "instId": "BTC-USD-SWAP",
            "uly": "BTC-USD",
            "baseCcy": "",
            "quoteCcy": "",
            "settleCcy": "BTC",
            "ctVal": "100",
            "ctMult": "1",
            "ctValCcy": "USD",
            "ctType": "inverse",
            "expTime": "",
            "stk": "",
            "optType": "",
            "tickSz": "0.1",
            "lotSz": "1",
        }
        [swap, reject, blank] = ask(
            "public/instruments", "instType=SWAP", row, {**row, "ctValCcy": "BTC"}, {**row, "ctVal": ""}
        )

        assert isinstance(swap, Instrument)
        assert (swap.kind, swap.contract_size, swap.expiry_ts) == ("perp", 100.0, None)
        assert isinstance(reject, Reject)
        assert reject.rule == "contradiction"
        assert isinstance(blank, Reject)
        assert "ctVal" in blank.reason

    def test_an_error_in_a_reply_of_status_200_is_the_venues(self) -> None:
        body = b'{"code":"50011","msg":"Too Many Requests","data":[]}'
        with pytest.raises(Refused, match="50011, Too Many Requests") as caught:
            OKX.parse(Reply.read("/api/v5/market/tickers", "instType=SPOT", body, NOW))

        assert caught.value.rule == "venue_error"
