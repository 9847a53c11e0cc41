"""What lies between a link header and an IP header, from an EtherType on.

Stacked tags (IEEE 802.1Q, 802.1ad, 802.1ah), LLC/SNAP, MPLS (RFC 3032) and pseudowires (RFC 4448), PPPoE (RFC 2516) with
PPP (RFC 1661), and IP itself where nothing says which.
"""

from __future__ import annotations

from classifier.iana import (
    ETHERTYPE_FIRST,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_MPLS,
    ETHERTYPE_MPLS_MULTICAST,
    ETHERTYPE_PPPOE_SESSION,
    ETHERTYPE_PROVIDER_BACKBONE,
    ETHERTYPE_PROVIDER_BRIDGING,
    ETHERTYPE_QINQ_LEGACY,
    ETHERTYPE_VLAN,
    ETHERTYPE_VN_TAG,
    PPP_COMPRESSED_IPV4,
    PPP_COMPRESSED_IPV6,
    PPP_IPV4,
    PPP_IPV6,
    PPP_MPLS,
)
from classifier.kernels.jit import helper
from classifier.kernels.line import MAC_OCTETS, note_mac, note_vlan
from classifier.kernels.octets import u8, u16
from classifier.records import UNMETERED_MALFORMED, UNMETERED_NOT_IP, UNMETERED_TRUNCATED

# More tags than any network stacks; a frame made of nothing but tags ends here.
TAG_LIMIT = 64
SNAP = 0xAAAA03  # LLC with SNAP follows (IEEE 802.2)
LLC_IP = 0x060603  # LLC with IP follows


@helper
def lacking(packet, octets):
    """0 if `octets` more were captured at `position`, else 1 + truncated or malformed."""
    if packet.captured_end - packet.position >= octets:
        return 0
    if packet.wire_end - packet.position >= octets:
        return 1 + UNMETERED_TRUNCATED
    return 1 + UNMETERED_MALFORMED


@helper
def read_tags(frame, packet):
    """Tags, labels and encapsulations between `next_type` and an IP header. 0 or 1 + UNMETERED code."""
    for _ in range(TAG_LIMIT):
        kind = packet.next_type
        if kind == ETHERTYPE_IPV4 or kind == ETHERTYPE_IPV6:
            return 0
        if kind in (ETHERTYPE_VLAN, ETHERTYPE_PROVIDER_BRIDGING, ETHERTYPE_QINQ_LEGACY):
            skip, type_offset = 4, 2
        elif kind == ETHERTYPE_PROVIDER_BACKBONE:
            skip, type_offset = 18, 16  # I-TAG, customer addresses, EtherType
        elif kind == ETHERTYPE_VN_TAG:
            skip, type_offset = 6, 4
        elif kind < ETHERTYPE_FIRST:
            return read_llc(frame, packet)
        elif kind == ETHERTYPE_MPLS or kind == ETHERTYPE_MPLS_MULTICAST:
            status = read_mpls(frame, packet)
            if status != 0 or packet.next_type != 0:
                return status
            skip, type_offset = 14, 12  # the Ethernet frame inside a pseudowire
        elif kind == ETHERTYPE_PPPOE_SESSION:
            status = lacking(packet, 6)
            if status != 0:
                return status
            packet.position += 6
            return read_ppp(frame, packet)
        else:
            return 1 + UNMETERED_NOT_IP
        status = lacking(packet, skip)
        if status != 0:
            return status
        if skip == 4:
            note_vlan(frame, packet)
        elif type_offset >= 12:
            note_mac(frame, packet, packet.position + type_offset - MAC_OCTETS)  # right before the EtherType
        packet.next_type = u16(frame, packet.position + type_offset)
        packet.position += skip
    return 1 + UNMETERED_NOT_IP


@helper
def read_llc(frame, packet):
    """IEEE 802.2 LLC; IP over it, or the EtherType of a SNAP header (RFC 1042)."""
    status = lacking(packet, 3)
    if status != 0:
        return 1 + UNMETERED_NOT_IP
    header = u16(frame, packet.position) << 8 | u8(frame, packet.position + 2)
    if header == LLC_IP:
        packet.position += 3
        packet.next_type = ETHERTYPE_IPV4
        return 0
    if header != SNAP:
        return 1 + UNMETERED_NOT_IP
    status = lacking(packet, 8)
    if status != 0:
        return status
    kind = u16(frame, packet.position + 6)
    if u16(frame, packet.position + 3) != 0 or u8(frame, packet.position + 5) not in (0, 0xF8):
        return 1 + UNMETERED_NOT_IP
    packet.position += 8
    packet.next_type = kind
    if kind == ETHERTYPE_IPV4 or kind == ETHERTYPE_IPV6:
        return 0
    if kind in (ETHERTYPE_VLAN, ETHERTYPE_PROVIDER_BRIDGING):
        status = lacking(packet, 4)
        if status != 0:
            return status
        note_vlan(frame, packet)
        packet.next_type = u16(frame, packet.position + 2)
        packet.position += 4
        if packet.next_type == ETHERTYPE_IPV4 or packet.next_type == ETHERTYPE_IPV6:
            return 0
    return 1 + UNMETERED_NOT_IP


@helper
def read_mpls(frame, packet):
    """Labels down to the bottom of the stack, then IP by its version, or (`next_type` 0) an Ethernet pseudowire."""
    for _ in range(TAG_LIMIT):
        status = lacking(packet, 4)
        if status != 0:
            return status
        bottom = u8(frame, packet.position + 2) & 1
        packet.position += 4
        if bottom == 1:
            break
    else:
        return 1 + UNMETERED_NOT_IP
    status = lacking(packet, 1)
    if status != 0:
        return status
    first = u8(frame, packet.position)
    if first >> 4 == 4 or first >> 4 == 6:
        return read_version(frame, packet)
    status = lacking(packet, 4)
    if status != 0:
        return status
    if first == 0 and u8(frame, packet.position + 1) == 0:
        packet.position += 4  # control word, RFC 4385; its first nibble is 0
    packet.next_type = 0
    return 0


@helper
def read_version(frame, packet):
    """IP with no type before it: the version says which."""
    status = lacking(packet, 1)
    if status != 0:
        return status
    version = u8(frame, packet.position) >> 4
    if version == 4:
        packet.next_type = ETHERTYPE_IPV4
    elif version == 6:
        packet.next_type = ETHERTYPE_IPV6
    else:
        return 1 + UNMETERED_NOT_IP
    return 0


@helper
def read_ppp(frame, packet):
    """PPP, with or without address and control, with or without a compressed protocol field (RFC 1661, 1662)."""
    status = lacking(packet, 2)
    if status != 0:
        return status
    if u16(frame, packet.position) == 0xFF03:
        packet.position += 2
        status = lacking(packet, 2)
        if status != 0:
            return status
    kind = u16(frame, packet.position)
    octets = 2
    if kind >> 8 == PPP_COMPRESSED_IPV4 or kind >> 8 == PPP_COMPRESSED_IPV6:
        kind >>= 8
        octets = 1
    packet.position += octets
    if kind == PPP_IPV4:
        packet.next_type = ETHERTYPE_IPV4
        return 0
    if kind == PPP_IPV6:
        packet.next_type = ETHERTYPE_IPV6
        return 0
    if kind == PPP_MPLS:
        status = read_mpls(frame, packet)
        if status == 0 and packet.next_type == 0:
            return 1 + UNMETERED_NOT_IP
        return status
    return 1 + UNMETERED_NOT_IP
