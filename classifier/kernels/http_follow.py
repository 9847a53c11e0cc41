"""The requests behind the first one of an HTTP/1 flow: each has to be for the same application (accounting 2.4, attack 8).

A flow that a Host named is followed from that request on, message by message: a head is read, a body of known length is
passed over unseen, the size lines of chunks are read. Octets that have to be read are put in order in the flow's buffer of
reassembly (`streams`), which is given back when all of it is read and acknowledged.

Rules: another application, an unknown name, no name, or octets of which nobody can say to which message they belong
contradict the flow, from that segment on and for good; what was counted before keeps its evidence. Octets that gave a
boundary stay to be compared until they are acknowledged: another copy that differs, or that can not be compared any more,
contradicts, too. Nothing of the server is read: after 101 (Switching Protocols) the client's octets are no requests.
"""

from __future__ import annotations

import numpy as np

from classifier.iana import TCP_SYN
from classifier.kernels.http import IS_CONNECT, LENGTH_MASK, TWO_HOSTS, http_name, line_end, proxy_octets
from classifier.kernels.http_framing import CHUNKED, UNCLEAR, body_octets, chunk_octets, content_end, head_end
from classifier.kernels.jit import helper
from classifier.kernels.names import intern_name
from classifier.kernels.octets import u8
from classifier.kernels.settle import post_open
from classifier.kernels.state import (
    HTTP_CHUNK_END,
    HTTP_CHUNK_SIZE,
    HTTP_HEAD,
    HTTP_LOST,
    HTTP_TRAILER,
    TCP_FOLLOWED,
)
from classifier.kernels.streams import (
    is_filled,
    sequence_difference,
    stream_close,
    stream_insert,
    stream_is_read,
    stream_open,
)
from classifier.kernels.tcp import close_reason
from classifier.kernels.tls import NEED_MORE, NO_NAME
from classifier.kernels.verdict import is_backed, name_evidence, name_rule
from classifier.records import END_OPEN, EVIDENCE_CONTRADICTED, SOURCE_HTTP_HOST

# A longer body is passed over in steps, as a sequence number tells only 2^31 octets apart.
ROUND_BITS = 30
ROUND_OCTETS = 1 << ROUND_BITS
ROUNDS = 255

_CR, _LF = 13, 10


@helper
def follow(tables, place):
    """The flow has just been decided. If a request named it, go on from that request; its buffer holds it."""
    flow = tables.flows[place]
    if (
        flow.source != SOURCE_HTTP_HOST
        or flow.application == 0
        or flow.evidence == EVIDENCE_CONTRADICTED
        or flow.subscriber < 0
        or flow.stream < 0
    ):
        stream_close(tables, place)
        return
    stream = tables.streams[flow.stream]
    data = tables.stream_data[flow.stream]
    start = np.int64(stream.start)
    front = np.int64(stream.front)
    start += proxy_octets(data, start, front)
    flow.tcp_state |= TCP_FOLLOWED
    flow.http_state = HTTP_HEAD
    flow.http_rounds = 0
    flow.http_next = (np.int64(stream.base_sequence) + start) & 0xFFFFFFFF
    flow.inspected = 0
    if head_end(data, start, front) >= 0:
        read_messages(tables, place)
        check_answered(tables, place)
    elif front >= data.shape[0]:
        contradict(tables, place)
    else:
        flow.http_state = HTTP_LOST  # the capture, or the inspection limit, cut the head
        flow.http_next = flow.name_end
        stream_close(tables, place)


@helper
def stop_following(tables, place):
    """The flow is contradicted or closed: nothing of it is read any more."""
    tables.flows[place].tcp_state &= 0xFFFF - TCP_FOLLOWED
    stream_close(tables, place)


@helper
def contradict(tables, place):
    """From here on the flow is charged; what it has counted so far keeps its evidence."""
    flow = tables.flows[place]
    change_evidence(tables, place, EVIDENCE_CONTRADICTED)
    flow.contradicted = 1
    stop_following(tables, place)


@helper
def change_evidence(tables, place, evidence):
    """Another evidence for what follows."""
    flow = tables.flows[place]
    if flow.settled:
        post_open(tables, place)
    flow.evidence = evidence


@helper
def follow_segment(tables, frame, packet, place, from_server):
    """A segment of a followed flow, of either end."""
    flow = tables.flows[place]
    if from_server != flow.name_from_server:
        check_answered(tables, place)
    elif packet.payload_octets > 0:
        follow_octets(
            tables,
            frame,
            place,
            packet.payload_start,
            packet.payload_captured,
            packet.payload_octets,
            packet.tcp_sequence + (1 if packet.tcp_flags & TCP_SYN else 0),
        )
    if close_reason(flow) != END_OPEN and flow.tcp_state & TCP_FOLLOWED:
        stop_following(tables, place)  # payload after the close is charged apart


@helper
def acknowledged(flow):
    """What the other end has acknowledged of the requests."""
    return np.int64(flow.client_acknowledged) if flow.name_from_server else np.int64(flow.server_acknowledged)


@helper
def check_answered(tables, place):
    """The other end has acknowledged something: octets that were never seen are lost; octets that were need not be kept."""
    flow = tables.flows[place]
    if not flow.tcp_state & TCP_FOLLOWED or flow.http_state == HTTP_LOST:
        return
    seen = np.int64(flow.http_next)
    if flow.stream >= 0:
        stream = tables.streams[flow.stream]
        front = (np.int64(stream.base_sequence) + stream.front) & 0xFFFFFFFF
        if sequence_difference(front, seen) > 0:
            seen = front
    if flow.http_rounds == 0 and sequence_difference(acknowledged(flow), seen) > 1:  # FIN has a number, too
        contradict(tables, place)
    elif flow.stream >= 0 and sequence_difference(acknowledged(flow), np.int64(flow.name_end)) >= 0:
        if stream_is_read(tables, np.int64(flow.stream), np.int64(flow.http_next)):
            stream_close(tables, place)


@helper
def follow_octets(tables, frame, place, start, captured, octets, sequence):
    """Octets of the end that asks: `captured` of `octets` on the wire, the first of which has this sequence number."""
    flow = tables.flows[place]
    end = sequence + octets
    if not repeats_alike(tables, frame, place, start, captured, sequence):
        contradict(tables, place)
        return
    while flow.http_rounds > 0 and sequence_difference(end, np.int64(flow.http_next)) > 0:
        flow.http_rounds -= 1
        stream_close(tables, place)  # it ends before this body does, and numbers must not wrap around behind it
        flow.name_end = (flow.http_next - ROUND_OCTETS // 2) & 0xFFFFFFFF  # long acknowledged
        flow.http_next = (flow.http_next + ROUND_OCTETS) & 0xFFFFFFFF
    if sequence_difference(end, np.int64(flow.http_next)) <= 0:
        return  # in a body, or read before
    flow.inspected += 1
    if flow.http_state == HTTP_LOST or flow.inspected > tables.state[0].inspection_packets:
        contradict(tables, place)
        return
    while sequence_difference(end, np.int64(flow.http_next)) > 0:
        before = np.int64(flow.http_next)
        kept_end = keep_octets(tables, frame, place, start, captured, sequence)
        if not flow.tcp_state & TCP_FOLLOWED or sequence_difference(end, np.int64(flow.http_next)) <= 0:
            return
        if sequence_difference(kept_end, end) >= 0:
            return  # the rest of a head or of a line is still to come
        if flow.http_next == before:
            contradict(tables, place)  # no room is left for what would have to be read, or it was not captured
            return


@helper
def repeats_alike(tables, frame, place, start, captured, sequence):
    """1 unless octets that gave a boundary, not acknowledged yet, come again and are not known to be the same."""
    flow = tables.flows[place]
    first = acknowledged(flow)
    if sequence_difference(sequence, first) > 0:
        first = sequence
    if sequence_difference(np.int64(flow.name_end), first) <= 0:
        return 1
    if flow.stream < 0 or sequence_difference(np.int64(tables.streams[flow.stream].base_sequence), first) > 0:
        return 0
    return 1 - stream_insert(tables, np.int64(flow.stream), frame, start, captured, sequence)


@helper
def keep_octets(tables, frame, place, start, captured, sequence):
    """Put captured octets into the flow's buffer and read on; up to which sequence number they were kept."""
    flow = tables.flows[place]
    room = tables.stream_data.shape[1]
    end = sequence + captured
    if flow.stream >= 0 and stream_is_read(tables, np.int64(flow.stream), np.int64(flow.http_next)):
        if sequence_difference(end, np.int64(tables.streams[flow.stream].base_sequence)) > room:
            stream_close(tables, place)
    if flow.stream < 0:
        stream_open(tables, place, np.int64(flow.http_next), 0, flow.name_from_server)
    number = np.int64(flow.stream)
    base = np.int64(tables.streams[number].base_sequence)
    if stream_insert(tables, number, frame, start, captured, sequence):
        contradict(tables, place)
        return end
    read_messages(tables, place)
    return end if sequence_difference(end, base) <= room else base + room


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
