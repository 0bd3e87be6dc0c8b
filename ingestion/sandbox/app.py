"""The simulated exchange over HTTP: one ASGI app for six venues and a chain, told apart by path."""

import re
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as HttpRoute

from ingestion.sandbox import binance, bybit, chain, deribit, okx
from ingestion.sandbox.candles import Candles
from ingestion.sandbox.faults import Faults, Served
from ingestion.sandbox.market import Market
from ingestion.sandbox.path import CLOSES, OPENS, milliseconds
from ingestion.sandbox.wire import Ask, Route, TurnedAway

JSON: Final = {"content-type": "application/json"}
VENUE_OF_PREFIX: Final = {
    "/api/v3": "binance_spot",
    "/fapi/": "binance_usdm",
    "/dapi/": "binance_coinm",
    "/api/v2": "deribit",
    "/api/v5": "okx",
    "/v5/": "bybit",
    "/": "ethereum",  # a node's only path, and any that is no venue's
}
VENUES_SERVED: Final = tuple(VENUE_OF_PREFIX.values())


class Clock(Protocol):
    """Whatever says what time it is in the sandbox."""

    def now(self) -> datetime: ...


class RealTime:
    """This computer's clock, UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def routes() -> dict[str, Route]:
    """Every path that is served, and who answers it."""
    return binance.routes() | deribit.routes() | okx.routes() | bybit.routes() | chain.routes()


def create_app(market: Market, clock: Clock, faults: Faults | None = None) -> Starlette:
    """The app; every reply is as of `clock.now()`, and broken as `faults` say."""
    serve_at = server(market, faults)

    async def answer(request: Request) -> Response:
        query = dict(request.query_params)
        served = serve_at(request.url.path, query, request.url.query, clock.now(), await request.body())
        return Response(served.body, status_code=served.status, headers=served.headers)

    return Starlette(routes=[HttpRoute("/{path:path}", answer, methods=["GET", "POST"])])


class Serve(Protocol):
    """Answers a question at an instant; `body` is that of a POST."""

    def __call__(
        self, path: str, query: dict[str, str], query_string: str, at: datetime, body: bytes = b""
    ) -> Served: ...


def server(market: Market, faults: Faults | None = None) -> Serve:
    """What the app answers, without HTTP around it."""
    found = routes()
    candles = Candles(market)
    weights: dict[tuple[str, int], int] = {}

    def serve_at(path: str, query: dict[str, str], query_string: str, at: datetime, body: bytes = b"") -> Served:
        venue = next((name for prefix, name in VENUE_OF_PREFIX.items() if path.startswith(prefix)), None)
        if venue is None:
            return Served(404, JSON, b'{"error":"no venue answers this path"}')
        if not OPENS <= at < CLOSES:
            text = f"the sandbox knows {OPENS:%Y-%m-%d} to {CLOSES:%Y-%m-%d}, its clock says {at.isoformat()}"
            return Served(503, JSON, msgspec.json.encode({"error": text}))
        route = found.get(path)
        headers = JSON | _weight(weights, venue, route, milliseconds(at) // 60_000)
        served = Served(404, headers, b'{"error":"not found"}')
        if route is not None:
            served = _answered(route, Ask(market, candles, at, query, body), headers)
        asked = query_string + body.decode(errors="replace")
        return served if faults is None else faults.apply(venue, path, asked, served, milliseconds(at))

    return serve_at


def _answered(route: Route, ask: Ask, headers: dict[str, str]) -> Served:
    try:
        return Served(200, headers, msgspec.json.encode(route.answer(ask)))
    except TurnedAway as turned:
        return Served(turned.status, headers, msgspec.json.encode(turned.body))


def _weight(weights: dict[tuple[str, int], int], venue: str, route: Route | None, minute: int) -> dict[str, str]:
    """Binance's count of what was used in the running minute; the other venues send none."""
    if not re.match("binance", venue):
        return {}
    key = (venue, minute)
    if key not in weights:
        for old in [k for k in weights if k[0] == venue]:
            del weights[old]
    weights[key] = weights.get(key, 0) + (1 if route is None else route.weight)
    return {"x-mbx-used-weight-1m": str(weights[key])}


def serve(
    port: int,
    host: str = "127.0.0.1",
    market: Market | None = None,
    clock: Clock | None = None,
    faults: Faults | None = None,
) -> None:
    """Serve over HTTP until interrupted; in real time unless another clock is given."""
    # Only who serves over HTTP loads the server.
    import uvicorn

    app = create_app(market or Market(), clock or RealTime(), faults)
    uvicorn.run(app, host=host, port=port, log_level="warning")
