"""Captures about layers: what stands around the subscriber's packet.

Rule of this file: each function is one capture, and its docstring says what a meter may get wrong in it.
"""

from __future__ import annotations

import wraps
from capture_files import (
    LINK_ETHERNET,
    LINK_IPV4,
    LINK_IPV6,
    LINK_LOOP,
    LINK_NULL,
    LINK_PPP,
    LINK_RAW,
    LINK_SLL,
    LINK_SLL2,
    Interface,
)
from cast import (
    ANN,
    ANN6,
    ANYBODY,
    BEN,
    BEN6,
    CEM,
    FACEBOOK,
    anybody,
    facebook,
    https,
    named,
)
from scapy.layers.inet import UDP
from scapy.layers.l2 import ARP, LLC, STP, Dot3, Ether
from scapy.packet import Raw
from talk import Flow, Step, addressed, opaque, udp
from tally import SECOND, Capture, moment

START = moment("2014-02-20 12:00:00")


def _link_layer_noise(scene: Capture, at_ns: int, interface: int = 0) -> None:
    """Frames that are not IP: ARP, spanning tree, PPPoE discovery and LCP in a PPPoE session."""
    here, there = wraps.HERE, wraps.THERE
    frames = (
        Ether(src=here, dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=here, psrc="10.0.0.7", pdst="10.0.0.1"),
        Dot3(src=there, dst="01:80:c2:00:00:00") / LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP(),
        Ether(src=here, dst="ff:ff:ff:ff:ff:ff", type=0x8863) / Raw(bytes.fromhex("110900000004 01010000")),
        Ether(src=here, dst=there, type=0x8864) / Raw(bytes.fromhex("110000110006 c021 01010004")),
    )
    for number, frame in enumerate(frames):
        scene.add_unmetered("not_ip", wraps.padded(bytes(frame)), 0, at_ns + number * SECOND // 10, interface)


def vlan_qinq_mpls_pppoe() -> Capture:
    """Tags and labels are not charged, and neither is the padding behind short packets."""
    interfaces = [
        Interface(LINK_ETHERNET, 6, "access"),
        Interface(LINK_ETHERNET, 9, "core"),
        Interface(LINK_RAW, 0x80 | 20, "tunnel"),
    ]
    scene = Capture(
        "vlan-qinq-mpls-pppoe.pcapng",
        "The same page through VLAN tags (802.1Q, 802.1ad, 0x9100, three deep), MPLS and PPPoE, on three interfaces "
        "with time resolutions of their own: the octets are those of the IP packets.",
        ("--zero-rate", "facebook"),
        sections=(("<", interfaces),),
    )
    around = (
        ("802.1Q", wraps.tagged((0x8100, 100)), 0),
        ("802.1ad", wraps.tagged((0x88A8, 7), (0x8100, 100)), 0),
        ("0x9100", wraps.tagged((0x9100, 7), (0x8100, 100)), 1),
        ("three deep", wraps.tagged((0x88A8, 7), (0x8100, 100), (0x8100, 200)), 1),
        ("MPLS", wraps.labelled, 1),
        ("PPPoE", wraps.pppoe(), 0),
        ("PPPoE under two tags", wraps.pppoe((0x88A8, 7), (0x8100, 100)), 0),
        ("no link layer", wraps.bare, 2),
    )
    for number, (_, wrap, interface) in enumerate(around):
        client = (ANN, ANN6)[number % 2]
        at_ns = START + number * 3 * SECOND
        scene.add(https(facebook(client, 50100 + number), ((200, 500),)).steps, at_ns, wrap=wrap, interface=interface)
    scene.add(https(anybody(BEN, 50120)).steps, START + 30 * SECOND, wrap=around[6][1])
    _link_layer_noise(scene, START + SECOND)
    return scene


def gtp_u_with_extension_headers() -> Capture:
    """Counted by the outer packet this is 36 octets a packet too much, and nobody's; row 19 is a subscriber's trick."""
    scene = Capture(
        "gtp-u-with-extension-headers.pcap",
        "Subscribers inside GTP-U: with sequence numbers, N-PDU numbers, session containers, two extension headers, "
        "over IPv6; and a subscriber who wraps Facebook in UDP port 2152 himself, which is charged.",
        ("--zero-rate", "facebook"),
    )
    kinds = (
        wraps.gtp(),
        wraps.gtp(wraps.GTP_SEQUENCE),
        wraps.gtp(wraps.GTP_NPDU),
        wraps.gtp(wraps.GTP_SESSION_CONTAINER),
        wraps.gtp(wraps.GTP_TWO_EXTENSIONS),
        wraps.gtp(wraps.GTP_TWO_EXTENSIONS, over_ipv6=True),
    )
    for number, wrap in enumerate(kinds):
        client = ("10.45.0.2", "fd00:45:0:2::2")[number % 2]
        scene.add(https(facebook(client, 50200 + number), ((200, 900),)).steps, START + number * 3 * SECOND, wrap=wrap)
    scene.add(https(anybody("10.45.0.3", 50210)).steps, START + 20 * SECOND, wrap=kinds[3])
    # Echo request and reply between the two machines, and an end marker: nobody's packets (TS 29.281, 7.2 and 7.3.2).
    for number, (message, options) in enumerate(((1, b"\x00\x01\x00\x00"), (2, b"\x00\x01\x00\x00"), (254, b""))):
        header = wraps.gtp_header(0, 0, message, options, 0x02 if options else 0)
        packet = wraps.outer_ipv4(number != 1) / UDP(sport=2152, dport=2152) / Raw(header)
        frame = wraps.ethernet(packet, number != 1)
        scene.add_unmetered("transit", frame, len(bytes(packet)), START + (25 + number) * SECOND)
    wrapped = Flow("10.45.0.66", 2152, ANYBODY, 2152, protocol="udp")
    trick = https(facebook("10.45.0.66", 50211), ((200, 900),)).steps
    inside = [(step.from_client, bytes(step.packet)) for step in trick]
    steps = [udp(wrapped, up, wraps.gtp_header(len(octets), 9) + octets) for up, octets in inside]
    scene.add(steps, START + 30 * SECOND)
    return scene


def tunnels() -> Capture:
    """A tunnel is opened only where neither outer address is a subscriber's."""
    scene = Capture(
        "tunnels.pcap",
        "GRE (plain, with key and checksum, with Ethernet inside), VXLAN, 4in4, 6in4, 4in6 and 6in6 between two "
        "machines of the network: the inner packet counts. A subscriber's own GRE tunnel: the outer one, charged.",
        ("--zero-rate", "facebook"),
    )
    around = (
        (ANN, wraps.gre()),
        (ANN6, wraps.gre(key=7, checksum=True)),
        (ANN, wraps.gre_with_ethernet),
        (ANN6, wraps.vxlan),
        (ANN, wraps.ip_in_ipv4),
        (ANN6, wraps.ip_in_ipv4),
        (ANN, wraps.ip_in_ipv6),
        (ANN6, wraps.ip_in_ipv6),
    )
    for number, (client, wrap) in enumerate(around):
        flow = facebook(client, 50300 + number)
        scene.add(https(flow, ((200, 700),)).steps, START + number * 3 * SECOND, wrap=wrap)
    scene.add(https(anybody(BEN, 50310)).steps, START + 30 * SECOND, wrap=around[3][1])
    private = Flow(CEM, 0, ANYBODY, 0, protocol="gre", ports=False)
    inside = https(Flow("192.168.77.2", 50311, FACEBOOK, 443, said=named("www.facebook.com")), ((200, 700),)).steps
    steps = []
    for step in inside:
        outer = addressed(private, step.from_client)
        outer.proto = 47
        steps.append(Step(private, step.from_client, outer / Raw(bytes.fromhex("00000800") + bytes(step.packet))))
    scene.add(steps, START + 40 * SECOND)
    return scene


def mixed_link_types() -> Capture:
    """The link type is the interface's, the interface is the section's, and a simple packet block has no time."""
    first = [
        Interface(LINK_ETHERNET, 6, "eth0"),
        Interface(LINK_RAW, 9, "tun0"),
        Interface(LINK_SLL, 3, "any"),
        Interface(LINK_SLL2, 0x80 | 20, "any2"),
    ]
    second = [
        Interface(LINK_NULL, 6, "lo0"),
        Interface(LINK_LOOP, 6, "lo1"),
        Interface(LINK_PPP, 6, "ppp0"),
        Interface(LINK_IPV4, 6),
        Interface(LINK_IPV6, 9),
    ]
    scene = Capture(
        "mixed-link-types.pcapng",
        "One pcapng file, two sections in two byte orders: Ethernet, raw IP, Linux cooked 1 and 2, BSD loopback, PPP; "
        "enhanced, simple and obsolete packet blocks, and blocks to skip.",
        ("--zero-rate", "facebook"),
        in_order=True,
        sections=(("<", first), (">", second)),
    )
    around = (
        (ANN, wraps.ethernet, 0, "enhanced"),
        (ANN, wraps.bare, 1, "enhanced"),
        (ANN6, wraps.cooked, 2, "obsolete"),
        (ANN, wraps.cooked2, 3, "enhanced"),
        (BEN6, wraps.loopback(">"), 0, "enhanced"),
        (BEN, wraps.loopback(">"), 1, "obsolete"),
        (BEN, wraps.ppp, 2, "enhanced"),
        (BEN, wraps.bare, 3, "enhanced"),
        (BEN6, wraps.bare, 4, "enhanced"),
    )
    at_ns = START
    for number, (client, wrap, interface, block) in enumerate(around):
        if number in (0, 4):
            scene.begin_section()
        flow = facebook(client, 50700 + number)
        at_ns = scene.add(https(flow, ((200, 600),)).steps, at_ns, wrap=wrap, interface=interface, block=block) + SECOND
        if number == 0:
            timeless = Flow(CEM, 50720, ANYBODY, 5004, protocol="udp")
            scene.add(opaque(timeless, [(True, 333), (False, 444)]), at_ns, block="simple")
    return scene


SCENES = (
    vlan_qinq_mpls_pppoe,
    gtp_u_with_extension_headers,
    tunnels,
    mixed_link_types,
)
