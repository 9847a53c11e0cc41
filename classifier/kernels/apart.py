"""The process that `beside` begins: what is wanted comes in, an object file goes out."""

from __future__ import annotations

import importlib
import pickle
import sys

from classifier.kernels import jit


def main() -> int:
    """1 where other sources or other helpers than those here are meant."""
    fingerprint, modules, symbols, kind = pickle.load(sys.stdin.buffer)
    if fingerprint != jit.CACHE_DIRECTORY.name:
        return 1
    for module in modules:
        importlib.import_module(module)
    from classifier.kernels import compiling

    found, objects = compiling.compile_apart(kind, jit.namespaces())
    if found != symbols:
        return 1
    sys.stdout.buffer.write(objects)
    return 0


if __name__ == "__main__":
    sys.exit(main())
