"""From the octets of a QUIC connection attempt to the flow's name, and from there to its decision."""

from __future__ import annotations

import numpy as np

from classifier.kernels.connections import remember_connection
from classifier.kernels.hashing import hash_octets
from classifier.kernels.jit import helper
from classifier.kernels.names import RAW_AT, intern_name, keep_raw
from classifier.kernels.octets import u8
from classifier.kernels.quic_attempts import NO_ID, SERVER_ID, attempt_row, id_place
from classifier.kernels.quic_packet import PIECE_WORDS
from classifier.kernels.state import (
    PHASE_INSPECTED,
    PHASE_NAMED,
    QUIC_ANSWERED,
    QUIC_CONTRADICTED,
    QUIC_HAS_NAME,
    QUIC_IN_CLEAR,
    QUIC_ROLES,
    QUIC_TURNED,
    QUIC_VOIDED,
    RULE_NO_HOST_NAME,
    RULE_NO_MATCH,
)
from classifier.kernels.streams import stream_close, stream_empty, stream_insert
from classifier.kernels.tls import LENGTH_MASK, NO_NAME, NOT_THIS, TWO_HOSTS, handshake_name
from classifier.kernels.verdict import decide, match_name
from classifier.records import SOURCE_QUIC_SNI


@helper
def enter_attempt(tables, place, row, has_octets, from_end, word):
    """A datagram of the client belongs to the attempt in that row. 1 if that is the flow's latest attempt.

    `has_octets`: there are octets of a hello in it. `from_end`: the flow's server sent it. `word`: the id that it goes to.
    """
    flow = tables.flows[place]
    attempt = tables.attempts[row]
    if not flow.quic & QUIC_ROLES:
        flow.quic |= QUIC_ROLES | (QUIC_TURNED if from_end else 0)
    if attempt.number > flow.quic_attempt and has_octets:
        begin_attempt(tables, place, attempt, word)
    if attempt.number == flow.quic_attempt:
        if has_octets:
            flow.quic_last_id = word
        if attempt.answered:
            flow.quic |= QUIC_ANSWERED
        return 1
    if has_octets and not flow.quic & QUIC_VOIDED:
        flow.quic |= QUIC_CONTRADICTED
    return 0


@helper
def begin_attempt(tables, place, attempt, word):
    """Octets of a new connection attempt: what the one before said stands beside it as a claim, unless that is void."""
    flow = tables.flows[place]
    if flow.quic_attempt > 0:
        kept = QUIC_ROLES | QUIC_TURNED | QUIC_IN_CLEAR
        if attempt.voids:
            flow.quic = np.int64(flow.quic) & kept | QUIC_VOIDED
        else:
            flow.quic = np.int64(flow.quic) & (kept | QUIC_HAS_NAME | QUIC_CONTRADICTED)
    flow.quic_attempt = attempt.number
    flow.quic_first_id = word
    begin_hello(tables, place)


@helper
def begin_hello(tables, place):
    """A hello from its first octet on. After a Retry it should be the same (RFC 9000, 17.2.5.2), but that of aioquic is not:
    only the name has to be."""
    flow = tables.flows[place]
    stream_empty(tables, np.int64(flow.stream))
    flow.phase = PHASE_INSPECTED
    flow.rule = RULE_NO_HOST_NAME


@helper
def mark_answered(tables, place, row):
    """The server has answered the attempt in that row; -1: none."""
    if row < 0:
        return
    attempt = tables.attempts[row]
    attempt.answered = 1
    if attempt.number == tables.flows[place].quic_attempt:
        tables.flows[place].quic |= QUIC_ANSWERED


@helper
def take_pieces(tables, place, count):
    """CRYPTO octets of the latest attempt, as listed in `pieces`, into its buffer."""
    flow = tables.flows[place]
    number = np.int64(flow.stream)
    for i in range(0, PIECE_WORDS * count, PIECE_WORDS):
        offset, begin, octets = tables.pieces[i], tables.pieces[i + 1], tables.pieces[i + 2]
        if offset < tables.stream_data.shape[1]:
            if stream_insert(tables, number, tables.ciphers.plain, begin, octets, offset):
                flow.quic |= QUIC_CONTRADICTED


@helper
def take_plain_name(tables, place, octets, start, count):
    """The name in Google's hello. Its answers have no long header."""
    tables.flows[place].quic |= QUIC_IN_CLEAR
    take_name(tables, place, keep_raw(tables.scratch, octets, start, count))


@helper
def conclude(tables, place):
    """Read the hello as far as it is there; a name that the server has answered decides."""
    flow = tables.flows[place]
    if flow.phase == PHASE_INSPECTED and flow.quic_attempt > 0:
        read_hello(tables, place, 0)
    if flow.phase == PHASE_NAMED and flow.quic & QUIC_ANSWERED:
        id_at = id_place(attempt_row(np.int64(flow.stream), np.int64(flow.quic_attempt)), SERVER_ID)
        stream_close(tables, place)
        decide(tables, place)
        octets = u8(tables.attempt_ids, id_at)
        remember_connection(tables, place, tables.attempt_ids, id_at + 1, octets if octets != NO_ID else 0)


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
        if found & TWO_HOSTS:
            tables.flows[place].quic |= QUIC_CONTRADICTED
        take_name(tables, place, found & LENGTH_MASK)
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
        flow.quic |= QUIC_CONTRADICTED
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
    """The inspection limit, the loss of the buffer, or the flow's end: take what there is. A name that nobody answered does
    not count."""
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
