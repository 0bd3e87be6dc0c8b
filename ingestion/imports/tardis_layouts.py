"""The columns of Tardis's CSV files: https://docs.tardis.dev/downloadable-csv-files/data-types

Clocks are microseconds. An empty cell is absence.
"""

from collections.abc import Mapping
from typing import Literal, cast

import msgspec

from ingestion.imports.layouts import Layout, Row
from ingestion.venues.wire import Blank, Finite


class Line(Row):
    exchange: str
    symbol: str
    timestamp: int
    local_timestamp: int


class TradeLine(Line):
    """Of `trades` and of `liquidations` alike."""

    id: str
    side: Literal["buy", "sell", "unknown"]
    price: Finite
    amount: Finite


class Quote(Line):
    ask_amount: Finite | Blank
    ask_price: Finite | Blank
    bid_price: Finite | Blank
    bid_amount: Finite | Blank


class Ticker(Line):
    funding_timestamp: int | Blank
    funding_rate: Finite | Blank
    predicted_funding_rate: Finite | Blank
    open_interest: Finite | Blank
    last_price: Finite | Blank
    index_price: Finite | Blank
    mark_price: Finite | Blank


class Option(Line):
    type: Literal["call", "put"]
    strike_price: Finite
    expiration: int
    open_interest: Finite | Blank
    last_price: Finite | Blank
    bid_price: Finite | Blank
    bid_amount: Finite | Blank
    bid_iv: Finite | Blank
    ask_price: Finite | Blank
    ask_amount: Finite | Blank
    ask_iv: Finite | Blank
    mark_price: Finite | Blank
    mark_iv: Finite | Blank
    underlying_index: str
    underlying_price: Finite | Blank
    delta: Finite | Blank
    gamma: Finite | Blank
    vega: Finite | Blank
    theta: Finite | Blank
    rho: Finite | Blank


class Change(Line):
    is_snapshot: bool
    side: Literal["bid", "ask"]
    price: Finite
    amount: Finite


def book_snapshot(levels: int) -> type[Line]:
    """`asks[0].price`, `asks[0].amount`, `bids[0].price`, `bids[0].amount`, and so on outward."""
    names = [f"{side}[{n}].{what}" for n in range(levels) for side in ("asks", "bids") for what in ("price", "amount")]
    attributes = {f"level_{place}": name for place, name in enumerate(names)}
    fields = [(each, Finite | Blank) for each in attributes]
    return cast(type[Line], msgspec.defstruct(f"Snapshot{levels}", fields, bases=(Line,), rename=attributes))


def _timestamp(line: bytes) -> int:
    return int(line.split(b",", 3)[2])


def _local_timestamp(line: bytes) -> int:
    return int(line.split(b",", 4)[3])


def _symbol(line: bytes) -> bytes:
    return line.split(b",", 2)[1]


# What happened is placed by when it happened, what was seen by when Tardis saw it.
LAYOUTS: Mapping[str, Layout] = {
    "trades": Layout("trades", TradeLine, _timestamp),
    "liquidations": Layout("liquidations", TradeLine, _timestamp),
    "quotes": Layout(None, Quote, _local_timestamp, 1, _symbol),
    "book_ticker": Layout(None, Quote, _local_timestamp, 1, _symbol),
    "derivative_ticker": Layout(None, Ticker, _local_timestamp, 1, _symbol),
    "options_chain": Layout("option_quotes", Option, _local_timestamp, 60, _symbol),
    "book_snapshot_5": Layout("order_books", book_snapshot(5), _local_timestamp, 1, _symbol),
    "book_snapshot_25": Layout("order_books", book_snapshot(25), _local_timestamp, 1, _symbol),
    "incremental_book_L2": Layout("order_books", Change, _local_timestamp),
}
