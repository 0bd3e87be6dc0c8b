"""The simulated exchange speaks like the venues: their errors, their faults, nothing that adapters reject."""

import asyncio
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from ingestion.records import Instrument, Record
from ingestion.sandbox.app import VENUES_SERVED, create_app, server
from ingestion.sandbox.faults import KINDS, Faults, Served
from ingestion.sandbox.market import Market, UnknownInstrument
from ingestion.sandbox.path import milliseconds
from ingestion.transports.base import VirtualClock
from ingestion.venues import VENUES
from ingestion.venues.base import Plan, Refused, Reject, Reply, Request
from tests.sandbox_asks import AT, INSTANTS, PATHS


@pytest.fixture(scope="module")
def market() -> Market:
    return Market()


def test_unknown_symbols_get_each_venues_own_error(market: Market) -> None:
    serve = server(market)

    def asked(path: str, **query: str) -> tuple[int, Any]:
        reply = serve(path, query, "", AT)
        return reply.status, json.loads(reply.body)

    assert asked("/fapi/v1/depth", symbol="NO") == (400, {"code": -1121, "msg": "Invalid symbol."})
    assert asked("/api/v3/depth")[1]["code"] == -1102
    status, body = asked("/api/v5/market/books", instId="NO-NO")
    assert (status, body["code"], body["data"]) == (200, "51001", [])
    status, body = asked("/v5/market/orderbook", category="linear", symbol="NO")
    assert (status, body["retCode"]) == (200, 10001)
    status, body = asked("/api/v2/public/ticker", instrument_name="NO")
    assert (status, body["error"]["code"]) == (400, 13020)
    with pytest.raises(UnknownInstrument, match="deribit perp 'NO'"):
        market.listing("deribit", "perp", "NO", AT)


BROKEN: dict[str, Callable[[Served], bool]] = {
    "429": lambda r: r.status == 429 and r.headers["Retry-After"] == "2",
    "418": lambda r: r.status == 418 and "Retry-After" in r.headers,
    "500": lambda r: r.status == 500,
    "503": lambda r: r.status == 503,
    "html": lambda r: r.status == 200 and r.body.startswith(b"<!DOCTYPE"),
    "crossed": lambda r: float(_top(r, "bids")) > float(_top(r, "asks")),
    "shifted": lambda r: float(_top(r, "bids")) == pytest.approx(1.005 * _best_bid(), abs=0.01),
    "missing_field": lambda r: "bids" not in json.loads(r.body),
    "nan": lambda r: _top(r, "bids") == "NaN",
    "late": lambda r: json.loads(r.body)["T"] == milliseconds(AT) - 3 * 3_600_000,
    "truncated": lambda r: not r.body.endswith(b"}"),
    "retyped": lambda r: isinstance(_top(r, "bids"), dict),
}


def _best_bid() -> float:
    return float(Market(seed=7).book("binance_usdm", "perp", "BTCUSDT", AT).bid_px[0])


def _top(reply: Served, side: str) -> Any:
    return json.loads(reply.body)[side][0][0]


@pytest.mark.parametrize("kind", BROKEN)
def test_each_fault_breaks_a_book_in_its_own_way_and_is_counted(market: Market, kind: str) -> None:
    faults = Faults.parse([f"binance_usdm:/depth$:{kind}:1.0"])
    reply = server(market, faults)("/fapi/v1/depth", {"symbol": "BTCUSDT"}, "symbol=BTCUSDT", AT)

    assert BROKEN[kind](reply)
    assert faults.injected == {("binance_usdm", kind): 1}


def test_rows_can_come_twice_or_not_at_all(market: Market) -> None:
    faults = Faults.parse(["okx:mark-price:duplicate_rows:1.0", "bybit:tickers:empty:1.0"])
    serve = server(market, faults)
    twice = json.loads(serve("/api/v5/public/mark-price", {"instType": "SWAP"}, "", AT).body)["data"]
    none = json.loads(serve("/v5/market/tickers", {"category": "spot"}, "", AT).body)["result"]["list"]

    assert twice[0::2] == twice[1::2]
    assert len(twice) == 8
    assert none == []
    assert set(KINDS) == {*BROKEN, "duplicate_rows", "empty"}


def test_a_share_of_faults_is_the_same_in_any_order_and_a_count_ends(market: Market) -> None:
    asked = [f"limit={n}" for n in range(5, 205)]

    def hit(order: list[str]) -> set[str]:
        serve = server(market, Faults.parse(["binance_spot:depth:500:0.3"], seed=4))
        path, query = "/api/v3/depth", {"symbol": "BTCUSDT", "limit": "5"}
        return {text for text in order if serve(path, query, text, AT).status == 500}

    counted = server(market, Faults.parse(["deribit:/get_index_price:503:2"]))
    path, query = "/api/v2/public/get_index_price", {"index_name": "btc_usd"}

    assert hit(asked) == hit(asked[::-1])
    assert 35 < len(hit(asked)) < 85
    assert [counted(path, query, "", AT).status for _ in range(4)] == [503, 503, 200, 200]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("deribit:crossed", "expected venue"),
        ("deribit:/x:croosed:0.1", "kind 'croosed'"),
        ("deribit:/x:crossed:2.5", "'2.5', expected a share"),
        ("deribit:(:crossed:1", "no regular expression"),
    ],
)
def test_a_fault_that_cannot_be_read_says_why(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=re.escape(wrong)):
        Faults.parse([text])


# Served over HTTP, read by the adapters


def test_the_app_answers_over_http_and_counts_request_weight(market: Market) -> None:
    async def ask() -> list[httpx.Response]:
        app = create_app(market, VirtualClock(AT))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
            paths = ("/api/v3/depth?symbol=BTCUSDT", "/api/v3/depth?symbol=ETHUSDT", "/api/v5/no", "/no")
            return [await client.get(path) for path in paths]

    first, second, missing, nowhere = asyncio.run(ask())

    assert first.json()["bids"] != second.json()["bids"]
    assert (first.headers["x-mbx-used-weight-1m"], second.headers["x-mbx-used-weight-1m"]) == ("50", "100")
    assert first.headers["content-type"] == "application/json"
    assert (missing.status_code, nowhere.status_code) == (404, 404)


def is_quiet(request: Request) -> bool:
    """No option trades here, no linear option is listed, and nobody is liquidated in a calm hour."""
    asked = dict(request.query)
    is_of_options = "option" in (asked.get("kind"), asked.get("category")) or request.path.endswith("option-trades")
    return (
        request.path.endswith("liquidation-orders")
        or asked.get("currency") == "USDC"
        or (is_of_options and "trade" in request.path)
    )


@pytest.mark.parametrize("venue_name", VENUES_SERVED)
def test_adapters_read_every_reply_without_a_reject(market: Market, venue_name: str) -> None:
    venue, serve = VENUES[venue_name], server(market)
    if not venue.datasets:
        pytest.skip(f"{venue_name}: its adapter has no endpoints yet")

    def read(request: Request, at: datetime) -> list[Record | Reject]:
        served = serve(request.path, dict(request.query), request.query_string, at, (request.body or "").encode())
        assert served.status == 200, served.body
        return list(venue.parse(Reply.read(request.path, request.query_string, served.body, at, request.body)))

    for at in (AT, INSTANTS[1], INSTANTS[2]):
        plan, found = Plan(("BTC", "ETH"), at - timedelta(hours=1), at), []
        for wanted in (True, False):  # instruments first, as a sweep asks
            for endpoint in venue.endpoints:
                if endpoint.requests is None or (endpoint.dataset == "instruments") != wanted:
                    continue
                for request in endpoint.requests(plan):
                    got = read(request, at)
                    assert not [row for row in got if isinstance(row, Reject)]
                    assert got or is_quiet(request), request
                    found += got
            listed = tuple(record for record in found if isinstance(record, Instrument))
            plan = Plan(plan.underlyings, plan.start_ts, plan.end_ts, listed)


@pytest.mark.parametrize("kind", ["missing_field", "nan", "retyped", "truncated", "html"])
def test_adapters_refuse_what_these_faults_broke(market: Market, kind: str) -> None:
    faults = Faults.parse([f"*:.:{kind}:1.0"])
    serve = server(market, faults)
    accepted, broken = [], 0
    for path, query in PATHS:
        readers = [v for v in VENUES.values() if any(re.fullmatch(e.path, path) for e in v.endpoints)]
        for venue in readers:
            served = serve(path, query, urlencode(query), AT)
            if sum(faults.injected.values()) == broken:
                # Some lists of instruments hold no number of their own, and what is quiet holds nothing.
                assert kind == "nan" or is_quiet(Request(path, tuple(query.items())))
                continue
            broken += 1
            try:
                read = list(venue.parse(Reply.read(path, urlencode(query), served.body, AT)))
            except Refused:
                continue
            if not any(isinstance(row, Reject) for row in read):
                accepted.append(path)

    assert accepted == []
    assert broken > len(PATHS) - 10
