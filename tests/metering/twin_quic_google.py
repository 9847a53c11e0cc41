"""Google QUIC of 2013 to 2019: packets that carry the client's hello (CHLO) in clear, and the tag that is its name.

Versions Q024 to Q043 with the public header, Q046 with a long header; Q050 has encrypted Initials (quic_keys.py) with the
same hello inside. Sources: draft-tsvwg-quic-protocol-02 (public header, frames), "QUIC Crypto" (Langley and Chang, 2016:
the tag-value map). Rules of this file: nothing verifies here. What guards such a packet is a hash without a key, which
anybody can make and which costs more to check than a tag; so it is not looked at. What is cut is None.
"""

from __future__ import annotations

from typing import NamedTuple

# Public header: flags (draft-tsvwg-quic-protocol-02, 6.1).
FLAG_VERSION, FLAG_RESET, FLAG_CONNECTION_ID, FLAG_NUMBER, FLAGS_RESERVED = 0x01, 0x02, 0x08, 0x30, 0xC0
NUMBER_OCTETS = (1, 2, 4, 6)
CONNECTION_ID_OCTETS = 8
HASH_OCTETS = 12  # FNV-1a over header and payload, instead of a tag
# A server's packet without an id: flags, number, hash or tag, and an octet at least.
SHORTEST_ANSWER = 1 + 1 + HASH_OCTETS + 1
OLDEST, NEWEST_PUBLIC, LONG_HEADER_VERSION = 24, 43, 46
BIG_ENDIAN = 39  # from this version on
PRIVATE_FLAGS_UNTIL = 33  # an octet after the hash (entropy bits)
Q046 = 0x51303436
# Q046's octet of two id lengths (a nibble n means n + 3 octets): towards the server, and from it.
LONG_HEADER_TO_SERVER, LONG_HEADER_TO_CLIENT = 0x50, 0x05
# Frames (draft-tsvwg-quic-protocol-02, 7).
STREAM, STREAM_LENGTH, STREAM_ID_OCTETS = 0x80, 0x20, 0x03
PADDING, PING = 0x00, 0x07
CRYPTO_STREAM = 1
HELLO, NAME = b"CHLO", b"SNI\x00"
HELLO_HEADER = 8  # tag, number of entries, padding: "QUIC Crypto", handshake messages
ENTRY = 8
ENTRIES = 128  # at most: kMaxEntries of quiche's crypto_protocol.h


class Hello(NamedTuple):
    """A client's packet with a hello. `version` as on the wire: "Q043" is 0x51303433. `name`: None if it has none."""

    version: int
    connection_id: bytes
    name: bytes | None


def google_hello(datagram: bytes) -> Hello | None:
    """The hello in a client's datagram of version Q024 to Q046; None if there is none that can be read."""
    header = _public_header(datagram) if datagram and not datagram[0] & 0x80 else _q046_header(datagram)
    if header is None:
        return None
    number, connection_id, hash_at = header
    at = hash_at + HASH_OCTETS + (number <= PRIVATE_FLAGS_UNTIL)
    message = _crypto_message(datagram, at, "big" if number >= BIG_ENDIAN else "little")
    if not message.startswith(HELLO):
        return None
    return Hello(int.from_bytes(b"Q%03d" % number, "big"), connection_id, hello_name(message))


def google_answers(datagram: bytes, connection_id: bytes, alone: bool) -> bool:
    """Whether a server's datagram answers the hello with that id.

    Servers leave the id out where the client let them (TCID), so a packet without one counts, too, if the hello is `alone`
    in its flow: it shows the server's address, which is as hard to forge as a TCP ACK. A packet with another id does not
    count, nor a public reset or a version negotiation.
    """
    if len(datagram) < SHORTEST_ANSWER:
        return False
    flags = datagram[0]
    if flags & 0x80:
        long_header = int.from_bytes(datagram[1:5], "big") == Q046 and datagram[5] == LONG_HEADER_TO_CLIENT
        return long_header and datagram[6 : 6 + CONNECTION_ID_OCTETS] == connection_id
    if flags & 0x40:
        return alone  # Q046's short header; its id is always left out
    if flags & (FLAG_RESET | FLAG_VERSION):
        return False
    if flags & FLAG_CONNECTION_ID:
        return datagram[1 : 1 + CONNECTION_ID_OCTETS] == connection_id
    return alone


def hello_name(message: bytes) -> bytes | None:
    """The value of SNI in a CHLO; None if there is none, or the octets before its end are not all there."""
    if message[:4] != HELLO or len(message) < HELLO_HEADER:
        return None
    entries = int.from_bytes(message[4:6], "little")
    values_at = HELLO_HEADER + ENTRY * entries
    if entries > ENTRIES or values_at > len(message):
        return None
    begins = 0
    for at in range(HELLO_HEADER, values_at, ENTRY):
        ends = int.from_bytes(message[at + 4 : at + 8], "little")
        if ends < begins or values_at + ends > len(message):
            return None
        if message[at : at + 4] == NAME:
            return message[values_at + begins : values_at + ends] or None
        begins = ends
    return None


def _public_header(datagram: bytes) -> tuple[int, bytes, int] | None:
    """(version, connection id, position of the hash) of a client's packet with the public header."""
    flags = datagram[0]
    wanted = FLAG_VERSION | FLAG_CONNECTION_ID
    if flags & (wanted | FLAG_RESET | FLAGS_RESERVED) != wanted or len(datagram) < 13:
        return None
    version = datagram[9:13]
    if version[:2] != b"Q0" or not version[2:].isdigit() or not OLDEST <= int(version[2:]) <= NEWEST_PUBLIC:
        return None
    hash_at = 13 + NUMBER_OCTETS[(flags & FLAG_NUMBER) >> 4]
    return int(version[2:]), datagram[1:9], hash_at


def _q046_header(datagram: bytes) -> tuple[int, bytes, int] | None:
    if len(datagram) < 14 or int.from_bytes(datagram[1:5], "big") != Q046 or datagram[5] != LONG_HEADER_TO_SERVER:
        return None
    return LONG_HEADER_VERSION, datagram[6:14], 14 + (datagram[0] & 0x03) + 1


def _crypto_message(datagram: bytes, at: int, order: str) -> bytes:
    """The octets of the first frame of the crypto stream, if nothing but padding and pings is before it; else none.

    A client acknowledges before it repeats its hello, so an ACK stands before no hello but a second one.
    """
    while at < len(datagram) and datagram[at] in (PADDING, PING):
        at += 1
    if at >= len(datagram) or not datagram[at] & STREAM:
        return b""
    kind = datagram[at]
    id_octets = (kind & STREAM_ID_OCTETS) + 1
    offset_bits = kind >> 2 & 7
    length_at = at + 1 + id_octets + (offset_bits + 1 if offset_bits else 0)
    if int.from_bytes(datagram[at + 1 : at + 1 + id_octets], order) != CRYPTO_STREAM:
        return b""
    if not kind & STREAM_LENGTH:
        return datagram[length_at:]
    end = length_at + 2 + int.from_bytes(datagram[length_at : length_at + 2], order)
    return datagram[length_at + 2 : end] if end <= len(datagram) else b""
