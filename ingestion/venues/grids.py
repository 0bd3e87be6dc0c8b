"""Lists of rows whose columns are said of columns: text that is written alike becomes columns without a row between.

What a venue's fields mean is still written once. Its function is given `Fields`, of which each attribute is that field
of all rows: a list where rows were read one by one, an array where thousands were.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import chain
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
import numpy as np
from msgspec import NODEFAULT, Raw

from ingestion.venues.base import Reply, decode, refuse_beyond_float64
from ingestion.venues.bulk import SLIPS, Joined, Unplain
from ingestion.venues.column_types import ColumnType, column_types
from ingestion.venues.row_text import Ints, Rows, Template, first_row
from ingestion.venues.sheets import Columns, Page, joined

H = TypeVar("H")
T = TypeVar("T")

_FEW_BYTES = 8_192  # of rows to a question: fewer are read as soon by rows
_EXACT_LETTERS = 16  # 15 digits and a point
_LIST = msgspec.json.Decoder(list[Raw])


class Fields(Generic[T]):
    """Rows of type `T`; each of its attributes is that field of all rows."""

    def __init__(self, rows: Sequence[T]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getattr__(self, name: str) -> Any:
        rows = self._rows
        return [getattr(rows[0], name)] if len(rows) == 1 else list(map(attrgetter(name), rows))


class HeadedGrid(Page[T], Generic[H, T]):
    """A page that says of all rows at once what the columns mean, by what stands once in the reply: whose they are.

    `listed` finds that, and the text of the list, refusing what is refused about the reply as a whole; where numbers
    are exact, one of over 15 significant digits is, wherever it stands in the list. Replies of equal heads are read
    together. If `columns` tells of a row nothing, or twice, `Columns.of` says so.
    """

    def __init__(
        self,
        listed: Callable[[Reply], tuple[H, Raw]],
        row: type[T],
        columns: Callable[[H, Fields[T]], Iterable[Columns]],
        *,
        strict: bool = False,
        is_exact: bool = False,
    ) -> None:
        def opened(reply: Reply) -> tuple[Sequence[Raw], Callable[[Sequence[T]], Iterable[Columns]]]:
            head, raw = listed(reply)
            if is_exact:
                refuse_beyond_float64(bytes(raw), reply.path)
            return decode(_LIST, bytes(raw), reply.path), lambda found: columns(head, Fields(found))

        super().__init__(opened, row, strict=strict)
        self._listed = listed
        self._columns = columns
        self._is_exact = is_exact
        self._types = column_types(row, strict=strict)
        self._is_closed = row.__struct_config__.forbid_unknown_fields  # type: ignore[attr-defined]

    def read_all(self, hour: datetime, replies: Sequence[Reply]) -> Joined:
        """Read what is plain: as text what can be, the rest as `Page` does."""
        told = self.as_text(hour, replies)
        rest = super().read_all(hour, [replies[place] for place in told.unplain])
        return Joined([*told.tables, *rest.tables], [told.unplain[place] for place in rest.unplain])

    def as_text(self, hour: datetime, replies: Sequence[Reply]) -> Joined:
        """Read the lists whose rows are all written alike."""
        found: list[_Listed[H]] = []
        unplain = []
        for place, reply in enumerate(replies):
            try:
                head, raw = self._listed(reply)
                found.append(_Listed(place, head, _within(raw)))
            except SLIPS:
                unplain.append(place)
        parts, left = self._plain(found)
        try:
            tables = joined(hour, replies, parts)
        except SLIPS:
            tables, left = [], found
        return Joined(tables, sorted([*unplain, *(each.place for each in left)]))

    def _plain(self, found: list["_Listed[H]"]) -> tuple[list[tuple[Ints, Columns]], list["_Listed[H]"]]:
        """What could be read of these lists as text, all together or else one by one, and the lists that could not."""
        with suppress(*SLIPS):
            return self._read(found), []
        parts, left = list[tuple[Ints, Columns]](), []
        for each in found:
            try:
                parts += self._read([each])
            except SLIPS:
                left.append(each)
        return parts, left

    def _read(self, found: Sequence["_Listed[H]"]) -> list[tuple[Ints, Columns]]:
        """Columns, each with the place of its rows' replies; one of `SLIPS` where not all is plain."""
        headed: dict[Any, list[_Listed[H]]] = {}
        for each in found:
            if each.text:
                headed.setdefault(_key(each.head), []).append(each)
        if sum(len(each.text) for each in found) < _FEW_BYTES * len(headed):
            raise Unplain("few rows of each head")
        if not headed:
            return []
        order = list(chain.from_iterable(headed.values()))
        first = first_row(order[0].text)
        rows = Template(first).read([each.text for each in order])
        if self._is_closed and not rows.names <= {kind.name for kind in self._types.values()}:
            raise Unplain("fields that nobody knows")
        if self._is_exact:
            _refuse_long_decimals(first, rows)
        starts = np.searchsorted(rows.starts, np.cumsum([0, *(len(each.text) + 1 for each in order)]))
        places = np.repeat(np.array([each.place for each in order]), np.diff(starts))
        columns = _typed(rows, self._types)
        ends = starts[np.cumsum([0, *map(len, headed.values())])].tolist()
        parts = []
        for begin, end, of in zip(ends, ends[1:], headed.values(), strict=False):
            fields = _Told(end - begin, {name: column[begin:end] for name, column in columns.items()})
            for told in self._columns(of[0].head, fields):
                parts.append((places[begin:end] if told.of is None else places[begin:end][told.of], told))
        return parts


class _Listed(NamedTuple, Generic[H]):
    """The rows of a reply as text, joined by commas."""

    place: int
    head: H
    text: bytes


class Grid(HeadedGrid[Reply, T]):
    """A page of rows whose columns take no more of their reply than its question."""

    def __init__(
        self,
        listed: Callable[[Reply], Raw],
        row: type[T],
        columns: Callable[[Reply, Fields[T]], Iterable[Columns]],
        *,
        strict: bool = False,
        is_exact: bool = False,
    ) -> None:
        super().__init__(lambda reply: (reply, listed(reply)), row, columns, strict=strict, is_exact=is_exact)


class _Told(Fields[Any]):
    """Fields that are columns already."""

    def __init__(self, count: int, columns: Mapping[str, Any]) -> None:
        super().__init__(())
        self._count = count
        vars(self).update(columns)

    def __len__(self) -> int:
        return self._count


def _typed(rows: Rows, types: Mapping[str, ColumnType]) -> dict[str, Any]:
    """Each field of rows that stand in text, if each of them is of its type; one that is missing everywhere is one."""
    columns = {}
    for name, kind in types.items():
        if kind.name in rows:
            columns[name] = kind.read(rows.texts(kind.name), rows.is_quoted(kind.name))
        elif kind.default is NODEFAULT:
            raise Unplain(f"{name} is missing")
        else:
            columns[name] = [kind.default] * len(rows)
    return columns


def _refuse_long_decimals(first: bytes, rows: Rows) -> None:
    refuse_beyond_float64(first, "a row")  # for the names too
    for name in rows.beyond(_EXACT_LETTERS):
        texts = rows.texts(name)
        if b"." in bytes(texts.buffers()[2]):
            refuse_beyond_float64(",".join(texts.to_pylist()).encode(), name)


def _key(head: Any) -> Any:
    return (head.path, *head.query.items()) if isinstance(head, Reply) else head


def _within(listed: Raw) -> bytes:
    """The rows of a list, joined by commas."""
    text = bytes(listed)
    if not text.startswith(b"["):
        raise Unplain("no list")
    return text[1:-1].strip()
