"""QUIC on the wire: headers as far as they can be read without keys, the opening of an Initial, and its frames.

Rules of this file: lengths are checked before octets are read. A packet counts whole or not at all, as it does for its
receiver: one bad frame, and none of its frames are given. What does not verify says nothing.
"""

from __future__ import annotations

from classifier.kernels.ciphers import (
    HEADER_KEY,
    ID,
    IV,
    KEY,
    MASK,
    NONCE,
    NONCE_OCTETS,
    SECRET,
    TAG_OCTETS,
    encrypt_block,
    hmac,
    hmac_key,
    open_sealed,
)
from classifier.kernels.jit import helper
from classifier.kernels.octets import location, u8, u64
from classifier.kernels.quic_versions import (
    LABEL_CLIENT,
    LABEL_HEADER,
    LABEL_IV,
    LABEL_KEY,
    LABEL_OCTETS,
    LABEL_SERVER,
    LABELS,
    LABELS_FROM,
    RETRY_KEYS,
    RETRY_OCTETS,
    SALT_OCTETS,
    SALTS,
)

LONG_HEADER = 0x80  # RFC 8999, 5.1
LONG_HEADER_OCTETS = 7  # first octet, version, two lengths
VERSION_AT, ID_LENGTH_AT, ID_AT = 1, 5, 6
CONNECTION_ID_OCTETS = 20  # RFC 9000, 17.2: more, and no version that is read can be meant
KIND_SHIFT = 4  # RFC 9000, 17.2
SAMPLE_OCTETS, SAMPLE_AFTER = 16, 4  # the sample starts as if the packet number had four octets: RFC 9001, 5.4.2
NUMBER_LIMIT = 1 << 62  # RFC 9000, 17.1
STREAM_END = 1 << 62  # RFC 9000, 19.6: offset and length of CRYPTO together stay below
# Frames that an Initial may hold: RFC 9000, 12.4.
PADDING, PING, ACK, ACK_ECN, CRYPTO, CONNECTION_CLOSE = 0x00, 0x01, 0x02, 0x03, 0x06, 0x1C
# Frames of a packet, runs of padding and pings as one. Browsers that shuffle their hello send ten; a packet with more than
# this is not worth the time that it would take.
FRAMES = 128
PIECE_WORDS = 3  # offset in the CRYPTO stream, where in `plain`, octets


@helper
def long_header_end(data, at, end):
    """The position behind the part of a long header that all versions share (RFC 8999, 5.1); -1: there is none, or not all."""
    if end - at < LONG_HEADER_OCTETS or not u8(data, at) & LONG_HEADER:
        return -1
    source_at = source_id_at(data, at)
    if source_at > end:
        return -1
    source_end = source_at + u8(data, source_at - 1)
    return source_end if source_end <= end else -1


@helper
def source_id_at(data, at):
    """Where the source id of a long header begins; its length is the octet before."""
    return at + ID_AT + u8(data, at + ID_LENGTH_AT) + 1


@helper
def packet_kind(data, at):
    """The type of a packet with a long header."""
    return u8(data, at) >> KIND_SHIFT & 3


@helper
def varint(data, at, end):
    """(value, position behind) of a variable-length integer (RFC 9000, 16); position -1 where it is cut."""
    if at < 0 or at >= end:
        return 0, -1
    value = u8(data, at)
    octets = 1 << (value >> 6)
    if octets > end - at:
        return 0, -1
    value &= 0x3F
    for i in range(1, octets):
        value = value << 8 | u8(data, at + i)
    return value, at + octets


@helper
def packet_bounds(data, at, end, has_token):
    """(where the packet number is, the packet's end), from the end of the part of the header that all versions share
    (RFC 9000, 17.2.2 to 17.2.4). The first is -1 where the packet is cut."""
    if has_token:
        octets, at = varint(data, at, end)
        if at < 0 or octets > end - at:
            return -1, end
        at += octets
    octets, at = varint(data, at, end)
    if at < 0 or octets > end - at:
        return -1, end
    return at, at + octets


@helper
def derive_keys(ciphers, row, id_octets, from_server):
    """Keys of one side's Initials of a version, from the id in ID (RFC 9001, 5.2), into KEY, IV and HEADER_KEY."""
    room = ciphers.room
    hmac_key(ciphers, SALTS, row * SALT_OCTETS, SALT_OCTETS)
    hmac(ciphers, location(room) + ID, id_octets, SECRET)
    hmac_key(ciphers, room, SECRET, 32)
    expand_label(ciphers, LABEL_SERVER if from_server else LABEL_CLIENT, SECRET)
    hmac_key(ciphers, room, SECRET, 32)
    first = LABELS_FROM[row]
    expand_label(ciphers, first + LABEL_KEY, KEY)
    expand_label(ciphers, first + LABEL_HEADER, HEADER_KEY)
    expand_label(ciphers, first + LABEL_IV, IV)


@helper
def expand_label(ciphers, label, digest):
    """HKDF-Expand-Label with SHA-256 and no context, of 32 octets at most (RFC 8446, 7.1)."""
    at = label * LABEL_OCTETS
    hmac(ciphers, location(LABELS) + at + 1, u8(LABELS, at), digest)


@helper
def open_initial(ciphers, frame, start, number_at, end, largest):
    """Open the Initial at [start, end) with the keys that were derived. (octets in `plain`, packet number); -1 where it
    does not verify. `largest`: packet number that was opened before, or -1."""
    room = ciphers.room
    sample_at = number_at + SAMPLE_AFTER
    if sample_at + SAMPLE_OCTETS > end:
        return -1, -1
    encrypt_block(ciphers, location(frame) + sample_at)
    first = u8(frame, start) ^ u8(room, MASK) & 0x0F
    octets = (first & 0x03) + 1
    header = ciphers.header
    for i in range(number_at - start):
        header[i] = u8(frame, start + i)
    header[0] = first
    written = 0
    for i in range(octets):
        octet = u8(frame, number_at + i) ^ u8(room, MASK + 1 + i)
        header[number_at - start + i] = octet
        written = written << 8 | octet
    number = whole_number(written, 8 * octets, largest)
    for i in range(NONCE_OCTETS):
        room[NONCE + i] = u8(room, IV + i)
    for i in range(8):
        room[NONCE + NONCE_OCTETS - 1 - i] ^= number >> 8 * i & 0xFF
    payload_at = number_at + octets
    if not open_sealed(ciphers, payload_at - start, location(frame) + payload_at, end - payload_at):
        return -1, -1
    return end - payload_at - TAG_OCTETS, number


@helper
def whole_number(written, bits, largest):
    """The packet number nearest to the expected one that ends in `written` (RFC 9000, A.3)."""
    window = 1 << bits
    expected = largest + 1
    number = expected & -window | written
    if number <= expected - window // 2 and number < NUMBER_LIMIT - window:
        return number + window
    if number > expected + window // 2 and number >= window:
        return number - window
    return number


@helper
def retry_verifies(ciphers, row, id_octets, frame, start, end):
    """1 if the Retry at [start, end) answers an Initial that went to the id in ID (RFC 9001, 5.8)."""
    octets = end - start - TAG_OCTETS
    if octets < 0:
        return 0
    room, header = ciphers.room, ciphers.header
    for i in range(RETRY_OCTETS):
        room[KEY + i] = u8(RETRY_KEYS, row * RETRY_OCTETS + i)
    if 1 + id_octets + octets > header.shape[0]:
        return 0
    header[0] = id_octets
    for i in range(id_octets):
        header[1 + i] = u8(room, ID + i)
    for i in range(octets):
        header[1 + id_octets + i] = u8(frame, start + i)
    return open_sealed(ciphers, 1 + id_octets + octets, location(frame) + end - TAG_OCTETS, TAG_OCTETS)


@helper
def initial_frames(plain, octets, pieces):
    """List the CRYPTO frames of an opened Initial in `pieces`. Their number; -1 where a frame is cut or not allowed there, or
    there are none or too many (RFC 9000, 12.4 and 19)."""
    count = 0
    at = 0
    if octets == 0:
        return -1
    for _ in range(FRAMES):
        if at >= octets:
            return count
        kind = u8(plain, at)
        if kind == CRYPTO:
            at = crypto_frame(plain, at + 1, octets, pieces, count)
            count += 1
        elif kind == PADDING or kind == PING:
            at = filled_end(plain, at, octets)
        elif kind == ACK or kind == ACK_ECN:
            at = acknowledged_end(plain, at + 1, octets, kind == ACK_ECN)
        elif kind == CONNECTION_CLOSE:
            at = closed_end(plain, at + 1, octets)
        else:
            return -1
        if at < 0:
            return -1
    return count if at >= octets else -1


@helper
def crypto_frame(plain, at, end, pieces, count):
    """Note a CRYPTO frame whose type is before `at` (RFC 9000, 19.6). The position behind it, -1 where it is cut."""
    offset, at = varint(plain, at, end)
    octets, at = varint(plain, at, end)
    if at < 0 or octets > end - at or offset + octets >= STREAM_END:
        return -1
    pieces[PIECE_WORDS * count] = offset
    pieces[PIECE_WORDS * count + 1] = at
    pieces[PIECE_WORDS * count + 2] = octets
    return at + octets


@helper
def filled_end(plain, at, end):
    """The position behind a run of padding and pings: the rest of most packets, or hundreds of octets before a frame."""
    while at < end and u8(plain, at) <= PING:
        if end - at >= 8 and u64(plain, at) == 0:
            at += 8
        else:
            at += 1
    return at


@helper
def skip_varints(plain, at, end, count):
    """The position behind `count` numbers, or -1."""
    for _ in range(count):
        _, at = varint(plain, at, end)
        if at < 0:
            return -1
    return at


@helper
def acknowledged_end(plain, at, end, with_ecn):
    """The position behind an ACK: largest, delay, ranges, the first range, two numbers for each further range, ECN counts
    (RFC 9000, 19.3); -1 where it is cut."""
    ranges, at = varint(plain, skip_varints(plain, at, end, 2), end)
    if ranges > end:
        return -1
    return skip_varints(plain, at, end, 1 + 2 * ranges + (3 if with_ecn else 0))


@helper
def closed_end(plain, at, end):
    """The position behind a CONNECTION_CLOSE of the transport: error, frame type, reason (RFC 9000, 19.19); or -1."""
    octets, at = varint(plain, skip_varints(plain, at, end, 2), end)
    return at + octets if at >= 0 and octets <= end - at else -1


@helper
def keep_id(ciphers, source, at, octets):
    """Copy a connection id to ID, for `derive_keys`."""
    for i in range(octets):
        ciphers.room[ID + i] = u8(source, at + i)


@helper
def same_octets(one, at, other, other_at, octets):
    """1 if so many octets are the same."""
    for i in range(octets):
        if u8(one, at + i) != u8(other, other_at + i):
            return 0
    return 1
