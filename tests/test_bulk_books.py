"""Answers that are one book each: what is odd among many is left to the parser alone, and nothing changes places."""

import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.venues import VENUES
from ingestion.venues.base import Refused, Reply, refuse_beyond_float64
from ingestion.venues.ladders import Ladder
from ingestion.venues.precision import has_long_decimals
from tests.test_bulk import HOUR, rows_of, said


def book_of(number: int, level: str = '["1","2"]', more: str = "") -> bytes:
    """One of Binance's spot books."""
    return f'{{"lastUpdateId":{number},"bids":[{level}],"asks":[["3","4"],["5","6"]]{more}}}'.encode()


def read_books(*asked: tuple[str, bytes]) -> tuple[list[tuple[str, int]], list[int]]:
    """Symbol and id of each book that was read at once, in order, and the places of others."""
    path = "/api/v3/depth"
    queries = {symbol: {"symbol": symbol} for symbol, _ in asked}  # shared, as in raw objects
    bulk = VENUES["binance_spot"].endpoint(path, {}).parse
    assert isinstance(bulk, Ladder)
    replies = [
        Reply(path, queries[symbol], body, HOUR + timedelta(seconds=n)) for n, (symbol, body) in enumerate(asked)
    ]
    joined = bulk.read_all(HOUR, replies)
    assert rows_of(joined) == said(bulk, [each for place, each in enumerate(replies) if place not in joined.unplain])
    books = [row for _, table in joined.tables for row in table.select(["symbol", "sequence_id"]).to_pylist()]
    return [(book["symbol"], book["sequence_id"]) for book in books], joined.unplain


def test_answers_to_one_question_stay_in_their_order() -> None:
    asked = [("BTCUSDT", book_of(1)), ("ETHUSDT", book_of(2)), ("BTCUSDT", book_of(3)), ("ETHUSDT", book_of(4))]

    assert read_books(*asked) == ([("BTCUSDT", 1), ("BTCUSDT", 3), ("ETHUSDT", 2), ("ETHUSDT", 4)], [])


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b"null",
        b'{"lastUpdateId":7,"bids":[]',
        b"{}\n{}",
        book_of(7)[:-1],
        book_of(7) * 2,
        book_of(7, more=',"code":-1121'),
        book_of(7, more=',"since":0.1234567890123456'),
        book_of(7, '["1","2e1"]'),
        book_of(7, '["1","0"]'),
        book_of(7, '["1","02"]'),
        book_of(7, '["1","2."]'),
        book_of(7, '["1",".2"]'),
        book_of(7, '["1",""]'),
        book_of(7, '["1"]'),
        book_of(7, '[1"2","3"]'),
        book_of(7, '["1"2,"3"]'),
        book_of(7, '["1","2"]3'),
        book_of(7, '["1","2"3]'),
        book_of(7, '["1",["2"]'),
        book_of(7, "5"),
        book_of(7, '["0.1234567890123456","2"]'),
        book_of(7, f'["{"1" * 305}","2"]'),
        book_of(2**63),
    ],
)
def test_an_odd_answer_among_many_to_one_question_is_left_to_the_parser_alone(odd: bytes) -> None:
    asked = [("BTCUSDT", book_of(1)), ("BTCUSDT", odd), ("BTCUSDT", book_of(3)), ("ETHUSDT", odd)]
    path, query = "/api/v3/depth", {"symbol": "BTCUSDT"}
    bulk = VENUES["binance_spot"].endpoint(path, query).parse
    assert isinstance(bulk, Ladder)
    joined = bulk.read_all(HOUR, [Reply(path, query, body, HOUR) for _, body in asked])

    assert joined.unplain == [1, 3]
    assert [table["sequence_id"].to_pylist() for _, table in joined.tables] == [[1, 3]]


def test_a_question_that_cannot_be_read_costs_no_other_its_answers() -> None:
    asked = [("BTCU", book_of(1)), ("ETHUSDT", book_of(2)), ("BTCU", book_of(3))]

    assert read_books(*asked[1:2]) == ([("ETHUSDT", 2)], [])
    assert read_books(*asked) == ([("ETHUSDT", 2)], [0, 2])


@pytest.mark.parametrize("before", [b',"asks"', b'["5"'])
def test_a_body_of_several_lines_is_left_to_the_parser_alone(before: bytes) -> None:
    spread = book_of(2).replace(before, b"\n" + before)

    assert read_books(("BTCUSDT", spread), ("BTCUSDT", book_of(3) + b"\n")) == ([("BTCUSDT", 3)], [0])


@pytest.mark.parametrize("bids", ["", '["1","2"]', '["1","2"],["0.5","20"]'])
def test_sides_without_a_level_stand_among_others(bids: str) -> None:
    bodies = [book_of(1), book_of(2, bids), book_of(3, ""), book_of(4, bids)]

    assert read_books(*(("BTCUSDT", body) for body in bodies)) == ([("BTCUSDT", number) for number in (1, 2, 3, 4)], [])


@given(st.integers(0, 2**32))
@settings(max_examples=500, deadline=None)
def test_a_long_decimal_is_seen_wherever_it_stands_in_much_text(seed: int) -> None:
    dice = random.Random(seed)
    parts = [
        b'["61824.5","0.566"],',
        b'"ts":1767358804877,',
        b"1767358803625000000",
        b"/",
        b"12345678",
        b"\xff\xb9",
        b".",
    ]
    some = dice.choice([parts[:2], parts, parts[1:-1]])  # the last without a point
    text = b"".join(dice.choice(some) for _ in range(600))
    text += bytes(dice.choice(b'0123456789./"') for _ in range(dice.randrange(30)))
    text += dice.choice([b"", b'"', b"7.123456789012345", b'7.1234567890123456"', b'7123456789012345.6"'])
    text += b"x" * dice.choice([0, dice.randrange(30)])
    try:
        refuse_beyond_float64(text, "a reply")
    except Refused:
        assert has_long_decimals(text)
    else:
        assert not has_long_decimals(text)
