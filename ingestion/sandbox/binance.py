"""Binance's three venues: spot (/api/v3), USDⓈ-M (/fapi/v1) and COIN-M (/dapi/v1).

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints
https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api
https://developers.binance.com/docs/derivatives/coin-margined-futures/market-data/rest-api
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import msgspec

from ingestion.sandbox import funding
from ingestion.sandbox.binance_terms import (
    COINM,
    SPOT,
    USDM,
    contract_terms,
    contract_type,
    pair_of,
    spot_terms,
    written_px,
    written_qty,
)
from ingestion.sandbox.candles import Bar
from ingestion.sandbox.listings import Listing
from ingestion.sandbox.market import UnknownInstrument
from ingestion.sandbox.path import EPOCH, milliseconds
from ingestion.sandbox.tape import Tape, base_and_quote
from ingestion.sandbox.wire import Ask, Route, TurnedAway, levels, whole

PREFIX: Final = {SPOT: "/api/v3", USDM: "/fapi/v1", COINM: "/dapi/v1"}
FUTURES_DEPTHS: Final = (5, 10, 20, 50, 100, 500, 1000)
INTERVALS_MS: Final = {
    "1m": 60_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "4h": 14_400_000,
    "1d": 86_400_000,
}


def routes() -> dict[str, Route]:
    found: dict[str, Route] = {}
    for venue, prefix in PREFIX.items():
        answers: dict[str, tuple[Callable[[str, Ask], object], int]] = {
            "exchangeInfo": (_exchange_info, 20 if venue == SPOT else 1),
            "depth": (_depth, 50 if venue == SPOT else 20),
            "ticker/24hr": (_day_tickers, 40),
            "ticker/bookTicker": (_book_tickers, 4),
            "aggTrades": (_aggregate_trades, 4 if venue == SPOT else 20),
            "trades": (_trades, 25 if venue == SPOT else 5),
            "historicalTrades": (_trades, 25),
        }
        answers["klines"] = (_klines, 2 if venue == SPOT else 5)
        if venue != SPOT:
            answers["premiumIndex"] = (_premium_index, 10)
            answers["openInterest"] = (_open_interest, 1)
            answers["fundingRate"] = (_funding_rates, 1)
            answers["fundingInfo"] = (_funding_info, 1)
        for name, (answer, weight) in answers.items():
            found[f"{prefix}/{name}"] = Route(venue, _bound(answer, venue), weight)
    return found


def _bound(answer: Callable[[str, Ask], object], venue: str) -> Callable[[Ask], object]:
    return lambda ask: answer(venue, ask)


def _malformed(name: str) -> TurnedAway:
    return TurnedAway(400, {"code": -1100, "msg": f"Illegal characters found in parameter '{name}'."})


def _listing(venue: str, ask: Ask) -> Listing:
    symbol = ask.query.get("symbol", "")
    if not symbol:
        message = "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."
        raise TurnedAway(400, {"code": -1102, "msg": message})
    return _named(venue, symbol, ask)


def _named(venue: str, symbol: str, ask: Ask) -> Listing:
    try:
        return ask.market.find(venue, symbol, ask.at, ("spot", "perp", "future"))
    except UnknownInstrument as error:
        raise TurnedAway(400, {"code": -1121, "msg": "Invalid symbol."}) from error


def _chosen(venue: str, ask: Ask) -> list[Listing]:
    """Instruments by `symbol`, `symbols` or `pair`; all of them where none is named."""
    if "symbol" in ask.query:
        return [_listing(venue, ask)]
    if "symbols" in ask.query:
        try:
            names = msgspec.json.decode(ask.query["symbols"].encode(), type=list[str])
        except msgspec.DecodeError as error:
            raise _malformed("symbols") from error
        return [_named(venue, name, ask) for name in names]
    found = ask.market.listings(venue, ask.at)
    return [one for one in found if ask.query.get("pair", pair_of(one)) == pair_of(one)]


def _one_or_all(venue: str, ask: Ask, rows: list[dict[str, object]]) -> object:
    """COIN-M always answers with a list; the others with one object where one symbol was asked."""
    return rows[0] if "symbol" in ask.query and venue != COINM else rows


def _exchange_info(venue: str, ask: Ask) -> object:
    describe = spot_terms if venue == SPOT else contract_terms
    return {
        "timezone": "UTC",
        "serverTime": ask.now_ms,
        "rateLimits": [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": 6_000 if venue == SPOT else 2_400,
            }
        ],
        "exchangeFilters": [],
        "symbols": [describe(listing, ask.at) for listing in _chosen(venue, ask)],
    }


def _depth(venue: str, ask: Ask) -> object:
    listing = _listing(venue, ask)
    limit = whole(ask, "limit", 100 if venue == SPOT else 500, _malformed)
    if venue != SPOT and limit not in FUTURES_DEPTHS:
        raise TurnedAway(400, {"code": -4021, "msg": f"'{limit}' is not valid depth limit."})
    book = ask.market.book_of(listing, ask.at)
    px_dp = 8 if venue == SPOT else 2 if venue == USDM else listing.px_dp
    qty_dp = 8 if venue == SPOT else listing.qty_dp
    named = {"symbol": listing.symbol, "pair": pair_of(listing)} if venue == COINM else {}
    clocks = {} if venue == SPOT else {"E": ask.now_ms, "T": ask.now_ms}
    return {
        "lastUpdateId": ask.now_ms * 10,
        **clocks,
        **named,
        "bids": levels(book.bid_px, book.bid_qty, px_dp, qty_dp, limit),
        "asks": levels(book.ask_px, book.ask_qty, px_dp, qty_dp, limit),
    }


def _day_tickers(venue: str, ask: Ask) -> object:
    return _one_or_all(venue, ask, [_day_ticker(listing, ask) for listing in _chosen(venue, ask)])


def _day_ticker(listing: Listing, ask: Ask) -> dict[str, object]:
    stats = ask.market.day_stats(listing, ask.at)
    first, last = float(stats.first.px[0]), float(stats.last.px[0])
    mean = stats.volume_quote / stats.volume_base
    row: dict[str, object] = {"symbol": listing.symbol}
    if listing.venue == COINM:
        row["pair"] = pair_of(listing)
    row |= {
        "priceChange": written_px(listing, last - first),
        "priceChangePercent": f"{(last / first - 1) * 100:.3f}",
        "weightedAvgPrice": f"{mean:.8f}" if listing.venue != USDM else written_px(listing, mean),
        "lastPrice": written_px(listing, last),
        "lastQty": written_qty(listing, float(stats.last.qty[0])),
        "openPrice": written_px(listing, first),
        "highPrice": written_px(listing, stats.high_px),
        "lowPrice": written_px(listing, stats.low_px),
        "volume": written_qty(listing, stats.volume_qty),
    }
    if listing.venue == COINM:
        row["baseVolume"] = f"{stats.volume_base:.8f}"
    else:
        row["quoteVolume"] = f"{stats.volume_quote:.{8 if listing.kind == 'spot' else 2}f}"
    if listing.kind == "spot":
        row |= {"prevClosePrice": written_px(listing, first)} | _best(listing, ask)
    return row | {
        "openTime": ask.now_ms - 86_400_000,
        "closeTime": ask.now_ms,
        "firstId": int(stats.first.trade_id[0]),
        "lastId": int(stats.last.trade_id[0]),
        "count": stats.count,
    }


def _best(listing: Listing, ask: Ask) -> dict[str, object]:
    book = ask.market.book_of(listing, ask.at)
    return {
        "bidPrice": written_px(listing, float(book.bid_px[0])),
        "bidQty": written_qty(listing, float(book.bid_qty[0])),
        "askPrice": written_px(listing, float(book.ask_px[0])),
        "askQty": written_qty(listing, float(book.ask_qty[0])),
    }


def _book_tickers(venue: str, ask: Ask) -> object:
    rows: list[dict[str, object]] = []
    for listing in _chosen(venue, ask):
        named: dict[str, object] = {"symbol": listing.symbol}
        if venue == COINM:
            named["pair"] = pair_of(listing)
        clock = {} if venue == SPOT else {"time": ask.now_ms}
        rows.append(named | _best(listing, ask) | clock)
    return _one_or_all(venue, ask, rows)


def _aggregate_trades(venue: str, ask: Ask) -> object:
    listing = _listing(venue, ask)
    best_match = {"M": True} if venue == SPOT else {}
    return [
        {
            "a": trade_id,
            "p": written_px(listing, px),
            "q": written_qty(listing, qty),
            "f": trade_id,
            "l": trade_id,
            "T": at_ms,
            "m": not is_buy,
            **best_match,
        }
        for trade_id, at_ms, px, qty, is_buy in _rows(_page(listing, ask))
    ]


def _page(listing: Listing, ask: Ask) -> Tape:
    limit = min(max(whole(ask, "limit", 500, _malformed), 1), 1000)
    end_ms = min(whole(ask, "endTime", ask.now_ms, _malformed), ask.now_ms)
    if "fromId" in ask.query:
        return ask.market.trades_from(listing, whole(ask, "fromId", 0, _malformed), limit, end_ms)
    if "startTime" in ask.query:
        return ask.market.trades(listing, whole(ask, "startTime", 0, _malformed), end_ms, limit)
    return ask.market.trades_before(listing, end_ms, limit)


def _rows(tape: Tape) -> list[tuple[int, int, float, float, bool]]:
    columns = (tape.trade_id, tape.at_ms, tape.px, tape.qty, tape.is_buy)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _trades(venue: str, ask: Ask) -> object:
    listing = _listing(venue, ask)
    best_match = {"isBestMatch": True} if venue == SPOT else {}
    tape = _page(listing, ask)
    base, quote = base_and_quote(listing, tape.px, tape.qty)
    other = base if venue == COINM else quote
    name, dp = {SPOT: ("quoteQty", 8), USDM: ("quoteQty", 2), COINM: ("baseQty", 8)}[venue]
    return [
        {
            "id": trade_id,
            "price": written_px(listing, px),
            "qty": written_qty(listing, qty),
            name: f"{amount:.{dp}f}",
            "time": at_ms,
            "isBuyerMaker": not is_buy,
            **best_match,
        }
        for (trade_id, at_ms, px, qty, is_buy), amount in zip(_rows(tape), other.tolist(), strict=True)
    ]


def _klines(venue: str, ask: Ask) -> object:
    listing = _listing(venue, ask)
    interval_ms = INTERVALS_MS.get(ask.query.get("interval", ""))
    if interval_ms is None:
        raise TurnedAway(400, {"code": -1120, "msg": "Invalid interval."})
    limit = min(max(whole(ask, "limit", 500, _malformed), 1), 1000)
    end_ms = whole(ask, "endTime", ask.now_ms, _malformed)
    recent = (min(end_ms, ask.now_ms) // interval_ms - limit + 1) * interval_ms
    start_ms = whole(ask, "startTime", recent, _malformed)
    bars = ask.candles.bars(listing, interval_ms, start_ms, end_ms, ask.at, limit)
    return [_bar(listing, bar) for bar in bars]


def _bar(listing: Listing, bar: Bar) -> list[object]:
    """Volume and turnover: base coin and quote currency; contracts and base coin on COIN-M."""
    is_coinm = listing.venue == COINM
    bought = (bar.taker_buy_qty, bar.taker_buy_base) if is_coinm else (bar.taker_buy_base, bar.taker_buy_quote)
    return [
        bar.open_ms,
        written_px(listing, bar.open_px),
        written_px(listing, bar.high_px),
        written_px(listing, bar.low_px),
        written_px(listing, bar.close_px),
        written_qty(listing, bar.volume_qty) if is_coinm else f"{bar.volume_base:.8f}",
        bar.open_ms + bar.interval_ms - 1,
        f"{bar.volume_base if is_coinm else bar.volume_quote:.8f}",
        bar.count,
        *(f"{amount:.8f}" for amount in bought),
        "0",
    ]


def _premium_index(venue: str, ask: Ask) -> object:
    rows: list[dict[str, object]] = []
    for listing in _chosen(venue, ask):
        is_perp = listing.expiry is None
        rate = ask.market.running_funding_rate(venue, listing.asset, ask.at) if is_perp else 0.0
        index = ask.market.index_px(venue, listing.asset, listing.quote, ask.at)
        row: dict[str, object] = {"symbol": listing.symbol}
        if venue == COINM:
            row["pair"] = pair_of(listing)
        rows.append(
            row
            | {
                "markPrice": f"{ask.market.mark_px(listing, ask.at):.8f}",
                "indexPrice": f"{index:.8f}",
                "estimatedSettlePrice": f"{index:.8f}",
                "lastFundingRate": f"{rate:.8f}" if is_perp else "",
                "interestRate": "0.00010000" if is_perp else "",
                "nextFundingTime": milliseconds(funding.next_settlement(ask.at)) if is_perp else 0,
                "time": ask.now_ms,
            }
        )
    return _one_or_all(venue, ask, rows)


def _open_interest(venue: str, ask: Ask) -> object:
    listing = _listing(venue, ask)
    row: dict[str, object] = {"symbol": listing.symbol}
    if venue == COINM:
        row |= {"pair": pair_of(listing), "contractType": contract_type(listing, ask.at)}
    interest = listing.quantity(ask.market.open_interest_qty(listing, ask.at))
    return row | {"openInterest": interest, "time": ask.now_ms}


def _funding_rates(venue: str, ask: Ask) -> object:
    listing = _listing(venue, ask)
    if listing.expiry is not None:
        return []
    limit = min(max(whole(ask, "limit", 100, _malformed), 1), 1000)
    end_ms = min(whole(ask, "endTime", ask.now_ms, _malformed), ask.now_ms)
    step_ms = int(funding.INTERVAL.total_seconds() * 1_000)
    start_ms = whole(ask, "startTime", (end_ms // step_ms - limit + 1) * step_ms, _malformed)
    first = max(-(-start_ms // step_ms), 1)
    found: list[dict[str, object]] = []
    for number in range(first, end_ms // step_ms + 1)[:limit]:
        settled_at = EPOCH + timedelta(milliseconds=number * step_ms)
        found.append(
            {
                "symbol": listing.symbol,
                "fundingTime": number * step_ms,
                "fundingRate": f"{ask.market.funding_rate(venue, listing.asset, settled_at):.8f}",
                "markPrice": f"{ask.market.mark_px(listing, settled_at):.8f}",
            }
        )
    return found


def _funding_info(venue: str, ask: Ask) -> object:
    return [
        {
            "symbol": listing.symbol,
            "adjustedFundingRateCap": "0.02000000",
            "adjustedFundingRateFloor": "-0.02000000",
            "fundingIntervalHours": int(funding.INTERVAL / timedelta(hours=1)),
            "disclaimer": False,
        }
        for listing in ask.market.listings(venue, ask.at, "perp")
    ]
