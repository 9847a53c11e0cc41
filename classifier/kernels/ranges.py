"""Address ranges by longest prefix, as sorted starts that a kernel searches.

Rules of this file: nested prefixes are flattened once, so that a search is one bisection and no rule about lengths is
left to the kernel. Values are the caller's, from 0; -1 says that no prefix covers the address.
"""

from __future__ import annotations

from collections.abc import Iterable
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
    """The last start that is not above `address` (int64). A sum instead of a branch, which nobody could foretell."""
    first = 0
    count = ranges.v4_start.shape[0]
    while count > 1:
        half = count >> 1
        first += half * (np.int64(ranges.v4_start[first + half]) <= address)
        count -= half
    return np.int64(ranges.v4_value[first])


@helper
def locate_v6(ranges, high, low):
    """The last start that is not above the 128-bit address (two uint64)."""
    first = 0
    count = ranges.v6_high.shape[0]
    while count > 1:
        half = count >> 1
        start = ranges.v6_high[first + half]
        first += half * ((start < high) | ((start == high) & (ranges.v6_low[first + half] <= low)))
        count -= half
    return np.int64(ranges.v6_value[first])


def flatten(prefixes: Iterable[tuple[int, int, int, int]]) -> Ranges:
    """Nested prefixes as disjoint ranges, the longest winning; of equal ones the last given.

    `prefixes`: (version 4 or 6, first address as an integer, prefix length in bits, value >= 0).
    """
    by_version: dict[int, dict[tuple[int, int], int]] = {4: {}, 6: {}}
    for version, first, length, value in prefixes:
        by_version[version][first, length] = value
    v4 = _disjoint(by_version[4], 32)
    v6 = _disjoint(by_version[6], 128)
    return Ranges(
        v4_start=np.array([start for start, _ in v4], np.uint32),
        v4_value=np.array([value for _, value in v4], np.int32),
        v6_high=np.array([start >> 64 for start, _ in v6], np.uint64),
        v6_low=np.array([start & (2**64 - 1) for start, _ in v6], np.uint64),
        v6_value=np.array([value for _, value in v6], np.int32),
    )


def _disjoint(values: dict[tuple[int, int], int], bits: int) -> list[tuple[int, int]]:
    """(start, value) ascending, from 0, neighbours with different values; -1 where no prefix is."""
    ranges = [(0, -1)]
    open_prefixes = [(1 << bits, -1)]  # (end, value) of the prefixes around the current place, outermost first

    def turn(start: int, value: int) -> None:
        if ranges[-1][0] == start:
            ranges.pop()
        if not ranges or ranges[-1][1] != value:
            ranges.append((start, value))

    for first, length in sorted(values):
        while open_prefixes[-1][0] <= first:
            end, _ = open_prefixes.pop()
            turn(end, open_prefixes[-1][1])
        value = values[first, length]
        turn(first, value)
        open_prefixes.append((first + (1 << (bits - length)), value))
    while len(open_prefixes) > 1:
        end, _ = open_prefixes.pop()
        if end < 1 << bits:
            turn(end, open_prefixes[-1][1])
    return ranges
