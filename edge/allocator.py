"""Keeps the memory of a process that runs for months from growing.

glibc keeps freed memory for the next request, and lets itself be taught to keep ever larger blocks: holes between what lives long stay
resident, and every few hours or days a request that fits no hole adds a megabyte. Blocks of the kinds of which there are few, arrays and
network buffers, are therefore mapped by themselves and given back at once; and all threads share one heap, for in Python they rarely
allocate at the same time. Other C libraries are left alone.
"""

from __future__ import annotations

import ctypes

# From malloc.h of glibc; see mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
LARGE_BYTES = 256 << 10  # is mapped separately
SPARE_BYTES = 1 << 20  # may stay at the end of the heap


def keep_level() -> None:
    """To be called before threads are started."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    for parameter, value in ((M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, LARGE_BYTES), (M_TRIM_THRESHOLD, SPARE_BYTES)):
        mallopt(parameter, value)
