"""Frames in layers, drawn by Hypothesis and built by scapy, with what scapy reads of the packet that counts.

The packet that counts is built on its own and read back by scapy; what is wrapped around it afterwards (link layers,
tags, tunnels) changes nothing about it. So nothing here knows how the kernels walk.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from hypothesis import strategies as st
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header, GTPPDUSessionContainer
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP, IPOption_RR
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.layers.l2 import GRE, LLC, SNAP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Dot3, Ether, Loopback
from scapy.layers.ppp import HDLC, PPP, PPPoE
from scapy.layers.sctp import SCTP
from scapy.layers.vxlan import VXLAN
from scapy.packet import NoPayload, Padding, Raw

from classifier.iana import (
    LINK_ETHERNET,
    LINK_LINUX_SLL,
    LINK_LINUX_SLL2,
    LINK_NULL,
    LINK_PPP,
    LINK_PPP_HDLC,
    LINK_RAW,
)

SUBSCRIBER_NETWORKS = ("10.0.0.0/8", "2001:db8:5::/48")
# Ends of the operator's tunnels: none is a subscriber's.
CORE = (("198.51.100.1", "198.51.100.2"), ("2001:db8:ffff::1", "2001:db8:ffff::2"))


@dataclass(frozen=True)
class Framed:
    """One frame; `header_octets` lie before the IP packet that counts, which is `packet`."""

    octets: bytes
    header_octets: int
    link_type: int
    packet: bytes


@dataclass(frozen=True)
class Reading:
    """What scapy reads of an IP packet."""

    version: int
    octets: int
    protocol: int
    source: str
    destination: str
    fragment: int
    source_port: int
    destination_port: int
    payload: bytes
    tcp: tuple[int, int, int] | None


ports = st.integers(1, 65535).filter(lambda port: port not in (2152, 4789, 6081, 4784))
payloads = st.binary(max_size=48)
v4 = st.integers(0x0A000001, 0x0A0000FF) | st.integers(0xCB007100, 0xCB0071FF)
v6 = st.integers(0, 2**32).map(lambda low: 0x20010DB8_0005_0001_00000000_00000000 + low)


def _transport(version: int):
    tcp = st.builds(
        lambda a, b, s, k, f, p, o: TCP(sport=a, dport=b, seq=s, ack=k, flags=f, options=o) / Raw(p),
        ports,
        ports,
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**32 - 1),
        st.integers(0, 31),
        payloads,
        st.sampled_from([[], [("MSS", 1460)], [("Timestamp", (1, 2)), ("NOP", None), ("NOP", None)]]),
    )
    udp = st.builds(lambda a, b, p: UDP(sport=a, dport=b) / Raw(p), ports, ports, payloads)
    sctp = st.builds(lambda a, b, p: SCTP(sport=a, dport=b) / Raw(p), ports, ports, payloads)
    ping = st.builds(lambda p: (ICMP() if version == 4 else ICMPv6DestUnreach(type=128)) / Raw(p), payloads)
    return st.one_of(tcp, udp, sctp, ping)


def _addresses(version: int):
    from ipaddress import IPv4Address, IPv6Address

    kind, numbers = (IPv4Address, v4) if version == 4 else (IPv6Address, v6)
    return st.tuples(numbers, numbers).map(lambda pair: tuple(str(kind(number)) for number in pair))


@st.composite
def ip_packets(draw) -> bytes:
    """An IP packet of either version with options or extension headers, whole."""
    version = draw(st.sampled_from((4, 6)))
    source, destination = draw(_addresses(version))
    above = draw(_transport(version))
    if version == 4:
        options = draw(st.sampled_from([[], [IPOption_NOP()] * 4, [IPOption_RR(length=11, routers=["0.0.0.0"] * 2)]]))
        return bytes(IP(src=source, dst=destination, id=draw(st.integers(0, 65535)), options=options) / above)
    head = IPv6(src=source, dst=destination)
    for kind in draw(st.lists(st.sampled_from(("hop", "routing", "destination", "atomic")), max_size=3, unique=True)):
        if kind == "hop":
            head = (
                IPv6(src=source, dst=destination)
                / IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 12)])
                / head.payload
            )
        elif kind == "routing":
            head = head / IPv6ExtHdrRouting(addresses=["2001:db8::9"])
        elif kind == "destination":
            head = head / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * draw(st.sampled_from((4, 12, 20))))])
        else:
            head = head / IPv6ExtHdrFragment(offset=0, m=0, id=7)
    return bytes(head / above)


def read(packet: bytes) -> Reading:
    """The IP packet at the start of `packet` as scapy dissects it; what lies behind its end is padding to scapy too."""
    if packet[0] >> 4 == 4:
        ip = IP(packet)
        octets, protocol, fragment = ip.len, ip.proto, 2 if ip.frag else int("MF" in ip.flags)
    else:
        ip = IPv6(packet)
        octets, protocol, fragment = ip.plen + 40, ip.nh, 0
    layer = ip.payload
    while isinstance(layer, IPv6ExtHdrHopByHop | IPv6ExtHdrRouting | IPv6ExtHdrDestOpt | IPv6ExtHdrFragment):
        protocol = layer.nh
        if isinstance(layer, IPv6ExtHdrFragment):
            fragment = 2 if layer.offset else int(layer.m)
        layer = layer.payload
    source_port = destination_port = 0
    payload, tcp = b"", None
    if fragment != 2 and protocol in (6, 17) and isinstance(layer, TCP | UDP):
        source_port, destination_port = layer.sport, layer.dport
        above = layer.payload
        payload = b"" if isinstance(above, NoPayload | Padding) else above.original or bytes(above)
        if isinstance(above, Raw):
            payload = above.load
        if isinstance(layer, TCP):
            tcp = (layer.seq, layer.ack, int(layer.flags))
    return Reading(ip.version, octets, protocol, ip.src, ip.dst, fragment, source_port, destination_port, payload, tcp)


def _ether_type(packet: bytes) -> int:
    return 0x0800 if packet[0] >> 4 == 4 else 0x86DD


def _tagged(*layers):
    """A link header with the given tags, the last of which names the packet's type."""

    def wrap(packet: bytes) -> bytes:
        head = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        for layer in layers:
            head = head / layer.copy()
        head.lastlayer().type = _ether_type(packet)
        return bytes(head / Raw(packet))

    return wrap


def _ether_over(*layers):
    head = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")

    def wrap(packet: bytes) -> bytes:
        whole = head.copy()
        for layer in layers:
            whole = whole / layer(packet)
        return bytes(whole / Raw(packet))

    return wrap


def _ppp(packet: bytes):
    return PPP(proto=0x0021 if packet[0] >> 4 == 4 else 0x0057)


LINKS = {
    "ethernet": (LINK_ETHERNET, _tagged()),
    "vlan": (LINK_ETHERNET, _tagged(Dot1Q(vlan=7))),
    "provider bridge": (LINK_ETHERNET, _tagged(Dot1AD(vlan=5), Dot1Q(vlan=6))),
    "three tags": (LINK_ETHERNET, _tagged(Dot1Q(vlan=1), Dot1Q(vlan=2), Dot1Q(vlan=3))),
    "legacy tag": (
        LINK_ETHERNET,
        lambda p: bytes(Ether(type=0x9100) / Raw(bytes(Dot1Q(vlan=3, type=_ether_type(p))) + p)),
    ),
    "mpls": (LINK_ETHERNET, _ether_over(lambda p: MPLS(label=9, s=0), lambda p: MPLS(label=8, s=1))),
    "pseudowire": (
        LINK_ETHERNET,
        lambda p: bytes(Ether(type=0x8847) / MPLS(label=9, s=1) / Raw(b"\0\0\0\1" + _tagged()(p))),
    ),
    "fabricpath": (LINK_ETHERNET, lambda p: bytes(Ether(type=0x8903) / Raw(b"\x40\x20" + _tagged(Dot1Q(vlan=7))(p)))),
    "pppoe": (LINK_ETHERNET, lambda p: bytes(Ether(type=0x8864) / PPPoE(sessionid=1) / _ppp(p) / Raw(p))),
    "tagged pppoe": (
        LINK_ETHERNET,
        lambda p: bytes(Ether() / Dot1Q(vlan=7, type=0x8864) / PPPoE(sessionid=1) / _ppp(p) / Raw(p)),
    ),
    "snap": (
        LINK_ETHERNET,
        lambda p: bytes(Dot3() / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=_ether_type(p)) / Raw(p)),
    ),
    "cooked": (LINK_LINUX_SLL, lambda p: bytes(CookedLinux(proto=_ether_type(p)) / Raw(p))),
    "cooked 2": (LINK_LINUX_SLL2, lambda p: bytes(CookedLinuxV2(proto=_ether_type(p)) / Raw(p))),
    "raw": (LINK_RAW, lambda p: p),
    "null": (LINK_NULL, lambda p: bytes(Loopback(type=2 if p[0] >> 4 == 4 else 30) / Raw(p))),
    "ppp": (LINK_PPP, lambda p: bytes(_ppp(p) / Raw(p))),
    "ppp in hdlc": (LINK_PPP, lambda p: bytes(HDLC() / _ppp(p) / Raw(p))),
    "cisco hdlc": (LINK_PPP_HDLC, lambda p: struct.pack("!BBH", 0x0F, 0, _ether_type(p)) + p),
    "cisco hdlc, to all": (LINK_PPP, lambda p: struct.pack("!BBH", 0x8F, 0, _ether_type(p)) + p),
}


def _outer(version: int, **fields):
    source, destination = CORE[0] if version == 4 else CORE[1]
    return IP(src=source, dst=destination, **fields) if version == 4 else IPv6(src=source, dst=destination, **fields)


def _over_udp(port: int, *layers):
    def wrap(packet: bytes, version: int) -> bytes:
        whole = _outer(version) / UDP(sport=40000, dport=port)
        for layer in layers:
            whole = whole / layer(packet)
        return bytes(whole / Raw(packet))

    return wrap


def _gre(**fields):
    def wrap(packet: bytes, version: int) -> bytes:
        return bytes(_outer(version) / GRE(proto=_ether_type(packet), **fields) / Raw(packet))

    return wrap


def _ip_in_ip(packet: bytes, version: int) -> bytes:
    protocol = 4 if packet[0] >> 4 == 4 else 41
    return bytes(_outer(version, **({"proto": protocol} if version == 4 else {"nh": protocol})) / Raw(packet))


TUNNELS = {
    "gtp-u": _over_udp(2152, lambda p: GTP_U_Header(teid=1, gtp_type=255)),
    "gtp-u with sequence": _over_udp(2152, lambda p: GTP_U_Header(teid=1, gtp_type=255, S=1, seq=5)),
    "gtp-u with session container": _over_udp(
        2152,
        lambda p: GTP_U_Header(teid=1, gtp_type=255, E=1, next_ex=0x85),
        lambda p: GTPPDUSessionContainer(type=1, QFI=9),
    ),
    "gre": _gre(),
    "gre with key and sequence": _gre(key_present=1, key=1, seqnum_present=1, sequence_number=2),
    "gre with checksum": _gre(chksum_present=1),
    "ethernet in gre": lambda p, v: bytes(_outer(v) / GRE(proto=0x6558) / Raw(_tagged()(p))),
    "mpls in gre": lambda p, v: bytes(_outer(v) / GRE(proto=0x8847) / MPLS(label=3, s=1) / Raw(p)),
    "vxlan": lambda p, v: bytes(_outer(v) / UDP(dport=4789) / VXLAN(vni=1, flags=8) / Raw(_tagged()(p))),
    "tagged vxlan": lambda p, v: bytes(
        _outer(v) / UDP(dport=4789) / VXLAN(vni=1, flags=8) / Raw(_tagged(Dot1Q(vlan=4))(p))
    ),
    "geneve": lambda p, v: bytes(_outer(v) / UDP(dport=6081) / GENEVE(proto=0x6558, vni=1) / Raw(_tagged()(p))),
    "ip in geneve": _over_udp(6081, lambda p: GENEVE(proto=_ether_type(p), vni=1)),
    "ip in ip": _ip_in_ip,
}


@st.composite
def frames(draw, *, tunnels=2) -> Framed:
    """A packet that counts, inside up to `tunnels` tunnels of the operator, on any link."""
    packet = draw(ip_packets())
    whole = packet
    for name in draw(st.lists(st.sampled_from(sorted(TUNNELS)), max_size=tunnels)):
        whole = TUNNELS[name](whole, draw(st.sampled_from((4, 6))))
    link_type, wrap = LINKS[draw(st.sampled_from(sorted(LINKS)))]
    octets = wrap(whole)
    assert octets.endswith(packet)
    return Framed(octets, len(octets) - len(packet), link_type, packet)
