"""What Deribit keeps: trades with their liquidations, settled funding, bars, and the volatility index DVOL."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Literal

import msgspec
import numpy as np

from ingestion.records import Candle, FundingRate, Liquidation, Record, Trade, VolatilityIndex
from ingestion.venues.base import Refused, Reject, Reply, Request, decode, instant, rows
from ingestion.venues.columnwise import by_name, chosen, exact, from_epoch
from ingestion.venues.deribit_names import read_name
from ingestion.venues.deribit_replies import answer, listed, seen_by
from ingestion.venues.grids import Fields, Grid
from ingestion.venues.sheets import Columns, Values
from ingestion.venues.wire import Finite, Name

SETTLED_EVERY_S = 3_600  # a point of the funding history is an hour
KEPT = timedelta(hours=24)  # of trades

MINUTE_BARS = "1"  # a bar's `resolution` counts minutes,
MINUTE_VOLATILITY = "60"  # the index's counts seconds
_BAR_S = {**{str(m): m * 60 for m in (1, 3, 5, 10, 15, 30, 60, 120, 180, 360, 720)}, "1D": 86_400}
_VOLATILITY_S = {**{str(s): s for s in (1, 60, 3_600, 43_200)}, "1D": 86_400}


class _Trades(msgspec.Struct):
    trades: list[msgspec.Raw]
    has_more: bool


class _Listed(msgspec.Struct):
    trades: msgspec.Raw
    has_more: bool


class _Answered(msgspec.Struct):
    """A whole reply that is no error."""

    result: _Listed
    error: None = None


class _Trade(msgspec.Struct):
    trade_id: str
    instrument_name: str
    timestamp: int
    direction: Literal["buy", "sell"]
    price: msgspec.Raw
    amount: msgspec.Raw
    liquidation: Literal["M", "T", "MT"] | None = None  # which side was liquidated: maker, taker, both


_TRADES, _LISTED = msgspec.json.Decoder(_Trades), msgspec.json.Decoder(_Listed)
_ANSWERED = msgspec.json.Decoder(_Answered)
_TRADE = msgspec.json.Decoder(_Trade)
_NUMBER = msgspec.json.Decoder(Finite)
_OPPOSITE: dict[str, Literal["buy", "sell"]] = {"buy": "sell", "sell": "buy"}


def _listed_trades(reply: Reply) -> msgspec.Raw:
    try:
        found = decode(_ANSWERED, reply.body, "").result.trades
    except Refused:  # in two steps, which say what is wrong
        found = decode(_LISTED, bytes(answer(reply).result), f"deribit {reply.path}: result").trades
    start = reply.query.get("start_timestamp", "")
    is_empty = bytes(found)[1:-1].strip() == b""
    if is_empty and start.isdigit() and reply.captured_ts - instant(int(start)) > KEPT:
        raise Refused("too_old", f"deribit {reply.path}: no trades, but they were asked for after more than 24 hours")
    return found


def _trade_columns(_: Reply, fills: Fields[_Trade]) -> list[Columns]:
    of = f"{fills.instrument_name[0]} trade {fills.trade_id[0]}"
    trades: dict[str, Values] = {
        "venue": "deribit",
        "symbol": fills.instrument_name,
        "kind": by_name(fills.instrument_name, lambda symbol: read_name(symbol).kind),
        "event_ts": from_epoch(fills.timestamp),
        "trade_id": fills.trade_id,
        "px": exact(fills.price, _NUMBER, of),
        "qty": exact(fills.amount, _NUMBER, of),
        "side": fills.direction,
    }
    parties = fills.liquidation if isinstance(fills.liquidation, list) else fills.liquidation.to_pylist()
    if not any(parties):
        return [Columns(Trade, len(fills), trades)]
    forced = [(place, party) for place, parties_of in enumerate(parties) for party in parties_of or ""]
    places = np.array([place for place, _ in forced])
    taken = [str(side) for side in chosen(fills.direction, places)]
    liquidations: dict[str, Values] = {
        **{name: chosen(trades[name], places) for name in ("symbol", "kind", "event_ts", "px", "qty")},
        "venue": "deribit",
        "liquidation_id": chosen(fills.trade_id, places),
        "side": [side if party == "T" else _OPPOSITE[side] for side, (_, party) in zip(taken, forced, strict=True)],
        "px_source": "fill",
    }
    return [Columns(Trade, len(fills), trades), Columns(Liquidation, len(forced), liquidations, places)]


# `get_last_trades_by_…`; `direction` is the taker's, so a liquidated maker did the opposite.
# Asked for more than 24 hours ago, Deribit answers with nothing and no error: `Refused`, for it is not known.
# https://docs.deribit.com/api-reference/market-data/public-get_last_trades_by_currency_and_time
parse_trades = Grid(_listed_trades, _Trade, _trade_columns, strict=True)


def next_trades(request: Request, reply: Reply) -> Request | None:
    """The page that starts at this page's last millisecond, which it repeats: trades share milliseconds."""
    page = decode(_TRADES, bytes(answer(reply).result), f"deribit {reply.path}: result")
    if not page.has_more or not page.trades:
        return None
    last = str(decode(_TRADE, bytes(page.trades[-1]), f"deribit {reply.path}: last trade").timestamp)
    query = dict(request.query)
    if query["start_timestamp"] == last:
        raise Refused("paging", f"deribit {reply.path}: a whole page of trades at {last} ms")
    return Request(request.path, tuple({**query, "start_timestamp": last}.items()))


class _Funding(msgspec.Struct):
    timestamp: int
    interest_1h: Finite


_FUNDING = msgspec.json.Decoder(_Funding)


def parse_funding(reply: Reply) -> Iterator[Record | Reject]:
    """`get_funding_rate_history`; whose it is stands only in the question.

    What an hour paid is `interest_1h`. `interest_8h` beside it is what the last eight hours paid together, so that
    to take every hour's would count each payment eight times.
    https://docs.deribit.com/api-reference/market-data/public-get_funding_rate_history
    """
    symbol, name = _asked(reply)

    def read(row: _Funding) -> list[Record]:
        seen = seen_by(reply, symbol, name.kind, row.timestamp)
        return [FundingRate(**seen, funding_rate=row.interest_1h, funding_interval_s=SETTLED_EVERY_S)]

    return rows(_FUNDING, listed(answer(reply), reply), read)


def _asked(reply: Reply) -> tuple[str, Name]:
    symbol = reply.query.get("instrument_name", "")
    return symbol, read_name(symbol)


class _Chart(msgspec.Struct):
    status: Literal["ok", "no_data"]
    ticks: list[int]
    open: list[Finite]
    high: list[Finite]
    low: list[Finite]
    close: list[Finite]
    volume: list[Finite]  # base coin; `cost` is the same in quote currency


_CHART = msgspec.json.Decoder(_Chart)


def parse_candles(reply: Reply) -> Iterator[Record | Reject]:
    """`get_tradingview_chart_data`: one list a column.

    https://docs.deribit.com/api-reference/market-data/public-get_tradingview_chart_data
    """
    symbol, name = _asked(reply)
    interval_s = _length(reply, _BAR_S)
    chart = decode(_CHART, bytes(answer(reply).result), f"deribit {reply.path}: result")
    columns = (chart.ticks, chart.open, chart.high, chart.low, chart.close, chart.volume)
    if len({len(column) for column in columns}) != 1:
        raise Refused("schema", f"deribit {reply.path}: columns of {', '.join(str(len(c)) for c in columns)} rows")
    return (
        Candle(
            **seen_by(reply, symbol, name.kind, tick),
            interval_s=interval_s,
            open_px=open_px,
            high_px=high_px,
            low_px=low_px,
            close_px=close_px,
            volume_base=volume,
        )
        for tick, open_px, high_px, low_px, close_px, volume in zip(*columns, strict=True)
    )


def _length(reply: Reply, lengths: dict[str, int]) -> int:
    name = reply.query.get("resolution", "")
    if name not in lengths:
        raise Refused("interval", f"deribit {reply.path}: resolution '{name}', expected one of {', '.join(lengths)}")
    return lengths[name]


class _Volatility(msgspec.Struct):
    data: list[msgspec.Raw]
    continuation: int | None  # the end of the page before this one in time


# The documentation's own example is in decimals, the index itself in percent: below this it is not what is read here.
_Percent = Annotated[float, msgspec.Meta(ge=3, le=500)]
_VOLATILITY = msgspec.json.Decoder(_Volatility)
_BAR = msgspec.json.Decoder(tuple[int, _Percent, _Percent, _Percent, _Percent])


def parse_volatility(reply: Reply) -> Iterator[Record | Reject]:
    """`get_volatility_index_data`: DVOL in percent a year, here a decimal, under the index's name at Deribit.

    https://docs.deribit.com/api-reference/market-data/public-get_volatility_index_data
    """
    page = decode(_VOLATILITY, bytes(answer(reply).result), f"deribit {reply.path}: result")
    currency, interval_s = reply.query.get("currency", ""), _length(reply, _VOLATILITY_S)
    if not currency:
        raise Refused("unknown_symbol", f"deribit {reply.path}: no currency was asked for")

    def read(bar: tuple[int, float, float, float, float]) -> list[Record]:
        tick, opened, high, low, closed = bar
        return [
            VolatilityIndex(
                **seen_by(reply, f"{currency.lower()}dvol_usdc", "option", tick),
                base_asset=currency,
                interval_s=interval_s,
                open_iv_ann=opened / 100,
                high_iv_ann=high / 100,
                low_iv_ann=low / 100,
                close_iv_ann=closed / 100,
            )
        ]

    return rows(_BAR, page.data, read)


def next_volatility(request: Request, reply: Reply) -> Request | None:
    """The page before this one in time: Deribit gives the newest thousand bars first."""
    page = decode(_VOLATILITY, bytes(answer(reply).result), f"deribit {reply.path}: result")
    if page.continuation is None or not page.data:
        return None
    return Request(request.path, tuple({**dict(request.query), "end_timestamp": str(page.continuation)}.items()))
