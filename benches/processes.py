"""Whole processes under a stopwatch: wall time, and the most memory the process held.

Rule of this file: the process that measures stays small and imports no NumPy. Linux counts what the parent held when it
started a child into that child's peak (getrusage(2), ru_maxrss is kept over execve).
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEPT_CHARACTERS = 1 << 16


@dataclass(frozen=True, slots=True)
class Run:
    """What one process took. `status` is its exit status, negative for the signal that ended it; of `output` and `errors` only
    the beginning is kept.
    """

    seconds: float
    peak_octets: int
    status: int
    output: str
    errors: str


def run(command: Sequence[str], longest_seconds: float, environment: Mapping[str, str] | None = None) -> Run:
    """Run a command from the project's root to its end, or kill it after `longest_seconds`."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
        )
        watch = threading.Timer(longest_seconds, process.kill)
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        watch.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)  # wait4 has taken it from Popen
        for stream in (output, errors):
            stream.seek(0)
        return Run(
            seconds,
            usage.ru_maxrss * 1024,  # Linux gives KiB
            process.returncode,
            output.read(KEPT_CHARACTERS),
            errors.read(KEPT_CHARACTERS),
        )
