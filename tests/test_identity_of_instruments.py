"""No two instruments share a name: (venue, kind, symbol) tells them apart in every instrument list ever recorded."""

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from ingestion.records import Instrument
from tests.read_replies import read_folder

# What an instrument is; sizes, ticks and lots may change and it is still the same.
ESSENCE = (
    *("base_asset", "quote_asset", "settle_asset", "is_inverse", "is_quanto"),
    *("expiry_ts", "strike_px", "option_type"),
)

List = tuple[str, str, list[Instrument]]  # venue, what was asked, the instruments that were listed


@pytest.fixture(scope="module")
def lists(recordings: Path) -> list[List]:
    """Every recorded reply that lists instruments and that its venue's adapter reads."""
    found = []
    for venue, reply, rows in read_folder(recordings / "http", "*.jsonl.zst"):
        listed = [row for row in rows if isinstance(row, Instrument)]
        if listed:
            found.append((venue, f"{reply.path} {dict(reply.query)}", listed))
    return found


def test_no_two_instruments_of_a_list_collide(lists: list[List]) -> None:
    for venue, asked, listed in lists:
        counted = Counter((row.kind, row.symbol) for row in listed)

        assert [name for name, count in counted.items() if count > 1] == [], (venue, asked)


def test_no_two_instruments_of_all_lists_of_a_venue_collide(lists: list[List]) -> None:
    """A name stands for one instrument, whichever list of whichever year names it."""
    meant: dict[tuple[str, str, str], set[tuple[Any, ...]]] = defaultdict(set)
    for venue, _, listed in lists:
        for row in listed:
            meant[venue, row.kind, row.symbol].add(tuple(getattr(row, name) for name in ESSENCE))
    told = Counter(venue for venue, _, _ in meant)
    print(dict(told), f"in {len(lists)} lists")  # noqa: T201

    assert sum(told.values()) > 5000
    assert {name: essences for name, essences in meant.items() if len(essences) > 1} == {}


def test_kind_belongs_to_the_name(lists: list[List]) -> None:
    """Else two of its three parts would do: one symbol is listed as two kinds somewhere."""
    kinds: dict[tuple[str, str], set[str]] = defaultdict(set)
    for venue, _, listed in lists:
        for row in listed:
            kinds[venue, row.symbol].add(row.kind)

    assert any(len(own) > 1 for own in kinds.values())
