"""KuCoin's spot replies and names. Sizes count base coin; trades are stamped in nanoseconds, candles in seconds."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

import msgspec

from ingestion.records import Candle, Instrument, Kind, OrderBook, Record, SpotTicker, Trade
from ingestion.venues.base import Refused, Reject, Reply, decode, instant, refuse_beyond_float64, rows
from ingestion.venues.columnwise import from_epoch
from ingestion.venues.grids import Fields, Grid
from ingestion.venues.kucoin_answers import answer, asked, entries, from_ns
from ingestion.venues.ladders import Depths, Ladder, Who
from ingestion.venues.sheets import Columns, HeadedSheet, Values
from ingestion.venues.wire import NAMES_KEPT, Finite, Name, Seen, agree, instrument

VENUE = "kucoin"
INTERVALS_S = {
    "1min": 60,
    "3min": 180,
    "5min": 300,
    "15min": 900,
    "30min": 1_800,
    "1hour": 3_600,
    "2hour": 7_200,
    "4hour": 14_400,
    "6hour": 21_600,
    "8hour": 28_800,
    "12hour": 43_200,
    "1day": 86_400,
    "1week": 604_800,
}

_NAME = re.compile(r"([^\W_]+)-([A-Z0-9]+)")


@lru_cache(maxsize=NAMES_KEPT)
def read_pair(symbol: str) -> Name:
    """The two sides of a spot pair."""
    found = _NAME.fullmatch(symbol)
    if found is None:
        raise Refused("unknown_symbol", f"{symbol}: no spot pair of KuCoin's grammar, such as BTC-USDT")
    return Name("spot", found[1], found[2], found[2])


def terms(symbol: str, kind: Kind, at: datetime) -> Instrument:
    """Terms by KuCoin's naming: https://www.kucoin.com/docs-new/rest/spot-trading/market-data/get-all-symbols"""
    name = read_pair(symbol)
    agree(symbol, "kind", name.kind, kind)
    return instrument(
        name,
        venue=VENUE,
        symbol=symbol,
        captured_ts=at,
        contract_size=1.0,
        amount_unit="base",
        terms_source="documented",
    )


def _seen(reply: Reply, symbol: str, event_ts: datetime | None = None) -> Seen:
    return {
        "venue": VENUE,
        "symbol": symbol,
        "kind": "spot",
        "captured_ts": reply.captured_ts,
        "event_ts": event_ts,
    }


class _Pair(msgspec.Struct, rename="camel"):
    symbol: str
    base_currency: str
    quote_currency: str
    base_increment: Finite
    price_increment: Finite


_PAIR = msgspec.json.Decoder(_Pair, strict=False)


def parse_pairs(reply: Reply) -> Iterator[Record | Reject]:
    """`v2/symbols`, with those that cannot be traded now."""

    def read(row: _Pair) -> list[Record]:
        return [
            instrument(
                Name("spot", row.base_currency, row.quote_currency, row.quote_currency),
                venue=VENUE,
                symbol=row.symbol,
                captured_ts=reply.captured_ts,
                contract_size=1.0,
                amount_unit="base",
                terms_source="listed",
                tick_size_px=row.price_increment,
                lot_size_qty=row.base_increment,
            )
        ]

    return rows(_PAIR, entries(reply, VENUE), read)


class _Tickers(msgspec.Struct):
    time: int
    ticker: list[msgspec.Raw]


class _Ticker(msgspec.Struct, rename="camel"):
    symbol: str
    buy: Finite | None  # null where nothing rests, as `sell`
    sell: Finite | None
    last: Finite | None  # null where nothing traded yet
    vol: Finite | None  # base coin
    vol_value: Finite | None  # quote currency
    best_bid_size: Finite | None = None  # not yet in 2020, as the other one
    best_ask_size: Finite | None = None


_TICKERS = msgspec.json.Decoder(_Tickers, strict=False)


def _listed_tickers(reply: Reply) -> tuple[int, list[msgspec.Raw]]:
    found = decode(_TICKERS, answer(reply, VENUE), f"{VENUE} {reply.path}: data")
    return int(from_epoch([found.time])[0]), found.ticker


def _ticker_columns(event_us: int, told: Sequence[_Ticker]) -> list[Columns]:
    """Of the best level old replies tell the price alone; with a size of zero there is none."""
    fields: dict[str, Values] = {
        "venue": VENUE,
        "symbol": [row.symbol for row in told],
        "kind": "spot",
        "event_ts": event_us,
        "bid_px": [row.buy or None if row.best_bid_size != 0 else None for row in told],
        "bid_qty": [row.best_bid_size or None if row.buy else None for row in told],
        "ask_px": [row.sell or None if row.best_ask_size != 0 else None for row in told],
        "ask_qty": [row.best_ask_size or None if row.sell else None for row in told],
        "last_px": [row.last or None for row in told],
        "volume_24h_base": [row.vol for row in told],
        "volume_24h_quote": [row.vol_value for row in told],
    }
    return [Columns(SpotTicker, len(told), fields)]


# `v1/market/allTickers`: one clock for all.
parse_tickers = HeadedSheet(_listed_tickers, _Ticker, _ticker_columns)


class _Book(msgspec.Struct):
    time: int
    sequence: int
    bids: list[tuple[Finite, Finite]]
    asks: list[tuple[Finite, Finite]]


class _Head(msgspec.Struct):
    """A book with its sides unread."""

    time: int
    sequence: int
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
    """`v1/market/orderbook/level2_…`; whose book it is stands only in the question."""
    symbol = asked(reply, VENUE)
    read_pair(symbol)
    refuse_beyond_float64(reply.body, f"{VENUE} {symbol} book")
    book = decode(_BOOK, answer(reply, VENUE), f"{VENUE} {reply.path}: data")
    yield OrderBook(
        **_seen(reply, symbol, instant(book.time)),
        sequence_id=book.sequence,
        bid_px=tuple(px for px, _ in book.bids),
        bid_qty=tuple(qty for _, qty in book.bids),
        ask_px=tuple(px for px, _ in book.asks),
        ask_qty=tuple(qty for _, qty in book.asks),
    )


def _depths(question: Reply, told: Sequence[_Headed]) -> Depths:
    symbol = asked(question, VENUE)
    read_pair(symbol)
    heads = [each.data for each in told]
    return Depths(
        who=Who(VENUE, "spot", symbol),
        sequence_id=[head.sequence for head in heads],
        event_us=[head.time * 1_000 for head in heads],
        bids=[head.bids for head in heads],
        asks=[head.asks for head in heads],
    )


order_books = Ladder(parse_order_book, _HEADED, _depths)


class _Trade(msgspec.Struct):
    sequence: str
    price: Finite
    size: Finite
    side: Literal["buy", "sell"]
    time: int


def _listed_trades(reply: Reply) -> msgspec.Raw:
    symbol = asked(reply, VENUE)
    read_pair(symbol)
    return msgspec.Raw(answer(reply, VENUE))


def _trade_columns(reply: Reply, fills: Fields[_Trade]) -> list[Columns]:
    fields: dict[str, Values] = {
        "venue": VENUE,
        "symbol": asked(reply, VENUE),
        "kind": "spot",
        "event_ts": from_ns(fills.time),
        "trade_id": fills.sequence,
        "px": fills.price,
        "qty": fills.size,
        "side": fills.side,
    }
    return [Columns(Trade, len(fills), fields)]


# `v1/market/histories`; `side` is the taker's, whose trades these are stands only in the question.
parse_trades = Grid(_listed_trades, _Trade, _trade_columns, is_exact=True)


class _Bar(msgspec.Struct, array_like=True):
    start_s: int
    open: Finite
    close: Finite
    high: Finite
    low: Finite
    volume_base: Finite
    volume_quote: Finite


_BAR = msgspec.json.Decoder(_Bar, strict=False)


def parse_candles(reply: Reply) -> Iterator[Record | Reject]:
    """`v1/market/candles`: the close comes second. A bar that is not over is left out."""
    symbol = asked(reply, VENUE)
    read_pair(symbol)
    name = reply.query.get("type", "")
    if name not in INTERVALS_S:
        raise Refused("interval", f"{VENUE} {reply.path}: type '{name}', expected one of {', '.join(INTERVALS_S)}")

    def read(bar: _Bar) -> list[Record]:
        start_ts, interval_s = instant(bar.start_s, 1.0), INTERVALS_S[name]
        if start_ts + timedelta(seconds=interval_s) > reply.captured_ts:
            return []
        return [
            Candle(
                **_seen(reply, symbol, start_ts),
                interval_s=interval_s,
                open_px=bar.open,
                high_px=bar.high,
                low_px=bar.low,
                close_px=bar.close,
                volume_base=bar.volume_base,
            )
        ]

    return rows(_BAR, entries(reply, VENUE), read)
