"""Deribit: JSON-RPC over GET; sizes of futures are US dollars, of options base coin, volatilities percent.

https://docs.deribit.com/#market-data
"""

from collections.abc import Callable
from typing import Final

from ingestion.sandbox import deribit_history
from ingestion.sandbox.calendars import dated, future_expiries, term_of
from ingestion.sandbox.deribit_history import VENUE, Row, contract_size, invalid, listing_of, of_currency
from ingestion.sandbox.listings import Listing
from ingestion.sandbox.options import Chain
from ingestion.sandbox.path import ASSETS, microseconds, milliseconds
from ingestion.sandbox.wire import Ask, Route, TurnedAway, whole

PREFIX: Final = "/api/v2/public/"
INDICES: Final = {("USD", asset) for asset in (*ASSETS, "USDC", "USDT")} | {("USDC", asset) for asset in ASSETS}
NEVER_MS: Final = 32_503_708_800_000  # expiry of a perpetual
CREATED_MS: Final = 1_534_167_754_000


def routes() -> dict[str, Route]:
    answers: dict[str, Callable[[Ask], object]] = {
        "get_instruments": _instruments,
        "get_book_summary_by_currency": _book_summaries,
        "get_order_book": _order_book,
        "ticker": _ticker,
        "get_index_price": _index_price,
    }
    return {PREFIX + name: Route(VENUE, _rpc(answer)) for name, answer in (answers | deribit_history.answers()).items()}


def _rpc(answer: Callable[[Ask], object]) -> Callable[[Ask], object]:
    def answered(ask: Ask) -> object:
        now_us = microseconds(ask.at)
        clocks = {"usIn": now_us - 180, "usOut": now_us, "usDiff": 180, "testnet": False}
        try:
            return {"jsonrpc": "2.0", "result": answer(ask), **clocks}
        except TurnedAway as turned:
            raise TurnedAway(turned.status, {"jsonrpc": "2.0", "error": turned.body, **clocks}) from turned

    return answered


def _instruments(ask: Ask) -> object:
    if ask.query.get("expired") == "true":
        return []
    return [_terms(listing) for listing in of_currency(ask)]


def _terms(listing: Listing) -> Row:
    is_option = listing.kind == "option"
    shared: Row = {
        "instrument_name": listing.symbol,
        "kind": "option" if is_option else "future",
        "base_currency": listing.asset,
        "quote_currency": listing.asset if is_option else listing.quote,
        "counter_currency": listing.quote,
        "settlement_currency": listing.settle,
        "settlement_period": "perpetual" if listing.expiry is None else term_of(listing.expiry),
        "instrument_type": "reversed" if listing.is_inverse else "linear",
        "price_index": f"{listing.asset}_{listing.quote}".lower(),
        "is_active": True,
        "rfq": False,
        "creation_timestamp": CREATED_MS,
        "expiration_timestamp": NEVER_MS if listing.expiry is None else milliseconds(listing.expiry),
        "contract_size": contract_size(listing),
        "min_trade_amount": listing.lot,
        "tick_size": listing.tick,
        "tick_size_steps": [{"above_price": 0.005, "tick_size": 0.0005}] if is_option else [],
        "maker_commission": 0.0003 if is_option else 0.0,
        "taker_commission": 0.0003 if is_option else 0.0005,
        "block_trade_commission": 0.0003 if is_option else 0.00025,
    }
    if is_option:
        return shared | {"strike": float(listing.strike or 0), "option_type": listing.option_type}
    return shared | {"max_leverage": 50, "future_type": "reversed" if listing.is_inverse else "linear"}


def _book_summaries(ask: Ask) -> object:
    found = of_currency(ask)
    rows = [_future_summary(listing, ask) for listing in found if listing.kind != "option"]
    if any(listing.kind == "option" for listing in found):
        rows += _option_summaries(ask.market.chain(VENUE, ask.query["currency"], ask.at), ask)
    return rows


def _future_summary(listing: Listing, ask: Ask) -> Row:
    stats = ask.market.day_stats(listing, ask.at)
    book = ask.market.book_of(listing, ask.at)
    first, last = float(stats.first.px[0]), float(stats.last.px[0])
    return {
        "mid_price": book.mid_px,
        **(_funding(listing, ask) if listing.expiry is None else {}),
        "estimated_delivery_price": _index(listing, ask),
        "volume_notional": stats.volume_quote,
        "volume_usd": stats.volume_quote,
        "quote_currency": listing.quote,
        "creation_timestamp": ask.now_ms,
        "base_currency": listing.asset,
        "volume": round(stats.volume_base, 8),
        "price_change": round((last / first - 1) * 100, 4),
        "mark_price": _mark(listing, ask),
        "open_interest": _interest(listing, ask),
        "ask_price": float(book.ask_px[0]),
        "bid_price": float(book.bid_px[0]),
        "instrument_name": listing.symbol,
        "last": last,
        "low": stats.low_px,
        "high": stats.high_px,
    }


def _funding(listing: Listing, ask: Ask) -> Row:
    return {
        "funding_8h": round(ask.market.funding_8h(listing.asset, ask.at), 8),
        "current_funding": round(ask.market.current_funding(listing.asset, ask.at), 8),
    }


def _index(listing: Listing, ask: Ask) -> float:
    return round(ask.market.index_px(VENUE, listing.asset, listing.quote, ask.at), 2)


def _interest(listing: Listing, ask: Ask) -> float:
    qty = ask.market.open_interest_qty(listing, ask.at)
    return int(qty) if listing.is_inverse else qty


def _mark(listing: Listing, ask: Ask) -> float:
    return round(ask.market.mark_px(listing, ask.at), 2)


def _option_summaries(chain: Chain, ask: Ask) -> list[Row]:
    index = _index(chain.listings[0], ask)
    underlying = _underlyings(chain, ask)
    quotes = (chain.bid, chain.ask, chain.mark, chain.vol, chain.forward)
    columns = (*quotes, chain.open_interest_base, chain.volume_base)
    rows: list[Row] = []
    for listing, name, *numbers in zip(chain.listings, underlying, *(c.tolist() for c in columns), strict=True):
        bid, offer, mark, vol, forward, interest, volume = numbers
        last = _last(mark) if volume else None
        rows.append(
            {
                "mid_price": round((bid + offer) / 2, 6) if bid == bid else None,
                "estimated_delivery_price": index,
                "volume_usd": round(volume * mark * forward, 2),
                "quote_currency": listing.asset,
                "creation_timestamp": ask.now_ms,
                "base_currency": listing.asset,
                "interest_rate": 0.0,
                "volume": volume,
                "underlying_index": name,
                "underlying_price": round(forward, 4),
                "price_change": 0.0 if volume else None,
                "mark_price": mark,
                "mark_iv": round(vol * 100, 2),
                "open_interest": interest,
                "ask_price": offer,
                "bid_price": bid if bid == bid else None,
                "instrument_name": listing.symbol,
                "last": last,
                "low": last,
                "high": last,
            }
        )
    return rows


def _underlyings(chain: Chain, ask: Ask) -> list[str]:
    """The listed future of the same expiry, or a synthetic one."""
    listed = set(future_expiries(ask.at))
    names: list[str] = []
    for listing in chain.listings:
        expiry = listing.expiry or ask.at
        name = f"{listing.asset}-{dated(expiry)}"
        names.append(name if expiry in listed else f"SYN.{name}")
    return names


def _last(mark: float) -> float:
    tick = 0.0005 if mark >= 0.005 else 0.0001
    return round(max(round(mark / tick), 1) * tick, 6)


def _order_book(ask: Ask) -> object:
    listing = listing_of(ask)
    depth = whole(ask, "depth", 5, invalid)
    if not 1 <= depth <= 10_000:
        raise invalid("depth")
    if listing.kind == "option":
        return _with_option_book(_ticker_of(listing, ask), ask)
    book = ask.market.book_of(listing, ask.at)
    bids = zip(book.bid_px[:depth].tolist(), book.bid_qty[:depth].tolist(), strict=True)
    asks = zip(book.ask_px[:depth].tolist(), book.ask_qty[:depth].tolist(), strict=True)
    levels = {"bids": [list(level) for level in bids], "asks": [list(level) for level in asks]}
    return _ticker_of(listing, ask) | {"change_id": ask.now_ms * 10} | levels


def _with_option_book(row: Row, ask: Ask) -> Row:
    bids = [[row["best_bid_price"], row["best_bid_amount"]]] if row["best_bid_amount"] else []
    asks = [[row["best_ask_price"], row["best_ask_amount"]]]
    return row | {"change_id": ask.now_ms * 10, "bids": bids, "asks": asks}


def _ticker(ask: Ask) -> object:
    return _ticker_of(listing_of(ask), ask)


def _ticker_of(listing: Listing, ask: Ask) -> Row:
    return _option_ticker(listing, ask) if listing.kind == "option" else _future_ticker(listing, ask)


def _future_ticker(listing: Listing, ask: Ask) -> Row:
    stats = ask.market.day_stats(listing, ask.at)
    book = ask.market.book_of(listing, ask.at)
    mark, index = _mark(listing, ask), _index(listing, ask)
    first, last = float(stats.first.px[0]), float(stats.last.px[0])
    row: Row = {
        "estimated_delivery_price": index,
        "best_bid_amount": float(book.bid_qty[0]),
        "best_ask_amount": float(book.ask_qty[0]),
        "best_bid_price": float(book.bid_px[0]),
        "best_ask_price": float(book.ask_px[0]),
        "mark_price": mark,
        "open_interest": _interest(listing, ask),
        "max_price": round(mark * 1.015, 2),
        "min_price": round(mark * 0.985, 2),
        "settlement_price": first,
        "last_price": last,
        "instrument_name": listing.symbol,
        "index_price": index,
        "stats": {
            "volume_notional": stats.volume_quote,
            "volume_usd": stats.volume_quote,
            "volume": round(stats.volume_base, 8),
            "price_change": round((last / first - 1) * 100, 4),
            "low": stats.low_px,
            "high": stats.high_px,
        },
        "state": "open",
        "timestamp": ask.now_ms,
    }
    return _funding(listing, ask) | row if listing.expiry is None else row


def _option_ticker(listing: Listing, ask: Ask) -> Row:
    chain = ask.market.chain(VENUE, listing.asset, ask.at)
    n = next(i for i, one in enumerate(chain.listings) if one.symbol == listing.symbol)
    index, volume, mark = _index(listing, ask), float(chain.volume_base[n]), float(chain.mark[n])
    has_bid = bool(chain.bid_qty[n])
    last = _last(mark) if volume else None
    return {
        "estimated_delivery_price": index,
        "best_bid_amount": float(chain.bid_qty[n]),
        "best_ask_amount": float(chain.ask_qty[n]),
        "best_bid_price": float(chain.bid[n]) if has_bid else 0.0,
        "best_ask_price": float(chain.ask[n]),
        "bid_iv": _percent(float(chain.bid_iv[n])),
        "ask_iv": _percent(float(chain.ask_iv[n])),
        "mark_iv": _percent(float(chain.vol[n])),
        "mark_price": mark,
        "open_interest": float(chain.open_interest_base[n]),
        "max_price": round(mark + 0.05, 4),
        "min_price": 0.0001,
        "settlement_price": mark,
        "last_price": last,
        "instrument_name": listing.symbol,
        "index_price": index,
        "underlying_price": round(float(chain.forward[n]), 4),
        "underlying_index": _underlyings(chain, ask)[n],
        "interest_rate": 0.0,
        "greeks": {
            "delta": round(float(chain.delta[n]), 5),
            "gamma": round(float(chain.gamma[n]), 8),
            "vega": round(float(chain.vega[n]), 5),
            "theta": round(float(chain.theta[n] * min(1.0, chain.years[n] * 365)), 5),  # of its life, a day at most
            "rho": round(float(chain.delta[n] * chain.years[n]), 5),
        },
        "stats": {
            "volume_usd": round(volume * mark * float(chain.forward[n]), 2),
            "volume": volume,
            "price_change": 0.0 if volume else None,
            "low": last,
            "high": last,
        },
        "state": "open",
        "timestamp": ask.now_ms,
    }


def _percent(vol: float) -> float:
    return round(vol * 100, 2) if vol == vol else 0.0


def _index_price(ask: Ask) -> object:
    name = ask.query.get("index_name", "")
    asset, _, quote = name.upper().partition("_")
    if (quote, asset) not in INDICES:
        raise invalid("index_name")
    index = round(ask.market.index_px(VENUE, asset, quote, ask.at), 2 if asset in ASSETS else 6)
    return {"index_price": index, "estimated_delivery_price": index}
