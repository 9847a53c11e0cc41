"""What is remembered of a flow's QUIC connection attempts: their ids, and which of them can open a packet.

Rules of this file: an attempt is one connection attempt within a flow, that is the client's first Initial and whatever has
the same keys. A Retry goes on with it, as does a version that the server chose itself (RFC 9368, 2.3). Another first
Initial begins another one. The last two of a flow are remembered beside its buffer of reassembly: when that is taken
away, they are gone. Attempts are numbered from 1.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.jit import helper
from classifier.kernels.octets import u8, u32
from classifier.kernels.quic_packet import ID_AT, ID_LENGTH_AT, same_octets, source_id_at
from classifier.kernels.streams import stream_open

ATTEMPTS = 2  # the one that is under way, and the one before it
# Ids of an attempt: those from which its keys follow (the second is the Retry's), and those that both sides chose.
KEY_ID, RETRY_ID, CLIENT_ID, SERVER_ID = 0, 1, 2, 3
IDS = 4
ID_STRIDE = 21  # a length and 20 octets: RFC 9000, 17.2
NO_ID = 255  # as a length: not known yet, which is not the same as empty
CANDIDATES = 4
NEW_ATTEMPT = -1

ATTEMPT = np.dtype(
    [
        ("version", "u4"),
        ("number", "u1"),
        ("answered", "u1"),
        ("refused", "u1"),  # by a Version Negotiation of the server
        ("voids", "u1"),  # every attempt before it was refused
        ("client_largest", "i8"),  # packet number that was opened
        ("server_largest", "i8"),
    ],
    align=True,
)


@helper
def attempt_row(stream, number):
    """Where attempt `number` of the flow with that buffer is."""
    return ATTEMPTS * stream + number % ATTEMPTS


@helper
def id_place(row, kind):
    """Where an id of an attempt begins, its length first."""
    return (IDS * row + kind) * ID_STRIDE


@helper
def write_id(tables, row, kind, source, at, octets):
    """Remember an id."""
    place = id_place(row, kind)
    tables.attempt_ids[place] = octets
    for i in range(octets):
        tables.attempt_ids[place + 1 + i] = u8(source, at + i)


@helper
def is_id(tables, row, kind, source, at, octets):
    """1 if that id of the attempt is known and the same."""
    place = id_place(row, kind)
    if u8(tables.attempt_ids, place) != octets:
        return 0
    return same_octets(tables.attempt_ids, place + 1, source, at, octets)


@helper
def is_known(tables, row, kind):
    """1 if the attempt has that id."""
    return 1 if u8(tables.attempt_ids, id_place(row, kind)) != NO_ID else 0


@helper
def latest_key(tables, row):
    """Which id its keys follow from, the Retry's if there was one (RFC 9001, 5.2)."""
    return RETRY_ID if is_known(tables, row, RETRY_ID) else KEY_ID


@helper
def attempt_count(tables, place):
    """How many attempts the flow has had, as far as they are remembered."""
    number = np.int64(tables.flows[place].stream)
    return np.int64(tables.streams[number].attempts) if number >= 0 else 0


@helper
def add_attempt(tables, place, version, client_is_server):
    """A further attempt of the flow, without ids yet. Its row."""
    flow = tables.flows[place]
    if flow.stream < 0:
        number = stream_open(tables, place, 0, 0, client_is_server)
    else:
        number = np.int64(flow.stream)
    stream = tables.streams[number]
    row = attempt_row(number, np.int64(stream.attempts) + 1)
    attempt = tables.attempts[row]
    attempt.voids = 1 if stream.attempts > 0 and stream.standing == 0 else 0
    stream.attempts += 1
    stream.standing += 1
    attempt.number = stream.attempts
    attempt.version = version
    attempt.answered = 0
    attempt.refused = 0
    attempt.client_largest = -1
    attempt.server_largest = -1
    for kind in range(IDS):
        tables.attempt_ids[id_place(row, kind)] = NO_ID
    return row


@helper
def client_candidates(tables, place, frame, at):
    """List in `candidates` what may open a client's Initial whose long header is at `at`, the likely one first: IDS * row +
    the kind of id that the keys follow from. Their number.

    The last is an attempt of its own with the id at hand: the client's first Initial, or the first that is seen.
    """
    found = tables.candidates
    octets, id_at = u8(frame, at + ID_LENGTH_AT), at + ID_AT
    version = u32(frame, at + 1)
    number = np.int64(tables.flows[place].stream)
    latest = attempt_count(tables, place)
    count = 0
    going_on = -1
    for n in range(latest, max(latest - ATTEMPTS, 0), -1):
        row = attempt_row(number, n)
        if tables.attempts[row].refused and tables.attempts[row].version != version:
            continue
        for kind in (KEY_ID, RETRY_ID):
            if is_id(tables, row, kind, frame, id_at, octets):
                found[0] = IDS * row + kind
                return 1
        if going_on < 0:
            going_on = row
        if is_id(tables, row, SERVER_ID, frame, id_at, octets):
            found[count] = IDS * row + latest_key(tables, row)
            count += 1
    if count == 0 and going_on >= 0:
        # The server's first packet may not have been seen, and with it the id that it chose.
        found[0] = IDS * going_on + latest_key(tables, going_on)
        count = 1
    found[count] = NEW_ATTEMPT
    return count + 1


@helper
def server_candidates(tables, place, frame, at):
    """The same for an Initial of the server: attempts of the client that it is sent to."""
    found = tables.candidates
    octets, id_at = u8(frame, at + ID_LENGTH_AT), at + ID_AT
    number = np.int64(tables.flows[place].stream)
    latest = attempt_count(tables, place)
    count = 0
    for n in range(latest, max(latest - ATTEMPTS, 0), -1):
        row = attempt_row(number, n)
        if tables.attempts[row].refused or not is_id(tables, row, CLIENT_ID, frame, id_at, octets):
            continue
        for kind in (RETRY_ID, KEY_ID):
            if is_known(tables, row, kind):
                found[count] = IDS * row + kind
                count += 1
    return count


@helper
def handshaking(tables, place, frame, at):
    """The one attempt that a Handshake packet of the server can belong to, by the ids in its header; -1 if there are
    several, as clients with an empty id have."""
    octets, id_at = u8(frame, at + ID_LENGTH_AT), at + ID_AT
    source_at = source_id_at(frame, at)
    version = u32(frame, at + 1)
    number = np.int64(tables.flows[place].stream)
    latest = attempt_count(tables, place)
    fitting = -1
    for n in range(latest, max(latest - ATTEMPTS, 0), -1):
        row = attempt_row(number, n)
        attempt = tables.attempts[row]
        if attempt.refused or attempt.version != version or not is_id(tables, row, CLIENT_ID, frame, id_at, octets):
            continue
        if is_known(tables, row, SERVER_ID):
            if not is_id(tables, row, SERVER_ID, frame, source_at, u8(frame, source_at - 1)):
                continue
        if fitting >= 0:
            return -1
        fitting = row
    return fitting


@helper
def refuse(tables, place, frame, at, header_end, end):
    """End the attempt that a Version Negotiation refuses, if a client would take it: it echoes the client's ids, offers other
    versions, and nothing came from the server before (RFC 9000, 6.2 and 17.2.1; RFC 8999, 6)."""
    octets, id_at = u8(frame, at + ID_LENGTH_AT), at + ID_AT
    source_at = source_id_at(frame, at)
    number = np.int64(tables.flows[place].stream)
    latest = attempt_count(tables, place)
    for n in range(latest, max(latest - ATTEMPTS, 0), -1):
        row = attempt_row(number, n)
        attempt = tables.attempts[row]
        if attempt.refused or is_known(tables, row, SERVER_ID):
            continue
        if not is_id(tables, row, CLIENT_ID, frame, id_at, octets):
            continue
        if not is_id(tables, row, latest_key(tables, row), frame, source_at, u8(frame, source_at - 1)):
            continue
        if offers_others(frame, header_end, end, np.int64(attempt.version)):
            attempt.refused = 1
            tables.streams[number].standing -= 1
            return


@helper
def offers_others(frame, at, end, version):
    """1 if a list of versions has some, and not that one."""
    if end - at < 4:
        return 0
    for i in range(at, end - 3, 4):
        if u32(frame, i) == version:
            return 0
    return 1
