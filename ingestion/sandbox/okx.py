"""OKX v5: every number a decimal string, sizes of derivatives in contracts, errors with HTTP status 200.

https://www.okx.com/docs-v5/en/#order-book-trading-market-data
https://www.okx.com/docs-v5/en/#public-data-rest-api
"""

from collections.abc import Callable
from math import log
from typing import Final

from ingestion.sandbox import funding, margins, okx_history
from ingestion.sandbox.calendars import term_of
from ingestion.sandbox.listings import Listing
from ingestion.sandbox.okx_history import VENUE, Row, Rows, error, family_of, listing_of, named, of_type, parameter
from ingestion.sandbox.options import Chain
from ingestion.sandbox.path import ASSETS, milliseconds
from ingestion.sandbox.wire import Ask, Route, plain, whole

CONTRACT_MULTIPLE: Final = {"BTC": "0.01", "ETH": "0.1"}  # of an option, whose contract value is 1 coin
LISTED_MS: Final = "1611916828000"


def routes() -> dict[str, Route]:
    answers: dict[str, Callable[[Ask], Rows]] = {
        "public/instruments": _instruments,
        "public/opt-summary": _option_summaries,
        "public/open-interest": _open_interest,
        "public/mark-price": _mark_prices,
        "public/funding-rate": _funding_rate,
        "public/position-tiers": _position_tiers,
        "market/tickers": _tickers,
        "market/index-tickers": _index_tickers,
        "market/books": _books,
    }
    return {
        f"/api/v5/{name}": Route(VENUE, _enveloped(answer))
        for name, answer in (answers | okx_history.answers()).items()
    }


def _enveloped(answer: Callable[[Ask], Rows]) -> Callable[[Ask], object]:
    return lambda ask: {"code": "0", "data": answer(ask), "msg": ""}


def _instruments(ask: Ask) -> list[Row]:
    if ask.query.get("instType") == "OPTION" and not (ask.query.get("uly") or ask.query.get("instFamily")):
        raise parameter("uly")
    return [_terms(listing) for listing in of_type(ask)]


def _terms(listing: Listing) -> Row:
    is_spot, is_option = listing.kind == "spot", listing.kind == "option"
    family = "" if is_spot else family_of(listing)
    value = "1" if is_option else plain(listing.contract_size)
    counted = listing.quote if listing.is_inverse and not is_option else listing.asset
    return named(listing) | {
        "uly": family,
        "instFamily": family,
        "baseCcy": listing.asset if is_spot else "",
        "quoteCcy": listing.quote if is_spot else "",
        "settleCcy": "" if is_spot else listing.settle,
        "ctVal": "" if is_spot else value,
        "ctMult": "" if is_spot else CONTRACT_MULTIPLE[listing.asset] if is_option else "1",
        "ctValCcy": "" if is_spot else counted,
        "ctType": "" if is_spot or is_option else "inverse" if listing.is_inverse else "linear",
        "optType": (listing.option_type or " ")[0].upper().strip(),
        "stk": str(listing.strike or ""),
        "listTime": LISTED_MS,
        "expTime": "" if listing.expiry is None else str(milliseconds(listing.expiry)),
        "lever": "" if is_option else "10" if is_spot else "100",
        "tickSz": plain(listing.tick),
        "lotSz": plain(listing.lot),
        "minSz": plain(listing.lot),
        "alias": _alias(listing),
        "state": "live",
        "category": "1",
    }


def _alias(listing: Listing) -> str:
    if listing.kind != "future" or listing.expiry is None:
        return ""
    return {"week": "this_week", "month": "this_month", "quarter": "quarter", "day": "this_week"}[
        term_of(listing.expiry)
    ]


def _chains(ask: Ask) -> list[Chain]:
    family = ask.query.get("uly") or ask.query.get("instFamily")
    assets = [asset for asset in ASSETS if family in (None, f"{asset}-USD")]
    if not assets:
        raise error("51001", "Instrument ID or Spread ID doesn't exist.")
    return [ask.market.chain(VENUE, asset, ask.at) for asset in assets]


def _option_summaries(ask: Ask) -> list[Row]:
    if not (ask.query.get("uly") or ask.query.get("instFamily")):
        raise parameter("uly")
    return [row for chain in _chains(ask) for row in _summaries(chain, ask)]


def _summaries(chain: Chain, ask: Ask) -> list[Row]:
    index = ask.market.index_px(VENUE, chain.listings[0].asset, "USD", ask.at)
    at_the_money = {
        expiry: plain(ask.market.atm_vol(chain.listings[0].asset, expiry, ask.at))
        for expiry in {listing.expiry for listing in chain.listings}
        if expiry is not None
    }
    quoted = (chain.bid_iv, chain.ask_iv, chain.vol, chain.forward, chain.mark)
    columns = (*quoted, chain.delta, chain.gamma, chain.vega, chain.theta, chain.years)
    rows: list[Row] = []
    for listing, *numbers in zip(chain.listings, *(column.tolist() for column in columns), strict=True):
        bid, offer, vol, forward, mark, delta, gamma, vega, theta, years = numbers
        in_coin = delta - mark
        # Its Greeks in dollars are of spot and present values, its theta of the time that is left, a day at most.
        discount = index / forward
        interest = log(discount) / years / 365 * forward * in_coin
        present_theta = discount * (theta + interest) * min(1.0, years * 365)
        rows.append(
            {
                "askVol": plain(offer),
                "bidVol": plain(bid),
                "delta": plain(in_coin),
                "deltaBS": plain(delta),
                "fwdPx": plain(forward, 8),
                "gamma": plain(gamma * index - 2 * in_coin),
                "gammaBS": plain(gamma / discount, 14),
                **named(listing),
                "lever": plain(abs(delta) / mark, 6) if mark else "0",
                "markVol": plain(vol),
                "realVol": "0",
                "theta": plain(present_theta / index),
                "thetaBS": plain(present_theta),
                "ts": str(ask.now_ms),
                "uly": family_of(listing),
                "vega": plain(vega * discount / index),
                "vegaBS": plain(vega * discount),
                "volLv": at_the_money[listing.expiry] if listing.expiry else "",
            }
        )
    return rows


def _open_interest(ask: Ask) -> list[Row]:
    if ask.query.get("instType") == "OPTION":
        return [row for chain in _chains(ask) for row in _option_interest(chain, ask)]
    if ask.query.get("instType") == "SPOT":
        raise parameter("instType")
    rows: list[Row] = []
    for listing in of_type(ask):
        qty = ask.market.open_interest_qty(listing, ask.at)
        px = ask.market.mark_px(listing, ask.at)
        usd = listing.usd_of(qty, px * ask.market.quote_usd(listing, ask.at))
        base = usd / px if listing.is_inverse else qty * listing.contract_size
        amounts = {"oi": plain(qty), "oiCcy": plain(base, 8), "oiUsd": plain(usd, 2)}
        rows.append(named(listing) | amounts | {"ts": str(ask.now_ms)})
    return rows


def _option_interest(chain: Chain, ask: Ask) -> list[Row]:
    index = ask.market.index_px(VENUE, chain.listings[0].asset, "USD", ask.at)
    rows: list[Row] = []
    for listing, base in zip(chain.listings, chain.open_interest_base.tolist(), strict=True):
        amounts = {
            "oi": plain(base / listing.contract_size, 0),
            "oiCcy": plain(base, 6),
            "oiUsd": plain(base * index, 2),
        }
        rows.append(named(listing) | amounts | {"ts": str(ask.now_ms)})
    return rows


def _mark_prices(ask: Ask) -> list[Row]:
    clock = {"ts": str(ask.now_ms)}
    if ask.query.get("instType") == "OPTION":
        return [
            named(listing) | {"markPx": plain(mark, 8)} | clock
            for chain in _chains(ask)
            for listing, mark in zip(chain.listings, chain.mark.tolist(), strict=True)
        ]
    return [
        named(listing) | {"markPx": plain(ask.market.mark_px(listing, ask.at), 4)} | clock for listing in of_type(ask)
    ]


def _funding_rate(ask: Ask) -> list[Row]:
    listing = listing_of(ask, "perp")
    rate = ask.market.running_funding_rate(VENUE, listing.asset, ask.at)
    settles_at = funding.next_settlement(ask.at)
    before = ask.market.funding_rate(VENUE, listing.asset, settles_at - funding.INTERVAL)
    return [
        named(listing)
        | {
            "method": "current_period",
            "formulaType": "noRate",
            "fundingRate": plain(rate),
            "fundingTime": str(milliseconds(settles_at)),
            "interestRate": "0.0001",
            "nextFundingRate": "",
            "nextFundingTime": str(milliseconds(settles_at + funding.INTERVAL)),
            "maxFundingRate": "0.015",
            "minFundingRate": "-0.015",
            "premium": plain(ask.market.premium_frac(VENUE, listing.asset, ask.at)),
            "settFundingRate": plain(before),
            "settState": "settled",
            "ts": str(ask.now_ms),
        }
    ]


def _tickers(ask: Ask) -> list[Row]:
    if ask.query.get("instType") == "OPTION":
        if not (ask.query.get("uly") or ask.query.get("instFamily")):
            raise parameter("uly")
        return [row for chain in _chains(ask) for row in _option_tickers(chain, ask)]
    return [_ticker(listing, ask) for listing in of_type(ask)]


def _ticker(listing: Listing, ask: Ask) -> Row:
    stats = ask.market.day_stats(listing, ask.at)
    book = ask.market.book_of(listing, ask.at)
    opened = listing.price(float(stats.first.px[0]))
    return named(listing) | {
        "last": listing.price(float(stats.last.px[0])),
        "lastSz": plain(float(stats.last.qty[0])),
        "askPx": listing.price(float(book.ask_px[0])),
        "askSz": plain(float(book.ask_qty[0])),
        "bidPx": listing.price(float(book.bid_px[0])),
        "bidSz": plain(float(book.bid_qty[0])),
        "open24h": opened,
        "high24h": listing.price(stats.high_px),
        "low24h": listing.price(stats.low_px),
        "volCcy24h": plain(stats.volume_quote if listing.kind == "spot" else stats.volume_base, 6),
        "vol24h": plain(stats.volume_qty, 8),
        "ts": str(ask.now_ms),
        "sodUtc0": opened,
        "sodUtc8": opened,
    }


def _option_tickers(chain: Chain, ask: Ask) -> list[Row]:
    columns = (chain.bid, chain.bid_qty, chain.ask, chain.ask_qty, chain.volume_base)
    rows: list[Row] = []
    for listing, *numbers in zip(chain.listings, *(column.tolist() for column in columns), strict=True):
        bid, bid_base, offer, offer_base, volume = numbers
        has_bid = bid == bid
        rows.append(
            named(listing)
            | {
                "last": plain(offer) if volume else "",
                "lastSz": "1" if volume else "0",
                "askPx": plain(offer),
                "askSz": plain(offer_base / listing.contract_size, 0),
                "bidPx": plain(bid) if has_bid else "",
                "bidSz": plain(bid_base / listing.contract_size, 0) if has_bid else "0",
                "open24h": plain(offer) if volume else "",
                "high24h": plain(offer) if volume else "",
                "low24h": plain(offer) if volume else "",
                "volCcy24h": plain(volume, 6),
                "vol24h": plain(volume / listing.contract_size, 0),
                "ts": str(ask.now_ms),
                "sodUtc0": "",
                "sodUtc8": "",
            }
        )
    return rows


def _index_tickers(ask: Ask) -> list[Row]:
    quotes = {"USD": (*ASSETS, "USDT", "USDC"), "USDT": (*ASSETS, "USDC")}
    name, quote = ask.query.get("instId"), ask.query.get("quoteCcy")
    if not name and not quote:
        raise parameter("quoteCcy")
    pairs = [
        (asset, currency)
        for currency, assets in quotes.items()
        for asset in assets
        if quote in (None, currency) and name in (None, f"{asset}-{currency}")
    ]
    if not pairs:
        raise error("51001", "Instrument ID or Spread ID doesn't exist.")
    return [_index_ticker(asset, currency, ask) for asset, currency in pairs]


def _index_ticker(asset: str, quote: str, ask: Ask) -> Row:
    dp = 2 if asset in ASSETS else 6
    opened, high, low = ask.market.index_range(VENUE, asset, quote, ask.at)
    return {
        "instId": f"{asset}-{quote}",
        "idxPx": f"{ask.market.index_px(VENUE, asset, quote, ask.at):.{dp}f}",
        "high24h": f"{high:.{dp}f}",
        "low24h": f"{low:.{dp}f}",
        "open24h": f"{opened:.{dp}f}",
        "sodUtc0": f"{opened:.{dp}f}",
        "sodUtc8": f"{opened:.{dp}f}",
        "ts": str(ask.now_ms),
    }


def _books(ask: Ask) -> list[Row]:
    listing = listing_of(ask, "spot", "perp", "future")
    size = whole(ask, "sz", 1, parameter)
    if not 1 <= size <= 400:
        raise parameter("sz")
    book = ask.market.book_of(listing, ask.at)

    def side(px: list[float], qty: list[float]) -> list[list[str]]:
        return [[listing.price(p), plain(q), "0", "1"] for p, q in zip(px, qty, strict=True)]

    return [
        {
            "asks": side(book.ask_px[:size].tolist(), book.ask_qty[:size].tolist()),
            "bids": side(book.bid_px[:size].tolist(), book.bid_qty[:size].tolist()),
            "ts": str(ask.now_ms),
            "seqId": ask.now_ms * 10,
        }
    ]


def _position_tiers(ask: Ask) -> list[Row]:
    """Of families of swaps and futures."""
    if ask.query.get("tdMode") not in ("isolated", "cross"):
        raise parameter("tdMode")
    if ask.query.get("instType") not in ("SWAP", "FUTURES"):
        raise parameter("instType")
    if not (ask.query.get("uly") or ask.query.get("instFamily")):
        raise parameter("instFamily")
    families = {family_of(listing): listing for listing in of_type(ask)}
    return [row for family, listing in families.items() for row in margins.okx_tiers(listing, family)]
