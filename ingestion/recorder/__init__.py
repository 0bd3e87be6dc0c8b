"""Capturing between the hours: what venues send over WebSocket, verbatim into the raw zone, with every hole noted."""

from ingestion.recorder.recorder import Recorder

__all__ = ["Recorder"]
