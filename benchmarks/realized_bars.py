"""How fast trades become the minute bars that realised volatility is measured on, against windows over the ticks.

    .venv/bin/python benchmarks/realized_bars.py [--hours 24] [--trades 20000000] [--repeats 3]

The real `int_minute_bars_built`, in DuckDB on two threads: once on trades that are staged already, and once with the
staging view, which finds each trade's terms and dollars. The baseline is what one writes who takes open and close by
windows: `first_value` and `last_value` of every minute, then one row of each. Processor seconds, the best of the
repeats; bars are compared value by value.
"""

# ruff: noqa: S608 (names of this file's own)

import argparse
import tempfile
from pathlib import Path

from generated_day import GeneratedDay, rss_mb
from rich.console import Console
from rich.table import Table

MODEL = "int_minute_bars_built"
BY_WINDOWS = """
select distinct
    underlying, utc_hour, date_trunc('minute', event_ts) as bar_ts,
    first_value(trade_px) over minutes as open_px,
    max(trade_px) over minutes as high_px,
    min(trade_px) over minutes as low_px,
    last_value(trade_px) over minutes as close_px,
    count(*) over minutes as trades_count
from staged_trades
window minutes as (
    partition by underlying, utc_hour, date_trunc('minute', event_ts)
    order by event_ts, length(trade_id), trade_id rows between unbounded preceding and unbounded following
)
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--hours", type=int, default=24)
    arguments.add_argument("--trades", type=int, default=20_000_000)
    arguments.add_argument("--repeats", type=int, default=3)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        day = GeneratedDay(Path(folder), asked.hours, MODEL)
        day.instruments("spot")
        day.trades(asked.trades, "spot")
        day.connection.execute("create table staged_trades as from staging.stg_trades")
        told = day.sql_of(MODEL)
        alone = told.replace('"staging"."stg_trades"', "staged_trades")
        alone = alone.replace(f'"{day.path.stem}".staged_trades', "staged_trades")
        ways = {"by windows": BY_WINDOWS, "model": alone, "model and staging": told}
        seconds = {
            name: min(
                day.timed(lambda sql=sql, n=n: day.connection.execute(f"create or replace table made_{n} as {sql}"))
                for _ in range(1 if n == 0 else asked.repeats)
            )
            for n, (name, sql) in enumerate(ways.items())
        }
        for n in (1, 2):
            [(wrong,)] = day.connection.execute(
                f"""
                select (select count(*) from (from made_0 except all from made_{n}))
                    + (select count(*) from (from made_{n} except all from made_0))
                """
            ).fetchall()
            if wrong:
                raise ValueError(f"{wrong} bars differ")
        [(bars,)] = day.connection.execute("select count(*) from made_0").fetchall()
    table = Table("way", "trades / processor second", "to the windows")
    for name, took in seconds.items():
        table.add_row(name, f"{asked.trades / took:,.0f}", f"{seconds['by windows'] / took:.1f}")
    console = Console(width=100)
    console.print(table)
    console.print(f"{asked.trades:,} trades, {bars:,} bars, all alike; peak memory {rss_mb():,.0f} MB")


if __name__ == "__main__":
    main()
