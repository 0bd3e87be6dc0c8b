"""Forms that replies take beside the documented one: older and newer fields, other spellings, bars that are not over.

Each was seen in replies of its venue; the figures are our own.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestion.gate.rows import broken_rule
from ingestion.records import Candle, FundingRate, Instrument, OpenInterest, PerpTicker, SpotTicker, Trade
from ingestion.venues import VENUES
from ingestion.venues.base import Refused, Reject, Reply
from ingestion.venues.kraken_names import read_name

NOW = datetime(2026, 1, 7, 13, 0, 5, tzinfo=UTC)
NOON = datetime(2026, 1, 7, 12, tzinfo=UTC)
NOON_S = 1_767_787_200
NOON_MS = NOON_S * 1_000


def ask(venue: str, path: str, body: object, query: str = "", asked: object = None, at: datetime = NOW) -> list[Any]:
    """What a venue's adapter reads; `body` as JSON text or to be made so."""
    text = body if isinstance(body, str) else json.dumps(body)
    reply = Reply.read(path, query, text.encode(), at, None if asked is None else json.dumps(asked))
    return list(VENUES[venue].parse(reply))


def of(rows: list[Any], record: type) -> list[Any]:
    assert not [row for row in rows if isinstance(row, Reject)]
    return [row for row in rows if type(row) is record]


GATE_FUTURES = "/api/v4/futures/usdt/"
GATE_TICKER = {
    "contract": "BTC_USDT",
    "last": "90011.2",
    "total_size": "660000000",
    "volume_24h_base": "41200",
    "volume_24h_quote": "3700000000",
    "mark_price": "90010.4",
    "index_price": "90002.1",
    "funding_rate": "0.000081",
    "highest_bid": "90011.1",
    "highest_size": "5120.5",
    "lowest_ask": "90011.2",
    "lowest_size": "833",
}
GATE_CONTRACT = {
    "name": "BTC_USDT",
    "type": "direct",
    "quanto_multiplier": "0.0001",
    "order_price_round": "0.1",
    "position_size": "330000000",
    "mark_price": "90010.4",
    "index_price": "90002.1",
    "last_price": "90011.2",
    "funding_rate": "0.000081",
    "funding_interval": 28_800,
    "funding_next_apply": NOON_S + 14_400,
}
GATE_DATED = {**GATE_CONTRACT, "name": "BTC_USDT_20260327", "underlying": "BTC_USDT", "expire_time": 1_774_598_400}


class TestGate:
    def test_open_interest_of_a_ticker_that_adds_both_sides_is_that_of_the_list(self) -> None:
        """Since rows tell the multiplier, `total_size` is twice the `position_size` of the same minute."""
        [listed] = of(ask("gate", GATE_FUTURES + "contracts", [GATE_CONTRACT]), OpenInterest)
        [told] = of(
            ask("gate", GATE_FUTURES + "tickers", [{**GATE_TICKER, "quanto_multiplier": "0.0001"}]), OpenInterest
        )

        assert told.open_interest_qty == listed.open_interest_qty == 330_000_000

    def test_where_nothing_proves_what_was_added_a_ticker_tells_no_open_interest(self) -> None:
        rows = ask("gate", GATE_FUTURES + "tickers", [GATE_TICKER])

        assert [type(row) for row in rows] == [PerpTicker]
        assert (rows[0].bid_qty, rows[0].ask_qty) == (5120.5, 833.0)

    @pytest.mark.parametrize(
        ("path", "row"),
        [
            ("/api/v4/delivery/usdt/tickers", GATE_TICKER),
            (GATE_FUTURES + "tickers", {**GATE_TICKER, "contract": "BTC_USDT_20260327"}),
            ("/api/v4/futures/btc/tickers", GATE_TICKER),
            (
                "/api/v4/delivery/usdt/trades",
                {"id": 1, "contract": "BTC_USDT", "size": 1, "price": "1", "create_time": 1},
            ),
            (GATE_FUTURES + "contracts", {**GATE_DATED, "expire_time": None}),
            ("/api/v4/delivery/usdt/contracts", {**GATE_DATED, "expire_time": NOON_S}),
        ],
    )
    def test_a_contract_of_another_market_by_its_name_is_a_contradiction(self, path: str, row: object) -> None:
        [reject] = ask("gate", path, [row])

        assert (type(reject), reject.rule) == (Reject, "contradiction")

    def test_a_dated_contract_expires_on_the_day_of_its_name(self) -> None:
        [future] = of(ask("gate", "/api/v4/delivery/usdt/contracts", [GATE_DATED]), Instrument)

        assert future.expiry_ts == datetime(2026, 3, 27, 8, tzinfo=UTC)

    def test_a_spot_trade_without_its_pair_is_of_the_pair_that_was_asked_for(self) -> None:
        row = {"id": "7", "create_time_ms": f"{NOON_MS}.5", "side": "buy", "amount": "0.15", "price": "2500.1"}
        path, query = "/api/v4/spot/trades", "currency_pair=ETH_USDT"
        [trade] = of(ask("gate", path, [row], query), Trade)
        [other] = ask("gate", path, [{**row, "currency_pair": "BTC_USDT"}], query)
        [nobodys] = ask("gate", path, [row])

        assert (trade.symbol, trade.side, trade.qty) == ("ETH_USDT", "buy", 0.15)
        assert (other.rule, nobodys.rule) == ("contradiction", "unknown_symbol")

    @pytest.mark.parametrize(
        ("path", "query"),
        [
            ("/api/v4/spot/order_book", "currency_pair=BTC_USDT&interval=0.1"),
            (GATE_FUTURES + "order_book", "contract=BTC_USDT&interval=10"),
        ],
    )
    def test_a_book_whose_levels_the_question_merged_is_refused(self, path: str, query: str) -> None:
        with pytest.raises(Refused) as caught:
            ask("gate", path, {"id": 1, "current": NOON_MS, "bids": [], "asks": []}, query)

        assert caught.value.rule == "merged"

    def test_a_spot_bar_of_before_base_volumes_has_none(self) -> None:
        row = [str(NOON_S), "9000", "3", "4", "1", "2"]
        [bar] = of(ask("gate", "/api/v4/spot/candlesticks", [row], "currency_pair=BTC_USDT&interval=1m"), Candle)

        assert (bar.open_px, bar.high_px, bar.low_px, bar.close_px, bar.volume_base) == (2.0, 4.0, 1.0, 3.0, None)

    def test_digits_below_none_are_no_tick(self) -> None:
        row = {"id": "BTC_USDT", "base": "BTC", "quote": "USDT", "amount_precision": 6, "precision": -5}
        [reject] = ask("gate", "/api/v4/spot/currency_pairs", [row])

        assert (type(reject), reject.rule) == (Reject, "schema")


class TestHyperliquid:
    def test_a_builders_perpetual_is_not_listed_as_settled_in_usdc(self) -> None:
        coins = [{"name": "BTC", "szDecimals": 5, "isDelisted": None}, {"name": "km:US500", "szDecimals": 3}]
        btc, builders = ask("hyperliquid", "/info", {"universe": coins}, asked={"type": "meta"})

        assert (btc.symbol, btc.settle_asset) == ("BTC", "USDC")
        assert (type(builders), builders.rule) == (Reject, "unknown_terms")

    def test_one_damaged_coin_costs_its_own_context_only(self) -> None:
        context = {"funding": "0", "openInterest": "1", "dayNtlVlm": "2", "markPx": "3", "oraclePx": "4"}
        body = [
            {"universe": [{"name": "BTC"}, {"name": "ETH", "szDecimals": 4}]},
            [context, {**context, "markPx": "5"}],
        ]
        reject, ticker, _ = ask("hyperliquid", "/info", body, asked={"type": "metaAndAssetCtxs"})

        assert (type(reject), reject.rule) == (Reject, "schema")
        assert (ticker.symbol, ticker.mark_px) == ("ETH", 5.0)

    @pytest.mark.parametrize(("figures", "is_merged"), [(None, False), (3, True)])
    def test_a_book_cut_to_some_figures_is_refused(self, figures: int | None, is_merged: bool) -> None:
        book = {"coin": "BTC", "time": NOON_MS, "levels": [[{"px": "113000", "sz": "7"}], []]}
        asked = {"type": "l2Book", "coin": "BTC", "nSigFigs": figures}
        if not is_merged:
            assert len(ask("hyperliquid", "/info", book, asked=asked)) == 1
            return
        with pytest.raises(Refused) as caught:
            ask("hyperliquid", "/info", book, asked=asked)
        assert caught.value.rule == "merged"


HTX_CONTRACT = {"symbol": "BTC", "contract_code": "BTC-USDT", "contract_size": 0.001, "price_tick": 0.1}


class TestHtx:
    PATH = "/linear-swap-api/v1/swap_contract_info"

    def listed(self, **more: object) -> Any:
        [row] = ask("htx_futures", self.PATH, {"status": "ok", "data": [{**HTX_CONTRACT, **more}], "ts": NOON_MS})
        return row

    @pytest.mark.parametrize(("period", "interval_s"), [("8", 28_800), ("1", 3_600), ("", None), (None, None)])
    def test_a_list_tells_every_how_many_hours_funding_is_settled(self, period: Any, interval_s: int | None) -> None:
        assert self.listed(settlement_period=period).funding_interval_s == interval_s

    @pytest.mark.parametrize("period", ["0", "25", "-8", "eight"])
    def test_what_is_no_number_of_hours_of_a_day_is_rejected(self, period: str) -> None:
        assert self.listed(settlement_period=period).rule == "schema"

    @pytest.mark.parametrize("more", [{}, {"delivery_date": None}, {"delivery_date": ""}])
    def test_a_perpetual_is_delivered_on_no_day_however_that_is_written(self, more: dict[str, object]) -> None:
        assert self.listed(**more).expiry_ts is None

    def test_numbers_come_bare_or_as_strings(self) -> None:
        trade = {"id": 1, "price": "0.5544", "amount": "4", "direction": "buy", "ts": NOON_MS}
        body = {"status": "ok", "ch": "market.DOGE-USDT.trade.detail", "data": [{"data": [trade]}], "ts": NOON_MS}
        [told] = of(ask("htx_futures", "/linear-swap-ex/market/history/trade", body), Trade)

        assert (told.px, told.qty) == (0.5544, 2.0)
        assert self.listed(contract_size="0.001").contract_size == 0.001


KUCOIN_CONTRACT = {
    "symbol": "XBTUSDM",
    "type": "FFWCSX",
    "baseCurrency": "XBT",
    "quoteCurrency": "USD",
    "settleCurrency": "XBT",
    "multiplier": -1,
    "isInverse": True,
    "lotSize": 1,
    "tickSize": 0.1,
    "expireDate": None,
    "openInterest": "48496849",
    "markPrice": 90_446.4,
    "indexPrice": 90_441,
    "lastTradePrice": 90_445.7,
    "volumeOf24h": 6_955_629,
    "turnoverOf24h": -77.5197,
}


class TestKucoin:
    def contract(self, **changed: object) -> list[Any]:
        body = {"code": "200000", "data": [{**KUCOIN_CONTRACT, **changed}]}
        return ask("kucoin_futures", "/api/v1/contracts/active", body)

    def test_a_turnover_below_zero_is_the_coin_of_an_inverse_contract(self) -> None:
        [ticker] = of(self.contract(), PerpTicker)

        assert (ticker.volume_24h_base, ticker.volume_24h_quote) == (77.5197, 6_955_629.0)
        assert broken_rule(ticker) is None

    @pytest.mark.parametrize(
        "changed",
        [
            {"baseCurrency": "ETH", "settleCurrency": "ETH"},
            {"type": "FFICSX", "expireDate": NOON_MS},
            {"isInverse": False, "settleCurrency": "USD", "multiplier": 1},
        ],
    )
    def test_terms_that_the_name_contradicts_are_rejected(self, changed: dict[str, object]) -> None:
        [reject] = self.contract(**changed)

        assert (type(reject), reject.rule) == (Reject, "contradiction")

    def test_a_contract_that_nobody_traded_yet_has_quotes(self) -> None:
        row = {"symbol": "XBTUSDTM", "price": None, "bestBidPrice": None, "bestBidSize": None}
        row |= {"bestAskPrice": "90000.1", "bestAskSize": 7}
        [ticker] = of(ask("kucoin_futures", "/api/v1/allTickers", {"code": "200000", "data": [row]}), PerpTicker)

        assert (ticker.last_px, ticker.bid_px, ticker.ask_px, ticker.ask_qty) == (None, None, 90_000.1, 7.0)

    @pytest.mark.parametrize(
        ("sizes", "bid", "ask_"),
        [
            ({}, (90_000.1, None), (90_000.2, None)),
            ({"bestBidSize": "0.5", "bestAskSize": "0"}, (90_000.1, 0.5), (None, None)),
        ],
    )
    def test_quotes_of_before_sizes_were_told_keep_their_prices(
        self, sizes: dict[str, str], bid: tuple[float, float | None], ask_: tuple[float | None, None]
    ) -> None:
        row = {"symbol": "BTC-USDT", "buy": "90000.1", "sell": "90000.2", "last": None, "vol": None, "volValue": None}
        body = {"code": "200000", "data": {"time": NOON_MS, "ticker": [{**row, **sizes}]}}
        [ticker] = of(ask("kucoin", "/api/v1/market/allTickers", body), SpotTicker)

        assert ((ticker.bid_px, ticker.bid_qty), (ticker.ask_px, ticker.ask_qty)) == (bid, ask_)


class TestKraken:
    def test_a_tokenised_share_is_named_with_its_x(self) -> None:
        name = read_name("AAPLxUSD")

        assert (name.base_asset, name.quote_asset) == ("AAPLx", "USD")

    @pytest.mark.parametrize("stamp", ["NaN", "Infinity", "1e400", "1e999999999", "-1"])
    def test_a_time_of_any_length_is_no_instant_and_takes_no_time(self, stamp: str) -> None:
        body = f'{{"error":[],"result":{{"XXBTZUSD":[["90000.1","0.5","{stamp}","b","l","",7]],"last":"1"}}}}'
        [reject] = ask("kraken", "/0/public/Trades", body, "pair=XXBTZUSD")

        assert (type(reject), reject.rule) == (Reject, "timestamp")


class TestBitmex:
    @pytest.mark.parametrize(("symbol", "count"), [(".BXBT", 1), (".BXBT30M", 0), (".BXBT_NEXT", 0)])
    def test_an_average_and_an_index_by_weights_to_come_are_no_price_of_now(self, symbol: str, count: int) -> None:
        row = {"symbol": symbol, "typ": "MRCXXX", "underlying": "XBT", "quoteCurrency": "USD", "lastPrice": 90_000.1}
        row["timestamp"] = "2026-01-07T13:00:00.000Z"

        assert len(ask("bitmex", "/api/v1/instrument", [row], f"symbol={symbol}")) == count


HTX_BAR = {"id": NOON_S, "open": 2, "high": 4, "low": 1, "close": 3, "amount": 5}
BARS = (
    (
        "gate",
        "/api/v4/spot/candlesticks",
        "currency_pair=BTC_USDT&interval=1m",
        None,
        [[str(NOON_S), "9", "3", "4", "1", "2", "5"]],
    ),
    (
        "gate",
        GATE_FUTURES + "candlesticks",
        "contract=BTC_USDT&interval=1m",
        None,
        [{"t": NOON_S, "v": "5", "o": "2", "h": "4", "l": "1", "c": "3"}],
    ),
    (
        "kucoin",
        "/api/v1/market/candles",
        "symbol=BTC-USDT&type=1min",
        None,
        {"code": "200000", "data": [[str(NOON_S), "2", "3", "4", "1", "5", "9"]]},
    ),
    (
        "kucoin_futures",
        "/api/v1/kline/query",
        "symbol=XBTUSDTM&granularity=1",
        None,
        {"code": "200000", "data": [[NOON_MS, 2, 4, 1, 3, 5]]},
    ),
    (
        "htx_futures",
        "/linear-swap-ex/market/history/kline",
        "",
        None,
        {"status": "ok", "ch": "market.BTC-USDT.kline.1min", "data": [HTX_BAR]},
    ),
    ("bitfinex", "/v2/candles/trade:1m:tBTCUSD/hist", "", None, [[NOON_MS, 2, 3, 4, 1, 5]]),
    (
        "hyperliquid",
        "/info",
        "",
        {"type": "candleSnapshot"},
        [{"s": "BTC", "i": "1m", "t": NOON_MS, "o": "2", "h": "4", "l": "1", "c": "3", "v": "5"}],
    ),
)


@pytest.mark.parametrize(("venue", "path", "query", "asked", "body"), BARS, ids=[f"{b[0]} {b[1]}" for b in BARS])
def test_a_bar_is_left_out_until_it_is_over(venue: str, path: str, query: str, asked: object, body: object) -> None:
    end = NOON + timedelta(minutes=1)
    over = of(ask(venue, path, body, query, asked, end), Candle)

    assert [(bar.event_ts, bar.open_px, bar.high_px, bar.low_px, bar.close_px) for bar in over] == [(NOON, 2, 4, 1, 3)]
    assert ask(venue, path, body, query, asked, end - timedelta(microseconds=1)) == []


def test_a_settlement_that_cannot_be_read_doubles_no_interval() -> None:
    """Of three settlements eight hours apart, without the middle one the last would seem to pay for sixteen."""
    rows = [{"coin": "BTC", "fundingRate": "0.0001", "time": NOON_MS - hours * 3_600_000} for hours in (16, 8, 0)]
    asked = {"type": "fundingHistory", "coin": "BTC"}
    whole = of(ask("hyperliquid", "/info", rows, asked=asked), FundingRate)
    rows[1]["fundingRate"] = "NaN"
    told = ask("hyperliquid", "/info", rows, asked=asked)

    assert [rate.funding_interval_s for rate in whole] == [None, 28_800, 28_800]
    assert [row.funding_interval_s for row in told if isinstance(row, FundingRate)] == [None, None]
    assert [row.rule for row in told if isinstance(row, Reject)] == ["schema"]
