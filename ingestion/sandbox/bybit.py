"""Bybit v5: every number a decimal string; inverse contracts count US dollars, options are quoted in USDC.

https://bybit-exchange.github.io/docs/v5/market/tickers
"""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from ingestion.records import Kind
from ingestion.sandbox import funding, margins
from ingestion.sandbox.listings import Listing
from ingestion.sandbox.path import ASSETS, EPOCH, day_and_step, milliseconds
from ingestion.sandbox.wire import Ask, Route, TurnedAway, levels, plain, whole

VENUE: Final = "bybit"
CATEGORIES: Final[dict[str, tuple[Kind, ...]]] = {
    "spot": ("spot",),
    "linear": ("perp", "future"),
    "inverse": ("perp", "future"),
    "option": ("option",),
}
BOOK_LIMITS: Final = {"spot": 200, "linear": 500, "inverse": 500}
BARS_MS: Final = {str(minutes): minutes * 60_000 for minutes in (1, 5, 15, 60)} | {"D": 86_400_000}
LAUNCHED_MS: Final = "1585526400000"
Row = dict[str, object]


def routes() -> dict[str, Route]:
    answers: dict[str, Callable[[Ask], Row]] = {
        "instruments-info": _instruments,
        "tickers": _tickers,
        "orderbook": _order_book,
        "recent-trade": _recent_trades,
        "kline": _klines,
        "funding/history": _funding_history,
        "risk-limit": _risk_limits,
    }
    return {f"/v5/market/{name}": Route(VENUE, _enveloped(answer)) for name, answer in answers.items()}


def _enveloped(answer: Callable[[Ask], Row]) -> Callable[[Ask], object]:
    def answered(ask: Ask) -> object:
        try:
            result, code, message = answer(ask), 0, "OK"
        except TurnedAway as turned:
            result, code, message = {}, 10001, str(turned.body)
        return {"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}, "time": ask.now_ms}

    return answered


def _parameter(name: str) -> TurnedAway:
    return TurnedAway(200, f"params error: {name} invalid")


def _category(ask: Ask) -> str:
    category = ask.query.get("category", "")
    if category not in CATEGORIES:
        raise _parameter("category")
    return category


def _chosen(ask: Ask) -> list[Listing]:
    """Instruments of a category; options are those of BTC unless `baseCoin` says otherwise."""
    category, symbol = _category(ask), ask.query.get("symbol")
    base = ask.query.get("baseCoin") or ("BTC" if category == "option" and not symbol else None)
    if category == "option" and base not in (None, *ASSETS):
        raise _parameter("baseCoin")
    found = [
        one
        for one in ask.market.listings(VENUE, ask.at, *CATEGORIES[category], asset=base)
        if category in ("spot", "option") or one.is_inverse == (category == "inverse")
    ]
    chosen = [one for one in found if symbol in (None, one.symbol)]
    if symbol and not chosen:
        raise TurnedAway(200, "params error: symbol invalid")
    return chosen


def _one(ask: Ask) -> Listing:
    if not ask.query.get("symbol"):
        raise _parameter("symbol")
    return _chosen(ask)[0]


def _instruments(ask: Ask) -> Row:
    category = _category(ask)
    found = _chosen(ask)
    limit = min(max(whole(ask, "limit", 500, _parameter), 1), 1_000)
    start = whole(ask, "cursor", 0, _parameter)
    describe = {"spot": _spot_terms, "option": _option_terms}.get(category, _contract_terms)
    result: Row = {"category": category}
    if category != "spot":
        result["nextPageCursor"] = str(start + limit) if start + limit < len(found) else ""
        found = found[start : start + limit]
    return result | {"list": [describe(listing) for listing in found]}


def _spot_terms(listing: Listing) -> Row:
    return {
        "symbol": listing.symbol,
        "baseCoin": listing.asset,
        "quoteCoin": listing.quote,
        "innovation": "0",
        "status": "Trading",
        "marginTrading": "both",
        "lotSizeFilter": {
            "basePrecision": listing.quantity(listing.lot),
            "quotePrecision": "0.0000001",
            "minOrderQty": listing.quantity(listing.lot),
            "maxOrderQty": "1000",
            "minOrderAmt": "5",
            "maxOrderAmt": "4000000",
        },
        "priceFilter": {"tickSize": listing.price(listing.tick)},
    }


def _contract_terms(listing: Listing) -> Row:
    name = {(True, False): "InversePerpetual", (True, True): "InverseFutures"}.get(
        (listing.is_inverse, listing.expiry is not None), "LinearPerpetual"
    )
    return {
        "symbol": listing.symbol,
        "contractType": name,
        "status": "Trading",
        "baseCoin": listing.asset,
        "quoteCoin": listing.quote,
        "launchTime": LAUNCHED_MS,
        "deliveryTime": "0" if listing.expiry is None else str(milliseconds(listing.expiry)),
        "deliveryFeeRate": "" if listing.expiry is None else "0.0005",
        "priceScale": str(listing.px_dp),
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "priceFilter": {
            "minPrice": listing.price(listing.tick),
            "maxPrice": listing.price(1_999_999.0),
            "tickSize": listing.price(listing.tick),
        },
        "lotSizeFilter": {
            "maxOrderQty": listing.quantity(1_190.0),
            "minOrderQty": listing.quantity(listing.lot),
            "qtyStep": listing.quantity(listing.lot),
        },
        "unifiedMarginTrade": True,
        "fundingInterval": int(funding.INTERVAL / timedelta(minutes=1)) if listing.expiry is None else 0,
        "settleCoin": listing.settle,
        "copyTrading": "none",
    }


def _option_terms(listing: Listing) -> Row:
    return {
        "symbol": listing.symbol,
        "optionsType": (listing.option_type or "").capitalize(),
        "status": "Trading",
        "baseCoin": listing.asset,
        "quoteCoin": "USDC",
        "settleCoin": listing.settle,
        "launchTime": LAUNCHED_MS,
        "deliveryTime": "" if listing.expiry is None else str(milliseconds(listing.expiry)),
        "deliveryFeeRate": "0.00015",
        "priceFilter": {
            "minPrice": plain(listing.tick),
            "maxPrice": "10000000",
            "tickSize": plain(listing.tick),
        },
        "lotSizeFilter": {
            "maxOrderQty": "500",
            "minOrderQty": plain(listing.lot),
            "qtyStep": plain(listing.lot),
        },
    }


def _tickers(ask: Ask) -> Row:
    category = _category(ask)
    found = _chosen(ask)
    if category == "option":
        wanted = {listing.symbol for listing in found}
        assets = dict.fromkeys(listing.asset for listing in found)
        rows = [row for asset in assets for row in _option_tickers(asset, wanted, ask)]
    else:
        describe = _spot_ticker if category == "spot" else _contract_ticker
        rows = [describe(listing, ask) for listing in found]
    return {"category": category, "list": rows}


def _traded(listing: Listing, ask: Ask) -> Row:
    stats = ask.market.day_stats(listing, ask.at)
    first, last = float(stats.first.px[0]), float(stats.last.px[0])
    turnover = stats.volume_base if listing.is_inverse else stats.volume_quote
    book = ask.market.book_of(listing, ask.at)
    return {
        "symbol": listing.symbol,
        "lastPrice": listing.price(last),
        "bid1Price": listing.price(float(book.bid_px[0])),
        "bid1Size": listing.quantity(float(book.bid_qty[0])),
        "ask1Price": listing.price(float(book.ask_px[0])),
        "ask1Size": listing.quantity(float(book.ask_qty[0])),
        "prevPrice24h": listing.price(first),
        "price24hPcnt": f"{last / first - 1:.6f}",
        "highPrice24h": listing.price(stats.high_px),
        "lowPrice24h": listing.price(stats.low_px),
        "turnover24h": f"{turnover:.4f}",
        "volume24h": listing.quantity(stats.volume_qty),
    }


def _spot_ticker(listing: Listing, ask: Ask) -> Row:
    index = ask.market.index_px(VENUE, listing.asset, "USD", ask.at)
    return _traded(listing, ask) | {"usdIndexPrice": f"{index:.6f}"}


def _contract_ticker(listing: Listing, ask: Ask) -> Row:
    market = ask.market
    index, mark = (
        market.index_px(VENUE, listing.asset, listing.quote, ask.at),
        market.mark_px(listing, ask.at),
    )
    qty = market.open_interest_qty(listing, ask.at)  # of one side
    worth = qty / mark if listing.is_inverse else qty * mark
    day, step = day_and_step(ask.at - timedelta(hours=1))
    is_perp = listing.expiry is None
    rate = market.running_funding_rate(VENUE, listing.asset, ask.at) if is_perp else 0.0
    return _traded(listing, ask) | {
        "indexPrice": f"{index:.2f}",
        "markPrice": f"{mark:.2f}",
        "prevPrice1h": f"{float(market.mids(listing, day)[step]):.2f}",
        "openInterest": listing.quantity(2 * qty),
        "openInterestValue": f"{2 * worth:.2f}",
        "singleOpenInterest": listing.quantity(qty),
        "singleOpenInterestValue": f"{worth:.2f}",
        "fundingRate": plain(rate, 8) if is_perp else "",
        "nextFundingTime": str(milliseconds(funding.next_settlement(ask.at))) if is_perp else "0",
        "predictedDeliveryPrice": "" if is_perp else "0.00",
        "basisRate": "" if is_perp else f"{mark / index - 1:.8f}",
        "basis": "" if is_perp else f"{mark - index:.2f}",
        "deliveryFeeRate": "" if is_perp else "0.0005",
        "deliveryTime": "0" if listing.expiry is None else str(milliseconds(listing.expiry)),
        **({"fundingIntervalHour": str(int(funding.INTERVAL / timedelta(hours=1)))} if is_perp else {}),
    }


def _option_tickers(asset: str, wanted: set[str], ask: Ask) -> list[Row]:
    chain = ask.market.chain(VENUE, asset, ask.at)
    index = f"{ask.market.index_px(VENUE, asset, 'USD', ask.at):.8f}"
    quotes = (chain.bid, chain.bid_qty, chain.bid_iv, chain.ask, chain.ask_qty, chain.ask_iv)
    marks = (chain.mark, chain.vol, chain.forward, chain.delta, chain.gamma, chain.vega, chain.theta)
    columns = (*quotes, *marks, chain.open_interest_base, chain.volume_base)
    rows: list[Row] = []
    for listing, *numbers in zip(chain.listings, *(column.tolist() for column in columns), strict=True):
        if listing.symbol not in wanted:
            continue
        bid, bid_qty, bid_iv, offer, offer_qty, offer_iv, mark, vol, forward, *rest = numbers
        delta, gamma, vega, theta, interest, volume = rest
        last = listing.price(max(round(mark / listing.tick), 1) * listing.tick) if volume else "0"
        rows.append(
            {
                "symbol": listing.symbol,
                "bid1Price": listing.price(bid) if bid == bid else "0",
                "bid1Size": plain(bid_qty),
                "bid1Iv": plain(bid_iv, 6),
                "ask1Price": listing.price(offer),
                "ask1Size": plain(offer_qty),
                "ask1Iv": plain(offer_iv, 6),
                "lastPrice": last,
                "highPrice24h": last,
                "lowPrice24h": last,
                "markPrice": f"{mark:.8f}",
                "indexPrice": index,
                "markIv": f"{vol:.8f}",
                "underlyingPrice": f"{forward:.8f}",
                "openInterest": plain(interest),
                "turnover24h": plain(volume * forward, 2),
                "volume24h": plain(volume),
                "totalVolume": plain(volume * 10),
                "totalTurnover": plain(volume * 10 * forward, 2),
                "delta": f"{delta:.8f}",
                "gamma": f"{gamma:.10f}",
                "vega": f"{vega:.8f}",
                "theta": f"{theta:.8f}",
                "predictedDeliveryPrice": "0",
                "change24h": "0",
            }
        )
    return rows


def _order_book(ask: Ask) -> Row:
    category = _category(ask)
    if category == "option":
        raise _parameter("category")
    listing = _one(ask)
    limit = whole(ask, "limit", 1 if category == "spot" else 25, _parameter)
    if not 1 <= limit <= BOOK_LIMITS[category]:
        raise _parameter("limit")
    book = ask.market.book_of(listing, ask.at)
    return {
        "s": listing.symbol,
        "b": levels(book.bid_px, book.bid_qty, listing.px_dp, listing.qty_dp, limit),
        "a": levels(book.ask_px, book.ask_qty, listing.px_dp, listing.qty_dp, limit),
        "ts": ask.now_ms,
        "u": ask.now_ms // 10,
        "seq": ask.now_ms * 10,
        "cts": ask.now_ms,
    }


def _recent_trades(ask: Ask) -> Row:
    category = _category(ask)
    if category == "option":
        return {"category": category, "list": []}
    listing = _one(ask)
    most = 60 if category == "spot" else 1_000
    limit = min(max(whole(ask, "limit", 60 if category == "spot" else 500, _parameter), 1), most)
    tape = ask.market.trades_before(listing, ask.now_ms, limit)
    columns = (tape.trade_id, tape.at_ms, tape.px, tape.qty, tape.is_buy)
    rows: list[Row] = [
        {
            "execId": _exec_id(category, listing.symbol, trade_id),
            "symbol": listing.symbol,
            "price": listing.price(px),
            "size": listing.quantity(qty),
            "side": "Buy" if is_buy else "Sell",
            "time": str(at_ms),
            "isBlockTrade": False,
        }
        for trade_id, at_ms, px, qty, is_buy in zip(*(column.tolist() for column in columns), strict=True)
    ]
    return {"category": category, "list": rows[::-1]}  # newest first


def _exec_id(category: str, symbol: str, trade_id: int) -> str:
    """A number for spot, a UUID for contracts."""
    if category == "spot":
        return f"22900000000{trade_id:010d}"
    text = hashlib.blake2b(f"{symbol} {trade_id}".encode(), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _klines(ask: Ask) -> Row:
    """Newest first; volume and turnover: base coin and quote currency, for inverse contracts the other way round."""
    category, listing = _category(ask), _one(ask)
    interval_ms = BARS_MS.get(ask.query.get("interval", ""))
    if interval_ms is None or category == "option":
        raise _parameter("interval")
    limit = min(max(whole(ask, "limit", 200, _parameter), 1), 1_000)
    end_ms = min(whole(ask, "end", ask.now_ms, _parameter), ask.now_ms)
    newest = end_ms // interval_ms * interval_ms
    start_ms = max(whole(ask, "start", 0, _parameter), newest - (limit - 1) * interval_ms)
    rows: list[list[str]] = []
    for bar in ask.candles.bars(listing, interval_ms, start_ms, end_ms, ask.at, limit):
        turnover = bar.volume_base if listing.is_inverse else bar.volume_quote
        prices = (bar.open_px, bar.high_px, bar.low_px, bar.close_px)
        volumes = (listing.quantity(bar.volume_qty), f"{turnover:.8f}")
        rows.append([str(bar.open_ms), *(listing.price(px) for px in prices), *volumes])
    return {"category": category, "symbol": listing.symbol, "list": rows[::-1]}


def _funding_history(ask: Ask) -> Row:
    category, listing = _category(ask), _one(ask)
    if listing.kind != "perp":
        raise _parameter("symbol")
    step_ms = int(funding.INTERVAL / timedelta(milliseconds=1))
    limit = min(max(whole(ask, "limit", 200, _parameter), 1), 200)
    last = min(whole(ask, "endTime", ask.now_ms, _parameter), ask.now_ms) // step_ms
    first = max(-(-whole(ask, "startTime", 0, _parameter) // step_ms), last - limit + 1)
    rows: list[Row] = [
        {
            "symbol": listing.symbol,
            "fundingRate": plain(
                ask.market.funding_rate(VENUE, listing.asset, EPOCH + timedelta(milliseconds=number * step_ms))
            ),
            "fundingRateTimestamp": str(number * step_ms),
        }
        for number in range(last, first - 1, -1)
    ]
    return {"category": category, "list": rows}


def _risk_limits(ask: Ask) -> Row:
    category = _category(ask)
    if category not in ("linear", "inverse"):
        raise _parameter("category")
    rows = [row for place, one in enumerate(_chosen(ask)) for row in margins.bybit_limits(one, 10 * place)]
    return {"category": category, "list": rows, "nextPageCursor": ""}
