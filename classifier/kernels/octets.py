"""Reading integers out of a frame, and copying octets.

Rule: octets are read only through these helpers, which widen first: `b[i] << 8 | b[i + 1]` is right compiled and wrong
interpreted, where uint8 stays uint8. The caller has checked the length; a helper never does.
All results are int64, except the 64-bit reads, which are uint64 (addresses, hashes: bit operations only).

Compiled, a read is one load from where the number stands, instead of one for each octet. With bounds checking on, and
interpreted, they are read octet by octet, so that a read outside the buffer is found.
A buffer is passed on as its address: as an array, seven words and counted by reference, decoding took two to three times as
long.
"""

from __future__ import annotations

import ctypes

import numpy as np

from classifier.kernels import jit
from classifier.kernels.jit import BOUNDS_CHECKED, JIT_DISABLED, helper, intrinsic


def _pointer(context, builder, kind, value):
    """Where the octets stand: an array's data, or the address itself."""
    if isinstance(kind, jit.numba.types.Array):
        return context.make_array(kind)(context, builder, value).data
    return builder.inttoptr(value, jit.ir.IntType(8).as_pointer())


@intrinsic
def _address(_context, array):
    """The address of an array's octets, int64."""

    def generate(context, builder, signature, values):
        return builder.ptrtoint(_pointer(context, builder, signature.args[0], values[0]), jit.ir.IntType(64))

    return jit.numba.int64(array), generate


@intrinsic
def _call(_context, _address, _a, _b, _c, _d, _e, _f):
    """Call a C function; one that takes fewer words does not look at the rest. Its result is an int."""

    def generate(context, builder, signature, values):
        word = jit.ir.IntType(64)
        kind = jit.ir.FunctionType(jit.ir.IntType(32), [word] * 6)
        function = builder.inttoptr(values[0], kind.as_pointer())
        return builder.sext(builder.call(function, values[1:]), word)

    return jit.numba.int64(*[jit.numba.int64] * 7), generate


def _prefetch(builder, pointer, written=1):
    """Ask for the cache line at `pointer`, to be read and, unless `written` is 0, written soon."""
    word = jit.ir.IntType(32)
    kind = jit.ir.FunctionType(jit.ir.VoidType(), [jit.ir.IntType(8).as_pointer(), word, word, word])
    function = jit.numba.core.cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(function, [builder.bitcast(pointer, jit.ir.IntType(8).as_pointer()), word(written), word(3), word(1)])


@intrinsic
def _prefetch_line(_context, array, _index):
    """Fetch the line in which item `index` of an array, or of the octets at an address, begins."""

    def generate(context, builder, signature, values):
        data = _pointer(context, builder, signature.args[0], values[0])
        _prefetch(builder, builder.gep(data, [values[1]]))
        return context.get_dummy_value()

    return jit.numba.void(array, jit.numba.int64), generate


def _lines(count, written):
    """An intrinsic that fetches the first `count` lines of a record."""

    @intrinsic
    def fetch(_context, array, _index):
        def generate(context, builder, signature, values):
            data = _pointer(context, builder, signature.args[0], values[0])
            record = builder.bitcast(builder.gep(data, [values[1]]), jit.ir.IntType(8).as_pointer())
            for line in range(count):
                _prefetch(builder, builder.gep(record, [jit.ir.IntType(64)(64 * line)]), written)
            return context.get_dummy_value()

        return jit.numba.void(array, jit.numba.int64), generate

    return fetch


_prefetch_two = _lines(2, 1)
_read_two = _lines(2, 0)
_prefetch_five = _lines(5, 1)


@intrinsic
def _copy(_context, array, _place, b, _i, _octets):
    """Copy octets from `i` of one to `place` of another; they do not overlap."""

    def generate(context, builder, signature, values):
        to = builder.gep(_pointer(context, builder, signature.args[0], values[0]), [values[1]])
        source = builder.gep(_pointer(context, builder, signature.args[2], values[2]), [values[3]])
        kind = jit.ir.FunctionType(jit.ir.VoidType(), [to.type, source.type, jit.ir.IntType(64), jit.ir.IntType(1)])
        function = jit.numba.core.cgutils.get_or_insert_function(builder.module, kind, "llvm.memcpy.p0.p0.i64")
        builder.call(function, [to, source, values[4], jit.ir.IntType(1)(0)])
        return context.get_dummy_value()

    word = jit.numba.int64
    return jit.numba.void(array, word, b, word, word), generate


def _load(bits, big):
    """An intrinsic that loads an unsigned number of `bits` from any place of a uint8 array."""

    @intrinsic
    def load(_context, array, _index):
        kind = jit.numba.uint64 if bits == 64 else jit.numba.int64

        def generate(context, builder, signature, values):
            data = _pointer(context, builder, signature.args[0], values[0])
            place = builder.bitcast(builder.gep(data, [values[1]]), jit.ir.IntType(bits).as_pointer())
            number = builder.load(place, align=1)
            if big and bits > 8:
                number = builder.bswap(number)
            return number if bits == 64 else builder.zext(number, jit.ir.IntType(64))

        return kind(array, jit.numba.int64), generate

    return load


def _fast(bits, big):
    load = _load(bits, big)

    @helper
    def read(b, i):
        return load(b, i)

    return read


if JIT_DISABLED:

    def location(b):
        """The address of a buffer, for a C function."""
        return b.ctypes.data

    _C_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 6)

    def call(function, a, b, c, d, e, f):
        """Call the C function at an address, with six words. Its result, an int."""
        return _C_FUNCTION(int(function))(*map(int, (a, b, c, d, e, f)))
else:

    @helper
    def location(b):
        """The address of a buffer, for a C function."""
        return _address(b)

    @helper
    def call(function, a, b, c, d, e, f):
        """Call the C function at an address, with six words. Its result, an int."""
        return _call(function, a, b, c, d, e, f)


if BOUNDS_CHECKED or JIT_DISABLED:

    @helper
    def address(b):
        """The buffer itself, so that every read of it is checked."""
        return b

    @helper
    def prefetch(array, index):
        """Only speed: nothing to do here."""

    @helper
    def prefetch_record(array, index):
        """Only speed: nothing to do here."""

    @helper
    def prefetch_flow(array, index):
        """Only speed: nothing to do here."""

    @helper
    def prefetch_packet(array, index):
        """Only speed: nothing to do here."""

    @helper
    def prefetch_octets(b, i):
        """Only speed: nothing to do here."""

    @helper
    def copy(array, place, b, i, octets):
        """Copy `octets` octets from `i` of a buffer to `place` of an array."""
        for k in range(octets):
            array[place + k] = b[i + k]

    @helper
    def u8(b, i):
        """Octet at `i`."""
        return np.int64(b[i])

    @helper
    def u16(b, i):
        """Big-endian 16 bits at `i`."""
        return np.int64(b[i]) << 8 | np.int64(b[i + 1])

    @helper
    def u32(b, i):
        """Big-endian 32 bits at `i`."""
        return u16(b, i) << 16 | u16(b, i + 2)

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
        return u16_little(b, i + 2) << 16 | u16_little(b, i)
else:

    @helper
    def address(b):
        """A buffer as its address: one word to pass on, where an array is seven. It reads like the buffer."""
        return _address(b)

    @helper
    def prefetch(array, index):
        """Have item `index` of an array fetched into the cache while other work goes on."""
        _prefetch_line(array, index)

    @helper
    def prefetch_record(array, index):
        """The same for the first two cache lines of a record."""
        _prefetch_two(array, index)

    @helper
    def prefetch_flow(array, index):
        """The same for all five lines of a flow."""
        _prefetch_five(array, index)

    @helper
    def prefetch_packet(array, index):
        """The same for the two lines of a decoded packet that are always looked at; another processor may have them."""
        _read_two(array, index)

    @helper
    def prefetch_octets(b, i):
        """The same for the octets at `i` of a buffer, and the cache line behind."""
        _prefetch_line(b, i)
        _prefetch_line(b, i + 64)

    @helper
    def copy(array, place, b, i, octets):
        """Copy `octets` octets from `i` of a buffer to `place` of an array."""
        _copy(array, place, b, i, octets)

    u8 = _fast(8, True)
    u16 = _fast(16, True)
    u32 = _fast(32, True)
    u64 = _fast(64, True)
    u16_little = _fast(16, False)
    u32_little = _fast(32, False)


@helper
def u24(b, i):
    """Big-endian 24 bits at `i`."""
    return u16(b, i) << 8 | u8(b, i + 2)


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
