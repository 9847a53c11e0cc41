"""Inspection of a flow that is not decided yet: octets into reassembly, names out of it.

This is TCP; QUIC is in quic.py. A name is only *named* at first: it counts once the server has answered after it (accounting
2.4), else a client could free its uplink with a hello to nobody; and only from the subscriber's own end, else a server could
name a flow. Until then its octets are kept to be compared with whatever else the sender writes at the same sequence numbers.
"""

from __future__ import annotations

import numpy as np

from classifier.iana import PROTOCOL_UDP
from classifier.kernels.http import (
    IS_CONNECT,
    http_begins,
    http_name,
    method_octets,
    request_start,
)
from classifier.kernels.http_follow import follow
from classifier.kernels.jit import apart, helper, hot
from classifier.kernels.names import intern_name
from classifier.kernels.parts import TABLES, WORD
from classifier.kernels.quic_names import finish_quic
from classifier.kernels.settle import stop_following
from classifier.kernels.state import (
    MIDDLE_NONE,
    PHASE_DECIDED,
    PHASE_INSPECTED,
    PHASE_NAMED,
    RULE_NAME_UNSEEN,
    RULE_NO_MATCH,
    TCP_ACK_CLIENT,
    TCP_ACK_SERVER,
    TCP_FOLLOWED,
    TCP_SEEN_CLIENT,
    TCP_SEEN_SERVER,
    TCP_SYN_CLIENT,
    TCP_SYN_SERVER,
)
from classifier.kernels.streams import (
    FLOATING_OFFSET,
    sequence_difference,
    stream_close,
    stream_insert,
    stream_open,
)
from classifier.kernels.tls import LENGTH_MASK, NEED_MORE, NO_NAME, NOT_THIS, TWO_HOSTS, tls_begins, tls_name
from classifier.kernels.verdict import decide, match_name
from classifier.records import SOURCE_HTTP_HOST, SOURCE_TLS_SNI


@hot
def may_begin(frame, start, octets):
    """1 if this payload of a TCP segment may begin a hello or request."""
    return 1 if tls_begins(frame, start, octets) or http_begins(frame, start, octets) else 0


@helper
def inspect_segment(tables, frame, packet, place, from_server, sequence, expected):
    """Look at a TCP segment with payload.

    `sequence` of its first payload octet; `expected` the sequence number that was next before it, -1 where unknown.
    """
    flow = tables.flows[place]
    state = tables.state[0]
    flow.inspected += 1
    if flow.phase == PHASE_INSPECTED:
        if flow.stream >= 0 and (
            hello_restarts(tables, frame, packet, place, from_server, sequence)
            or leads_nowhere(tables, place, from_server, sequence)
        ):
            stream_close(tables, place)
        elif flow.stream >= 0 and gives_way(tables, packet, place, from_server, sequence, expected):
            flow.rule = RULE_NAME_UNSEEN
            stream_close(tables, place)
        if flow.stream < 0:
            open_for_segment(tables, packet, place, from_server, sequence, expected)
    if flow.stream >= 0 and tables.streams[flow.stream].from_server == from_server:
        number = np.int64(flow.stream)
        if stream_insert(tables, number, frame, packet.payload_start, packet.payload_captured, sequence):
            flow.contradicted = 1
        if flow.phase == PHASE_INSPECTED:
            read_stream(tables, place, packet.payload_captured < packet.payload_octets)
    if flow.inspected >= state.inspection_packets and flow.phase == PHASE_INSPECTED:
        finish_inspection(tables, place)


@helper
def inspect_fragment(tables, frame, packet, place, from_server, sequence):
    """Look at a later fragment of a TCP segment, whose first octet has this sequence number."""
    flow = tables.flows[place]
    if flow.stream < 0 or tables.streams[flow.stream].from_server != from_server:
        return
    octets = packet.captured_end - packet.position
    if stream_insert(tables, np.int64(flow.stream), frame, packet.position, octets, sequence):
        flow.contradicted = 1
    if flow.phase == PHASE_INSPECTED:
        read_stream(tables, place, 0)


@helper
def hello_restarts(tables, frame, packet, place, from_server, sequence):
    """1 if a hello or request begins in this segment while the stream holds nothing that could become one.

    Some hosts pad an ACK with octets that a capture takes for payload, and the hello then comes at the same number; and
    where a capture begins in mid-flow, what came first may be the tail of an answer.
    """
    stream = tables.streams[tables.flows[place].stream]
    data = tables.stream_data[tables.flows[place].stream]
    start = np.int64(stream.start)
    present = stream.front - start
    if tls_begins(data, start, present):
        return 0
    same_end = stream.from_server == from_server
    if same_end:
        ahead = sequence_difference(sequence, np.int64(stream.base_sequence)) - start
        if present == 0 or ahead < 0:
            return 0  # the stream waits for this, or for what comes before: it may be a head, and this its body
    octets = packet.payload_captured
    if octets >= 6 and tls_begins(frame, packet.payload_start, octets):
        return not (same_end and http_begins(data, start, present))
    if method_octets(frame, packet.payload_start, octets) <= 0:
        return 0
    if same_end:
        return present > 0 and not http_begins(data, start, present)
    return present == 0 or method_octets(data, start, present) <= 0


@helper
def leads_nowhere(tables, place, from_server, sequence):
    """1 if the stream waited for octets before the first segment seen, and now later ones come."""
    stream = tables.streams[tables.flows[place].stream]
    if not stream.floating or stream.from_server != from_server:
        return 0
    return sequence_difference(sequence, np.int64(stream.base_sequence)) >= stream.high


@helper
def gives_way(tables, packet, place, from_server, sequence, expected):
    """1 if the subscriber's end may now begin a hello or request, and the stream is the other end's and holds a letter or two.

    The "S" by which PostgreSQL agrees to TLS could become a method; the hello behind it must not wait for that. Never the
    other way round: the other end could hide the subscriber's name by it.
    """
    flow = tables.flows[place]
    stream = tables.streams[flow.stream]
    if stream.from_server == from_server or from_server == flow.subscriber_is_client:
        return 0
    data = tables.stream_data[flow.stream]
    start = np.int64(stream.start)
    present = stream.front - start
    if tls_begins(data, start, present) or method_octets(data, start, present) > 0:
        return 0
    gap = sequence_difference(sequence, expected) if expected >= 0 else 0
    return 1 if packet.begins or 0 < gap < tables.stream_data.shape[1] else 0


@helper
def open_for_segment(tables, packet, place, from_server, sequence, expected):
    """Open reassembly where a hello or request begins, or where the octets before this segment are still to come."""
    gap = sequence_difference(sequence, expected) if expected >= 0 else 0
    if 0 < gap < tables.stream_data.shape[1]:
        stream_open(tables, place, expected, 0, from_server)
    elif packet.begins:
        stream_open(tables, place, sequence, 0, from_server)
    elif expected < 0:
        stream_open(tables, place, sequence - FLOATING_OFFSET, FLOATING_OFFSET, from_server)


@apart(TABLES, WORD, WORD)
def read_stream(tables, place, final):
    """Try the parsers on what is in order. `final`: nothing more will come."""
    flow = tables.flows[place]
    number = np.int64(flow.stream)
    stream = tables.streams[number]
    data = tables.stream_data[number]
    front = np.int64(stream.front)
    start = np.int64(stream.start)
    start = request_start(data, start, front)
    final = final or front >= data.shape[0]
    if front <= start:
        return
    found, source = find_name(data, start, front, tables.scratch, 0)
    if found == NEED_MORE and final:
        flow.rule = RULE_NAME_UNSEEN
        found, source = find_name(data, start, front, tables.scratch, 1)
    if found > NO_NAME:
        take_name(tables, place, found, source, stream)
    elif found == NO_NAME:
        finish_without_name(tables, place)
    elif found == NOT_THIS and (final or not stream.floating):
        stream_close(tables, place)


@helper
def find_name(data, start, front, scratch, final):
    """What the parsers find (`tls_name`, `http_name`), and the source that it is of."""
    found = tls_name(data, start, front, scratch, final)
    if found != NOT_THIS:
        return found, SOURCE_TLS_SNI
    return http_name(data, start, front, scratch, final), SOURCE_HTTP_HOST


@helper
def take_name(tables, place, found, source, stream):
    """A name was found: keep it, match it, and wait for the answer. CONNECT's is kept, and the flow looked at further."""
    flow = tables.flows[place]
    octets = found & LENGTH_MASK
    kept = -1
    if tables.log.shape[0] > 0:
        kept = intern_name(tables, octets)
    if flow.name >= 0:
        flow.other_name = flow.name
    flow.name = kept
    flow.source = source
    if found & (TWO_HOSTS | IS_CONNECT) or stream.conflict:
        flow.contradicted = 1
    flow.name_from_server = stream.from_server
    match_name(tables, flow, octets)
    if found & IS_CONNECT:
        stream_close(tables, place)
        return
    flow.name_end = (np.int64(stream.base_sequence) + stream.front) & 0xFFFFFFFF
    flow.phase = PHASE_NAMED
    flow.middle = MIDDLE_NONE


@helper
def finish_without_name(tables, place):
    """A whole hello or request that has no name: nothing more is to be expected, so decide."""
    stream_close(tables, place)
    decide(tables, place)


@helper
def finish_inspection(tables, place):
    """The inspection limit, or the flow's end: take what there is (accounting 2.3)."""
    flow = tables.flows[place]
    if flow.phase != PHASE_DECIDED and flow.protocol == PROTOCOL_UDP:
        finish_quic(tables, place)
        return
    if flow.phase == PHASE_INSPECTED and flow.stream >= 0:
        read_stream(tables, place, 1)
    if flow.phase == PHASE_NAMED:
        return
    if flow.phase == PHASE_INSPECTED and flow.stream >= 0:
        flow.rule = RULE_NAME_UNSEEN
    stream_close(tables, place)
    if flow.phase == PHASE_INSPECTED:
        decide(tables, place)


@helper
def answer(tables, place):
    """If the other end has acknowledged all the octets that gave the name, it counts."""
    flow = tables.flows[place]
    if flow.name_from_server:
        acknowledged = np.int64(flow.client_acknowledged)
        seen = flow.tcp_state & TCP_ACK_CLIENT
    else:
        acknowledged = np.int64(flow.server_acknowledged)
        seen = flow.tcp_state & TCP_ACK_SERVER
    if seen and sequence_difference(acknowledged, np.int64(flow.name_end)) >= 0:
        decide(tables, place)
        follow(tables, place)


@helper
def close_inspection(tables, place):
    """The flow ends. A name that nobody answered proves nothing, and no address overrules a name: unknown."""
    flow = tables.flows[place]
    finish_inspection(tables, place)
    if flow.phase == PHASE_NAMED:
        answer(tables, place)
    if flow.phase == PHASE_NAMED:
        flow.rule = RULE_NO_MATCH
        stream_close(tables, place)
        decide(tables, place)
    if flow.tcp_state & TCP_FOLLOWED:
        stop_following(tables, place)


@helper
def expected_sequence(flow, from_server):
    """The next sequence number of one end, or -1 where none of its segments was seen.

    Without its SYN the end may first have been seen with a keep-alive, which is numbered one octet back (RFC 9293, 3.8.4):
    what the other end has acknowledged since is not to come.
    """
    if from_server:
        if not flow.tcp_state & TCP_SEEN_SERVER:
            return np.int64(-1)
        expected = np.int64(flow.server_next)
        acknowledged = np.int64(flow.client_acknowledged)
        late = flow.tcp_state & (TCP_SYN_SERVER | TCP_ACK_CLIENT) == TCP_ACK_CLIENT
    else:
        if not flow.tcp_state & TCP_SEEN_CLIENT:
            return np.int64(-1)
        expected = np.int64(flow.client_next)
        acknowledged = np.int64(flow.server_acknowledged)
        late = flow.tcp_state & (TCP_SYN_CLIENT | TCP_ACK_SERVER) == TCP_ACK_SERVER
    return acknowledged if late and sequence_difference(acknowledged, expected) > 0 else expected
