"""What a subscriber may still use of what ends in a block: counted down with each octet that is posted, in packets' order.

A subscriber is of one kind (`block_set`). The kind says what each offer gives (`block_given`, a slot an offer, in the order in
which offers apply), and for each application and evidence which slots it takes from (`block_cells`, a bit a slot) and whether
nothing of it passes once these are used up (BLOCKS). What has been used (`block_used`) is the subscriber's own. Rating says
the same at the interval's end, and overwrites it.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.jit import helper, hot
from classifier.records import EVIDENCE

SETS = 1024  # kinds
SLOTS = 16
NOTHING_BLOCKED, ALL_BLOCKED = 0, 1  # kinds that are always the same
BLOCKS = 1 << SLOTS
EVIDENCES = len(EVIDENCE)


@hot
def is_counted_down(tables, subscriber):
    """1 if something of this subscriber's is counted down: then its flows post with each packet, not with the interval."""
    if tables.block_set.shape[0] == 0:
        return 0
    return 1 if tables.block_set[subscriber] > ALL_BLOCKED else 0


@helper
def cell_of(tables, kind, flow):
    """The bits of what the flow is, for subscribers of this kind."""
    return np.int64(tables.block_cells[kind, np.int64(flow.application) * EVIDENCES + np.int64(flow.evidence)])


@helper
def is_used_up(tables, kind, flow):
    """1 if nothing of a decided flow may pass: it ends in a block, and no slot that it takes from has anything left."""
    cell = cell_of(tables, kind, flow)
    if cell & BLOCKS == 0:
        return 0
    for slot in range(SLOTS):
        if cell >> slot & 1 and tables.block_used[flow.subscriber, slot] < tables.block_given[kind, slot]:
            return 0
    return 1


@helper
def count_down(tables, flow, interval, octets):
    """Octets of the flow are posted: its slots have less, each as far as it goes (accounting 3.3).

    What came in before the kinds were told took from other days' allowances; rating knows.
    """
    if interval < tables.state[0].blocks_since_ns:
        return
    kind = np.int64(tables.block_set[flow.subscriber])
    cell = cell_of(tables, kind, flow)
    for slot in range(SLOTS):
        if cell >> slot & 1:
            left = tables.block_given[kind, slot] - tables.block_used[flow.subscriber, slot]
            taken = min(max(left, 0), octets)
            tables.block_used[flow.subscriber, slot] += taken
            octets -= taken
