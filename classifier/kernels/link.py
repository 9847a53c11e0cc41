"""The link layer: from the start of a frame to what its header says comes next; `tags` goes on from there to IP.

Ethernet, PPP (RFC 1661), Linux cooked (tcpdump.org link types), null/loop, raw IP, Cisco HDLC, 802.11 data frames with and
without radiotap or PPI, NFLOG, ARCNET.
"""

from __future__ import annotations

from classifier.iana import (
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
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
)
from classifier.kernels.jit import helper
from classifier.kernels.line import MAC_SOURCE, MAC_SOURCE_SLL2, note_mac
from classifier.kernels.octets import u8, u16, u16_little, u32, u32_little
from classifier.kernels.tags import TAG_LIMIT, lacking, read_llc, read_ppp, read_tags, read_version
from classifier.records import UNMETERED_LINK, UNMETERED_NOT_IP

NFLOG_PAYLOAD = 9  # NFULA_PAYLOAD, linux/netfilter/nfnetlink_log.h
ARCNET_IP = 212  # RFC 1201


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
