"""QUIC's headers, frames and Google's hellos as the kernels read them, against the twin, on octets of all kinds, at the end
of a buffer so that a read beyond is found with bounds checks."""

from __future__ import annotations

import numpy as np
from frames import modest, read_only
from hypothesis import given
from hypothesis import strategies as st
from quic_stack import crypto_frame, handshake
from twin_quic_google import google_answers as twin_answers
from twin_quic_google import google_hello as twin_hello
from twin_quic_google import hello_name as twin_name
from twin_quic_packet import google_frames as twin_google_frames
from twin_quic_packet import initial_frames as twin_frames
from twin_quic_packet import long_header, packets

from classifier.kernels.jit import kernel
from classifier.kernels.octets import address
from classifier.kernels.quic_google import google_answers, google_frames, google_hello, google_name
from classifier.kernels.quic_packet import (
    FRAMES,
    PIECE_WORDS,
    initial_frames,
    long_header_end,
    packet_bounds,
    packet_kind,
    source_id_at,
)

PIECES = np.zeros(PIECE_WORDS * FRAMES, np.int64)
ID = b"12345678"


@kernel
def frames_of(data, pieces, google):
    if google:
        return google_frames(address(data), data.shape[0], pieces)
    return initial_frames(address(data), data.shape[0], pieces)


@kernel
def hello_of(data):
    return google_hello(address(data), 0, data.shape[0])


@kernel
def name_in(data):
    return google_name(address(data), 0, data.shape[0])


@kernel
def is_answer(data, ids, alone):
    return google_answers(address(data), 0, data.shape[0], ids, 0, alone)


@kernel
def header_of(data, start):
    """(end of the common part, where the source id is, the packet number, the end) of a packet of version 1."""
    end = long_header_end(address(data), start, data.shape[0])
    if end < 0:
        return end, 0, 0, 0
    bounds = packet_bounds(address(data), end, data.shape[0], packet_kind(address(data), start) == 0)
    return end, source_id_at(address(data), start), bounds[0], bounds[1]


def pieces_of(octets: bytes, google: int):
    data = read_only(octets)
    count = frames_of(data, PIECES, google)
    if count < 0:
        return None
    rows = PIECES[: PIECE_WORDS * count].reshape(-1, PIECE_WORDS).tolist()
    return tuple((offset, octets[at : at + length]) for offset, at, length in rows)


ACKS = [
    b"\x02\x05\x00\x01\x01\x00\x02",
    b"\x03\x05\x00\x00\x01\x01\x02\x03",
    b"\x02\x05\x00\xc0\x00\x00\x01\x00\x00\x00\x00\x00",
]
GOOGLE_ACKS = [b"\x40\x01\x00\x00\x01\x00", b"\x65\x00\x01\x00\x00\x02\x00\x01\x01\x01\x01\x00"]
FRAME_PARTS = st.one_of(
    st.builds(crypto_frame, st.integers(0, 2**62 - 1), st.binary(max_size=6)),
    st.sampled_from(
        [bytes(1), bytes(9), b"\x01", b"\x07", b"\x1c\x0a\x06\x03why", b"\x06\x00\x44", *ACKS, *GOOGLE_ACKS]
    ),
    st.builds(lambda octets: b"\x08" + crypto_frame(0, octets)[1:], st.binary(max_size=5)),
    st.binary(max_size=3),
)


@modest(600)
@given(st.lists(FRAME_PARTS, max_size=9).map(b"".join), st.booleans())
def test_frames_are_those_of_the_twin(octets, google):
    twin = twin_google_frames(octets) if google else twin_frames(octets)
    assert pieces_of(octets, int(google)) == (twin.crypto if twin else None)


def test_as_many_frames_as_are_allowed_and_one_more():
    for count in (FRAMES, FRAMES + 1):
        octets = crypto_frame(0, b"x") * count
        assert (pieces_of(octets, 0) is not None) == (count == FRAMES) == (twin_frames(octets) is not None)


def message(entries: list[tuple[bytes, int]], values: bytes) -> bytes:
    """A CHLO ("QUIC Crypto", handshake messages): tags and ends of their values."""
    header = b"CHLO" + len(entries).to_bytes(2, "little") + bytes(2)
    return header + b"".join(tag + end.to_bytes(4, "little") for tag, end in entries) + values


MESSAGES = st.builds(
    message,
    st.lists(st.tuples(st.sampled_from([b"PAD\0", b"SNI\0", b"VER\0"]), st.integers(0, 30)), max_size=4).map(
        lambda entries: sorted(entries, key=lambda entry: entry[1])
    ),
    st.binary(max_size=30),
)


@modest(400)
@given(st.one_of(MESSAGES, st.binary(max_size=40)))
def test_the_name_of_a_google_message_is_that_of_the_twin(octets):
    at, length = name_in(read_only(octets))
    assert (octets[at : at + length] if length else None) == twin_name(octets)


def google_datagram(version: int, flags: int, kind: int, offset: int, text: bytes, fill: bytes) -> bytes:
    """The public header, or Q046's, and a frame of the crypto stream."""
    number = bytes((1, 2, 4, 6)[flags >> 4 & 3])
    order = "big" if version >= 39 else "little"
    if version == 46:
        header = bytes([0xC0 | flags & 3]) + b"Q046\x50" + ID + bytes((flags & 3) + 1)
    else:
        header = bytes([0x09 | flags & 0x30]) + ID + b"Q%03d" % version + number
    frame = (
        bytes([0x80 | kind & 0x23 | (4 if offset else 0)]) + (1).to_bytes((kind & 3) + 1, order) + bytes(offset and 2)
    )
    length = len(text).to_bytes(2, order) if kind & 0x20 else b""
    return header + bytes(12) + bytes(version <= 33) + fill + frame + length + text


GOOGLE = st.builds(
    google_datagram,
    st.sampled_from([23, 24, 33, 34, 38, 39, 43, 44, 46]),
    st.integers(0, 255),
    st.sampled_from([0x20, 0x21, 0x23, 0x00, 0x02]),
    st.integers(0, 1),
    st.one_of(MESSAGES, st.binary(max_size=8)),
    st.sampled_from([b"", bytes(3), b"\x07"]),
)


@modest(600)
@given(GOOGLE, st.integers(0, 200), st.booleans())
def test_google_hellos_are_those_of_the_twin(octets, cut, is_cut):
    octets = octets[:cut] if is_cut else octets
    twin = twin_hello(octets)
    version, id_at, message_at, message_end = hello_of(read_only(octets))
    if twin is None:
        assert version == -1
    else:
        assert (version, octets[id_at : id_at + 8]) == (twin.version, twin.connection_id)
        at, length = name_in(read_only(octets[message_at:message_end]))
        assert (octets[message_at:message_end][at : at + length] if length else None) == twin.name


@modest(400)
@given(st.integers(0, 255), st.sampled_from([ID, b"87654321"]), st.integers(0, 40), st.booleans(), st.booleans())
def test_google_answers_are_those_of_the_twin(flags, connection_id, octets, alone, long):
    datagram = (bytes([flags | 0x80]) + b"Q046\x05" if long else bytes([flags])) + connection_id + bytes(octets)
    found = is_answer(read_only(datagram), np.frombuffer(ID, np.uint8).copy(), int(alone))
    assert bool(found) == twin_answers(datagram, ID, alone)


REAL = [datagram for _, datagram in handshake("www.example.com") if datagram[0] & 0x80]


@modest(300)
@given(st.sampled_from(REAL), st.integers(0, 60), st.integers(0, 255), st.integers(0, 1400))
def test_headers_are_those_of_the_twin(datagram, at, octet, cut):
    changed = bytearray(datagram)
    changed[at] = octet
    octets = bytes(changed[: max(cut, 1)])
    header = long_header(octets, 0)
    end, source_at, number_at, packet_end = header_of(read_only(octets), 0)
    if header is None:
        assert end == -1
        return
    assert (end, octets[source_at:end]) == (header.end, header.source_id)
    packet = next(iter(packets(octets, header, 0)))
    assert (max(number_at, 0), packet_end) == (packet.number_at, packet.end)
