"""Kraken Futures' replies about what is now: lists, tickers and books. Numbers are bare, times ISO 8601.

Sizes, volumes and open interest count contracts: a US dollar each if inverse, a coin if linear.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime

import msgspec

from ingestion.records import FutureTicker, IndexPrice, Instrument, OpenInterest, OrderBook, PerpTicker, Record
from ingestion.venues.base import Refused, Reject, Reply, decode, refuse_beyond_float64, rows
from ingestion.venues.kraken_futures_names import STYLES, read_index, read_name, spelled, style
from ingestion.venues.wire import Finite, Name, Quotes, Seen, agree, instant_written, instrument, touch

FUNDING_UNIT_S = 3_600  # a rate is what one contract pays in an hour, whatever the period that it is set for
ABSENT = msgspec.Raw(b"null")


class Answer(msgspec.Struct, rename="camel"):
    """Any reply of the trading API; what it does not carry is `ABSENT`."""

    result: str
    server_time: str | None = None
    error: str = ""
    errors: msgspec.Raw = msgspec.Raw(b"[]")
    instruments: msgspec.Raw = ABSENT
    tickers: msgspec.Raw = ABSENT
    ticker: msgspec.Raw = ABSENT
    order_book: msgspec.Raw = ABSENT
    history: msgspec.Raw = ABSENT
    rates: msgspec.Raw = ABSENT

    @property
    def event_ts(self) -> datetime | None:
        return None if self.server_time is None else instant_written(self.server_time)


_ANSWER = msgspec.json.Decoder(Answer)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_RAW = msgspec.json.Decoder(msgspec.Raw)


def answer(reply: Reply) -> Answer:
    """The reply unwrapped; an error that Kraken reports with status 200 is `Refused`."""
    found = decode(_ANSWER, reply.body, f"kraken_futures {reply.path}")
    if found.result != "success":
        said = found.error or bytes(found.errors).decode(errors="replace")
        raise Refused("venue_error", f"kraken_futures {reply.path}: {found.result[:20]}, {said[:120]}")
    return found


def listed(raw: msgspec.Raw, reply: Reply) -> list[msgspec.Raw]:
    return decode(_LIST, bytes(raw), f"kraken_futures {reply.path}: list")


def seen_by(reply: Reply, symbol: str, name: Name, event_ts: datetime | None) -> Seen:
    return {
        "venue": "kraken_futures",
        "symbol": symbol,
        "kind": name.kind,
        "captured_ts": reply.captured_ts,
        "event_ts": event_ts,
    }


class _Listed(msgspec.Struct, rename="camel"):
    symbol: str
    type: str
    tick_size: Finite | None = None  # none for an index, as `contractSize`
    contract_size: Finite | None = None
    last_trading_time: str | None = None  # fixed maturities
    contract_value_trade_precision: int | None = None  # decimals of a size, negative for tens; in lists since 2022
    is_expired: bool = False


_LISTED = msgspec.json.Decoder(_Listed)


def parse_instruments(reply: Reply) -> Iterator[Record | Reject]:
    """`instruments`. Indices stand among them and are none.

    https://docs.kraken.com/api/docs/futures-api/trading/get-instruments
    """
    found = answer(reply)

    def read(row: _Listed) -> list[Record]:
        if row.type.endswith("index") or row.is_expired:
            return []
        return [_instrument(row, reply, found.event_ts)]

    return rows(_LISTED, listed(found.instruments, reply), read)


def _instrument(row: _Listed, reply: Reply, event_ts: datetime | None) -> Instrument:
    symbol = spelled(row.symbol)
    name = read_name(symbol)
    agree(symbol, "style", style(symbol), STYLES.get(row.type, row.type))
    ends = None if row.last_trading_time is None else instant_written(row.last_trading_time)
    agree(symbol, "last day", _day(name.expiry_ts), _day(ends))
    if row.tick_size is None or row.contract_size is None:
        raise Refused("schema", f"{symbol}: `tickSize` or `contractSize` is missing, which every contract has")
    decimals = row.contract_value_trade_precision
    return instrument(
        replace(name, expiry_ts=ends),
        venue="kraken_futures",
        symbol=symbol,
        captured_ts=reply.captured_ts,
        event_ts=event_ts,
        contract_size=row.contract_size,
        amount_unit="contracts",
        terms_source="listed",
        tick_size_px=row.tick_size,
        lot_size_qty=None if decimals is None else float(f"1e{-decimals}"),
    )


def _day(at: datetime | None) -> date | None:
    return None if at is None else at.date()


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
_TICKER = msgspec.json.Decoder(_Ticker)
_INDEX = msgspec.json.Decoder(_Index)


def parse_tickers(reply: Reply) -> Iterator[Record | Reject]:
    """`tickers`, of all contracts or of one; until 2022 the indices stood among them.

    Of these a reference rate (`rr_`) is left out: it is fixed once a day, for settlement.
    https://docs.kraken.com/api/docs/futures-api/trading/get-tickers
    """
    found = answer(reply)
    raws = listed(found.tickers, reply) if found.ticker == ABSENT else [found.ticker]

    def read(raw: msgspec.Raw) -> list[Record]:
        symbol = _NAMED.decode(raw).symbol
        if symbol.startswith("rr_"):
            return []
        if symbol.startswith("in_"):
            return [_index_price(_INDEX.decode(raw), reply)]
        return _contract(_TICKER.decode(raw), reply, found.event_ts)

    return rows(_RAW, raws, read)


def _index_price(row: _Index, reply: Reply) -> IndexPrice:
    base, quote = read_index(row.symbol)
    seen = seen_by(reply, row.symbol, Name("spot", base, quote, quote), instant_written(row.last_time))
    return IndexPrice(**seen, base_asset=base, quote_asset=quote, index_px=row.last)


def _contract(row: _Ticker, reply: Reply, event_ts: datetime | None) -> list[Record]:
    symbol = spelled(row.symbol)
    name = read_name(symbol)
    seen = seen_by(reply, symbol, name, event_ts)
    bid_px, bid_qty = touch(row.bid, row.bid_size)
    ask_px, ask_qty = touch(row.ask, row.ask_size)
    quotes: Quotes = {
        "bid_px": bid_px,
        "bid_qty": bid_qty,
        "ask_px": ask_px,
        "ask_qty": ask_qty,
        "last_px": row.last,
        # One contract is a dollar if inverse, a coin if linear.
        "volume_24h_base": None if name.is_inverse else row.vol24h,
        "volume_24h_quote": row.vol24h if name.is_inverse else row.volume_quote,
    }
    interest = OpenInterest(**seen, open_interest_qty=row.open_interest)
    if name.kind == "future":
        return [FutureTicker(**seen, **quotes, mark_px=row.mark_price, index_px=row.index_price), interest]
    perp = PerpTicker(
        **seen,
        **quotes,
        mark_px=row.mark_price,
        index_px=row.index_price,
        funding_rate=_relative(row, name),
        funding_interval_s=None if row.funding_rate is None else FUNDING_UNIT_S,
    )
    return [perp, interest]


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


_Level = tuple[Finite, Finite]


class _Book(msgspec.Struct):
    bids: list[_Level]
    asks: list[_Level]


_BOOK = msgspec.json.Decoder(_Book)


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
