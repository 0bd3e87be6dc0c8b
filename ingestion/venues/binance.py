"""What Binance's venues have in common: wire shapes and their readers.

Numbers arrive as decimal strings. The types below let no NaN, infinity or empty string through.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, TypedDict, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from ingestion.records import (
    Candle,
    FutureTicker,
    Instrument,
    Kind,
    PerpTicker,
    Record,
    SpotTicker,
)
from ingestion.venues.base import ANY, Refused, Reject, Reply, decode, instant, rows

T = TypeVar("T")
Rows = Iterator[Record | Reject]

MAX_FLOAT = 1.7976931348623157e308
Signed = Annotated[float, Meta(ge=-MAX_FLOAT, le=MAX_FLOAT)]
Price = Annotated[float, Meta(gt=0, le=MAX_FLOAT)]
Amount = Annotated[float, Meta(ge=0, le=MAX_FLOAT)]
Id = Annotated[int, Meta(ge=0)]

SYMBOL = re.compile(r"[^\W_]+(_[0-9A-Z]+)?")

INTERVALS_S: Final = {
    "1s": 1,
    "1m": 60,
    "3m": 180,
    "5m": 300,
    "15m": 900,
    "30m": 1_800,
    "1h": 3_600,
    "2h": 7_200,
    "4h": 14_400,
    "6h": 21_600,
    "8h": 28_800,
    "12h": 43_200,
    "1d": 86_400,
    "3d": 259_200,
    "1w": 604_800,
}


@dataclass(frozen=True, slots=True)
class Market:
    """What tells the venues apart where they speak alike."""

    venue: str
    kind_of: Callable[[str], Kind]  # by the form of the symbol; raises Refused
    terms: Callable[[str, Kind, datetime], Instrument]  # by the documented grammar; raises Refused
    is_inverse: bool = False  # sizes count contracts, and volumes in base coin stand elsewhere
    form: re.Pattern[str] = SYMBOL  # of its symbols


class Identity(TypedDict):
    """The fields that every record carries."""

    venue: str
    symbol: str
    kind: Kind
    captured_ts: datetime
    event_ts: datetime | None


class Failure(Struct):
    """`{"code": -1121, "msg": "Invalid symbol."}`, which proxies and archives keep with status 200."""

    code: int | UnsetType = UNSET
    msg: str | UnsetType = UNSET


class Bar(Struct, array_like=True):
    """One row of `klines`; `volume` counts base coin or contracts, `turnover` quote or base coin."""

    open_ms: int
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Amount
    close_ms: int
    turnover: Amount


class Last(Struct):
    """One row of `ticker/price`; spot carries no clock."""

    symbol: str
    price: Amount
    time: int | UnsetType = UNSET


class Filter(Struct, rename="camel"):
    """One trading rule of `exchangeInfo`; most kinds carry neither step."""

    filter_type: str
    tick_size: Amount | UnsetType = UNSET
    step_size: Amount | UnsetType = UNSET


def reader(shape: type[T]) -> msgspec.json.Decoder[T]:
    """A decoder that takes numbers from strings, as Binance sends them."""
    return msgspec.json.Decoder(shape, strict=False)


_LIST = msgspec.json.Decoder(list[Raw])
_FAILURE = reader(Failure)
_BAR, _LAST = reader(Bar), reader(Last)


def source(market: Market, reply: Reply) -> str:
    """The reply's name in messages."""
    return f"{market.venue} {reply.path}"


def refuse_failure(market: Market, reply: Reply) -> None:
    """Refuse an error reply by rule `venue_error`, in the venue's own words."""
    if reply.body.lstrip().startswith(b"{"):
        failure = decode(_FAILURE, reply.body, source(market, reply))
        if failure.code is not UNSET and failure.msg is not UNSET:
            raise Refused("venue_error", f"{source(market, reply)}: {failure.code} {failure.msg}")


def row_list(market: Market, reply: Reply) -> Raw:
    """The list of a reply's rows; where one symbol was asked, some endpoints answer with its row instead of a list."""
    refuse_failure(market, reply)
    found = decode(ANY, reply.body, source(market, reply))
    return Raw(b"[%b]" % bytes(found)) if reply.body.lstrip().startswith(b"{") else found


def entries(market: Market, reply: Reply) -> list[Raw]:
    """A reply's rows; `Refused` as `row_list`."""
    return decode(_LIST, bytes(row_list(market, reply)), source(market, reply))


def identity(market: Market, reply: Reply, symbol: str, event_ms: int | UnsetType = UNSET) -> Identity:
    """Who, as the reply names it, and when; `Refused` where another symbol was asked."""
    asked = reply.query.get("symbol")
    if asked and asked.upper() != symbol:
        raise Refused("symbol", f"{source(market, reply)}: {asked} was asked, {symbol} came")
    if not market.form.fullmatch(symbol):
        raise Refused("unknown_symbol", f"{market.venue} {symbol!r}: not the form of a Binance symbol")
    return Identity(
        venue=market.venue,
        symbol=symbol,
        kind=market.kind_of(symbol),
        captured_ts=reply.captured_ts,
        event_ts=None if event_ms is UNSET else instant(event_ms),
    )


def asked_identity(market: Market, reply: Reply) -> Identity:
    """Who, where only the query names it.

    The name must follow the documented grammar: archives cut queries off, and BTCUSDT became BTCU.
    """
    symbol = reply.query.get("symbol", "").upper()
    if not symbol:
        raise Refused("symbol", f"{source(market, reply)}: neither the reply nor its query names the symbol")
    who = identity(market, reply, symbol)
    market.terms(symbol, who["kind"], reply.captured_ts)
    return who


def present(value: float) -> float | None:
    """A price or step of 0 stands for none: pairs on a break quote it, and it switches a filter off."""
    return value or None


def steps(filters: Sequence[Filter]) -> tuple[float | None, float | None]:
    """Tick size and lot size of an instrument."""
    ticks = [f.tick_size for f in filters if f.filter_type == "PRICE_FILTER" and f.tick_size is not UNSET]
    lots = [f.step_size for f in filters if f.filter_type == "LOT_SIZE" and f.step_size is not UNSET]
    return present(ticks[0]) if ticks else None, present(lots[0]) if lots else None


TICKERS: Final[dict[Kind, type[SpotTicker]]] = {
    "spot": SpotTicker,
    "future": FutureTicker,
    "perp": PerpTicker,
}


def interval_s(market: Market, reply: Reply) -> int:
    """The bars' length by the query; a month has no fixed length and is `Refused`."""
    name = reply.query.get("interval", "")
    if name not in INTERVALS_S:
        why = "a month has no fixed length" if name == "1M" else f"expected one of {', '.join(INTERVALS_S)}"
        raise Refused("interval", f"{source(market, reply)}: interval {name!r}: {why}")
    return INTERVALS_S[name]


def parse_candles(market: Market, reply: Reply) -> Rows:
    """Read `klines`; a bar that does not last as long as the query says is rejected."""
    raws = entries(market, reply)
    length_s = interval_s(market, reply)
    who = asked_identity(market, reply)

    def read(bar: Bar) -> Iterator[Candle]:
        if bar.close_ms - bar.open_ms + 1 != length_s * 1000:
            raise Refused("interval", f"a bar of {bar.open_ms} to {bar.close_ms} does not last {length_s} s")
        who["event_ts"] = instant(bar.open_ms)
        yield Candle(
            **who,
            interval_s=length_s,
            open_px=bar.open,
            high_px=bar.high,
            low_px=bar.low,
            close_px=bar.close,
            volume_base=bar.turnover if market.is_inverse else bar.volume,
        )

    return rows(_BAR, raws, read)


def parse_last_price(market: Market, reply: Reply) -> Rows:
    """Read `ticker/price`."""

    def read(last: Last) -> Iterator[SpotTicker]:
        who = identity(market, reply, last.symbol, last.time)
        yield TICKERS[who["kind"]](**who, last_px=present(last.price))

    return rows(_LAST, entries(market, reply), read)
