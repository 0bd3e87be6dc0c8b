"""What an hour of one (venue, dataset) looks like in a few numbers: the row that the hour rules judge."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.columns import EPOCH, INSTANT, MICROSECOND, in_order, ints
from ingestion.duplicates import begins, grain_of
from ingestion.gate.rows import MAX_SKEW
from ingestion.hours import HOUR
from ingestion.records import DATASETS
from ingestion.runs import Memory

# Asked again later for a past hour, so their capture may fall into any hour.
ARCHIVED = frozenset({"trades", "candles", "funding_rates", "volatility_indices", "liquidations"})
# One reply an hour tells of all of it.
WHOLE_HOUR = frozenset(
    {
        *("instruments", "candles", "funding_rates", "volatility_indices", "liquidations"),
        *("margin_tiers", "stream_holes"),
    }
)
QUARTER = timedelta(minutes=15)
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
Ints = npt.NDArray[np.int64]

_CAPTURES = pa.schema([pa.field("captured_ts", INSTANT)])


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
    covered_frac: float = 1.0  # quarters of the hour with a capture, or with a trade; 1 where one reply tells of it all


def profile(
    dataset: str,
    hour: datetime,
    table: pa.Table,
    *,
    rejected_count: int,
    refused_count: int,
    unplaced_count: int = 0,
    unsided_count: int = 0,
) -> HourProfile:
    """Measure one hour's rows, which are all there."""
    with TemporaryDirectory(prefix="barograph-") as folder:
        measure = Measure(dataset, hour, Memory(Path(folder)))
        measure.add(table)
        grain = grain_of(DATASETS[dataset])
        return measure.profile(
            grains_count=int(begins(in_order(table.select(grain), grain), grain).sum()),
            rejected_count=rejected_count,
            refused_count=refused_count,
            unplaced_count=unplaced_count,
            unsided_count=unsided_count,
        )


class Measure:
    """One hour's rows, measured portion by portion; an instrument's rows stand together."""

    def __init__(self, dataset: str, hour: datetime, memory: Memory) -> None:
        self.rows_count = 0
        self._dataset = dataset
        self._hour = hour
        self._start_us = int(hour.timestamp()) * 1_000_000
        self._captures = memory.runs(_CAPTURES, _CAPTURES.names)
        self._levels: dict[tuple[str, str], tuple[float, float]] = {}  # lowest and highest price of each instrument
        self._two_sided_count = self._crossed_count = self._null_count = 0
        self._outside_count = self._future_count = 0
        self._quarters: set[int] = set()

    def add(self, table: pa.Table) -> None:
        if not table.num_rows:
            return
        self.rows_count += table.num_rows
        captured = ints(table["captured_ts"])
        self._captures.add(pa.table([pa.array(np.unique(captured[begins(table, ["captured_ts"])]))], schema=_CAPTURES))
        bid, ask = (_best(table, f"{side}_px") for side in ("bid", "ask")) if self._is_books else (None, None)
        self._add_levels(table, _level(self._dataset, table) if bid is None else np.where(np.isnan(bid), ask, bid))  # type: ignore[arg-type]
        if bid is not None:
            self._two_sided_count += int(np.count_nonzero(~np.isnan(bid + ask)))  # type: ignore[operator]
            self._crossed_count += int(np.count_nonzero(bid >= ask))  # type: ignore[operator]
            self._null_count += int(np.count_nonzero(np.isnan(bid) & np.isnan(ask)))  # type: ignore[arg-type]
        elif self._dataset in TOLD_BY:
            told = [_floats(table, name) for name in TOLD_BY[self._dataset]]
            self._null_count += int(np.count_nonzero(np.isnan(told).all(axis=0)))
        self._add_moments(table, captured)

    def profile(
        self,
        *,
        grains_count: int,
        rejected_count: int,
        refused_count: int,
        unplaced_count: int = 0,
        unsided_count: int = 0,
    ) -> HourProfile:
        """What was added, told of so many grains.

        `unplaced_count` is of instruments whose terms nobody knows, `unsided_count` of rows whose source does not
        know their side. They are told among the rejected, but no row is at fault: many must not hold the others.
        """
        rows_count = self.rows_count
        bare = HourProfile(
            utc_hour=self._hour,
            rows_count=rows_count,
            rejected_count=rejected_count + unplaced_count + unsided_count,
            refused_count=refused_count,
            rejected_frac=rejected_count / (rows_count + rejected_count) if rows_count + rejected_count else None,
            nothing_readable=int(rows_count == 0 and rejected_count + unsided_count + refused_count > 0),
        )
        captures_count, first, last = self._captured()
        if rows_count == 0:
            return bare
        ratios = [high / low for low, high in self._levels.values() if not np.isnan(low)]
        return replace(
            bare,
            symbols_count=len(self._levels),
            captures_count=captures_count,
            duplicate_count=rows_count - grains_count,
            crossed_frac=self._crossed_count / self._two_sided_count if self._two_sided_count else None,
            null_frac=self._null_count / rows_count if self._is_books or self._dataset in TOLD_BY else None,
            outside_hour_count=self._outside_count,
            future_event_count=self._future_count,
            max_px_ratio=max(ratios, default=None),
            first_captured_ts=EPOCH + first * MICROSECOND,
            last_captured_ts=EPOCH + last * MICROSECOND,
            covered_frac=1.0 if self._dataset in WHOLE_HOUR else len(self._quarters) / 4,
        )

    def _captured(self) -> tuple[int, int, int]:
        """How many distinct captures, the first and the last, microseconds."""
        count, first, last = 0, 0, 0
        for table in self._captures.tables():
            captures = np.unique(ints(table["captured_ts"]))
            first, last = first if count else int(captures[0]), int(captures[-1])
            count += len(captures)
        self._captures.close()
        return count, first, last

    @property
    def _is_books(self) -> bool:
        return self._dataset == "order_books"

    def _add_levels(self, table: pa.Table, level: Floats | None) -> None:
        starts = np.flatnonzero(begins(table, ("kind", "symbol")))
        lows = highs = np.full(len(starts), np.nan)
        if level is not None:
            lows, highs = np.fmin.reduceat(level, starts), np.fmax.reduceat(level, starts)
        names = table.select(["kind", "symbol"]).take(pa.array(starts)).to_pylist()  # type: ignore[arg-type]
        for name, low, high in zip(names, lows.tolist(), highs.tolist(), strict=True):
            key = name["kind"], name["symbol"]
            before = self._levels.get(key, (np.nan, np.nan))
            self._levels[key] = float(np.fmin(before[0], low)), float(np.fmax(before[1], high))

    def _add_moments(self, table: pa.Table, captured: Ints) -> None:
        has_event = np.asarray(table["event_ts"].is_valid(), dtype=np.bool_)
        event = np.where(has_event, ints(table["event_ts"].fill_null(0)), captured)  # type: ignore[arg-type]
        self._future_count += int(np.count_nonzero(event - captured > MAX_SKEW / MICROSECOND))
        moments = event[has_event] if self._dataset == "trades" else captured
        for quarter in {0, 1, 2, 3} - self._quarters:
            start_us = self._start_us + quarter * (QUARTER // MICROSECOND)
            if ((moments >= start_us) & (moments < start_us + QUARTER // MICROSECOND)).any():
                self._quarters.add(quarter)
        if self._dataset not in ARCHIVED:
            is_outside = (captured < self._start_us) | (captured >= self._start_us + HOUR // MICROSECOND)
            if "terms_source" in table.column_names:
                # Documented terms carry the first sighting of their symbol, which an archived row may lend them.
                is_outside &= np.asarray(pc.equal(table["terms_source"], "listed"), dtype=np.bool_)  # type: ignore[call-overload]
            self._outside_count += int(np.count_nonzero(is_outside))


def _best(table: pa.Table, column: str) -> Floats:
    """First level of each book; NaN where the side is empty."""
    lengths = np.asarray(pc.list_value_length(table[column]), dtype=np.int64)
    levels = np.asarray(pc.list_flatten(table[column]), dtype=np.float64)
    best = np.full(len(lengths), np.nan)
    best[lengths > 0] = levels[(np.cumsum(lengths) - lengths)[lengths > 0]]
    return best


def _level(dataset: str, table: pa.Table) -> Floats | None:
    if dataset not in LEVEL_BY:
        return None
    level, *others = (_floats(table, name) for name in LEVEL_BY[dataset])
    for column in others:
        level = np.where(np.isnan(level), column, level)
    return level


def _floats(table: pa.Table, name: str) -> Floats:
    return np.asarray(table[name].to_numpy(), dtype=np.float64)
