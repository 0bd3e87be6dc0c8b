"""Many replies of one kind at once, straight to columns: what their parser says of them, several times sooner.

Only what is plain is read so. A reply with anything odd in it is left to the parser, which alone decides what is
refused and why; so the rows are the parser's own, whichever way they were read.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ingestion.columns import INSTANT, as_instants
from ingestion.records import Record
from ingestion.venues.base import Reject, Reply

# What reading may raise over a reply that is not plain; `Refused` is among them.
SLIPS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)

Table = tuple[type[Record], pa.Table]


class Unplain(ValueError):
    """Something in a reply that only its parser can judge."""


class Odd(ValueError):
    """Replies, by place, of which only when all were put together it was seen that they are not plain."""

    def __init__(self, places: Sequence[int]) -> None:
        super().__init__(f"{len(places)} replies")
        self.places = places


class Joined(NamedTuple):
    """The rows of plain replies, by record, and the places of those that are not."""

    tables: list[Table]
    unplain: list[int]


class Bulk(ABC):
    """The parser of an endpoint, that can read many of its replies at once too."""

    @abstractmethod
    def __call__(self, reply: Reply) -> Iterator[Record | Reject]:
        """Read one reply, row by row, as `Endpoint.parse`."""

    @abstractmethod
    def read_all(self, hour: datetime, replies: Sequence[Reply]) -> Joined:
        """Read what is plain of these replies."""


def clocks(hour: datetime, replies: Sequence[Reply], rows: "pa.Array[Any]") -> dict[str, Any]:
    """The hour and our clock, of rows that came in these replies."""
    [hour_us] = as_instants([hour])
    captured = pa.array(as_instants([reply.captured_ts for reply in replies]), INSTANT)
    return {
        "utc_hour": pa.array(np.full(len(rows), hour_us), INSTANT),
        "captured_ts": captured.take(rows),
    }
