"""One book under each venue's rule of sequence, by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ingestion.streams.books import MAX_KEPT_DIFFS, Book, Verdict
from ingestion.venues import VENUES
from ingestion.venues.kraken_stream import checksum
from ingestion.venues.streams import BookDiff, BookSnapshot, Stream

AT = datetime(2026, 1, 2, 13, tzinfo=UTC)
Levels = list[tuple[float, float]]


def stream(venue: str) -> Stream:
    """The stream of a venue that tells books."""
    return VENUES[venue].streams[0]


def snapshot(
    last_id: int | None, bids: Levels, asks: Levels, at_s: float = 0, depth: int | None = None
) -> BookSnapshot:
    at = AT + timedelta(seconds=at_s)
    return BookSnapshot(
        kind="perp", symbol="X", captured_ts=at, event_ts=at, last_id=last_id, bids=bids, asks=asks, depth=depth
    )


def diff(
    first_id: int,
    last_id: int,
    prev_id: int | None = None,
    bids: Levels | None = None,
    asks: Levels | None = None,
    at_s: float = 1,
) -> BookDiff:
    at = AT + timedelta(seconds=at_s)
    return BookDiff(
        kind="perp",
        symbol="X",
        captured_ts=at,
        event_ts=at,
        first_id=first_id,
        last_id=last_id,
        prev_id=prev_id,
        bids=bids or [],
        asks=asks or [],
    )


def whole(last_id: int | None = 100, at_s: float = 0) -> BookSnapshot:
    return snapshot(last_id, [(99.0, 1.0), (98.0, 2.0)], [(101.0, 3.0), (102.0, 4.0)], at_s)


def test_a_snapshot_by_rest_joins_the_diff_that_spans_it() -> None:
    """Binance: what ends at or before the snapshot is dropped, the first one kept reaches back to it."""
    book = Book(stream("binance_usdm"))
    assert book.diff(diff(80, 90, 70, bids=[(99.0, 7.0)])) is Verdict.WAITING
    assert book.diff(diff(95, 105, 90, bids=[(99.0, 8.0)], asks=[(101.0, 0.0)])) is Verdict.WAITING
    assert book.diff(diff(110, 120, 105, asks=[(103.0, 5.0)])) is Verdict.WAITING

    assert book.snapshot(whole(100)) is Verdict.STARTED
    assert book.best(5) == ([(99.0, 8.0), (98.0, 2.0)], [(102.0, 4.0), (103.0, 5.0)])
    assert book.last_id == 120


@pytest.mark.parametrize(("venue", "prev_id"), [("binance_usdm", 100), ("binance_spot", None)])
def test_a_snapshot_ahead_of_the_stream_waits_for_it(venue: str, prev_id: int | None) -> None:
    book = Book(stream(venue))
    assert book.snapshot(whole(100)) is Verdict.WAITING
    assert book.diff(diff(90, 100, prev_id and 80, bids=[(99.0, 0.0)])) is Verdict.WAITING
    assert not book.is_live
    assert book.diff(diff(101, 103, prev_id, bids=[(97.0, 1.0)])) is Verdict.STARTED
    assert book.best(3)[0] == [(99.0, 1.0), (98.0, 2.0), (97.0, 1.0)]


def test_ids_with_room_between_two_diffs_let_a_snapshot_between_them_join() -> None:
    book = Book(stream("binance_coinm"))
    book.diff(diff(80, 90, 70))
    book.diff(diff(120, 130, 90, bids=[(99.5, 1.0)]))

    assert book.snapshot(whole(100)) is Verdict.STARTED
    assert book.best(1)[0] == [(99.5, 1.0)]


@pytest.mark.parametrize(("venue", "prev_id"), [("binance_usdm", 105), ("binance_spot", None)])
def test_a_snapshot_that_no_diff_reaches_back_to_starts_nothing(venue: str, prev_id: int | None) -> None:
    book = Book(stream(venue))
    book.diff(diff(106, 110, prev_id))

    assert book.snapshot(whole(100)) is Verdict.WAITING
    assert book.snapshot(whole(108)) is Verdict.STARTED


def test_messages_that_change_places_before_the_snapshot_are_put_in_order() -> None:
    book = Book(stream("binance_spot"))
    book.diff(diff(104, 106, bids=[(99.0, 6.0)]))
    book.diff(diff(101, 103, bids=[(99.0, 5.0)]))

    assert book.snapshot(whole(100)) is Verdict.STARTED
    assert book.best(1)[0] == [(99.0, 6.0)]


def test_what_is_kept_for_a_snapshot_is_bounded_and_the_oldest_goes_first() -> None:
    book = Book(stream("binance_spot"))
    for number in range(101, 101 + MAX_KEPT_DIFFS + 1):
        book.diff(diff(number, number))

    assert book.snapshot(whole(100)) is Verdict.WAITING
    assert book.snapshot(whole(101)) is Verdict.STARTED


def test_another_snapshot_renews_a_live_book_and_how_far_it_is_known() -> None:
    """The price has left what the first snapshot reached; the second knows a level that no diff told of."""
    book = Book(stream("binance_spot"))
    book.diff(diff(100, 101))
    book.snapshot(snapshot(100, [(99.0, 1.0), (98.0, 1.0)], [(101.0, 1.0), (102.0, 1.0)], depth=2))
    book.diff(diff(102, 102, bids=[(99.0, 0.0), (98.0, 0.0), (96.0, 1.0)], asks=[(100.0, 2.0)]))
    assert book.reach == 0

    later = snapshot(102, [(97.0, 3.0), (96.0, 1.0)], [(100.0, 2.0), (101.0, 1.0)], depth=2)
    assert book.snapshot(later) is Verdict.DUPLICATE
    assert book.diff(diff(103, 103, asks=[(100.0, 1.0)])) is Verdict.APPLIED
    assert book.best(2) == ([(97.0, 3.0), (96.0, 1.0)], [(100.0, 1.0), (101.0, 1.0)])
    assert book.reach == 2


def test_a_snapshot_too_old_to_join_leaves_a_live_book_as_it_is() -> None:
    book = Book(stream("binance_spot"))
    book.diff(diff(100, 101))
    book.snapshot(whole(100))
    for number in range(102, 110 + MAX_KEPT_DIFFS):
        book.diff(diff(number, number, bids=[(99.0, float(number))]))

    assert book.snapshot(whole(100)) is Verdict.DUPLICATE
    assert book.is_live
    assert book.best(1)[0] == [(99.0, 109.0 + MAX_KEPT_DIFFS)]


GAPS = [
    ("binance_spot", diff(102, 103), diff(105, 106)),
    ("binance_usdm", diff(102, 103, 101), diff(106, 107, 105)),
    ("deribit", diff(0, 103, 100), diff(0, 106, 105)),
    ("okx", diff(0, 103, 100), diff(0, 106, 105)),
    ("bybit", diff(0, 101), diff(0, 103)),
]


@pytest.mark.parametrize(("venue", "follows", "leaps"), GAPS)
def test_a_diff_that_does_not_follow_ends_the_book(venue: str, follows: BookDiff, leaps: BookDiff) -> None:
    book = Book(stream(venue))
    book.diff(diff(100, 101, 99))
    book.snapshot(whole(100))

    assert book.diff(follows) in (Verdict.APPLIED, Verdict.STARTED)
    assert book.diff(follows) is Verdict.DUPLICATE
    assert book.diff(leaps) is Verdict.GAP
    assert not book.is_live


def test_ids_that_go_back_while_the_clock_goes_on_are_a_new_count() -> None:
    book = Book(stream("deribit"))
    book.snapshot(whole(1_000, at_s=0))
    book.diff(diff(0, 1_010, 1_000, at_s=1))

    assert book.diff(diff(0, 1_005, 1_000, at_s=0.5)) is Verdict.DUPLICATE
    assert book.diff(diff(0, 7, 3, at_s=2)) is Verdict.RESET
    assert book.snapshot(whole(9, at_s=3)) is Verdict.STARTED


def test_a_count_that_goes_back_as_announced_goes_on() -> None:
    """OKX after maintenance: `prevSeqId` names the last of the old count. A minute without a change repeats the id."""
    book = Book(stream("okx"))
    book.snapshot(whole(15))

    assert book.diff(diff(0, 3, 15, bids=[(99.0, 4.0)], at_s=1)) is Verdict.APPLIED
    assert book.diff(diff(0, 3, 3, at_s=61)) is Verdict.APPLIED
    assert book.diff(diff(0, 5, 3, at_s=62)) is Verdict.APPLIED
    assert book.best(1)[0] == [(99.0, 4.0)]


def test_a_snapshot_after_a_restart_replaces_the_book() -> None:
    """Bybit sends `u` = 1 with a whole book."""
    book = Book(stream("bybit"))
    book.snapshot(whole(500, at_s=0))

    assert book.snapshot(snapshot(1, [(90.0, 1.0)], [(91.0, 1.0)], at_s=1)) is Verdict.REPLACED
    assert book.diff(diff(0, 2, bids=[(89.0, 2.0)], at_s=2)) is Verdict.APPLIED
    assert book.best(2)[0] == [(90.0, 1.0), (89.0, 2.0)]


def test_a_snapshot_from_before_the_book_is_old_news() -> None:
    book = Book(stream("hyperliquid"))
    book.snapshot(whole(None, at_s=2))

    assert book.snapshot(snapshot(None, [(1.0, 1.0)], [], at_s=1)) is Verdict.DUPLICATE
    assert book.snapshot(whole(None, at_s=3)) is Verdict.APPLIED


def test_a_level_pushed_out_of_the_window_is_forgotten() -> None:
    """It may be gone by the time the price comes back, and the venue does not say so."""
    book = Book(replace(stream("bybit"), window=2))
    book.snapshot(whole(100))
    book.diff(diff(0, 101, bids=[(99.5, 1.0)], asks=[(100.5, 1.0)]))
    assert book.best(5) == ([(99.5, 1.0), (99.0, 1.0)], [(100.5, 1.0), (101.0, 3.0)])

    book.diff(diff(0, 102, bids=[(99.5, 0.0)], asks=[(100.5, 0.0)]))
    assert book.best(5) == ([(99.0, 1.0)], [(101.0, 3.0)])


def decimals(text: str) -> list[tuple[Decimal, Decimal]]:
    numbers = [Decimal(each) for each in text.split()]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


# The documentation's own example.
ASKS = decimals(
    "45285.2 0.00100000 45286.4 1.54571953 45286.6 1.54571109 45289.6 1.54560911 45290.2 0.15890660 "
    "45291.8 1.54553491 45294.7 0.04454749 45296.1 0.35380000 45297.5 0.09945542 45299.5 0.18772827"
)
BIDS = decimals(
    "45283.5 0.10000000 45283.4 1.54582015 45282.1 0.10000000 45281.0 0.10000000 45280.3 1.54592586 "
    "45279.0 0.07990000 45277.6 0.03310103 45277.5 0.30000000 45277.3 1.54602737 45276.6 0.15445238"
)


def test_the_checksum_is_the_one_that_kraken_documents() -> None:
    assert checksum(BIDS, ASKS) == 3_310_070_434


def test_a_checksum_that_is_not_the_venues_ends_the_book() -> None:
    book = Book(stream("kraken"))
    told = BookSnapshot(kind="spot", symbol="XXBTZUSD", captured_ts=AT, bids=BIDS, asks=ASKS, checksum=3_310_070_434)
    assert book.snapshot(told) is Verdict.STARTED

    changed = BookDiff(
        kind="spot", symbol="XXBTZUSD", captured_ts=AT, bids=[(Decimal("45283.5"), Decimal("0.2"))], asks=[], checksum=1
    )
    assert book.diff(changed) is Verdict.CHECKSUM
    assert not book.is_live
