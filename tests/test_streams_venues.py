"""What each venue's frames say, in its documented format, and how each is asked."""

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ingestion.records import DATASET_OF, Record
from ingestion.venues import VENUES
from ingestion.venues.base import Plan, Refused, Reply
from ingestion.venues.streams import BookDiff, BookSnapshot, Control, Said, Stream

AT = datetime(2026, 1, 2, 13, 0, 5, tzinfo=UTC)
TOLD = datetime(2026, 1, 2, 13, 0, 4, 500_000, tzinfo=UTC)
MS = int(TOLD.timestamp() * 1_000)
ISO = "2026-01-02T13:00:04.500000Z"
EXAMPLES = Path(__file__).parent / "examples" / "streams"
STREAMED = sorted(name for name, venue in VENUES.items() if venue.streams)
PLAN = Plan(("BTC", "ETH"), AT, AT)


def stream(venue: str, name: str) -> Stream:
    return next(each for each in VENUES[venue].streams if each.name == name)


def read(venue: str, name: str, frame: Any) -> list[Said]:
    body = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
    return list(stream(venue, name).read(Reply(f"/ws/{name}", {}, body, AT)))


def examples() -> list[Any]:
    """A frame a line, in the documented format, and what it says: no venue, no clocks, nothing that is not said."""
    return [
        pytest.param(path.stem, *(json.loads(line)[key] for key in ("stream", "frame", "says")), id=f"{path.stem}-{n}")
        for path in sorted(EXAMPLES.glob("*.jsonl"))
        for n, line in enumerate(path.read_text().splitlines())
    ]


def said(item: Said) -> dict[str, Any]:
    assert isinstance(item, Record), item
    assert (item.captured_ts, item.event_ts) in ((AT, TOLD), (AT, None))
    fields = msgspec.to_builtins(msgspec.structs.asdict(item))
    dull = ("venue", "captured_ts", "event_ts", "is_aggregate")
    kept = {name: value for name, value in fields.items() if value not in (None, False) and name not in dull}
    return {"dataset": DATASET_OF[type(item)], **kept}


@pytest.mark.parametrize(("venue", "name", "frame", "says"), examples())
def test_a_frame_says(venue: str, name: str, frame: Any, says: list[dict[str, Any]]) -> None:
    assert [said(item) for item in read(venue, name, frame)] == says


@pytest.mark.parametrize(("venue", "name", "frame", "says"), examples())
@pytest.mark.parametrize("is_spaced", [False, True], ids=["as sent", "spaced"])
def test_a_frame_names_its_dataset_even_where_it_cannot_be_read(
    venue: str, name: str, frame: Any, says: list[dict[str, Any]], is_spaced: bool
) -> None:
    """Half a frame is no JSON; Coinbase's name no channel."""
    text = json.dumps(frame, separators=None if is_spaced else (",", ":"))
    damaged = text[:-2].encode()
    told = stream(venue, name).dataset_of(damaged)

    with pytest.raises(Refused):
        read(venue, name, damaged)
    assert told == (None if venue == "coinbase" else says[0]["dataset"])


@pytest.mark.parametrize("venue", STREAMED)
@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xff\xfe",
        b'{"stream":"x@y","channel":"unheard","topic":"unheard.BTC"}',
        b'{"channel":"\xff","symbol":"\xff","coin":"\xff","instId":"\xff"}',
    ],
)
def test_a_frame_that_names_no_channel_of_ours_names_no_dataset(venue: str, frame: bytes) -> None:
    assert {each.dataset_of(frame) for each in VENUES[venue].streams} == {None}


@pytest.mark.parametrize(
    ("venue", "name", "frame", "event"),
    [
        ("binance_usdm", "books", {"result": None, "id": 1}, "subscribed"),
        ("okx", "public", b"pong", "alive"),
        ("okx", "public", {"event": "subscribe", "arg": {"channel": "books", "instId": "BTC-USDT"}}, "subscribed"),
        ("bybit", "linear", {"success": True, "ret_msg": "pong", "conn_id": "1", "op": "ping"}, "alive"),
        ("bybit", "linear", {"success": True, "ret_msg": "", "conn_id": "1", "op": "subscribe"}, "subscribed"),
        ("deribit", "futures", {"jsonrpc": "2.0", "id": 1, "result": ["book.BTC-PERPETUAL.100ms"]}, "subscribed"),
        ("coinbase", "feed", {"type": "subscriptions", "channels": []}, "subscribed"),
        ("coinbase", "feed", {"type": "heartbeat", "product_id": "BTC-USD", "last_trade_id": 1}, "alive"),
        ("kraken", "feed", {"channel": "heartbeat"}, "alive"),
        ("kraken", "feed", {"method": "pong", "time_in": "2026-01-02T13:00:00Z"}, "alive"),
        ("kraken", "feed", {"method": "subscribe", "success": True, "result": {"channel": "trade"}}, "subscribed"),
        ("hyperliquid", "feed", {"channel": "pong"}, "alive"),
        ("hyperliquid", "feed", {"channel": "subscriptionResponse", "data": {}}, "subscribed"),
    ],
)
def test_a_frame_about_the_connection_is_told_apart(venue: str, name: str, frame: Any, event: str) -> None:
    [control] = read(venue, name, frame)

    assert isinstance(control, Control)
    assert control.event == event


BOOKS: list[tuple[str, str, Any, Any, int | None, tuple[int | None, int | None, int | None]]] = [
    (
        "deribit",
        "futures",
        {
            "type": "snapshot",
            "timestamp": MS,
            "instrument_name": "BTC-PERPETUAL",
            "change_id": 7,
            "bids": [["new", 90000.0, 10.0], ["new", 89999.5, 20.0]],
            "asks": [["new", 90000.5, 30.0]],
        },
        {
            "type": "change",
            "timestamp": MS,
            "instrument_name": "BTC-PERPETUAL",
            "change_id": 9,
            "prev_change_id": 7,
            "bids": [["delete", 90000.0, 0.0]],
            "asks": [["change", 90000.5, 40.0]],
        },
        7,
        (None, 9, 7),
    ),
    (
        "okx",
        "public",
        {
            "bids": [["90000", "10", "0", "2"], ["89999.5", "20", "0", "1"]],
            "asks": [["90000.5", "30", "0", "1"]],
            "ts": str(MS),
            "checksum": 0,
            "seqId": 7,
            "prevSeqId": -1,
        },
        {
            "bids": [["90000", "0", "0", "0"]],
            "asks": [["90000.5", "40", "0", "1"]],
            "ts": str(MS),
            "checksum": 0,
            "seqId": 9,
            "prevSeqId": 7,
        },
        7,
        (None, 9, 7),
    ),
    (
        "bybit",
        "linear",
        {"s": "BTCUSDT", "b": [["90000", "10"], ["89999.5", "20"]], "a": [["90000.5", "30"]], "u": 7, "seq": 1},
        {"s": "BTCUSDT", "b": [["90000", "0"]], "a": [["90000.5", "40"]], "u": 8, "seq": 2},
        7,
        (None, 8, None),
    ),
    (
        "coinbase",
        "feed",
        {
            "type": "snapshot",
            "product_id": "BTC-USD",
            "bids": [["90000", "10"], ["89999.5", "20"]],
            "asks": [["90000.5", "30"]],
        },
        {
            "type": "l2update",
            "product_id": "BTC-USD",
            "time": ISO,
            "changes": [["buy", "90000", "0"], ["sell", "90000.5", "40"]],
        },
        None,
        (None, None, None),
    ),
]


def framed(venue: str, data: dict[str, Any], is_whole: bool) -> dict[str, Any]:
    if venue == "deribit":
        params = {"channel": "book.BTC-PERPETUAL.100ms", "data": data}
        return {"jsonrpc": "2.0", "method": "subscription", "params": params}
    if venue == "okx":
        arg = {"channel": "books", "instId": "BTC-USDT-SWAP"}
        return {"arg": arg, "action": "snapshot" if is_whole else "update", "data": [data]}
    if venue == "bybit":
        kind = "snapshot" if is_whole else "delta"
        return {"topic": "orderbook.200.BTCUSDT", "type": kind, "ts": MS + 3, "cts": MS, "data": data}
    return data


@pytest.mark.parametrize(("venue", "name", "whole", "change", "last_id", "ids"), BOOKS)
def test_a_book_comes_whole_and_then_by_what_changed(
    venue: str, name: str, whole: Any, change: Any, last_id: int | None, ids: tuple[int | None, int | None, int | None]
) -> None:
    [snapshot] = read(venue, name, framed(venue, whole, is_whole=True))
    assert isinstance(snapshot, BookSnapshot)
    assert list(snapshot.bids) == [(90000.0, 10.0), (89999.5, 20.0)]
    assert list(snapshot.asks) == [(90000.5, 30.0)]
    assert snapshot.last_id == last_id

    [diff] = read(venue, name, framed(venue, change, is_whole=False))
    assert isinstance(diff, BookDiff)
    assert list(diff.bids) == [(90000.0, 0.0)]
    assert list(diff.asks) == [(90000.5, 40.0)]
    assert (diff.first_id, diff.last_id, diff.prev_id) == ids
    assert diff.event_ts == TOLD


def test_deribits_question_whether_one_is_there_is_answered() -> None:
    [control] = read("deribit", "futures", {"method": "heartbeat", "params": {"type": "test_request"}})

    assert isinstance(control, Control)
    assert json.loads(control.reply or "")["method"] == "public/test"


REFUSALS: list[tuple[str, str, dict[str, Any]]] = [
    ("binance_spot", "books", {"error": {"code": 2, "msg": "Invalid request"}, "id": 1}),
    ("okx", "public", {"event": "error", "code": "60012", "msg": "Invalid request"}),
    ("bybit", "linear", {"success": False, "ret_msg": "error:handler not found", "op": "subscribe"}),
    ("deribit", "options", {"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "Invalid params"}}),
    ("coinbase", "feed", {"type": "error", "message": "Failed to subscribe"}),
    ("kraken", "feed", {"method": "subscribe", "success": False, "error": "Currency pair not supported"}),
    ("hyperliquid", "feed", {"channel": "error", "data": "Invalid subscription"}),
]


@pytest.mark.parametrize(("venue", "name", "frame"), REFUSALS)
def test_a_venue_that_refuses_what_was_asked_is_heard(venue: str, name: str, frame: dict[str, Any]) -> None:
    [control] = read(venue, name, frame)

    assert isinstance(control, Control)
    assert control.event == "error"
    assert control.text


@pytest.mark.parametrize("venue", STREAMED)
def test_a_frame_that_no_parser_knows_is_refused(venue: str) -> None:
    for each in VENUES[venue].streams:
        for body in (b"", b"{}", b"[]", b"null", b'{"channel":"unheard"}', b'{"topic":"unheard.BTC"}', b"\xff\xfe"):
            with pytest.raises(Refused):
                list(each.read(Reply(each.path, {}, body, AT)))


@pytest.mark.parametrize("venue", STREAMED)
def test_every_stream_can_be_asked_for_within_its_limits(venue: str) -> None:
    names = [each.name for each in VENUES[venue].streams]
    assert len(names) == len(set(names))
    for each in VENUES[venue].streams:
        assert each.url.startswith("wss://")
        assert each.docs_url.startswith("https://")
        for subscription in each.subscriptions(PLAN):
            assert 0 < len(subscription.channels) <= each.max_channels
            assert all(json.loads(frame) for frame in subscription.frames)
            for channel in subscription.channels:
                told = each.tells(channel)
                assert told.dataset in VENUES[venue].lake_datasets
                assert told.symbol


@pytest.mark.parametrize("venue", STREAMED)
def test_what_a_stream_tells_has_its_place_in_the_lake_even_where_no_reply_tells_of_it(venue: str) -> None:
    lines = (EXAMPLES / f"{venue}.jsonl").read_text().splitlines()
    told = {each["dataset"] for line in lines for each in json.loads(line)["says"]}

    assert told <= set(VENUES[venue].lake_datasets)
    assert set(VENUES[venue].told_by_stream) == told - set(VENUES[venue].expected)


@pytest.mark.parametrize("venue", STREAMED)
def test_books_of_bitcoin_and_ether_are_told_and_can_be_had_anew(venue: str) -> None:
    found: set[str] = set()
    for each in VENUES[venue].streams:
        for subscription in each.subscriptions(PLAN):
            books = each.books(subscription.channels)
            found |= set(books)
            if each.snapshot is not None and books:
                question = each.snapshot(books[0])
                assert VENUES[venue].endpoint(question.path, dict(question.query)).dataset == "order_books"
            elif each.renew is not None and books:
                unsubscribes, subscribes = each.renew(books[0])
                assert unsubscribes.replace("un", "", 1) == subscribes
    assert len(found) >= 2


def test_more_channels_than_a_connection_bears_are_shared_out() -> None:
    narrow = dataclasses.replace(stream("binance_usdm", "books"), max_channels=3)

    assert [len(each.channels) for each in narrow.subscriptions(PLAN)] == [3, 1]


def test_kraken_pairs_have_the_names_of_the_replies() -> None:
    """By the lists of pairs of 2017 and 2021."""
    tells = stream("kraken", "feed").tells
    told = {pair: tells(f"trade:{pair}").symbol for pair in ("BTC/EUR", "ETH/USD", "SOL/USD", "DOGE/USD", "USDT/USD")}

    assert told == {
        "BTC/EUR": "XXBTZEUR",
        "ETH/USD": "XETHZUSD",
        "SOL/USD": "SOLUSD",
        "DOGE/USD": "XDGUSD",
        "USDT/USD": "USDTZUSD",
    }
