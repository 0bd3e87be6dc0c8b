"""Lake: one asset a venue and dataset, written only after gate 1, with the gate's verdict as a blocking check.

A held dataset degrades the hour and warns; what blocks is an hour that rests on nothing. Either way the bad rows are
in quarantine and not where the next step reads.
"""

from collections.abc import Iterator

import dagster as dg

from ingestion.ingest import Verdict
from ingestion.venues import VENUES
from orchestration.partitions import hours_of, utc_hour
from orchestration.resources import BarographResource

LAKE_SPECS = [
    dg.AssetSpec(
        key=["lake", venue.name, dataset],
        group_name="lake",
        kinds={"parquet"},
        partitions_def=utc_hour,
        deps=[["raw", venue.name, raw_dataset] for raw_dataset in venue.datasets],
        description=f"Typed rows of {venue.name} {dataset.replace('_', ' ')} that passed gate 1.",
    )
    for venue in VENUES.values()
    for dataset in venue.lake_datasets
]


@dg.multi_asset(
    name="normalise",
    specs=LAKE_SPECS,
    check_specs=[
        dg.AssetCheckSpec(
            "passed_gate_1",
            asset=spec.key,
            blocking=True,
            description="Row rules, and Great Expectations on the hour, before the write.",
        )
        for spec in LAKE_SPECS
    ],
    can_subset=True,
    partitions_def=utc_hour,
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool="lake",
)
def lake(
    context: dg.AssetExecutionContext, barograph: BarographResource
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    selected = {(key.path[1], key.path[2]) for key in context.selected_asset_keys}
    venues = sorted({venue for venue, _ in selected})
    verdicts = barograph.open().ingest(hours_of(context), venues)
    rests_on_something = any(verdict.status == "ok" for verdict in verdicts)
    for venue, dataset in sorted(selected):
        own = [v for v in verdicts if (v.venue, v.dataset) == (venue, dataset)]
        yield dg.MaterializeResult(
            asset_key=["lake", venue, dataset],
            metadata={"dagster/row_count": sum(v.rows_count for v in own if v.status == "ok")},
        )
        yield _check(venue, dataset, own, rests_on_something)


def _check(venue: str, dataset: str, verdicts: list[Verdict], rests_on_something: bool) -> dg.AssetCheckResult:
    bad = [v for v in verdicts if v.status != "ok"]
    nothing = None if verdicts else "nothing was recorded"  # what only a stream tells of is a gap at no hour
    return dg.AssetCheckResult(
        asset_key=["lake", venue, dataset],
        check_name="passed_gate_1",
        passed=not bad,
        severity=dg.AssetCheckSeverity.WARN if rests_on_something else dg.AssetCheckSeverity.ERROR,
        description="; ".join(dict.fromkeys(f"{v.status}: {v.reason}" for v in bad))[:1000] or nothing,
        metadata={
            "held": sum(v.status == "held" for v in verdicts),
            "gaps": sum(v.status == "gap" for v in verdicts),
            "rejected_rows": sum(v.rejected_count for v in verdicts),
            "refused_replies": sum(v.refused_count for v in verdicts),
        },
    )
