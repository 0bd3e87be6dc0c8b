"""Binance's public archive: every kind from a file in its documented format, to the rows that it stands for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingestion.records import (
    Candle,
    FundingRate,
    FutureTicker,
    IndexPrice,
    Liquidation,
    OpenInterest,
    OptionQuote,
    PerpTicker,
    Trade,
    VolatilityIndex,
)
from ingestion.venues import VENUES
from tests.imported import rejects_of, rows_of
from tests.vendor_files import DAY_US, HOUR_US, VISION_HEADERS, Line, vision

AT_MS = DAY_US // 1000 + 20 * 3_600_000 + 1_234  # 20:00:01.234
AT = datetime(2024, 1, 14, 20, 0, 1, 234_000, tzinfo=UTC)
HOUR = datetime(2024, 1, 14, 20, tzinfo=UTC)
MS = timedelta(milliseconds=1)


def instrument(market: str, symbol: str) -> dict[str, Any]:
    venue = {"spot": "binance_spot", "um": "binance_usdm", "cm": "binance_coinm"}[market]
    return {"venue": venue, "symbol": symbol, "kind": "spot" if market == "spot" else "perp"}


class TestTrades:
    @pytest.mark.parametrize(
        ("market", "symbol", "has_header"),
        [
            ("um", "BTCUSDT", True),
            ("um", "BTCUSDT", False),
            ("cm", "BTCUSD_PERP", True),
            ("cm", "BTCUSD_PERP", False),
            ("spot", "BTCUSDT", False),
        ],
    )
    def test_keep_their_ids_and_tell_the_taker(
        self, tmp_path: Path, market: str, symbol: str, has_header: bool
    ) -> None:
        """Where the buyer rested, the seller took. Files of spot never had a header, others not until 2021."""
        more = ("True",) if market == "spot" else ()
        lines: list[Line] = [
            (28_457, "42000.10", "0.500", "21000.05", AT_MS, "true", *more),
            (28_458, "42000.20", "0.250", "10500.05", AT_MS + 1, "false", *more),
        ]
        header = VISION_HEADERS[("trades", market)] if has_header else None
        path = vision(tmp_path, market, "trades", symbol, lines, header=header)

        rows = rows_of(path, tmp_path / "lake")

        who = instrument(market, symbol)
        assert rows == [
            Trade(**who, captured_ts=AT, event_ts=AT, trade_id="28457", px=42_000.1, qty=0.5, side="sell"),
            Trade(**who, captured_ts=AT + MS, event_ts=AT + MS, trade_id="28458", px=42_000.2, qty=0.25, side="buy"),
        ]

    @pytest.mark.parametrize("market", ["um", "spot"])
    def test_that_are_aggregates_say_so(self, tmp_path: Path, market: str) -> None:
        more = ("True",) if market == "spot" else ()
        line: Line = (26_129, "42000.10", "0.500", 27_781, 27_785, AT_MS, "false", *more)
        header = None if market == "spot" else VISION_HEADERS[("aggTrades", "um")]
        path = vision(tmp_path, market, "aggTrades", "BTCUSDT", [line], header=header)

        assert rows_of(path, tmp_path / "lake") == [
            Trade(
                **instrument(market, "BTCUSDT"), captured_ts=AT, event_ts=AT, trade_id="26129", px=42_000.1, qty=0.5,
                side="buy", is_aggregate=True,
            )
        ]  # fmt: skip

    def test_of_a_dated_future_are_of_one(self, tmp_path: Path) -> None:
        line: Line = (1, "43000", "1", "43000", AT_MS, "true")
        path = vision(tmp_path, "um", "trades", "BTCUSDT_240329", [line], header=VISION_HEADERS[("trades", "um")])

        assert [row.kind for row in rows_of(path, tmp_path / "lake")] == ["future"]

    def test_of_a_dated_future_in_busd_are_in_base_units(self, tmp_path: Path) -> None:
        """Neither in contracts nor of a coin BTCB, as a name of COIN-M would mean."""
        line: Line = (1, "35000.1", "0.5", "17500.05", AT_MS, "true")
        header = VISION_HEADERS[("trades", "um")]
        path = vision(tmp_path, "um", "trades", "BTCBUSD_210129", [line], header=header)

        [row] = rows_of(path, tmp_path / "lake")

        terms = VENUES[row.venue].terms(row.symbol, row.kind, row.captured_ts)
        assert isinstance(row, Trade)
        assert (row.venue, row.kind, row.qty) == ("binance_usdm", "future", 0.5)
        assert (terms.base_asset, terms.quote_asset, terms.is_inverse) == ("BTC", "BUSD", False)
        assert (terms.amount_unit, terms.contract_size) == ("base", 1.0)

    def test_of_spot_are_microseconds_since_2025(self, tmp_path: Path) -> None:
        """Both eras are told by their range."""
        at_us = 1_735_689_600_010_866  # 2025-01-01T00:00:00.010866Z, as in the documentation
        line: Line = (1, "93000.01", "0.1", "9300.001", at_us, "False", "True")
        path = vision(tmp_path, "spot", "trades", "BTCUSDT", [line], period="2025-01-01")

        [row] = rows_of(path, tmp_path / "lake")

        assert row.event_ts == datetime(2025, 1, 1, 0, 0, 0, 10_866, tzinfo=UTC)

    @pytest.mark.parametrize(
        "clock", [AT_MS // 1000, AT_MS * 1_000_000, 0, -AT_MS, 1_705_262_401, 1_512_345_678_901_234_567]
    )
    def test_with_a_clock_of_1970_or_50000_are_rejected(self, tmp_path: Path, clock: int) -> None:
        lines: list[Line] = [(1, "42000", "1", "42000", AT_MS, "true"), (2, "42000", "1", "42000", clock, "true")]
        path = vision(tmp_path, "um", "trades", "BTCUSDT", lines, header=VISION_HEADERS[("trades", "um")])

        [reject] = rejects_of(path, tmp_path / "lake")

        assert reject.rule == "timestamp"
        assert "neither in milliseconds nor in microseconds" in reject.reason

    @pytest.mark.parametrize(
        ("cells", "column"),
        [
            ((2, "nan", "1", "1", AT_MS, "true"), "price"),
            ((2, "0", "1", "1", AT_MS, "true"), "price"),
            ((2, "42000", "-1", "1", AT_MS, "true"), "qty"),
            ((2, "42000", "1", "1", AT_MS, "maybe"), "is_buyer_maker"),
            (("", "42000", "1", "1", AT_MS, "true"), "id"),
        ],
    )
    def test_a_field_that_is_none_names_its_column(self, tmp_path: Path, cells: Line, column: str) -> None:
        path = vision(tmp_path, "um", "trades", "BTCUSDT", [cells], header=VISION_HEADERS[("trades", "um")])

        [reject] = rejects_of(path, tmp_path / "lake")

        assert reject.rule == "schema"
        assert reject.reason.endswith(f"at `{column}`")


class TestBars:
    def bar(self, start_ms: int, length_ms: int, unit: int = 1) -> Line:
        end = (start_ms + length_ms) * unit - 1
        return (start_ms * unit, "42000", "42100", "41900", "42050", "12.5", end, "525000", 308, "6.5", "273000", "0")

    @pytest.mark.parametrize(("market", "volume_base"), [("um", 12.5), ("cm", 525_000.0)])
    def test_are_known_at_their_end_and_belong_to_their_start(
        self, tmp_path: Path, market: str, volume_base: float
    ) -> None:
        """COIN-M has contracts in `volume` and base coin in the eighth column."""
        symbol = "BTCUSD_PERP" if market == "cm" else "BTCUSDT"
        start_ms = DAY_US // 1000 + 20 * 3_600_000
        header = VISION_HEADERS[("klines", market)]
        lines = [self.bar(start_ms, 3_600_000)]
        path = vision(tmp_path, market, "klines", symbol, lines, interval="1h", header=header)

        assert rows_of(path, tmp_path / "lake") == [
            Candle(
                **instrument(market, symbol), captured_ts=HOUR + timedelta(hours=1), event_ts=HOUR, interval_s=3600,
                open_px=42_000.0, high_px=42_100.0, low_px=41_900.0, close_px=42_050.0, volume_base=volume_base,
            )
        ]  # fmt: skip
        assert {path.parent.name for path in (tmp_path / "lake").rglob("*.jsonl.zst")} == {"hour=20"}

    def test_of_a_month_in_microseconds(self, tmp_path: Path) -> None:
        start_ms = 1_738_368_000_000  # 2025-02-01
        lines = [self.bar(start_ms + n * 86_400_000, 86_400_000, unit=1000) for n in range(28)]
        path = vision(tmp_path, "spot", "klines", "BTCUSDT", lines, interval="1d", period="2025-02")

        rows = rows_of(path, tmp_path / "lake")

        assert [row.event_ts for row in rows] == [datetime(2025, 2, 1 + n, tzinfo=UTC) for n in range(28)]
        assert {row.interval_s for row in rows if isinstance(row, Candle)} == {86_400}
        assert rows[-1].captured_ts == datetime(2025, 3, 1, tzinfo=UTC)

    def test_that_do_not_last_as_their_file_says_are_rejected(self, tmp_path: Path) -> None:
        lines = [self.bar(DAY_US // 1000, 60_000)]
        path = vision(tmp_path, "spot", "klines", "BTCUSDT", lines, interval="1h")

        assert [reject.rule for reject in rejects_of(path, tmp_path / "lake")] == ["interval"]

    @pytest.mark.parametrize(("symbol", "ticker"), [("BTCUSDT", PerpTicker), ("BTCUSDT_240329", FutureTicker)])
    def test_of_the_mark_are_its_last_value(self, tmp_path: Path, symbol: str, ticker: type) -> None:
        header = VISION_HEADERS[("markPriceKlines", "um")]
        lines = [self.bar(AT_MS - 1_234, 60_000)]
        path = vision(tmp_path, "um", "markPriceKlines", symbol, lines, interval="1m", header=header)

        [row] = rows_of(path, tmp_path / "lake")

        assert type(row) is ticker
        assert isinstance(row, FutureTicker)
        assert (row.mark_px, row.last_px, row.index_px) == (42_050.0, None, None)
        assert row.captured_ts == row.event_ts == HOUR + timedelta(minutes=1) - MS

    @pytest.mark.parametrize(("market", "symbol", "quote"), [("um", "BTCUSDT", "USDT"), ("cm", "BTCUSD", "USD")])
    def test_of_the_index_are_its_last_value(self, tmp_path: Path, market: str, symbol: str, quote: str) -> None:
        header = VISION_HEADERS[("indexPriceKlines", market)]
        lines = [self.bar(AT_MS - 1_234, 60_000)]
        path = vision(tmp_path, market, "indexPriceKlines", symbol, lines, interval="1m", header=header)

        [row] = rows_of(path, tmp_path / "lake")

        assert isinstance(row, IndexPrice)
        assert (row.symbol, row.kind, row.base_asset, row.quote_asset) == (symbol, "spot", "BTC", quote)
        assert row.index_px == 42_050.0
        assert row.captured_ts == HOUR + timedelta(minutes=1) - MS


class TestFutures:
    def test_quotes_have_the_engines_clock_and_the_streams(self, tmp_path: Path) -> None:
        lines: list[Line] = [
            (5, "42000.1", "3.5", "42000.2", "0.5", AT_MS, AT_MS + 7),
            (6, "42000.3", "1.5", "42000.4", "0.6", AT_MS + 500, AT_MS + 507),
            (7, "42000.5", "0", "42000.6", "0.7", AT_MS + 900, AT_MS + 907),
        ]
        path = vision(tmp_path, "um", "bookTicker", "BTCUSDT", lines, header=VISION_HEADERS[("bookTicker", "um")])

        first, last = rows_of(path, tmp_path / "lake")

        assert isinstance(first, PerpTicker)
        assert (first.bid_px, first.bid_qty, first.ask_px, first.ask_qty) == (42_000.3, 1.5, 42_000.4, 0.6)
        assert (first.event_ts, first.captured_ts) == (AT + 500 * MS, AT + 507 * MS)
        assert isinstance(last, PerpTicker)
        assert (last.bid_px, last.bid_qty, last.ask_px) == (None, None, 42_000.6)

    def test_metrics_are_open_interest_even_that_of_the_next_midnight(self, tmp_path: Path) -> None:
        """Files of a day have been seen to end with the next one's first line."""
        lines: list[Line] = [
            ("2024-01-14 00:05:00", "BTCUSDT", "81234.500", "3411849000.0", "1.1", "1.2", "", "0.9"),
            ("2024-01-15 00:00:00", "BTCUSDT", "81300.000", "3414600000.0", "1.1", "1.2", "0.8", "0.9"),
        ]
        path = vision(tmp_path, "um", "metrics", "BTCUSDT", lines, header=VISION_HEADERS[("metrics", "um")])

        assert rows_of(path, tmp_path / "lake") == [
            OpenInterest(
                **instrument("um", "BTCUSDT"), captured_ts=at, event_ts=at, open_interest_qty=qty
            )
            for at, qty in (
                (datetime(2024, 1, 14, 0, 5, tzinfo=UTC), 81_234.5),
                (datetime(2024, 1, 15, tzinfo=UTC), 81_300.0),
            )
        ]  # fmt: skip

    def test_metrics_of_another_symbol_are_rejected(self, tmp_path: Path) -> None:
        line: Line = ("2024-01-14 00:05:00", "ETHUSDT", "1", "1", "1", "1", "1", "1")
        path = vision(tmp_path, "um", "metrics", "BTCUSDT", [line], header=VISION_HEADERS[("metrics", "um")])

        assert [reject.rule for reject in rejects_of(path, tmp_path / "lake")] == ["contradiction"]

    def test_funding_states_its_interval(self, tmp_path: Path) -> None:
        line: Line = (AT_MS, 4, "-0.00012500")
        header = VISION_HEADERS[("fundingRate", "um")]
        path = vision(tmp_path, "um", "fundingRate", "BTCUSDT", [line], header=header, period="2024-01")

        assert rows_of(path, tmp_path / "lake") == [
            FundingRate(
                **instrument("um", "BTCUSDT"), captured_ts=AT, event_ts=AT, funding_rate=-0.000125,
                funding_interval_s=14_400,
            )
        ]  # fmt: skip

    @pytest.mark.parametrize("names_symbol", [True, False])
    def test_liquidations_are_what_was_filled(self, tmp_path: Path, names_symbol: bool) -> None:
        """Files without a header name the symbol in the second column."""
        more = ("BTCUSD_PERP",) if names_symbol else ()
        line: Line = (AT_MS, *more, "SELL", "LIMIT", "IOC", "7", "41500.0", "41600.5", "FILLED", "2", "7")
        header = None if names_symbol else VISION_HEADERS[("liquidationSnapshot", "cm")]
        path = vision(tmp_path, "cm", "liquidationSnapshot", "BTCUSD_PERP", [line, line], header=header)

        rows = rows_of(path, tmp_path / "lake")

        assert rows == 2 * [
            Liquidation(
                **instrument("cm", "BTCUSD_PERP"), captured_ts=AT, event_ts=AT, side="sell", px=41_600.5,
                px_source="fill", qty=7.0, is_sampled=True,
            )
        ]  # fmt: skip

    def test_a_liquidation_of_which_nothing_was_filled_is_none(self, tmp_path: Path) -> None:
        line: Line = (AT_MS, "SELL", "LIMIT", "IOC", "7", "41500.0", "0", "EXPIRED", "0", "0")
        header = VISION_HEADERS[("liquidationSnapshot", "cm")]
        path = vision(tmp_path, "cm", "liquidationSnapshot", "BTCUSD_PERP", [line], header=header)

        assert [reject.rule for reject in rejects_of(path, tmp_path / "lake")] == ["not_filled"]


class TestOptions:
    def test_the_volatility_index_is_percent(self, tmp_path: Path) -> None:
        line: Line = (AT_MS, "BTCBVOLUSDT", "BTCBVOL", "USDT", "54.0601")
        header = VISION_HEADERS[("BVOLIndex", "option")]
        path = vision(tmp_path, "option", "BVOLIndex", "BTCBVOLUSDT", [line], header=header)

        assert rows_of(path, tmp_path / "lake") == [
            VolatilityIndex(
                venue="binance_options", symbol="BTCBVOLUSDT", kind="option", captured_ts=AT, event_ts=AT,
                base_asset="BTC", close_iv_ann=0.540601,
            )
        ]  # fmt: skip

    def test_a_summary_tells_the_hour_as_it_ended(self, tmp_path: Path) -> None:
        line: Line = (
            *("2024-01-14", 20, "BTC-240329-50000-C", "BTCUSDT", "C", "240329-50000", "900", "950", "880", "940"),
            *("1.5", "1400", "930", "945", "2.5", "0E-8", "0.55", "", "938", "0.56", "0.41", "0.00002", "70.5", "-20"),
            *("321.5", "300000"),
        )
        header = VISION_HEADERS[("EOHSummary", "option")]
        path = vision(tmp_path, "option", "EOHSummary", "BTCUSDT", [line], header=header)

        quote, interest = rows_of(path, tmp_path / "lake")

        end = HOUR + timedelta(hours=1) - timedelta(microseconds=1)
        who: dict[str, Any] = {"venue": "binance_options", "symbol": "BTC-240329-50000-C", "kind": "option"}
        assert quote == OptionQuote(
            **who, captured_ts=end, event_ts=None, bid_px=930.0, bid_qty=2.5, ask_px=None, ask_qty=None,
            mark_px=938.0, last_px=940.0, bid_iv_ann=0.55, mark_iv_ann=0.56, delta=0.41, gamma=0.00002, vega=70.5,
            theta=-20.0,
        )  # fmt: skip
        assert interest == OpenInterest(**who, captured_ts=end, event_ts=None, open_interest_qty=321.5)

    def test_a_summary_without_a_quote_says_nothing_of_it(self, tmp_path: Path) -> None:
        line: Line = (
            *("2024-01-14", "07", "BTC-240329-50000-P", "BTCUSDT", "P", "240329-50000", "", "", "", "", "0E-8"),
            *("0E-8", "0", "0", "0", "0", "", "-1", "938", "0.56", "-0.41", "0.00002", "70.5", "-20", "", ""),
        )
        header = VISION_HEADERS[("EOHSummary", "option")]
        path = vision(tmp_path, "option", "EOHSummary", "BTCUSDT", [line], header=header)

        [quote] = rows_of(path, tmp_path / "lake")

        assert isinstance(quote, OptionQuote)
        assert (quote.bid_px, quote.ask_px, quote.last_px, quote.ask_iv_ann) == (None, None, None, None)
        assert quote.captured_ts == datetime(2024, 1, 14, 7, 59, 59, 999_999, tzinfo=UTC)


def test_the_clock_of_the_generator_is_the_one_of_these_tests() -> None:
    assert datetime.fromtimestamp((DAY_US + 20 * HOUR_US) / 1e6, UTC) == HOUR
