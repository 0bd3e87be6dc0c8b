"""Bitfinex's replies: arrays by position, sizes in base coin with the side in their sign, milliseconds.

https://docs.bitfinex.com/reference
Numbers are printed binary floats (`37.930307309999996`): what is read is what the venue holds.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw

from ingestion.records import Instrument, Kind, OpenInterest, OrderBook, PerpTicker, Record, SpotTicker
from ingestion.venues.base import ANY, Refused, Reject, Reply, decode, instant, rows
from ingestion.venues.bitfinex_names import FUNDING_INTERVAL_S, read_name, read_terms
from ingestion.venues.bulk import Unplain
from ingestion.venues.columnwise import from_epoch, where_given
from ingestion.venues.ladders import Depths, Ladder, Who
from ingestion.venues.sheets import Columns, Sheet, Values
from ingestion.venues.wire import Finite, Seen, agree

Unread: TypeAlias = Any  # a position that the documentation leaves open, or that is not stored
_LIST = msgspec.json.Decoder(list[Raw])
_ERROR = re.compile(rb'\[\s*"error"\s*[],]')


def row_list(reply: Reply) -> Raw:
    """The list of a reply's rows; `["error", 10020, "limit: invalid"]` is `Refused`, whatever its status."""
    found = decode(ANY, reply.body, f"bitfinex {reply.path}")
    if _ERROR.match(bytes(found)):
        raise Refused("venue_error", f"bitfinex {reply.path}: {reply.body[:160].decode('utf-8', 'replace')}")
    return found


def each(reply: Reply) -> list[Raw]:
    """The rows of a reply; `Refused` as `row_list`."""
    return decode(_LIST, bytes(row_list(reply)), f"bitfinex {reply.path}")


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


_NAMES = msgspec.json.Decoder(tuple[list[Raw]])
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


_TICKERS: dict[Kind, type[SpotTicker]] = {"spot": SpotTicker, "perp": PerpTicker}


def _ticker_columns(_: Reply, told: Sequence[_Ticker]) -> Iterator[Columns]:
    pairs = [(read_name(ticker.symbol).kind, ticker) for ticker in told if not ticker.symbol.startswith("f")]
    for kind, record in _TICKERS.items():
        ours = [ticker for its, ticker in pairs if its == kind]
        if not ours:
            continue
        fields: dict[str, Values] = {
            "venue": "bitfinex",
            "symbol": [ticker.symbol for ticker in ours],
            "kind": kind,
            "bid_px": [ticker.bid_px if ticker.bid_depth > 0 else None for ticker in ours],
            "ask_px": [ticker.ask_px if ticker.ask_depth > 0 else None for ticker in ours],
            "last_px": [ticker.last_px or None for ticker in ours],
            "volume_24h_base": [ticker.volume for ticker in ours],
        }
        yield Columns(record, len(ours), fields)


# `tickers`, spot and perpetuals; rows of margin funding (`fUSD`) are no pairs and left out.
# Where nothing rests on a side, its price is that of the last order there.
parse_tickers = Sheet(each, _Ticker, _ticker_columns, strict=True)


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


def _status_columns(_: Reply, told: Sequence[_Status]) -> list[Columns]:
    kinds = [read_name(status.symbol).kind for status in told]
    times = from_epoch([status.ts for status in told])
    for status, kind in zip(told, kinds, strict=True):
        if kind != "perp":
            raise Refused("contradiction", f"{status.symbol}: a status of derivatives, by its name spot")
    fields: dict[str, Values] = {
        "venue": "bitfinex",
        "symbol": [status.symbol for status in told],
        "kind": "perp",
        "event_ts": times,
        "mark_px": [status.mark_px for status in told],
        "index_px": [status.spot_px for status in told],
        "funding_rate": [status.current_funding for status in told],
        "funding_interval_s": FUNDING_INTERVAL_S,
        "next_funding_ts": where_given([status.next_funding_ts for status in told], from_epoch),
    }
    held = [(at, status) for at, status in zip(times.tolist(), told, strict=True) if status.open_interest is not None]
    interest: dict[str, Values] = {
        "venue": "bitfinex",
        "symbol": [status.symbol for _, status in held],
        "kind": "perp",
        "event_ts": [at for at, _ in held],
        "open_interest_qty": [status.open_interest for _, status in held],
        "open_interest_base": [status.open_interest for _, status in held],
    }
    return [Columns(PerpTicker, len(told), fields), Columns(OpenInterest, len(held), interest)]


# `status/deriv`: mark, spot, funding and open interest of perpetuals.
parse_status = Sheet(each, _Status, _status_columns, strict=True)


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


class _Head(msgspec.Struct):
    bids: Raw
    asks: Raw


def _depths(question: Reply, heads: Sequence[_Head]) -> Depths:
    symbol = asked(question, r"/v2/book/([^/]+)/P0")
    return Depths(
        who=Who("bitfinex", read_name(symbol).kind, symbol),
        sequence_id=None,
        event_us=None,
        bids=[head.bids for head in heads],
        asks=[head.asks for head in heads],
    )


def _spread(levels: bytes) -> bytes:
    """Bids and asks apart, which begin with the first minus."""
    sign = levels.find(b"-")
    cut = levels.rfind(b"[", 0, sign) if sign > 0 else len(levels) - 1
    if cut < 1 or levels == b"[]":
        raise Unplain("no list of levels")
    return b'{"bids":%b],"asks":[%b}' % (levels[:cut].removesuffix(b","), levels[cut:])


order_books = Ladder(
    parse_order_book,
    msgspec.json.Decoder(_Head),
    _depths,
    level=b"[,,]",
    at=(0, 2),
    asks=b"[,,-]",
    held="nothing",
    spread=_spread,
)
