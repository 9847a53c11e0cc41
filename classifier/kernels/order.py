"""Flows in the order of their last packet: one list per time-out, longest idle first.

Timeouts and the choice of a victim need no scan: whoever is due stands first. Packet time never goes back, so a list is
sorted by construction and moving a flow to its end keeps it so.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.jit import helper, hot


@hot
def order_remove(tables, place):
    """Take a flow out of its list."""
    flow = tables.flows[place]
    before = np.int64(flow.before)
    after = np.int64(flow.after)
    if before >= 0:
        tables.flows[before].after = after
    else:
        tables.order_first[flow.order] = after
    if after >= 0:
        tables.flows[after].before = before
    else:
        tables.order_last[flow.order] = before


@hot
def order_append(tables, place, order):
    """Put a flow at the end of a list: it has just been active."""
    last = np.int64(tables.order_last[order])
    flow = tables.flows[place]
    flow.order = order
    flow.before = last
    flow.after = -1
    if last >= 0:
        tables.flows[last].after = place
    else:
        tables.order_first[order] = place
    tables.order_last[order] = place
    state = tables.state[0]
    deadline = state.clock_ns + tables.timeout_ns[order]
    if deadline < state.next_deadline_ns:
        state.next_deadline_ns = deadline


@hot
def order_touch(tables, place, order):
    """A packet came: to the end of `order`, unless it stands there already."""
    if tables.flows[place].order == order and tables.order_last[order] == place:
        return
    order_remove(tables, place)
    order_append(tables, place, order)


@helper
def order_oldest(tables):
    """The flow whose last packet is the longest ago, over all lists; of equals the first that began."""
    oldest = -1
    for order in range(tables.order_first.shape[0]):
        place = tables.order_first[order]
        if place < 0:
            continue
        if oldest < 0:
            oldest = place
            continue
        last_ns = tables.flows[place].last_ns
        oldest_ns = tables.flows[oldest].last_ns
        if last_ns < oldest_ns or (last_ns == oldest_ns and tables.flows[place].serial < tables.flows[oldest].serial):
            oldest = place
    return oldest
