"""HTX Futures' books, trades, bars, settled funding and liquidations, of all three products.

Sizes count contracts; instants are milliseconds, of bars seconds. Numbers come bare or as strings.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec

from ingestion.records import Candle, FundingRate, Kind, Liquidation, OrderBook, Record, Trade
from ingestion.venues.base import Refused, Reject, Reply, Request, decode, instant, refuse_beyond_float64, rows
from ingestion.venues.bulk import Unplain
from ingestion.venues.columnwise import from_epoch
from ingestion.venues.htx_futures_answers import ANSWER, Answer, answer, channel, counted_once, entries, inner, seen_by
from ingestion.venues.htx_futures_names import VENUE, read_name
from ingestion.venues.ladders import Depths, Ladder, Who
from ingestion.venues.settlements import with_intervals
from ingestion.venues.sheets import Columns, HeadedSheet, Values
from ingestion.venues.wire import Finite

PERIODS_S = {"1min": 60, "5min": 300, "15min": 900, "30min": 1_800, "60min": 3_600, "1hour": 3_600, "4hour": 14_400}


class _Book(msgspec.Struct):
    bids: list[tuple[Finite, Finite]]
    asks: list[tuple[Finite, Finite]]
    mrid: int  # of the last match; `id` and `version` are the second
    ts: int


class _Head(msgspec.Struct):
    """A book with its sides unread."""

    bids: msgspec.Raw
    asks: msgspec.Raw
    mrid: int
    ts: int


_BOOK = msgspec.json.Decoder(_Book, strict=False)
_HEADS = msgspec.json.Decoder(list[_Head], strict=False)


def parse_order_book(reply: Reply) -> Iterator[Record | Reject]:
    """`depth`; step 0 is 150 levels a side as they rest, others but 6 are merged."""
    symbol, tick = _unmerged(reply)
    book = decode(_BOOK, tick, f"{VENUE} {reply.path}: tick")
    yield OrderBook(
        **seen_by(reply, symbol, read_name(symbol).kind, book.ts),
        sequence_id=book.mrid,
        bid_px=tuple(px for px, _ in book.bids),
        bid_qty=tuple(qty for _, qty in book.bids),
        ask_px=tuple(px for px, _ in book.asks),
        ask_qty=tuple(qty for _, qty in book.asks),
    )


def _unmerged(reply: Reply) -> tuple[str, bytes]:
    found = answer(reply)
    symbol, what = channel(found, reply)
    _refuse_merged(symbol, what)
    tick = bytes(found.tick)
    refuse_beyond_float64(tick, f"{VENUE} {symbol} book")
    return symbol, tick


def _refuse_merged(symbol: str, what: str) -> None:
    if what not in ("depth.step0", "depth.step6"):
        raise Refused("merged", f"{VENUE} {symbol}: '{what}' is no book as it rests, levels are merged")


def _depths(asked: Reply, told: Sequence[Answer]) -> Depths:
    if any(found.status != "ok" or found.ts is None for found in told):
        raise Unplain(asked.path)
    heads = _HEADS.decode(b"[" + b",".join([found.tick for found in told]) + b"]")
    return Depths(
        who=[_whose(*channel(found, asked)) for found in told],
        sequence_id=[head.mrid for head in heads],
        event_us=[head.ts * 1_000 for head in heads],
        bids=[head.bids for head in heads],
        asks=[head.asks for head in heads],
    )


def _whose(symbol: str, what: str) -> Who:
    _refuse_merged(symbol, what)
    return Who(VENUE, read_name(symbol).kind, symbol)


order_books = Ladder(parse_order_book, ANSWER, _depths, b"[,]")


class _Trade(msgspec.Struct):
    id: int
    price: Finite
    amount: Finite  # contracts, both sides
    direction: Literal["buy", "sell"]
    ts: int


class _Traded(NamedTuple):
    symbol: str
    kind: Kind


def _listed_trades(reply: Reply) -> tuple[_Traded, list[msgspec.Raw]]:
    found = answer(reply)
    symbol, _ = channel(found, reply)
    return _Traded(symbol, read_name(symbol).kind), inner(found.data, reply)


def _trade_columns(of: _Traded, fills: Sequence[_Trade]) -> list[Columns]:
    odd = next((fill for fill in fills if fill.amount % 2), None)
    if odd is not None:
        raise Refused("contradiction", f"{of.symbol} trade {odd.id}: {odd.amount} contracts are no two equal sides")
    fields: dict[str, Values] = {
        "venue": VENUE,
        "symbol": of.symbol,
        "kind": of.kind,
        "event_ts": from_epoch([fill.ts for fill in fills]),
        "trade_id": [str(fill.id) for fill in fills],
        "px": [fill.price for fill in fills],
        "qty": [counted_once(fill.amount) for fill in fills],
        "side": [fill.direction for fill in fills],
    }
    return [Columns(Trade, len(fills), fields)]


# `history/trade`; `direction` is the taker's. An odd amount would mean that sides are added no more.
parse_trades = HeadedSheet(_listed_trades, _Trade, _trade_columns)


class _Bar(msgspec.Struct):
    id: int  # its start
    open: Finite
    high: Finite
    low: Finite
    close: Finite
    amount: Finite  # base coin, both sides


_BAR = msgspec.json.Decoder(_Bar, strict=False)


def parse_candles(reply: Reply) -> Iterator[Record | Reject]:
    """`history/kline`; days begin at 16:00 UTC and are `Refused`, as weeks and months.

    A bar that is not over is left out.
    """
    found = answer(reply)
    symbol, what = channel(found, reply)
    kind = read_name(symbol).kind
    period = what.removeprefix("kline.")
    if period not in PERIODS_S:
        raise Refused("interval", f"{VENUE} {symbol}: '{what}', expected kline of one of {', '.join(PERIODS_S)}")

    def read(bar: _Bar) -> list[Record]:
        if instant(bar.id + PERIODS_S[period], 1.0) > reply.captured_ts:
            return []
        return [
            Candle(
                **seen_by(reply, symbol, kind, bar.id * 1_000),
                interval_s=PERIODS_S[period],
                open_px=bar.open,
                high_px=bar.high,
                low_px=bar.low,
                close_px=bar.close,
                volume_base=counted_once(bar.amount),
            )
        ]

    return rows(_BAR, entries(found.data, reply), read)


class _Page(msgspec.Struct):
    total_page: int
    current_page: int
    data: list[msgspec.Raw]


class _Settled(msgspec.Struct):
    contract_code: str
    funding_rate: Finite
    funding_time: int


_PAGE = msgspec.json.Decoder(_Page, strict=False)
_SETTLED = msgspec.json.Decoder(_Settled, strict=False)


def parse_funding_rates(reply: Reply) -> Iterator[Record | Reject]:
    """`historical_funding_rate`: settled rates, the newest first."""
    page = decode(_PAGE, bytes(answer(reply).data), f"{VENUE} {reply.path}: data")

    def read(row: _Settled) -> list[Record]:
        seen = seen_by(reply, row.contract_code, read_name(row.contract_code).kind, row.funding_time)
        return [FundingRate(**seen, funding_rate=row.funding_rate)]

    return with_intervals(rows(_SETTLED, page.data, read))


def next_funding_rates(request: Request, reply: Reply) -> Request | None:
    """The page before this one in time, while this one does not reach back to `until_ts`."""
    page = decode(_PAGE, bytes(answer(reply).data), f"{VENUE} {reply.path}: data")
    if request.until_ts is None:
        raise Refused("paging", f"{VENUE} {reply.path}: a page of settlements, but no until_ts to end at")
    if not page.data or page.current_page >= page.total_page:
        return None
    earliest = decode(_SETTLED, bytes(page.data[-1]), f"{VENUE} {reply.path}: last row").funding_time
    if instant(earliest) <= request.until_ts:
        return None
    query = {**dict(request.query), "page_index": str(page.current_page + 1)}
    return Request(request.path, tuple(query.items()), until_ts=request.until_ts)


class _Liquidation(msgspec.Struct):
    query_id: int
    contract_code: str
    direction: Literal["buy", "sell"]  # the order's
    volume: Finite  # contracts, of the position
    price: Finite  # at which the position was bankrupt
    created_at: int


_LIQUIDATION = msgspec.json.Decoder(_Liquidation, strict=False)


def parse_liquidations(reply: Reply) -> Iterator[Record | Reject]:
    """`v3/…_liquidation_orders`."""

    def read(row: _Liquidation) -> list[Record]:
        return [
            Liquidation(
                **seen_by(reply, row.contract_code, read_name(row.contract_code).kind, row.created_at),
                liquidation_id=str(row.query_id),
                side=row.direction,
                px=row.price,
                px_source="bankruptcy",
                qty=row.volume,
            )
        ]

    return rows(_LIQUIDATION, entries(answer(reply).data, reply), read)


def next_liquidations(request: Request, reply: Reply) -> Request | None:
    """What comes after this reply's last id, until nothing does: how many a reply may hold, HTX does not say."""
    raws = entries(answer(reply).data, reply)
    if not raws:
        return None
    query = dict(request.query)
    last = str(max(decode(_LIQUIDATION, bytes(raw), f"{VENUE} {reply.path}").query_id for raw in raws))
    if query.get("from_id") == last:
        return None
    return Request(request.path, tuple({**query, "from_id": last}.items()))
