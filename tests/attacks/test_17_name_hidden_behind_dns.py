"""Row 17 turned around: a free name's address serves others, too, and the name that is asked for there is hidden from view.

The subscriber looks the free application up, at the operator's resolver, and then asks another one at that address. A flow
that shows no name would be the free application's.
"""

from __future__ import annotations

import pytest
from dns_messages import address, answer_message, query_message
from frames import UDP, client_hello, ip_packet, udp_datagram
from meters import RESOLVER
from scenes import FOREIGN, ME, Connection, Wire, bill, request
from test_20_quic_odds import SHORT, Quic, initial

HELLO = client_hello("www.other.example")
REQUEST = request("GET / HTTP/1.1", "Host: www.other.example")
TINY = 10


def looked_up(name="www.gamma.example") -> tuple[Wire, int]:
    """A wire on which the subscriber was told that the free name has the address; the octets of that, which are free."""
    wire = Wire()
    ports = (40000, 53)
    octets = wire.send(ip_packet(ME, RESOLVER, UDP, udp_datagram(*ports, query_message(name))))
    answer = answer_message(name, [address(name, FOREIGN)])
    return wire, octets + wire.send(ip_packet(RESOLVER, ME, UDP, udp_datagram(*ports[::-1], answer)))


def pieces(octets: bytes, size: int) -> list[tuple[int, bytes]]:
    return [(at, octets[at : at + size]) for at in range(0, len(octets), size)]


HIDDEN = {
    "a hello in tiny segments": pieces(HELLO, TINY),
    "a hello in tiny segments, the last one first": pieces(HELLO, TINY)[::-1],
    "a request in tiny segments": pieces(request("GET / HTTP/1.1", "A: " + "b" * 400, "Host: www.other.example"), TINY),
    "a hello behind an empty record": [(0, b"\x16\x03\x01\0\0" + HELLO)],
    "a hello behind a warning": [(0, b"\x15\x03\x01\0\2\1\x5a" + HELLO)],
    "a hello behind a warning in pieces": [*pieces(b"\x15\x03\x01\0\2\1\x5a" + HELLO[:1], 4), (8, HELLO[1:])],
    "a hello of a later version": [(0, HELLO[:2] + b"\xff" + HELLO[3:])],
    "a request behind empty lines": [(0, b"\r\n\n" + REQUEST)],
    "a request whose line ends in blanks": [(0, REQUEST.replace(b"1.1", b"1.1 \t"))],
    "a request of a version with more digits": [(0, REQUEST.replace(b"1.1", b"1.10"))],
    "a request with more blanks": [(0, REQUEST.replace(b" ", b"  "))],
    "HTTP/2 without TLS": [(0, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(300))],
    "a head longer than what is read": pieces(
        request("GET / HTTP/1.1", "A: " + "b" * 17_000, "Host: www.other.example"), 1400
    ),
}


@pytest.mark.parametrize("trick", HIDDEN)
def test_a_tcp_flow_that_hides_its_name_is_not_named_by_dns(trick):
    wire, free = looked_up()
    talk = Connection(wire, FOREIGN).open()
    for at, piece in HIDDEN[trick]:
        talk.up(piece, at=at)
    talk.down(b"x" * 900).close()
    assert bill(wire) == {"free": free, "unknown_application": talk.octets}


def test_nor_is_one_whose_buffer_went_to_others():
    """With row 28: the subscriber's own further hellos take the buffers."""
    wire, free = looked_up()
    talk = Connection(wire, FOREIGN).open().up(HELLO[:40])
    others = [Connection(wire, FOREIGN, port=51000 + number).open().up(HELLO[:60]) for number in range(4)]
    talk.up(HELLO[40:]).down(b"x" * 900).close()
    charged = talk.octets + sum(other.octets for other in others)
    assert bill(wire, streams=2) == {"free": free, "unknown_application": charged}


def test_a_flow_in_which_no_name_can_be_hidden_is_still_named():
    wire, free = looked_up()
    talk = Connection(wire, FOREIGN, server_port=5222).open().ask(b"\x01\x02 a protocol without names").close()
    assert bill(wire) == {"free": free + talk.octets}


@pytest.mark.parametrize("cuts", [[], [8], [64], [1200]])
def test_a_hello_behind_a_datagram_of_anything_is_asked_for_its_name(cuts):
    """The first datagram alone would make it the free application's."""
    wire, free = looked_up()
    quic = Quic(FOREIGN, wire)
    free += quic.up(b"anything") + quic.up(SHORT)
    charged = quic.up(initial("www.other.example"), cuts) + quic.down(bytes(900))
    assert bill(wire) == {"free": free, "unknown_application": charged}


@pytest.mark.parametrize("cuts", [[8], [64], [1200]])
def test_a_hello_in_fragments_is_not_named_by_dns(cuts):
    wire, free = looked_up()
    quic = Quic(FOREIGN, wire)
    charged = quic.up(initial("www.other.example"), cuts) + quic.down(bytes(900))
    assert bill(wire) == {"free": free, "unknown_application": charged}


def test_a_hello_behind_more_datagrams_than_are_read_is_not_named_by_dns():
    wire, free = looked_up()
    quic = Quic(FOREIGN, wire)
    charged = sum(quic.up(b"\xc0\0\0\0\1\x08original\x06client" + bytes(1200)) for _ in range(40))
    charged += quic.up(initial("www.other.example")) + quic.down(bytes(900))
    assert bill(wire) == {"free": free, "unknown_application": charged}
