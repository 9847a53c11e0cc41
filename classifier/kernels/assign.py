"""One decoded packet to its flow: found or made, looked into, and given the octets.

Fragments follow their first, ICMP errors the packet they quote; each octet goes to exactly one place (`deliver`).
"""

from __future__ import annotations

import numpy as np

from classifier.iana import PORT_DNS, PROTOCOL_TCP, PROTOCOL_UDP, TCP_ACK, TCP_RST, TCP_SYN
from classifier.kernels.bindings import is_subscriber
from classifier.kernels.blocking import is_blocked, is_fragment_blocked
from classifier.kernels.connections import begins_connection
from classifier.kernels.deliver import deliver, take_part
from classifier.kernels.flows import end_flow, end_if_handed_on, find_flow, flow_tag, open_flow
from classifier.kernels.fragments import find_fragment, first_fragment, fragment_home, later_fragment
from classifier.kernels.http_follow import follow_octets, follow_segment
from classifier.kernels.inspect import answer, close_inspection, expected_sequence, inspect_fragment, inspect_segment
from classifier.kernels.jit import helper, hot
from classifier.kernels.learned import observe_dns
from classifier.kernels.middle import meter_middle, middle_of
from classifier.kernels.order import order_touch
from classifier.kernels.quic import inspect_datagram
from classifier.kernels.spoofing import is_sender_spoofed, is_spoofed
from classifier.kernels.state import ORDER_OTHER, ORDER_UDP, PHASE_DECIDED, PHASE_NAMED, RULE_NAME_UNSEEN, TCP_FOLLOWED
from classifier.kernels.tcp import (
    begins_anew,
    close_reason,
    order_of,
    track,
    track_fragment,
    track_reset,
)
from classifier.kernels.verdict import decide
from classifier.records import END_FIN, END_IDLE, END_OPEN, END_REUSED, UNMETERED_TRANSIT


@hot
def meter_packet(tables, buffer, packet, plain):
    """A whole packet or a first fragment: its flow is found or made, looked into, and given the octets.

    `plain`: `meter_middle` may account for it.
    """
    match = find_flow(
        tables,
        packet.tag,
        packet.version,
        packet.source_high,
        packet.source_low,
        packet.source_port,
        packet.destination_high,
        packet.destination_low,
        packet.destination_port,
        packet.protocol,
    )
    if match < 0 or not plain or not meter_middle(tables, buffer, packet, match):
        meter_step_by_step(tables, buffer, packet, match)


@hot
def meter_step_by_step(tables, buffer, packet, match):
    """A packet that may change what its flow is. `match`: of `find_flow`."""
    if match >= 0 and tables.owners.shape[0] > 0 and end_if_handed_on(tables, match >> 1):
        match = -1
    if match >= 0:
        if tables.links.shape[0] > 0 and is_spoofed(tables, packet, match):
            return
        if ends_before(tables, buffer, packet, match):
            match = -1
    if match < 0:
        if tables.links.shape[0] > 0 and is_spoofed(tables, packet, match):
            return
        match = open_for_packet(tables, packet)
    place = match >> 1
    from_server = match & 1
    if tables.block_set.shape[0] > 0 and is_blocked(tables, packet, place):
        if packet.fragment == 1:
            first_fragment(tables, packet, place, from_server)  # by it the later ones are known, and blocked, too
        return
    if packet.fragment == 1 and tables.flows[place].subscriber >= 0:
        flow = tables.flows[place]
        if packet.protocol == PROTOCOL_UDP and flow.phase != PHASE_DECIDED and flow.inspected == 0:
            flow.rule = RULE_NAME_UNSEEN  # QUIC is not read from fragments
            decide(tables, place)
        first_fragment(tables, packet, place, from_server)
    if packet.source_port == PORT_DNS or packet.destination_port == PORT_DNS:
        observe_dns(tables, buffer, packet, place, from_server)
    if packet.protocol == PROTOCOL_TCP:
        meter_segment(tables, buffer, packet, place, from_server)
    else:
        if packet.protocol == PROTOCOL_UDP and tables.flows[place].phase != PHASE_DECIDED:
            inspect_datagram(tables, buffer, packet, place, from_server)
        take_part(tables.flows[place], from_server)
        touch(tables, place, ORDER_UDP if packet.protocol == PROTOCOL_UDP else ORDER_OTHER)
        deliver(tables, place, from_server, packet.octets, packet.packets, tables.state[0].interval, 0)
    tables.flows[place].middle = middle_of(tables.flows[place])


@hot
def ends_before(tables, buffer, packet, match):
    """1 if the flow found has ended before this packet: timed out, or another connection on the same ports."""
    state = tables.state[0]
    place = match >> 1
    flow = tables.flows[place]
    if state.clock_ns - flow.last_ns > tables.timeout_ns[flow.order]:
        reason = close_reason(flow)
        end_flow(tables, place, reason if reason != END_OPEN else END_IDLE)
        return 1
    if packet.protocol == PROTOCOL_TCP and begins_anew(flow, packet, match & 1):
        reason = close_reason(flow)
        end_flow(tables, place, reason if reason != END_OPEN else END_REUSED)
        return 1
    if packet.protocol == PROTOCOL_UDP and begins_connection(flow, buffer, packet, match & 1):
        end_flow(tables, place, END_REUSED)
        return 1
    return 0


@helper
def open_for_packet(tables, packet):
    """Open the flow of its first packet; a SYN-ACK that comes first was sent by the server."""
    if packet.tcp_flags & (TCP_SYN | TCP_ACK) == TCP_SYN | TCP_ACK:
        place = open_flow(
            tables,
            packet.tag,
            packet.version,
            packet.destination_high,
            packet.destination_low,
            packet.destination_port,
            packet.source_high,
            packet.source_low,
            packet.source_port,
            packet.protocol,
        )
        return 2 * place + 1
    return 2 * open_flow(
        tables,
        packet.tag,
        packet.version,
        packet.source_high,
        packet.source_low,
        packet.source_port,
        packet.destination_high,
        packet.destination_low,
        packet.destination_port,
        packet.protocol,
    )


@hot
def touch(tables, place, order):
    """The flow has just been active."""
    tables.flows[place].last_ns = tables.state[0].clock_ns
    order_touch(tables, place, order)


@hot
def meter_segment(tables, buffer, packet, place, from_server):
    """TCP: numbers, inspection, close.

    Payload after the close is charged apart (accounting 1.6): a closed connection's ports could carry anything.
    """
    flow = tables.flows[place]
    state = tables.state[0]
    was_closed = close_reason(flow) != END_OPEN
    if packet.tcp_flags != 0:
        is_read = flow.phase <= PHASE_NAMED and packet.payload_captured > 0
        expected = expected_sequence(flow, from_server) if is_read else np.int64(-1)
        if track(flow, packet, from_server):
            flow.retransmitted_octets += packet.octets
            if flow.subscriber >= 0:
                state.retransmitted_octets += packet.octets
        if flow.phase == PHASE_NAMED and packet.tcp_flags & TCP_RST == 0:
            answer(tables, place)
        if is_read and flow.phase <= PHASE_NAMED:
            sequence = packet.tcp_sequence + (1 if packet.tcp_flags & TCP_SYN else 0)
            inspect_segment(tables, buffer, packet, place, from_server, sequence, expected)
        track_reset(flow, packet)
        if flow.tcp_state & TCP_FOLLOWED:
            follow_segment(tables, buffer, packet, place, from_server)
    if packet.tcp_flags & TCP_RST == 0:
        take_part(flow, from_server)
    if flow.phase <= PHASE_NAMED and close_reason(flow) == END_FIN:
        # A reset may never have arrived: what follows it is charged, but its name is still worth knowing.
        close_inspection(tables, place)
    touch(tables, place, order_of(flow, packet))
    after_close = 1 if was_closed and packet.payload_octets > 0 else 0
    deliver(tables, place, from_server, packet.octets, packet.packets, state.interval, after_close)


@helper
def meter_fragment(tables, buffer, packet):
    """A later fragment: to the flow of its first, or held until that comes. Between strangers it is transit."""
    version = packet.version
    if not is_subscriber(tables, version, packet.source_high, packet.source_low) and not is_subscriber(
        tables, version, packet.destination_high, packet.destination_low
    ):
        tables.unmetered_frames[UNMETERED_TRANSIT] += 1
        tables.unmetered_octets[UNMETERED_TRANSIT] += packet.octets
        return
    if tables.links.shape[0] > 0 and is_fragment_spoofed(tables, packet):
        return
    if tables.block_set.shape[0] > 0 and is_fragment_blocked(tables, packet):
        return
    match = later_fragment(tables, packet)
    if match < 0:
        return
    place = match >> 1
    if tables.block_set.shape[0] > 0 and is_blocked(tables, packet, place):
        return
    after_close = 0
    if packet.protocol == PROTOCOL_TCP:
        after_close = meter_segment_rest(tables, buffer, packet, place, match & 1)
    take_part(tables.flows[place], match & 1)
    touch(tables, place, np.int64(tables.flows[place].order))
    deliver(tables, place, match & 1, packet.octets, packet.packets, tables.state[0].interval, after_close)


@helper
def is_fragment_spoofed(tables, packet):
    """A later fragment by its first's flow; before that has come its sender has to stand for it."""
    number = find_fragment(tables, packet, fragment_home(tables, packet))
    if number >= 0:
        entry = tables.fragments[number]
        if entry.serial > 0 and tables.flows[entry.flow].serial == entry.serial:
            return is_spoofed(tables, packet, 2 * np.int64(entry.flow) + np.int64(entry.from_server))
    return is_sender_spoofed(tables, packet)


@helper
def meter_segment_rest(tables, buffer, packet, place, from_server):
    """The rest of a TCP segment that came in fragments: its octets belong behind those of the first.

    1 if the flow was closed before that segment.
    """
    flow = tables.flows[place]
    number = find_fragment(tables, packet, fragment_home(tables, packet))
    if number < 0 or tables.fragments[number].flow != place:
        return 0
    entry = tables.fragments[number]
    sequence = np.int64(entry.sequence) + packet.fragment_offset
    track_fragment(flow, from_server, sequence + packet.wire_end - packet.position)
    if flow.phase <= PHASE_NAMED:
        inspect_fragment(tables, buffer, packet, place, from_server, sequence)
    elif flow.tcp_state & TCP_FOLLOWED and from_server == flow.name_from_server:
        octets = packet.wire_end - packet.position
        follow_octets(tables, buffer, place, packet.position, packet.captured_end - packet.position, octets, sequence)
    return np.int64(entry.after_close)


@helper
def meter_quoted(tables, packet):
    """An ICMP error to the flow it quotes. 0 where it is none: then it is a flow of its own.

    It must go to the end whose packet it quotes, and there can be no more errors than that end sent packets: else ICMP
    would be a tunnel at the expense of whatever flow it quotes.
    """
    if packet.quoted_source_low != packet.destination_low or packet.quoted_source_high != packet.destination_high:
        return 0
    tag = flow_tag(
        tables.state[0].seed,
        packet.quoted_source_high,
        packet.quoted_source_low,
        packet.quoted_source_port,
        packet.quoted_destination_high,
        packet.quoted_destination_low,
        packet.quoted_destination_port,
        packet.quoted_protocol,
    )
    match = find_flow(
        tables,
        tag,
        packet.version,
        packet.quoted_source_high,
        packet.quoted_source_low,
        packet.quoted_source_port,
        packet.quoted_destination_high,
        packet.quoted_destination_low,
        packet.quoted_destination_port,
        packet.quoted_protocol,
    )
    if match < 0 or (tables.owners.shape[0] > 0 and end_if_handed_on(tables, match >> 1)):
        return 0
    if tables.links.shape[0] > 0 and is_spoofed(tables, packet, match ^ 1):
        return 1
    if tables.block_set.shape[0] > 0 and is_blocked(tables, packet, match >> 1):
        return 1
    flow = tables.flows[match >> 1]
    sent = np.int64(flow.server_packets) if match & 1 else np.int64(flow.client_packets)
    if flow.icmp_errors >= sent:
        return 0
    flow.icmp_errors += 1
    deliver(tables, match >> 1, 1 - (match & 1), packet.octets, packet.packets, tables.state[0].interval, 0)
    return 1
