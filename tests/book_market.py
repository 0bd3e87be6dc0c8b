"""A made-up hour of books whose sizes lean the way that prices then go, staged and built once for who asks."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from ingestion.columns import as_table
from ingestion.estimators import ESTIMATORS
from ingestion.lake import Lake
from ingestion.records import Instrument, Kind, OrderBook
from ingestion.storage import Store
from tests.book_oracles import Level, Seen

HOUR = datetime(2026, 3, 4, 13, tzinfo=UTC)
NEXT = HOUR + timedelta(hours=1)
VENUE = "madeup"
TICK = 0.5
AROUND = 2_000.0  # prices are reflected about it in a mirror

Side = list[tuple[float, float]]  # price, size in the venue's unit
Shot = tuple[datetime, Side, Side]


@dataclass(frozen=True)
class Listed:
    """An instrument of the made-up venue and how its sizes become coin and dollars."""

    symbol: str
    kind: Kind
    levels: int
    every_s: int
    terms: Mapping[str, Any]
    seed: int

    def level(self, px: float, qty: float) -> Level:
        if self.terms["amount_unit"] == "usd":
            return px, qty / px, qty
        if self.terms["is_inverse"]:
            return px, qty * 100.0 / px, qty * 100.0
        return px, qty * self.terms["contract_size"], qty * self.terms["contract_size"] * px

    def seen(self, shot: Shot) -> Seen:
        at, bids, asks = shot
        return Seen(at, [self.level(*each) for each in bids], [self.level(*each) for each in asks])


SPOT = {"amount_unit": "base", "is_inverse": False, "contract_size": 1.0, "settle_asset": "USDT", "quote_asset": "USDT"}
INVERSE = {
    "amount_unit": "contracts",
    "is_inverse": True,
    "contract_size": 100.0,
    "settle_asset": "BTC",
    "quote_asset": "USD",
}
DOLLARS = INVERSE | {"amount_unit": "usd", "contract_size": 10.0}

LISTED = (
    Listed("DEEP", "spot", 25, 3, SPOT, 1),
    Listed("MIRROR", "spot", 25, 3, SPOT, 1),
    Listed("TWICE", "spot", 25, 3, SPOT, 1),
    Listed("INVERSE", "perp", 25, 5, INVERSE, 2),
    Listed("SHALLOW", "perp", 8, 20, DOLLARS, 3),
)


def shots(listed: Listed, hour: datetime) -> list[Shot]:
    """The hour's snapshots: now and then crossed, without asks, or swept."""
    found = list(_walk(listed, hour))
    if listed.symbol == "MIRROR":
        found = [(at, [(2 * AROUND - px, q) for px, q in asks], [(2 * AROUND - px, q) for px, q in bids])
                 for at, bids, asks in found]  # fmt: skip
    if listed.symbol == "TWICE":
        found = [(at, [(px, 2 * q) for px, q in bids], [(px, 2 * q) for px, q in asks]) for at, bids, asks in found]
    return found


def _walk(listed: Listed, hour: datetime) -> Iterator[Shot]:
    noise = random.Random(f"{listed.seed} {hour}")
    unit = 1.0 if listed.terms["amount_unit"] == "base" else 20.0
    bid, spread, lean = round(AROUND / TICK), 1, 0.0
    for n in range(3_600 // listed.every_s):
        at = hour + timedelta(seconds=n * listed.every_s, milliseconds=250)
        if noise.random() < 0.1 + 0.4 * abs(lean):
            bid += 1 if lean > noise.uniform(-0.6, 0.6) else -1
        spread = noise.choice((1, 1, 1, 2, 2, 5)) if noise.random() < 0.3 else spread
        lean = max(-0.95, min(0.95, 0.7 * lean + noise.gauss(0, 0.35)))
        swept = noise.choice(("bid", "ask", "", "", "", "", "", "", "", ""))

        def size(place: int, side: str, lean: float = lean, swept: str = swept) -> float:
            share = 1 + lean if side == "bid" else 1 - lean
            taken = 0.3 if side == swept and place < 6 else 1.0
            return round(unit * (1 + place) * share * taken * noise.uniform(1, 4), 3)

        bids = [((bid - k) * TICK, size(k, "bid")) for k in range(listed.levels)]
        asks = [((bid + spread + k) * TICK, size(k, "ask")) for k in range(listed.levels)]
        odd = noise.random()
        if odd < 0.01:
            bids[0] = (asks[0][0] + TICK, bids[0][1])
        elif odd < 0.02:
            asks = []
        yield at, bids, asks


def tables_of(hour: datetime) -> tuple[pa.Table, pa.Table]:
    """The lake's `order_books` and `instruments` of the venue and hour."""
    books = [
        OrderBook(
            venue=VENUE,
            symbol=each.symbol,
            kind=each.kind,
            captured_ts=at,
            bid_px=tuple(px for px, _ in bids),
            bid_qty=tuple(qty for _, qty in bids),
            ask_px=tuple(px for px, _ in asks),
            ask_qty=tuple(qty for _, qty in asks),
        )
        for each in LISTED
        for at, bids, asks in shots(each, hour)
    ]
    identity = {
        "venue": VENUE,
        "captured_ts": hour,
        "base_asset": "BTC",
        "terms_source": "listed",
        "tick_size_px": TICK,
    }
    terms = [Instrument(symbol=each.symbol, kind=each.kind, **identity, **each.terms) for each in LISTED]
    return as_table(OrderBook, hour, books), as_table(Instrument, hour, terms)


def lake_of(folder: Path, hours: tuple[datetime, ...] = (HOUR, NEXT)) -> Lake:
    """A lake with these hours of the venue: its lists, its books, and what is estimated of them."""
    lake = Lake(Store.open(str(folder / "lake")))
    for hour in hours:
        order_books, instruments = tables_of(hour)
        lake.write("order_books", VENUE, hour, order_books)
        lake.write("instruments", VENUE, hour, instruments)
        for estimator in ESTIMATORS:
            if estimator.rests_on == ("order_books", "instruments"):
                lake.write(estimator.name, VENUE, hour, estimator.estimate(order_books, instruments))
    return lake
