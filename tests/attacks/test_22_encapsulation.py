"""Row 22: whatever an operator wraps its subscribers' packets in, the subscriber's packet is what counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from frames import Sent, client_hello, modest
from hypothesis import given
from hypothesis import strategies as st
from meters import ALPHA_ADDRESS, measure
from scapy.contrib.gtp import GTP_U_Header, GTPPDUSessionContainer
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, Dot1AD, Dot1Q, Ether
from scapy.layers.ppp import PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw
from scenes import Connection, Wire, billed

from classifier.iana import LINK_ETHERNET

CORE = {"src": "198.51.100.1", "dst": "198.51.100.2"}
CORE_V6 = {"src": "2001:db8:ffff::1", "dst": "2001:db8:ffff::2"}
IPV4 = 0x0800


def gtp(packet, *, session: bool, sequence: bool, outer=None):
    header = GTP_U_Header(teid=1, gtp_type=255, S=int(sequence), seq=5 if sequence else None, E=int(session))
    if session:
        header = header / GTPPDUSessionContainer(type=0, QFI=9)
    return (IP(**CORE) if outer is None else outer) / UDP(sport=2152, dport=2152) / header / packet


WRAPS = {
    "plain": lambda p: Ether(type=IPV4) / p,
    "802.1Q": lambda p: Ether() / Dot1Q(vlan=5, type=IPV4) / p,
    "802.1ad": lambda p: Ether(type=0x88A8) / Dot1AD(vlan=7, type=0x8100) / Dot1Q(vlan=5, type=IPV4) / p,
    "9100": lambda p: Ether(type=0x9100) / Dot1Q(vlan=7, type=0x8100) / Dot1Q(vlan=5, type=IPV4) / p,
    "PPPoE": lambda p: Ether(type=0x8864) / PPPoE(sessionid=3) / PPP(proto=0x21) / p,
    "PPPoE in QinQ": lambda p: (
        Ether(type=0x88A8) / Dot1AD(vlan=1, type=0x8100) / Dot1Q(vlan=2, type=0x8864) / PPPoE() / PPP(proto=0x21) / p
    ),
    "MPLS": lambda p: Ether(type=0x8847) / MPLS(label=16, s=0) / MPLS(label=17, s=1) / p,
    "VXLAN": lambda p: Ether() / IP(**CORE) / UDP(sport=4789, dport=4789) / VXLAN(vni=1) / Ether(type=IPV4) / p,
    "GRE": lambda p: Ether() / IP(**CORE, proto=47) / GRE(proto=IPV4) / p,
    "GRE with key and checksum": lambda p: (
        Ether() / IP(**CORE, proto=47) / GRE(proto=IPV4, key_present=1, key=9, chksum_present=1) / p
    ),
    "IP in IP": lambda p: Ether() / IP(**CORE, proto=4) / p,
    "GTP-U": lambda p: Ether() / gtp(p, session=False, sequence=False),
    "GTP-U with a sequence number": lambda p: Ether() / gtp(p, session=False, sequence=True),
    "GTP-U with an extension header": lambda p: Ether() / gtp(p, session=True, sequence=False),
    "GTP-U over IPv6": lambda p: Ether(type=0x86DD) / gtp(p, session=False, sequence=False, outer=IPv6(**CORE_V6)),
    "GTP-U in 802.1ad": lambda p: Ether(type=0x88A8) / Dot1AD(vlan=7, type=IPV4) / gtp(p, session=True, sequence=False),
}


def connection() -> tuple[Wire, int]:
    wire = Wire()
    talk = Connection(wire, ALPHA_ADDRESS).open().ask(client_hello("alpha.example")).close()
    return wire, talk.octets


def wrapped(frame: Sent, wrap: str) -> Sent:
    return replace(frame, octets=bytes(WRAPS[wrap](Raw(frame.octets))), link_type=LINK_ETHERNET)


@pytest.mark.parametrize("wrap", WRAPS)
def test_name_and_octets_are_those_of_the_packet_inside(wrap):
    wire, octets = connection()
    assert billed(measure([wrapped(frame, wrap) for frame in wire.frames])) == {"free": octets}


@modest(25)
@given(st.lists(st.sampled_from(sorted(WRAPS)), min_size=8, max_size=8))
def test_it_is_one_flow_however_each_of_its_packets_is_wrapped(wraps):
    """A capture may hold the way in and the way out, or an interface that carries several kinds."""
    wire, octets = connection()
    frames = [wrapped(frame, wraps[place % len(wraps)]) for place, frame in enumerate(wire.frames)]
    outcome = measure(frames)
    assert billed(outcome) == {"free": octets}
    assert len(outcome.flows) == 1
