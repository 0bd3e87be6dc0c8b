"""What the basis of every second costs, against an as-of join of every trade with the newest trade of the reference.

    .venv/bin/python benchmarks/second_basis.py [--hours 24] [--trades 20000000] [--repeats 3]

Five coins, each with a spot pair and a perpetual; a book a second of each, and trades of both. The project's own chain
(spot quotes, derivative quotes, pairs, `fct_basis`) works on the books of every second. The baseline takes each trade
of a perpetual with the newest trade of its coin's spot pair at or before it, and the basis of the two prices; then the
last of every second, so that both end with as many rows. Two threads, processor seconds, the best of the repeats.
"""

import argparse
import tempfile
from pathlib import Path

from generated_day import GeneratedDay, rss_mb
from rich.console import Console
from rich.table import Table

CHAIN = {
    "int_spot_quotes": "intermediate",
    "int_derivative_quotes": "intermediate",
    "int_references_paired": "intermediate",
    "fct_basis": "facts",
}
BY_TICKS = """
select underlying, date_trunc('second', event_ts) as second_ts, arg_max(basis_bps, event_ts) as basis_bps
from (
    select perps.underlying, perps.event_ts, 10000.0 * (perps.trade_px - spots.trade_px) / spots.trade_px as basis_bps
    from (from staged_trades where kind = 'perp') as perps
    asof join (from staged_trades where kind = 'spot') as spots
        on perps.underlying = spots.underlying and perps.event_ts >= spots.event_ts
) as ticks
group by all
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--hours", type=int, default=24)
    arguments.add_argument("--trades", type=int, default=20_000_000)
    arguments.add_argument("--repeats", type=int, default=3)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        day = GeneratedDay(Path(folder), asked.hours, "stg_trades", *CHAIN)
        day.instruments("spot", "perp")
        day.books("spot", "perp")
        day.trades(asked.trades, "spot", "perp")
        day.connection.execute("create table staged_trades as from staging.stg_trades")
        by_ticks = min(
            day.timed(lambda: day.connection.execute(f"create or replace table ticks as {BY_TICKS}"))
            for _ in range(asked.repeats)
        )
        models = {
            model: min(day.timed(lambda model=model: day.build(model, CHAIN[model])) for _ in range(asked.repeats))
            for model in CHAIN
        }
        [(seconds, of_ticks)] = day.connection.execute(
            "select (select count(*) from facts.fct_basis), (select count(*) from ticks)"
        ).fetchall()
    table = Table("way", "rows", "processor seconds", "ticks to it")
    table.add_row("as-of join of ticks", f"{of_ticks:,}", f"{by_ticks:.2f}", "1.0")
    for model, took in models.items():
        table.add_row(model, "", f"{took:.2f}", "")
    whole = sum(models.values())
    table.add_row("chain, every second", f"{seconds:,}", f"{whole:.2f}", f"{by_ticks / whole:.2f}")
    console = Console(width=100)
    console.print(table)
    console.print(f"{asked.trades:,} trades, {asked.hours * 36_000:,} books; peak memory {rss_mb():,.0f} MB")


if __name__ == "__main__":
    main()
