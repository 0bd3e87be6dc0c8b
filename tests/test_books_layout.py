"""Books lie in Parquet as whole numbers, and come back as the very doubles that the wire's decimals made."""

import io
import math
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.books_layout import MAX_EXACT, SCHEMA, SPLIT, decoded, encoded
from ingestion.columns import as_table
from ingestion.parquet_files import write
from ingestion.records import OrderBook

HOUR = datetime(2026, 1, 2, 13, tzinfo=UTC)

# As venues write them: up to 15 significant digits anywhere between 1e-12 and 1e15, so 1e-8 and a SHIB size too.
decimals = st.builds(
    lambda digits, exponent: float(Decimal(digits).scaleb(exponent)),
    st.integers(1, 10**15 - 1),
    st.integers(-12, 3),
)
# As nobody writes them: 17 digits, the smallest and the largest, and whatever lies between.
doubles = st.floats(min_value=5e-324, allow_infinity=False, allow_nan=False)
awkward = st.sampled_from([0.1 + 0.2, 1e-8, 1e22, 2.0**53, 2.0**53 + 2, 1e-22, 1e-23, 123456789012345.6, 9.995e14])
sides = st.lists(decimals | doubles | awkward, max_size=6).map(tuple)


def book(
    bid_px: tuple[float, ...] = (),
    bid_qty: tuple[float, ...] = (),
    ask_px: tuple[float, ...] = (),
    ask_qty: tuple[float, ...] = (),
    at: datetime = HOUR,
) -> OrderBook:
    return OrderBook(
        venue="v", symbol="S", kind="spot", captured_ts=at,
        bid_px=bid_px, bid_qty=bid_qty, ask_px=ask_px, ask_qty=ask_qty,
    )  # fmt: skip


@given(st.lists(st.builds(book, sides, sides, sides, sides), max_size=6))
@settings(max_examples=400)
def test_every_double_comes_back_to_the_bit(books: list[OrderBook]) -> None:
    table = as_table(OrderBook, HOUR, books)

    assert decoded(encoded(table)).equals(table)


@given(st.lists(decimals, min_size=1, max_size=8))
@settings(max_examples=400)
def test_a_scaled_number_is_the_decimal_itself(prices: list[float]) -> None:
    """Not only the nearest double of it: the digits and the point are those of the wire."""
    [row] = encoded(as_table(OrderBook, HOUR, [book(bid_px=tuple(prices), bid_qty=tuple(prices))])).to_pylist()
    if row["px_scale"] is None:
        assert max(prices) * 10.0 ** max(_places(px) for px in prices) > MAX_EXACT / 2
        return

    read = [Decimal(row["best_bid"] - offset).scaleb(-row["px_scale"]) for offset in row["bid_offset"]]
    assert read == [Decimal(repr(px)) for px in prices]
    assert row["px_scale"] == max(_places(px) for px in prices)
    assert row["bid_size"] == [row["best_bid"] - offset for offset in row["bid_offset"]]


def _places(number: float) -> int:
    """Digits behind the point of the shortest decimal that is this double."""
    return max(0, -int(Decimal(repr(number)).normalize().as_tuple().exponent))


def test_a_row_is_encoded_by_itself_alone() -> None:
    """Its scale is its own, whatever stands beside it: portions must not show in the file."""
    books = [book((100.5, 99.0), (1.0, 2e-8)), book((0.1 + 0.2,), (3.0,)), book(), book((7.0,), (1e300,))]
    table = as_table(OrderBook, HOUR, books)

    alone = [encoded(table.slice(n, 1)).to_pylist()[0] for n in range(len(books))]
    assert encoded(table).to_pylist() == alone
    assert [(row["px_scale"], row["qty_scale"]) for row in alone] == [(1, 8), (None, 0), (0, 0), (0, None)]


def test_bids_and_asks_run_outward_in_positive_steps() -> None:
    [row] = encoded(as_table(OrderBook, HOUR, [book((99.5, 99.0), (1.0, 2.0), (100.0, 102.5), (3.0, 0.5))])).to_pylist()

    assert (row["best_bid"], row["bid_offset"], row["best_ask"], row["ask_offset"]) == (995, [0, 5], 1000, [0, 25])
    assert (row["px_scale"], row["qty_scale"], row["bid_size"], row["ask_size"]) == (1, 1, [10, 20], [30, 5])


def test_numbers_that_do_not_fit_stand_as_they_are_and_leave_the_others_scaled() -> None:
    [row] = encoded(as_table(OrderBook, HOUR, [book((99.5,), (0.1 + 0.2, 1.0), (), ())])).to_pylist()

    assert (row["bid_offset"], row["bid_px"], row["qty_scale"], row["bid_size"]) == ([0], None, None, None)
    assert row["bid_qty"] == [0.30000000000000004, 1.0]
    assert (row["ask_offset"], row["ask_qty"], row["best_ask"]) == ([], [], None)


@pytest.mark.parametrize("scale", range(23))
def test_every_power_of_ten_divides_exactly(scale: int) -> None:
    """The macro divides by pow(10.0, scale); this is the promise that it rests on."""
    assert math.pow(10.0, scale) == float(10**scale)


def test_a_snapshot_of_twenty_levels_a_side_takes_under_a_hundred_bytes() -> None:
    """An hour of a book that lives: each second a third of the levels has changed its size, and the mid has moved."""
    dice = random.Random(1)
    sizes = {tick: dice.randint(1, 5_000) / 1_000 for tick in range(0, 40_000)}
    mid, books = 20_000, []
    for second in range(3_600):
        mid += dice.choice((-2, -1, 0, 0, 1, 2))
        bids, asks = ([mid - 1 - 3 * n for n in range(20)], [mid + 3 * n for n in range(20)])
        for tick in dice.sample(bids + asks, 13):
            sizes[tick] = dice.randint(1, 5_000) / 1_000
        told = [(tuple(t / 10 for t in side), tuple(sizes[t] for t in side)) for side in (bids, asks)]
        books.append(book(*told[0], *told[1], at=HOUR + timedelta(seconds=second)))
    sink = io.BytesIO()
    write([encoded(as_table(OrderBook, HOUR, books))], SCHEMA, sink, SPLIT)

    assert len(sink.getvalue()) / len(books) < 100
