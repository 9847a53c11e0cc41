"""The meter's kernels: the list of frames, in order, through decoding, flow, inspection and usage.

Order is exact and the result does not depend on the batch: where something outside has to be done first, the kernel returns
why and at which frame, and is called again with that frame (`state.INTERVAL` … `NAMES`).
"""

from __future__ import annotations

import numpy as np

from classifier.iana import PROTOCOL_TCP, PROTOCOL_UDP, TCP_ACK, TCP_RST, TCP_SYN
from classifier.kernels.deliver import deliver, take_part
from classifier.kernels.flows import end_flow, evict, find_flow, flow_tag, open_flow
from classifier.kernels.fragments import drop_fragment, find_fragment, first_fragment, fragment_home, later_fragment
from classifier.kernels.inspect import answer, close_inspection, expected_sequence, inspect_fragment, inspect_segment
from classifier.kernels.jit import helper, kernel
from classifier.kernels.names import SHOWN_OCTETS
from classifier.kernels.octets import address
from classifier.kernels.order import order_oldest, order_touch
from classifier.kernels.packet import decode
from classifier.kernels.ranges import locate
from classifier.kernels.state import (
    DONE,
    EXPIRY_BUDGET,
    FLOWS,
    INTERVAL,
    LOG_MARGIN,
    NAMES,
    ORDER_OTHER,
    ORDER_UDP,
    PHASE_NAMED,
    USAGE,
)
from classifier.kernels.tcp import (
    begins_anew,
    close_reason,
    order_of,
    track_client,
    track_fragment,
    track_reset,
    track_server,
)
from classifier.records import END_FIN, END_IDLE, END_INPUT, END_OPEN, END_REUSED, UNMETERED_TRANSIT

FAR_FUTURE_NS = np.int64(2**63 - 1)


@kernel
def meter_frames(tables, buffer, frames, first, finish):
    """Meter `frames[first:]` (FRAME) of `buffer` (read-only uint8). Returns (status, frame to go on at).

    `finish`: the input has ended, so end all flows after them. One kernel for both halves what has to be compiled.
    """
    octets = address(buffer)
    for i in range(first, frames.shape[0]):
        status = room_for_frame(tables, packet_time(frames[i]))
        if status != DONE:
            return status, i
        meter_frame(tables, octets, frames[i])
    if finish:
        return finish_flows(tables), frames.shape[0]
    return DONE, frames.shape[0]


@helper
def packet_time(frame):
    """The frame's time, before the end of all time, so that an interval can hold it."""
    return min(frame.time_ns, FAR_FUTURE_NS - 1)


@helper
def room_for_frame(tables, time_ns):
    """DONE, or what has to be done outside before a frame of this time can be metered."""
    state = tables.state[0]
    if time_ns >= state.interval_end_ns or state.clock_ns >= state.interval_end_ns:
        return INTERVAL
    return room_in_tables(tables)


@helper
def room_in_tables(tables):
    """DONE, or which table has to be taken first."""
    state = tables.state[0]
    if 2 * state.usage_count >= tables.usage.shape[0]:
        return USAGE
    if tables.log.shape[0] > 0:
        if state.log_count + LOG_MARGIN > tables.log.shape[0]:
            return FLOWS
        if state.name_count >= tables.names.shape[0] or tables.name_pool.shape[0] - state.name_octets < SHOWN_OCTETS:
            return NAMES
    return DONE


@helper
def meter_frame(tables, buffer, frame):
    """One frame: exactly one place takes its octets."""
    state = tables.state[0]
    packet = tables.packet[0]
    time_ns = packet_time(frame)
    if time_ns > state.clock_ns:
        state.clock_ns = time_ns
    if state.observed_frames == 0 or time_ns < state.first_packet_ns:
        state.first_packet_ns = time_ns
    if state.observed_frames == 0 or time_ns > state.last_packet_ns:
        state.last_packet_ns = time_ns
    if state.clock_ns > state.next_deadline_ns:
        expire(tables)
    if state.flow_count > state.flow_capacity:
        evict(tables)
    status = decode(
        buffer,
        packet,
        frame.offset,
        np.int64(frame.captured_octets),
        frame.wire_octets,
        frame.link_type,
        tables.subscriber_ranges,
    )
    state.observed_frames += 1
    state.observed_octets += packet.octets
    if status != 0:
        tables.unmetered_frames[status - 1] += 1
        tables.unmetered_octets[status - 1] += packet.octets
    elif packet.fragment == 2:
        meter_fragment(tables, buffer, packet)
    elif not packet.quoted or not meter_quoted(tables, packet):
        meter_packet(tables, buffer, packet)


@helper
def expire(tables):
    """End the flows whose time-out has passed, longest idle first, at most EXPIRY_BUDGET of them."""
    state = tables.state[0]
    budget = EXPIRY_BUDGET
    deadline = FAR_FUTURE_NS
    for order in range(tables.order_first.shape[0]):
        while True:
            place = np.int64(tables.order_first[order])
            if place < 0:
                break
            due = tables.flows[place].last_ns + tables.timeout_ns[order]
            if due >= state.clock_ns or budget == 0:
                deadline = min(deadline, due)
                break
            budget -= 1
            reason = close_reason(tables.flows[place])
            end_flow(tables, place, reason if reason != END_OPEN else END_IDLE)
    state.next_deadline_ns = deadline


@helper
def meter_packet(tables, buffer, packet):
    """A whole packet or a first fragment: its flow is found or made, looked into, and given the octets."""
    tag = flow_tag(
        tables,
        packet.source_high,
        packet.source_low,
        packet.source_port,
        packet.destination_high,
        packet.destination_low,
        packet.destination_port,
        packet.protocol,
    )
    match = find_flow(
        tables,
        tag,
        packet.version,
        packet.source_high,
        packet.source_low,
        packet.source_port,
        packet.destination_high,
        packet.destination_low,
        packet.destination_port,
        packet.protocol,
    )
    if match >= 0 and ends_before(tables, packet, match):
        match = -1
    if match < 0:
        match = open_for_packet(tables, packet, tag)
    place = match >> 1
    from_server = match & 1
    if packet.fragment == 1 and tables.flows[place].subscriber >= 0:
        first_fragment(tables, packet, place, from_server)
    if packet.protocol == PROTOCOL_TCP:
        meter_segment(tables, buffer, packet, place, from_server)
    else:
        take_part(tables, place, from_server)
        touch(tables, place, ORDER_UDP if packet.protocol == PROTOCOL_UDP else ORDER_OTHER)
        deliver(tables, place, from_server, packet.octets, 1, tables.state[0].interval, 0)


@helper
def ends_before(tables, packet, match):
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
    return 0


@helper
def open_for_packet(tables, packet, tag):
    """Open the flow of its first packet; a SYN-ACK that comes first was sent by the server."""
    if packet.tcp_flags & (TCP_SYN | TCP_ACK) == TCP_SYN | TCP_ACK:
        place = open_flow(
            tables,
            tag,
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
        tag,
        packet.version,
        packet.source_high,
        packet.source_low,
        packet.source_port,
        packet.destination_high,
        packet.destination_low,
        packet.destination_port,
        packet.protocol,
    )


@helper
def touch(tables, place, order):
    """The flow has just been active."""
    tables.flows[place].last_ns = tables.state[0].clock_ns
    order_touch(tables, place, order)


@helper
def meter_segment(tables, buffer, packet, place, from_server):
    """TCP: numbers, inspection, close. Payload after the close is charged apart (accounting 1.6)."""
    flow = tables.flows[place]
    state = tables.state[0]
    was_closed = close_reason(flow) != END_OPEN
    if packet.tcp_flags != 0:
        expected = expected_sequence(flow, from_server)
        repeated = track_server(flow, packet) if from_server else track_client(flow, packet)
        if repeated:
            flow.retransmitted_octets += packet.octets
            if flow.subscriber >= 0:
                state.retransmitted_octets += packet.octets
        if flow.phase == PHASE_NAMED and packet.tcp_flags & TCP_RST == 0:
            answer(tables, place)
        if flow.phase <= PHASE_NAMED and packet.payload_captured > 0:
            sequence = packet.tcp_sequence + (1 if packet.tcp_flags & TCP_SYN else 0)
            inspect_segment(tables, buffer, packet, place, from_server, sequence, expected)
        track_reset(flow, packet)
    if packet.tcp_flags & TCP_RST == 0:
        take_part(tables, place, from_server)
    if flow.phase <= PHASE_NAMED and close_reason(flow) == END_FIN:
        # A reset may never have arrived: what follows it is charged, but its name is still worth knowing.
        close_inspection(tables, place)
    touch(tables, place, order_of(flow, packet))
    after_close = 1 if was_closed and packet.payload_octets > 0 else 0
    deliver(tables, place, from_server, packet.octets, 1, state.interval, after_close)


@helper
def meter_fragment(tables, buffer, packet):
    """A later fragment: to the flow of its first, or held until that comes. Between strangers it is transit."""
    version = packet.version
    ranges = tables.subscriber_ranges
    if (
        locate(ranges, version, packet.source_high, packet.source_low) < 0
        and locate(ranges, version, packet.destination_high, packet.destination_low) < 0
    ):
        tables.unmetered_frames[UNMETERED_TRANSIT] += 1
        tables.unmetered_octets[UNMETERED_TRANSIT] += packet.octets
        return
    match = later_fragment(tables, packet)
    if match < 0:
        return
    place = match >> 1
    after_close = 0
    if packet.protocol == PROTOCOL_TCP:
        after_close = meter_segment_rest(tables, buffer, packet, place, match & 1)
    take_part(tables, place, match & 1)
    touch(tables, place, np.int64(tables.flows[place].order))
    deliver(tables, place, match & 1, packet.octets, 1, tables.state[0].interval, after_close)


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
        tables,
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
    if match < 0:
        return 0
    flow = tables.flows[match >> 1]
    sent = np.int64(flow.server_packets) if match & 1 else np.int64(flow.client_packets)
    if flow.icmp_errors >= sent:
        return 0
    flow.icmp_errors += 1
    deliver(tables, match >> 1, 1 - (match & 1), packet.octets, 1, tables.state[0].interval, 0)
    return 1


@helper
def finish_flows(tables):
    """End all fragments and flows, longest idle first. DONE, or which table has to be taken before it goes on."""
    state = tables.state[0]
    for number in range(tables.fragments.shape[0]):
        if tables.fragments[number].used:
            status = room_in_tables(tables)
            if status != DONE:
                return status
            drop_fragment(tables, number)
            evict(tables)
    while state.flow_count > 0:
        status = room_in_tables(tables)
        if status != DONE:
            return status
        place = order_oldest(tables)
        reason = close_reason(tables.flows[place])
        end_flow(tables, place, reason if reason != END_OPEN else END_INPUT)
    return DONE
