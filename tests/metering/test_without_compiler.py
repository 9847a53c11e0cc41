"""The bundled captures: the same totals, usage and flows compiled and interpreted, whatever the batch."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from metered_files import all_metered

import classifier

HERE = Path(__file__).resolve().parent
PCAPS = sorted(path for path in (HERE.parents[1] / "pcaps").iterdir() if path.suffix in (".pcap", ".pcapng"))


@cache
def compiled() -> list[str]:
    return all_metered(PCAPS, 4096)


@pytest.mark.parametrize("batch_frames", [1, 7])
def test_the_size_of_the_batch_changes_nothing(batch_frames):
    assert len(PCAPS) > 10
    assert all_metered(PCAPS, batch_frames) == compiled()


def test_interpreted_the_meter_says_the_same():
    root = Path(classifier.__file__).resolve().parents[1]
    path = os.pathsep.join(str(place) for place in (root, HERE, HERE.parent))
    done = subprocess.run(
        [sys.executable, HERE / "metered_files.py", "100", *PCAPS],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == compiled()
