"""Coinbase Exchange's replies: decimals as strings, sizes in base coin, times in ISO 8601.

Whose a reply is stands only in its path.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from ingestion.records import Candle, Instrument, Kind, OrderBook, Record, SpotTicker, Trade
from ingestion.venues.base import ANY, Refused, Reject, Reply, Request, decode, instant, refuse_beyond_float64, rows
from ingestion.venues.bulk import Unplain
from ingestion.venues.columnwise import from_written, one_of, sides, where_given
from ingestion.venues.grids import Fields, Grid
from ingestion.venues.ladders import Depths, Ladder, Who
from ingestion.venues.sheets import Columns, Values
from ingestion.venues.wire import Finite, Name, Seen, above_zero, agree, instant_written, instrument

TRADES_A_PAGE = 1_000
GRANULARITIES_S = (60, 300, 900, 3_600, 21_600, 86_400)

_NAME = re.compile(r"(?P<base>[A-Z0-9]+)-(?P<quote>[A-Z0-9]+)")
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def read_name(symbol: str) -> Name:
    """What a product's id says, such as `BTC-USD`; anything else is `Refused`."""
    found = _NAME.fullmatch(symbol)
    if found is None:
        raise Refused("unknown_symbol", f"coinbase {symbol}: expected a pair such as BTC-USD")
    return Name("spot", found["base"], found["quote"], found["quote"])


def terms(symbol: str, kind: Kind, at: datetime) -> Instrument:
    """A pair by its name: Coinbase Exchange lists spot alone."""
    name = read_name(symbol)
    agree(symbol, "kind", name.kind, kind)
    return instrument(
        name,
        venue="coinbase",
        symbol=symbol,
        captured_ts=at,
        contract_size=1.0,
        amount_unit="base",
        terms_source="documented",
    )


def _asked(reply: Reply) -> str:
    symbol = reply.path.split("/")[2].upper()  # the venue does not mind how it is asked for btc-usd
    read_name(symbol)
    return symbol


def _listed(reply: Reply) -> list[msgspec.Raw]:
    return decode(_LIST, reply.body, f"coinbase {reply.path}")


def _seen(reply: Reply, symbol: str, event_ts: datetime | None) -> Seen:
    return {
        "venue": "coinbase",
        "symbol": symbol,
        "kind": "spot",
        "captured_ts": reply.captured_ts,
        "event_ts": event_ts,
    }


class _Product(msgspec.Struct):
    id: str
    base_currency: str
    quote_currency: str
    quote_increment: Finite  # the price's step
    base_increment: Finite | None = None  # the size's; in lists since 2018
    status: str = ""


_PRODUCT = msgspec.json.Decoder(_Product, strict=False)


def parse_products(reply: Reply) -> Iterator[Record | Reject]:
    """`/products`. A pair once delisted stays in the list for good, and is no instrument.

    https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-all-trading-pairs
    """

    def read(row: _Product) -> list[Record]:
        name = read_name(row.id)
        agree(row.id, "base", name.base_asset, row.base_currency)
        agree(row.id, "quote", name.quote_asset, row.quote_currency)
        if row.status == "delisted":
            return []
        return [
            instrument(
                name,
                venue="coinbase",
                symbol=row.id,
                captured_ts=reply.captured_ts,
                contract_size=1.0,
                amount_unit="base",
                terms_source="listed",
                tick_size_px=row.quote_increment,
                lot_size_qty=row.base_increment,
            )
        ]

    return rows(_PRODUCT, _listed(reply), read)


_Level = tuple[Finite, Finite, int]  # price, size, number of orders; at level 3 an order's id instead


class _Book(msgspec.Struct):
    sequence: int
    bids: list[_Level]
    asks: list[_Level]
    auction_mode: bool = False  # in replies since 2021, as `time`
    time: str | None = None


class _Head(msgspec.Struct):
    sequence: int
    bids: msgspec.Raw
    asks: msgspec.Raw
    auction_mode: bool = False
    time: str | None = None


_BOOK, _HEAD = msgspec.json.Decoder(_Book, strict=False), msgspec.json.Decoder(_Head, strict=False)


def parse_order_book(reply: Reply) -> Iterator[Record | Reject]:
    """`/products/…/book`, of level 1 or 2: the best or all prices with the sum of the orders at each.

    In an auction it holds an indicative quote that nobody can trade on, and is `Refused`.
    https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-product-book
    """
    symbol = _asked(reply)
    book = decode(_BOOK, reply.body, f"coinbase {reply.path}")
    refuse_beyond_float64(reply.body, f"coinbase {symbol} book")
    if book.auction_mode:
        raise Refused("auction", f"coinbase {symbol}: an auction's indicative quote is no book")
    yield OrderBook(
        **_seen(reply, symbol, None if book.time is None else instant_written(book.time)),
        sequence_id=book.sequence,
        bid_px=tuple(level[0] for level in book.bids),
        bid_qty=tuple(level[1] for level in book.bids),
        ask_px=tuple(level[0] for level in book.asks),
        ask_qty=tuple(level[1] for level in book.asks),
    )


def _depths(asked: Reply, heads: Sequence[_Head]) -> Depths:
    if any(head.auction_mode for head in heads):
        raise Unplain(asked.path)
    return Depths(
        who=Who("coinbase", "spot", _asked(asked)),
        sequence_id=[head.sequence for head in heads],
        event_us=where_given([head.time for head in heads], from_written),
        bids=[head.bids for head in heads],
        asks=[head.asks for head in heads],
    )


order_books = Ladder(parse_order_book, _HEAD, _depths, level=b'["","",]')


class _Ticker(msgspec.Struct):
    price: Finite
    bid: Finite
    ask: Finite
    volume: Finite


_TICKER = msgspec.json.Decoder(_Ticker, strict=False)


def parse_ticker(reply: Reply) -> Iterator[Record | Reject]:
    """`/products/…/ticker`: the last trade, and the touch without its sizes; `time` is the trade's, the touch has none.

    https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-product-ticker
    """
    symbol = _asked(reply)
    ticker = decode(_TICKER, reply.body, f"coinbase {reply.path}")
    yield SpotTicker(
        **_seen(reply, symbol, None),
        bid_px=above_zero(ticker.bid),
        ask_px=above_zero(ticker.ask),
        last_px=above_zero(ticker.price),
        volume_24h_base=ticker.volume,
    )


class _Trade(msgspec.Struct):
    trade_id: int
    price: Finite
    size: Finite
    side: Literal["buy", "sell"]  # the maker's
    time: str


_TRADE = msgspec.json.Decoder(_Trade, strict=False)


def _listed_trades(reply: Reply) -> msgspec.Raw:
    _asked(reply)
    return decode(ANY, reply.body, f"coinbase {reply.path}")


def _trade_columns(reply: Reply, fills: Fields[_Trade]) -> list[Columns]:
    fields: dict[str, Values] = {
        "venue": "coinbase",
        "symbol": _asked(reply),
        "kind": "spot",
        "event_ts": from_written(fills.time),
        "trade_id": fills.trade_id,
        "px": fills.price,
        "qty": fills.size,
        "side": sides(one_of(fills.side, "buy")),
    }
    return [Columns(Trade, len(fills), fields)]


# `/products/…/trades`. `side` is the resting order's: the aggressor did the opposite.
# https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-product-trades
parse_trades = Grid(_listed_trades, _Trade, _trade_columns)


def next_trades(request: Request, reply: Reply) -> Request | None:
    """The page of older trades: Coinbase gives the newest first, and goes back by trade id, not by time."""
    page = _listed(reply)
    if len(page) < TRADES_A_PAGE:
        return None
    if request.until_ts is None:
        raise Refused("paging", f"coinbase {reply.path}: a full page, but no until_ts to go back to")
    oldest = decode(_TRADE, bytes(page[-1]), f"coinbase {reply.path}: last trade")
    if instant_written(oldest.time) < request.until_ts:
        return None
    query = {**dict(request.query), "after": str(oldest.trade_id)}
    return Request(request.path, tuple(query.items()), until_ts=request.until_ts)


_BAR = msgspec.json.Decoder(tuple[int, Finite, Finite, Finite, Finite, Finite], strict=False)


def parse_candles(reply: Reply) -> Iterator[Record | Reject]:
    """`/products/…/candles`: start in seconds, low, high, open, close, volume. A bar that is not over is left out.

    https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-product-candles
    """
    symbol, asked = _asked(reply), reply.query.get("granularity", "")
    lengths_s = {str(length): length for length in GRANULARITIES_S}
    if asked not in lengths_s:
        raise Refused("interval", f"coinbase {reply.path}: granularity '{asked}', expected one of {GRANULARITIES_S}")
    interval_s = lengths_s[asked]

    def read(bar: tuple[int, float, float, float, float, float]) -> list[Record]:
        start_s, low, high, opened, closed, volume = bar
        start_ts = instant(start_s, 1)
        if start_ts + timedelta(seconds=interval_s) > reply.captured_ts:
            return []
        return [
            Candle(
                **_seen(reply, symbol, start_ts),
                interval_s=interval_s,
                open_px=opened,
                high_px=high,
                low_px=low,
                close_px=closed,
                volume_base=volume,
            )
        ]

    return rows(_BAR, _listed(reply), read)
