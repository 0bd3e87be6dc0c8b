"""What is asked of Gate over a span of time, and how the next page is found. Spans are whole seconds, ends included."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from ingestion.venues.base import Plan, Refused, Reply, Request, decode
from ingestion.venues.gate_answers import entries
from ingestion.venues.gate_names import read_contract
from ingestion.venues.spans import epoch_s, spans

API = "/api/v4/"
ROWS_A_REPLY = 1_000  # the most of trades, settlements and liquidations
MOST_TRADES = 100_000  # of one question, whatever the pages
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SPOT_BARS, BARS = 1_000 * MINUTE, 2_000 * MINUTE  # a reply
BAR = ("interval", "1m")
LIMIT = ("limit", str(ROWS_A_REPLY))


def folder(symbol: str) -> str | None:
    """The path of a contract's market; none of a name whose replies could not be read either."""
    try:
        name = read_contract(symbol)
    except Refused:
        return None
    return f"{API}{'delivery' if name.kind == 'future' else 'futures'}/{name.settle_asset.lower()}/"


def _contracts(plan: Plan, *, is_perp: bool = False) -> list[tuple[str, str]]:
    defaults = [f"{base}_USDT" for base in plan.underlyings] + ["BTC_USD"] * ("BTC" in plan.underlyings)
    symbols = plan.symbols("perp") if is_perp else plan.symbols("perp", "future")
    return [(symbol, path) for symbol in symbols or defaults if (path := folder(symbol))]


def ask_contracts(plan: Plan, what: str, *more: tuple[str, str], is_perp: bool = False) -> list[Request]:
    """The same of each listed contract, in the market that it is of."""
    return [Request(path + what, (("contract", symbol), *more)) for symbol, path in _contracts(plan, is_perp=is_perp)]


def ask_pairs(plan: Plan, what: str, *more: tuple[str, str]) -> list[Request]:
    return [Request(f"{API}spot/{what}", (("currency_pair", f"{base}_USDT"), *more)) for base in plan.underlyings]


def _within(start: datetime, end: datetime) -> tuple[tuple[str, str], ...]:
    return ("from", str(epoch_s(start))), ("to", str(epoch_s(end) - 1))


def _around(start: datetime, end: datetime) -> tuple[tuple[str, str], ...]:
    """With the second after: whether a fraction of the last second is within, the documentation leaves open."""
    return ("from", str(epoch_s(start))), ("to", str(epoch_s(end)))


def ask_spot_trades(plan: Plan) -> Sequence[Request]:
    hours = spans(plan.start_ts, plan.end_ts, HOUR)
    return [r for hour in hours for r in ask_pairs(plan, "trades", *_around(*hour), LIMIT, ("page", "1"))]


def ask_trades(plan: Plan) -> Sequence[Request]:
    hours = spans(plan.start_ts, plan.end_ts, HOUR)
    return [r for hour in hours for r in ask_contracts(plan, "trades", *_around(*hour), LIMIT, ("offset", "0"))]


def ask_spot_candles(plan: Plan) -> Sequence[Request]:
    parts = spans(plan.start_ts, plan.end_ts, SPOT_BARS)
    return [r for part in parts for r in ask_pairs(plan, "candlesticks", *_within(*part), BAR)]


def ask_candles(plan: Plan) -> Sequence[Request]:
    parts = spans(plan.start_ts, plan.end_ts, BARS)
    return [r for part in parts for r in ask_contracts(plan, "candlesticks", *_within(*part), BAR)]


def ask_funding(plan: Plan) -> Sequence[Request]:
    span = _within(plan.start_ts, plan.end_ts)
    return ask_contracts(plan, "funding_rate", *span, LIMIT, is_perp=True)


def ask_liquidations(plan: Plan) -> Sequence[Request]:
    """Of all contracts at once, hour by hour, which is the longest span."""
    return [
        Request(f"{API}futures/{settle}/liq_orders", (*_within(*hour), LIMIT))
        for hour in spans(plan.start_ts, plan.end_ts, HOUR)
        for settle in ("usdt", "btc")
    ]


def next_trades(request: Request, reply: Reply) -> Request | None:
    """The page after a full one: spot counts pages from 1, futures count rows from 0."""
    if len(entries(reply)) < ROWS_A_REPLY:
        return None
    query = dict(request.query)
    if "page" in query:
        asked = int(query["page"]) * ROWS_A_REPLY
        query["page"] = str(int(query["page"]) + 1)
    else:
        asked = int(query["offset"]) + ROWS_A_REPLY
        query["offset"] = str(asked)
    if asked > MOST_TRADES:
        raise Refused("paging", f"gate {reply.path}: over {MOST_TRADES} trades in an hour, Gate pages no further")
    return Request(request.path, tuple(query.items()))


class _Settled(msgspec.Struct):
    t: int


class _Liquidated(msgspec.Struct):
    time: int


_SETTLED, _LIQUIDATED = msgspec.json.Decoder(_Settled), msgspec.json.Decoder(_Liquidated)


def next_funding(request: Request, reply: Reply) -> Request | None:
    """What lies before a full reply: `limit` counts back from `to`."""
    raws = entries(reply)
    if len(raws) < ROWS_A_REPLY:
        return None
    earliest = min(decode(_SETTLED, bytes(raw), f"gate {reply.path}").t for raw in raws)
    return _until(request, earliest - 1)


def next_liquidations(request: Request, reply: Reply) -> Request | None:
    """What lies before a full reply; its first second is asked again, for it may hold more."""
    raws = entries(reply)
    if len(raws) < ROWS_A_REPLY:
        return None
    earliest = min(decode(_LIQUIDATED, bytes(raw), f"gate {reply.path}").time for raw in raws)
    if str(earliest) == dict(request.query)["to"]:
        raise Refused("paging", f"gate {reply.path}: over {ROWS_A_REPLY} liquidations in the second {earliest}")
    return _until(request, earliest)


def _until(request: Request, last_s: int) -> Request | None:
    query = dict(request.query)
    if last_s < int(query["from"]):
        return None
    return Request(request.path, tuple({**query, "to": str(last_s)}.items()))
