"""Hostile variants of every documented example: whatever breaks in a reply, no wrong row comes of it.

One value at a time is dropped, retyped, or replaced by what is no number. The adapter may refuse the reply or the row;
what it still reads, and the gate lets pass, must be what the whole example tells, or less.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from datetime import UTC, datetime
from math import isclose
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ingestion.envelopes import unpack
from ingestion.gate.rows import broken_rule
from ingestion.records import Record, SpotTicker
from ingestion.venues import VENUES
from ingestion.venues.base import Parse, Refused, Reject, Reply

EXAMPLES = Path(__file__).parent / "examples"
Way = tuple[str | int, ...]

# In place of any value, as JSON text; Python's own numbers are among them, which are none of JSON's.
ANYWHERE = {
    "null": "null",
    "true": "true",
    "an object": "{}",
    "a list": "[[]]",
    "not a number": "NaN",
    "infinite": "Infinity",
    "beyond a float": "1e400",
    "beyond a decimal": "1e999999999",
    "beyond any column": "9" * 400,
    "blank": '""',
}
# In place of what is a number, or a text that is one.
NO_NUMBERS = ("NaN", "Infinity", "-Infinity", "1e400", "1_000", "1,000", " 1", "0x10", "9" * 400, "x")
# Who drops the word that leaves a row out, gets the row.
LEAVES_OUT = {"isDelisted"}
IDENTIFIERS = {"trade_id", "liquidation_id"}  # the venue's own words, in which any text is as good


class Mutant(NamedTuple):
    what: str
    body: bytes
    is_number: bool  # another number in its place, which may be true for all that the reply says


def values(value: Any, path: Way = ()) -> Iterator[tuple[Way, Any]]:
    """Every value inside a body with the way to it, outer before inner."""
    children: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    for key, child in children:
        yield (*path, key), child
        yield from values(child, (*path, key))


def without(body: Any, path: Way) -> bytes:
    """Without that value; a list ends before it, for its places are names."""
    copy = deepcopy(body)
    holder = copy
    for key in path[:-1]:
        holder = holder[key]
    if isinstance(holder, list):
        del holder[path[-1] :]
    else:
        del holder[path[-1]]
    return json.dumps(copy).encode()


def with_text(body: Any, path: Way) -> Callable[[str], bytes]:
    """With JSON text of whatever kind in place of that value."""
    copy, hole = deepcopy(body), "\x00"
    holder = copy
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = hole
    before, after = json.dumps(copy).split(json.dumps(hole))
    return lambda text: f"{before}{text}{after}".encode()


def is_number(value: Any) -> bool:
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, int | float) and not isinstance(value, bool)


def mutants(body: Any) -> Iterator[Mutant]:
    for path, value in values(body):
        if path[-1] in LEAVES_OUT:
            continue
        yield Mutant(f"{path} dropped", without(body, path), False)
        put = with_text(body, path)
        for what, text in ANYWHERE.items():
            yield Mutant(f"{path} {what}", put(text), False)
        if not is_number(value):
            continue
        as_text = isinstance(value, str)
        for text in NO_NUMBERS:
            yield Mutant(f"{path} as {text[:20]!r}", put(json.dumps(text)), False)
        yield Mutant(f"{path} unquoted or quoted", put(str(value) if as_text else json.dumps(str(value))), False)
        for text in ("0", f"-{value}".replace("--", "")):
            yield Mutant(f"{path} as {text[:20]}", put(json.dumps(text) if as_text else text), True)


def tells_no_more(told: Record, whole: Record) -> bool:
    """Whether every field is what the whole reply tells, or nothing."""
    return type(told) is type(whole) and all(
        name in IDENTIFIERS or is_within(getattr(told, name), getattr(whole, name)) for name in told.__struct_fields__
    )


def is_within(told: Any, whole: Any) -> bool:
    if told is None or told == whole:
        return True
    if isinstance(told, tuple):  # fewer levels of a book
        return set(told) <= set(whole)
    if isinstance(told, datetime) and isinstance(whole, datetime):  # where only whole seconds are left
        return told == whole.replace(microsecond=0)
    # Kraken Futures' funding is relative to the index, and to the mark where no index is told.
    return isinstance(told, float) and isinstance(whole, float) and isclose(told, whole, rel_tol=1e-4)


def published(parse: Parse, reply: Reply) -> list[Record]:
    """What of a reply would enter the lake: nothing of one that is refused."""
    try:
        return [row for row in parse(reply) if not isinstance(row, Reject) and broken_rule(row) is None]
    except Refused:
        return []


def wrong_rows(parse: Parse, reply: Reply) -> tuple[list[str], int]:
    """Rows of this reply's mutants that tell more or else than it does, and how many mutants there are."""
    whole = published(parse, reply)
    wrong, seen = [], 0
    for mutant in mutants(json.loads(reply.body)):
        seen += 1
        try:
            rows = published(parse, Reply(reply.path, reply.query, mutant.body, reply.captured_ts))
        except Exception as error:
            error.add_note(f"{reply.path} {dict(reply.query)}: {mutant.what}")
            raise
        if mutant.is_number:
            continue
        else_told = (row for row in rows if not any(tells_no_more(row, known) for known in whole))
        wrong += [f"{reply.path} {mutant.what}: {row}" for row in else_told]
    return wrong, seen


def replies() -> dict[str, list[Reply]]:
    found = defaultdict(list)
    for path in sorted(EXAMPLES.glob("*.jsonl")):
        with path.open("rb") as stream:
            for envelope in unpack(stream, path.name):
                found[envelope.venue].append(envelope.reply())
    return found


@pytest.mark.parametrize(("venue", "examples"), [pytest.param(*found, id=found[0]) for found in replies().items()])
def test_a_broken_reply_is_refused_or_tells_less_but_never_else(venue: str, examples: list[Reply]) -> None:
    results = [wrong_rows(VENUES[venue].parse, reply) for reply in examples]

    assert sum(seen for _, seen in results) >= 200
    assert [row for wrong, _ in results for row in wrong] == []


def test_a_reader_that_makes_a_number_of_any_text_would_be_caught() -> None:
    """The check itself: Python's `float` takes underscores between digits and blanks around them."""

    def careless(reply: Reply) -> Iterator[Record]:
        try:
            px = float(json.loads(reply.body)["px"])
        except (ValueError, TypeError, KeyError, OverflowError):
            return
        yield SpotTicker(venue="toy", symbol="BTC", kind="spot", captured_ts=reply.captured_ts, last_px=px)

    wrong, _ = wrong_rows(careless, Reply("/ticker", {}, b'{"px": "1.5"}', datetime(2026, 1, 2, 13, tzinfo=UTC)))

    assert [row.split(": ")[0] for row in wrong] == [
        "/ticker ('px',) true",
        "/ticker ('px',) as '1_000'",
        "/ticker ('px',) as ' 1'",
    ]
