"""Binance's options: names, terms, the list of options and indices."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final, Literal

from msgspec import Raw, Struct

from ingestion.records import IndexPrice, Instrument, Kind
from ingestion.venues.base import Refused, Reply, decode, instant, rows
from ingestion.venues.binance import (
    Filter,
    Market,
    Price,
    Rows,
    entries,
    reader,
    refuse_failure,
    source,
    steps,
)
from ingestion.venues.wire import Name, agree, expiry, instrument

QUOTE: Final = "USDT"
CONTRACT_SIZE: Final = {"BTC": 1.0, "ETH": 1.0}  # `unit`; of other coins only the list says it
_NAME = re.compile(r"([A-Z0-9]+)-([0-9]{2})([0-9]{2})([0-9]{2})-([0-9]+(?:\.[0-9]+)?)-([CP])")


def read_name(symbol: str) -> Name:
    """What `BTC-251226-100000-C` says; `Refused` if it is none."""
    found = _NAME.fullmatch(symbol)
    if found is None:
        raise Refused("unknown_symbol", f"binance_options {symbol}: expected an option such as BTC-251226-100000-C")
    base, year, month, day, strike, right = found.groups()
    expiry_ts = expiry(int(year), int(month), int(day), symbol)
    option_type: Literal["call", "put"] = "call" if right == "C" else "put"
    return Name("option", base, QUOTE, QUOTE, False, expiry_ts, float(strike), option_type)


def terms(symbol: str, kind: Kind, at: datetime) -> Instrument:
    """An option by its name; a contract's size is documented for bitcoin and ether."""
    name = read_name(symbol)
    agree(symbol, "kind", name.kind, kind)
    if name.base_asset not in CONTRACT_SIZE:
        raise Refused("unknown_terms", f"{symbol}: contract size not documented here, only in an instrument list")
    return instrument(
        name,
        venue=MARKET.venue,
        symbol=symbol,
        captured_ts=at,
        contract_size=CONTRACT_SIZE[name.base_asset],
        amount_unit="contracts",
        terms_source="documented",
    )


MARKET = Market("binance_options", lambda symbol: "option", terms, form=_NAME)


class Listed(Struct, rename="camel"):
    """One row of `exchangeInfo`."""

    symbol: str
    side: Literal["CALL", "PUT"]
    strike_price: Price
    underlying: str
    unit: Price
    expiry_date: int
    quote_asset: str
    filters: list[Filter]


class Listing(Struct, rename="camel"):
    """`exchangeInfo`."""

    option_symbols: list[Raw]


class Index(Struct, rename="camel"):
    """`index`."""

    time: int
    index_price: Price


_LISTED, _LISTING, _INDEX = reader(Listed), reader(Listing), reader(Index)


def parse_options(reply: Reply) -> Rows:
    """Read `exchangeInfo`."""
    refuse_failure(MARKET, reply)
    listing = decode(_LISTING, reply.body, source(MARKET, reply))

    def read(row: Listed) -> Iterator[Instrument]:
        name = read_name(row.symbol)
        agree(row.symbol, "option type", name.option_type, row.side.lower())
        agree(row.symbol, "strike", name.strike_px, row.strike_price)
        agree(row.symbol, "quote", name.quote_asset, row.quote_asset)
        agree(row.symbol, "underlying", name.base_asset + name.quote_asset, row.underlying)
        agree(row.symbol, "expiry", name.expiry_ts, instant(row.expiry_date))
        tick, lot = steps(row.filters)
        yield instrument(
            name,
            venue=MARKET.venue,
            symbol=row.symbol,
            captured_ts=reply.captured_ts,
            contract_size=row.unit,
            amount_unit="contracts",
            terms_source="listed",
            tick_size_px=tick,
            lot_size_qty=lot,
        )

    return rows(_LISTED, listing.option_symbols, read)


def parse_index(reply: Reply) -> Rows:
    """Read `index`; which index it is stands only in the question."""
    asked = reply.query.get("underlying", "")
    base = asked.removesuffix(QUOTE)
    if not base or base == asked:
        raise Refused("unknown_symbol", f"{source(MARKET, reply)}: underlying '{asked}', expected one such as BTCUSDT")

    def read(row: Index) -> Iterator[IndexPrice]:
        yield IndexPrice(
            venue=MARKET.venue,
            symbol=asked,
            kind="spot",
            captured_ts=reply.captured_ts,
            event_ts=instant(row.time),
            base_asset=base,
            quote_asset=QUOTE,
            index_px=row.index_price,
        )

    return rows(_INDEX, entries(MARKET, reply), read)
