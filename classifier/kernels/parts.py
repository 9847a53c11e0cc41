"""What `jit`, which must not wait for numba, and the modules that import numba both know."""

from __future__ import annotations

import numpy as np

ENTRY = "freeflow_kernel"  # the one function of an object file: int32 (arguments, results, exception), three pointers
ENTRY_WORDS = 3  # of an argument or field: address (or the value of a scalar), length, second dimension

APART = "freeflow_apart_"  # how the functions of the other object file begin: int32 (a word for each argument)
# Arguments of what is compiled apart: the Bundle of this title, the address of a frame's buffer, a whole number.
TABLES, OCTETS, WORD = "Tables", "octets", "word"


class Part:
    """Stands for a helper or an intrinsic in the modules that use it, until something has to be compiled (`made`).

    `inlined`: it becomes part of each function that calls it. `apart`: the kinds of its arguments, if it is compiled apart
    from those who call it: TABLES, OCTETS, WORD, or the dtype of a record.
    """

    __slots__ = ("apart", "function", "inlined", "intrinsic", "made")

    def __init__(self, function, intrinsic: bool, inlined: bool, apart: tuple = ()) -> None:
        self.function, self.intrinsic, self.inlined, self.apart = function, intrinsic, inlined, apart
        self.made = None

    @property
    def symbol(self) -> str:
        """Its name in the object file of what is apart."""
        return f"{APART}{self.function.__module__.rpartition('.')[2]}_{self.function.__name__}"


class BundleKind(tuple):
    """What numba's type of a Bundle is made of: (title, ((field, its kind), ...))."""

    __slots__ = ()


def array_kind(array: np.ndarray, writable: bool = True) -> tuple:
    """An array's kind: (dtype, dimensions, whether it may be written)."""
    if not array.flags.c_contiguous or not array.flags.aligned or array.ndim not in (1, 2):
        raise ValueError("a kernel takes aligned C-contiguous arrays of one or two dimensions")
    return array.dtype, array.ndim, writable
