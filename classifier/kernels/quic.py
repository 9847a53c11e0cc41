"""QUIC in the meter: which datagrams are read, what they say, and when a flow is decided by it.

Rules of this file:
- Only what verifies counts: an Initial or a Retry whose tag is right, a Version Negotiation that echoes the client's ids.
  Anything else gives nothing. (Google's versions in clear have nothing to verify.)
- An answer is CRYPTO octets in an Initial of the server that verifies: the keys show that its sender saw the client's
  Initial, and a server sends a ServerHello or HelloRetryRequest only once it has read the whole ClientHello. Where that
  packet was lost, a Handshake packet to the client's id answers, too. It cannot be verified, but who can forge the server's
  address can forge a TCP ACK as well. An ACK, a Retry, a close and short headers are no answers. So an inert hello, one
  that reached no server, stays without.
- CRYPTO octets go into the pool of reassembly like TCP's, from offset 0 of their stream. One buffer serves one connection
  attempt, the latest; a flow whose buffer was taken away gets no other, as nothing could be compared with what it held.
- The latest attempt's name decides, once the server has answered that attempt. Another name in an earlier attempt, or octets
  of an earlier one that still come, contradict it, unless the server's Version Negotiation voided what was before.
- The end whose Initial verified first is the QUIC client, whoever sent the first datagram that the capture holds.
- Each datagram of an undecided flow counts towards the inspection limit, so a flood of them costs a bounded time a flow.
"""

from __future__ import annotations

from classifier.kernels.connections import goes_on, id_word
from classifier.kernels.jit import apart, helper
from classifier.kernels.octets import u8, u16, u32
from classifier.kernels.packet import PACKET
from classifier.kernels.parts import OCTETS, TABLES, WORD
from classifier.kernels.quic_attempts import (
    ATTEMPTS,
    CLIENT_ID,
    KEY_ID,
    RETRY_ID,
    SERVER_ID,
    add_attempt,
    attempt_count,
    attempt_row,
    handshaking,
    id_place,
    is_id,
    is_known,
    refuse,
    write_id,
)
from classifier.kernels.quic_google import (
    GOOGLE_ID_OCTETS,
    HELLO_FLAGS,
    HELLO_FLAGS_MASK,
    PUBLIC_VERSION_AT,
    google_answers,
    google_hello,
    google_name,
)
from classifier.kernels.quic_initials import open_initials
from classifier.kernels.quic_names import (
    begin_hello,
    conclude,
    enter_attempt,
    finish_quic,
    mark_answered,
    take_plain_name,
)
from classifier.kernels.quic_packet import (
    CONNECTION_ID_OCTETS,
    ID_AT,
    ID_LENGTH_AT,
    LONG_HEADER,
    LONG_HEADER_OCTETS,
    VERSION_AT,
    keep_id,
    long_header_end,
    packet_kind,
    retry_verifies,
    source_id_at,
)
from classifier.kernels.quic_versions import (
    GOOGLE_Q0,
    HANDSHAKE_AFTER,
    HAS_RETRY,
    INITIAL_KIND,
    NEGOTIATION,
    Q046,
    RETRY_AFTER,
    may_be_version,
    version_row,
)
from classifier.kernels.state import PHASE_DECIDED, QUIC_IN_CLEAR, QUIC_ROLES, QUIC_TURNED
from classifier.kernels.verdict import decide


@helper
def may_be_quic(frame, start, octets, begun):
    """1 if a datagram may be QUIC with something to read: a long header of a version and with ids that can be, or a Google
    hello in clear. `begun`: the flow's client is known, so a Version Negotiation can be."""
    if octets < LONG_HEADER_OCTETS:
        return 0
    first = u8(frame, start)
    if not first & LONG_HEADER:
        if first & HELLO_FLAGS_MASK != HELLO_FLAGS or octets < PUBLIC_VERSION_AT + 4:
            return 0
        return 1 if u16(frame, start + PUBLIC_VERSION_AT) == GOOGLE_Q0 else 0
    version = u32(frame, start + VERSION_AT)
    if version == Q046:
        return 1
    if not may_be_version(version) and not (begun and version == NEGOTIATION):
        return 0
    return has_ids(frame, start, start + octets)


@helper
def has_ids(frame, start, end):
    """1 if there is a whole long header with connection ids as long as they can be."""
    if long_header_end(frame, start, end) < 0 or u8(frame, start + ID_LENGTH_AT) > CONNECTION_ID_OCTETS:
        return 0
    return 1 if u8(frame, source_id_at(frame, start) - 1) <= CONNECTION_ID_OCTETS else 0


@helper
def readable_version(frame, start, end):
    """The row of the version of a datagram whose Initials can be opened, or -1."""
    return version_row(u32(frame, start + VERSION_AT)) if has_ids(frame, start, end) else -1


@apart(TABLES, OCTETS, PACKET, WORD, WORD)
def inspect_datagram(tables, frame, packet, place, from_server):
    """Look at a datagram of a flow that is not decided: read it, or decide where the first cannot be QUIC."""
    flow = tables.flows[place]
    flow.inspected += 1
    start, octets = packet.payload_start, packet.payload_captured
    to_client = from_server != (1 if flow.quic & QUIC_TURNED else 0)
    in_clear = flow.quic & QUIC_IN_CLEAR and to_client and octets > 0
    if flow.quic & QUIC_ROLES and flow.stream < 0:
        finish_quic(tables, place)
    elif in_clear or may_be_quic(frame, start, octets, flow.quic & QUIC_ROLES):
        if flow.quic & QUIC_ROLES and to_client:
            read_from_server(tables, frame, start, start + octets, place)
        else:
            read_from_client(tables, frame, start, start + octets, place, from_server)
        conclude(tables, place)
    elif flow.inspected == 1:
        if not goes_on(tables, frame, packet, place, from_server):
            decide(tables, place)
    if flow.phase != PHASE_DECIDED and flow.inspected >= tables.state[0].inspection_packets:
        finish_quic(tables, place)


@helper
def read_from_client(tables, frame, start, end, place, from_end):
    """A datagram of the client, or of whoever may turn out to be it. `from_end`: the flow's server sent it."""
    row = readable_version(frame, start, end)
    if row >= 0:
        open_initials(tables, frame, start, end, place, row, 0, from_end)
        return
    version, id_at, message_at, message_end = google_hello(frame, start, end)
    if version < 0:
        return
    attempt = known_hello(tables, place, frame, id_at)
    if attempt < 0:
        attempt = add_attempt(tables, place, version, from_end)
        for kind in (KEY_ID, CLIENT_ID, SERVER_ID):  # both sides use the id that the client chose
            write_id(tables, attempt, kind, frame, id_at, GOOGLE_ID_OCTETS)
    name_at, octets = google_name(frame, message_at, message_end)
    has_name = 1 if octets > 0 else 0
    word = id_word(frame, id_at, GOOGLE_ID_OCTETS)
    if enter_attempt(tables, place, attempt, has_name, from_end, word) and has_name:
        take_plain_name(tables, place, frame, name_at, octets)


@helper
def known_hello(tables, place, frame, id_at):
    """The attempt of a hello in clear with that id, or -1."""
    latest = attempt_count(tables, place)
    for n in range(max(latest - ATTEMPTS, 0) + 1, latest + 1):
        row = attempt_row(tables.flows[place].stream, n)
        if is_id(tables, row, KEY_ID, frame, id_at, GOOGLE_ID_OCTETS):
            return row
    return -1


@helper
def read_from_server(tables, frame, start, end, place):
    """A datagram of the QUIC server."""
    row = readable_version(frame, start, end)
    if row >= 0:
        kind = packet_kind(frame, start)
        if kind == INITIAL_KIND[row] + RETRY_AFTER & 3:
            take_retry(tables, frame, start, end, place, row)
        elif not open_initials(tables, frame, start, end, place, row, 1, 0):
            if kind == INITIAL_KIND[row] + HANDSHAKE_AFTER & 3:
                mark_answered(tables, place, handshaking(tables, place, frame, start))
        return
    header_end = long_header_end(frame, start, end)
    if header_end >= 0 and u32(frame, start + VERSION_AT) == NEGOTIATION:
        refuse(tables, place, frame, start, header_end, end)
        return
    latest = attempt_count(tables, place)
    attempt = attempt_row(tables.flows[place].stream, latest)
    if version_row(tables.attempts[attempt].version) >= 0:
        return
    id_at = id_place(attempt, KEY_ID) + 1
    if google_answers(frame, start, end, tables.attempt_ids, id_at, 1 if latest == 1 else 0):
        mark_answered(tables, place, attempt)


@helper
def take_retry(tables, frame, start, end, place, version):
    """Go on with the keys that a Retry gives, if it verifies, is the first and comes in time (RFC 9000, 17.2.5.2).

    The server has read nothing so far: what it answers is a hello that the client is still to send.
    """
    flow = tables.flows[place]
    source_at = source_id_at(frame, start)
    latest = attempt_count(tables, place)
    for n in range(latest, max(latest - ATTEMPTS, 0), -1):
        row = attempt_row(flow.stream, n)
        attempt = tables.attempts[row]
        late = is_known(tables, row, RETRY_ID) or is_known(tables, row, SERVER_ID) or attempt.refused
        if late or attempt.version != u32(frame, start + VERSION_AT) or not HAS_RETRY[version]:
            continue
        if not is_id(tables, row, CLIENT_ID, frame, start + ID_AT, u8(frame, start + ID_LENGTH_AT)):
            continue
        id_at = id_place(row, KEY_ID)
        octets = u8(tables.attempt_ids, id_at)
        keep_id(tables.ciphers, tables.attempt_ids, id_at + 1, octets)
        if retry_verifies(tables.ciphers, version, octets, frame, start, end):
            write_id(tables, row, RETRY_ID, frame, source_at, u8(frame, source_at - 1))
            if n == flow.quic_attempt:
                begin_hello(tables, place)
            return
