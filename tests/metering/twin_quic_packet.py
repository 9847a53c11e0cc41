"""QUIC on the wire, as far as it can be read without keys, and the frames of an opened Initial.

Rules of this file: lengths are checked before octets are read; what is cut or against the RFC is None, never an exception.
A packet counts whole or not at all, as it does for its receiver: one bad frame, and none of its frames are given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

LONG_HEADER = 0x80  # RFC 8999, 5.1
CONNECTION_ID_OCTETS = 20  # at most in the versions that are read: RFC 9000, 17.2
# Frames that an Initial may hold: RFC 9000, 12.4.
PADDING, PING, ACK, ACK_ECN, CRYPTO, CONNECTION_CLOSE = 0x00, 0x01, 0x02, 0x03, 0x06, 0x1C
# The same in Google's framing: QuicFrameType in quiche, quic/core/quic_types.h.
GOOGLE_CLOSE, GOOGLE_PING, GOOGLE_CRYPTO = 0x02, 0x07, 0x08
# An ACK there is 01nullmm: more than one block, lengths of the largest packet number and of a block.
GOOGLE_ACK, GOOGLE_ACK_MASK, GOOGLE_ACK_BLOCKS, GOOGLE_LENGTHS = 0x40, 0xC0, 0x20, (1, 2, 4, 6)
# Coalesced packets that are looked at. Real datagrams hold three or four, and each that does not verify costs a key.
PACKETS = 8
# Frames of a packet, runs of padding and pings as one. Browsers that shuffle their hello send ten; a packet with more than
# this is not worth the time that it would take.
FRAMES = 128
STREAM_END = 1 << 62  # RFC 9000, 19.6: offset and length of CRYPTO together stay below

_FILL = re.compile(rb"[\x00\x01]+")  # padding and pings
_GOOGLE_FILL = re.compile(rb"\x00+")


class LongHeader(NamedTuple):
    """The part of a long header that all versions share (RFC 8999, 5.1). `end` is the position after it."""

    first: int
    version: int
    destination_id: bytes
    source_id: bytes
    end: int

    @property
    def kind(self) -> int:
        return self.first >> 4 & 3


class Packet(NamedTuple):
    header: LongHeader
    start: int
    number_at: int  # 0: the packet is cut
    end: int


class Frames(NamedTuple):
    crypto: tuple[tuple[int, bytes], ...]  # offset in the stream, octets; in the order of the packet
    closed: bool


def varint(data: bytes, at: int) -> tuple[int, int] | None:
    """(value, position after it) of a variable-length integer (RFC 9000, 16)."""
    if at >= len(data):
        return None
    first = data[at]
    if first < 0x40:
        return first, at + 1
    octets = 1 << (first >> 6)
    end = at + octets
    if end > len(data):
        return None
    return int.from_bytes(data[at:end], "big") & (1 << 8 * octets - 2) - 1, end


def long_header(data: bytes, at: int) -> LongHeader | None:
    """The long header at `at`; None if there is none, or not all of it."""
    if at + 7 > len(data) or not data[at] & LONG_HEADER:
        return None
    destination_at = at + 6
    destination_end = destination_at + data[at + 5]
    if destination_end >= len(data):
        return None
    source_at = destination_end + 1
    source_end = source_at + data[destination_end]
    if source_end > len(data):
        return None
    version = int.from_bytes(data[at + 1 : at + 5], "big")
    return LongHeader(data[at], version, data[destination_at:destination_end], data[source_at:source_end], source_end)


def packets(data: bytes, first: LongHeader, initial: int) -> Iterator[Packet]:
    """The packets of a datagram that begins with the header `first`, in their order; none after one that is cut.

    Packets of another version or to another connection id end it, as they do for a receiver (RFC 9000, 12.2), and so do
    octets that are no long header: what follows is a short header or padding.
    """
    header: LongHeader | None = first
    start = 0
    for _ in range(PACKETS):
        if header is None or header.version != first.version or header.destination_id != first.destination_id:
            return
        packet = _bounds(data, start, header, header.kind == initial)
        yield packet
        start = packet.end
        header = long_header(data, start)


def _bounds(data: bytes, start: int, header: LongHeader, has_token: bool) -> Packet:
    """The packet with that header (RFC 9000, 17.2.2 to 17.2.4)."""
    cut = Packet(header, start, 0, len(data))
    at = header.end
    if has_token:
        token = varint(data, at)
        if token is None:
            return cut
        at = token[0] + token[1]
    length = varint(data, at)
    if length is None or length[0] + length[1] > len(data):
        return cut
    return Packet(header, start, length[1], length[0] + length[1])


def offered_versions(data: bytes, at: int) -> tuple[int, ...]:
    """The versions that a Version Negotiation lists (RFC 9000, 17.2.1)."""
    return tuple(int.from_bytes(data[one : one + 4], "big") for one in range(at, len(data) - 3, 4))


def initial_frames(payload: bytes) -> Frames | None:
    """The frames of an Initial; None where one is cut or not allowed there, or there are too many (RFC 9000, 12.4 and 19)."""
    crypto: list[tuple[int, bytes]] = []
    closed = False
    at = 0
    octets = len(payload)
    if not octets:
        return None  # RFC 9000, 12.4: at least one frame
    for _ in range(FRAMES):
        if at >= octets:
            return Frames(tuple(crypto), closed)
        kind = payload[at]
        end: int | None
        if kind == CRYPTO:
            frame = _crypto(payload, at + 1)
            if frame is None:
                return None
            crypto.append(frame[0])
            end = frame[1]
        elif kind in (PADDING, PING):
            end = _filled(payload, at, _FILL)
        elif kind in (ACK, ACK_ECN):
            end = _acknowledged(payload, at + 1, kind == ACK_ECN)
        elif kind == CONNECTION_CLOSE:
            end = _closed(payload, at + 1)
            closed = True
        else:
            return None
        if end is None:
            return None
        at = end
    return Frames(tuple(crypto), closed) if at >= octets else None


def google_frames(payload: bytes) -> Frames:
    """The frames of an Initial in Google's framing, up to the first that is cut or of a kind that no hello comes with."""
    crypto: list[tuple[int, bytes]] = []
    closed = False
    at = 0
    for _ in range(FRAMES):
        if at >= len(payload) or closed:
            break
        kind = payload[at]
        if kind == GOOGLE_CRYPTO:
            frame = _crypto(payload, at + 1)
            if frame is None:
                break
            crypto.append(frame[0])
            at = frame[1]
        elif kind == PADDING:
            at = _filled(payload, at, _GOOGLE_FILL)
        elif kind & GOOGLE_ACK_MASK == GOOGLE_ACK:
            at = _google_acknowledged(payload, at + 1, kind)
        elif kind in (GOOGLE_PING, GOOGLE_CLOSE):
            closed = kind == GOOGLE_CLOSE
            at += 1
        else:
            break
    return Frames(tuple(crypto), closed)


def _crypto(payload: bytes, at: int) -> tuple[tuple[int, bytes], int] | None:
    """((offset, octets), position after) of a CRYPTO frame without its type (RFC 9000, 19.6)."""
    offset = varint(payload, at)
    length = varint(payload, offset[1]) if offset is not None else None
    if offset is None or length is None:
        return None
    end = length[0] + length[1]
    if end > len(payload) or offset[0] + length[0] >= STREAM_END:
        return None
    return (offset[0], payload[length[1] : end]), end


def _filled(payload: bytes, at: int, fill: re.Pattern[bytes]) -> int:
    """The position after a run of padding: the rest of most packets, or hundreds of octets before a frame."""
    rest = payload[at:]
    if rest == bytes(len(rest)):
        return len(payload)
    run = fill.match(payload, at)
    return run.end() if run is not None else at


def _google_acknowledged(payload: bytes, at: int, kind: int) -> int:
    """The position after an ACK of Google's: largest, delay (2), blocks, and times (draft-tsvwg-quic-protocol-02, 7.2, as
    of version 39). It may be past the end."""
    block_octets = GOOGLE_LENGTHS[kind & 3]
    at += GOOGLE_LENGTHS[kind >> 2 & 3] + 2
    more_blocks = 0
    if kind & GOOGLE_ACK_BLOCKS:
        more_blocks = payload[at] if at < len(payload) else 0
        at += 1
    at += block_octets + more_blocks * (1 + block_octets)
    times = payload[at] if at < len(payload) else 0
    # The first time has a packet and four octets, each further one a packet and two.
    return at + 1 + (5 + 3 * (times - 1) if times else 0)


def _skip_varints(payload: bytes, at: int, count: int) -> int | None:
    for _ in range(count):
        number = varint(payload, at)
        if number is None:
            return None
        at = number[1]
    return at


def _acknowledged(payload: bytes, at: int, with_ecn: bool) -> int | None:
    """The position after an ACK: largest, delay, ranges, the first range, two numbers for each further range, ECN counts
    (RFC 9000, 19.3)."""
    after_delay = _skip_varints(payload, at, 2)
    ranges = varint(payload, after_delay) if after_delay is not None else None
    if ranges is None:
        return None
    return _skip_varints(payload, ranges[1], 1 + 2 * ranges[0] + (3 if with_ecn else 0))


def _closed(payload: bytes, at: int) -> int | None:
    """The position after a CONNECTION_CLOSE of the transport: error, frame type, reason (RFC 9000, 19.19)."""
    at_reason = _skip_varints(payload, at, 2)
    reason = varint(payload, at_reason) if at_reason is not None else None
    if reason is None or sum(reason) > len(payload):
        return None
    return sum(reason)
