"""Hour rules: what an hour of one (venue, dataset) must be to enter the lake, by Great Expectations.

All hours of a range are one batch, a row an hour, and what is unexpected is mapped back to its hour.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import pandas as pd

from ingestion.gate.profile import HourProfile

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite
    from great_expectations.core.batch_definition import BatchDefinition

TICKERS = frozenset({"spot_tickers", "future_tickers", "perp_tickers"})
QUOTED = TICKERS | {"option_quotes", "order_books"}


@dataclass(frozen=True, slots=True)
class HourRule:
    """A number of the profile may be at most `most`; the rule's id is the number's name."""

    id: str
    most: float
    why: str
    datasets: frozenset[str] | None = None  # none: every dataset


RULES = (
    HourRule("nothing_readable", 0, "replies came and no row was left of them"),
    HourRule("rejected_frac", 0.2, "so many bad rows mean that the format changed, not that rows are bad"),
    HourRule("duplicate_count", 0, "two rows stand where the grain promises one"),
    HourRule("outside_hour_count", 0, "rows were captured in another hour than this partition"),
    HourRule("future_event_count", 0, "events lie over a minute after their capture: a clock is wrong"),
    HourRule("crossed_frac", 0.5, "most books are crossed: the sides are swapped", frozenset({"order_books"})),
    HourRule("null_frac", 0.5, "most rows say nothing: a field was renamed", QUOTED),
    HourRule(
        "max_px_ratio",
        3,
        "an instrument's price moved by a factor that no hour has: a unit slipped",
        frozenset({"order_books", "trades", "index_prices"}),
    ),
    # All symbols of a venue: a coin in its first hour may treble, and must not hold the rest.
    HourRule("max_px_ratio", 10, "a price moved by a factor that no hour has: a unit slipped", TICKERS),
)

MAX_HOURS_PER_BATCH = 168  # Great Expectations lists at most 200 unexpected rows


class GateError(RuntimeError):
    """A rule could not be judged at all; nothing may pass on it."""


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A rule that an hour broke, and the sentence for people."""

    rule: str
    reason: str


def rules_of(dataset: str) -> tuple[HourRule, ...]:
    return tuple(rule for rule in RULES if rule.datasets is None or dataset in rule.datasets)


def broken_rules(dataset: str, profiles: Sequence[HourProfile]) -> Mapping[datetime, tuple[BrokenRule, ...]]:
    """The rules that each hour breaks, in the order of `RULES`; an hour that breaks none has no entry."""
    broken: dict[datetime, list[BrokenRule]] = {}
    for start in range(0, len(profiles), MAX_HOURS_PER_BATCH):
        for hour, rule in _judge(dataset, profiles[start : start + MAX_HOURS_PER_BATCH]):
            broken.setdefault(hour, []).append(rule)
    return {hour: tuple(found) for hour, found in broken.items()}


def _judge(dataset: str, profiles: Sequence[HourProfile]) -> Iterator[tuple[datetime, BrokenRule]]:
    rules = rules_of(dataset)
    hours = [profile.utc_hour.isoformat() for profile in profiles]
    rows = [asdict(profile) for profile in profiles]
    frame = pd.DataFrame({rule.id: [row[rule.id] for row in rows] for rule in rules}, dtype="float64")
    frame["utc_hour"] = hours
    batch = _batches().get_batch({"dataframe": frame})
    outcome = batch.validate(
        _suite(dataset),
        result_format={
            "result_format": "COMPLETE",
            "unexpected_index_column_names": ["utc_hour"],
            "return_unexpected_index_query": False,
        },
    )
    # Results come back in an order of the library's own.
    told = {str(r.expectation_config.kwargs["column"]): r for r in outcome.results if r.expectation_config}
    for rule in rules:
        result = told[rule.id]
        unexpected = result.result.get("unexpected_index_list")
        if not result.success and not unexpected:
            raise GateError(f"{dataset}: rule {rule.id} could not be judged ({result.exception_info})")
        for row in unexpected or []:
            value = row[rule.id]
            reason = f"{rule.id} {value:.4g} is over {rule.most:g}: {rule.why}"
            yield datetime.fromisoformat(row["utc_hour"]), BrokenRule(rule.id, reason)


@cache
def _batches() -> "BatchDefinition[Any]":
    # Read when the library is imported, which takes 8 to 20 s: hence here and not above.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    asset = context.data_sources.add_pandas("hours").add_dataframe_asset("profiles")
    return asset.add_batch_definition_whole_dataframe("range")


@cache
def _suite(dataset: str) -> "ExpectationSuite":
    import great_expectations as gx
    from great_expectations.expectations.core.expect_column_values_to_be_between import (
        ExpectColumnValuesToBeBetween,
    )

    return gx.ExpectationSuite(
        name=f"{dataset}_hours",
        expectations=[
            ExpectColumnValuesToBeBetween(column=rule.id, max_value=rule.most, notes=rule.why)
            for rule in rules_of(dataset)
        ],
    )
