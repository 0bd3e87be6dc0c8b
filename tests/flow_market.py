"""A market whose spread, impact, lead and one-sidedness are known, as rows of the lake, for the models of flow.

Quotes come every second of one hour; trades lie between them. Nothing here computes a metric.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

HOUR = datetime(2026, 3, 6, 13, tzinfo=UTC)
WEEK, AN_HOUR = timedelta(days=7), timedelta(hours=1)
SECONDS = 3600
HALF_SPREAD = 5e-6  # narrow, as of perpetuals: a wide one drowns who leads
LAMBDA_PX = 2.0  # dollars a coin
FOLLOWS_S = 2
USDT_USD = 0.9996
BOUNCE = 20e-4  # half of the spread of what only bounces

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Series:
    """One instrument: its quotes each second, and its trades in their order."""

    venue: str
    kind: str
    symbol: str
    underlying: str
    quote_asset: str
    mid_px: list[float]  # one a second, from the start of the hour
    at_us: list[int]  # of each trade, since the start of the hour
    is_buy: list[bool]
    px: list[float]
    qty: list[float]
    earlier_usd: dict[datetime, float]  # volume of hours before, one trade each

    @property
    def key(self) -> tuple[str, str, str]:
        return self.venue, self.kind, self.symbol

    @property
    def usd(self) -> list[float]:
        return [px * qty for px, qty in zip(self.px, self.qty, strict=True)]


def _earlier(rng: np.random.Generator, usual_usd: float, scale: float) -> dict[datetime, float]:
    hours = [HOUR - week * WEEK for week in range(1, 8)] + [HOUR - n * AN_HOUR for n in range(1, 8)]
    return {hour: scale * round(usual_usd * float(rng.uniform(0.5, 1.5)), 2) for hour in hours}


def _trades(rng: np.random.Generator, count: int) -> tuple[list[int], list[bool], list[float]]:
    at_us = np.unique(rng.integers(1, SECONDS * 1_000_000, count))
    at_us = at_us[at_us % 1_000_000 > 0]  # a trade of the instant of a quote is a case of its own
    count = len(at_us)
    lean = np.sin(at_us / 3e8)
    return (
        at_us.tolist(),
        (rng.random(count) < 0.5 + 0.2 * lean).tolist(),
        np.round(rng.exponential(0.4, count) + 0.01, 3).tolist(),
    )


def _at_quotes(mid_px: list[float], at_us: list[int], is_buy: list[bool], half: float) -> list[float]:
    return [mid_px[us // 1_000_000] * (1 + (half if buy else -half)) for us, buy in zip(at_us, is_buy, strict=True)]


def _prompt_and_patient(rng: np.random.Generator) -> tuple[list[float], list[float]]:
    """A random walk, and what closes a third of its distance to it each second, with surprises half as large."""
    prompt = np.cumsum(rng.normal(0.0, 4e-5, SECONDS))
    patient, own = np.zeros(SECONDS), rng.normal(0.0, 2e-5, SECONDS)
    for second in range(1, SECONDS):
        patient[second] = patient[second - 1] + (prompt[second - 1] - patient[second - 1]) / 3 + own[second]
    return (2.5 * np.exp(prompt)).tolist(), (2.5 * np.exp(patient)).tolist()


def market(seed: int = 5) -> dict[str, Series]:
    """Every series by a name of its own."""
    rng = np.random.default_rng(seed)
    at_us, is_buy, qty = _trades(rng, 3000)
    flow = np.zeros(SECONDS)
    for us, buy, size in zip(at_us, is_buy, qty, strict=True):
        flow[us // 1_000_000] += size if buy else -size
    moves = LAMBDA_PX * flow + rng.normal(0.0, 0.5, SECONDS)
    mid = (50_000 + np.concatenate([[0.0], np.cumsum(moves)[:-1]])).tolist()
    px = _at_quotes(mid, at_us, is_buy, HALF_SPREAD)
    earlier = _earlier(rng, 6e7, 1.0)

    def series(
        venue: str, underlying: str, *, kind: str = "perp", symbol: str = "P", quote: str = "USDT", **parts: Any
    ) -> Series:
        told = {"mid_px": mid, "at_us": at_us, "is_buy": is_buy, "px": px, "qty": qty, "earlier_usd": earlier, **parts}
        return Series(venue, kind, symbol, underlying, quote, **told)

    late = [mid[max(0, s - FOLLOWS_S)] for s in range(SECONDS)]
    late_us, late_buy, late_qty = _trades(rng, 2500)
    few_us, few_buy, few_qty = _trades(rng, 700)
    spot = [px * USDT_USD * 1.001 for px in mid]
    dear = [px * 1.003 for px in mid]
    still = (2_000 * np.exp(np.cumsum(rng.normal(0.0, 3e-5, SECONDS)))).tolist()
    thick_us, thick_buy, thick_qty = _trades(rng, 1500)
    prompt, patient = _prompt_and_patient(rng)
    prompt_us, prompt_buy, prompt_qty = _trades(rng, 400)
    return {
        "leader": series("alpha", "BTC"),
        "follower": series(
            "beta", "BTC", mid_px=late, at_us=late_us, is_buy=late_buy, qty=late_qty, earlier_usd={},
            px=_at_quotes(late, late_us, late_buy, HALF_SPREAD),
        ),
        "spot": series(
            "gamma", "BTC", kind="spot", symbol="S", quote="USD", mid_px=spot, at_us=few_us, is_buy=few_buy,
            qty=few_qty, px=_at_quotes(spot, few_us, few_buy, HALF_SPREAD), earlier_usd={},
        ),
        "dear": series(
            "delta", "BTC", kind="spot", symbol="S", mid_px=dear, at_us=few_us, is_buy=few_buy, qty=few_qty,
            px=_at_quotes(dear, few_us, few_buy, HALF_SPREAD), earlier_usd={},
        ),
        "bouncing": series(
            "gamma", "ETH", kind="spot", symbol="E", quote="USD", mid_px=still, at_us=thick_us, is_buy=thick_buy,
            qty=thick_qty, px=_at_quotes(still, thick_us, thick_buy, BOUNCE), earlier_usd={},
        ),
        "prompt": series(
            "alpha", "XRP", symbol="X", mid_px=prompt, at_us=prompt_us, is_buy=prompt_buy, qty=prompt_qty,
            px=_at_quotes(prompt, prompt_us, prompt_buy, HALF_SPREAD), earlier_usd={},
        ),
        "patient": series(
            "beta", "XRP", symbol="X", mid_px=patient, at_us=prompt_us, is_buy=prompt_buy,
            qty=[size / 2 for size in prompt_qty], px=_at_quotes(patient, prompt_us, prompt_buy, HALF_SPREAD),
            earlier_usd={},
        ),
        "swapped": series("alpha", "SWP", symbol="Q", is_buy=[not buy for buy in is_buy]),
        "larger": series(
            "alpha", "LRG", symbol="R", qty=[4 * size for size in qty],
            earlier_usd={hour: 4 * usd for hour, usd in earlier.items()},
        ),
    }  # fmt: skip


def put(path: Path, series: dict[str, Series]) -> None:
    """Insert all of it behind the staged lake, terms, quotes, trades and the pair that tells the rate."""
    instruments: Rows = []
    trades: Rows = []
    quotes: dict[str, Rows] = {"spot": [], "perp": []}
    rate_terms = {"venue": "gamma", "kind": "spot", "symbol": "USDTUSD"}
    instruments.append(_terms(rate_terms, HOUR, "USDT", "USD"))
    for second in range(0, SECONDS, 30):
        at = HOUR + timedelta(seconds=second)
        quotes["spot"].append(rate_terms | _quote(at, USDT_USD - 1e-4, USDT_USD + 1e-4))
    for each in series.values():
        own = dict(zip(("venue", "kind", "symbol"), each.key, strict=True))
        for hour, usd in each.earlier_usd.items():
            instruments.append(_terms(own, hour, each.underlying, each.quote_asset))
            trades.append(own | _trade(hour, hour + timedelta(minutes=1), "1", True, usd, 1.0))
        instruments.append(_terms(own, HOUR, each.underlying, each.quote_asset))
        for second, mid in enumerate(each.mid_px):
            half = mid * HALF_SPREAD
            quotes[each.kind].append(own | _quote(HOUR + timedelta(seconds=second), mid - half, mid + half))
        for n, (us, buy, px, size) in enumerate(zip(each.at_us, each.is_buy, each.px, each.qty, strict=True)):
            trades.append(own | _trade(HOUR, HOUR + timedelta(microseconds=us), str(n + 1), buy, px, size))
    with duckdb.connect(str(path)) as warehouse:
        warehouse.execute("set TimeZone = 'UTC'")
        tables = {
            "instruments": instruments,
            "trades": trades,
            "spot_tickers": quotes["spot"],
            "perp_tickers": quotes["perp"],
        }
        for name, told in tables.items():
            warehouse.register("told", pa.Table.from_pylist(told))
            warehouse.execute(f"insert into lake.{name} by name select * from told")


def _terms(own: dict[str, str], hour: datetime, underlying: str, quote_asset: str) -> dict[str, Any]:
    terms = {"base_asset": underlying, "quote_asset": quote_asset, "settle_asset": quote_asset, "contract_size": 1.0}
    terms |= {"amount_unit": "base", "is_inverse": False, "is_quanto": False, "terms_source": "listed"}
    return own | terms | {"utc_hour": hour, "captured_ts": hour}


def _quote(at: datetime, bid_px: float, ask_px: float) -> dict[str, Any]:
    return {"utc_hour": HOUR, "captured_ts": at, "bid_px": bid_px, "ask_px": ask_px}


def _trade(hour: datetime, at: datetime, trade_id: str, is_buy: bool, px: float, qty: float) -> dict[str, Any]:
    side = "buy" if is_buy else "sell"
    told = {"trade_id": trade_id, "side": side, "px": px, "qty": qty, "is_aggregate": False}
    return told | {"utc_hour": hour, "event_ts": at, "captured_ts": hour + AN_HOUR}
