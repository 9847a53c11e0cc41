"""What the tests of live runs may ask for."""

from __future__ import annotations

import os
import pwd
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def nobodys_folder():
    """A folder that nobody can reach and write: pytest's own are root's alone."""
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory(prefix="freeflow-") as folder:
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        yield Path(folder), nobody
