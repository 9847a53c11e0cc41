"""QUIC in the meter: which datagrams are handed out to be decrypted, and what comes of the answer.

Rules of this file:
- A datagram is handed out as by a trap: it is metered first, its octets held like those of any undecided flow, and the
  answer stands in the tables before the next frame is looked at. Only flows that are not decided are trapped, and each of
  their datagrams counts towards the inspection limit: so a flood of them costs a bounded time a flow.
- CRYPTO octets go into the pool of reassembly like TCP's, from offset 0 of their stream. One buffer serves one connection
  attempt, the latest; a buffer taken away is not opened again, as nothing could be compared with what it held.
- The latest attempt's name decides, once the server has answered that attempt. Another name in an earlier attempt, or octets
  of an earlier one that still come, contradict it, unless the server's Version Negotiation voided what was before.
- The end whose Initial verified first is the QUIC client, whoever sent the first datagram that the capture holds.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.connections import LONG_HEADER, VERSION_2, destination_id, goes_on, remember_connection
from classifier.kernels.hashing import hash_octets
from classifier.kernels.jit import helper, kernel
from classifier.kernels.names import RAW_AT, intern_name, keep_raw
from classifier.kernels.octets import address, u8, u16, u32
from classifier.kernels.settle import settle
from classifier.kernels.state import (
    PHASE_DECIDED,
    PHASE_INSPECTED,
    PHASE_NAMED,
    QUIC_ANSWERED,
    QUIC_HAS_NAME,
    QUIC_IN_CLEAR,
    QUIC_ROLES,
    QUIC_TURNED,
    QUIC_VOIDED,
    RULE_NO_HOST_NAME,
    RULE_NO_MATCH,
)
from classifier.kernels.streams import stream_close, stream_insert, stream_open
from classifier.kernels.tls import NO_NAME, NOT_THIS, handshake_name
from classifier.kernels.verdict import decide, match_name
from classifier.records import SOURCE_QUIC_SNI

CONNECTION_ID_OCTETS = 20  # RFC 9000, 17.2: more, and no version that is read can be meant
LONG_HEADER_OCTETS = 7  # first octet, version, two lengths (RFC 8999, 5.1)
# Google's versions in clear: the public header's flags for version and connection id, none of the reserved bits
# (draft-tsvwg-quic-protocol-02, 6.1); the version is behind the id of 8 octets. Q046 has a long header of its own.
GOOGLE_FLAGS, GOOGLE_FLAGS_MASK, GOOGLE_VERSION_AT = 0x09, 0xC9, 9
GOOGLE_Q0, GOOGLE_T0 = 0x5130, 0x5430
Q046 = 0x51303436
# Versions: RFC 9000, 15 (1, and those reserved: 0x?a?a?a?a), its drafts, and Facebook's (mvfst, quic/QuicConstants.h).
VERSION_1 = 1
RESERVED, RESERVED_MASK = 0x0A0A0A0A, 0x0F0F0F0F
DRAFTS, MVFST = 0xFF0000, 0xFACEB0

# What `take_answer` is told besides octets.
ANSWERED = 1
VOIDS = 2
NAME = 4  # the octets are Google's name, not CRYPTO
RETRIED = 8


@helper
def may_be_version(version):
    """1 if the version is one that can be read, or a reserved one: then the server's Version Negotiation may follow.

    Half of all DNS queries look like long headers but for that.
    """
    if version == VERSION_1 or version == VERSION_2 or version & RESERVED_MASK == RESERVED:
        return 1
    family = version >> 8
    if family == DRAFTS or family == MVFST:
        return 1
    return 1 if version >> 16 == GOOGLE_Q0 or version >> 16 == GOOGLE_T0 else 0


@helper
def may_be_quic(frame, start, octets, begun):
    """1 if a datagram may be QUIC with something to read: a long header of a version and with ids that can be, or a Google
    hello in clear. `begun`: the flow's client is known, so a Version Negotiation can be."""
    if octets < LONG_HEADER_OCTETS:
        return 0
    first = u8(frame, start)
    if not first & LONG_HEADER:
        if first & GOOGLE_FLAGS_MASK != GOOGLE_FLAGS or octets < GOOGLE_VERSION_AT + 4:
            return 0
        return 1 if u16(frame, start + GOOGLE_VERSION_AT) == GOOGLE_Q0 else 0
    version = u32(frame, start + 1)
    if version == Q046:
        return 1
    if not may_be_version(version) and not (begun and version == 0):
        return 0
    destination = u8(frame, start + 5)
    if destination > CONNECTION_ID_OCTETS or octets < LONG_HEADER_OCTETS + destination:
        return 0
    source = u8(frame, start + 6 + destination)
    return 1 if source <= CONNECTION_ID_OCTETS and octets >= LONG_HEADER_OCTETS + destination + source else 0


@helper
def inspect_datagram(tables, frame, packet, place, from_server):
    """Look at a datagram of a flow that is not decided: hand it out, or decide where the first cannot be QUIC."""
    flow = tables.flows[place]
    state = tables.state[0]
    flow.inspected += 1
    if flow.subscriber < 0 and tables.log.shape[0] == 0:
        decide(tables, place)  # nobody will see its name
        return
    to_client = from_server != (1 if flow.quic & QUIC_TURNED else 0)
    in_clear = flow.quic & QUIC_IN_CLEAR and to_client and packet.payload_captured > 0
    if in_clear or may_be_quic(frame, packet.payload_start, packet.payload_captured, flow.quic & QUIC_ROLES):
        state.trap_place = place
        state.trap_serial = flow.serial
        state.trap_from_end = from_server
        state.trap_from_server = to_client if flow.quic & QUIC_ROLES else 0
        state.trap_start = packet.payload_start
        state.trap_octets = packet.payload_captured
        state.trap_id = destination_id(frame, packet.payload_start, packet.payload_captured)
    elif flow.inspected == 1:
        if not goes_on(tables, frame, packet, place, from_server):
            decide(tables, place)
    elif flow.inspected >= state.inspection_packets:
        finish_quic(tables, place)


@kernel
def take_answer(tables, octets, pieces, server_id, attempt, flags):
    """Enter what the trapped datagram says into the tables. 1 if its flow is decided now, else 0.

    `octets` u1, read-only; `pieces` i8[3 * n]: offset in the CRYPTO stream, where in `octets`, length of each. `server_id` u1,
    read-only: the id that the server chose, empty while unknown. `attempt` of the flow that all this belongs to, 0 where
    nothing is known. `flags`: ANSWERED, VOIDS, NAME, RETRIED.
    """
    state = tables.state[0]
    place = state.trap_place
    state.trap_place = -1
    flow = tables.flows[place]
    if flow.phase != PHASE_DECIDED and attempt > 0:
        if not flow.quic & QUIC_ROLES:
            flow.quic |= QUIC_ROLES | (QUIC_TURNED if state.trap_from_end else 0)
        if attempt > flow.quic_attempt and (pieces.shape[0] > 0 or flags & NAME):
            begin_attempt(tables, place, attempt, flags & VOIDS)
        if attempt == flow.quic_attempt:
            if flags & RETRIED:
                begin_hello(tables, place)
            if pieces.shape[0] > 0:
                flow.quic_last_id = state.trap_id
            if flags & ANSWERED:
                flow.quic |= QUIC_ANSWERED
            take_octets(tables, place, address(octets), octets.shape[0], pieces, flags & NAME)
        elif pieces.shape[0] > 0 and attempt < flow.quic_attempt and not flow.quic & QUIC_VOIDED:
            flow.contradicted = 1
    if flow.phase != PHASE_DECIDED and flow.inspected >= state.inspection_packets:
        finish_quic(tables, place)
    if flow.phase != PHASE_DECIDED:
        return 0
    if server_id.shape[0] > 0 and flow.source == SOURCE_QUIC_SNI and flow.quic & QUIC_ANSWERED:
        remember_connection(tables, place, address(server_id), server_id.shape[0])
    if flow.took_part:
        settle(tables, place)
    return 1


@helper
def begin_attempt(tables, place, attempt, voids):
    """Octets of a new connection attempt: what the one before said stands beside it as a claim, unless that is void."""
    flow = tables.flows[place]
    if flow.quic_attempt > 0:
        kept = QUIC_ROLES | QUIC_TURNED | QUIC_IN_CLEAR
        if voids:
            flow.quic = np.int64(flow.quic) & kept | QUIC_VOIDED
            flow.contradicted = 0
        else:
            flow.quic = np.int64(flow.quic) & (kept | QUIC_HAS_NAME)
    flow.quic_attempt = attempt
    flow.quic_first_id = tables.state[0].trap_id
    begin_hello(tables, place)


@helper
def begin_hello(tables, place):
    """A hello from its first octet on. After a Retry it should be the same (RFC 9000, 17.2.5.2), but that of aioquic is not:
    only the name has to be."""
    flow = tables.flows[place]
    stream_close(tables, place)
    flow.phase = PHASE_INSPECTED
    flow.rule = RULE_NO_HOST_NAME
    stream_open(tables, place, 0, 0, 1 if flow.quic & QUIC_TURNED else 0)


@helper
def take_octets(tables, place, octets, count, pieces, is_name):
    """Octets of the latest attempt: into its buffer, and a name out of it; an answer makes the name count."""
    flow = tables.flows[place]
    if is_name:
        stream_close(tables, place)
        flow.quic |= QUIC_IN_CLEAR
        take_name(tables, place, keep_raw(tables.scratch, octets, 0, count))
    elif flow.stream >= 0:
        number = np.int64(flow.stream)
        for i in range(0, pieces.shape[0], 3):
            if pieces[i] < tables.stream_data.shape[1]:
                if stream_insert(tables, number, octets, pieces[i + 1], pieces[i + 2], pieces[i]):
                    flow.contradicted = 1
        if flow.phase == PHASE_INSPECTED:
            read_hello(tables, place, 0)
    if flow.phase == PHASE_NAMED and flow.quic & QUIC_ANSWERED:
        stream_close(tables, place)
        decide(tables, place)


@helper
def read_hello(tables, place, final):
    """Look for the name in what is in order. `final`: nothing more will come."""
    number = np.int64(tables.flows[place].stream)
    data = tables.stream_data[number]
    front = np.int64(tables.streams[number].front)
    if front == 0:
        return
    found = handshake_name(data, front, tables.scratch, final or front >= data.shape[0])
    if found > NO_NAME:
        take_name(tables, place, found)
    elif found == NO_NAME or found == NOT_THIS:
        decide_nameless(tables, place)


@helper
def take_name(tables, place, octets):
    """A name was found: keep it, match it, wait for the answer."""
    flow = tables.flows[place]
    hashed = hash_octets(tables.state[0].seed, tables.scratch, RAW_AT, octets)
    kept = -1
    if tables.log.shape[0] > 0:
        kept = intern_name(tables, octets)
    if flow.name != kept and flow.name >= 0:
        flow.other_name = flow.name
    if flow.quic & QUIC_HAS_NAME and flow.quic_name != hashed:
        flow.contradicted = 1
    flow.quic |= QUIC_HAS_NAME
    flow.quic_name = hashed
    flow.name = kept
    flow.source = SOURCE_QUIC_SNI
    flow.name_from_server = 1 if flow.quic & QUIC_TURNED else 0
    match_name(tables, flow, octets)
    flow.phase = PHASE_NAMED


@helper
def decide_nameless(tables, place):
    """No name is to be expected: decide by the address, but not where an earlier attempt had one."""
    flow = tables.flows[place]
    if flow.quic & QUIC_HAS_NAME:
        flow.rule = RULE_NO_MATCH
    stream_close(tables, place)
    decide(tables, place)


@helper
def finish_quic(tables, place):
    """The inspection limit, or the flow's end: take what there is. A name that nobody answered does not count."""
    flow = tables.flows[place]
    if flow.phase == PHASE_INSPECTED and flow.stream >= 0:
        read_hello(tables, place, 1)
    if flow.phase == PHASE_NAMED:
        if not flow.quic & QUIC_ANSWERED:
            flow.rule = RULE_NO_MATCH
        stream_close(tables, place)
        decide(tables, place)
    elif flow.phase == PHASE_INSPECTED:
        decide_nameless(tables, place)
