"""The raw zone: the venues' replies as they came, written once and never changed."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from ingestion.envelopes import Envelope, Lines, Unreadable, digest, pack, unpack_lines
from ingestion.hours import day_and_hour
from ingestion.storage import Store

_NAME = re.compile(r"[a-z0-9_]+")


def plain_name(what: str, name: str) -> str:
    """A venue's or dataset's name as a key may carry it; raises ValueError for anything else."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{what} {name!r}: expected lower-case letters, digits and underscores")
    return name


class RawZone:
    """Sealed replies by venue, dataset and hour."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def write(self, venue: str, dataset: str, hour: datetime, envelopes: Sequence[Envelope]) -> str:
        """Seal these replies into one object and return its key; the same replies have the same key."""
        if not envelopes:
            raise ValueError(f"raw {venue} {dataset}: no envelopes (expected at least one)")
        captured_ts = envelopes[0].at
        if captured_ts is None:
            raise ValueError(f"raw {venue} {dataset}: the first envelope has no capture time")
        packed = pack(envelopes)
        key = f"{_folder(venue, dataset, hour)}{captured_ts:%Y%m%dT%H%M%S%fZ}-{digest(packed)}.jsonl.zst"
        self.store.put_new(key, packed)
        return key

    def objects(self, venue: str, hour: datetime) -> list[str]:
        """Keys of everything that this venue answered in this hour, sorted."""
        return sorted(key for keys in self._by_dataset(venue, hour).values() for key in keys)

    def datasets(self, venue: str, hour: datetime) -> list[str]:
        """The datasets that have an object in this hour, sorted."""
        return sorted(dataset for dataset, keys in self._by_dataset(venue, hour).items() if keys)

    def read(self, key: str) -> Iterator[Envelope]:
        """The replies of one object, in the order they were sealed; raises `Unreadable`."""
        for lines in self.lines(key):
            yield from lines.envelopes()

    def lines(self, key: str, at_once: int = 1) -> Iterator[Lines]:
        """The replies of one object as lines, at least so many bytes at once; raises `Unreadable`.

        The content is held to its name first: a zstd stream that was cut short reads as a shorter one.
        """
        with self.store.open_read(key) as stream:
            sha = hashlib.sha256()
            for chunk in iter(lambda: stream.read(1024 * 1024), b""):
                sha.update(chunk)
            if not _named_in(key) or not sha.hexdigest().startswith(_named_in(key)):
                raise Unreadable(f"{key}: damaged (its content would be named {sha.hexdigest()[:16]})")
            stream.seek(0)
            yield from unpack_lines(stream, key, at_once)

    def _by_dataset(self, venue: str, hour: datetime) -> dict[str, list[str]]:
        datasets = self.store.folders(f"raw/{plain_name('venue', venue)}/")
        return {dataset: self.store.list(_folder(venue, dataset, hour)) for dataset in datasets}


def _named_in(key: str) -> str:
    return key.removesuffix(".jsonl.zst").rpartition("-")[2]


def _folder(venue: str, dataset: str, hour: datetime) -> str:
    day, hh = day_and_hour(hour)
    return f"raw/{plain_name('venue', venue)}/{plain_name('dataset', dataset)}/date={day}/hour={hh}/"
