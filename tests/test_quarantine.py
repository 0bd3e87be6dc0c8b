"""What was refused stays readable, once, with its reason."""

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.quarantine import MAX_NOTES, MAX_REASON_BYTES, MAX_ROW_BYTES, Quarantined
from ingestion.storage import StorageError
from tests.toy_venue import HOUR
from tests.toy_zone import Zone, zone_at


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    return zone_at(tmp_path)


def entry(**changes: Any) -> Quarantined:
    return Quarantined(**{"rule": "r", "reason": "why", "object_key": "raw/k", "dataset": "trades"} | changes)


def test_the_same_refusals_are_one_object_in_any_order(zone: Zone) -> None:
    a, b = entry(), entry(row="{}")
    first = zone.quarantine.append("toy", HOUR, [a, b])

    assert first is not None
    assert zone.quarantine.append("toy", HOUR, [b, a]) == first
    assert zone.store.list("quarantine/") == [first]


def test_nothing_refused_leaves_nothing(zone: Zone) -> None:
    assert zone.quarantine.append("toy", HOUR, []) is None
    assert zone.quarantine.read([HOUR]).num_rows == 0


def test_refusals_told_twice_are_read_once(zone: Zone) -> None:
    zone.quarantine.append("toy", HOUR, [entry()])
    zone.quarantine.append("toy", HOUR, [entry(), entry(rule="other")])

    assert [r["rule_id"] for r in zone.refusals()] == ["other", "r"]


def test_long_and_unspellable_text_is_cut_to_what_fits(zone: Zone) -> None:
    zone.quarantine.append("toy", HOUR, [entry(reason="é" * 1_000, row="\ud800" + "x" * 10_000)])
    [told] = zone.refusals()

    assert len(told["reason"].encode()) <= MAX_REASON_BYTES
    assert len(told["row"].encode()) <= MAX_ROW_BYTES


def test_notes_of_later_sweeps_join_the_earlier(zone: Zone) -> None:
    zone.quarantine.note_gaps("toy", HOUR, {"trades": ["a"]})
    zone.quarantine.note_gaps("toy", HOUR, {"trades": ["b", "a"], "candles": [str(n) for n in range(99)]})
    noted = zone.quarantine.read_capture_gaps("toy", HOUR)

    assert noted["trades"] == ["a", "b"]
    assert len(noted["candles"]) == MAX_NOTES
    assert zone.quarantine.read_capture_gaps("toy", HOUR + timedelta(hours=1)) == {}


@pytest.mark.parametrize(
    "damaged", [b"", b'{"trades":["x', b"[]", b'{"trades":["\xff"]}'], ids=["empty", "cut", "other", "bytes"]
)
def test_damaged_notes_are_named(zone: Zone, damaged: bytes) -> None:
    zone.quarantine.note_gaps("toy", HOUR, {"trades": ["a"]})
    [key] = zone.store.list("quarantine/")
    zone.store.put(key, damaged)

    with pytest.raises(StorageError, match=f"{key}: not the notes of a capture"):
        zone.quarantine.read_capture_gaps("toy", HOUR)


def foreign() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": [1]}), sink)
    return sink.getvalue()


@pytest.mark.parametrize("damaged", [b"", b"PAR1", foreign()], ids=["empty", "cut", "other"])
def test_a_damaged_file_is_named(zone: Zone, damaged: bytes) -> None:
    key = zone.quarantine.append("toy", HOUR, [entry()])
    assert key is not None
    zone.store.put(key, damaged)

    with pytest.raises(StorageError, match=f"{key}: [^\n]*$"):
        zone.quarantine.read([HOUR])
