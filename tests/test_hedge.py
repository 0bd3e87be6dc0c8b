"""`barograph hedge` holds a file of positions against a published hour of the built-in exchange."""

import json
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from orchestration.cli import app, main
from orchestration.hedge_costs import Hedge
from orchestration.settings import Settings
from tests.world import read

BOOK_CSV = """venue,symbol,quantity,entry,kind
deribit,BTC-PERPETUAL,-150000,97500,
binance_usdm,BTCUSDT,0.5,97000,
deribit,BTC-27MAR26-100000-C,2.5,0.031,
okx,ETH-USD-SWAP,-500,3400,
bybit,ETHUSDT,-2,3400,perp
binance_coinm,ETHUSD_PERP,10,3400,
"""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.csv"
    path.write_text(BOOK_CSV)
    return path


@pytest.fixture
def told(good_hour: Settings, book: Path) -> dict[str, Any]:
    """The answer for programs, of a published hour of the built-in exchange."""
    done = CliRunner().invoke(app, ["hedge", str(book), "--format", "json", "--lake-uri", good_hour.lake_uri])
    assert done.exit_code == 0, done.output
    answer: dict[str, Any] = json.loads(done.output)
    return answer


class TestAPublishedHour:
    def test_prices_are_the_newest_and_say_how_old_they_are(self, told: dict[str, Any], good_hour: Settings) -> None:
        [(px, captured_ts)] = read(
            good_hour,
            "select mid_px, captured_ts from fct_market_impact where symbol = 'BTC-PERPETUAL' and order_usd = 10000 "
            "order by captured_ts desc limit 1",
        )
        first = told["positions"][0]
        age = datetime.fromisoformat(told["as_of"]) - captured_ts

        assert told["utc_hour"] == "2026-03-04T10:00:00Z"
        assert (first["worth"]["px"], first["worth"]["pnl_usd"]) == pytest.approx((px, -150_000 * (px / 97_500 - 1)))
        assert timedelta(seconds=first["px_age_s"]) == age

    def test_an_options_greeks_are_those_of_its_table(self, told: dict[str, Any], good_hour: Settings) -> None:
        [greeks] = read(
            good_hour,
            "select 2.5 * coin_delta_frac, 2.5 * coin_gamma_per_usd, 2.5 * vega_usd, 2.5 * theta_usd "
            "from fct_implied_vol where symbol = 'BTC-27MAR26-100000-C' and venue = 'deribit' "
            "order by captured_ts desc limit 1",
        )
        option = told["positions"][2]["worth"]

        assert tuple(
            option[name] for name in ("delta_base", "gamma_base_per_usd", "vega_usd", "theta_usd")
        ) == pytest.approx(greeks)

    def test_totals_are_sums_per_underlying(self, told: dict[str, Any]) -> None:
        btc, eth = told["totals"]
        worths = [each["worth"] for each in told["positions"]]

        assert [(each["underlying"], each["positions_count"], each["unmeasured_count"]) for each in (btc, eth)] == [
            ("BTC", 3, 0),
            ("ETH", 3, 0),
        ]
        for figure in ("value_usd", "pnl_usd", "delta_base", "vega_usd"):
            assert btc[figure] == pytest.approx(sum(each[figure] for each in worths[:3])), figure
        assert btc["shocks_usd"]["-0.2"] == pytest.approx(sum(each["shocks"][0]["pnl_usd"] for each in worths[:3]))

    def test_a_dollar_is_not_taken_for_a_stablecoin(self, told: dict[str, Any]) -> None:
        linear = told["positions"][1]["worth"]
        rate = linear["value_usd"] / (0.5 * linear["px"])

        assert 0.99 < rate < 1.01
        assert rate != 1

    def test_funding_is_paid_by_the_long_a_day(self, told: dict[str, Any], good_hour: Settings) -> None:
        [(rate,)] = read(
            good_hour,
            "select rate_per_hour from fct_funding where symbol = 'BTC-PERPETUAL' and is_predicted",
        )

        assert told["positions"][0]["carry_usd_per_day"] == pytest.approx(150_000 * rate * 24)

    def test_tiers_are_those_that_the_venue_told_in_the_hour_or_else_the_seeds(self, told: dict[str, Any]) -> None:
        """Ten times leverage, half a percent to keep: from 3,400 up by 9.5 % of it, of an inverse short of its coin."""
        deribit, _, _, okx, bybit, _ = told["positions"]

        assert 0.05 < deribit["margin_call_move_frac"] < 0.15
        assert bybit["margin_call_px"] == pytest.approx(3_400 * 1.095)
        assert okx["margin_call_px"] == pytest.approx(3_400 / (1 - 0.095))

    def test_tiers_that_nobody_published_are_a_reason(self, told: dict[str, Any]) -> None:
        *_, unknown = told["positions"]

        assert (unknown["margin_call_px"], unknown["margin_reason"]) == (None, "no tiers known of this contract")

    def test_five_hedges_are_ranked_and_each_takes_the_delta(self, told: dict[str, Any]) -> None:
        for total in told["totals"]:
            hedges = [msgspec.convert(each, Hedge) for each in total["hedges"]]
            assert len(hedges) == 5
            assert [each.cost_bps for each in hedges] == sorted(each.cost_bps for each in hedges)
            for each in hedges:
                assert each.is_full
                assert abs(each.residual_delta_base) < 0.01 * abs(total["delta_base"])
                assert each.cost_usd == pytest.approx(each.slippage_usd + each.fee_usd + each.carry_usd)
                assert each.slippage_usd > 0
                assert each.fee_usd > 0

    def test_it_is_for_people_too(self, good_hour: Settings, book: Path) -> None:
        shown = CliRunner().invoke(app, ["hedge", str(book), "--lake-uri", good_hour.lake_uri]).output

        for part in ("2026-03-04T10:00Z", "Positions", "Totals", "P&L of a shock now", "Cheapest hedges of"):
            assert part in shown

    @pytest.mark.parametrize(
        ("arguments", "spoilt", "expected"),
        [
            (
                [],
                lambda text: text.replace("97500", "cheap"),
                "book.csv line 2: entry 'cheap' (expected a finite number)",
            ),
            ([], lambda text: text.replace("PERPETUAL", "PERPETUA"), "perhaps BTC-PERPETUAL"),
            (
                [],
                lambda text: text.replace("27MAR26", "27FEB26"),
                "line 4: deribit 'BTC-27FEB26-100000-C' expired at 2026-02-27T08:00Z, before 2026-03-04T10:00Z",
            ),
            (["--format", "xml"], str, "--format 'xml': unknown (expected table, json)"),
        ],
    )
    def test_bad_input_is_one_clear_line(
        self,
        good_hour: Settings,
        book: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        arguments: list[str],
        spoilt: Callable[[str], str],
        expected: str,
    ) -> None:
        book.write_text(spoilt(BOOK_CSV))
        monkeypatch.setattr(
            sys, "argv", ["barograph", "hedge", str(book), *arguments, "--lake-uri", good_hour.lake_uri]
        )
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr().err

        assert ended.value.code == 1
        assert expected in told
        assert len(told.strip().splitlines()) == 1
