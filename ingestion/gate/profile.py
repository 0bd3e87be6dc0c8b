"""What an hour of one (venue, dataset) looks like in a few numbers: the row that the hour rules judge."""

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.duplicates import GRAINS, SNAPSHOT_GRAIN
from ingestion.gate.rows import MAX_SKEW
from ingestion.hours import HOUR
from ingestion.records import DATASETS

# Asked again later for a past hour, so their capture may fall into any hour.
ARCHIVED = frozenset({"trades", "candles", "funding_rates", "volatility_indices", "liquidations"})
# One reply an hour tells of all of it.
WHOLE_HOUR = frozenset(
    {"instruments", "candles", "funding_rates", "volatility_indices", "liquidations", "stream_holes"}
)
QUARTER = pd.Timedelta(minutes=15)
# A row in which all of these are null says nothing.
TOLD_BY: dict[str, tuple[str, ...]] = {
    "spot_tickers": ("bid_px", "ask_px", "last_px"),
    "future_tickers": ("bid_px", "ask_px", "last_px", "mark_px", "index_px"),
    "perp_tickers": ("bid_px", "ask_px", "last_px", "mark_px", "index_px", "funding_rate"),
    "option_quotes": ("bid_px", "ask_px", "last_px", "mark_px", "mark_iv_ann", "bid_iv_ann", "ask_iv_ann"),
}
# The price that places an instrument's level, first of these that is not null.
LEVEL_BY: dict[str, tuple[str, ...]] = {
    "trades": ("px",),
    "index_prices": ("index_px",),
    "volatility_indices": ("close_iv_ann",),
    "spot_tickers": ("last_px", "bid_px"),
    "future_tickers": ("mark_px", "last_px"),
    "perp_tickers": ("mark_px", "last_px"),
}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HourProfile:
    """Counts, and fractions where there is something to divide by; null means nothing to measure."""

    utc_hour: datetime
    rows_count: int = 0
    symbols_count: int = 0
    captures_count: int = 0  # distinct captured_ts
    rejected_count: int = 0  # rows, and instruments whose terms nobody knows
    refused_count: int = 0  # replies
    rejected_frac: float | None = None
    nothing_readable: int = 0  # 1 where something came and no row was left of it
    duplicate_count: int = 0  # rows beyond one a grain
    crossed_frac: float | None = None  # of books with two sides: best bid at or over best ask
    null_frac: float | None = None  # of rows: nothing said
    outside_hour_count: int = 0
    future_event_count: int = 0
    max_px_ratio: float | None = None  # highest over lowest price of one instrument
    first_captured_ts: datetime | None = None
    last_captured_ts: datetime | None = None
    covered_frac: float = 1.0  # quarters of the hour that rows speak of; see `_covered_frac`


def profile(
    dataset: str,
    hour: datetime,
    table: pa.Table,
    *,
    rejected_count: int,
    refused_count: int,
    unplaced_count: int = 0,
) -> HourProfile:
    """Measure one hour's rows.

    `unplaced_count` is of instruments whose terms nobody knows. They are told among the rejected, but no row
    is at fault: many of them must not hold the instruments that are known.
    """
    rows_count = table.num_rows
    bare = HourProfile(
        utc_hour=hour,
        rows_count=rows_count,
        rejected_count=rejected_count + unplaced_count,
        refused_count=refused_count,
        rejected_frac=rejected_count / (rows_count + rejected_count) if rows_count + rejected_count else None,
        nothing_readable=int(rows_count == 0 and rejected_count + refused_count > 0),
    )
    if rows_count == 0:
        return bare
    rows = _scalars(table)
    captured, event = rows["captured_ts"], rows["event_ts"]
    level = _level(dataset, table)
    return replace(
        bare,
        symbols_count=len(rows[["kind", "symbol"]].drop_duplicates()),
        captures_count=captured.nunique(),
        duplicate_count=int(rows.duplicated(list(_grain(dataset))).sum()),
        crossed_frac=_crossed_frac(table) if dataset == "order_books" else None,
        null_frac=_null_frac(dataset, table),
        outside_hour_count=0 if dataset in ARCHIVED else _outside_count(hour, rows),
        future_event_count=int((event - captured > MAX_SKEW).sum()),
        max_px_ratio=None if level is None else _max_ratio(rows, level),
        first_captured_ts=captured.min().to_pydatetime(),
        last_captured_ts=captured.max().to_pydatetime(),
        covered_frac=_covered_frac(dataset, hour, rows),
    )


def _scalars(table: pa.Table) -> pd.DataFrame:
    return table.select([f.name for f in table.schema if not pa.types.is_list(f.type)]).to_pandas()


def _grain(dataset: str) -> tuple[str, ...]:
    return GRAINS.get(DATASETS[dataset], SNAPSHOT_GRAIN)


def _outside_count(hour: datetime, rows: pd.DataFrame) -> int:
    is_outside = (rows["captured_ts"] < hour) | (rows["captured_ts"] >= hour + HOUR)
    if "terms_source" in rows:
        # Documented terms carry the first sighting of their symbol, which an archived row may lend them.
        is_outside &= rows["terms_source"] == "listed"
    return int(is_outside.sum())


def _covered_frac(dataset: str, hour: datetime, rows: pd.DataFrame) -> float:
    """Share of the hour's quarters with a capture or a trade; 1 where one reply tells of the whole hour."""
    if dataset in WHOLE_HOUR:
        return 1.0
    moments = rows["event_ts"] if dataset == "trades" else rows["captured_ts"]
    quarters = (moments - hour) // QUARTER
    return int(quarters[(quarters >= 0) & (quarters < 4)].nunique()) / 4


def _best(table: pa.Table, column: str) -> Floats:
    """First level of each book; NaN where the side is empty."""
    lengths = pc.list_value_length(table[column]).to_numpy()
    levels = pc.list_flatten(table[column]).to_numpy()
    best = np.full(len(lengths), np.nan)
    best[lengths > 0] = levels[(np.cumsum(lengths) - lengths)[lengths > 0]]
    return best


def _crossed_frac(table: pa.Table) -> float | None:
    bid, ask = _best(table, "bid_px"), _best(table, "ask_px")
    two_sided = int(np.count_nonzero(~np.isnan(bid + ask)))
    return int(np.count_nonzero(bid >= ask)) / two_sided if two_sided else None


def _null_frac(dataset: str, table: pa.Table) -> float | None:
    if dataset == "order_books":
        columns = [_best(table, "bid_px"), _best(table, "ask_px")]
    elif dataset in TOLD_BY:
        columns = [_floats(table, name) for name in TOLD_BY[dataset]]
    else:
        return None
    return float(np.isnan(columns).all(axis=0).mean())


def _level(dataset: str, table: pa.Table) -> Floats | None:
    if dataset == "order_books":
        columns = [_best(table, "bid_px"), _best(table, "ask_px")]
    elif dataset in LEVEL_BY:
        columns = [_floats(table, name) for name in LEVEL_BY[dataset]]
    else:
        return None
    level = columns[0]
    for column in columns[1:]:
        level = np.where(np.isnan(level), column, level)
    return level


def _floats(table: pa.Table, name: str) -> Floats:
    return np.asarray(table[name].to_numpy(), dtype=np.float64)


def _max_ratio(rows: pd.DataFrame, level: Floats) -> float | None:
    by_instrument = pd.Series(level).groupby([rows["kind"], rows["symbol"]])
    ratio = float((by_instrument.max() / by_instrument.min()).max())
    return None if np.isnan(ratio) else ratio
