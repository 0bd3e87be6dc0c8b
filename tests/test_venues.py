"""Every venue, held to the same promises. A new venue is tested by being listed.

Run with `-s` to see what became of each real payload.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest

from ingestion.envelopes import Envelope, unpack
from ingestion.gate.rows import MAX_SKEW, broken_rule
from ingestion.records import Instrument, OrderBook, Record
from ingestion.venues import VENUES
from ingestion.venues.base import Endpoint, Plan, Refused, Reject, Reply, Request, Venue
from tests.conftest import RECORDINGS

# Where a recording keeps no capture time, and its path is refused before any time matters.
UNKNOWN_CAPTURE = datetime(2023, 8, 16, tzinfo=UTC)
NOON = datetime(2024, 1, 14, 12, tzinfo=UTC)
PLAN = Plan(("BTC", "ETH"), NOON, NOON + timedelta(hours=1))

# Its recorder says July 2021; the list holds contracts of 2022 and is stamped May 2022 by the venue.
MISDATED = {"currency": "SOL", "expired": "false"}

# What a venue's own terms may leave open: sizes that changed, quote currencies that were never documented.
OPEN_TERMS = {"unknown_terms", "unknown_symbol"}
TERMS = (
    "base_asset",
    "quote_asset",
    "settle_asset",
    "contract_size",
    "amount_unit",
    "is_inverse",
    "strike_px",
    "option_type",
    "expiry_ts",
)

JUNK = (
    b"",
    b"null",
    b"{}",
    b'"maintenance"',
    b"<html><body>We will be back soon</body></html>",
    b'{"result": [',
    b"\xff\xfe\x00",
    b"[" * 100_000,
)


@dataclass(frozen=True)
class Outcome:
    """What became of one reply."""

    venue: str
    reply: Reply
    records: list[Record]
    rejects: list[Reject]
    refused: Refused | None

    def __str__(self) -> str:
        asked = f"{self.reply.path}?{urlencode(self.reply.query)}".rstrip("?")
        reason = "" if self.refused is None else f"{self.refused.rule}: {self.refused.reason}"
        return f"{self.venue:14}{asked[:76]:78}{len(self.records):>6}{len(self.rejects):>5}  {reason}"


def outcome_of(venue: Venue, reply: Reply) -> Outcome:
    try:
        items = list(venue.parse(reply))
    except Refused as refused:
        return Outcome(venue.name, reply, [], [], refused)
    rejects = [item for item in items if isinstance(item, Reject)]
    return Outcome(venue.name, reply, [i for i in items if not isinstance(i, Reject)], rejects, None)


def reply_in(envelope: Envelope) -> Reply:
    at = envelope.at or UNKNOWN_CAPTURE
    return Reply.read(envelope.path, envelope.query, envelope.reply_bytes, at, envelope.asked)


def outcome_in(venue: Venue, envelope: Envelope) -> Outcome:
    try:
        return outcome_of(venue, reply_in(envelope))
    except Refused as refused:  # what was asked is damaged, as the body of a POST that its recorder cut short
        nothing = Reply(envelope.path, {}, envelope.reply_bytes, envelope.at or UNKNOWN_CAPTURE)
        return Outcome(venue.name, nothing, [], [], refused)


def envelopes_in(path: Path) -> Iterator[Envelope]:
    with path.open("rb") as stream:
        yield from unpack(stream, path.name)


_OUTCOMES: dict[str, list[Outcome]] = {}


def recordings_of(venue: Venue) -> list[Path]:
    paths = [RECORDINGS / "http" / f"{name}.jsonl.zst" for name in (venue.name, *venue.known_as)]
    return [path for path in paths if path.exists()]


# Where nothing at all is recorded, every venue says that it is not tested here.
@pytest.fixture(params=[name for name, venue in VENUES.items() if recordings_of(venue)] or list(VENUES))
def venue(request: pytest.FixtureRequest) -> Venue:
    return VENUES[request.param]


def recorded_outcomes(venue: Venue) -> list[Outcome]:
    """Every recorded payload of the venue, read once for all tests; none where it was not recorded."""
    if venue.name not in _OUTCOMES:
        _OUTCOMES[venue.name] = [
            outcome_in(venue, envelope) for path in recordings_of(venue) for envelope in envelopes_in(path)
        ]
    return _OUTCOMES[venue.name]


@pytest.fixture
def outcomes(venue: Venue, recordings: object) -> list[Outcome]:
    return recorded_outcomes(venue)


def terms_of(venue: Venue, record: Record) -> Instrument | Refused:
    try:
        return venue.terms(record.symbol, record.kind, record.captured_ts)
    except Refused as refused:
        return refused


def is_misdated(outcome: Outcome) -> bool:
    return outcome.venue == "deribit" and outcome.reply.query == MISDATED


def report(line: str) -> None:
    sys.stdout.write(line + "\n")


def records_in(outcomes: list[Outcome]) -> Iterator[tuple[Outcome, Record]]:
    for outcome in outcomes:
        for record in outcome.records:
            yield outcome, record


class TestRealPayloads:
    def test_every_one_is_read_or_refused_for_a_stated_reason(self, outcomes: list[Outcome]) -> None:
        """A few recordings are themselves damaged: truncated queries, a field whose name was lost."""
        report("")
        report(f"{'venue':14}{'path':78}{'rows':>6}{'bad':>5}  refused")
        for outcome in outcomes:
            report(str(outcome))
            for reject in outcome.rejects[:3]:
                report(f"{'':14}rejected {reject.rule}: {reject.reason} in {reject.row[:200]!r}")

        silent = [o for o in outcomes if not (o.records or o.rejects or o.refused)]
        unknown = [o for o in outcomes if o.refused is not None and o.refused.rule == "unknown_endpoint"]
        reasons = [o.refused.reason for o in outcomes if o.refused is not None]
        reasons += [reject.reason for outcome in outcomes for reject in outcome.rejects]
        parsed = sum(len(outcome.records) for outcome in outcomes)
        rejected = sum(len(outcome.rejects) for outcome in outcomes)

        assert [str(outcome) for outcome in silent + unknown] == []
        assert all(len(reason) > 20 for reason in reasons)
        assert rejected <= parsed / 100

    def test_both_clocks_are_kept(self, outcomes: list[Outcome]) -> None:
        """Ours is passed through untouched; the venue's is read in UTC, in its own unit: not after ours."""
        for outcome, record in records_in(outcomes):
            assert record.captured_ts == outcome.reply.captured_ts
            if record.event_ts is not None:
                assert record.event_ts.tzinfo is UTC
                if not is_misdated(outcome):
                    assert record.event_ts <= record.captured_ts + MAX_SKEW, record

    def test_rows_are_signed(self, venue: Venue, outcomes: list[Outcome]) -> None:
        assert {record.venue for _, record in records_in(outcomes)} <= {venue.name}

    def test_no_instrument_takes_anothers_name(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            listed = [(i.venue, i.kind, i.symbol) for i in outcome.records if isinstance(i, Instrument)]
            assert len(set(listed)) == len(listed), outcome

    def test_books_run_outward_from_the_touch(self, outcomes: list[Outcome]) -> None:
        """Level 0 is best, each next level is worse, and the book is not crossed."""
        for _, book in records_in(outcomes):
            if isinstance(book, OrderBook):
                assert list(book.bid_px) == sorted(set(book.bid_px), reverse=True)
                assert list(book.ask_px) == sorted(set(book.ask_px))
                assert book.bid_px[0] < book.ask_px[0]
                assert len(book.bid_px) == len(book.bid_qty)
                assert len(book.ask_px) == len(book.ask_qty)

    def test_documented_terms_agree_with_listed_terms(self, venue: Venue, outcomes: list[Outcome]) -> None:
        """Where both exist they say the same; what the names leave open is refused, never guessed."""
        compared = 0
        for _, listed in records_in(outcomes):
            if not isinstance(listed, Instrument):
                continue
            documented = terms_of(venue, listed)
            if isinstance(documented, Refused):
                assert documented.rule in OPEN_TERMS, documented.reason
                assert listed.symbol in documented.reason
                continue
            compared += 1
            assert documented.terms_source == "documented"
            assert {term: getattr(documented, term) for term in TERMS} == {
                term: getattr(listed, term) for term in TERMS
            }, listed.symbol
        report(f"{venue.name}: {compared} documented terms compared with listed ones")

    def test_whatever_is_quoted_on_bitcoin_and_ether_has_documented_terms(
        self, venue: Venue, outcomes: list[Outcome]
    ) -> None:
        """So a book, a trade or a quote has units even in an hour without an instrument list."""
        found = [
            terms_of(venue, record)
            for _, record in records_in(outcomes)
            if not isinstance(record, Instrument) and record.symbol.startswith(("BTC", "ETH"))
        ]

        assert [terms.reason for terms in found if isinstance(terms, Refused)] == []

    def test_rows_pass_the_gate(self, outcomes: list[Outcome]) -> None:
        """Ages aside: some recordings are dated by the newest timestamp in the body, a delivery to come."""
        broken = [
            (rule, record)
            for outcome, record in records_in(outcomes)
            if (rule := broken_rule(record)) is not None
            and rule[0] != "stale"
            and not (rule[0] == "clock_skew" and is_misdated(outcome))
        ]

        assert broken == []


def test_what_is_said_to_be_proven_by_a_recording_is_read_from_one(venue: Venue, recordings: object) -> None:
    """Of each such endpoint some real reply gave rows; one that lacks its recording may claim an example at most."""
    proven = [
        venue.endpoint(outcome.reply.path, outcome.reply.query)
        for outcome in recorded_outcomes(venue)
        if outcome.records
    ]
    claimed = [endpoint for endpoint in venue.endpoints if endpoint.proof == "recording"]

    assert [f"{e.dataset} {e.path}" for e in claimed if not any(e is each for each in proven)] == []


def planned(venue: Venue) -> list[tuple[Endpoint, Request]]:
    return [
        (endpoint, request)
        for endpoint in venue.endpoints
        if endpoint.requests is not None
        for request in endpoint.requests(PLAN)
    ]


def answer_to(request: Request, body: bytes) -> Reply:
    return Reply.read(request.path, request.query_string, body, NOON, request.body)


def test_what_is_asked_is_answered_by_the_endpoint_that_asks(venue: Venue) -> None:
    """Also before any instrument is known: there are defaults for the wanted underlyings."""
    for endpoint, request in planned(venue):
        reply = answer_to(request, b"")
        answering = venue.endpoint(reply.path, reply.query)
        assert (answering.dataset, answering.parse) == (endpoint.dataset, endpoint.parse)


@pytest.mark.parametrize("body", JUNK, ids=lambda body: repr(body[:20]))
def test_a_reply_that_is_none_is_refused_and_never_read_as_rows(venue: Venue, body: bytes) -> None:
    for _, request in planned(venue):
        outcome = outcome_of(venue, answer_to(request, body))
        assert outcome.records == [], request
        assert outcome.refused or outcome.rejects, request


def test_an_unknown_path_is_refused_by_name(venue: Venue) -> None:
    with pytest.raises(Refused, match="/api/v9/nothing") as caught:
        venue.parse(Reply.read("/api/v9/nothing", "", b"{}", NOON))

    assert caught.value.rule == "unknown_endpoint"


def test_a_venue_says_where_its_documentation_is(venue: Venue) -> None:
    assert venue.docs_url.startswith("https://")
    assert venue.base_url.startswith("https://")
    assert venue.weight_per_minute >= max(endpoint.weight for endpoint in venue.endpoints)
