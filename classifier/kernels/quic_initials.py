"""The Initials of a QUIC datagram: which attempt each belongs to, and what it gives.

Rules of this file: the attempt is the one whose keys open the packet. All Initials of a datagram are of one attempt. Each
key that is tried costs microseconds, so the number of packets that are looked at, and of ids that are tried, is bounded.
"""

from __future__ import annotations

from classifier.kernels.ciphers import DATAGRAM_OCTETS
from classifier.kernels.connections import destination_id
from classifier.kernels.jit import helper
from classifier.kernels.octets import u8, u32
from classifier.kernels.quic_attempts import (
    CLIENT_ID,
    IDS,
    KEY_ID,
    NEW_ATTEMPT,
    SERVER_ID,
    add_attempt,
    client_candidates,
    id_place,
    is_known,
    server_candidates,
    write_id,
)
from classifier.kernels.quic_google import google_frames, google_name
from classifier.kernels.quic_names import enter_attempt, mark_answered, take_pieces, take_plain_name
from classifier.kernels.quic_packet import (
    ID_AT,
    ID_LENGTH_AT,
    PIECE_WORDS,
    VERSION_AT,
    derive_keys,
    initial_frames,
    keep_id,
    long_header_end,
    open_initial,
    packet_bounds,
    packet_kind,
    same_octets,
    source_id_at,
)
from classifier.kernels.quic_versions import HAS_GOOGLE_FRAMES, INITIAL_KIND, Q050

# Coalesced packets that are looked at. Real datagrams hold three or four.
PACKETS = 8


@helper
def open_initials(tables, frame, start, end, place, version, from_server, from_end):
    """Read the Initials of a datagram with a long header of that version. 1 if one was opened.

    Packets of another version or to another connection id end it, as they do for a receiver (RFC 9000, 12.2), and so do
    octets that are no long header: what follows is a short header or padding.
    """
    opened = 0
    if end - start > DATAGRAM_OCTETS:
        return 0  # its length field has 16 bits, but an offloaded one need not keep to that
    if from_server:
        count = server_candidates(tables, place, frame, start)
    else:
        count = client_candidates(tables, place, frame, start)
    at = start
    for _ in range(PACKETS):
        header_end = long_header_end(frame, at, end)
        if header_end < 0 or not same_octets(frame, at + VERSION_AT, frame, start + VERSION_AT, 5):
            break
        if not same_octets(frame, at + ID_AT, frame, start + ID_AT, u8(frame, start + ID_LENGTH_AT)):
            break
        is_initial = packet_kind(frame, at) == INITIAL_KIND[version]
        number_at, packet_end = packet_bounds(frame, header_end, end, is_initial)
        if is_initial and number_at >= 0:
            which, octets, number = open_with(tables, frame, at, number_at, packet_end, count, version, from_server)
            pieces = list_frames(tables, octets, version) if which >= 0 else -1
            if pieces >= 0:
                row = attempt_of(tables, frame, start, place, which, from_end)
                count = 1
                opened = 1
                if from_server:
                    take_from_server(tables, frame, start, place, row, pieces, number)
                else:
                    take_from_client(tables, frame, start, end, place, row, pieces, number, from_end)
        at = packet_end
    return opened


@helper
def open_with(tables, frame, start, number_at, end, count, version, from_server):
    """(place of the candidate whose keys open an Initial, octets in `plain`, packet number); place -1 if none does."""
    ciphers = tables.ciphers
    for i in range(count):
        candidate = tables.candidates[i]
        largest = -1
        if candidate == NEW_ATTEMPT:
            octets = u8(frame, start + ID_LENGTH_AT)
            keep_id(ciphers, frame, start + ID_AT, octets)
        else:
            id_at = id_place(candidate // IDS, candidate % IDS)
            octets = u8(tables.attempt_ids, id_at)
            keep_id(ciphers, tables.attempt_ids, id_at + 1, octets)
            attempt = tables.attempts[candidate // IDS]
            largest = attempt.server_largest if from_server else attempt.client_largest
        derive_keys(ciphers, version, octets, from_server)
        opened, number = open_initial(ciphers, frame, start, number_at, end, largest)
        if opened >= 0:
            return i, opened, number
    return -1, 0, 0


@helper
def list_frames(tables, octets, version):
    """List the CRYPTO frames of the Initial that was opened. Their number, -1 where the packet does not count."""
    if HAS_GOOGLE_FRAMES[version]:
        return google_frames(tables.ciphers.plain, octets, tables.pieces)
    return initial_frames(tables.ciphers.plain, octets, tables.pieces)


@helper
def attempt_of(tables, frame, start, place, which, from_end):
    """The attempt that the candidate is, made if it is a new one; from now on the only candidate."""
    candidate = tables.candidates[which]
    if candidate == NEW_ATTEMPT:
        row = add_attempt(tables, place, u32(frame, start + VERSION_AT), from_end)
        write_id(tables, row, KEY_ID, frame, start + ID_AT, u8(frame, start + ID_LENGTH_AT))
        source_at = source_id_at(frame, start)
        write_id(tables, row, CLIENT_ID, frame, source_at, u8(frame, source_at - 1))
        candidate = IDS * row + KEY_ID
    tables.candidates[0] = candidate
    return candidate // IDS


@helper
def take_from_server(tables, frame, start, place, row, pieces, number):
    """An Initial of the server: the id that it chose, and an answer if there are CRYPTO octets."""
    attempt = tables.attempts[row]
    attempt.server_largest = max(attempt.server_largest, number)
    if not is_known(tables, row, SERVER_ID):
        source_at = source_id_at(frame, start)
        write_id(tables, row, SERVER_ID, frame, source_at, u8(frame, source_at - 1))
    for i in range(pieces):
        if tables.pieces[PIECE_WORDS * i + 2] > 0:
            mark_answered(tables, place, row)


@helper
def take_from_client(tables, frame, start, end, place, row, pieces, number, from_end):
    """An Initial of the client: octets of its hello. Q050's hellos are padded to a packet of their own, in one frame."""
    attempt = tables.attempts[row]
    attempt.client_largest = max(attempt.client_largest, number)
    word = destination_id(frame, start, end - start)
    if u32(frame, start + VERSION_AT) != Q050:
        if enter_attempt(tables, place, row, 1 if pieces > 0 else 0, from_end, word):
            take_pieces(tables, place, pieces)
        return
    plain = tables.ciphers.plain
    for i in range(pieces):
        begin = tables.pieces[PIECE_WORDS * i + 1]
        name_at, octets = google_name(plain, begin, begin + tables.pieces[PIECE_WORDS * i + 2])
        if octets > 0:
            if enter_attempt(tables, place, row, 1, from_end, word):
                take_plain_name(tables, place, plain, name_at, octets)
            return
    enter_attempt(tables, place, row, 0, from_end, word)
