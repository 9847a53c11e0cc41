"""Address ranges by longest prefix, as sorted starts that a kernel searches."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classifier.kernels.jit import helper


class Ranges(NamedTuple):
    """Disjoint ranges that cover the whole of both address spaces, nested prefixes flattened so that the longest wins.

    `v4_start` u4[n] ascending, first 0; `v4_value` i4[n]; `v6_high`, `v6_low` u8[m] ascending as 128-bit numbers, first
    0; `v6_value` i4[m]. A range runs up to the next start. Value -1: no prefix covers it.
    """

    v4_start: np.ndarray
    v4_value: np.ndarray
    v6_high: np.ndarray
    v6_low: np.ndarray
    v6_value: np.ndarray


@helper
def locate(ranges, version, high, low):
    """Value of the longest prefix over an address, or -1.

    `version` is 4 or 6. `high`, `low`: uint64 halves; an IPv4 address is the low 32 bits of `low`.
    """
    if version == 4:
        return locate_v4(ranges, np.int64(low & np.uint64(0xFFFFFFFF)))
    return locate_v6(ranges, high, low)


@helper
def locate_v4(ranges, address):
    """The last start that is not above `address` (int64)."""
    first = 0
    last = ranges.v4_start.shape[0] - 1
    while first < last:
        middle = (first + last + 1) >> 1
        if np.int64(ranges.v4_start[middle]) <= address:
            first = middle
        else:
            last = middle - 1
    return np.int64(ranges.v4_value[first])


@helper
def locate_v6(ranges, high, low):
    """The last start that is not above the 128-bit address (two uint64)."""
    first = 0
    last = ranges.v6_high.shape[0] - 1
    while first < last:
        middle = (first + last + 1) >> 1
        start = ranges.v6_high[middle]
        if start < high or (start == high and ranges.v6_low[middle] <= low):
            first = middle
        else:
            last = middle - 1
    return np.int64(ranges.v6_value[first])
