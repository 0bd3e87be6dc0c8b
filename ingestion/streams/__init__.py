"""What was recorded between the hours, rebuilt: books from diffs, and a ledger of every hole. No I/O."""

from ingestion.streams.read import read_stream

__all__ = ["read_stream"]
