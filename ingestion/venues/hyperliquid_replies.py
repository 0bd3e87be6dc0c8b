"""Hyperliquid's replies. Sizes count base coin, times are milliseconds, numbers are strings.

https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/notation
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from ingestion.records import Instrument, Kind, OpenInterest, OrderBook, PerpTicker, Record
from ingestion.venues.base import Refused, Reject, Reply, decode, instant, refuse_beyond_float64, rows
from ingestion.venues.bulk import Unplain
from ingestion.venues.hyperliquid_names import FUNDING_INTERVAL_S, lot, pair, perp, read_coin
from ingestion.venues.ladders import Depths, Ladder, Who, each_named
from ingestion.venues.sheets import Columns, Sheet, Values
from ingestion.venues.wire import Finite, Seen

Decimals = Annotated[int, msgspec.Meta(ge=0, le=18)]


def source(reply: Reply) -> str:
    return f"hyperliquid {reply.query.get('type', '')}"


def seen_by(reply: Reply, kind: Kind, symbol: str, event_ts: datetime | None) -> Seen:
    return {
        "venue": "hyperliquid",
        "symbol": symbol,
        "kind": kind,
        "captured_ts": reply.captured_ts,
        "event_ts": event_ts,
    }


class _Coin(msgspec.Struct, rename="camel"):
    name: str
    sz_decimals: Decimals
    is_delisted: bool | None = None  # stated only where true


class _Meta(msgspec.Struct):
    universe: list[msgspec.Raw]


_COIN = msgspec.json.Decoder(_Coin)
_META = msgspec.json.Decoder(_Meta)


def parse_perps(reply: Reply) -> Iterator[Record | Reject]:
    """`meta`: the perpetuals of the venue's own exchange; those that were delisted are left out.

    Those of a builder's exchange are refused: its list tells the collateral by a number, and the oracle nowhere.
    """

    def read(coin: _Coin) -> list[Instrument]:
        if coin.is_delisted:
            return []
        return [perp(coin.name, reply.captured_ts, "listed", lot(coin.sz_decimals))]

    return rows(_COIN, decode(_META, reply.body, source(reply)).universe, read)


class _Context(msgspec.Struct, rename="camel"):
    funding: Finite  # a decimal an hour
    open_interest: Finite  # base coin
    day_ntl_vlm: Finite  # US dollars
    mark_px: Finite
    oracle_px: Finite
    day_base_vlm: Finite | None = None  # in newer replies


_META_AND_CONTEXTS = msgspec.json.Decoder(tuple[_Meta, list[msgspec.Raw]])
_CONTEXT = msgspec.json.Decoder(_Context, strict=False)


class _Both(msgspec.Struct, array_like=True):
    coin: msgspec.Raw
    context: msgspec.Raw  # of a delisted coin nobody reads it


def _listed_contexts(reply: Reply) -> list[msgspec.Raw]:
    meta, contexts = decode(_META_AND_CONTEXTS, reply.body, source(reply))
    if len(meta.universe) != len(contexts):
        raise Refused("contradiction", f"{source(reply)}: {len(meta.universe)} coins, {len(contexts)} contexts")
    return [msgspec.Raw(b"[%b,%b]" % both) for both in zip(meta.universe, contexts, strict=True)]


def _context_columns(_: Reply, told: Sequence[_Both]) -> list[Columns]:
    coins = [_COIN.decode(both.coin) for both in told]
    contexts = [_CONTEXT.decode(both.context) for both, coin in zip(told, coins, strict=True) if not coin.is_delisted]
    seen: dict[str, Values] = {
        "venue": "hyperliquid",
        "symbol": [coin.name for coin in coins if not coin.is_delisted],
        "kind": "perp",
    }
    ticker: dict[str, Values] = {
        "mark_px": [context.mark_px for context in contexts],
        "index_px": [context.oracle_px for context in contexts],
        "funding_rate": [context.funding for context in contexts],
        "funding_interval_s": FUNDING_INTERVAL_S,
        "volume_24h_base": [context.day_base_vlm for context in contexts],
        "volume_24h_quote": [context.day_ntl_vlm for context in contexts],
    }
    amounts: Values = [context.open_interest for context in contexts]
    interest: dict[str, Values] = {"open_interest_qty": amounts, "open_interest_base": amounts}
    return [
        Columns(PerpTicker, len(contexts), {**seen, **ticker}),
        Columns(OpenInterest, len(contexts), {**seen, **interest}),
    ]


# `metaAndAssetCtxs`: mark, oracle, running funding and open interest, in the order of the universe beside them.
parse_contexts = Sheet(_listed_contexts, _Both, _context_columns)


class _Token(msgspec.Struct, rename="camel"):
    name: str
    index: int
    sz_decimals: Decimals


class _Pair(msgspec.Struct):
    name: str
    tokens: tuple[int, int]  # base and quote


class _SpotMeta(msgspec.Struct):
    tokens: list[_Token]
    universe: list[msgspec.Raw]


_SPOT_META = msgspec.json.Decoder(_SpotMeta)
_PAIR = msgspec.json.Decoder(_Pair)


def parse_pairs(reply: Reply) -> Iterator[Record | Reject]:
    """`spotMeta`: pairs of tokens, by the tokens' own `index` and not by their place in the list."""
    meta = decode(_SPOT_META, reply.body, source(reply))
    tokens = {token.index: token for token in meta.tokens}

    def read(row: _Pair) -> list[Instrument]:
        kind, symbol = read_coin(row.name)
        base, quote = (tokens.get(index) for index in row.tokens)
        if kind != "spot" or base is None or quote is None:
            raise Refused("unknown_symbol", f"{row.name[:80]}: no pair of two listed tokens")
        return [pair(symbol, base.name, quote.name, reply.captured_ts, "listed", lot(base.sz_decimals))]

    return rows(_PAIR, meta.universe, read)


class _Level(msgspec.Struct):
    px: Finite
    sz: Finite


class _Book(msgspec.Struct):
    coin: str
    time: int
    levels: tuple[list[_Level], list[_Level]]  # bids and asks, best first


class _Head(msgspec.Struct):
    coin: str
    time: int
    levels: tuple[msgspec.Raw, msgspec.Raw]


_BOOK, _HEAD = msgspec.json.Decoder(_Book | None, strict=False), msgspec.json.Decoder(_Head, strict=False)


def parse_order_book(reply: Reply) -> Iterator[Record | Reject]:
    """`l2Book`: at most twenty levels a side; `null` is a coin that the venue does not know.

    Levels that the question had merged, by `nSigFigs`, are refused: none of their prices need be an order's.
    """
    if reply.query.get("nSigFigs", "null") != "null":
        raise Refused("merged", f"{source(reply)}: prices cut to {reply.query['nSigFigs'][:20]} significant figures")
    book = decode(_BOOK, reply.body, source(reply))
    if book is None:
        raise Refused("unknown_symbol", f"{source(reply)}: no book of {reply.query.get('coin', '')[:80]}")
    refuse_beyond_float64(reply.body, f"{source(reply)} {book.coin[:80]}")
    kind, symbol = read_coin(book.coin)
    bids, asks = book.levels
    yield OrderBook(
        **seen_by(reply, kind, symbol, instant(book.time)),
        bid_px=tuple(level.px for level in bids),
        bid_qty=tuple(level.sz for level in bids),
        ask_px=tuple(level.px for level in asks),
        ask_qty=tuple(level.sz for level in asks),
    )


def _depths(asked: Reply, heads: Sequence[_Head]) -> Depths:
    if asked.query.get("nSigFigs", "null") != "null":
        raise Unplain(source(asked))
    return Depths(
        who=each_named([head.coin for head in heads], lambda coin: Who("hyperliquid", *read_coin(coin))),
        sequence_id=None,
        event_us=[head.time * 1_000 for head in heads],
        bids=[head.levels[0] for head in heads],
        asks=[head.levels[1] for head in heads],
    )


order_books = Ladder(parse_order_book, _HEAD, _depths, level=b'{"px":"","sz":"","n":}')
