"""A transport gives the venue's reply, verbatim, or says in one line why there is none."""

import gzip
import json
import random
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable

import httpx
import msgspec
import pytest
import zstandard

from ingestion.transports.base import CaptureFailed
from ingestion.transports.live import MAX_BODY_BYTES, LiveTransport
from ingestion.venues.base import Request
from tests.venue_server import NOW, Chunks, Handler, Seconds, answers, asked, live, says


def refused(handler: Handler, max_body_bytes: int = MAX_BODY_BYTES) -> str:
    """The reason why there was no reply."""
    with pytest.raises(CaptureFailed) as caught:
        asked(live(handler, max_body_bytes=max_body_bytes))
    assert str(caught.value) == f"okx /depth: {caught.value.reason}"
    assert "\n" not in caught.value.reason
    return caught.value.reason


class TestAReply:
    def test_is_kept_verbatim_with_what_was_asked_and_when_it_came(self) -> None:
        handler, heard = answers(says(200, b'{"px": 1.10}'))
        envelope = asked(live(handler))

        assert envelope.reply_bytes == b'{"px": 1.10}'
        assert (envelope.venue, envelope.host, envelope.path) == ("okx", "okx.test", "/depth")
        assert (envelope.query, envelope.status, envelope.at) == ("symbol=BTC&limit=5", 200, NOW)
        assert str(heard[0].url) == "https://okx.test/depth?symbol=BTC&limit=5"
        assert heard[0].headers["user-agent"].startswith("barograph/")

    def test_is_asked_for_in_the_very_words_of_the_request(self) -> None:
        handler, heard = answers(says(200, b"[]"))
        request = Request("/t", (("symbols", '["BTCUSDT","ETHUSDT"]'), ("a b", "c&d=e+f")))
        assert asked(live(handler), request).query == request.query_string
        assert heard[0].url.query.decode() == request.query_string

    def test_may_come_from_one_server_in_every_venues_place(self) -> None:
        handler, heard = answers(says(200, b"[]"))
        transport = LiveTransport("http://127.0.0.1:1/sandbox/", transport=httpx.MockTransport(handler))
        assert asked(transport, Request("/depth")).host == "127.0.0.1"
        assert str(heard[0].url) == "http://127.0.0.1:1/sandbox/depth"
        with pytest.raises(ValueError, match=r"base URL 'venue\.test': expected http://host"):
            LiveTransport("venue.test")

    def test_may_be_to_a_post_whose_body_goes_out_as_it_stands(self) -> None:
        handler, heard = answers(says(200, b"[]"))
        envelope = asked(live(handler), Request.post("/info", {"type": "l2Book", "coin": "BTC"}))

        assert (heard[0].method, heard[0].content) == ("POST", b'{"type":"l2Book","coin":"BTC"}')
        assert heard[0].headers["content-type"] == "application/json"
        assert (envelope.method, envelope.asked) == ("POST", '{"type":"l2Book","coin":"BTC"}')

    def test_of_one_venue_may_come_from_another_address(self) -> None:
        handler, heard = answers(says(200, b"[]"))
        own = {"okx": "https://node.test/secret-key"}
        envelope = asked(LiveTransport(base_urls=own, transport=httpx.MockTransport(handler)), Request("/depth"))

        assert str(heard[0].url) == "https://node.test/secret-key/depth"
        assert b"secret-key" not in msgspec.json.encode(envelope)

    @pytest.mark.parametrize("members", [1, 3])
    def test_is_inflated(self, members: int) -> None:
        body = json.dumps(random.Random(7).choices(range(10), k=3_000_000)).encode()
        size = len(body) // members + 1
        packed = b"".join(gzip.compress(body[n : n + size], 1) for n in range(0, len(body), size))
        handler, heard = answers(says(200, packed, {"content-encoding": "gzip"}))

        assert asked(live(handler)).reply_bytes == body
        assert heard[0].headers["accept-encoding"] == "gzip"


class TestAHostileBody:
    @pytest.mark.parametrize("in_one_piece", [True, False])
    def test_that_inflates_beyond_the_cap_is_cut_off_there(self, in_one_piece: bool) -> None:
        """256 MiB of zeros from 256 KiB: memory stays near the cap of 4 MiB."""
        packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
        bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()

        def handler(request: httpx.Request) -> httpx.Response:
            stream = Chunks(bomb, len(bomb) if in_one_piece else 1024)
            return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=stream)

        tracemalloc.start()
        reason = refused(handler, max_body_bytes=4 << 20)
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

        assert reason == "too large: over 4194304 bytes inflated"
        assert peak_bytes < 24 << 20

    def test_that_never_ends_is_cut_off_at_the_cap(self) -> None:
        class Endless(httpx.AsyncByteStream):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                while True:
                    yield b"1" * 65536

        reason = refused(lambda _: httpx.Response(200, stream=Endless()), max_body_bytes=1 << 20)
        assert reason == "too large: over 1048576 bytes on the wire"

    def test_in_an_encoding_that_was_not_asked_for_is_not_inflated(self) -> None:
        bomb = zstandard.compress(bytes(1 << 20))
        reason = refused(lambda _: says(200, bomb, {"content-encoding": "zstd"}))
        assert reason == "content encoding 'zstd' (expected gzip or none)"

    def test_nested_beyond_reading_is_refused(self) -> None:
        handler, heard = answers(says(200, b"[" * 100_000 + b"]" * 100_000))
        assert refused(handler) == "JSON nested too deep"
        assert len(heard) == 1

    @pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b[:40] + b"\0" * 9 + b[49:]])
    def test_that_does_not_inflate_is_asked_for_again(self, damage: Callable[[bytes], bytes]) -> None:
        body = json.dumps(list(range(1000))).encode()
        bodies = [damage(gzip.compress(body)), gzip.compress(body)]

        def handler(request: httpx.Request) -> httpx.Response:
            return says(200, bodies.pop(0), {"content-encoding": "gzip"})

        assert asked(live(handler)).reply_bytes == body


class TestAFailure:
    @pytest.mark.parametrize(
        "failure",
        [
            says(500, b"oops"),
            says(502),
            says(503, b"<html>"),
            says(200, b"<html>Scheduled maintenance</html>"),
            says(200, b""),
            says(200, b'{"cut": "sho'),
            httpx.ReadTimeout("slow"),
            httpx.ConnectError("refused"),
            httpx.RemoteProtocolError("peer closed connection"),
        ],
        ids=repr,
    )
    def test_that_may_pass_is_retried_after_growing_jittered_waits(self, failure: httpx.Response | Exception) -> None:
        handler, heard = answers(failure, failure, says(200, b"[]"))
        seconds = Seconds()
        assert asked(live(handler, seconds)).reply_bytes == b"[]"
        assert len(heard) == 3
        assert len(seconds.slept) == 2
        assert 0 <= seconds.slept[0] <= 0.5
        assert 0 <= seconds.slept[1] <= 1.0

    @pytest.mark.parametrize(
        ("failure", "reason"),
        [
            (says(500, b"oops\n\x00there"), "status 500: oops there (4 attempts)"),
            (
                says(200, b"<html>Scheduled maintenance</html>"),
                "not JSON: <html>Scheduled maintenance</html> (4 attempts)",
            ),
            (says(200, b""), "not JSON: an empty body (4 attempts)"),
            (httpx.ReadTimeout("slow"), "ReadTimeout: slow (4 attempts)"),
            (httpx.ConnectError("refused"), "ConnectError: refused (4 attempts)"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_that_does_not_pass_is_reported_after_four_attempts(
        self, failure: httpx.Response | Exception, reason: str
    ) -> None:
        handler, heard = answers(failure)
        assert refused(handler) == reason
        assert len(heard) == 4

    @pytest.mark.parametrize("status", [301, 400, 401, 404, 451])
    def test_of_our_own_making_is_not_repeated(self, status: int) -> None:
        body = b'{"code":-1121,"msg":"Invalid symbol."}' + b" " * 9 + b"x" * 500
        handler, heard = answers(says(status, body))
        reason = refused(handler)
        assert reason.startswith(f'status {status}: {{"code":-1121,"msg":"Invalid symbol."}} xxx')
        assert len(reason) <= 220
        assert len(heard) == 1
