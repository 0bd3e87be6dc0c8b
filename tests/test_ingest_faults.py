"""The faults of this field, injected: none reaches the lake, each is counted and told."""

import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingestion.envelopes import Envelope, seal
from ingestion.ingest import ingest
from ingestion.venues import VENUES
from tests.toy_venue import AT, row
from tests.toy_zone import Zone, zone_at


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    return zone_at(tmp_path)


@pytest.mark.parametrize(
    ("dataset", "field"),
    [
        ("trades", "px"),
        ("trades", "qty"),
        ("perp_tickers", "funding_rate"),
        ("option_quotes", "mark_iv_ann"),
        ("option_quotes", "delta"),
        ("open_interest", "open_interest_qty"),
        ("candles", "close_px"),
        ("order_books", "bid_px"),
        ("order_books", "ask_qty"),
    ],
)
def test_no_hostile_number_reaches_the_lake(zone: Zone, dataset: str, field: str) -> None:
    """A hundred of each hostile value among four thousand good rows."""
    hostile = ["NaN", "Infinity", "-Infinity", "1e400", '"1_000"', "-1e9", "[]"]
    if dataset not in {"perp_tickers", "open_interest"} and field != "delta":
        hostile.append("0")  # a rate, a greek and an open interest may be nothing
    spelled = []
    for number in range(4_000 + 100 * len(hostile)):
        good = row(dataset, symbol=f"S{number}")
        if dataset == "trades":
            good["trade_id"] = str(number)
        value = hostile[(number - 4_000) // 100] if number >= 4_000 else None
        if value is not None:
            good[field] = [1.0, "HOSTILE", 3.0] if isinstance(good[field], list) else "HOSTILE"
        spelled.append(json.dumps(good).replace('"HOSTILE"', value or ""))
    zone.put(dataset, body=f"[{','.join(spelled)}]".encode())
    verdict = zone.verdict(dataset)

    assert (verdict.status, verdict.rows_count) == ("ok", 4_000)
    assert verdict.rejected_count == 100 * len(hostile)
    assert {r["symbol"] for r in zone.rows(dataset)} == {f"S{n}" for n in range(4_000)}
    refused = [r for r in zone.refusals() if r["dataset"] == dataset]
    assert len(refused) == 100 * len(hostile)
    assert all(r["reason"] and r["object_key"] for r in refused)


def test_crossed_books_are_kept_as_they_came(zone: Zone) -> None:
    """One in a hundred is crossed; exactly those are found crossed in the lake, level for level."""
    dice = random.Random(19)
    injected = {f"S{n}" for n in dice.sample(range(2_000), 20)}
    crossed = {"bid_px": [101.5, 101.0, 99.0]}
    zone.put(
        "order_books",
        *(row("order_books", symbol=s, **(crossed if s in injected else {})) for s in map("S{}".format, range(2_000))),
    )
    verdict = zone.verdict("order_books")
    rows = zone.rows("order_books")

    assert (verdict.status, verdict.rejected_count, len(rows)) == ("ok", 0, 2_000)
    assert {r["symbol"] for r in rows if r["bid_px"][0] >= r["ask_px"][0]} == injected
    assert all(r["bid_px"] == crossed["bid_px"] for r in rows if r["symbol"] in injected)


def test_a_clock_an_hour_off_is_refused_ahead_and_kept_behind(zone: Zone) -> None:
    ahead, behind = AT + timedelta(hours=1), AT - timedelta(hours=1)
    good = [row("open_interest", symbol=f"S{n}") for n in range(10)]
    zone.put(
        "open_interest",
        *good,
        row("open_interest", symbol="AHEAD", event_ts=ahead.isoformat()),
        row("open_interest", symbol="BEHIND", event_ts=behind.isoformat()),
    )
    zone.ingest()

    kept = {r["symbol"]: r for r in zone.rows("open_interest")}
    assert "AHEAD" not in kept
    assert (kept["BEHIND"]["event_ts"], kept["BEHIND"]["captured_ts"]) == (behind, AT)
    assert "clock_skew" in {r["rule_id"] for r in zone.refusals()}


def test_a_unit_slip_holds_the_hour(zone: Zone) -> None:
    zone.put("trades", row("trades"), row("trades", trade_id="2", px=100_000.0))

    assert zone.verdict("trades").broken_rules == ("max_px_ratio",)


DRIFTS: dict[str, Callable[[dict[str, Any]], None]] = {
    "the bids are gone": lambda book: book.pop("bids"),
    "the asks have another name": lambda book: book.update(a=book.pop("asks")),
    "a price is null": lambda book: book["bids"][0].__setitem__(0, None),
    "a price is text": lambda book: book["asks"][1].__setitem__(0, "1_000"),
    "a price is a list": lambda book: book["asks"][0].__setitem__(0, [1]),
    "a level lost its size": lambda book: book["bids"][2].pop(),
    "the bids are an object": lambda book: book.update(bids={}),
    "a size is not a number": lambda book: book["bids"][0].__setitem__(1, "NaN"),
    "a size is infinite": lambda book: book["bids"][0].__setitem__(1, "1e400"),
    "the sides run inward": lambda book: book["bids"].reverse(),
}


def test_two_hundred_drifted_replies_publish_nothing(zone: Zone, recorded: Callable[[str], list[Envelope]]) -> None:
    """Real Binance books, each with one field missing, renamed or retyped: none enters, each is told."""
    hour = datetime(2024, 8, 8, 23, tzinfo=UTC)
    dice = random.Random(23)
    for venue in ("binance_spot", "binance_usdm", "binance_coinm"):
        books = [
            e
            for e in recorded("binance_l2_2024-08-08/rest.jsonl.zst")
            if e.venue == venue and e.path.endswith("/depth")
        ][:67]
        drifted = []
        for envelope in books:
            book = json.loads(envelope.reply_bytes)
            DRIFTS[dice.choice(sorted(DRIFTS))](book)
            assert envelope.at is not None
            drifted.append(
                seal(
                    venue=venue,
                    host="",
                    path=envelope.path,
                    query=envelope.query,
                    status=200,
                    captured_ts=envelope.at,
                    body=json.dumps(book).encode(),
                )
            )
        zone.raw.write(venue, "order_books", hour, drifted)
        [verdict] = ingest(VENUES[venue], [hour], zone.raw, zone.lake, zone.quarantine, [])

        assert (verdict.status, verdict.rows_count) == ("held", 0)
        assert verdict.refused_count + verdict.rejected_count == len(books) == 67

    told = Counter(r["rule_id"] for r in zone.quarantine.read([hour]).to_pylist())
    assert told["parser"] == 0
    assert not [key for key in zone.store.list("lake/order_books/") if "/venue=" in key]
