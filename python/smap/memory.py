"""Memory that was freed and is wanted again at once, as by one prediction after another.

glibc hands it back to the kernel, which clears every page when it is touched next: a sixth of a prediction's time.
"""

from __future__ import annotations

import ctypes

import torch

_LARGEST_LEARNT = (32 << 20) - (64 << 10)  # bytes; glibc learns from blocks below 32 MiB only
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _NEVER = -1, -3, 2**31 - 1


def reuse_freed_blocks() -> None:
    """Freed blocks below 32 MB, and 64 MB of them in all, stay with the process.

    That is what glibc does once a block of this size was freed; here one is, which nobody has touched. Settings of the
    user's own (``MALLOC_TRIM_THRESHOLD_``) are left alone, and other C libraries take no notice.
    """
    torch.empty(_LARGEST_LEARNT, dtype=torch.uint8, device="cpu")


def keep_freed_memory() -> bool:
    """All freed memory stays with the process: for one of our own, whose every step needs as much as the last.

    Returns:
        Whether the C library can do that; glibc can.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl; macOS; Windows
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _NEVER) and mallopt(_M_TRIM_THRESHOLD, _NEVER))
