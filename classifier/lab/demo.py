"""The lab from up to down in one go, with `freeflow run` at work in between; nothing of it is left, however it ends.

Rules of this file: freeflow's output is its own and passes through; it is told to end as a person would do it, by SIGINT.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from classifier.errors import LabError
from classifier.lab import life, state
from classifier.lab.life import Driven
from classifier.lab.topology import UPSTREAM
from classifier.lab.traffic import Plan

START_PATIENCE_S = 300  # the kernels may be compiled meanwhile
END_PATIENCE_S = 60
_QUIET_S = 0.5  # for the last packets to have been captured


def demonstrate(prefix: str, plan: Plan, tell: Callable[[str], None]) -> tuple[int, Driven | None]:
    """Up, traffic under `freeflow run`, down; freeflow's exit status, and what was driven (None: freeflow did not begin).

    `tell` gets lines before freeflow has the screen. Ctrl-C ends freeflow as it would alone, with its last table, and is then
    raised on.
    """
    tell("building subscribers, a gateway and an internet in network namespaces")
    path = life.up(prefix)
    try:
        status, driven = _run(prefix, path, plan)
    finally:
        state.remove(prefix)
    return status, driven


def _run(prefix: str, path: Path, plan: Plan) -> tuple[int, Driven | None]:
    sys.stdout.flush()
    freeflow = life.start_freeflow(prefix, ["run", "-i", UPSTREAM, "-c", str(path)])
    driven = None
    try:
        if _has_begun(freeflow):
            driven = life.drive(prefix, plan)
            time.sleep(_QUIET_S)
    finally:
        status = _end(freeflow)
    return status, driven


def _has_begun(freeflow: subprocess.Popen) -> bool:
    """Wait until it captures; whether it does, or has ended."""
    deadline = time.monotonic() + START_PATIENCE_S
    while freeflow.poll() is None:
        if life.captures(freeflow):
            return True
        if time.monotonic() > deadline:
            raise LabError(f"freeflow run does not capture after {START_PATIENCE_S} s; see what freeflow doctor says")
        time.sleep(0.05)
    return False


def _end(freeflow: subprocess.Popen) -> int:
    """Its exit status, after SIGINT; it has the last word on the screen."""
    with state.undisturbed():
        try:
            if freeflow.poll() is None:
                freeflow.send_signal(signal.SIGINT)
            return freeflow.wait(END_PATIENCE_S)
        except subprocess.TimeoutExpired:
            freeflow.kill()
            return freeflow.wait()
