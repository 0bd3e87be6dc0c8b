"""How fast books become the features of `fct_order_book_imbalance`, against a layout of doubles, and against pandas.

    .venv/bin/python benchmarks/book_features.py [--hours 24] [--repeats 3]

A book a second of ten instruments, 2 x 20 levels, as the lake stages them: whole numbers at offsets from the best.
`doubles` is the same model on the same books as lists of doubles, which the layout keeps for what is no decimal.
Both pandas baselines hold lists in columns and give the same figures, which are compared. `pandas by row` applies a
function of numpy to each book, as books of any length ask for; `arrays` stacks each column into rows by levels, which
works while all books have as many, and is array arithmetic from there.
Two threads, processor seconds, the best of the repeats.
"""

# ruff: noqa: S608 (names of this file's own)

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from generated_day import GeneratedDay, rss_mb
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

MODEL = "fct_order_book_imbalance"
DEPTHS, BANDS_BPS, DECAY_PER_BPS = (1, 5, 10, 20), (5, 10, 25, 50, 100), 0.1
SIDES = ("bid", "ask")

Floats = NDArray[np.float64]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--hours", type=int, default=24)
    arguments.add_argument("--repeats", type=int, default=3)
    asked = arguments.parse_args()
    books = asked.hours * 36_000
    with tempfile.TemporaryDirectory() as folder:
        day = GeneratedDay(Path(folder), asked.hours, MODEL)
        day.instruments("spot", "perp")
        day.books("spot", "perp")
        run = day.connection.execute
        seconds: dict[str, float] = {}
        by_row: list[pd.DataFrame] = []

        def model(name: str) -> None:
            made = [day.timed(lambda: run(f"create or replace table {name} as {day.sql_of(MODEL)}"))]
            made += [day.timed(lambda: day.build(MODEL, "facts")) for _ in range(asked.repeats - 1)]
            seconds[name] = min(made)

        model("whole_numbers")
        decoded = ", ".join(f"{side}_{what}" for what in ("px", "qty") for side in SIDES)
        run(f"create table decoded as select venue, kind, symbol, captured_ts, {decoded} from staging.stg_order_books")
        lists = run("from decoded order by all").to_arrow_table().to_pandas()
        seconds["arrays"] = min(day.timed(lambda: _features(lists)) for _ in range(asked.repeats))
        seconds["pandas by row"] = day.timed(lambda: by_row.append(lists.apply(_of_one, axis=1, result_type="expand")))
        features = _features(lists)
        given = run("from whole_numbers order by venue, kind, symbol, captured_ts").to_arrow_table().to_pandas()
        for name in features:
            for found in (features, by_row[0]):
                np.testing.assert_allclose(given[name], found[name], rtol=1e-9, atol=1e-9, err_msg=name)
        run(
            f"""
            create table stored as
            select books.* exclude ({decoded}), decoded.* exclude (venue, kind, symbol, captured_ts)
            from lake.order_books as books
            inner join decoded using (venue, kind, symbol, captured_ts);
            delete from lake.order_books;
            insert into lake.order_books by name
            select * exclude (px_scale, qty_scale, best_bid, best_ask, bid_offset, ask_offset, bid_size, ask_size)
            from stored
            """
        )
        model("doubles")
    table = Table("way", "books / processor second", "whole numbers to it")
    for name, took in seconds.items():
        table.add_row(name.replace("_", " "), f"{books / took:,.0f}", f"{took / seconds['whole_numbers']:.2f}")
    console = Console(width=100)
    console.print(table)
    console.print(f"{books:,} books, {len(features.columns)} figures alike; peak memory {rss_mb():,.0f} MB")


def _features(books: pd.DataFrame) -> pd.DataFrame:
    """The model's measures of books that are all whole, linear and in dollars."""
    px = {side: np.stack(books[f"{side}_px"].to_numpy()) for side in SIDES}
    qty = {side: np.stack(books[f"{side}_qty"].to_numpy()) for side in SIDES}
    usd = {side: px[side] * qty[side] for side in SIDES}
    best = {side: px[side][:, 0] for side in SIDES}
    size = {side: qty[side][:, 0] for side in SIDES}
    mid = (best["bid"] + best["ask"]) / 2
    found = {
        "mid_px": mid,
        "spread_bps": 1e4 * (best["ask"] - best["bid"]) / mid,
        "queue_imbalance_frac": _imbalance(size["bid"], size["ask"]),
        "weighted_mid_px": (best["bid"] * size["ask"] + best["ask"] * size["bid"]) / (size["bid"] + size["ask"]),
    }
    for depth in DEPTHS:
        found[f"depth_imbalance_{depth}_frac"] = _imbalance(*(usd[side][:, :depth].sum(axis=1) for side in SIDES))
    for band in BANDS_BPS:
        low, high = mid * (1e4 - band) / 1e4, mid * (1e4 + band) / 1e4
        inside = {"bid": px["bid"] >= low[:, None], "ask": px["ask"] <= high[:, None]}
        is_whole = {"bid": px["bid"][:, -1] <= low, "ask": px["ask"][:, -1] >= high}
        within = {s: np.where(is_whole[s], np.where(inside[s], usd[s], 0).sum(axis=1), np.nan) for s in SIDES}
        found[f"depth_imbalance_{band}bps_frac"] = _imbalance(within["bid"], within["ask"])
        if band == 10:
            found |= {f"{side}_depth_10bps_usd": within[side] for side in SIDES}
    low = np.maximum(px["bid"][:, -1], 2 * mid - px["ask"][:, -1])
    high = np.minimum(px["ask"][:, -1], 2 * mid - px["bid"][:, -1])
    reach_bps = 1 / DECAY_PER_BPS
    is_far = (low <= mid * (1e4 - reach_bps) / 1e4) & (high >= mid * (1e4 + reach_bps) / 1e4)
    common = {"bid": px["bid"] >= low[:, None], "ask": px["ask"] <= high[:, None]}
    decayed = {}
    for side in SIDES:
        away_bps = np.abs(1e4 * (px[side] - mid[:, None]) / mid[:, None])
        decayed[side] = np.where(common[side], usd[side] * np.exp(-DECAY_PER_BPS * away_bps), 0).sum(axis=1)
    found["decayed_imbalance_frac"] = np.where(is_far, _imbalance(decayed["bid"], decayed["ask"]), np.nan)
    return pd.DataFrame(found)


def _of_one(book: pd.Series) -> dict[str, float]:
    """The same of one book."""
    px = {side: np.asarray(book[f"{side}_px"]) for side in SIDES}
    qty = {side: np.asarray(book[f"{side}_qty"]) for side in SIDES}
    usd = {side: px[side] * qty[side] for side in SIDES}
    (bid, ask), (bid_qty, ask_qty) = ((each["bid"][0], each["ask"][0]) for each in (px, qty))
    mid = (bid + ask) / 2
    found = {
        "mid_px": mid,
        "spread_bps": 1e4 * (ask - bid) / mid,
        "queue_imbalance_frac": (bid_qty - ask_qty) / (bid_qty + ask_qty),
        "weighted_mid_px": (bid * ask_qty + ask * bid_qty) / (bid_qty + ask_qty),
    }
    for depth in DEPTHS:
        bids, asks = (usd[side][:depth].sum() for side in SIDES)
        found[f"depth_imbalance_{depth}_frac"] = (bids - asks) / (bids + asks)
    for band in BANDS_BPS:
        low, high = mid * (1e4 - band) / 1e4, mid * (1e4 + band) / 1e4
        bids = usd["bid"][px["bid"] >= low].sum() if px["bid"][-1] <= low else np.nan
        asks = usd["ask"][px["ask"] <= high].sum() if px["ask"][-1] >= high else np.nan
        found[f"depth_imbalance_{band}bps_frac"] = (bids - asks) / (bids + asks)
        if band == 10:
            found |= {"bid_depth_10bps_usd": bids, "ask_depth_10bps_usd": asks}
    low, high = max(px["bid"][-1], 2 * mid - px["ask"][-1]), min(px["ask"][-1], 2 * mid - px["bid"][-1])
    reach_bps = 1 / DECAY_PER_BPS
    found["decayed_imbalance_frac"] = np.nan
    if low <= mid * (1e4 - reach_bps) / 1e4 and high >= mid * (1e4 + reach_bps) / 1e4:
        inside = {"bid": px["bid"] >= low, "ask": px["ask"] <= high}
        bids, asks = (
            (usd[s][inside[s]] * np.exp(-DECAY_PER_BPS * np.abs(1e4 * (px[s][inside[s]] - mid) / mid))).sum()
            for s in SIDES
        )
        found["decayed_imbalance_frac"] = (bids - asks) / (bids + asks)
    return found


def _imbalance(bid: Floats, ask: Floats) -> Floats:
    return np.asarray((bid - ask) / (bid + ask))


if __name__ == "__main__":
    main()
