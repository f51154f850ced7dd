"""What Python frees goes back to the system: glibc keeps it, for each thread that took it."""

import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctypes import CDLL

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""mallopt(3)'s numbers of what is kept at the heap's end, and of what is large."""
_LARGE_BYTES = 1 << 20
_KEPT_BYTES = 64 << 20


def free_large_at_once() -> None:
    """Lets what is large be freed when nobody needs it any more: glibc would raise its bound to 32 MiB by itself."""
    library = _glibc()
    if library is not None:
        library.mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
        library.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)


def give_back_memory() -> None:
    """Returns the free pages of all threads."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


@cache
def _glibc() -> "CDLL | None":
    """None with another C library."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None
