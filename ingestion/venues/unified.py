"""Any exchange that the ccxt library speaks, through one adapter: `ccxt:<id>`, `ccxt_<id>` in the lake.

https://docs.ccxt.com/ · https://github.com/ccxt/ccxt/wiki/Manual
The library says what to ask and reads what came; the asking is ours, so replies are kept verbatim and read again at
any time. One answer holds all replies that a question took, and the market as listed, so that it can be read alone.
Its units are checked, not trusted: a contract is listed only where its volume or open interest, in contracts, agrees
with their value in money; what a reply does not confirm is left out or rejected by rule `units`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import ccxt
import msgspec

from ingestion.records import Instrument, Kind, Record
from ingestion.venues.base import Endpoint, Plan, Refused, Reject, Reply, Request, Venue, decode
from ingestion.venues.unified_rows import READERS, SLIPS, confirm_size

PREFIX = "ccxt:"
CANDLE = "1h"
KINDS: dict[str, Kind] = {"spot": "spot", "swap": "perp", "future": "future", "option": "option"}
CONTRACTS: tuple[Kind, ...] = ("perp", "future")


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One HTTP request that a question needs."""

    method: str
    url: str
    body: str | None


class Unanswered(Exception):
    """The question needs a further reply: `call` says which request has it."""

    def __init__(self, call: HttpCall) -> None:
        super().__init__(call.url)
        self.call = call


class _Called(msgspec.Struct):
    url: str
    reply: str


class Answer(msgspec.Struct):
    """The body of an envelope: the market that the question is about, and every reply that it took, in order."""

    market: dict[str, Any] | None
    calls: list[_Called]


@dataclass(frozen=True, slots=True)
class Question:
    """A unified method with its arguments; `has` names the library's own word on whether the exchange offers it."""

    dataset: str
    has: str
    kinds: tuple[Kind, ...]
    ask: Callable[[Any, str, int | None], Any]
    is_archived: bool = False


def _perp(exchange: Any, symbol: str, since: int | None) -> dict[str, Any]:
    funding = exchange.fetch_funding_rate(symbol) if exchange.has["fetchFundingRate"] is True else {}
    return {"ticker": exchange.fetch_ticker(symbol), "funding": funding}


def _interest(exchange: Any, symbol: str, since: int | None) -> dict[str, Any]:
    return {"interest": exchange.fetch_open_interest(symbol), "ticker": exchange.fetch_ticker(symbol)}


QUESTIONS = (
    Question("order_books", "fetchOrderBook", ("spot", *CONTRACTS), lambda e, s, t: e.fetch_order_book(s)),
    Question("trades", "fetchTrades", ("spot", *CONTRACTS), lambda e, s, t: e.fetch_trades(s)),
    Question("spot_tickers", "fetchTicker", ("spot",), lambda e, s, t: e.fetch_ticker(s)),
    Question("perp_tickers", "fetchTicker", ("perp",), _perp),
    Question("future_tickers", "fetchTicker", ("future",), lambda e, s, t: e.fetch_ticker(s)),
    Question("open_interest", "fetchOpenInterest", CONTRACTS, _interest),
    Question(
        "funding_rates",
        "fetchFundingRateHistory",
        ("perp",),
        lambda e, s, t: e.fetch_funding_rate_history(s, t),
        is_archived=True,
    ),
    Question(
        "candles",
        "fetchOHLCV",
        ("spot", *CONTRACTS),
        lambda e, s, t: e.fetch_ohlcv(s, CANDLE, t),
        is_archived=True,
    ),
)


def unified_venue(exchange_id: str) -> Venue:
    """The adapter of one exchange; raises ValueError for an id that the library does not know."""
    if exchange_id not in ccxt.exchanges:
        raise ValueError(f"venue '{PREFIX}{exchange_id}': unknown to ccxt {ccxt.__version__} (expected one of its ids)")
    exchange = _exchange(exchange_id)
    name = f"ccxt_{exchange_id}"
    documentation = exchange.urls.get("doc") or exchange.urls.get("www")
    offered = [question for question in QUESTIONS if exchange.has.get(question.has) is True]
    return Venue(
        name=name,
        base_url=exchange.urls.get("www") or "https://github.com/ccxt/ccxt",
        docs_url=documentation[0] if isinstance(documentation, list) else documentation,
        endpoints=(
            Endpoint(
                "instruments",
                "/fetchMarkets",
                partial(_read_markets, name, exchange_id),
                lambda plan: [Request("/fetchMarkets")],
                proof="sandbox",
            ),
            *(
                Endpoint(
                    question.dataset,
                    f"/{question.dataset}",
                    partial(_read, name, exchange_id, question),
                    partial(_requests, question),
                    is_archived=question.is_archived,
                    is_reference=question.dataset == "spot_tickers",
                    history="as the exchange keeps it" if question.is_archived else "now",
                    proof="sandbox",
                )
                for question in offered
            ),
        ),
        terms=partial(_no_terms, name),
        weight_per_minute=max(1, int(60_000 / (exchange.rateLimit or 1_000))),
        known_as=(f"{PREFIX}{exchange_id}",),
    )


def answer(exchange_id: str, request: Request, market: dict[str, Any] | None, replies: Sequence[str]) -> Any:
    """What these replies say, or `Unanswered` with the next request; errors of the library are `Refused`."""
    exchange = _exchange(exchange_id)
    given = list(replies)

    def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        if not given:
            raise Unanswered(HttpCall(method, url, body))
        text = given.pop(0)
        parsed = exchange.parse_json(text)
        exchange.handle_errors(200, "OK", url, method, {}, text, parsed, headers, body)
        return text if parsed is None else parsed

    exchange.fetch = fetch
    arguments = dict(request.query)
    if request.path != "/fetchMarkets" and market is None:
        raise Refused("unknown_symbol", f"{exchange_id} {request.path}: no market {arguments.get('id')!r} is listed")
    try:
        if market is None:
            return _listing(exchange)
        exchange.set_markets([market])
        question = next(q for q in QUESTIONS if f"/{q.dataset}" == request.path)
        since = arguments.get("since")
        return question.ask(exchange, market["symbol"], int(since) if since else None)
    except ccxt.BaseError as error:
        raise Refused("venue_error", f"{exchange_id} {request.path}: {type(error).__name__} {error!s:.160}") from error
    except SLIPS as error:
        raise Refused("schema", f"{exchange_id} {request.path}: {type(error).__name__} {error!s:.160}") from error


def _listing(exchange: Any) -> dict[str, Any]:
    """The markets, and what may confirm the sizes of contracts: tickers and open interest of all of them."""
    markets = exchange.fetch_markets()
    exchange.set_markets(markets)
    types = sorted({m["type"] for m in markets if KINDS.get(m["type"]) in CONTRACTS})
    tickers: dict[str, Any] = {}
    for each in types if exchange.has.get("fetchTickers") is True else ():
        with suppress(ccxt.BaseError):  # some answer for a few symbols at a time only
            tickers |= exchange.fetch_tickers(params={"type": each})
    interests: dict[str, Any] = {}
    if types and exchange.has.get("fetchOpenInterests") is True:
        with suppress(ccxt.BaseError):
            interests = exchange.fetch_open_interests()
    return {"markets": markets, "tickers": tickers, "interests": interests}


def sealed(market: dict[str, Any] | None, calls: Sequence[tuple[HttpCall, str]]) -> bytes:
    """An answer's replies as the body of one envelope."""
    told = Answer(market, [_Called(call.url, reply) for call, reply in calls])
    return msgspec.json.encode(told)


def market_of(markets: Sequence[dict[str, Any]], request: Request) -> dict[str, Any] | None:
    """The listed market that a request is about."""
    wanted = dict(request.query)
    return next(
        (m for m in markets if KINDS.get(m.get("type", "")) == wanted.get("kind") and m["id"] == wanted.get("id")), None
    )


def _exchange(exchange_id: str) -> Any:
    return getattr(ccxt, exchange_id)({"enableRateLimit": False})


def _requests(question: Question, plan: Plan) -> list[Request]:
    since = ((("since", str(round(plan.start_ts.timestamp() * 1_000)))),) if question.is_archived else ()
    return [
        Request(f"/{question.dataset}", (("kind", kind), ("id", symbol), *since))
        for kind in question.kinds
        for symbol in plan.symbols(kind)
    ]


_ANSWER = msgspec.json.Decoder(Answer)


def _told(exchange_id: str, reply: Reply) -> tuple[Any, dict[str, Any] | None]:
    told = decode(_ANSWER, reply.body, f"{PREFIX}{exchange_id} {reply.path}")
    request = Request(reply.path, tuple(reply.query.items()))
    try:
        return answer(exchange_id, request, told.market, [call.reply for call in told.calls]), told.market
    except Unanswered as unanswered:
        raise Refused(
            "schema", f"{exchange_id} {reply.path}: no reply of {unanswered.call.url} is kept"
        ) from unanswered


def _read_markets(name: str, exchange_id: str, reply: Reply) -> Iterator[Record | Reject]:
    said, _ = _told(exchange_id, reply)
    for market in said["markets"]:
        ticker, interest = (said[key].get(market["symbol"]) or {} for key in ("tickers", "interests"))
        try:
            listed = _instrument(name, market, reply.captured_ts)
            if listed is not None and listed.kind != "spot":
                confirm_size(listed, ticker, interest)
        except Refused as refused:
            yield Reject(refused.rule, refused.reason, json.dumps(market, default=str).encode())
        else:
            if listed is not None:
                yield listed


def _instrument(name: str, market: dict[str, Any], captured_ts: datetime) -> Instrument | None:
    """The terms of a market; none for one that is no longer traded or of another kind than ours."""
    kind = KINDS.get(market.get("type") or "")
    if kind is None or market.get("active") is False or market.get("index"):
        return None
    symbol, is_contract = market["id"], kind != "spot"
    if is_contract and (not market.get("contractSize") or market.get("linear") is market.get("inverse")):
        size, linear, inverse = (market.get(key) for key in ("contractSize", "linear", "inverse"))
        raise Refused(
            "units",
            f"{name} {symbol}: contract size {size}, linear {linear}, inverse {inverse}: not told what it is",
        )
    is_quanto = is_contract and market["settle"] not in {market["base"], market["quote"]}
    if is_quanto and kind != "option":
        raise Refused("units", f"{name} {symbol}: quanto, whose size ccxt does not define")
    precision = market.get("precision") or {}
    expiry = market.get("expiry")
    return Instrument(
        venue=name,
        symbol=symbol,
        kind=kind,
        captured_ts=captured_ts,
        base_asset=market["base"],
        quote_asset=market["quote"],
        settle_asset=market["settle"] or market["quote"],
        contract_size=float(market["contractSize"]) if is_contract else 1.0,
        amount_unit="contracts" if is_contract else "base",
        is_inverse=bool(market.get("inverse")) if is_contract else False,
        tick_size_px=precision.get("price") if market.get("precisionMode", ccxt.TICK_SIZE) == ccxt.TICK_SIZE else None,
        strike_px=market.get("strike") if kind == "option" else None,
        option_type=market.get("optionType") if kind == "option" else None,
        expiry_ts=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=expiry) if expiry else None,
        terms_source="listed",
    )


def _read(name: str, exchange_id: str, question: Question, reply: Reply) -> Iterator[Record | Reject]:
    said, market = _told(exchange_id, reply)
    if market is None:
        raise Refused("schema", f"{exchange_id} {reply.path}: no market is kept")
    listed = _instrument(name, market, reply.captured_ts)
    if listed is None:
        raise Refused("unknown_symbol", f"{exchange_id} {market.get('id')}: no longer traded")
    yield from READERS[question.dataset](listed, said, reply.captured_ts)


def _no_terms(name: str, symbol: str, kind: Kind, hour: datetime) -> Instrument:
    raise Refused("unknown_terms", f"{name} {kind} {symbol}: what it is stands in its list of markets alone")
