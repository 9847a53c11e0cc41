"""Longest prefix by bisection, against `ipaddress` walking every prefix."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.kernels.jit import kernel
from classifier.kernels.ranges import flatten, locate


@kernel
def call_locate(ranges, version, high, low):
    return locate(ranges, version, high, low)


def find(ranges, address):
    number = int(address)
    return call_locate(ranges, address.version, np.uint64(number >> 64), np.uint64(number & (2**64 - 1)))


def build(prefixes):
    return flatten((net.version, int(net.network_address), net.prefixlen, value) for net, value in prefixes)


def twin(prefixes, address):
    """The last of the longest prefixes that hold the address."""
    holding = [(net.prefixlen, place, value) for place, (net, value) in enumerate(prefixes) if address in net]
    return max(holding)[2] if holding else -1


def networks(version):
    bits = 32 if version == 4 else 128
    kind = IPv4Address if version == 4 else IPv6Address
    # Few leading and trailing bits, so that prefixes nest, touch and reach the ends of the address space.
    number = st.builds(
        lambda high, low: high << (bits - 4) | low,
        st.integers(0, 15),
        st.sampled_from([0, 1, 2, 255, 2 ** (bits - 4) - 1]),
    )
    length = st.sampled_from([0, 1, 2, 3, 4, bits - 9, bits - 8, bits - 2, bits - 1, bits])
    return st.builds(lambda n, p: ip_network((kind(n), p), strict=False), number, length)


def around(net):
    """The addresses at the edges of a prefix, and their neighbours."""
    kind = type(net.network_address)
    edges = (int(net.network_address) + step for step in (-1, 0, 1))
    ends = (int(net.broadcast_address) + step for step in (-1, 0, 1))
    return [kind(n) for n in (*edges, *ends) if 0 <= n < 2**net.max_prefixlen]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(networks(4) | networks(6), st.integers(0, 50)), max_size=12))
def test_the_longest_prefix_wins_and_of_equal_ones_the_last(prefixes):
    ranges = build(prefixes)
    for net, _ in prefixes:
        for address in around(net):
            assert find(ranges, address) == twin(prefixes, address), address


@given(st.lists(st.tuples(networks(4) | networks(6), st.integers(0, 50)), max_size=12))
def test_starts_ascend_from_zero_and_neighbours_differ(prefixes):
    ranges = build(prefixes)
    v6 = [int(high) << 64 | int(low) for high, low in zip(ranges.v6_high, ranges.v6_low, strict=True)]
    for starts, values in ((ranges.v4_start.tolist(), ranges.v4_value), (v6, ranges.v6_value)):
        assert starts[0] == 0
        assert starts == sorted(set(starts))
        assert all(one != other for one, other in pairwise(values))


def test_nothing_listed_covers_nothing():
    ranges = flatten([])
    for text in ("0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"):
        assert find(ranges, ip_address(text)) == -1


def test_an_ipv4_address_is_the_low_32_bits_whatever_lies_above():
    ranges = build([(ip_network("192.0.2.0/24"), 7)])
    assert call_locate(ranges, 4, np.uint64(2**64 - 1), np.uint64(0xFFFFFFFF_C0000263)) == 7


def test_ipv6_addresses_are_compared_by_both_halves_without_a_sign():
    prefixes = [
        (ip_network("8000::/1"), 1),
        (ip_network("2001:db8::8000:0:0:0/66"), 2),
        (ip_network("2001:db8::/64"), 3),
    ]
    ranges = build(prefixes)
    for text, value in (("ffff::", 1), ("2001:db8::8000:0:0:1", 2), ("2001:db8::7fff:0:0:1", 3), ("2001:db7::", -1)):
        assert find(ranges, ip_address(text)) == value
