"""How the C library's allocator keeps what the process has freed.

Bodies with pictures are copied a few times on their way, a megabyte or more each time. As shipped,
glibc gives such memory back to the kernel at once, and the kernel clears every page of it again for
the next copy: half the time that converting such a body takes.
"""

import ctypes

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
KEPT = 16 * 1024 * 1024
"""Most bytes at the end of the heap that are kept for what comes next."""
_ON_ITS_OWN = 4 * 1024 * 1024
"""Bytes from which a piece of memory is taken from the kernel for itself, and given back."""


def keep_freed() -> bool:
    """Has freed memory kept for the next body; whether the C library can do so."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # it is glibc's own
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _ON_ITS_OWN) and mallopt(_M_TRIM_THRESHOLD, KEPT))
