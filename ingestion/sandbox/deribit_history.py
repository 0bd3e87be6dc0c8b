"""What Deribit keeps: trades, settled funding, bars and its volatility index; and what its questions have in common.

https://docs.deribit.com/#market-data
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import numpy as np

from ingestion.sandbox.listings import Listing
from ingestion.sandbox.market import UnknownInstrument
from ingestion.sandbox.path import ASSETS, EPOCH, FIRST_DAY, STEP_S
from ingestion.sandbox.tape import Tape
from ingestion.sandbox.wire import Ask, TurnedAway, whole

VENUE: Final = "deribit"
CONTRACT_USD: Final = {"BTC": 10.0, "ETH": 1.0}
LINEAR: Final = "USDC"
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
BARS_MS: Final = {str(minutes): minutes * 60_000 for minutes in (1, 5, 15, 30, 60)} | {"1D": DAY_MS}
VOLATILITY_MS: Final = {"60": 60_000, "3600": HOUR_MS}
VOLATILITY_BARS: Final = 1_000
Row = dict[str, object]


def answers() -> dict[str, Callable[[Ask], object]]:
    return {
        "get_last_trades_by_instrument_and_time": lambda ask: _last_trades([listing_of(ask)], ask),
        "get_last_trades_by_currency_and_time": lambda ask: _last_trades(of_currency(ask), ask),
        "get_funding_rate_history": _funding_history,
        "get_tradingview_chart_data": _chart,
        "get_volatility_index_data": _volatility,
    }


def invalid(name: str) -> TurnedAway:
    data = {"reason": "wrong format", "param": name}
    return TurnedAway(400, {"message": "Invalid params", "data": data, "code": -32602})


def listing_of(ask: Ask) -> Listing:
    name = ask.query.get("instrument_name", "")
    if not name:
        raise invalid("instrument_name")
    try:
        return ask.market.find(VENUE, name, ask.at, ("perp", "future", "option"))
    except UnknownInstrument as error:
        raise TurnedAway(400, {"message": "instrument_not_found", "code": 13020}) from error


def of_currency(ask: Ask) -> list[Listing]:
    """What is settled in a currency: coin-settled under the coin, linear under USDC."""
    currency, kind = ask.query.get("currency", ""), ask.query.get("kind")
    if currency not in (*ASSETS, LINEAR):
        raise invalid("currency")
    if kind not in (None, "future", "option"):
        raise invalid("kind")
    found = [one for one in ask.market.listings(VENUE, ask.at) if one.settle == currency]
    return [one for one in found if kind in (None, "option" if one.kind == "option" else "future")]


def contract_size(listing: Listing) -> float:
    if listing.kind == "option":
        return 1.0
    return CONTRACT_USD[listing.asset] if listing.is_inverse else listing.lot


def _span(ask: Ask) -> tuple[int, int]:
    start_ms = whole(ask, "start_timestamp", FIRST_DAY * DAY_MS, invalid)
    return start_ms, min(whole(ask, "end_timestamp", ask.now_ms, invalid), ask.now_ms)


def _last_trades(listings: list[Listing], ask: Ask) -> object:
    """No option trades here: the market quotes them, and knows their day's volume alone."""
    count = whole(ask, "count", 10, invalid)
    if not 1 <= count <= 1_000:
        raise invalid("count")
    start_ms, end_ms = _span(ask)
    is_rising = ask.query.get("sorting") == "asc"
    rows: list[tuple[int, str, Row]] = []
    for listing in listings:
        if listing.kind == "option":
            continue
        if is_rising:
            found = ask.market.trades(listing, start_ms, end_ms, count + 1)
        else:
            found = ask.market.trades_before(listing, end_ms, count + 1).between(start_ms, end_ms)
        rows += _trade_rows(listing, found, ask)
    rows.sort(key=lambda row: row[:2])
    page = rows[:count] if is_rising else rows[::-1][:count]
    return {"trades": [row for _, _, row in page], "has_more": len(rows) > count}


def _trade_rows(listing: Listing, page: Tape, ask: Ask) -> list[tuple[int, str, Row]]:
    rows: list[tuple[int, str, Row]] = []
    forced = ask.market.is_forced(listing, page)
    columns = (page.trade_id, page.at_ms, page.px, page.qty, page.is_buy, forced)
    for trade_id, at_ms, px, qty, is_buy, is_forced in zip(*(column.tolist() for column in columns), strict=True):
        day, rest_ms = divmod(at_ms, DAY_MS)
        step = rest_ms // (STEP_S * 1_000)
        index = ask.market.index_steps(VENUE, listing.asset, listing.quote, day)[step]
        row: Row = {
            "trade_seq": trade_id,
            "trade_id": str(trade_id) if listing.asset == "BTC" else f"{listing.asset}-{trade_id}",
            "timestamp": at_ms,
            "tick_direction": 0 if is_buy else 2,
            "price": px,
            "mark_price": round(float(ask.market.mids(listing, day)[step]), 2),
            "instrument_name": listing.symbol,
            "index_price": round(float(index), 2),
            "direction": "buy" if is_buy else "sell",
            "contracts": round(qty / contract_size(listing), 4),
            "amount": qty,
        }
        rows.append((at_ms, listing.symbol, row | ({"liquidation": "T"} if is_forced else {})))
    return rows


def _funding_history(ask: Ask) -> object:
    listing = listing_of(ask)
    if listing.kind != "perp":
        raise invalid("instrument_name")
    start_ms, end_ms = _span(ask)
    found: list[Row] = []
    for hour in range(-(-start_ms // HOUR_MS), end_ms // HOUR_MS + 1):
        at = EPOCH + timedelta(hours=hour)
        index, before = (
            round(ask.market.index_px(VENUE, listing.asset, listing.quote, at - timedelta(hours=back)), 2)
            for back in (0, 1)
        )
        paid = [ask.market.funding_1h(listing.asset, at - timedelta(hours=back)) for back in range(8)]
        row: Row = {
            "timestamp": hour * HOUR_MS,
            "index_price": index,
            "prev_index_price": before,
            "interest_8h": sum(paid),
            "interest_1h": paid[0],
        }
        found.append(row)
    return found


def _chart(ask: Ask) -> object:
    listing = listing_of(ask)
    interval_ms = BARS_MS.get(ask.query.get("resolution", ""))
    if interval_ms is None:
        raise invalid("resolution")
    start_ms, end_ms = _span(ask)
    bars = ask.candles.bars(listing, interval_ms, start_ms, end_ms, ask.at, 5_000)
    return {
        "status": "ok" if bars else "no_data",
        "ticks": [bar.open_ms for bar in bars],
        "open": [bar.open_px for bar in bars],
        "high": [bar.high_px for bar in bars],
        "low": [bar.low_px for bar in bars],
        "close": [bar.close_px for bar in bars],
        "volume": [round(bar.volume_base, 8) for bar in bars],
        "cost": [round(bar.volume_quote, 4) for bar in bars],
    }


def _volatility(ask: Ask) -> object:
    """Bars between the index at their two ends, in percent; the newest of the span, and where the rest ends."""
    asset = ask.query.get("currency", "")
    interval_ms = VOLATILITY_MS.get(ask.query.get("resolution", ""))
    if asset not in ASSETS or interval_ms is None:
        raise invalid("currency" if interval_ms else "resolution")
    start_ms, end_ms = _span(ask)
    ticks = np.arange(-(-start_ms // interval_ms), end_ms // interval_ms + 1) * interval_ms
    kept = ticks[-VOLATILITY_BARS:].tolist()
    edges = [*kept, min(kept[-1] + interval_ms, ask.now_ms)] if kept else []
    index = [round(ask.market.volatility_index(asset, EPOCH + timedelta(milliseconds=edge)) * 100, 4) for edge in edges]
    bars = [
        [tick, opened, max(opened, closed), min(opened, closed), closed]
        for tick, opened, closed in zip(kept, index, index[1:], strict=False)
    ]
    return {"data": bars, "continuation": kept[0] if len(ticks) > len(kept) else None}
