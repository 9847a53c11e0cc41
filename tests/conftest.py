"""What every test may ask for: the shared captures, where they are to be had."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# The same examples every time, and no clock: a kernel that is compiled or loaded first would else fail a test now and then.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder of real captures beside the project. In CI a missing folder is a failure, elsewhere a skip."""
    folder = ROOT.parent / "shared" / "captures"
    if folder.is_dir():
        return folder
    message = "../shared/captures is not there: the tests on real captures cannot run"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
