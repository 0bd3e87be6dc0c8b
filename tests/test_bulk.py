"""Read many at once, replies say what their parser says of them one by one, or are left to it."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.bulk import read_all
from ingestion.columns import to_records
from ingestion.envelopes import Envelope
from ingestion.reading import bulk_of
from ingestion.records import Record
from ingestion.venues import VENUES
from ingestion.venues.base import Refused, Reject, Reply

HOUR = datetime(2026, 1, 2, 13, tzinfo=UTC)
MS = 1_767_358_805_000

ASKED = [
    ("binance_spot", "/api/v3/depth", "BTCUSDT"),
    ("binance_usdm", "/fapi/v1/depth", "BTCUSDT"),
    ("binance_coinm", "/dapi/v1/depth", "BTCUSD_PERP"),
    ("binance_spot", "/api/v3/aggTrades", "BTCUSDT"),
    ("binance_usdm", "/fapi/v1/trades", "BTCUSDT"),
    ("binance_coinm", "/dapi/v1/aggTrades", "BTCUSD_PERP"),
    ("binance_spot", "/api/v3/ticker/bookTicker", ""),
]


def body_of(path: str, dice: random.Random) -> Any:
    if path.endswith("depth"):
        book: dict[str, Any] = {"lastUpdateId": dice.randrange(10**12), "E": MS, "T": MS}
        for side, sign in (("bids", -1), ("asks", 1)):
            count = dice.randrange(4)
            book[side] = [[f"{60000 + sign * (n + 1) / 8:.2f}", f"{dice.random():.8f}"] for n in range(count)]
        return book
    if path.endswith("bookTicker"):
        return [
            {
                "symbol": dice.choice(["BTCUSDT", "ETHUSDT", "ETHBTC"]),
                "bidPrice": dice.choice(["0.00000000", f"{dice.random():.8f}"]),
                "bidQty": f"{dice.random():.8f}",
                "askPrice": f"{dice.random():.8f}",
                "askQty": dice.choice(["0.00000000", f"{dice.random():.8f}"]),
            }
            for _ in range(dice.randrange(5))
        ]
    names = ("a", "p", "q", "T", "m") if path.endswith("aggTrades") else ("id", "price", "qty", "time", "isBuyerMaker")
    said = [
        (dice.randrange(10**9), f"{60000 + dice.random():.2f}", f"{1 + dice.random():.3f}", MS + n, dice.random() < 0.5)
        for n in range(dice.randrange(5))
    ]
    return [dict(zip(names, row, strict=True)) for row in said]


# What a hostile or changed venue may send in the place of a number, a level or a field.
ODD = [
    *("", "0", "-1", "00.5", ".5", "5.", "1.2.3", "1e5", "NaN", "Infinity", "1_000", "1" * 400, "0.1234567890123456"),
    *(None, True, 5, 0.5, -5, 1e400, 10**30),
    *([], ["1"], ["1", "2", "3"], [["1", "2"]], {}, 'a"b', "é", "1,2", "["),
]


def spoilt(body: Any, dice: random.Random) -> Any:
    """The same JSON with one thing in it replaced, dropped, doubled or renamed."""
    holders: list[Any] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict | list):
            holders.append(value)
            for inner in value.values() if isinstance(value, dict) else value:
                walk(inner)

    walk(body)
    holder = dice.choice(holders)
    places = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    if not places:
        return dice.choice(ODD)
    place = dice.choice(places)
    deed = dice.choice(["replace", "replace", "drop", "double"])
    if deed == "replace":
        holder[place] = dice.choice(ODD)
    elif deed == "drop":
        del holder[place]
    elif isinstance(holder, list):
        holder.insert(place, holder[place])
    else:
        holder[dice.choice(["code", "msg", "symbol", "x"])] = dice.choice([holder[place], -1121, "BTCUSDT", "ETHUSDT"])
    return body


def one_by_one(venue: str, reply: Reply) -> list[Record | Reject] | None:
    """What the parser says, or none where it refuses the reply."""
    try:
        return list(VENUES[venue].parse(reply))
    except Refused:
        return None


@given(st.integers(0, 2**32), st.sampled_from(ASKED), st.booleans())
@settings(max_examples=600, deadline=None)
def test_what_is_read_at_once_is_what_the_parser_says(seed: int, asked: tuple[str, str, str], is_spaced: bool) -> None:
    venue, path, symbol = asked
    dice = random.Random(seed)
    replies = []
    for number in range(dice.randrange(1, 6)):
        body = body_of(path, dice)
        if dice.random() < 0.5:
            body = spoilt(body, dice)
        text = json.dumps(body, separators=None if is_spaced else (",", ":"))
        query = {"symbol": dice.choice([symbol, symbol, symbol, "ETHUSDT", "BTCU", ""])}
        replies.append(Reply(path, query, text.encode(), HOUR + timedelta(seconds=number)))
    bulk = bulk_of(VENUES[venue].endpoint(path, {}).parse)
    assert bulk is not None
    joined = read_all(bulk, HOUR, replies)

    plain = [reply for place, reply in enumerate(replies) if place not in joined.unplain]
    said = [one_by_one(venue, reply) for reply in plain]
    assert None not in said
    assert to_records(bulk.record, joined.table) == [row for rows in said if rows is not None for row in rows]


@pytest.mark.parametrize("side", ["0.5", "5", "[5]", "[0.5,1]", "{}", "null", '"1"', "[[]]", "[[1,2]]"])
def test_a_side_that_is_no_list_of_levels_is_left_to_the_parser(side: str) -> None:
    bulk = bulk_of(VENUES["binance_spot"].endpoint("/api/v3/depth", {}).parse)
    assert bulk is not None
    whole = [f'{{"lastUpdateId":1,"bids":{side},"asks":[]}}', '{"lastUpdateId":1,"bids":[["1","2"]],"asks":[]}']
    replies = [Reply("/api/v3/depth", {"symbol": "BTCUSDT"}, text.encode(), HOUR) for text in whole]

    assert read_all(bulk, HOUR, replies).unplain == [0]
    assert read_all(bulk, HOUR, replies[:1]).unplain == [0]


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked[0] + asked[1])
def test_a_plain_reply_is_read_at_once(asked: tuple[str, str, str]) -> None:
    """Not merely left to the parser."""
    venue, path, symbol = asked
    dice = random.Random(1)
    replies = [
        Reply(path, {"symbol": symbol}, json.dumps(body_of(path, dice), separators=(",", ":")).encode(), HOUR)
        for _ in range(50)
    ]
    bulk = bulk_of(VENUES[venue].endpoint(path, {}).parse)
    assert bulk is not None

    assert read_all(bulk, HOUR, replies).unplain == []


def test_an_endpoint_without_a_bulk_reader_has_none() -> None:
    assert bulk_of(VENUES["deribit"].endpoint("/api/v2/public/get_order_book", {}).parse) is None


def test_every_recorded_book_and_trade_is_read_at_once(recorded: Callable[[str], list[Envelope]]) -> None:
    envelopes = recorded("binance_l2_2024-08-08/rest.jsonl.zst")
    for venue in ("binance_spot", "binance_usdm", "binance_coinm"):
        for ending in ("/depth", "/trades"):
            replies = [e.reply() for e in envelopes if e.venue == venue and e.path.endswith(ending)]
            bulk = bulk_of(VENUES[venue].endpoint(replies[0].path, replies[0].query).parse)
            assert bulk is not None
            joined = read_all(bulk, HOUR, replies[:40])

            assert joined.unplain == []
            said = [row for reply in replies[:40] for row in VENUES[venue].parse(reply)]
            assert to_records(bulk.record, joined.table) == said
