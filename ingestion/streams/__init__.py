"""What was recorded between the hours, rebuilt: books from diffs, and a ledger of every hole. No I/O."""

from ingestion.streams.read import read_stream
from ingestion.streams.sampling import EVERY_SECOND, Sampling

__all__ = ["EVERY_SECOND", "Sampling", "read_stream"]
