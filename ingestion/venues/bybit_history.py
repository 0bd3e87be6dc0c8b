"""What Bybit keeps: bars, settled funding, open interest."""

from collections.abc import Iterator
from typing import Final

import msgspec

from ingestion.records import Candle, FundingRate, OpenInterest, Record
from ingestion.venues.base import Refused, Reject, Reply, Request, decode, instant, rows
from ingestion.venues.bybit_answers import answer, kind_asked, listing, seen_by
from ingestion.venues.bybit_names import read_name
from ingestion.venues.bybit_tickers import one_side
from ingestion.venues.settlements import with_intervals
from ingestion.venues.wire import Blank, Finite, agree

BARS_A_PAGE: Final = 1_000
MINUTE_BARS: Final = "1"
_BAR_S: Final = {**{str(m): m * 60 for m in (1, 3, 5, 15, 30, 60, 120, 240, 360, 720)}, "D": 86_400, "W": 604_800}


class _Symbol(msgspec.Struct):
    symbol: str


class _Bar(msgspec.Struct, array_like=True):
    start: int
    open: Finite
    high: Finite
    low: Finite
    close: Finite
    volume: Finite  # base coin; US dollars for inverse contracts
    turnover: Finite  # quote currency; base coin for inverse contracts


_SYMBOL = msgspec.json.Decoder(_Symbol)
_BAR = msgspec.json.Decoder(_Bar, strict=False)


def _symbol(reply: Reply) -> str:
    """Whose the reply is, which the question said too."""
    symbol = decode(_SYMBOL, bytes(answer(reply).result), f"bybit {reply.path}: result").symbol
    agree(symbol, "symbol", reply.query.get("symbol", symbol), symbol)
    return symbol


def parse_candles(reply: Reply) -> Iterator[Record | Reject]:
    """`market/kline`. https://bybit-exchange.github.io/docs/v5/market/kline"""
    page = listing(answer(reply), reply)
    symbol, interval = _symbol(reply), reply.query.get("interval", "")
    kind = kind_asked(reply, symbol)
    if interval not in _BAR_S:
        raise Refused("interval", f"bybit {reply.path}: interval '{interval}', expected one of {', '.join(_BAR_S)}")
    is_inverse = kind != "spot" and read_name(symbol).is_inverse

    def read(row: _Bar) -> list[Record]:
        return [
            Candle(
                **seen_by(reply, symbol, kind, instant(row.start)),
                interval_s=_BAR_S[interval],
                open_px=row.open,
                high_px=row.high,
                low_px=row.low,
                close_px=row.close,
                volume_base=row.turnover if is_inverse else row.volume,
            )
        ]

    return rows(_BAR, page.list, read)


def next_candles(request: Request, reply: Reply) -> Request | None:
    """The page before this one in time: Bybit puts the newest bar first."""
    page = listing(answer(reply), reply).list
    if len(page) < BARS_A_PAGE:
        return None
    oldest = decode(_BAR, bytes(page[-1]), f"bybit {reply.path}: last bar").start
    return Request(request.path, tuple({**dict(request.query), "end": str(oldest - 1)}.items()))


class _Settlement(msgspec.Struct, rename="camel"):
    symbol: str
    funding_rate: Finite
    funding_rate_timestamp: int


_SETTLEMENT = msgspec.json.Decoder(_Settlement, strict=False)


def parse_funding_history(reply: Reply) -> Iterator[Record | Reject]:
    """`market/funding/history`: settled rates; the interval is the time between two settlements.

    https://bybit-exchange.github.io/docs/v5/market/history-fund-rate
    """

    def read(row: _Settlement) -> list[Record]:
        agree(row.symbol, "kind", read_name(row.symbol).kind, "perp")
        seen = seen_by(reply, row.symbol, "perp", instant(row.funding_rate_timestamp))
        return [FundingRate(**seen, funding_rate=row.funding_rate)]

    return with_intervals(rows(_SETTLEMENT, listing(answer(reply), reply).list, read))


class _Interest(msgspec.Struct, rename="camel"):
    open_interest: Finite
    timestamp: int
    single_open_interest: Finite | Blank = ""  # in replies since 2026


_INTEREST = msgspec.json.Decoder(_Interest, strict=False)


def parse_open_interest(reply: Reply) -> Iterator[Record | Reject]:
    """`market/open-interest`, every five minutes or slower; the tickers tell the same of their own instant.

    https://bybit-exchange.github.io/docs/v5/market/open-interest
    """
    symbol = _symbol(reply)
    name = read_name(symbol)

    def read(row: _Interest) -> list[Record]:
        qty = one_side(row.open_interest, row.single_open_interest)
        seen = seen_by(reply, symbol, name.kind, instant(row.timestamp))
        return [OpenInterest(**seen, open_interest_qty=qty, open_interest_base=None if name.is_inverse else qty)]

    return rows(_INTEREST, listing(answer(reply), reply).list, read)
