"""The columns of Binance's public archive: https://github.com/binance/binance-public-data

Files of futures grew a header in 2021 and 2022; those of spot have none. Clocks are milliseconds, of spot
microseconds since 2025-01-01: told by their range. Amounts count as the market's: base coin, or contracts of COIN-M.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from ingestion.imports.layouts import Layout, Row
from ingestion.imports.parts import EARLIEST_US, HOUR_US, LATEST_US, micros_of
from ingestion.venues.base import Refused
from ingestion.venues.binance import Amount, Id, Price, Signed
from ingestion.venues.wire import Blank, Finite


class TradeLine(Row):
    """Of USD-M; COIN-M tells the base coin in the fourth place, spot one thing more."""

    id: Id
    price: Price
    qty: Price
    quote_qty: Finite
    time: int
    is_buyer_maker: bool


class CoinTradeLine(Row):
    id: Id
    price: Price
    qty: Price
    base_qty: Finite
    time: int
    is_buyer_maker: bool


class SpotTradeLine(TradeLine):
    is_best_match: bool


class AggregateLine(Row):
    agg_trade_id: Id
    price: Price
    quantity: Price
    first_trade_id: int
    last_trade_id: int
    transact_time: int
    is_buyer_maker: bool


class SpotAggregateLine(AggregateLine):
    is_best_match: bool


class BarLine(Row):
    """Of all bars; `volume` counts base coin or contracts, `quote_volume` quote currency or base coin."""

    open_time: int
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Amount
    close_time: int
    quote_volume: Amount
    count: int
    taker_buy_volume: Finite
    taker_buy_quote_volume: Finite
    ignore: str


class BestLine(Row):
    """Of `bookTicker`: when the engine changed the book, and when the stream told it."""

    update_id: Id
    best_bid_price: Amount
    best_bid_qty: Amount
    best_ask_price: Amount
    best_ask_qty: Amount
    transaction_time: int
    event_time: int


class MetricsLine(Row):
    """Of `metrics`, every five minutes; the ratios have no home in the lake."""

    create_time: str
    symbol: str
    sum_open_interest: Amount
    sum_open_interest_value: Amount | Blank
    count_toptrader_long_short_ratio: Finite | Blank
    sum_toptrader_long_short_ratio: Finite | Blank
    count_long_short_ratio: Finite | Blank
    sum_taker_long_short_vol_ratio: Finite | Blank


class FundingLine(Row):
    calc_time: int
    funding_interval_hours: int
    last_funding_rate: Signed


class LiquidationLine(Row):
    """Of `liquidationSnapshot`, which has every line twice."""

    time: int
    side: Literal["BUY", "SELL"]
    order_type: str
    time_in_force: str
    original_quantity: Amount
    price: Amount
    average_price: Amount
    order_status: str
    last_fill_quantity: Amount
    accumulated_fill_quantity: Amount


class NamedLiquidationLine(Row):
    """The same in files without a header, which name the symbol."""

    time: int
    symbol: str
    side: Literal["BUY", "SELL"]
    order_type: str
    time_in_force: str
    original_quantity: Amount
    price: Amount
    average_price: Amount
    order_status: str
    last_fill_quantity: Amount
    accumulated_fill_quantity: Amount


class IndexLine(Row):
    """Of `BVOLIndex`, every second; `base_asset` is the index's own (BTCBVOL), its value percent a year."""

    calc_time: int
    symbol: str
    base_asset: str
    quote_asset: str
    index_value: Price


class SummaryLine(Row):
    """Of `EOHSummary`, every hour; volatilities are decimals. Prices of nothing are blank or 0."""

    date: str
    hour: str  # 00 to 23
    symbol: str
    underlying: str
    type: Literal["C", "P"]
    strike: str
    open: Finite | Blank
    high: Finite | Blank
    low: Finite | Blank
    close: Finite | Blank
    volume_contracts: Finite | Blank  # of the hour
    volume_usdt: Finite | Blank
    best_bid_price: Finite | Blank
    best_ask_price: Finite | Blank
    best_bid_qty: Finite | Blank
    best_ask_qty: Finite | Blank
    best_buy_iv: Finite | Blank
    best_sell_iv: Finite | Blank
    mark_price: Finite | Blank
    mark_iv: Finite | Blank
    delta: Finite | Blank
    gamma: Finite | Blank
    vega: Finite | Blank
    theta: Finite | Blank
    openinterest_contracts: Finite | Blank
    openinterest_usdt: Finite | Blank


def micros(value: int) -> int:
    """A clock of the archive as microseconds, its unit told by its range; `Refused` where it is neither."""
    for unit_us in (1_000, 1):
        if EARLIEST_US <= value * unit_us < LATEST_US:
            return value * unit_us
    raise Refused("timestamp", f"{value} is of 2009 to 2100 neither in milliseconds nor in microseconds")


def written(text: str) -> int:
    """`2024-01-14 00:05:00`, which is UTC, as microseconds."""
    try:
        return micros_of(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC))
    except ValueError as error:
        raise Refused("timestamp", f"{text!r} (expected 2024-01-14 00:05:00)") from error


def end_of_hour(day: str, hour: str) -> int:
    """The last microsecond of the hour that a summary closes: what is told is known by then, and not before."""
    return written(f"{day} {hour:0>2}:00:00") + HOUR_US - 1


def _field(line: bytes, place: int) -> int:
    return micros(int(line.split(b",", place + 1)[place]))


def _summarised(line: bytes) -> int:
    day, hour, _ = line.split(b",", 2)
    return end_of_hour(day.decode(), hour.decode())


def _metered(line: bytes) -> int:
    return written(line.split(b",", 1)[0].decode())


def _layout(dataset: str | None, row: type[Row], place: int, every_s: int | None = None) -> Layout:
    return Layout(dataset, row, lambda line: _field(line, place), every_s)


_SPOT_TRADES, _SPOT_AGGREGATES = _layout("trades", SpotTradeLine, 4), _layout("trades", SpotAggregateLine, 5)
_TRADES, _COIN_TRADES = _layout("trades", TradeLine, 4), _layout("trades", CoinTradeLine, 4)
_AGGREGATES, _CANDLES = _layout("trades", AggregateLine, 5), _layout("candles", BarLine, 0)
# Both futures markets alike. Bars of what is not traded are read as their last value, at their end.
_FUTURES: Mapping[str, tuple[Layout, ...]] = {
    "aggTrades": (_AGGREGATES,),
    "klines": (_CANDLES,),
    "markPriceKlines": (_layout(None, BarLine, 6),),
    "indexPriceKlines": (_layout("index_prices", BarLine, 6),),
    "bookTicker": (_layout(None, BestLine, 6, every_s=1),),
    "metrics": (Layout("open_interest", MetricsLine, _metered),),
    "fundingRate": (_layout("funding_rates", FundingLine, 0),),
    "liquidationSnapshot": (
        _layout("liquidations", LiquidationLine, 0),
        _layout("liquidations", NamedLiquidationLine, 0),
    ),
}
# By market and kind; each kind's usual layout first.
LAYOUTS: Mapping[str, Mapping[str, tuple[Layout, ...]]] = {
    "spot": {"trades": (_SPOT_TRADES,), "aggTrades": (_SPOT_AGGREGATES,), "klines": (_CANDLES,)},
    "um": {"trades": (_TRADES,), **_FUTURES},
    "cm": {"trades": (_COIN_TRADES,), **_FUTURES},
    "option": {
        "BVOLIndex": (_layout("volatility_indices", IndexLine, 0),),
        "EOHSummary": (Layout("option_quotes", SummaryLine, _summarised),),
    },
}
