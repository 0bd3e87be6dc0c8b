"""Gate 2: what a candidate must keep before readers see it.

SQL counts the rows that break each rule, because NaN passes comparisons and pandas takes it for null;
Great Expectations then judges the counts. Which rules bind a column follows from its name and type.
"""

# ruff: noqa: S608 (identifiers are quoted, conditions are written here)

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import duckdb
import pandas as pd

from orchestration.candidates import WAREHOUSE, Candidate
from orchestration.duck import identifier

NUMBER = r"DOUBLE|FLOAT|DECIMAL.*|U?(TINY|SMALL|BIG)?INT(EGER)?"
FLOATING = r"DOUBLE|FLOAT"


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """A promise about single values: binds columns whose name and type match in full."""

    name: str
    promise: str
    columns: str
    broken: str  # SQL that is true of a bad value {c}
    types: str = NUMBER
    unless: str | None = None  # a boolean column that excuses the row, where the table has it


@dataclass(frozen=True, slots=True)
class RowRule:
    """A promise about several columns of one row: binds tables that have them all."""

    name: str
    promise: str
    needs: tuple[str, ...]
    broken: str
    unless: str | None = None


class Finding(NamedTuple):
    """How many rows of a table break one rule; zero says that it was looked at."""

    table: str
    column: str
    rule: str
    broken_count: int


COLUMN_RULES = (
    ColumnRule("finite", "no NaN, no infinity", r".*", "not isfinite({c})", rf"{FLOATING}|DATE|TIMESTAMP.*"),
    ColumnRule(
        "finite_list",
        "no NaN, no infinity in a list",
        r".*",
        "len(list_filter({c}, lambda x: not isfinite(x))) > 0",
        rf"({FLOATING})\[\]",
    ),
    ColumnRule("imbalance", "an imbalance lies in [-1, 1]", r".*imbalance.*_frac", "abs({c}) > 1"),
    ColumnRule("share", "a coverage or a share lies in [0, 1]",
               r"(?!.*(change|shift))(.*_)?(coverage|share)(_.*)?_frac", "{c} < 0 or {c} > 1"),
    ColumnRule("standard_score", "a standard score is winsorised at 8", r".*_z", "abs({c}) > 8"),
    ColumnRule("spread", "only a crossed book has a negative spread",
               r"(quoted_)?spread(_(first|last|mean|median|min|max|p\d+))?_bps", "{c} < 0",
               unless="is_crossed"),
    # The bounds tell percent from decimals; they must hold in a crash, so they are wide.
    ColumnRule("implied_vol", "an implied volatility lies in (0, 10] a year",
               r"(?!.*(spread|skew|shift|change|rr\d|bf\d)).*(implied_vol|(^|_)iv|atm_vol).*_ann",
               "{c} <= 0 or {c} > 10"),
    ColumnRule("realized_vol", "a realised volatility lies in [0, 50] a year",
               r"(?!.*(spread|skew|shift|change)).*reali[sz]ed_vol.*_ann", "{c} < 0 or {c} > 50"),
    ColumnRule("days_to_expiry", "an expiry lies ahead", r"(.*_)?days_to_expiry(_.*)?", "{c} < 0"),
    ColumnRule("put_call", "a put/call ratio is not negative", r"(?!.*imbalance)(.*_)?put_call(_.*)?",
               "{c} < 0"),
    ColumnRule("count", "a count is not negative", r".*_count", "{c} < 0"),
    ColumnRule("amount", "a depth, volume or open interest is not negative",
               r"(?!.*(imbalance|change|shift|net|signed|delta)).*(depth|volume|open_interest).*_(usd|base)",
               "{c} < 0"),
    ColumnRule("price", "a price is not negative",
               r"(?!.*(minus|diff|gap|spread))(.*_)?(mid|mark|index|spot|bid|ask|last|strike|forward)_px",
               "{c} < 0"),
    ColumnRule("grade", "a quality grade is a letter from A to F", r"(.*_)?quality_grade",
               "{c} not in ('A', 'B', 'C', 'D', 'E', 'F')", r"VARCHAR"),
)  # fmt: skip

ROW_RULES = (
    RowRule("touch", "a bid stands above an ask only in a crossed book", ("bid_px", "ask_px", "is_crossed"),
            "bid_px > ask_px", unless="is_crossed"),
    RowRule("best_touch", "a best bid stands above a best ask only in a crossed book",
            ("best_bid_px", "best_ask_px", "is_crossed"), "best_bid_px > best_ask_px", unless="is_crossed"),
    RowRule("high_low", "a bar's low is not above its high", ("low_px", "high_px"), "low_px > high_px"),
)  # fmt: skip

TABLE_RULES = {
    "unique_grain": "one row per grain",
    "whole_grain": "no null in the grain",
    "on_the_partition": "every row says to which partition it belongs, as the partition's start",
    "expected_rows": "every wanted partition holds rows",
    "not_emptied": "a partition that readers have does not go empty",
}

PROMISES = {rule.name: rule.promise for rule in (*COLUMN_RULES, *ROW_RULES)} | TABLE_RULES


def profile(connection: duckdb.DuckDBPyConnection, candidate: Candidate) -> list[Finding]:
    """Count the rows of a candidate that break each rule that binds it, in one pass over its rows."""
    table, type_ = candidate.table, candidate.columns
    grain = [identifier(column) for column in table.order_by]
    partition = identifier(table.partition_column)
    whole = [column for column in table.order_by if column not in table.nullable]
    bad = [(column, "whole_grain", f"{identifier(column)} is null") for column in whole]
    bad += [(table.partition_column, "on_the_partition", f"{partition} <> {candidate.partition}")]
    bad += [(column, rule.name, _column_sql(rule, column, type_)) for column, rule in _bound(type_)]
    bad += [
        (", ".join(rule.needs), rule.name, _excused(rule.broken, rule.unless, type_))
        for rule in ROW_RULES
        if set(rule.needs) <= set(type_)
    ]
    counts = ", ".join(f"count(*) filter (where {condition})" for _, _, condition in bad)
    rows = candidate.rows(candidate.wanted)
    source = f"{WAREHOUSE}.{identifier(table.schema)}.{identifier(table.name)}"
    counted = connection.execute(
        f"""
        select
            count(*) - count(distinct row({", ".join(grain)})),
            (select count(*) from {source} where {partition} is null),
            {counts}
        from ({rows})
        """
    ).fetchone()
    duplicates, astray, *broken = counted or ()
    name = f"{table.schema}.{table.name}"
    return [
        Finding(name, ", ".join(table.order_by), "unique_grain", duplicates),
        *(
            Finding(name, column, rule, count + (astray if rule == "on_the_partition" else 0))
            for (column, rule, _), count in zip(bad, broken, strict=True)
        ),
    ]


def refusals(findings: Iterable[Finding]) -> list[str]:
    """Judge the counts by one Great Expectations suite; one line for every rule that does not hold."""
    looked_at = pd.DataFrame(findings, columns=list(Finding._fields))
    if looked_at.empty:
        return []
    # One row per (table, column), one column per rule; a rule that does not bind is null and so passes.
    frame = looked_at.pivot_table("broken_count", ["table", "column"], "rule", aggfunc="sum")
    return sorted(_unmet(frame.reset_index(), [str(rule) for rule in frame.columns]))


def _unmet(frame: pd.DataFrame, rules: list[str]) -> Iterator[str]:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    # The import takes 10 s; readers and unchanged publishes need none of it.
    import great_expectations as gx
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults
    from great_expectations.expectations.core.expect_column_values_to_be_between import (
        ExpectColumnValuesToBeBetween,
    )

    # The default configuration leaves a temporary folder behind for pages that nobody asks for.
    kept_nowhere = DataContextConfig(store_backend_defaults=InMemoryStoreBackendDefaults())
    context = gx.get_context(mode="ephemeral", project_config=kept_nowhere)
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    asset = context.data_sources.add_pandas("candidates").add_dataframe_asset("profile")
    batch = asset.add_batch_definition_whole_dataframe("publish").get_batch({"dataframe": frame})
    suite = gx.ExpectationSuite(
        name="published",
        expectations=[
            ExpectColumnValuesToBeBetween(column=rule, min_value=0, max_value=0, description=PROMISES[rule])
            for rule in rules
        ],
    )
    told = {"result_format": "COMPLETE", "unexpected_index_column_names": ["table", "column"]}
    for rule, result in zip(rules, batch.validate(suite, result_format=told).results, strict=True):
        if result.success:
            continue
        broken = result.result.get("unexpected_index_list")
        if not broken:
            raise RuntimeError(f"gate 2: rule {rule} could not be judged ({result.exception_info})")
        for row in broken:
            yield f"{row['table']} {row['column']}: {int(row[rule])} break {rule} ({PROMISES[rule]})"


def _bound(columns: Mapping[str, str]) -> Iterator[tuple[str, ColumnRule]]:
    for column, type_ in columns.items():
        for rule in COLUMN_RULES:
            if re.fullmatch(rule.types, type_) and re.fullmatch(rule.columns, column):
                yield column, rule


def _column_sql(rule: ColumnRule, column: str, columns: Iterable[str]) -> str:
    return _excused(rule.broken.format(c=identifier(column)), rule.unless, columns)


def _excused(broken: str, unless: str | None, columns: Iterable[str]) -> str:
    if unless is None or unless not in set(columns):
        return broken
    return f"({broken}) and not coalesce({identifier(unless)}, false)"
