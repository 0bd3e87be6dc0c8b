"""Implied vols price back to the quote they came from, on the expiry's own forward, or say why there are none.

The second opinions are QuantLib and a Black-76 written here.
"""

import math
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813
from hypothesis import assume, given
from hypothesis import strategies as st

from ingestion.estimators.implied_vols import REASONS, SCHEMA, implied_vol, implied_vols
from ingestion.hours import hour_of
from ingestion.records import Instrument, OptionQuote
from tests.toy_hour import to_table

OptionType = Literal["call", "put"]

CAPTURED = datetime(2023, 11, 10, 5, 18, 31, 632_000, tzinfo=UTC)
EXPIRY = datetime(2024, 9, 27, 8, tzinfo=UTC)
DERIBIT = "BTC-27SEP24-40000-C"


def black(forward_px: float, strike_px: float, total_vol: float, *, is_call: bool) -> float:
    """Undiscounted Black-76, by the complementary error function: it keeps its digits in the wings."""

    def normal(x: float) -> float:
        return 0.5 * math.erfc(-x / math.sqrt(2))

    d1 = math.log(forward_px / strike_px) / total_vol + total_vol / 2
    if is_call:
        return forward_px * normal(d1) - strike_px * normal(d1 - total_vol)
    return strike_px * normal(total_vol - d1) - forward_px * normal(-d1)


def solve(premium: float, forward: float, strike: float, years: float, *, is_call: bool) -> tuple[float, str | None]:
    vols, reasons = implied_vol(
        np.array([premium]), np.array([forward]), np.array([strike]), np.array([years]), np.array([is_call])
    )
    return float(vols[0]), reasons[0]


def option(symbol: str, strike_px: float, option_type: OptionType, **more: Any) -> Instrument:
    terms = {"venue": "deribit", "quote_asset": "USD", "settle_asset": "BTC", "is_inverse": True, "expiry_ts": EXPIRY}
    return Instrument(
        symbol=symbol, kind="option", captured_ts=CAPTURED, base_asset="BTC", contract_size=1.0, amount_unit="base",
        strike_px=strike_px, option_type=option_type, terms_source="documented", **{**terms, **more},
    )  # fmt: skip


def quote(symbol: str, **prices: Any) -> OptionQuote:
    who = {"venue": "deribit", "captured_ts": CAPTURED}
    return OptionQuote(symbol=symbol, kind="option", **{**who, **prices})


def estimate(quotes: list[OptionQuote], instruments: list[Instrument]) -> dict[str, dict[str, Any]]:
    """The estimator's rows by symbol."""
    hour = hour_of(CAPTURED)
    table = implied_vols(to_table(OptionQuote, hour, quotes), to_table(Instrument, hour, instruments))
    assert table.schema == SCHEMA
    return {row["symbol"]: row for row in table.to_pylist()}


# A real quote, with what the venue itself said.


@pytest.fixture(scope="module")
def real() -> dict[str, Any]:
    quotes = [quote(DERIBIT, mark_px=0.2169, bid_px=0.214, ask_px=0.2205, forward_px=39165.86, index_px=36707.05)]
    return estimate(quotes, [option(DERIBIT, 40_000.0, "call")])[DERIBIT]


def test_a_real_deribit_quote_gives_the_vols_the_venue_printed(real: dict[str, Any]) -> None:
    """The venue prints 60.86 / 60.06 / 61.85 % of prices that it rounds to 1e-4 coin."""
    assert (real["forward_source"], real["mark_iv_source"]) == ("venue", "inverted")
    assert [round(real[f"{side}_iv_ann"], 6) for side in ("mark", "bid", "ask")] == [0.608558, 0.600581, 0.618473]
    assert real["mark_iv_ann"] == pytest.approx(0.6086, abs=1e-4)
    assert real["mark_premium_usd"] == 0.2169 * 39165.86


def test_the_delta_of_a_real_deribit_quote_is_the_venues(real: dict[str, Any]) -> None:
    """Forward delta from our vol: 0.598312; the venue says 0.59833."""
    total_vol = real["mark_iv_ann"] * math.sqrt(real["years_to_expiry"])
    delta = ql.BlackCalculator(
        ql.PlainVanillaPayoff(ql.Option.Call, 40_000.0), real["forward_px"], total_vol
    ).deltaForward()

    assert round(delta, 6) == 0.598312
    assert delta == pytest.approx(0.59833, abs=2e-5)


def test_time_is_counted_in_seconds_from_our_clock(real: dict[str, Any]) -> None:
    assert real["years_to_expiry"] == (EXPIRY - CAPTURED).total_seconds() / (365 * 86_400)


def test_the_index_in_the_place_of_the_forward_would_be_points_off() -> None:
    """The trap: 0.6736 where the expiry's own forward gives 0.6086."""
    years = (EXPIRY - CAPTURED).total_seconds() / (365 * 86_400)
    wrong, _ = solve(0.2169 * 36707.05, 36707.05, 40_000.0, years, is_call=True)

    assert round(wrong, 4) == 0.6736


@pytest.mark.parametrize(
    ("spot", "strike", "sigma", "years", "rate", "is_call", "present_value"),
    [
        (100.0, 100.0, 0.2, 0.5, 0.02, True, 5.5811067246),
        (620.0, 600.0, 0.2, 0.5, 0.05, True, 44.1868533121),
        (20.0, 20.0, 0.25, 4 / 12, 0.09, False, 1.1166414566),
    ],
)
def test_textbook_premiums_give_back_their_vols(
    spot: float, strike: float, sigma: float, years: float, rate: float, is_call: bool, present_value: float
) -> None:
    """Options on a forward, discounted at `rate`; ours are undiscounted, so the discount comes off first."""
    vol, reason = solve(present_value * math.exp(rate * years), spot, strike, years, is_call=is_call)

    assert reason is None
    assert vol == pytest.approx(sigma, abs=1e-10)


# QuantLib over a grid.

FORWARD = 42_731.17
MONEYNESS = [0.02, 0.1, 0.3, 0.6, 0.85, 0.95, 0.99, 1.0, 1.01, 1.05, 1.15, 1.6, 2.5, 6.0, 40.0]
SIGMAS = [0.02, 0.1, 0.35, 0.6, 1.2, 2.5, 5.0]
SECONDS = [1, 60, 3_600, 86_400, 7 * 86_400, 45 * 86_400, 365 * 86_400, 3 * 365 * 86_400]


def test_every_premium_of_a_grid_is_priced_back_by_quantlib() -> None:
    """Deep wings and the last second included, to 1e-12 of the forward; none is left unsolved without a reason."""
    cells = [
        (strike, sigma, seconds / (365 * 86_400), is_call)
        for strike in (FORWARD * m for m in MONEYNESS)
        for sigma in SIGMAS
        for seconds in SECONDS
        for is_call in (True, False)
    ]
    sides = {True: ql.Option.Call, False: ql.Option.Put}
    premiums = np.array([ql.blackFormula(sides[c], k, FORWARD, s * math.sqrt(t)) for k, s, t, c in cells])
    strikes, years = np.array([cell[0] for cell in cells]), np.array([cell[2] for cell in cells])
    is_call = np.array([cell[3] for cell in cells])
    vols, reasons = implied_vol(premiums, np.full(len(cells), FORWARD), strikes, years, is_call)
    intrinsic = np.maximum(np.where(is_call, FORWARD - strikes, strikes - FORWARD), 0)

    solved = np.array([reason is None for reason in reasons])
    errors = [
        abs(ql.blackFormula(sides[c], k, FORWARD, vol * math.sqrt(t)) - premium) / FORWARD
        for (k, _, t, c), vol, premium in zip(
            [cell for cell, ok in zip(cells, solved, strict=True) if ok], vols[solved], premiums[solved], strict=True
        )
    ]
    off_the_wings = solved & (premiums - intrinsic > 1e-6 * FORWARD)
    sigmas = np.array([cell[1] for cell in cells])
    vol_error = float(np.max(np.abs(vols - sigmas)[off_the_wings]))
    print(f"{len(errors)} of {len(cells)} solved; reprice {max(errors):.2e} of F; vol {vol_error:.2e}")  # noqa: T201

    assert max(errors) <= 1e-12
    assert vol_error <= 1e-8
    out_of_the_money = intrinsic == 0
    assert np.all(solved[out_of_the_money & (premiums > 1e-300)])
    # What has no vol is a premium with no time value left in double precision.
    assert set(reasons[~solved]) <= {"below_intrinsic", "above_max"}
    assert np.all((premiums - intrinsic)[~solved & (reasons == "below_intrinsic")] <= 1e-15 * FORWARD)


# Why there is no vol.


@pytest.mark.parametrize(
    ("premium", "forward", "strike", "years", "is_call", "reason"),
    [
        (math.nan, 100.0, 90.0, 0.1, True, "no_quote"),
        (math.inf, 100.0, 90.0, 0.1, True, "no_quote"),
        (12.0, math.nan, 90.0, 0.1, True, "no_forward"),
        (12.0, 0.0, 90.0, 0.1, True, "no_forward"),
        (12.0, 100.0, 90.0, 0.0, True, "expired"),
        (12.0, 100.0, 90.0, -0.1, True, "expired"),
        (10.0, 100.0, 90.0, 0.1, True, "below_intrinsic"),
        (9.5, 100.0, 90.0, 0.1, True, "below_intrinsic"),
        (0.0, 100.0, 110.0, 0.1, True, "below_intrinsic"),
        (-1.0, 100.0, 110.0, 0.1, True, "below_intrinsic"),
        (19.0, 100.0, 120.0, 0.1, False, "below_intrinsic"),
        (100.0, 100.0, 90.0, 0.1, True, "above_max"),
        (120.0, 100.0, 120.0, 0.1, False, "above_max"),
    ],
)
def test_a_premium_without_a_vol_says_why(
    premium: float, forward: float, strike: float, years: float, is_call: bool, reason: str
) -> None:
    vol, said = solve(premium, forward, strike, years, is_call=is_call)

    assert said == reason
    assert said in REASONS
    assert math.isnan(vol)


def test_one_quote_without_a_vol_leaves_the_others_theirs() -> None:
    """A bid below intrinsic is null with its reason; the mark beside it is solved; an absent ask is no quote."""
    row = estimate(
        [quote(DERIBIT, mark_px=0.2169, bid_px=0.0001, forward_px=45_000.0)], [option(DERIBIT, 40_000.0, "call")]
    )[DERIBIT]

    assert (row["bid_iv_ann"], row["bid_iv_reason"]) == (None, "below_intrinsic")
    assert (row["ask_iv_ann"], row["ask_iv_reason"]) == (None, "no_quote")
    assert (row["mid_iv_ann"], row["mid_iv_reason"]) == (None, "no_quote")
    assert row["mark_iv_reason"] is None
    assert row["mark_iv_ann"] > 0


def test_an_expired_option_keeps_its_row_and_has_no_vol() -> None:
    """Not even the venue's own, which is left over from before."""
    late = EXPIRY + timedelta(seconds=1)
    row = estimate(
        [quote(DERIBIT, mark_iv_ann=0.6, forward_px=39_000.0, captured_ts=late)], [option(DERIBIT, 40_000.0, "call")]
    )[DERIBIT]

    assert (row["mark_iv_ann"], row["mark_iv_source"]) == (None, None)


def test_an_hour_without_options_is_an_empty_table() -> None:
    assert estimate([], []) == {}


# Which forward, which premium, whose vol.


def usd_options(strikes: dict[float, tuple[float | None, float | None]], **terms: Any) -> dict[str, dict[str, Any]]:
    """Options with premiums in USD and no forward, call and put mark by strike."""
    quotes, instruments = [], []
    for strike_px, marks in strikes.items():
        sides: tuple[OptionType, OptionType] = ("call", "put")
        for option_type, mark_px in zip(sides, marks, strict=True):
            symbol = f"BTC-27SEP24-{strike_px:.0f}-{option_type[0].upper()}"
            quotes.append(quote(symbol, venue="bybit", mark_px=mark_px))
            instruments.append(option(symbol, strike_px, option_type, venue="bybit", is_inverse=False, **terms))
    return estimate(quotes, instruments)


def test_without_a_forward_put_call_parity_gives_it_at_the_nearest_strike() -> None:
    """F = K + C − P where call and put are nearest, not where they disagree most."""
    years = (EXPIRY - CAPTURED).total_seconds() / (365 * 86_400)
    forward_px, vol = 39_165.86, 0.55

    def marks(strike_px: float) -> tuple[float, float]:
        both = (black(forward_px, strike_px, vol * math.sqrt(years), is_call=side) for side in (True, False))
        return next(both), next(both)

    stale_call, put = marks(60_000.0)
    rows = usd_options({30_000.0: marks(30_000.0), 40_000.0: marks(40_000.0), 60_000.0: (stale_call + 900.0, put)})

    assert {row["forward_source"] for row in rows.values()} == {"parity"}
    assert {round(row["forward_px"], 6) for row in rows.values()} == {39_165.86}
    assert rows["BTC-27SEP24-30000-P"]["mark_iv_ann"] == pytest.approx(vol, abs=1e-10)
    assert rows["BTC-27SEP24-40000-C"]["mark_premium_usd"] == marks(40_000.0)[0]  # already dollars


def test_parity_is_never_taken_across_expiries() -> None:
    """A call of one expiry and a put of another say nothing of either forward."""
    near, far = "BTC-26JAN24-40000-C", "BTC-27SEP24-40000-P"
    terms = {"venue": "bybit", "is_inverse": False}
    rows = estimate(
        [quote(near, venue="bybit", mark_px=900.0), quote(far, venue="bybit", mark_px=5_000.0)],
        [
            option(near, 40_000.0, "call", **{**terms, "expiry_ts": datetime(2024, 1, 26, 8, tzinfo=UTC)}),
            option(far, 40_000.0, "put", **terms),
        ],
    )

    assert {row["mark_iv_reason"] for row in rows.values()} == {"no_forward"}
    assert {row["forward_px"] for row in rows.values()} == {None}


def test_a_coin_premium_without_a_forward_is_not_made_up() -> None:
    """A call beside the put of another strike: no parity, and coin premiums need the forward to become dollars."""
    put = "BTC-27SEP24-30000-P"
    rows = estimate(
        [quote(DERIBIT, mark_px=0.2), quote(put, mark_px=0.2)],
        [option(DERIBIT, 40_000.0, "call"), option(put, 30_000.0, "put")],
    )

    assert {row["forward_px"] for row in rows.values()} == {None}
    assert {row["mark_iv_ann"] for row in rows.values()} == {None}
    assert {row["mark_iv_reason"] for row in rows.values()} == {"no_forward"}


def test_a_venue_that_gives_vols_and_no_prices_is_taken_at_its_word() -> None:
    """OKX: its vols stand, and the source says that they are its own."""
    symbol = "BTC-USD-240927-40000-C"
    row = estimate(
        [quote(symbol, venue="okx", mark_iv_ann=0.5995, bid_iv_ann=0.58, forward_px=44_466.24)],
        [option(symbol, 40_000.0, "call", venue="okx")],
    )[symbol]

    assert (row["mark_iv_ann"], row["mark_iv_source"], row["mark_iv_reason"]) == (0.5995, "venue", None)
    assert (row["bid_iv_ann"], row["bid_iv_reason"]) == (0.58, None)
    assert (row["ask_iv_ann"], row["ask_iv_reason"]) == (None, "no_quote")


def test_a_price_beats_the_venues_own_vol() -> None:
    """Where there is a premium the vol is solved from it, whatever the venue prints."""
    row = estimate(
        [quote(DERIBIT, mark_px=0.2169, mark_iv_ann=0.99, forward_px=39165.86)], [option(DERIBIT, 40_000.0, "call")]
    )[DERIBIT]

    assert row["mark_iv_source"] == "inverted"
    assert round(row["mark_iv_ann"], 6) == 0.608558


# What holds for any quote.

FORWARDS = st.floats(1e-2, 1e6)
RATIOS = st.floats(-4.0, 4.0)  # log of strike over forward
TOTAL_VOLS = st.floats(1e-3, 6.0)
YEARS = st.floats(1e-8, 4.0)


@given(forward=FORWARDS, ratio=RATIOS, total_vol=TOTAL_VOLS, years=YEARS, is_call=st.booleans())
def test_any_premium_is_priced_back(
    forward: float, ratio: float, total_vol: float, years: float, is_call: bool
) -> None:
    strike = forward * math.exp(ratio)
    premium = black(forward, strike, total_vol, is_call=is_call)
    vol, reason = solve(premium, forward, strike, years, is_call=is_call)
    assume(reason is None)

    again = black(forward, strike, vol * math.sqrt(years), is_call=is_call)
    assert abs(again - premium) <= 1e-12 * max(forward, strike)


@given(
    premium=st.floats(-10.0, 300.0) | st.just(math.nan),
    forward=st.floats(0.0, 200.0) | st.just(math.nan),
    strike=st.floats(1e-3, 200.0),
    years=st.floats(-1.0, 2.0),
    is_call=st.booleans(),
)
def test_any_quote_has_a_vol_or_a_reason_and_never_both(
    premium: float, forward: float, strike: float, years: float, is_call: bool
) -> None:
    vol, reason = solve(premium, forward, strike, years, is_call=is_call)

    if reason is None:
        assert math.isfinite(vol)
        assert vol > 0
    else:
        assert reason in REASONS
        assert math.isnan(vol)


@given(ratio=st.floats(-1.0, 1.0), total_vol=st.floats(0.05, 3.0), years=st.floats(1e-3, 2.0))
def test_call_and_put_of_one_strike_agree(ratio: float, total_vol: float, years: float) -> None:
    """Put-call parity: the same vol, wherever both have time value enough to show it."""
    strike = 100.0 * math.exp(ratio)
    vols = [solve(black(100.0, strike, total_vol, is_call=c), 100.0, strike, years, is_call=c) for c in (True, False)]
    assume(all(reason is None for _, reason in vols))
    time_value = min(black(100.0, strike, total_vol, is_call=True), black(100.0, strike, total_vol, is_call=False))
    assume(time_value > 1e-3)

    assert vols[0][0] == pytest.approx(vols[1][0], rel=1e-8)


@given(ratio=st.floats(-1.0, 1.0), low=st.floats(0.05, 0.5), step=st.floats(0.01, 0.5), years=st.floats(0.01, 1.0))
def test_a_dearer_option_has_a_higher_vol(ratio: float, low: float, step: float, years: float) -> None:
    strike = 100.0 * math.exp(ratio)
    cheap, dear = (black(100.0, strike, v, is_call=True) for v in (low, low + step))
    assume(dear > cheap * (1 + 1e-9))
    assume(cheap > max(100.0 - strike, 0.0) + 1e-9)

    below, above = (solve(p, 100.0, strike, years, is_call=True)[0] for p in (cheap, dear))
    assert below < above


def test_the_table_of_an_hour_is_the_same_however_the_quotes_came() -> None:
    """Rows are ordered by symbol and instant, so the file's bytes do not depend on the order of replies."""
    puts = [f"BTC-27SEP24-{k}-P" for k in (30_000, 40_000, 50_000)]
    quotes = [quote(symbol, mark_px=0.1, forward_px=39_000.0) for symbol in puts]
    instruments = [option(symbol, float(symbol.split("-")[2]), "put") for symbol in puts]
    hour = hour_of(CAPTURED)

    def table(order: list[OptionQuote]) -> pa.Table:
        return implied_vols(to_table(OptionQuote, hour, order), to_table(Instrument, hour, instruments))

    assert table(quotes).equals(table(quotes[::-1]))
