"""BitMEX: inverse, linear and quanto contracts, and spot pairs.

https://www.bitmex.com/api/explorer/
Who is not logged in may ask 30 times a minute: perpetuals only are asked for by symbol.
https://blog.bitmex.com/api_announcement/updates-to-rate-limits/
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from ingestion.venues.base import Endpoint, Plan, Reply, Request, Venue, decode
from ingestion.venues.bitmex_instruments import each, parse_instruments
from ingestion.venues.bitmex_names import terms
from ingestion.venues.bitmex_replies import (
    parse_candles,
    parse_funding,
    parse_index_prices,
    parse_order_book,
    parse_trades,
)

API = "/api/v1/"
INSTRUMENT = API + "instrument"
DEPTH = "200"
ROWS_A_PAGE, SETTLEMENTS_A_PAGE = 1_000, 500
FUNDING_HISTORY = timedelta(days=3)  # so that intervals can be proved by consecutive settlements
BIN, BIN_SIZE = "1h", timedelta(hours=1)

_ROOTS = {"BTC": "XBT"}


class _Stamped(msgspec.Struct):
    timestamp: str


_STAMPED = msgspec.json.Decoder(_Stamped)


def _open(typ: str) -> Callable[[Plan], Sequence[Request]]:
    """All open instruments of a type, at once."""
    asked = f'{{"state":"Open","typ":"{typ}"}}'
    return lambda plan: [Request(INSTRUMENT, (("filter", asked), ("count", "500")))]


def _is_of(typ: str) -> Callable[[Mapping[str, str]], bool]:
    return lambda query: f'"{typ}"' in query.get("filter", "")


def _indices(plan: Plan) -> Sequence[Request]:
    return [Request(INSTRUMENT, (("symbol", f".B{_ROOTS.get(base, base)}"),)) for base in plan.underlyings]


def _perps(plan: Plan) -> list[str]:
    return plan.symbols("perp") or [f"{_ROOTS.get(base, base)}USD" for base in plan.underlyings]


def _books(plan: Plan) -> Sequence[Request]:
    return [Request(API + "orderBook/L2", (("symbol", symbol), ("depth", DEPTH))) for symbol in _perps(plan)]


def _written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1_000:03}Z"


def _span(start: datetime, end: datetime, rows_a_page: int) -> tuple[tuple[str, str], ...]:
    """The half-open [start, end) in the venue's inclusive milliseconds."""
    last = end - timedelta(milliseconds=1)
    return (("startTime", _written(start)), ("endTime", _written(last)), ("count", str(rows_a_page)), ("start", "0"))


def _trades(plan: Plan) -> Sequence[Request]:
    span = _span(plan.start_ts, plan.end_ts, ROWS_A_PAGE)
    return [Request(API + "trade", (("symbol", symbol), *span)) for symbol in _perps(plan)]


def _settlements(plan: Plan) -> Sequence[Request]:
    start = min(plan.start_ts, plan.end_ts - FUNDING_HISTORY)
    span = _span(start, plan.end_ts, SETTLEMENTS_A_PAGE)
    return [Request(API + "funding", (("symbol", symbol), *span)) for symbol in _perps(plan)]


def _bars(plan: Plan) -> Sequence[Request]:
    """Bars that begin in the span: a bar is labelled by its end, so that all are asked for one bar later."""
    span = _span(plan.start_ts + BIN_SIZE, plan.end_ts + BIN_SIZE, ROWS_A_PAGE)
    size = (("binSize", BIN), ("partial", "false"))
    return [Request(API + "trade/bucketed", (*size, ("symbol", symbol), *span)) for symbol in _perps(plan)]


def next_page(request: Request, reply: Reply) -> Request | None:
    """The page after a full one: from its last instant, past the rows of that instant that are known already."""
    asked = dict(request.query)
    stamps = [decode(_STAMPED, bytes(raw), f"bitmex {reply.path}: row").timestamp for raw in each(reply)]
    if len(stamps) < int(asked["count"]):
        return None
    last = stamps[-1]
    known = stamps.count(last) + (int(asked["start"]) if last == asked["startTime"] else 0)
    return Request(request.path, tuple({**asked, "startTime": last, "start": str(known)}.items()))


BITMEX = Venue(
    name="bitmex",
    base_url="https://www.bitmex.com",
    docs_url="https://www.bitmex.com/api/explorer/",
    endpoints=(
        Endpoint(
            "index_prices",
            INSTRUMENT,
            parse_index_prices,
            _indices,
            is_reference=True,
            when=lambda query: query.get("symbol", "").startswith("."),
        ),
        Endpoint("perp_tickers", INSTRUMENT, parse_instruments, _open("FFWCSX"), when=_is_of("FFWCSX")),
        Endpoint("future_tickers", INSTRUMENT, parse_instruments, _open("FFCCSX"), when=_is_of("FFCCSX")),
        Endpoint(
            "spot_tickers",
            INSTRUMENT,
            parse_instruments,
            _open("IFXXXP"),
            is_reference=True,
            when=_is_of("IFXXXP"),
        ),
        Endpoint("instruments", INSTRUMENT, parse_instruments, proof="recording"),
        Endpoint(
            "instruments",
            INSTRUMENT + "/active",
            parse_instruments,
            lambda plan: [Request(INSTRUMENT + "/active")],
            proof="recording",
        ),
        Endpoint("order_books", API + "orderBook/L2", parse_order_book, _books, proof="recording"),
        Endpoint(
            "trades",
            API + "trade",
            parse_trades,
            _trades,
            is_archived=True,
            follow=next_page,
            history="by time, 1,000 trades a page; no first day is stated",
            proof="recording",
        ),
        Endpoint(
            "funding_rates",
            API + "funding",
            parse_funding,
            _settlements,
            is_archived=True,
            follow=next_page,
            history="by time, 500 settlements a page; no first day is stated",
        ),
        Endpoint(
            "candles",
            API + "trade/bucketed",
            parse_candles,
            _bars,
            is_archived=True,
            follow=next_page,
            history="by time, 1,000 bars a page; no first day is stated",
        ),
    ),
    terms=terms,
    weight_per_minute=30,
    retired={
        API + "liquidation": "liquidation orders that rest now, without the time of any: no events",
        API + "instrument/activeIntervals": "names of series, which is none of our datasets",
        API + "instrument/(indices|activeAndIndices|compositeIndex|usdVolume)": "asked for by name or type instead",
    },
    told_within=("open_interest",),
)
