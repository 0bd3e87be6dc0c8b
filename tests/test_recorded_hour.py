"""Published option, basis and volatility numbers agree with plain arithmetic on one recorded hour.

2024-01-14 20:01 UTC at Deribit, OKX and Bybit. The second opinion is `tests/recorded_hour.py`.
"""

import math
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from statistics import fmean

import numpy as np
import pyarrow.parquet as pq
import pytest

from ingestion.venues import VENUES
from tests.recorded_hour import (
    ZERO,
    Option,
    basis_of,
    bisected,
    constant_maturities,
    days_between,
    deribit_vols,
    expiry_of,
    gamma_exposure,
    instant,
    mid_of,
    okx_greeks,
    okx_vols,
    only_reply,
    positioning,
    quoted_in,
    tickers,
    years_to,
)
from tests.replayed import Replay, Row, assert_agreement, replayed_hour, worst_errors

__all__ = ["replayed_hour"]

# Positioning.


def assert_positioning(replayed: Replay, venue: str, underlying: str, options: list[Option], at: datetime) -> None:
    by_expiry: dict[datetime | None, list[Option]] = defaultdict(list)
    for option in options:
        if option.expiry > at:
            by_expiry[option.expiry].append(option)
            by_expiry[None].append(option)
    rows = replayed.rows(
        f"select * from fct_options_positioning where venue = '{venue}' and underlying = '{underlying}'"
    )
    published = {row["expiry_ts"]: row for row in rows}

    assert len(rows) == len(published)
    assert published.keys() == by_expiry.keys()
    assert {row["captured_ts"] for row in rows} == {at}
    assert_agreement(
        f"{venue} {underlying} positioning, {len(rows)} rows",
        worst_errors(
            (published[expiry], positioning(own, is_total=expiry is None)) for expiry, own in by_expiry.items()
        ),
    )


def test_deribits_options_are_placed_as_a_count_by_hand_places_them(replayed_hour: Replay) -> None:
    reply = only_reply("deribit", "get_book_summary_by_currency", "currency=BTC&kind=option")
    options = [
        Option(row["instrument_name"], Decimal(repr(row["open_interest"])), Decimal(repr(row["volume"])))
        for row in reply["body"]["result"]
    ]

    assert len(options) == 984
    assert_positioning(replayed_hour, "deribit", "BTC", options, instant(reply))


@pytest.mark.parametrize("underlying", ["BTC", "ETH"])
def test_okxs_options_are_placed_in_coin_and_without_those_that_expired(replayed_hour: Replay, underlying: str) -> None:
    """OKX goes on listing contracts of past expiries, and says no volume here: null, not zero."""
    reply = only_reply("okx", "open-interest", "instType=OPTION")
    rows = [row for row in reply["body"]["data"] if row["instId"].startswith(underlying + "-")]
    options = [Option(row["instId"], Decimal(row["oiCcy"])) for row in rows]

    assert any(option.expiry <= instant(reply) for option in options)
    assert_positioning(replayed_hour, "okx", underlying, options, instant(reply))


def test_deribits_gamma_at_each_strike_is_that_of_its_marks(replayed_hour: Replay) -> None:
    """Premiums are inverted by bisection here. Calls and puts of a strike apart, and less each other in the total."""
    at, vols = deribit_vols()
    by_strike: dict[tuple[datetime, float], dict[str, float]] = defaultdict(lambda: {"call": 0.0, "put": 0.0})
    for vol in vols:
        option = vol[0]
        by_strike[option.expiry, float(option.strike)]["call" if option.is_call else "put"] += gamma_exposure(
            vol, float(option.oi), at
        )
    rows = replayed_hour.rows(
        "select *, coalesce(call_gamma_usd, 0) as call, coalesce(put_gamma_usd, 0) as put "
        "from fct_options_positioning_by_strike where venue = 'deribit' and underlying = 'BTC'"
    )
    told = {(row["expiry_ts"].astimezone(UTC), row["strike_px"]): row for row in rows}
    [total] = replayed_hour.rows(
        "select * from fct_options_positioning where venue = 'deribit' and underlying = 'BTC' and expiry_ts is null"
    )
    sums = {side: sum(own[side] for own in by_strike.values()) for side in ("call", "put")}

    assert_agreement(
        f"deribit gamma at {len(by_strike)} strikes",
        worst_errors((told[where], own) for where, own in by_strike.items()),
    )
    assert total["gamma_exposure_usd"] == pytest.approx(sums["call"] + sums["put"], rel=1e-9)
    assert total["gamma_if_dealers_long_calls_short_puts_usd"] == pytest.approx(sums["call"] - sums["put"], rel=1e-9)


def test_okxs_greeks_are_ours_as_it_counts_them(replayed_hour: Replay) -> None:
    """Present values on spot, by Black-Scholes with an interest rate; undiscounted, vega would be 15 dollars off."""
    rows = replayed_hour.rows(
        "select * from mart_reconciliation_daily where venue = 'okx' and metric in ('delta', 'gamma', 'vega', 'theta')"
    )
    told = {row["metric"]: row for row in rows}
    pairs = []
    for metric, each in okx_greeks().items():
        errors = np.array([ours - theirs for ours, theirs in each])
        low, high, most = np.quantile(np.abs(errors), [0.5, 0.95, 1])
        expected = {"error_mean": float(errors.mean()), "error_p50": low, "error_p95": high, "error_max": most}
        pairs.append((told[metric], expected | {"stated_p50": float(np.median([abs(theirs) for _, theirs in each]))}))

    assert {row["compared_count"] for row in rows} == {636}
    assert_agreement("okx greeks", worst_errors(pairs), 1e-6)
    for metric, limit in {"delta": 0.002, "gamma": 2e-7, "vega": 0.4, "theta": 7.0}.items():
        assert told[metric]["error_p95"] < limit


# Basis.


def test_deribits_futures_stand_over_its_index_as_computed_by_hand(replayed_hour: Replay) -> None:
    """Per expiry: bps, simple and log a year, by the mid and by the mark; open interest is dollars already."""
    reply = only_reply("deribit", "get_book_summary_by_currency", "currency=BTC&kind=future")
    rows = {row["symbol"]: row for row in replayed_hour.rows("select * from fct_basis where venue = 'deribit'")}
    pairs: list[tuple[Row, dict[str, float | None]]] = []
    for said in reply["body"]["result"]:
        bid, ask, mark, index = (
            Decimal(repr(said[field])) for field in ("bid_price", "ask_price", "mark_price", "estimated_delivery_price")
        )
        name = said["instrument_name"].removeprefix("BTC-")
        is_perpetual = name == "PERPETUAL"
        days = None if is_perpetual else days_between(instant(reply), expiry_of(name))
        row = rows[said["instrument_name"]]
        pairs.append((row, basis_of((bid + ask) / 2, index, days)))
        by_mark = basis_of(mark, index, days)
        pairs.append(
            (
                row,
                {
                    "mark_px": float(mark),
                    "mark_basis_bps": by_mark["basis_bps"],
                    "open_interest_usd": float(said["open_interest"]),
                    "funding_rate_per_hour": said["current_funding"] / 8 if is_perpetual else None,
                    "quote_rate": 1.0,
                    "capture_skew_ms": 0.0,
                },
            )
        )
        assert (row["kind"], row["reference_kind"]) == ("perp" if is_perpetual else "future", "index")

    assert rows.keys() == {said["instrument_name"] for said in reply["body"]["result"]}
    assert len(rows) == 8
    assert_agreement("Deribit futures", worst_errors(pairs))


def test_bybits_linear_perpetuals_stand_over_its_spot_as_computed_by_hand(replayed_hour: Replay) -> None:
    """Every pair of one currency: linear at 20:01:03 against spot a second before."""
    spot_at, spots = tickers("spot")
    linear_at, linears = tickers("linear")
    rows = {
        row["symbol"]: row
        for row in replayed_hour.rows(
            "select * from fct_basis where venue = 'bybit' and kind = 'perp' and reference_kind = 'spot' "
            "and reference_venue = 'bybit' and quote_rate = 1"
        )
    }
    expected: dict[str, dict[str, float | None]] = {}
    for symbol, linear in linears.items():
        base, quote = quoted_in(symbol)
        mid, spot_mid = mid_of(linear), mid_of(spots[base + quote]) if base + quote in spots else None
        if "-" not in symbol and mid is not None and spot_mid is not None:
            expected[symbol] = {
                **basis_of(mid, spot_mid, None),
                "mark_basis_bps": float((Decimal(linear["markPrice"]) / spot_mid - 1) * 10_000),
                "open_interest_usd": float(Decimal(linear["openInterest"]) / 2 * mid),  # both sides on the wire
                "capture_skew_ms": (linear_at - spot_at).total_seconds() * 1000,
            }

    assert len(expected) > 150
    assert rows.keys() == expected.keys()
    assert_agreement(
        f"Bybit perp against spot, {len(rows)} pairs", worst_errors((rows[s], own) for s, own in expected.items())
    )


def test_bybits_contracts_in_another_stablecoin_go_through_the_rate_observed(replayed_hour: Replay) -> None:
    """USDC contracts against USDT spot, and the other way: by the mid of USDC/USDT, never at par."""
    _, spots = tickers("spot")
    _, linears = tickers("linear")
    usdt_a_usdc = mid_of(spots["USDCUSDT"])
    assert usdt_a_usdc is not None
    rows = replayed_hour.rows(
        "select * from fct_basis where venue = 'bybit' and reference_kind = 'spot' and reference_venue = 'bybit' "
        "and (reference_symbol like '%USDT' or reference_symbol like '%USDC') and quote_rate <> 1"
    )
    pairs: list[tuple[Row, dict[str, float | None]]] = []
    for row in rows:
        mid, spot_mid = mid_of(linears[row["symbol"]]), mid_of(spots[row["reference_symbol"]])
        assert mid is not None
        assert spot_mid is not None
        _, quote = quoted_in(row["symbol"])
        rate = 1 / usdt_a_usdc if quote == "USDC" else usdt_a_usdc
        assert quoted_in(row["reference_symbol"])[1] != quote
        pairs.append(
            (
                row,
                {
                    "quote_rate": float(rate),
                    "reference_px": float(spot_mid),
                    "basis_bps": float((mid / (spot_mid * rate) - 1) * 10_000),
                },
            )
        )

    assert len(pairs) > 40
    assert_agreement(f"Bybit across stablecoins, {len(pairs)} pairs", worst_errors(pairs))


def test_nothing_in_dollars_is_measured_against_a_stablecoin_pair(replayed_hour: Replay) -> None:
    """No rate of USD to any stablecoin was observed in this hour."""
    rows = replayed_hour.rows(
        "select b.* from fct_basis b join dim_instruments i using (venue, kind, symbol, utc_hour) "
        "where i.quote_asset = 'USD' and b.reference_kind = 'spot'"
    )

    assert rows == []


@pytest.mark.parametrize("category", ["linear", "inverse"])
def test_bybits_contracts_stand_over_its_index_as_computed_by_hand(replayed_hour: Replay, category: str) -> None:
    """Linear open interest is coin and inverse open interest dollars."""
    at, said = tickers(category)
    rows = {
        row["symbol"]: row
        for row in replayed_hour.rows("select * from fct_basis where venue = 'bybit' and reference_kind = 'index'")
        if row["captured_ts"] == at
    }
    expected: dict[str, dict[str, float | None]] = {}
    for symbol, ticker in said.items():
        mid, mark, index = mid_of(ticker), Decimal(ticker["markPrice"]), Decimal(ticker["indexPrice"])
        px = mark if mid is None else mid
        delivery = int(ticker["deliveryTime"])
        days = days_between(at, datetime.fromtimestamp(delivery / 1000, tz=UTC)) if delivery else None
        interest = Decimal(ticker["openInterest"]) / 2  # both sides on the wire
        expected[symbol] = {
            **basis_of(px, index, days),
            "mark_basis_bps": float((mark / index - 1) * 10_000),
            "open_interest_usd": float(interest if category == "inverse" else interest * px),
        }

    assert rows.keys() == expected.keys()
    assert_agreement(
        f"Bybit {category} against index, {len(rows)} rows", worst_errors((rows[s], own) for s, own in expected.items())
    )


# Volatility.


@pytest.mark.parametrize("venue", ["deribit", "okx"])
def test_constant_maturity_vols_agree_with_a_bisection(replayed_hour: Replay, venue: str) -> None:
    """Deribit's marks inverted on each expiry's own forward; OKX's own vols."""
    at, vols = deribit_vols() if venue == "deribit" else okx_vols()
    expected = constant_maturities(at, vols)
    rows = replayed_hour.rows(f"select * from fct_vol_spread where venue = '{venue}' and underlying = 'BTC'")
    published = {row["tenor_days"]: row for row in rows}

    assert published.keys() == expected.keys()
    assert {row["captured_ts"] for row in rows} == {at}
    assert None not in expected.values()
    nothing = {"realized_vol_trailing_ann": None, "vol_spread_trailing_ann": None, "vol_spread_forward_ann": None}
    assert_agreement(
        f"{venue} implied vols",
        worst_errors((published[tenor], {"implied_vol_ann": vol, **nothing}) for tenor, vol in expected.items()),
    )


def test_every_deribit_mark_is_solved_like_a_bisection_or_says_why_not(replayed_hour: Replay) -> None:
    """All 984 in the lake: 1e-9 where the mark has time value, and a reason elsewhere."""
    lake = replayed_hour.lake_uri.removeprefix("file://")
    rows = {
        row["symbol"]: row
        for row in pq.read_table(f"{lake}/lake/implied_vols/venue=deribit/date=2024-01-14/hour=20.parquet").to_pylist()
    }
    reply = only_reply("deribit", "get_book_summary_by_currency", "currency=BTC&kind=option")
    pairs: list[tuple[Row, dict[str, float | None]]] = []
    reasons: dict[str, int] = defaultdict(int)
    for said in reply["body"]["result"]:
        row, option, forward = rows[said["instrument_name"]], Option(said["instrument_name"]), said["underlying_price"]
        premium = (said["mark_price"] or math.nan) * forward
        total = bisected(premium, forward, float(option.strike), is_call=option.is_call)
        if total is None:
            reasons[row["mark_iv_reason"]] += 1
            assert row["mark_iv_ann"] is None
            continue
        intrinsic = max(0.0, (forward - float(option.strike)) * (1 if option.is_call else -1))
        if premium - intrinsic > 1e-5 * forward:  # a mark of eight decimals says nothing finer
            pairs.append((row, {"mark_iv_ann": total / math.sqrt(years_to(option.expiry, instant(reply)))}))
        assert row["mark_iv_reason"] is None

    print(f"{len(pairs)} solved; without a vol: {dict(reasons)}")  # noqa: T201
    assert len(rows) == 984
    assert set(reasons) <= {"below_intrinsic", "no_quote"}
    assert_agreement("Deribit marks", worst_errors(pairs))


# What the hour rests on.


def test_each_dataset_of_the_hour_is_there_or_its_gap_is(replayed_hour: Replay) -> None:
    """Rows or a reason, never both and never neither."""
    coverage = replayed_hour.rows("select * from fct_data_coverage")

    assert {row["venue"] for row in coverage} == set(VENUES)
    for row in coverage:
        is_data, is_gap = row["rows_count"] > 0, row["status"] == "gap"
        assert is_data != is_gap, row
        assert row["is_usable"] == is_data
        assert row["reason"] if is_gap else row["objects_count"] or row["reason"], row
        assert (row["first_captured_ts"] is None) == is_gap


def test_rows_counted_are_rows_recorded(replayed_hour: Replay) -> None:
    counted = {
        (row["venue"], row["dataset"]): row["rows_count"]
        for row in replayed_hour.rows("select * from fct_data_coverage")
    }

    assert counted["deribit", "option_quotes"] == 984
    assert counted["deribit", "open_interest"] == 992
    assert counted["okx", "option_quotes"] == 636
    assert counted["okx", "open_interest"] == 2836
    assert counted["bybit", "spot_tickers"] == len(tickers("spot")[1])
    assert counted["bybit", "perp_tickers"] + counted["bybit", "future_tickers"] == sum(
        len(tickers(category)[1]) for category in ("linear", "inverse")
    )


def test_the_hours_mart_sums_the_venues_options(replayed_hour: Replay) -> None:
    """Put/call of BTC over Deribit and OKX together, in coin; the vol is the mean of both venues' 30 days."""
    deribit = only_reply("deribit", "get_book_summary_by_currency", "currency=BTC&kind=option")
    okx = only_reply("okx", "open-interest", "instType=OPTION")
    options = [
        Option(row["instrument_name"], Decimal(repr(row["open_interest"]))) for row in deribit["body"]["result"]
    ] + [
        Option(row["instId"], Decimal(row["oiCcy"])) for row in okx["body"]["data"] if row["instId"].startswith("BTC-")
    ]
    calls, puts = (
        sum((o.oi for o in options if o.is_call is side and o.expiry > instant(okx)), ZERO) for side in (True, False)
    )
    vols = [constant_maturities(*found)[30] for found in (deribit_vols(), okx_vols())]
    [row] = replayed_hour.rows("select * from mart_pressure_differentials_hourly where underlying = 'BTC'")

    expected: dict[str, float | None] = {
        "put_call_oi_frac": float(puts / calls),
        "oi_imbalance_frac": float((calls - puts) / (calls + puts)),
        "implied_vol_30d_ann": fmean(vol for vol in vols if vol is not None),
        "book_imbalance_10bps_frac": None,
        "trade_imbalance_frac": None,
        "vol_spread_trailing_30d_ann": None,
        "venues_count": 3,
    }
    assert_agreement("mart BTC", worst_errors([(row, expected)]))
