"""The meter's kernels: the list of frames, in order, through decoding; then through flow, inspection and usage.

Order is exact and the result does not depend on the batch: where something outside has to be done first, the kernel returns
why and at which packet, and is called again with that one (`state.INTERVAL` … `EXPIRY`; after `WATCH` with the next, as that
one is metered already).
"""

from __future__ import annotations

import numpy as np

from classifier.iana import PROTOCOL_TCP
from classifier.kernels.assign import meter_fragment, meter_packet, meter_quoted
from classifier.kernels.bindings import apply_change
from classifier.kernels.flows import end_flow, evict, fetch_entry, fetch_flow, fetch_next, flow_tag
from classifier.kernels.fragments import drop_fragment
from classifier.kernels.inspect import may_begin
from classifier.kernels.jit import helper, hot, kernel
from classifier.kernels.names import SHOWN_OCTETS
from classifier.kernels.octets import address, prefetch_octets, prefetch_packet
from classifier.kernels.order import order_oldest
from classifier.kernels.packet import decode
from classifier.kernels.segments import count_segments
from classifier.kernels.settle import post_open
from classifier.kernels.state import (
    DONE,
    EXPIRY,
    EXPIRY_BUDGET,
    FLOWS,
    GROUP_MASK,
    GROUP_PACKETS,
    INTERVAL,
    LOG_MARGIN,
    NAMES,
    THEN_BIND,
    THEN_FINISH,
    THEN_POST,
    USAGE,
    WATCH,
)
from classifier.kernels.tcp import close_reason
from classifier.kernels.watched import is_watched, waits_for_first
from classifier.records import END_IDLE, END_INPUT, END_OPEN

FAR_FUTURE_NS = np.int64(2**63 - 1)
# Frames that are fetched before they are decoded.
FRAMES_AHEAD = 8


@kernel
def decode_frames(tables, buffer, frames, first, end, packets):
    """Decode `frames[first:end]` (FRAME) of `buffer` (read-only uint8) into `packets` (PACKET, at least as many), from 0 on.

    It reads nothing that metering writes, but bindings: without these, it may run ahead of `meter_packets`, elsewhere.
    """
    octets = address(buffer)
    seed = tables.state[0].seed
    link_by = tables.link_by
    for i in range(first, end):
        if i + FRAMES_AHEAD < end:
            prefetch_octets(octets, frames[i + FRAMES_AHEAD].offset)
        frame = frames[i]
        packet = packets[i - first]
        packet.time_ns = packet_time(frame)
        packet.link_by = link_by
        packet.status = decode(
            octets,
            packet,
            frame.offset,
            np.int64(frame.captured_octets),
            frame.wire_octets,
            frame.link_type,
            tables,
        )
        packet.packets = 1
        if frame.gso_octets > 0:
            count_segments(packet, frame)
        if packet.status == 0:
            packet.tag = flow_tag(
                seed,
                packet.source_high,
                packet.source_low,
                packet.source_port,
                packet.destination_high,
                packet.destination_low,
                packet.destination_port,
                packet.protocol,
            )
            packet.begins = 0
            if packet.protocol == PROTOCOL_TCP:
                packet.begins = may_begin(octets, packet.payload_start, np.int64(packet.payload_captured))


@kernel
def meter_packets(tables, buffer, packets, first, end, then):
    """Meter `packets[first:end]`, decoded from frames of `buffer`. Returns (status, packet to go on at).

    `then`: what comes after them. THEN_POST, the interval is over: post what its flows have. THEN_FINISH, the input is:
    end all flows. THEN_BIND: write the changes of bindings. One kernel for all, as each has to be compiled.
    """
    octets = address(buffer)
    # Where addresses change hands, lines are checked or something may be blocked, each packet is gone through step by step.
    plain = tables.owners.shape[0] == 0 and tables.links.shape[0] == 0 and tables.block_set.shape[0] == 0
    position = first
    while position < end:
        fetch_group(tables, packets, position, end)
        group_end = min((position | GROUP_MASK) + 1, end)
        while position < group_end:
            packet = packets[position]
            status = room_for_packet(tables, packet.time_ns)
            if status != DONE:
                return status, position
            meter_frame(tables, octets, packet.time_ns, packet, plain)
            position += 1
            if tables.watched_ports.shape[0] > 0 and is_watched(tables, packet):
                return WATCH, position
    if then == THEN_POST:
        return post_interval(tables), end
    if then == THEN_FINISH:
        return finish_flows(tables), end
    if then == THEN_BIND:
        return bind_changes(tables), end
    return DONE, end


@hot
def fetch_group(tables, packets, first, packets_end):
    """Have the flows of the group at `first` fetched from memory, and of the group behind it what leads to them.

    What a packet needs is then in the cache when it is metered.
    """
    end = min((first | GROUP_MASK) + 1, packets_end)
    for i in range(first, end):
        fetch_flow(tables, packets[i].tag)
    for i in range(end, min(end + GROUP_PACKETS, packets_end)):
        fetch_entry(tables, packets[i].tag)
    for i in range(end + GROUP_PACKETS, min(end + 3 * GROUP_PACKETS, packets_end)):
        prefetch_packet(packets, i)


@hot
def packet_time(frame):
    """The frame's time, before the end of all time, so that an interval can hold it."""
    return min(frame.time_ns, FAR_FUTURE_NS - 1)


@hot
def room_for_packet(tables, time_ns):
    """DONE, or what has to be done outside before a packet of this time can be metered."""
    state = tables.state[0]
    clock_ns = max(time_ns, state.clock_ns)
    if clock_ns >= state.interval_end_ns:
        return INTERVAL
    if clock_ns >= state.next_expiry_ns:
        return EXPIRY
    return room_in_tables(tables)


@hot
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


@hot
def meter_frame(tables, buffer, time_ns, packet, plain):
    """One frame, decoded into `packet`: exactly one place takes its octets. `plain`: `meter_middle` may."""
    state = tables.state[0]
    if time_ns > state.clock_ns:
        state.clock_ns = time_ns
    if time_ns < state.first_packet_ns:
        state.first_packet_ns = time_ns
    if state.clock_ns > state.next_deadline_ns:
        expire(tables)
    if state.flow_count > state.flow_capacity:
        evict(tables)
    state.observed_frames += packet.packets
    state.observed_octets += packet.octets
    status = packet.status
    if status != 0:
        tables.unmetered_frames[status - 1] += packet.packets
        tables.unmetered_octets[status - 1] += packet.octets
    elif packet.fragment == 2:
        meter_fragment(tables, buffer, packet)
    elif not packet.quoted or not meter_quoted(tables, packet):
        meter_packet(tables, buffer, packet, plain)


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
            fetch_next(tables, place)
            reason = close_reason(tables.flows[place])
            end_flow(tables, place, reason if reason != END_OPEN else END_IDLE)
    state.next_deadline_ns = deadline


@helper
def post_interval(tables):
    """Post what settled flows have of this interval. DONE, or USAGE: then it goes on where it stopped.

    The lists are in the order of the last packet, so each is gone through from its end back to the interval's begin.
    """
    state = tables.state[0]
    if state.posting_order < 0:
        state.posting_order = 0
        state.posting_flow = tables.order_last[0]
    while True:
        place = state.posting_flow
        if place >= 0 and tables.flows[place].last_ns >= state.interval_clock_ns:
            if 2 * state.usage_count >= tables.usage.shape[0]:
                return USAGE
            if tables.flows[place].settled:
                post_open(tables, place)
            state.posting_flow = tables.flows[place].before
            continue
        state.posting_order += 1
        if state.posting_order == tables.order_last.shape[0]:
            state.posting_order = -1
            return DONE
        state.posting_flow = tables.order_last[state.posting_order]


@helper
def bind_changes(tables):
    """Write changes of bindings. DONE, or which table has to be taken before it goes on.

    Fragments that wait for their first were sent before the change: they are accounted for under what was bound then.
    """
    state = tables.state[0]
    while state.change_next < state.change_count:
        change = tables.changes[state.change_next]
        if state.waiting_frames > 0:
            for number in range(tables.fragments.shape[0]):
                if waits_for_first(tables.fragments[number], change):
                    status = room_in_tables(tables)
                    if status != DONE:
                        return status
                    drop_fragment(tables, number)
                    evict(tables)
        apply_change(tables, change)
        state.change_next += 1
    return DONE


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
        fetch_next(tables, place)
        reason = close_reason(tables.flows[place])
        end_flow(tables, place, reason if reason != END_OPEN else END_INPUT)
    return DONE
