"""What Bitfinex can be asked for again: trades, bars, settled funding and liquidations.

https://docs.bitfinex.com/reference
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import msgspec

from ingestion.records import Candle, FundingRate, Liquidation, Record, Trade
from ingestion.venues.base import Refused, Reject, Reply, instant, rows
from ingestion.venues.bitfinex_names import FUNDING_INTERVAL_S, read_name
from ingestion.venues.bitfinex_replies import Unread, asked, each, row_list, seen_by
from ingestion.venues.columnwise import from_epoch, of_each, sides
from ingestion.venues.grids import Fields, Grid
from ingestion.venues.sheets import Columns, Values
from ingestion.venues.wire import Finite

INTERVALS_S = {"1m": 60, "5m": 300, "15m": 900, "30m": 1_800, "1h": 3_600, "3h": 10_800, "6h": 21_600} | {
    "12h": 43_200,
    "1D": 86_400,
    "1W": 604_800,
    "14D": 1_209_600,
}


class _Past(msgspec.Struct, array_like=True):
    """A row of the history has no symbol, so that all stands one place further left."""

    ts: int
    _1: Unread
    _2: Unread
    _3: Unread
    _4: Unread
    _5: Unread
    _6: Unread
    next_funding_ts: int
    _8: Unread
    _9: Unread
    _10: Unread
    current_funding: Finite


_PAST = msgspec.json.Decoder(_Past)


def parse_funding(reply: Reply) -> Iterator[Record | Reject]:
    """`status/deriv/…/hist`: of each settlement that has come, what was due in the last status before it.

    The venue tells no settlements; within a period the rate that is due at its end does not change.
    """
    symbol = asked(reply, r"/v2/status/deriv/([^/]+)/hist")
    found: dict[datetime, tuple[int, FundingRate]] = {}

    def read(row: _Past) -> list[Record]:
        settled = instant(row.next_funding_ts)
        if settled <= reply.captured_ts and row.ts >= found.get(settled, (0, None))[0]:
            rate = FundingRate(
                **seen_by(reply, symbol, row.next_funding_ts),
                funding_rate=row.current_funding,
                funding_interval_s=FUNDING_INTERVAL_S,
            )
            found[settled] = row.ts, rate
        return []

    yield from rows(_PAST, each(reply), read)
    yield from (rate for _, rate in found.values())


class Fill(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """A row of `trades/…/hist`."""

    id: int
    time: int
    amount: Finite  # bought above zero, sold below
    price: Finite


FILL = msgspec.json.Decoder(Fill)


_TRADES = r"/v2/trades/([^/]+)/hist"


def _listed_trades(reply: Reply) -> msgspec.Raw:
    asked(reply, _TRADES)
    return row_list(reply)


def _trade_columns(reply: Reply, fills: Fields[Fill]) -> list[Columns]:
    symbol = asked(reply, _TRADES)
    fields: dict[str, Values] = {
        "venue": "bitfinex",
        "symbol": symbol,
        "kind": read_name(symbol).kind,
        "event_ts": from_epoch(fills.time),
        "trade_id": fills.id,
        "px": fills.price,
        "qty": of_each(fills.amount, abs),
        "side": sides(of_each(fills.amount, lambda amount: amount <= 0)),
    }
    return [Columns(Trade, len(fills), fields)]


# `trades/…/hist`. "The order that causes the trade determines if it is a buy or a sell."
# https://docs.bitfinex.com/v1/reference/ws-public-trades
parse_trades = Grid(_listed_trades, Fill, _trade_columns, strict=True)


BarRow: TypeAlias = tuple[int, Finite, Finite, Finite, Finite, Finite]  # start, open, close, high, low, volume
BAR = msgspec.json.Decoder(BarRow)


def parse_candles(reply: Reply) -> Iterator[Record | Reject]:
    """`candles/trade:1h:…/hist`: the close stands second, before high and low. A bar that is not over is left out."""
    interval, _, symbol = asked(reply, r"/v2/candles/trade:([^/]+)/hist").partition(":")
    if interval not in INTERVALS_S:
        raise Refused("interval", f"bitfinex {symbol}: {interval!r:.20} is no interval of so many seconds")

    def read(row: BarRow) -> list[Candle]:
        ts, open_px, close_px, high_px, low_px, volume = row
        if instant(ts) + timedelta(seconds=INTERVALS_S[interval]) > reply.captured_ts:
            return []
        return [
            Candle(
                **seen_by(reply, symbol, ts),
                interval_s=INTERVALS_S[interval],
                open_px=open_px,
                high_px=high_px,
                low_px=low_px,
                close_px=close_px,
                volume_base=volume,
            )
        ]

    return rows(BAR, each(reply), read)


class LiquidationRow(msgspec.Struct, array_like=True):
    tag: Literal["pos"]
    position_id: int
    ts: int
    _3: Unread
    symbol: str
    amount: Finite  # of the position: long above zero, which is sold
    _6: Unread  # price at which the position was entered
    _7: Unread
    is_match: Literal[0, 1]  # triggered, executed
    _9: Unread
    _10: Unread
    px: Finite | None  # at which it was acquired; not told by every trigger


LIQUIDATION = msgspec.json.Decoder(tuple[LiquidationRow])


def parse_liquidations(reply: Reply) -> Iterator[Record | Reject]:
    """`liquidations/hist`: positions in perpetuals, when they are executed.

    The trigger before it took nothing from the book yet, and a margin position in a spot pair is none of our contracts.
    """

    def read(wrapped: tuple[LiquidationRow, ...]) -> list[Liquidation]:
        [row] = wrapped
        seen = seen_by(reply, row.symbol, row.ts)
        if seen["kind"] != "perp" or not row.is_match:
            return []
        if row.px is None:
            raise Refused("schema", f"{row.symbol}: position {row.position_id} is executed without a price")
        return [
            Liquidation(
                **seen,
                liquidation_id=str(row.position_id),
                side="sell" if row.amount > 0 else "buy",
                px=row.px,
                px_source="fill",
                qty=abs(row.amount),
            )
        ]

    return rows(LIQUIDATION, each(reply), read)
