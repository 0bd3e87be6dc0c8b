"""What Binance's two futures venues have in common: marks, open interest, funding, contract lists.

Amounts count base coin on USD-M and contracts of 100 USD (BTC) or 10 USD (others) on COIN-M.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Literal

from msgspec import UNSET, Raw, Struct, UnsetType

from ingestion.records import FundingRate, FutureTicker, Instrument, Kind, OpenInterest, PerpTicker
from ingestion.venues.base import Endpoint, Parse, Plan, Refused, Reply, Request, decode, instant, rows
from ingestion.venues.binance import (
    Amount,
    Filter,
    Market,
    Price,
    Rows,
    Signed,
    entries,
    identity,
    parse_aggregate_trades,
    parse_book_ticker,
    parse_candles,
    parse_last_price,
    parse_order_book,
    parse_trades,
    reader,
    refuse_failure,
    source,
    steps,
)
from ingestion.venues.binance_paging import ask_each, ask_trades, follow_trades, span

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
DEFAULT_FUNDING_INTERVAL_S: Final = 8 * 3600  # adjusted for single symbols: settlements are the proof
FUNDING_HISTORY: Final = timedelta(days=3)

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
_CONTRACT, _LISTING = reader(Contract), reader(Listing)


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
    """Read `fundingRate`; the interval is not stated, it follows from consecutive settlements."""

    def read(settlement: Settlement) -> Iterator[FundingRate]:
        mark = settlement.mark_price
        yield FundingRate(
            **identity(market, reply, settlement.symbol, settlement.funding_time),
            funding_rate=settlement.funding_rate,
            mark_px=mark if isinstance(mark, float) else None,
        )

    return rows(_SETTLEMENT, entries(market, reply), read)


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
            funding_interval_s=DEFAULT_FUNDING_INTERVAL_S if who["kind"] == "perp" else None,
            terms_source="listed",
        )

    return rows(_CONTRACT, listing.symbols, read)


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


def is_dated(query: Mapping[str, str]) -> bool:
    """Whether the reply is about one dated future."""
    return kind_of_dated(query.get("symbol", "")) == "future"


def ask_funding(path: str, names: list[str], plan: Plan) -> list[Request]:
    """Settlements of the three days before the span's end, so that intervals can be proved."""
    return ask_each(path, names, *span(plan.end_ts - FUNDING_HISTORY, plan.end_ts))


def endpoints(
    market: Market,
    root: str,  # "/fapi/v1"
    *,
    perps: Callable[[Plan], list[str]],
    futures: Callable[[Plan], list[str]],
    parse_day: Parse,
    mark_weight: int,
    dated_dataset: Literal["future_tickers", "perp_tickers"],  # where the tickers of dated futures are asked
) -> tuple[Endpoint, ...]:
    """What both venues answer; books and open interest are asked of perpetuals and dated futures alike."""
    mark, day = f"{root}/premiumIndex", f"{root}/ticker/24hr"
    price = f"{root.replace('v1', 'v[12]')}/ticker/price"
    parse = partial(parse_mark, market)

    def ask_all(path: str, *more: tuple[str, str]) -> Callable[[Plan], list[Request]]:
        return lambda plan: ask_each(path, perps(plan) + futures(plan), *more)

    def ask_perps(path: str) -> Callable[[Plan], list[Request]]:
        return lambda plan: ask_each(path, perps(plan))

    def ask_futures(path: str) -> Callable[[Plan], list[Request]]:
        return lambda plan: ask_each(path, futures(plan))

    return (
        Endpoint(
            "instruments",
            f"{root}/exchangeInfo",
            partial(parse_contracts, market),
            lambda plan: [Request(f"{root}/exchangeInfo")],
        ),
        Endpoint(
            dated_dataset,
            mark,
            parse,
            ask_futures(mark),
            weight=mark_weight,
            is_reference=True,
            when=is_dated,
        ),
        Endpoint("perp_tickers", mark, parse, ask_perps(mark), weight=mark_weight, is_reference=True),
        Endpoint(dated_dataset, day, parse_day, ask_futures(day), when=is_dated),
        Endpoint("perp_tickers", day, parse_day, ask_perps(day)),
        Endpoint(
            "order_books",
            f"{root}/depth",
            partial(parse_order_book, market),
            ask_all(f"{root}/depth", ("limit", "1000")),
            weight=20,
        ),
        Endpoint(
            "open_interest",
            f"{root}/openInterest",
            partial(parse_open_interest, market),
            ask_all(f"{root}/openInterest"),
        ),
        Endpoint(
            "trades",
            f"{root}/aggTrades",
            partial(parse_aggregate_trades, market),
            lambda plan: ask_trades(f"{root}/aggTrades", perps(plan), plan),
            weight=20,
            is_archived=True,
            follow=partial(follow_trades, market),
        ),
        Endpoint(
            "funding_rates",
            f"{root}/fundingRate",
            partial(parse_funding, market),
            lambda plan: ask_funding(f"{root}/fundingRate", perps(plan), plan),
            is_archived=True,
        ),
        Endpoint("trades", f"{root}/(trades|historicalTrades)", partial(parse_trades, market)),
        Endpoint("candles", f"{root}/klines", partial(parse_candles, market)),
        Endpoint("perp_tickers", f"{root}/ticker/bookTicker", partial(parse_book_ticker, market)),
        Endpoint("perp_tickers", price, partial(parse_last_price, market)),
    )


def refused(api: str) -> dict[str, str]:
    """Paths that are known and not read, with the reason; `api` is "fapi" or "dapi"."""
    root = f"/{api}/v[123]/"
    return {
        f"{root}fundingInfo": "intervals are read from consecutive settlements",
        f"{root}(markPrice|indexPrice|premiumIndex)Klines": "bars of what is not traded: not stored",
        f"{root}continuousKlines": "bars that change contract belong to no instrument",
        f"{root}(indexInfo|constituents|assetIndex)": "composition of indices: statistics we do not store",
        f"{root}(time|ping)": "carries no market data",
        "/futures/data/.*": "statistics we do not store",
        f"{root}(account.*|balance|income.*|allOrders|openOrders?|order.*|userTrades|positionRisk"
        "|forceOrders|commissionRate|leverageBracket)": "account endpoint: never read",
    }
