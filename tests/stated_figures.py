"""What recorded payloads say of their own notional: the second opinion on every conversion.

A venue that states a quantity twice, in its unit and in coin or money, states our conversion too.
These figures are read from the JSON alone; nothing here knows an adapter.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

Row = dict[str, Any]
What = Literal["trade", "open_interest", "volume"]

MINOR_UNITS = {"XBt": 1e-8, "USDt": 1e-6}  # BitMEX's; of the coin
FLAT = 1.01  # a bar or day that moved less has one price to within 1 %
ROUNDED = 100  # a figure in whole units says less than 1 % below this


class Figure(NamedTuple):
    """A quantity in the venue's unit, and the same in base coin, and in what price times size is counted in."""

    what: What
    symbol: str
    qty: float
    px: float
    base: float | None = None
    value: float | None = None
    coin_px: float | None = None  # of the settlement coin, which the base of a quanto contract needs


def figures(venue: str, path: str, query: Mapping[str, str], body: Any) -> list[Figure]:
    """The figures of one reply; none where it states nothing twice."""
    for name, pattern, read in _READERS:
        if re.fullmatch(name, venue) and re.fullmatch(pattern, path):
            return [figure for figure in read(body, query) if figure.qty > 0]
    return []


def _rows(body: Any) -> list[Row]:
    return [row for row in (body if isinstance(body, list) else [body]) if "code" not in row]


def _binance_trades(body: Any, query: Mapping[str, str]) -> Iterator[Figure]:
    """`quoteQty` is price x size in the quote currency; COIN-M states `baseQty` instead."""
    for row in _rows(body):
        base, value = (float(row[name]) if name in row else None for name in ("baseQty", "quoteQty"))
        yield Figure("trade", query["symbol"], float(row["qty"]), float(row["price"]), base, value)


def _binance_day(body: Any, query: Mapping[str, str]) -> Iterator[Figure]:
    """One reply of 2020 states a volume and a mean price below zero: it says nothing."""
    for row in _rows(body):
        qty, px = float(row["volume"]), float(row["weightedAvgPrice"])
        if px > 0:
            base = float(row["baseVolume"]) if "baseVolume" in row else qty
            value = float(row["quoteVolume"]) if "quoteVolume" in row else None
            yield Figure("volume", row["symbol"], qty, px, base, value)


def _binance_bars(body: Any, query: Mapping[str, str]) -> Iterator[Figure]:
    """Base coin, and the same in quote currency; of COIN-M contracts, and the same in base coin."""
    for _, _, high, low, close, volume, _, other, *_ in body:
        if float(low) * FLAT > float(high):
            stated = (float(other), None) if "USD_" in query["symbol"] else (float(volume), float(other))
            yield Figure("volume", query["symbol"], float(volume), float(close), *stated)


def _bybit(body: Any, query: Mapping[str, str]) -> Iterator[Figure]:
    """Value of the open interest by the mark: money for linear contracts, coin for inverse ones.

    Both are documented as the sum of both sides; one side's is half.
    """
    for row in body["result"]["list"]:
        both, px, value = (float(row.get(name) or 0) for name in ("openInterest", "markPrice", "openInterestValue"))
        qty, stated = both / 2, value / 2
        if stated > 1:  # it has two decimals
            is_inverse = query["category"] == "inverse"
            yield Figure("open_interest", row["symbol"], qty, px, *((stated, None) if is_inverse else (None, stated)))


def _deribit(body: Any, query: Mapping[str, str]) -> Iterator[Figure]:
    """The day's volume of futures in coin and in dollars; of options only the premiums, which round to the tick."""
    for row in body["result"] if isinstance(body["result"], list) else [body["result"]]:
        day = row.get("stats", row)
        if not row["instrument_name"].endswith(("-C", "-P")) and day["low"]:
            px = (day["low"] + day["high"]) / 2
            yield Figure("volume", row["instrument_name"], day["volume_usd"], px, day["volume"], day["volume_usd"])


def _okx_interest(body: Any, query: Mapping[str, str]) -> Iterator[Figure]:
    for row in body["data"]:
        yield Figure("open_interest", row["instId"], float(row["oi"]), 1.0, float(row["oiCcy"]))


def _bitmex_trades(body: Any, query: Mapping[str, str]) -> Iterator[Figure]:
    for row in body:
        base, value = float(row["homeNotional"]), float(row["foreignNotional"])
        yield Figure("trade", row["symbol"], float(row["size"]), float(row["price"]), base, value)


def _bitmex_instruments(body: Any, query: Mapping[str, str]) -> Iterator[Figure]:
    """Open interest by the mark and the day's turnover by its mean price, in minor units of the settlement coin."""
    for row in body:
        minor = MINOR_UNITS.get(row["settlCurrency"])
        if minor is None or not row["openInterest"] or not row["volume24h"]:
            continue
        symbol, interest, day = row["symbol"], row["openValue"] * minor, row["turnover24h"] * minor
        if row["isInverse"]:
            yield Figure("open_interest", symbol, row["openInterest"], row["markPrice"], interest)
            yield Figure("volume", symbol, row["volume24h"], row["vwap"], day, row["foreignNotional24h"])
        else:
            coin_px = row["foreignNotional24h"] / day if row["isQuanto"] else None
            yield Figure("open_interest", symbol, row["openInterest"], row["markPrice"], None, interest)
            yield Figure("volume", symbol, row["volume24h"], row["vwap"], row["homeNotional24h"], day, coin_px)


def _gate_tickers(body: Any, query: Mapping[str, str]) -> Iterator[Figure]:
    """The day's volume by the last price, in whole bitcoin and dollars."""
    bitcoin_px = next(float(row["index_price"]) for row in body if row["contract"] == "BTC_USD")
    for row in body:
        qty, px, bitcoin, usd = (float(row[f]) for f in ("volume_24h", "last", "volume_24h_btc", "volume_24h_usd"))
        if bitcoin > ROUNDED:
            base, value = (bitcoin, usd) if row["contract"] == "BTC_USD" else (usd / px, bitcoin)
            yield Figure("volume", row["contract"], qty, px, base, value, bitcoin_px)


def _htx_interest(body: Any, query: Mapping[str, str]) -> Iterator[Figure]:
    """Contracts, and the same in coin; the price is the close that `detail/merged` tells of the same second."""
    for row in body["data"]:
        px = {"BTC200410": 6945.09, "ETH-USD": 144.91}.get(row["contract_code"])
        if px is not None:
            yield Figure("open_interest", row["contract_code"], row["volume"], px, row["amount"])


_READERS: tuple[tuple[str, str, Callable[[Any, Mapping[str, str]], Iterator[Figure]]], ...] = (
    ("binance_.*", r"/(api|fapi|dapi)/v\d/(trades|historicalTrades)", _binance_trades),
    ("binance_.*", r"/(api|fapi|dapi)/v\d/ticker/24hr", _binance_day),
    ("binance_.*", r"/(api|fapi|dapi)/v\d/klines", _binance_bars),
    ("bybit", r"/v5/market/tickers", _bybit),
    ("deribit", r"/api/v2/public/(get_book_summary_by_\w+|ticker)", _deribit),
    ("okx", r"/api/v5/public/open-interest", _okx_interest),
    ("bitmex", r"/api/v1/trade", _bitmex_trades),
    ("bitmex", r"/api/v1/instrument(/active)?", _bitmex_instruments),
    ("gate.*", r"/api/v4/futures/tickers", _gate_tickers),
    ("htx.*|huobi.*", r"/(api|swap-api)/v1/(contract|swap)_open_interest", _htx_interest),
)
