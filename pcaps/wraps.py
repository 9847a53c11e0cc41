"""What stands around a subscriber's packet: link layers, tags and tunnels.

Rules of this file: a wrap takes an IP packet and its direction (uplink: True) and returns the octets of one frame, and
never changes the packet. Ethernet frames are padded to 60 octets, as on the wire (IEEE 802.3, 3.2.8).
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from scapy.contrib.mpls import MPLS
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, Dot1AD, Dot1Q, Ether
from scapy.layers.ppp import PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

Wrap = Callable[[Packet, bool], bytes]

HERE, THERE = "02:00:00:00:00:01", "02:00:00:00:00:02"
# Two machines of the operator's own network: neither is a subscriber (documentation ranges, RFC 5737 and RFC 3849).
NEAR, FAR = "192.0.2.1", "192.0.2.2"
NEAR6, FAR6 = "2001:db8:ff::1", "2001:db8:ff::2"


def padded(frame: bytes) -> bytes:
    return frame.ljust(60, b"\x00")


def ethernet_header(uplink: bool, ethertype: int | None = None) -> Packet:
    source, destination = (HERE, THERE) if uplink else (THERE, HERE)
    return (
        Ether(src=source, dst=destination) if ethertype is None else Ether(src=source, dst=destination, type=ethertype)
    )


def ethertype_of(packet: Packet) -> int:
    return 0x86DD if isinstance(packet, IPv6) else 0x0800


def ethernet(packet: Packet, uplink: bool) -> bytes:
    return padded(bytes(ethernet_header(uplink, ethertype_of(packet)) / packet))


def tagged(*tags: tuple[int, int]) -> Wrap:
    """VLAN tags, outermost first, each (EtherType that announces it, VLAN number)."""

    def wrap(packet: Packet, uplink: bool) -> bytes:
        frame = ethernet_header(uplink, tags[0][0])
        following = [kind for kind, _ in tags[1:]] + [ethertype_of(packet)]
        for (kind, vlan), ethertype in zip(tags, following, strict=True):
            frame = frame / (Dot1AD if kind == 0x88A8 else Dot1Q)(vlan=vlan, type=ethertype)
        return padded(bytes(frame / packet))

    return wrap


def labelled(packet: Packet, uplink: bool) -> bytes:
    """Two MPLS labels."""
    labels = MPLS(label=100 + uplink, s=0, ttl=60) / MPLS(label=200, s=1, ttl=60)
    return padded(bytes(ethernet_header(uplink, 0x8847) / labels / Raw(bytes(packet))))


def pppoe(*tags: tuple[int, int]) -> Wrap:
    """A PPPoE session, under VLAN tags if any are given."""

    def wrap(packet: Packet, uplink: bool) -> bytes:
        frame = ethernet_header(uplink, tags[0][0] if tags else 0x8864)
        following = [kind for kind, _ in tags[1:]] + [0x8864]
        for (kind, vlan), ethertype in zip(tags, following, strict=False):
            frame = frame / (Dot1AD if kind == 0x88A8 else Dot1Q)(vlan=vlan, type=ethertype)
        protocol = 0x57 if isinstance(packet, IPv6) else 0x21
        return padded(bytes(frame / PPPoE(sessionid=17) / PPP(proto=protocol) / packet))

    return wrap


def ends(uplink: bool) -> tuple[str, str]:
    return (NEAR, FAR) if uplink else (FAR, NEAR)


def carried(outer: Packet, inner: Packet, uplink: bool) -> bytes:
    return ethernet(outer / Raw(bytes(inner)), uplink)


def outer_ipv4(uplink: bool, **fields: int) -> Packet:
    source, destination = ends(uplink)
    return IP(src=source, dst=destination, id=1, **fields)


def outer_ipv6(uplink: bool, **fields: int) -> Packet:
    source, destination = (NEAR6, FAR6) if uplink else (FAR6, NEAR6)
    return IPv6(src=source, dst=destination, **fields)


def gre(key: int | None = None, checksum: bool = False) -> Wrap:
    def wrap(packet: Packet, uplink: bool) -> bytes:
        header = GRE(proto=ethertype_of(packet), key_present=key is not None, key=key, chksum_present=checksum)
        return carried(outer_ipv4(uplink, proto=47) / header, packet, uplink)

    return wrap


def gre_with_ethernet(packet: Packet, uplink: bool) -> bytes:
    inner = ethernet_header(uplink, ethertype_of(packet)) / packet
    return carried(outer_ipv4(uplink, proto=47) / GRE(proto=0x6558), inner, uplink)


def vxlan(packet: Packet, uplink: bool) -> bytes:
    inner = ethernet_header(uplink, ethertype_of(packet)) / packet
    header = UDP(sport=49152, dport=4789, chksum=0) / VXLAN(flags=8, vni=77)
    return carried(outer_ipv4(uplink) / header, inner, uplink)


def ip_in_ipv4(packet: Packet, uplink: bool) -> bytes:
    """4in4 (RFC 2003) or 6in4 (RFC 4213)."""
    return carried(outer_ipv4(uplink, proto=41 if isinstance(packet, IPv6) else 4), packet, uplink)


def ip_in_ipv6(packet: Packet, uplink: bool) -> bytes:
    """4in6 or 6in6 (RFC 2473)."""
    return carried(outer_ipv6(uplink, nh=41 if isinstance(packet, IPv6) else 4), packet, uplink)


def gtp_header(payload_octets: int, tunnel: int, message: int = 255, options: bytes = b"", flags: int = 0) -> bytes:
    """A GTPv1-U header (3GPP TS 29.281, 5.1); `options` begins with the four octets that any of the flags brings."""
    return struct.pack("!BBHI", 0x30 | flags, message, payload_octets + len(options), tunnel) + options


# The optional parts of the header: 3GPP TS 29.281, 5.1 and 5.2; PDU session container: 3GPP TS 38.415, 5.5.
GTP_PLAIN = (0, b"")
GTP_SEQUENCE = (0x02, struct.pack("!HBB", 9, 0, 0))
GTP_NPDU = (0x01, struct.pack("!HBB", 0, 5, 0))
GTP_SESSION_CONTAINER = (0x04, struct.pack("!HBB", 0, 0, 0x85) + bytes((1, 0x10, 9, 0)))
GTP_TWO_EXTENSIONS = (
    0x06,
    struct.pack("!HBB", 9, 0, 0xC0) + bytes((1, 0, 44, 0x85)) + bytes((2, 0x10, 9, 0, 0, 0, 0, 0)),
)


def gtp(kind: tuple[int, bytes] = GTP_PLAIN, over_ipv6: bool = False) -> Wrap:
    """A G-PDU between two machines of the mobile core."""
    flags, options = kind

    def wrap(packet: Packet, uplink: bool) -> bytes:
        inner = bytes(packet)
        header = gtp_header(len(inner), 0x1000 + uplink, options=options, flags=flags)
        outer = outer_ipv6(uplink) if over_ipv6 else outer_ipv4(uplink)
        # 2152 on both sides; the UDP checksum is left to scapy, which knows it for IPv6 as well.
        return ethernet(outer / UDP(sport=2152, dport=2152) / Raw(header + inner), uplink)

    return wrap


def bare(packet: Packet, uplink: bool) -> bytes:
    """No link layer: LINKTYPE_RAW, LINKTYPE_IPV4, LINKTYPE_IPV6."""
    return bytes(packet)


def cooked(packet: Packet, uplink: bool) -> bytes:
    """LINKTYPE_LINUX_SLL: packet type, ARPHRD, address length, address, protocol."""
    return struct.pack("!HHH8sH", 4 if uplink else 0, 1, 6, b"\x02\x00\x00\x00\x00\x01", ethertype_of(packet)) + bytes(
        packet
    )


def cooked2(packet: Packet, uplink: bool) -> bytes:
    """LINKTYPE_LINUX_SLL2: protocol, reserved, interface, ARPHRD, packet type, address length, address."""
    head = struct.pack("!HHIHBB8s", ethertype_of(packet), 0, 2, 1, 4 if uplink else 0, 6, b"\x02\x00\x00\x00\x00\x01")
    return head + bytes(packet)


def loopback(byte_order: str) -> Wrap:
    """LINKTYPE_NULL in the writer's byte order ("<" or ">"); with ">" it is LINKTYPE_LOOP. 30 is macOS's AF_INET6."""
    return lambda packet, uplink: struct.pack(f"{byte_order}I", 30 if isinstance(packet, IPv6) else 2) + bytes(packet)


def ppp(packet: Packet, uplink: bool) -> bytes:
    """LINKTYPE_PPP with address and control fields (RFC 1662)."""
    return b"\xff\x03" + struct.pack("!H", 0x57 if isinstance(packet, IPv6) else 0x21) + bytes(packet)
