"""What positions are worth, what moves them, where margin ends, what a hedge costs, and how a file of them is read."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import QuantLib

from orchestration.hedge import hold
from orchestration.hedge_costs import Candidate, Depth, LeftOut, best_hedges, carry_per_day, hedge_with
from orchestration.hedge_market import Market
from orchestration.margin_calls import NoMarginCall, Tier, margin_call_px
from orchestration.position_file import BadPosition, read_positions
from orchestration.positions import Position, Price, Terms, Unmeasurable, Vol, Worth, worth_of

TS = datetime(2026, 3, 4, 10, 45, tzinfo=UTC)
LINEAR = Terms("v", "perp", "L", "BTC", "USDT", "USDT", None, "base", 1.0, 0.001, None, False, False, None)
INVERSE = msgspec.structs.replace(
    LINEAR, symbol="I", quote_asset="USD", settle_asset="BTC", amount_unit="usd", lot_size_qty=10.0, is_inverse=True
)
COIN_CALL = msgspec.structs.replace(
    INVERSE, kind="option", symbol="C", option_type="call", amount_unit="base", strike_px=40_000.0, lot_size_qty=0.1
)
DOLLAR_PUT = msgspec.structs.replace(LINEAR, kind="option", symbol="P", option_type="put", strike_px=100.0)
# The row of Deribit that docs/metrics/implied-volatility.md works by hand: a mark of 0.2169 coin.
DERIBIT = Vol(TS, 39_165.86, 0.608558, None, 0.882499, 0.598312, 0.381412, 1.8e-5, 8e-6, 142.3, -13.4)
DEPTHS = (Depth(1e4, 1.0, 1.0), Depth(1e5, 2.0, 2.0), Depth(1e6, 5.0, None))
BOOK = Candidate(LINEAR, 50_000.0, TS, DEPTHS, 1.0, 0.0005, -0.0001, None)


def worth(
    terms: Terms, quantity: float, entry: float, price: Price | Vol | None, usd_rate: float | None = 1.0
) -> Worth:
    return worth_of(Position(2, terms, quantity, entry), price, usd_rate)


def at(px: float) -> Price:
    return Price(px, "mid", TS)


def quantlib(terms: Terms, forward: float, vol: float, years: float) -> float:
    kind = QuantLib.Option.Call if terms.option_type == "call" else QuantLib.Option.Put
    return float(QuantLib.blackFormula(kind, terms.strike_px, forward, vol * math.sqrt(years)))


class TestWorth:
    def test_linear_profit_is_coins_times_the_move_at_the_observed_rate(self) -> None:
        """Two coins from 50,000 to 51,000 USDT, a USDT at 0.999 dollars."""
        found = worth(LINEAR, 2, 50_000, at(51_000), 0.999)

        assert (found.value_usd, found.pnl_usd, found.delta_base) == pytest.approx((101_898, 1_998, 2))
        assert [shock.pnl_usd for shock in found.shocks] == pytest.approx(
            [-20_379.6, -10_189.8, -5_094.9, 5_094.9, 10_189.8, 20_379.6]
        )

    def test_contracts_are_turned_by_their_size(self) -> None:
        terms = msgspec.structs.replace(LINEAR, amount_unit="contracts", contract_size=0.01)

        assert worth(terms, -100, 50_000, at(49_000)).pnl_usd == pytest.approx(1_000)

    def test_inverse_profit_is_coin_and_concave_in_the_price(self) -> None:
        """10,000 dollars from 50,000 to 40,000: 0.2 - 0.25 coin, 2,000 dollars there; at 32,000 another 0.0625 coin."""
        found = worth(INVERSE, 10_000, 50_000, at(40_000))
        fall, rise = found.shocks[0], found.shocks[-1]

        assert (found.pnl_base, found.pnl_usd) == pytest.approx((-0.05, -2_000))
        assert (found.value_usd, found.delta_base, found.gamma_base_per_usd) == pytest.approx((10_000, 0.25, -6.25e-6))
        assert (fall.pnl_base, fall.pnl_usd) == pytest.approx((-0.0625, -2_000))
        assert (rise.pnl_base, rise.pnl_usd) == pytest.approx((0.25 - 10_000 / 48_000, 2_000))

    def test_inverse_contracts_of_100_dollars_are_the_same_in_contracts(self) -> None:
        terms = msgspec.structs.replace(INVERSE, amount_unit="contracts", contract_size=100.0)

        assert worth(terms, 100, 50_000, at(40_000)) == worth(INVERSE, 10_000, 50_000, at(40_000))

    def test_a_quanto_pays_its_settlement_coin_a_point(self) -> None:
        """1e-6 coin a point, the coin at 50,000 dollars: ten contracts earn 0.5 a point."""
        terms = msgspec.structs.replace(LINEAR, amount_unit="contracts", contract_size=1e-6, is_quanto=True)

        assert worth(terms, 10, 3_000, at(3_100), 50_000).pnl_usd == pytest.approx(50)

    def test_a_premium_in_coin_is_profit_in_coin(self) -> None:
        """Two calls sold at 0.25, worth 0.2169: 0.0662 coin at the forward; the delta is the coin's."""
        found = worth(COIN_CALL, -2, 0.25, DERIBIT)

        assert found.px == pytest.approx(0.2169, abs=1e-6)
        assert (found.pnl_base, found.pnl_usd) == pytest.approx((0.0662, 0.0662 * 39_165.86), rel=1e-4)
        assert (found.delta_base, found.vega_usd, found.theta_usd) == (-2 * 0.381412, -284.6, 26.8)

    @pytest.mark.parametrize("index", range(6))
    def test_a_shock_revalues_a_coin_option_as_quantlib_does(self, index: int) -> None:
        shock = worth(COIN_CALL, -2, 0.25, DERIBIT).shocks[index]
        forwards = 39_165.86, 39_165.86 * (1 + shock.shock_frac)
        now, then = (quantlib(COIN_CALL, forward, 0.608558, 0.882499) / forward for forward in forwards)

        assert shock.pnl_base == pytest.approx(-2 * (then - now))
        assert shock.pnl_usd == pytest.approx(-2 * (then - now) * forwards[1])

    @pytest.mark.parametrize("index", range(6))
    def test_a_shock_revalues_a_dollar_option_as_quantlib_does(self, index: int) -> None:
        vol = Vol(TS, 100.0, 0.2, None, 0.5, -0.47, None, 0.028, None, 0.28, -0.015)
        shock = worth(DOLLAR_PUT, 3, 5, vol, 0.99).shocks[index]
        now, then = (quantlib(DOLLAR_PUT, forward, 0.2, 0.5) for forward in (100, 100 * (1 + shock.shock_frac)))

        assert (shock.pnl_usd, shock.pnl_base) == (pytest.approx(3 * (then - now) * 0.99), None)

    def test_the_delta_is_the_slope_of_the_shocks_of_both_kinds_of_coin_contract(self) -> None:
        """A small move of the ladder's own formula, by the delta and half the gamma."""
        for found, px in ((worth(INVERSE, 1e4, 5e4, at(4e4)), 4e4), (worth(COIN_CALL, 1, 0.2, DERIBIT), 39_165.86)):
            up, down = found.shocks[3].pnl_base, found.shocks[2].pnl_base

            assert up is not None
            assert down is not None
            assert (up - down) / 0.1 == pytest.approx(found.delta_base, rel=0.01), px

    @pytest.mark.parametrize(
        ("price", "usd_rate", "told"),
        [
            (None, 1.0, "no price in this hour"),
            (at(1), None, "no dollar rate of USDT was observed"),
            (
                msgspec.structs.replace(DERIBIT, mark_iv_ann=None, mark_iv_reason="below_intrinsic"),
                1.0,
                "below_intrinsic",
            ),
        ],
    )
    def test_what_cannot_be_measured_says_why(
        self, price: Price | Vol | None, usd_rate: float | None, told: str
    ) -> None:
        with pytest.raises(Unmeasurable, match=told):
            worth(DOLLAR_PUT, 1, 1, price, usd_rate)


class TestMarginCalls:
    """The figures that docs/metrics/risk.md works by hand: maintenance 0.4 %."""

    TIER = Tier("v", "perp", "L", "usd", 0, 1e6, 0.008, 0.004, 0, 0)

    @pytest.mark.parametrize(
        ("terms", "quantity", "leverage", "expected"),
        [
            (LINEAR, 1, 20, 47_700),
            (LINEAR, -1, 20, 52_300),
            (INVERSE, 10_000, 20, 47_801.15),
            (INVERSE, -10_000, 5, 62_189.05),
        ],
    )
    def test_come_where_equity_is_the_maintenance_margin(
        self, terms: Terms, quantity: float, leverage: float, expected: float
    ) -> None:
        tier = msgspec.structs.replace(self.TIER, symbol=terms.symbol)

        assert margin_call_px(Position(2, terms, quantity, 50_000), [tier], leverage) == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("terms", "quantity", "leverage", "told"),
        [
            (LINEAR, 1, 200, "leverage up to 125, not 200"),
            (LINEAR, 21, 5, "of this size"),
            (INVERSE, 1, 5, "of this contract"),
            (DOLLAR_PUT, 1, 5, "of options"),
            (msgspec.structs.replace(LINEAR, kind="spot"), 1, 5, "spot has no margin"),
        ],
    )
    def test_are_null_with_a_reason(self, terms: Terms, quantity: float, leverage: float, told: str) -> None:
        with pytest.raises(NoMarginCall, match=told):
            margin_call_px(Position(2, terms, quantity, 50_000), [self.TIER], leverage)


class TestHedges:
    def test_cost_is_slippage_and_fee_less_what_the_hedge_earns(self) -> None:
        """1.1 coins are 55,000 dollars: halfway from 1 to 20 dollars of slippage, 27.5 of fees, 7 bps earned."""
        found = hedge_with(BOOK, 1.1, 7)

        assert (found.side, found.quantity, found.residual_delta_base) == ("sell", 1.1, pytest.approx(0))
        assert (found.slippage_usd, found.fee_usd, found.carry_usd) == pytest.approx((10.5, 27.5, -38.5))
        assert (found.cost_usd, found.cost_bps) == pytest.approx((-0.5, -0.5 / 5.5))

    def test_a_bought_hedge_pays_the_funding_that_a_sold_one_gets(self) -> None:
        assert hedge_with(BOOK, -1.1, 7).carry_usd == pytest.approx(38.5)

    def test_a_future_rolls_to_spot_by_its_expiry_and_no_further(self) -> None:
        """1 % rich with five days left: who is short keeps 1 / 101 of the value however long the horizon."""
        terms = msgspec.structs.replace(LINEAR, kind="future")
        rolled = carry_per_day(terms, None, 0.01, 5.0)
        future = msgspec.structs.replace(BOOK, terms=terms, carry_per_day_frac=rolled, days_to_expiry=5.0)

        found = [hedge_with(future, 1.1, days) for days in (2.5, 5, 30)]

        assert [hedge.carry_usd for hedge in found] == pytest.approx([-55_000 / 202, -55_000 / 101, -55_000 / 101])
        assert [hedge.note for hedge in found] == [None, None, "expires after 5.0 days"]

    def test_the_order_is_whole_lots_and_the_rest_is_told(self) -> None:
        inverse = msgspec.structs.replace(BOOK, terms=INVERSE)
        found = hedge_with(inverse, 0.50003, 7)

        assert (found.quantity, found.amount_unit) == (25_000, "usd")
        assert found.residual_delta_base == pytest.approx(0.00003)

    def test_an_order_ends_where_the_book_is_known_to(self) -> None:
        """The bids hold 100,000 dollars, the asks a million."""
        sold, bought = hedge_with(BOOK, 3, 7), hedge_with(BOOK, -3, 7)

        assert (sold.quantity, sold.is_full, sold.residual_delta_base) == (2, False, 1)
        assert (sold.slippage_usd, bought.quantity, bought.is_full) == (pytest.approx(20), 3, True)

    def test_a_price_in_another_coin_is_held_to_depth_in_dollars(self) -> None:
        """Coins at 0.04 BTC of 62,500 dollars: 22 are 55,000 dollars, and the bids end at 40."""
        terms = msgspec.structs.replace(LINEAR, kind="spot", underlying="ETH", quote_asset="BTC", settle_asset="BTC")
        pair = msgspec.structs.replace(BOOK, terms=terms, mid_px=0.04, usd_rate=62_500.0, carry_per_day_frac=0.0)
        held, beyond = hedge_with(pair, 22, 7), hedge_with(pair, 100, 7)

        assert (held.notional_usd, held.slippage_usd, held.fee_usd) == pytest.approx((55_000, 10.5, 27.5))
        assert (beyond.quantity, beyond.is_full, beyond.slippage_usd) == (40, False, pytest.approx(20))

    def test_a_price_in_another_coin_leaves_a_delta_in_that_coin(self) -> None:
        """22 coins at 0.04 BTC: who sells them is 0.88 BTC longer."""
        terms = msgspec.structs.replace(LINEAR, kind="spot", underlying="ETH", quote_asset="BTC", settle_asset="BTC")
        pair = msgspec.structs.replace(BOOK, terms=terms, mid_px=0.04, usd_rate=62_500.0)

        assert hedge_with(pair, 22, 7).note == "needs the coin in stock; leaves +0.88 BTC"
        assert hedge_with(pair, -22, 7).note == "leaves -0.88 BTC"

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"taker_fee_frac": None}, "fee not known"),
            ({"carry_per_day_frac": None}, "carry not known"),
            ({"usd_rate": None}, "no price in dollars"),
            ({"depths": (Depth(1e4, 1.0, None),)}, "book does not hold the smallest size"),
            ({"terms": msgspec.structs.replace(LINEAR, is_quanto=True)}, "quanto"),
            ({"terms": msgspec.structs.replace(LINEAR, lot_size_qty=10.0)}, "delta is under half a lot"),
        ],
    )
    def test_what_is_no_hedge_is_left_out_and_counted(self, change: dict[str, Any], told: str) -> None:
        unfit = msgspec.structs.replace(BOOK, **change)

        found, left_out = best_hedges(1.1, [unfit, BOOK, unfit], 7)

        assert ([hedge.symbol for hedge in found], left_out) == (["L"], {told: 2})

    def test_full_hedges_come_first_then_the_cheaper(self) -> None:
        def listed(symbol: str, fee: float, depths: tuple[Depth, ...] = DEPTHS) -> Candidate:
            terms = msgspec.structs.replace(LINEAR, symbol=symbol)
            return msgspec.structs.replace(BOOK, terms=terms, taker_fee_frac=fee, depths=depths)

        shallow = listed("shallow", 0.0, DEPTHS[:1])
        found, _ = best_hedges(1.1, [listed(str(fee), fee) for fee in (0.3, 0.1, 0.2)] + [shallow], 7)

        assert [hedge.symbol for hedge in found] == ["0.1", "0.2", "0.3", "shallow"]

    def test_unknown_funding_is_not_taken_for_none(self) -> None:
        with pytest.raises(LeftOut, match="funding"):
            carry_per_day(LINEAR, None, 0.01, None)


SPOT = msgspec.structs.replace(LINEAR, kind="spot", symbol="BOTH")
MARKET = Market(
    TS.replace(minute=0),
    {each.key: each for each in (LINEAR, INVERSE, SPOT, msgspec.structs.replace(SPOT, kind="perp"))},
    *({}, {}, {}, {}, {}, {}, []),
)


class TestTotals:
    def test_what_cannot_be_measured_is_in_no_total_and_is_counted(self) -> None:
        """A linear contract at 51,000 without a funding rate, beside an inverse one without a price."""
        market = msgspec.structs.replace(MARKET, prices={LINEAR.key: at(51_000)}, usd_rates={"USDT": 1.0, "USD": 1.0})
        book = [Position(2, LINEAR, 2, 50_000), Position(3, INVERSE, 10_000, 50_000)]
        report = hold(book, market, leverage=10, horizon_days=7, now=TS + timedelta(minutes=5))
        [total] = report.totals

        assert [(each.reason, each.px_age_s) for each in report.positions] == [
            (None, 300),
            ("no price in this hour", None),
        ]
        assert (total.positions_count, total.unmeasured_count, total.carry_lacking_count) == (2, 1, 1)
        assert (total.pnl_usd, total.delta_base, total.carry_usd_per_day, total.hedges) == (2_000, 2, None, [])

    def test_of_nothing_measured_are_null(self) -> None:
        [total] = hold([Position(2, LINEAR, 2, 50_000)], MARKET, leverage=10, horizon_days=7, now=TS).totals

        assert (total.value_usd, total.delta_base, total.shocks_usd, total.hedges) == (None, None, None, [])

    def test_a_margin_call_that_the_price_has_passed_is_said(self) -> None:
        market = msgspec.structs.replace(
            MARKET, prices={LINEAR.key: at(40_000)}, usd_rates={"USDT": 1.0}, tiers=[TestMarginCalls.TIER]
        )
        [long, short] = hold(
            [Position(2, LINEAR, 1, 50_000), Position(3, LINEAR, -1, 50_000)],
            market,
            leverage=10,
            horizon_days=7,
            now=TS,
        ).positions

        assert (long.margin_call_px, long.margin_reason) == (45_200, "the price is beyond it already")
        assert (short.margin_call_px, short.margin_reason) == (pytest.approx(54_800), None)


class TestTheFile:
    @staticmethod
    def positions(tmp_path: Path, text: str | bytes) -> list[Position]:
        path = tmp_path / "book.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_positions(path, MARKET)

    def test_each_line_is_a_position_and_other_columns_are_let_be(self, tmp_path: Path) -> None:
        text = "\ufeffdesk,entry,quantity,symbol,venue\r\nx,50000,-1.5e0, L ,v\r\n\r\nx,51000,2,L,v\r\n"

        assert self.positions(tmp_path, text) == [Position(2, LINEAR, -1.5, 50_000), Position(4, LINEAR, 2, 51_000)]

    @pytest.mark.parametrize("quantity", ["1e-12", "-1e15"])
    @pytest.mark.parametrize("entry", ["1e-12", "1e15"])
    def test_the_smallest_and_the_largest_sizes_are_read(self, tmp_path: Path, quantity: str, entry: str) -> None:
        text = f"venue,symbol,quantity,entry\nv,L,{quantity},{entry}\n"

        assert self.positions(tmp_path, text) == [Position(2, LINEAR, float(quantity), float(entry))]

    def test_a_kind_says_which_of_two_is_meant(self, tmp_path: Path) -> None:
        text = "venue,symbol,quantity,entry,kind\nv,BOTH,1,1,spot\n"

        assert [each.terms for each in self.positions(tmp_path, text)] == [SPOT]

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", "line 1: no column venue, symbol, quantity, entry in '' (expected venue,symbol,quantity,entry"),
            ("Venue;Symbol\n", "line 1: no column venue, symbol, quantity, entry in 'Venue;Symbol' (expected"),
            ('venue,symbol,quantity,entry\nv,L,1,1\nv,"L"x,1,1\n', "after line 2: ',' expected after '\"' (expected"),
            (
                "venue,symbol,quantity,entry\nv,both,1,1\n",
                "is unknown at 2026-03-04T10:00Z (expected a symbol of dim_instruments, perhaps BOTH",
            ),
            ("venue,symbol,entry\nv,L,1\n", "line 1: no column quantity"),
            (
                "venue,symbol,quantity,entry,quantity\nv,L,1,1,2\n",
                "line 1: column quantity more than once (expected each",
            ),
            ("venue,symbol,quantity,entry\n", "no positions (expected at least one line"),
            ("venue,symbol,quantity,entry\nv,L,1,1\nv,L,nan,1\n", "line 3: quantity 'nan' (expected a finite number)"),
            ("venue,symbol,quantity,entry\nv,L,1e400,1\n", "line 2: quantity '1e400' (expected a finite"),
            ("venue,symbol,quantity,entry\nv,L,1_000,1\n", "line 2: quantity '1_000' (expected a finite"),
            ("venue,symbol,quantity,entry\nv,L,,1\n", "line 2: quantity '' (expected a finite"),
            ("venue,symbol,quantity,entry\nv,L,1,inf\n", "line 2: entry 'inf' (expected a finite"),
            ("venue,symbol,quantity,entry\nv,L,0.0,1\n", "line 2: quantity '0.0' (expected other than zero"),
            ("venue,symbol,quantity,entry\nv,L,1,-5\n", "line 2: entry '-5' (expected a price over zero)"),
            ("venue,symbol,quantity,entry\nv,L,-1e308,1\n", "line 2: quantity '-1e308' (expected a size of"),
            ("venue,symbol,quantity,entry\nv,L,1,1e-310\n", "line 2: entry '1e-310' (expected a size of 1e-12 to"),
            ("venue,symbol,quantity,entry\nv,L,1,2e15\n", "line 2: entry '2e15' (expected a size of 1e-12 to"),
            ("venue,symbol,quantity,entry\nv,L,1\n", "line 2: another number of fields"),
            ("venue,symbol,quantity,entry\nv,L,1,1,000\n", "line 2: another number of fields"),
            (
                "venue,symbol,quantity,entry\nw,L,1,1\n",
                "venue 'w' has no instruments at 2026-03-04T10:00Z (expected v)",
            ),
            ("venue,symbol,quantity,entry\nv,BOT,1,1\n", "line 2: 'v BOT' is unknown at 2026-03-04T10:00Z (expected a"),
            ("venue,symbol,quantity,entry\nv,BOTH,1,1\n", "'BOTH' is spot and perp (expected a column kind"),
            ("venue,symbol,quantity,entry,kind\nv,L,1,1,swap\n", "kind 'swap' (expected spot, perp, future, option"),
            ("venue,symbol,quantity,entry,kind\nv,L,1,1,spot\n", "'v spot L' is unknown"),
            (b"venue,symbol,quantity,entry\nv,\xff,1,1\n", "expected CSV in UTF-8"),
        ],
    )
    def test_what_cannot_be_is_one_line_with_place_value_and_expectation(
        self, tmp_path: Path, text: str | bytes, told: str
    ) -> None:
        with pytest.raises(BadPosition) as refused:
            self.positions(tmp_path, text)

        assert told in str(refused.value)
        assert "\n" not in str(refused.value)

    @pytest.mark.parametrize(("name", "told"), [("no.csv", "No such file or directory"), (".", "Is a directory")])
    def test_a_file_that_is_none_is_named(self, tmp_path: Path, name: str, told: str) -> None:
        with pytest.raises(BadPosition) as refused:
            read_positions(tmp_path / name, MARKET)

        assert str(refused.value) == f"{tmp_path / name}: {told} (expected a CSV of positions)"
