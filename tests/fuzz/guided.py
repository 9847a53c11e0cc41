"""Fuzzing guided by coverage, with atheris (pip install -e '.[dev,fuzz]'), over the interpreted program.

`PYTHONPATH=.:tests python tests/fuzz/guided.py TARGET FOLDER [libFuzzer's options]` looks for octets that break the rule of
one of `targets.TARGETS`; examples that reach new code are kept in FOLDER, which is filled from the bundled captures if it is
empty. It stops at the first find and leaves it as `crash-…`; `guided.py TARGET crash-…` tries that file once more.
Options worth giving: -max_total_time=SECONDS, -max_len=OCTETS.
"""

from __future__ import annotations

import os
import random
import sys
from dataclasses import replace
from pathlib import Path

os.environ["NUMBA_DISABLE_JIT"] = "1"  # before numba is imported: compiled code shows no coverage

import atheris

with atheris.instrument_imports(include=["classifier"]):
    import targets

    from classifier.kernels import bundle

from blind import seeds
from examples import changed
from mutations import CHANGES


def change_frames(data: bytes, longest: int, seed: int) -> bytes:
    """Change frames as frames; libFuzzer, which knows what was worth it before, changes one of them as octets."""
    chance = random.Random(seed)

    def by_octets(frames):
        place = chance.randrange(len(frames))
        octets = bytearray(frames[place].octets)
        octets = atheris.Mutate(bytes(octets), len(octets) + 32)
        frames[place] = replace(frames[place], octets=bytes(octets))

    for _ in range(chance.randint(1, 3)):
        kind = by_octets if chance.random() < 0.6 else chance.choice(CHANGES)
        data = changed(data, kind if kind is by_octets else lambda frames, kind=kind: kind(frames, chance))
    return data[:longest]


def make_meters_quickly() -> None:
    """Interpreted, nobody asks for numba's types of a meter's tables, and finding them is most of making one."""
    bundle._describe = lambda _value, _entry: None


def main(arguments: list[str]) -> None:
    target, place = arguments[1], Path(arguments[2])
    make_meters_quickly()
    if place.is_file():
        targets.TARGETS[target](place.read_bytes())
        return
    place.mkdir(parents=True, exist_ok=True)
    if not any(place.iterdir()):
        for number, octets in enumerate(seeds(target)):
            (place / f"seed-{number}").write_bytes(octets)
    options = {"custom_mutator": change_frames} if target in ("frames", "session") else {}
    atheris.Setup([arguments[0], str(place), *arguments[3:]], targets.TARGETS[target], **options)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
