"""KuCoin Futures' margin tiers of linear perpetuals: `contracts/risk-limit/{symbol}`.

https://www.kucoin.com/docs-new/rest/futures-trading/positions/get-isolated-margin-risk-limit
"""

from collections.abc import Iterator

import msgspec

from ingestion.records import Record
from ingestion.venues.base import Refused, Reject, Reply
from ingestion.venues.kucoin_answers import entries
from ingestion.venues.kucoin_futures_names import VENUE, read_name
from ingestion.venues.kucoin_futures_replies import seen_by
from ingestion.venues.tiers import Level, ladder
from ingestion.venues.wire import Finite


class _Tier(msgspec.Struct, rename="camel"):
    symbol: str
    level: int
    max_risk_limit: Finite  # quote currency
    min_risk_limit: Finite
    max_leverage: Finite
    initial_margin: Finite
    maintain_margin: Finite


_TIER = msgspec.json.Decoder(_Tier, strict=False)


def parse_risk_limits(reply: Reply) -> Iterator[Record | Reject]:
    """The levels of one contract; it carries no clock. In what those of inverse contracts count, no page says."""

    def read(raw: bytes) -> Level:
        row = _TIER.decode(raw)
        name = read_name(row.symbol)
        if reply.path.rpartition("/")[2] != row.symbol:
            raise Refused("unknown_symbol", f"{row.symbol[:40]}: {reply.path} was asked for")
        if name.kind != "perp" or name.is_inverse:
            raise Refused("unit", f"{row.symbol}: the unit of its sizes is not documented")
        return Level(
            seen=seen_by(reply, row.symbol, name.kind),
            number=row.level,
            size_unit="quote",
            floor_qty=row.min_risk_limit,
            cap_qty=row.max_risk_limit,
            initial_margin=row.initial_margin,
            maintenance_margin=row.maintain_margin,
            max_leverage=row.max_leverage,
        )

    return ladder(entries(reply, VENUE), read)
