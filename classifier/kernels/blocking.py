"""What may not pass an in-line gateway: a barred subscriber's packets, and those of applications whose offer has ended in a
block. A blocked packet is counted under its own reason and nowhere else, as it is not carried; its flow stays, so that the
next one is recognised.

A subscriber's set says which applications with which evidence: sets are shared, as many subscribers have the same.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.accounts import find_subscriber
from classifier.kernels.jit import helper
from classifier.kernels.order import order_touch
from classifier.kernels.state import PHASE_DECIDED
from classifier.records import EVIDENCE, UNMETERED_BLOCKED

SETS = 256
NOTHING_BLOCKED, ALL_BLOCKED = 0, 1  # sets that are always the same
EVIDENCES = len(EVIDENCE)


@helper
def is_blocked(tables, packet, place):
    """1 if a packet of flow `place` may not pass, and is counted so. To be asked only where something can be blocked."""
    flow = tables.flows[place]
    if flow.subscriber < 0:
        return 0
    number = np.int64(tables.block_set[flow.subscriber])
    if number == NOTHING_BLOCKED:
        return 0
    if number != ALL_BLOCKED:
        if flow.phase != PHASE_DECIDED:
            return 0
        if not tables.block_cells[number, np.int64(flow.application) * EVIDENCES + np.int64(flow.evidence)]:
            return 0
    flow.last_ns = tables.state[0].clock_ns
    order_touch(tables, place, np.int64(flow.order))
    return count_blocked(tables, packet)


@helper
def is_fragment_blocked(tables, packet):
    """The same of a later fragment, whatever its first was, if there ever is one: only where nothing at all may pass."""
    number = find_subscriber(tables, packet.version, packet.source_high, packet.source_low)
    if number < 0:
        number = find_subscriber(tables, packet.version, packet.destination_high, packet.destination_low)
    if number < 0 or tables.block_set[number] != ALL_BLOCKED:
        return 0
    return count_blocked(tables, packet)


@helper
def count_blocked(tables, packet):
    """The packet is not carried: it is counted so, and its status says it to whoever would carry it."""
    tables.unmetered_frames[UNMETERED_BLOCKED] += packet.packets
    tables.unmetered_octets[UNMETERED_BLOCKED] += packet.octets
    packet.status = 1 + UNMETERED_BLOCKED
    return 1
