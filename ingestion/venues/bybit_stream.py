"""Bybit's connections, one address a category; what comes over them is read in `bybit_frames`.

https://bybit-exchange.github.io/docs/v5/ws/connect
"""

import re
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from ingestion.records import Kind
from ingestion.venues.base import Plan
from ingestion.venues.bybit_frames import Category, kind_of, read_frame
from ingestion.venues.streams import Keepalive, Stream, Told

DOCS = "https://bybit-exchange.github.io/docs/v5/ws/connect"
URL = "wss://stream.bybit.com/v5/public/"
DEPTH = 200
TOPICS_A_FRAME = 10  # what spot allows

_TICKERS: dict[Kind, str] = {
    "spot": "spot_tickers",
    "perp": "perp_tickers",
    "future": "future_tickers",
    "option": "option_quotes",
}
_DATASETS = {"orderbook": "order_books", "publicTrade": "trades", "allLiquidation": "liquidations"}
_SUBJECTS: dict[Category, tuple[str, ...]] = {
    "spot": (f"orderbook.{DEPTH}", "publicTrade", "tickers"),
    "linear": (f"orderbook.{DEPTH}", "publicTrade", "tickers", "allLiquidation"),
    "inverse": (f"orderbook.{DEPTH}", "publicTrade", "tickers", "allLiquidation"),
    "option": (),
}


_TOPIC = re.compile(rb'"topic"\s*:\s*"((?:orderbook|publicTrade|tickers|allLiquidation)\.[^"]+)"')


def _tells(category: Category, channel: str) -> Told:
    subject, *_, symbol = channel.split(".")
    if category == "option" and subject == "publicTrade":
        return Told("trades", "option", symbol)  # of all options on a coin
    kind = kind_of(category, symbol)
    return Told(_DATASETS.get(subject, _TICKERS[kind]), kind, symbol)


def _asked(op: str, topics: Sequence[str]) -> list[str]:
    shares = [topics[at : at + TOPICS_A_FRAME] for at in range(0, len(topics), TOPICS_A_FRAME)]
    return [msgspec.json.encode({"op": op, "args": list(share)}).decode() for share in shares]


def _renew(symbol: str) -> list[str]:
    topics = [f"orderbook.{DEPTH}.{symbol}"]
    return _asked("unsubscribe", topics) + _asked("subscribe", topics)


def streams(asked: Callable[[Plan], list[tuple[str, str]]]) -> tuple[Stream, ...]:
    """`asked` tells category and symbol of all but options, which are those listed; their trades come by coin."""

    def channels(category: Category, plan: Plan) -> list[str]:
        if category == "option":
            tickers = [f"tickers.{symbol}" for symbol in plan.symbols("option")]
            return [*(f"publicTrade.{base}" for base in plan.underlyings), *tickers]
        symbols = [symbol for named, symbol in asked(plan) if named == category]
        return [f"{subject}.{symbol}" for symbol in symbols for subject in _SUBJECTS[category]]

    return tuple(
        Stream(
            name=category,
            url=URL + category,
            docs_url=DOCS,
            channels=partial(channels, category),
            tells=partial(_tells, category),
            subscribe=partial(_asked, "subscribe"),
            read=partial(read_frame, category),
            silence_s=60,
            max_channels=400,  # in all, 21,000 letters
            connections_per_minute=100,  # 500 in 5 minutes
            keepalive=Keepalive('{"op":"ping"}', 20),
            order="step",
            window=DEPTH,
            patches_tickers=category in ("linear", "inverse"),
            named_by=_TOPIC,
            renew=_renew,
        )
        for category in _SUBJECTS
    )
