"""Memory on a CPU: keeps glibc from handing it back between iterations, and oneDNN from hoarding it.

Each iteration frees and takes again some tens of megabytes. By default glibc returns such blocks at once, and the page
faults of taking them again cost up to half of a training step.

oneDNN keeps a compiled primitive for each shape of its arguments, 1024 of them by default. Batches of rows of
many lengths bring a new shape almost every time, so a run would grow by gigabytes.
"""

from __future__ import annotations

import ctypes
import os
import sys

# Read once, when oneDNN is first used: hence at import. A user's own setting stays.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> bool:
    """Tells glibc's malloc to keep what is freed; returns whether it did (not on other systems or C libraries)."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 256 * 2**20))
    return all(mallopt(*setting) for setting in settings)
