"""The market that `barograph hedge` sees: the last published hour, and the seed of fees."""

import csv
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import TypeVar

import duckdb
import msgspec

from orchestration.hedge_costs import Candidate, Depth, LeftOut, carry_per_day
from orchestration.margin_calls import Tier
from orchestration.positions import Price, Terms, Vol

SEEDS = Path(__file__).parents[1] / "dbt_project" / "seeds"

LAST_HOUR = "select max(utc_hour) from fct_data_coverage"
TERMS = f"""
    select {", ".join(Terms.__struct_fields__)} from dim_instruments where utc_hour = $hour
    qualify row_number() over (partition by venue, kind, symbol order by valid_from_ts desc) = 1
"""  # noqa: S608 (names of the struct's own fields)
PRICES = """
    select venue, kind, symbol, px, px_source, captured_ts
    from (
        select venue, kind, symbol, mid_px as px, 'mid' as px_source, captured_ts
        from fct_market_impact where utc_hour = $hour and mid_px > 0 and not is_crossed
        union all
        select venue, kind, symbol, derivative_px, derivative_px_source, captured_ts
        from fct_basis where utc_hour = $hour
        union all
        select reference_venue, 'spot', reference_symbol, reference_px, 'mid',
            captured_ts - to_microseconds(cast(1000 * capture_skew_ms as bigint))
        from fct_basis where utc_hour = $hour and reference_kind = 'spot'
    )
    qualify row_number() over (partition by venue, kind, symbol order by captured_ts desc, px_source desc, px) = 1
"""
VOLS = f"""
    select venue, kind, symbol, {", ".join(Vol.__struct_fields__)} from fct_implied_vol where utc_hour = $hour
    qualify row_number() over (partition by venue, kind, symbol order by captured_ts desc, event_ts desc nulls last) = 1
"""  # noqa: S608 (names of the struct's own fields)
BOOKS = """
    select venue, kind, symbol, mid_px, captured_ts, order_usd,
        case when is_ask_depth_sufficient then buy_slippage_bps end,
        case when is_bid_depth_sufficient then sell_slippage_bps end
    from fct_market_impact where utc_hour = $hour
    qualify captured_ts = max(captured_ts) over (partition by venue, kind, symbol)
    order by all
"""
BASES = """
    select venue, kind, symbol, basis_bps / 10000.0, days_to_expiry from fct_basis where utc_hour = $hour
    qualify row_number() over (
        partition by venue, kind, symbol
        order by captured_ts desc, reference_kind = 'index' desc, reference_venue, reference_symbol
    ) = 1
"""
FUNDINGS = """
    select venue, kind, symbol, rate_per_hour from fct_funding where utc_hour = $hour and is_predicted
    qualify row_number() over (partition by venue, kind, symbol order by rate_ts desc) = 1
"""
TIERS = f"select {', '.join(Tier.__struct_fields__)} from fct_margin_tiers where utc_hour = $hour order by all"  # noqa: S608
# Units of the first currency per unit of the second, where a derivative met a spot pair of another currency.
RATES = """
    with quotes as (
        select venue, kind, symbol, any_value(quote_asset) as quote_asset from dim_instruments
        where utc_hour = $hour group by all
    )
    select own.quote_asset, reference.quote_asset, arg_max(basis.quote_rate, basis.captured_ts)
    from fct_basis as basis
    inner join quotes as own
        on basis.venue = own.venue and basis.kind = own.kind and basis.symbol = own.symbol
    inner join quotes as reference
        on basis.reference_venue = reference.venue and reference.kind = 'spot'
        and basis.reference_symbol = reference.symbol
    where basis.utc_hour = $hour and basis.reference_kind = 'spot' and own.quote_asset <> reference.quote_asset
    group by all
    order by all
"""

Key = tuple[str, str, str]
Row = TypeVar("Row", bound=msgspec.Struct)


class Fee(msgspec.Struct, frozen=True):
    """A row of the seed `fees`."""

    venue: str
    kind: str
    taker_fee_frac: float | None
    valid_from: date
    valid_to: date | None


class Market(msgspec.Struct, frozen=True):
    """The last published hour, newest row of each instrument."""

    utc_hour: datetime
    terms: dict[Key, Terms]
    prices: dict[Key, Price | Vol]
    books: dict[Key, tuple[float | None, datetime, tuple[Depth, ...]]]
    carries: dict[Key, float]  # what a long earns a day, of its value; no key where it is not known
    days_to_expiry: dict[Key, float | None]
    usd_rates: dict[str, float]  # dollars per unit
    fees: dict[tuple[str, str], float | None]
    tiers: list[Tier]

    def candidates(self, underlying: str) -> list[Candidate]:
        """Every instrument but options that had a book in this hour."""
        return [
            Candidate(
                terms=self.terms[key],
                mid_px=mid_px,
                captured_ts=captured_ts,
                depths=depths,
                usd_rate=self.usd_rates.get(self.terms[key].value_asset),
                taker_fee_frac=self.fees.get(key[:2]),
                carry_per_day_frac=self.carries.get(key),
                days_to_expiry=self.days_to_expiry.get(key),
            )
            for key, (mid_px, captured_ts, depths) in self.books.items()
            if key in self.terms and key[1] != "option" and self.terms[key].underlying == underlying
        ]


def read_market(connection: duckdb.DuckDBPyConnection) -> Market:
    """The last published hour of an open version; raises ValueError where no hour was published."""
    [(hour,)] = connection.execute(LAST_HOUR).fetchall()
    if hour is None:
        raise ValueError("no hour was published yet (expected one in fct_data_coverage)")

    def rows(statement: str) -> list[tuple[object, ...]]:
        return connection.execute(statement, {"hour": hour}).fetchall()

    terms = {each.key: each for row in rows(TERMS) for each in [_struct(Terms, row)]}
    prices: dict[Key, Price | Vol] = {_key(row): _struct(Price, row[3:]) for row in rows(PRICES)}
    prices.update({_key(row): _struct(Vol, row[3:]) for row in rows(VOLS)})
    books: dict[Key, tuple[float | None, datetime, tuple[Depth, ...]]] = {}
    for row in rows(BOOKS):
        mid_px, captured_ts = msgspec.convert(row[3:5], tuple[float | None, datetime])
        _, _, before = books.get(_key(row), (None, None, ()))
        books[_key(row)] = (mid_px, captured_ts, (*before, _struct(Depth, row[5:])))
    bases = {_key(row): msgspec.convert(row[3:], tuple[float | None, float | None]) for row in rows(BASES)}
    fundings = {_key(row): msgspec.convert(row[3], float | None) for row in rows(FUNDINGS)}
    carries = {}
    for key, each in terms.items():
        try:
            carries[key] = carry_per_day(each, fundings.get(key), *bases.get(key, (None, None)))
        except LeftOut:
            continue
    rates = msgspec.convert(rows(RATES), list[tuple[str, str, float]])
    return Market(
        utc_hour=hour,
        terms=terms,
        prices=prices,
        books=books,
        carries=carries,
        days_to_expiry={key: days for key, (_, days) in bases.items()},
        usd_rates=_usd_rates(rates, terms, prices),
        fees={(fee.venue, fee.kind): fee.taker_fee_frac for fee in _fees_in_force(hour.date())},
        tiers=[_struct(Tier, row) for row in rows(TIERS)],
    )


def _usd_rates(
    rates: list[tuple[str, str, float]], terms: dict[Key, Terms], prices: dict[Key, Price | Vol]
) -> dict[str, float]:
    """Dollars of each currency through rates that were observed, and of each coin by its newest spot price."""
    known = {"USD": 1.0}
    for _ in rates:
        for own, reference, rate in rates:
            if own in known and reference not in known:
                known[reference] = known[own] * rate
            elif reference in known and own not in known:
                known[own] = known[reference] / rate
    spots = [
        (price.captured_ts, key, price.px * known[terms[key].quote_asset])
        for key, price in prices.items()
        if isinstance(price, Price) and key in terms and key[1] == "spot" and terms[key].quote_asset in known
    ]
    return {**{terms[key].underlying: usd_px for _, key, usd_px in sorted(spots)}, **known}


def _fees_in_force(on: date) -> Iterator[Fee]:
    with (SEEDS / "fees.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            told = msgspec.convert({name: value or None for name, value in row.items()}, Fee, strict=False)
            if told.valid_from <= on and (told.valid_to is None or on < told.valid_to):
                yield told


def _key(row: tuple[object, ...]) -> Key:
    return str(row[0]), str(row[1]), str(row[2])


def _struct(row_type: type[Row], row: tuple[object, ...]) -> Row:
    return msgspec.convert(dict(zip(row_type.__struct_fields__, row, strict=True)), row_type)
