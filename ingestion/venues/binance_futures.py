"""What Binance's two futures venues have in common: marks, open interest, funding, contract lists.

Amounts count base coin on USD-M and contracts of 100 USD (BTC) or 10 USD (others) on COIN-M.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from ingestion.records import FundingRate, FutureTicker, Instrument, Kind, OpenInterest, PerpTicker
from ingestion.venues.base import Refused, Reply, decode, instant, rows
from ingestion.venues.binance import (
    Amount,
    Filter,
    Market,
    Price,
    Rows,
    Signed,
    entries,
    identity,
    reader,
    refuse_failure,
    source,
    steps,
)
from ingestion.venues.settlements import with_intervals

# https://developers.binance.com/docs/derivatives/usds-margined-futures/common-definition
# Listings of 2025 write the blank where the documentation has an underscore.
PERPETUAL: Final = {"PERPETUAL", "PERPETUAL_DELIVERING", "TRADIFI_PERPETUAL"}
DELIVERY: Final = {
    "CURRENT_MONTH",
    "NEXT_MONTH",
    "CURRENT_QUARTER",
    "NEXT_QUARTER",
    "CURRENT_QUARTER_DELIVERING",
    "NEXT_QUARTER_DELIVERING",
}
# Settlements of these have always stood 8 hours apart. That is the default of other coins too, but it was shortened
# for one after another, and no list of contracts says so: theirs is proved by settlements, or told by `fundingInfo`.
FUNDED_EVERY_8H: Final = ("BTC", "ETH")

_DATED = re.compile(r".*_(\d{6})")


class Mark(Struct, rename="camel"):
    """One row of `premiumIndex`; a dated future has "" for a rate and 0 for its next funding, or neither."""

    symbol: str
    mark_price: Price
    time: int
    index_price: Price | UnsetType = UNSET  # came in 2020
    last_funding_rate: Signed | Literal[""] | UnsetType = UNSET
    next_funding_time: int | UnsetType = UNSET


class Interest(Struct, rename="camel"):
    """`openInterest`; the clock came in 2020."""

    symbol: str
    open_interest: Amount
    time: int | UnsetType = UNSET


class Settlement(Struct, rename="camel"):
    """One row of `fundingRate`; the mark came in 2023 and is "" for settlements before that."""

    symbol: str
    funding_rate: Signed
    funding_time: int
    mark_price: Price | Literal[""] | UnsetType = UNSET


class Adjustment(Struct, rename="camel"):
    """One row of `fundingInfo`."""

    symbol: str
    funding_interval_hours: Annotated[int, Meta(ge=1, le=24)]


class Contract(Struct, rename="camel"):
    """One row of `exchangeInfo`; USD-M names neither type, margin nor delivery before mid-2020."""

    symbol: str
    base_asset: str
    quote_asset: str
    filters: list[Filter]
    margin_asset: str | UnsetType = UNSET
    contract_type: str | UnsetType = UNSET
    contract_size: Price | UnsetType = UNSET
    delivery_date: int | UnsetType = UNSET


class Listing(Struct):
    """`exchangeInfo`; the documentation says to ignore its serverTime, which has been a day old."""

    symbols: list[Raw]


_MARK, _INTEREST, _SETTLEMENT = reader(Mark), reader(Interest), reader(Settlement)
_ADJUSTMENT, _CONTRACT, _LISTING = reader(Adjustment), reader(Contract), reader(Listing)


def kind_of_dated(symbol: str) -> Literal["perp", "future"]:
    """A symbol that ends in _YYMMDD is a dated future."""
    return "future" if _DATED.fullmatch(symbol) else "perp"


def delivery_of(symbol: str) -> datetime:
    """Delivery of a dated future by its name: 08:00 UTC of the day."""
    match = _DATED.fullmatch(symbol)
    try:
        return datetime.strptime(f"20{match[1] if match else ''}08+0000", "%Y%m%d%H%z")
    except ValueError as error:
        raise Refused("unknown_symbol", f"{symbol}: expected a delivery date as _YYMMDD") from error


def parse_mark(market: Market, reply: Reply) -> Rows:
    """Read `premiumIndex`: mark, index and, of perpetuals, the running funding rate."""

    def read(mark: Mark) -> Iterator[FutureTicker]:
        who = identity(market, reply, mark.symbol, mark.time)
        index_px = None if mark.index_price is UNSET else mark.index_price
        if who["kind"] == "future":
            yield FutureTicker(**who, mark_px=mark.mark_price, index_px=index_px)
            return
        if not isinstance(mark.last_funding_rate, float) or mark.next_funding_time is UNSET:
            raise Refused("funding", f"{mark.symbol}: a perpetual without funding rate or next funding time")
        yield PerpTicker(
            **who,
            mark_px=mark.mark_price,
            index_px=index_px,
            funding_rate=mark.last_funding_rate,
            next_funding_ts=instant(mark.next_funding_time),
        )

    return rows(_MARK, entries(market, reply), read)


def parse_open_interest(market: Market, reply: Reply) -> Rows:
    """Read `openInterest`."""

    def read(interest: Interest) -> Iterator[OpenInterest]:
        who = identity(market, reply, interest.symbol, interest.time)
        yield OpenInterest(**who, open_interest_qty=interest.open_interest)

    return rows(_INTEREST, entries(market, reply), read)


def parse_funding(market: Market, reply: Reply) -> Rows:
    """Read `fundingRate`; the interval is the time between two settlements."""

    def read(settlement: Settlement) -> Iterator[FundingRate]:
        mark = settlement.mark_price
        yield FundingRate(
            **identity(market, reply, settlement.symbol, settlement.funding_time),
            funding_rate=settlement.funding_rate,
            mark_px=mark if isinstance(mark, float) else None,
        )

    return with_intervals(rows(_SETTLEMENT, entries(market, reply), read))


def parse_adjustments(market: Market, reply: Reply) -> Rows:
    """Read `fundingInfo`: intervals of the perpetuals whose cap, floor or interval was adjusted, and of no other.

    That a perpetual is not in it does not say that its interval is 8 hours: entries come and go.
    """

    def read(adjustment: Adjustment) -> Iterator[PerpTicker]:
        who = identity(market, reply, adjustment.symbol)
        if who["kind"] != "perp":
            raise Refused("funding", f"{adjustment.symbol}: a funding interval of what is no perpetual")
        yield PerpTicker(**who, funding_interval_s=adjustment.funding_interval_hours * 3600)

    return rows(_ADJUSTMENT, entries(market, reply), read)


def parse_contracts(market: Market, reply: Reply) -> Rows:
    """Read `exchangeInfo`; contracts that do not trade are listed all the same."""
    refuse_failure(market, reply)
    listing = decode(_LISTING, reply.body, source(market, reply))

    def read(contract: Contract) -> Iterator[Instrument]:
        who = identity(market, reply, contract.symbol)
        if who["kind"] != _listed_kind(market, contract):
            raise Refused("contract_type", f"{contract.symbol} is listed as {contract.contract_type}")
        tick, lot = steps(contract.filters)
        yield Instrument(
            **who,
            base_asset=contract.base_asset,
            quote_asset=contract.quote_asset,
            settle_asset=_settle_asset(market, contract),
            contract_size=_face(contract) if market.is_inverse else 1.0,
            amount_unit="contracts" if market.is_inverse else "base",
            is_inverse=market.is_inverse,
            tick_size_px=tick,
            lot_size_qty=lot,
            expiry_ts=_delivery(contract) if who["kind"] == "future" else None,
            funding_interval_s=interval_of(who["kind"], contract.base_asset),
            terms_source="listed",
        )

    return rows(_CONTRACT, listing.symbols, read)


def interval_of(kind: Kind, base_asset: str) -> int | None:
    """Seconds between settlements, where that is known without asking."""
    return 8 * 3600 if kind == "perp" and base_asset in FUNDED_EVERY_8H else None


def _listed_kind(market: Market, contract: Contract) -> Kind:
    if contract.contract_type is UNSET and not market.is_inverse:
        return "perp"  # USD-M had only perpetuals while it did not say so
    name = "" if contract.contract_type is UNSET else contract.contract_type.replace(" ", "_")
    if name in PERPETUAL:
        return "perp"
    if name in DELIVERY:
        return "future"
    raise Refused("contract_type", f"{contract.symbol}: contractType {name!r} is none that is documented")


def _face(contract: Contract) -> float:
    if contract.contract_size is UNSET:
        raise Refused("schema", f"{contract.symbol}: an inverse contract without contractSize")
    return contract.contract_size


def _delivery(contract: Contract) -> datetime:
    if contract.delivery_date is UNSET:
        raise Refused("schema", f"{contract.symbol}: a dated future without deliveryDate")
    return instant(contract.delivery_date)


def _settle_asset(market: Market, contract: Contract) -> str:
    if contract.margin_asset is not UNSET:
        return contract.margin_asset
    return contract.base_asset if market.is_inverse else contract.quote_asset
