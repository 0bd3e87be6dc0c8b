"""Order flow, impact, profile, decay and resilience of 410 recorded books agree with plain loops over their JSON."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests import book_oracles as by_hand
from tests.book_oracles import Level, Seen
from tests.replayed import BOOKS, Replay, Row, assert_agreement, recorded_replies, replayed_books, worst_errors

__all__ = ["replayed_books"]

Instrument = tuple[str, str]

USD_A_CONTRACT = {"BTCUSD_PERP": 100.0, "ETHUSD_PERP": 10.0}
SIZES_USD = (10_000, 100_000, 1_000_000)


def level(symbol: str, px: float, qty: float) -> Level:
    face = USD_A_CONTRACT.get(symbol)
    return (px, qty * face / px, qty * face) if face else (px, qty, qty * px)


@pytest.fixture(scope="module")
def books(replayed_books: Replay) -> dict[Instrument, list[Seen]]:
    """What was seen of each instrument, in its order; after the replay, which skips where nothing was recorded."""
    found = defaultdict(list)
    for reply in recorded_replies(BOOKS):
        if reply["path"].endswith("/depth"):
            symbol = dict(part.split("=") for part in reply["query"].split("&"))["symbol"]
            at = datetime.fromisoformat(reply["recorded_at"].replace("Z", "+00:00")).astimezone(UTC)
            bids, asks = (
                [level(symbol, float(px), float(qty)) for px, qty in reply["body"][side]] for side in ("bids", "asks")
            )
            found[reply["venue"], symbol].append(Seen(at, bids, asks))
    return {instrument: sorted(own, key=lambda seen: seen.at) for instrument, own in found.items()}


def rows_of(replay: Replay, fact: str, order_by: str) -> Iterator[tuple[Instrument, list[Row]]]:
    found = defaultdict(list)
    for row in replay.rows(f"select * from {fact} order by {order_by}"):
        found[row["venue"], row["symbol"]].append(row)
    yield from found.items()


def test_order_flow_of_every_minute_agrees(replayed_books: Replay, books: dict[Instrument, list[Seen]]) -> None:
    """Ten levels of six instruments. Sums cancel: what remains is measured against the depth of a level."""
    worst: dict[str, float] = defaultdict(float)
    for instrument, found in rows_of(replayed_books, "fct_order_flow_imbalance", "bar_start_ts"):
        expected = by_hand.order_flows(books[instrument])

        assert [row["bar_start_ts"] for row in found] == list(expected)
        for row in found:
            for column, value in expected[row["bar_start_ts"]].items():
                assert (row[column] is None) == (value is None), column
                if value is not None:
                    error = abs(row[column] - value) / (row["mean_level_depth_base"] + abs(value))
                    worst[column] = max(worst[column], error)
    assert_agreement("recorded order flow", worst)


def test_every_fill_agrees(replayed_books: Replay, books: dict[Instrument, list[Seen]]) -> None:
    """410 books, three sizes, both sides; null exactly where a thousand levels do not hold the size."""
    pairs = []
    for instrument, found in rows_of(replayed_books, "fct_market_impact", "captured_ts, order_usd"):
        asked = [(seen, size) for seen in books[instrument] for size in SIZES_USD]

        assert [(row["captured_ts"], row["order_usd"]) for row in found] == [(seen.at, size) for seen, size in asked]
        pairs += [(row, by_hand.impact(seen, size)) for row, (seen, size) in zip(found, asked, strict=True)]
    assert len(pairs) == 1_230
    assert_agreement("recorded impact", worst_errors(pairs))


def test_every_decayed_imbalance_agrees(replayed_books: Replay, books: dict[Instrument, list[Seen]]) -> None:
    pairs = [
        (row, {"decayed_imbalance_frac": by_hand.decayed_imbalance(seen)})
        for instrument, found in rows_of(replayed_books, "fct_order_book_imbalance", "captured_ts")
        for row, seen in zip(found, books[instrument], strict=True)
    ]

    assert_agreement("recorded decay", worst_errors(pairs), tolerance=1e-8)


def test_every_bucket_of_every_minute_agrees(replayed_books: Replay, books: dict[Instrument, list[Seen]]) -> None:
    pairs = []
    for instrument, found in rows_of(replayed_books, "fct_book_profile", "bar_start_ts, lower_bps"):
        minutes: dict[datetime, list[Seen]] = defaultdict(list)
        for seen in books[instrument]:
            minutes[by_hand.minute_of(seen.at)].append(seen)
        expected = {
            (minute, lower_bps): usd
            for minute, own in minutes.items()
            for lower_bps, usd in by_hand.profile(own).items()
        }
        told = {(row["bar_start_ts"], row["lower_bps"]): row for row in found}

        assert told.keys() == expected.keys()
        pairs += [(told[key], {"resting_usd": usd}) for key, usd in expected.items()]
    assert_agreement("recorded profile", worst_errors(pairs))


def test_every_sweep_agrees(replayed_books: Replay, books: dict[Instrument, list[Seen]]) -> None:
    expected = {
        (*instrument, side, at): sweep
        for instrument, own in books.items()
        for side in ("bid", "ask")
        for at, sweep in by_hand.sweeps(own, side).items()
    }
    found = {
        (row["venue"], row["symbol"], row["book_side"], row["swept_ts"]): row
        for row in replayed_books.rows("select * from fct_book_resilience")
    }

    assert found.keys() == expected.keys()
    assert found
    for key, (taken_frac, half_recovery_s) in expected.items():
        assert found[key]["taken_frac"] == pytest.approx(taken_frac, rel=1e-9)
        assert found[key]["half_recovery_s"] == pytest.approx(half_recovery_s)
    print(f"recorded sweeps: {Counter((row['symbol'], row['is_complete']) for row in found.values())}")  # noqa: T201


def test_six_minutes_are_too_few_for_a_chain_or_a_component(replayed_books: Replay) -> None:
    """68 looks at each book: no micro-price, no integrated flow, and no made-up one."""
    [touch] = replayed_books.rows("select count(*) as n, count(micro_price_px) as known from fct_order_book_imbalance")
    [flow] = replayed_books.rows("select count(ofi_l10_frac) as n, count(ofi_integrated_frac) as known "
                                 "from fct_order_flow_imbalance")  # fmt: skip

    assert (touch["n"], touch["known"]) == (410, 0)
    assert flow["n"] > 0
    assert flow["known"] == 0
