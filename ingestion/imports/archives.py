"""The files on disk: whole, unchanged, of the size that they say, with the columns that are documented.

A file is read through once before anything of it is kept, so that a bad one leaves nothing behind.
"""

import codecs
import hashlib
import re
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from typing import Protocol

from ingestion.imports.layouts import Layout

BLOCK_BYTES = 1024 * 1024
MAX_LINE_BYTES = 64 * 1024
# Market data shrinks to a fifth or a tenth; deflate can make a thousandth of zeros.
MAX_RATIO = 100
FREE_BYTES = 64 * BLOCK_BYTES  # inflated before the ratio is looked at

_GZIP = zlib.MAX_WBITS | 16
_UTF8 = codecs.getincrementaldecoder("utf-8")
_CHECKSUM = re.compile(r"([0-9a-fA-F]{64}) [ *](\S+)")

Told = Callable[[int], None]  # how many more bytes of the file are behind us


class BadFile(ValueError):
    """A file that is not what it should be: one line with its name, what was found and what was expected."""


class SourceFile(Protocol):
    """Which file of a vendor's it is."""

    @property
    def host(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def raw_dataset(self) -> str: ...
    @property
    def venue(self) -> str: ...
    @property
    def member(self) -> str | None: ...  # the one file in its zip archive
    @property
    def layouts(self) -> tuple[Layout, ...]: ...
    @property
    def period(self) -> tuple[datetime, datetime]: ...
    @property
    def has_changes(self) -> bool: ...
    @property
    def checksum_is_published(self) -> bool: ...


@dataclass(frozen=True)
class Archive:
    """A file that was read through and is what it says."""

    local: Path
    source: SourceFile
    layout: Layout
    has_header: bool
    sha256: str
    version: tuple[int, int]  # size and time of change, as read

    def lines(self, told: Told) -> Iterator[tuple[int, bytes]]:
        """Its lines but the header, numbered from 1; raises `BadFile`, also where it was changed meanwhile."""
        if _version(self.local) != self.version:
            raise BadFile(f"{self.local.name}: was changed while it was read")
        numbered = enumerate(_lines(self.local, self.source, told), start=1)
        if self.has_header:
            next(numbered)
        return numbered


def check(local: Path, source: SourceFile, told: Told, *, needs_checksum: bool = True) -> Archive:
    """Read a file through; raises `BadFile` with the reason why it cannot be taken."""
    version = _version(local)
    with _reading(local), local.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    if source.checksum_is_published:
        _hold_to_checksum(local, sha256, is_needed=needs_checksum)
    lines = _lines(local, source, told)
    first = next(lines, None)
    layout, has_header = (source.layouts[0], False) if first is None else _layout(local, source, first)
    if source.has_changes:
        _hold_in_order(local, lines)
    else:
        deque(lines, maxlen=0)
    return Archive(local, source, layout, has_header, sha256, version)


def _version(local: Path) -> tuple[int, int]:
    with _reading(local):
        told = local.stat()
    return told.st_size, told.st_mtime_ns


@contextmanager
def _reading(local: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadFile(f"{local}: {error.strerror} (expected a file)") from error


def _hold_to_checksum(local: Path, sha256: str, *, is_needed: bool) -> None:
    beside = local.with_name(local.name + ".CHECKSUM")
    if not beside.exists():
        if is_needed:
            raise BadFile(f"{local.name}: no {beside.name} beside it (expected one; --no-checksum does without)")
        return
    with _reading(beside), beside.open("rb") as stream:
        found = _CHECKSUM.fullmatch(stream.read(1000).decode(errors="replace").strip())
    if found is None or found[2] != local.name:
        raise BadFile(f"{beside.name}: no checksum of {local.name} (expected 64 hexadecimal digits and its name)")
    if found[1].lower() != sha256:
        raise BadFile(f"{local.name}: sha256 is {sha256[:16]}… (expected {found[1][:16]}…, as {beside.name} says)")


def _lines(local: Path, source: SourceFile, told: Told) -> Iterator[bytes]:
    blocks = _zip_blocks(local, source, told) if local.suffix == ".zip" else _gzip_blocks(local, told)
    decoder = _UTF8()
    rest = b""
    number = 0
    with _reading(local):
        for block in blocks:
            _hold_to_text(local, decoder, block, number)
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            number += len(lines)
            if len(rest) > MAX_LINE_BYTES:
                raise BadFile(f"{local.name}: line {number + 1} is over {MAX_LINE_BYTES} bytes long")
            yield from lines
    _hold_to_text(local, decoder, b"", number, is_end=True)
    if rest:
        yield rest


def _hold_to_text(
    local: Path, decoder: codecs.IncrementalDecoder, block: bytes, number: int, *, is_end: bool = False
) -> None:
    try:
        decoder.decode(block, is_end)
    except UnicodeDecodeError as error:
        raise BadFile(f"{local.name}: after line {number}: not UTF-8 (expected text)") from error


def _gzip_blocks(local: Path, told: Told) -> Iterator[bytes]:
    wire = inflated = 0
    member = zlib.decompressobj(_GZIP)
    with local.open("rb") as stream:
        while data := stream.read(BLOCK_BYTES):
            wire += len(data)
            told(len(data))
            is_full = False
            while data or is_full:
                if member.eof:
                    member = zlib.decompressobj(_GZIP)
                try:
                    block = member.decompress(data, BLOCK_BYTES)
                except zlib.error as error:
                    raise BadFile(f"{local.name}: damaged gzip stream ({error})") from error
                inflated += len(block)
                _hold_to_ratio(local, wire, inflated)
                yield block
                data = member.unused_data if member.eof else member.unconsumed_tail
                # A full block may have taken all input and still hold output back.
                is_full = len(block) == BLOCK_BYTES and not member.eof
    if wire == 0 or not member.eof:
        raise BadFile(f"{local.name}: the gzip stream ends too early (expected a whole file)")


def _zip_blocks(local: Path, source: SourceFile, told: Told) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(local) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            if names != [source.member]:
                held = ", ".join(repr(name[:80]) for name in names[:3]) or "nothing"
                raise BadFile(f"{local.name}: holds {held} (expected {source.member} alone)")
            [member] = members
            if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise BadFile(f"{local.name}: encrypted or packed by method {member.compress_type} (expected deflate)")
            inflated = 0
            with archive.open(member) as stream:
                while block := stream.read(BLOCK_BYTES):
                    inflated += len(block)
                    _hold_to_ratio(local, member.compress_size, inflated)
                    told(len(block) * member.compress_size // member.file_size)
                    yield block
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise BadFile(f"{local.name}: damaged zip archive ({error or 'it ends too early'})") from error


def _hold_to_ratio(local: Path, wire_bytes: int, inflated_bytes: int) -> None:
    if inflated_bytes > FREE_BYTES and inflated_bytes > MAX_RATIO * wire_bytes:
        raise BadFile(f"{local.name}: inflates to over {MAX_RATIO} times its size (expected market data)")


def _layout(local: Path, source: SourceFile, first: bytes) -> tuple[Layout, bool]:
    """What the lines are, by the header or, where there is none, by how many fields they have."""
    found = first.decode().rstrip("\r").split(",")
    usual = source.layouts[0]
    if not first[:1].isalpha():
        for layout in source.layouts:
            if len(layout.columns) == len(found):
                return layout, False
        raise BadFile(f"{local.name}: lines of {len(found)} columns (expected {len(usual.columns)})")
    for layout in source.layouts:
        if list(layout.columns) == found:
            return layout, True
    pairs = zip_longest(found, usual.columns)
    place, (is_, expected) = next((n, pair) for n, pair in enumerate(pairs, start=1) if pair[0] != pair[1])
    raise BadFile(f"{local.name}: column {place} is {_quoted(is_)} (expected {_quoted(expected)})")


def _quoted(name: str | None) -> str:
    return "absent" if name is None else repr(name[:80])


def _hold_in_order(local: Path, lines: Iterator[bytes]) -> None:
    """Changes add up only in order, and of one book."""
    symbol, before = b"", b""
    for number, line in enumerate(lines, start=2):
        fields = line.split(b",", 4)
        if len(fields) < 5:
            continue
        if symbol and fields[1] != symbol:
            found, held = fields[1].decode()[:40], symbol.decode()[:40]
            raise BadFile(f"{local.name}: line {number} is of {found}, others of {held} (expected one book a file)")
        if len(fields[3]) == len(before) and fields[3] < before:
            raise BadFile(f"{local.name}: line {number}: local_timestamp runs back (expected the order of arrival)")
        symbol, before = fields[1], fields[3]
