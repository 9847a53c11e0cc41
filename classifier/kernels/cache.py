"""What one run leaves to the next: files in the user's cache folder, each read back whole or not at all.

Rules of this file: a file's digest comes first, and has the file's name in it. Whatever cannot be read or written costs time
and nothing else. Who writes here decides what runs: of another user's files nothing is taken, but root's.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

DIGEST_OCTETS = 32
TEMPORARY_ROOT = "freeflow-kernels-"  # how the name of a folder begins that is there for one run


def _root() -> Path:
    """The user's cache folder, or a private temporary one if that is read-only."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    root = Path(os.environ.get("FREEFLOW_CACHE_DIR") or os.path.join(home, "freeflow"))
    try:
        root.mkdir(parents=True, exist_ok=True)
        if os.access(root, os.W_OK):
            return root
    except OSError:
        pass
    import tempfile  # few need it

    return Path(tempfile.mkdtemp(prefix=TEMPORARY_ROOT))


ROOT = _root()


def _seal(path: Path, content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST_OCTETS, salt=b"freeflow", key=path.name[-64:].encode()).digest()


def is_ours(file: Path | int) -> bool:
    """Whether a file, or an open one, is this user's or root's. OSError where there is none."""
    return os.stat(file).st_uid in (0, os.geteuid())


def read(path: Path) -> bytes | None:
    """What `write` wrote; None where nothing is, where it is not whole, or where somebody else wrote it."""
    try:
        with path.open("rb") as file:
            if not is_ours(file.fileno()):
                return None
            kept = file.read()
    except OSError:
        return None
    content = kept[DIGEST_OCTETS:]
    return content if kept[:DIGEST_OCTETS] == _seal(path, content) else None


def write(path: Path, content: bytes) -> None:
    """Keep it, whole or not at all; a cache that cannot be written costs the next run its time, and nothing else."""
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(_seal(path, content) + content)
        os.replace(part, path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
