"""Books out of Tardis's changes: what is sampled is what a simple-minded replay of the whole file has."""

from datetime import timedelta
from pathlib import Path

import pytest

from ingestion.imports.parts import opened
from ingestion.imports.tardis_books import LEVELS
from ingestion.records import OrderBook, StreamHole
from ingestion.venues.base import Reject
from tests.imported import envelopes_of, items_of, rejects_of, rows_of
from tests.vendor_files import DAY, DAY_US, HOUR_US, SECOND_US, Line, tardis, tardis_changes

HEAD = ("binance-futures", "BTCUSDT")
Books = dict[int, tuple[list[tuple[float, float]], list[tuple[float, float]]]]


def at_second(second: int) -> int:
    return DAY_US + second * SECOND_US


def change(at_us: int, side: str, px: float, qty: float, *, is_snapshot: bool = False) -> Line:
    return *HEAD, at_us - 5_000, at_us, "true" if is_snapshot else "false", side, px, qty


def snapshot(at_us: int, bid: float, ask: float) -> list[Line]:
    """A book of one level a side."""
    return [change(at_us, "bid", bid, 1, is_snapshot=True), change(at_us, "ask", ask, 1, is_snapshot=True)]


def file_of(folder: Path, lines: list[Line]) -> Path:
    return tardis(folder, "incremental_book_L2", "binance-futures", "BTCUSDT", lines)


def replayed(lines: list[Line]) -> Books:
    """Every whole second between the first line and the last, by replaying all lines before it from the start."""
    bids: dict[float, float] = {}
    asks: dict[float, float] = {}
    books: Books = {}
    before_us = 0
    for _, _, _, at_us, is_snapshot, side, px, qty in lines:
        assert isinstance(at_us, int)
        if before_us:
            for second_us in range(-(-before_us // SECOND_US) * SECOND_US, at_us + 1, SECOND_US):
                if before_us < second_us <= at_us:
                    best = sorted(bids.items(), reverse=True)[:50], sorted(asks.items())[:50]
                    books[second_us] = best
        if is_snapshot == "true" and at_us != before_us:
            bids, asks = {}, {}
        book = bids if side == "bid" else asks
        book[float(px)] = float(qty)
        if not qty:
            del book[float(px)]
        before_us = at_us
    return books


def sampled(path: Path, lake: Path) -> Books:
    books: Books = {}
    for row in rows_of(path, lake):
        assert isinstance(row, OrderBook)
        second_us = (row.captured_ts - DAY) // timedelta(microseconds=1) + DAY_US
        assert second_us not in books
        books[second_us] = (
            list(zip(row.bid_px, row.bid_qty, strict=True)),
            list(zip(row.ask_px, row.ask_qty, strict=True)),
        )
    return books


def test_every_sample_is_the_replay_of_all_that_came_before_it(tmp_path: Path) -> None:
    """Through the borders of hours and of parts, each of which is read alone."""
    lines = tardis_changes(2_400, a_second=12, start_us=DAY_US + HOUR_US - 600 * SECOND_US)
    path = file_of(tmp_path, lines)

    books = sampled(path, tmp_path / "lake")

    assert books == replayed(lines)
    assert len(books) == 2_400
    hours = [opened(envelope).hour.hour for envelope in envelopes_of(path, tmp_path / "lake")]
    assert sorted(set(hours)) == [0, 1]
    assert hours.count(1) > 3


def test_a_sample_holds_what_came_strictly_before_its_instant(tmp_path: Path) -> None:
    lines = [
        *snapshot(at_second(1), 100, 101),
        change(at_second(2), "bid", 100.5, 7),
        change(at_second(3) - 1, "bid", 100.5, 0),
        change(at_second(4) + 1, "ask", 100.75, 2),
    ]

    books = sampled(file_of(tmp_path, lines), tmp_path / "lake")

    assert books == {
        at_second(2): ([(100.0, 1.0)], [(101.0, 1.0)]),
        at_second(3): ([(100.0, 1.0)], [(101.0, 1.0)]),
        at_second(4): ([(100.0, 1.0)], [(101.0, 1.0)]),
    }


def test_samples_have_the_best_fifty_levels(tmp_path: Path) -> None:
    books = sampled(file_of(tmp_path, tardis_changes(3)), tmp_path / "lake")

    assert {len(side) for book in books.values() for side in book} == {LEVELS}


def test_updates_before_the_first_snapshot_say_nothing(tmp_path: Path) -> None:
    """Files may begin with such, says the documentation."""
    lines = [
        change(at_second(1), "bid", 90, 5),
        change(at_second(3), "ask", 91, 5),
        *snapshot(at_second(5), 100, 101),
        change(at_second(6) + 1, "bid", 99, 1),
    ]

    assert sampled(file_of(tmp_path, lines), tmp_path / "lake") == {
        at_second(6): ([(100.0, 1.0)], [(101.0, 1.0)]),
    }


def test_each_of_two_snapshots_in_a_row_is_a_whole_book(tmp_path: Path) -> None:
    """As of exchanges that send nothing else."""
    lines = [
        *snapshot(at_second(1), 100, 101),
        *snapshot(at_second(2) - 1, 200, 201),
        *snapshot(at_second(3) - 1, 300, 301),
        *snapshot(at_second(3), 400, 401),
    ]

    assert sampled(file_of(tmp_path, lines), tmp_path / "lake") == {
        at_second(2): ([(200.0, 1.0)], [(201.0, 1.0)]),
        at_second(3): ([(300.0, 1.0)], [(301.0, 1.0)]),
    }


def told(path: Path, lake: Path) -> list[tuple[str, int, int | None, str]]:
    """Samples by their second, holes by first and last, in the order of the rows."""
    second = timedelta(seconds=1)
    found: list[tuple[str, int, int | None, str]] = []
    for row in items_of(path, lake):
        if isinstance(row, OrderBook):
            found.append(("book", (row.captured_ts - DAY) // second, None, ""))
        elif isinstance(row, StreamHole):
            until = None if row.until_ts is None else (row.until_ts - DAY) // second
            found.append((row.dataset, (row.captured_ts - DAY) // second, until, row.reason))
        else:
            assert isinstance(row, Reject)
            found.append(("reject", 0, None, row.rule))
    return found


def test_a_snapshot_after_updates_shows_a_hole_before_it(tmp_path: Path) -> None:
    """The connection was lost after 2.5 s; what stood in the book until 6 s nobody saw."""
    lines = [
        *snapshot(at_second(1), 100, 101),
        change(at_second(2) + 500_000, "bid", 99, 1),
        *snapshot(at_second(6), 200, 201),
        change(at_second(7) + 1, "bid", 199, 1),
    ]

    assert told(file_of(tmp_path, lines), tmp_path / "lake") == [
        ("book", 2, None, ""),
        ("order_books", 2, 6, "disconnected"),
        ("book", 7, None, ""),
    ]


def test_a_hole_across_the_hour_is_told_in_both(tmp_path: Path) -> None:
    lines = [
        *snapshot(at_second(3_597), 100, 101),
        change(at_second(3_598) + 1, "bid", 99, 1),
        *snapshot(at_second(3_602), 200, 201),
        change(at_second(3_603) + 1, "bid", 199, 1),
    ]

    assert told(file_of(tmp_path, lines), tmp_path / "lake") == [
        ("book", 3_598, None, ""),
        ("order_books", 3_598, None, "disconnected"),
        ("order_books", 3_600, 3_602, "disconnected"),
        ("book", 3_603, None, ""),
    ]


def test_a_quiet_book_lasts_across_the_hour(tmp_path: Path) -> None:
    lines = [
        *snapshot(at_second(3_598), 100, 101),
        change(at_second(3_598) + 1, "bid", 99, 1),
        change(at_second(3_602), "bid", 99, 2),
    ]

    seconds = [second for kind, second, *_ in told(file_of(tmp_path, lines), tmp_path / "lake") if kind == "book"]

    assert seconds == [3_599, 3_600, 3_601, 3_602]


def test_a_line_that_cannot_be_read_ends_the_book_until_the_next_snapshot(tmp_path: Path) -> None:
    """What it changed is not known."""
    lines = [
        *snapshot(at_second(1), 100, 101),
        change(at_second(2) + 1, "bid", 99, 1),
        (*HEAD, at_second(3), at_second(3), "false", "bid", "nan", 1),
        change(at_second(4) + 1, "bid", 98, 1),
        *snapshot(at_second(6), 200, 201),
        change(at_second(7) + 1, "bid", 199, 1),
    ]
    path = file_of(tmp_path, lines)

    assert told(path, tmp_path / "lake") == [
        ("book", 2, None, ""),
        ("reject", 0, None, "schema"),
        ("order_books", 2, 6, "gap"),
        ("book", 7, None, ""),
    ]
    assert "price" in rejects_of(path, tmp_path / "lake")[0].reason


@pytest.mark.parametrize("timestamp", [0, -1, DAY_US // 1000, DAY_US * 1000])
def test_a_line_of_an_impossible_clock_costs_itself_and_a_hole(tmp_path: Path, timestamp: int) -> None:
    """Not the part that it stands in, nor the next one, which begins with the state after it."""
    lines = [
        *snapshot(at_second(1), 100, 101),
        change(at_second(2) + 1, "bid", 99, 1),
        (*HEAD, timestamp, at_second(3), "false", "bid", 99, 2),
        change(at_second(4) + 1, "bid", 98, 1),
        *snapshot(at_second(6), 200, 201),
        change(at_second(7) + 1, "bid", 199, 1),
        (*HEAD, timestamp, at_second(3_599), "false", "bid", 199, 2),
        change(at_second(3_601), "bid", 199, 3),
        *snapshot(at_second(3_602), 300, 301),
        change(at_second(3_603) + 1, "bid", 299, 1),
    ]
    path = file_of(tmp_path, lines)

    assert [row for row in told(path, tmp_path / "lake") if row[0] != "book" or row[1] in (2, 7, 3_603)] == [
        ("book", 2, None, ""),
        ("reject", 0, None, "timestamp"),
        ("order_books", 2, 6, "gap"),
        ("book", 7, None, ""),
        ("reject", 0, None, "timestamp"),
        ("order_books", 7, None, "gap"),
        ("order_books", 3_600, 3_602, "disconnected"),
        ("book", 3_603, None, ""),
    ]


def test_a_line_of_another_exchange_costs_itself_and_a_hole(tmp_path: Path) -> None:
    lines = [
        *snapshot(at_second(1), 100, 101),
        change(at_second(2) + 1, "bid", 99, 1),
        ("binance", *change(at_second(3), "bid", 99, 2)[1:]),
        *snapshot(at_second(6), 200, 201),
        change(at_second(7) + 1, "bid", 199, 1),
    ]

    assert told(file_of(tmp_path, lines), tmp_path / "lake") == [
        ("book", 2, None, ""),
        ("reject", 0, None, "contradiction"),
        ("order_books", 2, 6, "gap"),
        ("book", 7, None, ""),
    ]


def test_a_part_carries_no_more_than_the_book_and_says_how_much(tmp_path: Path) -> None:
    """The file's own lines stand behind the carried ones, as they are."""
    lines = tardis_changes(2_400, a_second=12)
    path = file_of(tmp_path, lines)

    parts = [opened(envelope) for envelope in envelopes_of(path, tmp_path / "lake")]
    own = [line for part in parts for line in part.lines[int(part.told["carried"]) :]]

    assert own == [",".join(map(str, line)).encode() for line in lines]
    assert [part.spans[0][0] for part in parts[1:]] == [part.spans[-1][1] + 1 for part in parts[:-1]]
    assert all(0 < int(part.told["carried"]) <= 160 for part in parts[1:])
