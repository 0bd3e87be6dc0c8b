"""`barograph record` in a process of its own: what was had when it was stopped, and what follows when it was killed."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from websockets.asyncio.server import ServerConnection

from ingestion.envelopes import Envelope
from ingestion.raw import RawZone
from ingestion.recorder.spool import read_mark
from ingestion.venues import VENUES
from tests.stream_server import InThread
from tests.test_recorder import at_of, frames, kept, notes, raw_zone

WITHIN_S = 60.0


class TestTheCommand:
    """`barograph record` in a process of its own, against a server in the place of all venues."""

    def test_sigterm_writes_everything_that_was_sent_and_says_so(self, tmp_path: Path) -> None:
        with sending(400) as (server, sent), recorder_process(tmp_path, server.address) as process:
            assert sent.wait(WITHIN_S)
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=WITHIN_S)

        found = kept(raw_zone(tmp_path), "binance_spot")
        assert process.returncode == 0, output
        assert numbers(found) == list(range(1, 401))
        assert notes(found).count("stopped") == len(VENUES["binance_spot"].streams)
        assert re.search(rf"binance_spot\s+│\s+{len(found)}\s+│\s+0", output), output

    def test_kill_9_loses_what_was_not_flushed_and_the_next_recorder_says_so(self, tmp_path: Path) -> None:
        raw = raw_zone(tmp_path)
        with sending(400) as (server, sent):
            with recorder_process(tmp_path, server.address, flush_s=0.2) as process:
                assert sent.wait(WITHIN_S)
                while not is_marked(raw):
                    assert process.poll() is None
                process.kill()
                process.communicate(timeout=WITHIN_S)
            first = kept(raw, "binance_spot")
            sent.clear()
            with recorder_process(tmp_path, server.address) as process:
                assert sent.wait(WITHIN_S)
                process.send_signal(signal.SIGTERM)
                output, _ = process.communicate(timeout=WITHIN_S)
        second = kept(raw, "binance_spot")[len(first) :]
        killed = next(json.loads(e.reply_bytes) for e in second if e.method == "NOTE")

        assert numbers(first) == list(range(1, len(numbers(first)) + 1))
        assert killed["event"] == "killed"
        assert datetime.fromisoformat(killed["since_ts"]) == at_of(first[-1])
        assert "ended without a word" in output

    def test_kill_9_before_anything_was_flushed_is_told_by_the_next_recorder_too(self, tmp_path: Path) -> None:
        raw = raw_zone(tmp_path)
        with sending(400) as (server, sent):
            with recorder_process(tmp_path, server.address) as process:
                assert sent.wait(WITHIN_S)
                process.kill()
                process.communicate(timeout=WITHIN_S)
            assert kept(raw, "binance_spot") == []
            began = read_mark(raw.store, "binance_spot")
            sent.clear()
            with recorder_process(tmp_path, server.address) as process:
                assert sent.wait(WITHIN_S)
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=WITHIN_S)
        killed = next(json.loads(e.reply_bytes) for e in kept(raw, "binance_spot") if e.method == "NOTE")

        assert began is not None
        assert killed["event"] == "killed"
        assert datetime.fromisoformat(killed["since_ts"]) == began.written_ts

    def test_references_are_swept_beside_the_streams(self, tmp_path: Path) -> None:
        """Coinbase streams the tickers of bitcoin and ether; what a stablecoin is worth comes by REST alone."""
        asked = threading.Event()

        def rest(path: str) -> None:
            if path == "/products/USDT-USD/ticker":
                asked.set()

        async def talk(socket: ServerConnection) -> None:
            await socket.wait_closed()

        with InThread(talk, rest) as server, recorder_process(tmp_path, server.address, venue="coinbase") as process:
            assert asked.wait(WITHIN_S)
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=WITHIN_S)

        assert process.returncode == 0, output

    def test_what_cannot_be_recorded_is_one_clear_line(self, tmp_path: Path) -> None:
        with recorder_process(tmp_path, "http://127.0.0.1:9", venue="ethereum") as process:
            output, _ = process.communicate(timeout=WITHIN_S)

        assert process.returncode == 1
        assert "venues ethereum: none of them has streams" in output
        assert not (tmp_path / "lake").exists()


def is_marked(raw: RawZone) -> bool:
    """Whether something is written, and the mark tells of the last of it."""
    mark, found = read_mark(raw.store, "binance_spot"), kept(raw, "binance_spot")
    return mark is not None and bool(found) and mark.written_ts == at_of(found[-1])


def numbers(found: list[Envelope]) -> list[int]:
    return [json.loads(body)["data"]["a"] for body in frames(found) if b"aggTrade" in body]


@contextmanager
def sending(count: int) -> Iterator[tuple[InThread, threading.Event]]:
    """A server that sends so many trades to whoever asks for them, and says when it has."""
    sent = threading.Event()

    async def talk(socket: ServerConnection) -> None:
        if "aggTrade" in str(await socket.recv()):
            for number in range(1, count + 1):
                trade = {"e": "aggTrade", "E": 1_700_000_000_000, "s": "BTCUSDT", "a": number, "p": "1.0", "q": "1.0"}
                trade |= {"f": number, "l": number, "T": 1_700_000_000_000, "m": False, "M": True}
                await socket.send(json.dumps({"stream": "btcusdt@aggTrade", "data": trade}))
            await (await socket.ping())  # all of it has been read
            sent.set()
        await socket.wait_closed()

    with InThread(talk) as server:
        yield server, sent


@contextmanager
def recorder_process(
    folder: Path, address: str, *, flush_s: float = 30.0, venue: str = "binance_spot"
) -> Iterator["subprocess.Popen[str]"]:
    command = [str(Path(sys.executable).with_name("barograph")), "record", "--venue", venue]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BAROGRAPH_")}
    process = subprocess.Popen(
        [*command, "--lake-uri", str(folder / "lake"), "--flush-seconds", str(flush_s)],
        env=environment | {"BAROGRAPH_BASE_URL": address},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate(timeout=WITHIN_S)
