"""What SQL expresses badly, estimated from the lake's rows of one venue and hour, and kept there as datasets.

Each is a pure function of tables. They run in this order, so that one may rest on another before it.
"""

from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa

from ingestion.estimators import implied_vols, micro_prices, ofi_weights, vol_slices


class Estimator(NamedTuple):
    """A dataset of estimates: gone where one of those that it rests on is missing."""

    name: str
    rests_on: tuple[str, ...]  # datasets, the one whose rows it follows first
    schema: pa.Schema
    estimate: Callable[..., pa.Table]  # their tables, in this order, to its own


ESTIMATORS = (
    Estimator("implied_vols", ("option_quotes", "instruments"), implied_vols.SCHEMA, implied_vols.implied_vols),
    Estimator("vol_slices", ("implied_vols",), vol_slices.SCHEMA, vol_slices.vol_slices),
    Estimator("ofi_weights", ("order_books", "instruments"), ofi_weights.SCHEMA, ofi_weights.ofi_weights),
    Estimator("micro_prices", ("order_books", "instruments"), micro_prices.SCHEMA, micro_prices.micro_prices),
)
SOURCE_OF = {each.name: each.rests_on[0] for each in ESTIMATORS}
