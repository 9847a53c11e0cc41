"""Many arrays as one kernel argument, passed by reference.

Numba passes a NamedTuple of arrays by value: seven words an array, at every call. With the meter's forty arrays that made
calls of 300 arguments, and compiling took 260 s instead of the figure in benches/README.md. A Bundle is one pointer to a
block of addresses and shapes; `bundle.flows[i]` reads the same in compiled and interpreted code.

Rule: a Bundle owns its arrays, so they live as long as it does. Arrays are C-contiguous with one or two dimensions.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.parts import ENTRY_WORDS, BundleKind, array_kind


class Bundle:
    """The fields of a NamedTuple of arrays, scalars and further NamedTuples, as attributes and as one pointer."""

    def __init__(self, fields: tuple) -> None:
        names = fields._fields
        block = np.zeros(len(names) * ENTRY_WORDS, np.int64)
        kinds = []
        for place, (name, value) in enumerate(zip(names, fields, strict=True)):
            if isinstance(value, tuple):
                value = Bundle(value)
            setattr(self, name, value)
            entry = block[place * ENTRY_WORDS :][:ENTRY_WORDS]
            kinds.append((name, _describe(value, entry)))
        self.block = block
        self.block_address = block.ctypes.data
        self.kind = BundleKind((type(fields).__name__, tuple(kinds)))


def _describe(value: object, entry: np.ndarray):
    """Fill one entry of the block; the kind of the field."""
    if isinstance(value, Bundle):
        entry[0] = value.block_address
        return value.kind
    if isinstance(value, np.ndarray):
        entry[0] = value.ctypes.data
        entry[1 : 1 + value.ndim] = value.shape
        return array_kind(value)
    entry[0:1].view(np.uint64)[0] = np.uint64(int(value))
    return "uint64" if isinstance(value, np.uint64) else "int64"
