"""Which subscriber an address is: bound or listed, or any address inside the networks, numbered as first seen.

Place 0 of the table stands for all subscribers beyond its capacity: they are charged and counted, others are unharmed. It is
in no chain, so that 0 ends one.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.bindings import find_binding
from classifier.kernels.hashing import hash_address, low_bits
from classifier.kernels.jit import helper, kernel
from classifier.kernels.ranges import locate

SUBSCRIBERS_BEYOND = 0


@helper
def find_subscriber(tables, version, high, low):
    """Number of the subscriber that has this address, or -1; an IPv6 subscriber is one /64 (accounting 1.4)."""
    if tables.bound.entries.shape[0] > 0:
        binding = find_binding(tables.bound, version, high, low)
        if binding >= 0:
            return np.int64(tables.bound.entries[binding].number)
    value = locate(tables.subscriber_ranges, version, high, low)
    if value != 0:
        return value
    state = tables.state[0]
    if version == 6:
        low = np.uint64(0)
    home = low_bits(hash_address(state.seed, high, low)) & state.subscriber_mask
    place = np.int64(tables.subscriber_index[home])
    while place > 0:
        entry = tables.subscribers[place]
        if entry.low == low and entry.high == high and entry.version == version:
            return place
        place = np.int64(entry.next)
    if state.subscriber_count >= tables.subscribers.shape[0]:
        state.subscribers_over += 1
        return SUBSCRIBERS_BEYOND
    place = state.subscriber_count
    state.subscriber_count += 1
    entry = tables.subscribers[place]
    entry.high = high
    entry.low = low
    entry.version = version
    enter_subscriber(tables, place)
    return place


@kernel
def enter_subscribers(tables, first):
    """Enter the subscribers from `first` on into the index: they were written into the table by whoever knows them."""
    for place in range(first, tables.state[0].subscriber_count):
        enter_subscriber(tables, place)


@helper
def enter_subscriber(tables, place):
    """Enter a subscriber into the index, which grows with them; those before are entered."""
    state = tables.state[0]
    if place > state.subscriber_mask and state.subscriber_mask + 1 < tables.subscriber_index.shape[0]:
        grow_index(tables, place)
    else:
        chain_subscriber(tables, place)


@helper
def chain_subscriber(tables, place):
    """Enter a subscriber into the index."""
    entry = tables.subscribers[place]
    home = low_bits(hash_address(tables.state[0].seed, entry.high, entry.low)) & tables.state[0].subscriber_mask
    entry.next = tables.subscriber_index[home]
    tables.subscriber_index[home] = place


@helper
def grow_index(tables, last):
    """Use twice as much of the index, and enter all subscribers up to `last` anew: a few of them stay in the cache."""
    state = tables.state[0]
    for home in range(state.subscriber_mask + 1):
        tables.subscriber_index[home] = 0
    state.subscriber_mask = 2 * state.subscriber_mask + 1
    for place in range(1, last + 1):
        if tables.subscribers[place].version != 0:
            chain_subscriber(tables, place)
