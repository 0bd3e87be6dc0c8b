"""How fast premiums become implied volatilities, against a loop over `vollib`, and how exactly they price back.

    .venv/bin/python benchmarks/implied_vols.py [--options 400] [--minutes 1440] [--loop 40000] [--repeats 5]

A day of 400 options, each quoted every minute, ten expiries from a day to a year on one forward that wanders; one
quote in ten is made unsolvable, in each of the ways that have a code. `solver` is `implied_vol`, `estimator` the whole
of `implied_vols`: tables of an hour in, one out, four quotes and eight greeks a row. The baseline calls `vollib`
(which `py_vollib` has become), or where it is not installed QuantLib, once a quote, on the first `--loop` of those that
can be solved. One core, processor seconds, the best of the repeats. `vollib` is no dependency:
`uv run --with vollib python benchmarks/implied_vols.py`, or a folder that holds it on PYTHONPATH.
"""

import argparse
import importlib.util
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ingestion.columns import schema_of
from ingestion.estimators.black76 import premium
from ingestion.estimators.implied_vols import SECONDS_PER_YEAR, implied_vol, implied_vols
from ingestion.records import Instrument, OptionQuote

START = datetime(2026, 3, 4, tzinfo=UTC)
EXPIRIES_DAYS = (1, 2, 3, 9, 16, 30, 58, 121, 212, 365)
CODED = ("no_quote", "no_forward", "expired", "below_intrinsic", "above_max")

Floats = NDArray[np.float64]


class Quotes:
    """Premiums in dollars of one day, and which of `CODED` each was made to be; null where it can be solved."""

    def __init__(self, options: int, minutes: int) -> None:
        draw = np.random.default_rng(4)
        each = np.arange(options)
        self.log_strike = draw.normal(0, 0.25, options)
        self.is_call_of = each % 2 == 0
        self.expiry_s = np.array(EXPIRIES_DAYS)[each % len(EXPIRIES_DAYS)] * 86_400.0 + 8 * 3_600
        self.forward_of = 60_000 * np.exp(np.cumsum(draw.normal(0, 5e-4, minutes)))
        self.strike_of = np.round(60_000 * np.exp(self.log_strike), -2)
        shape = (minutes, options)
        self.forward = np.repeat(self.forward_of, options)
        self.strike = np.tile(self.strike_of, minutes)
        self.is_call = np.tile(self.is_call_of, minutes)
        self.years = ((self.expiry_s[None, :] - 60.0 * np.arange(minutes)[:, None]) / SECONDS_PER_YEAR).ravel()
        spread = np.log(self.strike / self.forward)
        vol = (0.45 + 0.4 * spread**2 - 0.1 * spread) * np.exp(draw.normal(0, 0.02, shape)).ravel()
        self.premium = premium(self.forward, self.strike, vol * np.sqrt(self.years), self.is_call)
        self.reason = np.full(len(self.premium), None, dtype=object)
        self._spoil(draw)

    def _spoil(self, draw: np.random.Generator) -> None:
        places = draw.permutation(len(self.premium))[: len(self.premium) // 10]
        intrinsic = np.maximum(np.where(self.is_call, self.forward - self.strike, self.strike - self.forward), 0.0)
        # Nearer to its intrinsic value than a double can tell, a premium says nothing of volatility.
        self.reason[self.premium <= intrinsic] = "below_intrinsic"
        for n, code in enumerate(CODED):
            where = places[n :: len(CODED)]
            self.reason[where] = code
            if code == "no_quote":
                self.premium[where] = np.nan
            elif code == "no_forward":
                self.forward[where] = np.nan
            elif code == "expired":
                self.years[where] = -self.years[where]
            elif code == "below_intrinsic":
                self.premium[where] = intrinsic[where] * 0.999
            else:
                self.premium[where] = np.where(self.is_call[where], self.forward[where], self.strike[where]) * 1.001


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    for name, default in {"options": 400, "minutes": 1_440, "loop": 40_000, "repeats": 5}.items():
        arguments.add_argument(f"--{name}", type=int, default=default)
    asked = arguments.parse_args()
    quotes = Quotes(asked.options, asked.minutes)
    count = len(quotes.premium)

    vols, reasons = _solve(quotes)
    is_solved = reasons == np.array(None, dtype=object)
    if (wrong := np.count_nonzero(reasons != quotes.reason)) or not np.isfinite(vols[is_solved]).all():
        raise ValueError(f"{wrong} quotes of {count} have another code than they were made with")
    total_vol = vols[is_solved] * np.sqrt(quotes.years[is_solved])
    forward = quotes.forward[is_solved]
    again = premium(forward, quotes.strike[is_solved], total_vol, quotes.is_call[is_solved])
    error = (np.abs(again - quotes.premium[is_solved]) / forward).max()

    solver, loop, estimator = [], [], []
    name, one = _baseline()
    chosen = np.flatnonzero(is_solved)[: asked.loop]
    inputs = [x[chosen].tolist() for x in (quotes.premium, quotes.forward, quotes.strike, quotes.years, quotes.is_call)]
    tables = _hour(quotes, asked.options)
    for _ in range(asked.repeats):
        solver.append(count / _timed(lambda: _solve(quotes)))
        loop.append(len(chosen) / _timed(lambda: [one(*row) for row in zip(*inputs, strict=True)]))
        estimator.append(tables[0].num_rows / _timed(lambda: implied_vols(*tables)))
    table = Table("way", "contracts / processor second", f"to the loop over {name}")
    for way, rates in {"solver": solver, "estimator, rows of four quotes": estimator, f"{name} loop": loop}.items():
        table.add_row(way, f"{max(rates):,.0f}", f"{max(rates) / max(loop):.1f}")
    console = Console(width=110)
    console.print(table)
    codes = ", ".join(f"{np.count_nonzero(reasons == code):,} {code}" for code in CODED)
    console.print(f"{count:,} contracts: {np.count_nonzero(is_solved):,} solved, {codes}")
    console.print(f"worst error of repricing {error:.1e} of the forward")


def _solve(quotes: Quotes) -> tuple[Floats, NDArray[np.object_]]:
    return implied_vol(quotes.premium, quotes.forward, quotes.strike, quotes.years, quotes.is_call)


def _baseline() -> tuple[str, Callable[[float, float, float, float, bool], float]]:
    if importlib.util.find_spec("vollib"):
        from vollib.black.implied_volatility import implied_volatility  # type: ignore[import-not-found, unused-ignore]

        return "vollib", lambda px, forward, strike, years, is_call: implied_volatility(
            px, forward, strike, 0.0, years, "c" if is_call else "p"
        )
    import QuantLib as ql  # noqa: N813

    def solved(px: float, forward: float, strike: float, years: float, is_call: bool) -> float:
        kind = ql.Option.Call if is_call else ql.Option.Put
        total: float = ql.blackFormulaImpliedStdDev(kind, strike, forward, px, 1.0, 0.0, 0.5, 1e-12, 100)
        return float(total / years**0.5)

    return "QuantLib", solved


def _hour(quotes: Quotes, options: int) -> tuple[pa.Table, pa.Table]:
    """The first hour as the lake's tables: linear options with bid, ask, mark and forward in every row."""
    rows = 60 * options
    captured = [START + timedelta(minutes=n // options) for n in range(rows)]
    symbols = [f"OPTION-{n}" for n in range(options)]
    mark = quotes.premium[:rows]
    quoted = {
        "utc_hour": [START] * rows,
        "venue": ["bybit"] * rows,
        "symbol": symbols * 60,
        "kind": ["option"] * rows,
        "captured_ts": captured,
        "mark_px": mark,
        "bid_px": mark * 0.99,
        "ask_px": mark * 1.01,
        "forward_px": quotes.forward[:rows],
    }
    listed = {
        "utc_hour": [START] * options,
        "venue": ["bybit"] * options,
        "symbol": symbols,
        "kind": ["option"] * options,
        "captured_ts": [START] * options,
        **{asset: [name] * options for asset, name in (("base_asset", "BTC"), ("quote_asset", "USDT"))},
        "settle_asset": ["USDT"] * options,
        "contract_size": [1.0] * options,
        "amount_unit": ["base"] * options,
        "is_inverse": [False] * options,
        "is_quanto": [False] * options,
        "strike_px": quotes.strike_of,
        "option_type": ["call" if is_call else "put" for is_call in quotes.is_call_of],
        "expiry_ts": [START + timedelta(seconds=float(s)) for s in quotes.expiry_s],
        "terms_source": ["listed"] * options,
    }
    return _table(OptionQuote, quoted, rows), _table(Instrument, listed, options)


def _table(record: type[OptionQuote] | type[Instrument], columns: dict[str, object], rows: int) -> pa.Table:
    schema = schema_of(record)
    whole = [pa.array(columns.get(f.name, [None] * rows), f.type, from_pandas=True) for f in schema]
    return pa.Table.from_arrays(whole, schema=schema)


def _timed(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


if __name__ == "__main__":
    main()
