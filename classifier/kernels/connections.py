"""QUIC connections beyond their flow: another one on the same ports, and the same one on another port (attack 9, 20).

Rules of this file: a connection is known by the ids that its client's packets go to, of which the first eight octets count. A
flow that goes on with another one's connection takes its application and evidence over only where the subscriber, the
server's address and port and the id that the server chose are the same, and only if it begins with a short header of the
subscriber's; ids of fewer octets are nobody's. What one flow of a connection is contradicted by holds for its later ones. A
hello for another connection ends a flow, as another SYN does. The table is fixed: of two with the same place the later has it.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.accounts import SUBSCRIBERS_BEYOND
from classifier.kernels.hashing import hash_end, low_bits, mix
from classifier.kernels.jit import helper
from classifier.kernels.octets import u8, u16, u32, u64
from classifier.kernels.quic_google import (
    HELLO_FLAGS,
    HELLO_FLAGS_MASK,
    PUBLIC_ID_AT,
    PUBLIC_NUMBER_AT,
    PUBLIC_VERSION_AT,
)
from classifier.kernels.quic_packet import ID_AT, ID_LENGTH_AT, LONG_HEADER, VERSION_AT, packet_kind
from classifier.kernels.quic_versions import GOOGLE_Q0, NEGOTIATION, VERSION_2
from classifier.kernels.state import PHASE_DECIDED, QUIC_DECIDED, QUIC_TURNED
from classifier.records import EVIDENCE_CONTRADICTED, SOURCE_DNS, SOURCE_QUIC_SNI

FIXED = 0x40  # with LONG_HEADER: a short header of version 1 or 2 (RFC 9000, 17.3.1)
SHORT_ID_AT = 1
INITIAL_DATAGRAM_OCTETS = 1200  # at least, of a client: RFC 9000, 14.1
ID_OCTETS = 8
OCTET_BITS = np.uint64(8)


@helper
def id_word(octets, start, count):
    """The first ID_OCTETS of an id as a number; shorter ones as they are."""
    if count >= ID_OCTETS:
        return u64(octets, start)
    word = np.uint64(0)
    for i in range(count):
        word = word << OCTET_BITS | np.uint64(u8(octets, start + i))
    return word


@helper
def destination_id(frame, start, octets):
    """The id that a datagram with a long header goes to, as `id_word`; 0 where it has none."""
    if octets <= ID_AT or not u8(frame, start) & LONG_HEADER:
        return np.uint64(0)
    return id_word(frame, start + ID_AT, min(u8(frame, start + ID_LENGTH_AT), octets - ID_AT))


@helper
def begins_connection(flow, frame, packet, from_server):
    """1 if this datagram is the client's first of another connection than the one that decided the flow.

    Later Initials of the same connection, also those sent once more, go to an id that is known. QUIC is never sent in
    fragments (RFC 9000, 14), so a first fragment has to show that it is none. Any hello has a flow that DNS named asked anew.
    """
    start = packet.payload_start
    captured = packet.payload_captured
    by_dns = flow.source == SOURCE_DNS
    if from_server != (1 if flow.quic & QUIC_TURNED else 0) or not (flow.quic & QUIC_DECIDED or by_dns):
        return 0
    if captured > 0 and not u8(frame, start) & LONG_HEADER:
        return begins_google_connection(flow, frame, start, captured, by_dns)
    if packet.fragment == 0 and packet.payload_octets < INITIAL_DATAGRAM_OCTETS:
        return 0
    if captured < ID_AT + ID_OCTETS:
        return packet.fragment
    version = u32(frame, start + VERSION_AT)
    if version == NEGOTIATION or packet_kind(frame, start) != (1 if version == VERSION_2 else 0):
        return 0
    if by_dns:
        return 1
    word = destination_id(frame, start, captured)
    return word != flow.quic_first_id and word != flow.quic_last_id and word != flow.quic_server_id


@helper
def may_begin_connection(frame, packet):
    """1 if `begins_connection` has to look at a datagram: only a long header, or Google's hello, can begin one."""
    if packet.payload_captured == 0:
        return 1
    first = u8(frame, packet.payload_start)
    return first & LONG_HEADER != 0 or first & HELLO_FLAGS_MASK == HELLO_FLAGS


@helper
def begins_google_connection(flow, frame, start, captured, by_dns):
    """The same for Google's versions with the public header: an id of its own beside a version."""
    if captured < PUBLIC_NUMBER_AT or u8(frame, start) & HELLO_FLAGS_MASK != HELLO_FLAGS:
        return 0
    if u16(frame, start + PUBLIC_VERSION_AT) != GOOGLE_Q0:
        return 0
    return 1 if by_dns or id_word(frame, start + PUBLIC_ID_AT, ID_OCTETS) != flow.quic_first_id else 0


@helper
def connection_key(tables, flow, word):
    """What a connection is found by: its subscriber, its server, the id that the server chose."""
    server = hash_end(tables.state[0].seed, flow.server_high, flow.server_low, np.int64(flow.server_port))
    return mix(mix(server ^ word) ^ np.uint64(flow.subscriber))


@helper
def remember_connection(tables, place, octets, start, count):
    """The flow has been decided by the name of a connection whose server chose the id of `count` octets at `start`; 0 where
    that is empty or not known."""
    flow = tables.flows[place]
    flow.quic |= QUIC_DECIDED
    flow.quic_server_id = id_word(octets, start, count)
    if flow.source != SOURCE_QUIC_SNI or flow.name_from_server or count < ID_OCTETS:
        return
    if flow.subscriber <= SUBSCRIBERS_BEYOND or not flow.subscriber_is_client:
        return
    key = connection_key(tables, flow, flow.quic_server_id)
    entry = tables.connections[low_bits(key) % tables.connections.shape[0]]
    entry.key = key
    entry.application = flow.application
    entry.evidence = flow.evidence


@helper
def contradict_connection(tables, flow):
    """The flow has been contradicted: where its connection goes on, it is, too."""
    if not flow.quic & QUIC_DECIDED:
        return
    key = connection_key(tables, flow, flow.quic_server_id)
    entry = tables.connections[low_bits(key) % tables.connections.shape[0]]
    if entry.key == key:
        entry.evidence = EVIDENCE_CONTRADICTED


@helper
def goes_on(tables, frame, packet, place, from_server):
    """1 if a flow's first datagram belongs to a connection that another flow began, and the flow is decided like that one."""
    flow = tables.flows[place]
    if packet.payload_captured < SHORT_ID_AT + ID_OCTETS or from_server:
        return 0
    if u8(frame, packet.payload_start) & (LONG_HEADER | FIXED) != FIXED:
        return 0
    if flow.subscriber <= SUBSCRIBERS_BEYOND or not flow.subscriber_is_client:
        return 0
    word = u64(frame, packet.payload_start + SHORT_ID_AT)
    key = connection_key(tables, flow, word)
    entry = tables.connections[low_bits(key) % tables.connections.shape[0]]
    if entry.key != key:
        return 0
    flow.phase = PHASE_DECIDED
    flow.application = entry.application
    flow.evidence = entry.evidence
    flow.source = SOURCE_QUIC_SNI
    flow.quic |= QUIC_DECIDED
    flow.quic_server_id = flow.quic_first_id = flow.quic_last_id = word
    return 1
