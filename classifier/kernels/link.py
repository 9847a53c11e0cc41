"""The link layer: from the start of a frame to its network header, whatever lies between.

Ethernet with stacked tags (IEEE 802.1Q, 802.1ad, 802.1ah), LLC/SNAP, MPLS (RFC 3032) and pseudowires (RFC 4448), PPPoE
(RFC 2516), PPP (RFC 1661), Linux cooked (tcpdump.org link types), null/loop, raw IP, Cisco HDLC, 802.11 data frames.
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
    LINK_ARCNET_LINUX,
    LINK_C_HDLC,
    LINK_ETHERNET,
    LINK_IEEE802_11,
    LINK_IPV4,
    LINK_IPV6,
    LINK_LINUX_SLL,
    LINK_LINUX_SLL2,
    LINK_LOOP,
    LINK_NFLOG,
    LINK_NULL,
    LINK_PPI,
    LINK_PPP,
    LINK_PPP_HDLC,
    LINK_RADIOTAP,
    LINK_RAW,
    LINK_RAW_BSD,
    LINK_RAW_OPENBSD,
    PPP_COMPRESSED_IPV4,
    PPP_COMPRESSED_IPV6,
    PPP_IPV4,
    PPP_IPV6,
    PPP_MPLS,
)
from classifier.kernels.jit import helper
from classifier.kernels.line import MAC_OCTETS, MAC_SOURCE, MAC_SOURCE_SLL2, note_mac, note_vlan
from classifier.kernels.octets import u8, u16, u16_little, u32, u32_little
from classifier.records import UNMETERED_LINK, UNMETERED_MALFORMED, UNMETERED_NOT_IP, UNMETERED_TRUNCATED

# More tags than any network stacks; a frame made of nothing but tags ends here.
TAG_LIMIT = 64
SNAP = 0xAAAA03  # LLC with SNAP follows (IEEE 802.2)
NFLOG_PAYLOAD = 9  # NFULA_PAYLOAD, linux/netfilter/nfnetlink_log.h
ARCNET_IP = 212  # RFC 1201
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
def read_link(frame, packet, link_type):
    """From the frame's first octet to an IP header; `next_type` is its EtherType. 0 or 1 + UNMETERED code."""
    if link_type == LINK_ETHERNET:
        return read_ethernet(frame, packet)
    if link_type in (LINK_RAW, LINK_RAW_BSD, LINK_RAW_OPENBSD, LINK_IPV4, LINK_IPV6):
        return read_version(frame, packet)
    if link_type == LINK_LINUX_SLL:
        note_mac(frame, packet, packet.position + MAC_SOURCE)
        return read_header(frame, packet, 14, 16)
    if link_type == LINK_LINUX_SLL2:
        note_mac(frame, packet, packet.position + MAC_SOURCE_SLL2)
        return read_header(frame, packet, 0, 20)
    if link_type == LINK_NULL or link_type == LINK_LOOP:
        return read_null(frame, packet)
    if link_type == LINK_PPP or link_type == LINK_PPP_HDLC:
        return read_ppp(frame, packet)
    if link_type == LINK_C_HDLC:
        return read_header(frame, packet, 2, 4)
    if link_type == LINK_IEEE802_11:
        return read_wireless(frame, packet, 0)
    if link_type == LINK_RADIOTAP:
        return read_radiotap(frame, packet)
    if link_type == LINK_PPI:
        return read_ppi(frame, packet)
    if link_type == LINK_NFLOG:
        return read_nflog(frame, packet)
    if link_type == LINK_ARCNET_LINUX:
        return read_arcnet(frame, packet)
    return 1 + UNMETERED_LINK


@helper
def read_header(frame, packet, type_offset, octets):
    """A header of fixed length that holds an EtherType, and what follows it."""
    status = lacking(packet, octets)
    if status != 0:
        return status
    packet.next_type = u16(frame, packet.position + type_offset)
    packet.position += octets
    return read_tags(frame, packet)


@helper
def read_ethernet(frame, packet):
    """Destination, source, EtherType or length."""
    note_mac(frame, packet, packet.position + MAC_SOURCE)
    return read_header(frame, packet, 12, 14)


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
def read_null(frame, packet):
    """BSD loopback: the address family, in either byte order (2 = IPv4; 10, 24, 28, 30 = IPv6)."""
    status = lacking(packet, 4)
    if status != 0:
        return status
    family = u32(frame, packet.position)
    if family > 0xFFFF:
        family = u32_little(frame, packet.position)
    packet.position += 4
    if family == 2:
        packet.next_type = ETHERTYPE_IPV4
        return 0
    if family in (10, 24, 28, 30):
        packet.next_type = ETHERTYPE_IPV6
        return 0
    return 1 + UNMETERED_NOT_IP


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


@helper
def read_wireless(frame, packet, padded):
    """An 802.11 data frame that is not encrypted, with LLC inside (IEEE 802.11, 9.3.2)."""
    status = lacking(packet, 24)
    if status != 0:
        return 1 + UNMETERED_NOT_IP
    control = u16_little(frame, packet.position)
    subtype = control >> 4 & 0xF
    if control >> 2 & 3 != 2 or subtype & 4 or control & 0x4000:
        return 1 + UNMETERED_NOT_IP  # not data, no data, or encrypted
    octets = 24
    if control & 0x0300 == 0x0300:
        octets += 6  # a fourth address between access points
    if subtype & 8:
        octets += 2
        if control & 0x8000:
            octets += 4
    if padded:
        octets = octets + 3 & ~3
    status = lacking(packet, octets)
    if status != 0:
        return status
    packet.position += octets
    return read_llc(frame, packet)


@helper
def read_radiotap(frame, packet):
    """The radiotap header by its length (radiotap.org); its flags tell whether the 802.11 header is padded."""
    status = lacking(packet, 8)
    if status != 0:
        return status
    start = packet.position
    octets = u16_little(frame, start + 2)
    status = lacking(packet, max(octets, 8))
    if status != 0:
        return status
    present = u32_little(frame, start + 4)
    fields = 8
    more = present
    while more & 0x80000000 and fields + 4 <= octets:
        more = u32_little(frame, start + fields)
        fields += 4
    if present & 1:
        fields = (fields + 7 & ~7) + 8
    padded = 0
    if present & 2 and fields < octets and u8(frame, start + fields) & 0x20:
        padded = 1
    packet.position += max(octets, 8)
    return read_wireless(frame, packet, padded)


@helper
def read_ppi(frame, packet):
    """Per-packet information: its length and the link type that follows (CACE PPI specification, 3.1)."""
    status = lacking(packet, 8)
    if status != 0:
        return status
    octets = max(u16_little(frame, packet.position + 2), 8)
    inner = u32_little(frame, packet.position + 4)
    status = lacking(packet, octets)
    if status != 0:
        return status
    packet.position += octets
    if inner == LINK_ETHERNET:
        return read_ethernet(frame, packet)
    if inner == LINK_IEEE802_11:
        return read_wireless(frame, packet, 0)
    return 1 + UNMETERED_NOT_IP


@helper
def read_nflog(frame, packet):
    """Linux netfilter log: attributes in the writer's order of octets, one of them the packet (tcpdump.org, NFLOG)."""
    status = lacking(packet, 4)
    if status != 0:
        return status
    packet.position += 4
    for _ in range(TAG_LIMIT):
        status = lacking(packet, 4)
        if status != 0:
            return status
        octets = u16_little(frame, packet.position)
        if u16_little(frame, packet.position + 2) == NFLOG_PAYLOAD:
            packet.position += 4
            return read_version(frame, packet)
        octets = (max(octets, 4) + 3) & ~3
        status = lacking(packet, octets)
        if status != 0:
            return status
        packet.position += octets
    return 1 + UNMETERED_NOT_IP


@helper
def read_arcnet(frame, packet):
    """ARCNET as Linux hands it up, with RFC 1201 encapsulation: type at 4, then flag and sequence."""
    status = lacking(packet, 8)
    if status != 0:
        return status
    kind = u8(frame, packet.position + 4)
    packet.position += 8
    if kind == ARCNET_IP:
        packet.next_type = ETHERTYPE_IPV4
        return 0
    return 1 + UNMETERED_NOT_IP
