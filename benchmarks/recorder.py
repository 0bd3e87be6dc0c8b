"""How much the recorder takes in, and whether its memory stays where it is however much comes.

    .venv/bin/python benchmarks/recorder.py [--messages 10000000]

A server in a process of its own sends numbered diffs of a book as fast as they are taken; the recorder writes them to a
folder. Its resident memory is told after each tenth. The first tenth is the baseline: ratios should stay near 1.
"""

import argparse
import asyncio
import json
import multiprocessing
import tempfile
import time
from multiprocessing.synchronize import Event
from pathlib import Path

from rich.console import Console
from rich.table import Table
from websockets.asyncio.server import ServerConnection, serve

from ingestion.raw import RawZone
from ingestion.recorder import Recorder
from ingestion.storage import Store
from ingestion.transports.base import SystemClock
from tests.stream_server import PLAN, Rests, toy

LEVELS = 20
TENTHS = 10


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--messages", type=int, default=10_000_000)
    messages = arguments.parse_args().messages
    context = multiprocessing.get_context("spawn")
    ports, ended = context.Queue(), context.Event()
    server = context.Process(target=_serve, args=(messages, ports, ended), daemon=True)
    server.start()
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(_record(Path(folder), f"http://127.0.0.1:{ports.get()}", messages))
    ended.set()
    server.join()
    table = Table("messages", "messages/s", "resident MiB", "to the first tenth")
    for taken, per_s, mib in rows:
        table.add_row(f"{taken:,}", f"{per_s:,.0f}", f"{mib:.0f}", f"{mib / rows[0][2]:.2f}")
    Console(width=100).print(table)


async def _record(folder: Path, server: str, messages: int) -> list[tuple[int, float, float]]:
    async def whole(request: object) -> object:
        return {"id": 0, "b": [], "a": []}

    raw = RawZone(Store.open(str(folder)))
    recorder = Recorder([toy()], raw, Rests(whole), SystemClock(), server=server, max_age_s=5.0)
    spool, stop = recorder.spools["toy"], asyncio.Event()
    work = asyncio.create_task(recorder.run(PLAN, stop))
    rows = []
    started = time.monotonic()
    for tenth in range(1, TENTHS + 1):
        wanted = messages * tenth // TENTHS
        while spool.taken_count < wanted:
            await asyncio.sleep(0.2)
        rows.append((spool.taken_count, spool.taken_count / (time.monotonic() - started), _resident_mib()))
    stop.set()
    await work
    return rows


def _resident_mib() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _serve(messages: int, ports: "multiprocessing.Queue[int]", ended: Event) -> None:
    asyncio.run(_send(messages, ports, ended))


async def _send(messages: int, ports: "multiprocessing.Queue[int]", ended: Event) -> None:
    async def talk(socket: ServerConnection) -> None:
        await socket.recv()
        for number in range(1, messages + 1):
            side = [[100.0 + (number * 7 + level) % 50, number % 9 + 1.0] for level in range(LEVELS // 2)]
            await socket.send(json.dumps({"id": number, "b": side, "a": side}))
        await socket.wait_closed()

    async with serve(talk, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        ports.put(next(iter(server.sockets)).getsockname()[1])
        await asyncio.get_running_loop().run_in_executor(None, ended.wait)


if __name__ == "__main__":
    main()
