"""An envelope gives back the reply's bytes exactly, and a damaged file is refused by name and line."""

import io
import itertools
import random
from datetime import UTC, datetime

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ingestion.envelopes import Envelope, Lines, Unreadable, pack, seal, unpack, unpack_lines
from ingestion.venues.base import Refused, Reply

AT = datetime(2026, 1, 2, 13, 0, 5, 123456, tzinfo=UTC)


def sealed(body: bytes) -> Envelope:
    return seal(venue="okx", host="h", path="/p", query="a=1", status=200, captured_ts=AT, body=body)


@given(st.binary(max_size=200) | st.sampled_from([b'{"a": 1.10}', b"[1,2]\n", b"<html>\r\n", b"", b"1e400", b"NaN"]))
def test_a_reply_comes_back_byte_for_byte(body: bytes) -> None:
    [envelope] = unpack(io.BytesIO(pack([sealed(body)])), "one")

    assert envelope.reply_bytes == body
    assert envelope.at == AT


def test_the_same_replies_are_the_same_object() -> None:
    assert pack([sealed(b"{}"), sealed(b"[]")]) == pack([sealed(b"{}"), sealed(b"[]")])


def test_frames_one_after_another_are_one_file() -> None:
    """Appended captures are separate zstd frames."""
    both = pack([sealed(b"1")]) + pack([sealed(b"2")])

    assert [envelope.reply_bytes for envelope in unpack(io.BytesIO(both), "two")] == [b"1", b"2"]


@pytest.mark.parametrize("kept", [5, 40, 100])
def test_a_file_cut_short_is_refused_not_read_as_a_shorter_one(kept: int) -> None:
    packed = pack([sealed(b'{"a":"%d"}' % n) for n in range(50)])

    with pytest.raises(Unreadable, match="cut line 1: damaged zstd stream"):
        list(unpack(io.BytesIO(packed[:kept]), "cut"))


@pytest.mark.parametrize("at_once", [1, 1_000_000])
def test_lines_before_the_damage_are_not_lost(at_once: int) -> None:
    dice = random.Random(1)
    packed = pack([sealed(b'"%b"' % dice.randbytes(500).hex().encode()) for _ in range(1_000)])
    whole = list(unpack(io.BytesIO(packed), "whole"))
    found: list[Lines] = []

    with pytest.raises(Unreadable, match=r"cut line 7\d\d: damaged zstd stream"):
        found.extend(unpack_lines(io.BytesIO(packed[: len(packed) * 85 // 100]), "cut", at_once))
    envelopes = [envelope for lines in found for envelope in lines.envelopes()]
    assert envelopes == whole[: len(envelopes)]
    assert [lines.before for lines in found[1:]] == list(
        itertools.accumulate(each.text.count(b"\n") for each in found)
    )[:-1]


@pytest.mark.parametrize("at_once", [1, 3_000, 1_000_000])
def test_lines_come_whole_however_many_at_once(at_once: int) -> None:
    packed = pack([sealed(b'{"a":"%d"}' % n) for n in range(2_000)])
    found = list(unpack_lines(io.BytesIO(packed), "it", at_once))

    assert b"".join(lines.text for lines in found) == zstandard.ZstdDecompressor().decompress(packed)
    assert all(lines.text.endswith(b"\n") for lines in found)
    assert [envelope for lines in found for envelope in lines.envelopes()] == list(unpack(io.BytesIO(packed), "it"))


@pytest.mark.parametrize("line", [b"{}\n", b"not json\n", b'{"venue":1}\n', b"[" * 100_000 + b"\n"])
def test_a_line_that_is_no_envelope_is_named(line: bytes) -> None:
    good = zstandard.ZstdDecompressor().decompress(pack([sealed(b"1")]), max_output_size=10_000)

    with pytest.raises(Unreadable, match="odd line 2: not an envelope"):
        list(unpack(io.BytesIO(good + line), "odd"))


def test_a_recording_without_a_clock_cannot_be_placed() -> None:
    line = b'{"venue":"okx","path":"/p","status":200,"recorded_at":null,"body":{}}\n'
    [envelope] = unpack(io.BytesIO(line), "undated")

    assert envelope.at is None
    with pytest.raises(Unreadable, match="no capture time"):
        envelope.reply()


class TestWhatWasPosted:
    """Some venues take their questions as JSON bodies; what was asked is needed to read what came back."""

    def test_it_is_kept_as_it_was_sent_and_read_by_dotted_names(self) -> None:
        asked = '{"type":"candleSnapshot","req":{"coin":"BTC","startTime":1700000000000},"also":[true,"x"]}'
        sealed = seal(venue="v", host="h", path="/info", query="", status=200, captured_ts=AT, body=b"[]", asked=asked)
        [again] = unpack(io.BytesIO(pack([sealed])), "it")

        assert again.method == "POST"
        assert again.asked == asked
        assert again.reply().query == {
            "type": "candleSnapshot",
            "req.coin": "BTC",
            "req.startTime": "1700000000000",
            "also.0": "true",
            "also.1": "x",
        }

    @pytest.mark.parametrize("written", ['{"type":"meta"}', '"{\\"type\\":\\"meta\\"}"'], ids=["as JSON", "as text"])
    def test_recordings_may_keep_it_either_way(self, written: str) -> None:
        asked_and_when = f'"request":{written},"recorded_at":"2026-01-02T00:00:00Z"'
        line = f'{{"venue":"v","path":"/info",{asked_and_when},"status":200,"body":1}}'
        [envelope] = unpack(io.BytesIO(line.encode()), "it")

        assert envelope.reply().query == {"type": "meta"}

    def test_a_question_that_is_no_json_refuses_the_reply(self) -> None:
        with pytest.raises(Refused, match="what was asked is no JSON"):
            Reply.read("/info", "", b"[]", AT, "{type: meta}")
