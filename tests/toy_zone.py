"""A raw zone, a lake and a quarantine of the made-up venue, in a folder of the test's own."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ingestion.envelopes import Envelope
from ingestion.ingest import Verdict, ingest
from ingestion.lake import Lake
from ingestion.quarantine import Quarantine
from ingestion.raw import RawZone
from ingestion.storage import Store
from tests.toy_venue import AT, HOUR, TOY, reply


@dataclass(frozen=True)
class Zone:
    """The three places that ingest touches, in one store."""

    store: Store
    raw: RawZone
    lake: Lake
    quarantine: Quarantine

    def put(self, dataset: str, *rows: dict[str, Any], hour: datetime = HOUR, **told: Any) -> None:
        self.seal(dataset, reply(dataset, *rows, **{"at": hour + (AT - HOUR)} | told), hour=hour)

    def seal(self, dataset: str, *envelopes: Envelope, hour: datetime = HOUR) -> None:
        self.raw.write("toy", dataset, hour, envelopes)

    def ingest(self, *wanted: str, hours: tuple[datetime, ...] = (HOUR,)) -> list[Verdict]:
        return ingest(TOY, hours, self.raw, self.lake, self.quarantine, wanted)

    def verdict(self, dataset: str) -> Verdict:
        return next(v for v in self.ingest(dataset) if v.dataset == dataset)

    def rows(self, dataset: str, hour: datetime = HOUR) -> list[dict[str, Any]]:
        return self.lake.read(dataset, "toy", hour).to_pylist()

    def refusals(self) -> list[dict[str, Any]]:
        return self.quarantine.read([HOUR]).to_pylist()

    def objects(self, prefix: str) -> dict[str, bytes]:
        return {key: self.store.read(key) for key in self.store.list(prefix)}


def zone_at(folder: Path) -> Zone:
    store = Store.open(str(folder))
    return Zone(store, RawZone(store), Lake(store), Quarantine(store))
