"""Where objects live: one interface over a folder and an S3 bucket.

A write is whole or absent: readers see the old object or the new one, never a part.
Keys are contained: none can name anything outside the store's root.
"""

import contextlib
import errno
import io
import os
import re
import shutil
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

Names = list[str]  # the stores have a method of that name, which hides the type in their bodies

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
_PARTIAL = ".partial"  # ends the name of a local file that is still being written


class StorageError(RuntimeError):
    """One clear line: what, where, and what was expected."""


class Missing(StorageError):
    """An object that is not there."""


def contained(key: str) -> str:
    """The key itself, or StorageError if it could name anything outside the store."""
    if _CONTROL.search(key):
        raise StorageError(f"key {key!r}: control character or backslash (expected plain segments)")
    for segment in key.split("/"):
        if segment in {"", ".", ".."} or segment.endswith(_PARTIAL):
            raise StorageError(f"key {key!r}: segment {segment!r} (expected a relative path of plain names)")
    return key


class Store(ABC):
    """Objects by key below one root."""

    root: str
    is_s3: bool

    @classmethod
    def open(cls, uri: str) -> "Store":
        """Open `file:///abs`, a plain path, or `s3://bucket/prefix`; nothing is created or asked yet."""
        if uri.startswith("s3://"):
            # s3fs takes a second to import, which a store on disk need not pay.
            from ingestion.storage_s3 import S3Store

            return S3Store(uri)
        if uri.startswith("file://"):
            parts = urlsplit(uri)
            if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
                raise StorageError(f"{uri}: not an absolute path (expected file:///path)")
            return LocalStore(Path(unquote(parts.path)))
        if _SCHEME.match(uri) or not uri.strip():
            expected = "a path, file:///path or s3://bucket/prefix"
            raise StorageError(f"{uri!r}: unknown kind of store (expected {expected})")
        return LocalStore(Path(uri).expanduser())

    @abstractmethod
    def uri(self, key: str) -> str:
        """The object's full address as DuckDB reads it: `s3://…` or an absolute path."""

    @abstractmethod
    def read(self, key: str) -> bytes:
        """The whole object; raises `Missing`."""

    @abstractmethod
    def open_read(self, key: str) -> BinaryIO:
        """A seekable stream of one consistent version of the object; raises `Missing`."""

    @abstractmethod
    def exists(self, key: str) -> bool: ...

    @abstractmethod
    def size(self, key: str) -> int:
        """The object's length in bytes; raises `Missing`."""

    @abstractmethod
    def list(self, prefix: str) -> Names:
        """Keys that begin with these characters, sorted. End it with `/` to mean one folder."""

    @abstractmethod
    def folders(self, prefix: str) -> Names:
        """Names of the folders directly below `prefix`, sorted, without descending into them."""

    @abstractmethod
    def put_new(self, key: str, data: bytes) -> bool:
        """Write only if the key is free; False, and nothing changed, if it is taken."""

    @abstractmethod
    def put(self, key: str, data: bytes) -> None:
        """Write or replace the object in one step."""

    @abstractmethod
    def put_file(self, key: str, path: Path) -> None:
        """As `put`, of a local file that need not fit into memory."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove the object; one that is already gone is no error."""

    @abstractmethod
    def check(self) -> None:
        """Raise `StorageError` on what would stop a first write: no bucket, wrong key, unwritable folder."""


class LocalStore(Store):
    """A folder; it appears with the first write."""

    is_s3 = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self.root = str(self._folder)

    def uri(self, key: str) -> str:
        return str(self._path(key))

    def read(self, key: str) -> bytes:
        path = self._path(key)
        with _told(path, _READ):
            return path.read_bytes()

    def open_read(self, key: str) -> BinaryIO:
        path = self._path(key)
        with _told(path, _READ):
            return path.open("rb")

    def exists(self, key: str) -> bool:
        path = self._path(key)
        with _told(path, _READ):
            return path.is_file()

    def size(self, key: str) -> int:
        path = self._path(key)
        with _told(path, _READ):
            return path.stat().st_size

    def list(self, prefix: str) -> Names:
        start = _folder_of(prefix)
        found = []
        for folder, _, names in os.walk(self._folder / start, onerror=_unlisted):
            below = Path(folder).relative_to(self._folder)
            found += [(below / name).as_posix() for name in names if not name.endswith(_PARTIAL)]
        return sorted(key for key in found if key.startswith(prefix))

    def folders(self, prefix: str) -> Names:
        start = self._folder / _folder_of(prefix.rstrip("/") + "/" if prefix else "")
        with _told(start, _READ):
            return sorted(entry.name for entry in start.iterdir() if entry.is_dir()) if start.is_dir() else []

    def put_new(self, key: str, data: bytes) -> bool:
        path = self._path(key)
        with _told(path), self._partial(path, io.BytesIO(data)) as partial:
            try:
                os.link(partial, path)
            except FileExistsError:
                return False
            _sync_folder(path.parent)
            return True

    def put(self, key: str, data: bytes) -> None:
        self._replace(key, io.BytesIO(data))

    def put_file(self, key: str, path: Path) -> None:
        with path.open("rb") as content:
            self._replace(key, content)

    def delete(self, key: str) -> None:
        path = self._path(key)
        with _told(path):
            path.unlink(missing_ok=True)

    def check(self) -> None:
        with _told(self._folder), self._partial(self._folder / "check", io.BytesIO()):
            pass

    def _path(self, key: str) -> Path:
        return self._folder / contained(key)

    def _replace(self, key: str, content: BinaryIO) -> None:
        path = self._path(key)
        with _told(path), self._partial(path, content) as partial:
            partial.replace(path)
            _sync_folder(path.parent)

    @contextlib.contextmanager
    def _partial(self, path: Path, content: BinaryIO) -> Iterator[Path]:
        """A synced file beside `path`, under a name that no listing shows; gone afterwards."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.parent / f".{uuid.uuid4().hex}{_PARTIAL}"
        try:
            with partial.open("xb") as stream:
                shutil.copyfileobj(content, stream)
                stream.flush()
                os.fsync(stream.fileno())
            yield partial
        finally:
            partial.unlink(missing_ok=True)


def _folder_of(prefix: str) -> str:
    """The folder part of a prefix, contained."""
    folder, _, start = prefix.rpartition("/")
    if prefix:
        contained("/".join(part for part in (folder, start or "x") if part or prefix.startswith("/")))
    return folder


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unlisted(error: OSError) -> None:
    """What cannot be listed is not empty; only what is no folder, or no more, is."""
    if error.errno not in {errno.ENOENT, errno.ENOTDIR}:
        with _told(Path(error.filename), _READ):
            raise error


_READ = "not permitted (expected what this user may read)"
_WRITE = "not permitted (expected a folder that this user may write)"
_REASONS = {
    errno.EROFS: "read-only file system (expected a folder that this user may write)",
    errno.ENOSPC: "the disk is full (expected free space)",
    errno.EDQUOT: "the disk quota is used up (expected free space)",
    errno.ENOTDIR: "a file stands where a folder is needed",
    errno.EISDIR: "a folder stands where an object is needed",
    errno.EEXIST: "a file stands where a folder is needed",
}


@contextlib.contextmanager
def _told(path: Path, forbidden: str = _WRITE) -> Iterator[None]:
    """Turn an operating system error into one line that names the path."""
    try:
        yield
    except FileNotFoundError as error:
        raise Missing(f"{path}: does not exist (expected an object)") from error
    except OSError as error:
        reason = _REASONS.get(error.errno or 0) or error.strerror or type(error).__name__
        if isinstance(error, PermissionError):
            reason = forbidden
        raise StorageError(f"{path}: {reason}") from error
