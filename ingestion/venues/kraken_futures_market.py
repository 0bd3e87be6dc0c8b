"""Kraken Futures' tickers and books: what changes all the time.

Sizes, volumes and open interest count contracts: a US dollar each if inverse, a coin if linear.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec
from msgspec import Raw

from ingestion.records import FutureTicker, IndexPrice, Kind, OpenInterest, OrderBook, PerpTicker, Record
from ingestion.venues.base import Refused, Reject, Reply, decode, refuse_beyond_float64
from ingestion.venues.columnwise import from_written, where_given
from ingestion.venues.kraken_futures_names import read_index, read_name, spelled
from ingestion.venues.kraken_futures_replies import ABSENT, FUNDING_UNIT_S, answer, listed, seen_by
from ingestion.venues.ladders import Depths, Ladder, Who
from ingestion.venues.sheets import Columns, Page, Values
from ingestion.venues.wire import Finite, Name, touch

_RECORDS: dict[Kind, type[FutureTicker]] = {"perp": PerpTicker, "future": FutureTicker}


class _Named(msgspec.Struct):
    symbol: str


class _Ticker(msgspec.Struct, rename="camel"):
    symbol: str
    mark_price: Finite
    vol24h: Finite
    open_interest: Finite
    bid: Finite | None = None  # none where nothing rests
    bid_size: Finite | None = None
    ask: Finite | None = None
    ask_size: Finite | None = None
    last: Finite | None = None  # none where nothing traded yet
    index_price: Finite | None = None  # in replies since 2021, as `volumeQuote`
    volume_quote: Finite | None = None
    funding_rate: Finite | None = None  # perpetuals


class _Index(msgspec.Struct, rename="camel"):
    symbol: str
    last: Finite
    last_time: str


_NAMED = msgspec.json.Decoder(_Named)
_TICKER, _INDEX = msgspec.json.Decoder(_Ticker), msgspec.json.Decoder(_Index)


def _opened_tickers(reply: Reply) -> tuple[list[Raw], Callable[[Sequence[Raw]], list[Columns]]]:
    found = answer(reply)

    def columns(raws: Sequence[Raw]) -> list[Columns]:
        named = [(_NAMED.decode(raw).symbol, raw) for raw in raws]
        indices = [_INDEX.decode(raw) for symbol, raw in named if symbol.startswith("in_")]
        tickers = [_TICKER.decode(raw) for symbol, raw in named if not symbol.startswith(("in_", "rr_"))]
        return [
            *([_index_prices(indices)] if indices else []),
            *(_contracts(tickers, found.event_us) if tickers else []),
        ]

    return listed(found.tickers, reply) if found.ticker == ABSENT else [found.ticker], columns


def _index_prices(told: Sequence[_Index]) -> Columns:
    names = [read_index(index.symbol) for index in told]
    fields: dict[str, Values] = {
        "venue": "kraken_futures",
        "symbol": [index.symbol for index in told],
        "kind": "spot",
        "event_ts": from_written([index.last_time for index in told]),
        "base_asset": [base for base, _ in names],
        "quote_asset": [quote for _, quote in names],
        "index_px": [index.last for index in told],
    }
    return Columns(IndexPrice, len(told), fields)


def _contracts(told: Sequence[_Ticker], event_us: int | None) -> Iterator[Columns]:
    named = [(read_name(spelled(ticker.symbol)), ticker) for ticker in told]
    for kind, record in _RECORDS.items():
        ours = [(name, ticker) for name, ticker in named if name.kind == kind]
        if not ours:
            continue
        touches = [(touch(each.bid, each.bid_size), touch(each.ask, each.ask_size)) for _, each in ours]
        seen: dict[str, Values] = {
            "venue": "kraken_futures",
            "symbol": [spelled(ticker.symbol) for _, ticker in ours],
            "kind": kind,
            "event_ts": event_us,
        }
        quotes: dict[str, Values] = {
            "bid_px": [px for (px, _), _ in touches],
            "bid_qty": [qty for (_, qty), _ in touches],
            "ask_px": [px for _, (px, _) in touches],
            "ask_qty": [qty for _, (_, qty) in touches],
            "last_px": [ticker.last for _, ticker in ours],
            # One contract is a dollar if inverse, a coin if linear.
            "volume_24h_base": [None if name.is_inverse else ticker.vol24h for name, ticker in ours],
            "volume_24h_quote": [ticker.vol24h if name.is_inverse else ticker.volume_quote for name, ticker in ours],
            "mark_px": [ticker.mark_price for _, ticker in ours],
            "index_px": [ticker.index_price for _, ticker in ours],
        }
        funding: dict[str, Values] = {
            "funding_rate": [_relative(ticker, name) for name, ticker in ours],
            "funding_interval_s": [None if ticker.funding_rate is None else FUNDING_UNIT_S for _, ticker in ours],
        }
        yield Columns(record, len(ours), {**seen, **quotes, **(funding if kind == "perp" else {})})
        interest: list[float] = [ticker.open_interest for _, ticker in ours]
        yield Columns(OpenInterest, len(ours), {**seen, "open_interest_qty": interest})


def _relative(row: _Ticker, name: Name) -> float | None:
    """The funding rate as a fraction of the position.

    The venue's is what a short of one contract receives in an hour: quote currency a coin if linear, coin a dollar if
    inverse. Relative is "to the spot price at the time of the calculation", within the hour; where a reply does not
    state the index, the mark stands for it, and both differ by tenths of a percent.
    https://support.kraken.com/articles/4844359082772
    """
    if row.funding_rate is None:
        return None
    px = row.mark_price if row.index_price is None else row.index_price
    if px <= 0:
        raise Refused("schema", f"{row.symbol}: a funding rate beside a price of {px}")
    return row.funding_rate * px if name.is_inverse else row.funding_rate / px


# `tickers`, of all contracts or of one; until 2022 the indices stood among them.
# Of these a reference rate (`rr_`) is left out: it is fixed once a day, for settlement.
# https://docs.kraken.com/api/docs/futures-api/trading/get-tickers
parse_tickers = Page(_opened_tickers, Raw, strict=True)


_Level = tuple[Finite, Finite]


class _Book(msgspec.Struct):
    bids: list[_Level]
    asks: list[_Level]


class _Head(msgspec.Struct):
    """A book with its sides unread."""

    bids: Raw
    asks: Raw


class _Headed(msgspec.Struct, rename="camel"):
    """A reply that is one book, as `Answer` has it."""

    result: Literal["success"]
    order_book: _Head
    server_time: str | None = None
    error: str = ""


_BOOK, _HEADED = msgspec.json.Decoder(_Book), msgspec.json.Decoder(_Headed)


def parse_order_book(reply: Reply) -> Iterator[Record | Reject]:
    """`orderbook`, the whole of it; whose it is stands only in the question.

    https://docs.kraken.com/api/docs/futures-api/trading/get-orderbook
    """
    symbol = spelled(reply.query.get("symbol", ""))
    name = read_name(symbol)
    found = answer(reply)
    refuse_beyond_float64(reply.body, f"kraken_futures {symbol} book")
    book = decode(_BOOK, bytes(found.order_book), f"kraken_futures {reply.path}: orderBook")
    yield OrderBook(
        **seen_by(reply, symbol, name, found.event_ts),
        bid_px=tuple(px for px, _ in book.bids),
        bid_qty=tuple(qty for _, qty in book.bids),
        ask_px=tuple(px for px, _ in book.asks),
        ask_qty=tuple(qty for _, qty in book.asks),
    )


def _depths(asked: Reply, told: Sequence[_Headed]) -> Depths:
    symbol = spelled(asked.query.get("symbol", ""))
    heads = [each.order_book for each in told]
    return Depths(
        who=Who("kraken_futures", read_name(symbol).kind, symbol),
        sequence_id=None,
        event_us=where_given([each.server_time for each in told], from_written),
        bids=[head.bids for head in heads],
        asks=[head.asks for head in heads],
    )


order_books = Ladder(parse_order_book, _HEADED, _depths, level=b"[,]")
