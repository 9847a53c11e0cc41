"""Kernels and helpers: where compiled code is kept, whether it can be trusted, and how it is called.

Numba is imported when something has to be compiled and not before (`compiling`): it is a third of a start. What was compiled
is kept (`cache`) as object code, which llvmlite alone loads. A file is trusted if name and digest are right: the name of its
folder is a hash of all kernel sources, the versions and the flags in force; its own name has the kinds of the arguments and
the processor in it. Anything else is compiled anew.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib.util
import json
import os
import pickle
import platform
import struct
import weakref
from pathlib import Path

import numpy as np

from classifier.kernels import cache
from classifier.kernels.bundle import Bundle
from classifier.kernels.parts import ENTRY, ENTRY_WORDS, BundleKind, Part, array_kind

JIT_DISABLED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
BOUNDS_CHECKED = os.environ.get("NUMBA_BOUNDSCHECK", "0") not in ("", "0")

WORD_MASK = 2**64 - 1
PREPARED = 64  # calls of a kernel that are kept in mind
OWNS_ITS_DATA = 0x4  # NPY_ARRAY_OWNDATA, numpy/ndarraytypes.h; of no concern to a kernel
_PACKAGE = Path(__file__).resolve().parent


def _fingerprint() -> str:
    """Hash of everything a compiled kernel depends on."""
    digest = hashlib.blake2b(digest_size=10)
    for source in sorted([*_PACKAGE.glob("*.py"), _PACKAGE.parent / "iana.py", _PACKAGE.parent / "records.py"]):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    for name in ("numba", "llvmlite"):
        folder = importlib.util.find_spec(name).submodule_search_locations[0]
        digest.update(Path(folder, "_version.py").read_bytes())
    flags = sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith("NUMBA_"))
    digest.update(";".join([np.__version__, platform.python_version(), platform.machine(), *flags]).encode())
    return digest.hexdigest()


CACHE_DIRECTORY = cache.ROOT / _fingerprint()
# Whether the first call will take a while: the meter's kernel is the last that a first run compiles.
COMPILED_BEFORE = any(map(cache.is_ours, CACHE_DIRECTORY.glob("meter.meter_packets-*.kernel")))

if JIT_DISABLED:
    # Hashes wrap around on purpose; interpreted NumPy scalars would warn at each of them.
    np.seterr(over="ignore")


def __getattr__(name: str):
    """`jit.numba` and `jit.ir`, for intrinsics, which run when something is compiled."""
    if name in ("numba", "ir"):
        from classifier.kernels import compiling

        return getattr(compiling, name)
    raise AttributeError(name)


_namespaces: dict[int, dict] = {}  # of the modules in which helpers and kernels were made
_apart: list[Part] = []


def helper(function):
    """A helper is called from kernels: it becomes part of the kernel that calls it. Python must not call one.

    Indices count from the front: one from the end, as Python has them, is read where it points to.
    """
    return _part(function, False)


def hot(function):
    """A helper that most packets pass: part of each function that calls it, so that no call is left.

    On the real capture of the benches metering took a tenth less with it. For the few, as code doubles with it.
    """
    return _part(function, False, inlined=True)


def intrinsic(function):
    """An intrinsic writes what LLVM compiles itself; as numba's, with `jit.numba` and `jit.ir` at hand."""
    return _part(function, True)


def apart(*kinds):
    """A helper that is, with all that it calls, a large part of what is compiled: it is compiled beside the kernel (`beside`).

    `kinds` of its arguments, as for `parts.Part`; it returns nothing. Checked for bounds, a buffer is no single word: then it
    is a helper as others.
    """
    return lambda function: _part(function, False, apart=() if BOUNDS_CHECKED else kinds)


def _part(function, is_intrinsic: bool, inlined: bool = False, apart: tuple = ()):
    if JIT_DISABLED:
        return function
    _namespaces[id(function.__globals__)] = function.__globals__
    part = Part(function, is_intrinsic, inlined, apart)
    if apart:
        _apart.append(part)
    return part


def expect(tables: BundleKind) -> None:
    """Kernels will be called with tables of this kind: on a first run, another process begins with what is apart.

    Where nobody says so, it is compiled here when a kernel needs it.
    """
    if _apart and not COMPILED_BEFORE:
        from classifier.kernels import beside

        modules = {part.function.__module__ for part in _apart}
        beside.begin(CACHE_DIRECTORY.name, tables, modules, {part.symbol for part in _apart})


def namespaces() -> list[dict]:
    """The globals of the modules in which helpers and kernels were made."""
    return list(_namespaces.values())


def kernel(function):
    """A kernel is called from Python: compiled once, kept on disk, and free of the interpreter's lock.

    Arguments: whole numbers, C-contiguous arrays of one or two dimensions, Bundles or what they are made of.
    Results: whole numbers or none.
    Calls with arguments of the same kinds as the last time go straight to the compiled code.
    """
    if JIT_DISABLED:
        return function
    _namespaces[id(function.__globals__)] = function.__globals__
    last: tuple = ((), None)  # kinds and code as one, as threads may call
    prepared: dict[tuple, tuple] = {}  # of arrays and Bundles that come again and again together, by where they are

    @functools.wraps(function)
    def call(*arguments):
        key = tuple([0 if type(one) is int else id(one) for one in arguments])
        known = prepared.get(key)
        if known is None:
            return first_call(key, arguments)
        code, words, places, _ = known
        words = words.copy()
        for place, word in places:
            words[word] = arguments[place] & WORD_MASK
        return code.call(words)

    def first_call(key, arguments):
        nonlocal last
        comes_again = not any(isinstance(one, tuple | np.generic) for one in arguments)
        # A Bundle that is made here has to live as long as the call.
        arguments = [Bundle(one) if isinstance(one, tuple) else one for one in arguments]
        kinds, words = [], []
        for argument in arguments:
            kind, its = _looked_at(argument)
            kinds.append(kind)
            words += its
        former, code = last
        if code is None or kinds != former:
            code = _code(function, [_described(argument) for argument in arguments])
            last = kinds, code

        def forget(_gone):
            prepared.pop(key, None)

        if comes_again:
            # An address means these arrays as long as they live: the first that is gone takes the entry along.
            references = [weakref.ref(one, forget) for one in arguments if not isinstance(one, int)]
            places = [(place, place * ENTRY_WORDS) for place, one in enumerate(key) if not one]
            if len(prepared) >= PREPARED:
                prepared.clear()
            prepared[key] = code, words, places, references
        return code.call(words)

    return call


_kinds: dict[tuple, tuple] = {}


def _looked_at(argument) -> tuple:
    """(what makes a kernel be compiled anew as far as it is cheap to know, three words).

    Asking an array for its address and its length takes microseconds, each time.
    """
    if isinstance(argument, np.ndarray):
        kind = argument.dtype, argument.ndim, argument.flags.num & ~OWNS_ITS_DATA
        kind = _kinds.setdefault(kind, kind)  # dtypes that are one object are compared at once, others field by field
        shape = argument.shape if argument.ndim == 2 else (len(argument), 0)
        return kind, (argument.ctypes.data, *shape)
    if hasattr(argument, "block_address"):
        return argument.kind, (argument.block_address, 0, 0)
    if not isinstance(argument, int | np.integer | np.bool_):
        raise TypeError(f"a kernel takes no {type(argument).__name__}")
    return type(argument), (int(argument) & WORD_MASK, 0, 0)


def _described(argument):
    """The kind of an argument as plain data: see `compiling`."""
    if isinstance(argument, tuple):
        return Bundle(argument).kind
    if isinstance(argument, np.ndarray):
        return array_kind(argument, argument.flags.writeable)
    if hasattr(argument, "kind") and not isinstance(argument, np.generic):
        return argument.kind
    if isinstance(argument, bool | np.bool_):
        return "boolean"
    return "uint64" if isinstance(argument, np.uint64) or argument > 2**63 - 1 else "int64"


# NumPy takes 3 ms to write the dtypes of all tables, and two kernels are called with them.
_text = functools.cache(repr)
_codes: dict[str, _Code] = {}


def _code(function, kinds: list):
    """The compiled code, from memory, from disk or made now."""
    digest = hashlib.blake2b("; ".join(map(_text, kinds)).encode(), digest_size=10)
    source = Path(function.__code__.co_filename)
    if source.parent != _PACKAGE:
        digest.update(source.read_bytes())  # the fingerprint does not know it
    from llvmlite import binding

    digest.update(f"{binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()}".encode())
    name = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}-{digest.hexdigest()}.kernel"
    if name not in _codes:
        path = CACHE_DIRECTORY / name
        content = cache.read(path)
        if content is None:
            from classifier.kernels import compiling

            results, objects = compiling.compile_kernel(function, kinds, namespaces())
            head = json.dumps([*results, [len(each) for each in objects]])
            content = b"".join([head.encode(), b"\n", *objects])
            cache.write(path, content)
        _codes[name] = _Code(content, len(kinds))
    return _codes[name]


class _Exception(ctypes.Structure):
    """The beginning of what a kernel leaves of an exception: a pickle of (class, arguments, place)."""

    _fields_ = (("pickled", ctypes.c_void_p), ("octets", ctypes.c_int32))


class _Code:
    """Loaded object code."""

    def __init__(self, content: bytes, arguments: int) -> None:
        from llvmlite import binding

        head, _, objects = content.partition(b"\n")
        self._tuple, self._results, sizes = json.loads(head)
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        machine = binding.Target.from_default_triple().create_target_machine(jit=True)
        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
        for octets in sizes:
            self._engine.add_object_file(binding.ObjectFileRef.from_data(objects[:octets]))
            objects = objects[octets:]
        self._engine.finalize_object()
        kind = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p)
        self._entry = kind(self._engine.get_function_address(ENTRY))
        self._room = ctypes.c_int64 * (len(self._results) + 1)
        self._exception_at = ctypes.sizeof(ctypes.c_int64) * len(self._results)
        self._plain = not {"boolean", "uint64"} & set(self._results)
        self._packed = struct.Struct(f"{arguments * ENTRY_WORDS}Q").pack

    def call(self, words: list[int]):
        room = self._room()  # for the results, then for where an exception is
        if self._entry(self._packed(*words), room, ctypes.byref(room, self._exception_at)):
            found = _Exception.from_address(room[-1])
            kind, arguments, _ = pickle.loads(ctypes.string_at(found.pickled, found.octets))
            raise kind(*(arguments or ()))
        values = room[: len(self._results)]
        if not self._plain:
            values = [_value(kind, word) for kind, word in zip(self._results, values, strict=True)]
        return tuple(values) if self._tuple else values[0] if values else None


def _value(kind: str, word: int):
    if kind == "boolean":
        return bool(word)
    return word & 2**64 - 1 if kind == "uint64" else word
