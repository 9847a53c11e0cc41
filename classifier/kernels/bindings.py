"""Addresses that RADIUS or DHCP gave to a subscriber: who has one now, and whether a flow is still on what it opened on.

Rules of this file: a bound prefix comes before the subscriber file and the networks, the longest first. Each change has a
number, the epoch, one higher than the last. A flow keeps the binding that named its subscriber and the epoch at which that
was last seen to hold (OWNER); it is asked again when its next packet comes after a change, so that a change costs nothing
for the flows that it does not touch. Changes are written between two frames only: decoding may rely on that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classifier.kernels.hashing import hash_address, low_bits, mix
from classifier.kernels.jit import helper
from classifier.kernels.ranges import locate

# A bound prefix: 32 bits long for IPv4, 32 to 128 for IPv6.
BINDING = np.dtype(
    [
        ("high", "u8"),
        ("low", "u8"),
        ("epoch", "i8"),  # of the change that made it
        ("link_identity", "i8"),  # what its packets come with, -1 where nobody told
        ("number", "i4"),  # the subscriber's
        ("next", "i4"),  # in its chain, or of the free places
        ("version", "u1"),
        ("length", "u1"),
    ],
    align=True,
)
# What is to be written: `number` NOT_BOUND takes the prefix away.
CHANGE = np.dtype(
    [
        ("high", "u8"),
        ("low", "u8"),
        ("link_identity", "i8"),
        ("number", "i4"),
        ("version", "u1"),
        ("length", "u1"),
    ],
    align=True,
)
# Beside each flow: the place of the binding that names its subscriber, -1 for none, and when that was last asked.
OWNER = np.dtype([("epoch", "i8"), ("binding", "i8")])

NOT_BOUND = -1
NO_IDENTITY = -1
CHANGES = 64  # written at one call of the kernel
LENGTH_V4 = 32
SHORTEST_V6, LONGEST = 32, 128
COUNT_V4 = 0  # place of IPv4's count in `lengths`, where no IPv6 prefix has its own
ALL_ONES = np.uint64(0xFFFFFFFFFFFFFFFF)
LOW_HALF = np.uint64(0xFFFFFFFF)


class Bound(NamedTuple):
    """`entries` BINDING[capacity], none where no bindings are configured; `index` i4[2^k], place + 1 of a chain's first.

    `lengths` i8[129]: bound IPv6 prefixes by their length, at COUNT_V4 the IPv4 addresses. `seed` of the hashes.
    """

    seed: np.uint64
    entries: np.ndarray
    index: np.ndarray
    lengths: np.ndarray


class Owners(NamedTuple):
    """All that says whether an address is a subscriber's: what decoding needs of the meter's tables."""

    subscriber_ranges: NamedTuple
    bound: Bound


def make_bound(capacity: int, seed: int) -> Bound:
    """An empty table for so many prefixes."""
    return Bound(
        seed=np.uint64(seed),
        entries=np.zeros(capacity, BINDING).view(np.recarray),
        index=np.zeros(1 << max(capacity - 1, 1).bit_length(), np.int32),
        lengths=np.zeros(LONGEST + 1, np.int64),
    )


@helper
def high_mask(length):
    """The upper half of a netmask of 32 to 128 bits."""
    return ALL_ONES if length >= 64 else ALL_ONES << np.uint64(64 - length)


@helper
def low_mask(length):
    """The lower half."""
    return ALL_ONES << np.uint64(128 - length) if length > 64 else np.uint64(0)


@helper
def binding_home(bound, version, high, low, length):
    """Where a prefix's chain starts in the index."""
    key = mix(hash_address(bound.seed, high, low) ^ np.uint64(length << 3 | version))
    return low_bits(key) & (bound.index.shape[0] - 1)


@helper
def find_prefix(bound, version, high, low, length):
    """Place of exactly this prefix, or -1."""
    place = np.int64(bound.index[binding_home(bound, version, high, low, length)]) - 1
    while place >= 0:
        entry = bound.entries[place]
        if entry.low == low and entry.high == high and entry.length == length and entry.version == version:
            return place
        place = np.int64(entry.next)
    return -1


@helper
def find_binding(bound, version, high, low):
    """Place of the longest bound prefix over an address, or -1."""
    if version == 4:
        if bound.lengths[COUNT_V4] == 0:
            return -1
        return find_prefix(bound, 4, np.uint64(0), low & LOW_HALF, LENGTH_V4)
    for length in range(LONGEST, SHORTEST_V6 - 1, -1):
        if bound.lengths[length] > 0:
            place = find_prefix(bound, 6, high & high_mask(length), low & low_mask(length), length)
            if place >= 0:
                return place
    return -1


@helper
def is_subscriber(owners, version, high, low):
    """1 if somebody here is accountable for the address. `owners`: Owners, or the meter's tables."""
    if locate(owners.subscriber_ranges, version, high, low) >= 0:
        return 1
    return 1 if owners.bound.entries.shape[0] > 0 and find_binding(owners.bound, version, high, low) >= 0 else 0


@helper
def deciding_binding(tables, flow):
    """Place of the binding that says whose the flow would be if it were opened now, or -1."""
    version = np.int64(flow.version)
    place = find_binding(tables.bound, version, flow.client_high, flow.client_low)
    if place >= 0 or locate(tables.subscriber_ranges, version, flow.client_high, flow.client_low) >= 0:
        return place
    return find_binding(tables.bound, version, flow.server_high, flow.server_low)


@helper
def note_owner(tables, place):
    """The flow has been opened under what is bound now."""
    owner = tables.owners[place]
    owner.epoch = tables.state[0].binding_epoch
    owner.binding = deciding_binding(tables, tables.flows[place])


@helper
def handed_on(tables, place):
    """1 if the subscriber's address has changed hands since the flow's last packet, be it back to the same one.

    To be asked only where there are owners.
    """
    owner = tables.owners[place]
    epoch = tables.state[0].binding_epoch
    if owner.epoch == epoch:
        return 0
    binding = deciding_binding(tables, tables.flows[place])
    if binding != owner.binding or (binding >= 0 and tables.bound.entries[binding].epoch > owner.epoch):
        return 1
    owner.epoch = epoch
    return 0


@helper
def covers(change, version, high, low):
    """1 if a change is about this address."""
    if change.version != version:
        return 0
    if version == 4:
        return 1 if change.low == low & LOW_HALF else 0
    length = np.int64(change.length)
    return 1 if change.high == high & high_mask(length) and change.low == low & low_mask(length) else 0


@helper
def apply_change(tables, change):
    """Write one change. One for which no place is left is counted, and the address stays as it was."""
    state = tables.state[0]
    bound = tables.bound
    version = np.int64(change.version)
    length = np.int64(change.length)
    counter = COUNT_V4 if version == 4 else length
    place = find_prefix(bound, version, change.high, change.low, length)
    state.binding_epoch += 1
    if change.number == NOT_BOUND:
        if place >= 0:
            bound.lengths[counter] -= 1
            remove_binding(tables, place)
        return
    if place < 0:
        place = state.free_binding
        if place >= 0:
            state.free_binding = bound.entries[place].next
        elif state.binding_slots < bound.entries.shape[0]:
            place = state.binding_slots
            state.binding_slots += 1
        else:
            state.bindings_over += 1
            return
        bound.lengths[counter] += 1
        home = binding_home(bound, version, change.high, change.low, length)
        entry = bound.entries[place]
        entry.high = change.high
        entry.low = change.low
        entry.version = version
        entry.length = length
        entry.next = bound.index[home] - 1
        bound.index[home] = place + 1
    entry = bound.entries[place]
    entry.number = change.number
    entry.link_identity = change.link_identity
    entry.epoch = state.binding_epoch


@helper
def remove_binding(tables, place):
    """Take a binding out of its chain and keep its place for another."""
    state = tables.state[0]
    bound = tables.bound
    entry = bound.entries[place]
    home = binding_home(bound, np.int64(entry.version), entry.high, entry.low, np.int64(entry.length))
    before = np.int64(-1)
    position = np.int64(bound.index[home]) - 1
    while position != place:
        before = position
        position = np.int64(bound.entries[position].next)
    if before < 0:
        bound.index[home] = entry.next + 1
    else:
        bound.entries[before].next = entry.next
    entry.next = state.free_binding
    state.free_binding = place
