"""A frame that an interface joined out of several packets counts as those packets would have, one by one."""

from __future__ import annotations

import dataclasses

import pytest
from frames import Sent, ip_packet, tcp_segment, udp_datagram
from meters import ALPHA_ADDRESS, START_NS, measure

from classifier.iana import LINK_RAW

TCP, UDP, IPV6_IN = 6, 17, 41
SUBSCRIBER, SUBSCRIBER6, SERVER6 = "10.0.0.9", "2001:db8:5::9", "2001:db8:a::10"
GATEWAYS = ("192.0.2.1", "192.0.2.2")


def tcp_pieces(octets: int, size: int):
    """(sequence, payload) of each packet of a segment of so many octets, cut as an interface cuts it."""
    payload = bytes(number % 251 for number in range(octets))
    return [(1000 + at, payload[at : at + size]) for at in range(0, octets, size)]


def joined(pieces):
    return [(pieces[0][0], b"".join(payload for _, payload in pieces))]


def tcp4(piece):
    return ip_packet(ALPHA_ADDRESS, SUBSCRIBER, TCP, tcp_segment(443, 50000, *piece[:1], payload=piece[1]))


def tcp6(piece):
    return ip_packet(SERVER6, SUBSCRIBER6, TCP, tcp_segment(443, 50000, *piece[:1], payload=piece[1]))


def udp4(piece):
    return ip_packet(ALPHA_ADDRESS, SUBSCRIBER, UDP, udp_datagram(443, 50000, piece[1]))


def tunnelled(piece):
    """In the operator's GTP-U: the subscriber's packet counts (accounting 1.3)."""
    inner = tcp4(piece)
    gtp = b"\x30\xff" + len(inner).to_bytes(2, "big") + b"\x00\x00\x00\x07" + inner
    return ip_packet(*GATEWAYS, UDP, udp_datagram(2152, 2152, gtp))


def own_tunnel(piece):
    """A subscriber's own 6in4: the outer packet counts, and its headers are the inner ones, too."""
    return ip_packet(ALPHA_ADDRESS, SUBSCRIBER, IPV6_IN, tcp6(piece))


def sent(packet, pieces, size=0, headers=0):
    return [Sent(START_NS, packet(piece), LINK_RAW, gso_octets=size, gso_header_octets=headers) for piece in pieces]


HEADERS = {tcp4: 40, tcp6: 60, udp4: 28, tunnelled: 76}


@pytest.mark.parametrize(("octets", "size"), [(5000, 1448), (4344, 1448), (1449, 1448), (1448, 1448), (60_000, 500)])
@pytest.mark.parametrize(
    ("packet", "headers"),
    [
        *((packet, headers) for packet in (tcp4, tcp6, udp4, tunnelled) for headers in (0, HEADERS[packet])),
        (own_tunnel, 80),
    ],
)
def test_as_many_octets_and_packets_as_on_the_wire(packet, headers, octets, size):
    pieces = tcp_pieces(octets, size)
    apart = measure(sent(packet, pieces))
    at_once = measure(sent(packet, joined(pieces), size, headers))
    assert at_once.totals.observed_frames == len(pieces)
    assert at_once.totals._asdict() == apart.totals._asdict()
    assert at_once.usage == apart.usage
    assert [(one.octets, one.packets) for one in at_once.flows] == [(one.octets, one.packets) for one in apart.flows]


def test_padding_behind_the_packet_is_no_payload():
    (piece,) = tcp_pieces(10, 10)
    frame = sent(tcp4, [piece], 10, 40)[0]
    padded = dataclasses.replace(frame, octets=frame.octets + bytes(30))
    assert measure([padded]).totals.observed_octets == measure([frame]).totals.observed_octets == 50


def test_what_is_not_ip_counts_once():
    totals = measure([Sent(START_NS, b"\x00" * 3000, LINK_RAW, gso_octets=1000)]).totals
    assert (totals.observed_frames, totals.observed_octets) == (1, 0)
