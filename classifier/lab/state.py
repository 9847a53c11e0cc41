"""What is left of a lab between two commands, and how every trace of it is found again, whatever was killed meanwhile.

Rules of this file: the folder under `/run` is the lock: whoever makes it has the lab, and it holds all files of the lab. A
process of the lab is known by a mark in its environment, which it has from its first moment on and which no other process
gets by taking over a number; the state file says which of them is the one to be there.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import classifier
from classifier.errors import LabError
from classifier.lab import DEFAULT_PREFIX, namespaces

RUN = Path("/run")
MARK = "FREEFLOW_LAB"
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STATE = "state.json"
_PREFIX = re.compile(r"freeflow-[a-z0-9-]{1,40}")
_PATIENCE_S = 3.0  # for a process to end when it is asked to
_DOWN = "freeflow lab down"


def check_prefix(prefix: str) -> str:
    """The prefix. LabError if namespaces and a folder cannot begin with it."""
    if not _PREFIX.fullmatch(prefix):
        raise LabError(f'--prefix: "{prefix}" is none; write it like freeflow-lab-2: freeflow-, then a-z, 0-9 or -')
    return prefix


def folder(prefix: str) -> Path:
    """Where the lab's configuration, certificates and state lie."""
    return RUN / prefix


def begin(prefix: str) -> Path:
    """Take the lab: its folder, new. LabError where it is taken, or a namespace of it is left."""
    if left := namespaces.existing(prefix):
        raise LabError(f"the lab is up already, or was left half way ({left[0]}); take it down ({_down(prefix)})")
    try:
        folder(prefix).mkdir(mode=0o700)
    except FileExistsError:
        where = f"the lab is up already, or was left half way ({folder(prefix)})"
        raise LabError(f"{where}; take it down ({_down(prefix)})") from None
    return folder(prefix)


def record(prefix: str, server: int) -> None:
    """The lab is up, and this process serves its internet."""
    path = folder(prefix) / _STATE
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps({"prefix": prefix, "server": server}) + "\n")
    partial.replace(path)


def require_up(prefix: str) -> None:
    """LabError unless the lab is up and its servers are there."""
    if not folder(prefix).exists():
        raise LabError("the lab is not up; bring it up (freeflow lab up)")
    try:
        server = json.loads((folder(prefix) / _STATE).read_text())["server"]
    except (OSError, ValueError, KeyError):
        raise LabError(f"the lab was left half way; take it down ({_down(prefix)}) and up again") from None
    if server not in processes(prefix):
        raise LabError(f"the lab's servers are gone; take it down ({_down(prefix)}) and up again")


def spawn(prefix: str, arguments: Sequence[str], **options) -> subprocess.Popen:
    """Start `python` with these arguments as a process of the lab, in the namespace that this thread is in.

    `-P`: what lies in the folder somebody happens to be in is not imported by root.
    """
    package = str(Path(classifier.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, MARK: prefix, "PYTHONPATH": path}
    return subprocess.Popen([sys.executable, "-P", *arguments], env=environment, **options)


def processes(prefix: str) -> list[int]:
    """The numbers of the lab's processes, this one left out."""
    mark = f"{MARK}={prefix}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue  # it has ended meanwhile
            if mark in environment.split(b"\0"):
                found.append(int(entry.name))
    return sorted(found)


def end_processes(prefix: str) -> int:
    """End them all, with force where they do not; how many there were. LabError where one cannot be ended."""
    found = processes(prefix)
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + _PATIENCE_S
        _signal(processes(prefix), number)
        while (left := processes(prefix)) and time.monotonic() < deadline:
            time.sleep(0.02)
        if not left:
            return len(found)
    raise LabError(
        f"process {left[0]} of the lab cannot be ended; end it, and take the lab down again ({_down(prefix)})"
    )


def remove(prefix: str) -> bool:
    """End the processes, remove namespaces and files, whatever there is of them; whether there was anything."""
    with undisturbed():
        ended = end_processes(prefix)
        removed = namespaces.remove(prefix)
        there = folder(prefix).exists()
        if there:
            shutil.rmtree(folder(prefix))
    return bool(ended or removed or there)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """A second Ctrl-C, or whatever else would end this process, has to wait until nothing is left half way."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Ctrl-C and the like come when this is over: an exception raised in the midst of netlink's callbacks would be lost."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def _signal(found: Sequence[int], number: int) -> None:
    for one in found:
        try:
            os.kill(one, number)
        except ProcessLookupError:
            continue


def _down(prefix: str) -> str:
    return _DOWN if prefix == DEFAULT_PREFIX else f"{_DOWN} --prefix {prefix}"
