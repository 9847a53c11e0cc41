"""What a run asks of this machine and this process: Python, Linux, capabilities, folders that can be written."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from classifier.gateway.findings import FAULT, OK, WARNING, Finding

PYTHON_LEAST = (3, 11)
# Linux: TPACKET_V3 since 3.2 (packet(7)); PACKET_IGNORE_OUTGOING, without which the loopback counts twice, since 4.20.
LINUX_LEAST, LINUX_WHOLE = (3, 2), (4, 20)
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13}  # linux/capability.h
STATUS = Path("/proc/self/status")


def python_findings() -> Iterator[Finding]:
    """The interpreter."""
    text = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info[:2] < PYTHON_LEAST:
        yield Finding(FAULT, "python", f"{text}; freeflow needs Python 3.11 or newer")
    else:
        yield Finding(OK, "python", text)


def linux_findings(system: str, release: str) -> Iterator[Finding]:
    """The kernel, by what `uname` says; `run` needs Linux, files can be read anywhere."""
    text = f"{system} {release}"
    found = re.match(r"(\d+)\.(\d+)", release)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    if system != "Linux" or version < LINUX_LEAST:
        yield Finding(WARNING, "system", f"{text}: run needs the packet ring of Linux 3.2 or later; files can be read")
    elif version < LINUX_WHOLE:
        yield Finding(WARNING, "system", f"{text}: the loopback interface cannot be captured from before Linux 4.20")
    else:
        yield Finding(OK, "system", text)


def capability_findings(status: str) -> Iterator[Finding]:
    """What this process may do, by /proc/self/status (proc(5), CapEff)."""
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    if found is None:
        return
    held = int(found[1], 16)
    missing = [name for name, bit in CAPABILITIES.items() if not held >> bit & 1]
    if "CAP_NET_RAW" in missing:
        mend = "start run as root, or with AmbientCapabilities=CAP_NET_RAW as deploy/freeflow.service has it"
        yield Finding(WARNING, "capabilities", f"without CAP_NET_RAW no interface can be captured from; {mend}")
    elif missing:
        text = "CAP_NET_RAW: capturing is permitted; without CAP_NET_ADMIN an interface has to be up before"
        yield Finding(OK, "capabilities", text)
    else:
        yield Finding(OK, "capabilities", "CAP_NET_RAW and CAP_NET_ADMIN: capturing is permitted")


def machine_findings() -> Iterator[Finding]:
    """All of these, for this process."""
    yield from python_findings()
    yield from linux_findings(platform.system(), platform.release())
    yield from capability_findings(STATUS.read_text() if STATUS.exists() else "")


def ledger_access_findings(path: Path) -> Iterator[Finding]:
    """Whether this process could write a ledger that is there, and what SQLite puts beside it."""
    for place in (path.absolute().parent, path):
        if place.exists() and not os.access(place, os.W_OK):
            yield Finding(
                WARNING, "ledger", f"{place}: cannot be written by this user; run needs that: chown it, or use --user"
            )
