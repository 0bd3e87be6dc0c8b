"""One kind of CSV: its columns, where in time a line belongs, and how lines become rows.

No vendor's format has quotes, so that a line's fields are what stands between its commas. They are decoded by type:
`nan`, `1_000`, a missing field or one too many refuse the line.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, TypeVar

import msgspec

from ingestion.imports.parts import Part
from ingestion.records import DATASET_OF, FutureTicker, Kind, OptionQuote, PerpTicker, Record, SpotTicker
from ingestion.venues.base import UNKNOWN_SIDE, Refused, Reject, Venue

R = TypeVar("R", bound="Row")

TICKERS: dict[Kind, type[SpotTicker] | type[OptionQuote]] = {
    "spot": SpotTicker,
    "future": FutureTicker,
    "perp": PerpTicker,
    "option": OptionQuote,
}

TICKER_DATASETS = {kind: DATASET_OF[ticker] for kind, ticker in TICKERS.items()}

_PLACE = re.compile(r"\$\[(\d+)\]")


class Row(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """A line, field by field; the names are the columns."""


@dataclass(frozen=True)
class Layout:
    """One kind of CSV.

    `clock` reads off a line the microsecond by which it is placed in an hour; ValueError or LookupError if it has none.
    `every_s`: the source tells every change, and the lake keeps each symbol's last line of every such stretch.
    """

    dataset: str | None  # of the lake, that its lines fill; none: the tickers of their instruments' kind
    row: type[Row]
    clock: Callable[[bytes], int]
    every_s: int | None = None
    symbol: Callable[[bytes], bytes] = field(default=lambda line: b"")  # what is kept apart by `every_s`

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(each.encode_name for each in msgspec.structs.fields(self.row))

    @cached_property
    def decoder(self) -> msgspec.json.Decoder[Any]:
        return msgspec.json.Decoder(self.row, strict=False)

    @property
    def stretch_us(self) -> int:
        """No part ends within such a stretch; 0: it may end between any two lines."""
        return (self.every_s or 0) * 1_000_000

    def decode(self, line: bytes) -> Any:
        """The line as this layout's row; raises `Refused`, naming the column."""
        if b'"' in line or b"\\" in line:
            raise Refused("schema", "a quote or backslash, which this format does not have")
        try:
            return self.decoder.decode(b'["' + line.rstrip(b"\r").replace(b",", b'","') + b'"]')
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            message = _PLACE.sub(lambda place: self.columns[int(place[1])], str(error))
            raise Refused("schema", message) from error

    def latest(self, lines: Iterable[bytes]) -> Iterable[bytes]:
        """The lines that the lake keeps; one whose clock cannot be read is kept, to be refused by name."""
        stretch_us = self.stretch_us
        if not stretch_us:
            return lines
        kept: dict[tuple[bytes, int | bytes], bytes] = {}
        for line in lines:
            try:
                kept[self.symbol(line), self.clock(line) // stretch_us] = line
            except (ValueError, LookupError):
                kept[b"", line] = line
        return kept.values()


def read_lines(layout: Layout, part: Part, read: Callable[[R], Iterable[Record]]) -> Iterator[Record | Reject]:
    """Rows line by line, so that a bad line costs one row and not the part."""
    start_us, end_us = part.bounds
    for line in layout.latest(part.lines):
        try:
            row = layout.decode(line)
            if not start_us <= layout.clock(line) < end_us:
                raise Refused("outside_hour", f"its clock lies outside the hour {part.hour:%Y-%m-%d %H} UTC")
            yield from read(row)
        except Refused as refused:
            yield Reject(refused.rule, refused.reason, line)
        except (ValueError, LookupError) as error:
            yield Reject("timestamp", str(error), line)


@dataclass
class Kinds:
    """What a symbol is, of the few kinds that its file can hold, by the venue's own grammar."""

    venue: Venue
    among: Sequence[Kind]
    known: dict[str, Kind] = field(default_factory=dict)

    def of(self, symbol: str, at: datetime) -> Kind:
        if symbol not in self.known:
            self.known[symbol] = self._find(symbol, at)
        return self.known[symbol]

    def _find(self, symbol: str, at: datetime) -> Kind:
        if len(self.among) == 1:
            return self.among[0]
        for kind in self.among:
            try:
                self.venue.terms(symbol, kind, at)
            except Refused as refused:
                if refused.rule != "unknown_terms":  # the name is of the grammar, its size is not written here
                    continue
            return kind
        kinds = " or ".join(self.among)
        raise Refused("unknown_symbol", f"{self.venue.name} {symbol}: no {kinds} by the venue's grammar")


def side_of(text: Literal["buy", "sell", "unknown"]) -> Literal["buy", "sell"]:
    if text == "unknown":
        raise Refused(UNKNOWN_SIDE, "the vendor does not know the side")
    return text
