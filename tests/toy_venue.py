"""A made-up venue that says canonical rows as JSON and checks nothing, so that the gate alone must.

Its grammar: `BTC-USD-PERP` and `BTC-USD` are known, anything else is refused.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from ingestion.envelopes import Envelope, seal
from ingestion.records import DATASETS, Instrument, Kind, Record
from ingestion.venues.base import Endpoint, Plan, Refused, Reject, Reply, Request, Venue

HOUR = datetime(2024, 1, 14, 20, tzinfo=UTC)
AT = HOUR + timedelta(minutes=1)

PERP = {"symbol": "BTC-USD-PERP", "kind": "perp"}
GOOD: dict[str, dict[str, Any]] = {
    "instruments": PERP
    | {
        "base_asset": "BTC",
        "quote_asset": "USD",
        "settle_asset": "BTC",
        "contract_size": 100.0,
        "amount_unit": "contracts",
        "is_inverse": True,
        "tick_size_px": 0.1,
        "lot_size_qty": 1.0,
        "terms_source": "listed",
    },
    "order_books": PERP
    | {
        "bid_px": [100.0, 99.5, 99.0],
        "bid_qty": [1.0, 2.0, 3.0],
        "ask_px": [100.5, 101.0, 102.0],
        "ask_qty": [1.0, 2.0, 3.0],
    },
    "trades": PERP | {"trade_id": "1", "px": 100.0, "qty": 2.0, "side": "buy"},
    "spot_tickers": {"symbol": "BTC-USD", "kind": "spot", "bid_px": 99.0, "bid_qty": 1.0, "last_px": 99.5},
    "future_tickers": {"symbol": "BTC-USD-F", "kind": "future", "mark_px": 101.0, "volume_24h_base": 5.0},
    "perp_tickers": PERP | {"mark_px": 100.0, "funding_rate": 0.0001, "funding_interval_s": 28800},
    "option_quotes": {
        "symbol": "BTC-USD-C",
        "kind": "option",
        "mark_px": 0.05,
        "mark_iv_ann": 0.6,
        "delta": 0.5,
        "gamma": 0.0001,
        "vega": 20.0,
        "theta": -10.0,
    },
    "funding_rates": PERP | {"funding_rate": 0.0001, "funding_interval_s": 28800, "mark_px": 100.0},
    "open_interest": PERP | {"open_interest_qty": 1000.0, "open_interest_base": 10.0},
    "candles": PERP | {"interval_s": 3600, "open_px": 100.0, "high_px": 102.0, "low_px": 99.0, "close_px": 101.0},
    "liquidations": PERP | {"side": "sell", "px": 100.0, "px_source": "fill", "qty": 2.0},
    "volatility_indices": {
        "symbol": "DVOL-BTC",
        "kind": "option",
        "base_asset": "BTC",
        "interval_s": 3600,
        "open_iv_ann": 0.6,
        "high_iv_ann": 0.65,
        "low_iv_ann": 0.55,
        "close_iv_ann": 0.6,
    },
    "margin_tiers": PERP
    | {
        "size_unit": "quote",
        "size_floor_qty": 0.0,
        "size_cap_qty": 1e6,
        "initial_margin_frac": 0.01,
        "maintenance_margin_frac": 0.005,
    },
    "gas_prices": {
        "symbol": "ETH",
        "kind": "spot",
        "chain_id": 1,
        "block_number": 20_000_000,
        "base_fee_wei": 10_000_000_000,
        "gas_used_frac": 0.5,
    },
    "pool_reserves": {
        "symbol": "0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc",
        "kind": "spot",
        "chain_id": 1,
        "base_asset": "ETH",
        "quote_asset": "USDC",
        "base_reserve_units": "12345678901234567890123",
        "quote_reserve_units": "45678901234567",
        "base_decimals": 18,
        "quote_decimals": 6,
    },
    "stream_holes": PERP | {"dataset": "order_books", "reason": "gap"},
    "index_prices": {
        "symbol": "BTC-USD",
        "kind": "spot",
        "base_asset": "BTC",
        "quote_asset": "USD",
        "index_px": 100.0,
    },
}


def row(dataset: str, **changes: Any) -> dict[str, Any]:
    if dataset not in GOOD:
        raise LookupError(f"GOOD of tests/toy_venue.py has no row of {dataset!r} (expected one of every dataset)")
    return {**GOOD[dataset], "event_ts": AT.isoformat(), **changes}


def record(dataset: str, **changes: Any) -> Record:
    return _built(DATASETS[dataset], row(dataset, **changes), AT)


def reply(
    dataset: str, *rows: dict[str, Any], at: datetime = AT, status: int = 200, body: bytes | None = None
) -> Envelope:
    return seal(
        venue="toy",
        host="toy.example",
        path=f"/{dataset}",
        query="",
        status=status,
        captured_ts=at,
        body=json.dumps(rows).encode() if body is None else body,
    )


def key(dataset: str, name: str = "a") -> str:
    return f"raw/toy/{dataset}/date=2024-01-14/hour=20/{name}.jsonl.zst"


def _built(kind: type[Record], said: Mapping[str, Any], captured_ts: datetime) -> Record:
    values: dict[str, Any] = {"venue": "toy", "captured_ts": captured_ts} | {
        name: tuple(value) if isinstance(value, list) else value for name, value in said.items()
    }
    for name in ("event_ts", "expiry_ts", "captured_ts"):
        if isinstance(values.get(name), str):
            values[name] = datetime.fromisoformat(values[name])
    for name in ("base_reserve_units", "quote_reserve_units"):
        if name in values:
            values[name] = Decimal(values[name])
    return kind(**values)


def _parse(kind: type[Record], said: Reply) -> Iterator[Record | Reject]:
    for values in json.loads(said.body):
        if "reject" in values:
            yield Reject("schema", values["reject"], json.dumps(values).encode())
        elif "refuse" in values:
            raise Refused(values.get("rule", "schema"), values["refuse"])
        else:
            yield _built(kind, values, said.captured_ts)


def _terms(symbol: str, kind: Kind, hour: datetime) -> Instrument:
    if symbol not in {"BTC-USD", "BTC-USD-PERP"}:
        raise Refused("unknown_symbol", f"{symbol}: expected BASE-QUOTE or BASE-QUOTE-PERP")
    return Instrument(
        venue="toy",
        symbol=symbol,
        kind=kind,
        captured_ts=hour,
        base_asset="BTC",
        quote_asset="USD",
        settle_asset="USD",
        contract_size=1.0,
        amount_unit="base",
        is_inverse=False,
        terms_source="documented",
    )


def _asked(path: str, plan: Plan) -> list[Request]:
    return [Request(path)]


TOY = Venue(
    name="toy",
    base_url="https://toy.example",
    docs_url="https://toy.example/docs",
    endpoints=tuple(
        Endpoint(
            dataset=dataset,
            path=f"/{dataset}",
            parse=partial(_parse, kind),
            requests=partial(_asked, f"/{dataset}"),
        )
        for dataset, kind in DATASETS.items()
    ),
    terms=_terms,
    weight_per_minute=100,
)
