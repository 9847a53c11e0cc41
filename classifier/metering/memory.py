"""Memory for large tables: pages that Linux gives, empty, when they are first touched.

`np.zeros` takes what an earlier table has left, and clears it: to make the tables of a replay behind another then took 25 to
140 ms, and 5 ms since they lie here.
"""

from __future__ import annotations

import contextlib
import math
import mmap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

PAGES_FROM_OCTETS = 1 << 20
# In so large a table what is asked for lies far apart; from here on in pages of 2 MiB, so that finding them costs less.
HUGE_PAGES_FROM_OCTETS = 64 << 20


def zeros(shape: int | Sequence[int], kind: DTypeLike) -> np.ndarray:
    """As `np.zeros`; it begins with a page if it is of PAGES_FROM_OCTETS or more."""
    kind = np.dtype(kind)
    octets = math.prod(np.atleast_1d(shape).tolist()) * kind.itemsize
    if octets < PAGES_FROM_OCTETS:
        return np.zeros(shape, kind)
    pages = mmap.mmap(-1, octets, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if octets >= HUGE_PAGES_FROM_OCTETS and hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a Linux without them: it goes with small ones
            pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.uint8).view(kind).reshape(shape)
