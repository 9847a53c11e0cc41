"""The requests behind the first one of an HTTP/1 flow: each has to be for the same application (accounting 2.4, attack 8).

A flow that a Host named is followed from that request on, message by message (`http_messages`). Octets that have
to be read are put in order in the flow's buffer of reassembly (`streams`), which is given back when all of it is read and
acknowledged.

Rules: another application, an unknown name, no name, or octets of which nobody can say to which message they belong
contradict the flow, from that segment on and for good; what was counted before keeps its evidence. Octets that gave a
boundary stay to be compared until they are acknowledged: another copy that differs, or that can not be compared any more,
contradicts, too, and so do octets acknowledged that were never seen, as that request may have asked for anything. Nothing of
the server is read: rating each request would mean to tell its answers apart, too, and after 101 (Switching Protocols) the
client's octets are no requests, but a tunnel without names.
"""

from __future__ import annotations

import numpy as np

from classifier.iana import TCP_SYN
from classifier.kernels.http import request_start
from classifier.kernels.http_framing import head_end
from classifier.kernels.http_messages import ROUND_OCTETS, read_messages
from classifier.kernels.jit import apart, helper
from classifier.kernels.packet import PACKET
from classifier.kernels.parts import OCTETS, TABLES, WORD
from classifier.kernels.settle import contradict, stop_following
from classifier.kernels.state import HTTP_HEAD, HTTP_LOST, TCP_FOLLOWED
from classifier.kernels.streams import sequence_difference, stream_close, stream_insert, stream_is_read, stream_open
from classifier.kernels.tcp import close_reason
from classifier.records import END_OPEN, EVIDENCE_CONTRADICTED, SOURCE_HTTP_HOST


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
    start = request_start(data, start, front)
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


@apart(TABLES, OCTETS, PACKET, WORD, WORD)
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
