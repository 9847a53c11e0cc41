"""Reassembly: a small pool of buffers in which a flow's first octets are put in order by sequence number.

Rules: the pool is fixed; when it is full the buffer that was given out longest ago is taken away (counted) and its flow goes
on without. The first copy of an octet stays; another copy that differs is a conflict (attack 11, 12).
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.jit import helper
from classifier.kernels.octets import u8
from classifier.kernels.state import PHASE_INSPECTED, PHASE_NAMED, RULE_NO_MATCH

# How many buffers are looked at for a free one before one is taken away.
PROBES = 16
# Where the first octet goes when earlier ones may still come and nobody knows how many.
FLOATING_OFFSET = 4096


@helper
def sequence_difference(a, b):
    """a - b of two 32-bit sequence numbers, -2^31 … 2^31 - 1 (RFC 9293, 3.4)."""
    return ((a - b + 0x80000000) & 0xFFFFFFFF) - 0x80000000


@helper
def stream_open(tables, place, base, start, from_server):
    """Give flow `place` a buffer whose octet 0 has sequence number `base`; parsing starts at `start`. Its number."""
    state = tables.state[0]
    count = tables.streams.shape[0]
    number = -1
    for probe in range(min(PROBES, count)):
        candidate = (state.stream_cursor + probe) % count
        if tables.streams[candidate].serial == 0:
            number = candidate
            break
        if number < 0 and tables.flows[tables.streams[candidate].flow].phase == PHASE_INSPECTED:
            number = candidate
    if number < 0:
        number = state.stream_cursor
    if tables.streams[number].serial != 0:
        state.streams_over += 1
        stream_take(tables, number)
    state.stream_cursor = (number + 1) % count
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
    tables.flows[place].stream = number
    return number


@helper
def stream_take(tables, number):
    """Take a buffer from its flow. A name that nobody has answered can then not be compared any more: it does not count."""
    victim = tables.flows[tables.streams[number].flow]
    victim.stream = -1
    if victim.phase == PHASE_NAMED:
        victim.rule = RULE_NO_MATCH
    stream_clear(tables, number)


@helper
def stream_clear(tables, number):
    """Make a buffer free: nothing of it is filled any more."""
    stream = tables.streams[number]
    present = tables.stream_filled[number, np.int64(stream.start) : np.int64(stream.high)]
    for i in range(present.shape[0]):
        present[i] = 0
    stream.serial = 0


@helper
def stream_close(tables, place):
    """Take the flow's buffer back, if it has one."""
    flow = tables.flows[place]
    if flow.stream >= 0:
        stream_clear(tables, flow.stream)
        flow.stream = -1


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
    # Views from 0 on let the compiler copy by words: indices that cannot be negative need no check.
    old = data[offset : offset + octets]
    present = filled[offset : offset + octets]
    conflict = 0
    if offset >= stream.high:
        for i in range(octets):
            old[i] = u8(frame, start + i)
        for i in range(octets):
            present[i] = 1
    else:
        for i in range(octets):
            if present[i] == 0:
                old[i] = u8(frame, start + i)
                present[i] = 1
            elif old[i] != u8(frame, start + i):
                conflict = 1
    if stream.floating and offset < stream.start:
        stream.start = offset
        stream.front = offset
    if offset + octets > stream.high:
        stream.high = offset + octets
    front = np.int64(stream.front)
    while front < stream.high and filled[front]:
        front += 1
    stream.front = front
    if conflict:
        stream.conflict = 1
    return conflict
