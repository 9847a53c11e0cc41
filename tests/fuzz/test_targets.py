"""The guided fuzzer's targets on what it found and on a few examples more, so that its rules hold at every run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import classifier

HERE = Path(__file__).resolve().parent
FOUND = sorted((HERE / "corpus").glob("*/*"))
EXAMPLES = 40


def test_any_octets_keep_the_rules_of_each_target():
    root = Path(classifier.__file__).resolve().parents[1]
    path = os.pathsep.join(str(place) for place in (root, HERE, HERE.parent))
    done = subprocess.run(
        [sys.executable, HERE / "blind.py", "0", str(EXAMPLES), *FOUND],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
