"""Bitfinex, by numbers read off real replies by hand, by documented examples, and by the traps of its arrays."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ingestion.envelopes import Envelope
from ingestion.records import (
    Candle,
    FundingRate,
    Instrument,
    Liquidation,
    OpenInterest,
    OrderBook,
    PerpTicker,
    SpotTicker,
    Trade,
)
from ingestion.venues.base import Refused, Reject, Reply, Request
from ingestion.venues.bitfinex import BITFINEX

NOW = datetime(2026, 1, 2, 13, 0, 5, tzinfo=UTC)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
NOON_MS = 1_767_355_200_000
Recorded = Callable[[str], list[Envelope]]


def ask(path: str, body: object, query: str = "", at: datetime = NOW) -> list[Any]:
    return list(BITFINEX.parse(Reply.read(f"/v2/{path}", query, json.dumps(body).encode(), at)))


@pytest.fixture
def read(recorded: Recorded) -> Callable[..., dict[str, Any]]:
    """What the recorded reply to one question holds, by symbol; of several rows of one, the first."""
    envelopes = {(e.path, e.query): e for e in recorded("http/bitfinex.jsonl.zst")}

    def by_symbol(path: str, query: str = "") -> dict[str, Any]:
        items = list(BITFINEX.parse(envelopes[f"/v2/{path}", query].reply()))
        assert not [item for item in items if isinstance(item, Reject)]
        return {item.symbol: item for item in reversed(items) if not isinstance(item, Reject)}

    return by_symbol


class TestRealReplies:
    def test_ust_is_tether_and_udc_is_usdc(self, read: Any) -> None:
        pairs = read("conf/pub:list:pair:exchange")

        assert len(pairs) == 293
        assert (pairs["tBTCUST"].base_asset, pairs["tBTCUST"].quote_asset) == ("BTC", "USDT")
        assert (pairs["tUDCUSD"].base_asset, pairs["tUDCUSD"].quote_asset) == ("USDC", "USD")
        assert (pairs["tBTC:CNHT"].base_asset, pairs["tBTC:CNHT"].quote_asset) == ("BTC", "CNHT")
        assert (pairs["tAMPUSD"].base_asset, pairs["tDSHUSD"].base_asset) == ("AMPL", "DASH")
        assert pairs["tBTCUSD"] == Instrument(
            venue="bitfinex",
            symbol="tBTCUSD",
            kind="spot",
            captured_ts=datetime(2021, 4, 17, 16, 39, 3, tzinfo=UTC),
            base_asset="BTC",
            quote_asset="USD",
            settle_asset="USD",
            contract_size=1.0,
            amount_unit="base",
            is_inverse=False,
            terms_source="listed",
        )

    def test_a_perpetual_is_settled_in_what_it_is_quoted_in(self, read: Any) -> None:
        perps = read("conf/pub:list:pair:future")
        bitcoin, ether = perps["tBTCF0:USTF0"], perps["tETHF0:BTCF0"]

        assert len(perps) == 35
        assert (bitcoin.base_asset, bitcoin.quote_asset, bitcoin.settle_asset) == ("BTC", "USDT", "USDT")
        assert (ether.base_asset, ether.quote_asset, ether.settle_asset) == ("ETH", "BTC", "BTC")
        assert {(i.kind, i.is_inverse, i.contract_size, i.funding_interval_s) for i in perps.values()} == {
            ("perp", False, 1.0, 28_800)
        }

    def test_play_money_is_no_bitcoin(self, read: Any) -> None:
        """The venue's own list of names calls TESTBTC bitcoin."""
        bitcoin = [i.symbol for i in read("conf/pub:list:pair:future").values() if i.base_asset == "BTC"]

        assert bitcoin == ["tBTCF0:USTF0"]

    def test_a_tickers_size_is_of_25_levels_and_is_not_taken_for_the_best(self, read: Any) -> None:
        """The 25 bids of the book of the same second come to the ticker's 242.5 coins, the best alone to 0.1."""
        ticker = read("tickers", "symbols=tBTCF0:USTF0")["tBTCF0:USTF0"]
        book = read("book/tBTCF0:USTF0/P0")["tBTCF0:USTF0"]

        assert sum(book.bid_qty) == pytest.approx(242.544, abs=0.01)
        assert (book.bid_px[0], book.bid_qty[0], len(book.bid_px)) == (9345.4, 0.11808285, 25)
        assert (ticker.bid_px, ticker.bid_qty, ticker.ask_px, ticker.ask_qty) == (9345.4, None, 9346.8, None)
        assert (ticker.last_px, ticker.volume_24h_base) == (9349.9, 184.83696218)

    def test_tickers_are_spot_and_perpetuals_and_margin_funding_is_left_out(self, read: Any) -> None:
        """450 rows, of which 27 are of funding currencies."""
        tickers = read("tickers", "symbols=ALL")

        assert len(tickers) == 450 - 27
        assert {type(ticker) for ticker in tickers.values()} == {SpotTicker, PerpTicker}
        assert {s for s, ticker in tickers.items() if type(ticker) is PerpTicker} == {"tBTCF0:USTF0", "tETHF0:USTF0"}
        assert (tickers["tBTCUSD"].bid_px, tickers["tBTCUSD"].ask_px) == (9131.0, 9132.6)
        assert (tickers["tBTCUSD"].last_px, tickers["tBTCUSD"].volume_24h_base) == (9137.0, 5723.038617)

    def test_where_nothing_rests_the_last_order_is_no_quote(self, read: Any) -> None:
        ticker = read("tickers", "symbols=ALL")["tSCRUSD"]

        assert (ticker.bid_px, ticker.ask_px, ticker.last_px) == (None, None, 0.00175)

    def test_a_status_is_read_by_position(self, read: Any) -> None:
        """What was accrued, -0.00000876, is for the period after this one; nothing is due in this one."""
        status = read("status/deriv", "keys=tBTCF0:USTF0")["tBTCF0:USTF0"]

        assert status == PerpTicker(
            venue="bitfinex",
            symbol="tBTCF0:USTF0",
            kind="perp",
            captured_ts=datetime(2020, 1, 30, 4, 33, 17, tzinfo=UTC),
            event_ts=datetime(2020, 1, 30, 4, 33, 14, tzinfo=UTC),
            mark_px=9344.4675,
            index_px=9344.75,
            funding_rate=0.0,
            funding_interval_s=28_800,
            next_funding_ts=datetime(2020, 1, 30, 8, tzinfo=UTC),
        )

    def test_open_interest_is_coin(self, recorded: Recorded) -> None:
        """1,181 bitcoin at 9,344 are 11 million dollars; as dollars they would be nothing."""
        [envelope] = [e for e in recorded("http/bitfinex.jsonl.zst") if e.query == "keys=ALL"]
        interest = {i.symbol: i for i in BITFINEX.parse(envelope.reply()) if isinstance(i, OpenInterest)}

        assert interest["tBTCF0:USTF0"].open_interest_qty == 1181.67904697
        assert interest["tETHF0:USTF0"].open_interest_base == 1299.46510541

    @pytest.mark.parametrize("path", ["book/tBTCUSD/P2", "book/tBTCUSD/R0", "conf/pub:list:currency"])
    def test_rounded_books_and_lists_of_currencies_are_refused(self, path: str) -> None:
        with pytest.raises(Refused) as caught:
            ask(path, [[9130, 12, 7.4]])

        assert caught.value.rule == "retired"


STATUS: list[Any] = ["tBTCF0:USTF0", NOON_MS, None, 29_297.8, 29_277.5, None, 36_950_860.7, None, NOON_MS + 14_400_000]
STATUS += [0.00000527, 82, None, 0.00014548, None, None, 29_278.8925, None, None, 9_636.07644994, None, None, None]
STATUS += [0.0005, 0.0025]
SETTLED = 1_767_340_800_000  # 08:00 UTC of the day


def past(ts: int, settles: int, rate: object) -> list[Any]:
    """A row of the history: as a status without its symbol."""
    row = [*STATUS[1:]]
    row[0], row[7], row[11] = ts, settles, rate
    return row


def liquidation(amount: float, is_match: int = 1, px: float | None = 3080.2, symbol: str = "tETHF0:USTF0") -> Any:
    return [["pos", 193_045_054, NOON_MS, None, symbol, amount, 3055.5, None, is_match, 1, None, px]]


class TestDocumentedExamples:
    def test_the_rate_due_is_the_current_one_and_longs_pay_it_above_zero(self) -> None:
        ticker, interest = ask("status/deriv", [STATUS], "keys=tBTCF0:USTF0")

        assert (ticker.funding_rate, ticker.mark_px, ticker.index_px) == (0.00014548, 29_278.8925, 29_277.5)
        assert ticker.next_funding_ts == datetime(2026, 1, 2, 16, tzinfo=UTC)
        assert interest.open_interest_qty == 9_636.07644994

    def test_a_settlement_is_what_was_due_in_the_last_status_before_it(self) -> None:
        """History has no symbol in its rows, so that every field stands one place further left."""
        rows = [past(SETTLED - 61_000, SETTLED, 0.0002), past(SETTLED - 1_000, SETTLED, 0.0001)]
        told = ask("status/deriv/tBTCF0:USTF0/hist", rows)

        assert told == [
            FundingRate(
                venue="bitfinex",
                symbol="tBTCF0:USTF0",
                kind="perp",
                captured_ts=NOW,
                event_ts=datetime(2026, 1, 2, 8, tzinfo=UTC),
                funding_rate=0.0001,
                funding_interval_s=28_800,
            )
        ]
        assert ask("status/deriv/tBTCF0:USTF0/hist", rows[::-1]) == told

    def test_a_settlement_to_come_is_none(self) -> None:
        assert ask("status/deriv/tBTCF0:USTF0/hist", [past(NOON_MS, NOON_MS + 14_400_000, 0.0002)]) == []

    def test_a_damaged_status_does_not_cost_the_settlement(self) -> None:
        reject, rate = ask(
            "status/deriv/tBTCF0:USTF0/hist", [past(SETTLED - 2, SETTLED, 0.0001), past(SETTLED - 1, SETTLED, None)]
        )

        assert isinstance(reject, Reject)
        assert isinstance(rate, FundingRate)

    def test_the_sign_of_a_trade_is_its_aggressors_side(self) -> None:
        bought, sold = ask("trades/tBTCUSD/hist", [[1, NOON_MS, 0.015, 88_102], [2, NOON_MS, -0.25, 88_101]])

        assert bought == Trade(
            venue="bitfinex",
            symbol="tBTCUSD",
            kind="spot",
            captured_ts=NOW,
            event_ts=NOON,
            trade_id="1",
            px=88_102.0,
            qty=0.015,
            side="buy",
        )
        assert (sold.side, sold.qty) == ("sell", 0.25)

    def test_a_candles_close_stands_before_its_high(self) -> None:
        [bar] = ask("candles/trade:1h:tBTCUSD/hist", [[NOON_MS, 88_100, 88_213, 88_301, 88_040, 201.5]])

        assert bar == Candle(
            venue="bitfinex",
            symbol="tBTCUSD",
            kind="spot",
            captured_ts=NOW,
            event_ts=NOON,
            interval_s=3_600,
            open_px=88_100.0,
            high_px=88_301.0,
            low_px=88_040.0,
            close_px=88_213.0,
            volume_base=201.5,
        )

    def test_a_candle_of_a_month_has_no_seconds(self) -> None:
        with pytest.raises(Refused) as caught:
            ask("candles/trade:1M:tBTCUSD/hist", [])

        assert caught.value.rule == "interval"

    def test_a_short_position_is_closed_by_buying_at_the_price_of_its_execution(self) -> None:
        """The position's entry, 3055.5, stands first and is no price of the liquidation."""
        short, long = ask("liquidations/hist", [liquidation(-0.5), liquidation(0.5)])

        assert short == Liquidation(
            venue="bitfinex",
            symbol="tETHF0:USTF0",
            kind="perp",
            captured_ts=NOW,
            event_ts=NOON,
            liquidation_id="193045054",
            side="buy",
            px=3080.2,
            px_source="fill",
            qty=0.5,
        )
        assert (long.side, long.qty) == ("sell", 0.5)

    def test_a_trigger_and_a_margin_position_are_no_liquidation_of_a_contract(self) -> None:
        rows = [liquidation(-0.5, is_match=0, px=None), liquidation(100.0, symbol="tXRPUSD")]

        assert ask("liquidations/hist", rows) == []

    def test_a_book_is_split_by_sign(self) -> None:
        [book] = ask("book/tBTCUSD/P0", [[100.5, 2, 1.5], [100, 1, 2], [101, 3, -0.5]])

        assert book == OrderBook(
            venue="bitfinex",
            symbol="tBTCUSD",
            kind="spot",
            captured_ts=NOW,
            bid_px=(100.5, 100.0),
            bid_qty=(1.5, 2.0),
            ask_px=(101.0,),
            ask_qty=(0.5,),
        )


class TestNames:
    @pytest.mark.parametrize("symbol", ["fUSD", "BTCUSD", "tBTCUSDT", "tbtcusd", "t", "tBTC:", "tBTCUSD;drop"])
    def test_what_is_no_pair_is_refused(self, symbol: str) -> None:
        with pytest.raises(Refused) as caught:
            BITFINEX.terms(symbol, "spot", NOW)

        assert caught.value.rule == "unknown_symbol"

    def test_a_perpetual_is_no_spot_pair(self) -> None:
        with pytest.raises(Refused) as caught:
            BITFINEX.terms("tBTCF0:USTF0", "spot", NOW)

        assert caught.value.rule == "contradiction"

    def test_a_spot_pair_in_the_list_of_futures_contradicts_it(self) -> None:
        perp, reject = ask("conf/pub:list:pair:futures", [["BTCF0:USTF0", "BTCUSD"]])

        assert isinstance(perp, Instrument)
        assert isinstance(reject, Reject)
        assert reject.rule == "contradiction"


def all_pages(path: str, dataset: str, limit: int, rows: list[Any], time_at: Callable[[Any], int]) -> list[Any]:
    """Every row that the follow-ups get from a venue that answers by time, both ends included, oldest first."""
    [endpoint] = [e for e in BITFINEX.endpoints if e.dataset == dataset]
    assert endpoint.follow is not None
    span = (("start", "0"), ("end", str(10**13)), ("sort", "1"), ("limit", str(limit)))
    request: Request | None = Request(f"/v2/{path}", span)
    got: list[Any] = []
    while request is not None:
        start = int(dict(request.query)["start"])
        page = [row for row in rows if time_at(row) >= start][:limit]
        got += page
        request = endpoint.follow(request, Reply(request.path, {}, json.dumps(page).encode(), NOW))
    return got
