"""What is blocked, from Python into the kernels' tables: `kernels.blocking` says what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping

from classifier.kernels.blocking import ALL_BLOCKED, EVIDENCES, NOTHING_BLOCKED, SETS
from classifier.kernels.bundle import Bundle

# (application, evidence) by number; None: whatever the subscriber sends or gets.
Cases = frozenset[tuple[int, int]] | None


def write_blocks(tables: Bundle, blocked: Mapping[int, Cases]) -> int:
    """Let this be blocked and nothing else, by subscriber. Returns for how many subscribers no set was left."""
    tables.block_set.fill(NOTHING_BLOCKED)
    tables.block_cells.fill(0)
    every = tables.block_cells.shape[1]
    place: dict[Cases, int] = {None: ALL_BLOCKED}
    left_out = 0
    for subscriber, cases in blocked.items():
        if cases is not None and len(cases) == every:
            cases = None  # so that a flow need not be decided first
        if cases not in place:
            if len(place) + 1 >= SETS:
                left_out += 1
                continue
            place[cases] = len(place) + 1
            for application, evidence in cases:
                tables.block_cells[place[cases], application * EVIDENCES + evidence] = 1
        tables.block_set[subscriber] = place[cases]
    return left_out
