"""Many arrays as one kernel argument, passed by reference.

Numba passes a NamedTuple of arrays by value: seven words an array, at every call. With the meter's forty arrays that made
calls of 300 arguments, and compiling took 260 s instead of the figure in benches/README.md. A Bundle is one pointer to a
block of addresses and shapes; `bundle.flows[i]` reads the same in compiled and interpreted code.

Rule: a Bundle owns its arrays, so they live as long as it does. Arrays are C-contiguous with one or two dimensions.
"""

from __future__ import annotations

import hashlib

import numpy as np
from llvmlite import ir

from classifier.kernels.jit import numba

ENTRY_WORDS = 3  # address (or the value of a scalar), length, second dimension
_WORD = ir.IntType(64)


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
        self.kind = BundleType(type(fields).__name__, tuple(kinds))


def _describe(value: object, entry: np.ndarray) -> numba.types.Type:
    """Fill one entry of the block; the numba type of the field."""
    if isinstance(value, Bundle):
        entry[0] = value.block_address
        return value.kind
    if isinstance(value, np.ndarray):
        if not value.flags.c_contiguous or value.ndim not in (1, 2):
            raise ValueError("a Bundle holds C-contiguous arrays of one or two dimensions")
        entry[0] = value.ctypes.data
        entry[1 : 1 + value.ndim] = value.shape
        kind = numba.typeof(value)
        return numba.types.Array(kind.dtype, kind.ndim, "C")
    entry[0:1].view(np.uint64)[0] = np.uint64(int(value))
    return numba.uint64 if isinstance(value, np.uint64) else numba.int64


class BundleType(numba.types.Type):
    """Numba's type of a Bundle. Its name is short, because it stands in the name of every compiled function."""

    def __init__(self, title: str, fields: tuple) -> None:
        self.fields = fields
        digest = hashlib.blake2b(repr(fields).encode(), digest_size=6).hexdigest()
        super().__init__(name=f"{title}_{digest}")

    def place(self, attribute: str) -> int:
        return next((i for i, (name, _) in enumerate(self.fields) if name == attribute), -1)


@numba.extending.typeof_impl.register(Bundle)
def _typeof_bundle(value, _context):
    return value.kind


@numba.extending.register_model(BundleType)
class _BundleModel(numba.extending.models.PrimitiveModel):
    """A pointer, as a word."""

    def __init__(self, manager, kind) -> None:
        super().__init__(manager, kind, _WORD)


@numba.extending.unbox(BundleType)
def _unbox_bundle(_kind, value, c):
    address = c.pyapi.object_getattr_string(value, "block_address")
    word = c.pyapi.long_as_longlong(address)
    c.pyapi.decref(address)
    return numba.extending.NativeValue(word)


@numba.core.typing.templates.infer_getattr
class _BundleAttributes(numba.core.typing.templates.AttributeTemplate):
    key = BundleType

    def generic_resolve(self, kind, attribute):
        place = kind.place(attribute)
        return kind.fields[place][1] if place >= 0 else None


def _load_words(builder, address, first, count):
    """Words of a block."""
    pointer = builder.inttoptr(address, _WORD.as_pointer())
    return [builder.load(builder.gep(pointer, [ir.Constant(_WORD, first + i)])) for i in range(count)]


@numba.core.imputils.lower_getattr_generic(BundleType)
def _load_field(context, builder, kind, value, attribute):
    place = kind.place(attribute)
    field = kind.fields[place][1]
    words = _load_words(builder, value, place * ENTRY_WORDS, ENTRY_WORDS)
    if not isinstance(field, numba.types.Array):
        return words[0]
    array = context.make_array(field)(context, builder)
    data = builder.inttoptr(words[0], context.get_data_type(field.dtype).as_pointer())
    item = context.get_constant(numba.intp, context.get_abi_sizeof(context.get_data_type(field.dtype)))
    shape = words[1 : 1 + field.ndim]
    strides = [item] if field.ndim == 1 else [builder.mul(shape[1], item), item]
    numba.np.arrayobj.populate_array(
        array, data=data, shape=shape, strides=strides, itemsize=item, meminfo=None, parent=None
    )
    return array._getvalue()
