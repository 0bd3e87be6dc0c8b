"""docs/units.md, made of tests/golden_units/*.csv: `.venv/bin/python -m tests.units_page` writes it."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

FOLDER = Path(__file__).parent / "golden_units"
PAGE = Path(__file__).parents[1] / "docs" / "units.md"

_OPENING = """\
# Units

What one contract is, and what every number of a venue counts, with the evidence for it.
Each line is run through the conversion of the models (`macros/units.sql`) by `tests/test_golden_units.py`,
and every recorded trade, open interest and volume whose payload states its own notional agrees within 1 %.

- *One contract* is what the venue lists as such, at the price shown; dollars are at par
  ([decision 6](decisions/0006-depth-is-at-par-prices-are-not.md)), and blank where only another price could tell them.
- *Counts* is what sizes, trades and open interest are told in. Funding is a decimal, positive if longs pay.
- Volatilities and greeks arrive as the column says; in the lake volatilities are decimals a year.

This page is made from `tests/golden_units/`: `.venv/bin/python -m tests.units_page`.
"""
_HEADINGS = (
    *("kind", "symbol", "price", "base coin", "dollars", "open interest counts", "volatility", "funding", "every"),
    *("aggressor", "timestamps", "evidence"),
)


@dataclass(frozen=True, slots=True)
class GoldenUnit:
    """One instrument of a venue and kind; numbers as they are written, blank where there is none."""

    venue: str
    kind: str
    symbol: str
    px: str
    contract_base: str
    contract_usd: str
    open_interest_unit: str
    iv_unit: str
    funding_unit: str
    funding_interval_s: str
    taker_side: str
    timestamp_unit: str
    evidence: str

    @property
    def coin_usd(self) -> float | None:
        """Dollars of the settlement coin of a quanto contract: `… with .BXBT at 10000` ends its evidence."""
        told = re.search(r" with \S+ at ([0-9.]+)$", self.evidence)
        return float(told[1]) if told else None


HEADER = tuple(field.name for field in fields(GoldenUnit))


def golden_units() -> list[GoldenUnit]:
    """Every row, venue by venue; raises ValueError for a file with another header or a row of another length."""
    found = []
    for path in sorted(FOLDER.glob("*.csv")):
        with path.open(newline="") as lines:
            header, *rows = csv.reader(lines)
        if tuple(header) != HEADER or any(len(row) != len(HEADER) for row in rows):
            raise ValueError(f"{path.name}: expected the columns {', '.join(HEADER)} in every row")
        found += [GoldenUnit(*row) for row in rows]
    return found


def page(units: Sequence[GoldenUnit]) -> str:
    """The whole page: a table a venue."""
    parts = [_OPENING]
    for venue in sorted({unit.venue for unit in units}):
        lines = [f"\n## {venue}\n", _line(_HEADINGS), _line(["---"] * len(_HEADINGS))]
        lines += [_line(_cells(unit)) for unit in units if unit.venue == venue]
        parts.append("\n".join(lines) + "\n")
    return "".join(parts)


def _cells(unit: GoldenUnit) -> list[str]:
    every = f"{int(unit.funding_interval_s) / 3600:g} h" if unit.funding_interval_s else ""
    evidence = re.sub(r"https?://[^\s;]*[^\s;:,.]", lambda url: f"<{url[0]}>", unit.evidence)
    return [
        *(unit.kind, f"`{unit.symbol}`", unit.px, unit.contract_base, unit.contract_usd, unit.open_interest_unit),
        *(unit.iv_unit, unit.funding_unit, every, unit.taker_side, unit.timestamp_unit, evidence),
    ]


def _line(cells: Sequence[str]) -> str:
    escaped = [cell.replace("|", r"\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"


if __name__ == "__main__":
    PAGE.write_text(page(golden_units()))
