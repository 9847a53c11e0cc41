"""Names of addresses, learned per subscriber from DNS answers (accounting 2.2, 2.4; attacks 16, 17).

An answer teaches only if it comes back on the flow of the subscriber's own query: same ends and ports, same id, same
question. A query is answered once. Where trusted resolvers are configured, others' answers are not even read; where none
are, any server that answers is trusted: a name on the wire is then verified by it, too, but a flow without one is named with
more care (`verdict.decide_by_answers`), since a subscriber may run that server himself.
The name that an address is noted under is the question's: it is what a client writes into its ClientHello. It counts for
that very name (`www` of an application proves nothing for its `img`), compared by a secretly seeded hash of 64 bits.
"""

from __future__ import annotations

import numpy as np

from classifier.iana import PORT_DNS, PROTOCOL_TCP
from classifier.kernels.dns import (
    HINT_IPV4,
    HINT_IPV6,
    IS_ANSWER,
    RESPONSE_CODE,
    TRUNCATED,
    TYPE_A,
    TYPE_AAAA,
    dns_begins,
    find_hints,
    follow_aliases,
    read_answers,
    read_question,
)
from classifier.kernels.domains import match_domain
from classifier.kernels.hashing import hash_octets
from classifier.kernels.jit import apart, helper
from classifier.kernels.names import FOLDED_AT, fold_name
from classifier.kernels.notes import drop_note, find_note, first_note, keep_note, next_note
from classifier.kernels.octets import u16, u32, u64
from classifier.kernels.packet import PACKET
from classifier.kernels.parts import OCTETS, TABLES, WORD
from classifier.kernels.ranges import locate

# A stub resolver asks anew after 5 seconds (resolv.conf(5), timeout); an answer that takes longer teaches nothing.
QUERY_LIFETIME_NS = 10 * 10**9
TTL_SECONDS_MAX = 86400  # what resolvers hold a record for at most (unbound.conf(5), cache-max-ttl)
SECOND_NS = 10**9
# Messages of one TCP segment that are read (RFC 7766, 6.2.1.1: several may be sent without waiting).
MESSAGES_PER_SEGMENT = 8
ADDRESSES_PER_ANSWER = 64


@apart(TABLES, OCTETS, PACKET, WORD, WORD)
def observe_dns(tables, data, packet, place, from_server):
    """Look at a packet from or to port 53 on flow `place`. Only whole packets; over TCP, messages that lie whole in one."""
    flow = tables.flows[place]
    if flow.subscriber <= 0 or packet.fragment != 0 or packet.payload_captured < packet.payload_octets:
        return
    from_subscriber = from_server != flow.subscriber_is_client
    start = packet.payload_start
    end = start + packet.payload_captured
    if packet.protocol != PROTOCOL_TCP:
        read_message(tables, data, start, end, place, packet, from_subscriber)
        return
    for _ in range(MESSAGES_PER_SEGMENT):
        if end - start < 2 or u16(data, start) > end - start - 2:  # RFC 1035, 4.2.2
            return
        octets = u16(data, start)
        read_message(tables, data, start + 2, start + 2 + octets, place, packet, from_subscriber)
        start += 2 + octets


@helper
def read_message(tables, data, start, end, place, packet, from_subscriber):
    """A query is noted, the answer to one is read. Ports tell which end is asked."""
    if not dns_begins(data, start, end - start):
        return
    is_answer = u16(data, start + 2) & IS_ANSWER != 0
    if is_answer == (from_subscriber != 0):
        return
    state = tables.state[0]
    lookup = tables.lookup
    asked = packet.source_port if is_answer else packet.destination_port
    if asked != PORT_DNS:
        return
    if state.resolvers_trusted:
        high, low = (packet.source_high, packet.source_low)
        if not is_answer:
            high, low = (packet.destination_high, packet.destination_low)
        if locate(lookup.trusted, packet.version, high, low) < 0:
            return
    octets, kind, position = read_question(data, start, end, tables.scratch)
    folded = fold_name(tables.scratch, octets) if octets > 0 else 0
    if folded == 0:
        return
    name = hash_octets(state.seed, tables.scratch, FOLDED_AT, folded)
    flow = tables.flows[place]
    asked_by = np.int64(flow.subscriber)
    serial = np.uint64(flow.serial)
    question = np.uint64(u16(data, start) << 16 | kind)
    if not is_answer:
        expires_ns = state.clock_ns + QUERY_LIFETIME_NS
        state.queries_over += keep_note(
            tables.queries, state.seed, state.clock_ns, expires_ns, asked_by, 0, serial, question, name, -1
        )
        return
    query = find_note(tables.queries, state.seed, asked_by, 0, serial, question, name)
    if query == 0:
        return
    valid = drop_note(tables.queries, state.seed, state.clock_ns, query)
    if valid and u16(data, start + 2) & (TRUNCATED | RESPONSE_CODE) == 0:
        rule = match_domain(lookup.domains, tables.scratch, FOLDED_AT, folded)
        learn_answer(tables, data, start, end, position, kind, asked_by, name, rule)


@helper
def learn_answer(tables, data, start, end, position, kind, subscriber, name, rule):
    """Note the addresses of the question's name, at the end of its aliases."""
    state = tables.state[0]
    answers = tables.answers
    count = read_answers(data, start, end, position, answers, tables.scratch, state.seed, name)
    if count <= 0:
        return
    owner, chain_seconds = follow_aliases(answers, count, name)
    if chain_seconds < 0:
        return
    room = ADDRESSES_PER_ANSWER
    for i in range(count):
        entry = answers[i]
        if entry.kind != kind or entry.owner != owner:
            continue
        ttl_seconds = min(chain_seconds, entry.ttl_seconds, TTL_SECONDS_MAX)
        expires_ns = state.clock_ns + ttl_seconds * SECOND_NS + state.dns_grace_ns
        if kind == TYPE_A or kind == TYPE_AAAA:
            version = 4 if kind == TYPE_A else 6
            room = learn_list(
                tables, data, entry.position, entry.octets, version, 1, subscriber, name, rule, expires_ns, room
            )
        else:
            at, octets = find_hints(data, start, end, entry, HINT_IPV4, tables.scratch)
            room = learn_list(tables, data, at, octets, 4, 0, subscriber, name, rule, expires_ns, room)
            at, octets = find_hints(data, start, end, entry, HINT_IPV6, tables.scratch)
            room = learn_list(tables, data, at, octets, 6, 0, subscriber, name, rule, expires_ns, room)


@helper
def learn_list(tables, data, position, octets, version, single, subscriber, name, rule, expires_ns, room):
    """Note the addresses that stand in `octets` octets, at most `room`; how many more there is room for.

    `single`: a record holds exactly one. A list of another length than whole addresses is none.
    """
    state = tables.state[0]
    size = 4 if version == 4 else 16
    if octets % size != 0 or (single and octets != size):
        return room
    for i in range(min(octets // size, room)):
        at = position + i * size
        if version == 4:
            high, low = np.uint64(0), np.uint64(u32(data, at))
        else:
            high, low = u64(data, at), u64(data, at + 8)
        state.learned_over += keep_note(
            tables.learned, state.seed, state.clock_ns, expires_ns, subscriber, version, high, low, name, rule
        )
        room -= 1
    return room


@helper
def is_learned(tables, flow, high, low, name):
    """1 if an answer that was valid when the flow opened gave this name to the address, for the flow's subscriber."""
    if flow.subscriber <= 0 or tables.learned.owners[flow.subscriber].count == 0:
        return 0
    seed = tables.state[0].seed
    place = find_note(tables.learned, seed, np.int64(flow.subscriber), np.int64(flow.version), high, low, name)
    return 1 if place > 0 and was_valid(tables, flow, place) else 0


@helper
def was_valid(tables, flow, place):
    """1 if the note was valid when the flow opened."""
    row = tables.learned.rows[place]
    return row.since_ns <= flow.first_ns and flow.first_ns < row.expires_ns


@helper
def learned_application(tables, flow, high, low):
    """The one application whose names answers gave to the address, or 0: none, a name that matches no rule, or several."""
    if flow.subscriber <= 0 or tables.learned.owners[flow.subscriber].count == 0:
        return 0
    seed = tables.state[0].seed
    found = -1
    place = first_note(tables.learned, seed, np.int64(flow.subscriber), np.int64(flow.version), high, low)
    while place > 0:
        if was_valid(tables, flow, place):
            rule = np.int64(tables.learned.rows[place].rule)
            application = np.int64(tables.lookup.rule_application[rule]) if rule >= 0 else 0
            if found >= 0 and found != application:
                return 0
            found = application
        place = next_note(tables.learned, place)
    return max(found, 0)
