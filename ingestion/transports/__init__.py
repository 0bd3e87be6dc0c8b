"""How replies are had: from the venues, from recordings, or from the simulated exchange."""

from ingestion.transports.base import CaptureFailed, Clock, SystemClock, Transport, VirtualClock
from ingestion.transports.live import LiveTransport
from ingestion.transports.replay import ReplayTransport
from ingestion.transports.sandbox import sandbox_transport
from ingestion.transports.unified import UnifiedTransport

__all__ = [
    "CaptureFailed",
    "Clock",
    "LiveTransport",
    "ReplayTransport",
    "SystemClock",
    "Transport",
    "UnifiedTransport",
    "VirtualClock",
    "sandbox_transport",
]
