"""The packet in the middle of a flow, accounted for in one go: it changes counts and numbers, and nothing else.

Rules of this file: what is written is exactly what `assign.meter_packet` would write; whatever could change more is left to
it. `middle_of` is asked each time that a packet was gone through step by step: it says whether those behind it may come here.
What moves a flow to another phase takes that back (`verdict.decide`, `inspect.take_name`), as a fragment or an ICMP error may.
Which end sent is no branch here, as no processor could foretell it.
"""

from __future__ import annotations

import numpy as np

from classifier.iana import PORT_DNS, PROTOCOL_TCP, PROTOCOL_UDP, TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN
from classifier.kernels.connections import may_begin_connection
from classifier.kernels.deliver import count, take_part
from classifier.kernels.jit import helper, hot
from classifier.kernels.order import order_touch
from classifier.kernels.settle import count_held
from classifier.kernels.state import (
    MIDDLE_NONE,
    MIDDLE_QUIC,
    MIDDLE_TCP,
    MIDDLE_UDP,
    MIDDLE_UNREAD,
    ORDER_ESTABLISHED,
    PHASE_DECIDED,
    PHASE_INSPECTED,
    QUIC_DECIDED,
    TCP_ACK_CLIENT,
    TCP_FIN_CLIENT,
    TCP_FIN_SERVER,
    TCP_FOLLOWED,
    TCP_RESET,
    TCP_SEEN_CLIENT,
    TCP_SEEN_SERVER,
)
from classifier.records import SOURCE_DNS, UNMETERED_TRANSIT

# Of a flow's tcp_state, and of a segment's flags: what has to be looked at, and how it has to be.
STATE_MASK = TCP_SEEN_CLIENT | TCP_SEEN_SERVER | TCP_FIN_CLIENT | TCP_FIN_SERVER | TCP_RESET | TCP_FOLLOWED
STATE_OPEN = TCP_SEEN_CLIENT | TCP_SEEN_SERVER
FLAGS_MASK = TCP_ACK | TCP_SYN | TCP_FIN | TCP_RST


@helper
def middle_of(flow):
    """MIDDLE_…: which packets of the flow, as it is now, can be accounted for by `meter_middle`."""
    if flow.client_port == PORT_DNS or flow.server_port == PORT_DNS:
        return MIDDLE_NONE
    is_settled = flow.phase == PHASE_DECIDED and (flow.subscriber < 0 or flow.settled)
    if flow.protocol == PROTOCOL_TCP:
        if flow.tcp_state & STATE_MASK != STATE_OPEN or flow.order != ORDER_ESTABLISHED:
            return MIDDLE_NONE
        return MIDDLE_TCP if is_settled else MIDDLE_UNREAD if flow.phase == PHASE_INSPECTED else MIDDLE_NONE
    if is_settled and flow.protocol == PROTOCOL_UDP:
        return MIDDLE_QUIC if flow.quic & QUIC_DECIDED or flow.source == SOURCE_DNS else MIDDLE_UDP
    return MIDDLE_NONE


@hot
def pass_over(flow, packet, state):
    """1 if `inspect.inspect_segment` would find nothing to do with a payload that is next in order, but count it."""
    if packet.begins or packet.payload_captured == 0 or flow.stream >= 0:
        return 0
    if flow.inspected + 1 >= state.inspection_packets:
        return 0
    flow.inspected += 1
    return 1


@hot
def meter_middle(tables, buffer, packet, match):
    """1 if the packet of the flow found (`find_flow`) is accounted for; 0 if it has to be gone through step by step."""
    place = match >> 1
    from_server = match & 1
    flow = tables.flows[place]
    state = tables.state[0]
    kind = flow.middle
    if kind == MIDDLE_NONE or packet.fragment or flow.interval != state.interval:
        return 0
    if state.clock_ns - flow.last_ns > tables.timeout_ns[flow.order]:
        return 0
    if kind <= MIDDLE_UNREAD:
        client_next, server_next = np.int64(flow.client_next), np.int64(flow.server_next)
        expected = server_next if from_server else client_next
        if packet.tcp_flags & FLAGS_MASK != TCP_ACK or packet.tcp_sequence != expected:
            return 0
        if kind == MIDDLE_UNREAD and packet.payload_octets > 0 and not pass_over(flow, packet, state):
            return 0
        end = (expected + packet.payload_octets) & 0xFFFFFFFF
        acknowledged = packet.tcp_acknowledgement
        flow.client_next = client_next if from_server else end
        flow.server_next = end if from_server else server_next
        flow.client_acknowledged = np.int64(flow.client_acknowledged) if from_server else acknowledged
        flow.server_acknowledged = acknowledged if from_server else np.int64(flow.server_acknowledged)
        flow.tcp_state |= TCP_ACK_CLIENT << from_server
    elif kind == MIDDLE_QUIC and may_begin_connection(buffer, packet):
        return 0
    octets = packet.octets
    packets = packet.packets
    count(flow, from_server, octets, packets)
    take_part(flow, from_server)
    flow.last_ns = state.clock_ns
    order_touch(tables, place, np.int64(flow.order))
    if flow.subscriber < 0:
        tables.unmetered_frames[UNMETERED_TRANSIT] += packets
        tables.unmetered_octets[UNMETERED_TRANSIT] += octets
        return 1
    state.metered_frames += packets
    state.metered_octets += octets
    count_held(tables, flow, from_server, octets, packets)
    return 1
