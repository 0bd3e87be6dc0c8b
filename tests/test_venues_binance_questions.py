"""Binance's three venues: what hostile replies come to, and what is asked in which pages."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from ingestion.records import Candle, Instrument, Record, Trade
from ingestion.venues.base import Plan, Refused, Reject, Reply, Request, Venue
from ingestion.venues.binance_coinm import BINANCE_COINM
from ingestion.venues.binance_spot import BINANCE_SPOT
from ingestion.venues.binance_usdm import BINANCE_USDM

NOW = datetime(2024, 11, 1, 5, 30, 20, tzinfo=UTC)
every_venue = pytest.mark.parametrize(
    "venue", [BINANCE_SPOT, BINANCE_USDM, BINANCE_COINM], ids=lambda venue: venue.name
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def answer(venue: Venue, path: str, query: str, body: object) -> list[Record | Reject]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return list(venue.parse(Reply.read(path, query, raw, NOW)))


# Hostile replies

AGGREGATE = {"a": 1, "p": "100.5", "q": "2", "T": 1_577_977_446_915, "m": True}
BOOK = {"lastUpdateId": 1, "bids": [["100.5", "2"]], "asks": [["101", "3"]]}
HOSTILE_NUMBERS: list[object] = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "1_000",
    "",
    "-1",
    "0",
    " 1",
    "1,5",
    None,
    [],
    True,
]


@pytest.mark.parametrize("number", HOSTILE_NUMBERS)
@pytest.mark.parametrize("field", ["p", "q"])
def test_hostile_numbers_cost_their_row_only(field: str, number: object) -> None:
    hostile = AGGREGATE | {field: number}
    good, bad = answer(BINANCE_SPOT, "/api/v3/aggTrades", "symbol=BTCUSDT", [AGGREGATE, hostile])

    assert isinstance(good, Trade)
    assert isinstance(bad, Reject)
    assert bad.rule == "schema"
    assert json.loads(bad.row) == hostile


@pytest.mark.parametrize("number", HOSTILE_NUMBERS)
def test_a_hostile_number_in_a_book_refuses_the_book(number: object) -> None:
    """Half a book is no book."""
    for level in ([number, "2"], ["100.5", number], ["100.5"], ["100.5", "2", "3"]):
        with pytest.raises(Refused) as refused:
            answer(BINANCE_SPOT, "/api/v3/depth", "symbol=BTCUSDT", BOOK | {"bids": [level]})
        assert refused.value.rule == "schema"


@pytest.mark.parametrize("field", sorted(AGGREGATE))
def test_a_missing_field_rejects_the_row(field: str) -> None:
    row = {name: value for name, value in AGGREGATE.items() if name != field}
    [reject] = answer(BINANCE_SPOT, "/api/v3/aggTrades", "symbol=BTCUSDT", [row])

    assert isinstance(reject, Reject)
    assert f"`{field}`" in reject.reason


@pytest.mark.parametrize("time", [1_577_977_446_915_000, 1_577_977_446, 0, -1, 10**30])
def test_microseconds_and_seconds_are_refused_as_timestamps(time: int) -> None:
    [reject] = answer(BINANCE_SPOT, "/api/v3/aggTrades", "symbol=BTCUSDT", [AGGREGATE | {"T": time}])

    assert isinstance(reject, Reject)
    assert reject.rule == "timestamp"


@pytest.mark.parametrize(
    ("path", "query", "body", "rule"),
    [
        ("/api/v3/depth", "", BOOK, "symbol"),
        ("/api/v3/aggTrades", "limit=5", [], "symbol"),
        ("/api/v3/depth", "symbol=ETHUSDT", BOOK | {"symbol": "BTCUSDT"}, "symbol"),
        ("/api/v3/depth", "symbol=../x", BOOK, "unknown_symbol"),
        ("/api/v3/depth", "symbol=BTCUSDT", BOOK | {"bids": [["0.1234567890123456", "1"]]}, "precision"),
        ("/api/v3/depth", "symbol=NOPE", {"code": -1121, "msg": "Invalid symbol."}, "venue_error"),
        ("/api/v3/exchangeInfo", "", {"msg": "Way too much request weight.", "code": -1003}, "venue_error"),
        ("/api/v3/depth", "symbol=BTCUSDT", b"<html>maintenance</html>", "schema"),
        ("/api/v3/trades", "symbol=BTCUSDT", b'[{"id":1,', "schema"),
        ("/api/v3/trades", "symbol=BTCUSDT", b'"BTC"', "schema"),
        ("/api/v3/klines", "symbol=BTCUSDT&interval=1M", [], "interval"),
        ("/api/v3/klines", "symbol=BTCUSDT", [], "interval"),
        ("/api/v1/depth", "symbol=BTCUSDT", BOOK, "retired"),
        ("/api/v3/account", "", {}, "retired"),
        ("/api/v3/nothing", "", {}, "unknown_endpoint"),
    ],
)
def test_replies_that_are_refused_whole(path: str, query: str, body: object, rule: str) -> None:
    """The refusal comes from `parse` itself, before any row is read."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(Refused) as refused:
        BINANCE_SPOT.parse(Reply.read(path, query, raw, NOW))

    assert refused.value.rule == rule


def test_a_bar_of_another_length_than_asked_is_rejected() -> None:
    bar = [1_546_300_800_000, "1", "2", "1", "2", "5", 1_546_300_859_999, "7", 3, "1", "1", "0"]
    [good] = answer(BINANCE_SPOT, "/api/v3/klines", "symbol=BTCUSDT&interval=1m", [bar])
    [bad] = answer(BINANCE_SPOT, "/api/v3/klines", "symbol=BTCUSDT&interval=1h", [bar])

    assert isinstance(good, Candle)
    assert isinstance(bad, Reject)


def test_unknown_fields_are_tolerated() -> None:
    [trade] = answer(BINANCE_SPOT, "/api/v3/aggTrades", "symbol=BTCUSDT", [AGGREGATE | {"nq": "2"}])

    assert isinstance(trade, Trade)


# What is asked


def plan(hours: float = 1, listed: tuple[Instrument, ...] = ()) -> Plan:
    return Plan(("BTC", "ETH"), at("2024-11-01T04:00"), at("2024-11-01T04:00") + timedelta(hours=hours), listed)


def asked(venue: Venue, dataset: str, wanted: Plan) -> list[str]:
    return [
        f"{request.path}?{request.query_string}"
        for endpoint in venue.endpoints
        if endpoint.dataset == dataset and endpoint.requests
        for request in endpoint.requests(wanted)
    ]


def test_without_a_listing_the_documented_names_are_asked() -> None:
    assert asked(BINANCE_SPOT, "spot_tickers", plan()) == [
        "/api/v3/ticker/24hr?symbols=%5B%22BTCUSDT%22%2C%22ETHUSDT%22%5D"
    ]
    assert asked(BINANCE_USDM, "order_books", plan()) == [
        "/fapi/v1/depth?symbol=BTCUSDT&limit=1000",
        "/fapi/v1/depth?symbol=ETHUSDT&limit=1000",
    ]
    assert asked(BINANCE_COINM, "perp_tickers", plan())[0] == "/dapi/v1/premiumIndex?symbol=BTCUSD_PERP"
    assert asked(BINANCE_COINM, "future_tickers", plan()) == []


def test_listed_futures_are_asked_until_they_expire() -> None:
    """And of a listing only this venue's: OKX or Deribit may list the same base."""
    live, gone = (BINANCE_COINM.terms(s, "future", NOW) for s in ("BTCUSD_241227", "BTCUSD_240927"))
    perp = BINANCE_COINM.terms("BTCUSD_PERP", "perp", NOW)
    other = msgspec.structs.replace(live, venue="okx", symbol="BTC-USD-241227")
    wanted = plan(listed=(live, gone, perp, other))

    assert asked(BINANCE_COINM, "future_tickers", wanted) == [
        "/dapi/v1/premiumIndex?symbol=BTCUSD_241227",
        "/dapi/v1/ticker/24hr?symbol=BTCUSD_241227",
    ]
    assert asked(BINANCE_COINM, "open_interest", wanted) == [
        "/dapi/v1/openInterest?symbol=BTCUSD_PERP",
        "/dapi/v1/openInterest?symbol=BTCUSD_241227",
    ]


@every_venue
def test_every_question_is_read_by_the_endpoint_that_asks_it(venue: Venue) -> None:
    listed = (
        BINANCE_COINM.terms("BTCUSD_241227", "future", NOW),
        BINANCE_COINM.terms("BTCUSD_PERP", "perp", NOW),
    )
    for endpoint in venue.endpoints:
        for request in endpoint.requests(plan(listed=listed)) if endpoint.requests else ():
            assert venue.endpoint(request.path, dict(request.query)) is endpoint


def full_page(first_id: int, first_ms: int, step_ms: int) -> bytes:
    page = [AGGREGATE | {"a": first_id + i, "T": first_ms + i * step_ms} for i in range(1000)]
    return json.dumps(page).encode()


@every_venue
def test_trades_are_asked_hour_by_hour_and_paged_by_id(venue: Venue) -> None:
    """startTime and endTime lie under an hour apart, and a page by id stops at the hour it began for."""
    endpoint = next(e for e in venue.endpoints if e.path.endswith("/aggTrades"))
    assert endpoint.requests
    assert endpoint.follow
    first, second, *_ = endpoint.requests(plan(hours=1.5))
    start_ms = int(at("2024-11-01T04:00").timestamp() * 1000)
    assert dict(first.query)["startTime"] == str(start_ms)
    assert dict(first.query)["endTime"] == str(start_ms + 3_600_000 - 1)
    assert dict(second.query)["endTime"] == str(start_ms + 5_400_000 - 1)

    def follow(request: Request, body: bytes) -> Request | None:
        return endpoint.follow(request, Reply(request.path, dict(request.query), body, NOW))  # type: ignore[misc]

    page = follow(first, full_page(5000, start_ms, 1))
    assert page is not None
    assert page.query == (("symbol", dict(first.query)["symbol"]), ("fromId", "6000"), ("limit", "1000"))
    again = follow(page, full_page(6000, start_ms + 1000, 1))
    assert again is not None
    assert dict(again.query)["fromId"] == "7000"
    assert follow(again, full_page(7000, start_ms + 3_599_001, 1)) is None  # its last trade is at 05:00
    assert follow(again, b"[]") is None
    with pytest.raises(Refused, match="until_ts"):
        follow(Request(page.path, page.query), full_page(6000, start_ms, 1))


def test_91_days_of_hourly_bars_come_in_three_pages() -> None:
    """Every hour once, the open one not."""
    endpoint = next(e for e in BINANCE_SPOT.endpoints if e.dataset == "candles")
    assert endpoint.requests
    assert endpoint.follow
    request: Request | None = endpoint.requests(plan())[0]
    starts: list[int] = []
    pages = 0
    while request is not None:
        asked = dict(request.query)
        hours = range(int(asked["startTime"]), int(asked["endTime"]) + 1, 3_600_000)[:1000]
        page = [[ms, "1", "1", "1", "1", "1", ms + 3_599_999, "1"] for ms in hours]
        starts += hours
        pages += 1
        request = endpoint.follow(request, Reply(request.path, asked, json.dumps(page).encode(), NOW))

    end_ms = int(at("2024-11-01T05:00").timestamp() * 1000)
    assert pages == 3
    assert starts == list(range(end_ms - 91 * 24 * 3_600_000, end_ms, 3_600_000))
