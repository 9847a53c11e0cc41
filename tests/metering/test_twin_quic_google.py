"""Google's hellos in clear, put together by hand from the format's description; real ones are in test_quic_captures.py."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quic_stack import crypto_frame, seal
from twin_quic import QuicReader, QuicResult, QuicStatus
from twin_quic_google import hello_name
from twin_quic_packet import google_frames

FLOW = 3
ID, OTHER_ID, HASH = b"clientid", b"anotherc", bytes(12)
NAME = b"www.example.com"
PAD = (b"PAD\x00", bytes(900))


def hello(*entries: tuple[bytes, bytes]) -> bytes:
    """A CHLO: tag, count, tags with the ends of their values, values ("QUIC Crypto", handshake messages)."""
    index, values = b"", b""
    for tag, value in entries:
        values += value
        index += tag + struct.pack("<I", len(values))
    return b"CHLO" + struct.pack("<HH", len(entries), 0) + index + values


def stream_frame(message: bytes, order: str, stream: int = 1, offset: bytes = b"") -> bytes:
    """A STREAM frame with a length: 1fdooossB (draft-tsvwg-quic-protocol-02, 7.1)."""
    offset_bits = len(offset) - 1 if offset else 0
    return bytes([0xA0 | offset_bits << 2, stream]) + offset + len(message).to_bytes(2, order) + message


def public(version: int, frames: bytes, connection_id: bytes = ID) -> bytes:
    private = b"\x00" if version <= 33 else b""
    return b"\x0d" + connection_id + b"Q%03d" % version + b"\x01" + HASH + private + frames


def long(frames: bytes) -> bytes:
    return b"\xc3Q046\x50" + ID + bytes([0, 0, 0, 1]) + HASH + frames


MESSAGE = hello(PAD, (b"SNI\x00", NAME), (b"VER\x00", b"Q043"))
BIG, LITTLE = stream_frame(MESSAGE, "big"), stream_frame(MESSAGE, "little")


def read(*datagrams: tuple[bool, bytes]) -> list[QuicResult]:
    reader = QuicReader()
    return [reader.read(FLOW, from_server, datagram) for from_server, datagram in datagrams]


@pytest.mark.parametrize(
    ("datagram", "version"),
    [
        (public(24, LITTLE), 0x51303234),
        (public(33, LITTLE), 0x51303333),
        (public(34, LITTLE), 0x51303334),
        (public(38, LITTLE), 0x51303338),
        (public(39, BIG), 0x51303339),
        (public(43, BIG), 0x51303433),
        (long(BIG), 0x51303436),
        (public(43, b"\x07\x00\x00" + BIG), 0x51303433),
        (public(43, stream_frame(MESSAGE, "big", offset=b"\x04\x00")), 0x51303433),
        (public(43, b"\x80\x01" + MESSAGE), 0x51303433),
    ],
)
def test_the_name_of_a_hello_is_read_in_each_version(datagram, version):
    (result,) = read((False, datagram))
    assert (result.status, result.version, result.name) == (QuicStatus.OPENED, version, NAME)
    assert (result.crypto, result.attempt, result.answered) == ((), 1, False)


@pytest.mark.parametrize(
    "datagram",
    [
        public(23, LITTLE),
        public(44, BIG),
        public(43, LITTLE),
        public(38, BIG),
        public(43, stream_frame(MESSAGE, "big", stream=3)),
        public(43, stream_frame(b"REJ\x00" + MESSAGE[4:], "big")),
        public(43, bytes(40)),
        public(43, b""),
        b"\x0c" + public(43, BIG)[1:],
        b"\x0f" + public(43, BIG)[1:],
        long(BIG).replace(b"\x50", b"\x05", 1),
    ],
)
def test_what_is_not_a_hello_is_not_taken_for_one(datagram):
    (result,) = read((False, datagram))
    assert (result.name, result.attempt) == (None, 0)


def test_a_hello_cut_at_any_octet_has_no_name():
    for datagram in (public(43, BIG), long(BIG)):
        for octets in range(len(datagram)):
            assert read((False, datagram[:octets]))[0].name is None, octets


def test_a_message_cut_before_its_names_end_has_none():
    name_ends = MESSAGE.index(NAME) + len(NAME)
    for octets in range(len(MESSAGE)):
        assert hello_name(MESSAGE[:octets]) == (NAME if octets >= name_ends else None), octets


@pytest.mark.parametrize(
    "message",
    [
        hello(PAD),
        hello((b"SNI\x00", b"")),
        hello((b"SNIX", NAME)),
        MESSAGE[:4] + b"\xff\xff" + MESSAGE[6:],
        b"CHLO"
        + struct.pack("<HH", 2, 0)
        + b"PAD\x00"
        + struct.pack("<I", 9)
        + b"SNI\x00"
        + struct.pack("<I", 3)
        + NAME,
        b"CHLO" + struct.pack("<HH", 1, 0) + b"SNI\x00" + struct.pack("<I", 0xFFFFFFFF) + NAME,
        b"CHLO",
    ],
)
def test_a_hello_with_a_broken_map_has_no_name(message):
    assert hello_name(message) is None


@given(st.binary(max_size=200))
def test_any_map_is_read_without_an_exception(octets):
    name = hello_name(b"CHLO" + octets)
    assert name is None or name in octets


@pytest.mark.parametrize(
    ("answer", "counts"),
    [
        (b"\x08" + ID + b"\x01" + bytes(40), True),
        (b"\x08" + OTHER_ID + b"\x01" + bytes(40), False),
        (b"\x00\x01" + bytes(40), True),
        (b"\x00\x01", False),
        (b"\x0a" + ID + b"PRST" + bytes(40), False),
        (b"\x09" + ID + b"Q039Q043" + bytes(40), False),
        (b"\xd3Q046\x05" + ID + bytes(40), True),
        (b"\xd3Q046\x05" + OTHER_ID + bytes(40), False),
        (b"\x40\x02" + bytes(40), True),
    ],
)
def test_a_packet_of_the_server_answers_with_the_same_id_or_without_one(answer, counts):
    results = read((False, public(43, BIG)), (True, answer), (False, public(43, BIG)))
    assert results[1].answered is counts
    assert results[2].answered is counts


def test_a_packet_without_an_id_answers_no_hello_that_is_not_alone_in_its_flow():
    answer = b"\x40\x02" + bytes(40)
    other = public(43, BIG, OTHER_ID)
    initial = seal(crypto_frame(0, b"hello") + bytes(1100))
    for first in (other, initial):
        results = read((False, first), (False, public(43, BIG)), (True, answer))
        assert [one.attempt for one in results[:2]] == [1, 2]
        assert not results[2].answered


# Frames inside the encrypted Initials of Q050, T050 and T051. ACKs are 01nullmm, largest, delay, blocks, times
# (draft-tsvwg-quic-protocol-02, 7.2): put together by hand.
ACKS = [
    b"\x40" + b"\x05" + b"\x00\x01" + b"\x05" + b"\x00",
    b"\x40" + b"\x05" + b"\x00\x01" + b"\x05" + b"\x01" + b"\x00\x01\x02\x03\x04",
    b"\x40" + b"\x05" + b"\x00\x01" + b"\x05" + b"\x03" + b"\x00\x01\x02\x03\x04" + b"\x01\x02\x03" + b"\x01\x02\x03",
    b"\x65" + b"\x00\x05" + b"\x00\x01" + b"\x02" + b"\x00\x05" + b"\x01\x00\x01" + b"\x02\x00\x01" + b"\x00",
]


@pytest.mark.parametrize("ack", ACKS)
def test_crypto_frames_after_googles_acks_are_read(ack):
    frames = google_frames(ack + b"\x07\x00" + b"\x08\x05\x03abc" + bytes(20))
    assert (frames.crypto, frames.closed) == (((5, b"abc"),), False)


def test_googles_frames_end_at_a_close_or_where_they_are_cut():
    assert google_frames(b"\x08\x00\x01a" + b"\x02" + bytes(6)).closed
    assert google_frames(b"\x08\x00\x01a" + b"\x08\x01\x44").crypto == ((0, b"a"),)
    for ack in ACKS:
        for octets in range(len(ack)):
            assert google_frames(ack[:octets]).crypto == ()
