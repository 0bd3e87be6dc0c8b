"""Books of one venue and hour as arrays, each beside the terms in force when it was captured."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

INSTANT = pa.timestamp("us", tz="UTC")
IDENTITY: "list[pa.Field[Any]]" = [
    pa.field("utc_hour", INSTANT),
    pa.field("venue", pa.string()),
    pa.field("kind", pa.string()),
    pa.field("symbol", pa.string()),
]
_NAME = ["kind", "symbol"]
_TERMS = ["amount_unit", "contract_size", "is_inverse", "tick_size_px"]


@dataclass(frozen=True)
class Books:
    """Two-sided, uncrossed snapshots by instrument and time. Levels are (rows, depth), NaN where a side has fewer.

    `frame` has a row a snapshot: identity, `captured_ts` and the terms. `*_qty` are in the venue's unit, `*_base` in
    base coin; for quanto contracts but for the dollars of the coin that they settle in, which no ratio needs.
    """

    frame: pd.DataFrame
    bid_px: Floats
    bid_qty: Floats
    bid_base: Floats
    ask_px: Floats
    ask_qty: Floats
    ask_base: Floats

    @property
    def instruments(self) -> Ints:
        """A number for each row's instrument, ascending."""
        return np.asarray(self.frame.groupby(_NAME, sort=True).ngroup(), dtype=np.int64)


def books_of(order_books: pa.Table, instruments: pa.Table, depth: int) -> Books:
    """The first `depth` levels of the lake's `order_books`, with its `instruments` of the same venue and hour."""
    names = ["utc_hour", "venue", *_NAME, "captured_ts"]
    frame = order_books.select(names).to_pandas()
    levels = {name: first_levels(order_books[name], depth) for name in ("bid_px", "bid_qty", "ask_px", "ask_qty")}
    frame["row"] = np.arange(len(frame))
    frame = _with_terms(frame, instruments.to_pandas())
    is_whole = levels["bid_px"][frame["row"], 0] < levels["ask_px"][frame["row"], 0]
    frame = frame[is_whole].sort_values([*_NAME, "captured_ts"], kind="stable", ignore_index=True)
    own = {name: values[frame["row"]] for name, values in levels.items()}
    for side in ("bid", "ask"):
        own[f"{side}_base"] = own[f"{side}_qty"] * _coins(frame, own[f"{side}_px"])
    return Books(frame.drop(columns="row"), **own)


def first_levels(column: "pa.ChunkedArray[Any]", depth: int) -> Floats:
    """The first values of each list, (rows, depth); NaN where a list is shorter."""
    lists: Any = column.combine_chunks()
    lengths = np.asarray(lists.value_lengths().fill_null(0), dtype=np.int64)
    values = np.append(np.asarray(lists.flatten(), dtype=np.float64), np.nan)
    starts = np.cumsum(lengths) - lengths
    places = starts[:, None] + np.arange(depth)
    return np.asarray(values[np.where(np.arange(depth) < lengths[:, None], places, -1)], dtype=np.float64)


def _with_terms(frame: pd.DataFrame, listed: pd.DataFrame) -> pd.DataFrame:
    """Each snapshot with the newest list's terms, before the first list with that one's; none where never listed."""
    terms = listed.sort_values("captured_ts", kind="stable")
    terms["tick_size_px"] = terms.groupby(_NAME)["tick_size_px"].ffill()
    terms["captured_ts"] = terms["captured_ts"].where(terms.duplicated(_NAME), terms["utc_hour"])
    terms = terms.sort_values("captured_ts", kind="stable")
    said = ["captured_ts", *_NAME, *_TERMS]
    found = pd.merge_asof(frame.sort_values("captured_ts", kind="stable"), terms[said], on="captured_ts", by=_NAME)
    return found[found["amount_unit"].notna()]


def _coins(frame: pd.DataFrame, px: Floats) -> Floats:
    """What turns a size at each price into base coin."""
    is_contracts = (frame["amount_unit"] == "contracts").to_numpy()
    is_inverse = frame["is_inverse"].to_numpy(dtype=bool) & (frame["kind"] != "option").to_numpy()
    is_counted_in_quote = (frame["amount_unit"] == "usd").to_numpy() | (is_contracts & is_inverse)
    face = np.where(is_contracts, frame["contract_size"].to_numpy(dtype=np.float64), 1.0)[:, None]
    return np.asarray(np.where(is_counted_in_quote[:, None], face / px, face), dtype=np.float64)
