"""Bitfinex's replies: arrays by position, sizes in base coin with the side in their sign, milliseconds.

https://docs.bitfinex.com/reference
Numbers are printed binary floats (`37.930307309999996`): what is read is what the venue holds.
"""

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

import msgspec

from ingestion.records import Instrument, OpenInterest, OrderBook, PerpTicker, Record, SpotTicker
from ingestion.venues.base import Refused, Reject, Reply, decode, instant, rows
from ingestion.venues.bitfinex_names import FUNDING_INTERVAL_S, read_name, read_terms
from ingestion.venues.wire import Finite, Quotes, Seen, agree

Unread: TypeAlias = Any  # a position that the documentation leaves open, or that is not stored
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def each(reply: Reply) -> list[msgspec.Raw]:
    """The rows of a reply; `["error", 10020, "limit: invalid"]` is `Refused`, whatever its status."""
    found = decode(_LIST, reply.body, f"bitfinex {reply.path}")
    if found and bytes(found[0]) == b'"error"':
        raise Refused("venue_error", f"bitfinex {reply.path}: {reply.body[:160].decode('utf-8', 'replace')}")
    return found


def asked(reply: Reply, expression: str) -> str:
    """What the path says of the question; rows do not name their symbol."""
    found = re.fullmatch(expression, reply.path)
    if found is None:
        raise Refused("unknown_symbol", f"bitfinex {reply.path}: no symbol in the path")
    return found[1]


def seen_by(reply: Reply, symbol: str, ts: int | None) -> Seen:
    return {
        "venue": "bitfinex",
        "symbol": symbol,
        "kind": read_name(symbol).kind,
        "captured_ts": reply.captured_ts,
        "event_ts": None if ts is None else instant(ts),
    }


_NAMES = msgspec.json.Decoder(tuple[list[msgspec.Raw]])
_NAME = msgspec.json.Decoder(str)


def parse_instruments(reply: Reply) -> Iterator[Record | Reject]:
    """`conf/pub:list:pair:…`: names without their `t`, in one list inside another; the names say the terms."""
    each(reply)
    [names] = decode(_NAMES, reply.body, f"bitfinex {reply.path}")
    kind = "spot" if reply.path.endswith("exchange") else "perp"

    def read(name: str) -> list[Instrument]:
        terms = read_terms(f"t{name}", reply.captured_ts, "listed")
        agree(terms.symbol, "kind", terms.kind, kind)
        return [terms]

    return rows(_NAME, names, read)


class _Ticker(msgspec.Struct, array_like=True):
    symbol: str
    bid_px: Finite
    bid_depth: Finite  # of the 25 best bids together, not of the best
    ask_px: Finite
    ask_depth: Finite
    _5: Unread
    _6: Unread
    last_px: Finite
    volume: Finite  # base coin


_TICKER = msgspec.json.Decoder(_Ticker)


def parse_tickers(reply: Reply) -> Iterator[Record | Reject]:
    """`tickers`, spot and perpetuals; rows of margin funding (`fUSD`) are no pairs and left out.

    Where nothing rests on a side, its price is that of the last order there.
    """

    def read(row: _Ticker) -> list[Record]:
        if row.symbol.startswith("f"):
            return []
        quotes: Quotes = {
            "bid_px": row.bid_px if row.bid_depth > 0 else None,
            "bid_qty": None,
            "ask_px": row.ask_px if row.ask_depth > 0 else None,
            "ask_qty": None,
            "last_px": row.last_px or None,
            "volume_24h_base": row.volume,
            "volume_24h_quote": None,
        }
        seen = seen_by(reply, row.symbol, None)
        return [PerpTicker(**seen, **quotes) if seen["kind"] == "perp" else SpotTicker(**seen, **quotes)]

    return rows(_TICKER, each(reply), read)


class _Status(msgspec.Struct, array_like=True):
    symbol: str
    ts: int
    _2: Unread
    _3: Unread
    spot_px: Finite | None  # mid of the venue's own spot pair
    _5: Unread
    _6: Unread
    _7: Unread
    next_funding_ts: int | None
    _9: Unread  # premium accrued for the period after this one: no rate
    _10: Unread
    _11: Unread
    current_funding: Finite | None  # due at `next_funding_ts`
    _13: Unread
    _14: Unread
    mark_px: Finite | None
    _16: Unread
    _17: Unread
    open_interest: Finite | None  # contracts of one base coin


_STATUS = msgspec.json.Decoder(_Status)


def parse_status(reply: Reply) -> Iterator[Record | Reject]:
    """`status/deriv`: mark, spot, funding and open interest of perpetuals."""

    def read(row: _Status) -> list[Record]:
        seen = seen_by(reply, row.symbol, row.ts)
        if seen["kind"] != "perp":
            raise Refused("contradiction", f"{row.symbol}: a status of derivatives, by its name spot")
        ticker = PerpTicker(
            **seen,
            mark_px=row.mark_px,
            index_px=row.spot_px,
            funding_rate=row.current_funding,
            funding_interval_s=FUNDING_INTERVAL_S,
            next_funding_ts=None if row.next_funding_ts is None else instant(row.next_funding_ts),
        )
        if row.open_interest is None:
            return [ticker]
        interest = OpenInterest(**seen, open_interest_qty=row.open_interest, open_interest_base=row.open_interest)
        return [ticker, interest]

    return rows(_STATUS, each(reply), read)


_Level = tuple[Finite, int, Finite]  # price, number of orders, size: bids above zero, asks below
_LEVELS = msgspec.json.Decoder(list[_Level])


def parse_order_book(reply: Reply) -> Iterator[Record | Reject]:
    """`book/…/P0`: levels of full prices, bids from the best down, then asks from the best up."""
    symbol = asked(reply, r"/v2/book/([^/]+)/P0")
    each(reply)
    levels = decode(_LEVELS, reply.body, f"bitfinex {reply.path}")
    if not levels:
        raise Refused("unknown_symbol", f"bitfinex {symbol}: a book without a level, as of a pair that is not listed")
    bids = [(px, qty) for px, _, qty in levels if qty > 0]
    asks = [(px, -qty) for px, _, qty in levels if qty <= 0]
    yield OrderBook(
        **seen_by(reply, symbol, None),
        bid_px=tuple(px for px, _ in bids),
        bid_qty=tuple(qty for _, qty in bids),
        ask_px=tuple(px for px, _ in asks),
        ask_qty=tuple(qty for _, qty in asks),
    )
