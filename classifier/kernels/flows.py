"""The flow table: bidirectional 5-tuples in slots that do not move, found through an index with open addressing.

Rules: fixed capacity; beyond it, the flow idle for longest makes room (counted) and its octets are posted like those of any
flow that ends. Both ends hash alike, so one look-up finds a flow whichever end sent. A slot's number stays good until its
flow ends; whoever keeps one also keeps the flow's serial.
"""

from __future__ import annotations

import numpy as np

from classifier.iana import PROTOCOL_TCP, PROTOCOL_UDP
from classifier.kernels.accounts import find_subscriber
from classifier.kernels.bindings import handed_on, note_owner
from classifier.kernels.hashing import LOW_HALF, hash_end, low_bits, mix
from classifier.kernels.inspect import close_inspection
from classifier.kernels.jit import helper, hot
from classifier.kernels.octets import prefetch, prefetch_flow, prefetch_record
from classifier.kernels.order import order_append, order_oldest, order_remove
from classifier.kernels.settle import post_open, settle, standing
from classifier.kernels.state import (
    MIDDLE_NONE,
    ORDER_OTHER,
    ORDER_TRANSITORY,
    ORDER_UDP,
    PHASE_DECIDED,
    PHASE_INSPECTED,
    RULE_NO_HOST_NAME,
)
from classifier.kernels.usage import fetch_usage
from classifier.kernels.verdict import decide
from classifier.records import END_EVICTED, END_HANDED_ON

SHIFT_TAG = np.uint64(32)
# The index in use has at least so many positions for each flow, as long as there are so many.
INDEX_SHARE = 8
NOTHING = np.uint64(0)


@hot
def flow_tag(seed, a_high, a_low, a_port, b_high, b_low, b_port, protocol):
    """Low half of the seeded hash of a 5-tuple, the same from either end. int64."""
    ends = hash_end(seed, a_high, a_low, a_port) + hash_end(seed, b_high, b_low, b_port)
    return low_bits(mix(ends ^ np.uint64(protocol)))


@hot
def find_flow(tables, tag, version, a_high, a_low, a_port, b_high, b_low, b_port, protocol):
    """2 * place + (1 if `a` is the flow's server) of the flow between two ends, or -1."""
    mask = tables.state[0].index_mask
    position = tag & mask
    while True:
        entry = tables.flow_index[position]
        if entry == np.uint64(0):
            return -1
        if np.int64(entry >> SHIFT_TAG) == tag:
            place = np.int64(entry & LOW_HALF) - 1
            flow = tables.flows[place]
            other = np.uint64((flow.protocol ^ protocol) | (flow.version ^ version))
            forward = other | unlike(flow, a_high, a_low, a_port, b_high, b_low, b_port)
            backward = other | unlike(flow, b_high, b_low, b_port, a_high, a_low, a_port)
            if min(forward, backward) == NOTHING:
                return 2 * place + (forward != NOTHING)
        position = (position + 1) & mask


@hot
def unlike(flow, client_high, client_low, client_port, server_high, server_low, server_port):
    """0 if these are the flow's ends. Without a branch, as either end may have sent."""
    return (
        (flow.client_low ^ client_low)
        | (flow.server_low ^ server_low)
        | (flow.client_high ^ client_high)
        | (flow.server_high ^ server_high)
        | np.uint64((flow.client_port ^ client_port) | (flow.server_port ^ server_port))
    )


@hot
def fetch_entry(tables, tag):
    """Have the entry of the index fetched at which a packet's flow is at home."""
    prefetch(tables.flow_index, tag & tables.state[0].index_mask)


@hot
def fetch_flow(tables, tag):
    """Have the flow fetched that a packet will find; what stands at its home is it, nearly always. Not looked at, as that
    would be a branch which no processor could foretell."""
    entry = tables.flow_index[tag & tables.state[0].index_mask]
    prefetch_record(tables.flows, max(np.int64(entry & LOW_HALF) - 1, 0))


@helper
def open_flow(
    tables, tag, version, client_high, client_low, client_port, server_high, server_low, server_port, protocol
):
    """Make a flow; its place. The table has room: `evict` sees to it before every frame."""
    state = tables.state[0]
    place = take_slot(tables)
    state.flow_count += 1
    if INDEX_SHARE * state.flow_count > state.index_mask:
        index_grow(tables)
    state.serial += 1
    flow = tables.flows[place]
    flow.client_high = client_high
    flow.client_low = client_low
    flow.client_port = client_port
    flow.server_high = server_high
    flow.server_low = server_low
    flow.server_port = server_port
    flow.protocol = protocol
    flow.version = version
    flow.tag = tag
    reset_flow(flow, state)
    subscriber = find_subscriber(tables, version, client_high, client_low)
    flow.subscriber_is_client = 1
    if subscriber < 0:
        subscriber = find_subscriber(tables, version, server_high, server_low)
        if subscriber >= 0:
            flow.subscriber_is_client = 0
    flow.subscriber = subscriber
    if tables.owners.shape[0] > 0:
        note_owner(tables, place)
    index_add(tables, tag, place)
    if protocol == PROTOCOL_TCP:
        order_append(tables, place, ORDER_TRANSITORY)
    else:
        order_append(tables, place, ORDER_UDP if protocol == PROTOCOL_UDP else ORDER_OTHER)
    if subscriber < 0 and tables.log.shape[0] == 0:
        flow.phase = PHASE_DECIDED  # nobody is told what strangers' flows are
        return place
    inspected = protocol == PROTOCOL_TCP or protocol == PROTOCOL_UDP
    if not inspected or (client_port == 0 and server_port == 0):
        decide(tables, place)
    return place


@helper
def take_slot(tables):
    """A slot for a flow: the one that became free last, else one never used. The one for the next flow is fetched."""
    state = tables.state[0]
    place = state.free_flow
    if place >= 0:
        after = np.int64(tables.flows[place].after)
        state.free_flow = after
        prefetch_flow(tables.flows, max(after, 0))
        return place
    state.flow_slots += 1
    return state.flow_slots - 1


@helper
def reset_flow(flow, state):
    """A new flow has seen nothing yet."""
    flow.phase = PHASE_INSPECTED
    flow.settled = 0
    flow.last_ns = state.clock_ns
    flow.first_ns = state.clock_ns
    flow.serial = state.serial
    flow.client_octets = 0
    flow.server_octets = 0
    flow.client_packets = 0
    flow.server_packets = 0
    flow.interval = state.interval
    flow.took_part = 0
    flow.middle = MIDDLE_NONE
    flow.tcp_state = 0
    flow.client_acknowledged = 0
    flow.server_acknowledged = 0
    flow.client_gap = 0
    flow.client_gap_end = 0
    flow.server_gap = 0
    flow.server_gap_end = 0
    flow.ended = 0
    flow.application = 0
    flow.evidence = 0
    flow.source = 0
    flow.quic = 0
    flow.quic_attempt = 0
    flow.backed = 0
    flow.posted_client_octets = 0
    flow.posted_server_octets = 0
    flow.posted_client_packets = 0
    flow.posted_server_packets = 0
    flow.held = -1
    flow.stream = -1
    flow.inspected = 0
    flow.name_from_server = 0
    flow.contradicted = 0
    flow.rule = RULE_NO_HOST_NAME
    flow.name = -1
    flow.other_name = -1
    flow.icmp_errors = 0
    flow.retransmitted_octets = 0
    flow.after_close_octets = 0


@helper
def index_add(tables, tag, place):
    """Enter a flow into the index: the first empty position from its home."""
    mask = tables.state[0].index_mask
    position = tag & mask
    while tables.flow_index[position] != np.uint64(0):
        position = (position + 1) & mask
    tables.flow_index[position] = np.uint64(tag) << SHIFT_TAG | np.uint64(place + 1)


@helper
def index_grow(tables):
    """Use twice as much of the index, so that a flow is nearly always at home in it; all flows are entered anew."""
    state = tables.state[0]
    if state.index_mask + 1 == tables.flow_index.shape[0]:
        return
    for position in range(state.index_mask + 1):
        tables.flow_index[position] = np.uint64(0)
    state.index_mask = 2 * state.index_mask + 1
    for place in range(state.flow_slots):
        if tables.flows[place].serial != 0:
            index_add(tables, np.int64(tables.flows[place].tag), place)


@helper
def index_remove(tables, tag, place):
    """Take a flow out of the index; later entries of its run move up, so that no gap hides them."""
    mask = tables.state[0].index_mask
    entry = np.uint64(tag) << SHIFT_TAG | np.uint64(place + 1)
    hole = tag & mask
    while tables.flow_index[hole] != entry:
        hole = (hole + 1) & mask
    position = hole
    while True:
        position = (position + 1) & mask
        entry = tables.flow_index[position]
        if entry == np.uint64(0):
            break
        home = np.int64(entry >> SHIFT_TAG) & mask
        if ((position - home) & mask) >= ((position - hole) & mask):
            tables.flow_index[hole] = entry
            hole = position
    tables.flow_index[hole] = np.uint64(0)


@helper
def evict(tables):
    """End the flows idle for longest, so that at most `flow_capacity` are left before the next frame.

    The slots beyond are for the flows that one frame may open, SLOTS_PER_FRAME at most.
    """
    state = tables.state[0]
    while state.flow_count > state.flow_capacity:
        state.flows_evicted += 1
        place = order_oldest(tables)
        fetch_next(tables, place)
        end_flow(tables, place, END_EVICTED)


@helper
def fetch_next(tables, place):
    """A flow ends: have fetched what the end of the next one needs, and the one behind it, as all have long been idle."""
    after = np.int64(tables.flows[place].after)
    if after < 0:
        return
    flow = tables.flows[after]
    fetch_entry(tables, np.int64(flow.tag))
    if flow.subscriber >= 0:
        fetch_usage(tables, flow, standing(flow))
    if flow.after >= 0:
        prefetch_flow(tables.flows, np.int64(flow.after))


@helper
def end_flow(tables, place, reason):
    """The flow ends: decide with what there is, post what it holds, log it, free its slot."""
    flow = tables.flows[place]
    state = tables.state[0]
    close_inspection(tables, place)
    settle(tables, place)
    post_open(tables, place)
    flow.ended = reason
    if flow.subscriber >= 0:
        tables.evidence_flows[flow.evidence] += 1
        state.flows += 1
    if tables.log.shape[0] > 0:
        tables.log[state.log_count] = flow
        state.log_count += 1
    index_remove(tables, np.int64(flow.tag), place)
    order_remove(tables, place)
    flow.serial = 0
    flow.after = state.free_flow
    state.free_flow = place
    state.flow_count -= 1


@helper
def end_if_handed_on(tables, place):
    """1 if the flow ended because its subscriber's address is another's now: from this packet on it is that one's."""
    if not handed_on(tables, place):
        return 0
    end_flow(tables, place, END_HANDED_ON)
    return 1
