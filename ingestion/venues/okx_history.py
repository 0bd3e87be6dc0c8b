"""What OKX keeps: trades, bars, settled funding, liquidations. Sizes are contracts for derivatives."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, Literal, TypeVar

import msgspec

from ingestion.records import Candle, FundingRate, Kind, Liquidation, Record, Trade
from ingestion.venues.base import Plan, Refused, Reject, Reply, Request, decode, instant
from ingestion.venues.columnwise import by_name, from_epoch
from ingestion.venues.grids import Fields, Grid
from ingestion.venues.okx_names import read_name
from ingestion.venues.okx_replies import KINDS, each, raws, row_list, seen_by
from ingestion.venues.settlements import with_intervals
from ingestion.venues.sheets import Columns, Values
from ingestion.venues.wire import Finite

T = TypeVar("T")

PAGE: Final = 100  # the most that history-trades, history-candles and liquidation-orders give at once
FUNDING_HISTORY: Final = "24"  # settlements: a day at the shortest interval, so that intervals can be proved
MINUTE_BARS: Final = "1m"
_BAR_S: Final = {
    "1s": 1,
    **{f"{m}m": m * 60 for m in (1, 3, 5, 15, 30)},
    **{f"{h}H": h * 3_600 for h in (1, 2, 4, 6, 12)},
    **{f"{h}Hutc": h * 3_600 for h in (6, 12)},
    **dict.fromkeys(("1D", "1Dutc"), 86400),
}


class _Trade(msgspec.Struct, rename="camel"):
    inst_id: str
    trade_id: str
    px: Finite
    sz: Finite
    side: Literal["buy", "sell"]
    ts: int


_TRADE = msgspec.json.Decoder(_Trade, strict=False)


def _trade_columns(_: Reply, fills: Fields[_Trade]) -> list[Columns]:
    fields: dict[str, Values] = {
        "venue": "okx",
        "symbol": fills.inst_id,
        "kind": by_name(fills.inst_id, lambda symbol: read_name(symbol).kind),
        "event_ts": from_epoch(fills.ts),
        "trade_id": fills.trade_id,
        "px": fills.px,
        "qty": fills.sz,
        "side": fills.side,
    }
    return [Columns(Trade, len(fills), fields)]


# `market/trades`, `market/history-trades` and `public/option-trades`; `side` is the taker's.
# https://www.okx.com/docs-v5/en/#order-book-trading-market-data-get-trades-history
parse_trades = Grid(row_list, _Trade, _trade_columns, is_exact=True)


def ask_trades(path: str, symbols: list[str], plan: Plan) -> list[Request]:
    """The newest page before the span's end; from there `next_trades` goes back, by trade ids."""
    before = (("type", "2"), ("after", str(_milliseconds(plan.end_ts))), ("limit", str(PAGE)))
    return [Request(path, (("instId", symbol), *before), until_ts=plan.start_ts) for symbol in symbols]


def next_trades(request: Request, reply: Reply) -> Request | None:
    """The page before this one in time, by the id of its oldest trade: trades share milliseconds."""
    page = raws(reply)
    if len(page) < PAGE:
        return None
    oldest = _oldest(_TRADE, page, reply)
    if _is_done(request, reply, oldest.ts):
        return None
    query = (("instId", oldest.inst_id), ("type", "1"), ("after", oldest.trade_id), ("limit", str(PAGE)))
    return Request(request.path, query, until_ts=request.until_ts)


class _Bar(msgspec.Struct, array_like=True):
    ts: int
    open: Finite
    high: Finite
    low: Finite
    close: Finite
    vol: Finite  # contracts; base coin for spot
    vol_ccy: Finite  # base coin; quote currency for spot
    vol_ccy_quote: Finite
    confirm: Literal["0", "1"]  # 0: still running


_BAR = msgspec.json.Decoder(_Bar, strict=False)


def parse_candles(reply: Reply) -> Iterator[Record | Reject]:
    """`market/candles` and `market/history-candles`; the bar that still runs is left out.

    https://www.okx.com/docs-v5/en/#order-book-trading-market-data-get-candlesticks-history
    """
    symbol, bar = reply.query.get("instId", ""), reply.query.get("bar", MINUTE_BARS)
    kind: Kind = read_name(symbol).kind
    if bar not in _BAR_S:
        raise Refused("interval", f"okx {reply.path}: bar '{bar}', expected one of {', '.join(_BAR_S)}")

    def read(row: _Bar) -> list[Record]:
        if row.confirm == "0":
            return []
        return [
            Candle(
                **seen_by(reply, symbol, kind, row.ts),
                interval_s=_BAR_S[bar],
                open_px=row.open,
                high_px=row.high,
                low_px=row.low,
                close_px=row.close,
                volume_base=row.vol if kind == "spot" else row.vol_ccy,
            )
        ]

    return each(reply, _BAR, read)


def ask_candles(path: str, symbols: list[str], plan: Plan) -> list[Request]:
    """Bars that open in the span; both of OKX's bounds are exclusive."""
    since = str(_milliseconds(plan.start_ts) - 1)
    span = (("before", since), ("after", str(_milliseconds(plan.end_ts))), ("limit", str(PAGE)))
    return [Request(path, (("instId", symbol), ("bar", MINUTE_BARS), *span)) for symbol in symbols]


def next_candles(request: Request, reply: Reply) -> Request | None:
    """The page before this one in time."""
    page = raws(reply)
    if len(page) < PAGE:
        return None
    oldest = _oldest(_BAR, page, reply).ts
    return Request(request.path, tuple({**dict(request.query), "after": str(oldest)}.items()))


class _Settlement(msgspec.Struct, rename="camel"):
    inst_type: Literal["SWAP"]
    inst_id: str
    realized_rate: Finite  # what was paid; `fundingRate` beside it is what had been predicted
    funding_time: int


_SETTLEMENT = msgspec.json.Decoder(_Settlement, strict=False)


def parse_funding_history(reply: Reply) -> Iterator[Record | Reject]:
    """`public/funding-rate-history`; the interval is the time between two settlements.

    https://www.okx.com/docs-v5/en/#public-data-rest-api-get-funding-rate-history
    """

    def read(row: _Settlement) -> list[Record]:
        return [FundingRate(**seen_by(reply, row.inst_id, "perp", row.funding_time), funding_rate=row.realized_rate)]

    return with_intervals(each(reply, _SETTLEMENT, read))


def ask_funding_history(path: str, symbols: list[str], plan: Plan) -> list[Request]:
    before = (("after", str(_milliseconds(plan.end_ts))), ("limit", FUNDING_HISTORY))
    return [Request(path, (("instId", symbol), *before)) for symbol in symbols]


class _Forced(msgspec.Struct, rename="camel"):
    side: Literal["buy", "sell"]
    bk_px: Finite
    sz: Finite
    ts: int


class _Forcing(msgspec.Struct, rename="camel"):
    inst_type: Literal["SWAP", "FUTURES"]
    inst_id: str
    details: list[_Forced]


_FORCING = msgspec.json.Decoder(_Forcing, strict=False)


def parse_liquidations(reply: Reply) -> Iterator[Record | Reject]:
    """`public/liquidation-orders`; the price is the bankruptcy price, at which the order was taken over.

    https://www.okx.com/docs-v5/en/#public-data-rest-api-get-liquidation-orders
    """

    def read(row: _Forcing) -> list[Record]:
        kind = KINDS[row.inst_type]
        return [
            Liquidation(
                **seen_by(reply, row.inst_id, kind, order.ts),
                side=order.side,
                px=order.bk_px,
                px_source="bankruptcy",
                qty=order.sz,
            )
            for order in row.details
        ]

    return each(reply, _FORCING, read)


def ask_liquidations(path: str, families: dict[str, list[str]], plan: Plan) -> list[Request]:
    """`families` by `instType`. The newest page before the span's end; `next_liquidations` goes back."""
    before = (("state", "filled"), ("after", str(_milliseconds(plan.end_ts))), ("limit", str(PAGE)))
    return [
        Request(path, (("instType", kind), ("instFamily", family), *before), until_ts=plan.start_ts)
        for kind, names in families.items()
        for family in names
    ]


def next_liquidations(request: Request, reply: Reply) -> Request | None:
    """The page before this one in time; a full page may hold several instruments of the family."""
    page = [decode(_FORCING, bytes(raw), f"okx {reply.path}: row") for raw in raws(reply)]
    orders = [order.ts for row in page for order in row.details]
    if len(orders) < PAGE or _is_done(request, reply, min(orders)):
        return None
    # One more than the oldest: several orders may share its millisecond, and rows that come twice collapse.
    query = {**dict(request.query), "after": str(min(orders) + 1)}
    if query == dict(request.query):
        raise Refused("paging", f"okx {reply.path}: a whole page of liquidations at {min(orders)} ms")
    return Request(request.path, tuple(query.items()), until_ts=request.until_ts)


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000)


def _oldest(decoder: msgspec.json.Decoder[T], page: list[msgspec.Raw], reply: Reply) -> T:
    """The last row of a page: OKX puts the newest first."""
    return decode(decoder, bytes(page[-1]), f"okx {reply.path}: last row")


def _is_done(request: Request, reply: Reply, oldest_ms: int) -> bool:
    if request.until_ts is None:
        raise Refused("paging", f"okx {reply.path}: a full page, but no until_ts to end the next at")
    return instant(oldest_ms) < request.until_ts
