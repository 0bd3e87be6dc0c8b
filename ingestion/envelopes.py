"""The envelope: one exchange reply, verbatim, on one line of JSON.

A JSON body stands in the line exactly as it came. A body that is no JSON, or that holds a line break, is
kept as text (`encoding: "text"`) or, where it is not UTF-8, as base64.
Recordings made by others carry `recorded_at` where our own raw zone carries `captured_ts`.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, BinaryIO, Literal, NamedTuple
from urllib.parse import parse_qsl

import msgspec
import numpy as np
import pyarrow as pa
import zstandard

from ingestion.venues.base import Reply

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
MAX_LINE_BYTES = 256 * 1024 * 1024
_READ_BYTES = 64 * 1024  # of text


class Unreadable(ValueError):
    """An envelope file that cannot be read; the message names the file, the line and what was expected."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One reply and what was asked. `body` holds raw JSON bytes; see `encoding`."""

    venue: str
    method: str = "GET"
    host: str = ""
    path: str
    query: str = ""
    request: msgspec.Raw = msgspec.Raw(b"null")
    status: int
    captured_ts: str | None = None
    recorded_at: str | None = None
    encoding: Literal["json", "text", "base64"] = "json"
    body: msgspec.Raw

    @property
    def at(self) -> datetime | None:
        """Our clock at the reply, UTC; none where the source did not keep it."""
        text = self.captured_ts or self.recorded_at
        return None if text is None else datetime.fromisoformat(text).astimezone(UTC)

    @property
    def reply_bytes(self) -> bytes:
        """The reply's body, byte for byte."""
        if self.encoding == "json":
            return bytes(self.body)
        text: str = msgspec.json.decode(self.body, type=str)
        return base64.b64decode(text) if self.encoding == "base64" else text.encode()

    @property
    def asked(self) -> str | None:
        """The body of a POST as JSON text; recordings keep it as text or as the JSON itself."""
        raw = bytes(self.request)
        if raw == b"null":
            return None
        return str(msgspec.json.decode(raw)) if raw.startswith(b'"') else raw.decode()

    def reply(self) -> Reply:
        at = self.at
        if at is None:
            raise Unreadable(f"{self.venue} {self.path}: the envelope has no capture time")
        asked = self.asked
        if asked is None:
            return Reply(self.path, _said(self.query), self.reply_bytes, at)
        return Reply.read(self.path, self.query, self.reply_bytes, at, asked)

    def answer_to(self, asked: Reply) -> Reply:
        """As `reply`, where what was asked has been read before; so answers to one question share it."""
        text = self.captured_ts or self.recorded_at
        if text is None:
            raise Unreadable(f"{self.venue} {self.path}: the envelope has no capture time")
        at = datetime.fromisoformat(text)
        body = bytes(self.body) if self.encoding == "json" else self.reply_bytes
        return Reply(asked.path, asked.query, body, at if at.tzinfo is UTC else at.astimezone(UTC))


@lru_cache(maxsize=4096)
def _said(query: str) -> Mapping[str, str]:
    # Thousands of replies answer the same question; as all share this, none may change it.
    return MappingProxyType(dict(parse_qsl(query, keep_blank_values=True)))


_DECODER = msgspec.json.Decoder(Envelope)
_ENCODER = msgspec.json.Encoder()


def seal(
    *,
    venue: str,
    host: str,
    path: str,
    query: str,
    status: int,
    captured_ts: datetime,
    body: bytes,
    asked: str | None = None,
) -> Envelope:
    """Wrap a reply so that its bytes can be had back exactly; `asked` is the body of a POST."""
    raw, encoding = _embed(body)
    return Envelope(
        venue=venue,
        method="GET" if asked is None else "POST",
        host=host,
        path=path,
        query=query,
        request=msgspec.Raw(b"null") if asked is None else msgspec.Raw(msgspec.json.encode(asked)),
        status=status,
        captured_ts=captured_ts.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        encoding=encoding,
        body=raw,
    )


def _embed(body: bytes) -> tuple[msgspec.Raw, Literal["json", "text", "base64"]]:
    if b"\n" not in body and b"\r" not in body and body == body.strip():
        try:
            msgspec.json.decode(body, type=msgspec.Raw)
            body.decode()
            return msgspec.Raw(body), "json"
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    try:
        return msgspec.Raw(msgspec.json.encode(body.decode())), "text"
    except UnicodeDecodeError:
        return msgspec.Raw(msgspec.json.encode(base64.b64encode(body).decode())), "base64"


def pack(envelopes: Iterable[Envelope]) -> bytes:
    """Envelopes as one zstd-compressed JSONL object; the same envelopes give the same bytes."""
    lines = b"".join(_ENCODER.encode(envelope) + b"\n" for envelope in envelopes)
    return zstandard.ZstdCompressor(level=3).compress(lines)


def digest(packed: bytes) -> str:
    """The content's name in a raw object's key."""
    return hashlib.sha256(packed).hexdigest()[:16]


class Lines(NamedTuple):
    """Some of a file's lines, each of them ended but for the very last of the file."""

    text: bytes
    before: int  # lines
    name: str  # of the file

    def envelopes(self) -> Iterable[Envelope]:
        """An envelope a line; raises `Unreadable` where one is none."""
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found = _DECODER.decode_lines(self.text)
            if len(found) == _ended_in(self.text) + (not self.text.endswith(b"\n")):  # an empty line is no envelope
                return found
        return self._each()

    def _each(self) -> Iterator[Envelope]:
        for number, line in enumerate(self.text.removesuffix(b"\n").split(b"\n"), self.before + 1):
            try:
                yield _DECODER.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise Unreadable(f"{self.name} line {number}: not an envelope ({error})") from error


def unpack(stream: BinaryIO, name: str) -> Iterator[Envelope]:
    """Envelopes of one `.jsonl.zst` or `.jsonl` file, streaming; raises `Unreadable` naming file and line."""
    for lines in unpack_lines(stream, name):
        yield from lines.envelopes()


def unpack_lines(stream: BinaryIO, name: str, at_once: int = 1) -> Iterator[Lines]:
    """Its lines, at least so many bytes at once; raises `Unreadable`, naming file and line, after them."""
    number = 0  # of lines that were given
    whole, begun = list[bytes](), list[bytes]()  # lines that have ended, and one that has not
    whole_bytes = begun_bytes = 0
    for block, damage in _blocks(stream):
        ended = block.rfind(b"\n") + 1
        if ended or not (block or damage):  # the very last line need not end
            whole += [*begun, block[:ended]]
            whole_bytes += begun_bytes + ended
            begun, begun_bytes = [], 0
        begun.append(block[ended:])
        begun_bytes += len(block) - ended
        if whole_bytes and (whole_bytes >= at_once or not block or begun_bytes >= MAX_LINE_BYTES):
            yield (lines := Lines(b"".join(whole), number, name))
            number += _ended_in(lines.text)
            whole, whole_bytes = [], 0
        if damage is not None:
            raise Unreadable(f"{name} line {number + 1}: damaged zstd stream ({damage})") from damage
        if begun_bytes >= MAX_LINE_BYTES:
            raise Unreadable(f"{name} line {number + 1}: longer than {MAX_LINE_BYTES} bytes")


def _blocks(stream: BinaryIO) -> Iterator[tuple[bytes, OSError | None]]:
    """Text block by block; the last has none, but what is wrong with the stream if anything is."""
    head = stream.read(4)
    stream.seek(0)
    # Arrow's reader says when the stream ends inside a frame; zstandard's takes that for the end.
    plain: Any = pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), "zstd") if head == ZSTD_MAGIC else stream  # type: ignore[arg-type]
    try:
        while block := plain.read(_READ_BYTES):
            yield block, None
    except OSError as error:
        yield b"", error
    else:
        yield b"", None


def _ended_in(text: bytes) -> int:
    """How many lines end; `bytes.count` takes ten times as long."""
    return int(np.count_nonzero(np.frombuffer(text, dtype=np.uint8) == ord("\n")))
