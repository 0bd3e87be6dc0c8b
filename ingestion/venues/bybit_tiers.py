"""Bybit's margin tiers: `market/risk-limit`.

https://bybit-exchange.github.io/docs/v5/market/risk-limit
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from ingestion.records import Record
from ingestion.venues.base import Refused, Reject, Reply, Request
from ingestion.venues.bybit_answers import answer, listing, seen_by
from ingestion.venues.bybit_names import read_name
from ingestion.venues.tiers import Level, ladder
from ingestion.venues.wire import Blank, Finite, given


class _Limit(msgspec.Struct, rename="camel"):
    symbol: str
    risk_limit_value: Finite  # quote currency; of inverse contracts coin
    maintenance_margin: Finite
    initial_margin: Finite
    is_lowest_risk: Literal[0, 1]
    max_leverage: Finite
    mm_deduction: Finite | Blank = ""


_LIMIT = msgspec.json.Decoder(_Limit, strict=False)


def parse_risk_limits(reply: Reply) -> Iterator[Record | Reject]:
    """The levels of one contract, or of all; margins are fractions, and were percent in the first years."""
    found = answer(reply)

    def read(raw: bytes) -> Level:
        row = _LIMIT.decode(raw)
        name = read_name(row.symbol)
        if name.kind not in ("perp", "future"):
            raise Refused("unknown_symbol", f"{row.symbol}: a {name.kind} has no margin tiers")
        return Level(
            seen=seen_by(reply, row.symbol, name.kind, found.event_ts),
            number=row.is_lowest_risk,
            size_unit="base" if name.is_inverse else "quote",
            cap_qty=row.risk_limit_value,
            initial_margin=row.initial_margin,
            maintenance_margin=row.maintenance_margin,
            max_leverage=row.max_leverage,
            deduction_qty=given(row.mm_deduction),
        )

    return ladder(listing(found, reply).list, read)


def ask_risk_limits(path: str, contracts: list[tuple[str, str]]) -> list[Request]:
    """One question a contract: asked for all, Bybit answers in pages of fifteen."""
    return [Request(path, (("category", category), ("symbol", symbol))) for category, symbol in contracts]
