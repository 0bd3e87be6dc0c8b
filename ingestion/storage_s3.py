"""A store in an S3 bucket, over s3fs.

Retries are ours alone: s3fs and botocore would retry a conditional put silently, and then report our own
object as another writer's.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from botocore.exceptions import (  # type: ignore[import-untyped]
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
)
from botocore.exceptions import (
    ConnectionError as NoConnection,
)
from s3fs import S3FileSystem  # type: ignore[import-untyped]
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from ingestion.storage import Missing, Names, StorageError, Store, contained

T = TypeVar("T")

ATTEMPTS = 6
DENIED = "access denied: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_DENIED_CODES = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "401", "403"}
_MISSING_CODES = {"NoSuchKey", "404", "NotFound"}
_TRANSIENT_CODES = {"RequestTimeout", "SlowDown", "OperationAborted", "ConditionalRequestConflict", "409"}


class _Transient(Exception):
    """A failure that asking again may cure."""


class _Taken(Exception):
    """A conditional put that another writer won."""


class _OneAttempt(S3FileSystem):  # type: ignore[misc]
    retries = 1


class S3Store(Store):
    """Objects in a bucket; settings come from AWS_* and BAROGRAPH_S3_ENDPOINT."""

    is_s3 = True

    def __init__(self, uri: str) -> None:
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        prefix = prefix.strip("/")
        if not bucket:
            raise StorageError(f"{uri}: no bucket (expected s3://bucket/prefix)")
        self._bucket = bucket
        self._prefix = f"{contained(prefix)}/" if prefix else ""
        self.root = f"s3://{bucket}/{prefix}".rstrip("/")
        self._s3 = _connect()

    def uri(self, key: str) -> str:
        return f"s3://{self._bucket}/{self._name(key)}"

    def read(self, key: str) -> bytes:
        path = self._path(key)
        data: bytes = self._ask(path, lambda: self._s3.cat_file(path))
        return data

    def open_read(self, key: str) -> BinaryIO:
        # One GET to a file on disk: ranged reads of an object that is being replaced would mix two versions.
        path = self._path(key)
        with tempfile.TemporaryDirectory(prefix="barograph-") as folder:
            copy = Path(folder) / "object"
            self._ask(path, lambda: self._s3.get_file(path, str(copy)))
            return copy.open("rb")

    def exists(self, key: str) -> bool:
        try:
            self.size(key)
        except Missing:
            return False
        return True

    def size(self, key: str) -> int:
        head = self._call("head_object", self._name(key), Key=self._name(key))
        return int(head["ContentLength"])

    def list(self, prefix: str) -> Names:
        contained(prefix.rstrip("/") or "x")
        skipped = len(self._prefix)
        return sorted(
            entry["Key"][skipped:]
            for page in self._pages(prefix, "")
            for entry in page.get("Contents", ())
            if not entry["Key"].endswith("/")
        )

    def folders(self, prefix: str) -> Names:
        contained(prefix.rstrip("/") or "x")
        below = prefix.rstrip("/") + "/" if prefix else ""
        return sorted(
            entry["Prefix"].rstrip("/").rpartition("/")[2]
            for page in self._pages(below, "/")
            for entry in page.get("CommonPrefixes", ())
        )

    def put_new(self, key: str, data: bytes) -> bool:
        name = self._name(key)
        attempts = 0

        def put() -> bool:
            nonlocal attempts
            attempts += 1
            try:
                self._s3.call_s3("put_object", Bucket=self._bucket, Key=name, Body=data, IfNoneMatch="*")
            except OSError as error:
                if _status(error) == 412:
                    raise _Taken from error
                raise
            return True

        try:
            return self._ask(f"{self._bucket}/{name}", put)
        except _Taken:
            # An earlier attempt whose answer was lost may have been the winner.
            return attempts > 1 and self.read(key) == data

    def put(self, key: str, data: bytes) -> None:
        name = self._name(key)
        self._call("put_object", name, Key=name, Body=data)

    def put_file(self, key: str, path: Path) -> None:
        target = self._path(key)
        self._ask(target, lambda: self._s3.put_file(str(path), target))

    def delete(self, key: str) -> None:
        name = self._name(key)
        try:
            self._call("delete_object", name, Key=name)
        except Missing:
            return

    def check(self) -> None:
        self._call("list_objects_v2", self._prefix, Prefix=self._prefix, MaxKeys=1)

    def _name(self, key: str) -> str:
        return self._prefix + contained(key)

    def _path(self, key: str) -> str:
        return f"{self._bucket}/{self._name(key)}"

    def _pages(self, prefix: str, delimiter: str) -> Iterator[dict[str, Any]]:
        more: dict[str, str] = {"Delimiter": delimiter} if delimiter else {}
        full = self._prefix + prefix
        while True:
            page = self._call("list_objects_v2", full, Prefix=full, **more)
            yield page
            if not page.get("IsTruncated"):
                return
            more["ContinuationToken"] = page["NextContinuationToken"]

    def _call(self, method: str, name: str, **arguments: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._ask(
            f"{self._bucket}/{name}", lambda: self._s3.call_s3(method, Bucket=self._bucket, **arguments)
        )
        return answer

    def _ask(self, path: str, call: Callable[[], T]) -> T:
        """Call with bounded retries; every failure becomes one line that names the object."""

        def attempt() -> T:
            try:
                return call()
            except (OSError, BotoCoreError, ClientError) as error:
                if _is_transient(error):
                    raise _Transient(_line(error)) from error
                raise _told(f"s3://{path}", self._bucket, error) from error

        retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.1, max=5),
            retry=retry_if_exception_type(_Transient),
            reraise=True,
        )
        try:
            return retrying(attempt)
        except _Transient as error:
            raise StorageError(f"s3://{path}: failed {ATTEMPTS} times ({error})") from error


def _connect() -> S3FileSystem:
    endpoint = os.environ.get("BAROGRAPH_S3_ENDPOINT") or None
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return _OneAttempt(
        key=os.environ.get("AWS_ACCESS_KEY_ID") or None,
        secret=os.environ.get("AWS_SECRET_ACCESS_KEY") or None,
        token=os.environ.get("AWS_SESSION_TOKEN") or None,
        endpoint_url=endpoint,
        client_kwargs={"region_name": region},
        config_kwargs={
            "retries": {"total_max_attempts": 1},
            "connect_timeout": 10,
            "read_timeout": 60,
            # A server of one's own rarely has a DNS name for every bucket.
            "s3": {"addressing_style": "path" if endpoint else "auto"},
        },
        use_listings_cache=False,
    )


def _client_error(error: BaseException) -> ClientError | None:
    return next((e for e in (error, error.__cause__) if isinstance(e, ClientError)), None)


def _status(error: BaseException) -> int:
    client_error = _client_error(error)
    return 0 if client_error is None else int(client_error.response["ResponseMetadata"]["HTTPStatusCode"])


def _code(error: BaseException) -> str:
    client_error = _client_error(error)
    return "" if client_error is None else str(client_error.response["Error"].get("Code", ""))


def _is_transient(error: BaseException) -> bool:
    return (
        _status(error) >= 500
        or _code(error) in _TRANSIENT_CODES
        or isinstance(error, HTTPClientError | NoConnection | TimeoutError | ConnectionError)
    )


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _told(uri: str, bucket: str, error: BaseException) -> StorageError:
    code = _code(error)
    if code == "NoSuchBucket":
        return StorageError(f"{uri}: bucket does not exist (expected an existing bucket)")
    if code in _DENIED_CODES or isinstance(error, NoCredentialsError | PermissionError):
        return StorageError(f"{uri}: {DENIED}")
    if code in _MISSING_CODES or isinstance(error, FileNotFoundError):
        return Missing(f"{uri}: does not exist (expected an object)")
    return StorageError(f"{uri}: {_line(error)}")
