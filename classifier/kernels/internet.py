"""IPv4 (RFC 791) and IPv6 (RFC 8200) headers: the octets that count, the ends, the fragment, the protocol above.

After it `position` is the transport header, and both ends are drawn in to the packet's own end: padding behind an IP
packet is never parsed as payload.
"""

from __future__ import annotations

import numpy as np

from classifier.iana import (
    ETHERTYPE_IPV4,
    PROTOCOL_AH,
    PROTOCOL_DESTINATION,
    PROTOCOL_FRAGMENT,
    PROTOCOL_HIP,
    PROTOCOL_HOPOPT,
    PROTOCOL_MOBILITY,
    PROTOCOL_NO_NEXT,
    PROTOCOL_ROUTING,
    PROTOCOL_SHIM6,
)
from classifier.kernels.jit import helper
from classifier.kernels.octets import u8, u16, u32, u64
from classifier.kernels.tags import lacking
from classifier.records import UNMETERED_MALFORMED, UNMETERED_TRUNCATED

IPV4_HEADER_OCTETS = 20
IPV6_HEADER_OCTETS = 40
# IPv6 extension headers: more than this many is an attempt to keep us busy.
EXTENSION_LIMIT = 64
OPTION_JUMBO = 0xC2  # RFC 2675


@helper
def read_internet(frame, packet):
    """The IP header at `position`. 0 or 1 + UNMETERED code."""
    packet.fragment = 0
    packet.fragment_id = 0
    if packet.next_type == ETHERTYPE_IPV4:
        status = read_ipv4(frame, packet)
    else:
        status = read_ipv6(frame, packet)
    if status == 0 and packet.protocol == PROTOCOL_AH and packet.fragment != 2:
        read_extensions(frame, packet)
    return status


@helper
def bound(packet, start, claimed):
    """Octets that count of a packet that claims `claimed`: accounting 1.2. Draws both ends in to the packet's end."""
    room = packet.wire_end - start
    octets = claimed
    if claimed > room and not packet.unbounded:
        octets = room
    packet.octets = octets
    packet.wire_end = start + octets
    packet.captured_end = min(packet.captured_end, packet.wire_end)


@helper
def read_ipv4(frame, packet):
    """IPv4 header with options; total length 0 is segmentation offload and counts as what the wire held."""
    start = packet.position
    status = lacking(packet, 1)
    if status == 0 and u8(frame, start) >> 4 != 4:
        return 1 + UNMETERED_MALFORMED
    status = lacking(packet, IPV4_HEADER_OCTETS)
    if status != 0:
        if status == 1 + UNMETERED_TRUNCATED and packet.captured_end - start >= 4:
            claimed = u16(frame, start + 2)
            room = packet.wire_end - start
            packet.octets = min(claimed, room) if claimed > 0 else room
        return status
    header = (u8(frame, start) & 0xF) * 4
    claimed = u16(frame, start + 2)
    if claimed == 0:
        claimed = packet.wire_end - start
    if header < IPV4_HEADER_OCTETS or claimed < header or packet.wire_end - start < header:
        return 1 + UNMETERED_MALFORMED
    bound(packet, start, claimed)
    packet.version = 4
    packet.protocol = u8(frame, start + 9)
    packet.source_high = np.uint64(0)
    packet.source_low = np.uint64(u32(frame, start + 12))
    packet.destination_high = np.uint64(0)
    packet.destination_low = np.uint64(u32(frame, start + 16))
    fragment = u16(frame, start + 6)
    if fragment & 0x3FFF:
        packet.fragment_id = u16(frame, start + 4)
        packet.fragment = 2 if fragment & 0x1FFF else 1
        packet.fragment_offset = (fragment & 0x1FFF) * 8
        packet.fragment_protocol = packet.protocol
        packet.fragment_start = start + header
        packet.fragment_last = 0 if fragment & 0x2000 else 1
    packet.position = start + header
    return 0


@helper
def read_ipv6(frame, packet):
    """IPv6 header and its extension headers."""
    start = packet.position
    status = lacking(packet, 1)
    if status == 0 and u8(frame, start) >> 4 != 6:
        return 1 + UNMETERED_MALFORMED
    status = lacking(packet, IPV6_HEADER_OCTETS)
    if status != 0:
        if status == 1 + UNMETERED_TRUNCATED and packet.captured_end - start >= 6:
            packet.octets = min(u16(frame, start + 4) + IPV6_HEADER_OCTETS, packet.wire_end - start)
        return status
    claimed = u16(frame, start + 4) + IPV6_HEADER_OCTETS
    packet.protocol = u8(frame, start + 6)
    if claimed == IPV6_HEADER_OCTETS:
        claimed += jumbo_octets(frame, packet, start)
    bound(packet, start, claimed)
    packet.version = 6
    packet.source_high = u64(frame, start + 8)
    packet.source_low = u64(frame, start + 16)
    packet.destination_high = u64(frame, start + 24)
    packet.destination_low = u64(frame, start + 32)
    packet.position = start + IPV6_HEADER_OCTETS
    read_extensions(frame, packet)
    return 0


@helper
def jumbo_octets(frame, packet, start):
    """Payload length of a jumbogram (RFC 2675) whose option comes first, as Linux writes it; else 0."""
    if packet.protocol != PROTOCOL_HOPOPT or packet.captured_end - start < IPV6_HEADER_OCTETS + 8:
        return 0
    option = start + IPV6_HEADER_OCTETS + 2
    if u8(frame, option) != OPTION_JUMBO or u8(frame, option + 1) != 4:
        return 0
    octets = u32(frame, option + 2)
    if octets <= 0xFFFF or octets > packet.wire_end - start - IPV6_HEADER_OCTETS:
        return 0
    return octets


@helper
def read_extensions(frame, packet):
    """Extension headers (RFC 8200, 4) up to the transport header or a later fragment.

    Where one is cut or runs past the packet, the walk stops there: the packet still counts, on a flow without ports.
    """
    for _ in range(EXTENSION_LIMIT):
        kind = packet.protocol
        room = packet.captured_end - packet.position
        if kind == PROTOCOL_FRAGMENT:
            if room < 8:
                return
            field = u16(frame, packet.position + 2)
            packet.protocol = u8(frame, packet.position)
            if field & 0xFFF9:  # RFC 6946: neither offset nor more means a whole packet
                packet.fragment = 2 if field & 0xFFF8 else 1
                packet.fragment_offset = field & 0xFFF8
                packet.fragment_protocol = packet.protocol
                packet.fragment_id = u32(frame, packet.position + 4)
                packet.fragment_start = packet.position + 8
                packet.fragment_last = 0 if field & 1 else 1
            packet.position += 8
            if packet.fragment == 2:
                return
            continue
        if kind == PROTOCOL_AH:
            octets = (u8(frame, packet.position + 1) + 2) * 4 if room >= 2 else 0  # RFC 4302, 2.2
        elif kind in (PROTOCOL_HOPOPT, PROTOCOL_ROUTING, PROTOCOL_DESTINATION):
            octets = (u8(frame, packet.position + 1) + 1) * 8 if room >= 2 else 0
        elif kind in (PROTOCOL_MOBILITY, PROTOCOL_HIP, PROTOCOL_SHIM6):
            if room < 2 or u8(frame, packet.position) == PROTOCOL_NO_NEXT:
                return
            octets = (u8(frame, packet.position + 1) + 1) * 8
        else:
            return
        if octets == 0 or octets > room:
            return
        packet.protocol = u8(frame, packet.position)
        packet.position += octets
