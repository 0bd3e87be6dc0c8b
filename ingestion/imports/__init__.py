"""Files of vendors: into the raw zone as they are, and from there into rows.

`read_file_rows` reads, envelope by envelope, what `sealing.seal` put there; they share no more than a `Part`.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath

from ingestion.envelopes import Envelope
from ingestion.imports import binance_vision, tardis
from ingestion.imports.parts import Part, opened
from ingestion.imports.tardis_files import TardisFile
from ingestion.imports.vision_files import VisionFile
from ingestion.records import Record
from ingestion.venues.base import Refused, Reject, Venue

RAW_DATASETS = (TardisFile.raw_dataset, VisionFile.raw_dataset)

_FILES: Mapping[str, type[TardisFile] | type[VisionFile]] = {TardisFile.host: TardisFile, VisionFile.host: VisionFile}
_READ: Mapping[str, Callable[[Venue, Part], Iterator[Record | Reject]]] = {
    TardisFile.host: tardis.read_part,
    VisionFile.host: binance_vision.read_part,
}


def read_file_rows(venue: Venue, envelope: Envelope) -> Iterator[Record | Reject]:
    """The rows of one envelope of the raw datasets `RAW_DATASETS`, each of which can be read alone.

    Raises `Refused` for an envelope that is no part of a known file, or of another venue's.
    """
    return _READ[_host(envelope)](venue, opened(envelope))


def file_dataset(envelope: Envelope) -> str:
    """The dataset of the lake that such an envelope's rows fill first: what a refusal of one of them is told of.

    Raises `Refused` as `read_file_rows` does.
    """
    return _FILES[_host(envelope)].named(PurePath(envelope.path)).dataset


def _host(envelope: Envelope) -> str:
    if envelope.host not in _READ:
        raise Refused("file_part", f"{envelope.host}: no vendor's host (expected {' or '.join(_READ)})")
    return envelope.host
