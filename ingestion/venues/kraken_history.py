"""What Kraken keeps: trades and bars."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Literal

import msgspec

from ingestion.records import Candle, Record, Trade
from ingestion.venues.base import Refused, Reject, Reply, Request, decode, instant, rows
from ingestion.venues.kraken_replies import listed, result, seen_by
from ingestion.venues.sheets import Columns, Ints, Page, Values, from_epoch, sides
from ingestion.venues.wire import Finite

INTERVALS_MIN = (1, 5, 15, 30, 60, 240, 1_440, 10_080, 21_600)
_NANOSECONDS = msgspec.json.Decoder(int, strict=False)


class _Trade(msgspec.Struct, array_like=True):
    px: Finite
    qty: Finite
    time_s: Decimal
    side: Literal["b", "s"]
    order_type: Literal["m", "l"]
    misc: str
    trade_id: int | None = None  # in replies since 2022


def _opened_trades(reply: Reply) -> tuple[list[msgspec.Raw], Callable[[Sequence[_Trade]], list[Columns]]]:
    symbol, raws = listed(reply)
    known: set[str] = set()

    def columns(fills: Sequence[_Trade]) -> list[Columns]:
        times = _instants([fill.time_s for fill in fills])
        ids = [str(fill.time_s if fill.trade_id is None else fill.trade_id) for fill in fills]
        for fill, trade_id in zip(fills, ids, strict=True):
            if trade_id in known and fill.trade_id is None:
                raise Refused("no_id", f"kraken {symbol}: two trades at {trade_id} s, neither with an id")
            known.add(trade_id)
        fields: dict[str, Values] = {
            "venue": "kraken",
            "symbol": symbol,
            "kind": "spot",
            "event_ts": times,
            "trade_id": ids,
            "px": [fill.px for fill in fills],
            "qty": [fill.qty for fill in fills],
            "side": sides([fill.side == "s" for fill in fills]),
        }
        return [Columns(Trade, len(fills), fields)]

    return raws, columns


def _instants(seconds: Sequence[Decimal]) -> Ints:
    """Cut to the microsecond. A decimal may be written with an exponent of any length: no integer is made of those."""
    for each in seconds:
        if not each.is_finite() or each.adjusted() > 12:
            raise Refused("timestamp", f"kraken: {each} s is no instant")
    return from_epoch([int(each * 1_000_000) for each in seconds], 1e-6)


# `Trades`; side and type are those of the order that took.
# Before trades had ids, the time was what the venue went on from; where two share it, they cannot be told apart.
# https://docs.kraken.com/api/docs/rest-api/get-recent-trades
parse_trades = Page(_opened_trades, _Trade)


def next_trades(request: Request, reply: Reply) -> Request | None:
    """The page after `last`, which is the last trade's time in nanoseconds."""
    _, raws = listed(reply)
    if not raws:
        return None
    if request.until_ts is None:
        raise Refused("paging", f"kraken {reply.path}: more pages may follow, but no until_ts to end at")
    last = decode(_NANOSECONDS, bytes(result(reply).get("last", b"null")), f"kraken {reply.path}: last")
    if instant(last, 1e-9) >= request.until_ts:
        return None
    query = {**dict(request.query), "since": str(last)}
    return Request(request.path, tuple(query.items()), until_ts=request.until_ts)


_Bar = tuple[int, Finite, Finite, Finite, Finite, Finite, Finite, int]  # …, weighted average, volume, trades
_BAR = msgspec.json.Decoder(_Bar, strict=False)


def parse_candles(reply: Reply) -> Iterator[Record | Reject]:
    """`OHLC`, by the start in seconds. The last bar of every reply is not over yet, and is left out.

    https://docs.kraken.com/api/docs/rest-api/get-ohlc-data
    """
    asked = reply.query.get("interval", "1")  # a minute, where the question names none
    if asked not in map(str, INTERVALS_MIN):
        raise Refused("interval", f"kraken {reply.path}: interval '{asked}', expected one of {INTERVALS_MIN}")
    interval = timedelta(minutes=int(asked))
    symbol, raws = listed(reply)

    def read(bar: _Bar) -> list[Record]:
        start_ts = instant(bar[0], 1)
        if start_ts + interval > reply.captured_ts:
            return []
        return [
            Candle(
                **seen_by(reply, symbol, start_ts),
                interval_s=int(interval.total_seconds()),
                open_px=bar[1],
                high_px=bar[2],
                low_px=bar[3],
                close_px=bar[4],
                volume_base=bar[6],
            )
        ]

    return rows(_BAR, raws, read)
