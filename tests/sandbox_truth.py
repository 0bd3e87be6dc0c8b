"""What the simulated market served, for tests that hold published rows to it."""

from datetime import datetime, timedelta
from typing import Any

import duckdb

from ingestion.records import Kind
from ingestion.sandbox.market import Market
from ingestion.sandbox.path import milliseconds
from ingestion.sandbox.tape import Tape

ROUNDING = 1e-12

Published = duckdb.DuckDBPyConnection
Levels = list[tuple[float, float]]  # price and dollars, best first


def rows(published: Published, query: str) -> list[tuple[Any, ...]]:
    """All rows, of which there must be some."""
    found = published.execute(query).fetchall()
    assert found, query
    return found


def levels(market: Market, listed: tuple[str, Kind, str], at: datetime, side: str, count: int) -> Levels:
    """The levels that were served, in dollars as readers count them: USDT and USDC as dollars."""
    listing, book = market.listing(*listed, at), market.book(*listed, at)
    pairs = zip(getattr(book, f"{side}_px").tolist(), getattr(book, f"{side}_qty").tolist(), strict=True)
    return [(px, listing.usd_of(qty, px)) for px, qty in pairs][:count]


def filled(side: Levels, dollars: float) -> float | None:
    """The mean price of so many dollars; none where the book ends before."""
    coins, left = 0.0, dollars
    for px, usd in side:
        coins += min(left, usd) / px
        left -= min(left, usd)
    return dollars / coins if left <= 0 else None


def tape(market: Market, venue: str, kind: Kind, symbol: str, hour: datetime) -> Tape:
    """The hour's trades."""
    start_ms, end_ms = milliseconds(hour), milliseconds(hour + timedelta(hours=1))
    return market.trades(market.listing(venue, kind, symbol, hour), start_ms, end_ms - 1)


def dollars(market: Market, venue: str, kind: Kind, symbol: str, hour: datetime, trades: Tape) -> list[float]:
    """Each trade, counted as levels are."""
    listing = market.listing(venue, kind, symbol, hour)
    return [listing.usd_of(qty, px) for qty, px in zip(trades.qty.tolist(), trades.px.tolist(), strict=True)]
