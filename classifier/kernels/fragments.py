"""IP fragments: every fragment on the flow of its first, in whatever order they come (accounting 1.6).

A bounded table by source, destination, protocol and identification. Fragments that come before the first are held; where the
first never comes, or the table is full, their octets go to the flow without ports between the two addresses.

Fragments that overlap contradict their flow: which copy counts is up to whoever puts them together, so nothing that they
say can be believed (RFC 5722; RFC 8200, 4.5 discards such datagrams). The very same piece once more is no overlap.
"""

from __future__ import annotations

import numpy as np

from classifier.iana import PROTOCOL_TCP
from classifier.kernels.deliver import deliver, take_part
from classifier.kernels.flows import end_if_handed_on, find_flow, flow_tag, open_flow
from classifier.kernels.hashing import hash_address, low_bits, mix
from classifier.kernels.jit import helper
from classifier.kernels.settle import contradict
from classifier.kernels.state import FRAGMENT_UNITS
from classifier.kernels.streams import fill, is_filled
from classifier.kernels.tcp import close_reason
from classifier.kernels.usage import held_free, held_take
from classifier.records import END_OPEN

# RFC 8200, 4.5: a datagram whose fragments take longer is given up; its identification may come again.
FRAGMENT_TIMEOUT_NS = 60 * 10**9


@helper
def fragment_home(tables, packet):
    """Where this datagram's chain starts in the index."""
    seed = tables.state[0].seed
    ends = hash_address(seed, packet.source_high, packet.source_low)
    ends = mix(ends ^ hash_address(seed, packet.destination_high, packet.destination_low))
    key = mix(ends ^ np.uint64(packet.fragment_id << 8 | packet.fragment_protocol))
    return low_bits(key) & (tables.fragment_index.shape[0] - 1)


@helper
def find_fragment(tables, packet, home):
    """Place of this datagram's entry, or -1. One that is too old is given up first."""
    number = np.int64(tables.fragment_index[home])
    while number >= 0:
        entry = tables.fragments[number]
        if (
            entry.identification == packet.fragment_id
            and entry.source_low == packet.source_low
            and entry.destination_low == packet.destination_low
            and entry.source_high == packet.source_high
            and entry.destination_high == packet.destination_high
            and entry.protocol == packet.fragment_protocol
            and entry.version == packet.version
        ):
            if tables.state[0].clock_ns - entry.time_ns <= FRAGMENT_TIMEOUT_NS:
                return number
            drop_fragment(tables, number)
            return -1
        number = np.int64(entry.next)
    return -1


@helper
def open_fragment(tables, packet, home):
    """Make an entry; the one made longest ago gives way when the table is full."""
    state = tables.state[0]
    number = state.fragment_cursor
    state.fragment_cursor = (number + 1) % tables.fragments.shape[0]
    if tables.fragments[number].used:
        drop_fragment(tables, number)
    entry = tables.fragments[number]
    entry.source_high = packet.source_high
    entry.source_low = packet.source_low
    entry.destination_high = packet.destination_high
    entry.destination_low = packet.destination_low
    entry.identification = packet.fragment_id
    entry.version = packet.version
    entry.protocol = packet.fragment_protocol
    entry.time_ns = state.clock_ns
    entry.serial = 0
    entry.flow = -1
    entry.from_server = 0
    entry.after_close = 0
    entry.held = -1
    clear_pieces(tables, number)
    entry.used = 1
    entry.next = tables.fragment_index[home]
    tables.fragment_index[home] = number
    return number


@helper
def drop_fragment(tables, number):
    """Take an entry out of the table; octets that waited for a first fragment go to the flow without ports."""
    entry = tables.fragments[number]
    seed = tables.state[0].seed
    ends = hash_address(seed, entry.source_high, entry.source_low)
    ends = mix(ends ^ hash_address(seed, entry.destination_high, entry.destination_low))
    key = mix(ends ^ np.uint64(entry.identification << 8 | np.int64(entry.protocol)))
    home = low_bits(key) & (tables.fragment_index.shape[0] - 1)
    before = np.int64(-1)
    position = np.int64(tables.fragment_index[home])
    while position != number:
        before = position
        position = np.int64(tables.fragments[position].next)
    if before < 0:
        tables.fragment_index[home] = entry.next
    else:
        tables.fragments[before].next = entry.next
    entry.used = 0
    if entry.held >= 0:
        tables.state[0].fragments_over += 1
        match = portless_flow(
            tables,
            np.int64(entry.version),
            np.int64(entry.protocol),
            entry.source_high,
            entry.source_low,
            entry.destination_high,
            entry.destination_low,
        )
        if entry.overlaps:
            contradict(tables, match >> 1)
        pour(tables, number, match >> 1, match & 1)


@helper
def clear_pieces(tables, number):
    """Of the entry's datagram nothing has come yet."""
    entry = tables.fragments[number]
    for i in range((np.int64(entry.high) + 7) >> 3):
        tables.fragment_covered[number, i] = 0
        tables.fragment_starts[number, i] = 0
    entry.overlaps = 0
    entry.high = 0
    entry.present = 0
    entry.total = 0


@helper
def is_whole(entry):
    """1 if all of the datagram has come: whoever receives it has put it together, and forgotten its pieces."""
    return 1 if entry.total > 0 and entry.present >= entry.total else 0


@helper
def note_piece(tables, packet, number):
    """Note which units of the datagram this fragment brings, and whether they overlap what another brought."""
    entry = tables.fragments[number]
    first = packet.fragment_offset >> 3
    end = min(first + ((packet.wire_end - packet.fragment_start + 7) >> 3), FRAGMENT_UNITS)
    if end <= first or is_whole(entry):
        return
    covered = tables.fragment_covered[number]
    starts = tables.fragment_starts[number]
    taken = 0
    if first < entry.high:
        taken = count_filled(covered, first, end)
    if taken == 0:
        fill(covered, first, end)
        fill(starts, first, first + 1)
        entry.high = max(np.int64(entry.high), end)
        entry.present += end - first
    elif taken < end - first or not is_same_piece(covered, starts, first, end):
        entry.overlaps = 1
    if packet.fragment_last:
        entry.total = end


@helper
def count_filled(filled, first, end):
    """How many of the units are there."""
    count = 0
    for unit in range(first, end):
        count += is_filled(filled, unit)
    return count


@helper
def is_same_piece(covered, starts, first, end):
    """1 if one fragment alone brought the units from `first` to `end`, which are all there, and no more."""
    if not is_filled(starts, first) or count_filled(starts, first, end) > 1:
        return 0
    return end == FRAGMENT_UNITS or not is_filled(covered, end) or is_filled(starts, end)


@helper
def portless_flow(tables, version, protocol, source_high, source_low, destination_high, destination_low):
    """2 * place + (1 if the source is its server) of the flow without ports between two addresses, made if need be."""
    tag = flow_tag(tables.state[0].seed, source_high, source_low, 0, destination_high, destination_low, 0, protocol)
    match = find_flow(tables, tag, version, source_high, source_low, 0, destination_high, destination_low, 0, protocol)
    if match >= 0 and not (tables.owners.shape[0] > 0 and end_if_handed_on(tables, match >> 1)):
        return match
    return 2 * open_flow(
        tables, tag, version, source_high, source_low, 0, destination_high, destination_low, 0, protocol
    )


@helper
def pour(tables, number, place, from_server):
    """Give the volumes that an entry held to a flow, each in its interval."""
    entry = tables.fragments[number]
    state = tables.state[0]
    held = np.int64(entry.held)
    while held >= 0:
        volume = tables.held[held]
        state.waiting_frames -= volume.client_packets
        state.waiting_octets -= volume.client_octets
        take_part(tables.flows[place], from_server)
        deliver(
            tables,
            place,
            from_server,
            np.int64(volume.client_octets),
            np.int64(volume.client_packets),
            np.int64(volume.interval),
            np.int64(entry.after_close),
        )
        held = held_free(tables, held)
    entry.held = -1


@helper
def first_fragment(tables, packet, place, from_server):
    """The first fragment came on flow `place`: later ones follow it, earlier ones are poured into it."""
    home = fragment_home(tables, packet)
    number = find_fragment(tables, packet, home)
    if number < 0:
        number = open_fragment(tables, packet, home)
    entry = tables.fragments[number]
    if is_whole(entry):
        clear_pieces(tables, number)  # the identification has come round (RFC 4963)
        entry.time_ns = tables.state[0].clock_ns
    note_piece(tables, packet, number)
    if entry.overlaps:
        contradict(tables, place)
    entry.flow = place
    entry.serial = tables.flows[place].serial
    entry.from_server = from_server
    if packet.protocol == PROTOCOL_TCP:
        entry.after_close = close_reason(tables.flows[place]) != END_OPEN
        header = packet.payload_start - packet.position
        entry.sequence = (packet.tcp_sequence - header) & 0xFFFFFFFF
    if entry.held >= 0:
        pour(tables, number, place, from_server)


@helper
def later_fragment(tables, packet):
    """2 * place + direction of the flow that a later fragment belongs to, or -1 when its octets are held.

    A place may be missing for holding: then the flow without ports takes it.
    """
    home = fragment_home(tables, packet)
    number = find_fragment(tables, packet, home)
    if number < 0:
        number = open_fragment(tables, packet, home)
    entry = tables.fragments[number]
    note_piece(tables, packet, number)
    if (
        entry.serial > 0
        and tables.flows[entry.flow].serial == entry.serial
        and not (tables.owners.shape[0] > 0 and end_if_handed_on(tables, np.int64(entry.flow)))
    ):
        if entry.overlaps:
            contradict(tables, np.int64(entry.flow))
        return 2 * np.int64(entry.flow) + np.int64(entry.from_server)
    if entry.serial == 0:
        state = tables.state[0]
        held = np.int64(entry.held)
        if held < 0 or tables.held[held].interval != state.interval:
            held = held_take(tables, state.interval, held)
        if held >= 0:
            entry.held = held
            tables.held[held].client_octets += packet.octets
            tables.held[held].client_packets += 1
            state.waiting_frames += 1
            state.waiting_octets += packet.octets
            return -1
    match = portless_flow(
        tables,
        packet.version,
        packet.protocol,
        packet.source_high,
        packet.source_low,
        packet.destination_high,
        packet.destination_low,
    )
    if entry.overlaps:
        contradict(tables, match >> 1)
    return match
