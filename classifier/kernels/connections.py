"""QUIC connections beyond their flow: another one on the same ports, and the same one on another port (attack 9, 20).

Rules of this file: a connection is known by the ids that its client's packets go to, of which the first eight octets count. A
flow that goes on with another one's connection takes its application and evidence over only where the subscriber, the
server's address and port and the id that the server chose are the same; ids of fewer octets are nobody's. The table is
fixed: of two connections with the same place the later has it.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.accounts import SUBSCRIBERS_BEYOND
from classifier.kernels.hashing import hash_end, low_bits, mix
from classifier.kernels.jit import helper
from classifier.kernels.octets import u8, u32, u64
from classifier.kernels.state import PHASE_DECIDED, QUIC_DECIDED
from classifier.records import SOURCE_QUIC_SNI

LONG_HEADER = 0x80  # RFC 8999, 5.1
FIXED = 0x40  # with the bit above: a short header of version 1 or 2 (RFC 9000, 17.3.1)
LONG_KIND_SHIFT, INITIAL, INITIAL_OF_VERSION_2 = 4, 0, 1  # RFC 9000, 17.2; RFC 9369, 3.2
VERSION_2 = 0x6B3343CF  # RFC 9369, 3.1
INITIAL_DATAGRAM_OCTETS = 1200  # at least, of a client: RFC 9000, 14.1
ID_LENGTH_AT, ID_AT, SHORT_ID_AT = 5, 6, 1
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

    Later Initials of the same connection, also those sent once more, go to an id that is known.
    """
    start = packet.payload_start
    if packet.payload_captured < INITIAL_DATAGRAM_OCTETS or not u8(frame, start) & LONG_HEADER:
        return 0
    if from_server or not flow.quic & QUIC_DECIDED:
        return 0
    version = u32(frame, start + 1)
    kind = u8(frame, start) >> LONG_KIND_SHIFT & 3
    if version == 0 or kind != (INITIAL_OF_VERSION_2 if version == VERSION_2 else INITIAL):
        return 0
    word = destination_id(frame, start, packet.payload_captured)
    return word != flow.quic_first_id and word != flow.quic_last_id and word != flow.quic_server_id


@helper
def connection_key(tables, flow, word):
    """What a connection is found by: its subscriber, its server, the id that the server chose."""
    server = hash_end(tables.state[0].seed, flow.server_high, flow.server_low, np.int64(flow.server_port))
    return mix(mix(server ^ word) ^ np.uint64(flow.subscriber))


@helper
def remember_connection(tables, place, octets, count):
    """The flow has been decided by the name of a connection whose server chose the id `octets`."""
    flow = tables.flows[place]
    if flow.name_from_server:
        return
    flow.quic |= QUIC_DECIDED
    flow.quic_server_id = id_word(octets, 0, count)
    if count < ID_OCTETS or flow.subscriber <= SUBSCRIBERS_BEYOND or not flow.subscriber_is_client:
        return
    key = connection_key(tables, flow, flow.quic_server_id)
    entry = tables.connections[low_bits(key) % tables.connections.shape[0]]
    entry.key = key
    entry.application = flow.application
    entry.evidence = flow.evidence


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
    key = connection_key(tables, flow, u64(frame, packet.payload_start + SHORT_ID_AT))
    entry = tables.connections[low_bits(key) % tables.connections.shape[0]]
    if entry.key != key:
        return 0
    flow.phase = PHASE_DECIDED
    flow.application = entry.application
    flow.evidence = entry.evidence
    flow.source = SOURCE_QUIC_SNI
    return 1
