"""OKX's margin tiers of swaps: `public/position-tiers`, isolated.

https://www.okx.com/docs-v5/en/#public-data-rest-api-get-position-tiers
Those of futures are told of a family, and name no contract.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from ingestion.records import Record
from ingestion.venues.base import Reject, Reply, Request
from ingestion.venues.okx_names import read_name
from ingestion.venues.okx_replies import raws, seen_by
from ingestion.venues.tiers import Level, ladder
from ingestion.venues.wire import Finite


class _Tier(msgspec.Struct, rename="camel"):
    inst_family: str
    tier: int
    min_sz: Finite  # contracts
    max_sz: Finite
    imr: Finite
    mmr: Finite
    max_lever: Finite


_TIER = msgspec.json.Decoder(_Tier, strict=False)


def is_of_swaps(query: Mapping[str, str]) -> bool:
    """Whether isolated positions in swaps were asked for: others have other tiers."""
    return (query.get("instType"), query.get("tdMode")) == ("SWAP", "isolated")


def ask_position_tiers(path: str, families: Sequence[str]) -> list[Request]:
    mode = (("instType", "SWAP"), ("tdMode", "isolated"))
    return [Request(path, (*mode, ("instFamily", family))) for family in families]


def parse_position_tiers(reply: Reply) -> Iterator[Record | Reject]:
    """The tiers of one family of swaps or of several; it carries no clock."""

    def read(raw: bytes) -> Level:
        row = _TIER.decode(raw)
        symbol = f"{row.inst_family}-SWAP"
        return Level(
            seen=seen_by(reply, symbol, read_name(symbol).kind, None),
            number=row.tier,
            size_unit="contracts",
            floor_qty=row.min_sz,
            step_qty=1.0,  # a level may begin one contract over the end of the one below
            cap_qty=row.max_sz,
            initial_margin=row.imr,
            maintenance_margin=row.mmr,
            max_leverage=row.max_lever,
        )

    return ladder(raws(reply), read)
