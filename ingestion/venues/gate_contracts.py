"""Gate's lists and tickers of perpetuals and dated futures. Sizes count contracts.

What a contract is settled in, only the path tells.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from ingestion.records import FutureTicker, OpenInterest, PerpTicker, Record
from ingestion.venues.base import Refused, Reject, Reply, instant, rows
from ingestion.venues.gate_answers import at_s, entries, market_of, seen_by
from ingestion.venues.gate_names import INVERSE_SIZE, is_quanto, read_contract, refuse_foreign
from ingestion.venues.sheets import Columns, Sheet, Values
from ingestion.venues.wire import Blank, Finite, Name, Seen, above_zero, agree, instrument


class _Contract(msgspec.Struct):
    name: str
    type: Literal["direct", "inverse"]
    quanto_multiplier: Finite
    order_price_round: Finite
    position_size: Finite  # of all longs, so counted once
    mark_price: Finite
    index_price: Finite
    last_price: Finite
    enable_decimal: bool = False  # whether sizes may be fractions; not yet told in 2023
    funding_rate: Finite | None = None  # perpetuals, as the two below
    funding_interval: int | None = None  # seconds
    funding_next_apply: Finite | None = None
    underlying: str | None = None  # dated futures, as expire_time
    expire_time: int | None = None


_CONTRACT = msgspec.json.Decoder(_Contract, strict=False)


def parse_contracts(reply: Reply) -> Iterator[Record | Reject]:
    """`contracts` of futures and delivery, and one contract by its path; with prices, funding and open interest.

    `quanto_multiplier` is base coin, for quanto contracts bitcoin a dollar of the price, for inverse contracts 0.
    """
    kind, settle = market_of(reply)

    def read(row: _Contract) -> list[Record]:
        name = _name_listed(row, settle)
        agree(row.name, "kind", name.kind, kind)
        refuse_foreign(row.name, kind, settle)
        agree(row.name, "expiry", read_contract(row.name).expiry_ts, name.expiry_ts)
        listed = instrument(
            name,
            venue="gate",
            symbol=row.name,
            captured_ts=reply.captured_ts,
            contract_size=_contract_size(row, name),
            amount_unit="contracts",
            terms_source="listed",
            tick_size_px=row.order_price_round,
            lot_size_qty=None if row.enable_decimal else 1.0,
            funding_interval_s=row.funding_interval,
        )
        return [
            msgspec.structs.replace(listed, is_quanto=is_quanto(name)),
            _quoted(row, seen_by(reply, row.name, kind)),
            OpenInterest(**seen_by(reply, row.name, kind), open_interest_qty=row.position_size),
        ]

    return rows(_CONTRACT, entries(reply), read)


def _quoted(row: _Contract, seen: Seen) -> FutureTicker:
    last_px, mark_px, index_px = map(above_zero, (row.last_price, row.mark_price, row.index_price))
    if seen["kind"] == "future":
        return FutureTicker(**seen, last_px=last_px, mark_px=mark_px, index_px=index_px)
    if row.funding_rate is None or row.funding_next_apply is None:
        raise Refused("schema", f"{row.name}: no funding, which every perpetual has")
    return PerpTicker(
        **seen,
        last_px=last_px,
        mark_px=mark_px,
        index_px=index_px,
        funding_rate=row.funding_rate,
        funding_interval_s=row.funding_interval,
        next_funding_ts=at_s(row.funding_next_apply),
    )


def _name_listed(row: _Contract, settle: str) -> Name:
    base, _, quote = (row.underlying or row.name).partition("_")
    is_inverse = row.type == "inverse"
    if not quote or "_" in quote or (is_inverse and base != settle):
        raise Refused("unknown_symbol", f"{row.name}: no contract of Gate's grammar that is settled in {settle}")
    if row.expire_time is None:
        return Name("perp", base, quote, settle, is_inverse)
    return Name("future", base, quote, settle, is_inverse, instant(row.expire_time, 1.0))


def _contract_size(row: _Contract, name: Name) -> float:
    if not name.is_inverse:
        return row.quanto_multiplier
    if row.quanto_multiplier not in (0, INVERSE_SIZE):
        raise Refused("contradiction", f"{row.name}: multiplier {row.quanto_multiplier}, but inverse ones are 1 USD")
    return INVERSE_SIZE


class _Ticker(msgspec.Struct):
    contract: str
    last: Finite | Blank
    total_size: Finite
    mark_price: Finite
    index_price: Finite
    funding_rate: Finite | None = None  # perpetuals
    volume_24h_base: Finite | None = None  # from here on not yet in 2019
    volume_24h_quote: Finite | None = None
    highest_bid: Finite | Blank | None = None
    lowest_ask: Finite | Blank | None = None
    highest_size: Finite | Blank | None = None
    lowest_size: Finite | Blank | None = None
    quanto_multiplier: Finite | Blank | None = None  # of perpetuals, in replies of 2026


def _listed_tickers(reply: Reply) -> list[msgspec.Raw]:
    market_of(reply)
    return entries(reply)


def _ticker_columns(reply: Reply, told: Sequence[_Ticker]) -> list[Columns]:
    kind, settle = market_of(reply)
    for row in told:
        refuse_foreign(row.contract, kind, settle)
    fields: dict[str, Values] = {
        "venue": "gate",
        "symbol": [row.contract for row in told],
        "kind": kind,
        "bid_px": [row.highest_bid or None for row in told],
        "bid_qty": [row.highest_size if row.highest_bid and row.highest_size != "" else None for row in told],
        "ask_px": [row.lowest_ask or None for row in told],
        "ask_qty": [row.lowest_size if row.lowest_ask and row.lowest_size != "" else None for row in told],
        "last_px": [row.last or None for row in told],
        "volume_24h_base": [row.volume_24h_base for row in told],
        "volume_24h_quote": [row.volume_24h_quote for row in told],
        "mark_px": [row.mark_price or None for row in told],
        "index_px": [row.index_price or None for row in told],
    }
    if kind == "future":
        return [Columns(FutureTicker, len(told), fields)]
    fields["funding_rate"] = [row.funding_rate for row in told]
    return [Columns(PerpTicker, len(told), fields), _open_interest(told)]


def _open_interest(told: Sequence[_Ticker]) -> Columns:
    """Contracts, counted once; none where nothing proves what `total_size` counts.

    Beside the lists of the same minute it is the `position_size` of all longs in May 2019, and twice that in August
    2026, contract by contract. When both sides came to be added, Gate does not say; by then rows told the multiplier.
    """
    proved = [row for row in told if row.quanto_multiplier is not None or row.volume_24h_base is None]
    fields: dict[str, Values] = {
        "venue": "gate",
        "symbol": [row.contract for row in proved],
        "kind": "perp",
        "open_interest_qty": [
            row.total_size if row.quanto_multiplier is None else row.total_size / 2 for row in proved
        ],
    }
    return Columns(OpenInterest, len(proved), fields)


# `tickers` of futures and delivery; they carry no clock. Open interest of dated futures only the list tells.
parse_tickers = Sheet(_listed_tickers, _Ticker, _ticker_columns)
