"""Reading integers out of a frame.

Rule: octets are read only through these helpers, which widen first. `b[i] << 8 | b[i + 1]` is right compiled and wrong
interpreted, where uint8 stays uint8. The caller has checked the length; a helper never does.
All results are int64, except the 64-bit reads, which are uint64 (addresses, hashes: bit operations only).
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.jit import helper


@helper
def u8(b, i):
    """Octet at `i`."""
    return np.int64(b[i])


@helper
def u16(b, i):
    """Big-endian 16 bits at `i`."""
    return np.int64(b[i]) << 8 | np.int64(b[i + 1])


@helper
def u24(b, i):
    """Big-endian 24 bits at `i`."""
    return np.int64(b[i]) << 16 | np.int64(b[i + 1]) << 8 | np.int64(b[i + 2])


@helper
def u32(b, i):
    """Big-endian 32 bits at `i`."""
    return np.int64(b[i]) << 24 | np.int64(b[i + 1]) << 16 | np.int64(b[i + 2]) << 8 | np.int64(b[i + 3])


@helper
def u64(b, i):
    """Big-endian 64 bits at `i`, unsigned."""
    return np.uint64(u32(b, i)) << np.uint64(32) | np.uint64(u32(b, i + 4))


@helper
def u16_little(b, i):
    """Little-endian 16 bits at `i`."""
    return np.int64(b[i + 1]) << 8 | np.int64(b[i])


@helper
def u32_little(b, i):
    """Little-endian 32 bits at `i`."""
    return np.int64(b[i + 3]) << 24 | np.int64(b[i + 2]) << 16 | np.int64(b[i + 1]) << 8 | np.int64(b[i])


@helper
def u16_ordered(b, i, big):
    """16 bits at `i` in the byte order of the file."""
    if big:
        return u16(b, i)
    return u16_little(b, i)


@helper
def u32_ordered(b, i, big):
    """32 bits at `i` in the byte order of the file."""
    if big:
        return u32(b, i)
    return u32_little(b, i)
