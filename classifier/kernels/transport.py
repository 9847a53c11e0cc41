"""TCP (RFC 9293), UDP (RFC 768) and ICMP errors (RFC 792, RFC 4443): ports, flags, payload, the packet quoted.

Nothing here can fail: what was not captured or is wrong leaves ports and payload at 0, and the packet counts all the same.
"""

from __future__ import annotations

import numpy as np

from classifier.iana import PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP
from classifier.kernels.jit import helper
from classifier.kernels.octets import u8, u16, u32, u64

TCP_HEADER_OCTETS = 20
UDP_HEADER_OCTETS = 8
ICMP_HEADER_OCTETS = 8
# The largest ICMP error a router may send: RFC 1812, 4.3.2.3 and RFC 4443, 2.4(c). A longer one is no error.
ICMP_ERROR_OCTETS = 576
ICMPV6_ERROR_OCTETS = 1280


@helper
def read_transport(frame, packet):
    """The transport header at `position`; a later fragment has none."""
    packet.source_port = 0
    packet.destination_port = 0
    packet.tcp_flags = 0
    packet.payload_start = packet.position
    packet.payload_octets = 0
    packet.payload_captured = 0
    packet.quoted = 0
    if packet.fragment == 2:
        return
    if packet.protocol == PROTOCOL_TCP:
        read_tcp(frame, packet)
    elif packet.protocol == PROTOCOL_UDP:
        read_udp(frame, packet)
    elif packet.protocol == PROTOCOL_ICMP and packet.version == 4:
        read_icmp(frame, packet)
    elif packet.protocol == PROTOCOL_ICMPV6 and packet.version == 6:
        read_icmp(frame, packet)


@helper
def read_payload(packet, start):
    """All that follows `start` in the packet."""
    packet.payload_start = start
    packet.payload_octets = max(packet.wire_end - start, 0)
    packet.payload_captured = max(packet.captured_end - start, 0)


@helper
def read_tcp(frame, packet):
    """Ports as soon as they were captured; flags, numbers and payload where the whole header was."""
    start = packet.position
    room = packet.captured_end - start
    if room < 4:
        return
    packet.source_port = u16(frame, start)
    packet.destination_port = u16(frame, start + 2)
    if room < TCP_HEADER_OCTETS:
        return
    header = (u8(frame, start + 12) >> 4) * 4
    if header < TCP_HEADER_OCTETS:
        return
    packet.tcp_sequence = u32(frame, start + 4)
    packet.tcp_acknowledgement = u32(frame, start + 8)
    packet.tcp_flags = u8(frame, start + 13)
    read_payload(packet, start + header)


@helper
def read_udp(frame, packet):
    """Ports and payload; a length that is shorter than the packet bounds the payload."""
    start = packet.position
    room = packet.captured_end - start
    if room < 4:
        return
    packet.source_port = u16(frame, start)
    packet.destination_port = u16(frame, start + 2)
    if room < UDP_HEADER_OCTETS:
        return
    read_payload(packet, start + UDP_HEADER_OCTETS)
    length = u16(frame, start + 4)
    if length >= UDP_HEADER_OCTETS:
        packet.payload_octets = min(packet.payload_octets, length - UDP_HEADER_OCTETS)
        packet.payload_captured = min(packet.payload_captured, packet.payload_octets)


@helper
def read_icmp(frame, packet):
    """An error's quoted packet: its ends and ports. Only what a router may send counts as an error."""
    start = packet.position
    if packet.captured_end - start < ICMP_HEADER_OCTETS:
        return
    kind = u8(frame, start)
    quote = start + ICMP_HEADER_OCTETS
    if packet.version == 4:
        if kind in (3, 4, 5, 11, 12) and packet.octets <= ICMP_ERROR_OCTETS:
            read_quoted_ipv4(frame, packet, quote)
    elif 1 <= kind <= 4 and packet.octets <= ICMPV6_ERROR_OCTETS:
        read_quoted_ipv6(frame, packet, quote)


@helper
def read_quoted_ipv4(frame, packet, start):
    """An IPv4 header and the ports after it."""
    if packet.captured_end - start < 20 or u8(frame, start) >> 4 != 4:
        return
    header = (u8(frame, start) & 0xF) * 4
    if header < 20 or packet.captured_end - start < header or u16(frame, start + 6) & 0x1FFF:
        return
    packet.quoted_source_high = np.uint64(0)
    packet.quoted_source_low = np.uint64(u32(frame, start + 12))
    packet.quoted_destination_high = np.uint64(0)
    packet.quoted_destination_low = np.uint64(u32(frame, start + 16))
    read_quoted_ports(frame, packet, start + header, u8(frame, start + 9))


@helper
def read_quoted_ipv6(frame, packet, start):
    """An IPv6 header with the ports right after it; one with extension headers is not followed."""
    if packet.captured_end - start < 40 or u8(frame, start) >> 4 != 6:
        return
    packet.quoted_source_high = u64(frame, start + 8)
    packet.quoted_source_low = u64(frame, start + 16)
    packet.quoted_destination_high = u64(frame, start + 24)
    packet.quoted_destination_low = u64(frame, start + 32)
    read_quoted_ports(frame, packet, start + 40, u8(frame, start + 6))


@helper
def read_quoted_ports(frame, packet, start, protocol):
    """Ports of the quoted packet, 0 where its protocol has none."""
    packet.quoted_protocol = protocol
    packet.quoted_source_port = 0
    packet.quoted_destination_port = 0
    if protocol == PROTOCOL_TCP or protocol == PROTOCOL_UDP:
        if packet.captured_end - start < 4:
            return
        packet.quoted_source_port = u16(frame, start)
        packet.quoted_destination_port = u16(frame, start + 2)
    packet.quoted = 1
