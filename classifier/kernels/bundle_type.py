"""Numba's types of a kernel's arguments, that of a Bundle among them. Imported when there is something to compile."""

from __future__ import annotations

import hashlib

import numba
from llvmlite import ir
from numba.core import imputils
from numba.core.typing import templates
from numba.np import arrayobj

from classifier.kernels.parts import ENTRY_WORDS, BundleKind

_WORD = ir.IntType(64)


def numba_type(kind) -> numba.types.Type:
    """The type of a kind, see `compiling.compile_kernel`."""
    if isinstance(kind, BundleKind):
        title, fields = kind
        return BundleType(title, tuple((name, numba_type(field)) for name, field in fields))
    if isinstance(kind, tuple):
        dtype, dimensions, writable = kind
        return numba.types.Array(numba.from_dtype(dtype), dimensions, "C", readonly=not writable)
    return getattr(numba, kind)


class BundleType(numba.types.Type):
    """Numba's type of a Bundle. Its name is short, because it stands in the name of every compiled function."""

    def __init__(self, title: str, fields: tuple) -> None:
        self.fields = fields
        digest = hashlib.blake2b(repr(fields).encode(), digest_size=6).hexdigest()
        super().__init__(name=f"{title}_{digest}")

    def place(self, attribute: str) -> int:
        return next((i for i, (name, _) in enumerate(self.fields) if name == attribute), -1)


@numba.extending.register_model(BundleType)
class _BundleModel(numba.extending.models.PrimitiveModel):
    """A pointer, as a word."""

    def __init__(self, manager, kind) -> None:
        super().__init__(manager, kind, _WORD)


@templates.infer_getattr
class _BundleAttributes(templates.AttributeTemplate):
    key = BundleType

    def generic_resolve(self, kind, attribute):
        place = kind.place(attribute)
        return kind.fields[place][1] if place >= 0 else None


def array_of(context, builder, kind, words):
    """An array of three words: where its data is, and its shape."""
    array = context.make_array(kind)(context, builder)
    data = builder.inttoptr(words[0], context.get_data_type(kind.dtype).as_pointer())
    item = context.get_constant(numba.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
    shape = words[1 : 1 + kind.ndim]
    strides = [item] if kind.ndim == 1 else [builder.mul(shape[1], item), item]
    arrayobj.populate_array(array, data=data, shape=shape, strides=strides, itemsize=item, meminfo=None, parent=None)
    return array._getvalue()


@imputils.lower_getattr_generic(BundleType)
def _load_field(context, builder, kind, value, attribute):
    place = kind.place(attribute)
    field = kind.fields[place][1]
    pointer = builder.inttoptr(value, _WORD.as_pointer())
    first = place * ENTRY_WORDS
    words = [builder.load(builder.gep(pointer, [_WORD(first + i)])) for i in range(ENTRY_WORDS)]
    return array_of(context, builder, field, words) if isinstance(field, numba.types.Array) else words[0]
