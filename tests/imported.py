"""A vendor's file taken through raw and back, as the normaliser takes it."""

from collections.abc import Iterator
from pathlib import Path

from ingestion.envelopes import Envelope
from ingestion.gate.rows import broken_rule
from ingestion.imports import read_file_rows
from ingestion.imports.archives import SourceFile, check
from ingestion.imports.sealing import Sealed, seal
from ingestion.imports.tardis_files import TardisFile
from ingestion.imports.vision_files import VisionFile
from ingestion.raw import RawZone
from ingestion.records import Record
from ingestion.storage import Store
from ingestion.venues import VENUES
from ingestion.venues.base import Reject


def source_of(path: Path) -> SourceFile:
    return TardisFile.named(path) if path.suffix == ".gz" else VisionFile.named(path)


def sealed(path: Path, lake: Path) -> Sealed:
    source = source_of(path)
    archive = check(path, source, lambda count: None)
    return seal(archive, RawZone(Store.open(str(lake))), lambda count: None)


def envelopes_of(path: Path, lake: Path) -> list[Envelope]:
    """What raw holds of a file, hour by hour."""
    source, raw = source_of(path), RawZone(Store.open(str(lake)))
    hours = sorted(sealed(path, lake).hours)
    keys = [key for hour in hours for key in raw.objects(source.venue, hour) if f"/{source.raw_dataset}/" in key]
    return [envelope for key in keys for envelope in raw.read(key) if envelope.path == source.path]


def items_of(path: Path, lake: Path) -> Iterator[Record | Reject]:
    for envelope in envelopes_of(path, lake):
        yield from read_file_rows(VENUES[source_of(path).venue], envelope)


def rows_of(path: Path, lake: Path) -> list[Record]:
    """The file's rows, none of which may be rejected by its reader or break a rule of the gate."""
    items = list(items_of(path, lake))
    assert [item for item in items if isinstance(item, Reject)] == []
    records = [item for item in items if not isinstance(item, Reject)]
    assert [broken_rule(record) for record in records if broken_rule(record)] == []
    return records


def rejects_of(path: Path, lake: Path) -> list[Reject]:
    return [item for item in items_of(path, lake) if isinstance(item, Reject)]


def objects_in(folder: Path) -> dict[str, bytes]:
    """Every file and what it holds."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
