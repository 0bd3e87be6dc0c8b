"""KuCoin Futures' contracts, tickers, books and trades.

Sizes count contracts; books and trades are stamped in nanoseconds.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from ingestion.records import (
    FutureTicker,
    Instrument,
    Kind,
    OpenInterest,
    OrderBook,
    PerpTicker,
    Record,
    Trade,
)
from ingestion.venues.base import Refused, Reject, Reply, decode, instant, refuse_beyond_float64, rows
from ingestion.venues.grids import Fields, Grid
from ingestion.venues.kucoin_answers import answer, asked, at_ns, entries, from_ns
from ingestion.venues.kucoin_futures_names import INVERSE_SIZE, VENUE, coin, read_name
from ingestion.venues.ladders import Depths, Ladder, Who, each_named
from ingestion.venues.sheets import Columns, Sheet, Values
from ingestion.venues.wire import Finite, Name, Quotes, Seen, above_zero, agree, instrument

KINDS: dict[str, Kind] = {"FFWCSX": "perp", "FFICSX": "future"}


def seen_by(reply: Reply, symbol: str, kind: Kind, event_ts: datetime | None = None) -> Seen:
    return {
        "venue": VENUE,
        "symbol": symbol,
        "kind": kind,
        "captured_ts": reply.captured_ts,
        "event_ts": event_ts,
    }


class _Contract(msgspec.Struct, rename="camel"):
    symbol: str
    type: Literal["FFWCSX", "FFICSX"]  # perpetual, dated
    base_currency: str
    quote_currency: str
    settle_currency: str
    multiplier: Finite  # base coin; -1 where a contract is 1 US dollar
    is_inverse: bool
    lot_size: Finite
    tick_size: Finite
    expire_date: int | None  # of a perpetual too, once it is to be delisted
    open_interest: Finite
    mark_price: Finite | None
    index_price: Finite | None
    last_trade_price: Finite | None
    volume_of24h: Finite = msgspec.field(name="volumeOf24h")  # base coin; of inverse contracts US dollars
    turnover_of24h: Finite = msgspec.field(name="turnoverOf24h")  # quote currency; of inverse ones -base coin
    funding_fee_rate: Finite | None = None  # dated contracts have none of these
    funding_rate_granularity: int | None = None  # milliseconds, of the periods to come
    current_funding_rate_granularity: int | None = None  # of the running one, where it differs or not
    next_funding_rate_date_time: int | None = None  # `nextFundingRateTime` is a countdown


_CONTRACT = msgspec.json.Decoder(_Contract, strict=False)


def parse_contracts(reply: Reply) -> Iterator[Record | Reject]:
    """`v1/contracts/active`: terms, prices, funding and open interest of all contracts; it carries no clock.

    `isQuanto` is set for some linear contracts and not for others, and means nothing.
    """

    def read(row: _Contract) -> list[Record]:
        kind, name = KINDS[row.type], read_name(row.symbol)
        agree(row.symbol, "kind", name.kind, kind)
        agree(row.symbol, "base", name.base_asset, coin(row.base_currency))
        agree(row.symbol, "quote", name.quote_asset, row.quote_currency)
        agree(row.symbol, "inverse", name.is_inverse, row.is_inverse)
        seen = seen_by(reply, row.symbol, kind)
        interval_ms = row.current_funding_rate_granularity or row.funding_rate_granularity
        interval_s = None if interval_ms is None else interval_ms // 1_000
        quotes: Quotes = {
            "bid_px": None,
            "bid_qty": None,
            "ask_px": None,
            "ask_qty": None,
            "last_px": above_zero(row.last_trade_price),
            "volume_24h_base": abs(row.turnover_of24h) if row.is_inverse else row.volume_of24h,
            "volume_24h_quote": row.volume_of24h if row.is_inverse else row.turnover_of24h,
        }
        mark_px, index_px = above_zero(row.mark_price), above_zero(row.index_price)
        ticker = FutureTicker(**seen, **quotes, mark_px=mark_px, index_px=index_px)
        if kind == "perp":
            due = row.next_funding_rate_date_time
            ticker = PerpTicker(
                **seen,
                **quotes,
                mark_px=mark_px,
                index_px=index_px,
                funding_rate=row.funding_fee_rate,
                funding_interval_s=interval_s,
                next_funding_ts=None if due is None else instant(due),
            )
        return [
            _listed(row, kind, reply, interval_s),
            ticker,
            OpenInterest(**seen, open_interest_qty=row.open_interest),
        ]

    return rows(_CONTRACT, entries(reply, VENUE), read)


def _listed(row: _Contract, kind: Kind, reply: Reply, interval_s: int | None) -> Instrument:
    base, settle = coin(row.base_currency), coin(row.settle_currency)
    if settle != (base if row.is_inverse else row.quote_currency):
        raise Refused("unknown_terms", f"{row.symbol}: settled in {settle}, which neither inverse nor linear ones are")
    if kind == "future" and row.expire_date is None:
        raise Refused("schema", f"{row.symbol}: no expireDate, which every dated contract has")
    is_dollar = row.is_inverse and row.multiplier == -INVERSE_SIZE
    if not is_dollar and (row.is_inverse or row.multiplier <= 0):
        raise Refused("contradiction", f"{row.symbol}: multiplier {row.multiplier} with isInverse {row.is_inverse}")
    expiry_ts = instant(row.expire_date) if kind == "future" and row.expire_date is not None else None
    return instrument(
        Name(kind, base, row.quote_currency, settle, row.is_inverse, expiry_ts),
        venue=VENUE,
        symbol=row.symbol,
        captured_ts=reply.captured_ts,
        contract_size=INVERSE_SIZE if is_dollar else row.multiplier,
        amount_unit="contracts",
        terms_source="listed",
        tick_size_px=row.tick_size,
        lot_size_qty=row.lot_size,
        funding_interval_s=interval_s if kind == "perp" else None,
    )


class _Ticker(msgspec.Struct, rename="camel"):
    symbol: str
    price: Finite | None  # null where nothing traded yet
    best_bid_price: Finite | None
    best_bid_size: Finite | None
    best_ask_price: Finite | None
    best_ask_size: Finite | None


def _listed_tickers(reply: Reply) -> list[msgspec.Raw]:
    return entries(reply, VENUE)


def _ticker_columns(_: Reply, told: Sequence[_Ticker]) -> list[Columns]:
    kinds = [read_name(row.symbol).kind for row in told]
    return [
        _quoted(kind, [row for row, its in zip(told, kinds, strict=True) if its == kind]) for kind in sorted(set(kinds))
    ]


def _quoted(kind: Kind, told: Sequence[_Ticker]) -> Columns:
    fields: dict[str, Values] = {
        "venue": VENUE,
        "symbol": [row.symbol for row in told],
        "kind": kind,
        "bid_px": [row.best_bid_price or None if row.best_bid_size else None for row in told],
        "bid_qty": [row.best_bid_size or None if row.best_bid_price else None for row in told],
        "ask_px": [row.best_ask_price or None if row.best_ask_size else None for row in told],
        "ask_qty": [row.best_ask_size or None if row.best_ask_price else None for row in told],
        "last_px": [row.price or None for row in told],
    }
    return Columns(PerpTicker if kind == "perp" else FutureTicker, len(told), fields)


# `v1/allTickers`. `ts` is when the last trade filled; of the quotes no instant is told.
parse_tickers = Sheet(_listed_tickers, _Ticker, _ticker_columns)


class _Book(msgspec.Struct):
    symbol: str
    sequence: int
    ts: int
    bids: list[tuple[Finite, Finite]]
    asks: list[tuple[Finite, Finite]]


class _Head(msgspec.Struct):
    """A book with its sides unread."""

    symbol: str
    sequence: int
    ts: int
    bids: msgspec.Raw
    asks: msgspec.Raw


class _Headed(msgspec.Struct):
    """A reply that is one book."""

    code: Literal["200000"]
    data: _Head
    msg: str = ""


_BOOK = msgspec.json.Decoder(_Book, strict=False)
_HEADED = msgspec.json.Decoder(_Headed, strict=False)


def parse_order_book(reply: Reply) -> Iterator[Record | Reject]:
    """`v1/level2/…`."""
    refuse_beyond_float64(reply.body, f"{VENUE} {reply.query.get('symbol', '')} book")
    book = decode(_BOOK, answer(reply, VENUE), f"{VENUE} {reply.path}: data")
    yield OrderBook(
        **seen_by(reply, book.symbol, read_name(book.symbol).kind, at_ns(book.ts)),
        sequence_id=book.sequence,
        bid_px=tuple(px for px, _ in book.bids),
        bid_qty=tuple(qty for _, qty in book.bids),
        ask_px=tuple(px for px, _ in book.asks),
        ask_qty=tuple(qty for _, qty in book.asks),
    )


def _depths(_: Reply, told: Sequence[_Headed]) -> Depths:
    heads = [each.data for each in told]
    return Depths(
        who=each_named([head.symbol for head in heads], lambda symbol: Who(VENUE, read_name(symbol).kind, symbol)),
        sequence_id=[head.sequence for head in heads],
        event_us=[head.ts // 1_000 for head in heads],
        bids=[head.bids for head in heads],
        asks=[head.asks for head in heads],
    )


order_books = Ladder(parse_order_book, _HEADED, _depths, b"[,]")


class _Trade(msgspec.Struct, rename="camel"):
    trade_id: str
    ts: int
    size: Finite
    price: Finite
    side: Literal["buy", "sell"]


def _listed_trades(reply: Reply) -> msgspec.Raw:
    symbol = asked(reply, VENUE)
    read_name(symbol)
    return msgspec.Raw(answer(reply, VENUE))


def _trade_columns(reply: Reply, fills: Fields[_Trade]) -> list[Columns]:
    symbol = asked(reply, VENUE)
    fields: dict[str, Values] = {
        "venue": VENUE,
        "symbol": symbol,
        "kind": read_name(symbol).kind,
        "event_ts": from_ns(fills.ts),
        "trade_id": fills.trade_id,
        "px": fills.price,
        "qty": fills.size,
        "side": fills.side,
    }
    return [Columns(Trade, len(fills), fields)]


# `v1/trade/history`; `side` is the taker's, whose trades these are stands only in the question.
parse_trades = Grid(_listed_trades, _Trade, _trade_columns, is_exact=True)
