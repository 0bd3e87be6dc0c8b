"""Hyperliquid's trades, settled funding and bars.

https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Literal

import msgspec

from ingestion.records import Candle, FundingRate, Record, Trade
from ingestion.venues.base import Refused, Reject, Reply, decode, instant, rows
from ingestion.venues.columnwise import from_epoch, sides
from ingestion.venues.hyperliquid_names import read_coin
from ingestion.venues.hyperliquid_replies import seen_by, source
from ingestion.venues.settlements import with_intervals
from ingestion.venues.sheets import Columns, Sheet, Values
from ingestion.venues.wire import Finite

INTERVALS_S = {"1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1_800, "1h": 3_600, "2h": 7_200, "4h": 14_400} | {
    "8h": 28_800,
    "12h": 43_200,
    "1d": 86_400,
    "3d": 259_200,
    "1w": 604_800,
}

_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def each(reply: Reply) -> list[msgspec.Raw]:
    """The rows of a reply."""
    return decode(_LIST, reply.body, source(reply))


class _Trade(msgspec.Struct):
    coin: str
    side: Literal["A", "B"]  # the aggressor's: A sold into the bids, B bought the asks
    px: Finite
    sz: Finite
    time: int
    tid: int  # a hash of both order ids, unique together with the time only


def _trade_columns(_: Reply, fills: Sequence[_Trade]) -> list[Columns]:
    coins = [read_coin(fill.coin) for fill in fills]
    fields: dict[str, Values] = {
        "venue": "hyperliquid",
        "symbol": [symbol for _, symbol in coins],
        "kind": [kind for kind, _ in coins],
        "event_ts": from_epoch([fill.time for fill in fills]),
        "trade_id": [f"{fill.time}-{fill.tid}" for fill in fills],
        "px": [fill.px for fill in fills],
        "qty": [fill.sz for fill in fills],
        "side": sides([fill.side == "A" for fill in fills]),
    }
    return [Columns(Trade, len(fills), fields)]


# `recentTrades`: the last few trades of a coin, newest first.
parse_trades = Sheet(each, _Trade, _trade_columns)


class Settlement(msgspec.Struct, rename="camel"):
    coin: str
    funding_rate: Finite
    time: int


SETTLEMENT = msgspec.json.Decoder(Settlement, strict=False)


def parse_funding(reply: Reply) -> Iterator[Record | Reject]:
    """`fundingHistory`: the rate that was paid, a decimal of the interval since the payment before it."""

    def read(row: Settlement) -> list[FundingRate]:
        kind, symbol = read_coin(row.coin)
        return [FundingRate(**seen_by(reply, kind, symbol, instant(row.time)), funding_rate=row.funding_rate)]

    return with_intervals(rows(SETTLEMENT, each(reply), read))


class Bar(msgspec.Struct):
    coin: str = msgspec.field(name="s")
    interval: str = msgspec.field(name="i")
    time: int = msgspec.field(name="t")  # the bar's start; `T` is its last millisecond
    open: Finite = msgspec.field(name="o")
    high: Finite = msgspec.field(name="h")
    low: Finite = msgspec.field(name="l")
    close: Finite = msgspec.field(name="c")
    volume: Finite = msgspec.field(name="v")


BAR = msgspec.json.Decoder(Bar, strict=False)


def parse_candles(reply: Reply) -> Iterator[Record | Reject]:
    """`candleSnapshot`. A bar that is not over is left out; a month has no length of its own and is refused."""

    def read(bar: Bar) -> list[Candle]:
        if bar.interval not in INTERVALS_S:
            raise Refused("interval", f"{bar.coin[:80]}: {bar.interval!r:.20} is no interval of so many seconds")
        kind, symbol = read_coin(bar.coin)
        start_ts, interval_s = instant(bar.time), INTERVALS_S[bar.interval]
        if start_ts + timedelta(seconds=interval_s) > reply.captured_ts:
            return []
        return [
            Candle(
                **seen_by(reply, kind, symbol, start_ts),
                interval_s=interval_s,
                open_px=bar.open,
                high_px=bar.high,
                low_px=bar.low,
                close_px=bar.close,
                volume_base=bar.volume,
            )
        ]

    return rows(BAR, each(reply), read)
