"""Binance's options: names, terms and replies. Sizes count contracts, premiums USDT; volatilities are decimals."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final, Literal

from msgspec import UNSET, Raw, Struct, UnsetType, field

from ingestion.records import IndexPrice, Instrument, Kind, OpenInterest, OptionQuote, OrderBook, Trade
from ingestion.venues.base import Refused, Reply, decode, instant, refuse_beyond_float64, rows
from ingestion.venues.binance import (
    Amount,
    Filter,
    Id,
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
from ingestion.venues.wire import Name, above_zero, agree, expiry, instrument

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


class Mark(Struct, rename="camel"):
    """One row of `mark`: volatilities are decimals, greeks in USDT; there is no clock."""

    symbol: str
    mark_price: Amount
    delta: Signed
    gamma: Signed
    vega: Signed
    theta: Signed
    bid_iv: Signed = field(name="bidIV")  # -1 where nobody bids, as askIV
    mark_iv: Signed = field(name="markIV")
    ask_iv: Signed = field(name="askIV")


class Day(Struct, rename="camel"):
    """One row of `ticker`; its clocks are those of trades, and its best prices have no sizes."""

    symbol: str
    last_price: Amount
    volume: Amount  # contracts
    bid_price: Amount
    ask_price: Amount
    exercise_price: Amount  # the index; in the last hour before an expiry the estimated settlement


class Interest(Struct, rename="camel"):
    """One row of `openInterest`: contracts; `sumOpenInterestUsd` beside it is their worth at the index."""

    symbol: str
    sum_open_interest: Amount
    timestamp: int


class Book(Struct, rename="camel"):
    """`depth`; the id was `u` until 2025."""

    bids: list[tuple[Price, Price]]
    asks: list[tuple[Price, Price]]
    matched_ms: int = field(name="T")
    last_update_id: Id | UnsetType = UNSET
    u: Id | UnsetType = UNSET


class Fill(Struct, rename="camel"):
    """One row of `trades`."""

    id: int | str
    symbol: str
    price: Price
    qty: Price
    side: Literal[1, -1]
    time: int


class Index(Struct, rename="camel"):
    """`index`."""

    time: int
    index_price: Price


_LISTED, _LISTING, _MARK, _DAY = reader(Listed), reader(Listing), reader(Mark), reader(Day)
_INTEREST, _BOOK, _FILL, _INDEX = reader(Interest), reader(Book), reader(Fill), reader(Index)


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


def parse_marks(reply: Reply) -> Rows:
    """Read `mark`."""

    def read(row: Mark) -> Iterator[OptionQuote]:
        yield OptionQuote(
            **identity(MARKET, reply, row.symbol),
            mark_px=above_zero(row.mark_price),
            bid_iv_ann=_volatility(row.bid_iv),
            mark_iv_ann=_volatility(row.mark_iv),
            ask_iv_ann=_volatility(row.ask_iv),
            delta=row.delta,
            gamma=row.gamma,
            vega=row.vega,
            theta=row.theta,
        )

    return rows(_MARK, entries(MARKET, reply), read)


def _volatility(value: float) -> float | None:
    return value if value > 0 else None


def parse_days(reply: Reply) -> Rows:
    """Read `ticker`."""

    def read(row: Day) -> Iterator[OptionQuote]:
        yield OptionQuote(
            **identity(MARKET, reply, row.symbol),
            bid_px=above_zero(row.bid_price),
            ask_px=above_zero(row.ask_price),
            last_px=above_zero(row.last_price),
            index_px=above_zero(row.exercise_price),
            volume_24h_qty=row.volume,
        )

    return rows(_DAY, entries(MARKET, reply), read)


def parse_open_interest(reply: Reply) -> Rows:
    """Read `openInterest` of one underlying and expiry."""

    def read(row: Interest) -> Iterator[OpenInterest]:
        yield OpenInterest(
            **identity(MARKET, reply, row.symbol, row.timestamp), open_interest_qty=row.sum_open_interest
        )

    return rows(_INTEREST, entries(MARKET, reply), read)


def parse_order_book(reply: Reply) -> Rows:
    """Read `depth`; whose book it is stands only in the question."""
    refuse_failure(MARKET, reply)
    refuse_beyond_float64(reply.body, source(MARKET, reply))
    book = decode(_BOOK, reply.body, source(MARKET, reply))
    update_id = book.u if book.last_update_id is UNSET else book.last_update_id
    if update_id is UNSET:
        raise Refused("schema", f"{source(MARKET, reply)}: a book without `lastUpdateId`, or `u` as before 2025")
    return iter(
        [
            OrderBook(
                **identity(MARKET, reply, reply.query.get("symbol", ""), book.matched_ms),
                sequence_id=update_id,
                bid_px=tuple(px for px, _ in book.bids),
                bid_qty=tuple(qty for _, qty in book.bids),
                ask_px=tuple(px for px, _ in book.asks),
                ask_qty=tuple(qty for _, qty in book.asks),
            )
        ]
    )


def parse_trades(reply: Reply) -> Rows:
    """Read `trades`. The direction is the taker's: the trade stream says BUY where the buyer is not the maker."""
    raws = entries(MARKET, reply)
    refuse_beyond_float64(reply.body, source(MARKET, reply))

    def read(fill: Fill) -> Iterator[Trade]:
        yield Trade(
            **identity(MARKET, reply, fill.symbol, fill.time),
            trade_id=str(fill.id),
            px=fill.price,
            qty=fill.qty,
            side="buy" if fill.side == 1 else "sell",
        )

    return rows(_FILL, raws, read)


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
