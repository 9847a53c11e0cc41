"""Hashes for the tables: seeded, so that nobody can choose keys that collide (attack 28).

Rule: uint64 with uint64 only; the products wrap on purpose. Nothing that is reported depends on a hash.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.jit import helper, hot
from classifier.kernels.octets import u64

# Multipliers of Stafford's Mix13 (as in SplitMix64) and the golden ratio's odd fraction.
MULTIPLIER_A = np.uint64(0xBF58476D1CE4E5B9)
MULTIPLIER_B = np.uint64(0x94D049BB133111EB)
MULTIPLIER_C = np.uint64(0x9E3779B97F4A7C15)
SHIFT_A = np.uint64(30)
SHIFT_B = np.uint64(27)
SHIFT_C = np.uint64(31)
OCTET_BITS = np.uint64(8)
LOW_HALF = np.uint64(0xFFFFFFFF)


@hot
def mix(value):
    """64 bits in, 64 well-mixed bits out."""
    value = (value ^ (value >> SHIFT_A)) * MULTIPLIER_A
    value = (value ^ (value >> SHIFT_B)) * MULTIPLIER_B
    return value ^ (value >> SHIFT_C)


@hot
def hash_address(seed, high, low):
    """Seeded hash of a 128-bit address."""
    inner = mix(seed) if high == np.uint64(0) else mix(high ^ seed)
    return mix(inner * MULTIPLIER_C ^ low)


@hot
def hash_end(seed, high, low, port):
    """Seeded hash of one end of a flow. `port` int64."""
    return mix(hash_address(seed, high, low) ^ np.uint64(port) * MULTIPLIER_C)


@helper
def hash_octets(seed, text, start, length):
    """Seeded hash of `text[start : start + length]`, eight octets at a time."""
    value = seed ^ np.uint64(length)
    end = start + length
    while end - start >= 8:
        value = mix(value ^ u64(text, start) * MULTIPLIER_C)
        start += 8
    rest = np.uint64(0)
    for i in range(start, end):
        rest = rest << OCTET_BITS | np.uint64(text[i])
    return mix(value ^ rest * MULTIPLIER_C)


@helper
def low_bits(value):
    """The low 32 bits of a hash as a non-negative int64."""
    return np.int64(value & LOW_HALF)
