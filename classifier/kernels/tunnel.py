"""Tunnels of the operator's own network (accounting 1.3).

GTP-U, GRE (also in UDP, and with mirrored frames), VXLAN, Geneve, IP in IP, 6in4.

A tunnel is opened only where neither outer address is a subscriber's: a subscriber who wraps a packet is charged for the
outer one. After `read_tunnel` says 1, `next_type` and `position` are what is inside.
"""

from __future__ import annotations

from classifier.iana import (
    ETHERTYPE_ERSPAN,
    ETHERTYPE_ERSPAN_III,
    ETHERTYPE_GRE_PPP,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_MPLS,
    ETHERTYPE_TRANSPARENT_BRIDGING,
    PORT_GENEVE,
    PORT_GRE,
    PORT_GTP_U,
    PORT_VXLAN,
    PPP_COMPRESSED_IPV4,
    PPP_COMPRESSED_IPV6,
    PPP_IPV4,
    PPP_IPV6,
    PROTOCOL_GRE,
    PROTOCOL_IPV4,
    PROTOCOL_IPV6,
    PROTOCOL_UDP,
)
from classifier.kernels.bindings import is_subscriber
from classifier.kernels.jit import helper
from classifier.kernels.line import MAC_SOURCE, note_mac, note_tunnel
from classifier.kernels.octets import u8, u16

GTP_G_PDU = 255  # 3GPP TS 29.281, table 6.1-1
GTP_EXTENSION_LIMIT = 8


@helper
def read_tunnel(frame, packet, owners):
    """1 if the packet is an operator's tunnel and its inside stands at `position`, else 0."""
    if packet.fragment == 2:
        return 0
    protocol = packet.protocol
    if protocol == PROTOCOL_UDP:
        port = packet.destination_port
        if (
            port != PORT_GTP_U
            and port != PORT_VXLAN
            and port != PORT_GENEVE
            and port != PORT_GRE
            and packet.source_port != PORT_GTP_U
        ):
            return 0
    elif protocol != PROTOCOL_GRE and protocol != PROTOCOL_IPV4 and protocol != PROTOCOL_IPV6:
        return 0
    version = packet.version
    if is_subscriber(owners, version, packet.source_high, packet.source_low):
        return 0
    if is_subscriber(owners, version, packet.destination_high, packet.destination_low):
        return 0
    if packet.fragment == 1:
        packet.unbounded = 1
    if protocol == PROTOCOL_IPV4:
        packet.next_type = ETHERTYPE_IPV4
        return 1
    if protocol == PROTOCOL_IPV6:
        packet.next_type = ETHERTYPE_IPV6
        return 1
    if protocol == PROTOCOL_GRE:
        return read_gre(frame, packet, packet.position)
    if packet.destination_port == PORT_GRE:
        return read_gre(frame, packet, packet.payload_start)
    if packet.destination_port == PORT_VXLAN:
        return read_vxlan(frame, packet)
    if packet.destination_port == PORT_GENEVE:
        return read_geneve(frame, packet)
    return read_gtp(frame, packet)


@helper
def step_into_ethernet(frame, packet, start):
    """An Ethernet header inside the tunnel."""
    if packet.captured_end - start < 14:
        return 0
    note_mac(frame, packet, start + MAC_SOURCE)
    packet.next_type = u16(frame, start + 12)
    packet.position = start + 14
    return 1


@helper
def step_into_ip(frame, packet, start):
    """IP with no type before it."""
    if packet.captured_end <= start:
        return 0
    version = u8(frame, start) >> 4
    packet.position = start
    if version == 4:
        packet.next_type = ETHERTYPE_IPV4
        return 1
    if version == 6:
        packet.next_type = ETHERTYPE_IPV6
        return 1
    return 0


@helper
def read_gtp(frame, packet):
    """GTP-U G-PDU with its optional fields and extension headers (3GPP TS 29.281, 5.1 and 5.2)."""
    start = packet.payload_start
    room = packet.payload_captured
    if room < 8:
        return 0
    flags = u8(frame, start)
    if flags >> 5 != 1 or flags & 0x10 == 0 or u8(frame, start + 1) != GTP_G_PDU:
        return 0
    octets = 8
    if flags & 0x07:
        if room < 12:
            return 0
        octets = 12
        extension = u8(frame, start + 11) if flags & 0x04 else 0
        for _ in range(GTP_EXTENSION_LIMIT):
            if extension == 0:
                break
            if room <= octets:
                return 0
            units = u8(frame, start + octets)
            if units == 0 or room < octets + units * 4:
                return 0
            octets += units * 4
            extension = u8(frame, start + octets - 1)
        if extension != 0:
            return 0
    note_tunnel(frame, packet, start)
    return step_into_ip(frame, packet, start + octets)


@helper
def read_vxlan(frame, packet):
    """VXLAN with a valid network identifier (RFC 7348, 5)."""
    start = packet.payload_start
    if packet.payload_captured < 8 or u8(frame, start) & 0x08 == 0:
        return 0
    return step_into_ethernet(frame, packet, start + 8)


@helper
def read_geneve(frame, packet):
    """Geneve version 0 with its options (RFC 8926, 3.4)."""
    start = packet.payload_start
    room = packet.payload_captured
    if room < 8 or u8(frame, start) >> 6 != 0:
        return 0
    octets = 8 + (u8(frame, start) & 0x3F) * 4
    kind = u16(frame, start + 2)
    if room < octets:
        return 0
    if kind == ETHERTYPE_TRANSPARENT_BRIDGING:
        return step_into_ethernet(frame, packet, start + octets)
    if kind == ETHERTYPE_IPV4 or kind == ETHERTYPE_IPV6:
        return step_into_ip(frame, packet, start + octets)
    return 0


@helper
def read_gre(frame, packet, start):
    """GRE version 0 (RFC 2784, RFC 2890) and PPTP's version 1 (RFC 2637)."""
    room = packet.captured_end - start
    if room < 4:
        return 0
    flags = u16(frame, start)
    kind = u16(frame, start + 2)
    octets = 4
    if flags & 0x7 == 0:
        if flags & 0x4000:
            return 0  # source routes (RFC 1701) are gone from RFC 2784
        if flags & 0x8000:
            octets += 4
        if flags & 0x2000:
            octets += 4
        if flags & 0x1000:
            octets += 4
        if kind == ETHERTYPE_ERSPAN and flags & 0x1000:
            octets += 8
        elif kind == ETHERTYPE_ERSPAN_III:
            if room < octets + 12:
                return 0
            octets += 20 if u8(frame, start + octets + 11) & 1 else 12
        elif kind not in (ETHERTYPE_TRANSPARENT_BRIDGING, ETHERTYPE_ERSPAN):
            return read_gre_payload(frame, packet, start + octets, kind)
        return step_into_ethernet(frame, packet, start + octets)
    if flags & 0x7 != 1 or kind != ETHERTYPE_GRE_PPP or flags & 0x1000 == 0:
        return 0
    octets += 8
    if flags & 0x0080:
        octets += 4
    return read_tunnelled_ppp(frame, packet, start + octets)


@helper
def read_gre_payload(frame, packet, start, kind):
    """IP or MPLS right after the GRE header."""
    if packet.captured_end < start or kind not in (ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_MPLS):
        return 0
    packet.position = start
    packet.next_type = kind
    return 1


@helper
def read_tunnelled_ppp(frame, packet, start):
    """PPP inside GRE: the protocol field, whole or compressed."""
    end = packet.captured_end
    if end - start >= 2 and u16(frame, start) == 0xFF03:
        start += 2
    if end - start < 2:
        return 0
    kind = u16(frame, start)
    if kind == PPP_IPV4 or kind == PPP_IPV6:
        return step_into_ip(frame, packet, start + 2)
    if kind >> 8 == PPP_COMPRESSED_IPV4 or kind >> 8 == PPP_COMPRESSED_IPV6:
        return step_into_ip(frame, packet, start + 1)
    return 0
