"""Row 19: a subscriber wraps a free packet in a tunnel of its own, as if it were the operator's."""

from __future__ import annotations

import pytest
from frames import TCP, UDP, client_hello, ip_packet
from meters import ALPHA_ADDRESS
from scapy.contrib.gtp import GTP_U_Header
from scapy.layers.inet import IP
from scapy.layers.inet import UDP as ScapyUDP
from scapy.layers.l2 import GRE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw
from scenes import FOREIGN, ME, Connection, Wire, bill

CORE = ("198.51.100.1", "198.51.100.2")
GRE_PROTOCOL = 47


def gtp_u(source: str, destination: str, packet: bytes) -> bytes:
    outer = IP(src=source, dst=destination) / ScapyUDP(sport=2152, dport=2152)
    return bytes(outer / GTP_U_Header(teid=7, gtp_type=255) / Raw(packet))


WRAPS = {
    "gtp-u": gtp_u,
    "gre": lambda a, b, packet: bytes(IP(src=a, dst=b, proto=GRE_PROTOCOL) / GRE(proto=0x0800) / Raw(packet)),
    "vxlan": lambda a, b, packet: bytes(
        IP(src=a, dst=b) / ScapyUDP(sport=4789, dport=4789) / VXLAN(vni=1) / Raw(b"\x02" * 12 + b"\x08\0" + packet)
    ),
    "ip in ip": lambda a, b, packet: bytes(IP(src=a, dst=b, proto=4) / Raw(packet)),
}


def free_packets() -> list[bytes]:
    wire = Wire()
    Connection(wire, ALPHA_ADDRESS).open().ask(client_hello("alpha.example")).close()
    assert set(bill(wire)) == {"free"}
    return [frame.octets for frame in wire.frames]


def turned(packet: bytes, ends: tuple[str, str]) -> tuple[str, str]:
    return ends if packet[12:16] == bytes(map(int, ME.split("."))) else ends[::-1]


@pytest.mark.parametrize("wrap", WRAPS)
def test_the_outer_packet_is_charged(wrap):
    wire = Wire()
    octets = sum(wire.send(WRAPS[wrap](*turned(packet, (ME, FOREIGN)), packet)) for packet in free_packets())
    assert bill(wire) == {"unknown_application": octets}


@pytest.mark.parametrize("wrap", WRAPS)
def test_the_operators_own_tunnel_is_opened_and_not_charged(wrap):
    wire = Wire()
    packets = free_packets()
    for packet in packets:
        wire.send(WRAPS[wrap](*turned(packet, CORE), packet))
    assert bill(wire) == {"free": sum(map(len, packets))}


@pytest.mark.parametrize("wrap", WRAPS)
def test_inside_the_operators_tunnel_the_subscribers_stays_closed(wrap):
    wire = Wire()
    inner = [WRAPS[wrap](*turned(packet, (ME, FOREIGN)), packet) for packet in free_packets()]
    for packet in inner:
        wire.send(gtp_u(*turned(packet, CORE), packet))
    assert bill(wire) == {"unknown_application": sum(map(len, inner))}


def test_a_free_address_on_the_tunnels_far_end_is_what_is_charged_for():
    """The packet's own addresses decide: a tunnel to the application's address is traffic with that address."""
    wire = Wire()
    packet = ip_packet(ME, FOREIGN, TCP, b"\0" * 20)
    octets = wire.send(gtp_u(ME, ALPHA_ADDRESS, packet))
    assert bill(wire) == {"free": octets}
    assert wire.frames[0].octets[9] == UDP
