"""Published order-book numbers agree with plain arithmetic on 410 recorded books.

The second opinion is written with Decimal over the JSON of each reply, and shares no code with the product.
"""

from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from statistics import fmean
from typing import Any

import pytest

from tests.replayed import BOOKS, Replay, Row, assert_agreement, recorded_replies, replayed_books, worst_errors

__all__ = ["replayed_books"]

Key = tuple[str, str, datetime]

SPOT, LINEAR, INVERSE = "binance_spot", "binance_usdm", "binance_coinm"
USD_A_CONTRACT = {"BTCUSD_PERP": Decimal(100), "ETHUSD_PERP": Decimal(10)}
BANDS_BPS = (5, 10, 25, 50, 100)
COUNTS = {
    (SPOT, "BTCUSDT"): 69,
    (SPOT, "ETHUSDT"): 69,
    (LINEAR, "BTCUSDT"): 68,
    (LINEAR, "ETHUSDT"): 68,
    (INVERSE, "BTCUSD_PERP"): 68,
    (INVERSE, "ETHUSD_PERP"): 68,
}


def asked(reply: Row) -> tuple[str, str, datetime]:
    """Venue, symbol and instant of a recorded reply."""
    query = dict(part.split("=") for part in reply["query"].split("&"))
    at = datetime.fromisoformat(reply["recorded_at"].replace("Z", "+00:00"))
    return reply["venue"], query["symbol"], at.astimezone(UTC)


def lean(bid: Decimal, ask: Decimal) -> float:
    return float((bid - ask) / (bid + ask))


def inside(levels: list[tuple[Decimal, Decimal, Decimal]], mid: Decimal, band_bps: int) -> Decimal | None:
    """USD within the band of mid; none where the side ends before the band does."""
    distances = [abs(px - mid) * 10_000 / mid for px, _, _ in levels]
    if max(distances) < band_bps:
        return None
    return sum((usd for (_, _, usd), far in zip(levels, distances, strict=True) if far <= band_bps), Decimal(0))


def measured(symbol: str, body: Row) -> dict[str, float | None]:
    """One book by hand."""

    def side(levels: list[list[str]]) -> list[tuple[Decimal, Decimal, Decimal]]:
        read = [(Decimal(px), Decimal(qty)) for px, qty in levels]
        face = USD_A_CONTRACT.get(symbol)
        return [(px, qty, qty * face if face else qty * px) for px, qty in read]

    bids, asks = side(body["bids"]), side(body["asks"])
    (bid, bid_qty, _), (ask, ask_qty, _) = bids[0], asks[0]
    mid = (bid + ask) / 2
    share = bid_qty / (bid_qty + ask_qty)
    numbers: dict[str, float | None] = {
        "best_bid_px": float(bid),
        "best_ask_px": float(ask),
        "mid_px": float(mid),
        "spread_bps": float((ask - bid) / mid * 10_000),
        "queue_imbalance_frac": lean(bid_qty, ask_qty),
        "weighted_mid_px": float(bid * (1 - share) + ask * share),
    }
    for depth in (1, 5, 10, 20):
        numbers[f"depth_imbalance_{depth}_frac"] = lean(
            sum((usd for _, _, usd in bids[:depth]), Decimal(0)), sum((usd for _, _, usd in asks[:depth]), Decimal(0))
        )
    for band_bps in BANDS_BPS:
        below, above = inside(bids, mid, band_bps), inside(asks, mid, band_bps)
        numbers[f"depth_imbalance_{band_bps}bps_frac"] = None if below is None or above is None else lean(below, above)
        if band_bps == 10:
            numbers["bid_depth_10bps_usd"] = None if below is None else float(below)
            numbers["ask_depth_10bps_usd"] = None if above is None else float(above)
    return numbers


@pytest.fixture(scope="module")
def by_hand(replayed_books: Replay) -> dict[Key, dict[str, float | None]]:
    return {
        asked(reply): measured(asked(reply)[1], reply["body"])
        for reply in recorded_replies(BOOKS)
        if reply["path"].endswith("/depth")
    }


@pytest.fixture(scope="module")
def published(replayed_books: Replay) -> dict[Key, Row]:
    rows = replayed_books.rows("select * from fct_order_book_imbalance")
    return {(row["venue"], row["symbol"], row["captured_ts"]): row for row in rows}


def test_every_recorded_book_has_its_row(
    published: dict[Key, Row], by_hand: dict[Key, dict[str, float | None]]
) -> None:
    assert Counter((venue, symbol) for venue, symbol, _ in published) == COUNTS
    assert published.keys() == by_hand.keys()


def test_every_number_of_every_book_agrees(
    published: dict[Key, Row], by_hand: dict[Key, dict[str, float | None]]
) -> None:
    """410 books, 18 numbers each; null exactly where the book ends before the band."""
    assert_agreement("books", worst_errors((published[key], numbers) for key, numbers in by_hand.items()))


def test_bands_are_null_where_these_books_end_early_and_only_there(published: dict[Key, Row]) -> None:
    """The best thousand levels of BTCUSDT span tens of basis points; those of the inverse perpetuals over 100."""
    nulls = Counter(
        (venue, symbol, band_bps)
        for (venue, symbol, _), row in published.items()
        for band_bps in BANDS_BPS
        if row[f"depth_imbalance_{band_bps}bps_frac"] is None
    )

    assert nulls == {
        (SPOT, "BTCUSDT", 50): 68,
        (SPOT, "BTCUSDT", 100): 69,
        (SPOT, "ETHUSDT", 100): 9,
        (LINEAR, "BTCUSDT", 25): 65,
        (LINEAR, "BTCUSDT", 50): 68,
        (LINEAR, "BTCUSDT", 100): 68,
        (LINEAR, "ETHUSDT", 50): 46,
        (LINEAR, "ETHUSDT", 100): 68,
    }


def test_no_recorded_book_is_crossed_or_locked(published: dict[Key, Row]) -> None:
    assert not any(row["is_crossed"] or row["is_locked"] for row in published.values())


def test_linear_perpetuals_are_measured_against_spot_of_the_same_instant(
    replayed_books: Replay, by_hand: dict[Key, dict[str, float | None]]
) -> None:
    """Both legs in USDT, captured together: 136 rows, and no row for the inverse ones.

    COIN-M is quoted in USD, and no rate of USD to USDT was observed.
    """
    rows = replayed_books.rows("select * from fct_basis")

    assert {(row["venue"], row["reference_venue"], row["reference_kind"]) for row in rows} == {(LINEAR, SPOT, "spot")}
    assert {row["capture_skew_ms"] for row in rows} == {0.0}
    assert {row["quote_rate"] for row in rows} == {1.0}
    assert {row["derivative_px_source"] for row in rows} == {"mid"}
    assert Counter(row["symbol"] for row in rows) == {"BTCUSDT": 68, "ETHUSDT": 68}
    pairs: list[tuple[Row, dict[str, float | None]]] = []
    for row in rows:
        assert row["reference_symbol"] == row["symbol"]
        derivative, reference = (
            by_hand[venue, row["symbol"], row["captured_ts"]]["mid_px"] or 0.0 for venue in (LINEAR, SPOT)
        )
        expected = {
            "derivative_px": derivative,
            "reference_px": reference,
            # In exact arithmetic: the difference of two near prices loses digits in floats.
            "basis_bps": float((Decimal(repr(derivative)) / Decimal(repr(reference)) - 1) * 10_000),
            "mark_basis_bps": None,
            "days_to_expiry": None,
            "basis_simple_ann": None,
            "open_interest_usd": None,
            "funding_rate_per_hour": None,
        }
        pairs.append((row, expected))
    assert_agreement("basis", worst_errors(pairs))


def test_each_recorded_trade_counts_once_on_its_takers_side(replayed_books: Replay) -> None:
    """Overlapping polls repeat trades; `isBuyerMaker` means that the taker sold."""
    trades: dict[tuple[str, str], dict[int, Row]] = defaultdict(dict)
    for reply in recorded_replies(BOOKS):
        if reply["path"].endswith("/trades"):
            venue, symbol, _ = asked(reply)
            trades[venue, symbol].update({trade["id"]: trade for trade in reply["body"]})

    def usd(symbol: str, trade: Row) -> Decimal:
        qty = Decimal(trade["qty"])
        return qty * USD_A_CONTRACT[symbol] if symbol in USD_A_CONTRACT else qty * Decimal(trade["price"])

    def expected(symbol: str, own: dict[int, Row]) -> dict[str, float | None]:
        sides = {False: Decimal(0), True: Decimal(0)}
        for trade in own.values():
            sides[trade["isBuyerMaker"]] += usd(symbol, trade)
        return {
            "trades_count": len(own),
            "buy_usd": float(sides[False]),
            "sell_usd": float(sides[True]),
            "volume_usd": float(sides[False] + sides[True]),
            "trade_imbalance_frac": lean(sides[False], sides[True]),
        }

    rows = {(row["venue"], row["symbol"]): row for row in replayed_books.rows("select * from fct_trade_flow")}
    assert rows.keys() == trades.keys() == COUNTS.keys()
    assert_agreement("trades", worst_errors((rows[key], expected(key[1], own)) for key, own in trades.items()))


def test_the_hours_mart_is_the_mean_over_books_of_each_books_mean(
    replayed_books: Replay, by_hand: dict[Key, dict[str, float | None]]
) -> None:
    """A book that was looked at more often does not weigh more."""
    for row in replayed_books.rows("select * from mart_pressure_differentials_hourly"):
        books: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for (venue, symbol, _), numbers in by_hand.items():
            if symbol.startswith(row["underlying"]):
                books[venue, symbol].append(numbers)
        expected: dict[str, float | None] = {
            "book_imbalance_10bps_frac": fmean(
                fmean(numbers["depth_imbalance_10bps_frac"] for numbers in own) for own in books.values()
            ),
            "spread_bps": fmean(fmean(numbers["spread_bps"] for numbers in own) for own in books.values()),
            "order_books_count": sum(map(len, books.values())),
            "crossed_books_count": 0,
        }
        assert_agreement(f"mart {row['underlying']}", worst_errors([(row, expected)]))
        assert (row["pressure_z"], row["components_count"]) == (None, 0)  # no history to measure against


def test_each_dataset_of_the_hour_is_there_or_its_gap_is(replayed_books: Replay) -> None:
    """Books and trades of Binance were recorded; all else of this hour is a gap with a reason, and not a zero."""
    coverage = replayed_books.rows("select * from fct_data_coverage")
    there = {(row["venue"], row["dataset"]) for row in coverage if row["rows_count"] > 0}

    assert {(venue, dataset) for venue, _ in COUNTS for dataset in ("order_books", "trades")} <= there
    for row in coverage:
        assert (row["status"] == "ok") == row["is_usable"] == (row["rows_count"] > 0)
        assert row["status"] == "ok" or row["reason"]
