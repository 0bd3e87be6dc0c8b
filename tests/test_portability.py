"""The models are SQL that Spark 3.4 reads too: what only DuckDB understands stays in the macros, behind dispatch."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1] / "dbt_project"
MODELS = sorted((PROJECT / "models").rglob("*.sql"))

# What both engines call alike, and words of SQL that stand before a parenthesis.
WORDS = """
    abs acos asin atan atan2 avg cast ceil coalesce concat cos count cume_dist degrees dense_rank exists exp
    first_value floor greatest lag last_value lead least length ln log10 lower max median min mod ntile nullif
    percent_rank power radians rank replace round row_number sign sin sqrt stddev_pop stddev_samp sum tan trim
    upper var_pop var_samp
    all and any as by case else except filter from having in intersect join not on or over partition select then
    union using when where with
"""
COMMON = frozenset(WORDS.split())
OWN_TO_DUCKDB = {
    "asof join": r"\basof\b",
    "qualify": r"\bqualify\b",
    "exclude": r"\*\s*(exclude|replace)\b",
    "::": r"::",
    "list[n]": r"\[",
    "lambda": r"\blambda\b|->",
    "order in an aggregate": r"\b(sum|avg|min|max|count)\s*\((?:[^()]|\([^()]*\))*\border\s+by\b",
}


def sql_of(text: str) -> str:
    """A model without comments, text and Jinja: what stands in it as SQL."""
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}", " ", text, flags=re.DOTALL)
    text = re.sub(r"\{\{.*?\}\}", " jinja ", text, flags=re.DOTALL)
    return re.sub(r"--[^\n]*|'[^']*'", " ", text).lower()


def own_to_one_engine(text: str) -> set[str]:
    sql = sql_of(text)
    subqueries = set(re.findall(r"\b(\w+)\s+as\s*\(", sql))
    called = set(re.findall(r"\b([a-z_]\w*)\s*\(", sql))
    return (called - COMMON - subqueries) | {what for what, form in OWN_TO_DUCKDB.items() if re.search(form, sql)}


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_model_has_nothing_that_only_one_engine_reads(path: Path) -> None:
    assert own_to_one_engine(path.read_text()) == set()


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("select a from b asof join c using (d)", "asof join"),
        ("select a from b qualify row_number() over (order by c) = 1", "qualify"),
        ("select * exclude (a) from b", "exclude"),
        ("select a::double from b", "::"),
        ("select a[1] from b", "list[n]"),
        ("select list_sum(a) from b", "list_sum"),
        ("select arg_max(a, b) from c", "arg_max"),
        ("select sum(coalesce(a, b) order by c) from d", "order in an aggregate"),
    ],
)
def test_what_only_duckdb_reads_is_found(sql: str, found: str) -> None:
    assert found in own_to_one_engine(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "with a as (select 1) select sum(b) over (partition by c order by d) from a",
        "select {{ element('bid_px', 1) }} from a -- list_sum(b)",
        "select 'list_sum(a)' from b where c in (1, 2)",
    ],
)
def test_what_both_read_is_not(sql: str) -> None:
    assert own_to_one_engine(sql) == set()


def test_what_is_dispatched_is_spelled_for_both_engines() -> None:
    macros = "\n".join(path.read_text() for path in (PROJECT / "macros").rglob("*.sql"))
    spelled = {engine: set(re.findall(rf"macro {engine}__(\w+)\(", macros)) for engine in ("duckdb", "spark")}

    assert spelled["duckdb"] == spelled["spark"] != set()
