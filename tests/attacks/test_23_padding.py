"""Row 23: what stands behind the packet in its frame is neither counted nor read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from frames import UDP, Sent, client_hello, ip_packet, modest, udp_datagram
from hypothesis import given
from hypothesis import strategies as st
from meters import ALPHA_ADDRESS, START_NS, measure
from scenes import FOREIGN, ME, Connection, Wire, billed, request

from classifier.iana import LINK_ETHERNET

ETHERNET = b"\x02" * 12 + b"\x08\0"
SHORTEST = 60  # IEEE 802.3, 4.4.2: 64 octets with the checksum


def framed(frame: Sent, behind: bytes) -> Sent:
    return replace(frame, octets=ETHERNET + frame.octets + behind, link_type=LINK_ETHERNET)


@modest(40)
@given(st.integers(0, 18), st.binary(max_size=60))
def test_a_packet_of_29_octets_in_a_frame_of_60_counts_29(payload, behind):
    packet = ip_packet(ME, ALPHA_ADDRESS, UDP, udp_datagram(5000, 443, b"x" * payload))
    assert payload != 1 or len(packet) == 29
    frame = framed(Sent(START_NS, packet), behind)
    padded = replace(frame, octets=frame.octets.ljust(SHORTEST, b"\0"))
    assert billed(measure([padded])) == {"free": 28 + payload}


@pytest.mark.parametrize(
    "behind", [client_hello("gamma.example"), request("GET / HTTP/1.1", "Host: gamma.example")], ids=["tls", "http"]
)
def test_padding_behind_an_acknowledgement_names_nothing(behind):
    """The hello of the padding never reached the server, whatever it acknowledges later."""
    wire = Wire()
    talk = Connection(wire, FOREIGN).open()
    frames = [framed(frame, b"") for frame in wire.frames[:-1]]
    frames.append(framed(wire.frames[-1], behind))
    sent = len(frames)
    talk.ask(b"\xff" * len(behind)).close()
    frames += [framed(frame, b"") for frame in wire.frames[sent:]]
    outcome = measure(frames)
    assert billed(outcome) == {"unknown_application": talk.octets}
    assert [flow.name for flow in outcome.flows] == [None]


def test_padding_before_the_real_hello_contradicts_nothing():
    wire = Wire()
    talk = Connection(wire, ALPHA_ADDRESS).open().ask(client_hello("alpha.example")).close()
    assert billed(measure([framed(frame, b"\x16\x03\x01\0\0\0") for frame in wire.frames])) == {"free": talk.octets}
