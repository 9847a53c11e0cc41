"""The layout of the tables' records: what code and ARCHITECTURE.md take for granted about it."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from classifier.gateway.plan import load_plan
from classifier.kernels import bindings, notes, packet, quic_attempts, spoofing, state
from classifier.kernels.bundle import Bundle
from classifier.metering.tables import Limits, make_tables
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


def octets(tables: Bundle | np.ndarray | int) -> int:
    """Of all arrays in there."""
    if isinstance(tables, Bundle):
        return sum(map(octets, vars(tables).values()))
    return tables.nbytes if isinstance(tables, np.ndarray) else 0


def table_octets(link_binding: str | None = None, **limits: int) -> int:
    plan = load_plan(None)
    addresses = np.zeros(16, np.int64)
    return octets(
        make_tables(
            plan.lookup,
            plan.subscriber_ranges,
            0,
            Limits(**limits),
            addresses,
            log_flows=False,
            seed=1,
            link_binding=link_binding,
        )
    )


@pytest.mark.parametrize(
    ("said", "table", "link_binding"),
    [
        (r"a flow takes (\d+) octets", "flows", None),
        (r"a subscriber (\d+) ", "subscribers", None),
        (r"\((\d+) with link binding\)", "subscribers", "mac"),
    ],
)
def test_what_the_architecture_says_of_a_flow_and_of_a_subscriber_is_what_twice_as_many_add(said, table, link_binding):
    data = ARCHITECTURE.read_text(encoding="utf-8").split("\n## Data\n")[1].split("\n## ")[0]
    places = {"flows": 1 << 16, "subscribers": 1 << 16}
    twice = {**places, table: 2 << 16}
    added = table_octets(link_binding, **twice) - table_octets(link_binding, **places)
    assert added == int(re.search(said, data)[1]) << 16
