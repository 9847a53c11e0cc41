"""Decoding against scapy and dpkt, on generated frames."""

from __future__ import annotations

import struct

import dpkt
import pytest
from decoding import Decoder, end
from frames import icmp_error, ip_packet, modest, tcp_segment, udp_datagram
from hypothesis import given
from hypothesis import strategies as st
from layered import CORE, LINKS, SUBSCRIBER_NETWORKS, TUNNELS, Framed, frames, ip_packets, read
from scapy.layers.inet import IP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, PadN, fragment6
from scapy.layers.ipsec import AH
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from classifier.iana import LINK_ETHERNET, LINK_RAW

DECODER = Decoder(*SUBSCRIBER_NETWORKS)
POISON = bytes(range(7, 256, 11)) * 3


def check_against_scapy(framed: Framed, padding=b""):
    """Everything that the meter uses, against what scapy reads of the packet that counts."""
    octets = framed.octets + padding
    reason, found = DECODER(octets, framed.link_type, before=POISON, behind=POISON)
    expected = read(framed.packet)
    assert reason is None
    assert found["version"] == expected.version
    assert found["octets"] == expected.octets
    assert (found["protocol"], found["fragment"]) == (expected.protocol, expected.fragment)
    assert (end(found, "source"), end(found, "destination")) == (expected.source, expected.destination)
    assert (found["source_port"], found["destination_port"]) == (expected.source_port, expected.destination_port)
    assert found["payload_octets"] == found["payload_captured"] == len(expected.payload)
    start = found["payload_start"]
    assert octets[start : start + found["payload_captured"]] == expected.payload
    if expected.tcp is not None:
        assert (found["tcp_sequence"], found["tcp_acknowledgement"], found["tcp_flags"]) == expected.tcp
    return found


@modest(250)
@given(frames(tunnels=2), st.binary(max_size=30))
def test_every_layered_frame_is_read_as_scapy_reads_it_and_padding_is_none_of_it(framed, padding):
    check_against_scapy(framed, padding)


@pytest.mark.parametrize("link", sorted(LINKS))
@pytest.mark.parametrize("tunnel", [None, *sorted(TUNNELS)])
def test_every_tunnel_is_opened_on_every_link(link, tunnel):
    packet = ip_packet("10.0.0.1", "203.0.113.5", 6, tcp_segment(50000, 443, 1, 2, payload=b"inside"))
    whole = packet if tunnel is None else TUNNELS[tunnel](packet, 4)
    link_type, wrap = LINKS[link]
    octets = wrap(whole)
    found = check_against_scapy(Framed(octets, len(octets) - len(packet), link_type, packet), b"\0" * 9)
    assert found["depth"] == (tunnel is not None)


@modest(150)
@given(ip_packets())
def test_dpkt_reads_the_same(packet):
    """Scapy built the packets and dpkt did not: a second opinion on both versions."""
    reason, found = DECODER(packet, LINK_RAW)
    assert reason is None
    if packet[0] >> 4 == 4:
        ip = dpkt.ip.IP(packet)
        octets, protocol, above = ip.len, ip.p, ip.data
    else:
        ip = dpkt.ip6.IP6(packet)
        octets, protocol, above = ip.plen + 40, ip.p, ip.data
    addresses = dpkt.utils.inet_to_str(ip.src), dpkt.utils.inet_to_str(ip.dst)
    assert (end(found, "source"), end(found, "destination")) == addresses
    assert (found["octets"], found["protocol"]) == (octets, protocol)
    if isinstance(above, dpkt.tcp.TCP | dpkt.udp.UDP):
        assert (found["source_port"], found["destination_port"]) == (above.sport, above.dport)
        start = found["payload_start"]
        assert packet[start : start + found["payload_captured"]] == bytes(above.data)


@pytest.mark.parametrize("tunnel", sorted(TUNNELS))
@pytest.mark.parametrize("mine", ["source", "destination"])
def test_a_tunnel_with_an_end_at_a_subscriber_is_the_subscribers_packet(tunnel, mine):
    packet = ip_packet("10.9.9.9", "203.0.113.5", 17, udp_datagram(5000, 5001, b"wrapped"))
    outer = TUNNELS[tunnel](packet, 4)
    reason, found = Decoder(f"{CORE[0][mine == 'destination']}/32", "10.0.0.0/8")(outer, LINK_RAW)
    assert reason is None
    assert (end(found, "source"), end(found, "destination")) == CORE[0]
    assert (found["octets"], found["depth"]) == (len(outer), 0)


def test_a_tunnel_in_a_tunnel_is_opened_until_an_outer_end_is_a_subscribers():
    """Accounting 1.3: a subscriber's own tunnel inside the operator's is the subscriber's packet."""
    free = ip_packet("10.0.0.1", "203.0.113.5", 17, udp_datagram(5000, 5001, b"free"))
    own = ip_packet(
        "10.0.0.1", "203.0.113.9", 17, udp_datagram(40000, 2152, struct.pack("!BBHI", 0x30, 255, len(free), 1) + free)
    )
    reason, found = DECODER(TUNNELS["gtp-u"](own, 4), LINK_RAW)
    assert reason is None
    assert (found["octets"], found["destination_port"], found["depth"]) == (len(own), 2152, 1)


def test_tunnels_are_opened_to_a_bounded_depth():
    packet = ip_packet("10.0.0.1", "203.0.113.5", 17, udp_datagram(5000, 5001))
    sizes = [len(packet)]
    for _ in range(40):
        packet = TUNNELS["ip in ip"](packet, 4)
        sizes.append(len(packet))
    reason, found = DECODER(packet, LINK_RAW)
    assert reason is None
    assert found["octets"] in sizes
    assert 2 <= found["depth"] < 20


@pytest.mark.parametrize(
    "inside", [b"", b"\x45", b"\x55" * 40, b"\x45\0\0\x13" + b"\0" * 30, b"\x41\0\0\x20" + b"\0" * 30]
)
def test_a_tunnel_that_holds_no_good_packet_counts_as_the_outer_packet(inside):
    outer = ip_packet(*CORE[0], 4, inside)
    reason, found = DECODER(outer, LINK_RAW)
    assert reason is None
    assert (found["octets"], found["protocol"], found["depth"]) == (len(outer), 4, 0)


# Accounting 1.2 and 1.5: lengths that lie.


@pytest.mark.parametrize("link", ["ethernet", "vlan", "cooked", "raw"])
@pytest.mark.parametrize("claimed", [0, 60000])
def test_a_total_length_of_none_or_beyond_the_frame_counts_what_the_wire_held(link, claimed):
    packet = bytearray(ip_packet("10.0.0.1", "203.0.113.5", 17, udp_datagram(5000, 5001, b"x" * 90)))
    struct.pack_into("!H", packet, 2, claimed)
    link_type, wrap = LINKS[link]
    octets = wrap(bytes(packet))
    for captured in (len(octets), len(octets) - 50):
        reason, found = DECODER(octets, link_type, captured=captured)
        assert reason is None
        assert found["octets"] == len(packet)
        assert found["payload_octets"] == 90
        assert found["payload_captured"] == 90 - (len(octets) - captured)


def test_an_ipv6_payload_length_beyond_the_frame_counts_what_the_wire_held():
    packet = bytearray(ip_packet("2001:db8:5::1", "2001:db8::2", 17, udp_datagram(5000, 5001, b"x" * 90)))
    struct.pack_into("!H", packet, 4, 60000)
    reason, found = DECODER(bytes(packet), LINK_RAW)
    assert (reason, found["octets"]) == (None, len(packet))


@pytest.mark.parametrize(("first", "claimed"), [(0x45, 19), (0x45, 1), (0x46, 20), (0x44, 40), (0x40, 40), (0x4F, 59)])
def test_a_length_smaller_than_the_header_is_malformed(first, claimed):
    packet = bytearray(ip_packet("10.0.0.1", "203.0.113.5", 17, udp_datagram(5000, 5001, b"x" * 60)))
    packet[0] = first
    struct.pack_into("!H", packet, 2, claimed)
    assert DECODER(bytes(packet), LINK_RAW)[0] == "malformed"


def test_a_length_field_that_was_captured_counts_although_the_header_was_cut():
    """Accounting 1.2: the header's length; and total length 0 counts as the frame's wire length."""
    packet = bytearray(ip_packet("10.0.0.1", "203.0.113.5", 17, udp_datagram(5000, 5001, b"x" * 60)))
    for claimed, octets in ((len(packet), len(packet)), (60000, len(packet)), (0, len(packet))):
        struct.pack_into("!H", packet, 2, claimed)
        for captured in range(4, 20):
            reason, found = DECODER(bytes(packet), LINK_RAW, captured=captured)
            assert (reason, found["octets"]) == ("truncated", octets), captured


def test_a_segmentation_offload_packet_of_ipv6_counts_its_jumbo_length():
    payload = udp_datagram(5000, 5001, b"")
    option = struct.pack("!BBBBI", 17, 0, 0xC2, 4, 70000 + 8 + len(payload))
    head = bytearray(ip_packet("2001:db8:5::1", "2001:db8::2", 0, option + payload))
    struct.pack_into("!H", head, 4, 0)
    reason, found = DECODER(bytes(head), LINK_RAW, wire=len(head) + 70000)
    assert (reason, found["octets"]) == (None, len(head) + 70000)
    assert (found["source_port"], found["destination_port"]) == (5000, 5001)


def test_a_udp_length_bounds_the_payload_but_not_what_counts():
    packet = bytearray(ip_packet("10.0.0.1", "203.0.113.5", 17, udp_datagram(5000, 5001, b"x" * 60)))
    struct.pack_into("!H", packet, 24, 8 + 10)
    _, found = DECODER(bytes(packet), LINK_RAW)
    assert (found["octets"], found["payload_octets"]) == (88, 10)


# Fragments: what scapy cut.


@modest(40)
@given(st.integers(130, 400), st.sampled_from((16, 64, 128)), st.integers(1, 65535))
def test_fragments_of_ipv4_are_told_apart_as_scapy_cut_them(octets, size, identification):
    whole = IP(src="10.0.0.1", dst="203.0.113.5", proto=17, id=identification) / Raw(
        udp_datagram(5000, 5001, b"x" * octets)
    )
    parts = fragment(whole, fragsize=size)
    for number, part in enumerate(parts):
        reason, found = DECODER(bytes(part), LINK_RAW)
        assert reason is None
        assert (found["fragment"], found["fragment_id"]) == (2 if number else 1, identification)
        assert found["octets"] == len(bytes(part))
        assert (found["source_port"], found["destination_port"]) == ((0, 0) if number else (5000, 5001))
        if number:
            assert found["payload_octets"] == 0


def test_fragments_of_ipv6_are_told_apart_as_scapy_cut_them():
    head = IPv6(src="2001:db8:5::1", dst="2001:db8::2", nh=44) / IPv6ExtHdrFragment(id=77, nh=17)
    parts = fragment6(head / Raw(udp_datagram(5000, 5001, b"x" * 3000)), 1280)
    assert len(parts) > 2
    for number, part in enumerate(parts):
        reason, found = DECODER(bytes(part), LINK_RAW)
        assert reason is None
        assert (found["fragment"], found["fragment_id"], found["protocol"]) == (2 if number else 1, 77, 17)
        assert found["octets"] == len(bytes(part))
        assert (found["source_port"], found["destination_port"]) == ((0, 0) if number else (5000, 5001))


@pytest.mark.parametrize("tunnel", ["ip in ip", "gre", "gtp-u"])
def test_a_packet_in_the_first_fragment_of_a_tunnel_counts_whole_and_the_rest_stays_outside(tunnel):
    packet = ip_packet("10.0.0.1", "203.0.113.5", 17, udp_datagram(5000, 5001, b"x" * 1400))
    first, *rest = fragment(IP(TUNNELS[tunnel](packet, 4)), fragsize=800)
    _, found = DECODER(bytes(first), LINK_RAW)
    assert (found["octets"], found["depth"], found["destination_port"]) == (len(packet), 1, 5001)
    for part in rest:
        _, found = DECODER(bytes(part), LINK_RAW)
        assert (found["fragment"], found["depth"]) == (2, 0)
        assert (end(found, "source"), end(found, "destination")) == CORE[0]


# ICMP errors: the packet quoted.


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("protocol", [6, 17, 132])
def test_an_icmp_error_says_which_packet_it_quotes(version, protocol):
    ends = ("10.0.0.1", "203.0.113.5") if version == 4 else ("2001:db8:5::1", "2001:db8::2")
    above = tcp_segment(50000, 443) if protocol == 6 else udp_datagram(50000, 443, b"sixteen octets..")
    error = icmp_error(ip_packet(*ends, protocol, above), version)
    _, found = DECODER(
        ip_packet("203.0.113.7" if version == 4 else "2001:db8::7", ends[0], 1 if version == 4 else 58, error), LINK_RAW
    )
    assert (found["quoted"], found["quoted_protocol"]) == (1, protocol)
    quoted = {key.removeprefix("quoted_"): value for key, value in found.items() if key.startswith("quoted_")}
    assert (end(quoted | {"version": version}, "source"), end(quoted | {"version": version}, "destination")) == ends
    expected = (50000, 443) if protocol in (6, 17) else (0, 0)
    assert (found["quoted_source_port"], found["quoted_destination_port"]) == expected


def test_what_is_no_icmp_error_quotes_nothing():
    inner = ip_packet("10.0.0.1", "203.0.113.5", 17, udp_datagram(50000, 443, b"x" * 40))
    echo = bytes([8, *icmp_error(inner)[1:]])
    long_error = icmp_error(inner + b"x" * 700)
    for message in (echo, long_error):
        _, found = DECODER(ip_packet("203.0.113.7", "10.0.0.1", 1, message), LINK_RAW)
        assert found["quoted"] == 0


# What is no IP packet, or one whose headers hide the ports.


@pytest.mark.parametrize(
    ("octets", "link_type"),
    [
        (bytes(Ether() / ARP()) + b"\0" * 18, LINK_ETHERNET),
        (bytes(Ether(type=0x88CC)) + b"\1" * 50, LINK_ETHERNET),
        (bytes(Ether(type=0x8863)) + b"\x11" * 50, LINK_ETHERNET),
        (b"\x95" * 40, LINK_RAW),
        (bytes(Ether(type=0x8100)) + b"\0\1\x81\0" * 200, LINK_ETHERNET),
    ],
)
def test_what_is_no_ip_packet_says_so_and_counts_no_octets(octets, link_type):
    reason, found = DECODER(octets, link_type)
    assert (reason, found["octets"]) == ("not_ip", 0)


def test_a_link_type_that_nobody_can_read_says_so():
    reason, found = DECODER(b"\x45" * 60, 147)
    assert (reason, found["octets"]) == ("unsupported_link", 0)


def test_an_authentication_header_does_not_hide_the_ports():
    packet = bytes(IP(src="10.0.0.1", dst="203.0.113.5") / AH(icv=b"\0" * 12) / Raw(udp_datagram(5000, 5001)))
    packet = bytearray(packet)
    packet[20:22] = (17, 4)  # next header, length in words less two (RFC 4302, 2.2)
    _, found = DECODER(bytes(packet), LINK_RAW)
    assert (found["protocol"], found["source_port"], found["destination_port"]) == (17, 5000, 5001)


def test_extension_headers_without_end_leave_a_flow_without_ports():
    option = bytes(IPv6ExtHdrDestOpt(nh=60, options=[PadN(optdata=b"\0" * 4)]))
    packet = ip_packet("2001:db8:5::1", "2001:db8::2", 60, option * 150)
    reason, found = DECODER(packet, LINK_RAW)
    assert (reason, found["octets"], found["source_port"]) == (None, len(packet), 0)


@modest(300)
@given(
    st.binary(max_size=120), st.sampled_from([0, 1, 9, 12, 50, 101, 104, 105, 108, 113, 127, 192, 228, 229, 276, 999])
)
def test_any_octets_on_any_link_are_read_the_same_whatever_lies_around_them(octets, link_type):
    alone = DECODER(octets, link_type)
    surrounded = DECODER(octets, link_type, before=b"\x45" * 64, behind=b"\x45" * 64)
    assert alone[0] == surrounded[0]
    assert alone[1]["octets"] == surrounded[1]["octets"] <= len(octets)
    if alone[0] is None:
        assert alone == surrounded


@pytest.mark.parametrize("octets", [0, 1, 7])
def test_an_icmp_error_about_a_packet_shorter_than_64_bits_of_data_quotes_it_all(octets):
    """RFC 792: the header and 64 bits of data, or all of less; a flow without ports needs none of them."""
    quoted = ip_packet("10.0.0.1", "203.0.113.5", 99, b"x" * octets)
    _, found = DECODER(ip_packet("203.0.113.5", "10.0.0.1", 1, icmp_error(quoted)), LINK_RAW)
    assert (found["quoted"], found["quoted_protocol"]) == (1, 99)
