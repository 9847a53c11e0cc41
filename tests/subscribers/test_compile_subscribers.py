"""Whose address it is, against a walk over all networks and subscribers."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.kernels.jit import kernel
from classifier.kernels.ranges import locate
from classifier.subscribers.compile import compile_subscribers
from classifier.subscribers.load import Subscriber


@kernel
def look_up(ranges, version, high, low):
    return locate(ranges, version, high, low)


def find(ranges, address):
    number = int(address)
    return look_up(ranges, address.version, np.uint64(number >> 64), np.uint64(number & (2**64 - 1)))


def subscriber(name, *addresses):
    return Subscriber(name, tuple(ip_network(text) for text in addresses), "", "", "", None, ())


def test_listed_dynamic_and_foreign_addresses_are_told_apart():
    networks = [ip_network("10.0.0.0/8"), ip_network("fc00::/7")]
    ranges = compile_subscribers(
        networks, [subscriber("anna", "10.0.0.7", "2001:db8::/64"), subscriber("ben", "10.0.0.0/24")]
    )
    for text, answer in (
        ("10.0.0.7", 1),  # the longest listed prefix
        ("10.0.0.8", 2),
        ("10.0.1.0", 0),
        ("11.0.0.0", -1),
        ("2001:db8::1", 1),  # listed outside the networks
        ("2001:db8:0:1::1", -1),
        ("fd00::1", 0),
    ):
        assert find(ranges, ip_address(text)) == answer, text


def test_a_network_inside_a_listed_prefix_takes_nothing_from_the_subscriber():
    ranges = compile_subscribers(
        [ip_network("10.0.5.0/24"), ip_network("10.0.0.0/16")], [subscriber("a", "10.0.0.0/16")]
    )
    assert find(ranges, ip_address("10.0.5.1")) == 1


PREFIX = st.builds(lambda n, length: ip_network((n << 28, length), strict=False), st.integers(0, 15), st.integers(0, 6))


@settings(max_examples=150, deadline=None)
@given(st.sets(PREFIX, max_size=4), st.lists(PREFIX, max_size=6, unique=True))
def test_the_answer_is_that_of_walking_all_prefixes(networks, prefixes):
    listed = [Subscriber(str(n), (prefix,), "", "", "", None, ()) for n, prefix in enumerate(prefixes)]
    ranges = compile_subscribers(sorted(networks), listed)
    for number in range(0, 1 << 32, 1 << 26):
        address = IPv4Address(number)
        own = [(prefix.prefixlen, n) for n, prefix in enumerate(prefixes, 1) if address in prefix]
        dynamic = 0 if any(address in network for network in networks) else -1
        assert find(ranges, address) == (max(own)[1] if own else dynamic)
