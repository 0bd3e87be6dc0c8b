"""Deribit, by numbers read off real replies by hand, and by the traps of its formats."""

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
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
    Trade,
)
from ingestion.venues.base import Refused, Reject, Reply
from ingestion.venues.deribit import DERIBIT

NOW = datetime(2024, 1, 14, 20, 1, 10, tzinfo=UTC)
NOW_MS = 1_705_262_470_000
PUBLIC = "/api/v2/public/"
Recorded = Callable[[str], list[Envelope]]


def ask(method: str, query: str, body: object) -> list[Record | Reject]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return list(DERIBIT.parse(Reply.read(PUBLIC + method, query, raw, NOW)))


def result(value: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "result": value, "usIn": NOW_MS * 1_000, "usOut": NOW_MS * 1_000 + 42}


def is_retired(path: str) -> bool:
    return any(re.fullmatch(expression, path) for expression in DERIBIT.retired)


@pytest.fixture
def read(recorded: Recorded) -> Callable[[str, str], list[Record | Reject]]:
    """What the recorded reply to one question holds."""
    envelopes = {(e.path, e.query): e for e in recorded("http/deribit.jsonl.zst")}
    return lambda method, query: list(DERIBIT.parse(envelopes[PUBLIC + method, query].reply()))


def of(items: Sequence[Record | Reject], kind: type[Record], symbol: str) -> Any:
    found = [i for i in items if type(i) is kind and i.symbol == symbol]
    assert len(found) == 1
    return found[0]


class TestRealReplies:
    def test_nothing_is_rejected(self, recorded: Recorded) -> None:
        current = [e for e in recorded("http/deribit.jsonl.zst") if not is_retired(e.path)]
        items = [item for envelope in current for item in DERIBIT.parse(envelope.reply())]

        assert len(current) == 11
        assert [item for item in items if isinstance(item, Reject)] == []

    def test_a_perpetual_has_its_book_mark_index_and_running_funding(self, read: Any) -> None:
        items = read("ticker", "instrument_name=BTC-PERPETUAL")
        captured_ts = datetime(2024, 1, 5, 21, 59, 37, tzinfo=UTC)

        assert of(items, PerpTicker, "BTC-PERPETUAL") == PerpTicker(
            venue="deribit",
            symbol="BTC-PERPETUAL",
            kind="perp",
            captured_ts=captured_ts,
            event_ts=datetime(2024, 1, 5, 21, 59, 37, 904_000, tzinfo=UTC),
            bid_px=43_941.0,
            bid_qty=54_430.0,
            ask_px=43_941.5,
            ask_qty=15_810.0,
            last_px=43_941.5,
            volume_24h_base=22_826.28547171,
            volume_24h_quote=997_451_370.0,
            mark_px=43_943.37,
            index_px=43_934.31,
            funding_rate=0.0,
            funding_interval_s=28_800,
        )
        assert of(items, OpenInterest, "BTC-PERPETUAL").open_interest_qty == 580_756_310
        assert of(items, OpenInterest, "BTC-PERPETUAL").open_interest_base is None

    def test_running_funding_is_what_the_present_premium_would_pay(self, read: Any) -> None:
        """So `current_funding`, not `funding_8h` (0.00000925), which is what the last eight hours paid.

        The premium of 0.0206 % lies within the damper of 0.025 %: nothing is paid.
        """
        perp = of(read("ticker", "instrument_name=BTC-PERPETUAL"), PerpTicker, "BTC-PERPETUAL")
        premium, damper = (perp.mark_px - perp.index_px) / perp.index_px, 0.00025

        assert perp.funding_rate == max(damper, premium) + min(-damper, premium)

    def test_a_dated_future_is_none_of_the_perpetuals(self, read: Any) -> None:
        items = read("get_book_summary_by_currency", "currency=BTC&kind=future")
        future = of(items, FutureTicker, "BTC-29MAR24")

        assert (future.bid_px, future.ask_px, future.bid_qty) == (43_390.0, 43_392.5, None)
        assert (future.mark_px, future.index_px) == (43_392.45, 42_613.68)
        assert (future.volume_24h_base, future.volume_24h_quote) == (275.31778409, 12_018_940.0)
        assert of(items, OpenInterest, "BTC-29MAR24").open_interest_qty == 198_920_330
        assert sum(type(item) is PerpTicker for item in items) == 1
        assert sum(type(item) is FutureTicker for item in items) == 7

    def test_dollars_and_coins_of_a_futures_volume_agree_at_its_price(self, read: Any) -> None:
        for future in read("get_book_summary_by_currency", "currency=BTC&kind=future"):
            if isinstance(future, FutureTicker):
                px = (future.volume_24h_quote or 0) / (future.volume_24h_base or 1)
                assert px == pytest.approx(future.mark_px, rel=0.01)

    def test_an_option_is_quoted_in_coin_on_its_own_forward(self, read: Any) -> None:
        items = read("get_book_summary_by_currency", "currency=BTC&kind=option")
        quote = of(items, OptionQuote, "BTC-26JAN24-50000-C")

        assert (quote.bid_px, quote.ask_px, quote.mark_px, quote.last_px) == (
            0.0036,
            0.0037,
            0.00356971,
            0.0036,
        )
        assert (quote.forward_px, quote.index_px) == (42_731.17, 42_612.86)
        assert (quote.volume_24h_qty, quote.mark_iv_ann) == (61.0, None)
        interest = of(items, OpenInterest, "BTC-26JAN24-50000-C")
        assert (interest.open_interest_qty, interest.open_interest_base) == (9_117.5, 9_117.5)

    def test_a_mark_below_the_venues_last_digit_is_no_price_of_zero(self, read: Any) -> None:
        items = read("get_book_summary_by_currency", "currency=BTC&kind=option")
        quote = of(items, OptionQuote, "BTC-15JAN24-51000-C")

        assert (quote.mark_px, quote.bid_px, quote.ask_px) == (None, None, 0.0001)
        assert of(items, OpenInterest, "BTC-15JAN24-51000-C").open_interest_qty == 3.0

    def test_lists_of_2020_and_2021_give_one_answer(self, read: Any) -> None:
        """`quote_currency` was USD in 2020, BTC in 2021; the premium is in coin, the strike in dollars."""
        old = of(read("get_instruments", "currency=BTC"), Instrument, "BTC-31JAN20-8000-C")
        new = of(read("get_instruments", "currency=BTC&expired=false"), Instrument, "BTC-24SEP21-40000-P")

        for option in (old, new):
            assert (option.base_asset, option.quote_asset, option.settle_asset) == ("BTC", "USD", "BTC")
            assert (option.is_inverse, option.amount_unit, option.contract_size) == (True, "base", 1.0)
        assert (old.strike_px, old.option_type) == (8_000.0, "call")
        assert old.expiry_ts == datetime(2020, 1, 31, 8, tzinfo=UTC)
        assert (old.tick_size_px, old.lot_size_qty) == (0.0005, 0.1)

    @pytest.mark.parametrize(("coin", "face"), [("BTC", 10.0), ("ETH", 1.0), ("SOL", 10.0)])
    def test_a_perpetual_counts_dollars_and_never_expires(self, read: Any, coin: str, face: float) -> None:
        listed = read("get_instruments", f"currency={coin}&expired=false")
        perp = of(listed, Instrument, f"{coin}-PERPETUAL")

        assert (perp.kind, perp.expiry_ts, perp.funding_interval_s) == ("perp", None, 28_800)
        assert (perp.contract_size, perp.amount_unit, perp.is_inverse) == (face, "usd", True)


SUMMARY = {
    "instrument_name": "BTC-26JAN24-50000-C",
    "creation_timestamp": NOW_MS,
    "bid_price": 0.0036,
    "ask_price": None,
    "mark_price": 0.00356971,
    "last": None,
    "volume": 61.0,
    "open_interest": 9117.5,
    "estimated_delivery_price": 42612.86,
    "underlying_price": 42731.17,
    "mark_iv": 48.26,
}
PERP = {
    "instrument_name": "BTC-PERPETUAL",
    "timestamp": NOW_MS,
    "best_bid_price": 42600.0,
    "best_bid_amount": 10.0,
    "best_ask_price": 42600.5,
    "best_ask_amount": 20.0,
    "mark_price": 42601.0,
    "last_price": 42600.0,
    "index_price": 42612.0,
    "open_interest": 500,
    "current_funding": -0.0001,
    "stats": {"volume": 1.5, "volume_usd": 63900.0},
}
OPTION = {
    **PERP,
    "instrument_name": "BTC-26JAN24-50000-C",
    "best_bid_price": 0.0,
    "best_bid_amount": 0.0,
    "bid_iv": 0.0,
    "mark_iv": 48.26,
    "ask_iv": 49.0,
    "underlying_price": 42731.17,
    "greeks": {"delta": 0.1, "gamma": 0.00003, "vega": 12.5, "theta": -30.25, "rho": 1.0},
    "stats": {"volume": 61.0},
}


class TestFormats:
    def test_volatilities_are_percent_on_the_wire_and_decimals_here(self) -> None:
        [summary, _] = ask("get_book_summary_by_currency", "currency=BTC&kind=option", result([SUMMARY]))
        [quote, _] = ask("ticker", "instrument_name=BTC-26JAN24-50000-C", result(OPTION))

        assert isinstance(summary, OptionQuote)
        assert isinstance(quote, OptionQuote)
        assert summary.mark_iv_ann == quote.mark_iv_ann == 0.4826
        assert quote.ask_iv_ann == 0.49
        assert (quote.delta, quote.gamma, quote.vega, quote.theta) == (0.1, 0.00003, 12.5, -30.25)

    def test_an_empty_side_is_written_as_zero_and_read_as_absent(self) -> None:
        [quote, _] = ask("ticker", "instrument_name=BTC-26JAN24-50000-C", result(OPTION))

        assert isinstance(quote, OptionQuote)
        assert (quote.bid_px, quote.bid_qty, quote.bid_iv_ann) == (None, None, None)

    def test_a_linear_perpetual_counts_its_interest_in_coin(self) -> None:
        row = {**PERP, "instrument_name": "XRP_USDC-PERPETUAL", "stats": {"volume": 3, "volume_notional": 2}}
        [perp, interest] = ask("ticker", "instrument_name=XRP_USDC-PERPETUAL", result(row))

        assert isinstance(perp, PerpTicker)
        assert (perp.volume_24h_base, perp.volume_24h_quote) == (3.0, 2.0)
        assert isinstance(interest, OpenInterest)
        assert interest.open_interest_base == interest.open_interest_qty == 500

    def test_a_spot_pair_is_a_spot_ticker(self) -> None:
        row = {**SUMMARY, "instrument_name": "BTC_USDC", "volume_notional": 2_600_000.0}
        [ticker] = ask("get_book_summary_by_currency", "currency=BTC", result([row]))

        assert type(ticker) is SpotTicker
        assert (ticker.kind, ticker.volume_24h_quote) == ("spot", 2_600_000.0)

    def test_a_combo_costs_its_row_and_no_other(self) -> None:
        combo = {**SUMMARY, "instrument_name": "BTC-FS-29MAR24_PERP"}
        items = ask("get_book_summary_by_currency", "currency=BTC", result([combo, SUMMARY]))

        assert [type(item) for item in items] == [Reject, OptionQuote, OpenInterest]
        assert isinstance(items[0], Reject)
        assert items[0].rule == "unknown_symbol"

    def test_a_linear_instrument_is_listed_with_its_own_size(self) -> None:
        row = {
            "instrument_name": "XRP_USDC-PERPETUAL",
            "kind": "future",
            "settlement_period": "perpetual",
            "instrument_type": "linear",
            "base_currency": "XRP",
            "settlement_currency": "USDC",
            "contract_size": 1.0,
            "tick_size": 1e-05,
            "min_trade_amount": 1,
            "expiration_timestamp": 32_503_708_800_000,
        }
        [perp] = ask("get_instruments", "currency=USDC&expired=false", result([row]))

        assert isinstance(perp, Instrument)
        assert (perp.kind, perp.quote_asset, perp.settle_asset) == ("perp", "USDC", "USDC")
        assert (perp.amount_unit, perp.is_inverse, perp.contract_size) == ("base", False, 1.0)

        [reject] = ask("get_instruments", "", result([{**row, "instrument_type": "reversed"}]))
        assert isinstance(reject, Reject)
        assert reject.rule == "contradiction"

    def test_a_book_keeps_its_levels_sizes_and_sequence(self) -> None:
        book = {
            "instrument_name": "ETH-PERPETUAL",
            "timestamp": NOW_MS,
            "change_id": 68_371_914_553,
            "bids": [[2500.05, 1200.0], [2500.0, 30]],
            "asks": [[2500.1, 7.0]],
            "underlying_price": 42618.677270431035,
            "stats": {},
        }
        assert ask("get_order_book", "instrument_name=ETH-PERPETUAL&depth=100", result(book)) == [
            OrderBook(
                venue="deribit",
                symbol="ETH-PERPETUAL",
                kind="perp",
                captured_ts=NOW,
                event_ts=NOW,
                sequence_id=68_371_914_553,
                bid_px=(2500.05, 2500.0),
                bid_qty=(1200.0, 30.0),
                ask_px=(2500.1,),
                ask_qty=(7.0,),
            )
        ]

    def test_a_price_that_a_float_would_change_is_refused(self) -> None:
        body = b'{"result":{"instrument_name":"ETH-PERPETUAL","timestamp":%d,"change_id":1,'
        body += b'"bids":[[2500.0512345678901234,1]],"asks":[]}}'
        [reject] = ask("get_order_book", "instrument_name=ETH-PERPETUAL", body % NOW_MS)

        assert isinstance(reject, Reject)
        assert reject.rule == "precision"

    def test_a_trades_direction_is_the_takers(self) -> None:
        trade = {
            "trade_id": "48079269",
            "trade_seq": 30_289_730,
            "instrument_name": "BTC-PERPETUAL",
            "timestamp": NOW_MS,
            "price": 42_600.5,
            "amount": 10.0,
            "direction": "sell",
            "mark_price": 42618.677270431035,
        }
        body = result({"trades": [trade], "has_more": False})

        assert ask("get_last_trades_by_instrument_and_time", "", body) == [
            Trade(
                venue="deribit",
                symbol="BTC-PERPETUAL",
                kind="perp",
                captured_ts=NOW,
                event_ts=NOW,
                trade_id="48079269",
                px=42_600.5,
                qty=10.0,
                side="sell",
            )
        ]

    def test_an_index_is_named_as_it_was_asked_for(self) -> None:
        [index] = ask("get_index_price", "index_name=btc_usd", result({"index_price": 42612.86}))

        assert isinstance(index, IndexPrice)
        assert (index.symbol, index.kind, index.base_asset, index.quote_asset) == (
            "btc_usd",
            "spot",
            "BTC",
            "USD",
        )
        assert index.index_px == 42612.86
        assert index.event_ts == NOW + timedelta(microseconds=42)

    def test_a_list_without_the_venues_clock_has_no_event_time(self) -> None:
        [index] = ask("get_index_price", "index_name=btc_usd", {"result": {"index_price": 42612.86}})

        assert isinstance(index, IndexPrice)
        assert index.event_ts is None


class TestHostileReplies:
    @pytest.mark.parametrize("field", sorted({*PERP} - {"open_interest", "current_funding"}))
    def test_a_missing_field_is_a_rejected_row_that_names_it(self, field: str) -> None:
        row = {key: value for key, value in PERP.items() if key != field}
        [reject] = ask("ticker", "instrument_name=BTC-PERPETUAL", result(row))

        assert isinstance(reject, Reject)
        assert reject.rule == "schema"
        assert field in reject.reason

    @pytest.mark.parametrize("field", ["open_interest", "current_funding"])
    def test_so_is_one_that_only_its_kind_must_have(self, field: str) -> None:
        row = {key: value for key, value in PERP.items() if key != field}
        [reject] = ask("ticker", "instrument_name=BTC-PERPETUAL", result(row))

        assert isinstance(reject, Reject)
        assert reject.rule == "schema"
        assert field in reject.reason

    @pytest.mark.parametrize("number", [b"NaN", b"1e400", b'"42600"', b"true", b"[1]", b"{}"])
    def test_what_is_no_finite_number_is_no_price(self, number: bytes) -> None:
        body = json.dumps(result([SUMMARY])).encode().replace(b"0.00356971", number)
        try:
            items = ask("get_book_summary_by_currency", "kind=option", body)
        except Refused as refused:  # NaN is no JSON at all
            items = [Reject(refused.rule, refused.reason, b"")]

        assert [type(item) for item in items] == [Reject]
        assert isinstance(items[0], Reject)
        assert items[0].rule == "schema"

    @pytest.mark.parametrize("stamp", [NOW_MS * 1_000, NOW_MS // 1_000, 0, -1, 10**30])
    def test_a_timestamp_in_another_unit_is_noticed(self, stamp: int) -> None:
        [reject] = ask("ticker", "instrument_name=BTC-PERPETUAL", result({**PERP, "timestamp": stamp}))

        assert isinstance(reject, Reject)
        assert reject.rule in {"timestamp", "schema"}

    def test_an_error_in_a_reply_of_status_200_is_the_venues(self) -> None:
        body = {"jsonrpc": "2.0", "error": {"code": 10028, "message": "too_many_requests"}}
        with pytest.raises(Refused, match="10028, too_many_requests") as caught:
            ask("ticker", "instrument_name=BTC-PERPETUAL", body)

        assert caught.value.rule == "venue_error"

    @pytest.mark.parametrize("method", ["getsummary", "getorderbook", "getlasttrades", "get_index", "get_currencies"])
    def test_a_retired_path_is_refused_with_its_reason(self, method: str) -> None:
        with pytest.raises(Refused) as caught:
            ask(method, "", b"{}")

        assert caught.value.rule == "retired"
