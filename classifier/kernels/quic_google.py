"""Google QUIC of 2013 to 2019: packets that carry the client's hello (CHLO) in clear, and the tag that is its name.

Versions Q024 to Q043 with the public header, Q046 with a long header; Q050 and T05x have encrypted Initials with Google's
frames, and Q050 the same hello inside. Sources: draft-tsvwg-quic-protocol-02 (public header, frames), "QUIC Crypto" (Langley
and Chang, 2016: the tag-value map). Rules of this file: nothing in clear verifies. What guards such a packet is a hash
without a key, which anybody can make and which costs more to check than a tag; so it is not looked at. What is cut says
nothing.
"""

from __future__ import annotations

from classifier.kernels.jit import helper
from classifier.kernels.octets import u8, u16, u16_ordered, u32, u32_little
from classifier.kernels.quic_packet import PADDING, crypto_frame
from classifier.kernels.quic_versions import GOOGLE_Q0, Q046

# Public header: flags (draft-tsvwg-quic-protocol-02, 6.1); the id is behind them, the version behind that.
FLAG_VERSION, FLAG_RESET, FLAG_CONNECTION_ID, FLAG_NUMBER, FLAGS_RESERVED = 0x01, 0x02, 0x08, 0x30, 0xC0
# Of a client's packet that names its version: those for version and id are set, none of the reserved.
HELLO_FLAGS, HELLO_FLAGS_MASK = FLAG_VERSION | FLAG_CONNECTION_ID, FLAG_VERSION | FLAG_CONNECTION_ID | FLAGS_RESERVED
PUBLIC_ID_AT, PUBLIC_VERSION_AT, PUBLIC_NUMBER_AT = 1, 9, 13
GOOGLE_ID_OCTETS = 8
HASH_OCTETS = 12  # FNV-1a over header and payload, instead of a tag
# A server's packet without an id: flags, number, hash or tag, and an octet at least.
SHORTEST_ANSWER = 1 + 1 + HASH_OCTETS + 1
OLDEST, NEWEST_PUBLIC, LONG_HEADER_VERSION = 24, 43, 46
BIG_ENDIAN = 39  # from this version on
PRIVATE_FLAGS_UNTIL = 33  # an octet after the hash (entropy bits)
# Q046's octet of two id lengths (a nibble n means n + 3 octets): towards the server, and from it. Its id is behind.
TO_SERVER, TO_CLIENT = 0x50, 0x05
Q046_LENGTHS_AT, Q046_ID_AT, Q046_NUMBER_AT = 5, 6, 14
LONG_FORM, SHORT_FORM = 0x80, 0x40
# Frames (draft-tsvwg-quic-protocol-02, 7).
STREAM, STREAM_LENGTH, STREAM_ID_OCTETS = 0x80, 0x20, 0x03
PING = 0x07
CRYPTO_STREAM = 1
# "CHLO" and "SNI\0" as numbers of their octets in order.
HELLO, NAME = 0x4F4C4843, 0x00494E53
HELLO_HEADER = 8  # tag, number of entries, padding: "QUIC Crypto", handshake messages
ENTRY = 8
ENTRIES = 128  # at most: kMaxEntries of quiche's crypto_protocol.h
# Google's frames in an Initial: QuicFrameType in quiche, quic/core/quic_types.h.
CRYPTO = 0x08
# An ACK is 01nullmm: more than one block, lengths of the largest packet number and of a block.
ACK, ACK_MASK, ACK_BLOCKS = 0x40, 0xC0, 0x20
FRAMES = 128


@helper
def number_octets(code):
    """1, 2, 4 or 6: what two bits of a public header or an ACK mean."""
    return 2 * code if code else 1


@helper
def google_version(data, at):
    """The two digits of a version "Q0nn" at `at`; -1 if there is none."""
    tens, units = u8(data, at + 2) - 48, u8(data, at + 3) - 48
    if u16(data, at) != GOOGLE_Q0 or not 0 <= tens <= 9 or not 0 <= units <= 9:
        return -1
    return 10 * tens + units


@helper
def google_hello(data, at, end):
    """(version, where its id is, where the message begins, its end) of a client's datagram of Q024 to Q046 that holds a hello;
    version -1 if there is none that can be read. The version is as on the wire: "Q043" is 0x51303433."""
    if end > at and not u8(data, at) & LONG_FORM:
        if end - at < PUBLIC_NUMBER_AT or u8(data, at) & (HELLO_FLAGS_MASK | FLAG_RESET) != HELLO_FLAGS:
            return -1, 0, 0, 0
        version = google_version(data, at + PUBLIC_VERSION_AT)
        if not OLDEST <= version <= NEWEST_PUBLIC:
            return -1, 0, 0, 0
        id_at = at + PUBLIC_ID_AT
        hash_at = at + PUBLIC_NUMBER_AT + number_octets((u8(data, at) & FLAG_NUMBER) >> 4)
    else:
        if end - at < Q046_NUMBER_AT or u32(data, at + 1) != Q046 or u8(data, at + Q046_LENGTHS_AT) != TO_SERVER:
            return -1, 0, 0, 0
        version = LONG_HEADER_VERSION
        id_at = at + Q046_ID_AT
        hash_at = at + Q046_NUMBER_AT + (u8(data, at) & 0x03) + 1
    frames_at = hash_at + HASH_OCTETS + (1 if version <= PRIVATE_FLAGS_UNTIL else 0)
    message_at, message_end = crypto_message(data, frames_at, end, 1 if version >= BIG_ENDIAN else 0)
    if message_end - message_at < 4 or u32_little(data, message_at) != HELLO:
        return -1, 0, 0, 0
    return GOOGLE_Q0 << 16 | (48 + version // 10) << 8 | 48 + version % 10, id_at, message_at, message_end


@helper
def crypto_message(data, at, end, big):
    """(begin, end) of the first frame of the crypto stream, if nothing but padding and pings is before it; else nothing.

    A client acknowledges before it repeats its hello, so an ACK stands before no hello but a second one.
    """
    while at < end and (u8(data, at) == PADDING or u8(data, at) == PING):
        at += 1
    if at >= end or not u8(data, at) & STREAM:
        return 0, 0
    kind = u8(data, at)
    id_octets = (kind & STREAM_ID_OCTETS) + 1
    offset_bits = kind >> 2 & 7
    length_at = at + 1 + id_octets + (offset_bits + 1 if offset_bits else 0)
    if length_at + 2 > end:
        return 0, 0
    stream = 0
    for i in range(id_octets):
        octet = u8(data, at + 1 + i)
        stream = stream << 8 | octet if big else stream | octet << 8 * i
    if stream != CRYPTO_STREAM:
        return 0, 0
    if not kind & STREAM_LENGTH:
        return length_at, end
    message_end = length_at + 2 + u16_ordered(data, length_at, big)
    return (length_at + 2, message_end) if message_end <= end else (0, 0)


@helper
def google_name(data, at, end):
    """(where, octets) of the value of SNI in a CHLO; octets 0 if there is none, or those before its end are not all there."""
    if end - at < HELLO_HEADER or u32_little(data, at) != HELLO:
        return 0, 0
    entries = u16_ordered(data, at + 4, 0)
    values_at = at + HELLO_HEADER + ENTRY * entries
    if entries > ENTRIES or values_at > end:
        return 0, 0
    begins = 0
    for entry_at in range(at + HELLO_HEADER, values_at, ENTRY):
        ends = u32_little(data, entry_at + 4)
        if ends < begins or ends > end - values_at:
            return 0, 0
        if u32_little(data, entry_at) == NAME:
            return values_at + begins, ends - begins
        begins = ends
    return 0, 0


@helper
def google_answers(data, at, end, ids, id_at, alone):
    """1 if a server's datagram answers the hello whose id is at `id_at` of `ids`.

    Servers leave the id out where the client let them (TCID), so a packet without one counts, too, if the hello is `alone`
    in its flow: it shows the server's address, which is as hard to forge as a TCP ACK. A packet with another id does not
    count, nor a public reset or a version negotiation.
    """
    if end - at < SHORTEST_ANSWER:
        return 0
    flags = u8(data, at)
    seen_at = at + PUBLIC_ID_AT
    if flags & LONG_FORM:
        if u32(data, at + 1) != Q046 or u8(data, at + Q046_LENGTHS_AT) != TO_CLIENT:
            return 0
        seen_at = at + Q046_ID_AT
    elif flags & SHORT_FORM:
        return alone  # Q046's short header; its id is always left out
    elif flags & (FLAG_RESET | FLAG_VERSION):
        return 0
    elif not flags & FLAG_CONNECTION_ID:
        return alone
    for i in range(GOOGLE_ID_OCTETS):
        if u8(data, seen_at + i) != u8(ids, id_at + i):
            return 0
    return 1


@helper
def google_frames(plain, octets, pieces):
    """List the CRYPTO frames of an opened Initial in Google's framing, up to the first frame that is cut or of a kind that no
    hello comes with. Their number."""
    count = 0
    at = 0
    for _ in range(FRAMES):
        if at >= octets:
            break
        kind = u8(plain, at)
        if kind == CRYPTO:
            at = crypto_frame(plain, at + 1, octets, pieces, count)
            if at < 0:
                break
            count += 1
        elif kind == PADDING:
            while at < octets and u8(plain, at) == PADDING:
                at += 1
        elif kind & ACK_MASK == ACK:
            at = google_acknowledged_end(plain, at + 1, octets, kind)
        elif kind == PING:
            at += 1
        else:
            break  # CONNECTION_CLOSE among them
    return count


@helper
def google_acknowledged_end(plain, at, end, kind):
    """The position behind an ACK of Google's: largest, delay (2), blocks, and times (draft-tsvwg-quic-protocol-02, 7.2, as
    of version 39). It may be past the end."""
    block_octets = number_octets(kind & 3)
    at += number_octets(kind >> 2 & 3) + 2
    more_blocks = 0
    if kind & ACK_BLOCKS:
        more_blocks = u8(plain, at) if at < end else 0
        at += 1
    at += block_octets + more_blocks * (1 + block_octets)
    times = u8(plain, at) if at < end else 0
    # The first time has a packet and four octets, each further one a packet and two.
    return at + 1 + (5 + 3 * (times - 1) if times else 0)
