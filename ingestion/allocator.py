"""How this process takes memory from the system."""

import ctypes

import pyarrow as pa

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's mallopt(3)
_KEPT_BYTES = 32 * 1024 * 1024
_OWN_MAPPING_BYTES = 8 * 1024 * 1024


def set_allocator() -> None:
    """Take columns from the C library too: Arrow's own allocator keeps what it once had, a fifth more at the peak."""
    pa.set_memory_pool(pa.system_memory_pool())
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Keep some of what was freed for the next portion, instead of asking the system for the same pages over again.

    Without, that takes 15 to 20 % of the time of an hour of books. Other C libraries than glibc are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, _OWN_MAPPING_BYTES)


def give_back() -> None:
    """Give the system all pages that are free, also those between others: in hours of gigabytes they add up."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
