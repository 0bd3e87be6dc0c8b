"""One hour of one venue, from sealed replies to canonical rows: a pure function of the raw objects.

What cannot be read costs as little as possible: a row, else its reply, else the rest of its object.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from ingestion.duplicates import said_once
from ingestion.envelopes import Envelope, Unreadable
from ingestion.gate.rows import broken_rule
from ingestion.quarantine import Quarantined
from ingestion.records import DATASET_OF, Instrument, Kind, Record
from ingestion.venues.base import Refused, Reject, Venue

# A parser owes `Refused` for what it cannot read. These are what a slip in one raises on a hostile
# payload: they cost the reply and are told apart as rule `parser`, and the hour goes on.
PARSER_SLIPS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)

# What their rows name is no instrument, or is one already.
NO_INSTRUMENT = frozenset({"instruments", "index_prices", "volatility_indices", "gas_prices", "stream_holes"})


@dataclass(frozen=True, slots=True)
class NormalisedHour:
    """What an hour's raw objects say, by lake dataset, and what was refused of them."""

    records: dict[str, list[Record]]
    rejects: list[Quarantined]
    objects: dict[str, frozenset[str]]  # by dataset: raw objects that are its own or gave it a row


def normalise(venue: Venue, hour: datetime, objects: Iterable[tuple[str, Iterable[Envelope]]]) -> NormalisedHour:
    """Read, gate and settle the hour's raw objects; their order does not matter.

    Instruments that the hour does not list but other rows name are completed from the venue's documented
    grammar, as seen first in the hour.
    """
    found: dict[str, list[tuple[Record, str]]] = {}
    rejects: list[Quarantined] = []
    touched: dict[str, set[str]] = {}
    for key, envelopes in objects:
        raw_dataset = dataset_in(key)
        touched.setdefault(raw_dataset, set()).add(key)
        for item in _read_object(venue, key, raw_dataset, envelopes):
            if isinstance(item, Quarantined):
                rejects.append(item)
                touched.setdefault(item.dataset, set()).add(key)
            else:
                dataset = DATASET_OF[type(item)]
                found.setdefault(dataset, []).append((item, key))
                touched.setdefault(dataset, set()).add(key)

    records: dict[str, list[Record]] = {}
    for dataset, rows in found.items():
        records[dataset], conflicts = said_once(rows)
        rejects += [
            Quarantined("conflicting_duplicate", reason, key, dataset, spelled(record))
            for record, key, reason in conflicts
        ]
    for item in _documented(venue, hour, records):
        if isinstance(item, Quarantined):
            rejects.append(item)
        else:
            records.setdefault("instruments", []).append(item)
    return NormalisedHour(
        records=dict(sorted(records.items())),
        rejects=sorted(rejects, key=lambda e: (e.dataset, e.rule, e.object_key, e.reason, e.row)),
        objects={dataset: frozenset(keys) for dataset, keys in sorted(touched.items())},
    )


def dataset_in(key: str) -> str:
    """The dataset in a raw object's key, `raw/<venue>/<dataset>/…`."""
    parts = key.split("/")
    if len(parts) < 4 or parts[0] != "raw":
        raise ValueError(f"raw object {key!r}: expected raw/<venue>/<dataset>/…")
    return parts[2]


def spelled(record: Record) -> str:
    """A row as text for the quarantine; unlike strict JSON it can show NaN and infinity."""
    return json.dumps(msgspec.structs.asdict(record), default=str)


def _read_object(
    venue: Venue, key: str, raw_dataset: str, envelopes: Iterable[Envelope]
) -> Iterator[Record | Quarantined]:
    remaining = iter(envelopes)
    while True:
        try:
            envelope = next(remaining)
        except StopIteration:
            return
        except Unreadable as error:
            yield Quarantined("unreadable_object", str(error), key, raw_dataset, scope="reply")
            return
        try:
            items = _read_reply(venue, envelope)
        except Refused as refused:
            yield Quarantined(refused.rule, refused.reason, key, raw_dataset, _start(envelope), "reply")
            continue
        for item in items:
            yield _gated(venue, key, raw_dataset, item)


def _read_reply(venue: Venue, envelope: Envelope) -> list[Record | Reject]:
    """The whole reply or `Refused`: rows read before a refusal do not count."""
    asked = f"{envelope.path}?{envelope.query}" if envelope.query else envelope.path
    if envelope.venue != venue.name:
        raise Refused("venue", f"{asked}: a reply of {envelope.venue!r} among those of {venue.name}")
    if envelope.status != 200:
        raise Refused("http_status", f"{asked}: status {envelope.status} (expected 200)")
    try:
        reply = envelope.reply()
    except (ValueError, OverflowError) as error:
        raise Refused("envelope", f"{asked}: {error}") from error
    try:
        return list(venue.parse(reply))
    except Refused:
        raise
    except PARSER_SLIPS as error:
        raise Refused("parser", f"{asked}: {type(error).__name__}: {error}") from error


def _gated(venue: Venue, key: str, raw_dataset: str, item: Record | Reject) -> Record | Quarantined:
    if isinstance(item, Reject):
        return Quarantined(item.rule, item.reason, key, raw_dataset, item.row.decode("utf-8", "replace"))
    if item.venue != venue.name:
        broken: tuple[str, str] | None = ("venue", f"a row of {item.venue!r} in a reply of {venue.name}")
    else:
        broken = broken_rule(item)
    return item if broken is None else Quarantined(*broken, key, DATASET_OF[type(item)], spelled(item))


def _start(envelope: Envelope) -> str:
    return bytes(envelope.body)[:4096].decode("utf-8", "replace")


def _documented(venue: Venue, hour: datetime, records: dict[str, list[Record]]) -> Iterator[Instrument | Quarantined]:
    """Terms by the venue's grammar for every instrument that rows name and the hour does not list."""
    listed = {(record.kind, record.symbol) for record in records.get("instruments", [])}
    first_seen: dict[tuple[Kind, str], datetime] = {}
    for dataset, rows in records.items():
        if dataset in NO_INSTRUMENT:
            continue
        for row in rows:
            name = (row.kind, row.symbol)
            seen = first_seen.get(name)
            if name not in listed and (seen is None or row.captured_ts < seen):
                first_seen[name] = row.captured_ts
    for (kind, symbol), captured_ts in sorted(first_seen.items()):
        try:
            terms = venue.terms(symbol, kind, hour)
        except PARSER_SLIPS as error:  # `Refused` among them
            yield _unknown(kind, symbol, str(error))
            continue
        changes: dict[str, Any] = {"captured_ts": captured_ts, "event_ts": None, "terms_source": "documented"}
        terms = msgspec.structs.replace(terms, **changes)
        broken = broken_rule(terms)
        yield terms if broken is None else _unknown(kind, symbol, f"{broken[0]}: {broken[1]}")


def _unknown(kind: str, symbol: str, reason: str) -> Quarantined:
    # The rows that name it stay; without terms no model can join them.
    named = json.dumps({"kind": kind, "symbol": symbol})
    return Quarantined("unknown_symbol", f"{kind} {symbol}: {reason}", "", "instruments", named, "terms")
