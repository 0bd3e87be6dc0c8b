"""What Kraken keeps: trades and bars."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal

import msgspec
import numpy as np
import pyarrow as pa

from ingestion.records import Candle, Record, Trade
from ingestion.venues.base import Refused, Reject, Reply, Request, decode, instant, rows
from ingestion.venues.bulk import Unplain
from ingestion.venues.columnwise import Ints, from_epoch, one_of, sides
from ingestion.venues.grids import Fields, HeadedGrid
from ingestion.venues.kraken_replies import listed, result, row_list, seen_by
from ingestion.venues.sheets import Columns, Values
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


@dataclass(frozen=True)
class _Pair:
    """Whose trades these are, and the ids that the reply has told so far, where they are times."""

    symbol: str
    known: set[str] = field(default_factory=set, compare=False)


def _listed_trades(reply: Reply) -> tuple[_Pair, msgspec.Raw]:
    symbol, raw = row_list(reply)
    return _Pair(symbol), raw


def _trade_columns(of: _Pair, fills: Fields[_Trade]) -> list[Columns]:
    fields: dict[str, Values] = {
        "venue": "kraken",
        "symbol": of.symbol,
        "kind": "spot",
        "event_ts": from_epoch(_microseconds(fills.time_s), 1e-6),
        "trade_id": _ids(of, fills.time_s, fills.trade_id),
        "px": fills.px,
        "qty": fills.qty,
        "side": sides(one_of(fills.side, "s")),
    }
    return [Columns(Trade, len(fills), fields)]


def _ids(of: _Pair, times: Any, ids: Any) -> Any:
    if not isinstance(ids, list):
        return ids
    if not isinstance(times, list):
        raise Unplain("trades without ids, which are told apart one by one")
    told = [str(at if trade_id is None else trade_id) for at, trade_id in zip(times, ids, strict=True)]
    for name, trade_id in zip(told, ids, strict=True):
        if trade_id is None and name in of.known:
            raise Refused("no_id", f"kraken {of.symbol}: two trades at {name} s, neither with an id")
        of.known.add(name)
    return told


def _microseconds(seconds: Any) -> Sequence[int] | Ints:
    """Cut to the microsecond. A decimal may be written with an exponent of any length: no integer is made of those."""
    if not isinstance(seconds, list):
        decimals = seconds.cast(pa.decimal128(28, 9))
        nanoseconds = np.frombuffer(decimals.buffers()[1], dtype=np.int64)[: 2 * len(decimals)].reshape(-1, 2)
        if nanoseconds[:, 1].any():  # the upper half
            raise Unplain("a time beyond 64 bits of nanoseconds")
        return nanoseconds[:, 0] // 1_000
    for each in seconds:
        if not each.is_finite() or each.adjusted() > 12:
            raise Refused("timestamp", f"kraken: {each} s is no instant")
    return [int(each * 1_000_000) for each in seconds]


# `Trades`; side and type are those of the order that took.
# Before trades had ids, the time was what the venue went on from; where two share it, they cannot be told apart.
# https://docs.kraken.com/api/docs/rest-api/get-recent-trades
parse_trades = HeadedGrid(_listed_trades, _Trade, _trade_columns)


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
