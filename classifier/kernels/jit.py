"""The only importer of numba, so that the compiled cache can be trusted.

numba keys its cache by the file of the function alone: an edit to a kernel called from another file brings the old
answer back, and a bounds-checked run silently reuses an unchecked build. So, before numba is imported, the cache is
pointed at a directory named by a hash of all kernel sources, the versions and the flags in force.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import tempfile
from pathlib import Path

import numpy as np

JIT_DISABLED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
BOUNDS_CHECKED = os.environ.get("NUMBA_BOUNDSCHECK", "0") not in ("", "0")


OWNS_ITS_DATA = 0x4  # NPY_ARRAY_OWNDATA, numpy/ndarraytypes.h; of no concern to a kernel


def _fingerprint() -> str:
    """Hash of everything a compiled kernel depends on."""
    digest = hashlib.blake2b(digest_size=10)
    package = Path(__file__).resolve().parent
    for source in sorted([*package.glob("*.py"), package.parent / "iana.py", package.parent / "records.py"]):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    for name in ("numba", "numpy", "llvmlite"):
        digest.update(f"{name}={importlib.metadata.version(name)};".encode())
    flags = f"{platform.python_version()};{platform.machine()};{BOUNDS_CHECKED};{os.environ.get('NUMBA_OPT', '')}"
    digest.update(flags.encode())
    return digest.hexdigest()


def _cache_root() -> Path:
    """Where compiled kernels are kept: the user's cache directory, or a private temporary one if that is read-only."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    root = Path(os.environ.get("FREEFLOW_CACHE_DIR") or os.path.join(home, "freeflow"))
    try:
        root.mkdir(parents=True, exist_ok=True)
        if os.access(root, os.W_OK):
            return root
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="freeflow-kernels-"))


CACHE_DIRECTORY = _cache_root() / _fingerprint()
# Whether the first call will take a while: the meter's kernel is the last that a first run compiles.
COMPILED_BEFORE = any(CACHE_DIRECTORY.glob("**/meter.meter_packets*.nbi"))
os.environ["NUMBA_CACHE_DIR"] = str(CACHE_DIRECTORY)

import numba  # noqa: E402  (the cache directory has to be set first)

if JIT_DISABLED:
    # Hashes wrap around on purpose; interpreted NumPy scalars would warn at each of them.
    np.seterr(over="ignore")


def kernel(function):
    """A kernel is called from Python: compiled once, kept on disk, and free of the interpreter's lock.

    Nothing in it makes arrays, so there are no references to count; counting them cost the meter a third of its time.
    """
    dispatcher = numba.njit(cache=True, nogil=True, _nrt=False)(function)
    if JIT_DISABLED:
        return dispatcher
    _namespaces[id(function.__globals__)] = function.__globals__
    _kernel_names.add(function.__qualname__)
    _load_lightly(dispatcher)
    return _call_directly(dispatcher)


def _call_directly(dispatcher):
    """Let calls with arguments of the same kinds as the last time go straight to the compiled code.

    Numba finds out the types of recarrays and bundles in Python, at each call: 20 µs for the meter's, 3 µs this way.
    """
    known, entry = None, dispatcher

    @functools.wraps(dispatcher.py_func)
    def call(*arguments):
        nonlocal known, entry
        kinds = [_kind(argument) for argument in arguments]
        if kinds != known:
            signature = tuple(numba.typeof(argument) for argument in arguments)
            dispatcher.compile(signature)
            known, entry = kinds, dispatcher.overloads[signature].entry_point
        return entry(*arguments)

    call.dispatcher = dispatcher
    return call


def _kind(argument):
    """What makes numba compile anew, as far as it is cheap to know; what is new is looked at closely."""
    if isinstance(argument, np.ndarray):
        return argument.dtype, argument.ndim, argument.flags.num & ~OWNS_ITS_DATA
    return getattr(argument, "kind", None) or type(argument)


def _load_lightly(dispatcher):
    """Let a compiled kernel be loaded without all that numba knows of typing.

    Numba brings its whole registry up to date before it loads anything from disk, 0.25 s of a warm start of 1 s. What is
    compiled needs only the runtime's symbols; a compilation brings the registry up to date by itself, and makes the helpers.
    """
    cache = dispatcher._cache
    load_overload = cache.load_overload

    def load(signature, target_context):
        numba.core.runtime.rtsys.initialize(target_context)
        target_context.refresh = lambda: None
        try:
            loaded = load_overload(signature, target_context)
        finally:
            del target_context.refresh
        if loaded is None:
            _make_helpers()
        return loaded

    cache.load_overload = load


class _Helper:
    """Stands for a helper in the modules that use it until something has to be compiled.

    Numba takes most of a millisecond to make ready for each, and a start whose kernels are on disk needs none.
    """

    __slots__ = ("function",)

    def __init__(self, function) -> None:
        self.function = function


_helper_names: set[str] = set()  # of those that numba has made ready
_kernel_names: set[str] = set()
_namespaces: dict[int, dict] = {}  # of the modules in which helpers and kernels were made


def helper(function):
    """A helper is called from kernels: it becomes part of the kernel that calls it.

    Python must not call one: it has no wrapper for that. Numba would also compile it anew for every constant it is called
    with; one compilation per type is enough. Together with `_compile_once` that took the first run from 111 s to 35 s of
    processor time.
    """
    if JIT_DISABLED:
        return function
    _namespaces[id(function.__globals__)] = function.__globals__
    return _Helper(function)


def _make_helpers():
    """Put what numba makes of each helper in its place, in all modules that know it."""
    if not _helper_names:
        _compile_once()
    made: dict[_Helper, object] = {}
    for namespace in _namespaces.values():
        for name, value in namespace.items():
            if isinstance(value, _Helper):
                if value not in made:
                    made[value] = _dispatcher(value.function)
                namespace[name] = made[value]


def _is_helper(library):
    """Whether a library of numba's is a helper's: it bears the function's name. A kernel of that name makes it a doubt."""
    return library.name in _helper_names and library.name not in _kernel_names


def _compile_once():
    """Let LLVM optimise, and make machine code of, the kernels alone.

    Numba does both for each function with all that it calls linked in: what stands ten calls deep ten times over. A
    helper only has to be there to be linked into a kernel.
    """
    library = numba.core.codegen.JITCodeLibrary
    context = numba.core.cpu.CPUContext
    optimize, finalize, executable = (
        library._optimize_final_module,
        library._finalize_final_module,
        context.get_executable,
    )

    def optimize_kernels(self):
        if not _is_helper(self):
            optimize(self)

    def finalize_kernels(self):
        if not _is_helper(self):
            finalize(self)
        else:
            self._finalize_dynamic_globals()
            self._finalized = True

    def kernel_executable(self, its_library, fndesc, env):
        if not _is_helper(its_library):
            return executable(self, its_library, fndesc, env)
        name = fndesc.qualname.split(".")[-1]
        return numba.core.cpu._dynfunc.make_function(fndesc.lookup_module(), name, "", 0, env, (its_library,))

    library._optimize_final_module = optimize_kernels
    library._finalize_final_module = finalize_kernels
    context.get_executable = kernel_executable


def _dispatcher(function):
    _helper_names.add(function.__qualname__)
    dispatcher = numba.njit(no_cfunc_wrapper=True, no_cpython_wrapper=True, _nrt=False)(function)
    template = dispatcher.get_call_template

    def without_literals(arguments, keywords):
        plain = tuple(numba.types.unliteral(kind) for kind in arguments)
        return template(plain, {name: numba.types.unliteral(kind) for name, kind in keywords.items()})

    dispatcher.get_call_template = without_literals
    return dispatcher
