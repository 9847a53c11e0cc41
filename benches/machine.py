"""What the figures were measured on."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

PACKAGES = ("numba", "llvmlite", "numpy")


def machine() -> list[tuple[str, str]]:
    """(what, which), for the head of the report."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return [
        ("date", datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("processor", f"{processor()}, {os.cpu_count()} cores; freeflow uses two for a file, one for a NIC"),
        ("memory", f"{memory_octets('MemTotal') / 1e9:.0f} GB"),
        ("kernel", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("versions", f"freeflow {_own_version()}, Python {platform.python_version()}, {versions}"),
        ("load before the start", f"{os.getloadavg()[0]:.2f} (1 minute; others on the machine slow every row)"),
    ]


def _own_version() -> str:
    import classifier

    return classifier.__version__


def processor() -> str:
    """The processor's name as the kernel gives it."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def memory_octets(field: str) -> int:
    """A line of /proc/meminfo."""
    for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0
