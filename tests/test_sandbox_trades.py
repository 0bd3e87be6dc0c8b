"""Trades and candles of the simulated exchange: consecutive, at the touch, and of one story."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest

from ingestion.sandbox.app import server
from ingestion.sandbox.market import Market
from ingestion.sandbox.path import milliseconds
from tests.sandbox_asks import AT

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


def test_trades_page_without_gap_or_repeat_across_midnight(get: Get) -> None:
    at = datetime(2025, 3, 6, 0, 40, tzinfo=UTC)
    start, end = milliseconds(at - timedelta(hours=2)), milliseconds(at) - 1
    path = "/api/v3/aggTrades"
    page = get(path, at, symbol="BTCUSDT", startTime=str(start), endTime=str(end), limit="300")
    rows = page
    while len(page) == 300:
        page = get(path, at, symbol="BTCUSDT", fromId=str(rows[-1]["a"] + 1), limit="300")
        rows = rows + page
    once = get(path, at, symbol="BTCUSDT", startTime=str(start), endTime=str(end), limit="1000")

    assert len(rows) > 1_000
    assert all(later["a"] == earlier["a"] + 1 for earlier, later in pairwise(rows))
    assert all(later["T"] >= earlier["T"] for earlier, later in pairwise(rows))
    assert rows[:1_000] == once
    assert rows[-1]["T"] <= milliseconds(at)


def test_deribit_says_when_there_is_more(get: Get) -> None:
    path, start = "/api/v2/public/get_last_trades_by_instrument_and_time", milliseconds(AT) - 3_600_000
    asked = {"instrument_name": "BTC-PERPETUAL", "end_timestamp": str(milliseconds(AT)), "sorting": "asc"}
    page = get(path, count="200", start_timestamp=str(start), **asked)["result"]
    rest = get(path, count="1000", start_timestamp=str(page["trades"][-1]["timestamp"] + 1), **asked)["result"]

    assert (page["has_more"], rest["has_more"]) == (True, False)
    assert rest["trades"][0]["trade_seq"] == page["trades"][-1]["trade_seq"] + 1


def test_takers_buy_as_often_as_pressure_says(market: Market) -> None:
    listing = market.listing("binance_usdm", "perp", "BTCUSDT", AT)
    tape = market.tape(listing, 20_152)
    chance = np.array(
        [market.aggressor_share("BTC", datetime.fromtimestamp(ms / 1_000, UTC)) for ms in tape.at_ms[::20].tolist()]
    )

    assert tape.is_buy.mean() == pytest.approx(chance.mean(), abs=0.015)
    assert np.corrcoef(tape.is_buy[::20], chance)[0, 1] > 0.05


def test_trades_happen_at_the_touch_of_the_book_of_their_moment(market: Market) -> None:
    listing = market.listing("bybit", "perp", "BTCUSD", AT)
    tape = market.trades_before(listing, milliseconds(AT), 40)
    for ms, px, is_buy in zip(tape.at_ms.tolist(), tape.px.tolist(), tape.is_buy.tolist(), strict=True):
        book = market.book_of(listing, datetime.fromtimestamp(ms / 1_000, UTC))
        assert px == (book.ask_px[0] if is_buy else book.bid_px[0])


def test_candles_hold_the_path_and_the_volume_of_the_trades(market: Market, get: Get) -> None:
    hour = datetime(2025, 3, 5, 13, tzinfo=UTC)
    listing = market.listing("binance_spot", "spot", "BTCUSDT", AT)
    start, end = milliseconds(hour), milliseconds(hour) + 3_600_000 - 1
    asked = {"symbol": "BTCUSDT", "startTime": str(start), "endTime": str(end)}
    (bar,) = get("/api/v3/klines", interval="1h", **asked)
    minutes = get("/api/v3/klines", interval="1m", **asked)
    mids = market.mids(listing, start // 86_400_000)[13 * 720 : 14 * 720]
    trades = market.trades(listing, start, end)

    assert [float(x) for x in bar[1:5]] == pytest.approx([mids[0], mids.max(), mids.min(), mids[-1]], abs=0.0051)
    assert float(bar[5]) == pytest.approx(trades.qty.sum(), abs=1e-6)
    assert (bar[0], bar[6], bar[8]) == (start, end, len(trades))
    assert len(minutes) == 60
    assert max(float(m[2]) for m in minutes) == float(bar[2])
    assert sum(float(m[5]) for m in minutes) == pytest.approx(float(bar[5]), abs=1e-6)


def test_ninety_one_days_of_candles_come_in_pages(get: Get) -> None:
    start = milliseconds(AT - timedelta(days=91))
    rows: list[Any] = []
    while page := get(
        "/api/v3/klines",
        symbol="ETHUSDT",
        interval="1h",
        startTime=str(rows[-1][0] + 1 if rows else start),
        endTime=str(milliseconds(AT)),
        limit="1000",
    ):
        rows += page

    assert len(rows) == 91 * 24
    assert all(later[0] - earlier[0] == 3_600_000 for earlier, later in pairwise(rows))
    assert all(
        later[1] == pytest.approx(earlier[4], rel=0.01)
        for earlier, later in pairwise([[row[0], *map(float, row[1:5])] for row in rows])
    )
