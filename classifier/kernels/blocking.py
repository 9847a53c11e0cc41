"""What may not pass an in-line gateway: a barred subscriber's packets, and those of applications whose offers are used up and
end in a block, from the packet on that comes after the one that used them up (`allowed`). A blocked packet is counted under
its own reason and nowhere else, as it is not carried; its flow stays, so that the next one is recognised.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.accounts import find_subscriber
from classifier.kernels.allowed import ALL_BLOCKED, NOTHING_BLOCKED, is_used_up
from classifier.kernels.jit import helper
from classifier.kernels.order import order_touch
from classifier.kernels.state import PHASE_DECIDED
from classifier.records import UNMETERED_BLOCKED


@helper
def is_blocked(tables, packet, place):
    """1 if a packet of flow `place` may not pass, and is counted so. To be asked only where something can be blocked."""
    flow = tables.flows[place]
    if flow.subscriber < 0:
        return 0
    kind = np.int64(tables.block_set[flow.subscriber])
    if kind == NOTHING_BLOCKED:
        return 0
    if kind != ALL_BLOCKED and (flow.phase != PHASE_DECIDED or not is_used_up(tables, kind, flow)):
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
