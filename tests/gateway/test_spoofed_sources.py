"""A subscriber who sends as another (attack 25): counted apart as spoofed, never on the other's bill."""

from __future__ import annotations

import pytest
from binding_packets import START, STOP, accounting, ack, dhcp_message, imsi
from bound_session import ROUTER, SERVER, Wire, datagram, run, server_of
from frames import Sent, client_hello
from scapy.contrib.gtp import GTP_U_Header
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.l2 import CookedLinux, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN

from classifier.iana import LINK_LINUX_SLL

ADDRESS, ADDRESS_V6 = "10.0.0.7", "2001:db8:5:7::1"
OWN, ANOTHER = 0x0A, 0x0B
UP, DOWN = 128, 228


def by_mac(packet, line: int):
    return Ether(src=f"02:00:00:00:00:{line:02x}", dst=ROUTER) / packet


def by_mac_in_vxlan(packet, line: int):
    """The inner Ethernet header is the subscriber's; the outer one, and the tagged one around it, are the operator's."""
    outer = Ether(src=ROUTER, dst=ROUTER) / Dot1Q(vlan=7) / IP(src="192.0.2.11", dst="192.0.2.12")
    return outer / UDP(sport=1, dport=4789) / VXLAN(vni=5) / by_mac(packet, line)


def by_vlan(packet, line: int):
    return Ether(src=ROUTER, dst=ROUTER) / Dot1Q(vlan=line) / packet


def by_outer_vlan(packet, line: int):
    return Ether(src=ROUTER, dst=ROUTER) / Dot1Q(vlan=line, type=0x8100) / Dot1Q(vlan=3) / packet


def by_teid(packet, line: int):
    outer = Ether(src=ROUTER, dst=ROUTER) / IP(src="192.0.2.11", dst="192.0.2.12") / UDP(sport=2152, dport=2152)
    return outer / GTP_U_Header(teid=line, gtp_type=255) / packet


LINES = {
    "mac": by_mac,
    "mac in vxlan": by_mac_in_vxlan,
    "vlan": by_vlan,
    "vlan of two": by_outer_vlan,
    "teid": by_teid,
}


def settings(kind: str) -> str:
    return f'[link_binding]\nby = "{kind.split()[0]}"\n'


def up(payload=100, port=4000, address=ADDRESS):
    return datagram(address, server_of(address), port, 9000, payload)


def down(payload=200, port=4000, address=ADDRESS):
    return datagram(server_of(address), address, 9000, port, payload)


@pytest.mark.parametrize("batch_frames", [1, 7, 4096])
@pytest.mark.parametrize("kind", LINES)
def test_what_comes_over_another_line_is_nobodys(tmp_path, kind, batch_frames):
    """On the flow of its victim, and on one of its own; what comes down to the address is still its owner's."""
    line = LINES[kind]
    wire = Wire().send(line(up(), OWN)).send(line(down(), 0x77))
    wire.send(line(up(300), ANOTHER)).send(line(up(400, port=4001), ANOTHER)).send(line(down(50, port=4001), 0x77))
    wire.send(line(up(), OWN))
    found = run(tmp_path, settings(kind), wire, batch_frames=batch_frames)
    assert found.octets == {ADDRESS: 2 * UP + DOWN + 78}
    assert found.unmetered == {"spoofed": (2, 328 + 428)}
    assert dict(found.report.charged_because)["unasked"] == 78


@pytest.mark.parametrize("kind", LINES)
def test_without_link_binding_nobody_asks(tmp_path, kind):
    wire = Wire().send(LINES[kind](up(), OWN)).send(LINES[kind](up(300), ANOTHER))
    assert run(tmp_path, "", wire).octets == {ADDRESS: UP + 328}


def test_an_ipv6_subscriber_is_bound_with_its_whole_64(tmp_path):
    """Else a neighbour would take another address in it, which nobody has seen yet."""
    wire = Wire().send(by_mac(up(address=ADDRESS_V6), OWN)).send(by_mac(up(address="2001:db8:5:7::2"), ANOTHER))
    found = run(tmp_path, settings("mac"), wire.send(by_mac(up(address="2001:db8:5:8::1"), ANOTHER)))
    assert found.octets == {"2001:db8:5:7::/64": 148, "2001:db8:5:8::/64": 148}
    assert found.unmetered == {"spoofed": (1, 148)}


def test_another_line_counts_after_five_minutes_of_silence_of_the_first(tmp_path):
    """What is spoofed meanwhile does not keep the owner's line alive, and not its own either."""
    wire = Wire().send(by_mac(up(), OWN)).wait(200).send(by_mac(up(1), ANOTHER)).wait(99).send(by_mac(up(2), ANOTHER))
    wire.wait(2).send(by_mac(up(3), ANOTHER)).send(by_mac(up(4), OWN))
    found = run(tmp_path, settings("mac"), wire)
    assert found.octets == {ADDRESS: UP + 31}
    assert found.unmetered == {"spoofed": (3, 29 + 30 + 32)}


def test_a_connection_is_neither_reset_nor_named_nor_begun_anew_over_another_line(tmp_path):
    hello, evil = client_hello("en.wikipedia.org"), client_hello("www.example.org")
    own, back = {"sport": 5000, "dport": 443}, {"sport": 443, "dport": 5000}

    def sent(flags, seq, acknowledged, payload=b"", line=OWN):
        return by_mac(IP(src=ADDRESS, dst=SERVER) / TCP(**own, flags=flags, seq=seq, ack=acknowledged) / payload, line)

    def answered(flags, seq, acknowledged, payload=b""):
        return by_mac(IP(src=SERVER, dst=ADDRESS) / TCP(**back, flags=flags, seq=seq, ack=acknowledged) / payload, 1)

    wire = Wire().send(sent("S", 100, 0)).send(sent("S", 7000, 0, line=ANOTHER)).send(answered("SA", 900, 101))
    wire.send(sent("PA", 101, 901, evil, ANOTHER)).send(sent("R", 101, 901, line=ANOTHER))
    wire.send(sent("PA", 101, 901, hello)).send(answered("PA", 901, 101 + len(hello), bytes(500)))
    found = run(tmp_path, settings("mac"), wire)
    (flow,) = found.flows
    assert (flow.application, flow.name, flow.ended) == ("wikipedia", "en.wikipedia.org", "input_end")
    assert found.octets == {ADDRESS: 40 + 40 + 40 + len(hello) + 540}
    assert found.unmetered == {"spoofed": (3, 40 + 40 + len(evil) + 40)}


def test_fragments_are_spoofed_with_and_without_their_first(tmp_path):
    pieces = fragment(IP(src=ADDRESS, dst=SERVER, id=77) / UDP(sport=4000, dport=9000) / bytes(160), 96)
    wire = Wire().send(by_mac(up(), OWN))
    for piece in (*pieces, pieces[1]):
        wire.send(by_mac(piece, ANOTHER))
    for piece in reversed(pieces):
        wire.send(by_mac(piece, OWN))
    found = run(tmp_path, settings("mac"), wire)
    assert found.octets == {ADDRESS: UP + 116 + 92}
    assert found.unmetered == {"spoofed": (3, 116 + 92 + 92)}


def test_an_icmp_error_over_another_line_is_not_on_the_flow_that_it_quotes(tmp_path):
    error = IP(src=ADDRESS, dst=SERVER) / ICMP(type=3, code=3) / down()
    wire = Wire().send(by_mac(up(), OWN)).send(by_mac(down(), 1)).send(by_mac(error, ANOTHER)).send(by_mac(error, OWN))
    found = run(tmp_path, settings("mac"), wire)
    assert found.octets == {ADDRESS: UP + DOWN + len(error)}
    assert found.unmetered == {"spoofed": (1, len(error))}


def test_link_local_addresses_are_on_every_line(tmp_path):
    wire = Wire()
    for line in (OWN, ANOTHER):
        wire.send(by_mac(datagram("fe80::1", "2001:db8:f::9", 1, 2, 10), line))
    found = run(tmp_path, settings("mac"), wire)
    assert found.octets == {"fe80::/64": 2 * 58}
    assert found.unmetered == {}


def test_linux_cooked_captures_have_the_senders_mac_too(tmp_path):
    wire = Wire()
    for line, payload in ((OWN, 100), (ANOTHER, 300)):
        source = bytes([2, 0, 0, 0, 0, line])
        wire.frames.append(cooked(wire.time_ns, up(payload), source))
    found = run(tmp_path, settings("mac"), wire)
    assert found.octets == {ADDRESS: UP}
    assert found.unmetered == {"spoofed": (1, 328)}


def cooked(time_ns, packet, source: bytes):
    return Sent(time_ns, bytes(CookedLinux(src=source, lladdrlen=6, proto=0x800) / packet), LINK_LINUX_SLL)


def test_dhcp_tells_the_mac_so_that_nobody_can_come_first(tmp_path):
    """The neighbour sends before the owner does; and a new lease counts at once, without five minutes of silence."""
    configuration = settings("mac") + '[dhcp]\nservers = ["192.0.2.67"]\n[bindings]\ncapacity = 8\n'

    def lease(line: int):
        return datagram("192.0.2.67", "255.255.255.255", 67, 68, ack(f"02:00:00:00:00:{line:02x}", ADDRESS))

    wire = Wire().send(by_mac(up(300), OWN)).send(lease(OWN)).send(by_mac(up(1), ANOTHER)).send(by_mac(up(), OWN))
    wire.send(lease(ANOTHER)).send(by_mac(up(2), OWN)).send(by_mac(up(400), ANOTHER))
    found = run(tmp_path, configuration, wire)
    assert found.octets == {
        ADDRESS: 328,
        "02:00:00:00:00:0a": UP,
        "02:00:00:00:00:0b": 428,
    }
    assert found.unmetered["spoofed"] == (2, 29 + 30)


@pytest.mark.parametrize("next_one", ["460001", "460002"])
def test_a_new_binding_may_come_over_another_line(tmp_path, next_one):
    """After a new session, be it of the same subscriber, the new tunnel counts at once; the old one no more."""
    configuration = settings("teid") + '[radius]\nservers = ["192.0.2.2"]\nsecret_file = "secret"\n'

    def session(status: int, name: str, who: str):
        payload = accounting(status, name, imsi(who), address=ADDRESS)
        return datagram("192.0.2.1", "192.0.2.2", 1812, 1813, payload)

    wire = Wire().send(session(START, "s1", "460001")).send(by_teid(up(), OWN)).send(session(STOP, "s1", "460001"))
    wire.send(session(START, "s2", next_one)).send(by_teid(up(300), ANOTHER)).send(by_teid(up(), OWN))
    found = run(tmp_path, configuration + "[bindings]\ncapacity = 8\n", wire)
    assert found.octets == ({"460001": UP + 328} if next_one == "460001" else {"460001": UP, "460002": 328})
    assert found.unmetered["spoofed"] == (1, UP)


def test_a_spoofed_release_does_not_end_a_lease(tmp_path):
    configuration = settings("mac") + '[dhcp]\nservers = ["192.0.2.67"]\n[bindings]\ncapacity = 8\n'
    mac = "02:00:00:00:00:0a"
    lease = datagram("192.0.2.67", "255.255.255.255", 67, 68, ack(mac, ADDRESS))
    release = datagram(ADDRESS, "192.0.2.67", 68, 67, dhcp_message("release", mac, ciaddr=ADDRESS))
    wire = Wire().send(lease).send(by_mac(release, ANOTHER)).send(by_mac(up(), OWN))
    found = run(tmp_path, configuration, wire)
    assert found.octets == {mac: UP}
    assert found.unmetered["spoofed"] == (1, len(release))
