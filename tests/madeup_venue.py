"""Made up: perpetuals whose contract is a hundredth of a coin, priced in USDT.

https://docs.madeup.example/
A venue's whole module: tests/test_adding_a_venue.py lays it into a copy of the tree, as `ingestion/venues/madeup.py`.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import msgspec

from ingestion.records import Instrument, Kind, OpenInterest, OrderBook, PerpTicker, Record, Trade
from ingestion.venues.base import (
    Endpoint,
    Plan,
    Refused,
    Reject,
    Reply,
    Request,
    Venue,
    decode,
    instant,
    refuse_beyond_float64,
    rows,
)
from ingestion.venues.spans import epoch_ms
from ingestion.venues.wire import Finite, Name, Seen, instrument

DOCS = "https://docs.madeup.example/"
CONTRACT_SIZE = 0.01  # coin
EIGHT_HOURS_S = 28_800

Level = tuple[Finite, Finite]  # price, contracts


class _Contract(msgspec.Struct):
    symbol: str
    tick: Finite
    contract: Finite


class _Book(msgspec.Struct):
    symbol: str
    ts: int  # milliseconds, as everywhere here
    bids: list[Level]
    asks: list[Level]


class _Ticker(msgspec.Struct):
    symbol: str
    ts: int
    mark: Finite
    index: Finite
    funding: Finite  # of eight hours; longs pay what is over zero
    open_contracts: Finite


class _Trade(msgspec.Struct):
    id: int
    symbol: str
    ts: int
    px: Finite
    contracts: Finite
    taker: Literal["buy", "sell"]


_CONTRACT, _TRADE = (msgspec.json.Decoder(row, strict=False) for row in (_Contract, _Trade))
_BOOK, _TICKER = (msgspec.json.Decoder(row, strict=False) for row in (_Book, _Ticker))
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])


def _seen(symbol: str, reply: Reply, ts: int) -> Seen:
    return {
        "venue": "madeup",
        "symbol": symbol,
        "kind": "perp",
        "captured_ts": reply.captured_ts,
        "event_ts": instant(ts),
    }


def terms(symbol: str, kind: Kind, at: datetime) -> Instrument:
    """`BTC_PERP`; anything else is `Refused`."""
    base, _, rest = symbol.partition("_")
    if rest != "PERP" or not base.isalpha() or kind != "perp":
        raise Refused("unknown_symbol", f"{symbol}: expected a coin and _PERP")
    return instrument(
        Name("perp", base, "USDT", "USDT"),
        venue="madeup",
        symbol=symbol,
        captured_ts=at,
        contract_size=CONTRACT_SIZE,
        amount_unit="contracts",
        terms_source="documented",
        funding_interval_s=EIGHT_HOURS_S,
    )


def parse_contracts(reply: Reply) -> Iterator[Record | Reject]:
    """`/contracts`: all of them."""

    def read(row: _Contract) -> list[Record]:
        known = terms(row.symbol, "perp", reply.captured_ts)
        return [
            msgspec.structs.replace(
                known, contract_size=row.contract, tick_size_px=row.tick, lot_size_qty=1.0, terms_source="listed"
            )
        ]

    yield from rows(_CONTRACT, decode(_ROWS, reply.body, "contracts"), read)


def parse_order_book(reply: Reply) -> Iterator[Record | Reject]:
    """`/book`: levels from the touch outward."""
    refuse_beyond_float64(reply.body, "book")
    book = decode(_BOOK, reply.body, "book")
    yield OrderBook(
        **_seen(book.symbol, reply, book.ts),
        bid_px=tuple(px for px, _ in book.bids),
        bid_qty=tuple(qty for _, qty in book.bids),
        ask_px=tuple(px for px, _ in book.asks),
        ask_qty=tuple(qty for _, qty in book.asks),
    )


def parse_ticker(reply: Reply) -> Iterator[Record | Reject]:
    """`/ticker`: prices, the running funding rate and what is open."""
    said = decode(_TICKER, reply.body, "ticker")
    seen = _seen(said.symbol, reply, said.ts)
    yield PerpTicker(
        **seen,
        mark_px=said.mark,
        index_px=said.index,
        funding_rate=said.funding,
        funding_interval_s=EIGHT_HOURS_S,
    )
    yield OpenInterest(**seen, open_interest_qty=said.open_contracts)


def parse_trades(reply: Reply) -> Iterator[Record | Reject]:
    """`/trades`: of a span, oldest first."""
    refuse_beyond_float64(reply.body, "trades")

    def read(row: _Trade) -> list[Record]:
        seen = _seen(row.symbol, reply, row.ts)
        return [Trade(**seen, trade_id=str(row.id), px=row.px, qty=row.contracts, side=row.taker)]

    yield from rows(_TRADE, decode(_ROWS, reply.body, "trades"), read)


def _each(path: str, plan: Plan, *more: tuple[str, str]) -> list[Request]:
    symbols = plan.symbols("perp") or [f"{coin}_PERP" for coin in plan.underlyings]
    return [Request(path, (("symbol", symbol), *more)) for symbol in symbols]


def _span(plan: Plan) -> tuple[tuple[str, str], ...]:
    return ("from", str(epoch_ms(plan.start_ts))), ("to", str(epoch_ms(plan.end_ts)))


MADEUP = Venue(
    name="madeup",
    base_url="https://api.madeup.example",
    docs_url=DOCS,
    endpoints=(
        Endpoint("instruments", "/contracts", parse_contracts, lambda plan: [Request("/contracts")], proof="sandbox"),
        Endpoint("order_books", "/book", parse_order_book, lambda plan: _each("/book", plan), proof="sandbox"),
        Endpoint("perp_tickers", "/ticker", parse_ticker, lambda plan: _each("/ticker", plan), proof="sandbox"),
        Endpoint(
            "trades",
            "/trades",
            parse_trades,
            lambda plan: _each("/trades", plan, *_span(plan)),
            is_archived=True,
            history="a year",
            proof="sandbox",
        ),
    ),
    terms=terms,
    weight_per_minute=600,
    told_within=("open_interest",),
)
