"""Whether every book of a connection can still be rebuilt, and what to ask for where it cannot.

It follows the very rules by which the hour is read later, so that a gap is seen when it happens. Each hour starts
without books, for each hour must stand alone.
"""

from collections.abc import Iterable
from datetime import datetime

from ingestion.hours import hour_of
from ingestion.streams.books import Book
from ingestion.venues.base import Reply
from ingestion.venues.streams import BookDiff, BookSnapshot, Control, Said, Stream

SPARE_LEVELS = 50  # beyond those sampled: the price moves on while a snapshot is asked for


class FollowedBooks:
    """The books of one connection, as a reader of this hour will have them; `levels` a side are to be known."""

    def __init__(self, stream: Stream, symbols: Iterable[str], levels: int) -> None:
        self._stream = stream
        self._min_reach = levels + SPARE_LEVELS
        self._symbols = tuple(symbols)
        self._books: dict[str, Book] = {}
        self._hour: datetime | None = None
        self.ended = False  # a book that was whole is not any more, since this was last put back
        self.start()

    def start(self) -> None:
        """Forget all books, as after a hole."""
        self._books = {symbol: Book(self._stream) for symbol in self._symbols}

    def keep(self, symbols: Iterable[str]) -> None:
        """Follow these alone from now on; their books stand."""
        self._symbols = tuple(symbols)
        self._books = {symbol: self._books[symbol] for symbol in self._symbols}

    def turn(self, at: datetime) -> bool:
        """Whether this instant begins another hour; all books begin anew with it."""
        hour = hour_of(at)
        is_new, self._hour = self._hour not in (None, hour), hour
        if is_new:
            self.start()
        return is_new

    def take(self, reply: Reply) -> list[Control]:
        """Follow one frame; returns what it says of the connection. Raises `Refused` as the stream's `read`."""
        return self._follow(self._stream.read(reply))

    def take_snapshot(self, reply: Reply) -> None:
        """Follow a snapshot that came by REST."""
        if self._stream.read_snapshot is not None:
            self._follow(self._stream.read_snapshot(reply))

    def missing(self) -> list[str]:
        """The symbols that have no book now, or hardly know it any more, and will not unless it is asked for.

        Walks the books: not for every frame.
        """
        if self._stream.snapshot is None and self._stream.renew is None:
            return []
        return [symbol for symbol, book in self._books.items() if not book.is_live or self._is_spent(book)]

    def _is_spent(self, book: Book) -> bool:
        """Whether the price has moved so far that few levels are left of those its snapshot told."""
        return self._stream.snapshot is not None and book.reach < min(self._min_reach, len(book.bids), len(book.asks))

    def _follow(self, said: Iterable[Said]) -> list[Control]:
        controls = []
        for item in said:
            if isinstance(item, Control):
                controls.append(item)
            elif isinstance(item, BookDiff | BookSnapshot) and item.symbol in self._books:
                book = self._books[item.symbol]
                was_live = book.is_live
                book.diff(item) if isinstance(item, BookDiff) else book.snapshot(item)
                self.ended |= was_live and not book.is_live
        return controls
