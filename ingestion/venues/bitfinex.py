"""Bitfinex v2: spot pairs, and perpetuals settled in Tether or bitcoin.

https://docs.bitfinex.com/reference
Limits are per endpoint; weights are shares of the one of 90 requests a minute, rounded up.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from ingestion.venues.base import Endpoint, Plan, Refused, Reply, Request, Venue, decode
from ingestion.venues.bitfinex_history import (
    BAR,
    FILL,
    LIQUIDATION,
    parse_candles,
    parse_funding,
    parse_liquidations,
    parse_trades,
)
from ingestion.venues.bitfinex_names import terms
from ingestion.venues.bitfinex_replies import each, order_books, parse_instruments, parse_status, parse_tickers
from ingestion.venues.spans import epoch_ms

DEPTH = "100"
TRADES_A_PAGE, BARS_A_PAGE, LIQUIDATIONS_A_PAGE = 10_000, 10_000, 500
FUNDING_EVERY = timedelta(hours=8)  # at 00:00, 08:00 and 16:00 UTC
FUNDING_HISTORY = timedelta(days=1)  # so that intervals can be proved by consecutive settlements
_1970 = datetime(1970, 1, 1, tzinfo=UTC)


def _spot(plan: Plan) -> list[str]:
    listed = {
        i.symbol
        for i in plan.listed
        if i.kind == "spot" and i.base_asset in plan.underlyings and i.quote_asset in {"USD", "USDT"}
    }
    return sorted(listed) or [f"t{base}{quote}" for base in plan.underlyings for quote in ("USD", "UST")]


def _perps(plan: Plan) -> list[str]:
    return plan.symbols("perp") or [f"t{base}F0:USTF0" for base in plan.underlyings]


def _lists(plan: Plan) -> Sequence[Request]:
    return [Request(f"/v2/conf/pub:list:pair:{market}") for market in ("exchange", "futures")]


def _together(path: str, field: str, symbols: Callable[[Plan], list[str]]) -> Callable[[Plan], Sequence[Request]]:
    return lambda plan: [Request(path, ((field, ",".join(symbols(plan))),))]


def _is_of_perps(query: Mapping[str, str]) -> bool:
    return "F0" in query.get("symbols", "")


def _books(plan: Plan) -> Sequence[Request]:
    return [Request(f"/v2/book/{symbol}/P0", (("len", DEPTH),)) for symbol in _spot(plan) + _perps(plan)]


def _span(plan: Plan, rows_a_page: int) -> tuple[tuple[str, str], ...]:
    """The half-open span in the venue's inclusive milliseconds, oldest first."""
    start, end = str(epoch_ms(plan.start_ts)), str(epoch_ms(plan.end_ts) - 1)
    return (("start", start), ("end", end), ("sort", "1"), ("limit", str(rows_a_page)))


def _trades(plan: Plan) -> Sequence[Request]:
    span = _span(plan, TRADES_A_PAGE)
    return [Request(f"/v2/trades/{symbol}/hist", span) for symbol in _spot(plan) + _perps(plan)]


def _bars(plan: Plan) -> Sequence[Request]:
    span = _span(plan, BARS_A_PAGE)
    return [Request(f"/v2/candles/trade:1h:{symbol}/hist", span) for symbol in _spot(plan) + _perps(plan)]


def _liquidations(plan: Plan) -> Sequence[Request]:
    return [Request("/v2/liquidations/hist", _span(plan, LIQUIDATIONS_A_PAGE))]


def _settlements(plan: Plan) -> Sequence[Request]:
    """The last status before each settlement in the span, and in the day that ends with it."""
    first, last = min(plan.start_ts, plan.end_ts - FUNDING_HISTORY), plan.end_ts
    at = first + (_1970 - first) % FUNDING_EVERY
    ends = []
    while at < last:
        ends.append(epoch_ms(at) - 1)
        at += FUNDING_EVERY
    return [
        Request(f"/v2/status/deriv/{symbol}/hist", (("end", str(end)), ("sort", "-1"), ("limit", "1")))
        for symbol in _perps(plan)
        for end in ends
    ]


def _follow(rows_a_page: int, time_of: Callable[[bytes, str], int]) -> Callable[[Request, Reply], Request | None]:
    """The page that starts at a full page's last millisecond, which it repeats: rows share milliseconds."""

    def follow(request: Request, reply: Reply) -> Request | None:
        page = each(reply)
        if len(page) < rows_a_page:
            return None
        last = str(time_of(bytes(page[-1]), f"bitfinex {reply.path}: last row"))
        asked = dict(request.query)
        if asked["start"] == last:
            raise Refused("paging", f"bitfinex {reply.path}: a whole page of rows at {last} ms")
        return Request(request.path, tuple({**asked, "start": last}.items()))

    return follow


next_trades = _follow(TRADES_A_PAGE, lambda row, what: decode(FILL, row, what).time)
next_bars = _follow(BARS_A_PAGE, lambda row, what: decode(BAR, row, what)[0])
next_liquidations = _follow(LIQUIDATIONS_A_PAGE, lambda row, what: decode(LIQUIDATION, row, what)[0].ts)

BITFINEX = Venue(
    name="bitfinex",
    base_url="https://api-pub.bitfinex.com",
    docs_url="https://docs.bitfinex.com/reference",
    endpoints=(
        Endpoint(
            "instruments",
            "/v2/conf/pub:list:pair:(exchange|futures?)",  # `future` in 2021
            parse_instruments,
            _lists,
            proof="recording",
        ),
        Endpoint(
            "perp_tickers",
            "/v2/tickers",
            parse_tickers,
            _together("/v2/tickers", "symbols", _perps),
            when=_is_of_perps,
            proof="recording",
        ),
        Endpoint(
            "spot_tickers",
            "/v2/tickers",
            parse_tickers,
            _together("/v2/tickers", "symbols", _spot),
            is_reference=True,
            proof="recording",
        ),
        Endpoint(
            "perp_tickers",
            "/v2/status/deriv",
            parse_status,
            _together("/v2/status/deriv", "keys", _perps),
            proof="recording",
        ),
        Endpoint("order_books", "/v2/book/[^/]+/P0", order_books, _books, proof="recording"),
        Endpoint(
            "trades",
            "/v2/trades/[^/]+/hist",
            parse_trades,
            _trades,
            weight=6,  # 15 a minute
            is_archived=True,
            follow=next_trades,
            history="by time, 10,000 trades a page; no first day is stated",
        ),
        Endpoint(
            "candles",
            "/v2/candles/trade:[^/]+/hist",
            parse_candles,
            _bars,
            weight=3,  # 30 a minute
            is_archived=True,
            follow=next_bars,
            history="by time, 10,000 bars a page; no first day is stated",
        ),
        Endpoint(
            "funding_rates",
            "/v2/status/deriv/[^/]+/hist",
            parse_funding,
            _settlements,
            is_archived=True,
            history="by time, from a status a minute; no first day is stated",
        ),
        Endpoint(
            "liquidations",
            "/v2/liquidations/hist",
            parse_liquidations,
            _liquidations,
            weight=30,  # 3 a minute
            is_archived=True,
            follow=next_liquidations,
            history="by time, 500 positions a page; no first day is stated",
        ),
    ),
    terms=terms,
    weight_per_minute=90,
    retired={
        "/v2/book/[^/]+/P[1-4]": "a book of prices rounded to fewer digits; P0 is read here",
        "/v2/book/[^/]+/R0": "a book of single orders; P0 is read here",
        "/v2/conf/pub:list:currency": "a list of currencies, which is none of our datasets",
    },
    told_within=("open_interest",),
)
