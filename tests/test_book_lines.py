"""Lines of raw objects that are a book each: read without an envelope for each, they say what envelopes say."""

import io
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import cache

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.alike import told_apart
from ingestion.envelopes import Envelope, Lines, pack, seal, unpack_lines
from ingestion.reading import read
from ingestion.venues import VENUES
from ingestion.venues.base import Refused
from ingestion.venues.bulk import Joined, Unplain
from ingestion.venues.ladders import Ladder
from tests.read_replies import EXAMPLES
from tests.test_bulk import HOUR, has_rejects, rows_of
from tests.test_bulk_books import book_of

LETTERS = b'0123456789./,:"[]{}eE+- \n\\\xff'


BINANCE = seal(
    venue="binance_spot",
    host="api.binance.com",
    path="/api/v3/depth",
    query="symbol=BTCUSDT&limit=20",
    status=200,
    captured_ts=HOUR,
    body=book_of(1),
)


@cache
def books() -> dict[str, list[Envelope]]:
    """Documented answers that are one whole book, by venue, and one of Binance's."""
    found = {"binance_spot": [BINANCE]}
    for venue, envelope in envelopes_of_examples():
        reply = envelope.reply()
        parse = VENUES[venue].endpoint(reply.path, reply.query).parse
        if isinstance(parse, Ladder) and parse.reads_lines and is_whole(parse, envelope):
            found.setdefault(venue, []).append(envelope)
    return found


def envelopes_of_examples() -> Iterable[tuple[str, Envelope]]:
    for path in sorted(EXAMPLES.glob("*.jsonl")):
        for lines in unpack_lines(io.BytesIO(path.read_bytes()), path.name):
            for envelope in lines.envelopes():
                if envelope.venue in VENUES and envelope.status == 200 and envelope.encoding == "json":
                    yield envelope.venue, envelope


def is_whole(parse: Ladder[object], envelope: Envelope) -> bool:
    try:
        return not has_rejects(list(parse(envelope.reply())))
    except Refused:
        return False


def at(envelope: Envelope, number: int) -> Envelope:
    clock = f"{HOUR + timedelta(milliseconds=number):%Y-%m-%dT%H:%M:%S.%f}Z"
    return msgspec.structs.replace(envelope, captured_ts=clock, recorded_at=None)


def text_of(envelopes: Sequence[Envelope]) -> bytes:
    return zstandard.ZstdDecompressor().decompress(pack(envelopes), max_output_size=10**8)


def told(venue: str, items: Iterable[Envelope | Lines]) -> tuple[Counter[bytes], Counter[tuple[str, ...]]]:
    """Rows and refusals, in whatever order."""
    rows: Counter[bytes] = Counter()
    refused: Counter[tuple[str, ...]] = Counter()
    for said in read(VENUES[venue], HOUR, [(f"raw/{venue}/order_books/x", items)]):
        rows += rows_of(Joined(list(said.tables), []))
        rows.update(msgspec.json.encode((type(row).__name__, row)) for row in said.rows)
        refused.update((entry.rule, entry.reason, entry.row, entry.scope) for entry in said.refused)
    return rows, refused


def enveloped(lines: Lines) -> Iterable[Envelope]:
    yield from lines.envelopes()


@pytest.mark.parametrize("venue", sorted(books()))
def test_lines_of_books_are_read_as_their_envelopes_are(venue: str) -> None:
    """And as lines they are read, not merely left to envelopes."""
    for envelope in books()[venue]:
        lines = Lines(text_of([at(envelope, number) for number in range(5)]), 0, "x")
        found = [said for said in read(VENUES[venue], HOUR, [(f"raw/{venue}/order_books/x", [lines])]) if said.tables]

        assert [(said.bytes_count, len(said.tables)) for said in found] == [(len(lines.text), 1)], envelope.path
        assert told(venue, [lines]) == told(venue, enveloped(lines))
        assert told(venue, [lines]) == told(venue, [lines._replace(text=lines.text[:-1])])


@given(st.integers(0, 2**32))
@settings(max_examples=1500, deadline=None)
def test_lines_that_are_spoilt_are_read_as_their_envelopes_are(seed: int) -> None:
    dice = random.Random(seed)
    venue = dice.choice(sorted(books()))
    some = [dice.choice(books()[venue]) for _ in range(dice.randrange(1, 3))]
    text = bytearray(text_of([at(dice.choice(some), number) for number in range(dice.randrange(1, 20))]))
    for _ in range(dice.randrange(3)):
        place = dice.randrange(len(text))
        letters = bytes(dice.choice(LETTERS) for _ in range(dice.randrange(3)))
        text[place : place + dice.randrange(3)] = letters
    lines = Lines(bytes(text), 0, "x")

    assert told(venue, [lines]) == told(venue, enveloped(lines))


@pytest.mark.parametrize(
    "changes",
    [
        {"status": 503},
        {"venue": "okx"},
        {"path": "/api/v3/trades"},
        {"query": "symbol=BTCU"},
        {"encoding": "text", "body": msgspec.Raw(b'"<html>"')},
        {"captured_ts": None, "recorded_at": "2026-03-05T09:00:00Z"},
        {"captured_ts": "2026-03-05T10:00:00.000001+01:00"},
        {"captured_ts": None},
        {"method": "POST", "request": msgspec.Raw(b'{"symbol":"ETHUSDT"}')},
        {"body": msgspec.Raw(b'{"lastUpdateId":1,"bids":[["1","0"]],"asks":[]}')},
        {"body": msgspec.Raw(b'{"lastUpdateId":1,"bids":[],"asks":[]}')},
        {"body": msgspec.Raw(b'{"lastUpdateId":1,"bids":[0],"asks":[["1","2"]]}')},
        {"body": msgspec.Raw(b'{"lastUpdateId":1,"bids":[1],"asks":[["1","2"]]}')},
        {"body": msgspec.Raw(b'{"lastUpdateId":1,"bids":[["1","2"]],"bids":[["1","2"]],"asks":[]}')},
        {"body": msgspec.Raw(b'{"lastUpdateId":1,"asks":[["1","2"]],"bids":[["0.5","2"]]}')},
        {"body": msgspec.Raw(b'{"x":[["9","9"]],"lastUpdateId":1,"bids":[["1","2"]],"asks":[]}')},
        {"body": msgspec.Raw(b'{"lastUpdateId":1,"bids":[["1","2"],["1","2"]],"asks":[[]]}')},
    ],
)
def test_a_line_of_another_kind_among_books_is_read_as_its_envelope_is(changes: dict[str, object]) -> None:
    mixed = [at(BINANCE, number) for number in range(20)]
    mixed[7] = msgspec.structs.replace(mixed[7], **changes)
    lines = Lines(text_of(mixed), 0, "x")
    rows, refused = told("binance_spot", [lines])

    assert (rows, refused) == told("binance_spot", enveloped(lines))
    assert rows.total() >= 19


def test_lines_of_many_questions_are_told_apart() -> None:
    asked = [f"symbol={name}&limit=20" for name in ("BTCUSDT", "ETHUSDT", "SOLUSDC")]
    mixed = [msgspec.structs.replace(at(BINANCE, number), query=asked[number % 3]) for number in range(60)]
    lines = Lines(text_of(mixed), 0, "x")
    found = [(alike.first.query, alike.lines.tolist()) for alike in told_apart(lines)]

    assert found == [(query, list(range(place, 60, 3))) for place, query in enumerate(asked)]
    assert told("binance_spot", [lines]) == told("binance_spot", enveloped(lines))
    with pytest.raises(Unplain, match="many questions"):
        list(told_apart(Lines(text_of(mixed[:3]), 0, "x")))


def test_examples_hold_books_of_most_venues() -> None:
    assert len(books()) >= 12, sorted(books())
