"""DuckDB as this project opens it: in UTC, with extensions from installed wheels, fetching nothing."""

import importlib.util
import os
from pathlib import Path
from urllib.parse import urlsplit

import duckdb

from ingestion.storage import StorageError, Store


def connect(store: Store | None = None) -> duckdb.DuckDBPyConnection:
    """An in-memory connection with DuckLake, and with the store's S3 credentials where it needs them."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    try:
        # Day and hour of a TIMESTAMPTZ, and its text, follow the session's zone.
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"load {literal(str(extension('ducklake')))}")
        if store is not None and store.is_s3:
            connection.execute(f"load {literal(str(extension('httpfs')))}")
            _trust(connection, store.root)
    except BaseException:
        connection.close()
        raise
    return connection


def extension(name: str) -> Path:
    """The extension's file in its wheel; raises RuntimeError naming the wheel that is missing."""
    wheel = f"duckdb_extension_{name}"
    spec = importlib.util.find_spec(wheel)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        if path.is_file():
            return path
    raise RuntimeError(f"DuckDB extension {name}: not found (expected {wheel} {duckdb.__version__} installed)")


def attach_lake(
    connection: duckdb.DuckDBPyConnection, catalog: str, data: str, *, name: str, read_only: bool = False
) -> None:
    """Attach a DuckLake catalog whose files now lie below `data`, wherever that was when it was written."""
    connection.execute(
        f"attach {literal('ducklake:' + catalog)} as {identifier(name)} ("
        f"data_path {literal(data)}, override_data_path true, data_inlining_row_limit 0"
        f"{', read_only' if read_only else ''})"
    )


def literal(text: str) -> str:
    """Text as a SQL string, for the statements that take no bound parameters."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _trust(connection: duckdb.DuckDBPyConnection, root: str) -> None:
    """Register the S3 credentials of the environment, for this store's addresses only."""
    settings = {
        "key_id": os.environ.get("AWS_ACCESS_KEY_ID"),
        "secret": os.environ.get("AWS_SECRET_ACCESS_KEY"),
        "session_token": os.environ.get("AWS_SESSION_TOKEN"),
        "region": os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        "scope": f"{root}/",
    }
    options = [f"{option} {literal(value)}" for option, value in settings.items() if value]
    # httpfs copies the environment's keys into settings, which any query may read; a secret is redacted.
    for setting in ("s3_access_key_id", "s3_secret_access_key", "s3_session_token"):
        connection.execute(f"set {setting} = ''")
    endpoint = os.environ.get("BAROGRAPH_S3_ENDPOINT")
    if endpoint:
        parts = urlsplit(endpoint if "//" in endpoint else f"https://{endpoint}")
        options += [
            f"endpoint {literal(parts.netloc)}",
            f"use_ssl {str(parts.scheme == 'https').lower()}",
            "url_style 'path'",
        ]
    try:
        connection.execute(f"create secret store (type s3, provider config, {', '.join(options)})")
    except duckdb.Error:
        # DuckDB's message quotes the statement, and with it the secret.
        raise StorageError(
            f"{root}: DuckDB did not take the S3 settings "
            "(expected AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, BAROGRAPH_S3_ENDPOINT)"
        ) from None
