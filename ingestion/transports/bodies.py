"""Reading a reply's body without trusting its size.

httpx inflates a chunk whole before anyone can count it, so a few kilobytes could fill the memory; here
inflating stops at the cap. Only gzip is asked for and only gzip is read.
"""

import zlib

import httpx

ACCEPT_ENCODING = "gzip"
_STEP_BYTES = 1024 * 1024


class TooLarge(ValueError):
    """More bytes than the cap, on the wire or inflated."""


class Damaged(ValueError):
    """A body that ends too early or does not inflate."""


class UnknownEncoding(ValueError):
    """A content encoding that was not asked for."""


async def read_capped(response: httpx.Response, cap_bytes: int) -> bytes:
    """The body, inflated; raises `TooLarge`, `Damaged` or `UnknownEncoding`."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"gzip", "identity", ""}:
        raise UnknownEncoding(f"content encoding {encoding[:40]!r} (expected gzip or none)")
    inflate = _Gunzip(cap_bytes) if encoding == "gzip" else None
    wire_bytes = 0
    plain = bytearray()
    async for chunk in response.aiter_raw():
        wire_bytes += len(chunk)
        if wire_bytes > cap_bytes:
            raise TooLarge(f"too large: over {cap_bytes} bytes on the wire")
        if inflate is None:
            plain += chunk
        else:
            inflate.feed(chunk, plain)
    if inflate is not None and wire_bytes and not inflate.is_whole:
        raise Damaged("the gzip body ends too early")
    return bytes(plain)


class _Gunzip:
    """Inflates into a buffer, member after member, in steps that cannot overshoot the cap."""

    def __init__(self, cap_bytes: int) -> None:
        self._cap_bytes = cap_bytes
        self._member = _member()

    @property
    def is_whole(self) -> bool:
        return self._member.eof

    def feed(self, chunk: bytes, into: bytearray) -> None:
        rest, is_full = chunk, False
        while rest or is_full:
            if self._member.eof:
                self._member = _member()
            try:
                step = self._member.decompress(rest, _STEP_BYTES)
            except zlib.error as error:
                raise Damaged(f"the gzip body does not inflate ({error})") from error
            into += step
            if len(into) > self._cap_bytes:
                raise TooLarge(f"too large: over {self._cap_bytes} bytes inflated")
            rest = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            # A full step may have eaten all input and still hold output back.
            is_full = len(step) == _STEP_BYTES and not self._member.eof


def _member() -> "zlib._Decompress":
    return zlib.decompressobj(zlib.MAX_WBITS | 16)
