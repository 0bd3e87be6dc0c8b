"""A file of positions, read strictly: what cannot be is told by its line, value and what was expected."""

import csv
import difflib
import math
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from ingestion.reading import PARSER_SLIPS
from ingestion.venues import VENUES
from orchestration.hedge_market import Market
from orchestration.positions import Position, Terms

COLUMNS = ("venue", "symbol", "quantity", "entry")
SMALLEST, LARGEST = 1e-12, 1e15  # beyond them it is a slip, and what is computed of it may overflow
KINDS = ("spot", "perp", "future", "option")


class BadPosition(ValueError):
    """A file of positions that cannot be read; the message names the line, the value and what was expected."""


def read_positions(path: Path, market: Market) -> list[Position]:
    """The lines of a CSV with venue, symbol, quantity, entry and perhaps kind; other columns are let be.

    Each line is a position of its own, so two lines of one instrument are two. Raises BadPosition.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, strict=True)
            try:
                positions = list(_positions(reader, path.name, market))
            except csv.Error as error:
                raise BadPosition(f"{path.name} after line {reader.line_num}: {error} (expected CSV)") from error
    except UnicodeDecodeError as error:
        raise BadPosition(f"{path.name}: {error} (expected CSV in UTF-8)") from error
    except OSError as error:
        raise BadPosition(f"{path}: {error.strerror} (expected a CSV of positions)") from error
    if not positions:
        raise BadPosition(f"{path.name}: no positions (expected at least one line below {','.join(COLUMNS)})")
    return positions


def _positions(reader: "csv.DictReader[str]", name: str, market: Market) -> Iterator[Position]:
    header = list(reader.fieldnames or ())
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise BadPosition(
            f"{name} line 1: no column {', '.join(missing)} in {','.join(header)[:80]!r} "
            f"(expected {','.join(COLUMNS)} and perhaps kind)"
        )
    twice = [column for column in dict.fromkeys(header) if column and header.count(column) > 1]
    if twice:
        raise BadPosition(f"{name} line 1: column {', '.join(twice)} more than once (expected each column once)")
    for read in reader:
        row = {"kind": "", **read}
        where = f"{name} line {reader.line_num}"
        if None in row or None in row.values():
            raise BadPosition(f"{where}: another number of fields than the header (expected {len(header)})")
        quantity, entry_px = (_number(row[column], f"{where}: {column}") for column in ("quantity", "entry"))
        if not quantity:
            raise BadPosition(f"{where}: quantity {row['quantity']!r} (expected other than zero; negative is short)")
        if entry_px <= 0:
            raise BadPosition(f"{where}: entry {row['entry']!r} (expected a price over zero)")
        for column, number in (("quantity", quantity), ("entry", entry_px)):
            if not SMALLEST <= abs(number) <= LARGEST:
                raise BadPosition(f"{where}: {column} {row[column]!r} (expected a size of {SMALLEST:g} to {LARGEST:g})")
        venue, symbol, kind = (row[column].strip() for column in ("venue", "symbol", "kind"))
        yield Position(reader.line_num, _found(venue, symbol, kind, market, where), quantity, entry_px)


def _number(text: str, what: str) -> float:
    try:
        number = float(text) if "_" not in text else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadPosition(f"{what} {text!r} (expected a finite number)")
    return number


def _found(venue: str, symbol: str, kind: str, market: Market, where: str) -> Terms:
    if kind and kind not in KINDS:
        raise BadPosition(f"{where}: kind {kind!r} (expected {', '.join(KINDS)}, or nothing)")
    hour = f"{market.utc_hour:%Y-%m-%dT%H:00Z}"
    venues = sorted({each for each, _, _ in market.terms})
    if venue not in venues:
        raise BadPosition(
            f"{where}: venue {venue!r} has no instruments at {hour} (expected {', '.join(venues) or 'some'})"
        )
    keys = [(venue, each, symbol) for each in KINDS if each == (kind or each)]
    found = [market.terms[key] for key in keys if key in market.terms]
    if not found:
        for expiry_ts in _expiries(venue, symbol, kind, market.utc_hour):
            if expiry_ts < market.utc_hour + timedelta(hours=1):
                raise BadPosition(
                    f"{where}: {venue} {symbol!r} expired at {expiry_ts:%Y-%m-%dT%H:%MZ}, before {hour} was over "
                    "(expected a contract of that hour)"
                )
        spelled = {s.casefold(): s for v, _, s in sorted(market.terms) if v == venue}  # case aside: `btcusdt`
        like = [spelled[each] for each in difflib.get_close_matches(symbol.casefold(), sorted(spelled), 3)]
        told = f"expected a symbol of dim_instruments{', perhaps ' + ' or '.join(like) if like else ''}"
        raise BadPosition(f"{where}: {' '.join(filter(None, (venue, kind, symbol)))!r} is unknown at {hour} ({told})")
    if len(found) > 1:
        kinds = " and ".join(each.kind for each in found)
        raise BadPosition(f"{where}: {venue} {symbol!r} is {kinds} (expected a column kind that says which)")
    return found[0]


def _expiries(venue: str, symbol: str, kind: str, at: datetime) -> Iterator[datetime]:
    """When a contract that an hour no longer lists ends, where the venue's documented names say so."""
    for each in ("future", "option"):
        if venue in VENUES and kind in ("", each):
            with suppress(*PARSER_SLIPS):  # `Refused` among them: no such name
                terms = VENUES[venue].terms(symbol, each, at)
                if terms.expiry_ts is not None:
                    yield terms.expiry_ts
