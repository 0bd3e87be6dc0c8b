"""Gate's margin tiers of perpetuals: `futures/{settle}/risk_limit_tiers`.

https://www.gate.com/docs/developers/apiv4/en/#query-risk-limit-tiers
"""

from collections.abc import Iterator

import msgspec

from ingestion.records import Record
from ingestion.venues.base import Refused, Reject, Reply
from ingestion.venues.gate_answers import entries, market_of, seen_by
from ingestion.venues.gate_names import read_contract
from ingestion.venues.tiers import Level, ladder
from ingestion.venues.wire import Finite


class _Tier(msgspec.Struct):
    tier: int
    risk_limit: Finite  # settlement currency
    initial_rate: Finite
    maintenance_rate: Finite
    leverage_max: Finite
    contract: str | None = None  # not told of old where one was asked for
    deduction: Finite | None = None


_TIER = msgspec.json.Decoder(_Tier, strict=False)


def parse_risk_limits(reply: Reply) -> Iterator[Record | Reject]:
    """The tiers of one contract; it carries no clock."""
    kind, settle = market_of(reply)

    def read(raw: bytes) -> Level:
        row = _TIER.decode(raw)
        symbol = row.contract or reply.query.get("contract", "")
        name = read_contract(symbol)
        if row.contract and reply.query.get("contract", row.contract) != row.contract:
            raise Refused("unknown_symbol", f"{row.contract[:40]}: {reply.query['contract']} was asked for")
        if settle not in (name.base_asset, name.quote_asset):
            raise Refused("unit", f"{symbol}: sizes in {settle}, which is neither its base nor its quote")
        return Level(
            seen=seen_by(reply, symbol, kind),
            number=row.tier,
            size_unit="base" if settle == name.base_asset else "quote",
            cap_qty=row.risk_limit,
            initial_margin=row.initial_rate,
            maintenance_margin=row.maintenance_rate,
            max_leverage=row.leverage_max,
            deduction_qty=row.deduction,
        )

    return ladder(entries(reply), read)
