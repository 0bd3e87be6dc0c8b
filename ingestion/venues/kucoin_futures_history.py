"""KuCoin Futures' bars, settled funding and indices; all are stamped in milliseconds."""

from collections.abc import Iterator
from datetime import timedelta

import msgspec

from ingestion.records import Candle, FundingRate, IndexPrice, Record
from ingestion.venues.base import Refused, Reject, Reply, Request, decode, instant, rows
from ingestion.venues.kucoin_answers import answer, asked, entries
from ingestion.venues.kucoin_futures_names import VENUE, documented_size, read_name
from ingestion.venues.kucoin_futures_replies import seen_by
from ingestion.venues.settlements import with_intervals
from ingestion.venues.wire import Finite

MINUTES = ("1", "3", "5", "15", "30", "60", "120", "240", "480", "720", "1440", "10080")


class _Bar(msgspec.Struct, array_like=True):
    start_ms: int
    open: Finite
    high: Finite
    low: Finite
    close: Finite
    volume: Finite  # contracts


_BAR = msgspec.json.Decoder(_Bar, strict=False)


def parse_candles(reply: Reply) -> Iterator[Record | Reject]:
    """`v1/kline/query`; contracts become base coin where the multiplier is documented.

    A bar that is not over is left out.
    """
    symbol = asked(reply, VENUE)
    name, size = read_name(symbol), _base_a_contract(symbol)
    minutes = reply.query.get("granularity", "")
    if minutes not in MINUTES:
        raise Refused(
            "interval", f"{VENUE} {reply.path}: granularity '{minutes}', expected one of {', '.join(MINUTES)}"
        )

    interval = timedelta(minutes=int(minutes))

    def read(bar: _Bar) -> list[Record]:
        start_ts = instant(bar.start_ms)
        if start_ts + interval > reply.captured_ts:
            return []
        return [
            Candle(
                **seen_by(reply, symbol, name.kind, start_ts),
                interval_s=int(interval.total_seconds()),
                open_px=bar.open,
                high_px=bar.high,
                low_px=bar.low,
                close_px=bar.close,
                volume_base=None if size is None else bar.volume * size,
            )
        ]

    return rows(_BAR, entries(reply, VENUE), read)


def _base_a_contract(symbol: str) -> float | None:
    if read_name(symbol).is_inverse:
        return None  # dollars: the price at which each traded is not told
    try:
        return documented_size(symbol)
    except Refused:
        return None


class _Funding(msgspec.Struct, rename="camel"):
    symbol: str
    funding_rate: Finite
    timepoint: int


_FUNDING = msgspec.json.Decoder(_Funding, strict=False)


def parse_funding_rates(reply: Reply) -> Iterator[Record | Reject]:
    """`v1/contract/funding-rates`: settled rates, the newest first."""

    def read(row: _Funding) -> list[Record]:
        seen = seen_by(reply, row.symbol, read_name(row.symbol).kind, instant(row.timepoint))
        return [FundingRate(**seen, funding_rate=row.funding_rate)]

    return with_intervals(rows(_FUNDING, entries(reply, VENUE), read))


def next_funding_rates(request: Request, reply: Reply) -> Request | None:
    """What lies before this reply, until nothing does: how many a reply may hold, KuCoin does not say."""
    raws = entries(reply, VENUE)
    if not raws:
        return None
    query = dict(request.query)
    earliest = min(decode(_FUNDING, bytes(raw), f"{VENUE} {reply.path}").timepoint for raw in raws)
    if earliest <= int(query["from"]):
        return None
    return Request(request.path, tuple({**query, "to": str(earliest - 1)}.items()))


class _Indices(msgspec.Struct, rename="camel"):
    data_list: list[msgspec.Raw]


class _Index(msgspec.Struct, rename="camel"):
    symbol: str
    time_point: int
    value: Finite


_INDICES = msgspec.json.Decoder(_Indices)
_INDEX = msgspec.json.Decoder(_Index, strict=False)


def parse_index_prices(reply: Reply) -> Iterator[Record | Reject]:
    """`v1/index/query`: an index second by second, the newest first."""
    found = decode(_INDICES, answer(reply, VENUE), f"{VENUE} {reply.path}: data")

    def read(row: _Index) -> list[Record]:
        name = read_name(row.symbol)
        if name.kind != "spot":
            raise Refused("unknown_symbol", f"{row.symbol}: no index of KuCoin's grammar, such as .KXBTUSDT")
        seen = seen_by(reply, row.symbol, "spot", instant(row.time_point))
        return [
            IndexPrice(**seen, base_asset=name.base_asset, quote_asset=name.quote_asset, index_px=row.value),
        ]

    return rows(_INDEX, found.data_list, read)
