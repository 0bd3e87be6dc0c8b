"""Binance options' quotes, open interest, books and trades.

Sizes count contracts, premiums USDT; volatilities are decimals.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from msgspec import UNSET, Raw, Struct, UnsetType, field

from ingestion.records import OpenInterest, OptionQuote, OrderBook, Trade
from ingestion.venues.base import EARLIEST, Refused, Reply, decode, refuse_beyond_float64
from ingestion.venues.binance import (
    Amount,
    Id,
    Price,
    Rows,
    Signed,
    entries,
    identity,
    reader,
    refuse_failure,
    source,
)
from ingestion.venues.binance_options_replies import MARKET
from ingestion.venues.bulk import Unplain
from ingestion.venues.columnwise import from_epoch
from ingestion.venues.ladders import Depths, Ladder, Who
from ingestion.venues.sheets import Columns, Sheet, Values
from ingestion.venues.wire import NAMES_KEPT


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


class Head(Struct, rename="camel"):
    """`depth` with its sides unread, and what marks it as a failure."""

    bids: Raw
    asks: Raw
    matched_ms: int = field(name="T")
    last_update_id: Id | UnsetType = UNSET
    u: Id | UnsetType = UNSET
    code: int | UnsetType = UNSET
    msg: str | UnsetType = UNSET


class Fill(Struct, rename="camel"):
    """One row of `trades`."""

    id: int | str
    symbol: str
    price: Price
    qty: Price
    side: Literal[1, -1]
    time: int


_BOOK, _HEAD = reader(Book), reader(Head)


def _listed(reply: Reply) -> list[Raw]:
    return entries(MARKET, reply)


def _symbols(reply: Reply, told: Sequence[Mark | Day | Interest | Fill]) -> list[str]:
    """Whose the rows are; `Refused` as `identity`."""
    asked = reply.query.get("symbol", "")
    return [_known(reply.path, asked, row.symbol) for row in told]


@lru_cache(maxsize=NAMES_KEPT)
def _known(path: str, asked: str, symbol: str) -> str:
    return identity(MARKET, Reply(path, {"symbol": asked}, b"", EARLIEST), symbol)["symbol"]


def _mark_columns(reply: Reply, told: Sequence[Mark]) -> list[Columns]:
    fields: dict[str, Values] = {
        "venue": MARKET.venue,
        "symbol": _symbols(reply, told),
        "kind": "option",
        "mark_px": [row.mark_price or None for row in told],
        "bid_iv_ann": [row.bid_iv if row.bid_iv > 0 else None for row in told],
        "mark_iv_ann": [row.mark_iv if row.mark_iv > 0 else None for row in told],
        "ask_iv_ann": [row.ask_iv if row.ask_iv > 0 else None for row in told],
        "delta": [row.delta for row in told],
        "gamma": [row.gamma for row in told],
        "vega": [row.vega for row in told],
        "theta": [row.theta for row in told],
    }
    return [Columns(OptionQuote, len(told), fields)]


# `mark`.
parse_marks = Sheet(_listed, Mark, _mark_columns)


def _day_columns(reply: Reply, told: Sequence[Day]) -> list[Columns]:
    fields: dict[str, Values] = {
        "venue": MARKET.venue,
        "symbol": _symbols(reply, told),
        "kind": "option",
        "bid_px": [row.bid_price or None for row in told],
        "ask_px": [row.ask_price or None for row in told],
        "last_px": [row.last_price or None for row in told],
        "index_px": [row.exercise_price or None for row in told],
        "volume_24h_qty": [row.volume for row in told],
    }
    return [Columns(OptionQuote, len(told), fields)]


# `ticker`.
parse_days = Sheet(_listed, Day, _day_columns)


def _interest_columns(reply: Reply, told: Sequence[Interest]) -> list[Columns]:
    fields: dict[str, Values] = {
        "venue": MARKET.venue,
        "symbol": _symbols(reply, told),
        "kind": "option",
        "event_ts": from_epoch([row.timestamp for row in told]),
        "open_interest_qty": [row.sum_open_interest for row in told],
    }
    return [Columns(OpenInterest, len(told), fields)]


# `openInterest` of one underlying and expiry.
parse_open_interest = Sheet(_listed, Interest, _interest_columns)


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


def _depths(asked: Reply, heads: Sequence[Head]) -> Depths:
    if any(head.code is not UNSET or head.msg is not UNSET for head in heads):
        raise Unplain(asked.path)
    symbol = asked.query.get("symbol", "")
    return Depths(
        who=Who(MARKET.venue, "option", _known(asked.path, symbol, symbol)),
        sequence_id=[_update_id(head) for head in heads],
        event_us=[head.matched_ms * 1_000 for head in heads],
        bids=[head.bids for head in heads],
        asks=[head.asks for head in heads],
    )


def _update_id(head: Head) -> int:
    update_id = head.u if head.last_update_id is UNSET else head.last_update_id
    if update_id is UNSET:
        raise Unplain("a book without an id")
    return update_id


order_books = Ladder(parse_order_book, _HEAD, _depths)


def _listed_trades(reply: Reply) -> list[Raw]:
    raws = entries(MARKET, reply)
    refuse_beyond_float64(reply.body, source(MARKET, reply))
    return raws


def _trade_columns(reply: Reply, fills: Sequence[Fill]) -> list[Columns]:
    fields: dict[str, Values] = {
        "venue": MARKET.venue,
        "symbol": _symbols(reply, fills),
        "kind": "option",
        "event_ts": from_epoch([fill.time for fill in fills]),
        "trade_id": [str(fill.id) for fill in fills],
        "px": [fill.price for fill in fills],
        "qty": [fill.qty for fill in fills],
        "side": ["buy" if fill.side == 1 else "sell" for fill in fills],
    }
    return [Columns(Trade, len(fills), fields)]


# `trades`. The direction is the taker's: the trade stream says BUY where the buyer is not the maker.
parse_trades = Sheet(_listed_trades, Fill, _trade_columns)
