"""What Kraken Futures' replies share, and its list of contracts. Numbers are bare, times ISO 8601."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime

import msgspec

from ingestion.columns import EPOCH, MICROSECOND
from ingestion.records import Instrument, Record
from ingestion.venues.base import Refused, Reject, Reply, decode, rows
from ingestion.venues.kraken_futures_names import STYLES, read_name, spelled, style
from ingestion.venues.wire import Finite, Name, Seen, agree, instant_written, instrument

FUNDING_UNIT_S = 3_600  # a rate is what one contract pays in an hour, whatever the period that it is set for
ABSENT = msgspec.Raw(b"null")


class Answer(msgspec.Struct, rename="camel"):
    """Any reply of the trading API; what it does not carry is `ABSENT`."""

    result: str
    server_time: str | None = None
    error: str = ""
    errors: msgspec.Raw = msgspec.Raw(b"[]")
    instruments: msgspec.Raw = ABSENT
    tickers: msgspec.Raw = ABSENT
    ticker: msgspec.Raw = ABSENT
    order_book: msgspec.Raw = ABSENT
    history: msgspec.Raw = ABSENT
    rates: msgspec.Raw = ABSENT

    @property
    def event_ts(self) -> datetime | None:
        return None if self.server_time is None else instant_written(self.server_time)

    @property
    def event_us(self) -> int | None:
        event_ts = self.event_ts
        return None if event_ts is None else (event_ts - EPOCH) // MICROSECOND


_ANSWER = msgspec.json.Decoder(Answer)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def answer(reply: Reply) -> Answer:
    """The reply unwrapped; an error that Kraken reports with status 200 is `Refused`."""
    found = decode(_ANSWER, reply.body, f"kraken_futures {reply.path}")
    if found.result != "success":
        said = found.error or bytes(found.errors).decode(errors="replace")
        raise Refused("venue_error", f"kraken_futures {reply.path}: {found.result[:20]}, {said[:120]}")
    return found


def listed(raw: msgspec.Raw, reply: Reply) -> list[msgspec.Raw]:
    return decode(_LIST, bytes(raw), f"kraken_futures {reply.path}: list")


def seen_by(reply: Reply, symbol: str, name: Name, event_ts: datetime | None) -> Seen:
    return {
        "venue": "kraken_futures",
        "symbol": symbol,
        "kind": name.kind,
        "captured_ts": reply.captured_ts,
        "event_ts": event_ts,
    }


class _Listed(msgspec.Struct, rename="camel"):
    symbol: str
    type: str
    tick_size: Finite | None = None  # none for an index, as `contractSize`
    contract_size: Finite | None = None
    last_trading_time: str | None = None  # fixed maturities
    contract_value_trade_precision: int | None = None  # decimals of a size, negative for tens; in lists since 2022
    is_expired: bool = False


_LISTED = msgspec.json.Decoder(_Listed)


def parse_instruments(reply: Reply) -> Iterator[Record | Reject]:
    """`instruments`. Indices stand among them and are none.

    https://docs.kraken.com/api/docs/futures-api/trading/get-instruments
    """
    found = answer(reply)

    def read(row: _Listed) -> list[Record]:
        if row.type.endswith("index") or row.is_expired:
            return []
        return [_instrument(row, reply, found.event_ts)]

    return rows(_LISTED, listed(found.instruments, reply), read)


def _instrument(row: _Listed, reply: Reply, event_ts: datetime | None) -> Instrument:
    symbol = spelled(row.symbol)
    name = read_name(symbol)
    agree(symbol, "style", style(symbol), STYLES.get(row.type, row.type))
    ends = None if row.last_trading_time is None else instant_written(row.last_trading_time)
    agree(symbol, "last day", _day(name.expiry_ts), _day(ends))
    if row.tick_size is None or row.contract_size is None:
        raise Refused("schema", f"{symbol}: `tickSize` or `contractSize` is missing, which every contract has")
    decimals = row.contract_value_trade_precision
    return instrument(
        replace(name, expiry_ts=ends),
        venue="kraken_futures",
        symbol=symbol,
        captured_ts=reply.captured_ts,
        event_ts=event_ts,
        contract_size=row.contract_size,
        amount_unit="contracts",
        terms_source="listed",
        tick_size_px=row.tick_size,
        lot_size_qty=None if decimals is None else float(f"1e{-decimals}"),
    )


def _day(at: datetime | None) -> date | None:
    return None if at is None else at.date()
