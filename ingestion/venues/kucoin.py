"""KuCoin: spot, of the classic API.

https://www.kucoin.com/docs-new/rest/spot-trading/introduction
Its futures are another host and so another venue, `kucoin_futures`.
"""

from collections.abc import Sequence
from datetime import timedelta

from ingestion.venues.base import Endpoint, Plan, Request, Venue
from ingestion.venues.kucoin_answers import DOCS, PUBLIC_WEIGHT_A_MINUTE
from ingestion.venues.kucoin_replies import (
    VENUE,
    order_books,
    parse_candles,
    parse_pairs,
    parse_tickers,
    parse_trades,
    terms,
)
from ingestion.venues.spans import epoch_s, spans

MARKET = "/api/v1/market/"
SYMBOLS = "/api/v2/symbols"
BARS_A_REPLY = 1_500
MINUTE = timedelta(minutes=1)


def _each_pair(plan: Plan, path: str, *more: tuple[str, str]) -> list[Request]:
    return [Request(MARKET + path, (("symbol", f"{base}-USDT"), *more)) for base in plan.underlyings]


def _candles(plan: Plan) -> Sequence[Request]:
    return [
        request
        for start, end in spans(plan.start_ts, plan.end_ts, BARS_A_REPLY * MINUTE)
        for request in _each_pair(
            plan,
            "candles",
            ("type", "1min"),
            ("startAt", str(epoch_s(start))),
            ("endAt", str(epoch_s(end) - 1)),
        )
    ]


KUCOIN = Venue(
    name=VENUE,
    base_url="https://api.kucoin.com",
    docs_url=DOCS + "rest/spot-trading/introduction",
    endpoints=(
        Endpoint("instruments", SYMBOLS, parse_pairs, lambda plan: [Request(SYMBOLS)], weight=4),
        Endpoint(
            "spot_tickers",
            MARKET + "allTickers",
            parse_tickers,
            lambda plan: [Request(MARKET + "allTickers")],
            weight=15,
            is_reference=True,
        ),
        Endpoint(
            "order_books",
            MARKET + "orderbook/level2_(20|100)",
            order_books,
            lambda plan: _each_pair(plan, "orderbook/level2_100"),
            weight=4,
        ),
        Endpoint(
            "trades",
            MARKET + "histories",
            parse_trades,
            lambda plan: _each_pair(plan, "histories"),
            weight=3,
            history="the last 100",
        ),
        Endpoint(
            "candles",
            MARKET + "candles",
            parse_candles,
            _candles,
            weight=3,
            is_archived=True,
            history="not stated, 1,500 bars a reply",
        ),
    ),
    terms=terms,
    weight_per_minute=PUBLIC_WEIGHT_A_MINUTE,
    retired={
        "/api/ua/v[0-9]+/.*": (
            "the API of unified accounts; the classic one shows the same market and is read here, of futures by "
            "kucoin_futures"
        ),
    },
)
