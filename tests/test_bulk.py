"""Read many at once, replies say what their parser says of them one by one, or are left to it."""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.columns import to_records
from ingestion.envelopes import seal, unpack
from ingestion.reading import read
from ingestion.records import Record
from ingestion.venues import VENUES
from ingestion.venues.base import Refused, Reject, Reply, refuse_beyond_float64
from ingestion.venues.bulk import Bulk, Joined
from ingestion.venues.columnwise import from_written
from ingestion.venues.ladders import Ladder
from tests.conftest import RECORDINGS
from tests.read_replies import EXAMPLES, examples, read_folder

HOUR = datetime(2026, 1, 2, 13, tzinfo=UTC)
MOST_ROWS = 12  # of a template: enough to be mixed, few enough to be spoilt often

# What a hostile or changed venue may send in the place of a number, a level or a field.
ODD = [
    *("", "0", "-1", "00.5", ".5", "5.", "1.2.3", "1e5", "NaN", "Infinity", "1_000", "1" * 400, "0.1234567890123456"),
    *(None, True, 0, 5, 0.5, -5, -0.0, 1e400, 10**30),
    *([], ["1"], ["1", "2"], ["1", "2", "3"], [["1", "2"]], {}, 'a"b', "é", "1,2", "["),
]


def place_of(venue: str, reply: Reply) -> int | None:
    """Which of the venue's endpoints answers, if it can be read many at once."""
    try:
        endpoint = VENUES[venue].endpoint(reply.path, reply.query)
    except Refused:
        return None
    return VENUES[venue].endpoints.index(endpoint) if isinstance(endpoint.parse, Bulk) else None


@cache
def templates() -> dict[tuple[str, int], list[Reply]]:
    """Replies of every endpoint that can be read many at once, by venue and the endpoint's place."""
    found: dict[tuple[str, int], list[Reply]] = defaultdict(list)
    recorded = read_folder(RECORDINGS / "http", "*.jsonl.zst") if RECORDINGS.is_dir() else []
    for venue, reply, _ in [*examples(), *recorded]:
        place = place_of(venue, reply)
        if place is not None:
            found[venue, place].append(reply)
    return found


def endpoints() -> list[tuple[str, int]]:
    return [
        (name, place)
        for name, venue in VENUES.items()
        for place, each in enumerate(venue.endpoints)
        if isinstance(each.parse, Bulk)
    ]


def named(venue: str, place: int) -> str:
    return f"{venue} {VENUES[venue].endpoints[place].path}"


def parser_of(venue: str, place: int) -> Bulk:
    parse = VENUES[venue].endpoints[place].parse
    assert isinstance(parse, Bulk)
    return parse


def one_by_one(bulk: Bulk, reply: Reply) -> list[Record | Reject] | None:
    """What the parser says, or none where it refuses the reply."""
    try:
        return list(bulk(reply))
    except Refused:
        return None


def rows_of(joined: Joined) -> Counter[bytes]:
    return Counter(
        msgspec.json.encode((record.__name__, row))
        for record, table in joined.tables
        for row in to_records(record, table)
    )


def said(bulk: Bulk, replies: Sequence[Reply]) -> Counter[bytes]:
    """The rows of replies one by one, a negative zero as zero."""
    found: Counter[bytes] = Counter()
    for reply in replies:
        items = one_by_one(bulk, reply)
        assert items is not None
        for item in items:
            assert not isinstance(item, Reject)
            found[msgspec.json.encode((type(item).__name__, without_negative_zero(item)))] += 1
    return found


def without_negative_zero(record: Record) -> Record:
    zeros = {
        name: 0.0 for name, value in msgspec.structs.asdict(record).items() if isinstance(value, float) and not value
    }
    return msgspec.structs.replace(record, **zeros)  # type: ignore[arg-type]


def shortened(value: Any, most: int = MOST_ROWS) -> Any:
    """The same JSON with no list longer than this."""
    if isinstance(value, dict):
        return {key: shortened(inner, most) for key, inner in value.items()}
    return [shortened(inner, most) for inner in value[:most]] if isinstance(value, list) else value


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


@pytest.mark.parametrize("where", endpoints(), ids=lambda where: named(*where))
def test_the_replies_of_an_endpoint_are_read_at_once_as_one_by_one(where: tuple[str, int]) -> None:
    """And read at once they are, not merely left to the parser."""
    replies = templates().get(where, [])
    if not replies:
        pytest.skip(f"no example of {named(*where)}, nor a recording")
    bulk = parser_of(*where)
    whole = [reply for reply in replies if (items := one_by_one(bulk, reply)) and not has_rejects(items)]
    joined = bulk.read_all(HOUR, whole)

    plain = [reply for place, reply in enumerate(whole) if place not in joined.unplain]
    assert len(plain) * 2 >= len(whole) > 0
    assert rows_of(joined) == said(bulk, plain)


def has_rejects(items: Sequence[Record | Reject]) -> bool:
    return any(isinstance(item, Reject) for item in items)


def rows_within(body: Any) -> list[Any]:
    """The rows of one of OKX's replies, or of Bybit's."""
    found: list[Any] = body["data"] if "data" in body else body["result"]["list"]
    return found


@pytest.mark.parametrize(
    ("venue", "path"),
    [("bybit", "/v5/market/tickers"), ("okx", "/api/v5/market/tickers"), ("okx", "/api/v5/public/mark-price")],
)
def test_rows_of_several_kinds_in_one_reply_are_read_at_once_as_one_by_one(venue: str, path: str) -> None:
    replies = [reply for where, each in templates().items() if where[0] == venue for reply in each]
    replies = [reply for reply in replies if reply.path == path]
    query = {"category": "spot"}  # without which Bybit's rows of pairs would be contradicted
    body = json.loads(replies[0].body)
    rows_within(body)[:] = [row for reply in replies for row in shortened(rows_within(json.loads(reply.body)))]
    mixed = [Reply(path, query, json.dumps(body).encode(), HOUR)]
    bulk = VENUES[venue].endpoint(path, query).parse
    assert isinstance(bulk, Bulk)
    joined = bulk.read_all(HOUR, mixed)

    assert not joined.unplain
    assert len(joined.tables) > 2
    assert rows_of(joined) == said(bulk, mixed)


@given(st.integers(0, 2**32))
@settings(max_examples=3000, deadline=None)
def test_what_is_spoilt_is_left_to_the_parser_or_read_as_it_does(seed: int) -> None:
    dice = random.Random(seed)
    where = dice.choice(sorted(templates()))
    asked = [dice.choice(templates()[where]) for _ in range(dice.randrange(1, 5))]
    bulk = parser_of(*where)
    replies = []
    for number, reply in enumerate(asked):
        body = shortened(json.loads(reply.body))
        if dice.random() < 0.6:
            body = spoilt(body, dice)
        query = dict(reply.query)
        if query and dice.random() < 0.2:
            query[dice.choice(sorted(query))] = dice.choice(["", "ETHUSDT", "BTCU", "BTC-USDT"])
        text = json.dumps(body, separators=dice.choice([None, (",", ":"), (",", ":"), (",", ":")]))
        replies.append(Reply(reply.path, query, text.encode(), reply.captured_ts + timedelta(seconds=number)))
    joined = bulk.read_all(HOUR, replies)

    assert rows_of(joined) == said(bulk, [each for place, each in enumerate(replies) if place not in joined.unplain])


@pytest.mark.parametrize("side", ["0.5", "5", "[5]", "[0.5,1]", "{}", "null", '"1"', "[[]]", "[[1,2]]"])
def test_a_side_that_is_no_list_of_levels_is_left_to_the_parser(side: str) -> None:
    bulk = VENUES["binance_spot"].endpoint("/api/v3/depth", {}).parse
    assert isinstance(bulk, Ladder)
    whole = [f'{{"lastUpdateId":1,"bids":{side},"asks":[]}}', '{"lastUpdateId":1,"bids":[["1","2"]],"asks":[]}']
    replies = [Reply("/api/v3/depth", {"symbol": "BTCUSDT"}, text.encode(), HOUR) for text in whole]

    assert bulk.read_all(HOUR, replies).unplain == [0]
    assert bulk.read_all(HOUR, replies[:1]).unplain == [0]


@pytest.mark.parametrize(
    "level",
    [
        '{"px2":"0.1","sz":"12","n":2}',
        '{"p2x":"0.1","sz":"12","n":2}',
        '{"px":"0.1","sz":"12","n":2.5}',
        '{"px":"0.1","sz":1"2","n":2}',
        '{"px":"0.1","sz":1"","n":2}',
        '{"px":"0.1","sz":"","n":2}1',
        f'{{"px":"{"1" * 305}","sz":"12","n":2}}',
    ],
    ids=[
        "a digit in a name",
        "a digit within a name",
        "a fraction of an order",
        "a digit before a quote",
        "no digit in quotes",
        "a digit behind a level",
        "beyond any number",
    ],
)
def test_a_level_of_another_kind_is_left_to_the_parser(level: str) -> None:
    asked = {"type": "l2Book", "coin": "BTC"}
    bulk = VENUES["hyperliquid"].endpoint("/info", asked).parse
    assert isinstance(bulk, Ladder)
    plain = '{"px":"0.2","sz":"1","n":1}'
    bodies = [
        f'{{"coin":"BTC","time":1767358804877,"levels":[[{levels}],[]]}}'.encode()
        for levels in (plain, f"{plain},{level}")
    ]

    assert bulk.read_all(HOUR, [Reply("/info", asked, body, HOUR) for body in bodies]).unplain == [1]


def test_answers_to_questions_asked_by_post_are_read_at_once() -> None:
    body = b'{"coin":"BTC","time":1767358804877,"levels":[[{"px":"0.2","sz":"1","n":1}],[]]}'
    answer = seal(
        venue="hyperliquid",
        host="api.hyperliquid.xyz",
        path="/info",
        query="",
        status=200,
        captured_ts=HOUR,
        body=body,
        asked='{"type":"l2Book","coin":"BTC"}',
    )
    said = list(read(VENUES["hyperliquid"], HOUR, [("raw/hyperliquid/order_books/x", [answer, answer])]))

    assert [table.num_rows for each in said for _, table in each.tables] == [2]
    assert not any(each.rows or each.refused for each in said)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T13:00:04.812345Z",
        "2026-01-02T13:00:04.81234567Z",
        "2026-01-02 13:00+02",
        "20260102T130004Z",
        "2026-01-02T13:00:04",
        "1999-01-01T00:00:00Z",
        "noon",
    ],
)
def test_written_instants_are_read_many_at_once_as_one_by_one(text: str) -> None:
    def told(texts: list[str]) -> object:
        try:
            return set(from_written(texts))
        except Refused as refused:
            return refused.rule, refused.reason

    assert told([text] * 100) == told([text])


def test_what_can_be_read_at_once_of_raw_objects_is() -> None:
    """What was asked by POST too."""
    for venue in {venue for venue, reply, _ in examples() if place_of(venue, reply) is not None}:
        with (EXAMPLES / f"{venue}.jsonl").open("rb") as stream:
            envelopes = list(unpack(stream, venue))
        expected: Counter[bytes] = Counter()
        for envelope in envelopes:
            reply = envelope.reply()
            parse = VENUES[venue].endpoint(reply.path, reply.query).parse
            if isinstance(parse, Bulk):
                expected += rows_of(parse.read_all(HOUR, [reply]))
        assert expected, venue
        told = read(VENUES[venue], HOUR, [(f"raw/{venue}/trades/date=2026-01-02/hour=13/0-a.jsonl.zst", envelopes)])

        assert rows_of(Joined([table for said in told for table in said.tables], [])) == expected, venue


@given(st.lists(st.from_regex(r"[0-9]{1,22}(\.[0-9]{1,22})?", fullmatch=True), max_size=6))
def test_decimals_of_over_15_significant_digits_are_refused_and_whole_numbers_are_not(numbers: list[str]) -> None:
    too_long = [each for each in numbers if "." in each and len(each.replace(".", "").strip("0")) > 15]
    body = json.dumps({"T": 1767358803625000000, "of": numbers}).encode()

    if too_long:
        with pytest.raises(Refused, match=too_long[0]):
            refuse_beyond_float64(body, "a reply")
    else:
        refuse_beyond_float64(body, "a reply")
