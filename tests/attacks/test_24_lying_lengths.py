"""Row 24: lengths in the IP header that are not true: accounting 1.2, or malformed."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from frames import TCP, UDP, Sent, client_hello, ip_packet, modest, udp_datagram
from hypothesis import given
from hypothesis import strategies as st
from meters import ALPHA_ADDRESS, START_NS, measure
from scenes import ME, Connection, Wire, billed

from classifier.iana import LINK_ETHERNET

PACKET = ip_packet(ME, ALPHA_ADDRESS, UDP, udp_datagram(5000, 443, b"x" * 100))
V6_PACKET = ip_packet("2001:db8:5:7::1", "2001:db8:a::1", UDP, udp_datagram(5000, 443, b"x" * 100))


def claiming(length: int, packet: bytes = PACKET) -> bytes:
    at = 2 if packet[0] >> 4 == 4 else 4
    return packet[:at] + struct.pack("!H", length) + packet[at + 2 :]


def counted(packet: bytes, *, captured: int | None = None) -> dict[str, int]:
    octets = b"\x02" * 12 + (b"\x08\0" if packet[0] >> 4 == 4 else b"\x86\xdd") + packet
    kept = octets if captured is None else octets[:captured]
    return billed(measure([Sent(START_NS, kept, LINK_ETHERNET, len(octets))]))


@modest(100)
@given(st.integers(0, 65_535))
def test_total_length_against_the_frame(length):
    """0 is segmentation offload; more than the frame held is what it held; less than a header is no packet."""
    if length == 0 or length >= len(PACKET):
        expected = {"free": len(PACKET)}
    elif length >= 20:
        expected = {"free": length}
    else:
        expected = None
    found = counted(claiming(length))
    if expected is None:
        assert set(found) <= {"malformed"}
    else:
        assert found == expected


@modest(60)
@given(st.integers(1, 65_535))
def test_payload_length_of_ipv6_against_the_frame(length):
    assert counted(claiming(length, V6_PACKET)) == {"free": min(40 + length, len(V6_PACKET))}


@modest(60)
@given(st.integers(14 + 20, 14 + len(PACKET)))
def test_a_frame_cut_by_the_snap_length_counts_in_full(captured):
    """The ports may be gone with it: then it is the address that says whose it is."""
    assert counted(PACKET, captured=captured) == {"free": len(PACKET)}


@pytest.mark.parametrize("words", range(5))
def test_a_header_shorter_than_five_words_is_malformed(words):
    assert set(counted(bytes([0x40 | words]) + PACKET[1:])) <= {"malformed"}


def test_a_hello_in_a_packet_that_claims_no_length_gives_its_name():
    """What a capture on the host itself holds of a segment that the card will cut (segmentation offload)."""
    wire = Wire()
    talk = Connection(wire, ALPHA_ADDRESS).open().ask(client_hello("alpha.example")).close()
    frames = [replace(frame, octets=claiming(0, frame.octets)) for frame in wire.frames]
    assert frames[0].octets[9] == TCP
    outcome = measure(frames)
    assert billed(outcome) == {"free": talk.octets}
    assert [flow.evidence for flow in outcome.flows] == ["verified"]


@pytest.mark.parametrize("offset_words", range(16))
def test_a_tcp_header_that_lies_about_its_own_length_still_counts(offset_words):
    wire = Wire()
    talk = Connection(wire, ALPHA_ADDRESS).open().ask(client_hello("alpha.example"))
    lying = [
        replace(frame, octets=frame.octets[:32] + bytes([offset_words << 4]) + frame.octets[33:])
        for frame in wire.frames
    ]
    assert sum(billed(measure(lying)).values()) == talk.octets
