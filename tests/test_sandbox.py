"""The simulated exchange is one world a seed, and every number that it serves is its stated truth."""

import json
import math
import random
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest

from ingestion.sandbox import books, calendars
from ingestion.sandbox.app import VENUES_SERVED, routes, server
from ingestion.sandbox.market import Market
from ingestion.sandbox.path import milliseconds
from tests.sandbox_asks import AT, INSTANTS, PATHS

YEAR = timedelta(days=365)
INDEX_TICKERS = "/api/v5/market/index-tickers"
Get = Callable[..., Any]


@pytest.fixture(scope="module")
def market() -> Market:
    return Market()


@pytest.fixture(scope="module")
def get(market: Market) -> Get:
    serve = server(market)

    def ask(path: str, at: datetime = AT, **query: str) -> Any:
        return json.loads(serve(path, query, urlencode(query), at).body)

    return ask


def black76(forward: float, strike: float, vol: float, years: float, *, is_call: bool) -> float:
    """Written apart from the sandbox's own, from the textbook."""
    width = vol * math.sqrt(years)
    d1 = (math.log(forward / strike) + width * width / 2) / width

    def cumulative(x: float) -> float:
        return math.erfc(-x / math.sqrt(2)) / 2

    call = forward * cumulative(d1) - strike * cumulative(d1 - width)
    return call if is_call else call - forward + strike


def lean_of(bids: list[Any], asks: list[Any], levels: int, *, is_inverse: bool) -> float:
    """(ΣB − ΣA)/(ΣB + ΣA) in money, from levels as they were served."""

    def money(side: list[Any]) -> float:
        return sum(float(qty) * (1.0 if is_inverse else float(px)) for px, qty, *_ in side[:levels])

    return (money(bids) - money(asks)) / (money(bids) + money(asks))


# One world a seed


def test_a_seed_gives_the_same_bytes_in_any_order_of_asking() -> None:
    asked = [(path, query, at) for path, query in PATHS for at in INSTANTS[2:5]]
    answers = []
    for order in (asked, random.Random(1).sample(asked, len(asked))):
        serve = server(Market(seed=11))
        answers.append({(p, urlencode(q), at): serve(p, q, "", at).body for p, q, at in order})

    assert answers[0] == answers[1]


def test_every_path_that_is_served_is_asked_in_these_tests() -> None:
    assert {path for path, _ in PATHS} >= set(routes()) - {
        "/api/v3/historicalTrades",  # as trades
        "/fapi/v1/historicalTrades",
        "/dapi/v1/historicalTrades",
        "/fapi/v1/trades",
        "/fapi/v1/ticker/bookTicker",
        "/dapi/v1/aggTrades",
        "/dapi/v1/fundingInfo",
        "/",  # by POST: tests/test_sandbox_chain.py
    }


def test_another_seed_is_another_world() -> None:
    assert Market(seed=1).usd_px("BTC", AT) != Market(seed=2).usd_px("BTC", AT)


def test_prices_stay_plausible_for_thirteen_years(market: Market) -> None:
    days = [INSTANTS[0] + timedelta(days=n) for n in range(0, 4_700, 13)]

    assert all(55_000 < market.usd_px("BTC", at) < 150_000 for at in days)
    assert all(1_600 < market.usd_px("ETH", at) < 6_500 for at in days)


def test_days_join_without_a_jump(market: Market) -> None:
    for at in (datetime(2024, 5, day, tzinfo=UTC) for day in range(2, 30)):
        before = market.usd_px("BTC", at - timedelta(seconds=5))
        assert abs(math.log(market.usd_px("BTC", at) / before)) < 0.002


def test_the_path_realises_the_volatility_it_was_drawn_with(market: Market) -> None:
    for asset, vol in (("BTC", 0.45), ("ETH", 0.60)):
        days = [np.diff(np.log(market.world.day(asset, 20_000 + n).usd_px)) for n in range(60)]
        realised = math.sqrt(float(np.mean([(r**2).sum() for r in days])) * 365)
        assert realised == pytest.approx(vol, rel=0.03)


def test_an_instant_outside_the_known_years_is_refused_in_words(market: Market) -> None:
    reply = server(market)("/api/v3/exchangeInfo", {}, "", datetime(2022, 12, 31, tzinfo=UTC))

    assert reply.status == 503
    assert b"2023-01-01" in reply.body


def test_no_clock_in_a_reply_lies_after_the_sandbox_clock(get: Get) -> None:
    ahead = re.compile(r"expir|deliver|nextFunding|fundingTime|expTime|closeTime|onboard|listTime|launch|creation_t")

    def clocks(value: Any, name: str = "") -> Iterator[int]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from clocks(inner, key)
        elif isinstance(value, list):
            for inner in value[:1] if name == "" and value and isinstance(value[0], list) else value:
                yield from clocks(inner, name)
        elif re.fullmatch(r"1[67][0-9]{11}", str(value)) and not ahead.search(name):
            yield int(value)

    for path, query in PATHS:
        if not path.endswith("klines"):
            assert all(at <= milliseconds(AT) for at in clocks(get(path, **query))), path


# Books


def test_served_books_lean_as_the_truth_says(market: Market, get: Get) -> None:
    spot = get("/api/v3/depth", symbol="BTCUSDT", limit="1000")
    perp = get("/api/v2/public/get_order_book", instrument_name="BTC-PERPETUAL", depth="100")["result"]
    swap = get("/api/v5/market/books", instId="ETH-USD-SWAP", sz="400")["data"][0]
    linear = get("/v5/market/orderbook", category="linear", symbol="BTCUSDT", limit="200")["result"]
    cases = [
        ("binance_spot", "spot", "BTCUSDT", spot["bids"], spot["asks"], False),
        ("deribit", "perp", "BTC-PERPETUAL", perp["bids"], perp["asks"], True),
        ("okx", "perp", "ETH-USD-SWAP", swap["bids"], swap["asks"], True),
        ("bybit", "perp", "BTCUSDT", linear["b"], linear["a"], False),
    ]
    for venue, kind, symbol, bids, asks, is_inverse in cases:
        book = market.book(venue, kind, symbol, AT)  # type: ignore[arg-type]
        for levels in (1, 5, 10, 20):
            assert lean_of(bids, asks, levels, is_inverse=is_inverse) == pytest.approx(book.imbalance(levels), abs=1e-9)


def test_the_lean_follows_pressure_by_its_formula(market: Market) -> None:
    for hours in range(0, 48, 3):
        at = AT + timedelta(hours=hours)
        stated = float(books.lean(market.pressure("BTC", at), np.array(0.0)))
        served = market.book("binance_usdm", "perp", "BTCUSDT", at).imbalance(5)
        assert served == pytest.approx(stated, abs=0.01)


def test_books_run_outward_uncrossed_and_cover_a_hundred_basis_points(market: Market) -> None:
    for venue in VENUES_SERVED:
        for listing in market.listings(venue, AT, "spot", "perp", "future"):
            book = market.book_of(listing, AT)
            assert book.ask_px[0] > book.bid_px[0]
            assert (np.diff(book.bid_px) < 0).all()
            assert (np.diff(book.ask_px) > 0).all()
            assert (book.bid_qty > 0).all()
            assert book.bid_px[99] < book.mid_px * 0.99 < book.mid_px * 1.01 < book.ask_px[99]


# Premium, basis, funding, stablecoins


def test_served_marks_carry_the_true_premium_and_basis(market: Market, get: Get) -> None:
    for row in get("/fapi/v1/premiumIndex") + get("/dapi/v1/premiumIndex"):
        venue = "binance_usdm" if row["symbol"].endswith("USDT") else "binance_coinm"
        asset, basis = row["symbol"][:3], float(row["markPrice"]) / float(row["indexPrice"])
        if row["lastFundingRate"]:
            assert basis - 1 == pytest.approx(market.premium_frac(venue, asset, AT), abs=1e-9)
        else:
            expiry = datetime.strptime(row["symbol"][-6:] + "08+0000", "%y%m%d%H%z")
            assert math.log(basis) / ((expiry - AT) / YEAR) == pytest.approx(market.carry_ann(asset), abs=1e-5)


def test_the_forward_of_an_option_is_the_dated_future_of_its_expiry(market: Market, get: Get) -> None:
    summaries = "/api/v2/public/get_book_summary_by_currency"
    futures = {r["instrument_name"]: r for r in get(summaries, currency="BTC", kind="future")["result"]}
    options = get(summaries, currency="BTC", kind="option")["result"]
    named = [row for row in options if row["underlying_index"] in futures]

    assert named
    for row in named:
        mark = futures[row["underlying_index"]]["mark_price"]
        assert row["underlying_price"] == pytest.approx(mark, abs=0.02)


def test_settled_funding_is_the_weighted_premium_clamped(market: Market, get: Get) -> None:
    rows = get("/fapi/v1/fundingRate", symbol="BTCUSDT", limit="30")
    for row in rows:
        settled_at = datetime.fromtimestamp(row["fundingTime"] / 1_000, UTC)
        minutes = [settled_at - timedelta(minutes=480 - n) for n in range(480)]
        premiums = [market.premium_frac("binance_usdm", "BTC", at) for at in minutes]
        mean = sum((n + 1) * p for n, p in enumerate(premiums)) / sum(range(1, 481))
        expected = mean + min(max(0.0001 - mean, -0.0005), 0.0005)
        assert float(row["fundingRate"]) == pytest.approx(expected, abs=1e-8)
    assert len({row["fundingRate"] for row in rows}) > 3  # pressure shows


def test_the_worth_of_usdt_can_be_observed_at_okx(market: Market, get: Get) -> None:
    usd = {row["instId"]: float(row["idxPx"]) for row in get(INDEX_TICKERS, quoteCcy="USD")["data"]}
    usdt = {row["instId"]: float(row["idxPx"]) for row in get(INDEX_TICKERS, quoteCcy="USDT")["data"]}

    assert usd["USDT-USD"] == pytest.approx(market.stable_usd("USDT", AT), abs=1e-6)
    assert usd["BTC-USD"] / usdt["BTC-USDT"] == pytest.approx(usd["USDT-USD"], abs=1e-6)
    assert usd["USDT-USD"] != pytest.approx(1.0, abs=1e-5)


# Options


def test_surfaces_hold_no_butterfly_and_no_calendar_arbitrage(market: Market) -> None:
    k = np.linspace(-1.5, 1.5, 601)
    for asset in ("BTC", "ETH"):
        for at in [*INSTANTS, *(AT + timedelta(hours=n) for n in range(24))]:
            before = np.zeros_like(k)
            for expiry in calendars.option_expiries(at):
                svi = market.svi(asset, expiry, at)
                w, root = svi.total_variance(k), np.sqrt((k - svi.m) ** 2 + svi.sigma**2)
                first = svi.b * (svi.rho + (k - svi.m) / root)
                second = svi.b * svi.sigma**2 / root**3
                g = (1 - k * first / (2 * w)) ** 2 - first**2 / 4 * (1 / w + 0.25) + second / 2
                assert (g >= 0).all()
                assert (w > before).all()
                before = w


def test_true_volatilities_give_the_served_marks_by_an_independent_black_76(market: Market, get: Get) -> None:
    rows = get("/api/v2/public/get_book_summary_by_currency", currency="BTC", kind="option")["result"]
    dollar = get("/v5/market/tickers", category="option", baseCoin="ETH")["result"]["list"]
    for row in rows:
        option = market.listing("deribit", "option", row["instrument_name"], AT)
        assert option.expiry is not None
        assert option.strike is not None
        forward = market.forward_px("deribit", "BTC", option.expiry, AT)
        vol = market.implied_vol("BTC", option.strike, option.expiry, AT)
        premium = black76(
            forward,
            option.strike,
            vol,
            (option.expiry - AT) / YEAR,
            is_call=option.option_type == "call",
        )
        assert row["mark_price"] == pytest.approx(premium / forward, abs=2e-8)
        assert row["mark_iv"] == pytest.approx(vol * 100, abs=0.0051)
        assert row["bid_price"] is None or row["bid_price"] <= row["mark_price"] <= row["ask_price"]
    for row in dollar:
        _, expiry_text, strike, side = row["symbol"].split("-")
        expiry = datetime.strptime(expiry_text + "08+0000", "%d%b%y%H%z")
        terms = float(row["underlyingPrice"]), float(strike), float(row["markIv"]), (expiry - AT) / YEAR
        assert float(row["markPrice"]) == pytest.approx(black76(*terms, is_call=side == "C"), abs=1e-4)


def test_okx_and_deribit_state_the_same_volatilities_in_their_own_units(market: Market, get: Get) -> None:
    row = get("/api/v5/public/opt-summary", uly="BTC-USD")["data"][40]
    _, _, day, strike, _ = row["instId"].split("-")
    expiry = datetime.strptime(day + "08+0000", "%y%m%d%H%z")
    true = market.implied_vol("BTC", float(strike), expiry, AT, venue="okx")

    assert float(row["markVol"]) == pytest.approx(true, abs=1e-9)
    assert float(row["bidVol"]) < true < float(row["askVol"])
    assert float(row["deltaBS"]) - float(row["delta"]) >= 0  # premium in coin


def test_tenors_are_bracketed_at_any_time_and_linear_in_total_variance(market: Market) -> None:
    moments = random.Random(3)
    for _ in range(300):
        at = INSTANTS[0] + timedelta(seconds=moments.randrange(13 * 365 * 86_400))
        terms = [(expiry - at) / timedelta(days=1) for expiry in calendars.option_expiries(at)]
        assert all(min(terms) < tenor < max(terms) for tenor in (7, 30, 60, 90, 180))
    near, far = [e for e in calendars.option_expiries(AT) if timedelta(20) < e - AT < timedelta(55)][:2]
    w = [market.atm_vol("BTC", e, AT) ** 2 * ((e - AT) / YEAR) for e in (near, far)]
    share = (timedelta(days=30) - (near - AT)) / (far - near)
    expected = math.sqrt((w[0] + (w[1] - w[0]) * share) / (30 / 365))

    assert market.constant_maturity_vol("BTC", 30, AT) == pytest.approx(expected, rel=1e-12)


def test_put_call_ratios_are_those_of_the_open_interest_served(market: Market, get: Get) -> None:
    deribit = get("/api/v2/public/get_book_summary_by_currency", currency="BTC", kind="option")["result"]
    okx = get("/api/v5/public/open-interest", instType="OPTION", uly="BTC-USD")["data"]
    bybit = get("/v5/market/tickers", category="option", baseCoin="BTC")["result"]["list"]
    served = {
        "deribit": [(row["instrument_name"], row["open_interest"]) for row in deribit],
        "okx": [(row["instId"], float(row["oiCcy"])) for row in okx],
        "bybit": [(row["symbol"], float(row["openInterest"])) for row in bybit],
    }
    for venue, rows in served.items():
        puts = sum(oi for name, oi in rows if name.endswith("P"))
        calls = sum(oi for name, oi in rows if name.endswith("C"))
        assert puts / calls == pytest.approx(market.put_call_oi(venue, "BTC", AT), rel=1e-9)
    assert all(float(row["oi"]) * 0.01 == pytest.approx(float(row["oiCcy"])) for row in okx)


def test_what_is_listed_changes_only_at_eight_o_clock(market: Market) -> None:
    eight = datetime(2025, 3, 6, 8, tzinfo=UTC)
    names = [
        {one.symbol for one in market.listings("deribit", at)} for at in (AT, eight - timedelta(microseconds=1), eight)
    ]

    assert names[0] == names[1] != names[2]
    assert all(one.expiry is None or one.expiry > eight for one in market.listings("deribit", eight))
