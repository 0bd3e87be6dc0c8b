"""Funding intervals are proven by settlements: seven venues' settled funding of 2020 to 2023 says how often each paid.

The recordings hold what was paid and when; none states an interval, and the lists made here state none either.
"""

import csv
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest

from tests.built_models import build, stage_hours
from tests.units_page import golden_units

HOUR = timedelta(hours=1)
PAID_EVERY_S = {"dydx": 3600} | dict.fromkeys(("binance", "bybit", "gate", "htx", "kucoin", "mexc"), 8 * 3600)
# The same contracts by their venues' own names.
GOLDEN = {
    "binance": ("binance_usdm", "BTCUSDT"),
    "bybit": ("bybit", "BTCUSDT"),
    "gate": ("gate", "BTC_USDT"),
    "htx": ("htx_futures", "BTC-USDT"),
    "kucoin": ("kucoin_futures", "XBTUSDTM"),
}
CLOCK = timezone(timedelta(hours=3))  # of the recordings
EVIDENCE = timedelta(days=3)  # the models' `funding_evidence_days`
SWITCH = datetime(2023, 6, 1, tzinfo=UTC)

Series = dict[tuple[str, str], list[datetime]]
Derived = dict[tuple[str, str], dict[datetime, tuple[int | None, str | None]]]

# A list that states no interval, in each hour of a settlement and in every fifth, which meets all hours of the day.
_LISTED = """
insert into lake.instruments by name
select
    utc_hour, venue, kind, symbol, utc_hour as captured_ts, 'BTC' as base_asset, 'USDT' as quote_asset,
    'USDT' as settle_asset, 1.0 as contract_size, 'base' as amount_unit, false as is_inverse, false as is_quanto,
    'listed' as terms_source
from (
    select venue, kind, symbol, utc_hour from lake.funding_rates
    union
    select venue, kind, symbol, unnest(generate_series(min(utc_hour), max(utc_hour), interval 5 hours)) as utc_hour
    from lake.funding_rates
    group by venue, kind, symbol
)
"""


@pytest.fixture(scope="module")
def settled(recordings: Path) -> Series:
    """When each venue's perpetuals paid; and one that changed from Binance's 8 hours to dYdX's one hour."""
    found: Series = {}
    for file in sorted((recordings / "funding").glob("*.csv")):
        named = re.fullmatch(r"([A-Z]+)-[A-Z]+_([a-z]+)_.*", file.stem)
        assert named, file.name
        with file.open() as lines:
            paid = [datetime.fromisoformat(row["Date"]) for row in csv.DictReader(lines)]
        utc = [at.replace(tzinfo=CLOCK).astimezone(UTC) for at in paid]
        # Of what pays hourly a year is enough: the work grows with the square.
        found[named[2], named[1]] = [at for at in utc if named[2] != "dydx" or at.year == 2023]
    if not found:
        pytest.skip(f"no funding/*.csv in {recordings}")
    before, after = found["binance", "BTC"], found["dydx", "BTC"]
    # Three days on either side are all the evidence that any hour near the change rests on.
    found["switched", "BTC"] = [at for at in before if SWITCH - EVIDENCE < at < SWITCH + HOUR / 2]
    found["switched", "BTC"] += [at for at in after if SWITCH + HOUR / 2 < at < SWITCH + EVIDENCE]
    return found


@pytest.fixture(scope="module")
def derived(settled: Series, tmp_path_factory: pytest.TempPathFactory) -> Derived:
    path = stage_hours(tmp_path_factory.mktemp("funding"))
    with duckdb.connect(str(path)) as warehouse:
        warehouse.execute("set TimeZone = 'UTC'")
        for (venue, symbol), paid in settled.items():
            warehouse.execute(
                "insert into lake.funding_rates by name select date_trunc('hour', paid_ts) as utc_hour, ? as venue, "
                "'perp' as kind, ? as symbol, paid_ts as captured_ts, paid_ts as event_ts, 0.0001 as funding_rate "
                "from (select unnest(?::timestamptz[]) as paid_ts)",
                [venue, symbol, paid],
            )
        warehouse.execute(_LISTED)
    build(path, "int_funding_intervals_derived")
    with duckdb.connect(str(path), read_only=True) as warehouse:
        warehouse.execute("set TimeZone = 'UTC'")
        told = warehouse.execute(
            "select venue, symbol, utc_hour, funding_interval_s, funding_interval_source "
            "from intermediate.int_funding_intervals_derived"
        ).fetchall()
    found: Derived = defaultdict(dict)
    for venue, symbol, hour, interval_s, source in told:
        found[venue, symbol][hour.astimezone(UTC)] = (interval_s, source)
    return found


def hours_of(derived: Derived, settled: Series, name: tuple[str, str]) -> Iterator[tuple[int, int | None, str | None]]:
    """Each hour: settlements of the three days before it and in it, and what was derived."""
    paid = settled[name]
    for hour, (interval_s, source) in derived[name].items():
        told = bisect_right(paid, hour + HOUR - timedelta(microseconds=1)) - bisect_right(paid, hour - EVIDENCE)
        yield told, interval_s, source


@pytest.mark.parametrize("asset", ["BTC", "ETH"])
@pytest.mark.parametrize("venue", PAID_EVERY_S)
def test_every_hour_with_three_settlements_behind_it_knows_how_often_funding_is_paid(
    derived: Derived, settled: Series, venue: str, asset: str
) -> None:
    """dYdX every hour, the others every eight, through HTX's delays and the month that Gate's recording lacks."""
    hours = list(hours_of(derived, settled, (venue, asset)))
    known = {(interval_s, source) for told, interval_s, source in hours if told >= 3}
    unknown = {(interval_s, source) for told, interval_s, source in hours if told < 3}

    assert len(hours) > 3000
    assert known == {(PAID_EVERY_S[venue], "settlements")}
    assert unknown == {(None, None)}


@pytest.mark.parametrize("venue", GOLDEN)
def test_the_table_of_units_says_what_the_settlements_prove(derived: Derived, venue: str) -> None:
    [told] = {
        int(unit.funding_interval_s)
        for unit in golden_units()
        if (unit.venue, unit.symbol) == GOLDEN[venue] and unit.kind == "perp"
    }

    assert {interval_s for interval_s, _ in derived[venue, "BTC"].values()} == {None, told}


def test_a_delayed_settlement_is_no_change_of_interval(derived: Derived, settled: Series) -> None:
    """Else the test above would prove less than it says: fifteen gaps of HTX are not of eight hours."""
    paid = settled["htx", "BTC"]
    odd = [later - at for at, later in pairwise(paid) if later - at != 8 * HOUR]

    assert len(odd) == 15
    assert {interval_s for interval_s, _ in derived["htx", "BTC"].values()} == {None, 8 * 3600}


def test_a_change_of_interval_shows_once_two_short_gaps_are_settled_and_not_before(derived: Derived) -> None:
    """Where the venue announces no settlement and states no interval, nothing else tells."""
    hours = sorted(derived["switched", "BTC"].items())
    proven = {hour: interval_s for hour, (interval_s, _) in hours if interval_s is not None}

    assert {s for hour, s in proven.items() if hour < SWITCH + 2 * HOUR} == {8 * 3600}
    assert {s for hour, s in proven.items() if hour >= SWITCH + 2 * HOUR} == {3600}
