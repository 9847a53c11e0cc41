"""Large helpers, compiled apart from the kernels that call them: in a process of its own where there is a processor for it.

A first run compiles for half a minute, nearly all of it numba's own work in Python, which threads cannot share. What is
`jit.apart` becomes an object file of its own, with one function of words for each helper (`compiling.compile_apart`), and the
kernel that calls them is loaded with it. Whatever keeps the other process from delivering, it is done here then: that costs
time and nothing else.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from classifier.kernels.parts import BundleKind

ROOT = Path(__file__).resolve().parents[2]
LONGEST_SECONDS = 600


class Beside:
    """A process that compiles what is apart in these modules, for tables of this kind. OSError where none can be had.

    `fingerprint` of the kernels' sources: it must have the same.
    """

    def __init__(self, fingerprint: str, kind: BundleKind, modules: Collection[str], symbols: Collection[str]) -> None:
        paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "classifier.kernels.apart"],  # -P: not what lies in the working directory
            env=os.environ | {"PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        atexit.register(self.stop)
        with contextlib.suppress(OSError):  # it has ended already: nothing will come from it
            pickle.dump((fingerprint, sorted(modules), set(symbols), kind), self._process.stdin)
            self._process.stdin.flush()

    def objects(self) -> bytes:
        """The object file; empty where it cannot be had."""
        objects = b""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            objects, _ = self._process.communicate(timeout=LONGEST_SECONDS)
        status = self._process.returncode
        self.stop()
        return objects if status == 0 else b""

    def stop(self) -> None:
        """End the process, if it still runs: nobody waits for it any more."""
        atexit.unregister(self.stop)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()


_begun: dict[BundleKind, Beside | None] = {}


def begin(fingerprint: str, kind: BundleKind, modules: Collection[str], symbols: Collection[str]) -> None:
    """Let another process compile, if there is a processor for it and it can be had, and if none did for this kind."""
    if kind in _begun:
        return
    _begun[kind] = None
    if len(os.sched_getaffinity(0)) > 1:
        with contextlib.suppress(OSError):
            _begun[kind] = Beside(fingerprint, kind, modules, symbols)


def objects(kind: BundleKind) -> bytes:
    """The object file of what is apart for this kind; empty where no process makes it, or made it for somebody else."""
    process = _begun.get(kind)
    if process is None:
        return b""
    _begun[kind] = None
    return process.objects()
