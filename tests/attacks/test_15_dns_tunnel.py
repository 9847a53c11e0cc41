"""Row 15: megabytes over port 53, as answers or as anything else. Port 53 is a service, and proves nothing."""

from __future__ import annotations

import struct

from frames import TCP, UDP, client_hello, ip_packet, modest, udp_datagram
from hypothesis import given
from hypothesis import strategies as st
from meters import RESOLVER
from scenes import FOREIGN, ME, Connection, Wire, bill, verdicts

TXT, NULL = 16, 10  # IANA "Resource Record (RR) TYPEs"


def message(identification: int, kind: int, data: bytes | None) -> bytes:
    """A question for a name of `kind`, or the answer to it (RFC 1035, 4.1)."""
    name = b"\x01x\x06tunnel\x04test\0"
    answers = data is not None
    head = struct.pack("!HHHHHH", identification, 0x8180 if answers else 0x0100, 1, int(answers), 0, 0)
    head += name + struct.pack("!HH", kind, 1)
    return head + (b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(data)) + data if answers else b"")


def exchange(server: str, payloads: list[tuple[bytes, bytes]]) -> tuple[Wire, int]:
    wire, octets = Wire(), 0
    for up, down in payloads:
        octets += wire.send(ip_packet(ME, server, UDP, udp_datagram(5353, 53, up)))
        octets += wire.send(ip_packet(server, ME, UDP, udp_datagram(53, 5353, down)))
    return wire, octets


@modest(20)
@given(st.sampled_from((TXT, NULL)), st.lists(st.integers(0, 1200), min_size=1, max_size=20))
def test_long_answers_from_anybody_are_charged(kind, lengths):
    wire, octets = exchange(
        FOREIGN, [(message(n, kind, None), message(n, kind, b"\xff" * length)) for n, length in enumerate(lengths)]
    )
    assert bill(wire) == {"evidence_not_accepted": octets}
    assert {verdict[:2] for verdict in verdicts(wire)} == {("dns", "none")}


def test_what_is_no_dns_at_all_is_charged():
    wire, octets = exchange(FOREIGN, [(b"\0" * 1200, b"\xff" * 1200)] * 5)
    assert bill(wire) == {"evidence_not_accepted": octets}


def test_only_towards_a_trusted_resolver_can_a_programme_cover_it():
    wire, octets = exchange(RESOLVER, [(message(1, TXT, None), message(1, TXT, b"\x01a"))])
    assert bill(wire) == {"free": octets}


def test_tls_over_port_53_is_what_its_name_says():
    wire = Wire()
    talk = Connection(wire, FOREIGN, server_port=53).open().ask(client_hello("unlisted.example")).close()
    assert bill(wire) == {"unknown_application": talk.octets}
    assert wire.frames[0].octets[9] == TCP
