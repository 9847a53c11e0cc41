"""The pcap index kernel beside a slow twin that reads with struct, on good and on arbitrary octets."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.kernels.pcap_index import (
    BAD_CAPTURED_LENGTH,
    CAPTURED_FIRST,
    CAPTURED_FIRST_IF_SMALLER,
    FULL,
    NEEDS_MORE,
    ORIGINAL_FIRST,
    index_pcap,
)
from classifier.records import FRAME


def slow_index(octets, start, end, big, fraction_ns, length_order, link_type, capacity):
    """What index_pcap has to do, one record after the other."""
    found = []
    while len(found) < capacity:
        if end - start < 16:
            return found, start, NEEDS_MORE
        seconds, fraction, first, second = struct.unpack_from(">IIII" if big else "<IIII", octets, start)
        exchanged = length_order == ORIGINAL_FIRST or (length_order == CAPTURED_FIRST_IF_SMALLER and first > second)
        captured, original = (second, first) if exchanged else (first, second)
        if captured > 262144:
            return found, start, BAD_CAPTURED_LENGTH
        if start + 16 + captured > end:
            return found, start, NEEDS_MORE
        time_ns = seconds * 10**9 + fraction * fraction_ns
        found.append((time_ns, start + 16, max(original, captured), captured, link_type))
        start += 16 + captured
    return found, start, FULL


lengths = st.integers(0, 40) | st.sampled_from([262144, 262145, 2**31, 2**32 - 1])
headers = st.builds(lambda *fields: struct.pack("<IIII", *fields), *[st.integers(0, 2**32 - 1)] * 2, lengths, lengths)
pieces = st.builds(lambda header, octets: header + octets, headers, st.binary(max_size=40))


@given(
    octets=st.lists(pieces, max_size=6).map(b"".join) | st.binary(max_size=200),
    big=st.booleans(),
    fraction_ns=st.sampled_from([1, 1000]),
    length_order=st.sampled_from([CAPTURED_FIRST, ORIGINAL_FIRST, CAPTURED_FIRST_IF_SMALLER]),
    capacity=st.integers(1, 8),
    data=st.data(),
)
def test_the_kernel_lists_what_its_slow_twin_lists(octets, big, fraction_ns, length_order, capacity, data):
    start = data.draw(st.integers(0, len(octets)))
    end = data.draw(st.integers(start, len(octets)))
    frames = np.zeros(capacity, FRAME).view(np.recarray)
    buffer = np.frombuffer(octets, np.uint8)
    count, position, status = index_pcap(buffer, start, end, big, fraction_ns, length_order, 101, frames)
    expected = slow_index(octets, start, end, big, fraction_ns, length_order, 101, capacity)
    assert (frames[:count].tolist(), position, status) == expected


@pytest.mark.parametrize("captured", [0, 1, 262144])
def test_a_record_that_ends_with_the_buffer_is_listed_and_one_octet_less_is_not(captured):
    octets = struct.pack("<IIII", 1, 2, captured, captured) + bytes(captured)
    frames = np.zeros(4, FRAME).view(np.recarray)
    buffer = np.frombuffer(octets, np.uint8)
    assert index_pcap(buffer, 0, len(octets), False, 1, 0, 1, frames) == (1, len(octets), NEEDS_MORE)
    assert index_pcap(buffer, 0, len(octets) - 1, False, 1, 0, 1, frames) == (0, 0, NEEDS_MORE)
