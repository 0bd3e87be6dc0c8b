"""What readers see: one frozen catalog of a DuckLake, found through the pointer `published/CURRENT`.

A connection stays on the version that it opened, whatever is published meanwhile.
Run SQL that others wrote through `query`: a bare connection could still write below `published/data/`.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

import duckdb
import msgspec

from ingestion.storage import Missing, StorageError, Store
from orchestration.duck import attach_lake, connect, literal

ROOT = "published"
DATA = f"{ROOT}/data"
CURRENT = f"{ROOT}/CURRENT"
MAX_ROWS = 100_000


class NothingPublished(LookupError):
    """There is no such published version."""


class QueryRefused(ValueError):
    """SQL that is not a reading, or that DuckDB could not run; one line says why."""


class Version(msgspec.Struct, frozen=True):
    """One published state: its catalog and when it became readable."""

    version: int
    catalog: str  # key in the store
    sha256: str
    known_at: datetime


class Answer(NamedTuple):
    """A query's result, cut after the rows that were asked for."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    is_cut: bool


def current(store: Store) -> Version | None:
    """The version that readers get now; none where nothing was ever published."""
    return _read(store, CURRENT)


def claimed(store: Store, version: int) -> Version | None:
    """The state that took this number, whether or not the pointer has reached it."""
    return _read(store, claim_key(version))


def claim_key(version: int) -> str:
    return f"{ROOT}/versions/{version:08d}.json"


def data_path(store: Store) -> str:
    return store.uri(DATA) + "/"


def open_published(store: Store, version: int | None = None) -> duckdb.DuckDBPyConnection:
    """A connection to the published tables, by bare name, read-only and cut off from all other files.

    Raises NothingPublished; close it when done.
    """
    pointer = current(store)
    if pointer is None:
        raise NothingPublished(f"{store.root}: nothing was published yet (expected {CURRENT})")
    if version is not None and version != pointer.version:
        past = claimed(store, version) if 0 < version < pointer.version else None
        if past is None:
            raise NothingPublished(
                f"{store.root}: version {version} was never published (expected 1 to {pointer.version})"
            )
        pointer = past
    connection = connect(store)
    try:
        attach_lake(connection, store.uri(pointer.catalog), data_path(store), name=ROOT, read_only=True)
        connection.execute(f"use {ROOT}")
        connection.execute("set temp_directory = ''")  # DuckDB would let statements write there
        connection.execute(f"set allowed_directories = [{literal(data_path(store))}]")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
    except duckdb.Error as error:
        connection.close()
        raise StorageError(f"{store.uri(pointer.catalog)}: cannot be opened ({first_line(error)})") from error
    return connection


@contextmanager
def reading(store: Store) -> Iterator[duckdb.DuckDBPyConnection]:
    """`open_published` for statements of our own: what they fail on is a StorageError, say a file that is damaged."""
    with open_published(store) as connection:
        try:
            yield connection
        except duckdb.Error as error:
            raise StorageError(f"{store.uri(ROOT)}: cannot be read ({first_line(error)})") from error


def query(
    store: Store,
    sql: str,
    *,
    max_rows: int = MAX_ROWS,
    timeout_s: float | None = None,
    version: int | None = None,
) -> Answer:
    """Run one reading statement over the published tables; anything but a SELECT is QueryRefused."""
    with open_published(store, version) as connection:
        try:
            with _deadline(connection, timeout_s):
                cursor = connection.execute(only_reading(connection, sql))
                rows = cursor.fetchmany(max_rows + 1)
        except duckdb.InterruptException as error:
            raise QueryRefused(f"query: stopped after {timeout_s} s") from error
        except duckdb.Error as error:
            raise QueryRefused(f"query: {first_line(error)}") from error
        columns = tuple(column[0] for column in cursor.description or ())
        return Answer(columns, rows[:max_rows], len(rows) > max_rows)


def only_reading(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """The one statement of this text, if it is a reading; raises QueryRefused."""
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryRefused(f"query: {first_line(error)}") from error
    kinds = [statement.type for statement in statements]
    if kinds != [duckdb.StatementType.SELECT]:
        told = ", ".join(kind.name for kind in kinds) or "nothing"
        raise QueryRefused(f"query: {told} (expected one SELECT, DESCRIBE, SHOW or SUMMARIZE)")
    return statements[0]


def rows_as_json(cursor: duckdb.DuckDBPyConnection) -> str:
    """The rest of a cursor as a JSON array of objects.

    Instants are UTC and end in Z, NaN and infinity are null, decimals are numbers with all their digits.
    """
    columns = [column[0] for column in cursor.description or ()]
    rows = [dict(zip(columns, map(_plain, row), strict=True)) for row in _batches(cursor)]
    return _ENCODER.encode(rows).decode()


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return value


def _batches(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(10_000):
        yield from rows


@contextmanager
def _deadline(connection: duckdb.DuckDBPyConnection, timeout_s: float | None) -> Iterator[None]:
    if timeout_s is None:
        yield
        return
    timer = threading.Timer(timeout_s, connection.interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _read(store: Store, key: str) -> Version | None:
    try:
        return msgspec.json.decode(store.read(key), type=Version)
    except Missing:
        return None
    except msgspec.DecodeError as error:
        raise StorageError(f"{store.uri(key)}: damaged pointer ({error})") from error
