"""Tardis's files: every kind from a file in its documented format, to the rows that it stands for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingestion.imports.tardis_exchanges import EXCHANGES
from ingestion.imports.tardis_files import TardisFile
from ingestion.records import (
    FutureTicker,
    Liquidation,
    OpenInterest,
    OptionQuote,
    OrderBook,
    PerpTicker,
    SpotTicker,
    Trade,
)
from ingestion.venues import VENUES
from ingestion.venues.base import Refused
from tests.imported import rejects_of, rows_of
from tests.vendor_files import DAY, DAY_US, HOUR_US, SECOND_US, Line, tardis

AT_US = DAY_US + 20 * HOUR_US + 1_234_567  # 20:00:01.234567
AT = datetime(2024, 1, 14, 20, 0, 1, 234_567, tzinfo=UTC)
LATER = timedelta(microseconds=7_003)


def seen(exchange: str, symbol: str, at_us: int = AT_US) -> tuple[str, str, int, int]:
    """The four columns that every line begins with; it arrived 7,003 µs after it was sent."""
    return exchange, symbol, at_us, at_us + 7_003


class TestTrades:
    def test_keep_both_clocks_the_id_and_the_taker(self, tmp_path: Path) -> None:
        line: Line = (*seen("deribit", "BTC-PERPETUAL"), "ETH-1", "sell", 42_000.5, 30)
        path = tardis(tmp_path, "trades", "deribit", "BTC-PERPETUAL", [line])

        assert rows_of(path, tmp_path / "lake") == [
            Trade(
                venue="deribit", symbol="BTC-PERPETUAL", kind="perp", captured_ts=AT + LATER, event_ts=AT,
                trade_id="ETH-1", px=42_000.5, qty=30.0, side="sell",
            )
        ]  # fmt: skip

    def test_belong_to_the_hour_in_which_they_happened(self, tmp_path: Path) -> None:
        """Traded at 20:59:59.999, arrived at 21:00:00.006."""
        line: Line = (*seen("deribit", "BTC-PERPETUAL", DAY_US + 21 * HOUR_US - 1_000), "1", "buy", 42_000, 10)
        path = tardis(tmp_path, "trades", "deribit", "BTC-PERPETUAL", [line])

        rows_of(path, tmp_path / "lake")

        [key] = [path.parent.name for path in (tmp_path / "lake").rglob("*.jsonl.zst")]
        assert key == "hour=20"

    def test_of_a_group_of_symbols_are_each_of_their_kind(self, tmp_path: Path) -> None:
        symbols = ("BTC-PERPETUAL", "BTC-29MAR24", "BTC-29MAR24-50000-C", "SOL_USDC-29MAR24-8D6-P", "BTC_USDC")
        lines = [(*seen("deribit", each), str(n), "buy", 10 + n, 1) for n, each in enumerate(symbols)]
        path = tardis(tmp_path, "trades", "deribit", "FUTURES", lines)

        rows = rows_of(path, tmp_path / "lake")

        assert [(row.symbol, row.kind) for row in rows] == [
            ("BTC-PERPETUAL", "perp"),
            ("BTC-29MAR24", "future"),
            ("BTC-29MAR24-50000-C", "option"),
            ("SOL_USDC-29MAR24-8d6-P", "option"),
            ("BTC_USDC", "spot"),
        ]

    @pytest.mark.parametrize(
        ("exchange", "told", "symbol", "kind"),
        [
            ("binance", "BTCUSDT", "BTCUSDT", "spot"),
            ("binance-futures", "BTCUSDT_240329", "BTCUSDT_240329", "future"),
            ("binance-delivery", "BTCUSD_PERP", "BTCUSD_PERP", "perp"),
            ("okex-swap", "BTC-USDT-SWAP", "BTC-USDT-SWAP", "perp"),
            ("okex-futures", "BTC-USD-240329", "BTC-USD-240329", "future"),
            ("bybit", "BTCUSDT", "BTCUSDT", "perp"),
            ("bybit", "BTCUSDH24", "BTCUSDH24", "future"),
            ("bybit-spot", "BTCUSDT", "BTCUSDT", "spot"),
            ("coinbase", "BTC-USD", "BTC-USD", "spot"),
            ("kraken", "XBT/USD", "XXBTZUSD", "spot"),
            ("kraken", "SOL/USD", "SOLUSD", "spot"),
            ("kraken", "XBT/USDT", "XBTUSDT", "spot"),
            ("cryptofacilities", "PI_XBTUSD", "PI_XBTUSD", "perp"),
            ("bitmex", "XBTUSD", "XBTUSD", "perp"),
            ("bitmex", "XBTH24", "XBTH24", "future"),
            ("bitfinex", "BTCUSD", "tBTCUSD", "spot"),
            ("bitfinex-derivatives", "BTCF0:USTF0", "tBTCF0:USTF0", "perp"),
            ("gate-io", "BTC_USDT", "BTC_USDT", "spot"),
            ("kucoin-futures", "XBTUSDTM", "XBTUSDTM", "perp"),
            ("huobi-dm-linear-swap", "BTC-USDT", "BTC-USDT", "perp"),
            ("hyperliquid", "BTC", "BTC", "perp"),
            ("hyperliquid", "KPEPE", "kPEPE", "perp"),
        ],
    )
    def test_carry_the_symbol_in_our_spelling_of_the_venue(
        self, tmp_path: Path, exchange: str, told: str, symbol: str, kind: str
    ) -> None:
        path = tardis(tmp_path, "trades", exchange, "X", [(*seen(exchange, told), "1", "buy", 100, 2)])

        [row] = rows_of(path, tmp_path / "lake")

        assert (row.venue, row.symbol, row.kind) == (EXCHANGES[exchange].venue, symbol, kind)

    def test_of_htx_count_each_contract_once(self, tmp_path: Path) -> None:
        """Its `amount` is documented as the sum of both sides."""
        line: Line = (*seen("huobi-dm-swap", "BTC-USD"), "1", "buy", 42_000, 14)
        path = tardis(tmp_path, "trades", "huobi-dm-swap", "BTC-USD", [line])

        [row] = rows_of(path, tmp_path / "lake")

        assert isinstance(row, Trade)
        assert row.qty == 7.0

    def test_of_hyperliquid_are_named_as_its_own_replies_name_them(self, tmp_path: Path) -> None:
        """By millisecond and `tid`: the ids alone repeat."""
        path = tardis(tmp_path, "trades", "hyperliquid", "BTC", [(*seen("hyperliquid", "BTC"), "77", "buy", 42_000, 1)])

        [row] = rows_of(path, tmp_path / "lake")

        assert isinstance(row, Trade)
        assert row.trade_id == "1705262401234-77"

    @pytest.mark.parametrize(
        ("cells", "rule", "reason"),
        [
            (("1", "unknown", 100, 2), "unknown_side", "does not know the side"),
            (("", "buy", 100, 2), "no_trade_id", "could not be told from the same trade"),
            (("1", "buy", "nan", 2), "schema", "price"),
            (("1", "buy", "1e400", 2), "schema", "out of range"),
            (("1", "buy", "1_000", 2), "schema", "price"),
            (("1", "buy", 100), "schema", "at least length 8"),
            (("1", "buy", 100, 2, 3), "schema", "at most length 8"),
            (("1", "BUY", 100, 2), "schema", "side"),
            (('"1"', "buy", 100, 2), "schema", "quote or backslash"),
        ],
    )
    def test_a_line_that_cannot_be_read_costs_itself_alone(
        self, tmp_path: Path, cells: Line, rule: str, reason: str
    ) -> None:
        good: Line = (*seen("coinbase", "BTC-USD"), "9", "buy", 100, 2)
        bad: Line = (*seen("coinbase", "BTC-USD"), *cells)
        path = tardis(tmp_path, "trades", "coinbase", "BTC-USD", [good, bad, good])

        [reject] = rejects_of(path, tmp_path / "lake")

        assert reject.rule == rule
        assert reason in reject.reason
        assert reject.row.decode() == ",".join(map(str, bad))

    @pytest.mark.parametrize("at", [0, AT_US // 1000, AT_US * 1000, AT_US + 90 * 86_400 * SECOND_US])
    def test_a_clock_of_another_unit_or_month_opens_no_hour(self, tmp_path: Path, at: int) -> None:
        good: Line = (*seen("coinbase", "BTC-USD"), "9", "buy", 100, 2)
        bad: Line = ("coinbase", "BTC-USD", at, at, "10", "buy", 100, 2)
        path = tardis(tmp_path, "trades", "coinbase", "BTC-USD", [good, bad])

        [reject] = rejects_of(path, tmp_path / "lake")

        assert reject.rule in ("timestamp", "outside_hour")
        assert {path.parent.name for path in (tmp_path / "lake").rglob("*.jsonl.zst")} == {"hour=20"}

    def test_of_another_exchange_than_the_file_says_are_rejected(self, tmp_path: Path) -> None:
        path = tardis(tmp_path, "trades", "coinbase", "X", [(*seen("kraken", "BTC-USD"), "9", "buy", 100, 2)])

        assert [reject.rule for reject in rejects_of(path, tmp_path / "lake")] == ["contradiction"]


class TestQuotes:
    @pytest.mark.parametrize("kind", ["quotes", "book_ticker"])
    def test_become_the_tickers_of_their_kind_of_instrument(self, tmp_path: Path, kind: str) -> None:
        symbols = ("BTC-PERPETUAL", "BTC-29MAR24", "BTC-29MAR24-50000-C", "BTC_USDC")
        lines = [(*seen("deribit", each), 20, 42_001, 42_000.5, 10) for each in symbols]
        path = tardis(tmp_path, kind, "deribit", "X", lines)

        rows = rows_of(path, tmp_path / "lake")

        assert [type(row) for row in rows] == [PerpTicker, FutureTicker, OptionQuote, SpotTicker]
        for row in rows:
            assert isinstance(row, SpotTicker | OptionQuote)
            assert (row.bid_px, row.bid_qty, row.ask_px, row.ask_qty) == (42_000.5, 10.0, 42_001.0, 20.0)
            assert (row.captured_ts, row.event_ts) == (AT + LATER, AT)

    def test_of_gates_futures_are_taken_though_its_trades_are_not(self, tmp_path: Path) -> None:
        line: Line = (*seen("gate-io-futures", "BTC_USDT"), 20, 42_001, 42_000.5, 10)
        path = tardis(tmp_path, "quotes", "gate-io-futures", "BTC_USDT", [line])

        [row] = rows_of(path, tmp_path / "lake")

        assert (row.venue, row.symbol, row.kind) == ("gate", "BTC_USDT", "perp")

    def test_where_nothing_rests_nothing_is_said(self, tmp_path: Path) -> None:
        lines: list[Line] = [
            (*seen("coinbase", "BTC-USD"), "", "", 42_000, 1),
            (*seen("coinbase", "ETH-USD"), 0, 2_600, 2_500, 1),
        ]
        path = tardis(tmp_path, "quotes", "coinbase", "SPOT", lines)

        for row in rows_of(path, tmp_path / "lake"):
            assert isinstance(row, SpotTicker)
            assert (row.ask_px, row.ask_qty) == (None, None)
            assert row.bid_qty == 1.0

    def test_the_last_of_each_second_and_symbol_is_kept(self, tmp_path: Path) -> None:
        ticks = [(0, "BTC-USD", 1), (400_000, "ETH-USD", 2), (900_000, "BTC-USD", 3), (1_100_000, "BTC-USD", 4)]
        lines = [(*seen("coinbase", who, AT_US + us), 1, 200, 100 + n, 1) for us, who, n in ticks]
        path = tardis(tmp_path, "quotes", "coinbase", "SPOT", lines)

        rows = rows_of(path, tmp_path / "lake")

        # 20:00:01.23 and .63 lie in one second, 02.13 and 02.33 in the next.
        assert [(row.symbol, row.bid_px) for row in rows if isinstance(row, SpotTicker)] == [
            ("BTC-USD", 101.0),
            ("ETH-USD", 102.0),
            ("BTC-USD", 104.0),
        ]

    def test_a_clock_that_the_exchange_did_not_give_is_none(self, tmp_path: Path) -> None:
        """Tardis puts its own in its place."""
        path = tardis(tmp_path, "quotes", "coinbase", "X", [("coinbase", "BTC-USD", AT_US, AT_US, 1, 101, 100, 1)])

        [row] = rows_of(path, tmp_path / "lake")

        assert (row.captured_ts, row.event_ts) == (AT, None)


class TestDerivativeTickers:
    def test_of_a_perpetual_tell_its_running_rate_and_its_open_interest(self, tmp_path: Path) -> None:
        next_us = DAY_US + 24 * HOUR_US
        line: Line = (*seen("binance-futures", "BTCUSDT"), next_us, 0.0001, "", 81_234.5, 42_001, 42_000.25, 42_002)
        path = tardis(tmp_path, "derivative_ticker", "binance-futures", "BTCUSDT", [line])

        ticker, interest = rows_of(path, tmp_path / "lake")

        assert isinstance(ticker, PerpTicker)
        assert (ticker.last_px, ticker.index_px, ticker.mark_px) == (42_001.0, 42_000.25, 42_002.0)
        assert (ticker.funding_rate, ticker.next_funding_ts) == (0.0001, DAY + timedelta(days=1))
        assert isinstance(interest, OpenInterest)
        assert interest.open_interest_qty == 81_234.5

    def test_of_a_dated_future_have_no_rate(self, tmp_path: Path) -> None:
        line: Line = (*seen("okex-futures", "BTC-USD-240329"), "", "", "", "", 42_001, "", 42_002)
        path = tardis(tmp_path, "derivative_ticker", "okex-futures", "BTC-USD-240329", [line])

        [ticker] = rows_of(path, tmp_path / "lake")

        assert type(ticker) is FutureTicker
        assert (ticker.last_px, ticker.index_px, ticker.mark_px) == (42_001.0, None, 42_002.0)

    def test_of_kraken_tell_no_rate_while_it_was_an_amount_a_contract(self, tmp_path: Path) -> None:
        """0.9 dollars a contract, read as a decimal, would be 90 % an hour."""
        day = datetime(2022, 9, 28, tzinfo=UTC)
        at_us = 1_664_323_200_000_000  # its midnight
        line: Line = (*seen("cryptofacilities", "PI_XBTUSD", at_us), "", 0.9, "", 100, 19_000, 19_001, 19_002)
        path = tardis(tmp_path, "derivative_ticker", "cryptofacilities", "PI_XBTUSD", [line])
        before = path.rename(path.with_name(path.name.replace("2024-01-14", f"{day:%Y-%m-%d}")))

        ticker = rows_of(before, tmp_path / "lake")[0]

        assert isinstance(ticker, PerpTicker)
        assert (ticker.funding_rate, ticker.mark_px) == (None, 19_002.0)


class TestOptionChains:
    def line(self, exchange: str, symbol: str, vol: float) -> Line:
        expiry_us = 1_711_699_200_000_000  # 2024-03-29T08:00Z
        return (
            *(*seen(exchange, symbol), "call", 50_000, expiry_us, 321.5, 0.05, 0.049, 10, vol, 0.051, "", ""),
            *(0.05, vol + 1, "SYN.BTC-29MAR24", 43_000.5, 0.4, 0.00002, 70.5, -20.25, 30.1),
        )

    def test_of_deribit_are_percent_and_their_underlying_is_the_forward(self, tmp_path: Path) -> None:
        path = tardis(
            tmp_path, "options_chain", "deribit", "OPTIONS", [self.line("deribit", "BTC-29MAR24-50000-C", 55.5)]
        )

        quote, interest = rows_of(path, tmp_path / "lake")

        assert isinstance(quote, OptionQuote)
        assert (quote.bid_px, quote.bid_qty, quote.ask_px, quote.ask_qty) == (0.049, 10.0, None, None)
        assert (quote.bid_iv_ann, quote.mark_iv_ann, quote.ask_iv_ann) == (0.555, 0.565, None)
        assert (quote.forward_px, quote.index_px) == (43_000.5, None)
        assert (quote.delta, quote.gamma, quote.vega, quote.theta) == (0.4, 0.00002, 70.5, -20.25)
        assert isinstance(interest, OpenInterest)
        assert interest.open_interest_qty == 321.5

    def test_of_okx_are_decimals_their_underlying_is_the_index_and_greeks_in_coin_are_left_out(
        self, tmp_path: Path
    ) -> None:
        line = self.line("okex-options", "BTC-USD-240329-50000-C", 0.5)
        path = tardis(tmp_path, "options_chain", "okex-options", "OPTIONS", [line])

        quote = rows_of(path, tmp_path / "lake")[0]

        assert isinstance(quote, OptionQuote)
        assert (quote.bid_iv_ann, quote.mark_iv_ann) == (0.5, 1.5)
        assert (quote.forward_px, quote.index_px) == (None, 43_000.5)
        assert (quote.delta, quote.gamma, quote.vega, quote.theta) == (None, None, None, None)


class TestBookSnapshots:
    @pytest.mark.parametrize("levels", [5, 25])
    def test_have_their_levels_in_order_and_only_those_that_exist(self, tmp_path: Path, levels: int) -> None:
        cells: list[str | int | float] = []
        for n in range(levels):
            cells += [42_001 + n, n + 1, 42_000 - n, n + 2] if n < levels - 1 else ["", "", 41_000, 7]
        path = tardis(
            tmp_path, f"book_snapshot_{levels}", "binance", "BTCUSDT", [(*seen("binance", "BTCUSDT"), *cells)]
        )

        [book] = rows_of(path, tmp_path / "lake")

        assert isinstance(book, OrderBook)
        assert book.ask_px == tuple(42_001.0 + n for n in range(levels - 1))
        assert book.ask_qty == tuple(n + 1.0 for n in range(levels - 1))
        assert book.bid_px == (*(42_000.0 - n for n in range(levels - 1)), 41_000.0)
        assert book.bid_qty == (*(n + 2.0 for n in range(levels - 1)), 7.0)


class TestLiquidations:
    @pytest.mark.parametrize(
        ("exchange", "symbol", "px_source", "is_sampled"),
        [
            ("binance-futures", "BTCUSDT", "fill", True),
            ("deribit", "BTC-PERPETUAL", "fill", False),
            ("okex-swap", "BTC-USDT-SWAP", "bankruptcy", False),
            ("bybit", "BTCUSDT", "bankruptcy", True),
            ("bitmex", "XBTUSD", "order", False),
            ("cryptofacilities", "PI_XBTUSD", "fill", False),
        ],
    )
    def test_say_whose_order_it_was_and_what_its_price_is(
        self, tmp_path: Path, exchange: str, symbol: str, px_source: str, is_sampled: bool
    ) -> None:
        """`buy` closes a short."""
        path = tardis(tmp_path, "liquidations", exchange, "X", [(*seen(exchange, symbol), "", "buy", 42_000, 3)])

        [row] = rows_of(path, tmp_path / "lake")

        assert isinstance(row, Liquidation)
        assert (row.side, row.px, row.qty, row.liquidation_id) == ("buy", 42_000.0, 3.0, None)
        assert (row.px_source, row.is_sampled) == (px_source, is_sampled)
        assert row.event_ts == AT


class TestNames:
    def test_a_file_is_known_by_its_name_or_by_the_folders_of_the_api(self) -> None:
        named = TardisFile.named(Path("deribit_trades_2019-11-01_BTC-PERPETUAL.csv.gz"))
        placed = TardisFile.named(Path("/data/deribit/trades/2019/11/01/BTC-PERPETUAL.csv.gz"))

        assert named == placed
        assert named.path == "/v1/deribit/trades/2019/11/01/BTC-PERPETUAL.csv.gz"
        assert named.period == (datetime(2019, 11, 1, tzinfo=UTC), datetime(2019, 11, 2, tzinfo=UTC))

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("trades.csv.gz", "not a name of Tardis's"),
            ("deribit_trades_2024-01-14_X.csv", "not a name of Tardis's"),
            ("ftx_trades_2024-01-14_X.csv.gz", "exchange ftx: no venue here"),
            ("huobi-dm_trades_2024-01-14_BTC_CW.csv.gz", "BTC_CW"),
            ("deribit_candles_2024-01-14_X.csv.gz", "kind candles: unknown (expected one of trades"),
            ("deribit_trades_2024-02-30_X.csv.gz", "day"),
            ("coinbase_liquidations_2024-01-14_X.csv.gz", "does not tell at what price"),
            ("bitfinex-derivatives_liquidations_2024-01-14_X.csv.gz", "does not tell at what price"),
            ("kucoin_trades_2024-01-14_X.csv.gz", "could count twice"),
            ("gate-io-futures_trades_2024-01-14_X.csv.gz", "its clock counts whole seconds"),
        ],
    )
    def test_what_cannot_be_taken_is_refused_by_its_name(self, name: str, reason: str) -> None:
        with pytest.raises(Refused, match="^" + name.partition(".")[0].replace("(", r"\(")) as refused:
            TardisFile.named(Path(name))

        assert reason in refused.value.reason

    def test_every_exchange_is_a_venue_here(self) -> None:
        assert {exchange.venue for exchange in EXCHANGES.values()} <= set(VENUES)
