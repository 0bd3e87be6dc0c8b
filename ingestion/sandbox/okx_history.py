"""What OKX keeps: trades, bars, settled funding, liquidations; and what its questions have in common.

https://www.okx.com/docs-v5/en/#order-book-trading-market-data
https://www.okx.com/docs-v5/en/#public-data-rest-api
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from ingestion.records import Kind
from ingestion.sandbox import funding
from ingestion.sandbox.listings import Listing
from ingestion.sandbox.market import UnknownInstrument
from ingestion.sandbox.path import EPOCH, FIRST_DAY
from ingestion.sandbox.tape import Tape
from ingestion.sandbox.wire import Ask, TurnedAway, plain, whole

VENUE: Final = "okx"
KINDS: Final[dict[str, Kind]] = {"SPOT": "spot", "SWAP": "perp", "FUTURES": "future", "OPTION": "option"}
TYPES: Final = {kind: name for name, kind in KINDS.items()}
BARS_MS: Final = {"1m": 60_000, "5m": 300_000, "15m": 900_000, "1H": 3_600_000, "1Dutc": 86_400_000}
PAGE: Final = 100
DAY_MS: Final = 86_400_000
Row = dict[str, object]
Rows = list[Row] | list[list[str]]


def answers() -> dict[str, Callable[[Ask], Rows]]:
    return {
        "market/history-trades": _history_trades,
        "market/history-candles": _candles,
        "public/option-trades": _option_trades,
        "public/funding-rate-history": _funding_history,
        "public/liquidation-orders": _liquidations,
    }


def error(code: str, message: str) -> TurnedAway:
    return TurnedAway(200, {"code": code, "data": [], "msg": message})


def parameter(name: str) -> TurnedAway:
    return TurnedAway(400, {"code": "51000", "data": [], "msg": f"Parameter {name} error"})


def of_type(ask: Ask) -> list[Listing]:
    """Instruments by `instType` and, if given, `uly` or `instFamily` and `instId`."""
    kind = KINDS.get(ask.query.get("instType", ""))
    if kind is None:
        raise parameter("instType")
    family = ask.query.get("uly") or ask.query.get("instFamily")
    found = [one for one in ask.market.listings(VENUE, ask.at, kind) if family in (None, family_of(one))]
    name = ask.query.get("instId")
    chosen = [one for one in found if name in (None, one.symbol)]
    if not chosen:
        raise error("51001", "Instrument ID or Spread ID doesn't exist.")
    return chosen


def listing_of(ask: Ask, *kinds: Kind) -> Listing:
    name = ask.query.get("instId", "")
    if not name:
        raise TurnedAway(400, {"code": "50014", "data": [], "msg": "Parameter instId can not be empty."})
    try:
        return ask.market.find(VENUE, name, ask.at, kinds)
    except UnknownInstrument as unknown:
        raise error("51001", "Instrument ID or Spread ID doesn't exist.") from unknown


def family_of(listing: Listing) -> str:
    return f"{listing.asset}-{listing.quote}"


def named(listing: Listing) -> Row:
    return {"instType": TYPES[listing.kind], "instId": listing.symbol}


def _history_trades(ask: Ask) -> list[Row]:
    """`type` 1 goes back from a trade id, 2 from an instant."""
    listing = listing_of(ask, "spot", "perp", "future")
    limit = _limit(ask)
    if ask.query.get("type", "1") == "1" and "after" in ask.query:
        page = ask.market.trades_below(listing, whole(ask, "after", 0, parameter), limit)
    else:
        page = ask.market.trades_before(listing, _before(ask), limit)
    columns = (page.trade_id, page.at_ms, page.px, page.qty, page.is_buy)
    rows: list[Row] = [
        {
            "instId": listing.symbol,
            "side": "buy" if is_buy else "sell",
            "sz": plain(qty),
            "px": listing.price(px),
            "source": "0",
            "tradeId": str(trade_id),
            "ts": str(at_ms),
        }
        for trade_id, at_ms, px, qty, is_buy in zip(*(column.tolist() for column in columns), strict=True)
    ]
    return rows[::-1]


def _limit(ask: Ask) -> int:
    return min(max(whole(ask, "limit", PAGE, parameter), 1), PAGE)


def _before(ask: Ask) -> int:
    """The last millisecond before `after`, OKX's word for the end of a page, and not after now."""
    return min(whole(ask, "after", ask.now_ms + 1, parameter) - 1, ask.now_ms)


def _option_trades(ask: Ask) -> list[Row]:
    """None: the market quotes options, and knows their day's volume alone."""
    if not (ask.query.get("instFamily") or ask.query.get("instId")):
        raise parameter("instFamily")
    return []


def _candles(ask: Ask) -> list[list[str]]:
    """Newest first; volume in contracts (base coin for spot), in base coin (quote currency for spot), in quote."""
    listing = listing_of(ask, "spot", "perp", "future")
    interval_ms = BARS_MS.get(ask.query.get("bar", "1m"))
    if interval_ms is None:
        raise parameter("bar")
    limit, end_ms = _limit(ask), _before(ask)
    newest = end_ms // interval_ms * interval_ms
    start_ms = max(whole(ask, "before", 0, parameter) + 1, newest - (limit - 1) * interval_ms)
    is_spot = listing.kind == "spot"
    return [
        [
            str(bar.open_ms),
            *(listing.price(px) for px in (bar.open_px, bar.high_px, bar.low_px, bar.close_px)),
            plain(bar.volume_qty, 8),
            plain(bar.volume_quote if is_spot else bar.volume_base, 8),
            plain(bar.volume_quote, 8),
            "1" if bar.open_ms + interval_ms <= ask.now_ms else "0",
        ]
        for bar in ask.candles.bars(listing, interval_ms, start_ms, end_ms, ask.at, limit)
    ][::-1]


def _funding_history(ask: Ask) -> list[Row]:
    listing = listing_of(ask, "perp")
    step_ms = int(funding.INTERVAL.total_seconds() * 1_000)
    last = _before(ask) // step_ms
    since = max(whole(ask, "before", 0, parameter) // step_ms, FIRST_DAY * DAY_MS // step_ms)
    rows: list[Row] = []
    for number in range(last, max(since, last - _limit(ask)), -1):
        settled_at = EPOCH + timedelta(milliseconds=number * step_ms)
        paid = ask.market.funding_rate(VENUE, listing.asset, settled_at)
        predicted = ask.market.running_funding_rate(VENUE, listing.asset, settled_at - timedelta(hours=1))
        rows.append(
            named(listing)
            | {
                "formulaType": "noRate",
                "fundingRate": plain(predicted),
                "realizedRate": plain(paid),
                "fundingTime": str(number * step_ms),
                "method": "current_period",
            }
        )
    return rows


def _liquidations(ask: Ask) -> list[Row]:
    """Of the last day; the bankruptcy price lies half a percent behind the price of the fill."""
    end_ms = _before(ask)
    start_ms = max(whole(ask, "before", 0, parameter) + 1, ask.now_ms - DAY_MS)
    orders: list[tuple[int, Listing, Row]] = []
    for listing in of_type(ask):
        found = ask.market.trades(listing, start_ms, end_ms)
        for order in _orders(listing, found, ask):
            orders.append((int(str(order["ts"])), listing, order))
    newest = sorted(orders, key=lambda order: order[0], reverse=True)[: _limit(ask)]
    details: dict[str, list[Row]] = {}
    listings = {listing.symbol: listing for _, listing, _ in newest}
    for _, listing, order in newest:
        details.setdefault(listing.symbol, []).append(order)
    return [
        named(listings[symbol])
        | {
            "instFamily": family_of(listings[symbol]),
            "uly": family_of(listings[symbol]),
            "totalLoss": "0",
            "details": own,
        }
        for symbol, own in details.items()
    ]


def _orders(listing: Listing, found: Tape, ask: Ask) -> list[Row]:
    forced = ask.market.is_forced(listing, found)
    columns = (found.at_ms[forced], found.px[forced], found.qty[forced], found.is_buy[forced])
    return [
        {
            "bkLoss": "0",
            "bkPx": listing.price(px * (1.005 if is_buy else 0.995)),
            "ccy": "",
            "posSide": "short" if is_buy else "long",
            "side": "buy" if is_buy else "sell",
            "sz": plain(qty),
            "ts": str(at_ms),
        }
        for at_ms, px, qty, is_buy in zip(*(column.tolist() for column in columns), strict=True)
    ]
