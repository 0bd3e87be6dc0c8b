"""Raw: one asset a venue and dataset, captured in one step so that all venues are asked at once.

A step of its own for every asset would cost seconds each; a venue that fails leaves a gap, not a failed hour.
"""

from collections.abc import Iterator

import dagster as dg

from ingestion.storage import StorageError
from ingestion.venues import VENUES
from orchestration.partitions import hours_of, utc_hour
from orchestration.resources import BarographResource
from orchestration.signalled import INTERRUPTED

RAW_SPECS = [
    dg.AssetSpec(
        key=["raw", venue.name, dataset],
        group_name="raw",
        kinds={"python"},
        partitions_def=utc_hour,
        description=f"Replies of {venue.name} about {dataset.replace('_', ' ')}, verbatim. {venue.docs_url}",
    )
    for venue in VENUES.values()
    for dataset in venue.datasets
]


@dg.multi_asset(
    name="capture",
    specs=RAW_SPECS,
    can_subset=True,
    partitions_def=utc_hour,
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool="venues",
    retry_policy=dg.RetryPolicy(max_retries=2, delay=10, backoff=dg.Backoff.EXPONENTIAL),
)
def raw(context: dg.AssetExecutionContext, barograph: BarographResource) -> Iterator[dg.MaterializeResult[None]]:
    pairs = sorted((key.path[1], key.path[2]) for key in context.selected_asset_keys)
    try:
        counts = barograph.open().capture(hours_of(context), pairs)
    except StorageError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    except (dg.DagsterExecutionInterruptedError, KeyboardInterrupt) as signal:
        # By the policy of retries a signal would be one more reason to ask again.
        raise dg.Failure(INTERRUPTED, allow_retries=False) from signal
    # A dataset of which nothing came says so: one left out would have Dagster skip the whole hour.
    for pair in pairs:
        yield dg.MaterializeResult(asset_key=["raw", *pair], metadata={"replies": counts.get(pair, 0)})
