"""One HTTP/1 message behind the other, out of the buffer of a followed flow: heads, size lines of chunks, trailers.

Rules of this file: `http_next` is the sequence number of what has to be read next, and moves on over what nobody has to read:
a body of known length is a number. Whatever is read has to be whole; what no two readers agree on is LOST, which contradicts
the flow as soon as octets come behind it.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.http import IS_CONNECT, http_name, line_end
from classifier.kernels.http_framing import CHUNKED, UNCLEAR, body_octets, chunk_octets, content_end, head_end
from classifier.kernels.jit import helper
from classifier.kernels.names import intern_name
from classifier.kernels.octets import u8
from classifier.kernels.settle import change_evidence, contradict
from classifier.kernels.state import HTTP_CHUNK_END, HTTP_CHUNK_SIZE, HTTP_HEAD, HTTP_LOST, HTTP_TRAILER
from classifier.kernels.streams import is_filled, sequence_difference
from classifier.kernels.tls import LENGTH_MASK, NEED_MORE, NO_NAME, TWO_HOSTS
from classifier.kernels.verdict import is_backed, name_evidence, name_rule
from classifier.records import EVIDENCE_CONTRADICTED

# A longer body is passed over in steps, as a sequence number tells only 2^31 octets apart.
ROUND_BITS = 30
ROUND_OCTETS = 1 << ROUND_BITS
ROUNDS = 255

_CR, _LF = 13, 10


@helper
def read_messages(tables, place):
    """Read what the buffer holds in order from `http_next` on, as far as whole heads and lines go."""
    flow = tables.flows[place]
    number = np.int64(flow.stream)
    stream = tables.streams[number]
    data = tables.stream_data[number]
    base = np.int64(stream.base_sequence)
    position = sequence_difference(np.int64(flow.http_next), base)
    while True:
        front = stream_front(tables, number, position)
        if position >= front or flow.http_rounds > 0:
            return
        if flow.http_state == HTTP_LOST:
            contradict(tables, place)
            return
        past = read_one(tables, place, data, position, front)
        if past < 0:
            return
        flow.inspected = 0
        flow.name_end = (base + past) & 0xFFFFFFFF
        position = sequence_difference(np.int64(flow.http_next), base)


@helper
def stream_front(tables, number, position):
    """End of the octets that are there from `position` on; what lies before it is a body that need not be there."""
    stream = tables.streams[number]
    front = max(np.int64(stream.front), position)
    high = np.int64(stream.high)
    filled = tables.stream_filled[number]
    while front < high and is_filled(filled, front):
        front += 1
    if position <= high:
        stream.front = front
    return min(front, high)


@helper
def read_one(tables, place, data, position, end):
    """Read one head, line or blank line at `position`, and move `http_next` on behind it and the octets it announces.

    Where what was read ends, or -1: the rest has to come first, or the flow is contradicted.
    """
    flow = tables.flows[place]
    if flow.http_state == HTTP_HEAD:
        return read_head(tables, place, data, position, end)
    line = line_end(data, position, end)
    if flow.http_state == HTTP_CHUNK_END:
        # Not more than the line's own two octets, so that no reader can put the next size elsewhere.
        if u8(data, position) != _CR or (end > position + 1 and line != position + 1):
            contradict(tables, place)
            return -1
        if end == position + 1:
            return -1
        return pass_over(tables, place, position, line + 1, 0, HTTP_CHUNK_SIZE)
    if line == end:
        return -1
    if flow.http_state == HTTP_TRAILER:
        empty = content_end(data, position, line) == position
        return pass_over(tables, place, position, line + 1, 0, HTTP_HEAD if empty else HTTP_TRAILER)
    octets = chunk_octets(data, position, line)
    if octets == UNCLEAR:
        return pass_over(tables, place, position, line + 1, 0, HTTP_LOST)
    return pass_over(tables, place, position, line + 1, octets, HTTP_CHUNK_END if octets > 0 else HTTP_TRAILER)


@helper
def read_head(tables, place, data, position, end):
    """Read a request's head as in `read_one`. Empty lines before it are passed over (RFC 9112, 2.2)."""
    if u8(data, position) == _CR or u8(data, position) == _LF:
        return pass_over(tables, place, position, position + 1, 0, HTTP_HEAD)
    past = head_end(data, position, end)
    if past < 0:
        if http_name(data, position, end, tables.scratch, 0) != NEED_MORE:
            contradict(tables, place)  # no request line, or CONNECT
        return -1
    if not keeps_name(tables, place, http_name(data, position, past, tables.scratch, 0)):
        contradict(tables, place)
        return -1
    octets = body_octets(data, position, past)
    if octets == UNCLEAR:
        return pass_over(tables, place, position, past, 0, HTTP_LOST)
    if octets == CHUNKED:
        return pass_over(tables, place, position, past, 0, HTTP_CHUNK_SIZE)
    return pass_over(tables, place, position, past, octets, HTTP_HEAD)


@helper
def pass_over(tables, place, position, past, octets, http_state):
    """Go on `octets` behind `past`, where `http_state` has to stand. `position` was `http_next`. Gives `past`."""
    flow = tables.flows[place]
    rounds = octets >> ROUND_BITS
    if rounds > ROUNDS:
        rounds = 0
        octets = 0
        http_state = HTTP_LOST
    flow.http_rounds = rounds
    flow.http_next = (flow.http_next + past - position + (octets & (ROUND_OCTETS - 1))) & 0xFFFFFFFF
    flow.http_state = http_state
    return past


@helper
def keeps_name(tables, place, found):
    """1 if the request just read is for the flow's application; weaker evidence counts from here on."""
    flow = tables.flows[place]
    if found <= NO_NAME:
        return 0
    octets = found & LENGTH_MASK
    rule = name_rule(tables, octets)
    evidence = EVIDENCE_CONTRADICTED
    if rule >= 0 and not found & (TWO_HOSTS | IS_CONNECT):
        if tables.lookup.rule_application[rule] == flow.application:
            evidence = name_evidence(tables, flow, rule, is_backed(tables, flow, octets))
    if evidence == EVIDENCE_CONTRADICTED:
        if tables.log.shape[0] > 0:
            flow.other_name = intern_name(tables, octets)
        return 0
    if evidence < flow.evidence:
        change_evidence(tables, place, evidence)
    return 1
