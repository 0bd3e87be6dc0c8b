"""What ccxt's unified structures say, as our records; https://github.com/ccxt/ccxt/wiki/Manual#market-data.

Amounts of contracts are counted in contracts by the library's convention. Volumes and open interest are not uniform
among its exchanges: each is kept only where price and turnover of the same reply confirm what it counts.
"""

import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from ingestion.records import (
    Candle,
    FundingRate,
    FutureTicker,
    Instrument,
    OpenInterest,
    OrderBook,
    PerpTicker,
    Record,
    SpotTicker,
    Trade,
)
from ingestion.venues.base import Refused, Reject, instant
from ingestion.venues.wire import Seen, touch

CONFIRMED_WITHIN = 0.5  # a day's mean price may differ from the last by a half, a wrong unit by tenfold or more
CANDLE_S = 3_600
_INTERVALS_S = {"h": 3_600, "d": 86_400, "m": 60}

# What a reply or a row of a shape that is not expected raises, in the library as here.
SLIPS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)

T = TypeVar("T")
Rows = Iterator[Record | Reject]


def order_book(listed: Instrument, said: dict[str, Any], at: datetime) -> Rows:
    """`fetchOrderBook`."""
    yield OrderBook(
        **_seen(listed, said.get("timestamp"), at),
        bid_px=tuple(_finite(level[0]) for level in said["bids"]),
        bid_qty=tuple(_finite(level[1]) for level in said["bids"]),
        ask_px=tuple(_finite(level[0]) for level in said["asks"]),
        ask_qty=tuple(_finite(level[1]) for level in said["asks"]),
    )


def trades(listed: Instrument, said: list[dict[str, Any]], at: datetime) -> Rows:
    """`fetchTrades`; `side` is the taker's. One without side, id or time is rejected."""

    def read(row: dict[str, Any]) -> Trade:
        if row.get("side") not in {"buy", "sell"} or not row.get("id") or not row.get("timestamp"):
            raise Refused("schema", "a trade without the taker's side, an id or a time")
        return Trade(
            **_seen(listed, row["timestamp"], at),
            trade_id=str(row["id"]),
            px=_finite(row["price"]),
            qty=_finite(row["amount"]),
            side=row["side"],
        )

    return _each(listed, said, read)


def spot_ticker(listed: Instrument, said: dict[str, Any], at: datetime) -> Rows:
    """`fetchTicker` of a spot pair."""
    base, quote, rejects = _volumes(listed, said)
    yield SpotTicker(**_seen(listed, said.get("timestamp"), at), **_quotes(said), **_volume(base, quote))
    yield from rejects


def future_ticker(listed: Instrument, said: dict[str, Any], at: datetime) -> Rows:
    """`fetchTicker` of a dated future."""
    base, quote, rejects = _volumes(listed, said)
    yield FutureTicker(
        **_seen(listed, said.get("timestamp"), at), **_quotes(said), **_volume(base, quote), **_marks(said)
    )
    yield from rejects


def perp_ticker(listed: Instrument, said: dict[str, Any], at: datetime) -> Rows:
    """`fetchTicker` and, where offered, `fetchFundingRate`; a rate without its interval is left out."""
    ticker, funding = said["ticker"], said["funding"]
    base, quote, rejects = _volumes(listed, ticker)
    interval_s = _interval_s(funding.get("interval"))
    rate = funding.get("fundingRate")
    next_ms = funding.get("fundingTimestamp")
    yield PerpTicker(
        **_seen(listed, ticker.get("timestamp"), at),
        **_quotes(ticker),
        **_volume(base, quote),
        **_marks(ticker | {k: v for k, v in funding.items() if k in {"markPrice", "indexPrice"} and v}),
        funding_rate=None if rate is None or interval_s is None else _finite(rate),
        funding_interval_s=interval_s,
        next_funding_ts=instant(next_ms) if next_ms else None,
    )
    if rate is not None and interval_s is None:
        yield _reject("units", f"{listed.symbol}: a funding rate {rate} without the interval that it is for", funding)
    yield from rejects


def open_interest(listed: Instrument, said: dict[str, Any], at: datetime) -> Rows:
    """`fetchOpenInterest`, told apart in contracts and base coin by its own value at the ticker's price."""
    interest, px = said["interest"], said["ticker"].get("last")
    amount, value = interest.get("openInterestAmount"), interest.get("openInterestValue")
    counted = _counts(listed, amount, value, px)
    if counted is None or amount is None:
        reason = f"{listed.symbol}: open interest {amount} worth {value} at {px}: neither contracts nor coin"
        yield _reject("units", reason, interest)
        return
    contracts = amount if counted == "contracts" else _contracts(listed, amount, px)
    yield OpenInterest(
        **_seen(listed, interest.get("timestamp"), at),
        open_interest_qty=_finite(contracts),
        open_interest_base=_finite(amount) if counted == "base" else None,
    )


def funding_rates(listed: Instrument, said: list[dict[str, Any]], at: datetime) -> Rows:
    """`fetchFundingRateHistory`."""
    return _each(
        listed,
        said,
        lambda row: FundingRate(**_seen(listed, row["timestamp"], at), funding_rate=_finite(row["fundingRate"])),
    )


def candles(listed: Instrument, said: list[list[Any]], at: datetime) -> Rows:
    """`fetchOHLCV`; its volume is left out, for exchanges count it differently. The open bar is left out."""

    def read(row: list[Any]) -> Candle | None:
        start_ms, open_px, high_px, low_px, close_px, *_ = row
        if instant(start_ms) + timedelta(seconds=CANDLE_S) > at:
            return None
        return Candle(
            **_seen(listed, start_ms, at),
            interval_s=CANDLE_S,
            open_px=_finite(open_px),
            high_px=_finite(high_px),
            low_px=_finite(low_px),
            close_px=_finite(close_px),
        )

    return _each(listed, said, read)


def confirm_size(listed: Instrument, ticker: dict[str, Any], interest: dict[str, Any]) -> None:
    """Refuse a contract whose size neither its day's volume nor its open interest confirms, each in contracts."""
    px = ticker.get("last")
    volume = _counts(listed, ticker.get("baseVolume"), ticker.get("quoteVolume"), px)
    held = _counts(listed, interest.get("openInterestAmount"), interest.get("openInterestValue"), px)
    is_one_coin = not listed.is_inverse and listed.contract_size == 1.0 and "base" in {volume, held}
    if "contracts" not in {volume, held} and not is_one_coin:
        raise Refused("units", f"{listed.symbol}: a contract of {listed.contract_size:g}, which nothing confirms")


READERS: dict[str, Callable[[Instrument, Any, datetime], Rows]] = {
    "order_books": order_book,
    "trades": trades,
    "spot_tickers": spot_ticker,
    "future_tickers": future_ticker,
    "perp_tickers": perp_ticker,
    "open_interest": open_interest,
    "funding_rates": funding_rates,
    "candles": candles,
}


def _each(listed: Instrument, said: list[T], read: Callable[[T], Record | None]) -> Rows:
    """What `read` makes of each row; one that it cannot read costs one row and not the reply."""
    for row in said:
        try:
            record = read(row)
        except Refused as refused:
            yield _reject(refused.rule, f"{listed.symbol}: {refused.reason}", row)
            continue
        except SLIPS as error:
            yield _reject("schema", f"{listed.symbol}: {type(error).__name__}, {error}", row)
            continue
        if record is not None:
            yield record


def _seen(listed: Instrument, timestamp_ms: int | None, at: datetime) -> Seen:
    return {
        "venue": listed.venue,
        "symbol": listed.symbol,
        "kind": listed.kind,
        "captured_ts": at.astimezone(UTC),
        "event_ts": None if timestamp_ms is None else instant(timestamp_ms),
    }


def _quotes(said: dict[str, Any]) -> dict[str, float | None]:
    bid_px, bid_qty = _side(said.get("bid"), said.get("bidVolume"))
    ask_px, ask_qty = _side(said.get("ask"), said.get("askVolume"))
    return {
        "bid_px": bid_px,
        "bid_qty": bid_qty,
        "ask_px": ask_px,
        "ask_qty": ask_qty,
        "last_px": _finite(said["last"]) if said.get("last") else None,
    }


def _side(px: float | None, qty: float | None) -> tuple[float | None, float | None]:
    """A price may come without its size, which many exchanges do not tell."""
    return touch(px, qty) if qty is not None else (px or None, None)


def _marks(said: dict[str, Any]) -> dict[str, float | None]:
    return {"mark_px": said.get("markPrice") or None, "index_px": said.get("indexPrice") or None}


def _volume(base: float | None, quote: float | None) -> dict[str, float | None]:
    return {"volume_24h_base": base, "volume_24h_quote": quote}


def _volumes(listed: Instrument, said: dict[str, Any]) -> tuple[float | None, float | None, list[Reject]]:
    """A day's volume in base and quote, where the two confirm each other at the last price."""
    amount, turnover, px = said.get("baseVolume"), said.get("quoteVolume"), said.get("last")
    if not amount or not turnover or not px:
        return (0.0, 0.0, []) if amount == 0 and turnover == 0 else (None, None, [])
    counted = _counts(listed, amount, turnover, px)
    if counted == "base":
        return _finite(amount), _finite(turnover), []
    if counted == "contracts" and not listed.is_inverse:
        return _finite(amount * listed.contract_size), _finite(turnover), []
    reason = f"{listed.symbol}: volume {amount} with turnover {turnover} at {px}: not confirmed"
    return None, None, [_reject("units", reason, {k: said.get(k) for k in ("baseVolume", "quoteVolume", "last")})]


def _counts(listed: Instrument, amount: float | None, value: float | None, px: float | None) -> str | None:
    """Whether an amount worth `value` at this price is base coin or contracts; none where it is neither or both."""
    if not amount or not value or not px:
        return None
    a_contract = listed.contract_size if listed.is_inverse else listed.contract_size * px
    worth = {"base": amount * px, "contracts": amount * a_contract}
    fitting = [unit for unit, at in worth.items() if abs(value / at - 1) < CONFIRMED_WITHIN]
    if len(fitting) == 2:  # one contract is one coin
        return "base" if math.isclose(worth["base"], worth["contracts"], rel_tol=1e-9) else None
    return fitting[0] if fitting else None


def _contracts(listed: Instrument, base: float, px: float) -> float:
    return base * px / listed.contract_size if listed.is_inverse else base / listed.contract_size


def _interval_s(text: str | None) -> int | None:
    if not text or text[-1] not in _INTERVALS_S or not text[:-1].isdigit():
        return None
    return int(text[:-1]) * _INTERVALS_S[text[-1]]


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise Refused("finite", f"{value} is no finite number")
    return number


def _reject(rule: str, reason: str, row: object) -> Reject:
    return Reject(rule, reason, json.dumps(row, default=str).encode())
