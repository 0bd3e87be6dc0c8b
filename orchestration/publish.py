"""Gate 2 and the step behind it: candidate rows become what readers see, all of them or none.

Work happens on a private copy of the current catalog. Readers follow the pointer `published/CURRENT`, which
moves last; data files and catalogs are only ever added, so a crash leaves nothing but unused files.
"""

import fcntl
import hashlib
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import msgspec

from ingestion.storage import StorageError, Store
from orchestration.candidates import WAREHOUSE, Candidate, PublishedTable, Unpublishable, read_candidate
from orchestration.duck import connect, literal
from orchestration.expectations import Finding, profile, refusals
from orchestration.frozen import Change, changes, faults, freeze, open_copy
from orchestration.published import CURRENT, ROOT, Version, claim_key, claimed, current, first_line

STAGES = ("copied", "accepted", "written", "committed", "verified", "uploaded", "claimed", "pointed")


class PublishError(RuntimeError):
    """Nothing was published; the last good version stays. One line says what stands in the way."""


class PublishRefused(PublishError):
    """The candidate broke gate 2: `reasons` holds one line for each table, column and rule."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("publish refused, the last good version stays: " + "; ".join(reasons))
        self.reasons = tuple(reasons)


class PublishConflict(PublishError):
    """Another publish was first; run again to publish on top of it."""


@dataclass(frozen=True, slots=True)
class Published:
    """What readers have after a publish: the version, and the rows of the wanted partitions by table."""

    version: int
    rows: Mapping[str, int]
    is_new: bool  # False: every partition was published before, unchanged


def publish(
    warehouse_path: Path | str,
    store: Store,
    hours: Sequence[datetime],
    tables: Sequence[PublishedTable],
    *,
    expected: Collection[str] = (),
    at: Callable[[str], None] = lambda stage: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Published:
    """Replace the partitions of these hours in every table, in one version; in daily tables, of their days.

    Unchanged partitions are left alone and keep their `known_at`; if none changed there is no new version.
    `expected` names the tables that must hold rows in every wanted partition. `at` is told each stage.
    Raises PublishRefused, PublishConflict, or PublishError.
    """
    if not hours or not tables:
        raise ValueError(f"publish: {len(hours)} hours, {len(tables)} tables (expected at least one of each)")
    if unknown := set(expected) - {table.name for table in tables}:
        raise ValueError(f"publish: expected rows of {', '.join(sorted(unknown))}, which is not published")
    with _alone(store), tempfile.TemporaryDirectory(prefix="barograph-publish-") as folder:
        base = _settled(store)
        catalog = _private_copy(store, base, Path(folder))
        at("copied")
        try:
            return _publish(Path(warehouse_path), store, hours, tables, expected, at, now, base, catalog)
        except Unpublishable as error:
            raise PublishRefused([str(error)]) from error
        except duckdb.Error as error:
            raise PublishError(f"publish: {first_line(error)}") from error


def _publish(
    warehouse: Path,
    store: Store,
    hours: Sequence[datetime],
    tables: Sequence[PublishedTable],
    expected: Collection[str],
    at: Callable[[str], None],
    now: Callable[[], datetime],
    base: Version | None,
    catalog: Path,
) -> Published:
    known_at = max(now(), base.known_at) if base else now()
    version = base.version + 1 if base else 1
    with connect(store) as connection:
        _attach_warehouse(connection, warehouse)
        open_copy(connection, catalog, store)
        candidates = [read_candidate(connection, table, hours) for table in tables]
        rows = {c.table.name: sum(p.rows_count for p in c.partitions.values()) for c in candidates}
        changed = [change for c in candidates if (change := changes(connection, c))]
        missing = list(_missing(candidates, expected))
        if not changed and base and not any(finding.broken_count for finding in missing):
            return Published(base.version, rows, is_new=False)
        if reasons := _reasons(connection, candidates, changed, missing):
            raise PublishRefused(reasons)
        at("accepted")
        freeze(connection, changed, hours, version, known_at, lambda: at("written"))
    at("committed")
    if wrong := faults(catalog, store, changed):
        raise PublishError(f"publish: the new version reads back wrong: {'; '.join(wrong)}")
    at("verified")
    _show(store, base, version, known_at, catalog.read_bytes(), at)
    return Published(version, rows, is_new=True)


def _missing(candidates: Sequence[Candidate], expected: Collection[str]) -> Iterator[Finding]:
    for candidate in candidates:
        table = candidate.table
        if table.name in expected:
            empty = set(candidate.wanted) - set(candidate.partitions)
            yield Finding(f"{table.schema}.{table.name}", table.partition_column, "expected_rows", len(empty))


def _reasons(
    connection: duckdb.DuckDBPyConnection,
    candidates: Sequence[Candidate],
    changed: Sequence[Change],
    missing: Sequence[Finding],
) -> list[str]:
    shapes = [reason for change in changed for reason in change.misshapen]
    findings = [*missing, *(finding for c in candidates for finding in profile(connection, c))]
    for change in changed:
        table = change.candidate.table
        emptied = 0 if table.may_be_emptied else len(change.emptied)
        findings.append(Finding(f"{table.schema}.{table.name}", table.partition_column, "not_emptied", emptied))
    return shapes + refusals(findings)


def _attach_warehouse(connection: duckdb.DuckDBPyConnection, warehouse: Path) -> None:
    try:
        connection.execute(f"attach {literal(str(warehouse))} as {WAREHOUSE} (read_only)")
    except duckdb.Error as error:
        raise PublishError(
            f"{warehouse}: cannot be read (expected a warehouse that no writer holds): {first_line(error)}"
        ) from error


def _private_copy(store: Store, base: Version | None, folder: Path) -> Path:
    catalog = folder / "catalog.ducklake"
    if base is not None:
        data = store.read(base.catalog)
        if hashlib.sha256(data).hexdigest() != base.sha256:
            raise StorageError(f"{store.uri(base.catalog)}: damaged catalog (expected sha256 {base.sha256})")
        catalog.write_bytes(data)
    return catalog


def _show(
    store: Store,
    base: Version | None,
    version: int,
    known_at: datetime,
    catalog: bytes,
    at: Callable[[str], None],
) -> None:
    """Upload the catalog, take the version's number, and move the pointer."""
    sha256 = hashlib.sha256(catalog).hexdigest()
    key = f"{ROOT}/catalog/{version:08d}-{sha256[:16]}.ducklake"
    store.put_new(key, catalog)
    if store.size(key) != len(catalog):
        raise StorageError(f"{store.uri(key)}: {store.size(key)} bytes (expected {len(catalog)})")
    at("uploaded")
    # The pointer alone would let two publishers pass the same comparison; a number can be taken once.
    pointer = Version(version, key, sha256, known_at)
    if current(store) != base or not store.put_new(claim_key(version), msgspec.json.encode(pointer)):
        raise PublishConflict(f"{store.root}: version {version} was published by another run (expected to be alone)")
    at("claimed")
    store.put(CURRENT, msgspec.json.encode(pointer))
    at("pointed")
    _settled(store)


def _settled(store: Store) -> Version | None:
    """The newest version that took its number, with the pointer on it.

    The pointer lags where a publish died between the two, or slept while later ones finished.
    """
    pointed = newest = current(store)
    while following := claimed(store, newest.version + 1 if newest else 1):
        newest = following
    if newest is not None and newest != pointed:
        store.put(CURRENT, msgspec.json.encode(newest))
    return newest


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    """On a local disk, publishers wait for each other; the lock goes with the process that holds it."""
    if store.is_s3:
        yield
        return
    path = Path(store.uri(f"{ROOT}/.lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a")
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror} (expected a folder that this user may write)") from error
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
