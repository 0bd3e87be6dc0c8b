"""Binance options (eapi): European, quoted and settled in USDT; a contract is one coin of BTC or ETH.

https://developers.binance.com/docs/derivatives/options-trading
"""

from typing import Final

from ingestion.records import Instrument
from ingestion.venues.base import Endpoint, Plan, Request, Venue
from ingestion.venues.binance_options_market import (
    order_books,
    parse_days,
    parse_marks,
    parse_open_interest,
    parse_trades,
)
from ingestion.venues.binance_options_replies import MARKET, QUOTE, parse_index, parse_options, terms

# Books and trades are asked by symbol, and there are over a thousand: those of the expiries that trade most.
NEAR_EXPIRIES: Final = 3
DEPTH: Final = "50"  # the deepest at weight 1
TRADES: Final = "500"


def _wanted(plan: Plan) -> list[Instrument]:
    """Listed options on the wanted underlyings that have not expired when the span begins."""
    return [
        option
        for option in plan.listed
        if option.venue == MARKET.venue
        and option.base_asset in plan.underlyings
        and option.expiry_ts is not None
        and option.expiry_ts > plan.start_ts
    ]


def _near(plan: Plan) -> list[str]:
    """Options of each underlying's next expiries, sorted."""
    wanted = _wanted(plan)
    near = {
        (base, expiry_ts)
        for base in plan.underlyings
        for expiry_ts in sorted({o.expiry_ts for o in wanted if o.base_asset == base and o.expiry_ts})[:NEAR_EXPIRIES]
    }
    return sorted(option.symbol for option in wanted if (option.base_asset, option.expiry_ts) in near)


def _open_interest(plan: Plan) -> list[Request]:
    expiries = sorted({(o.base_asset, f"{o.expiry_ts:%y%m%d}") for o in _wanted(plan)})
    return [
        Request("/eapi/v1/openInterest", (("underlyingAsset", base), ("expiration", day))) for base, day in expiries
    ]


def _each_near(path: str, limit: str, plan: Plan) -> list[Request]:
    return [Request(path, (("symbol", symbol), ("limit", limit))) for symbol in _near(plan)]


BINANCE_OPTIONS = Venue(
    name=MARKET.venue,
    base_url="https://eapi.binance.com",
    docs_url="https://developers.binance.com/docs/derivatives/options-trading",
    endpoints=(
        Endpoint(
            "instruments", "/eapi/v1/exchangeInfo", parse_options, lambda plan: [Request("/eapi/v1/exchangeInfo")]
        ),
        Endpoint(
            "index_prices",
            "/eapi/v1/index",
            parse_index,
            lambda plan: [Request("/eapi/v1/index", (("underlying", base + QUOTE),)) for base in plan.underlyings],
            is_reference=True,
        ),
        Endpoint("option_quotes", "/eapi/v1/mark", parse_marks, lambda plan: [Request("/eapi/v1/mark")], weight=5),
        Endpoint("option_quotes", "/eapi/v1/ticker", parse_days, lambda plan: [Request("/eapi/v1/ticker")], weight=5),
        Endpoint("open_interest", "/eapi/v1/openInterest", parse_open_interest, _open_interest, weight=3),
        Endpoint("order_books", "/eapi/v1/depth", order_books, lambda p: _each_near("/eapi/v1/depth", DEPTH, p)),
        Endpoint(
            "trades",
            "/eapi/v1/trades",
            parse_trades,
            lambda plan: _each_near("/eapi/v1/trades", TRADES, plan),
            weight=5,
            history="the last 500 of an option",
        ),
    ),
    terms=terms,
    weight_per_minute=2400,
    retired={
        "/eapi/v1/klines": "bars of single options, most of which have none: their quotes are stored",
        "/eapi/v1/(historicalTrades|exerciseHistory|blockTrades)": "not of the order book, or withdrawn",
        "/eapi/v1/(time|ping)": "carries no market data",
        "/vapi/v1/.*": "the first options API, which eapi replaced",
        "/eapi/v1/(account|bill|position|openOrders|order.*|userTrades|exerciseRecord|historyOrders"
        "|marginAccount)": "account endpoint: never read",
    },
)
