"""The pcapng index kernel on arbitrary octets: it never lists a frame outside its buffer, and always moves or stops."""

from __future__ import annotations

import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from classifier.kernels.pcap_index import FULL
from classifier.kernels.pcapng_index import BAD_INTERFACE, INTERFACE_ENTRY, MULTIPLY, index_pcapng
from classifier.records import FRAME

LINK_TYPES = (1, 101, 113)

small = st.integers(0, 3) | st.integers(0, 60) | st.sampled_from([2**31, 2**32 - 1])


@st.composite
def blocks(draw) -> bytes:
    """A block with right lengths, most of the time, around fields that may be anything."""
    kind = draw(st.sampled_from([1, 2, 3, 4, 6, 6, 6, 0x0A0D0D0A, 0x80000001]))
    body = struct.pack("<IIIII", *(draw(small) for _ in range(5))) + draw(st.binary(max_size=48))
    body = body[draw(st.integers(0, 4)) * 4 :]
    body += bytes(-len(body) % 4)
    length = draw(st.just(len(body) + 12) | small)
    return struct.pack("<II", kind, length) + body + struct.pack("<I", draw(st.just(length) | small))


def three_interfaces() -> np.recarray:
    entries = np.zeros(4, INTERFACE_ENTRY).view(np.recarray)
    entries.factor, entries.limit, entries.unit = 1000, (2**63 - 1) // 1000, MULTIPLY
    entries.link_type[:3] = LINK_TYPES
    return entries


@given(octets=st.lists(blocks(), max_size=6).map(b"".join) | st.binary(max_size=120), big=st.booleans(), data=st.data())
def test_listed_frames_lie_inside_the_buffer_in_order(octets, big, data):
    start = data.draw(st.integers(0, len(octets)))
    capacity = data.draw(st.integers(1, 5))
    frames = np.zeros(capacity, FRAME).view(np.recarray)
    buffer = np.frombuffer(octets, np.uint8)
    count, position, status, last_ns = index_pcapng(buffer, start, len(octets), big, three_interfaces(), 3, 5, frames)
    assert start <= position <= len(octets)
    assert status != FULL or count == capacity
    place = start
    for frame in frames[:count]:
        assert place < frame.offset
        assert frame.offset + frame.captured_octets <= position
        assert 0 <= frame.captured_octets <= frame.wire_octets
        assert frame.time_ns >= 0
        assert frame.link_type in LINK_TYPES
        place = frame.offset + frame.captured_octets
    assert last_ns == (frames[count - 1].time_ns if count else 5)


@given(octets=st.lists(blocks(), max_size=6).map(b"".join), capacity=st.integers(1, 5))
def test_the_capacity_does_not_change_what_is_listed(octets, capacity):
    buffer = np.frombuffer(octets, np.uint8)
    whole = np.zeros(64, FRAME).view(np.recarray)
    count, _, end_status, _ = index_pcapng(buffer, 0, len(octets), False, three_interfaces(), 3, 0, whole)
    frames = np.zeros(capacity, FRAME).view(np.recarray)
    found, position, last_ns, status = [], 0, 0, FULL
    while status == FULL:
        listed, position, status, last_ns = index_pcapng(
            buffer, position, len(octets), False, three_interfaces(), 3, last_ns, frames
        )
        found += frames[:listed].tolist()
    assert (found, status) == (whole[:count].tolist(), end_status)


def test_a_packet_of_the_first_interface_that_is_not_there_is_damage():
    body = struct.pack("<IIIII", 3, 0, 0, 0, 0)
    octets = struct.pack("<II", 6, 32) + body + struct.pack("<I", 32)
    frames = np.zeros(4, FRAME).view(np.recarray)
    buffer = np.frombuffer(octets, np.uint8)
    assert index_pcapng(buffer, 0, 32, False, three_interfaces(), 3, 0, frames)[:3] == (0, 0, BAD_INTERFACE)
