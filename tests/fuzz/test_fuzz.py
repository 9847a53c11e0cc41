"""Captures made wrong at random: nothing is read that is not there, each octet has one place, and all runs agree.

What is tried is always the same; `fuzzed.py` tries more. What it found stands in `corpus/`, and is tried first.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from frames import Sent
from fuzzed import as_text, from_text, verdict
from mutations import example

import classifier

HERE = Path(__file__).resolve().parent
CORPUS = sorted((HERE / "corpus").glob("*.json"))
INTERPRETED = 40
COMPILED = 240


def test_interpreted_nothing_outside_is_read_and_the_answers_are_the_compiled_ones():
    root = Path(classifier.__file__).resolve().parents[1]
    path = os.pathsep.join(str(place) for place in (root, HERE, HERE.parent))
    done = subprocess.run(
        [sys.executable, HERE / "fuzzed.py", "0", str(INTERPRETED), *CORPUS],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    compiled = [f"{file.name} {verdict(from_text(file.read_text()))}" for file in CORPUS]
    compiled += [f"{number} {verdict(example(number))}" for number in range(INTERPRETED)]
    assert done.stdout.splitlines() == compiled


def test_neither_the_batch_nor_the_seed_shows_and_each_octet_has_one_place():
    assert len({verdict(example(number)) for number in range(INTERPRETED, COMPILED)}) > COMPILED // 2


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_what_was_found_once_stays_right(file):
    assert verdict(from_text(file.read_text()))


def test_a_file_of_the_corpus_holds_the_frames_as_they_were():
    frames = [Sent(5, b"\0\xff", 1, 60), Sent(-1, b"", 101, None)]
    assert from_text(as_text(frames)) == frames
