"""What the simulated venues keep tells one story with what they showed: bars, funding, forced orders, volatility."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest

from ingestion.sandbox.app import server
from ingestion.sandbox.listings import Listing
from ingestion.sandbox.market import Market
from ingestion.sandbox.path import milliseconds
from tests.sandbox_asks import AT

Get = Callable[..., Any]
PUBLIC = "/api/v2/public/"
HOUR = datetime(2025, 3, 5, 13, tzinfo=UTC)
START, END = milliseconds(HOUR), milliseconds(HOUR) + 3_600_000
SPAN = {"start_timestamp": str(START), "end_timestamp": str(END - 1)}


@pytest.fixture(scope="module")
def market() -> Market:
    return Market()


@pytest.fixture(scope="module")
def get(market: Market) -> Get:
    serve = server(market)

    def ask(path: str, at: datetime = AT, **query: str) -> Any:
        return json.loads(serve(path, query, urlencode(query), at).body)

    return ask


def stormy(market: Market) -> datetime:
    """An hour of that day in which stress is high from end to end."""
    hours = [datetime(2025, 3, 5, hour, tzinfo=UTC) for hour in range(23)]
    return max(hours, key=lambda at: market.stress("BTC", at) + market.stress("BTC", at + timedelta(minutes=59)))


def base_volume(market: Market, listing: Listing) -> float:
    """Coins traded in the hour, by the unit that the listing states."""
    found = market.trades(listing, START, END - 1)
    if listing.unit == "usd":
        return float((found.qty / found.px).sum())
    if listing.is_inverse:
        return float((found.qty * listing.contract_size / found.px).sum())
    return float((found.qty * listing.contract_size).sum())


def test_minute_bars_of_every_venue_hold_the_path_and_the_coins_traded(market: Market, get: Get) -> None:
    """Volume stands where each venue puts base coin: after the close, or behind the contracts."""
    chart = get(PUBLIC + "get_tradingview_chart_data", instrument_name="BTC-PERPETUAL", resolution="1", **SPAN)
    deribit = chart["result"]
    spans = {"before": str(START - 1), "after": str(END), "limit": "100"}
    okx = get("/api/v5/market/history-candles", instId="ETH-USDT-SWAP", bar="1m", **spans)["data"][::-1]
    pair = get("/api/v5/market/history-candles", instId="BTC-USDT", bar="1m", **spans)["data"][::-1]
    inclusive = {"interval": "1", "start": str(START), "end": str(END - 1)}
    bybit = get("/v5/market/kline", category="inverse", symbol="BTCUSD", **inclusive)["result"]["list"][::-1]
    asked = {"interval": "1m", "startTime": str(START), "endTime": str(END - 1)}
    coinm = get("/dapi/v1/klines", symbol="BTCUSD_PERP", **asked)
    usdm = get("/fapi/v1/klines", symbol="ETHUSDT", **asked)
    columns = zip(*(deribit[name] for name in ("ticks", "open", "high", "low", "close", "volume")), strict=True)
    told: list[tuple[str, str, list[tuple[Any, ...]]]] = [
        ("deribit", "BTC-PERPETUAL", list(columns)),
        ("okx", "ETH-USDT-SWAP", [(*bar[:5], bar[6]) for bar in okx]),
        ("okx", "BTC-USDT", [(*bar[:5], bar[5]) for bar in pair]),
        ("bybit", "BTCUSD", [(*bar[:5], bar[6]) for bar in bybit]),
        ("binance_coinm", "BTCUSD_PERP", [(*bar[:5], bar[7]) for bar in coinm]),
        ("binance_usdm", "ETHUSDT", [(*bar[:5], bar[5]) for bar in usdm]),
    ]
    for venue, symbol, bars in told:
        listing = market.find(venue, symbol, AT, ("spot", "perp"))
        mids = market.mids(listing, START // 86_400_000)[13 * 720 : 14 * 720]
        numbers = np.array([[float(x) for x in bar] for bar in bars])

        assert numbers[:, 0].tolist() == [START + minute * 60_000 for minute in range(60)]
        assert numbers[0, 1] == pytest.approx(mids[0], abs=listing.tick)
        assert numbers[:, 2].max() == pytest.approx(mids.max(), abs=listing.tick)
        assert numbers[:, 3].min() == pytest.approx(mids.min(), abs=listing.tick)
        assert numbers[-1, 4] == pytest.approx(mids[-1], abs=listing.tick)
        assert numbers[:, 5].sum() == pytest.approx(base_volume(market, listing), rel=1e-6)


def test_spot_and_perpetual_of_one_name_have_bars_of_their_own(get: Get) -> None:
    asked = {"symbol": "BTCUSDT", "interval": "1", "start": str(START), "end": str(END - 1)}
    spot, perp = (get("/v5/market/kline", category=each, **asked)["result"]["list"] for each in ("spot", "linear"))

    assert len(spot) == len(perp) == 60
    assert spot != perp


def test_a_currencys_trades_are_those_of_its_instruments_in_one_order(market: Market, get: Get) -> None:
    asked = {"kind": "future", "count": "1000", "sorting": "asc"}
    rows: list[dict[str, Any]] = []
    span = dict(SPAN)
    while True:
        page = get(PUBLIC + "get_last_trades_by_currency_and_time", currency="BTC", **asked, **span)["result"]
        rows += [row for row in page["trades"] if row not in rows[-20:]]
        if not page["has_more"]:
            break
        span["start_timestamp"] = str(page["trades"][-1]["timestamp"])
    own = [one for one in market.listings("deribit", AT, "perp", "future", asset="BTC") if one.is_inverse]

    assert len(rows) == sum(len(market.trades(listing, START, END - 1)) for listing in own)
    assert all(later["timestamp"] >= earlier["timestamp"] for earlier, later in pairwise(rows))
    assert {row["instrument_name"] for row in rows} == {listing.symbol for listing in own}


def test_linear_contracts_of_deribit_count_coins_and_are_listed_under_usdc(get: Get) -> None:
    listed = get(PUBLIC + "get_instruments", currency="USDC", kind="future", expired="false")["result"]
    ticker = get(PUBLIC + "ticker", instrument_name="BTC_USDC-PERPETUAL")["result"]
    coin = get(PUBLIC + "ticker", instrument_name="BTC-PERPETUAL")["result"]

    assert {row["instrument_name"] for row in listed} == {"BTC_USDC-PERPETUAL", "ETH_USDC-PERPETUAL"}
    assert {row["instrument_type"] for row in listed} == {"linear"}
    assert ticker["open_interest"] < coin["open_interest"] / 1_000
    assert ticker["index_price"] == pytest.approx(coin["index_price"], rel=1e-3)


def test_okx_goes_back_trade_by_trade_without_gap_or_repeat(market: Market, get: Get) -> None:
    path, asked = "/api/v5/market/history-trades", {"instId": "BTC-USDT-SWAP", "limit": "100"}
    rows = get(path, type="2", after=str(END), **asked)["data"]
    while int(rows[-1]["ts"]) >= START:
        rows += get(path, type="1", after=rows[-1]["tradeId"], **asked)["data"]
    ids = [int(row["tradeId"]) for row in rows]
    whole = market.trades(market.listing("okx", "perp", "BTC-USDT-SWAP", AT), START, END - 1)

    assert ids == list(range(ids[0], ids[-1] - 1, -1))
    assert set(whole.trade_id.tolist()) <= set(ids)
    assert int(rows[0]["ts"]) < END


def test_settled_funding_is_one_number_whoever_is_asked(market: Market, get: Get) -> None:
    okx = get("/api/v5/public/funding-rate-history", instId="ETH-USDT-SWAP", limit="5")["data"]
    bybit = get("/v5/market/funding/history", category="linear", symbol="ETHUSDT", limit="5")["result"]["list"]
    settled = [datetime(2025, 3, 5, 8, tzinfo=UTC) - n * timedelta(hours=8) for n in range(5)]

    assert [int(row["fundingTime"]) for row in okx] == [milliseconds(at) for at in settled]
    assert [int(row["fundingRateTimestamp"]) for row in bybit] == [milliseconds(at) for at in settled]
    for at, old, new in zip(settled, okx, bybit, strict=True):
        assert float(old["realizedRate"]) == pytest.approx(market.funding_rate("okx", "ETH", at), abs=1e-9)
        assert float(new["fundingRate"]) == pytest.approx(market.funding_rate("bybit", "ETH", at), abs=1e-9)
    assert any(row["realizedRate"] != row["fundingRate"] for row in okx)


def test_eight_hours_of_deribits_payments_are_what_it_says_of_eight_hours(market: Market, get: Get) -> None:
    asked = {"start_timestamp": str(START - 8 * 3_600_000), "end_timestamp": str(START)}
    rows = get(PUBLIC + "get_funding_rate_history", instrument_name="BTC-PERPETUAL", **asked)["result"]
    premiums = [market.premium_frac("deribit", "BTC", HOUR - timedelta(minutes=60 - n)) for n in range(60)]
    paid = sum(max(0.00025, p) + min(-0.00025, p) for p in premiums) / 60 / 8

    assert [row["timestamp"] for row in rows] == [START - hours * 3_600_000 for hours in range(8, -1, -1)]
    assert rows[-1]["interest_1h"] == pytest.approx(paid, abs=1e-12)
    assert rows[-1]["interest_8h"] == pytest.approx(sum(row["interest_1h"] for row in rows[1:]), abs=1e-12)


def test_dvol_is_the_thirty_day_volatility_in_percent(market: Market, get: Get) -> None:
    asked = {"currency": "ETH", "resolution": "60", **SPAN}
    bars = get(PUBLIC + "get_volatility_index_data", **asked)["result"]["data"]

    assert [bar[0] for bar in bars] == [START + minute * 60_000 for minute in range(60)]
    assert bars[0][1] == pytest.approx(100 * market.constant_maturity_vol("ETH", 30.0, HOUR), abs=1e-4)
    for earlier, later in pairwise(bars):
        assert later[1] == earlier[4]
        assert later[3] <= min(later[1], later[4]) <= max(later[1], later[4]) <= later[2]


def test_takers_are_liquidated_in_stress_and_never_in_calm(market: Market, get: Get) -> None:
    """Both venues tell the same rule of their own trades; OKX with the price of the takeover, not of the fill."""
    storm = stormy(market)
    start, end = milliseconds(storm), milliseconds(storm) + 3_600_000
    now = storm + timedelta(hours=1)
    trades = get(
        PUBLIC + "get_last_trades_by_instrument_and_time",
        now,
        instrument_name="BTC-PERPETUAL",
        count="1000",
        sorting="asc",
        start_timestamp=str(start),
        end_timestamp=str(end - 1),
    )["result"]["trades"]
    forced = [row for row in trades if "liquidation" in row]
    orders = get(
        "/api/v5/public/liquidation-orders",
        now,
        instType="SWAP",
        instFamily="BTC-USDT",
        state="filled",
        after=str(end),
    )["data"]
    calm = min((datetime(2025, 3, 5, hour, tzinfo=UTC) for hour in range(23)), key=lambda at: market.stress("BTC", at))

    assert {row["liquidation"] for row in forced} == {"T"}
    assert all(row["trade_seq"] % 50 == 0 for row in forced)
    assert len(forced) == sum(row["trade_seq"] % 50 == 0 for row in trades)
    assert market.stress("BTC", calm) == 0
    details = [order for row in orders for order in row["details"] if int(order["ts"]) >= start]
    assert details
    for order in details:
        at = datetime.fromtimestamp(int(order["ts"]) / 1_000, UTC)
        assert market.stress("BTC", at) > 0.25
        mark = market.mark_px(market.listing("okx", "perp", "BTC-USDT-SWAP", at), at)
        assert float(order["bkPx"]) / mark - 1 == pytest.approx(0.005 if order["side"] == "buy" else -0.005, abs=1e-4)


def test_bybit_tells_open_interest_of_both_sides_and_of_one(market: Market, get: Get) -> None:
    for category, symbol, kind in (("linear", "BTCUSDT", "perp"), ("inverse", "ETHUSD", "perp")):
        [row] = get("/v5/market/tickers", category=category, symbol=symbol)["result"]["list"]
        listing = market.listing("bybit", kind, symbol, AT)  # type: ignore[arg-type]
        qty = market.open_interest_qty(listing, AT)

        assert float(row["singleOpenInterest"]) == qty
        assert float(row["openInterest"]) == pytest.approx(2 * qty, rel=1e-12)
