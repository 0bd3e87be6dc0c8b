"""Books lie in Parquet as whole numbers, and come back as the very doubles that the wire's decimals made."""

import io
import math
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingestion.books_layout import MAX_EXACT, SCHEMA, SPLIT, decoded, encoded, staged
from ingestion.columns import as_table
from ingestion.parquet_files import write
from ingestion.records import OrderBook
from tests.test_streams_recorded import told_by_rest

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
@settings(max_examples=400, deadline=None)
def test_every_double_comes_back_to_the_bit(books: list[OrderBook]) -> None:
    table = as_table(OrderBook, HOUR, books)

    assert decoded(encoded(table)).equals(table)


@given(st.lists(decimals, min_size=1, max_size=8))
@example([0.0001, 791532384201.06])  # sixteen digits at one scale: two decimals are the same double
@settings(max_examples=400, deadline=None)
def test_a_scaled_number_is_the_decimal_itself(prices: list[float]) -> None:
    """Not only the nearest double of it: the digits and the point are those of the wire."""
    table = as_table(OrderBook, HOUR, [book(bid_px=tuple(prices), bid_qty=tuple(prices))])
    [row] = staged(encoded(table)).to_pylist()
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
    told = book((99.5, 99.0, 98.8), (1.0, 2.0, 0.1), (100.0, 102.5, 103.0), (3.0, 0.5, 7.0))
    table = encoded(as_table(OrderBook, HOUR, [told]))
    [stored], [row] = table.to_pylist(), staged(table).to_pylist()

    assert (stored["best_bid"], stored["bid_step"]) == (995, [0, 5, 2])
    assert (stored["best_ask"], stored["ask_step"]) == (1000, [0, 25, 5])
    assert (row["bid_offset"], row["ask_offset"]) == ([0, 5, 7], [0, 25, 30])
    assert (row["px_scale"], row["qty_scale"], row["bid_size"], row["ask_size"]) == (1, 1, [10, 20, 1], [30, 5, 70])


def test_numbers_that_do_not_fit_stand_as_they_are_and_leave_the_others_scaled() -> None:
    [row] = encoded(as_table(OrderBook, HOUR, [book((99.5,), (0.1 + 0.2, 1.0), (), ())])).to_pylist()

    assert (row["bid_step"], row["bid_px"], row["qty_scale"], row["bid_size"]) == ([0], None, None, None)
    assert row["bid_qty"] == [0.30000000000000004, 1.0]
    assert (row["ask_step"], row["ask_qty"], row["best_ask"]) == ([], [], None)


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


class TestRecorded:
    """410 books of six instruments, 20 levels a side, in one file."""

    def test_prices_and_sizes_are_the_decimals_that_the_venue_wrote(self, recordings: Path, tmp_path: Path) -> None:
        told = _recorded(recordings)
        rows = staged(pq.read_table(_written(told, tmp_path / "books.parquet"))).to_pylist()

        assert len(rows) == 410
        for (*_, said), row in zip(told, rows, strict=True):
            for name, side, outward in (("bids", "bid", -1), ("asks", "ask", 1)):
                px = [
                    _decimal(row[f"best_{side}"] + outward * offset, row["px_scale"])
                    for offset in row[f"{side}_offset"]
                ]
                qty = [_decimal(size, row["qty_scale"]) for size in row[f"{side}_size"]]
                assert list(zip(px, qty, strict=True)) == [(Decimal(p), Decimal(q)) for p, q in said[name]]

    def test_take_half_of_what_lists_of_doubles_take(self, recordings: Path, tmp_path: Path) -> None:
        told = _recorded(recordings)
        path = _written(told, tmp_path / "books.parquet")
        pq.write_table(decoded(pq.read_table(path)), tmp_path / "doubles.parquet", compression="zstd")

        assert path.stat().st_size < 0.5 * (tmp_path / "doubles.parquet").stat().st_size
        assert path.stat().st_size / len(told) < 105


def _recorded(recordings: Path) -> list[tuple[str, str, datetime, dict[str, list[list[str]]]]]:
    """Venue, symbol, instant, and the texts of each side's levels, in the lake's order."""
    books = told_by_rest(recordings).items()
    return [
        (venue, symbol, at, {side: body[side][:20] for side in ("bids", "asks")})
        for (venue, symbol, what), replies in sorted(books)
        if what == "depth"
        for at, body in sorted(replies.items())
    ]


def _written(told: list[tuple[str, str, datetime, dict[str, list[list[str]]]]], path: Path) -> Path:
    books = [
        OrderBook(
            venue=venue,
            symbol=symbol,
            kind="spot" if venue == "binance_spot" else "perp",
            captured_ts=at,
            **{
                f"{side}_{what}": tuple(float(level[place]) for level in said[f"{side}s"])
                for side in ("bid", "ask")
                for place, what in enumerate(("px", "qty"))
            },
        )
        for venue, symbol, at, said in told
    ]
    with path.open("wb") as sink:
        write([encoded(as_table(OrderBook, HOUR, books))], SCHEMA, sink, SPLIT)
    return path


def _decimal(whole: int, scale: int) -> Decimal:
    return Decimal(whole).scaleb(-scale)
