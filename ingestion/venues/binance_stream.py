"""The connections of Binance's three venues; what comes over them is read in `binance_frames`.

https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
https://developers.binance.com/docs/derivatives/coin-margined-futures/websocket-market-streams
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from ingestion.records import Kind, OrderBook
from ingestion.venues.base import Plan, Reply, Request
from ingestion.venues.binance import Market
from ingestion.venues.binance_frames import read_frame
from ingestion.venues.binance_market import parse_order_book
from ingestion.venues.streams import BookSnapshot, Stream, Told

SNAPSHOT_LEVELS = "1000"
CHANNELS_A_FRAME = 200  # keeps a frame under 8 kB

_TICKERS: dict[Kind, str] = {"spot": "spot_tickers", "perp": "perp_tickers", "future": "future_tickers"}
_DATASETS = {"depth": "order_books", "aggTrade": "trades", "trade": "trades", "forceOrder": "liquidations"}

_CHANNEL = re.compile(rb'"stream"\s*:\s*"(\w+@(?:depth|bookTicker|aggTrade|trade|markPrice|forceOrder)[^"]*)"')

Symbols = Callable[[Plan], Sequence[str]]


def read_snapshot(market: Market, reply: Reply) -> Iterator[BookSnapshot]:
    """Read `depth` as what a book starts from."""
    limit = reply.query.get("limit", "")
    for book in parse_order_book(market, reply):
        if isinstance(book, OrderBook):
            yield BookSnapshot(
                kind=book.kind,
                symbol=book.symbol,
                captured_ts=book.captured_ts,
                event_ts=book.event_ts,
                last_id=book.sequence_id,
                bids=list(zip(book.bid_px, book.bid_qty, strict=True)),
                asks=list(zip(book.ask_px, book.ask_qty, strict=True)),
                depth=int(limit) if limit.isdecimal() else None,
            )


@dataclass(frozen=True, slots=True)
class _Door:
    """Where a venue lets one in, and how much it bears."""

    docs_url: str
    books_url: str
    market_url: str
    depth_path: str
    market_subjects: tuple[str, ...]
    frames_per_s: float


_FUTURES_SUBJECTS = ("@aggTrade", "@markPrice@1s", "@forceOrder")
_DOORS = {
    "binance_spot": _Door(
        docs_url="https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams",
        books_url="wss://stream.binance.com:9443/stream",
        market_url="wss://stream.binance.com:9443/stream",
        depth_path="/api/v3/depth",
        market_subjects=("@aggTrade",),
        frames_per_s=5,
    ),
    # Since April 2026 USD-M sends books and quotes from one address and all else from another.
    "binance_usdm": _Door(
        docs_url="https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams",
        books_url="wss://fstream.binance.com/public/stream",
        market_url="wss://fstream.binance.com/market/stream",
        depth_path="/fapi/v1/depth",
        market_subjects=_FUTURES_SUBJECTS,
        frames_per_s=10,
    ),
    "binance_coinm": _Door(
        docs_url="https://developers.binance.com/docs/derivatives/coin-margined-futures/websocket-market-streams",
        books_url="wss://dstream.binance.com/stream",
        market_url="wss://dstream.binance.com/stream",
        depth_path="/dapi/v1/depth",
        market_subjects=_FUTURES_SUBJECTS,
        frames_per_s=10,
    ),
}


def streams(market: Market, symbols: Symbols) -> tuple[Stream, Stream]:
    """Books and quotes of these symbols on one connection, trades, marks and forced orders on another."""
    door = _DOORS[market.venue]

    def snapshot(symbol: str) -> Request:
        return Request(door.depth_path, (("symbol", symbol), ("limit", SNAPSHOT_LEVELS)))

    def stream(name: str, url: str, subjects: tuple[str, ...], has_books: bool) -> Stream:
        return Stream(
            name=name,
            url=url,
            docs_url=door.docs_url,
            channels=lambda plan: [symbol.lower() + subject for symbol in symbols(plan) for subject in subjects],
            tells=partial(_tells, market),
            subscribe=partial(_asked, "SUBSCRIBE"),
            read=partial(read_frame, market),
            silence_s=60 if has_books or door.market_subjects is _FUTURES_SUBJECTS else 300,  # a pair may rest so long
            max_channels=1_024,
            frames_per_s=door.frames_per_s,
            max_age_s=24 * 3_600,
            order="span" if market.venue == "binance_spot" else "prev",
            counts_trades=True,
            named_by=_CHANNEL,
            snapshot=snapshot if has_books else None,
            read_snapshot=partial(read_snapshot, market) if has_books else None,
        )

    return (
        stream("books", door.books_url, ("@depth@100ms", "@bookTicker"), has_books=True),
        stream("market", door.market_url, door.market_subjects, has_books=False),
    )


def _tells(market: Market, channel: str) -> Told:
    name, subject = channel.split("@")[:2]
    symbol = name.upper()
    kind = market.kind_of(symbol)
    return Told(_DATASETS.get(subject, _TICKERS[kind]), kind, symbol)


def _asked(method: str, channels: Sequence[str]) -> list[str]:
    shares = [channels[at : at + CHANNELS_A_FRAME] for at in range(0, len(channels), CHANNELS_A_FRAME)]
    return [
        msgspec.json.encode({"method": method, "params": list(share), "id": number}).decode()
        for number, share in enumerate(shares, start=1)
    ]
