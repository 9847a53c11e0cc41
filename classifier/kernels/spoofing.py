"""A subscriber's packets come over its own line; what comes over another with its address is spoofed (attack 25).

The line shows as the link identity: the source MAC address, the VLAN or the GTP-U tunnel that the packet came with.

Rules of this file: only packets of the end that is accountable for the flow are asked. The first one's identity is taken on
trust, unless DHCP told it; another counts once the first has been silent for LINK_IDLE_NS, or the address was bound anew. A
spoofed packet touches nothing: no flow, no fragment, no clock of its victim's line.
"""

from __future__ import annotations

import numpy as np

from classifier.iana import TCP_ACK, TCP_SYN
from classifier.kernels.bindings import NO_IDENTITY, find_binding, is_subscriber
from classifier.kernels.hashing import hash_address, low_bits
from classifier.kernels.jit import helper
from classifier.kernels.ranges import locate
from classifier.records import UNMETERED_SPOOFED

# The line of one IPv4 address or IPv6 /64 of one subscriber.
LINK = np.dtype(
    [
        ("high", "u8"),
        ("low", "u8"),
        ("identity", "i8"),
        ("seen_ns", "i8"),  # the last packet that came with it
        ("epoch", "i8"),  # of the binding under which it was learned
        ("subscriber", "i4"),  # listed or bound; 0 any other
        ("next", "i4"),  # place + 1 in its chain
        ("version", "i4"),
    ],
    align=True,
)
LINK_IDLE_NS = 300 * 10**9  # as bridges forget where an address is: IEEE 802.1Q, 8.8.3, recommended ageing time
NEVER_SEEN_NS = -(2**63)
LINK_LOCAL_SHIFT, LINK_LOCAL = np.uint64(54), np.uint64(0xFE80 >> 6)  # fe80::/10, on every line (RFC 4291, 2.5.6)


@helper
def is_spoofed(tables, packet, match):
    """1 if a packet of its flow's subscriber comes with another's link identity, and is counted so.

    `match`: 2 * place + (1 if the flow's server sent it), -1 where the packet would open a flow. To be asked only with link
    binding on.
    """
    version = packet.version
    if match >= 0:
        flow = tables.flows[match >> 1]
        if flow.subscriber < 0 or flow.subscriber_is_client == match & 1:
            return 0
        if flow.subscriber_is_client:
            return comes_over_another_line(tables, packet, flow.client_high, flow.client_low)
        return comes_over_another_line(tables, packet, flow.server_high, flow.server_low)
    if packet.tcp_flags & (TCP_SYN | TCP_ACK) == TCP_SYN | TCP_ACK and is_subscriber(
        tables, version, packet.destination_high, packet.destination_low
    ):
        return 0
    return is_sender_spoofed(tables, packet)


@helper
def is_sender_spoofed(tables, packet):
    """The same where no flow says who is accountable: the sender, if it is a subscriber."""
    if not is_subscriber(tables, packet.version, packet.source_high, packet.source_low):
        return 0
    return comes_over_another_line(tables, packet, packet.source_high, packet.source_low)


@helper
def comes_over_another_line(tables, packet, high, low):
    """1 if the line of the address is another. One not known yet is learned, as far as there is room."""
    version = packet.version
    if version == 6 and high >> LINK_LOCAL_SHIFT == LINK_LOCAL:
        return 0
    state = tables.state[0]
    number = np.int64(-1)
    epoch = np.int64(0)
    if tables.bound.entries.shape[0] > 0:
        binding = find_binding(tables.bound, version, high, low)
        if binding >= 0:
            entry = tables.bound.entries[binding]
            if entry.link_identity != NO_IDENTITY:
                return count_spoofed(tables, packet) if entry.link_identity != packet.link_identity else 0
            number = np.int64(entry.number)
            epoch = np.int64(entry.epoch)
    if number < 0:
        number = locate(tables.subscriber_ranges, version, high, low)
    if version == 6:
        low = np.uint64(0)
    place = link_place(tables, number, version, high, low)
    if place < 0:
        state.links_over += 1
        return 0
    link = tables.links[place]
    known = link.seen_ns != NEVER_SEEN_NS and link.epoch == epoch and state.clock_ns - link.seen_ns <= LINK_IDLE_NS
    if known and link.identity != packet.link_identity:
        return count_spoofed(tables, packet)
    link.identity = packet.link_identity
    link.epoch = epoch
    link.seen_ns = state.clock_ns
    return 0


@helper
def link_place(tables, number, version, high, low):
    """Place of an address's line, made where there is none; -1 where no room is left."""
    state = tables.state[0]
    home = low_bits(hash_address(state.seed, high, low) ^ np.uint64(number)) & (tables.link_index.shape[0] - 1)
    place = np.int64(tables.link_index[home]) - 1
    while place >= 0:
        link = tables.links[place]
        if link.low == low and link.high == high and link.subscriber == number and link.version == version:
            return place
        place = np.int64(link.next) - 1
    if state.link_count >= tables.links.shape[0]:
        return -1
    place = state.link_count
    state.link_count += 1
    link = tables.links[place]
    link.high = high
    link.low = low
    link.subscriber = number
    link.version = version
    link.seen_ns = NEVER_SEEN_NS
    link.next = tables.link_index[home]
    tables.link_index[home] = place + 1
    return place


@helper
def count_spoofed(tables, packet):
    """The packet's one place. Nothing that it says is heeded further, as its status shows."""
    tables.unmetered_frames[UNMETERED_SPOOFED] += packet.packets
    tables.unmetered_octets[UNMETERED_SPOOFED] += packet.octets
    packet.status = 1 + UNMETERED_SPOOFED
    return 1
