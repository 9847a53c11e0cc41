"""Reassembly: a small pool of buffers in which a flow's first octets are put in order by sequence number.

Rules: the pool is fixed; when it is full the subscriber that has most buffers gives one up (counted), and the flow that had it
goes on without. So a flood of hellos, of halves or of QUIC harms whoever sends it (attack 28). The first copy of an octet
stays; another copy that differs is a conflict (attack 11, 12).
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.jit import helper
from classifier.kernels.octets import copy, u8
from classifier.kernels.state import (
    HTTP_LOST,
    PHASE_INSPECTED,
    PHASE_NAMED,
    RULE_NAME_UNSEEN,
    RULE_NO_MATCH,
    TCP_FOLLOWED,
)

# How many of a subscriber's oldest buffers are looked at for one whose flow has no name yet.
PROBES = 16
# Columns of `stream_holders`: the ends of a subscriber's list of buffers, as place + 1, and how many there are.
OLDEST, NEWEST, HELD_BUFFERS = 0, 1, 2
HOLDER_COLUMNS = 4  # so that none lies over two cache lines
KINDS = 2  # firm and floating: each has a list of its own
# One buffer in so many may be a floating one: any segment in the middle of a connection asks for one, few need it.
FLOATING_SHARE = 16
# Where the first octet goes when earlier ones may still come and nobody knows how many.
FLOATING_OFFSET = 4096


@helper
def sequence_difference(a, b):
    """a - b of two 32-bit sequence numbers, -2^31 … 2^31 - 1 (RFC 9293, 3.4)."""
    return ((a - b + 0x80000000) & 0xFFFFFFFF) - 0x80000000


@helper
def stream_open(tables, place, base, start, from_server):
    """Give flow `place` a buffer whose octet 0 has sequence number `base`; parsing starts at `start`. Its number."""
    number = free_stream(tables, place, start > 0)
    stream = tables.streams[number]
    stream.serial = tables.flows[place].serial
    stream.flow = place
    stream.base_sequence = base & 0xFFFFFFFF
    stream.start = start
    stream.front = start
    stream.high = start
    stream.from_server = from_server
    stream.conflict = 0
    stream.floating = start > 0
    stream.attempts = 0
    stream.standing = 0
    stream_link(tables, number)
    tables.flows[place].stream = number
    return number


@helper
def free_stream(tables, place, floating):
    """A buffer that nobody has: the one that became free last, as it is still in the cache, else one taken away."""
    state = tables.state[0]
    count = tables.streams.shape[0]
    if floating and FLOATING_SHARE * (state.floating_streams + 1) > count and state.floating_streams > 0:
        state.streams_over += 1
        stream_take(tables, stream_victim(tables, tables.flows[place].subscriber, 1))
    elif state.free_stream < 0 and state.stream_count < count:
        state.stream_count += 1
        return state.stream_count - 1
    elif state.free_stream < 0:
        state.streams_over += 1
        kind = 1 if state.floating_streams > 0 else 0
        stream_take(tables, stream_victim(tables, tables.flows[place].subscriber, kind))
    number = state.free_stream
    state.free_stream = tables.streams[number].after
    return number


@helper
def holder_row(subscriber, kind):
    """Where a subscriber's buffers of a kind are listed; transit, -1, is one subscriber here."""
    return KINDS * (np.int64(subscriber) + 1) + kind


@helper
def stream_victim(tables, subscriber, kind):
    """The buffer to take away for a flow of `subscriber`: of the one that holds most of this kind, which it may be itself.

    Of its oldest the first whose flow has no name yet, if there is one.
    """
    holders = tables.stream_holders
    row = heaviest_holder(tables, kind)
    own = holder_row(subscriber, kind)
    if holders[own, HELD_BUFFERS] >= holders[row, HELD_BUFFERS]:
        row = own
    victim = np.int64(holders[row, OLDEST]) - 1
    candidate = victim
    for _ in range(PROBES):
        if candidate < 0:
            break
        if tables.flows[tables.streams[candidate].flow].phase == PHASE_INSPECTED:
            return candidate
        candidate = np.int64(tables.streams[candidate].after)
    return victim


@helper
def heaviest_holder(tables, kind):
    """The row of a subscriber that holds most buffers of a kind, or at least half as many as whoever holds most.

    Looking through all buffers is needed only once it has lost half of them.
    """
    holders, heaviest = tables.stream_holders, tables.stream_heaviest
    row = np.int64(heaviest[kind, 0])
    if 2 * holders[row, HELD_BUFFERS] >= heaviest[kind, 1] and holders[row, HELD_BUFFERS] > 0:
        return row
    most = 0
    for number in range(tables.streams.shape[0]):
        stream = tables.streams[number]
        if stream.serial != 0 and stream.floating == kind and holders[stream.holder, HELD_BUFFERS] > most:
            row = np.int64(stream.holder)
            most = np.int64(holders[row, HELD_BUFFERS])
    heaviest[kind, 0] = row
    heaviest[kind, 1] = most
    return row


@helper
def stream_link(tables, number):
    """The buffer is the one that its subscriber was given last."""
    stream = tables.streams[number]
    holders, heaviest = tables.stream_holders, tables.stream_heaviest
    kind = np.int64(stream.floating)
    row = holder_row(tables.flows[stream.flow].subscriber, kind)
    newest = np.int64(holders[row, NEWEST]) - 1
    stream.holder = row
    stream.before = newest
    stream.after = -1
    if newest >= 0:
        tables.streams[newest].after = number
    else:
        holders[row, OLDEST] = number + 1
    holders[row, NEWEST] = number + 1
    holders[row, HELD_BUFFERS] += 1
    if holders[row, HELD_BUFFERS] > heaviest[kind, 1]:
        heaviest[kind, 0] = row
        heaviest[kind, 1] = holders[row, HELD_BUFFERS]
    tables.state[0].floating_streams += kind


@helper
def stream_unlink(tables, number):
    """Take the buffer out of its subscriber's list; it is free."""
    state = tables.state[0]
    stream = tables.streams[number]
    holders = tables.stream_holders
    row = np.int64(stream.holder)
    if stream.before >= 0:
        tables.streams[stream.before].after = stream.after
    else:
        holders[row, OLDEST] = stream.after + 1
    if stream.after >= 0:
        tables.streams[stream.after].before = stream.before
    else:
        holders[row, NEWEST] = stream.before + 1
    holders[row, HELD_BUFFERS] -= 1
    stream.after = state.free_stream
    state.free_stream = number
    state.floating_streams -= np.int64(stream.floating)


@helper
def stream_take(tables, number):
    """Take a buffer from its flow. A name that nobody has answered can then not be compared any more: it does not count.

    Of a followed flow the boundary of messages is lost if the buffer holds octets that were not read yet.
    """
    victim = tables.flows[tables.streams[number].flow]
    victim.stream = -1
    if victim.tcp_state & TCP_FOLLOWED and not stream_is_read(tables, number, np.int64(victim.http_next)):
        victim.http_state = HTTP_LOST
    if victim.phase == PHASE_NAMED:
        victim.rule = RULE_NO_MATCH
    elif victim.phase == PHASE_INSPECTED:
        victim.rule = RULE_NAME_UNSEEN
    stream_clear(tables, number)


@helper
def stream_clear(tables, number):
    """Make a buffer free: nothing of it is filled any more."""
    stream_empty(tables, number)
    tables.streams[number].serial = 0
    stream_unlink(tables, number)


@helper
def stream_empty(tables, number):
    """Nothing of the buffer is filled any more; its flow keeps it."""
    stream = tables.streams[number]
    filled = tables.stream_filled[number]
    for i in range(np.int64(stream.start) >> 3, (np.int64(stream.high) + 7) >> 3):
        filled[i] = 0
    stream.front = stream.start
    stream.high = stream.start
    stream.conflict = 0


@helper
def stream_close(tables, place):
    """Take the flow's buffer back, if it has one."""
    flow = tables.flows[place]
    if flow.stream >= 0:
        stream_clear(tables, flow.stream)
        flow.stream = -1


@helper
def stream_is_read(tables, number, following):
    """1 if nothing that the buffer holds lies at or behind the sequence number `following`."""
    stream = tables.streams[number]
    return 1 if sequence_difference(following, np.int64(stream.base_sequence)) >= stream.high else 0


@helper
def is_filled(filled, place):
    """1 if the octet at `place` of a buffer is there: a bit for each octet."""
    return np.int64(filled[place >> 3]) >> (place & 7) & 1


@helper
def fill(filled, first, end):
    """Note that the octets `first` to `end` are there."""
    while first < end and first & 7:
        filled[first >> 3] |= 1 << (first & 7)
        first += 1
    for whole in range(first >> 3, end >> 3):
        filled[whole] = 0xFF
    first = max(first, end & ~7)
    while first < end:
        filled[first >> 3] |= 1 << (first & 7)
        first += 1


@helper
def stream_insert(tables, number, frame, start, octets, sequence):
    """Put captured payload into the buffer; what lies outside it is left out. 1 where it conflicts, else 0."""
    stream = tables.streams[number]
    data = tables.stream_data[number]
    filled = tables.stream_filled[number]
    offset = sequence_difference(sequence, np.int64(stream.base_sequence))
    if offset < 0:
        start -= offset
        octets += offset
        offset = 0
    octets = min(octets, data.shape[0] - offset)
    if octets <= 0:
        return 0
    conflict = 0
    if offset >= stream.high:
        copy(data, offset, frame, start, octets)
        fill(filled, offset, offset + octets)
    else:
        for i in range(octets):
            place = offset + i
            if not is_filled(filled, place):
                data[place] = u8(frame, start + i)
            elif data[place] != u8(frame, start + i):
                conflict = 1
        fill(filled, offset, offset + octets)
    if stream.floating and offset < stream.start:
        stream.start = offset
        stream.front = offset
    if offset + octets > stream.high:
        stream.high = offset + octets
    front = np.int64(stream.front)
    if offset <= front < offset + octets:
        front = offset + octets
    while front < stream.high and is_filled(filled, front):
        front += 1
    stream.front = front
    if conflict:
        stream.conflict = 1
    return conflict
