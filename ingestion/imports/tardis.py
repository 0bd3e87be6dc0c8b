"""Rows of Tardis's CSV files: https://docs.tardis.dev/downloadable-csv-files/data-types

`local_timestamp`, the arrival at Tardis, is the capture clock. Where `timestamp` equals it, the exchange gave none.
`side` is the aggressor's; of a liquidation, the forced order's: `buy` closes a short.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import PurePath
from typing import Any

import msgspec

from ingestion.imports.layouts import TICKERS, Kinds, read_lines, side_of
from ingestion.imports.parts import Part, at_micros
from ingestion.imports.tardis_books import read_changes
from ingestion.imports.tardis_exchanges import EXCHANGES, Exchange
from ingestion.imports.tardis_files import TardisFile
from ingestion.imports.tardis_layouts import LAYOUTS, Line, Option, Quote, Ticker, TradeLine
from ingestion.records import FutureTicker, Liquidation, OpenInterest, OptionQuote, OrderBook, PerpTicker, Record, Trade
from ingestion.venues.base import Refused, Reject, Venue
from ingestion.venues.wire import Blank, Seen, above_zero, given, touch


def read_part(venue: Venue, part: Part) -> Iterator[Record | Reject]:
    """The rows of a part of such a file; raises `Refused` for one of another venue."""
    file = TardisFile.named(PurePath(part.path))
    if file.venue != venue.name:
        raise Refused("venue", f"{part.path}: of {file.venue} (expected {venue.name})")
    exchange = EXCHANGES[file.exchange]
    reader = _Reader(file.exchange, exchange, Kinds(venue, exchange.kinds))
    if file.has_changes:
        return read_changes(LAYOUTS[file.data_type], part, reader.seen)
    return read_lines(LAYOUTS[file.data_type], part, partial(_READ[file.data_type], reader))


class _Reader:
    """Lines of one exchange as records."""

    def __init__(self, name: str, exchange: Exchange, kinds: Kinds) -> None:
        self._name, self._exchange, self._kinds = name, exchange, kinds
        self._spelled: dict[str, str] = {}

    def seen(self, line: Line) -> Seen:
        """Who and when; `Refused` for a line of another exchange or an unknown symbol."""
        if line.exchange != self._name:
            raise Refused("contradiction", f"exchange {line.exchange} in a file of {self._name}")
        symbol = self._spelled.get(line.symbol)
        if symbol is None:
            symbol = self._spelled[line.symbol] = self._exchange.spelled(line.symbol)
        captured_ts = at_micros(line.local_timestamp)
        return {
            "venue": self._kinds.venue.name,
            "symbol": symbol,
            "kind": self._kinds.of(symbol, captured_ts),
            "captured_ts": captured_ts,
            "event_ts": None if line.timestamp == line.local_timestamp else at_micros(line.timestamp),
        }

    def _happened(self, line: Line) -> Seen:
        """The same of what means nothing without an instant: where the exchange gave none, Tardis's stands for it."""
        seen = self.seen(line)
        if seen["event_ts"] is None:
            seen["event_ts"] = seen["captured_ts"]
        return seen

    def trade(self, line: TradeLine) -> list[Record]:
        seen = self._happened(line)
        if not line.id:
            raise Refused("no_trade_id", "no trade id: it could not be told from the same trade of another source")
        return [
            Trade(
                **seen,
                trade_id=self._exchange.trade_id(line.id, line.timestamp),
                px=line.price,
                qty=line.amount / self._exchange.trade_sides,
                side=side_of(line.side),
            )
        ]

    def liquidation(self, line: TradeLine) -> list[Record]:
        seen = self._happened(line)
        if self._exchange.liquidation_px is None:
            raise Refused("px_source", f"{self._name} does not tell at what price it liquidates")
        return [
            Liquidation(
                **seen,
                liquidation_id=line.id or None,
                side=side_of(line.side),
                px=line.price,
                px_source=self._exchange.liquidation_px,
                qty=line.amount,
                is_sampled=self._exchange.liquidations_are_sampled,
            )
        ]

    def quote(self, line: Quote) -> list[Record]:
        seen = self.seen(line)
        bid_px, bid_qty = touch(line.bid_price, line.bid_amount)
        ask_px, ask_qty = touch(line.ask_price, line.ask_amount)
        return [TICKERS[seen["kind"]](**seen, bid_px=bid_px, bid_qty=bid_qty, ask_px=ask_px, ask_qty=ask_qty)]

    def ticker(self, line: Ticker) -> list[Record]:
        seen = self.seen(line)
        last_px, mark_px, index_px = map(above_zero, (line.last_price, line.mark_price, line.index_price))
        records: list[Record] = []
        if seen["kind"] == "perp":
            since = self._exchange.funding_since
            is_decimal = since is None or seen["captured_ts"] >= since
            records.append(
                PerpTicker(
                    **seen,
                    last_px=last_px,
                    mark_px=mark_px,
                    index_px=index_px,
                    funding_rate=given(line.funding_rate) if is_decimal else None,
                    next_funding_ts=_instant(line.funding_timestamp),
                )
            )
        elif seen["kind"] == "future":
            records.append(FutureTicker(**seen, last_px=last_px, mark_px=mark_px, index_px=index_px))
        else:
            raise Refused("kind", f"a derivative's ticker of a {seen['kind']}")
        return records + _open_interest(seen, line.open_interest)

    def option(self, line: Option) -> list[Record]:
        seen = self.seen(line)
        bid_px, bid_qty = touch(line.bid_price, line.bid_amount)
        ask_px, ask_qty = touch(line.ask_price, line.ask_amount)
        underlying_px = above_zero(line.underlying_price)
        is_forward, has_greeks = self._exchange.underlying_is_forward, self._exchange.has_greeks
        quote = OptionQuote(
            **seen,
            bid_px=bid_px,
            bid_qty=bid_qty,
            ask_px=ask_px,
            ask_qty=ask_qty,
            mark_px=above_zero(line.mark_price),
            last_px=above_zero(line.last_price),
            forward_px=underlying_px if is_forward else None,
            index_px=None if is_forward else underlying_px,
            bid_iv_ann=self._vol(line.bid_iv),
            mark_iv_ann=self._vol(line.mark_iv),
            ask_iv_ann=self._vol(line.ask_iv),
            delta=given(line.delta) if has_greeks else None,
            gamma=given(line.gamma) if has_greeks else None,
            vega=given(line.vega) if has_greeks else None,
            theta=given(line.theta) if has_greeks else None,
        )
        return [quote, *_open_interest(seen, line.open_interest)]

    def book(self, line: Line) -> list[Record]:
        levels: tuple[Any, ...] = msgspec.structs.astuple(line)[4:]
        asks = [(px, qty) for px, qty in zip(levels[0::4], levels[1::4], strict=True) if given(qty)]
        bids = [(px, qty) for px, qty in zip(levels[2::4], levels[3::4], strict=True) if given(qty)]
        return [
            OrderBook(
                **self.seen(line),
                bid_px=tuple(px for px, _ in bids),
                bid_qty=tuple(qty for _, qty in bids),
                ask_px=tuple(px for px, _ in asks),
                ask_qty=tuple(qty for _, qty in asks),
            )
        ]

    def _vol(self, value: float | Blank) -> float | None:
        """Decimals a year; where there is none, venues write 0."""
        vol = above_zero(value)
        if vol is None:
            return None
        return vol / 100 if self._exchange.iv_is_percent else vol


def _instant(value: int | Blank) -> Any:
    return at_micros(value) if isinstance(value, int) and value else None


def _open_interest(seen: Seen, value: float | Blank) -> list[Record]:
    qty = given(value)
    return [] if qty is None else [OpenInterest(**seen, open_interest_qty=qty)]


_READ: Mapping[str, Callable[[_Reader, Any], list[Record]]] = {
    "trades": _Reader.trade,
    "liquidations": _Reader.liquidation,
    "quotes": _Reader.quote,
    "book_ticker": _Reader.quote,
    "derivative_ticker": _Reader.ticker,
    "options_chain": _Reader.option,
    "book_snapshot_5": _Reader.book,
    "book_snapshot_25": _Reader.book,
}
