"""Listing the frames of a piece of a pcapng file.

The kernel lists packet blocks and passes over other blocks that lie whole in the buffer. At a section header, an
interface description or a block too long for the buffer it returns with the reason and the position, and Python does
that one thing. Layout: draft-ietf-opsawg-pcapng, section 4; the block lengths are checked as libpcap and Wireshark do
it, and like Wireshark the kernel rounds up a length that its writer forgot to pad.
Times are exact integers, clamped to 0 .. 2^63-1 ns: never negative by overflow.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.jit import helper, kernel
from classifier.kernels.octets import u16_ordered, u32_ordered
from classifier.kernels.pcap_index import BAD_CAPTURED_LENGTH, FULL, MAXIMUM_CAPTURED_OCTETS, NEEDS_MORE

# More reasons to stop, after those of pcap_index. The first three ask Python for something, the rest are damage.
SECTION, INTERFACE, SKIP, BAD_BLOCK_LENGTH, BAD_TRAILER, BAD_INTERFACE = range(3, 9)

BLOCK_SECTION = 0x0A0D0D0A  # the same in both byte orders
BLOCK_INTERFACE = 1
BLOCK_PACKET = 2  # obsolete
BLOCK_SIMPLE_PACKET = 3
BLOCK_ENHANCED_PACKET = 6

MINIMUM_BLOCK_OCTETS = 12
MAXIMUM_BLOCK_OCTETS = 16 << 20  # libpcap, sf-pcapng.c: INITIAL_MAX_BLOCKSIZE; for blocks that have to be loaded
PACKET_HEADER_OCTETS = 28  # of an enhanced or an obsolete packet block, up to the packet's data
SIMPLE_PACKET_HEADER_OCTETS = 12
TRAILER_OCTETS = 4

# How an interface's time stamps become nanoseconds: times `factor`, divided by `factor`, or units of 2^-`shift` s.
MULTIPLY, DIVIDE, BINARY = range(3)
INTERFACE_ENTRY = np.dtype(
    [
        ("factor", "u8"),  # MULTIPLY, DIVIDE: the number; BINARY: mask of the fraction's bits
        ("limit", "u8"),  # MULTIPLY: largest time stamp, BINARY: most seconds, that stay below 2^63 ns
        ("offset_ns", "i8"),  # if_tsoffset
        ("snap_octets", "i8"),  # 0: no limit
        ("shift", "i4"),
        ("unit", "i4"),
        ("link_type", "i4"),
        ("unused", "i4"),  # keeps the entries aligned
    ]
)

MAXIMUM_NS = np.int64(2**63 - 1)
NS_PER_SECOND = np.uint64(1_000_000_000)
LOW_BITS = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
ZERO = np.uint64(0)


@helper
def binary_ns(stamp, entry):
    """Nanoseconds of `stamp` (uint64) in units of 2^-shift seconds, in 64-bit steps without losing a bit."""
    seconds = ZERO
    fraction = stamp
    if entry.shift < 64:
        seconds = stamp >> np.uint64(entry.shift)
        fraction = stamp & entry.factor
    if seconds > entry.limit:
        return MAXIMUM_NS
    if entry.shift <= 32:
        nanoseconds = fraction * NS_PER_SECOND >> np.uint64(entry.shift)
    elif entry.shift < 96:
        # fraction * 10^9 needs up to 94 bits: its upper part, with what the lower half carries into it.
        upper = (fraction >> HALF) * NS_PER_SECOND + ((fraction & LOW_BITS) * NS_PER_SECOND >> HALF)
        nanoseconds = upper >> np.uint64(entry.shift - 32)
    else:
        nanoseconds = ZERO
    return np.int64(seconds * NS_PER_SECOND + nanoseconds)


@helper
def stamp_ns(stamp, entry):
    """Nanoseconds since 1970 of a time stamp (uint64) of the interface `entry`, clamped to 0 .. 2^63-1."""
    if entry.unit == MULTIPLY:
        if stamp > entry.limit:
            time_ns = MAXIMUM_NS
        else:
            time_ns = np.int64(stamp * entry.factor)
    elif entry.unit == DIVIDE:
        time_ns = np.int64(stamp // entry.factor)
    else:
        time_ns = binary_ns(stamp, entry)
    offset_ns = np.int64(entry.offset_ns)
    if offset_ns > 0 and time_ns > MAXIMUM_NS - offset_ns:
        return MAXIMUM_NS
    return max(time_ns + offset_ns, np.int64(0))


@helper
def block_status(buffer, position, end, big):
    """(padded length, status) of the block at `position`: FULL means it lies whole in the buffer and may be read."""
    if end - position < MINIMUM_BLOCK_OCTETS:
        return 0, NEEDS_MORE
    kind = u32_ordered(buffer, position, big)
    if kind == BLOCK_SECTION:
        return 0, SECTION
    length = u32_ordered(buffer, position + 4, big)
    if length < MINIMUM_BLOCK_OCTETS:
        return length, BAD_BLOCK_LENGTH
    length = (length + 3) & ~3
    is_packet = kind in (BLOCK_ENHANCED_PACKET, BLOCK_SIMPLE_PACKET, BLOCK_PACKET)
    if (is_packet or kind == BLOCK_INTERFACE) and length > MAXIMUM_BLOCK_OCTETS:
        return length, BAD_BLOCK_LENGTH
    if kind == BLOCK_INTERFACE:
        return length, INTERFACE
    if length > end - position:
        return length, NEEDS_MORE if is_packet else SKIP
    if (u32_ordered(buffer, position + length - TRAILER_OCTETS, big) + 3) & ~3 != length:
        return length, BAD_TRAILER
    return length, FULL


@helper
def simple_packet(buffer, position, length, big, interfaces, interface_count, last_ns, frame):
    """Write the frame of a simple packet block: no time stamp, no captured length, interface 0. Returns the status."""
    if length < SIMPLE_PACKET_HEADER_OCTETS + TRAILER_OCTETS:
        return BAD_BLOCK_LENGTH
    if interface_count == 0:
        return BAD_INTERFACE
    entry = interfaces[0]
    original = u32_ordered(buffer, position + 8, big)
    captured = min(original, length - SIMPLE_PACKET_HEADER_OCTETS - TRAILER_OCTETS)
    if entry.snap_octets > 0:
        captured = min(captured, np.int64(entry.snap_octets))
    if captured > MAXIMUM_CAPTURED_OCTETS:
        return BAD_CAPTURED_LENGTH
    frame.time_ns = last_ns
    frame.offset = position + SIMPLE_PACKET_HEADER_OCTETS
    frame.wire_octets = original
    frame.captured_octets = np.int32(captured)
    frame.link_type = entry.link_type
    return FULL


@helper
def packet(buffer, position, length, big, number, interfaces, interface_count, frame):
    """Write the frame of an enhanced or obsolete packet block of interface `number`. Returns the status."""
    if length < PACKET_HEADER_OCTETS + TRAILER_OCTETS:
        return BAD_BLOCK_LENGTH
    if number >= interface_count:
        return BAD_INTERFACE
    captured = u32_ordered(buffer, position + 20, big)
    if captured > MAXIMUM_CAPTURED_OCTETS or captured > length - PACKET_HEADER_OCTETS - TRAILER_OCTETS:
        return BAD_CAPTURED_LENGTH
    entry = interfaces[number]
    upper = np.uint64(u32_ordered(buffer, position + 12, big))
    lower = np.uint64(u32_ordered(buffer, position + 16, big))
    frame.time_ns = stamp_ns(upper << HALF | lower, entry)
    frame.offset = position + PACKET_HEADER_OCTETS
    frame.wire_octets = max(u32_ordered(buffer, position + 24, big), captured)
    frame.captured_octets = np.int32(captured)
    frame.link_type = entry.link_type
    return FULL


@kernel
def index_pcapng(buffer, start, end, big, interfaces, interface_count, last_ns, frames):
    """List the packet blocks of `buffer[start:end]`; returns (count, position, status, last_ns).

    `buffer` u1[n] read-only; `big`: byte order of the section; `interfaces` INTERFACE_ENTRY[m] as np.recarray, of which
    `interface_count` count; `last_ns`: time of the last packet listed, which a simple packet block takes over;
    `frames` FRAME[capacity] as np.recarray. `position` is the first block that was not passed.
    """
    count = 0
    position = start
    capacity = frames.shape[0]
    while count < capacity:
        length, status = block_status(buffer, position, end, big)
        if status != FULL:
            return count, position, status, last_ns
        kind = u32_ordered(buffer, position, big)
        frame = frames[count]
        if kind in (BLOCK_ENHANCED_PACKET, BLOCK_PACKET):
            # The obsolete block has a 16-bit interface number and a drop count in the same four octets.
            if kind == BLOCK_ENHANCED_PACKET:
                number = u32_ordered(buffer, position + 8, big)
            else:
                number = u16_ordered(buffer, position + 8, big)
            status = packet(buffer, position, length, big, number, interfaces, interface_count, frame)
        elif kind == BLOCK_SIMPLE_PACKET:
            status = simple_packet(buffer, position, length, big, interfaces, interface_count, last_ns, frame)
        else:
            position += length
            continue
        if status != FULL:
            return count, position, status, last_ns
        last_ns = np.int64(frame.time_ns)
        count += 1
        position += length
    return count, position, FULL, last_ns
