"""What Kraken Futures keeps: trades, forced orders, settled funding, bars."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, Literal

import msgspec

from ingestion.records import Candle, FundingRate, Liquidation, Record, Trade
from ingestion.venues.base import Refused, Reject, Reply, Request, decode, instant, rows
from ingestion.venues.columnwise import from_epoch, from_written, sides
from ingestion.venues.kraken_futures_names import read_name, spelled
from ingestion.venues.kraken_futures_replies import FUNDING_UNIT_S, answer, listed, seen_by
from ingestion.venues.sheets import Columns, Sheet, Values
from ingestion.venues.wire import Finite, agree, instant_written

FILLS_A_PAGE: Final = 100
BARS_S: Final = {
    **{"1m": 60, "5m": 300, "15m": 900, "30m": 1_800, "1h": 3_600, "4h": 14_400, "12h": 43_200},
    **{"1d": 86_400, "1w": 604_800},
}
# "Funding rate method prior to September 29, 2022": a rate then held for four hours.
HOURLY_SINCE: Final = datetime(2022, 9, 29, tzinfo=UTC)


class _Order(msgspec.Struct):
    tradeable: str
    direction: Literal["Buy", "Sell"]  # "Unknown" where the venue itself cannot tell


class _Execution(msgspec.Struct, rename="camel"):
    uid: str
    timestamp: int
    quantity: Finite
    price: Finite
    taker_order: _Order


class _Executed(msgspec.Struct):
    execution: _Execution


class _Event(msgspec.Struct, rename={"executed": "Execution"}):
    executed: _Executed


class _Element(msgspec.Struct):
    event: _Event


class _Elements(msgspec.Struct, rename="camel"):
    elements: list[msgspec.Raw]
    continuation_token: str | None = None


_ELEMENTS = msgspec.json.Decoder(_Elements)


def _contract(reply: Reply) -> str:
    return spelled(reply.path.split("/")[-2])


def _listed_executions(reply: Reply) -> list[msgspec.Raw]:
    read_name(_contract(reply))
    return decode(_ELEMENTS, reply.body, f"kraken_futures {reply.path}").elements


def _execution_columns(reply: Reply, elements: Sequence[_Element]) -> list[Columns]:
    symbol = _contract(reply)
    fills = [element.event.executed.execution for element in elements]
    for named in {fill.taker_order.tradeable: None for fill in fills}:
        agree(symbol, "contract", symbol, spelled(named))
    fields: dict[str, Values] = {
        "venue": "kraken_futures",
        "symbol": symbol,
        "kind": read_name(symbol).kind,
        "event_ts": from_epoch([fill.timestamp for fill in fills]),
        "trade_id": [fill.uid for fill in fills],
        "px": [fill.price for fill in fills],
        "qty": [fill.quantity for fill in fills],
        "side": sides([fill.taker_order.direction == "Sell" for fill in fills]),
    }
    return [Columns(Trade, len(fills), fields)]


# `market/…/executions`: both orders of every fill, of which `takerOrder` is the aggressor's.
# https://docs.kraken.com/api/docs/futures-api/history/get-public-execution-events
parse_executions = Sheet(_listed_executions, _Element, _execution_columns)


def next_executions(request: Request, reply: Reply) -> Request | None:
    """The page after this one; the last has no token, or nothing on it."""
    page = decode(_ELEMENTS, reply.body, f"kraken_futures {reply.path}")
    if not page.continuation_token or not page.elements:
        return None
    query = {**dict(request.query), "continuation_token": page.continuation_token}
    return Request(request.path, tuple(query.items()))


class _Fill(msgspec.Struct):
    time: str
    price: Finite
    size: Finite
    side: Literal["buy", "sell"]
    type: Literal["fill", "liquidation", "partial liquidation", "assignment", "termination", "block"]
    uid: str


_FILL = msgspec.json.Decoder(_Fill)
FORCED: Final = frozenset({"liquidation", "partial liquidation"})
ON_THE_BOOK: Final = FORCED | {"fill"}  # assigned, terminated and block trades are agreed, and nobody is the aggressor


def _listed_fills(reply: Reply) -> list[msgspec.Raw]:
    read_name(spelled(reply.query.get("symbol", "")))
    return listed(answer(reply).history, reply)


def _fill_columns(reply: Reply, fills: Sequence[_Fill], *, with_trades: bool = True) -> Iterator[Columns]:
    dated = list(zip(from_written([fill.time for fill in fills]), fills, strict=True))
    if traded := [(at, fill) for at, fill in dated if with_trades and fill.type in ON_THE_BOOK]:
        ids: Values = [fill.uid for _, fill in traded]
        yield Columns(Trade, len(traded), {**_filled(reply, traded), "trade_id": ids})
    if forced := [(at, fill) for at, fill in dated if fill.type in FORCED]:
        ids = [fill.uid for _, fill in forced]
        fields = {**_filled(reply, forced), "liquidation_id": ids, "px_source": "fill"}
        yield Columns(Liquidation, len(forced), fields)


def _filled(reply: Reply, fills: Sequence[tuple[int, _Fill]]) -> dict[str, Values]:
    symbol = spelled(reply.query.get("symbol", ""))
    return {
        "venue": "kraken_futures",
        "symbol": symbol,
        "kind": read_name(symbol).kind,
        "event_ts": [at for at, _ in fills],
        "side": [fill.side for _, fill in fills],
        "px": [fill.price for _, fill in fills],
        "qty": [fill.size for _, fill in fills],
    }


# `history`: trades with the taker's side, and what was forced of them.
# https://docs.kraken.com/api/docs/futures-api/trading/get-history
parse_history = Sheet(_listed_fills, _Fill, _fill_columns, strict=True)

# `history` for the forced orders alone: its trades are asked for as executions, which go back further.
# A liquidation takes from the book, so that its side is the taker's.
parse_liquidations = Sheet(_listed_fills, _Fill, partial(_fill_columns, with_trades=False), strict=True)


def next_history(request: Request, reply: Reply) -> Request | None:
    """The page before this one in time, which the venue gives newest first.

    It starts a millisecond after this page's oldest, and so repeats those: fills share milliseconds.
    """
    raws = listed(answer(reply).history, reply)
    if len(raws) < FILLS_A_PAGE:
        return None
    if request.until_ts is None:
        raise Refused("paging", f"kraken_futures {reply.path}: a full page, but no until_ts to go back to")
    oldest_ts = instant_written(decode(_FILL, bytes(raws[-1]), f"kraken_futures {reply.path}: last fill").time)
    if oldest_ts < request.until_ts:
        return None
    query = dict(request.query)
    last_time = written(oldest_ts + timedelta(milliseconds=1))
    if query["lastTime"] == last_time:
        raise Refused("paging", f"kraken_futures {reply.path}: a whole page of fills within {last_time}")
    return Request(request.path, tuple({**query, "lastTime": last_time}.items()), until_ts=request.until_ts)


def written(at: datetime) -> str:
    """As the venue writes an instant, to the millisecond."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Rate(msgspec.Struct, rename="camel"):
    timestamp: str  # the start of the hour that the rate is for
    relative_funding_rate: Finite


_RATE = msgspec.json.Decoder(_Rate)


def parse_funding(reply: Reply) -> Iterator[Record | Reject]:
    """`historical-funding-rates`; whose they are stands only in the question.

    `fundingRate` beside the relative one is an amount of money a contract. An hour that is not over has not been
    settled, and is left out.
    https://docs.kraken.com/api/docs/futures-api/trading/historical-funding-rates
    """
    symbol = spelled(reply.query.get("symbol", ""))
    name = read_name(symbol)

    def read(row: _Rate) -> list[Record]:
        start_ts = instant_written(row.timestamp)
        if start_ts < HOURLY_SINCE:
            raise Refused("unknown_terms", f"{symbol}: a rate of {row.timestamp} held four hours, not one")
        settled_ts = start_ts + timedelta(seconds=FUNDING_UNIT_S)
        if settled_ts > reply.captured_ts:
            return []
        seen = seen_by(reply, symbol, name, settled_ts)
        return [FundingRate(**seen, funding_rate=row.relative_funding_rate, funding_interval_s=FUNDING_UNIT_S)]

    return rows(_RATE, listed(answer(reply).rates, reply), read)


class _Bars(msgspec.Struct):
    candles: list[msgspec.Raw]
    more_candles: bool


class _Bar(msgspec.Struct):
    time: int  # the start, in milliseconds
    open: Finite
    high: Finite
    low: Finite
    close: Finite
    volume: Finite  # contracts


_BARS = msgspec.json.Decoder(_Bars)
_BAR = msgspec.json.Decoder(_Bar, strict=False)


def parse_candles(reply: Reply) -> Iterator[Record | Reject]:
    """`charts/v1/trade/<contract>/<length>`. A bar that is not over is left out.

    https://docs.kraken.com/api/docs/futures-api/charts/candles
    """
    symbol = _contract(reply)
    name, interval_s = read_name(symbol), _length_s(reply)

    def read(bar: _Bar) -> list[Record]:
        start_ts = instant(bar.time)
        if start_ts + timedelta(seconds=interval_s) > reply.captured_ts:
            return []
        return [
            Candle(
                **seen_by(reply, symbol, name, start_ts),
                interval_s=interval_s,
                open_px=bar.open,
                high_px=bar.high,
                low_px=bar.low,
                close_px=bar.close,
                volume_base=None if name.is_inverse else bar.volume,
            )
        ]

    return rows(_BAR, decode(_BARS, reply.body, f"kraken_futures {reply.path}").candles, read)


def _length_s(reply: Reply) -> int:
    length = reply.path.split("/")[-1]
    if length not in BARS_S:
        raise Refused("interval", f"kraken_futures {reply.path}: expected one of {', '.join(BARS_S)}")
    return BARS_S[length]


def next_candles(request: Request, reply: Reply) -> Request | None:
    """The page after this one, where the venue says that the span holds more bars."""
    page = decode(_BARS, reply.body, f"kraken_futures {reply.path}")
    if not page.more_candles or not page.candles:
        return None
    last = decode(_BAR, bytes(page.candles[-1]), f"kraken_futures {reply.path}: last bar")
    query = dict(request.query)
    start_s = last.time // 1_000 + _length_s(reply)
    if start_s > int(query["to"]):
        raise Refused("paging", f"kraken_futures {reply.path}: more bars than those up to {query['to']} s")
    return Request(request.path, tuple({**query, "from": str(start_s)}.items()))
