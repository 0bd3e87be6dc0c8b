"""BitMEX's books, trades, settlements, bars and indices: sizes are contracts, timestamps ISO 8601.

https://www.bitmex.com/api/explorer/
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from ingestion.records import Candle, FundingRate, IndexPrice, OrderBook, Record, Trade
from ingestion.venues.base import Refused, Reject, Reply, decode, rows
from ingestion.venues.bitmex_instruments import Interval, each, row_list, seconds
from ingestion.venues.bitmex_names import coin, kind_of
from ingestion.venues.columnwise import by_name, from_written, one_of, sides
from ingestion.venues.grids import Fields, Grid
from ingestion.venues.sheets import Columns, Values
from ingestion.venues.wire import Finite, Seen, instant_written

INTERVALS_S = {"1m": 60, "5m": 300, "1h": 3_600, "1d": 86_400}


def _seen(reply: Reply, symbol: str, event_ts: datetime | None) -> Seen:
    return {
        "venue": "bitmex",
        "symbol": symbol,
        "kind": kind_of(symbol),
        "captured_ts": reply.captured_ts,
        "event_ts": event_ts,
    }


class _Level(msgspec.Struct):
    symbol: str
    side: Literal["Buy", "Sell"]
    size: Finite
    price: Finite


_LEVELS = msgspec.json.Decoder(list[_Level])


def parse_order_book(reply: Reply) -> Iterator[Record | Reject]:
    """`orderBook/L2`: one list from the highest ask down to the lowest bid, as the levels' ids go."""
    levels = decode(_LEVELS, reply.body, f"bitmex {reply.path}")
    symbols = {level.symbol for level in levels}
    if len(symbols) != 1:
        raise Refused("unknown_symbol", f"bitmex {reply.path}: levels of {len(symbols)} symbols, expected of one")
    bids = sorted(((level.price, level.size) for level in levels if level.side == "Buy"), reverse=True)
    asks = sorted((level.price, level.size) for level in levels if level.side == "Sell")
    yield OrderBook(
        **_seen(reply, symbols.pop(), None),
        bid_px=tuple(px for px, _ in bids),
        bid_qty=tuple(qty for _, qty in bids),
        ask_px=tuple(px for px, _ in asks),
        ask_qty=tuple(qty for _, qty in asks),
    )


class _Trade(msgspec.Struct):
    timestamp: str
    symbol: str
    side: Literal["Buy", "Sell"]  # the taker's
    size: Finite
    price: Finite
    id: str = msgspec.field(name="trdMatchID")


def _trade_columns(_: Reply, fills: Fields[_Trade]) -> list[Columns]:
    fields: dict[str, Values] = {
        "venue": "bitmex",
        "symbol": fills.symbol,
        "kind": by_name(fills.symbol, kind_of),
        "event_ts": from_written(fills.timestamp),
        "trade_id": fills.id,
        "px": fills.price,
        "qty": fills.size,
        "side": sides(one_of(fills.side, "Sell")),
    }
    return [Columns(Trade, len(fills), fields)]


# `trade`.
parse_trades = Grid(row_list, _Trade, _trade_columns, strict=True)


class _Settlement(msgspec.Struct, rename="camel"):
    timestamp: str
    symbol: str
    funding_interval: Interval
    funding_rate: Finite


_SETTLEMENT = msgspec.json.Decoder(_Settlement)


def parse_funding(reply: Reply) -> Iterator[Record | Reject]:
    """`funding`: the rate that was paid, for an interval that each row states."""

    def read(row: _Settlement) -> list[FundingRate]:
        return [
            FundingRate(
                **_seen(reply, row.symbol, instant_written(row.timestamp)),
                funding_rate=row.funding_rate,
                funding_interval_s=seconds(row.funding_interval, row.symbol),
            )
        ]

    return rows(_SETTLEMENT, each(reply), read)


class _Bar(msgspec.Struct, rename="camel"):
    timestamp: str
    symbol: str
    open: Finite  # the close of the bar before, not the first trade
    high: Finite
    low: Finite
    close: Finite
    home_notional: Finite  # base coin


_BAR = msgspec.json.Decoder(_Bar)


def parse_candles(reply: Reply) -> Iterator[Record | Reject]:
    """`trade/bucketed`: bars that the venue labels by their end, https://github.com/ccxt/ccxt/issues/4446.

    `open` may lie outside of high and low, and then no bar can be made of the row: the gate refuses it.
    """
    asked = reply.query.get("binSize", "")
    if asked not in INTERVALS_S:
        raise Refused("interval", f"bitmex {reply.path}: binSize {asked[:20]!r}: expected {', '.join(INTERVALS_S)}")
    interval_s = INTERVALS_S[asked]

    def read(row: _Bar) -> list[Candle]:
        return [
            Candle(
                **_seen(reply, row.symbol, instant_written(row.timestamp) - timedelta(seconds=interval_s)),
                interval_s=interval_s,
                open_px=row.open,
                high_px=row.high,
                low_px=row.low,
                close_px=row.close,
                volume_base=row.home_notional,
            )
        ]

    return rows(_BAR, each(reply), read)


class _Index(msgspec.Struct, rename="camel"):
    symbol: str
    typ: Literal["MRCXXX"]
    underlying: str
    quote_currency: str
    last_price: Finite
    timestamp: str


_INDEX = msgspec.json.Decoder(_Index)


def parse_index_prices(reply: Reply) -> Iterator[Record | Reject]:
    """`instrument` of an index, such as `.BXBT`.

    Left out are its averages over half an hour, for settlement and fixed every four hours (`.BXBT30M`), and what it
    would be by weights to come (`.BXBT_NEXT`): neither is a price of now.
    https://www.bitmex.com/app/index/.BXBTT30M, https://blog.bitmex.com/site_announcement/updates-on-bitmex-indices/
    """

    def read(row: _Index) -> list[IndexPrice]:
        if row.symbol.endswith(("30M", "_NEXT")):
            return []
        return [
            IndexPrice(
                venue="bitmex",
                symbol=row.symbol,
                kind="spot",
                captured_ts=reply.captured_ts,
                event_ts=instant_written(row.timestamp),
                base_asset=coin(row.underlying),
                quote_asset=coin(row.quote_currency),
                index_px=row.last_price,
            )
        ]

    return rows(_INDEX, each(reply), read)
