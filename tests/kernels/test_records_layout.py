"""The layout of the tables' records: what code and ARCHITECTURE.md take for granted about it."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np

from classifier.kernels import bindings, notes, packet, quic_attempts, spoofing, state
from classifier.records import FRAME

ARCHITECTURE = Path(__file__).resolve().parents[2] / "ARCHITECTURE.md"
RECORD = re.compile(r"\b[A-Z][A-Z_]{3,}\b")


def record(name: str) -> np.dtype:
    """The dtype that the page calls by this name."""
    found = [
        vars(room)[name] for room in (state, packet, notes, bindings, spoofing, quic_attempts) if name in vars(room)
    ]
    return found[0] if found else {"FRAME": FRAME}[name]


def documented() -> list[tuple[str, int]]:
    """(record, octets) from the table of the page's "Data", which has two columns of rows, and the sentence behind it."""
    data = ARCHITECTURE.read_text(encoding="utf-8").split("\n## Data\n")[1].split("\n## ")[0]
    found = []
    for line in data.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        for what, octets in pairwise(cells):
            numbers = [int(text.replace(",", "")) for text in re.findall(r"\d[\d,]*", octets)]
            found += zip(RECORD.findall(what), numbers, strict=False)
    found += [(name, int(octets)) for name, octets in re.findall(r"\b([A-Z_]{4,}), (\d+)\b", data)]
    return found


def test_the_state_is_made_of_words_so_that_it_can_be_read_as_an_array_of_them():
    """So none of them lies over two cache lines."""
    assert {state.STATE.fields[name][0].itemsize for name in state.STATE.names} == {8}
    assert [state.STATE.fields[name][1] for name in state.STATE.names] == list(range(0, state.STATE.itemsize, 8))


def test_the_sizes_that_the_architecture_gives_are_those_of_the_records():
    sizes = documented()
    named = {name for name, _ in sizes}
    assert named >= {"FLOW", "USAGE_ROW", "HELD", "FRAGMENT", "NOTE", "CONNECTION", "STREAM", "NAME", "SUBSCRIBER"}
    assert named >= {"STATE", "PACKET", "FRAME", "BINDING", "OWNER", "LINK"}
    assert sizes == [(name, record(name).itemsize) for name, _ in sizes]
