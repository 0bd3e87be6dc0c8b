"""A loop that a signal ends before it is raised."""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

INTERRUPTED = "interrupted; readers keep what was published, and a new run begins the hours anew"
ENDING = (signal.SIGTERM, signal.SIGINT)


def signalled(work: Coroutine[Any, Any, T]) -> T:
    """Run it in a loop of its own; SIGTERM and SIGINT end it, and are raised once it has ended.

    Dagster's handlers raise an exception where the signal finds the program: inside a loop that is any task, which may
    keep it to itself, and the run goes on as if nobody had asked.
    """
    if threading.current_thread() is not threading.main_thread():
        return asyncio.run(work)
    told: list[int] = []
    before = {number: signal.getsignal(number) for number in ENDING}

    async def watched() -> T:
        ends = asyncio.ensure_future(work)

        def end(number: int) -> None:
            told.append(number)
            ends.cancel()

        for number in ENDING:
            asyncio.get_running_loop().add_signal_handler(number, end, number)
        return await ends

    try:
        return asyncio.run(watched())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if told:
            signal.raise_signal(told[0])
