"""Rows that are written alike are taken apart as text, and say what they say one by one; others are left alone."""

import json
import random
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.venues.base import Refused, Reject, Reply
from ingestion.venues.bulk import SLIPS, Unplain
from ingestion.venues.column_types import column_types
from ingestion.venues.grids import HeadedGrid
from ingestion.venues.row_text import Rows, Template, first_row
from ingestion.venues.wire import Finite
from tests.test_bulk import HOUR, ODD, endpoints, has_rejects, named, one_by_one, parser_of, rows_of, said, templates

MANY = 240  # rows: enough of any venue's to be read as text


def grids() -> list[tuple[str, int]]:
    return [where for where in endpoints() if isinstance(parser_of(*where), HeadedGrid)]


def longest_list(value: Any) -> list[Any]:
    """The rows of a reply: the longest of its lists that hold lists or objects."""
    inner = value.values() if isinstance(value, dict) else value
    lists = [longest_list(each) for each in inner if isinstance(each, dict | list)]
    own = value if isinstance(value, list) and lists else []
    return max([own, *lists], key=len)


@cache
def plain_bodies(where: tuple[str, int]) -> list[tuple[Reply, str]]:
    """Replies of an endpoint that are read whole, with as many rows as hold in the first one's shape."""
    found = []
    for reply in templates().get(where, []):
        items = one_by_one(parser_of(*where), reply)
        if items and not has_rejects(items):
            body = json.loads(reply.body)
            body = [body] if not longest_list(body) else body  # Binance's answer about one symbol is its row
            rows = longest_list(body)
            alike = [row for row in rows if shape(row) == shape(rows[0])]
            rows[:] = (alike * MANY)[:MANY]
            items = one_by_one(parser_of(*where), written(reply, body, 0))
            if items and not has_rejects(items):  # trades without ids may not be said twice
                found.append((reply, json.dumps(body)))
    return found


def shape(row: Any) -> Any:
    named_values = row.items() if isinstance(row, dict) else enumerate(row)
    return [(name, type(value)) for name, value in named_values]


def written(reply: Reply, body: Any, number: int) -> Reply:
    text = json.dumps(body, separators=(",", ":")).encode()
    return Reply(reply.path, reply.query, text, reply.captured_ts + timedelta(seconds=number))


@pytest.mark.parametrize("where", grids(), ids=lambda where: named(*where))
def test_long_lists_are_read_at_once_as_one_by_one(where: tuple[str, int]) -> None:
    if not plain_bodies(where):
        pytest.skip(f"no example of {named(*where)}, nor a recording")
    bulk = parser_of(*where)
    assert isinstance(bulk, HeadedGrid)
    is_read = []
    for reply, text in plain_bodies(where):
        replies = [written(reply, json.loads(text), number) for number in range(3)]
        told = bulk.as_text(HOUR, replies)
        is_read.append(not told.unplain)

        assert rows_of(told) == said(bulk, [each for place, each in enumerate(replies) if place not in told.unplain])
        assert rows_of(bulk.read_all(HOUR, replies)) == said(bulk, replies)
    assert any(is_read)


@given(st.integers(0, 2**32))
@settings(max_examples=1500, deadline=None)
def test_a_long_list_with_something_odd_in_it_is_read_as_its_parser_does_or_left_to_it(seed: int) -> None:
    dice = random.Random(seed)
    where = dice.choice([each for each in grids() if plain_bodies(each)])
    bulk = parser_of(*where)
    replies = []
    for number in range(dice.randrange(1, 4)):
        reply, text = dice.choice(plain_bodies(where))
        body = json.loads(text)
        if dice.random() < 0.6:
            spoil(longest_list(body), dice)
        replies.append(written(reply, body, number))
    joined = bulk.read_all(HOUR, replies)

    assert rows_of(joined) == said(bulk, [each for place, each in enumerate(replies) if place not in joined.unplain])


def spoil(rows: list[Any], dice: random.Random) -> None:
    """Replace, drop or double one thing in one row, or put something else between two."""
    place = dice.randrange(len(rows))
    row = rows[place] = json.loads(json.dumps(rows[place]))
    keys = list(row) if isinstance(row, dict) else list(range(len(row)))
    key = dice.choice(keys)
    deed = dice.choice(["replace", "replace", "replace", "drop", "add", "insert"])
    if deed == "replace":
        row[key] = dice.choice(ODD)
    elif deed == "drop":
        del row[key]
    elif deed == "insert":
        rows.insert(place, dice.choice([{}, [], "x", None, [[]], [row]]))
    elif isinstance(row, dict):
        row[dice.choice(["x", "liquidation", "block_trade_id"])] = dice.choice(["1", 1, None, "T"])
    else:
        row.append(dice.choice(["1", 1, None]))


@given(st.lists(st.tuples(st.text("abcBTC-_./ 0123", max_size=9), st.floats(0, 1e9), st.booleans()), min_size=1))
def test_a_row_of_any_values_is_taken_apart_into_them(values: Sequence[tuple[str, float, bool]]) -> None:
    for rows in (
        [{"name": name, "px": px, "at": number, "is_x": flag} for number, (name, px, flag) in enumerate(values)],
        [[name, px, number, flag] for number, (name, px, flag) in enumerate(values)],
    ):
        found = taken_apart(rows)
        names = ["name", "px", "at", "is_x"] if isinstance(rows[0], dict) else ["0", "1", "2", "3"]

        assert found.texts(names[0]).to_pylist() == [name for name, _, _ in values]
        for name, place in ((names[1], 1), (names[3], 2)):
            assert [json.loads(text) for text in found.texts(name).to_pylist()] == [value[place] for value in values]
        text = compact(rows)
        assert [text[start : start + 1] for start in found.starts.tolist()] == [compact(rows)[:1]] * len(rows)


def compact(rows: Sequence[Any]) -> bytes:
    return json.dumps(rows, separators=(",", ":")).encode()[1:-1]


def taken_apart(rows: Sequence[Any]) -> Rows:
    text = compact(rows)
    return Template(first_row(text)).read([text])


ROW = {"id": 1, "px": "1.5", "side": "buy"}


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"id": 1, "px": "1.5"},
        {"px": "1.5", "id": 1, "side": "buy"},
        {"id": 1, "px": 1.5, "side": "buy"},
        {"id": "1", "px": "1.5", "side": "buy"},
        {"id": [1], "px": "1.5", "side": "buy"},
        {"id": {"x": 1}, "px": "1.5", "side": "buy"},
        {"id": 1, "px": 'a"b', "side": "buy"},
        {"id": 1, "px": "é", "side": "buy"},
        {"ix": 1, "px": "1.5", "side": "buy"},
        {"id": 1, "px": "1.5", "side": "buy", "x": "1"},
        [1, "1.5", "buy"],
        7,
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("place", [1, 2, 3])
def test_a_row_that_is_written_otherwise_is_seen(other: Any, place: int) -> None:
    rows: list[Any] = [ROW, ROW, ROW]
    rows.insert(place, other)
    with pytest.raises(SLIPS):
        taken_apart(rows)


def test_a_row_of_thousands_of_values_is_left_alone() -> None:
    """What is learnt of a row takes time with the square of its values."""
    with pytest.raises(Unplain):
        first_row(compact([[1] * 100_000]))


def test_an_empty_row_is_not_swallowed_by_a_number_before_it() -> None:
    """`{"px":"1","id":1},{},{"px"…`: between the same two marks stands `1},{},{`."""
    row = {"px": "1", "id": 1}
    with pytest.raises(Unplain):
        taken_apart([row, row, {}, row])


@pytest.mark.parametrize("row", ['{"a":1,"a":2}', '{"a":{"b":1}}', '{"a":[1]}', '"a"', "[]", "{}", "[[1]]"])
def test_rows_that_have_no_plain_columns_are_left_alone(row: str) -> None:
    with pytest.raises(Unplain):
        Template(first_row(row.encode()))


class Typed(msgspec.Struct):
    value: Any


@pytest.mark.parametrize("kind", [Finite, int], ids=["Finite", "int"])
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        *("0", "7", "-7", "0.5", "-0.5", "-0", "12345678901234567890", "1e5", "1E-5", "true", "null"),
        *('"0"', '"7"', '"-7"', '"0.5"', '"-0.5"', '"1e5"', '"007"', '"-007"', '"+1"', '".5"', '"5."', '"-.5"', '"-"'),
        *('""', '" 1"', '"1 "', '"1,5"', '"nan"', '"inf"', '"1_000"', '"1.2.3"', '"--1"', '"0x10"', '"1e400"', '"x"'),
        *('"1' + "0" * 305 + '"', '"9223372036854775808"'),
    ],
)
def test_a_column_of_numbers_is_what_each_is_as_json_or_nothing(text: str, strict: bool, kind: Any) -> None:
    row = msgspec.defstruct("Row", [("value", kind)])
    alone = msgspec.json.Decoder(row, strict=strict)
    template = f'{{"value":{text}}}'.encode()
    read = column_types(row, strict=strict)["value"].read
    try:
        rows = Template(first_row(template)).read([template] * 20)
        column = read(rows.texts("value"), rows.is_quoted("value"))
    except SLIPS:
        return
    assert np.asarray(column).tolist() == [alone.decode(template).value] * 20  # type: ignore[attr-defined]


def test_numbers_of_over_15_digits_are_refused_in_long_lists_too() -> None:
    where = next(each for each in grids() if named(*each) == "okx /api/v5/market/trades")
    reply, text = plain_bodies(where)[0]
    bodies = [json.loads(text), json.loads(text)]
    longest_list(bodies[1])[7]["px"] = "0.1234567890123456"
    replies = [written(reply, body, number) for number, body in enumerate(bodies)]
    with pytest.raises(Refused, match=r"0\.1234567890123456"):
        list(parser_of(*where)(replies[1]))

    assert parser_of(*where).read_all(HOUR, replies).unplain == [1]


@pytest.mark.parametrize("at_s", [20_214_102_842.459551616, 1e19, 1e12], ids=str)
def test_a_time_beyond_64_bits_of_nanoseconds_does_not_come_round_again(at_s: float) -> None:
    """2**64 ns are 18,446,744,073.7 s, so that the first would be 2026 once more."""
    where = next(each for each in grids() if named(*each) == "kraken /0/public/Trades")
    reply, text = plain_bodies(where)[0]
    body = json.loads(text)
    rows = longest_list(body)
    for row in rows:
        row[2] = at_s
    bulk = parser_of(*where)
    assert isinstance(bulk, HeadedGrid)

    assert bulk.as_text(HOUR, [written(reply, body, 0)]).unplain == [0]
    assert not has_rejects(one_by_one(bulk, reply) or [])
    assert all(isinstance(item, Reject) for item in bulk(written(reply, body, 0)))


@pytest.mark.parametrize("venue", ["bybit", "deribit"])
def test_text_that_is_no_utf8_is_refused_as_no_reply_of_that_kind(venue: str) -> None:
    where = next(each for each in grids() if each[0] == venue)
    reply = plain_bodies(where)[0][0]
    body = reply.body.replace(b'"OK"', b'"\xff"').replace(b'"trades"', b'"\xff"')
    with pytest.raises(Refused) as refused:
        list(parser_of(*where)(Reply(reply.path, reply.query, body, reply.captured_ts)))
    assert refused.value.rule == "schema"


def test_our_clock_is_that_of_each_rows_own_reply() -> None:
    where = next(each for each in grids() if named(*each) == "okx /api/v5/market/trades")
    reply, text = plain_bodies(where)[0]
    replies = [written(reply, json.loads(text), number) for number in range(3)]
    [(_, table)] = parser_of(*where).read_all(HOUR, replies).tables

    assert Counter(table["captured_ts"].to_pylist()) == {each.captured_ts: MANY for each in replies}
