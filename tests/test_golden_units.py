"""What one contract is at every venue: by the golden table, by what recorded payloads state, and caught if wrong.

The conversion is the models' own; the figures are read from the payloads alone (tests/stated_figures.py).
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from ingestion.normalise import NO_INSTRUMENT
from ingestion.records import (
    DATASET_OF,
    Candle,
    Instrument,
    OpenInterest,
    PerpTicker,
    Record,
    SpotTicker,
    Trade,
)
from ingestion.venues import VENUES
from ingestion.venues.base import Refused
from tests.conversion import Quantity, converted
from tests.read_replies import Identity, Replied, examples, listings, read_folder
from tests.stated_figures import Figure, figures
from tests.units_page import PAGE, GoldenUnit, golden_units, page

AT = datetime(2026, 1, 2, 13, tzinfo=UTC)
UNITS = golden_units()
KINDS = ("spot", "perp", "future", "option")
WITHIN = 0.01


@cache
def listed_in_examples() -> dict[Identity, list[Instrument]]:
    return listings(examples())


@pytest.fixture(scope="module")
def replies(recordings: Path) -> list[Replied]:
    return read_folder(recordings / "http", "*.jsonl.zst")


@pytest.fixture(scope="module")
def listed_in_recordings(replies: list[Replied]) -> dict[Identity, list[Instrument]]:
    return listings(replies)


def terms_of(identity: Identity, at: datetime, listed: dict[Identity, list[Instrument]]) -> Instrument | None:
    """By the venue's documented grammar, else by the list nearest in time; none where neither knows."""
    venue, kind, symbol = identity
    try:
        return VENUES[venue].terms(symbol, kind, at)  # type: ignore[arg-type]
    except Refused:
        return min(listed.get(identity, ()), key=lambda terms: abs(terms.captured_ts - at), default=None)


# The golden table.


def wrong_in(unit: GoldenUnit, terms: Instrument) -> dict[str, Any]:
    """What these terms make of one contract where the table says otherwise."""
    contract_qty = 1.0 if terms.amount_unit == "contracts" else terms.contract_size
    [found] = converted([Quantity(terms, contract_qty, float(unit.px), unit.coin_usd)])
    told = {"contract_base": found.base, "contract_usd": found.usd, "open_interest_unit": terms.amount_unit}
    said = {
        "contract_base": float(unit.contract_base) if unit.contract_base else None,
        "contract_usd": float(unit.contract_usd) if unit.contract_usd else None,
        "open_interest_unit": unit.open_interest_unit or terms.amount_unit,
    }
    if unit.funding_interval_s and terms.funding_interval_s is not None:
        told["funding_interval_s"], said["funding_interval_s"] = terms.funding_interval_s, int(unit.funding_interval_s)
    return {name: value for name, value in told.items() if not _equal(value, said[name])}


def _equal(ours: float | str | None, told: float | str | None) -> bool:
    """To rounding: 0.1 times 3 is 0.3."""
    if isinstance(ours, int | float) and isinstance(told, int | float):
        return bool(ours == pytest.approx(told, rel=1e-12))
    return ours == told


def name_of(unit: GoldenUnit) -> str:
    return f"{unit.venue} {unit.kind} {unit.symbol}"


@pytest.fixture(params=UNITS, ids=name_of)
def unit(request: pytest.FixtureRequest) -> GoldenUnit:
    found: GoldenUnit = request.param
    return found


@pytest.fixture
def terms(unit: GoldenUnit, request: pytest.FixtureRequest) -> Instrument:
    """As the adapter documents or an example lists them; recordings are asked only for what neither tells."""
    identity = (unit.venue, unit.kind, unit.symbol)
    known = terms_of(identity, AT, listed_in_examples())
    known = known or terms_of(identity, AT, request.getfixturevalue("listed_in_recordings"))
    assert known is not None, f"{name_of(unit)}: neither documented nor listed"
    return known


def test_one_contract_is_what_the_table_says(unit: GoldenUnit, terms: Instrument) -> None:
    assert wrong_in(unit, terms) == {}


@pytest.mark.parametrize("factor", [10.0, 0.1, 1.001])
def test_a_wrong_contract_size_is_caught_by_the_table(unit: GoldenUnit, terms: Instrument, factor: float) -> None:
    wrong = msgspec.structs.replace(terms, contract_size=terms.contract_size * factor)

    assert "contract_base" in wrong_in(unit, wrong) or "contract_usd" in wrong_in(unit, wrong)


def test_a_wrong_funding_interval_is_caught_by_the_table(unit: GoldenUnit, terms: Instrument) -> None:
    for interval_s in {3600, 14_400, 28_800} - {int(unit.funding_interval_s or 0)}:
        wrong = wrong_in(unit, msgspec.structs.replace(terms, funding_interval_s=interval_s))

        assert ("funding_interval_s" in wrong) == bool(unit.funding_interval_s)


def test_each_line_says_what_belongs_to_its_kind_and_why(unit: GoldenUnit) -> None:
    assert unit.venue in VENUES
    assert unit.kind in KINDS
    assert bool(unit.funding_unit) == (unit.kind == "perp")
    assert not unit.funding_interval_s or unit.kind == "perp"
    assert not unit.iv_unit or unit.kind == "option"
    assert unit.open_interest_unit in {"contracts", "base", "usd", ""}
    assert unit.timestamp_unit
    assert "http" in unit.evidence or "recording" in unit.evidence


def test_no_instrument_stands_twice_in_the_table() -> None:
    counted = Counter((unit.venue, unit.kind, unit.symbol) for unit in UNITS)

    assert [identity for identity, count in counted.items() if count > 1] == []


def kinds_told(replied: list[Replied]) -> set[tuple[str, str]]:
    """Kinds of instruments of which an adapter read anything at all."""
    return {
        (each.venue, row.kind)
        for each in replied
        for row in each.rows
        if isinstance(row, Instrument) or DATASET_OF[type(row)] not in NO_INSTRUMENT
    }


def test_every_kind_that_a_documented_reply_tells_of_has_a_line() -> None:
    assert kinds_told(examples()) - {(unit.venue, unit.kind) for unit in UNITS} == set()


def test_every_kind_that_a_recorded_reply_tells_of_has_a_line(replies: list[Replied]) -> None:
    assert kinds_told(replies) - {(unit.venue, unit.kind) for unit in UNITS} == set()


def test_intervals_told_in_replies_are_those_documented_for_their_time(replies: list[Replied]) -> None:
    """Of the very instruments in the table; Hyperliquid paid every eight hours when its recording was made."""
    table = {(unit.venue, unit.kind, unit.symbol) for unit in UNITS if unit.funding_interval_s}
    compared = wrong = 0
    for each in [*examples(), *replies]:
        for row in each.rows:
            identity = (each.venue, row.kind, row.symbol)
            if isinstance(row, Instrument | PerpTicker) and row.funding_interval_s and identity in table:
                known = terms_of(identity, row.captured_ts, {})
                if known is not None and known.funding_interval_s is not None:
                    compared += 1
                    wrong += row.funding_interval_s != known.funding_interval_s

    assert compared > 0
    assert wrong == 0


def test_the_page_is_made_of_the_table() -> None:
    """`.venv/bin/python -m tests.units_page` makes it."""
    assert PAGE.read_text() == page(UNITS)


# What payloads state.


class Compared(NamedTuple):
    """A figure of a recorded reply beside our terms of its instrument, and the rows that the adapter read of it."""

    venue: str
    figure: Figure
    terms: Instrument
    rows: list[Record]


@pytest.fixture(scope="module")
def compared(replies: list[Replied], listed_in_recordings: dict[Identity, list[Instrument]]) -> list[Compared]:
    found = []
    for venue, reply, read in replies:
        by_symbol: dict[str, list[Record]] = defaultdict(list)
        for row in read:
            by_symbol[row.symbol].append(row)
        for figure in figures(venue, reply.path, reply.query, json.loads(reply.body)):
            rows = by_symbol[figure.symbol]
            identity = (venue, rows[0].kind, figure.symbol) if rows else None
            known = identity and terms_of(identity, reply.captured_ts, listed_in_recordings)
            if known:
                found.append(Compared(venue, figure, known, rows))
    return found


def errors(compared: list[Compared], change: Callable[[Instrument], Instrument] = lambda terms: terms) -> list[float]:
    """The worst relative difference between what each payload states and what changed terms make of it."""
    changed = [(change(each.terms), each.figure) for each in compared]
    # A price of 1 leaves a value in what it is counted in, as the payload states it.
    values = converted([Quantity(terms, figure.qty, figure.px, 1.0) for terms, figure in changed])
    bases = converted([Quantity(terms, figure.qty, figure.px, figure.coin_px) for terms, figure in changed])
    found = []
    for (_, figure), value, base in zip(changed, values, bases, strict=True):
        pairs = ((value.usd, figure.value), (base.base, figure.base))
        found.append(max(abs(ours / told - 1) for ours, told in pairs if ours is not None and told is not None))
    return found


def test_every_figure_that_a_payload_states_agrees(compared: list[Compared]) -> None:
    """Trades, open interest and volumes: in coin, in money, or in both."""
    worst = errors(compared)
    counts = Counter((each.venue, each.figure.what) for each in compared)
    for (venue, what), count in sorted(counts.items()):
        own = [e for e, c in zip(worst, compared, strict=True) if (c.venue, c.figure.what) == (venue, what)]
        print(f"{venue} {what}: {count} figures, worst {max(own):.1e}")  # noqa: T201

    assert {"binance_spot", "binance_usdm", "binance_coinm", "bybit", "deribit", "okx"} <= {v for v, _ in counts}
    assert [(c.venue, c.figure, e) for c, e in zip(compared, worst, strict=True) if not e <= WITHIN] == []


def test_the_lake_holds_the_quantities_that_the_figures_are_of(compared: list[Compared]) -> None:
    """Else the conversion would be right of something else."""
    lost = [each for each in compared if not any(holds(row, each.figure) for row in each.rows)]

    assert lost == []


def holds(row: Record, figure: Figure) -> bool:
    if isinstance(row, Trade):
        return figure.what == "trade" and (row.qty, row.px) == (figure.qty, figure.px)
    if isinstance(row, OpenInterest):
        # Both sides of each contract, or one: a venue counts either, the lake one.
        return figure.what == "open_interest" and row.open_interest_qty in {figure.qty, figure.qty / 2}
    if figure.what != "volume" or not isinstance(row, Candle | SpotTicker):
        return False
    base = row.volume_base if isinstance(row, Candle) else row.volume_24h_base
    quote = None if isinstance(row, Candle) else row.volume_24h_quote
    pairs = ((base, figure.base), (quote, None if figure.coin_px else figure.value))
    return all(ours == pytest.approx(told, rel=WITHIN) for ours, told in pairs if ours is not None and told is not None)


@pytest.mark.parametrize("factor", [10.0, 0.1, 1.02])
def test_a_wrong_contract_size_is_caught_by_what_payloads_state(compared: list[Compared], factor: float) -> None:
    sized = [each for each in compared if each.terms.amount_unit == "contracts"]
    found = errors(sized, lambda terms: msgspec.structs.replace(terms, contract_size=terms.contract_size * factor))

    assert {"binance_coinm", "okx"} <= {each.venue for each in sized}
    assert [each.figure for each, error in zip(sized, found, strict=True) if error <= WITHIN] == []


def test_an_amount_taken_for_another_unit_is_caught_by_what_payloads_state(compared: list[Compared]) -> None:
    """Coin for dollars, or dollars for coin, wherever one is not the other's price."""
    other = {"base": "usd", "usd": "base"}
    counted = [each for each in compared if each.terms.amount_unit in other and abs(each.figure.px - 1) > WITHIN]
    found = errors(counted, lambda terms: msgspec.structs.replace(terms, amount_unit=other[terms.amount_unit]))

    assert {"binance_spot", "binance_usdm", "bybit", "deribit"} <= {each.venue for each in counted}
    assert [each.figure for each, error in zip(counted, found, strict=True) if error <= WITHIN] == []
